"""The tab for sentence classes."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.results import Analysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.messages import describe_answer, shows_errors
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, REFERENCE_EXAMPLES, Example, add_sentences, ask

EXAMPLES = (
    Example("Praise", REFERENCE_EXAMPLES[:1]),
    Example("A complaint", ("The battery died after two days and nobody answers my emails.",)),
    Example("A fact", ("The meeting starts at nine in room 204.",)),
    Example("A turn at the end", ("I expected to hate it, but I have to say the ending moved me.",)),
    Example("Seven at once", (*REFERENCE_EXAMPLES, "What a waste of money.", "Not bad at all, I would go again.")),
)


def add_classification_tab(service: ModelService, page: gr.Blocks, model: gr.State) -> None:
    """Add the tab; `model` holds the visitor's choice of model."""
    gr.Markdown(
        "A small head reads what that one pass made of the sentence and gives each **class** a probability; together they "
        "make 1. The embedded model's classes are the sentiment of a sentence."
    )
    box = add_sentences("Sentences to classify", "Classify", EXAMPLES)
    note = gr.Markdown(elem_classes="note")
    bars = gr.Label(label="Probabilities", show_label=False)
    table = gr.Dataframe(label="All sentences", interactive=False, wrap=True, max_chars=MAX_CHARACTERS, visible=False)
    box.answer_with(
        page,
        model,
        "classification_tab",
        "What the classification tab shows: a note, bars for one sentence, a table for many.",
        partial(show_classes, service),
        *(note, bars, table),
    )


@shows_errors
def show_classes(
    service: ModelService, text: str, model: str | None, progress: gr.Progress = gr.Progress()
) -> tuple[str, Any, Any]:
    """Sentences to a note, and to bars for one of them or a table for many."""
    analysis = ask(service, service.analyze, text, model, progress)
    one = len(analysis) == 1
    return (
        describe_answer(analysis, "classification_head"),
        gr.Label(dict(analysis.sentences[0].probabilities) if one else None, visible=one),
        gr.Dataframe(tabulate_classes(analysis), visible=not one or analysis.n_truncated_sentences > 0),
    )


def tabulate_classes(analysis: Analysis) -> pd.DataFrame:
    """One row per sentence: its class, and the probability of every class, 0 to 1."""
    return pd.DataFrame(
        {
            "sentence": [sentence.text for sentence in analysis],
            "class": [sentence.label for sentence in analysis],
            **{
                f"P({label})": [round(sentence.probabilities[label], 4) for sentence in analysis]
                for label in analysis.model.class_labels
            },
            "tokens": [sentence.n_tokens for sentence in analysis],
            "cut": [sentence.n_truncated for sentence in analysis],
        }
    )
