"""The part of the page that orders sentences by a query, and finds those that nearly repeat one another."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.analysis.vectors.ranking import MAX_PAIRS, Duplicates, find_duplicates
from mtdemo.serving.vector_service import RankedSentences, VectorService
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.text.words import is_blank
from mtdemo.ui.charts.vectors import plot_cosines
from mtdemo.ui.components.downloads import offer_table
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.messages import as_plain_markdown, describe_answer
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, SentenceBox, ask
from mtdemo.ui.vectors.ranked import render_ranked
from mtdemo.ui.vectors.scale import describe_scale

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_LISTED = 50
_NEAR_DUPLICATE = 0.9


def add_ranking(vectors: VectorService, box: SentenceBox, model: gr.State) -> None:
    """Add the part that ranks.

    Args:
        vectors: answers.
        box: holds the sentences.
        model: the visitor's choice of model.
    """
    with gr.Row(elem_classes="controls"):
        asks = "Query: the sentences of the box are ordered by their cosine to it"
        query = gr.Textbox(label=asks, max_lines=2, scale=4, elem_id="query")
        n_best = gr.Number(20, label="Best", precision=0, minimum=1, scale=1, min_width=90, elem_id="rank-best")
        button = gr.Button("Rank", variant="primary", scale=0, min_width=110, elem_id="rank")
    note = gr.Markdown(elem_classes="note")
    figure = gr.Plot(label="All cosines", show_label=False, visible=False, elem_id="cosines")
    best = gr.HTML(apply_default_css=False, elem_id="ranked")
    csv = gr.DownloadButton("Download the best as CSV", interactive=False, size="sm", elem_classes="single")
    gr.on(
        [button.click, query.submit, box.n_answers.change],
        partial(show_ranking, vectors, csv.GRADIO_CACHE),
        [box.asked, model, query, n_best],
        [note, figure, best, csv],
        api_visibility="private",
        trigger_mode="always_last",
        show_progress_on=[best],
    )
    with gr.Accordion("Near-duplicates", open=False):
        with gr.Row(elem_classes="controls"):
            threshold = gr.Slider(0.3, 1.0, _NEAR_DUPLICATE, step=0.01, label="Pairs whose cosine is at least", scale=3)
            search = gr.Button("Find near-duplicates", scale=0, min_width=230)
        found = gr.Markdown(elem_classes="note")
        pairs = gr.Dataframe(label="Near-duplicates", interactive=False, wrap=True, max_chars=MAX_CHARACTERS, visible=False)
        gr.on(
            [search.click, threshold.release],
            partial(show_duplicates, vectors),
            [box.asked, model, threshold],
            [found, pairs],
            api_visibility="private",
        )


@shows_errors
def show_ranking(
    vectors: VectorService,
    directory: str,
    text: str,
    model: str | None,
    query: str,
    n_best: float | None,
    progress: gr.Progress = gr.Progress(),
) -> tuple[str, Any, str, Any]:
    """Show a note, the histogram, the best and their file.

    All are empty without a query.
    """
    query = replace_unreadable(query or "").strip()
    if not text or is_blank(query):
        return "", gr.Plot(visible=False), "", gr.DownloadButton(interactive=False)
    ranked = ask(vectors.service, partial(vectors.rank, query), text, model, progress)
    n = max(1, int(n_best or 1))
    order = list(zip(ranked.ranking.positions.tolist(), ranked.ranking.cosines.tolist(), strict=True))[:n]
    texts = [sentence.text for sentence in ranked.analysis]
    return (
        describe_ranking(ranked, len(order)),
        gr.Plot(_histogram(ranked), visible=len(texts) > 1),
        render_ranked(texts, order[:MAX_LISTED], ranked.background),
        offer_table(tabulate_ranking(ranked)[:n], "ranking", directory, vectors.service),
    )


@shows_errors
def show_duplicates(
    vectors: VectorService, text: str, model: str | None, threshold: float, progress: gr.Progress = gr.Progress()
) -> tuple[str, Any]:
    """Count the pairs that reach a cosine; show the best."""
    analysis = ask(vectors.service, vectors.service.analyze, text, model, progress)
    found = find_duplicates(analysis.embeddings, threshold)
    background = vectors.background_of(analysis, model)
    texts = [sentence.text for sentence in analysis]
    table = pd.DataFrame(
        [(round(pair.similarity, 4), texts[pair.first], texts[pair.second]) for pair in found.pairs],
        columns=["cosine", "sentence", "other sentence"],
    )
    place = f"A cosine of {threshold:.2f} is {background.phrase(threshold)}."
    return f"{describe_duplicates(found, len(texts))} {place}", gr.Dataframe(table, visible=bool(found.pairs))


def describe_ranking(ranked: RankedSentences, n_shown: int) -> str:
    """Say what was compared, and how to read a cosine."""
    n = len(ranked.analysis)
    parts = [f"**{min(n_shown, n):,} of {n:,} sentences**, the nearest first." if n_shown < n else f"**{n:,} sentences**."]
    if n_shown > MAX_LISTED:
        parts.append(f"The first {MAX_LISTED} are listed; the file has all {n_shown:,}.")
    named = [
        f"{what} with the model's prompt *{as_plain_markdown(name)}*"
        for what, name in zip(("the query", "the sentences"), ranked.prompts, strict=True)
        if name
    ]
    if named:
        parts.append(f"Read were {' and '.join(named)}.")
    reservations = describe_answer(ranked.analysis)
    return f"{' '.join(parts)} {describe_scale(ranked.background)}\n\n{reservations}".strip()


def describe_duplicates(found: Duplicates, n_sentences: int) -> str:
    """Count the pairs, and say where the list ends."""
    n_all = n_sentences * (n_sentences - 1) // 2
    if not found.n_pairs:
        return f"**None** of {n_all:,} pairs has a cosine of {found.threshold:.2f} or more."
    cut = f" The {MAX_PAIRS} most similar are listed." if found.n_pairs > MAX_PAIRS else ""
    return f"**{found.n_pairs:,}** of {n_all:,} pairs have a cosine of {found.threshold:.2f} or more.{cut}"


def tabulate_ranking(ranked: RankedSentences) -> pd.DataFrame:
    """Tabulate all sentences, the nearest first; numbers from 1."""
    positions, cosines = ranked.ranking.positions.tolist(), ranked.ranking.cosines.tolist()
    return pd.DataFrame(
        {
            "rank": range(1, len(positions) + 1),
            "sentence number": [position + 1 for position in positions],
            "cosine": [round(cosine, 6) for cosine in cosines],
            "% of random pairs below": [round(ranked.background.percentile(cosine), 2) for cosine in cosines],
            "sentence": [ranked.analysis.sentences[position].text for position in positions],
        }
    )


def _histogram(ranked: RankedSentences) -> Figure | None:
    return plot_cosines(ranked.ranking) if len(ranked.analysis) > 1 else None
