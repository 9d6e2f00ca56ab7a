from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from mtdemo.config import Settings
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.planning.planner import Planner
from mtdemo.ui.components.file_loader import MAX_CHOICES, describe_file, offer_columns, put_back, take_file, take_split
from mtdemo.ui.components.sentence_box import MAX_SHOWN
from mtdemo.ui.page import build_page, make_link
from tests.ui.components.test_cards import HOSTILE, Reader
from tests.ui.conftest import FakeService


def test_a_file_fills_the_box_and_has_it_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text,label\n1,One.,x\n2,Two.,y\n")
    texts, file, told, columns, whole, problem, lesson, n_wanted, taken = take_file(Settings(), str(path), None, 4)
    assert (texts, problem, lesson, n_wanted, taken) == ("One.\nTwo.", "", "", 5, str(path))
    assert isinstance(file, LoadedFile) and file.labels == ("x", "y")
    for words in ("a.csv</b>: 2 texts", "<q>text</q>", "2 classes in <q>label</q>"):
        assert words in told
    assert columns.choices == [("id: 1", "id"), ("text: One.", "text"), ("label: x", "label")]
    assert (columns.value, columns.visible, whole.visible) == ("text", True, False)
    assert take_file(Settings(), str(path), "id", 5)[0] == "1\n2"


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "<b>.pdf"
    path.write_text("x")
    *others, problem, lesson, n_wanted, taken = take_file(Settings(), str(path), None, 4)
    assert all(value == gr.skip() for value in (*others, lesson, n_wanted, taken))
    assert "&lt;b&gt;.pdf is of a kind that is not read" in problem
    assert str(tmp_path) not in problem


def test_the_limits_are_those_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("line\n" * 30)
    texts, _, told, columns, *_ = take_file(Settings(max_sentences=20), str(path), None, 0)
    assert texts.count("\n") == 19
    assert "The first 20 texts are taken, and the other 10 rows are left out" in told
    assert columns.visible is False


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_of_files_and_columns_are_never_markup(hostile: str) -> None:
    file = LoadedFile(hostile, ("a",), (hostile, "b"), (("a", "c"),), hostile, "b", notes=(hostile,))
    page = Reader(describe_file(file))
    assert page.tags <= {"p", "b", "q"} and not {name for name in page.attributes if name.startswith("on")}
    assert page.text.count(hostile) == 3


def test_few_columns_are_offered_and_the_chosen_one_among_them() -> None:
    columns = tuple(f"c{number}" for number in range(30))
    offered = offer_columns(LoadedFile("a", ("x",), columns, (columns,), "c29"))
    assert len(offered.choices) == MAX_CHOICES + 1 and offered.choices[-1] == ("c29: c29", "c29")


def test_the_file_leaves_with_its_texts(fake: FakeService, planner: Planner) -> None:
    config = build_page(fake, planner).get_config_file()
    kinds = {component["id"]: component["props"].get("elem_id") for component in config["components"]}
    forgets = [d for d in config["dependencies"] if not d["inputs"] and "loaded" in map(kinds.get, d["outputs"])]
    assert len(forgets) == 1
    assert len(forgets[0]["targets"]) == 8, "seven examples and the button that clears"


def test_a_long_text_is_split_and_put_back() -> None:
    text = "It rains. Dr. Ada left!\nAnd came."
    texts, file, told, columns, whole, problem, _, n_wanted, before = take_split(text, 4)
    assert texts == "It rains.\nDr. Ada left!\nAnd came."
    assert (problem, n_wanted, before, whole.visible, columns.visible) == ("", 5, (text, None, ""), True, False)
    assert file.values("start") == ("0", "10", "24")
    assert "3 sentences" in told
    assert put_back(before, 5)[:2] == (text, None)
    *others, problem, _, _, before = take_split(" \n", 4)
    assert all(value == gr.skip() for value in (*others, before)) and "nothing to split" in problem


def test_of_a_long_file_the_first_lines_stand_in_the_box_and_splitting_loses_none(tmp_path: Path) -> None:
    lines = [f"It rains {number}. And snows." for number in range(MAX_SHOWN + 1)]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(lines))
    texts, file, told, *_ = take_file(Settings(), str(path), None, 0)
    assert texts.split("\n") == lines[:MAX_SHOWN]
    assert f"The first {MAX_SHOWN} of {len(lines)} lines stand in the box; all are read" in told
    shown, split, told_split, *_, before = take_split(texts, 1, file, told)
    assert len(split.texts) == 2 * len(lines) and shown.count("\n") == MAX_SHOWN - 1
    assert f"of {2 * len(lines)} lines" in told_split
    assert put_back(before, 2)[:3] == (texts, file, told)
    query, problem = make_link(texts, None, file)
    assert query == "" and "The link would have" in problem, "a link to a part would be another question"
