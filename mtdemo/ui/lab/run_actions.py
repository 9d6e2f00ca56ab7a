"""What can be done in the laboratory: ask, train, choose, compare, pack and use runs. The callbacks of its panel."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.config import EMBEDDED
from mtdemo.errors import MtdemoError
from mtdemo.laboratory.export import pack_run
from mtdemo.laboratory.outcome import Snapshot
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.laboratory.run_store import name_owner
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.run import plot_runs
from mtdemo.ui.components.downloads import save
from mtdemo.ui.components.events import Updates, Values, shows_errors
from mtdemo.ui.components.labels import color_types
from mtdemo.ui.lab.question_panel import QuestionPanel, ask_question
from mtdemo.ui.lab.run_controls import RunControls, check_run, read_run
from mtdemo.ui.lab.run_view import RunView, describe_state
from mtdemo.ui.loading import as_ready

_REFRESH_S = 0.7


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that the laboratory's callbacks need.

    Attributes:
        service: whose model is trained, and which a trained copy can join.
        planner: counts parts.
        laboratory: runs what is asked for.
        controls: what to train and how.
        questions: experiments that can be asked for.
        view: shows runs.
        start, stop: train a copy by hand, and end what runs.
        check: says what contradicts itself.
        kept: the visitor's name and the numbers of their runs as JSON, for the browser to keep.
    """

    service: ModelService
    planner: Planner
    laboratory: Laboratory
    controls: RunControls
    questions: QuestionPanel
    view: RunView
    start: gr.Button
    stop: gr.Button
    check: gr.HTML
    kept: gr.Textbox

    def show_all(self, visitor: str, by: str) -> Updates:
        """Show a visitor's runs, the last one in full."""
        runs = self.laboratory.runs(visitor)
        with_weights = [run.number for run in runs if self.laboratory.has_weights(visitor, run.number)]
        shown = self.view.show_runs(runs, with_weights, by)
        return {**shown, **(self.show_one(visitor, runs[-1].number) if runs else {})}

    def show_one(self, visitor: str, number: int | None) -> Updates:
        """Show one run of a visitor in full."""
        run = next((each for each in self.laboratory.runs(visitor) if each.number == number), None)
        if run is None:
            return {}
        info = self.service.loaded(EMBEDDED)
        return self.view.show_one(run, self.laboratory.outcome(visitor, run.number), color_types(info) if info else {})

    def keep(self, visitor: str) -> Updates:
        """Let the browser keep the numbers of all runs."""
        runs = [run.as_dict() for run in self.laboratory.runs(visitor)]
        return {self.kept: json.dumps({"visitor": visitor, "runs": runs})}


def lock(starts: Collection[gr.Button]) -> Updates:
    """Let nothing else begin."""
    return {button: gr.Button(interactive=False) for button in starts}


def free(bench: Bench, values: Values) -> Updates:
    """Let runs begin again, where a plan allows it."""
    _, can_run = check_run(bench.planner, bench.controls, values)
    others = {button: gr.Button(interactive=True) for button in bench.questions.starts}
    return {**others, bench.start: gr.Button(interactive=can_run)}


def check(bench: Bench, values: Values) -> tuple[str, Any]:
    """Say what contradicts itself, and whether a run can begin."""
    words, can_run = check_run(bench.planner, bench.controls, values)
    is_free = not bench.laboratory.is_active(values[bench.controls.visitor])
    return words, gr.Button(interactive=can_run and is_free)


@shows_errors
def choose(bench: Bench, values: Values) -> Updates:
    """Show another run in full."""
    return bench.show_one(values[bench.controls.visitor], values[bench.view.chosen])


@shows_errors
def compare_runs(laboratory: Laboratory, visitor: str, by: str | None) -> Any:
    """Draw the visitor's runs."""
    return plot_runs(laboratory.runs(visitor), by) if by else gr.skip()


@shows_errors
def pack_chosen(service: ModelService, laboratory: Laboratory, directory: str, visitor: str, number: int | None) -> Any:
    """Pack a run as a file to download."""
    run, trained = laboratory.trained(visitor, number)
    name = f"run-{run.number}.zip"
    content = pack_run(run, laboratory.runs(visitor), trained)
    path = save(content, name, directory, service)
    return gr.DownloadButton(f"Download {name} ({len(content) / 1e6:.0f} MB)", value=Path(path), visible=True)


@shows_errors
def use_trained(service: ModelService, laboratory: Laboratory, visitor: str, number: int | None) -> tuple[Any, ...]:
    """Let a trained copy answer in this visitor's other tabs."""
    run, trained = laboratory.trained(visitor, number)
    name = service.register(trained, f"run {run.number} of your laboratory", name_owner(visitor, run.number))
    told = f"<p><b>Run {run.number} answers in the other tabs now</b>, and has read what stands in the box.</p>"
    return name, as_ready(service.load(name)), told, gr.Button(visible=True)


@shows_errors
def use_served(service: ModelService) -> tuple[Any, ...]:
    """Let the page's model answer in the other tabs again."""
    told = "<p>This page's model answers in the other tabs again.</p>"
    return None, as_ready(service.load()), told, gr.Button(visible=True)


def train(bench: Bench, values: Values) -> Iterator[Updates]:
    """Train a copy, and show what becomes of it.

    An error is shown in the place of the state, since a run may have been shown already when it occurs.
    """
    controls, view, laboratory = bench.controls, bench.view, bench.laboratory
    visitor = values[controls.visitor]
    seen: list[Snapshot] = []
    shown = 0.0
    yield view.show_beginning()
    try:
        request = read_run(controls, values)
        of_page = {"session": values[controls.session], **request.settings}
        for state in laboratory.run(visitor, request.plan, request.title, request.dataset, **of_page):
            if isinstance(state, Waiting):
                yield {view.status: f"<p>Waiting for a place: {state.place} in line.</p>"}
                continue
            seen.append(state)
            if time.monotonic() - shown > _REFRESH_S:
                shown = time.monotonic()
                yield {view.status: describe_state(state), **view.show_history(seen)}
    except MtdemoError as error:
        yield {view.status: f"<p>This did not work: {html.escape(str(error), quote=False)}</p>"}
        return
    outcome = laboratory.outcome(visitor)
    if not seen:
        yield {view.status: "<p>You left the line; nothing was trained.</p>"}
    elif outcome is not None:
        number = laboratory.runs(visitor)[-1].number
        yield {**view.show_ending(outcome, seen, number), **bench.show_all(visitor, values[view.by]), **bench.keep(visitor)}


def answer(bench: Bench, name: str, values: Values) -> Iterator[Updates]:
    """Run an experiment, and keep its card up to date."""
    card = bench.questions.find(name)
    info = bench.service.load(EMBEDDED)
    yield {card.stop: gr.Button(visible=True)}
    for shown in ask_question(bench.laboratory, bench.service, card.question, bench.controls, values, color_types(info)):
        yield {card.shown: shown}
    visitor = values[bench.controls.visitor]
    runs = {**bench.show_all(visitor, values[bench.view.by]), **bench.keep(visitor)} if visitor else {}
    yield {card.stop: gr.Button(visible=False), **runs}
