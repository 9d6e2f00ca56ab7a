"""A file on the box: opened or dropped, its texts put into the box, its other columns kept beside them."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import Settings
from mtdemo.data.loaded_file import SUFFIXES, LoadedFile, TextLimits, load_file
from mtdemo.errors import MtdemoError
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.sentence_box import SentenceBox, as_problem

MAX_CHOICES = 12  # columns that can be chosen from
_FORMATS = ", ".join(SUFFIXES[:6])
_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def add_file_loader(service: ModelService, box: SentenceBox) -> None:
    """Add a button to the box, and a line that says what was loaded.

    The box keeps the file in `box.file` for whoever wants its labels or another column.

    Args:
        service: knows how much the page reads.
        box: takes the texts, and reads them.
    """
    with box.actions:
        opened = gr.UploadButton(
            f"Open a file ({_FORMATS})", size="sm", elem_id="open-file", elem_classes="quiet", min_width=40
        )
    with box.area:
        told = gr.HTML(elem_id="loaded", apply_default_css=False)
        columns = gr.Radio([], label="Texts come from the column", visible=False, elem_id="columns")
    shown = [box.sentences, box.file, told, columns, box.problem, box.lesson, box.n_wanted]
    take = partial(take_file, service.settings)
    opened.upload(lambda path, n_wanted: take(path, None, n_wanted), [opened, box.n_wanted], shown, **_QUIET)
    columns.input(take, [opened, columns, box.n_wanted], shown, **_QUIET)
    gr.on([box.clear.click, *(chip.click for chip in box.chips)], forget_file, None, [box.file, told, columns], **_QUIET)


def take_file(settings: Settings, path: str, column: str | None, n_wanted: int) -> tuple[Any, ...]:
    """Put the texts of a file into the box and have them read.

    Args:
        settings: the limits of the page.
        path: where the file was put.
        column: the one with the texts; guessed where it is None.
        n_wanted: how often reading was asked for.

    Returns:
        Texts, file, what is told of it, its columns, the problem, the lesson, and `n_wanted` by now. A file that cannot be
        read leaves everything as it is but for the problem.
    """
    limits = TextLimits(settings.max_sentences, settings.max_sentence_characters, settings.max_total_characters)
    try:
        file = load_file(Path(path), limits, column or "")
    except MtdemoError as error:
        return *(gr.skip(),) * 4, as_problem(str(error)), gr.skip(), gr.skip()
    return "\n".join(file.texts), file, describe_file(file), offer_columns(file), "", "", n_wanted + 1


def forget_file() -> tuple[None, str, Any]:
    """Forget the file when the box gets something else."""
    return None, "", gr.Radio(visible=False)


def describe_file(file: LoadedFile) -> str:
    """Say what was loaded and what was left out, as HTML."""
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
    """Offer the columns that texts can come from."""
    choices = list(dict.fromkeys((*file.columns[:MAX_CHOICES], file.text_column)))
    return gr.Radio(choices, value=file.text_column, visible=len(choices) > 1)
