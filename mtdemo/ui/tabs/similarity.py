"""The tab for sentence embeddings and their similarity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
import pandas as pd

from mtdemo.analysis.similarity import Similarity
from mtdemo.analysis.vectors.background import Background
from mtdemo.analysis.vectors.clusters import order_by_similarity
from mtdemo.errors import InputError
from mtdemo.results import Analysis, Pair, ProgressCallback
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.charts.similarity import MAX_SENTENCES, plot_similarity
from mtdemo.ui.components.cards import NEAR
from mtdemo.ui.components.downloads import AnswerFile, add_downloads, add_figure_downloads, csv_files
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.grid import render_grid
from mtdemo.ui.components.messages import describe_answer
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, MAX_ROWS, SentenceBox, ask
from mtdemo.ui.vectors.layers import add_layers
from mtdemo.ui.vectors.projection import add_map
from mtdemo.ui.vectors.ranking import add_ranking
from mtdemo.ui.vectors.scale import describe_scale

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ALONE = (
    "One sentence has nothing to be compared with. With a second line, a map of the cosines stands here: how near each is "
    "to each other in meaning, and which pairs are the nearest and the farthest."
)
N_VALUES = 10  # of each embedding, as the reference prints them
_MOST, _BEST = "most similar", "the best, not near"
_INTRODUCTION = (
    "Each sentence becomes one vector, made of the encoder's last hidden states: their mean, unless the model's makers "
    "meant something else. The closer the directions of two vectors, the closer the sentences in meaning: **cosine "
    "similarity**, from -1 to 1."
)
_WIDTHS: list[str | int] = ["240px", "80px", "64px", "96px", "88px", "580px"]


def add_embedding_tab(vectors: VectorService, box: SentenceBox, model: gr.State) -> None:
    """Add the tab.

    Args:
        vectors: answers.
        box: holds the sentences.
        model: the visitor's choice of model.
    """
    with gr.Tabs(elem_classes="inner"):
        with gr.Tab("Pairs"):
            _add_pairs(vectors, box, model)
        with gr.Tab("Rank", elem_id="tab-rank"):
            add_ranking(vectors, box, model)
        with gr.Tab("Map", elem_id="tab-map") as opened:
            add_map(vectors, box, model, opened)
        with gr.Tab("Layers", elem_id="tab-layers"):
            add_layers(vectors, box, model)


def _add_pairs(vectors: VectorService, box: SentenceBox, model: gr.State) -> None:
    """Add the heat map, pairs that stand out, and values."""
    note = gr.Markdown(elem_classes="note")
    heatmap = gr.Plot(label="Cosine similarity", show_label=False, elem_id="heatmap")
    grid = gr.HTML(apply_default_css=False, elem_id="grid")
    ordered = gr.Checkbox(label="Order the picture so that similar sentences stand side by side", elem_id="ordered")
    add_figure_downloads(vectors.service, partial(draw_map, vectors.service), [box.asked, model], "similarity", "heatmap")
    with gr.Accordion("Most and least similar pairs", open=False):
        pairs = gr.Dataframe(label="Most and least similar pairs", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    with gr.Accordion("Embeddings", open=False):
        values = gr.Dataframe(
            label=f"Embeddings, {MAX_ROWS} at most; the files have all",
            interactive=False,
            wrap=True,
            max_chars=MAX_CHARACTERS,
            column_widths=_WIDTHS,
        )
    npy = AnswerFile("NumPy (.npy)", "embeddings.npy", lambda answers, _: as_npy(answers))
    add_downloads(vectors.service, box, model, *csv_files("embeddings", tabulate_values), npy)
    gr.Markdown(_INTRODUCTION, elem_classes="introduction")
    box.fill_with(
        model,
        "embedding_tab",
        "What the embedding tab shows: a note, a Plotly heat map, a table of pairs, one of embeddings.",
        partial(show_embeddings, vectors),
        *(note, heatmap, pairs, values),
    )
    box.fill_with(model, None, "", partial(show_grid, vectors.service), grid)
    box.n_answers.change(None, None, ordered, js="() => false")
    redraw = partial(redraw_similarity, vectors)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    ordered.input(redraw, [box.asked, model, ordered], [heatmap, grid], **quiet)


@shows_errors
def redraw_similarity(
    vectors: VectorService, text: str, model: str | None, is_ordered: bool, progress: gr.Progress = gr.Progress()
) -> tuple[Figure | None, str]:
    """Draw the cosines in one order or the other."""
    similarity = ask(vectors.service, partial(_compare_shown, vectors.service), text, model, progress)
    n = len(similarity.analysis)
    if n == 1:
        return None, ""
    order = order_by_similarity(similarity.matrix) if is_ordered else range(n)
    analysis = ask(vectors.service, vectors.service.analyze, text, model, progress)
    background = vectors.background_of(analysis, model)
    return plot_similarity(similarity, background, order), render_grid(similarity, order)


def draw_map(service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()) -> Figure:
    """Draw the heat map of what was read.

    Raises:
        InputError: one sentence has none.
    """
    similarity = ask(service, partial(_compare_shown, service), text, model, progress)
    if len(similarity.analysis) < 2:
        raise InputError(_ALONE)
    return plot_similarity(similarity)


@shows_errors
def show_grid(service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()) -> str:
    """Show the heat map as a table, for narrow screens."""
    return render_grid(ask(service, partial(_compare_shown, service), text, model, progress))


@shows_errors
def show_embeddings(
    vectors: VectorService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Figure | None, pd.DataFrame, pd.DataFrame]:
    """Show a note, a figure and tables.

    The tables are of the pairs that stand out and of the first values; the files have all values.
    """
    similarity = ask(vectors.service, vectors.service.similarity, text, model, progress)
    analysis = similarity.analysis
    if len(analysis) == 1:
        note, figure, pairs = _note(similarity), None, tabulate_pairs(similarity)
    else:
        background = vectors.background_of(analysis, model)
        note = f"{_note(similarity)}\n\n{describe_scale(background)}".strip()
        figure, pairs = plot_similarity(similarity, background), tabulate_pairs(similarity, background)
    return note, figure, pairs, tabulate_embeddings(analysis)[:MAX_ROWS]


def tabulate_embeddings(analysis: Analysis) -> pd.DataFrame:
    """Tabulate each sentence's length, norm and first values."""
    return pd.DataFrame(
        {
            "sentence": [sentence.text for sentence in analysis],
            "tokens": [sentence.n_tokens for sentence in analysis],
            "cut": [sentence.n_truncated for sentence in analysis],
            "unknown": [sentence.n_unknown for sentence in analysis],
            "norm": [round(sentence.norm, 4) for sentence in analysis],
            f"first {N_VALUES} values": [
                "  ".join(f"{value:.8f}" for value in sentence.embedding[:N_VALUES]) for sentence in analysis
            ],
        }
    )


def tabulate_pairs(similarity: Similarity, background: Background | None = None) -> pd.DataFrame:
    """Tabulate the most and the least similar pairs, each once.

    A pair below `NEAR` is called the best rather than similar. With the percent of random pairs below each, where the
    background is given.
    """
    texts = [sentence.text for sentence in similarity.analysis]
    least = [pair for pair in similarity.least_similar if pair not in similarity.most_similar]

    def rows(kind: str, pairs: Sequence[Pair]) -> list[tuple[str, float, str, str]]:
        return [
            (kind if pair.similarity >= NEAR or kind != _MOST else _BEST, round(pair.similarity, 4), *_texts(texts, pair))
            for pair in pairs
        ]

    table = pd.DataFrame(
        [*rows(_MOST, similarity.most_similar), *rows("least similar", least)],
        columns=["pair", "cosine", "sentence", "other sentence"],
    )
    if background is not None:
        percents = [round(background.percentile(cosine), 1) for cosine in table["cosine"]]
        table.insert(2, "% of random pairs below", percents)
    return table


def _compare_shown(
    service: ModelService, sentences: Sequence[str], model: str | None, progress: ProgressCallback
) -> Similarity:
    """Compare the sentences that the picture shows."""
    return service.similarity(sentences[:MAX_SENTENCES], model, progress=progress)


def _texts(texts: Sequence[str], pair: Pair) -> tuple[str, str]:
    return texts[pair.first], texts[pair.second]


def tabulate_values(analysis: Analysis) -> pd.DataFrame:
    """Tabulate sentences, their numbers and every value."""
    columns = pd.DataFrame(
        {
            "sentence": [sentence.text for sentence in analysis],
            "n_tokens": [sentence.n_tokens for sentence in analysis],
            "n_truncated": [sentence.n_truncated for sentence in analysis],
            "n_unknown": [sentence.n_unknown for sentence in analysis],
            "norm": [sentence.norm for sentence in analysis],
        }
    )
    values = pd.DataFrame(analysis.embeddings, columns=[f"dim_{index}" for index in range(analysis.model.hidden_size)])
    return pd.concat([columns, values], axis=1)


def as_npy(analysis: Analysis) -> bytes:
    """Write a NumPy file: float32 (sentences, width)."""
    buffer = io.BytesIO()
    np.save(buffer, analysis.embeddings, allow_pickle=False)
    return buffer.getvalue()


def _note(similarity: Similarity) -> str:
    note = describe_answer(similarity.analysis)
    n_sentences = len(similarity.analysis)
    if n_sentences == 1:
        return f"{_ALONE}\n\n{note}".strip()
    if n_sentences > MAX_SENTENCES:
        shown = f"The picture shows the first {MAX_SENTENCES} of {n_sentences:,} sentences; pairs are those of all."
        return f"{shown}\n\n{note}".strip()
    return note
