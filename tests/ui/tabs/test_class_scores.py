from __future__ import annotations

from dataclasses import replace

import gradio as gr
import pytest

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.ui.tabs.class_scores import abstain, choose_threshold, list_cell, show_class_scores
from tests.ui.conftest import INFO, FakeService

TEXTS = ("one", "two", "three", "four", "five")
FILE = LoadedFile(
    "a.csv",
    TEXTS,
    ("text", "label"),
    tuple(zip(TEXTS, ("yes", "no", "yes", "", "maybe"), strict=True)),
    "text",
    "label",
)
TEXT = "\n".join((*TEXTS, "another line"))


def test_labels_are_found_by_their_sentences_and_the_rest_is_told(fake: FakeService) -> None:
    invitation, part, note, confusion, caption, listed, figure = show_class_scores(fake, TEXT, None, FILE)
    assert (invitation.visible, part.visible) == (False, True)
    assert "Accuracy **0.500" in note and "on 4 sentences" in note
    assert "Fewer than 30" in note and "no class maybe" in note and "2 sentences without a label" in note
    assert confusion.values.tolist() == [["no", 0, 1, 0], ["yes", 0, 2, 0], ["maybe", 0, 1, 0]]
    assert caption.startswith("**The 2 mistakes**")
    assert [row[::4] for row in listed.value["data"]] == [[2, "two"], [5, "five"]]
    assert sum(int(words.removeprefix("n = ")) for words in figure.data[0].text) == 4


def test_a_cell_lists_its_sentences(fake: FakeService) -> None:
    caption, listed = list_cell(fake, TEXT, None, FILE, 1, 1)
    assert caption.startswith("**yes**: 2")
    assert [row[-1] for row in listed.value["data"]] == ["one", "three"]
    assert not list_cell(fake, TEXT, None, FILE, 0, 0)[1].visible, "an empty table is hidden"
    caption, listed = list_cell(fake, TEXT, None, FILE, 2, 1)
    assert caption.startswith("**maybe taken for yes**: 1") and listed.value["data"][0][0] == 5
    assert list_cell(fake, TEXT, None, FILE, 1, -1) == (gr.skip(), gr.skip())


def test_to_abstain_is_told_in_numbers(fake: FakeService) -> None:
    assert "answers **100%** of the sentences (coverage), and of these **50%** rightly" in abstain(
        fake, TEXT, None, FILE, 0.5
    )
    assert "answers **none** of the 4" in abstain(fake, TEXT, None, FILE, 0.9)


def test_a_threshold_is_chosen_by_the_accuracy_that_is_wanted(fake: FakeService) -> None:
    assert "answers **100%** of the sentences" in choose_threshold(fake, TEXT, None, FILE, 0.5)
    assert choose_threshold(fake, TEXT, None, FILE, 0.9) == "At **no** confidence are 90% of the answers right."
    assert choose_threshold(fake, TEXT, None, None, 0.9) == ""


@pytest.mark.parametrize("file", [None, replace(FILE, label_column="")])
def test_without_labels_there_is_an_invitation(fake: FakeService, file: LoadedFile | None) -> None:
    invitation, part, *others = show_class_scores(fake, TEXT, None, file)
    assert (invitation.visible, part.visible) == (True, False)
    assert others == [gr.skip()] * 5
    assert abstain(fake, TEXT, None, file, 0.5) == ""


def test_names_of_classes_are_never_markup() -> None:
    service = FakeService(replace(INFO, class_labels=("<b>", "*x*")))
    file = replace(FILE, rows=tuple((text, "<i>") for text in TEXTS))
    note, caption = show_class_scores(service, TEXT, None, file)[2], list_cell(service, TEXT, None, file, 2, 1)[0]
    assert "<" not in note and "<" not in caption and "*x*" not in caption
