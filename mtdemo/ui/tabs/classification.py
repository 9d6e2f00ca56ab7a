"""The tab for sentence classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.analysis.uncertainty import entropy, margin
from mtdemo.models.parts import find_task
from mtdemo.results import Analysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.cards import render_classes
from mtdemo.ui.components.downloads import add_downloads, csv_files, json_lines
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.labels import describe_classes
from mtdemo.ui.components.messages import as_plain_markdown, describe_answer
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, MAX_ROWS, SentenceBox, ask
from mtdemo.ui.tabs.class_scores import add_class_scores

ALL = "all"
ORDERS = ("as given", "least sure first", "most sure first")
TASK = find_task("classification")

_INTRODUCTION = (
    "A small head reads what that one pass made of the sentence and gives each **class** a probability; together they "
    "make 1."
)
_INTRODUCTION_OF_SEVERAL = (
    "A small head reads what that one pass made of the sentence and gives each **class** a probability of its own: a "
    "sentence has those from 0.5 on, several or none, so they do not sum to 1."
)


def add_classification_tab(service: ModelService, box: SentenceBox, model: gr.State, status: gr.Markdown) -> None:
    """Add the tab.

    Args:
        service: answers.
        box: holds the sentences.
        model: the visitor's choice of model.
        status: changes when another model is ready.
    """
    note = gr.Markdown(elem_classes="note")
    invitation = add_class_scores(service, box, model)
    bars = gr.Label(label="Probabilities", show_label=False)
    rows = gr.HTML(apply_default_css=False, elem_id="classes")
    with gr.Accordion("As a table", open=False):
        with gr.Row(elem_classes="controls"):
            wanted = gr.Dropdown([ALL], value=ALL, label="Class", scale=2)
            least = gr.Slider(0, 1, 0, step=0.01, label="Confidence at least", scale=2)
            most = gr.Slider(0, 1, 1, step=0.01, label="Confidence at most", scale=2)
            order = gr.Radio(ORDERS, value=ORDERS[0], label="Order", scale=3)
        label = f"Sentences, {MAX_ROWS} at most; the files have all"
        table = gr.Dataframe(label=label, interactive=False, wrap=True, max_chars=MAX_CHARACTERS, visible=False)
    box.fill_with(
        model,
        "classification_tab",
        "What the classification tab shows: a note, bars for one sentence, a table for many.",
        partial(show_classes, service),
        *(note, bars, table),
    )
    box.fill_with(model, None, "", partial(show_rows, service), rows)
    box.fill_with(model, None, "", partial(reset_filter, service), wanted, least, most, order)
    gr.on(
        [wanted.input, least.release, most.release, order.input],
        partial(filter_classes, service),
        [box.asked, model, wanted, least, most, order],
        table,
        api_visibility="private",
        show_progress="hidden",
        trigger_mode="always_last",
    )
    as_lines = json_lines("classes", lambda answer: answer.classification_as_dict())
    add_downloads(service, box, model, *csv_files("classes", tabulate_classes), as_lines)
    invitation.render()
    introduction = gr.Markdown(_INTRODUCTION, elem_classes="introduction")
    status.change(partial(introduce, service), model, introduction, show_progress="hidden", api_visibility="private")


@shows_errors
def show_rows(service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()) -> str:
    """Show the bars of several sentences, which one has larger."""
    analysis = ask(service, service.analyze, text, model, progress)
    return "" if len(analysis) == 1 else render_classes(analysis)


def reset_filter(service: ModelService, text: str, model: str | None) -> tuple[Any, float, float, str]:
    """Offer the classes of the model that answered."""
    info = service.load(model)
    return gr.Dropdown([ALL, *(info.class_labels if info.classifies else ())], value=ALL), 0, 1, ORDERS[0]


@shows_errors
def filter_classes(
    service: ModelService,
    text: str,
    model: str | None,
    wanted: str,
    least: float,
    most: float,
    order: str,
    progress: gr.Progress = gr.Progress(),
) -> pd.DataFrame:
    """Tabulate sentences of a class and a range of confidence."""
    table = _table(ask(service, service.analyze, text, model, progress))
    sure = table[[name for name in table.columns if name.startswith("P(")]].max(axis=1)
    kept = sure.between(least, most) & ((wanted == ALL) | (table["class"] == wanted))
    if order != ORDERS[0]:
        sure = sure.sort_values(ascending=order == ORDERS[1], kind="stable")
    return table.loc[[place for place in sure.index if kept[place]][:MAX_ROWS]]


def introduce(service: ModelService, model: str | None) -> str:
    """Say what the tab shows, with the model's classes."""
    info = service.loaded(model)
    if info is None or not info.classifies:  # which has no classes of its own
        return _INTRODUCTION
    introduction = _INTRODUCTION_OF_SEVERAL if info.multi_label else _INTRODUCTION
    return f"{introduction} This model's classes: {as_plain_markdown(describe_classes(info))}."


@shows_errors
def show_classes(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Any, Any]:
    """Show a note, and bars or a table.

    Bars are for one sentence, the table is for many, and for one that the model can hardly read."""
    analysis = ask(service, service.analyze, text, model, progress)
    one = len(analysis) == 1 and analysis.model.classifies and not analysis.sentences[0].is_hardly_readable
    return (
        describe_answer(analysis, TASK),
        gr.Label(dict(analysis.sentences[0].probabilities) if one else None, visible=one),
        gr.Dataframe(_table(analysis)[:MAX_ROWS], visible=not one or analysis.is_qualified),
    )


def _table(analysis: Analysis) -> pd.DataFrame:
    """Tabulate classes, but not what an untrained head guesses."""
    table = tabulate_classes(analysis)
    return table if analysis.model.classifies else table[:0]


def tabulate_classes(analysis: Analysis) -> pd.DataFrame:
    """Tabulate each sentence's class, and all probabilities, 0 to 1.

    With the margin to the next class and, in bits, the entropy.
    """
    return pd.DataFrame(
        {
            "sentence": [sentence.text for sentence in analysis],
            "class": [sentence.label for sentence in analysis],
            **{
                f"P({label})": [round(sentence.probabilities[label], 4) for sentence in analysis]
                for label in analysis.model.class_labels
            },
            "margin": [round(margin(sentence.probabilities.values()), 4) for sentence in analysis],
            "entropy": [round(entropy(sentence.probabilities.values()), 4) for sentence in analysis],
            "tokens": [sentence.n_tokens for sentence in analysis],
            "cut": [sentence.n_truncated for sentence in analysis],
            "unknown": [sentence.n_unknown for sentence in analysis],
        }
    )
