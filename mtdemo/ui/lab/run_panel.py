"""The part of the freezing tab that trains: a copy learns under the plan above, and the page tells what moved."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from mtdemo.config import EMBEDDED
from mtdemo.errors import MtdemoError, PlanError, TooMuchInputError
from mtdemo.laboratory.dataset import MAX_CHARACTERS, MAX_SENTENCES, LabDataset, check_labels, read_dataset
from mtdemo.laboratory.export import pack_run
from mtdemo.laboratory.run_queue import MAX_AT_ONCE, MAX_MODELS, MAX_SECONDS, Laboratory, Waiting
from mtdemo.planning.training_plan import TrainingPlan, run_warnings
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.figures import AXES, plot_history, plot_runs
from mtdemo.ui.components.messages import as_plain_markdown, as_warnings, shows_errors
from mtdemo.ui.components.model_picker import describe_ready
from mtdemo.ui.components.sentence_box import split_lines
from mtdemo.ui.lab.run_view import describe_state, name_plan, show_outcome

if TYPE_CHECKING:
    from mtdemo.laboratory.outcome import Snapshot

TASKS = {"Both tasks": (1.0, 1.0), "Classes only": (0.0, 1.0), "Entities only": (1.0, 0.0)}
SUFFIXES = [".jsonl", ".csv", ".conll", ".bio", ".iob", ".iob2", ".txt"]
_OWN = "The Nobel Prize went to Marie Curie.\nThe service at Lufthansa was a nightmare."
_MAX_OWN = 10
_N_STEPS = 60
_REFRESH_S = 0.7
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
class SharedComponents:
    """Components of other places that the laboratory reads and changes.

    Attributes:
        plan: what an event does that plans what the controls say now, as arguments of gradio's listeners.
        saved: the plan as JSON, which that fills.
        backbone: what the plan is for; only the embedded model can be trained here.
        model: the visitor's model, which a trained copy can become.
        status: says which model answers.
    """

    plan: dict[str, Any]
    saved: gr.Code
    backbone: gr.Radio
    model: gr.State
    status: gr.Markdown


@dataclass(frozen=True, slots=True)
class _Controls:
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
class _Results:
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


def add_laboratory(service: ModelService, laboratory: Laboratory, page: gr.Blocks, borrowed: SharedComponents) -> None:
    """Add the controls and the results under a plan.

    Args:
        service: counts parts, and takes a trained copy in.
        laboratory: who conducts the runs.
        page: tells when a visitor comes.
        borrowed: what belongs to others.
    """
    own_dataset = read_dataset()
    gr.Markdown(
        "## Train it\n"
        f"A **copy** of the embedded model learns {len(own_dataset.tagged)} small sentences under the plan above and is "
        f"measured on {len(own_dataset.tagged_heldout)} others, before, during and after. The model that answers in the "
        "other tabs stays as it is. The rates that the plan begins with are those of BERT; this small model wants about "
        f"ten times as much. {MAX_AT_ONCE} runs go on at once on this page, others wait in line; a run ends after "
        f"{MAX_SECONDS / 60:.0f} minutes at the latest, and is yours alone. The trained copy of your last run is kept, as "
        f"long as fewer than {MAX_MODELS} others train one after it; pack it to take it with you."
    )
    visitor = gr.State("")
    page.load(_visitor, None, visitor, api_visibility="private", show_progress="hidden")
    page.unload(_forget_in(laboratory))
    controls = _add_controls()
    check = gr.HTML(padding=False)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary")
        stop = gr.Button("Stop and keep what there is")
    results = _add_results()

    private: dict[str, Any] = {"api_visibility": "private"}
    quiet: dict[str, Any] = {"show_progress": "hidden", **private}
    planned = start.click(**{**borrowed.plan, "trigger_mode": "once"})  # so that no earlier plan is trained
    planned.success(
        partial(train, laboratory),
        [visitor, borrowed.backbone, borrowed.saved, *controls.inputs, results.by],
        results.outputs,
        concurrency_limit=None,
        **quiet,
    )
    stop.click(laboratory.stop, visitor, None, queue=False, **private)
    gr.on(
        [borrowed.saved.change, controls.tasks.input, controls.n_steps.change, controls.keep.change],
        partial(check_run, service),
        [borrowed.backbone, borrowed.saved, controls.tasks, controls.n_steps, controls.keep],
        check,
        trigger_mode="always_last",
        **quiet,
    )
    gr.on(
        [controls.file.upload, controls.file.clear],
        partial(describe_file, service),
        controls.file,
        controls.described,
        **quiet,
    )
    results.by.input(partial(compare_runs, laboratory), [visitor, results.by], results.compared, **quiet)
    packed = results.download
    results.pack.click(partial(pack_last, laboratory, packed.GRADIO_CACHE), visitor, packed, **private)
    results.use.click(partial(use_trained, service, laboratory), visitor, [borrowed.model, borrowed.status], **private)
    results.back.click(partial(use_served, service), None, [borrowed.model, borrowed.status], **private)


def _add_controls() -> _Controls:
    with gr.Row():
        tasks = gr.Radio(list(TASKS), value="Both tasks", label="Learn", info="What the loss is made of.")
        keep = gr.Number(0, label="Weight of keeping the embeddings", info="1 − cosine to before, in the loss.", minimum=0)
    with gr.Row():
        n_steps = gr.Number(_N_STEPS, label="Steps", info="1 to 1,000; 100 take seconds to minutes.", precision=0)
        n_sentences = gr.Slider(4, 64, value=16, step=4, label="Sentences per step", info="Shared by the two tasks.")
        seed = gr.Number(13, label="Seed", precision=0, minimum=0)
    own = gr.Textbox(_OWN, label=f"Your own sentences, before and after (at most {_MAX_OWN})", lines=2, max_lines=6)
    with gr.Accordion("Learn your own labelled sentences instead", open=False):
        file = gr.File(label=f"At most {MAX_SENTENCES:,} sentences", file_types=SUFFIXES, height=160)
        described = gr.Markdown(elem_classes="note", visible=False)
        gr.Markdown(_FORMATS)
    return _Controls(tasks, own, file, keep, n_steps, n_sentences, seed, described)


def _add_results() -> _Results:
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
    return _Results(
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


def _visitor(request: gr.Request) -> str:
    """Whose runs these are: one page in one browser tab."""
    return str(request.session_hash)


def _forget_in(laboratory: Laboratory) -> Callable[[gr.Request], None]:
    """What ends and drops the runs of a page that was closed; gradio sees no request in a partial."""

    def forget(request: gr.Request) -> None:
        laboratory.forget(_visitor(request))

    return forget


def check_run(
    service: ModelService, backbone: str, saved: str, tasks: str, n_steps: float | None, keep: float | None
) -> str:
    """What contradicts itself between the plan and the run, as HTML; what is wrong with the plan itself is told there."""
    if not saved:
        return ""
    try:
        plan = TrainingPlan.from_dict(json.loads(saved))
        freezing = service.freezing(backbone, plan)
    except MtdemoError:
        return ""
    return as_warnings(run_warnings(plan, freezing, int(n_steps or _N_STEPS), TASKS[tasks], float(keep or 0)))


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


@shows_errors
def compare_runs(laboratory: Laboratory, visitor: str, by: str) -> Any:
    """The visitor's runs as a picture."""
    return plot_runs(laboratory.runs(visitor), by)


@shows_errors
def pack_last(laboratory: Laboratory, directory: str, visitor: str) -> Any:
    """The visitor's last run as a file to download."""
    run, trained = laboratory.trained(visitor)
    name = f"run-{run.number}.zip"
    content = pack_run(run, laboratory.runs(visitor), trained)
    path = save_bytes_to_cache(content, name, cache_dir=directory)
    return gr.DownloadButton(f"Download {name} ({len(content) / 1e6:.0f} MB)", value=Path(path), visible=True)


@shows_errors
def use_trained(service: ModelService, laboratory: Laboratory, visitor: str) -> tuple[str, str]:
    """Let the visitor's trained copy answer in the other tabs, for this visitor alone."""
    run, trained = laboratory.trained(visitor)
    name = service.register(trained, f"run {run.number} of your laboratory", visitor)
    return name, describe_ready(service, name)


@shows_errors
def use_served(service: ModelService) -> tuple[None, str]:
    """Let the model of this page answer in the other tabs again."""
    return None, describe_ready(service, None)


def train(
    laboratory: Laboratory,
    visitor: str,
    backbone: str,
    saved: str,
    tasks: str,
    own: str,
    *others: Any,
) -> Iterator[tuple[Any, ...]]:
    """A plan and how to train to what the page shows: while it runs the state, at the end what moved.

    An error is shown in the place of the state, since a run may have been shown already when it occurs.
    """
    file, keep, *numbers, by = others
    seen: list[Snapshot] = []
    shown = 0.0
    yield _begin()
    try:
        if backbone != EMBEDDED:
            raise PlanError("Only the embedded model can be trained here; choose it as the backbone, or only plan.")
        if not saved:
            raise PlanError("There is no plan that can be trained: what is wrong with it stands beside its controls.")
        if None in numbers:
            raise PlanError("Steps, sentences per step and seed need a number each; one of these fields is empty.")
        n_steps, n_sentences, seed = map(int, numbers)
        plan = TrainingPlan.from_dict(json.loads(saved))
        dataset: LabDataset | None = read_dataset(Path(file)) if file else None
        for state in laboratory.run(
            visitor,
            plan,
            f"{name_plan(plan)}; {tasks.lower()}",
            dataset,
            n_steps=n_steps,
            sentences_per_step=n_sentences,
            seed=seed,
            task_weights=TASKS[tasks],
            distillation_weight=float(keep or 0),
            own_sentences=tuple(_lines(own)),
        ):
            if isinstance(state, Waiting):
                yield _while_running(f"Waiting for a place: {state.place} in line.")
                continue
            seen.append(state)
            if time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield _while_running(describe_state(state), gr.Plot(plot_history(seen), visible=True))
    except MtdemoError as error:
        yield _while_running(f"This did not work: {html.escape(str(error), quote=False)}")
        return
    outcome, runs = laboratory.outcome(visitor), laboratory.runs(visitor)
    if not seen:
        yield _while_running("You left the line; nothing was trained.")
    elif outcome is not None:
        yield show_outcome(outcome, seen, runs, by)


def _begin() -> tuple[Any, ...]:
    """What an earlier run did leaves the page, since it is not what this one does."""
    hidden = (gr.Plot(visible=False), "", gr.Plot(visible=False), gr.Dataframe(visible=False))
    return ("<p>Getting ready: a copy of the model, and what it says before.</p>", *hidden, *(gr.skip() for _ in range(5)))


def _while_running(status: str, history: Any = None) -> tuple[Any, ...]:
    return (status, gr.skip() if history is None else history, *(gr.skip() for _ in range(8)))


def _lines(own: str) -> list[str]:
    lines = split_lines(own)
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_CHARACTERS:
            reason = f"It has {len(line):,} characters; your own sentences may have up to {MAX_CHARACTERS:,}."
            raise TooMuchInputError(reason, number)
    if len(lines) > _MAX_OWN:
        raise TooMuchInputError(f"{len(lines)} sentences of your own were given; at most {_MAX_OWN} are compared.")
    return lines
