"""The tab that lets two models answer the same sentences, and shows where they disagree."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.analysis.vectors.agreement import Agreement, Disagreement
from mtdemo.config import EMBEDDED
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.errors import CheckpointNotFoundError, MtdemoError
from mtdemo.evaluation.sources import estimate_difference
from mtdemo.evaluation.tallies import Tally, entity_f1, macro_f1, tally_classes, tally_entities
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.results import Analysis, Entity, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import Comparison, VectorService
from mtdemo.ui.charts.vectors import plot_two_maps
from mtdemo.ui.components.cards import draw_class, mark_entities
from mtdemo.ui.components.downloads import offer_table
from mtdemo.ui.components.events import as_message, shows_errors
from mtdemo.ui.components.labels import color_types
from mtdemo.ui.components.messages import as_plain_markdown, shorten
from mtdemo.ui.components.sentence_box import SentenceBox, ask
from mtdemo.ui.loading import load_beside
from mtdemo.ui.tabs.class_scores import FEW, label_rows
from mtdemo.ui.tabs.entity_scores import tagged_rows

MAX_LISTED = 50
_ABOUT = (
    "Both models read the sentences of the box: to see what another base gives, or, with a trained copy in use, what "
    "its training changed on your own sentences."
)
_VARIANTS = tuple(f"{EMBEDDED}#{variant}" for variant in ("cls", "max", "mean@1", "mean@2"))
_INFO = (
    "a model of the list, or any id of the hub; NAME#POOLING@LAYER is the same network pooled by mean, cls or max, or read "
    "after an earlier layer"
)
_N_NAMED = 3  # neighbours of a sentence
_DISPARITY = ((0.05, "nearly the same"), (0.3, "much alike"), (0.7, "partly alike"), (1.0, "hardly alike"))
_ALIKE = ((0.9, "nearly alike"), (0.7, "mostly alike"), (0.4, "partly alike"), (-1.0, "differently"))


def add_compare_tab(vectors: VectorService, box: SentenceBox, model: gr.State) -> None:
    """Add the tab.

    Args:
        vectors: answers.
        box: holds the sentences.
        model: the visitor's choice of model, which is one of the two.
    """
    settings = vectors.service.settings
    with gr.Row(elem_classes="controls"):
        other = gr.Dropdown(
            [*([known.id for known in KNOWN_MODELS] if settings.hub_models else [EMBEDDED]), *_VARIANTS],
            value=KNOWN_MODELS[1].id if settings.hub_models else EMBEDDED,
            label="Compare the model in use with",
            info=_INFO if settings.hub_models else None,
            allow_custom_value=settings.hub_models,
            scale=3,
            min_width=260,
        )
        button = gr.Button("Compare", variant="primary", scale=0, min_width=130)
    note = gr.Markdown(elem_classes="note")
    rows = gr.HTML(apply_default_css=False, elem_id="disagreements")
    csv = gr.DownloadButton("Download as CSV", interactive=False, size="sm", elem_classes="single")
    with gr.Column(visible=False) as maps:
        about_maps = gr.Markdown()
        figure = gr.Plot(label="Two maps", show_label=False, elem_id="two-maps")
        changed = gr.Dataframe(label="True neighbours that changed most", interactive=False, wrap=True)
    gr.Markdown(_ABOUT, elem_classes="introduction")
    button.click(
        partial(load_other, vectors.service),
        other,
        note,
        api_visibility="private",
        concurrency_limit=None,  # it holds no thread
    ).success(
        partial(show_comparison, vectors, csv.GRADIO_CACHE),
        [box.asked, model, other, box.file],
        [note, rows, csv, maps, about_maps, figure, changed],
        api_visibility="private",
        show_progress_on=[rows],
        concurrency_limit=4,
    )
    box.n_answers.change(
        lambda: ("", "", gr.DownloadButton(interactive=False), gr.Column(visible=False)),
        None,
        [note, rows, csv, maps],
        api_visibility="private",
        show_progress="hidden",
    )


async def load_other(service: ModelService, other: str | None) -> AsyncIterator[str]:
    """Load the other model before it is asked.

    Those who compare with models in memory wait for nobody's download.
    """
    try:
        async for _, line in load_beside(service, _name_of(other)):
            yield line
    except MtdemoError as error:
        raise as_message(error) from error


@shows_errors
def show_comparison(
    vectors: VectorService,
    directory: str,
    text: str,
    model: str | None,
    other: str | None,
    file: LoadedFile | None = None,
    progress: gr.Progress = gr.Progress(),
) -> tuple[Any, ...]:
    """Show a note, both answers, a file and two maps.

    Returns:
        The note, the sentences, the file; the part with the maps, what is told of them, the maps and the neighbours.
    """
    compared = ask(vectors.service, partial(vectors.compare, other=_name_of(other)), text, model, progress)
    note = " ".join([describe_comparison(compared), *describe_scores(compared, file)])
    button = offer_table(tabulate_comparison(compared), "comparison", directory, vectors.service)
    shown = gr.Column(visible=compared.maps is not None)
    changed = gr.Dataframe(tabulate_neighbours(compared), visible=bool(compared.agreement.changed))
    maps = (shown, describe_maps(compared), plot_two_maps(compared), changed)
    return note, render_comparison(compared), button, *maps


def _name_of(other: str | None) -> str:
    if not isinstance(other, str) or not other.strip():
        raise CheckpointNotFoundError("No model was named. Choose one of the list, or write an id of the hub.")
    return other.strip()


def describe_comparison(compared: Comparison) -> str:
    """Sum the comparison up, as Markdown."""
    agreement, n = compared.agreement, len(compared.one)
    names = [f"**{as_plain_markdown(analysis.model.id)}**" for analysis in (compared.one, compared.other)]
    parts = [f"{names[0]} and {names[1]} on {n:,} {'sentence' if n == 1 else 'sentences'}."]
    parts.append(
        f"The class changes in **{agreement.n_class_changes:,}**."
        if agreement.compares_classes
        else "Their classes are not compared: a head is untrained, or the models have other classes."
    )
    parts.append(
        f"Other entities are found in **{agreement.n_entity_changes:,}**."
        if agreement.compares_entities
        else "Their entities are not compared: a head is untrained, or the models have no type in common."
    )
    return " ".join([*parts, *_describe_spaces(agreement)])


def describe_scores(compared: Comparison, file: LoadedFile | None) -> list[str]:
    """Compare the scores of both, where there are labels.

    Both are scored on the same draws of sentences (a paired bootstrap), so that what is hard for both is no difference.
    """
    told = []
    places, labelled = label_rows(compared.one, file)
    if labelled and compared.agreement.compares_classes:
        gold = [row.label for row in labelled]
        sides = (analysis.sentences for analysis in (compared.one, compared.other))
        tallies = [tally_classes(gold, [sentences[place].label for place in places]) for sentences in sides]
        told.append(_describe_difference("macro-F1 of the classes", len(gold), tallies, macro_f1))
    places, tagged = tagged_rows(compared.one, file)
    if tagged and compared.agreement.compares_entities:
        sides = (analysis.sentences for analysis in (compared.one, compared.other))
        tallies = [tally_entities(tagged, [sentences[place] for place in places]) for sentences in sides]
        told.append(_describe_difference("F1 of the entities", len(tagged), tallies, entity_f1))
    return told


def _describe_difference(name: str, n: int, tallies: list[Tally], score: Callable[[Tally], float]) -> str:
    one, other = tallies
    difference = estimate_difference(other, one, score)
    lower, upper = difference.lower or 0.0, difference.upper or 0.0
    verdict = "which chance hardly explains" if lower > 0 or upper < 0 else "which may be chance"
    few = f" Fewer than {FEW} sentences are too few to conclude anything." if n < FEW else ""
    return (
        f"Against the labels of {n:,} sentences, the {name} is **{score(one):.3f}** and **{score(other):.3f}**; the second "
        f"is ahead by {difference.phrase}, {verdict}.{few}"
    )


def _describe_spaces(agreement: Agreement) -> list[str]:
    """Say whether both rank the same pairs as similar."""
    value, shared = agreement.rank_correlation, agreement.shared_neighbours
    if value is None:
        return []
    words = next(words for least, words in _ALIKE if value >= least)
    told = [
        f"They rank pairs by similarity **{words}**: Spearman's correlation of the cosines is {value:.2f} over "
        f"{agreement.n_pairs:,} pairs."
    ]
    if agreement.mean_cosines is not None:
        one, other = agreement.mean_cosines
        told.append(f"The mean cosine of these pairs is {one:.2f} and {other:.2f}: each model has its own scale.")
    if shared is not None:
        k = agreement.n_neighbours
        told.append(f"Of a sentence's {k:,} nearest, they share {100 * shared:.0f}%.".replace("1 nearest", "nearest"))
    return told


def describe_maps(compared: Comparison) -> str:
    """Say what the two maps show, as Markdown."""
    if compared.maps is None:
        return ""
    one, other = (as_plain_markdown(analysis.model.id) for analysis in (compared.one, compared.other))
    alike = next(words for most, words in _DISPARITY if compared.maps.disparity <= most)
    lines = (
        f" Lines join the places of the {len(compared.agreement.changed)} whose true neighbours changed most."
        if compared.agreement.changed
        else " All have the same true neighbours."
    )
    return (
        f"### Two maps\n\nBoth are by PCA; that of {other} is shifted, turned, mirrored and scaled onto that of {one} "
        f"(Procrustes). They are **{alike}**: disparity {compared.maps.disparity:.2f}, from 0 (the same picture) to 1 "
        f"(nothing in common).{lines}"
    )


def tabulate_neighbours(compared: Comparison) -> pd.DataFrame:
    """Tabulate whose true neighbours changed most, and to which."""
    texts = [shorten(sentence.text, 60) for sentence in compared.one]

    def name(places: tuple[int, ...]) -> str:
        return "; ".join(f"{place + 1}. {texts[place]}" for place in places[:_N_NAMED])

    rows = [
        (each.position + 1, texts[each.position], round(each.shared, 2), name(each.only_one), name(each.only_other))
        for each in compared.agreement.changed
    ]
    columns = ["sentence", "text", "shared neighbours", "near in the first alone", "near in the other alone"]
    return pd.DataFrame(rows, columns=columns)


def render_comparison(compared: Comparison) -> str:
    """List sentences with the answers of both, disagreements first."""
    rows = compared.agreement.rows[:MAX_LISTED]
    items = "".join(_row(compared, row) for row in rows)
    left_out = len(compared.agreement.rows) - len(rows)
    more = f'<p class="waiting">{left_out:,} others, with smaller differences, are in the file.</p>' if left_out else ""
    return f'<ol class="answers compared">{items}</ol>{more}'


def tabulate_comparison(compared: Comparison) -> pd.DataFrame:
    """Tabulate all sentences with what differs, disagreements first."""
    texts = [sentence.text for sentence in compared.one]
    return pd.DataFrame(
        [
            {
                "sentence number": row.position + 1,
                "sentence": texts[row.position],
                "class": row.classes[0] if row.classes else None,
                "other class": row.classes[1] if row.classes else None,
                "difference of the probabilities": row.distance,
                "entities of the first alone": _list_entities(row.only_one),
                "entities of the other alone": _list_entities(row.only_other),
                "shared neighbours": row.shared_neighbours,
            }
            for row in compared.agreement.rows
        ]
    )


def _row(compared: Comparison, row: Disagreement) -> str:
    flags = [
        *(["class"] if row.changes_class else []),
        *(["entities"] if row.changes_entities else []),
    ]
    told = f'<p class="differs">differs: {" and ".join(flags)}</p>' if flags else '<p class="pieces">the same answers</p>'
    sides = "".join(
        f'<div class="side"><p class="pieces">{html.escape(analysis.model.id)}</p>'
        f"{_answer(analysis, analysis.sentences[row.position], compared.agreement)}</div>"
        for analysis in (compared.one, compared.other)
    )
    return (
        f'<li class="answer both"><span class="number">{row.position + 1}</span><div>{told}'
        f'<div class="sides">{sides}</div></div></li>'
    )


def _answer(analysis: Analysis, sentence: SentenceAnalysis, agreement: Agreement) -> str:
    """Write a sentence as one model reads it."""
    info = analysis.model
    text = mark_entities(sentence, color_types(info)) if agreement.compares_entities else html.escape(sentence.text)
    its_class = draw_class(sentence, info) if agreement.compares_classes else ""
    return f'<p class="text" dir="auto">{text}</p>{its_class}'


def _list_entities(entities: tuple[Entity, ...]) -> str:
    return "; ".join(f"{entity.text} ({entity.label})" for entity in entities)
