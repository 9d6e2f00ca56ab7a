from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest

from mtdemo.config import Settings
from mtdemo.serving.explainer import Explainer
from mtdemo.serving.service import ModelService
from mtdemo.ui.why.panels import attribute, compare_with, share_words, try_names, try_variants

TEXT = "the cat sat on the <b>mat</b>\njohn sat"


@pytest.fixture
def explainer(tiny: Callable[..., Path]) -> Explainer:
    return Explainer(ModelService(Settings(checkpoint=str(tiny()), max_length=32)))


def test_two_versions_stand_side_by_side_as_text(explainer: Explainer) -> None:
    shown = compare_with(explainer, 0, TEXT, None, "the cat sat on the <i>john</i>")
    assert shown.index("Before") < shown.index("After")
    assert "Embedding: cosine" in shown and "the class" in shown
    assert "&lt;" in shown and "<i>" not in shown and "<b>mat" not in shown
    with pytest.raises(gr.Error, match="blank"):
        compare_with(explainer, 0, TEXT, None, " ")


def test_variants_are_counted_in_words_and_in_tables(explainer: Explainer) -> None:
    told, tallies, outcomes = try_variants(explainer, 1, TEXT, None)
    assert "harmless variants" in told and "It is not true that john sat" in told
    assert "random weights" in told, "an untrained head is told"
    rows = outcomes.value["data"]
    assert tallies.visible and sum(row[1] for row in tallies.value["data"]) == len(rows) - 1
    assert rows[0][0] == "negation"


def test_no_name_is_said(explainer: Explainer) -> None:
    told, _, outcomes = try_names(explainer, 0, "?", None)
    assert "nothing to swap" in told or outcomes.visible


def test_gradients_and_pairs_have_their_numbers_as_tables(explainer: Explainer) -> None:
    drawn, table = attribute(explainer, 0, TEXT, None, 1)
    assert "The parts sum to" in drawn and "<b>mat" not in drawn
    assert [row[0] for row in table.value["data"]].count("the") == 2
    drawn, table = share_words(explainer, 0, TEXT, None, 1)
    assert "The cosine of the two is" in drawn
    assert table.value["data"][0][2] == max(row[2] for row in table.value["data"])
