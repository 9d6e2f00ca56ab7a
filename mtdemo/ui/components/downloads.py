"""Answers as files to take along: CSV for people, JSON lines for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from gradio.processing_utils import save_bytes_to_cache

from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.sentence_box import SentenceBox, ask

AsRecord = Callable[[SentenceAnalysis], dict[str, Any]]
AsTable = Callable[[Analysis], pd.DataFrame]


def add_downloads(
    service: ModelService, box: SentenceBox, model: gr.State, name: str, as_record: AsRecord, as_table: AsTable
) -> None:
    """Add two buttons that hold the answers as files.

    Args:
        service: answers.
        box: holds what was read.
        model: the visitor's choice of model.
        name: of the files, without suffix.
        as_record: makes a line of JSON of a sentence; the keys are those of the endpoints.
        as_table: makes the CSV.
    """
    with gr.Row(elem_classes="downloads"):
        csv = gr.DownloadButton("Download as CSV", interactive=False, size="sm")
        jsonl = gr.DownloadButton("Download as JSON lines", interactive=False, size="sm")
    write = partial(write_files, service, csv.GRADIO_CACHE, name, as_record, as_table)
    box.fill_with(model, None, "", write, csv, jsonl)


def write_files(
    service: ModelService,
    directory: str,
    name: str,
    as_record: AsRecord,
    as_table: AsTable,
    text: str,
    model: str | None,
    progress: gr.Progress = gr.Progress(),
) -> list[Any]:
    """Write the two files for what was read."""
    analysis = ask(service, service.analyze, text, model, progress)
    csv = as_table(analysis).to_csv(index=False).encode("utf-8")
    jsonl = "".join(f"{json.dumps(as_record(sentence), ensure_ascii=False)}\n" for sentence in analysis).encode("utf-8")
    files = ((csv, f"{name}.csv"), (jsonl, f"{name}.jsonl"))
    return [
        gr.DownloadButton(value=Path(save_bytes_to_cache(content, file, cache_dir=directory)), interactive=True)
        for content, file in files
    ]
