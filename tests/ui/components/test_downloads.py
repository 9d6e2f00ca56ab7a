from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.ui.charts.similarity import plot_similarity
from mtdemo.ui.components.downloads import Export, as_page, write_files
from mtdemo.ui.tabs.answers import as_record, tabulate_answers
from mtdemo.ui.tabs.entities import tabulate_entities
from tests.ui.conftest import FakeService

FILE = LoadedFile("a.csv", ("one", "two"), ("id", "text", "label"), (("1", "one", "x"), ("2", "two", "y")), "text", "label")


def test_what_stood_beside_a_sentence_goes_along(fake: FakeService, tmp_path: Path) -> None:
    export = Export("answers", as_record, tabulate_answers)
    csv, jsonl = write_files(fake, str(tmp_path), export, "two\nnew\none", None, FILE)
    table = pd.read_csv(csv.value["path"], keep_default_na=False)
    assert list(table["file: id"]) == ["2", "", "1"] and list(table["file: label"]) == ["y", "", "x"]
    records = [json.loads(line) for line in Path(jsonl.value["path"]).read_text().splitlines()]
    assert [record.get("file") for record in records] == [{"id": "2", "label": "y"}, None, {"id": "1", "label": "x"}]
    plain = write_files(fake, str(tmp_path), export, "two", None)[0]
    assert "file" not in Path(plain.value["path"]).read_text()


def test_a_table_of_entities_has_rows_of_its_own(fake: FakeService, tmp_path: Path) -> None:
    export = Export("entities", lambda sentence: sentence.entities_as_dict(), tabulate_entities)
    csv, _ = write_files(fake, str(tmp_path), export, "Ada met Bob Eve\none", None, FILE)
    assert list(pd.read_csv(csv.value["path"]).columns) == ["sentence", "text", "label", "score", "start", "end"]


def test_a_figure_is_a_page_that_loads_nothing(fake: FakeService) -> None:
    page = as_page(plot_similarity(fake.similarity(["<script>x</script>", "b"])), "similarity").decode()
    assert "default-src 'none'" in page.split("<body>")[0]
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", page.split("plotly.js")[0])
    assert "<script>x</script>" not in page.rsplit("Plotly.newPlot", 1)[1]
