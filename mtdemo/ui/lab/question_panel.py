"""The experiments of the laboratory on the page: a card for each question, and what asks it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from mtdemo.errors import MtdemoError
from mtdemo.laboratory.dataset import LabDataset, read_dataset
from mtdemo.laboratory.inquiry import inquire
from mtdemo.laboratory.questions import QUESTIONS, Question
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import Values
from mtdemo.ui.lab.question_cards import render_failure, render_inquiry, render_question
from mtdemo.ui.lab.run_controls import RunControls

_REFRESH_S = 0.7


@dataclass(frozen=True, slots=True)
class QuestionCard:
    """A question on the page.

    Attributes:
        question: what is asked.
        shown: the card.
        start, stop: ask it, and end what was asked.
    """

    question: Question
    shown: gr.HTML
    start: gr.Button
    stop: gr.Button


@dataclass(frozen=True, slots=True)
class QuestionPanel:
    """All questions on the page."""

    cards: tuple[QuestionCard, ...]

    @property
    def starts(self) -> tuple[gr.Button, ...]:
        """Buttons that ask."""
        return tuple(card.start for card in self.cards)

    def find(self, name: str) -> QuestionCard:
        """Return the card of a question, or raise KeyError."""
        return {card.question.name: card for card in self.cards}[name]


def add_question_panel(dataset: LabDataset) -> QuestionPanel:
    """Add a card for each question.

    Args:
        dataset: what its arms learn, as far as nothing else is given.
    """
    with gr.Row(elem_id="experiments"):
        return QuestionPanel(tuple(_add_card(question, dataset) for question in QUESTIONS))


def _add_card(question: Question, dataset: LabDataset) -> QuestionCard:
    with gr.Column(elem_classes="experiment", min_width=280, elem_id=f"question-{question.name}"):
        shown = gr.HTML(render_question(question, len(dataset.tagged), len(dataset.tagged_heldout)), padding=False)
        with gr.Row(elem_classes="downloads"):
            start = gr.Button("Run this experiment", size="sm", variant="primary")
            stop = gr.Button("Stop and keep", size="sm", visible=False)
    return QuestionCard(question, shown, start, stop)


def ask_question(
    laboratory: Laboratory,
    service: ModelService,
    question: Question,
    controls: RunControls,
    values: Values,
    colors: Mapping[str, str],
) -> Iterator[str]:
    """Run the arms of a question.

    Args:
        laboratory: runs them.
        service: whose model is trained.
        question: what is asked.
        controls: say whose the runs are, and what they learn.
        values: of the controls.
        colors: hue of each entity type.

    Yields:
        The card as HTML, now and then and at the end.
    """
    shown = 0.0
    try:
        file = values[controls.file]
        dataset = read_dataset(Path(file)) if file else None
        visitor, session = values[controls.visitor], values[controls.session]
        for inquiry in inquire(laboratory, service, visitor, question, dataset, session=session):
            if inquiry.has_ended or time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield render_inquiry(question, inquiry, colors)
    except MtdemoError as error:
        yield render_failure(question, str(error))
