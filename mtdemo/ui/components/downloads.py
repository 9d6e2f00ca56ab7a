"""Answers as files to take along, made on the click that downloads them: CSV for people, JSON lines for programs, figures.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, and a sentence may come from anybody. So one
CSV has an apostrophe before such cells, which spreadsheets read as the sign of plain text, and says in its name whom it is
for; the other holds every character as it is.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd
from gradio.components import Component
from gradio.processing_utils import save_bytes_to_cache
from pandas.api.types import is_numeric_dtype

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.files import make_room, writing
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.sentence_box import SentenceBox, ask

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

AsRecord = Callable[[SentenceAnalysis], dict[str, Any]]
AsTable = Callable[[Analysis], pd.DataFrame]
_PICTURE = "() => document.querySelector('#{figure} .modebar-btn')?.click()"  # the only tool of `styled` figures
_AT_ONCE = 2  # files that are made
_RUN_BY_SPREADSHEETS = tuple("=+-@＝＋－＠")
_CUT_OFF_BY_SPREADSHEETS = ("\t", "\r", "\n")  # and what follows is run
_HAND_OUT = "(file) => window.mtdemo?.save(file)"
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_LOOK = (
    "body { margin: 12px; background: Canvas; color-scheme: light dark; } "
    ".main-svg text:not(.heatmap-label text, .hoverlayer text) { fill: CanvasText !important; }"
)


@dataclass(frozen=True, slots=True)
class AnswerFile:
    """A form in which answers can be taken along.

    Attributes:
        title: what the button says.
        name: of the file.
        write: makes its content, of the answers and of the visitor's file that they are about, if any.
    """

    title: str
    name: str
    write: Callable[[Analysis, LoadedFile | None], bytes]


def csv_files(name: str, as_table: AsTable) -> tuple[AnswerFile, AnswerFile]:
    """Offer a table as CSV: for spreadsheets, and exact.

    What stood beside the sentences in a file of the visitor's goes along.

    Args:
        name: of the files, without what tells them apart.
        as_table: makes the table.
    """

    def tabulate(answers: Analysis, file: LoadedFile | None) -> pd.DataFrame:
        table = as_table(answers)
        if file and len(table) == len(answers):  # a table of entities has other rows
            beside = find_cells(answers, file)
            for column in _others(file):
                table[f"file: {column}"] = [cells.get(column, "") for cells in beside]
        return table

    return (
        AnswerFile(
            "CSV for spreadsheets", f"{name}-for-spreadsheets.csv", lambda *given: as_csv(as_plain_cells(tabulate(*given)))
        ),
        AnswerFile("CSV, exact", f"{name}-exact.csv", lambda *given: as_csv(tabulate(*given))),
    )


def json_lines(name: str, as_record: AsRecord) -> AnswerFile:
    """Offer records as JSON lines, a line per sentence.

    Args:
        name: of the file, without suffix.
        as_record: makes a line; the keys are those of the endpoints.
    """

    def write(answers: Analysis, file: LoadedFile | None) -> bytes:
        records = (
            as_record(sentence) | ({"file": cells} if cells else {})
            for sentence, cells in zip(answers, find_cells(answers, file), strict=True)
        )
        return "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode("utf-8")

    return AnswerFile("JSON lines", f"{name}.jsonl", write)


def as_csv(table: pd.DataFrame) -> bytes:
    """Write a table as CSV, UTF-8, names first.

    Texts stand in quotes: a carriage return within one would begin a new row, and with it a cell of its own.
    """
    return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC).encode("utf-8")


def as_plain_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Mark texts that a spreadsheet would run as plain text.

    `=1+1 -> '=1+1`; numbers stay as they are.
    """
    if not table.empty:
        table = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(_as_plain))
    return table.rename(columns=_as_plain)


def _as_plain(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    is_run = cell.startswith(_CUT_OFF_BY_SPREADSHEETS) or cell.lstrip().startswith(_RUN_BY_SPREADSHEETS)
    return f"'{cell}" if is_run else cell


def find_cells(analysis: Analysis, file: LoadedFile | None) -> list[dict[str, str]]:
    """Find what stood beside each sentence in its file.

    Returns:
        Cells by column, without the text's own; empty for a sentence that is not of the file.
    """
    if file is None:
        return [{} for _ in analysis]
    columns = _others(file)
    cells = [dict(zip(file.columns, row, strict=True)) for row in file.rows]
    places = file.find_rows([sentence.text for sentence in analysis])
    return [{} if place is None else {column: cells[place][column] for column in columns} for place in places]


def _others(file: LoadedFile) -> list[str]:
    return [column for column in file.columns if column != file.text_column]


def add_downloads(service: ModelService, box: SentenceBox, model: gr.State, *files: AnswerFile) -> gr.Row:
    """Add a button for each form of the answers.

    Args:
        service: answers.
        box: holds what was read.
        model: the visitor's choice of model.
        *files: what is offered.

    Returns:
        The row of the buttons, for others beside them.
    """
    with gr.Row(elem_classes="downloads") as row:
        for file in files:
            make = partial(make_file, service, file)
            add_made_download(service, f"Download {file.title}", make, [box.asked, model, box.file])
    return row


def make_file(
    service: ModelService, form: AnswerFile, text: str, model: str | None, file: LoadedFile | None = None
) -> tuple[bytes, str]:
    """Write what was read.

    Returns:
        The content, and the name of the file.
    """
    return form.write(ask(service, service.analyze, text, model, gr.Progress()), file), form.name


def add_made_download(
    service: ModelService, label: str, make: Callable[..., tuple[bytes, str]], inputs: Sequence[Component]
) -> None:
    """Add a button for a file made on a click.

    Args:
        service: says how much files may have together.
        label: of the button.
        make: gets the values of `inputs`; gives content and name of the file.
        inputs: what it is made of.
    """
    button = gr.Button(label, size="sm")
    made = gr.DownloadButton(label, visible="hidden")

    @shows_errors
    def write(*given: Any) -> str:
        return save(*make(*given), made.GRADIO_CACHE, service)

    button.click(
        write, list(inputs), made, api_visibility="private", concurrency_limit=_AT_ONCE, concurrency_id="files"
    ).success(None, made, None, js=_HAND_OUT)


def save(content: bytes, name: str, directory: str, service: ModelService) -> str:
    """Save a file for a visitor to download.

    Args:
        content: of the file.
        name: of the file.
        directory: gradio's folder of files.
        service: says how much that folder may hold; the oldest files leave.

    Returns:
        Its path.

    Raises:
        FileWriteError: it cannot be written, as where the disk is full.
    """
    with writing(Path(name), "Nothing else is lost; try again later."):
        make_room(Path(directory), len(content), service.settings.max_file_bytes)
        return str(save_bytes_to_cache(content, name, cache_dir=directory))


def offer_table(table: pd.DataFrame, name: str, directory: str, service: ModelService) -> gr.DownloadButton:
    """Save a table as CSV for spreadsheets, and offer it.

    Args:
        table: as it is shown.
        name: of the file, without what says whom it is for.
        directory: gradio's folder of files.
        service: says how much that folder may hold.
    """
    content = as_csv(as_plain_cells(table))
    path = save(content, f"{name}-for-spreadsheets.csv", directory, service)
    return gr.DownloadButton(value=Path(path), interactive=True)


def add_figure_downloads(
    service: ModelService, draw: Callable[..., Figure], inputs: Sequence[Component], name: str, figure_id: str
) -> None:
    """Add buttons that hand out a figure.

    The picture is made by the browser, of the figure as it is shown.

    Args:
        service: says how much files may have together.
        draw: gets the values of `inputs`; gives the figure.
        inputs: what it is drawn of.
        name: of the file, without suffix.
        figure_id: `elem_id` of the plot on the page.
    """

    def make(*given: Any) -> tuple[bytes, str]:
        return as_page(draw(*given), name), f"{name}.html"

    with gr.Row(elem_classes=["downloads", "of-figure"]):
        picture = gr.Button("Picture (PNG)", size="sm")
        picture.click(None, None, None, js=_PICTURE.replace("{figure}", figure_id), api_visibility="private")
        add_made_download(service, "Figure (HTML)", make, inputs)


def as_page(figure: Figure, title: str) -> bytes:
    """Write a figure as an HTML file that loads nothing.

    plotly.js stands in it (4.7 MB), and the file itself forbids every request.
    """
    drawn = figure.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False, "plotlyServerURL": ""})
    head = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<meta name="color-scheme" content="light dark"><style>{_LOOK}</style></head><body>'
    )
    return f"{head}{drawn}</body></html>".encode()
