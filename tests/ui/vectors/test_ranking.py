from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pandas as pd

from mtdemo.results import FrozenDict
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.vectors.ranking import show_duplicates, show_ranking, tabulate_ranking
from tests.ui.components.test_cards import HOSTILE, Reader
from tests.ui.conftest import INFO, FakeService

TEXT = "one\ntwo\nthree\nfour"


def test_the_sentence_itself_is_the_nearest_and_the_file_holds_the_best(vectors: VectorService, tmp_path: Path) -> None:
    note, figure, best, csv = show_ranking(vectors, str(tmp_path), TEXT, None, " three ", 2)
    assert note.startswith("**2 of 4 sentences**, the nearest first. **Is a cosine high?**")
    assert figure.visible and figure.value["type"] == "plotly"
    assert best.index("three") < best.index("1.000") < best.index("of random pairs")
    assert best.count("<li") == 2
    table = pd.read_csv(csv.value["path"])
    assert list(table.columns) == ["rank", "sentence number", "cosine", "% of random pairs below", "sentence"]
    assert (table["sentence"][0], table["sentence number"][0], table["cosine"][0], len(table)) == ("three", 3, 1.0, 2)


def test_without_a_query_nothing_is_shown(vectors: VectorService, tmp_path: Path) -> None:
    note, figure, best, csv = show_ranking(vectors, str(tmp_path), TEXT, None, "  ", 2)
    assert (note, best, figure.visible, csv.interactive) == ("", "", False, False)


def test_the_table_has_every_sentence_in_the_order_of_its_cosine(vectors: VectorService) -> None:
    table = tabulate_ranking(vectors.rank("two", TEXT.split("\n")))
    assert sorted(table["sentence number"]) == [1, 2, 3, 4]
    assert list(table["cosine"]) == sorted(table["cosine"], reverse=True)
    assert list(table["% of random pairs below"]) == sorted(table["% of random pairs below"], reverse=True)


def test_prompts_of_the_model_are_used_and_told(tmp_path: Path) -> None:
    asked: list[str | None] = []

    class Prompted(FakeService):
        def analyze(self, *args: object, prompt: str | None = None, **others: object):  # type: ignore[no-untyped-def]
            asked.append(prompt)
            return super().analyze(*args, **others)  # type: ignore[arg-type]

    info = replace(INFO, prompts=FrozenDict({"query": "query: ", "passage": "passage: "}))
    note, *_ = show_ranking(VectorService(Prompted(info)), str(tmp_path), TEXT, None, "two", 1)
    assert asked[:2] == ["passage", "query"]
    assert "the query with the model's prompt *query* and the sentences with the model's prompt *passage*" in note


def test_near_duplicates_are_counted_and_put_on_the_scale(vectors: VectorService) -> None:
    note, pairs = show_duplicates(vectors, "one\none\ntwo\none", None, 0.999)
    assert note.startswith("**3** of 6 pairs have a cosine of 1.00 or more.")
    assert isinstance(pairs, gr.Dataframe) and len(pairs.value["data"]) == 3
    assert show_duplicates(vectors, "one\ntwo", None, 0.9999)[0].startswith("**None** of 1 pairs")


def test_what_was_typed_is_never_markup(vectors: VectorService, tmp_path: Path) -> None:
    for query in HOSTILE:
        note, _, best, _ = show_ranking(vectors, str(tmp_path), "\n".join(HOSTILE), None, query, 20)
        page = Reader(best)
        assert page.tags <= {"ol", "li", "span", "p", "div", "b", "i"}
        assert not {name for name in page.attributes if name.startswith("on")}
        assert query not in note
