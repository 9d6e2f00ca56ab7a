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

from mtdemo.config import EMBEDDED, MAX_RUN_SECONDS, MAX_RUNS_AT_ONCE, MAX_TRAINED_MODELS
from mtdemo.errors import MtdemoError, PlanError, TooMuchInputError
from mtdemo.laboratory.dataset import MAX_CHARACTERS, LabDataset, read_dataset
from mtdemo.laboratory.export import pack_run
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.planning.planner import Planner
from mtdemo.planning.training_plan import TrainingPlan, run_warnings
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.run import plot_history, plot_runs
from mtdemo.ui.components.messages import as_warnings, shows_errors
from mtdemo.ui.components.model_picker import describe_ready
from mtdemo.ui.components.sentence_box import split_lines
from mtdemo.ui.lab.run_controls import MAX_OWN, N_STEPS, TASKS, add_run_controls, add_run_results, describe_file
from mtdemo.ui.lab.run_view import describe_state, name_plan, show_beginning, show_outcome, show_running

if TYPE_CHECKING:
    from mtdemo.laboratory.outcome import Snapshot


_REFRESH_S = 0.7


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


def add_laboratory(
    service: ModelService, planner: Planner, laboratory: Laboratory, page: gr.Blocks, borrowed: SharedComponents
) -> None:
    """Add the controls and the results under a plan.

    Args:
        service: takes a trained copy in.
        planner: counts parts.
        laboratory: conducts the runs.
        page: tells when a visitor comes.
        borrowed: what belongs to others.
    """
    own_dataset = read_dataset()
    gr.Markdown(
        "## Train it\n"
        f"A **copy** of the embedded model learns {len(own_dataset.tagged)} small sentences under the plan above and is "
        f"measured on {len(own_dataset.tagged_heldout)} others, before, during and after. The model that answers in the "
        "other tabs stays as it is. The rates that the plan begins with are those of BERT; this small model wants about "
        f"ten times as much. {MAX_RUNS_AT_ONCE} runs go on at once on this page, others wait in line; a run ends after "
        f"{MAX_RUN_SECONDS / 60:.0f} minutes at the latest, and is yours alone. The trained copy of your last run is kept, "
        f"as long as fewer than {MAX_TRAINED_MODELS} others train one after it; pack it to take it with you."
    )
    visitor = gr.State("")
    page.load(_visitor, None, visitor, api_visibility="private", show_progress="hidden")
    page.unload(_forget_in(laboratory))
    controls = add_run_controls()
    check = gr.HTML(padding=False)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary")
        stop = gr.Button("Stop and keep what there is")
    results = add_run_results()

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
        partial(check_run, planner),
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


def _visitor(request: gr.Request) -> str:
    """Whose runs these are: one page in one browser tab."""
    return str(request.session_hash)


def _forget_in(laboratory: Laboratory) -> Callable[[gr.Request], None]:
    """What ends and drops the runs of a page that was closed; gradio sees no request in a partial."""

    def forget(request: gr.Request) -> None:
        laboratory.forget(_visitor(request))

    return forget


def check_run(planner: Planner, backbone: str, saved: str, tasks: str, n_steps: float | None, keep: float | None) -> str:
    """What contradicts itself between the plan and the run, as HTML; what is wrong with the plan itself is told there."""
    if not saved:
        return ""
    try:
        plan = TrainingPlan.from_dict(json.loads(saved))
        freezing = planner.freezing(backbone, plan)
    except MtdemoError:
        return ""
    return as_warnings(run_warnings(plan, freezing, int(n_steps or N_STEPS), TASKS[tasks], float(keep or 0)))


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
    yield show_beginning()
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
                yield show_running(f"Waiting for a place: {state.place} in line.")
                continue
            seen.append(state)
            if time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield show_running(describe_state(state), gr.Plot(plot_history(seen), visible=True))
    except MtdemoError as error:
        yield show_running(f"This did not work: {html.escape(str(error), quote=False)}")
        return
    outcome, runs = laboratory.outcome(visitor), laboratory.runs(visitor)
    if not seen:
        yield show_running("You left the line; nothing was trained.")
    elif outcome is not None:
        yield show_outcome(outcome, seen, runs, by)


def _lines(own: str) -> list[str]:
    lines = split_lines(own)
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_CHARACTERS:
            reason = f"It has {len(line):,} characters; your own sentences may have up to {MAX_CHARACTERS:,}."
            raise TooMuchInputError(reason, number)
    if len(lines) > MAX_OWN:
        raise TooMuchInputError(f"{len(lines)} sentences of your own were given; at most {MAX_OWN} are compared.")
    return lines
