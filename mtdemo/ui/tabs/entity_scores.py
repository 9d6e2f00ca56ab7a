"""The part of the page that holds entities against the tags of a file."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.data.records import TaggedSentence
from mtdemo.evaluation.examination import ERROR_KINDS, EntityError, EntityExamination, examine_entities
from mtdemo.results import Analysis
from mtdemo.serving.service import ModelService
from mtdemo.text.tags import TagSpan
from mtdemo.ui.components.events import as_table, shows_errors
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, SentenceBox, ask
from mtdemo.ui.tabs.class_scores import FEW

MAX_LISTED = 500
ALL = "all"
_WIDTHS = ["90px", "120px", "190px", "190px", "460px"]  # the text wraps, and scrolls into sight on a phone
_INVITATION = (
    "**With tags:** open a file with entity tags, and precision, recall, F1 by type and the errors by kind stand here."
)
_MEANINGS = (
    "*missed*: nothing was found there; *spurious*: nothing is there; *boundary*: the type is right, first or last word is "
    "not; *type*: the words are right, the type is not."
)


def add_entity_scores(service: ModelService, box: SentenceBox, model: gr.State) -> gr.Markdown:
    """Add the part, seen while the box holds tags.

    Args:
        service: answers.
        box: holds the sentences and the file that they came from.
        model: the visitor's choice of model.

    Returns:
        What stands there without them, still to be rendered.
    """
    invitation = gr.Markdown(_INVITATION, elem_classes="introduction", render=False)
    with gr.Column(visible=False) as part:
        gr.Markdown("### Against the tags of the file")
        note = gr.Markdown(elem_classes="note")
        by_type = gr.Dataframe(label="Scores by type, in brackets the bootstrap interval of 95%", interactive=False)
        kind = gr.Radio([ALL, *ERROR_KINDS], value=ALL, label="Errors")
        gr.Markdown(_MEANINGS, elem_classes="introduction")
        errors = gr.Dataframe(label="Errors", interactive=False, wrap=True, max_chars=MAX_CHARACTERS, column_widths=_WIDTHS)
    box.fill_with(
        model,
        None,
        "",
        partial(show_entity_scores, service),
        *(invitation, part, note, by_type, kind, errors),
        also=[box.file],
    )
    kind.input(
        partial(list_errors, service),
        [box.asked, model, box.file, kind],
        errors,
        api_visibility="private",
        show_progress="hidden",
    )
    return invitation


def tagged_rows(analysis: Analysis, file: LoadedFile | None) -> tuple[list[int], list[TaggedSentence]]:
    """Find the sentences whose row has tags.

    Returns:
        Their positions among the sentences, and their tags.
    """
    if file is None or not file.tagged:
        return [], []
    found = [(n, row) for n, row in enumerate(file.find_rows([s.text for s in analysis])) if row is not None]
    return [n for n, _ in found], [file.tagged[row] for _, row in found]


@shows_errors
def show_entity_scores(
    service: ModelService, text: str, model: str | None, file: LoadedFile | None, progress: gr.Progress = gr.Progress()
) -> tuple[Any, ...]:
    """Show scores by type, and errors by kind.

    Returns:
        The invitation, the part, a note, the scores, the choice of kinds and the errors.
    """
    analysis, positions, rows, found = _examine(service, text, model, file, progress)
    if found is None:
        return gr.Markdown(visible=True), gr.Column(visible=False), *(gr.skip(),) * 4
    counts = {ALL: len(found.errors), **found.counts}
    return (
        gr.Markdown(visible=False),
        gr.Column(visible=True),
        describe_scores(found, analysis, len(rows)),
        tabulate_scores(found),
        gr.Radio([(f"{name} ({n:,})", name) for name, n in counts.items()], value=ALL),
        as_table(tabulate_errors(found.errors, positions, rows)),
    )


@shows_errors
def list_errors(service: ModelService, text: str, model: str | None, file: LoadedFile | None, kind: str) -> Any:
    """List the errors of a kind."""
    _, positions, rows, found = _examine(service, text, model, file, gr.Progress())
    if found is None:
        return gr.skip()
    return as_table(tabulate_errors([error for error in found.errors if kind in {ALL, error.kind}], positions, rows))


def describe_scores(found: EntityExamination, analysis: Analysis, n_sentences: int) -> str:
    """Sum the scores up, as Markdown."""
    scores = found.scores
    n_gold = sum(score.support for score in scores.per_label.values())
    parts = [
        f"F1 **{found.f1.phrase}**, precision {scores.precision:.3f}, recall {scores.recall:.3f}: {n_gold:,} entities in "
        f"{n_sentences:,} sentences; in brackets the bootstrap interval of 95%. An entity is right when its type, its "
        "first and its last word are, as `evaluate` counts."
    ]
    if n_sentences < FEW:
        parts.append(f"**Fewer than {FEW} sentences are too few to conclude anything.**")
    if not analysis.model.finds_entities:
        parts.append("**The head is untrained, so these are the scores of chance.**")
    if len(found.errors) > MAX_LISTED:
        parts.append(f"The first {MAX_LISTED:,} of {len(found.errors):,} errors are listed.")
    return " ".join(parts)


def tabulate_scores(found: EntityExamination) -> pd.DataFrame:
    """Tabulate scores of each type and of all, with intervals."""
    n_gold = found.tally[..., 2].sum(axis=0).astype(int).tolist()
    rows = [
        (name, its.f1.phrase, its.precision.phrase, its.recall.phrase, n)
        for (name, its), n in zip(found.by_type.items(), n_gold, strict=True)
    ]
    return pd.DataFrame(rows, columns=["type", "F1", "precision", "recall", "entities in the file"])


def tabulate_errors(
    errors: list[EntityError] | tuple[EntityError, ...], positions: list[int], rows: list[TaggedSentence]
) -> pd.DataFrame:
    """Tabulate errors with what is there and what was found."""
    return pd.DataFrame(
        [
            (
                positions[error.position] + 1,
                error.kind,
                _words(rows[error.position], error.gold),
                _words(rows[error.position], error.predicted),
                rows[error.position].text,
            )
            for error in errors[:MAX_LISTED]
        ],
        columns=["sentence", "error", "in the file", "found", "text"],
    )


def _words(row: TaggedSentence, span: TagSpan | None) -> str:
    return f"{' '.join(row.tokens[span[0] : span[1] + 1])} ({span[2]})" if span else "–"


def _examine(
    service: ModelService, text: str, model: str | None, file: LoadedFile | None, progress: gr.Progress
) -> tuple[Analysis, list[int], list[TaggedSentence], EntityExamination | None]:
    analysis = ask(service, service.analyze, text, model, progress)
    positions, rows = tagged_rows(analysis, file)
    answers = [analysis.sentences[position] for position in positions]
    return analysis, positions, rows, examine_entities(rows, answers) if rows else None
