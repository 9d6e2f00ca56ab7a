"""The controls of a plan, and what fills them: a scenario, the sliders, or a saved plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from mtdemo.errors import PlanError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.models.parts import HEAD_NAMES, PartKind, Parts, part_title
from mtdemo.planning.freezing import trainable_parts, unfrozen_parts
from mtdemo.planning.optimizer import BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE, WEIGHT_DECAY
from mtdemo.planning.planner import Planner
from mtdemo.planning.scenarios import BACKBONE, SCENARIOS, SELECTIONS, WEIGHTS, find_scenario
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, read_plan
from mtdemo.ui.components.messages import shows_errors

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
N_SENTENCES, N_TOKENS = 32, 32


@dataclass(frozen=True, slots=True)
class PlanControls:
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


def add_plan_controls() -> PlanControls:
    """Add the controls, which are empty of parts until a scenario fills them."""
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
            gr.Number(N_SENTENCES, label="Sentences per step", precision=0),
            gr.Number(N_TOKENS, label="Word pieces per sentence", precision=0),
        )
    return PlanControls(
        backbone, scenario, n_first, n_last, parts, selection, gradual, new_output_layer, adapters, rates, batch
    )


@shows_errors
def fill_parts(
    planner: Planner,
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
    declared = planner.parts(backbone, has_output)
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
def load_plan(planner: Planner, backbone: str, path: str) -> tuple[Any, ...]:
    """A saved plan to all controls that it fills; the sliders stay, since a plan names its parts one by one."""
    plan = read_plan(Path(path), Path(path).name)
    declared = planner.parts(backbone, plan.new_output_layer)
    planner.freezing(backbone, plan)  # names a part or a target that is none of this backbone
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
def add_part(planner: Planner, backbone: str, parts: Sequence[str], new_output_layer: bool) -> Any:
    """The list of parts with the new output layer or without it; what was chosen by hand stays."""
    declared = planner.parts(backbone, new_output_layer)
    names = [part.name for part in declared]
    chosen = [name for name in parts if name in names]
    return _list_parts(declared, [*chosen, "output_layer"] if new_output_layer else chosen)


def _list_parts(declared: Parts, trainable: Sequence[str], **more: Any) -> Any:
    return gr.CheckboxGroup([(part_title(part.name), part.name) for part in declared], value=list(trainable), **more)
