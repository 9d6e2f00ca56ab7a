"""The tab that plans: what is frozen, how many parameters train, and which optimizer groups that makes.

The scenario and the sliders fill the controls below them; those are what is planned, so they can be changed by hand
afterwards. Nothing here touches the model that serves.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from mtdemo.errors import MtdemoError
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.planning.costs import COUNTING_RULES
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.events import Updates, Values
from mtdemo.ui.lab.plan_controls import (
    PlanControls,
    add_part,
    add_plan_controls,
    fill_from_scenario,
    fill_parts,
    load_plan,
    read_request,
)
from mtdemo.ui.lab.plan_view import PlanView, add_plan_view
from mtdemo.ui.lab.run_panel import SharedComponents, add_laboratory


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
        "Freezing a part keeps its weights as they are while the rest trains. Choose a scenario and see what it means: how "
        "many parameters move, and how the optimizer groups them. The plan needs no weights "
        "and changes no model; below it, a copy can be trained under it."
    )
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            controls = add_plan_controls()
        with gr.Column(scale=3, min_width=300):
            view = add_plan_view()
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

    plan: dict[str, Any] = {
        "fn": partial(show_plan, planner, controls, view),
        "inputs": controls.plan,
        "outputs": view.outputs,
        "show_progress": "minimal",
        "concurrency_limit": 8,
        "trigger_mode": "always_last",  # else what is shown stays at a control's earlier place
        "api_visibility": "private",
    }
    add_laboratory(service, planner, laboratory, page, SharedComponents(plan, view.saved, controls.backbone, model, status))
    _connect(planner, page, controls, upload, plan)


def _connect(
    planner: Planner, page: gr.Blocks, controls: PlanControls, upload: gr.UploadButton, plan: dict[str, Any]
) -> None:
    """Let every control plan, after it filled what it fills."""
    quiet: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last", "show_progress": "hidden"}
    upload.upload(
        partial(load_plan, planner, controls, upload),
        {controls.backbone, upload},
        controls.filled | controls.adapters | controls.rates,
        **quiet,
    ).success(**plan)
    controls.new_output_layer.input(
        partial(add_part, planner, controls),
        {controls.backbone, controls.parts, controls.new_output_layer},
        controls.parts,
        **quiet,
    ).success(**plan)
    others = [control.input for control in (controls.backbone, controls.n_first, controls.n_last)]
    for triggers, fill in (([page.load, controls.scenario.input], fill_from_scenario), (others, fill_parts)):
        gr.on(triggers, partial(fill, planner, controls), controls.presets, controls.filled, **quiet).success(**plan)
    gr.on(controls.changes, **plan)


def show_plan(planner: Planner, controls: PlanControls, view: PlanView, values: Values) -> Updates:
    """Plan what the controls say.

    A plan that cannot be made is told in the place of the totals, and nothing is left that could be trained.
    """
    try:
        return view.show(planner.plan(read_request(controls, values)))
    except MtdemoError as error:
        return view.show_error(error)
