"""The tab that plans: what is frozen, how many parameters train, and which optimizer groups that makes.

The scenario and the sliders fill the controls below them; those are what is planned, so they can be changed by hand
afterwards. Nothing here touches the model that serves.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import pandas as pd

from mtdemo.errors import MtdemoError, PlanError
from mtdemo.laboratory.run_queue import Laboratory
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.models.parts import HEAD_NAMES, PartKind, Parts, part_title
from mtdemo.planning.costs import COUNTING_RULES
from mtdemo.planning.freezing import trainable_parts, unfrozen_parts
from mtdemo.planning.optimizer import BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE, WEIGHT_DECAY, OptimizerSettings
from mtdemo.planning.planner import PlanReport, PlanRequest
from mtdemo.planning.scenarios import ADAPTERS, BACKBONE, SCENARIOS, SELECTIONS, WEIGHTS, find_scenario
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, read_plan
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.figures import plot_freezing, plot_rates
from mtdemo.ui.components.messages import as_warnings, shows_errors
from mtdemo.ui.lab.run_panel import SharedComponents, add_laboratory

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
TARGETS = ("query", "key", "value", "dense")  # of a BERT, which all catalogued backbones are
_N_SENTENCES, _N_TOKENS = 32, 32
_WIDTHS: list[str | int] = ["236px", "88px", "112px", "96px", "88px"]


@dataclass(frozen=True, slots=True)
class _Controls:
    """What fills the plan (`presets`), and what it is made of (`plan`)."""

    backbone: gr.Radio
    scenario: gr.Radio
    n_first: gr.Slider
    n_last: gr.Slider
    parts: gr.CheckboxGroup
    selection: gr.Radio
    gradual: gr.Checkbox
    new_output_layer: gr.Checkbox
    adapters: tuple[gr.Number, gr.Number, gr.CheckboxGroup]
    rates: tuple[gr.Number, ...]
    batch: tuple[gr.Number, gr.Number]

    @property
    def presets(self) -> list[Any]:
        return [self.backbone, self.scenario, self.n_first, self.n_last, self.new_output_layer]

    @property
    def filled(self) -> list[Any]:
        return [self.parts, self.n_first, self.n_last, self.selection, self.gradual, self.new_output_layer]

    @property
    def plan(self) -> list[Any]:
        chosen = [self.backbone, self.parts, self.selection, self.gradual, self.new_output_layer]
        return [*chosen, *self.adapters, *self.batch, *self.rates]

    @property
    def changes(self) -> list[Any]:
        """What a person does that changes the plan but fills nothing."""
        rank, alpha, targets = self.adapters
        numbers = (rank, alpha, *self.batch, *self.rates)
        return [
            *(control.input for control in (self.parts, self.selection, self.gradual, targets)),
            *(number.change for number in numbers),
        ]


def add_freezing_tab(
    service: ModelService, page: gr.Blocks, laboratory: Laboratory, model: gr.State, status: gr.Markdown
) -> None:
    """Add the tab; it shows its first plan as soon as the page loads.

    Args:
        service: plans and answers.
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
            controls = _add_controls()
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
        "fn": partial(show_plan, service),
        "inputs": controls.plan,
        "outputs": [summary, groups, picture, rates, parts, script, saved],
        "show_progress": "minimal",
        "concurrency_limit": 8,
        "trigger_mode": "always_last",  # else what is shown stays at a control's earlier place
        "api_visibility": "private",
    }
    add_laboratory(service, laboratory, page, SharedComponents(plan, saved, controls.backbone, model, status))
    hidden: dict[str, Any] = {"api_visibility": "private", "trigger_mode": "always_last"}
    loaded.upload(
        partial(load_plan, service),
        [controls.backbone, loaded],
        [*controls.filled, *controls.adapters, *controls.rates],
        show_progress="hidden",
        **hidden,
    ).success(**plan)
    controls.new_output_layer.input(
        partial(add_part, service),
        [controls.backbone, controls.parts, controls.new_output_layer],
        controls.parts,
        show_progress="hidden",
        **hidden,
    ).success(**plan)
    others = [control.input for control in (controls.backbone, controls.n_first, controls.n_last)]
    for triggers, is_scenario in (([page.load, controls.scenario.input], True), (others, False)):
        gr.on(
            triggers,
            partial(fill_parts, service, is_scenario),
            controls.presets,
            controls.filled,
            show_progress="hidden",
            **hidden,
        ).success(**plan)
    gr.on(controls.changes, **plan)


def _add_controls() -> _Controls:
    backbone = gr.Radio([(known.title, known.id) for known in KNOWN_MODELS], value=KNOWN_MODELS[0].id, label="Backbone")
    scenario = gr.Radio(
        [(scenario.title, scenario.name) for scenario in SCENARIOS],
        value=SCENARIOS[0].name,
        label="Scenario",
        info="Fills what stands below.",
    )
    n_first = gr.Slider(
        0, 6, value=0, step=1, label="Freeze embeddings and the first k layers", info="0 freezes nothing more."
    )
    n_last = gr.Slider(0, 6, value=0, step=1, label="Freeze the last k layers")
    parts = gr.CheckboxGroup([], label="Parts that train", info="Change any of them by hand; this list is what is planned.")
    selection = gr.Radio(
        [(selection.title, selection.name) for selection in SELECTIONS],
        value=WEIGHTS,
        label="What trains in the backbone's parts",
        info="Heads always train as a whole.",
    )
    gradual = gr.Checkbox(
        False, label="Unfreeze gradually", info="Heads first, then the last layer too, then one more below at a time."
    )
    new_output_layer = gr.Checkbox(
        False, label="Add a new output layer", info="A linear layer of 3 classes over the sentence embedding."
    )
    default = AdapterSettings()
    with gr.Accordion("Low-rank adapters: rank, scale, places", open=False):
        adapters = (
            gr.Number(default.rank, label="Rank", precision=0),
            gr.Number(default.alpha, label="Alpha: adapters are scaled by alpha / rank", precision=0),
            gr.CheckboxGroup(
                list(TARGETS), value=list(default.targets), label="Linear layers with one", info="dense: three per layer."
            ),
        )
    with gr.Accordion("Learning rates, decay and schedule", open=False):
        rates = tuple(gr.Number(value, label=label) for label, value in RATES)
    with gr.Accordion("What a step reads, for its cost", open=False):
        batch = (
            gr.Number(_N_SENTENCES, label="Sentences per step", precision=0),
            gr.Number(_N_TOKENS, label="Word pieces per sentence", precision=0),
        )
    return _Controls(
        backbone, scenario, n_first, n_last, parts, selection, gradual, new_output_layer, adapters, rates, batch
    )


@shows_errors
def fill_parts(
    service: ModelService,
    is_scenario: bool,
    backbone: str,
    scenario: str,
    n_first: float,
    n_last: float,
    new_output_layer: bool,
) -> tuple[Any, ...]:
    """A scenario to what it fills: the list of parts, the sliders' ranges for this backbone and, where the scenario itself
    was chosen, what of the backbone trains, when, and whether there is a new output layer."""
    chosen = find_scenario(scenario)
    has_output = chosen.new_output_layer if is_scenario else new_output_layer
    declared = service.parts(backbone, has_output)
    n_layers = sum(part.kind is PartKind.LAYER for part in declared)
    wanted = (int(n_first), int(n_last))
    trainable = trainable_parts(declared, chosen, *(min(number, n_layers) for number in wanted))
    sliders = (_slider(number, n_layers) for number in wanted)
    others = (chosen.selection, chosen.gradual, chosen.new_output_layer) if is_scenario else (gr.skip(),) * 3
    return _list_parts(declared, trainable, info=chosen.hint), *sliders, *others


def _slider(number: int, most: int) -> Any:
    """A slider's range; its value only where that is beyond, since the slider may have been moved on meanwhile."""
    return gr.Slider(maximum=most, value=most) if number > most else gr.Slider(maximum=most)


@shows_errors
def load_plan(service: ModelService, backbone: str, path: str) -> tuple[Any, ...]:
    """A saved plan to all controls that it fills; the sliders stay, since a plan names its parts one by one."""
    plan = read_plan(Path(path), Path(path).name)
    declared = service.parts(backbone, plan.new_output_layer)
    service.freezing(backbone, plan)  # names a part or a target that is none of this backbone
    others = sorted(set(plan.adapters.targets) - set(TARGETS))
    if others:
        raise PlanError(f"Adapters can be planned here for {', '.join(TARGETS)}, not for {', '.join(others)}.")
    rates = (plan.optimizer.learning_rate(module) for module in (BACKBONE, *HEAD_NAMES))
    return (
        _list_parts(declared, unfrozen_parts(declared, plan.frozen)),
        *(gr.skip(), gr.skip()),
        *(plan.selection, plan.gradual, plan.new_output_layer),
        *(plan.adapters.rank, plan.adapters.alpha, list(plan.adapters.targets)),
        *(*rates, plan.optimizer.weight_decay, plan.optimizer.layer_decay, plan.warmup_share),
    )


@shows_errors
def add_part(service: ModelService, backbone: str, parts: Sequence[str], new_output_layer: bool) -> Any:
    """The list of parts with the new output layer or without it; what was chosen by hand stays."""
    declared = service.parts(backbone, new_output_layer)
    names = [part.name for part in declared]
    chosen = [name for name in parts if name in names]
    return _list_parts(declared, [*chosen, "output_layer"] if new_output_layer else chosen)


def _list_parts(declared: Parts, trainable: Sequence[str], **more: Any) -> Any:
    return gr.CheckboxGroup([(part_title(part.name), part.name) for part in declared], value=list(trainable), **more)


def show_plan(
    service: ModelService,
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
            n_sentences=_N_SENTENCES if n_sentences is None else int(n_sentences),
            n_tokens=_N_TOKENS if n_tokens is None else int(n_tokens),
        )
        plan = service.freezing_plan(request)
    except MtdemoError as error:
        return as_warnings([f"This plan cannot be made. {error}"]), None, None, None, None, "", ""
    pictures = plot_freezing(plan.freezing), plot_rates(plan)
    return summarise(plan), tabulate_groups(plan), *pictures, tabulate_parts(plan), plan.script, _as_file(plan)


def _adapters(rank: float | None, alpha: float | None, targets: Sequence[str]) -> AdapterSettings:
    default = AdapterSettings()
    return AdapterSettings(
        default.rank if rank is None else int(rank), default.alpha if alpha is None else int(alpha), tuple(targets)
    )


def summarise(plan: PlanReport) -> str:
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
    stages = f"<p>{html.escape(_describe_stages(plan))}</p>" if plan.plan.gradual else ""
    warnings = as_warnings(plan.optimizer.warnings)
    return f'{totals}<h3 class="heading">What a step costs</h3>{memory}{features}{stages}{warnings}'


def _describe_stages(plan: PlanReport) -> str:
    """Which part trains from when on; the cost is that of the last stage."""
    later = sorted((start, name) for name, start in plan.starts.items() if start)
    words = "; ".join(f"{part_title(name)} from {start:.0%} of the steps" for start, name in later)
    return f"Unfrozen one by one: {words}. The cost is that of the last stage; earlier ones cost less."


def _totals(*pairs: tuple[str, str]) -> str:
    return f'<dl class="totals">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def _as_file(plan: PlanReport) -> str:
    return json.dumps(plan.plan.as_dict(), indent=2)


def tabulate_groups(plan: PlanReport) -> pd.DataFrame:
    """One row per group as the optimizer gets it, and their sum."""
    groups = plan.optimizer.groups
    rows = [
        (g.name, f"{g.n_tensors:,}", f"{g.n_parameters:,}", f"{g.learning_rate:g}", f"{g.weight_decay:g}") for g in groups
    ]
    total = ("together", f"{sum(g.n_tensors for g in groups):,}", f"{plan.optimizer.n_parameters:,}", "", "")
    return pd.DataFrame([*rows, total], columns=["group", "tensors", "parameters", "learning rate", "weight decay"])


def tabulate_parts(plan: PlanReport) -> pd.DataFrame:
    """One row per part, lowest first, and their sum."""
    starts = plan.starts
    rows = [
        (
            part_title(p.part.name),
            f"{p.n_parameters:,}",
            f"{p.n_trainable:,}",
            f"{p.n_frozen:,}",
            f"{p.state}, from {starts[p.part.name]:.0%} of the steps" if starts.get(p.part.name) else p.state,
        )
        for p in plan.freezing.parts
    ]
    freezing = plan.freezing
    state = "all" if not freezing.n_frozen else "partial" if freezing.n_trainable else "none"
    total = ("together", f"{freezing.n_parameters:,}", f"{freezing.n_trainable:,}", f"{freezing.n_frozen:,}", state)
    return pd.DataFrame([*rows, total], columns=["part", "parameters", "trainable", "frozen", "trains"])


def _optimizer(values: Sequence[float]) -> OptimizerSettings:
    backbone, *rates, weight_decay, layer_decay = values
    heads = dict(zip(HEAD_NAMES, rates, strict=True))
    return OptimizerSettings(backbone, heads, weight_decay, layer_decay)
