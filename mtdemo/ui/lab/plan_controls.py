"""The controls of a plan, and what fills them: a scenario, the sliders, or a saved plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.errors import PlanError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.models.parts import HEADS, PartKind, Parts, part_title
from mtdemo.planning.freezing import trainable_parts, unfrozen_parts
from mtdemo.planning.optimizer import BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE, WEIGHT_DECAY, OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import ADAPTERS, BACKBONE, SCENARIOS, SELECTIONS, WEIGHTS, find_scenario
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, read_plan
from mtdemo.ui.components.events import Updates, Values, shows_errors

TARGETS = ("query", "key", "value", "dense")  # of a BERT, which all catalogued backbones are
_N_SENTENCES, _N_TOKENS = 32, 32


@dataclass(frozen=True, slots=True)
class PlanControls:
    """Components that say what to plan.

    `scenario`, `n_first` and `n_last` only fill the others, which are what is planned.
    """

    backbone: gr.Radio
    scenario: gr.Radio
    n_first: gr.Slider
    n_last: gr.Slider
    parts: gr.CheckboxGroup
    selection: gr.Radio
    gradual: gr.Checkbox
    new_output_layer: gr.Checkbox
    rank: gr.Number
    alpha: gr.Number
    targets: gr.CheckboxGroup
    backbone_rate: gr.Number
    head_rates: Mapping[str, gr.Number]
    weight_decay: gr.Number
    layer_decay: gr.Number
    warmup_share: gr.Number
    n_sentences: gr.Number
    n_tokens: gr.Number

    @property
    def presets(self) -> set[Component]:
        """Controls that the list of parts follows from."""
        return {self.backbone, self.scenario, self.n_first, self.n_last, self.new_output_layer}

    @property
    def filled(self) -> set[Component]:
        """Controls that a scenario fills."""
        return {self.parts, self.n_first, self.n_last, self.selection, self.gradual, self.new_output_layer}

    @property
    def adapters(self) -> set[Component]:
        return {self.rank, self.alpha, self.targets}

    @property
    def rates(self) -> set[Component]:
        return {self.backbone_rate, *self.head_rates.values(), self.weight_decay, self.layer_decay, self.warmup_share}

    @property
    def plan(self) -> set[Component]:
        """Controls that a plan is made of."""
        chosen = {self.backbone, self.parts, self.selection, self.gradual, self.new_output_layer}
        return chosen | self.adapters | self.rates | {self.n_sentences, self.n_tokens}

    @property
    def changes(self) -> list[Any]:
        """Events that change the plan but fill nothing."""
        chosen = (self.parts, self.selection, self.gradual, self.targets)
        numbers = self.plan - {self.backbone, self.new_output_layer, *chosen}
        in_order = sorted(numbers, key=lambda number: int(number._id))
        return [*(control.input for control in chosen), *(number.change for number in in_order)]


def add_plan_controls() -> PlanControls:
    """Add the controls; a scenario fills the list of parts."""
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
        False,
        label="Add a new output layer",
        info="A linear layer over the sentence embedding, same classes.",
    )
    return PlanControls(
        backbone,
        scenario,
        n_first,
        n_last,
        parts,
        selection,
        gradual,
        new_output_layer,
        *_add_adapters(),
        *_add_rates(),
        *_add_batch(),
    )


def _add_adapters() -> tuple[gr.Number, gr.Number, gr.CheckboxGroup]:
    default = AdapterSettings()
    with gr.Accordion("Low-rank adapters: rank, scale, places", open=False):
        return (
            gr.Number(default.rank, label="Rank", precision=0),
            gr.Number(default.alpha, label="Alpha: adapters are scaled by alpha / rank", precision=0),
            gr.CheckboxGroup(
                list(TARGETS), value=list(default.targets), label="Linear layers with one", info="dense: three per layer."
            ),
        )


def _add_rates() -> tuple[gr.Number, dict[str, gr.Number], gr.Number, gr.Number, gr.Number]:
    with gr.Accordion("Learning rates, decay and schedule", open=False):
        return (
            gr.Number(BACKBONE_LEARNING_RATE, label="Learning rate, backbone"),
            {head.name: gr.Number(HEAD_LEARNING_RATE, label=f"Learning rate, {head.title}") for head in HEADS},
            gr.Number(WEIGHT_DECAY, label="Weight decay"),
            gr.Number(1.0, label="Layer-wise decay: from each layer's rate to that of the one below"),
            gr.Number(WARMUP_SHARE, label="Share of the steps in which the rates rise"),
        )


def _add_batch() -> tuple[gr.Number, gr.Number]:
    with gr.Accordion("What a step reads, for its cost", open=False):
        return (
            gr.Number(_N_SENTENCES, label="Sentences per step", precision=0),
            gr.Number(_N_TOKENS, label="Word pieces per sentence", precision=0),
        )


def read_request(controls: PlanControls, values: Values) -> PlanRequest:
    """Read from the controls what to plan.

    An emptied field counts as its default.

    Raises:
        PlanError: a number is out of its range.
    """

    def number(field: gr.Number) -> Any:
        return field.value if values[field] is None else values[field]

    selection = values[controls.selection]
    adapters = AdapterSettings()
    if selection == ADAPTERS:
        adapters = AdapterSettings(number(controls.rank), number(controls.alpha), tuple(values[controls.targets]))
    return PlanRequest(
        values[controls.backbone],
        trainable_parts=tuple(values[controls.parts]),
        new_output_layer=values[controls.new_output_layer],
        selection=selection,
        gradual=values[controls.gradual],
        adapters=adapters,
        optimizer=OptimizerSettings(
            number(controls.backbone_rate),
            {head: number(rate) for head, rate in controls.head_rates.items()},
            number(controls.weight_decay),
            number(controls.layer_decay),
        ),
        warmup_share=number(controls.warmup_share),
        n_sentences=number(controls.n_sentences),
        n_tokens=number(controls.n_tokens),
    )


@shows_errors
def fill_from_scenario(planner: Planner, controls: PlanControls, values: Values) -> Updates:
    """Fill all that a scenario decides."""
    scenario = find_scenario(values[controls.scenario])
    return {
        **_fill_parts(planner, controls, values, scenario.new_output_layer),
        controls.selection: scenario.selection,
        controls.gradual: scenario.gradual,
        controls.new_output_layer: scenario.new_output_layer,
    }


@shows_errors
def fill_parts(planner: Planner, controls: PlanControls, values: Values) -> Updates:
    """Fill the list of parts and bound the sliders."""
    return _fill_parts(planner, controls, values, values[controls.new_output_layer])


def _fill_parts(planner: Planner, controls: PlanControls, values: Values, new_output_layer: bool) -> Updates:
    scenario = find_scenario(values[controls.scenario])
    declared = planner.parts(values[controls.backbone], new_output_layer)
    n_layers = sum(part.kind is PartKind.LAYER for part in declared)
    n_first, n_last = int(values[controls.n_first]), int(values[controls.n_last])
    trainable = trainable_parts(declared, scenario, min(n_first, n_layers), min(n_last, n_layers))
    return {
        controls.parts: _list_parts(declared, trainable, info=scenario.hint),
        controls.n_first: _slider(n_first, n_layers),
        controls.n_last: _slider(n_last, n_layers),
    }


def _slider(number: int, most: int) -> Any:
    """Set a slider's range.

    Its value is set only where that is beyond: the slider may have been moved on meanwhile.
    """
    return gr.Slider(maximum=most, value=most) if number > most else gr.Slider(maximum=most)


@shows_errors
def add_part(planner: Planner, controls: PlanControls, values: Values) -> Updates:
    """Put the new output layer on the list, or off.

    What was chosen by hand stays.
    """
    new_output_layer = values[controls.new_output_layer]
    declared = planner.parts(values[controls.backbone], new_output_layer)
    names = [part.name for part in declared]
    chosen = [name for name in values[controls.parts] if name in names]
    return {controls.parts: _list_parts(declared, [*chosen, "output_layer"] if new_output_layer else chosen)}


@shows_errors
def load_plan(planner: Planner, controls: PlanControls, upload: gr.UploadButton, values: Values) -> Updates:
    """Fill the controls from a saved plan.

    The sliders stay, since a plan names its parts one by one.
    """
    backbone, path = values[controls.backbone], Path(values[upload])
    plan = read_plan(path, path.name)
    declared = planner.parts(backbone, plan.new_output_layer)
    planner.freezing(backbone, plan)  # names a part or a target that is none of this backbone
    others = sorted(set(plan.adapters.targets) - set(TARGETS))
    if others:
        raise PlanError(f"Adapters can be planned here for {', '.join(TARGETS)}, not for {', '.join(others)}.")
    rate = plan.optimizer.learning_rate
    return {
        controls.parts: _list_parts(declared, unfrozen_parts(declared, plan.frozen)),
        controls.selection: plan.selection,
        controls.gradual: plan.gradual,
        controls.new_output_layer: plan.new_output_layer,
        controls.rank: plan.adapters.rank,
        controls.alpha: plan.adapters.alpha,
        controls.targets: list(plan.adapters.targets),
        controls.backbone_rate: rate(BACKBONE),
        **{field: rate(head) for head, field in controls.head_rates.items()},
        controls.weight_decay: plan.optimizer.weight_decay,
        controls.layer_decay: plan.optimizer.layer_decay,
        controls.warmup_share: plan.warmup_share,
    }


def _list_parts(declared: Parts, trainable: Sequence[str], **more: Any) -> Any:
    return gr.CheckboxGroup([(part_title(part.name), part.name) for part in declared], value=list(trainable), **more)
