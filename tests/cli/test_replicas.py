import sys

import pytest

from mtdemo.cli.replicas import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--ray"], "mtdemo serve: Ray is not installed"), (["--ray", "--port", "0"], "port must be at least 1")],
)
def test_what_cannot_be_served_is_told(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_a_number_of_replicas_is_at_least_one() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--ray", "--max-replicas", "0"])
    assert ended.value.code == 2
