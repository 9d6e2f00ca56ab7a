"""The program: which door a command takes, its version, and what the package brings along."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import mtdemo
from mtdemo.__main__ import main

ROOT = Path(mtdemo.__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_serve_starts_the_page_with_the_flags_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.ui.launch.main", lambda arguments: [*arguments])
    assert main(["serve", "--port", "7861"]) == ["--port", "7861"]


@pytest.mark.parametrize("flags", [["--ray", "auto"], ["--port", "7861", "--ray=auto"]])
def test_serve_on_ray_is_the_command_lines(flags: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.cli.replicas.main", lambda arguments: ["replicas", *arguments])
    assert main(["serve", *flags]) == ["replicas", *flags]


def test_every_other_command_is_the_command_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdemo.cli.main.main", lambda arguments: [*arguments])
    monkeypatch.setattr("sys.argv", ["mtdemo", "annotate", "serve"])
    assert main() == ["annotate", "serve"]
    assert main([]) == []


def test_the_version_stands_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mtdemo {mtdemo.__version__}\n"
    assert "version" in PROJECT["project"]["dynamic"]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(command in said for command in ("serve", "annotate", "evaluate", "card", "calibrate", "train"))


def test_the_console_script_is_this_program_and_the_package_brings_its_files() -> None:
    script = EntryPoint("mtdemo", PROJECT["project"]["scripts"]["mtdemo"], "console_scripts")
    assert script.load() is main
    for pattern in PROJECT["tool"]["setuptools"]["package-data"]["mtdemo"]:
        assert [*(ROOT / "mtdemo").glob(pattern)], pattern
