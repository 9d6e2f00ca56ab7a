"""What is brought to the box: a file, opened or dropped, and a long text that is split into its sentences."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import Settings
from mtdemo.data.loaded_file import LoadedFile, TextLimits, load_file, split_text
from mtdemo.errors import MtdemoError
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.messages import shorten
from mtdemo.ui.components.sentence_box import HOUR_S, SentenceBox, as_problem

MAX_CHOICES = 12  # columns that can be chosen from
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def add_file_loader(service: ModelService, box: SentenceBox) -> None:
    """Let the box take files, and split long texts.

    The box keeps the file in `box.file` for whoever wants its labels or another column. The button that splits is seen
    while a line seems to hold several sentences (`page.js`).

    Args:
        service: knows how much the page reads.
        box: takes the texts, and reads them.
    """
    with box.area:
        told = gr.HTML(elem_id="loaded", apply_default_css=False)
        columns = gr.Radio([], label="Texts come from the column", visible=False, elem_id="columns")
    before, path = gr.State("", time_to_live=HOUR_S), gr.State("", time_to_live=HOUR_S)
    shown = [box.sentences, box.file, told, columns, box.put_back, box.problem, box.lesson, box.n_wanted]
    take = partial(take_file, service.settings)
    opened = [box.open_file, gr.State(None), box.n_wanted]
    box.open_file.upload(take, opened, [*shown, path], **_QUIET)
    columns.input(take, [path, columns, box.n_wanted], [*shown, path], **_QUIET)
    box.split.click(take_split, [box.sentences, box.n_wanted], [*shown, before], **_QUIET)
    box.put_back.click(put_back, [before, box.n_wanted], shown, **_QUIET)
    clicks = (box.clear.click, *(chip.click for chip in box.chips))
    gr.on(clicks, forget_file, None, [box.file, told, columns, box.put_back], **_QUIET)


def take_file(settings: Settings, path: str | None, column: str | None, n_wanted: int) -> tuple[Any, ...]:
    """Put the texts of a file into the box.

    Args:
        settings: the limits of the page.
        path: where the file was put; None for no file, which changes nothing.
        column: the one with the texts; guessed where it is None.
        n_wanted: how often reading was asked for.

    Returns:
        Texts, file, what is told of it, its columns, the button that puts a text back, the problem, the lesson,
        `n_wanted` by now, and the path. A file that cannot be read leaves everything as it is but for the problem.
    """
    if path is None:
        return (gr.skip(),) * 8
    limits = TextLimits(settings.max_sentences, settings.max_sentence_characters, settings.max_total_characters)
    try:
        file = load_file(Path(path), limits, column or "")
    except MtdemoError as error:
        return *(gr.skip(),) * 5, as_problem(str(error)), *(gr.skip(),) * 3
    hidden = gr.Button(visible=False)
    return "\n".join(file.texts), file, describe_file(file), offer_columns(file), hidden, "", "", n_wanted + 1, path


def take_split(text: str | None, n_wanted: int) -> tuple[Any, ...]:
    """Put a text into the box, one sentence per line.

    Returns:
        As `take_file`, with the text as it was in place of the path.
    """
    try:
        file = split_text(text or "")
    except MtdemoError as error:
        return *(gr.skip(),) * 5, as_problem(str(error)), *(gr.skip(),) * 3
    told = f'<p role="status">Split into {len(file.texts):,} sentences, one per line.</p>'
    texts, button = "\n".join(file.texts), gr.Button(visible=True)
    return texts, file, told, gr.Radio(visible=False), button, "", "", n_wanted + 1, text


def put_back(text: str, n_wanted: int) -> tuple[Any, ...]:
    """Put back a text that was split."""
    return text, *forget_file(), "", "", n_wanted + 1


def forget_file() -> tuple[None, str, Any, Any]:
    """Forget the file when the box gets something else."""
    return None, "", gr.Radio(visible=False), gr.Button(visible=False)


def describe_file(file: LoadedFile) -> str:
    """Say as HTML what was loaded and left out."""
    n_texts = f"{len(file.texts):,} {'text' if len(file.texts) == 1 else 'texts'}"
    column = f" from the column <q>{html.escape(file.text_column)}</q>" if len(file.columns) > 1 else ""
    n_classes = len({*file.labels} - {""})
    facts = [
        f"<b>{html.escape(file.name)}</b>: {n_texts}{column}",
        *([f"{n_classes:,} classes in <q>{html.escape(file.label_column)}</q>"] if n_classes else []),
        *(["entity tags"] if file.tagged else []),
    ]
    notes = "".join(f'<p class="warning">{html.escape(note)}</p>' for note in file.notes)
    return f'<p role="status">{" · ".join(facts)}</p>{notes}'


def offer_columns(file: LoadedFile) -> Any:
    """Offer the columns for the texts, each with a cell.

    `review: The battery lasts`; gradio would translate a bare name such as `label`.
    """
    names = list(dict.fromkeys((*file.columns[:MAX_CHOICES], file.text_column)))
    choices = [(f"{name}: {shorten(_first_cell(file, name), 24)}", name) for name in names]
    return gr.Radio(choices, value=file.text_column, visible=len(choices) > 1)


def _first_cell(file: LoadedFile, column: str) -> str:
    return next((" ".join(cell.split()) for cell in file.values(column) if cell.strip()), "…")
