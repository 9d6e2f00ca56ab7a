"""The part of the freezing tab that trains: a copy learns under the plan above, and the page tells what moved."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from mtdemo.config import EMBEDDED, MAX_RUN_SECONDS, MAX_RUNS_AT_ONCE, MAX_TRAINED_MODELS
from mtdemo.errors import MtdemoError
from mtdemo.laboratory.dataset import read_dataset
from mtdemo.laboratory.export import pack_run
from mtdemo.laboratory.outcome import Snapshot
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.run import plot_runs
from mtdemo.ui.components.events import Updates, Values, shows_errors
from mtdemo.ui.components.model_picker import describe_ready
from mtdemo.ui.lab.run_controls import (
    RunControls,
    add_run_controls,
    check_run,
    describe_file,
    describe_formats,
    read_run,
)
from mtdemo.ui.lab.run_view import RunView, add_run_view, describe_state

_REFRESH_S = 0.7
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", **_PRIVATE}


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
    service: ModelService, planner: Planner, laboratory: Laboratory, page: gr.Blocks, shared: SharedComponents
) -> None:
    """Add the controls and the results under a plan.

    Args:
        service: takes a trained copy in.
        planner: counts parts.
        laboratory: runs what is asked for.
        page: tells when a visitor comes and goes.
        shared: what belongs to others.
    """
    own_dataset = read_dataset()
    gr.Markdown(
        "## Train it\n"
        f"A **copy** of the embedded model learns {len(own_dataset.tagged)} small sentences under the plan above and is "
        f"measured on {len(own_dataset.tagged_heldout)} others, before, during and after. The model of the other tabs "
        f"stays as it is. {MAX_RUNS_AT_ONCE} runs go on at once on this page, others wait in line; a run ends after "
        f"{MAX_RUN_SECONDS / 60:.0f} minutes at the latest, and is yours alone. The trained copy of your last run is kept, "
        f"as long as fewer than {MAX_TRAINED_MODELS} others train one after it; pack it to take it with you."
    )
    whose = gr.Markdown(elem_classes="note")
    shared.status.change(partial(describe_trained_model, service), shared.model, whose, **_QUIET)
    visitor = gr.State("")
    page.load(_visitor, None, visitor, **_QUIET)
    page.unload(_forget_in(laboratory))
    controls = add_run_controls(visitor, shared.backbone, shared.saved)
    check = gr.HTML(padding=False)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary")
        stop = gr.Button("Stop and keep what there is")
    view = add_run_view()

    planned = start.click(**{**shared.plan, "trigger_mode": "once"})  # so that no earlier plan is trained
    planned.success(
        partial(train, laboratory, controls, view),
        controls.inputs | {view.by},
        view.outputs,
        concurrency_limit=None,
        **_QUIET,
    )
    stop.click(laboratory.stop, visitor, None, queue=False, **_PRIVATE)
    _connect_controls(service, planner, controls, shared.status, check)
    _connect_results(service, laboratory, visitor, view, shared)


def _connect_controls(
    service: ModelService, planner: Planner, controls: RunControls, status: gr.Markdown, check: gr.HTML
) -> None:
    """Let the controls be checked and described as they change."""
    gr.on(
        [controls.saved.change, controls.tasks.input, controls.n_steps.change, controls.keep.change],
        partial(check_run, planner, controls),
        controls.checked,
        check,
        trigger_mode="always_last",
        **_QUIET,
    )
    file = controls.file
    gr.on([file.upload, file.clear], partial(describe_file, service), file, controls.described, **_QUIET)
    status.change(lambda: describe_formats(service.loaded(EMBEDDED)), None, controls.formats, **_QUIET)


def _connect_results(
    service: ModelService, laboratory: Laboratory, visitor: gr.State, view: RunView, shared: SharedComponents
) -> None:
    """Let the visitor compare, pack and use what was trained."""
    view.by.input(partial(compare_runs, laboratory), [visitor, view.by], view.compared, **_QUIET)
    packed = view.download
    view.pack.click(partial(pack_last, laboratory, packed.GRADIO_CACHE), visitor, packed, **_PRIVATE)
    view.use.click(partial(use_trained, service, laboratory), visitor, [shared.model, shared.status], **_PRIVATE)
    view.back.click(partial(use_served, service), None, [shared.model, shared.status], **_PRIVATE)


def describe_trained_model(service: ModelService, model: str | None) -> str:
    """Tell who sees several models put together which one trains."""
    info = service.loaded(model)
    if info is None or not info.sources:
        return ""
    others = [source for source in dict.fromkeys(info.sources) if source != EMBEDDED]
    elsewhere = f" To train another of them, choose one: `mtdemo train --base {others[0]}`." if others else ""
    return (
        "The model that answers is put together from several, so it has no single backbone to train. What trains here is "
        f"a copy of the embedded model.{elsewhere}"
    )


def _visitor(request: gr.Request) -> str:
    """Name the visitor: one page in one browser tab."""
    return str(request.session_hash)


def _forget_in(laboratory: Laboratory) -> Callable[[gr.Request], None]:
    """Make the callback that drops a closed page's runs.

    It is no partial, since gradio passes no request to one.
    """

    def forget(request: gr.Request) -> None:
        laboratory.forget(_visitor(request))

    return forget


@shows_errors
def compare_runs(laboratory: Laboratory, visitor: str, by: str) -> Any:
    """Draw the visitor's runs."""
    return plot_runs(laboratory.runs(visitor), by)


@shows_errors
def pack_last(laboratory: Laboratory, directory: str, visitor: str) -> Any:
    """Pack the visitor's last run as a file to download."""
    run, trained = laboratory.trained(visitor)
    name = f"run-{run.number}.zip"
    content = pack_run(run, laboratory.runs(visitor), trained)
    path = save_bytes_to_cache(content, name, cache_dir=directory)
    return gr.DownloadButton(f"Download {name} ({len(content) / 1e6:.0f} MB)", value=Path(path), visible=True)


@shows_errors
def use_trained(service: ModelService, laboratory: Laboratory, visitor: str) -> tuple[str, str]:
    """Let the trained copy answer in this visitor's other tabs."""
    run, trained = laboratory.trained(visitor)
    name = service.register(trained, f"run {run.number} of your laboratory", visitor)
    return name, describe_ready(service, name)


@shows_errors
def use_served(service: ModelService) -> tuple[None, str]:
    """Let the page's model answer in the other tabs again."""
    return None, describe_ready(service, None)


def train(laboratory: Laboratory, controls: RunControls, view: RunView, values: Values) -> Iterator[Updates]:
    """Train a copy, and show what becomes of it.

    An error is shown in the place of the state, since a run may have been shown already when it occurs.
    """
    visitor = values[controls.visitor]
    seen: list[Snapshot] = []
    shown = 0.0
    yield view.show_beginning()
    try:
        request = read_run(controls, values)
        for state in laboratory.run(visitor, request.plan, request.title, request.dataset, **request.settings):
            if isinstance(state, Waiting):
                yield {view.status: f"Waiting for a place: {state.place} in line."}
                continue
            seen.append(state)
            if time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield {view.status: describe_state(state), **view.show_history(seen)}
    except MtdemoError as error:
        yield {view.status: f"This did not work: {html.escape(str(error), quote=False)}"}
        return
    outcome = laboratory.outcome(visitor)
    if not seen:
        yield {view.status: "You left the line; nothing was trained."}
    elif outcome is not None:
        yield view.show_outcome(outcome, seen, laboratory.runs(visitor), values[view.by])
