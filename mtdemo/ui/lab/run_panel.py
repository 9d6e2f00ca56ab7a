"""The part of the freezing tab that trains: experiments, runs by hand, and what can be done with each run."""

from __future__ import annotations

import html
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED, MAX_RUN_SECONDS, MAX_RUNS_AT_ONCE, MAX_TRAINED_BYTES
from mtdemo.errors import LaboratoryError
from mtdemo.laboratory.dataset import read_dataset
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import Updates
from mtdemo.ui.lab.question_panel import add_question_panel
from mtdemo.ui.lab.run_actions import (
    Bench,
    answer,
    check,
    choose,
    compare_runs,
    free,
    lock,
    pack_chosen,
    train,
    use_served,
    use_trained,
)
from mtdemo.ui.lab.run_controls import add_run_controls, describe_file, describe_formats
from mtdemo.ui.lab.run_view import add_run_view

_VISITOR = re.compile(r"[\w-]{22}")  # as `secrets.token_urlsafe(16)` makes them
# What a browser keeps of a visit, whatever tab is open: gradio's own BrowserState reads it only where it stands.
_READ = "() => localStorage.getItem('mtdemo-laboratory') || ''"
_KEEP = "(visit) => { if (visit) localStorage.setItem('mtdemo-laboratory', visit); }"
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}
_QUIET: dict[str, Any] = {"show_progress": "hidden", **_PRIVATE}
_SEE = "() => document.querySelector('#tab-answers-button')?.click()"
_READING: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "files that visitors bring", **_QUIET}


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
    """Add experiments, controls and results under a plan.

    Args:
        service: takes a trained copy in.
        planner: counts parts.
        laboratory: runs what is asked for.
        page: tells when a visitor comes and goes.
        shared: what belongs to others.
    """
    own_dataset = read_dataset()
    visitor, session = gr.State(""), gr.State("")
    kept = gr.Textbox(visible="hidden", label="Runs, for the browser to keep")
    gr.Markdown(
        "## Experiments\n"
        "A question, runs that answer it one after the other, and a verdict that is never stronger than its interval. Each "
        f"run trains a **copy** of the embedded model on {len(own_dataset.tagged)} small sentences and is measured on "
        f"{len(own_dataset.tagged_heldout)} others, or on the file that you give below. The model that answers in the "
        "other tabs stays as it is."
    )
    whose = gr.Markdown(elem_classes="note")
    shared.status.change(partial(describe_trained_model, service), shared.model, whose, **_QUIET)
    questions = add_question_panel(own_dataset)
    gr.Markdown(
        "## Train it by hand\n"
        f"A copy learns under the plan above. {MAX_RUNS_AT_ONCE} runs go on at once on this page, others wait in line; a "
        f"run ends after {MAX_RUN_SECONDS / 60:.0f} minutes at the latest, and is yours alone. Its numbers are kept in "
        f"this browser, its weights on the server while there is room ({MAX_TRAINED_BYTES / 1e6:.0f} MB for all visitors); "
        "pack a run to take it with you."
    )
    controls = add_run_controls(visitor, session, shared.backbone, shared.saved)
    check = gr.HTML(padding=False)
    with gr.Row():
        start = gr.Button("Train a copy", variant="primary", interactive=False)
        stop = gr.Button("Stop and keep what there is")
    bench = Bench(service, planner, laboratory, controls, questions, add_run_view(), start, stop, check, kept)
    _connect_visit(bench, page)
    _connect_runs(bench, shared.plan)
    _connect_controls(bench, shared.status)
    _connect_results(bench, shared)


def _connect_visit(bench: Bench, page: gr.Blocks) -> None:
    """Let a visitor come, come back, and go."""
    controls, view = bench.controls, bench.view
    outputs = [controls.visitor, controls.session, bench.kept, *sorted(view.outputs, key=lambda each: int(each._id))]
    page.load(open_in(bench, outputs), bench.kept, outputs, js=_READ, **_QUIET).then(None, bench.kept, None, js=_KEEP)
    page.unload(_leave_in(bench.laboratory))


def _connect_runs(bench: Bench, plan: dict[str, Any]) -> None:
    """Let runs begin and end, one at a time."""
    controls, view, questions = bench.controls, bench.view, bench.questions
    starts = {bench.start, *questions.starts}
    begins: dict[str, Any] = {"fn": partial(lock, starts), "outputs": starts, **_QUIET}
    runs: dict[str, Any] = {"concurrency_limit": None, **_QUIET}
    keeps: dict[str, Any] = {"fn": None, "inputs": bench.kept, "js": _KEEP}
    frees: dict[str, Any] = {"fn": partial(free, bench), "inputs": controls.inputs, "outputs": starts, **_QUIET}
    by_hand = bench.start.click(**begins).then(**plan)  # so that no earlier plan is trained
    by_hand.then(partial(train, bench), controls.inputs | {view.by}, view.outputs | {bench.kept}, **runs).then(
        **frees
    ).then(**keeps)
    for card in questions.cards:
        card.start.click(**begins).then(
            partial(answer, bench, card.question.name),
            controls.inputs | {view.by},
            view.outputs | {bench.kept, card.shown, card.stop},
            **runs,
        ).then(**frees).then(**keeps)
    for stop in (bench.stop, *(card.stop for card in questions.cards)):
        stop.click(bench.laboratory.stop, controls.visitor, None, queue=False, **_PRIVATE)


def _connect_controls(bench: Bench, status: gr.Markdown) -> None:
    """Let the controls be checked and described as they change."""
    controls = bench.controls
    gr.on(
        [controls.saved.change, controls.tasks.input, controls.n_steps.change, controls.keep.change],
        partial(check, bench),
        controls.checked | {controls.visitor},
        [bench.check, bench.start],
        trigger_mode="always_last",
        **_QUIET,
    )
    file = controls.file
    gr.on([file.upload, file.clear], partial(describe_file, bench.service), file, controls.described, **_READING)
    status.change(lambda: describe_formats(bench.service.loaded(EMBEDDED)), None, controls.formats, **_QUIET)


def _connect_results(bench: Bench, shared: SharedComponents) -> None:
    """Let the visitor see, compare, pack and use runs."""
    view, visitor = bench.view, bench.controls.visitor
    of_run, used = [visitor, view.chosen], [shared.model, shared.status, view.notice, view.see]
    view.chosen.input(partial(choose, bench), {*of_run}, view.of_one, **_QUIET)
    view.by.input(partial(compare_runs, bench.laboratory), [visitor, view.by], view.compared, **_QUIET)
    pack = partial(pack_chosen, bench.service, bench.laboratory, view.download.GRADIO_CACHE)
    view.pack.click(pack, of_run, view.download, **_PRIVATE)
    view.use.click(partial(use_trained, bench.service, bench.laboratory), of_run, used, **_PRIVATE)
    view.back.click(partial(use_served, bench.service), None, used, **_PRIVATE)
    view.see.click(None, None, None, js=_SEE)


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


def open_in(bench: Bench, outputs: list[Any]) -> Callable[..., Any]:
    """Make the callback that a visit begins with.

    It is no partial, since gradio passes no request to one.
    """

    def open_page(stored: str, request: gr.Request) -> list[Any]:
        visitor, runs = read_visit(stored)
        session = str(request.session_hash)
        shown: Updates = {}
        try:
            bench.laboratory.enter(visitor, session, runs)
        except LaboratoryError as error:
            shown[bench.view.status] = f'<p class="warning">{html.escape(str(error))}</p>'
        if bench.laboratory.runs(visitor):
            shown |= bench.show_all(visitor, str(bench.view.by.value))
        shown |= {bench.controls.visitor: visitor, bench.controls.session: session, **bench.keep(visitor)}
        return [shown.get(output, gr.skip()) for output in outputs]

    return open_page


def read_visit(stored: str) -> tuple[str, list[Any]]:
    """Read a visitor's name and runs from their browser.

    Who was not here before, or brings something else, gets a name that nobody can guess.
    """
    try:
        visit = json.loads(stored)
        visitor, runs = visit["visitor"], visit["runs"]
    except (ValueError, KeyError, TypeError):
        return secrets.token_urlsafe(16), []
    if isinstance(visitor, str) and _VISITOR.fullmatch(visitor) and isinstance(runs, list):
        return visitor, runs
    return secrets.token_urlsafe(16), []


def _leave_in(laboratory: Laboratory) -> Callable[[gr.Request], None]:
    """Make the callback that ends a closed page's run.

    It is no partial, since gradio passes no request to one.
    """

    def leave(request: gr.Request) -> None:
        laboratory.leave(str(request.session_hash))

    return leave
