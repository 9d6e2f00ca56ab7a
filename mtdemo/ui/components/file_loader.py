"""What is brought to the box: a file, opened or dropped, and a long text that is split into its sentences."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import Settings
from mtdemo.data.loaded_file import SPLIT, LoadedFile, TextLimits, load_file, split_text
from mtdemo.errors import MtdemoError
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.messages import shorten
from mtdemo.ui.components.sentence_box import HOUR_S, MAX_SHOWN, SentenceBox, as_problem, preview, whole_text

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
    before, path = gr.State(None), gr.State("", time_to_live=HOUR_S)
    shown = [box.sentences, box.file, told, columns, box.put_back, box.problem, box.lesson, box.n_wanted]
    take = partial(take_file, service.settings)
    opened = [box.open_file, gr.State(None), box.n_wanted]
    box.open_file.upload(take, opened, [*shown, path], **_QUIET)
    columns.input(take, [path, columns, box.n_wanted], [*shown, path], **_QUIET)
    box.split.click(take_split, [box.sentences, box.n_wanted, box.file, told], [*shown, before], **_QUIET)
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
    told = describe_file(file) + tell_preview(file)
    return preview(file), file, told, offer_columns(file), hidden, "", "", n_wanted + 1, path


def take_split(text: str | None, n_wanted: int, file: LoadedFile | None = None, told: str = "") -> tuple[Any, ...]:
    """Put a text into the box, one sentence per line.

    Args:
        text: what stands in the box.
        n_wanted: how often reading was asked for.
        file: where it came from.
        told: what is told of that.

    Returns:
        As `take_file`, with all that the box held before in place of the path.
    """
    before = (text, file, told)
    try:
        file = split_text(whole_text(text, file))
    except MtdemoError as error:
        return *(gr.skip(),) * 5, as_problem(str(error)), *(gr.skip(),) * 3
    told = f'<p role="status">Split into {len(file.texts):,} sentences, one per line.</p>{tell_preview(file)}'
    return preview(file), file, told, gr.Radio(visible=False), gr.Button(visible=True), "", "", n_wanted + 1, before


def put_back(before: tuple[str, LoadedFile | None, str], n_wanted: int) -> tuple[Any, ...]:
    """Put back what was split, as `take_split` kept it."""
    text, file, told = before
    columns = offer_columns(file) if file and file.name != SPLIT else gr.Radio(visible=False)
    return text, file, told, columns, gr.Button(visible=False), "", "", n_wanted + 1


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


def tell_preview(file: LoadedFile) -> str:
    """Say as HTML how much stands in the box.

    `page.js` shows the second part while something else stands there.
    """
    n = len(file.texts)
    if n <= MAX_SHOWN:
        return ""
    return (
        f'<p id="preview"><span>The first {MAX_SHOWN} of {n:,} lines stand in the box; all are read. Once changed, only '
        f"what stands there is.</span><span>Changed: only what stands in the box is read, not all {n:,} lines. Undo the "
        "change to read all again.</span></p>"
    )


def offer_columns(file: LoadedFile) -> Any:
    """Offer the columns for the texts, each with a cell.

    `review: The battery lasts`; gradio would translate a bare name such as `label`.
    """
    names = list(dict.fromkeys((*file.columns[:MAX_CHOICES], file.text_column)))
    choices = [(f"{name}: {shorten(_first_cell(file, name), 24)}", name) for name in names]
    return gr.Radio(choices, value=file.text_column, visible=len(choices) > 1)


def _first_cell(file: LoadedFile, column: str) -> str:
    return next((" ".join(cell.split()) for cell in file.values(column) if cell.strip()), "…")
