"""What the documents say is so: commands, settings, code, names of files and functions."""

import ast
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from benchmarks.judgement import ADDRESS, EXHIBITS, exhibit_rows
from mtdemo.cli.main import main
from mtdemo.config import Settings, read_settings
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.link import read_query
from mtdemo.ui.page import TABS
from tests.app_process import ROOT, AppProcess
from tests.test_architecture import ARROWS

DOCUMENTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md",
        "docs/api.md", "docs/architecture.md", "docs/benchmarks.md", "docs/cli.md", "docs/files.md", "docs/judgement.md",
        "docs/models.md", "docs/scaling.md", "docs/spaces.md", "docs/why.md",
    )
}  # fmt: skip
README = DOCUMENTS["README.md"]
MAX_README_WORDS = 1_000


def blocks(document: str, language: str, word: str = "") -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", DOCUMENTS[document], re.DOTALL)
    return [code for code in found if word in code]


def commands(document: str) -> list[str]:
    return [line for code in blocks(document, "bash") for line in code.splitlines()]


def test_the_code_for_clients_runs_against_the_app(app: AppProcess, capsys: pytest.CaptureFixture[str]) -> None:
    for word, expected in (
        ("/analyze", ["neutral 7 0 0", "PER John 0 4"]),
        ("call_tool", ["negative positive"]),
        ("base64", ["(2, 384)", "422 Sentence 2: It is blank."]),
    ):
        (code,) = blocks("docs/api.md", "python", word)
        with ThreadPoolExecutor(1) as thread:  # where no loop runs, as one does in this while a browser is open
            thread.submit(exec, code.replace("http://127.0.0.1:7860", app.url), {}).result()
        shown = capsys.readouterr().out
        assert all(words in shown for words in expected), word


@pytest.mark.model
@pytest.mark.parametrize(
    ("document", "word", "expected"),
    [
        ("README.md", "ModelService", "negative"),
        ("docs/api.md", "MtdemoError", "embedded (1, 384)\n3 sentences were given; at most 2"),
        ("docs/api.md", "build_optimizer", "['entity head, decay', 'entity head, no decay']"),
    ],
)
def test_the_code_without_a_page_runs(
    document: str, word: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (code,) = blocks(document, "python", word)
    exec(code, {})  # noqa: S102
    assert expected in capsys.readouterr().out


def test_the_views_of_the_judgement_are_what_the_model_answers_and_links_bring_them_back(service: ModelService) -> None:
    table = DOCUMENTS["docs/judgement.md"].partition("<!-- views: begin -->")[2].partition("<!-- views: end -->")[0]
    shown = [line.strip("| ").split(" | ") for line in table.strip().splitlines()[2:]]
    found = [list(row) for row in exhibit_rows(service)]
    numbers = re.compile(r"\d\.\d+")
    for cells, row in zip(shown, found, strict=True):
        expected = " | ".join(row).strip("| ")
        assert numbers.sub("", " | ".join(cells)) == numbers.sub("", expected)
        assert [float(number) for number in numbers.findall(" | ".join(cells))] == pytest.approx(
            [float(number) for number in numbers.findall(expected)], abs=0.011
        )
    links = re.findall(rf"\({re.escape(ADDRESS)}\?([^)]+)\)", table)
    asked = [read_query(dict(parse_qsl(link)), TABS, hub_models=False) for link in links]
    assert [(one.tab, one.text) for one in asked] == [("why", text) for _, text, *_ in EXHIBITS]
    versions = [dict(parse_qsl(link)).get("what-if-version") for link in links]
    assert versions == [others[0] if others else None for _, _, *others in EXHIBITS]


def test_every_block_of_python_is_one_of_those() -> None:
    assert {name: len(blocks(name, "python")) for name in DOCUMENTS if blocks(name, "python")} == {
        "README.md": 1, "docs/api.md": 5,
    }  # fmt: skip


def test_the_curl_commands_run_against_the_app(app: AppProcess) -> None:
    for code in blocks("docs/api.md", "bash", "curl"):
        command = ["bash", "-euc", code.replace("http://127.0.0.1:7860", app.url)]
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603
        assert '"label":"positive"' in answer.replace(": ", ":"), code


@pytest.mark.model
def test_the_commands_run_one_after_the_other(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they stand, but for a tiny base and two steps of training."""
    tagged = [{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}, {"tokens": ["paris", "sat"], "tags": ["B-LOC", "O"]}]
    labelled = [{"text": "the cat sat", "label": "neutral"}, {"text": "the cat", "label": "positive"}]
    rows = "".join(json.dumps(row) + "\n" for row in tagged)
    for name, content in {
        "lines.txt": "John lives in Paris.\n",
        "ner.jsonl": rows * 4,
        "classes.csv": "text,label\n" + "the cat,neutral\nthe mat,positive\n" * 4,
        "pairs.tsv": "5\tthe cat\ta cat\n1\tjohn\tthe mat\n2\tparis\tthe mat\n",
        "dev.conll": "john B-PER\nsat O\n\nparis B-LOC\nsat O\n",
    }.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "my-checkpoint").mkdir()
    (tmp_path / "my-checkpoint" / "README.md").write_text("<!-- measured: begin -->\n<!-- measured: end -->\n")
    monkeypatch.chdir(tmp_path)
    lines = [*commands("README.md"), *commands("docs/cli.md")]
    run = [line for line in lines if line.startswith("python -m mtdemo ")]
    assert {line.split()[3] for line in run} == {"annotate", "evaluate", "train", "calibrate", "card"}
    for line in run:
        is_ner = "--task ner" in line
        (tmp_path / "dev.jsonl").write_text(rows if is_ner else "".join(json.dumps(row) + "\n" for row in labelled))
        arguments = shlex.split(line.replace("bert-base-uncased", str(tiny("base"))))[3:]
        assert main([*arguments, *(["--steps", "2"] if arguments[0] == "train" else [])]) == 0, line
    (start,) = (line for line in lines if line.startswith("python app.py --"))
    assert read_settings(shlex.split(start)[2:], {}).checkpoint == "my-checkpoint"


def test_the_checks_and_the_tiers_for_contributors_are_those_of_ci_and_pytest() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    (checks,) = (line for line in commands("CONTRIBUTING.md") if line.startswith("ruff"))
    assert set(checks.split(" && ")) <= set(ci)
    with (ROOT / "pyproject.toml").open("rb") as file:
        markers = [line.partition(":")[0] for line in tomllib.load(file)["tool"]["pytest"]["ini_options"]["markers"]]
    assert re.findall(r"^\| `(\w+)` \|", DOCUMENTS["CONTRIBUTING.md"], re.MULTILINE) == markers
    (fast,) = (line for line in commands("CONTRIBUTING.md") if "not model" in line)
    assert set(re.findall(r"not (\w+)", fast)) == set(markers) - {"gpu"}


def test_the_settings_are_all_there_with_their_defaults_and_meanings() -> None:
    row = r"^\| `(MTDEMO_\w+)` \| (?:`([^`]+)`)? ?\| `?([^|`]+?)`? \| (.+) \|$"
    expected = []
    for setting in fields(Settings):
        default = {"checkpoint": "the one in the package", "hub_models": "1", "hub_login": "0", "mcp": "0"}.get(
            setting.name, str(setting.default)
        )
        flag = f"--{setting.name.replace('_', '-')}" if setting.metadata["flag"] else ""
        expected.append((f"MTDEMO_{setting.name.upper()}", flag, default, setting.metadata["about"]))
    assert re.findall(row, DOCUMENTS["docs/cli.md"], re.MULTILINE) == expected


def test_the_file_map_names_every_folder_and_module_of_the_package() -> None:
    table = README.partition("## The files, in reading order")[2].partition("## Licence")[0]
    named = set(re.findall(r"`(mtdemo/\w+(?:\.py|/))`", table))
    modules = {f"mtdemo/{path.name}" for path in (ROOT / "mtdemo").glob("*.py") if path.name != "__init__.py"}
    folders = {f"mtdemo/{path.parent.name}/" for path in (ROOT / "mtdemo").glob("*/__init__.py")}
    assert named == modules | folders


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_link_of_a_document_leads_somewhere(document: str) -> None:
    text = DOCUMENTS[document]
    for path in re.findall(r"`((?:mtdemo|tests|docs|benchmarks)/[\w/.]*)`", text):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\(([^)#]+)\)", re.sub(r"```.*?```|`[^`\n]+`", "", text, flags=re.DOTALL)):
        assert link.startswith(("https://", ADDRESS)) or (ROOT / document).parent.joinpath(link).resolve().exists(), link


def test_commands_and_pictures_exist() -> None:
    assert "pip install -r requirements.txt && python app.py" in README
    command = "pip install -r requirements-dev.txt && python -m pytest"
    assert command in README
    assert command.replace("pip install", "pip install -q") in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert set(pictures) == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.png")}


def test_the_readme_is_short() -> None:
    assert len(README.split()) < MAX_README_WORDS


def test_the_front_matter_is_what_a_space_needs() -> None:
    front = README.split("---")[1]
    assert "sdk: gradio" in front
    assert "app_file: app.py" in front
    short = re.search(r"short_description: (.+)", front)
    assert short is not None
    assert len(short[1]) <= 60


def test_the_import_table_is_that_of_the_test() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\|$", DOCUMENTS["docs/architecture.md"], re.MULTILINE)
    table = {name: set(re.findall(r"`(\w+)`", targets)) for name, targets in rows if name in ARROWS}
    assert table == ARROWS


def test_the_functions_that_a_walk_leads_to_are_there() -> None:
    walk = DOCUMENTS["docs/architecture.md"].partition("## A stranger's walk")[2]
    for question in walk.split("\n**")[1:]:
        steps = re.findall(r"^\d\. `([\w/]+\.py)`: `(\w+)`", question, re.MULTILINE)
        assert 1 <= len(steps) <= 2, "README and at most two more"
        for path, name in steps:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{path}: {name}"
        assert f"row `{'/'.join(steps[0][0].split('/')[:2])}/`".replace("mtdemo/", "") in question


def test_names_after_a_file_are_in_it() -> None:
    """Such as `Planner.plan` (`mtdemo/planning/planner.py`)."""
    for document in ("docs/architecture.md", "CONTRIBUTING.md"):
        for name, path in re.findall(r"`([\w.]+)`\s+\(`(mtdemo/[\w/]+\.py)`\)", DOCUMENTS[document]):
            assert name.split(".")[-1] in (ROOT / path).read_text(encoding="utf-8"), f"{path}: {name}"
