"""The tab for named entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.models.parts import find_task
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.downloads import add_downloads
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.labels import color_types, describe_types
from mtdemo.ui.components.messages import as_plain_markdown, describe_answer
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, SentenceBox, ask

Highlights = list[tuple[str, str | None]]

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
    spans = gr.HighlightedText(label="Entities", show_legend=False, show_label=False, elem_id="spans")
    with gr.Accordion("As a table, with scores and places", open=False):
        table = gr.Dataframe(label="All spans", interactive=False, wrap=True, max_chars=MAX_CHARACTERS)
    box.fill_with(
        model,
        "entities_tab",
        "What the entities tab shows: a note, highlighted text, a table of spans.",
        partial(show_entities, service),
        *(note, spans, table),
    )
    add_downloads(service, box, model, "entities", lambda answer: answer.entities_as_dict(), tabulate_entities)
    introduction = gr.Markdown(_INTRODUCTION, elem_classes="introduction")
    status.change(
        partial(introduce, service), model, [introduction, spans], show_progress="hidden", api_visibility="private"
    )


def introduce(service: ModelService, model: str | None) -> tuple[str, Any]:
    """Say what the tab shows, and colour the entity types."""
    info = service.loaded(model)
    if info is None:
        return _INTRODUCTION, gr.skip()
    legend = as_plain_markdown(describe_types(info))
    return f"{_INTRODUCTION} {legend}.", gr.HighlightedText(color_map=color_types(info))


@shows_errors
def show_entities(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Highlights, pd.DataFrame]:
    """Show a note, highlighted text and a table of spans."""
    analysis = ask(service, service.analyze, text, model, progress)
    return _note(analysis), highlight(analysis.sentences[:MAX_HIGHLIGHTED]), tabulate_entities(analysis)


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
    n_entities = sum(len(sentence.entities) for sentence in analysis)
    found = (
        f"**{n_entities} {'entity' if n_entities == 1 else 'entities'} found.**" if n_entities else "**No entity found.**"
    )
    if len(analysis) > MAX_HIGHLIGHTED:
        found += f" The first {MAX_HIGHLIGHTED} of {len(analysis):,} sentences are highlighted; the table has all."
    score = " The score is the mean probability of the label over the span's words." if n_entities else ""
    return f"{found}{score}\n\n{describe_answer(analysis, TASK)}".strip()
