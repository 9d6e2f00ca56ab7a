"""The tab that plans: what is frozen, how many parameters train, and which optimizer groups that makes.

The scenario and the sliders fill the controls below them; those are what is planned, so they can be changed by hand
afterwards. Nothing here touches the model that serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.errors import MtdemoError
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.models.parts import HEAD_NAMES
from mtdemo.planning.costs import COUNTING_RULES
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import ADAPTERS
from mtdemo.planning.training_plan import AdapterSettings
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.plan import plot_freezing, plot_rates
from mtdemo.ui.components.messages import as_warnings
from mtdemo.ui.lab.plan_controls import N_SENTENCES, N_TOKENS, RATES, add_part, add_plan_controls, fill_parts, load_plan
from mtdemo.ui.lab.plan_view import as_file, summarise, tabulate_groups, tabulate_parts
from mtdemo.ui.lab.run_panel import SharedComponents, add_laboratory

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_WIDTHS: list[str | int] = ["236px", "88px", "112px", "96px", "88px"]


def add_freezing_tab(
    service: ModelService,
    planner: Planner,
    page: gr.Blocks,
    laboratory: Laboratory,
    model: gr.State,
    status: gr.Markdown,
) -> None:
    """Add the tab; it shows its first plan as soon as the page loads.

    Args:
        service: answers, and takes a trained copy in.
        planner: plans.
        page: tells when a visitor comes.
        laboratory: conducts runs.
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
            summary = gr.HTML(padding=False)
            groups = gr.Dataframe(label="Optimizer groups (AdamW)", interactive=False, wrap=True, column_widths=_WIDTHS)
            picture = gr.Plot(label="Parts", show_label=False)
            rates = gr.Plot(label="Learning rates", show_label=False)
    with gr.Accordion("How the cost is counted", open=False):
        gr.Markdown(COUNTING_RULES)
    with gr.Accordion("Every part in numbers", open=False):
        parts = gr.Dataframe(label="Parts", interactive=False, wrap=True)
    with gr.Accordion("This plan as code and as a file", open=False):
        gr.Markdown(
            "The script makes exactly these optimizer groups on a model loaded with transformers. The file is what "
            "`python -m mtdemo train --plan plan.json` takes."
        )
        loaded = gr.UploadButton("Load a plan.json", file_types=[".json"])
        script = gr.Code(label="plan.py", language="python", interactive=False)
        saved = gr.Code(label="plan.json", language="json", interactive=False)

    plan: dict[str, Any] = {
        "fn": partial(show_plan, planner),
        "inputs": controls.plan,
        "outputs": [summary, groups, picture, rates, parts, script, saved],
        "show_progress": "minimal",
        "concurrency_limit": 8,
        "trigger_mode": "always_last",  # else what is shown stays at a control's earlier place
        "api_visibility": "private",
    }
    add_laboratory(service, planner, laboratory, page, SharedComponents(plan, saved, controls.backbone, model, status))
    hidden: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    loaded.upload(
        partial(load_plan, planner),
        [controls.backbone, loaded],
        [*controls.filled, *controls.adapters, *controls.rates],
        show_progress="hidden",
        **hidden,
    ).success(**plan)
    controls.new_output_layer.input(
        partial(add_part, planner),
        [controls.backbone, controls.parts, controls.new_output_layer],
        controls.parts,
        show_progress="hidden",
        **hidden,
    ).success(**plan)
    others = [control.input for control in (controls.backbone, controls.n_first, controls.n_last)]
    for triggers, is_scenario in (([page.load, controls.scenario.input], True), (others, False)):
        gr.on(
            triggers,
            partial(fill_parts, planner, is_scenario),
            controls.presets,
            controls.filled,
            show_progress="hidden",
            **hidden,
        ).success(**plan)
    gr.on(controls.changes, **plan)


def show_plan(
    planner: Planner,
    backbone: str,
    parts: Sequence[str],
    selection: str,
    gradual: bool,
    new_output_layer: bool,
    *numbers: Any,
) -> tuple[str, pd.DataFrame | None, Figure | None, Figure | None, pd.DataFrame | None, str, str]:
    """What trains and numbers, to totals, groups, two pictures, the parts, a script and a file. An emptied field counts as
    its default. What is no plan is told in the place of the totals, and nothing is left that could be trained."""
    rank, alpha, targets, n_sentences, n_tokens, *rates = numbers
    values = [default if rate is None else rate for rate, (_, default) in zip(rates, RATES, strict=True)]
    *of_optimizer, warmup_share = values
    try:
        request = PlanRequest(
            backbone,
            trainable_parts=tuple(parts),
            new_output_layer=new_output_layer,
            selection=selection,
            gradual=gradual,
            adapters=_adapters(rank, alpha, targets) if selection == ADAPTERS else AdapterSettings(),
            optimizer=_optimizer(of_optimizer),
            warmup_share=warmup_share,
            n_sentences=N_SENTENCES if n_sentences is None else int(n_sentences),
            n_tokens=N_TOKENS if n_tokens is None else int(n_tokens),
        )
        plan = planner.plan(request)
    except MtdemoError as error:
        return as_warnings([f"This plan cannot be made. {error}"]), None, None, None, None, "", ""
    pictures = plot_freezing(plan.freezing), plot_rates(plan)
    return summarise(plan), tabulate_groups(plan), *pictures, tabulate_parts(plan), plan.script, as_file(plan)


def _adapters(rank: float | None, alpha: float | None, targets: Sequence[str]) -> AdapterSettings:
    default = AdapterSettings()
    return AdapterSettings(
        default.rank if rank is None else int(rank), default.alpha if alpha is None else int(alpha), tuple(targets)
    )


def _optimizer(values: Sequence[float]) -> OptimizerSettings:
    backbone, *rates, weight_decay, layer_decay = values
    heads = dict(zip(HEAD_NAMES, rates, strict=True))
    return OptimizerSettings(backbone, heads, weight_decay, layer_decay)
