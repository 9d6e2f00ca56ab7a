from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
import pytest

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.serving.vector_service import SentenceMap, VectorService
from mtdemo.ui.charts.vectors import MAX_COLORS, plot_map
from mtdemo.ui.vectors.projection import (
    COLORINGS,
    color_values,
    is_missing,
    is_of_another,
    is_there,
    lay_out,
    offer_columns,
    redraw,
    show_neighbours,
    show_selection,
    stop_layout,
)
from tests.ui.components.test_cards import HOSTILE, Reader

TEXT = "\n".join(f"Ada saw {n} cats" if n % 3 else f"word number {n}" for n in range(24))


def laid_out(vectors: VectorService, tmp_path: Path, **changes: Any) -> tuple[Any, ...]:
    asked = {"text": TEXT, "model": None, "method": "PCA", "n_dimensions": 2, "n_clusters": 3, "drawn": None}
    *_, last = lay_out(vectors, **(asked | changes), directory=str(tmp_path))
    return last[:4]


def test_a_map_has_a_note_clusters_and_a_file(vectors: VectorService, tmp_path: Path) -> None:
    drawn, note, clusters, csv = laid_out(vectors, tmp_path)
    assert isinstance(drawn, SentenceMap)
    for words in (
        "**PCA** of the embeddings, each brought to length 1 first",
        "of the variance",
        "trustworthiness",
        "k = 10",
    ):
        assert words in note
    assert clusters["sentences"].sum() == 24
    table = pd.read_csv(csv.value["path"])
    assert list(table.columns) == ["sentence", "x", "y", "class", "entity type", "cluster"]
    np.testing.assert_allclose(table[["x", "y"]], drawn.projection.places, rtol=1e-6)
    assert set(table["entity type"]) == {"PER", "none"}


def test_three_dimensions_have_three_axes(vectors: VectorService, tmp_path: Path) -> None:
    drawn, note, *_ = laid_out(vectors, tmp_path, n_dimensions=3)
    figure, _ = redraw(drawn, "class", "", False)
    assert note.count("%") >= 4
    assert figure.data[0].type == "scatter3d" and len(figure.data[0].z) == 24


@pytest.mark.parametrize("coloring", COLORINGS)
def test_every_sentence_is_one_point_whatever_it_is_coloured_by(
    vectors: VectorService, tmp_path: Path, coloring: str
) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    figure, count = redraw(drawn, coloring, "", False)
    assert sorted(n for trace in figure.data for n in trace.customdata) == list(range(1, 25))
    assert count == ""
    assert len({trace.marker.symbol for trace in figure.data}) == len(figure.data), "not by colour alone"


def test_a_filter_leaves_colours_and_places_as_they_are(vectors: VectorService, tmp_path: Path) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    figure, count = redraw(drawn, "entity type", r"number \d$", True)
    shown = [n for trace in figure.data for n in trace.customdata]
    assert shown == [1, 4, 7, 10]
    assert count == "**4** of 24 sentences are shown."
    with pytest.raises(gr.Error, match="no regular expression"):
        redraw(drawn, "class", "(", True)


def test_values_beyond_the_colours_are_one_group(vectors: VectorService, tmp_path: Path) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    values = [f"kind {n}" for n in range(24)]
    figure = plot_map(drawn, values, [True] * 24)
    assert len(figure.data) == MAX_COLORS
    assert figure.data[-1].name == "15 others (15)"
    assert sum(len(trace.x) for trace in figure.data) == 24


def test_many_points_are_drawn_by_webgl(vectors: VectorService) -> None:
    drawn = vectors.draw_map([f"word {n % 7} {n}" for n in range(1_000)])
    assert plot_map(drawn, drawn.classes, [True] * 1_000).data[0].type == "scatter"
    many = SentenceMap(drawn.texts * 2, drawn.classes * 2, drawn.types * 2, drawn.projection, drawn.clusters)
    object.__setattr__(many.projection, "places", np.tile(drawn.projection.places, (2, 1)))
    assert plot_map(many, many.classes, [True] * 2_000).data[0].type == "scattergl"


def test_a_map_is_laid_out_only_for_who_opened_it(vectors: VectorService, tmp_path: Path) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    for last, wish in ((None, is_there), (drawn, is_missing), (drawn, is_of_another), (None, is_of_another)):
        answers = lay_out(vectors, TEXT, None, "PCA", 2, 3, last, directory=str(tmp_path), wish=wish)
        assert list(answers) == [(gr.skip(),) * 5]
    other = TEXT + "\nA sentence that was read while the map was laid out."
    for last, wish in ((None, is_missing), (drawn, is_missing), (drawn, is_there), (drawn, is_of_another)):
        assert wish(last, other)
    assert redraw(None, "class", "", False) == (None, "")


def test_a_layout_in_steps_can_be_stopped_before_its_end(vectors: VectorService, tmp_path: Path) -> None:
    steps = lay_out(vectors, TEXT, None, "t-SNE", 2, 3, None, directory=str(tmp_path))
    *kept, stop = next(steps)
    assert kept == [gr.skip()] * 4 and stop.visible
    steps.close()
    assert stop_layout(None)[1] == "PCA"
    drawn, *_ = laid_out(vectors, tmp_path)
    assert stop_layout(drawn)[1] == "PCA"


def test_points_that_were_drawn_around_stand_in_a_table_and_a_file(vectors: VectorService, tmp_path: Path) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    note, table, csv = show_selection(vectors, str(tmp_path), drawn, f"3,1,99,0,-2,x,3,{'9' * 5_000}")
    assert note == "**2** of 24 sentences are selected."
    assert [row[:2] for row in table.value["data"]] == [[1, "word number 0"], [3, "Ada saw 2 cats"]]
    assert list(pd.read_csv(csv.value["path"])["number"]) == [1, 3]
    for numbers in ("", "99"):
        assert not show_selection(vectors, str(tmp_path), drawn, numbers)[1].visible


def test_neighbours_are_listed_with_where_they_stand(vectors: VectorService) -> None:
    markup = show_neighbours(vectors, TEXT, None, 2)
    assert markup.count("<li") == 11
    assert markup.index("Ada saw 1 cats") < markup.index("1.000")
    assert "of random pairs" in markup
    assert "is none of them" in show_neighbours(vectors, TEXT, None, 99)
    assert show_neighbours(vectors, TEXT, None, None) == ""


def test_what_was_typed_is_never_markup(vectors: VectorService, tmp_path: Path) -> None:
    hostile = list(HOSTILE) * 2
    drawn, *_ = laid_out(vectors, tmp_path, text="\n".join(hostile))
    figure, _ = redraw(drawn, "class", "", False)
    for trace in figure.data:
        for text in trace.text:
            assert "<" not in text.replace("<br>", "")
    page = Reader(show_neighbours(vectors, "\n".join(hostile), None, 1))
    assert page.tags <= {"ol", "li", "span", "p", "div", "b", "i"}


def test_a_column_of_values_is_that_of_each_sentence(vectors: VectorService, tmp_path: Path) -> None:
    drawn, *_ = laid_out(vectors, tmp_path)
    assert set(color_values(drawn, "cluster")) == {"cluster 1", "cluster 2", "cluster 3"}
    assert color_values(drawn, "entity type") == drawn.types
    texts = drawn.texts[:2]
    file = LoadedFile("a.csv", texts, ("text", "kind"), ((texts[0], "odd"), (texts[1], "")), "text")
    assert [value for _, value in offer_columns("", None, file).choices] == [*COLORINGS, "column: kind"]
    assert list(color_values(drawn, "column: kind", file)) == ["odd", *["no value"] * 23]
    assert color_values(drawn, "column: gone", file) == drawn.classes
