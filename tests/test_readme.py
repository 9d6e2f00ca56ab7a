"""What the README says is so: its commands, its settings, its code."""

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from mtdemo.config import Settings
from tests.app_process import ROOT, AppProcess

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def blocks(language: str, word: str) -> list[str]:
    return [code for found, code in BLOCKS if found == language and word in code]


def test_the_code_for_clients_runs_against_the_app(app: AppProcess, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python", "gradio_client")
    exec(code.replace("http://127.0.0.1:7860", app.url), {})  # noqa: S102
    shown = capsys.readouterr().out
    assert "PER John 0 4" in shown
    assert "596744 108891648" in shown


def test_the_code_without_a_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("python", "ModelService")
    exec(code, {})  # noqa: S102
    assert "negative" in capsys.readouterr().out


def test_the_curl_commands_run_against_the_app(app: AppProcess) -> None:
    (code,) = blocks("bash", "curl")
    command = ["bash", "-euc", code.replace("http://127.0.0.1:7860", app.url)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603
    assert '"label": "positive"' in answer


def test_the_settings_are_all_there_with_their_defaults_and_meanings() -> None:
    rows = re.findall(r"^\| `(MTDEMO_\w+)` \| (?:`([^`]+)`)? ?\| `?([^|`]+?)`? \| (.+) \|$", TEXT, re.MULTILINE)
    expected = []
    for setting in fields(Settings):
        default = {"checkpoint": "the one in the package", "hub_models": "1"}.get(setting.name, str(setting.default))
        flag = f"--{setting.name.replace('_', '-')}" if setting.metadata["flag"] else ""
        expected.append((f"MTDEMO_{setting.name.upper()}", flag, default, setting.metadata["about"]))
    assert rows == expected


def test_the_file_map_names_every_file_of_the_package_and_nothing_else() -> None:
    table = TEXT.partition("## The files, in reading order")[2].partition("## Licence")[0]
    named = set(re.findall(r"`(mtdemo/\w+\.py)`", table))
    assert named == {f"mtdemo/{path.name}" for path in (ROOT / "mtdemo").glob("*.py") if path.name != "__init__.py"}
    assert all(Path(ROOT / name).exists() for name in re.findall(r"`([\w/]+(?:\.py|/))`", table))


def test_commands_and_pictures_exist() -> None:
    assert "pip install -r requirements.txt && python app.py" in TEXT
    command = "pip install -r requirements-dev.txt && python -m pytest"
    assert command in TEXT
    assert command.replace("pip install", "pip install -q") in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", TEXT):
        assert (ROOT / picture).is_file()


def test_the_front_matter_is_what_a_space_needs() -> None:
    front = TEXT.split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    short = re.search(r"short_description: (.+)", front)
    assert short is not None
    assert len(short[1]) <= 60
