"""The tab for named entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.models.parts import find_task
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.cards import mark_entities
from mtdemo.ui.components.downloads import add_downloads, csv_files, json_lines
from mtdemo.ui.components.events import as_table, shows_errors
from mtdemo.ui.components.labels import color_types, describe_types
from mtdemo.ui.components.messages import as_plain_markdown, describe_answer
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, MAX_ROWS, SentenceBox, ask
from mtdemo.ui.tabs.entity_scores import add_entity_scores

Highlights = list[tuple[str, str | None]]

ALL = "all"
TASK = find_task("ner")
MAX_HIGHLIGHTED = 100  # sentences; a browser takes seconds to lay out thousands of spans

_INTRODUCTION = (
    "A second head labels every word piece of the same pass; neighbouring words with one label make a **span**. Long "
    "texts are read whole, through overlapping windows."
)


def add_entities_tab(service: ModelService, box: SentenceBox, model: gr.State, status: gr.Markdown) -> None:
    """Add the tab.

    Args:
        service: answers.
        box: holds the sentences.
        model: the visitor's choice of model.
        status: changes when another model is ready.
    """
    note = gr.Markdown(elem_classes="note")
    invitation = add_entity_scores(service, box, model)
    spans = gr.HighlightedText(label="Entities", show_legend=False, show_label=False, elem_id="spans")
    with gr.Accordion("As a table, with scores and places", open=False):
        with gr.Row(elem_classes="controls"):
            wanted = gr.Dropdown([ALL], value=ALL, label="Type", scale=1)
            least = gr.Slider(0, 1, 0, step=0.01, label="Score at least", scale=2)
        table = gr.Dataframe(
            label=f"Spans, {MAX_ROWS} at most; the files have all", interactive=False, wrap=True, max_chars=MAX_CHARACTERS
        )
    box.fill_with(
        model,
        "entities_tab",
        "What the entities tab shows: a note, highlighted text, a table of spans.",
        partial(show_entities, service),
        *(note, spans, table),
    )
    with gr.Accordion("Names and how often they are found", open=False):
        names = gr.Dataframe(
            label=f"Names, {MAX_ROWS} at most: choose one to see its sentences", interactive=False, wrap=True
        )
        chosen = gr.HTML(apply_default_css=False, elem_id="name-sentences")
    filtered = [box.asked, model, wanted, least]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "always_last"}
    box.fill_with(model, None, "", partial(reset_filter, service), wanted, least, names, chosen, table)
    gr.on([wanted.input, least.release], partial(filter_entities, service), filtered, [table, names], **quiet)

    def show_name(text: str, model: str | None, event: gr.SelectData) -> str:
        return list_sentences(service, text, model, *event.row_value[:2])

    names.select(show_name, [box.asked, model], chosen, **quiet)
    as_lines = json_lines("entities", lambda answer: answer.entities_as_dict())
    add_downloads(service, box, model, *csv_files("entities", tabulate_entities), as_lines)
    invitation.render()
    introduction = gr.Markdown(_INTRODUCTION, elem_classes="introduction")
    status.change(
        partial(introduce, service), model, [introduction, spans], show_progress="hidden", api_visibility="private"
    )


@shows_errors
def reset_filter(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[Any, float, Any, str, Any]:
    """Offer the types of the model, and count names.

    The table of spans, which is filled beside this, is hidden where there are none.
    """
    analysis = _ask(service, text, model, progress)
    names = count_names(analysis)[:MAX_ROWS]
    types = gr.Dropdown([ALL, *analysis.model.entity_types], value=ALL)
    return types, 0, as_table(names), "", gr.Dataframe(visible=not names.empty)


@shows_errors
def filter_entities(
    service: ModelService, text: str, model: str | None, wanted: str, least: float, progress: gr.Progress = gr.Progress()
) -> tuple[Any, Any]:
    """Tabulate and count spans of a type and score."""
    analysis = _ask(service, text, model, progress)
    table = tabulate_entities(analysis)
    kept, names = table[_keep(table, wanted, least)][:MAX_ROWS], count_names(analysis, wanted, least)[:MAX_ROWS]
    return as_table(kept), as_table(names)


@shows_errors
def list_sentences(
    service: ModelService, text: str, model: str | None, name: str, label: str, progress: gr.Progress = gr.Progress()
) -> str:
    """List the sentences with a name, as HTML."""
    analysis = ask(service, service.analyze, text, model, progress)
    colors = color_types(analysis.model)
    found = [
        (number, sentence)
        for number, sentence in enumerate(analysis, start=1)
        if any((entity.text, entity.label) == (name, label) for entity in sentence.entities)
    ]
    items = "".join(
        f'<li class="answer both"><span class="number">{number}</span>'
        f'<p class="text" dir="auto">{mark_entities(sentence, colors)}</p></li>'
        for number, sentence in found[:MAX_HIGHLIGHTED]
    )
    return f'<ol class="answers">{items}</ol>' if items else ""


def introduce(service: ModelService, model: str | None) -> tuple[str, Any]:
    """Say what the tab shows, and colour the entity types."""
    info = service.loaded(model)
    if info is None:
        return _INTRODUCTION, gr.skip()
    legend = f" {as_plain_markdown(describe_types(info))}." if info.finds_entities else ""
    return f"{_INTRODUCTION}{legend}", gr.HighlightedText(color_map=color_types(info))


@shows_errors
def show_entities(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Highlights, pd.DataFrame]:
    """Show a note, highlighted text and a table of spans."""
    analysis = _ask(service, text, model, progress)
    spans = tabulate_entities(analysis)[:MAX_ROWS]
    return _note(analysis), highlight(analysis.sentences[:MAX_HIGHLIGHTED]), spans


def _ask(service: ModelService, text: str, model: str | None, progress: gr.Progress) -> Analysis:
    """Read sentences; an untrained head's guesses are left out."""
    analysis = ask(service, service.analyze, text, model, progress)
    if analysis.model.finds_entities:
        return analysis
    return replace(analysis, sentences=tuple(replace(sentence, entities=()) for sentence in analysis))


def highlight(sentences: Sequence[SentenceAnalysis]) -> Highlights:
    """Cut sentences at their spans, into (text, label).

    The label is None outside of spans; the joined texts are the sentences, one per line.
    """
    return [piece for number, sentence in enumerate(sentences) for piece in _pieces(sentence, number)]


def tabulate_entities(analysis: Analysis) -> pd.DataFrame:
    """Tabulate all spans; `start` and `end` count characters, end exclusive."""
    return pd.DataFrame(
        [
            (number, entity.text, entity.label, round(entity.score, 4), entity.start, entity.end)
            for number, sentence in enumerate(analysis, start=1)
            for entity in sentence.entities
        ],
        columns=["sentence", "text", "label", "score", "start", "end"],
    )


def count_names(analysis: Analysis, wanted: str = ALL, least: float = 0.0) -> pd.DataFrame:
    """Count names by text and type, the commonest first."""
    table = tabulate_entities(analysis)
    groups = table[_keep(table, wanted, least)].groupby(["text", "label"], sort=True)
    counted = groups.agg(
        found=("score", "size"), score=("score", "mean"), sentences=("sentence", "nunique"), first=("sentence", "min")
    ).reset_index()
    counted = counted.sort_values(["found", "first"], ascending=[False, True], kind="stable").round({"score": 4})
    return counted.rename(columns={"text": "name", "label": "type", "score": "mean score", "first": "first in sentence"})


def _keep(table: pd.DataFrame, wanted: str, least: float) -> pd.Series[bool]:
    return (table["score"] >= least) & ((table["label"] == wanted) | (wanted == ALL))


def _pieces(sentence: SentenceAnalysis, number: int) -> Iterator[tuple[str, str | None]]:
    if number:
        yield "\n", None
    position = 0
    for entity in sentence.entities:
        if position < entity.start:
            yield sentence.text[position : entity.start], None
        yield entity.text, entity.label
        position = entity.end
    if position < len(sentence.text):
        yield sentence.text[position:], None


def _note(analysis: Analysis) -> str:
    if not analysis.model.finds_entities:
        return describe_answer(analysis, TASK)
    n_entities = sum(len(sentence.entities) for sentence in analysis)
    found = (
        f"**{n_entities} {'entity' if n_entities == 1 else 'entities'} found.**" if n_entities else "**No entity found.**"
    )
    if len(analysis) > MAX_HIGHLIGHTED:
        found += f" The first {MAX_HIGHLIGHTED} of {len(analysis):,} sentences are highlighted; the files have all."
    score = " The score is the mean probability of the label over the span's words." if n_entities else ""
    return f"{found}{score}\n\n{describe_answer(analysis, TASK)}".strip()
