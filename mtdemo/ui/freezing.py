"""The tab that plans: what is frozen, how many parameters train, and which optimizer groups that makes.

The scenario and the slider fill the list of parts that train; the list is what is planned, so it can be changed by hand
afterwards. Nothing here touches the model that serves.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.catalog import KNOWN_MODELS
from mtdemo.freezing import SCENARIOS, find_scenario
from mtdemo.laboratory import Laboratory
from mtdemo.optim import BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE, WEIGHT_DECAY, OptimizerSettings
from mtdemo.parts import PartKind
from mtdemo.plans import WARMUP_SHARE
from mtdemo.service import MOST_SENTENCES, MOST_TOKENS, FreezingRequest, ModelService, PlannedTraining
from mtdemo.ui.charts import part_title, plot_freezing, plot_rates
from mtdemo.ui.laboratory import add_laboratory
from mtdemo.ui.messages import shows_errors

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

RATES = (
    ("Learning rate, backbone", BACKBONE_LEARNING_RATE),
    ("Learning rate, classification head", HEAD_LEARNING_RATE),
    ("Learning rate, entity head", HEAD_LEARNING_RATE),
    ("Learning rate, new output layer", HEAD_LEARNING_RATE),
    ("Weight decay", WEIGHT_DECAY),
    ("Layer-wise decay: from each layer's rate to that of the one below", 1.0),
    ("Share of the steps in which the rates rise", WARMUP_SHARE),
)
_N_SENTENCES, _N_TOKENS = 32, 32
_WIDTHS: list[str | int] = ["236px", "88px", "112px", "96px", "88px"]


@dataclass(frozen=True, slots=True)
class _Controls:
    backbone: gr.Radio
    scenario: gr.Radio
    n_frozen_layers: gr.Slider
    new_output_layer: gr.Checkbox
    parts: gr.CheckboxGroup
    rates: tuple[gr.Number, ...]
    batch: tuple[gr.Number, gr.Number]

    @property
    def presets(self) -> list[Any]:
        return [self.backbone, self.scenario, self.n_frozen_layers, self.new_output_layer]


def add_freezing_tab(service: ModelService, page: gr.Blocks, laboratory: Laboratory) -> None:
    """Add the tab; it shows its first plan as soon as the page loads."""
    gr.Markdown(
        "Freezing a part keeps its weights as they are while the rest trains. Choose a scenario and see what it means: how "
        "many parameters move, and how the optimizer groups them. The plan needs no weights "
        "and changes no model; below it, a copy can be trained under it."
    )
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            controls = _add_controls()
        with gr.Column(scale=3, min_width=300):
            summary = gr.HTML(padding=False)
            groups = gr.Dataframe(label="Optimizer groups (AdamW)", interactive=False, wrap=True, column_widths=_WIDTHS)
            picture = gr.Plot(label="Parts", show_label=False)
            rates = gr.Plot(label="Learning rates", show_label=False)
    with gr.Accordion("Every part in numbers", open=False):
        parts = gr.Dataframe(label="Parts", interactive=False, wrap=True)
    with gr.Accordion("This plan as code and as a file", open=False):
        gr.Markdown(
            "The script makes exactly these optimizer groups on a model loaded with transformers. The file is what "
            "`python -m mtdemo train --plan plan.json` takes."
        )
        script = gr.Code(label="plan.py", language="python", interactive=False)
        saved = gr.Code(label="plan.json", language="json", interactive=False)

    add_laboratory(laboratory, page, saved, controls.backbone)

    plan: dict[str, Any] = {
        "fn": partial(show_plan, service),
        "inputs": [controls.backbone, controls.new_output_layer, controls.parts, *controls.batch, *controls.rates],
        "outputs": [summary, groups, picture, rates, parts, script, saved],
        "show_progress": "minimal",
        "concurrency_limit": 8,
    }
    hidden: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    gr.on(
        [page.load, *(control.change for control in controls.presets)],
        partial(fill_parts, service),
        controls.presets,
        [controls.parts, controls.n_frozen_layers],
        show_progress="hidden",
        **hidden,
    ).success(**plan, api_visibility="private")
    gr.on(
        [controls.parts.input, *(number.change for number in (*controls.batch, *controls.rates))],
        **plan,
        **hidden,
    )


def _add_controls() -> _Controls:
    backbone = gr.Radio([(known.title, known.id) for known in KNOWN_MODELS], value=KNOWN_MODELS[0].id, label="Backbone")
    scenario = gr.Radio(
        [(scenario.title, scenario.name) for scenario in SCENARIOS],
        value=SCENARIOS[0].name,
        label="Scenario",
        info="Fills the list of parts below.",
    )
    n_frozen_layers = gr.Slider(
        0, 6, value=0, step=1, label="Freeze embeddings and the first k layers", info="0 freezes nothing more."
    )
    new_output_layer = gr.Checkbox(
        False, label="Add a new output layer", info="A linear layer of 3 classes over the sentence embedding."
    )
    parts = gr.CheckboxGroup([], label="Parts that train", info="Change any of them by hand; this list is what is planned.")
    with gr.Accordion("Learning rates, decay and schedule", open=False):
        rates = tuple(gr.Number(value, label=label, minimum=0, maximum=1) for label, value in RATES)
    with gr.Accordion("What a step reads, for its cost", open=False):
        batch = (
            gr.Number(_N_SENTENCES, label="Sentences per step", minimum=1, maximum=MOST_SENTENCES, precision=0),
            gr.Number(_N_TOKENS, label="Word pieces per sentence", minimum=1, maximum=MOST_TOKENS, precision=0),
        )
    return _Controls(backbone, scenario, n_frozen_layers, new_output_layer, parts, rates, batch)


@shows_errors
def fill_parts(
    service: ModelService, backbone: str, scenario: str, n_frozen_layers: float, new_output_layer: bool
) -> tuple[Any, Any]:
    """A scenario to the list of parts that it trains, and the slider's range for this backbone."""
    declared = service.parts(backbone, new_output_layer)
    n_layers = sum(part.kind is PartKind.LAYER for part in declared)
    n_frozen = min(int(n_frozen_layers), n_layers)
    request = FreezingRequest(backbone, scenario, n_frozen, new_output_layer=new_output_layer)
    choices = [(part_title(part.name), part.name) for part in declared]
    trainable = list(service.freezing_plan(request).freezing.trainable_parts)
    return gr.CheckboxGroup(choices, value=trainable, info=find_scenario(scenario).hint), gr.Slider(
        maximum=n_layers, value=n_frozen
    )


@shows_errors
def show_plan(
    service: ModelService,
    backbone: str,
    new_output_layer: bool,
    parts: Sequence[str],
    n_sentences: float | None,
    n_tokens: float | None,
    *rates: float | None,
) -> tuple[str, pd.DataFrame, Figure, Figure, pd.DataFrame, str, str]:
    """Parts that train and numbers, to totals, groups, two pictures, the parts, a script and a file. An emptied field
    counts as its default."""
    values = [default if rate is None else rate for rate, (_, default) in zip(rates, RATES, strict=True)]
    *of_optimizer, warmup_share = values
    request = FreezingRequest(
        backbone,
        trainable_parts=tuple(parts),
        new_output_layer=new_output_layer,
        optimizer=_optimizer(of_optimizer),
        warmup_share=warmup_share,
        n_sentences=_N_SENTENCES if n_sentences is None else int(n_sentences),
        n_tokens=_N_TOKENS if n_tokens is None else int(n_tokens),
    )
    plan = service.freezing_plan(request)
    pictures = plot_freezing(plan.freezing), plot_rates(plan)
    return summarise(plan), tabulate_groups(plan), *pictures, tabulate_parts(plan), plan.script, _as_file(plan)


def summarise(plan: PlannedTraining) -> str:
    """Totals, cost and warnings as HTML."""
    freezing, cost = plan.freezing, plan.cost
    totals = _totals(
        ("Parameters", f"{freezing.n_parameters:,}"),
        ("Trainable", f"{freezing.n_trainable:,}"),
        ("Frozen", f"{freezing.n_frozen:,}"),
        ("Share that trains", f"{freezing.trainable_share:.2%}"),
    )
    memory = _totals(
        ("Weights", _bytes(cost.weight_bytes)),
        ("Gradients", _bytes(cost.gradient_bytes)),
        ("Adam's state", _bytes(cost.optimizer_bytes)),
        ("Activations kept", _bytes(cost.activation_bytes)),
        ("Memory in all", _bytes(cost.n_bytes)),
        ("Work, of a full step's", f"{plan.operations_share:.0%}"),
    )
    features = (
        "<p>The backbone does not move, so its hidden states can be computed <b>once</b> and used in every epoch; then a "
        "step costs next to nothing.</p>"
        if cost.features_are_fixed
        else ""
    )
    warnings = "".join(f"<li>{html.escape(warning, quote=False)}</li>" for warning in plan.optimizer.warnings)
    return f'{totals}<h4 class="heading">What a step costs</h4>{memory}{features}<ul class="warnings">{warnings}</ul>'


def _totals(*pairs: tuple[str, str]) -> str:
    return f'<dl class="totals">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _as_file(plan: PlannedTraining) -> str:
    return json.dumps(plan.plan.as_dict(), indent=2)


def tabulate_groups(plan: PlannedTraining) -> pd.DataFrame:
    """One row per group as the optimizer gets it, and their sum."""
    groups = plan.optimizer.groups
    rows = [
        (g.name, f"{g.n_tensors:,}", f"{g.n_parameters:,}", f"{g.learning_rate:g}", f"{g.weight_decay:g}") for g in groups
    ]
    total = ("together", f"{sum(g.n_tensors for g in groups):,}", f"{plan.optimizer.n_parameters:,}", "", "")
    return pd.DataFrame([*rows, total], columns=["group", "tensors", "parameters", "learning rate", "weight decay"])


def tabulate_parts(plan: PlannedTraining) -> pd.DataFrame:
    """One row per part, lowest first, and their sum."""
    rows = [
        (part_title(p.part.name), f"{p.n_parameters:,}", f"{p.n_trainable:,}", f"{p.n_frozen:,}", p.state)
        for p in plan.freezing.parts
    ]
    freezing = plan.freezing
    state = "all" if not freezing.n_frozen else "partial" if freezing.n_trainable else "none"
    total = ("together", f"{freezing.n_parameters:,}", f"{freezing.n_trainable:,}", f"{freezing.n_frozen:,}", state)
    return pd.DataFrame([*rows, total], columns=["part", "parameters", "trainable", "frozen", "trains"])


def _optimizer(values: Sequence[float]) -> OptimizerSettings:
    backbone, classification, ner, output, weight_decay, layer_decay = values
    heads = {"classification_head": classification, "ner_head": ner, "output_layer": output}
    return OptimizerSettings(backbone, heads, weight_decay, layer_decay)
