from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr
import pytest

from mtdemo.config import Settings
from mtdemo.serving.explainer import Explainer
from mtdemo.serving.service import ModelService
from mtdemo.ui.tabs.why import offer_sentences, show
from mtdemo.ui.why.occlusion_view import describe_hiding, render_occlusion, tabulate_occlusion
from mtdemo.ui.why.piece_view import describe_pieces, render_pieces, tabulate_pieces
from mtdemo.ui.why.word_marks import mark_words

HOSTILE = "the <img src=x onerror=alert(1)> cat ${alert(2)}"


@pytest.fixture
def explainer(tiny: Callable[..., Path]) -> Explainer:
    return Explainer(ModelService(Settings(checkpoint=str(tiny()), max_length=32)))


def test_what_a_person_wrote_is_text(explainer: Explainer) -> None:
    shown = render_occlusion(explainer.occlude(HOSTILE)), render_pieces(explainer.view_pieces(HOSTILE))
    assert all("<img" not in html for html in shown)
    assert "&lt;" in shown[0]


def test_every_answer_has_its_words_its_numbers_and_its_check(explainer: Explainer) -> None:
    explained = explainer.occlude("john sat on the mat")
    shown, table = render_occlusion(explained), tabulate_occlusion(explained.result)
    assert shown.count("<li>") == len(explained.result.targets)
    assert "random orders" in shown
    assert "entity head of this model has random weights" in shown, "an untrained head is told"
    assert sorted(table["without"]) == sorted(["john", "sat", "on", "the", "mat"])
    assert list(table.columns)[:2] == ["without", "cosine to the whole"]
    assert "`[MASK]`" in describe_hiding(explained)
    assert "2,9" in render_occlusion(explainer.occlude("the " * 3_000)), "what was left out is told"


def test_a_word_carries_its_number_and_side() -> None:
    from mtdemo.text.masking import Word

    words = [Word("good", 0, 4, (0,)), Word("day", 5, 8, (1,)), Word("bad", 9, 12, (2,))]
    shown = mark_words("good day bad", words, [-0.5, 0.01, 0.25])
    assert shown == (
        '<span class="word for" style="--share:42%">good<small> −0.50</small></span> day '
        '<span class="word against" style="--share:21%">bad<small> +0.25</small></span>'
    )
    assert mark_words("good day bad", words, [0, 0, 0]) == "good day bad"


def test_pieces_are_grouped_by_word_and_unknown_ones_are_named(explainer: Explainer) -> None:
    explained = explainer.view_pieces("the cats 😀")
    assert render_pieces(explained).count("pieces-of") == 3
    assert "<small>unknown</small>" in render_pieces(explained)
    assert "1 of them **unknown**" in describe_pieces(explained)
    table = tabulate_pieces(explained.result)
    assert list(table["piece"]) == ["the", "cat", "##s", "[UNK]"]
    assert list(table["word"]) == ["the", "cats", "cats", "😀"]
    long = explainer.view_pieces("the cat sat on mat " * 16)
    assert "window 2 of" in render_pieces(long) and "overlapping windows" in describe_pieces(long)


def test_the_tab_explains_the_chosen_sentence_once_and_only_while_it_is_open(explainer: Explainer) -> None:
    sentence, other, version = offer_sentences("one\n\ntwo")
    assert sentence.choices == [("1. one", 0), ("2. two", 1)]
    assert (sentence.value, other.value, version) == (0, 1, "one")
    skipped = (gr.skip(),) * 8
    assert show(explainer, "", None, 1, "the cat\nthe mat", None) == skipped
    shown, words, *_ = show(explainer, "open", None, 1, "the cat\nthe mat", None)
    assert shown == ("the mat", None)
    assert "mat" in words
    assert show(explainer, "open", shown, 1, "the cat\nthe mat", None) == skipped
    assert show(explainer, "open", None, 0, "", None) == skipped
