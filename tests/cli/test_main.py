from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtdemo.cli.main import main
from mtdemo.models.checkpoints import load_directory
from mtdemo.training.state import save_state

Write = Callable[..., Path]


def test_a_stopped_training_goes_on_from_its_own_directory_or_another(
    tiny: Write, few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--base", str(tiny()), *few, "--steps", "3", "--interval", "1"]
    assert main(arguments) == 0
    whole = (tmp_path / "out" / "model.safetensors").read_bytes()
    n_saved = 0

    def save_once(*arguments: Any) -> None:
        nonlocal n_saved
        save_state(*arguments)
        n_saved += 1
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mtdemo.training.loop.save_state", save_once)
        assert main(arguments) == 130
    assert n_saved == 1
    assert "stopped. The same command with --resume goes on" in capsys.readouterr().err
    assert main([*arguments, "--output", str(tmp_path / "new"), "--resume", str(tmp_path / "out")]) == 0
    assert (tmp_path / "new" / "model.safetensors").read_bytes() == whole
    (tmp_path / "out" / "model.safetensors").unlink()
    assert main([*arguments, "--resume"]) == 0
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == whole


def test_a_training_that_is_stopped_at_its_end_says_that_the_checkpoint_is_there(
    tiny: Write, few: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    arguments = ["train", "--base", str(tiny()), *few]
    with monkeypatch.context() as patch:
        patch.setattr("mtdemo.training.loop.train", stop)
        assert main(arguments) == 130
    assert "stopped. Nothing was saved yet." in capsys.readouterr().err
    monkeypatch.setattr("mtdemo.analysis.comparison.compare", stop)
    assert main(arguments) == 130
    assert f"stopped. {tmp_path / 'out'} holds a finished checkpoint" in capsys.readouterr().err
    assert load_directory(tmp_path / "out").info.trained_heads == ("classification_head", "ner_head")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "--task", "ner", "--data", "/nowhere.jsonl"], "/nowhere.jsonl cannot be read"),
        (["annotate", "/nowhere.txt", "--output", "/tmp/x"], "/nowhere.txt cannot be opened"),
        (["annotate", "x", "--output", "y", "--checkpoint", "./typo"], "There is no checkpoint './typo'"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
