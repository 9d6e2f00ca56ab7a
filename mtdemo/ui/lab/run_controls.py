"""The controls of a run, and the components that its results fill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED
from mtdemo.errors import MtdemoError
from mtdemo.laboratory.dataset import MAX_FILE_SENTENCES, check_labels, read_dataset
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.run import AXES
from mtdemo.ui.components.messages import as_plain_markdown

TASKS = {"Both tasks": (1.0, 1.0), "Classes only": (0.0, 1.0), "Entities only": (1.0, 0.0)}
SUFFIXES = [".jsonl", ".csv", ".conll", ".bio", ".iob", ".iob2", ".txt"]
_OWN = "The Nobel Prize went to Marie Curie.\nThe service at Lufthansa was a nightmare."
MAX_OWN = 10
N_STEPS = 60
_WIDTHS: list[str | int] = ["34%", "26%", "40%"]
_RUN_WIDTHS: list[str | int] = ["52px", "300px", "112px", "120px", "92px", "130px", "130px"]
_FORMATS = """
| file | a line of it |
|---|---|
| `.jsonl`, classes | `{"text": "What a day!", "label": "positive"}` |
| `.jsonl`, entities | `{"tokens": ["Ada", "lives", "in", "Rome"], "tags": ["PER", "O", "O", "LOC"]}` |
| `.csv`, classes | `text,label` first, then `"What a day!",positive` |
| `.conll`, `.bio`, `.iob`, `.iob2`, `.txt`, entities | `Rome B-LOC`, a blank line between sentences |
| `.txt`, both | `positive \\| What a day in [Rome](LOC)!` after a line `[train]`, and others after `[test]` |

A task that your file says nothing of keeps the project's sentences. A quarter of the sentences, drawn by lot but always the
same ones, is kept aside to measure on, unless the file says itself what is `[test]`. The file is read for your run and is
not kept with it; the copy that was uploaded is deleted from the server within two hours.
"""


@dataclass(frozen=True, slots=True)
class RunControls:
    """Components that say how to train."""

    tasks: gr.Radio
    own: gr.Textbox
    file: gr.File
    keep: gr.Number
    n_steps: gr.Number
    n_sentences: gr.Slider
    seed: gr.Number
    described: gr.Markdown

    @property
    def inputs(self) -> list[Any]:
        return [self.tasks, self.own, self.file, self.keep, self.n_steps, self.n_sentences, self.seed]


@dataclass(frozen=True, slots=True)
class RunResults:
    """What a run changes, in the order of `outputs`, and what is done with it."""

    status: gr.HTML
    history: gr.Plot
    result: gr.HTML
    moved: gr.Plot
    sentences: gr.Dataframe
    kept: gr.Column
    runs: gr.Dataframe
    compared: gr.Plot
    report: gr.Code
    download: gr.DownloadButton
    by: gr.Radio
    use: gr.Button
    back: gr.Button
    pack: gr.Button

    @property
    def outputs(self) -> list[Any]:
        shown = [self.status, self.history, self.result, self.moved, self.sentences, self.kept]
        return [*shown, self.runs, self.compared, self.report, self.download]


def add_run_controls() -> RunControls:
    """Add the controls of a run."""
    with gr.Row():
        tasks = gr.Radio(list(TASKS), value="Both tasks", label="Learn", info="What the loss is made of.")
        keep = gr.Number(0, label="Weight of keeping the embeddings", info="1 − cosine to before, in the loss.", minimum=0)
    with gr.Row():
        n_steps = gr.Number(N_STEPS, label="Steps", info="1 to 1,000; 100 take seconds to minutes.", precision=0)
        n_sentences = gr.Slider(4, 64, value=16, step=4, label="Sentences per step", info="Shared by the two tasks.")
        seed = gr.Number(13, label="Seed", precision=0, minimum=0)
    own = gr.Textbox(_OWN, label=f"Your own sentences, before and after (at most {MAX_OWN})", lines=2, max_lines=6)
    with gr.Accordion("Learn your own labelled sentences instead", open=False):
        file = gr.File(label=f"At most {MAX_FILE_SENTENCES:,} sentences", file_types=SUFFIXES, height=160)
        described = gr.Markdown(elem_classes="note", visible=False)
        gr.Markdown(_FORMATS)
    return RunControls(tasks, own, file, keep, n_steps, n_sentences, seed, described)


def add_run_results() -> RunResults:
    """Add what a run fills, hidden until there is something."""
    status = gr.HTML(padding=False)
    history = gr.Plot(label="Loss and held-out scores by step", show_label=False, visible=False)
    result = gr.HTML(padding=False)
    moved = gr.Plot(label="How far each part moved", show_label=False, visible=False)
    table: dict[str, Any] = {"interactive": False, "wrap": True}
    sentences = gr.Dataframe(label="Your sentences before and after", visible=False, column_widths=_WIDTHS, **table)
    with gr.Column(visible=False) as kept:
        title = "Your runs of this visit (changed: share of the answers)"
        runs = gr.Dataframe(label=title, column_widths=_RUN_WIDTHS, **table)
        by = gr.Radio(list(AXES), value=next(iter(AXES)), label="Compare their scores by")
        compared = gr.Plot(label="Runs", show_label=False)
        with gr.Row():
            use = gr.Button("Use the trained copy in the other tabs")
            back = gr.Button("Use this page's model there again")
            pack = gr.Button("Pack the last run as a ZIP")
        download = gr.DownloadButton("Download", visible=False)
        with gr.Accordion("The last run as a file", open=False):
            report = gr.Code(label="run.json", language="json", interactive=False)
    return RunResults(
        status,
        history,
        result,
        moved,
        sentences,
        kept,
        runs,
        compared,
        report,
        download,
        by=by,
        use=use,
        back=back,
        pack=pack,
    )


def describe_file(service: ModelService, path: str | None) -> Any:
    """What a person's file teaches, or what is wrong with it."""
    if path is None:
        return gr.Markdown(visible=False)
    try:
        dataset, model = read_dataset(Path(path)), service.load(EMBEDDED)
        check_labels(dataset, model.class_labels, model.entity_types)
        words = f"Read: {dataset.phrase}."
    except MtdemoError as error:
        words = f"**This file cannot be used.** {as_plain_markdown(str(error))}"
    return gr.Markdown(words, visible=True)
