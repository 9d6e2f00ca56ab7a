from __future__ import annotations

import csv
import errno
import io
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdemo.config import MAX_UPLOAD_BYTES, Settings
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.errors import EmptyInputError, FileWriteError
from mtdemo.planning.planner import Planner
from mtdemo.ui.charts.similarity import plot_similarity
from mtdemo.ui.components import downloads
from mtdemo.ui.components.downloads import (
    as_csv,
    as_page,
    as_plain_cells,
    csv_files,
    json_lines,
    make_file,
    offer_table,
    save,
)
from mtdemo.ui.page import build_page
from mtdemo.ui.tabs.answers import as_record, tabulate_answers
from mtdemo.ui.tabs.entities import tabulate_entities
from tests.ui.conftest import FakeService

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("http://evil.example")']
cells = st.text(st.sampled_from("=+-@＝＋－＠\t\r\n '\",;xé"), max_size=4)


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))


@given(st.lists(cells, min_size=1), cells)
def test_no_cell_for_spreadsheets_is_run_and_the_exact_ones_are_as_they_were(texts: list[str], name: str) -> None:
    table = pd.DataFrame({name: texts, "number": range(0, -len(texts), -1)})
    plain, exact = rows_of(as_csv(as_plain_cells(table))), rows_of(as_csv(table))
    assert [row[0] for row in exact] == [name, *texts]
    assert [row[1:] for row in plain] == [row[1:] for row in exact], "numbers stay as they are"
    for (safe, *_), text in zip(plain, (name, *texts), strict=True):
        assert safe in (text, f"'{text}")
        assert not safe.startswith(("\t", "\r", "\n"))
        assert not safe.lstrip().startswith(tuple("=+-@＝＋－＠"))


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_plain_text_in_the_file_for_spreadsheets_alone(fake: FakeService, formula: str) -> None:
    analysis = fake.analyze([formula])
    safe, exact = csv_files("answers", tabulate_answers)
    assert (safe.name, exact.name) == ("answers-for-spreadsheets.csv", "answers-exact.csv")
    assert [rows_of(file.write(analysis, None))[1][0] for file in (safe, exact)] == [f"'{formula}", formula]
    (line,) = json_lines("answers", as_record).write(analysis, None).decode("utf-8").split("\n")[:-1]
    assert json.loads(line)["text"] == formula


def test_a_table_without_rows_has_its_names(fake: FakeService) -> None:
    for file in csv_files("entities", tabulate_entities):
        assert rows_of(file.write(fake.analyze(["none"]), None)) == [["sentence", "text", "label", "score", "start", "end"]]


def test_nothing_is_written_before_a_click(fake: FakeService, planner: Planner) -> None:
    config = build_page(fake, planner).get_config_file()
    buttons = {
        component["id"]
        for component in config["components"]
        if component["type"] == "button" and component["props"]["value"].startswith("Download ")
    }
    writes = [
        one for one in config["dependencies"] if one["backend_fn"] and buttons & {where for where, _ in one["targets"]}
    ]
    assert len(writes) == len(buttons) == 12
    assert {event for write in writes for _, event in write["targets"]} == {"click"}


def test_a_file_holds_what_was_read(fake: FakeService) -> None:
    content, name = make_file(fake, json_lines("answers", as_record), "one\n\ntwo", None)
    assert name == "answers.jsonl"
    assert [json.loads(line)["text"] for line in content.decode("utf-8").splitlines()] == ["one", "two"]
    with pytest.raises(EmptyInputError, match="nothing to read yet"):
        make_file(fake, json_lines("answers", as_record), "", None)


FILE = LoadedFile(
    "a.csv", ("one", "two"), ("id", "text", "label"), (("1", "one", "x"), ("2", "two", "=y")), "text", "label"
)


def test_what_stood_beside_a_sentence_goes_along(fake: FakeService) -> None:
    forms = (*csv_files("answers", tabulate_answers), json_lines("answers", as_record))
    safe, exact, lines = (make_file(fake, form, "two\nnew\none", None, FILE)[0] for form in forms)
    for content, label in ((safe, "'=y"), (exact, "=y")):
        table = pd.read_csv(io.BytesIO(content), keep_default_na=False)
        assert list(table["file: id"].astype(str)) == ["2", "", "1"] and list(table["file: label"]) == [label, "", "x"]
    records = [json.loads(line) for line in lines.decode("utf-8").splitlines()]
    assert [record.get("file") for record in records] == [{"id": "2", "label": "=y"}, None, {"id": "1", "label": "x"}]
    assert b"file" not in make_file(fake, forms[1], "two", None)[0]


def test_a_table_of_entities_has_rows_of_its_own(fake: FakeService) -> None:
    content, _ = make_file(fake, csv_files("entities", tabulate_entities)[1], "Ada met Bob Eve\none", None, FILE)
    assert list(pd.read_csv(io.BytesIO(content)).columns) == ["sentence", "text", "label", "score", "start", "end"]


def test_a_figure_is_a_page_that_loads_nothing(fake: FakeService) -> None:
    page = as_page(plot_similarity(fake.similarity(["<script>x</script>", "b"])), "similarity").decode()
    assert "default-src 'none'" in page.split("<body>")[0]
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page.split("plotly.js")[0])
    assert "<script>x</script>" not in page.rsplit("Plotly.newPlot", 1)[1]


def test_the_folder_is_bounded_and_the_oldest_leave(fake: FakeService, tmp_path: Path) -> None:
    fake.settings = Settings(max_file_bytes=MAX_UPLOAD_BYTES)
    paths = [Path(save(bytes([n]) * 1_500_000, "x.csv", str(tmp_path), fake)) for n in range(6)]
    assert [path.exists() for path in paths] == [False] * 4 + [True] * 2
    assert save(bytes([5]) * 1_500_000, "x.csv", str(tmp_path), fake) == str(paths[5]), "the same again takes no place"


def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(
    fake: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads, "save_bytes_to_cache", full)
    with pytest.raises(FileWriteError, match=r"answers\.csv could not be written: No space left on device") as error:
        save(b"x", "answers.csv", str(tmp_path), fake)
    assert str(tmp_path) not in str(error.value)


def test_a_table_that_is_offered_holds_no_formula(tmp_path: Path) -> None:
    table = pd.DataFrame({"sentence": FORMULAS, "cosine": [0.5] * len(FORMULAS)})
    path = Path(offer_table(table, "ranking", str(tmp_path), FakeService()).value["path"])
    assert path.name == "ranking-for-spreadsheets.csv"
    assert path.read_bytes() == as_csv(as_plain_cells(table))


def test_every_csv_of_the_page_is_written_here() -> None:
    """So none goes round what makes its cells plain, or round the bound of the folder."""
    for path in Path(downloads.__file__).parents[1].rglob("*.py"):
        if path.name != "downloads.py":
            assert not re.search(r"save_bytes_to_cache|\.to_csv\(", path.read_text(encoding="utf-8")), path.name
