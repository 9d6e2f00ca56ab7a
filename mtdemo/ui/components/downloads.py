"""Answers as files to take along: CSV for people, JSON lines for programs, figures, and what is made on a click."""

from __future__ import annotations

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

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import shows_errors
from mtdemo.ui.components.sentence_box import SentenceBox, ask

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

AsRecord = Callable[[SentenceAnalysis], dict[str, Any]]
AsTable = Callable[[Analysis], pd.DataFrame]
_PICTURE = "() => document.querySelector('#{figure} .modebar-btn')?.click()"  # the only tool of `styled` figures
_HAND_OUT = "(file) => window.mtdemo?.save(file)"
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_LOOK = (
    "body { margin: 12px; background: Canvas; color-scheme: light dark; } "
    ".main-svg text:not(.heatmap-label text, .hoverlayer text) { fill: CanvasText !important; }"
)


@dataclass(frozen=True, slots=True)
class Export:
    """A pair of files with the answers to each sentence.

    Attributes:
        name: of the files, without suffix.
        as_record: makes a line of JSON of a sentence; the keys are those of the endpoints.
        as_table: makes the CSV.
    """

    name: str
    as_record: AsRecord
    as_table: AsTable


def add_downloads(
    service: ModelService, box: SentenceBox, model: gr.State, name: str, as_record: AsRecord, as_table: AsTable
) -> gr.Row:
    """Add two buttons that hold the answers as files.

    What stood beside the sentences in a file of the visitor's goes along.

    Args:
        service: answers.
        box: holds what was read.
        model: the visitor's choice of model.
        name: of the files, without suffix.
        as_record: makes a line of JSON of a sentence; the keys are those of the endpoints.
        as_table: makes the CSV.

    Returns:
        The row of the buttons, for others beside them.
    """
    with gr.Row(elem_classes="downloads") as row:
        csv = gr.DownloadButton("Download as CSV", interactive=False, size="sm")
        jsonl = gr.DownloadButton("Download as JSON lines", interactive=False, size="sm")
    write = partial(write_files, service, csv.GRADIO_CACHE, Export(name, as_record, as_table))
    box.fill_with(model, None, "", write, csv, jsonl, also=[box.file])
    return row


def write_files(
    service: ModelService,
    directory: str,
    export: Export,
    text: str,
    model: str | None,
    file: LoadedFile | None = None,
    progress: gr.Progress = gr.Progress(),
) -> list[Any]:
    """Write the two files for what was read."""
    analysis = ask(service, service.analyze, text, model, progress)
    beside = find_cells(analysis, file)
    table = export.as_table(analysis)
    if file and len(table) == len(analysis):  # a table of entities has other rows
        for column in _others(file):
            table[f"file: {column}"] = [cells.get(column, "") for cells in beside]
    records = [
        export.as_record(sentence) | ({"file": cells} if cells else {})
        for sentence, cells in zip(analysis, beside, strict=True)
    ]
    csv = table.to_csv(index=False).encode("utf-8")
    jsonl = "".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records).encode("utf-8")
    contents = ((csv, f"{export.name}.csv"), (jsonl, f"{export.name}.jsonl"))
    return [
        gr.DownloadButton(value=Path(save_bytes_to_cache(content, called, cache_dir=directory)), interactive=True)
        for content, called in contents
    ]


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


def add_made_download(label: str, make: Callable[..., tuple[bytes, str]], inputs: Sequence[Component]) -> None:
    """Add a button for a file made on a click.

    Args:
        label: of the button.
        make: gets the values of `inputs`; gives content and name of the file.
        inputs: what it is made of.
    """
    button = gr.Button(label, size="sm")
    made = gr.DownloadButton(label, visible="hidden")

    def write(*given: Any) -> Path:
        content, name = make(*given)
        return Path(save_bytes_to_cache(content, name, cache_dir=made.GRADIO_CACHE))

    button.click(write, list(inputs), made, api_visibility="private").success(None, made, None, js=_HAND_OUT)


def add_figure_downloads(draw: Callable[..., Figure], inputs: Sequence[Component], name: str, figure_id: str) -> None:
    """Add buttons that hand out a figure.

    The picture is made by the browser, of the figure as it is shown.

    Args:
        draw: gets the values of `inputs`; gives the figure.
        inputs: what it is drawn of.
        name: of the file, without suffix.
        figure_id: `elem_id` of the plot on the page.
    """

    @shows_errors
    def make(*given: Any) -> tuple[bytes, str]:
        return as_page(draw(*given), name), f"{name}.html"

    with gr.Row(elem_classes=["downloads", "of-figure"]):
        picture = gr.Button("Picture (PNG)", size="sm")
        picture.click(None, None, None, js=_PICTURE.replace("{figure}", figure_id), api_visibility="private")
        add_made_download("Figure (HTML)", make, inputs)


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
