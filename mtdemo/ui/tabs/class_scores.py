"""The part of the page that holds classes against the labels of a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
import pandas as pd

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.data.records import LabelledSentence
from mtdemo.evaluation.examination import ClassExamination, examine_classes
from mtdemo.results import Analysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.calibration import plot_calibration
from mtdemo.ui.components.events import as_table, shows_errors
from mtdemo.ui.components.messages import as_plain_markdown
from mtdemo.ui.components.sentence_box import MAX_CHARACTERS, SentenceBox, ask

MAX_LISTED = 100
_WIDTHS = ["90px", "100px", "100px", "110px", "560px"]  # the text wraps, and scrolls into sight on a phone
FEW = 30  # sentences, below which nothing is to be concluded
_INVITATION = (
    "**With labels:** open a file with a column of classes beside the texts, and accuracy, macro-F1, the confusion matrix, "
    "the most confident mistakes and the calibration of this model stand here."
)
_QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def add_class_scores(service: ModelService, box: SentenceBox, model: gr.State) -> gr.Markdown:
    """Add the part, seen while the box holds labels.

    Args:
        service: answers.
        box: holds the sentences and the file that they came from.
        model: the visitor's choice of model.

    Returns:
        What stands there without them, still to be rendered.
    """
    invitation = gr.Markdown(_INVITATION, elem_classes="introduction", render=False)
    with gr.Column(visible=False) as part:
        gr.Markdown("### Against the labels of the file")
        note = gr.Markdown(elem_classes="note")
        confusion = gr.Dataframe(
            label="Confusion matrix: a row for each label, a column for each answer", interactive=False
        )
        caption = gr.Markdown()
        sentences = gr.Dataframe(
            label="Sentences", interactive=False, wrap=True, max_chars=MAX_CHARACTERS, column_widths=_WIDTHS
        )
        with gr.Row():
            figure = gr.Plot(label="Calibration", show_label=False, elem_id="calibration")
            with gr.Column():
                threshold = gr.Slider(0, 1, 0.5, step=0.01, label="Answer only with at least this confidence")
                abstention = gr.Markdown()
                accuracy = gr.Slider(0.5, 1, 0.9, step=0.01, label="Or be right in at least this share of the answers")
                chosen = gr.Markdown(elem_id="chosen-threshold")
    given = [box.asked, model, box.file]
    box.fill_with(
        model,
        None,
        "",
        partial(show_class_scores, service),
        *(invitation, part, note, confusion, caption, sentences, figure),
        also=[box.file],
    )

    def show_cell(text: str, model: str | None, file: LoadedFile | None, event: gr.SelectData) -> tuple[Any, ...]:
        row, column = event.index
        return list_cell(service, text, model, file, row, column - 1)

    confusion.select(show_cell, given, [caption, sentences], **_QUIET)
    gr.on([threshold.input, note.change], partial(abstain, service), [*given, threshold], abstention, **_QUIET)
    gr.on([accuracy.input, note.change], partial(choose_threshold, service), [*given, accuracy], chosen, **_QUIET)
    return invitation


def label_rows(analysis: Analysis, file: LoadedFile | None) -> tuple[list[int], list[LabelledSentence]]:
    """Find the sentences whose row has a label.

    Returns:
        Their positions among the sentences, and the sentences with their labels.
    """
    if file is None or not file.labels:
        return [], []
    texts = [sentence.text for sentence in analysis]
    found = [(n, file.labels[row]) for n, row in enumerate(file.find_rows(texts)) if row is not None and file.labels[row]]
    return [n for n, _ in found], [LabelledSentence(texts[n], label) for n, label in found]


@shows_errors
def show_class_scores(
    service: ModelService, text: str, model: str | None, file: LoadedFile | None, progress: gr.Progress = gr.Progress()
) -> tuple[Any, ...]:
    """Show scores, confusion, mistakes and calibration.

    Returns:
        The invitation, the part, a note, the matrix, what is listed, the list and the figure.
    """
    analysis, positions, found = _examine(service, text, model, file, progress)
    if found is None:
        return gr.Markdown(visible=True), gr.Column(visible=False), *(gr.skip(),) * 5
    return (
        gr.Markdown(visible=False),
        gr.Column(visible=True),
        describe_scores(found, analysis, len(analysis) - len(positions)),
        tabulate_confusion(found),
        _tell_mistakes(len(found.mistakes)),
        as_table(_list(found, found.mistakes, positions, analysis)),
        plot_calibration(found.calibration),
    )


@shows_errors
def list_cell(
    service: ModelService, text: str, model: str | None, file: LoadedFile | None, row: int, column: int
) -> tuple[Any, ...]:
    """List the sentences of a cell of the matrix."""
    analysis, positions, found = _examine(service, text, model, file, gr.Progress())
    if found is None or not (0 <= row < len(found.labels) and 0 <= column < len(found.labels)):
        return gr.skip(), gr.skip()
    gold, predicted = found.labels[row], found.labels[column]
    cell = found.find(gold, predicted)
    what = (
        f"{as_plain_markdown(gold)} taken for {as_plain_markdown(predicted)}" if row != column else as_plain_markdown(gold)
    )
    return f"**{what}**: {len(cell):,}, the most confident first.", as_table(_list(found, cell, positions, analysis))


@shows_errors
def abstain(service: ModelService, text: str, model: str | None, file: LoadedFile | None, threshold: float) -> str:
    """Say what a threshold of confidence costs and gives."""
    *_, found = _examine(service, text, model, file, gr.Progress())
    if found is None:
        return ""
    result = found.abstain(threshold)
    if result.accuracy is None:
        return f"With at least {threshold:.2f} it answers **none** of the {len(found.gold):,} sentences."
    return (
        f"With at least {threshold:.2f} it answers **{100 * result.coverage:.0f}%** of the sentences (coverage), and of "
        f"these **{100 * result.accuracy:.0f}%** rightly; of all, it is {100 * found.scores.accuracy:.0f}%."
    )


@shows_errors
def choose_threshold(service: ModelService, text: str, model: str | None, file: LoadedFile | None, accuracy: float) -> str:
    """Say from which confidence on answers are right so often."""
    *_, found = _examine(service, text, model, file, gr.Progress())
    if found is None:
        return ""
    chosen = found.choose_threshold(accuracy)
    if chosen is None:
        return f"At **no** confidence are {100 * accuracy:.0f}% of the answers right."
    return (
        f"With at least **{chosen.threshold:.3f}** it answers **{100 * chosen.coverage:.0f}%** of the sentences, and "
        f"{100 * (chosen.accuracy or 0):.0f}% of these rightly; a lower one gives less. It is chosen on these "
        f"{len(found.gold):,} sentences, so expect a little less of others."
    )


def describe_scores(found: ClassExamination, analysis: Analysis, n_without: int) -> str:
    """Sum the scores up, with what they do not say."""
    n = len(found.gold)
    parts = [
        f"Accuracy **{found.accuracy.phrase}**, macro-F1 **{found.macro_f1.phrase}** on {n:,} sentences; in brackets the "
        f"bootstrap interval of 95%. Calibration error {found.calibration.error:.3f}."
    ]
    if n < FEW:
        parts.append(f"**Fewer than {FEW} sentences are too few to conclude anything.**")
    if not analysis.model.classifies:
        parts.append("**The head is untrained, so these are the scores of chance.**")
    unknown = [label for label in found.labels if label not in analysis.model.class_labels]
    if unknown:
        names = ", ".join(map(as_plain_markdown, unknown[:5]))
        parts.append(f"The model has no class {names}{', …' if len(unknown) > 5 else ''}, so these can only be wrong.")
    if n_without:
        parts.append(f"{n_without:,} sentences without a label are left out.")
    return " ".join(parts)


def tabulate_confusion(found: ClassExamination) -> pd.DataFrame:
    """Tabulate how many sentences of a label get which answer."""
    rows = [[gold, *counts] for gold, counts in zip(found.labels, found.confusion, strict=True)]
    return pd.DataFrame(rows, columns=["label ↓ answer →", *found.labels])


def _examine(
    service: ModelService, text: str, model: str | None, file: LoadedFile | None, progress: gr.Progress
) -> tuple[Analysis, list[int], ClassExamination | None]:
    analysis = ask(service, service.analyze, text, model, progress)
    positions, rows = label_rows(analysis, file)
    answers = [analysis.sentences[position] for position in positions]
    return analysis, positions, examine_classes(rows, answers, analysis.model) if rows else None


def _tell_mistakes(n: int) -> str:
    told = (
        f"**{'The mistake' if n == 1 else f'The {n:,} mistakes'}**, the most confident first." if n else "**No mistake.**"
    )
    return f"{told} Click a cell above for its sentences."


def _list(found: ClassExamination, cell: Sequence[int], positions: Sequence[int], analysis: Analysis) -> pd.DataFrame:
    """Tabulate sentences with label, answer and confidence."""
    return pd.DataFrame(
        [
            (
                positions[place] + 1,
                found.gold[place],
                found.predicted[place],
                round(found.confidences[place], 4),
                analysis.sentences[positions[place]].text,
            )
            for place in cell[:MAX_LISTED]
        ],
        columns=["sentence", "label", "answer", "confidence", "text"],
    )
