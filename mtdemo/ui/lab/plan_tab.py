"""The tab that plans: what is frozen, how many parameters train, and which optimizer groups that makes.

A scenario fills the controls; those are what is planned, so they can be changed by hand afterwards, and the page says what
was. Nothing here touches the model that serves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.errors import MtdemoError, PlanError
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.costs import COUNTING_RULES
from mtdemo.planning.planner import Planner, PlanReport
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import Updates, Values, shows_errors
from mtdemo.ui.lab.plan_changes import (
    Filled,
    count_first,
    count_last,
    count_layers,
    fill_backbone,
    fill_file,
    fill_first,
    fill_last,
    fill_output_layer,
    fill_reset,
    fill_scenario,
    keep_all,
)
from mtdemo.ui.lab.plan_controls import (
    PlanControls,
    add_plan_choice,
    add_plan_controls,
    mark_fields,
    read_request,
    read_steps,
)
from mtdemo.ui.lab.plan_stack import draw_stack
from mtdemo.ui.lab.plan_view import PlanView, add_plan_view
from mtdemo.ui.lab.run_panel import SharedComponents, add_laboratory

Fill = Callable[[Planner, PlanControls, Values], Filled]


def add_freezing_tab(
    service: ModelService,
    planner: Planner,
    page: gr.Blocks,
    laboratory: Laboratory,
    model: gr.State,
    status: gr.Markdown,
) -> None:
    """Add the tab, which shows a plan from the start.

    Args:
        service: answers, and takes a trained copy in.
        planner: plans.
        page: tells when a visitor comes.
        laboratory: runs what is planned.
        model: the visitor's model, which a trained copy can become.
        status: says which model answers.
    """
    gr.Markdown(
        "Freezing a part keeps its weights as they are while the rest trains. Choose a scenario, then lock and unlock "
        "parts. The plan needs no weights and changes no model; below it, a copy can be trained under it.",
        elem_classes="introduction",
    )
    backbone, scenario, state, reset = add_plan_choice()
    with gr.Row(elem_id="plan"):  # one below the other where the sidebar leaves less
        with gr.Column(min_width=400):
            controls = add_plan_controls(backbone, scenario, reset)
        with gr.Column(min_width=400):
            view = add_plan_view(state)
    with gr.Accordion("How the cost is counted", open=False):
        gr.Markdown(COUNTING_RULES)
    with gr.Accordion("Every part in numbers", open=False):
        view.parts.render()
    with gr.Accordion("This plan as code and as a file", open=False):
        gr.Markdown(
            "The script makes exactly these optimizer groups on a model loaded with transformers. The file is what "
            "`python -m mtdemo train --plan plan.json` takes."
        )
        upload = gr.UploadButton("Load a plan.json", file_types=[".json"])
        view.script.render()
        view.saved.render()

    plan = _event(planner, controls, view, keep_all)
    add_laboratory(service, planner, laboratory, page, SharedComponents(plan, view.saved, controls.backbone, model, status))
    _connect(planner, page, controls, view, upload)


def _event(
    planner: Planner,
    controls: PlanControls,
    view: PlanView,
    fill: Fill,
    moved: Component | None = None,
    also: Collection[Component] = (),
) -> dict[str, Any]:
    """Describe an event: what it reads, fills and shows.

    All of them run one after the other, so that what is shown last is of what was changed last.

    Args:
        planner: plans.
        controls: are read and filled.
        view: shows the plan.
        fill: fills what the changed control owns.
        moved: the control that a person is moving, which must not be written back to an earlier place.
        also: further inputs.
    """
    return {
        "fn": partial(change_plan, planner, controls, view, fill, moved),
        "inputs": controls.inputs | set(also),
        "outputs": (controls.outputs | view.outputs) - ({moved} if moved else set()),
        "show_progress": "hidden",
        "concurrency_limit": 1,
        "concurrency_id": "plan",
        "trigger_mode": "always_last",  # else what is shown stays at a control's earlier place
        "api_visibility": "private",
    }


def _connect(planner: Planner, page: gr.Blocks, controls: PlanControls, view: PlanView, upload: gr.UploadButton) -> None:
    """Let every control fill what it owns, and plan."""
    event = partial(_event, planner, controls, view)
    gr.on([page.load, controls.scenario.input], **event(fill_scenario))
    controls.reset.click(**event(fill_reset))
    controls.backbone.input(**event(fill_backbone))
    controls.n_first.input(**event(fill_first, controls.n_first))
    controls.n_last.input(**event(fill_last, controls.n_last))
    controls.new_output_layer.input(**event(fill_output_layer))
    chosen = [control.input for control in (controls.stack, controls.selection, controls.gradual, controls.targets)]
    numbers = [field.input for field in controls.fields.values() if field is not controls.targets]
    gr.on([*chosen, *numbers], **event(keep_all))

    from_file = partial(fill_file, upload=upload)
    loads = {**event(from_file, also=(upload,)), "fn": partial(load_plan, planner, controls, view, from_file)}
    upload.upload(**loads)


def change_plan(
    planner: Planner,
    controls: PlanControls,
    view: PlanView,
    fill: Fill,
    moved: Component | None,
    values: Values,
) -> Updates:
    """Fill what a control owns, and plan.

    What is wrong is told at its field, and nothing is left that could be trained.
    """
    try:
        return _changed(planner, controls, view, fill, moved, values)
    except MtdemoError as error:
        at_field = error if isinstance(error, PlanError) else None
        marks = mark_fields(controls, values[controls.marked], at_field)
        return {**marks, **view.show_error(error), controls.reset: gr.update(visible=True)}


@shows_errors
def load_plan(planner: Planner, controls: PlanControls, view: PlanView, fill: Fill, values: Values) -> Updates:
    """Fill the controls from a file.

    One that cannot be used changes nothing.
    """
    return _changed(planner, controls, view, fill, None, values)


def _changed(
    planner: Planner,
    controls: PlanControls,
    view: PlanView,
    fill: Fill,
    moved: Component | None,
    values: Values,
) -> Updates:
    filled = fill(planner, controls, values)
    now = {**values, **filled}
    backbone, scenario = now[controls.backbone], now[controls.origin][0]
    n_steps = read_steps(controls, now)
    plan = planner.plan(read_request(controls, now, planner.scenario_plan(backbone, scenario)))
    shown = view.show(plan, scenario, n_steps)
    followed = _follow(controls, plan, now)
    if filled:
        for slider in (controls.n_first, controls.n_last):
            followed[slider].update(_range(plan))
    if controls.stack in filled:  # else it says more than this answer, if it was clicked on meanwhile
        followed[controls.stack]["value"] = now[controls.stack]
    marks = mark_fields(controls, values[controls.marked], None)
    updates = {**marks, **_with_values(filled, marks), **followed, **shown}
    return {component: update for component, update in updates.items() if component is not moved}


def _with_values(filled: Filled, marks: Updates) -> Updates:
    """Make updates of values that are right."""
    return {field: {**marks.get(field, {}), **gr.update(value=value)} for field, value in filled.items()}


def _follow(controls: PlanControls, plan: PlanReport, values: Values) -> Updates:
    """Let stack, sliders and scenario show what is planned."""
    declared = tuple(part.part for part in plan.freezing.parts)
    trainable, is_custom = values[controls.stack], bool(plan.changes)
    return {
        controls.scenario: None if is_custom else values[controls.origin][0],
        controls.origin: values[controls.origin],
        controls.reset: gr.update(visible=is_custom),
        controls.stack: gr.update(drawing=draw_stack(plan.freezing, plan.plan.optimizer)),
        controls.n_first: gr.update(value=count_first(declared, trainable)),
        controls.n_last: gr.update(value=count_last(declared, trainable)),
    }


def _range(plan: PlanReport) -> dict[str, Any]:
    """Give the sliders as many places as there are layers."""
    n_layers = count_layers(tuple(part.part for part in plan.freezing.parts))
    return {"maximum": max(1, n_layers), "visible": n_layers > 0}
