"""What each tab makes of results; the callbacks are called as the page calls them."""

import io
from pathlib import Path

import gradio as gr
import numpy as np
import pandas as pd
import pytest

from mtdemo.ui.charts.similarity import plot_similarity
from mtdemo.ui.components.messages import describe_answer, numbered, shorten
from mtdemo.ui.components.sentence_box import read_lines
from mtdemo.ui.tabs.classification import show_classes
from mtdemo.ui.tabs.entities import highlight, show_entities
from mtdemo.ui.tabs.similarity import as_csv, as_npy, show_embeddings, tabulate_pairs
from tests.ui.conftest import FakeService, analyse


def test_similarity_is_a_note_a_heat_map_and_pairs(fake: FakeService, tmp_path: Path) -> None:
    note, figure, pairs, *_ = show_embeddings(fake, str(tmp_path), "one\n\n two \nthree", None)
    assert fake.asked == [(("one", "two", "three"), None)]
    assert note.startswith("Answered by `fake`: bert, 2 layers, 1.0 million parameters")
    assert np.array(figure.data[0].z).shape == (3, 3)
    assert len(pairs) == 3
    assert list(pairs["cosine"]) == sorted(pairs["cosine"], reverse=True)


def test_the_visitors_model_is_the_one_that_is_asked(fake: FakeService) -> None:
    show_classes(fake, "one", "owner/name")
    assert fake.asked[-1][1] == "owner/name"


def test_one_sentence_has_no_heat_map_and_is_told_why(fake: FakeService, tmp_path: Path) -> None:
    note, figure, pairs, *_ = show_embeddings(fake, str(tmp_path), "one", None)
    assert figure is None
    assert pairs.empty
    assert "add a second line" in note


def test_many_sentences_are_drawn_up_to_a_limit_and_told(fake: FakeService, tmp_path: Path) -> None:
    note, figure, *_ = show_embeddings(fake, str(tmp_path), "\n".join(f"word {n}" for n in range(60)), None)
    assert np.array(figure.data[0].z).shape == (50, 50)
    assert len(set(figure.data[0].y)) == 50
    assert "first 50 of 60" in note


def test_markup_in_sentences_is_text_in_the_picture(fake: FakeService) -> None:
    figure = plot_similarity(fake.similarity(["<b>bold</b>", "<a href='javascript:x'>y</a>"]))
    assert "<b>" not in str(figure.data[0].y) + str(figure.data[0].customdata)
    assert "&lt;b&gt;" in figure.data[0].y[0]
    figure = plot_similarity(fake.similarity(['He said "no" & won\'t', "x"]))
    assert figure.data[0].y[0] == '1. He said "no" &amp; won\'t', "Plotly knows the entities of <, > and & only"


def test_files_hold_every_value(fake: FakeService, tmp_path: Path) -> None:
    analysis = fake.analyze(['comma, "quote"', "long one"])
    table = pd.read_csv(io.BytesIO(as_csv(analysis)))
    assert list(table["sentence"]) == ['comma, "quote"', "long one"]
    assert list(table["n_truncated"]) == [0, 7]
    np.testing.assert_allclose(table.filter(like="dim_").to_numpy(), analysis.embeddings, rtol=1e-6)
    assert np.array_equal(np.load(io.BytesIO(as_npy(analysis))), analysis.embeddings)
    *_, vectors, csv, npy = show_embeddings(fake, str(tmp_path), "one\ntwo", None)
    assert list(vectors["sentence"]) == ["one", "two"]
    assert len(vectors["first 10 values"][0].split()) == 4
    assert Path(csv.value["path"]).suffix == ".csv"
    assert np.load(npy.value["path"]).shape == (2, 4)


def test_a_pair_stands_in_the_table_once(fake: FakeService) -> None:
    for n in range(1, 8):
        pairs = tabulate_pairs(fake.similarity([f"word {i}" for i in range(n)]))
        assert not pairs.duplicated(["sentence", "other sentence"]).any()
        assert len(pairs) == min(10, n * (n - 1) // 2)


def test_one_sentence_has_bars_and_many_have_a_table(fake: FakeService) -> None:
    _, bars, table = show_classes(fake, "one", None)
    assert bars.value["label"] == "yes"
    assert (bars.visible, table.visible) == (True, False)
    _, bars, table = show_classes(fake, "one\ntwo", None)
    assert (bars.visible, table.visible) == (False, True)
    columns = table.value["headers"]
    assert len(set(columns)) == len(columns) and "P(yes)" in columns


def test_spans_are_highlighted_and_joined_give_the_text(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "Ada met Charles\nnobody", None)
    assert "".join(text for text, _ in pieces) == "Ada met Charles\nnobody"
    assert [text for text, label in pieces if label] == ["Ada", "Charles"]
    assert table.to_dict("records")[1] == {
        "sentence": 1, "text": "Charles", "label": "PER", "score": 0.75, "start": 8, "end": 15,
    }  # fmt: skip
    assert note.startswith("**2 entities found.**")


def test_no_entity_is_said_and_is_no_error(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "nothing here", None)
    assert note.startswith("**No entity found.**")
    assert pieces == [("nothing here", None)]
    assert table.empty


def test_highlighting_is_limited_and_told(fake: FakeService) -> None:
    note, pieces, table = show_entities(fake, "\n".join(["Ada"] * 150), None)
    assert sum(label is not None for _, label in pieces) == 100
    assert len(table) == 150
    assert "first 100 of 150" in note
    assert highlight([]) == []


def test_untrained_heads_are_called_so_where_they_speak(untrained: FakeService, tmp_path: Path) -> None:
    assert show_classes(untrained, "x", None)[0].startswith("**Untrained head.**")
    assert "**Untrained head.**" in show_entities(untrained, "x", None)[0]
    note = show_embeddings(untrained, str(tmp_path), "x\ny", None)[0]
    assert "Untrained head." not in note, "an embedding needs no head"
    assert "class head **untrained**" in note


def test_truncation_is_always_told_except_for_entities(fake: FakeService) -> None:
    one = fake.analyze(["long text", "short"])
    assert "sentence 1 has 4 word pieces" in describe_answer(one)
    assert "the other 7 were not read" in describe_answer(one)
    assert "Its class comes" in describe_answer(one, "classification_head")
    assert "Cut" not in describe_answer(one, "ner_head")
    assert "9 sentences were too long" in describe_answer(fake.analyze(["long"] * 9))


def test_text_is_shortened_for_labels_that_stay_different() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
    assert numbered([analyse("same"), analyse("same")], 10) == ["1. same", "2. same"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("a\n\n  b  \n", ["a", "b"]),
        ("a\r\nb\rc", ["a", "b", "c"]),
        ("a\u2028b", ["a\u2028b"]),
        ("x\ud800", ["x\ufffd"]),
    ],
)
def test_lines_are_sentences(typed: str, expected: list[str]) -> None:
    assert read_lines(typed) == expected


@pytest.mark.parametrize("typed", ["", "  \n\t\n", None])
def test_nothing_typed_says_what_to_do(fake: FakeService, tmp_path: Path, typed: str) -> None:
    with pytest.raises(gr.Error, match="Write one sentence per line"):
        show_embeddings(fake, str(tmp_path), typed, None)


def test_errors_of_limits_reach_the_person_and_bugs_stay_bugs(fake: FakeService) -> None:
    with pytest.raises(gr.Error, match="5,000 sentences were given; at most 1,000"):
        show_entities(fake, "a\n" * 5000, None)
    with pytest.raises(gr.Error, match="3,000,000 characters"):
        show_entities(fake, "x" * 3_000_000, None)
    with pytest.raises(AttributeError):
        show_entities(None, "a", None)  # type: ignore[arg-type]
