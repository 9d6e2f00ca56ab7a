"""The controls of a plan, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.config import EMBEDDED
from mtdemo.errors import PlanError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.models.parts import HEADS
from mtdemo.planning.optimizer import WEIGHT_DECAY, OptimizerSettings
from mtdemo.planning.planner import PlanRequest
from mtdemo.planning.scenarios import ADAPTERS, BACKBONE, SCENARIOS, SELECTIONS, WEIGHTS
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, TrainingPlan
from mtdemo.ui.components.events import Updates, Values
from mtdemo.ui.lab.plan_stack import add_stack

TARGETS = ("query", "key", "value", "dense")  # of a BERT, which all catalogued backbones are
_N_SENTENCES, _N_TOKENS, _N_STEPS = 32, 32, 60


@dataclass(frozen=True, slots=True)
class PlanControls:
    """Components that say what to plan.

    Attributes:
        backbone, scenario: what the plan begins from; no scenario is chosen while something is changed by hand.
        origin: the scenario that was chosen last, by its name, and the backbone for which the controls were filled.
        marked: name of the field that is marked as wrong; empty for none.
        stack: the network with its locks; its value names the parts that train.
        n_first, n_last: lock and unlock layers of the stack, and show how many are locked.
        n_steps: what the timeline is drawn for.
    """

    backbone: gr.Radio
    scenario: gr.Radio
    origin: gr.State
    marked: gr.State
    reset: gr.Button
    stack: gr.HTML
    n_first: gr.Slider
    n_last: gr.Slider
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
    n_steps: gr.Number
    n_sentences: gr.Number
    n_tokens: gr.Number

    @property
    def rates(self) -> dict[str, gr.Number]:
        """Fields of the learning rates, by whose they are."""
        return {BACKBONE: self.backbone_rate, **self.head_rates}

    @property
    def fields(self) -> dict[str, Component]:
        """Fields that can hold what is wrong, by `PlanError.field`."""
        adapters: dict[str, Component] = {"rank": self.rank, "alpha": self.alpha, "targets": self.targets}
        decays = {"weight_decay": self.weight_decay, "layer_decay": self.layer_decay, "warmup_share": self.warmup_share}
        sizes = {"n_steps": self.n_steps, "n_sentences": self.n_sentences, "n_tokens": self.n_tokens}
        return {**adapters, **self.rates, **decays, **sizes}

    @property
    def owned(self) -> set[Component]:
        """Controls that a scenario fills."""
        switches: set[Component] = {self.stack, self.selection, self.gradual, self.new_output_layer}
        of_step = {self.n_steps, self.n_sentences, self.n_tokens}
        return (switches | set(self.fields.values())) - of_step

    @property
    def inputs(self) -> set[Component]:
        """Controls that are read."""
        chosen: set[Component] = {self.backbone, self.scenario, self.origin, self.marked, self.n_first, self.n_last}
        return chosen | self.owned | set(self.fields.values())

    @property
    def outputs(self) -> set[Component]:
        """Controls that are filled, or marked as wrong."""
        return (self.inputs | {self.reset}) - {self.backbone}


def add_plan_choice() -> tuple[gr.Radio, gr.Radio, gr.HTML, gr.Button]:
    """Add what a plan begins from.

    Returns:
        Backbone, scenario, the line that says which plan stands below, and the button that makes it the scenario's again.
    """
    backbone = gr.Radio([(known.title, known.id) for known in KNOWN_MODELS], value=EMBEDDED, label="Backbone")
    scenario = gr.Radio(
        [(scenario.title, scenario.name) for scenario in SCENARIOS],
        value=SCENARIOS[0].name,
        label="Scenario",
        info="Fills everything below, learning rates too.",
    )
    with gr.Row(elem_id="plan-state"):
        state = gr.HTML(padding=False, apply_default_css=False)
        reset = gr.Button("Reset", size="sm", visible=False, elem_id="plan-reset")
    return backbone, scenario, state, reset


def add_plan_controls(backbone: gr.Radio, scenario: gr.Radio, reset: gr.Button) -> PlanControls:
    """Add the controls that a scenario fills."""
    origin = gr.State((SCENARIOS[0].name, EMBEDDED))
    stack = add_stack()
    n_first = gr.Slider(0, 6, value=0, step=1, label="Freeze the embeddings and the first layers, this many")
    n_last = gr.Slider(0, 6, value=0, step=1, label="Freeze the last layers, this many")
    with gr.Accordion("What trains inside the parts", open=False):
        selection = gr.Radio(
            [(selection.title, selection.name) for selection in SELECTIONS],
            value=WEIGHTS,
            label="In the parts of the backbone that train",
            info="Heads always train as a whole.",
        )
        gradual = gr.Checkbox(
            False, label="Unfreeze gradually", info="Heads first, then the last layer too, then one more below at a time."
        )
        new_output_layer = gr.Checkbox(
            False, label="Add a new output layer", info="A linear layer over the sentence embedding, same classes."
        )
        adapters = _add_adapters()
    return PlanControls(
        backbone,
        scenario,
        origin,
        gr.State(""),
        reset,
        stack,
        n_first,
        n_last,
        selection,
        gradual,
        new_output_layer,
        *adapters,
        *_add_rates(),
        *_add_sizes(),
    )


def _add_adapters() -> tuple[gr.Number, gr.Number, gr.CheckboxGroup]:
    default = AdapterSettings()
    return (
        gr.Number(default.rank, label="Rank of the adapters", info="Columns of each small matrix.", precision=0),
        gr.Number(default.alpha, label="Alpha of the adapters", info="They are scaled by alpha / rank.", precision=0),
        gr.CheckboxGroup(
            list(TARGETS),
            value=list(default.targets),
            label="Linear layers with an adapter",
            info="Of each layer; dense is the name of three.",
        ),
    )


def _add_rates() -> tuple[gr.Number, dict[str, gr.Number], gr.Number, gr.Number, gr.Number]:
    with gr.Accordion("Learning rates, decay and schedule", open=False):
        return (
            gr.Number(label="Learning rate, backbone"),
            {head.name: gr.Number(label=f"Learning rate, {head.title}") for head in HEADS},
            gr.Number(
                WEIGHT_DECAY,
                label="Weight decay",
                info="Share of a weight that its rate takes off it in each step; biases and norms have none.",
            ),
            gr.Number(
                1.0,
                label="Layer-wise decay",
                info="Each layer has the rate of the one above times this: 1 for one rate, 0.9 for gentle low layers.",
            ),
            gr.Number(
                WARMUP_SHARE,
                label="Warm-up",
                info="Share of the steps in which the rates rise, 0 to 1; then they fall to the end.",
            ),
        )


def _add_sizes() -> tuple[gr.Number, gr.Number, gr.Number]:
    with gr.Accordion("Steps, and what a step reads", open=False):
        return (
            gr.Number(_N_STEPS, label="Steps of the timeline", info="The run below has a number of its own.", precision=0),
            gr.Number(_N_SENTENCES, label="Sentences per step", info="For what a step costs.", precision=0),
            gr.Number(_N_TOKENS, label="Word pieces per sentence", info="For what a step costs.", precision=0),
        )


def read_request(controls: PlanControls, values: Values, own: TrainingPlan) -> PlanRequest:
    """Read from the controls what to plan.

    Args:
        controls: whose values these are.
        values: of all `controls.inputs`.
        own: what the scenario plans; an emptied field counts as what that says.

    Raises:
        PlanError: a number is out of its range.
    """

    def number(field: Component, default: float) -> Any:
        return default if values[field] is None else values[field]

    selection, rates = values[controls.selection], own.optimizer
    adapters = AdapterSettings()
    if selection == ADAPTERS:
        rank, alpha = number(controls.rank, adapters.rank), number(controls.alpha, adapters.alpha)
        adapters = AdapterSettings(rank, alpha, tuple(values[controls.targets]))
    return PlanRequest(
        values[controls.backbone],
        values[controls.origin][0],
        trainable_parts=tuple(values[controls.stack]),
        new_output_layer=values[controls.new_output_layer],
        selection=selection,
        gradual=values[controls.gradual],
        adapters=adapters,
        optimizer=OptimizerSettings(
            number(controls.backbone_rate, rates.backbone_learning_rate),
            {head: number(field, rates.learning_rate(head)) for head, field in controls.head_rates.items()},
            number(controls.weight_decay, rates.weight_decay),
            number(controls.layer_decay, rates.layer_decay),
        ),
        warmup_share=number(controls.warmup_share, own.warmup_share),
        n_sentences=number(controls.n_sentences, _N_SENTENCES),
        n_tokens=number(controls.n_tokens, _N_TOKENS),
    )


def read_steps(controls: PlanControls, values: Values) -> int:
    """Read for how many steps the timeline is drawn."""
    return _N_STEPS if values[controls.n_steps] is None else int(values[controls.n_steps])


def write_plan(controls: PlanControls, plan: TrainingPlan, trainable: Sequence[str]) -> dict[Component, Any]:
    """Write a plan as values of the controls.

    Args:
        controls: to be filled.
        plan: what they are to say.
        trainable: names of the parts that train in it.
    """
    rates = plan.optimizer
    return {
        controls.stack: list(trainable),
        controls.selection: plan.selection,
        controls.gradual: plan.gradual,
        controls.new_output_layer: plan.new_output_layer,
        controls.rank: plan.adapters.rank,
        controls.alpha: plan.adapters.alpha,
        controls.targets: list(plan.adapters.targets),
        **{field: rates.learning_rate(module) for module, field in controls.rates.items()},
        controls.weight_decay: rates.weight_decay,
        controls.layer_decay: rates.layer_decay,
        controls.warmup_share: plan.warmup_share,
    }


def mark_fields(controls: PlanControls, marked: str, error: PlanError | None) -> Updates:
    """Say at its field what is wrong.

    Args:
        controls: their fields are marked.
        marked: name of the field that is marked now, at which what always stands there is put back.
        error: what is wrong; None for nothing.
    """
    wrong, fields = error.field if error else "", controls.fields
    updates: Updates = {controls.marked: wrong}
    if marked in fields:  # None as its words would leave what stands there
        updates[fields[marked]] = gr.update(info=getattr(fields[marked], "info", None) or "", elem_classes=[])
    if wrong in fields:
        updates[fields[wrong]] = gr.update(info=str(error), elem_classes=["wrong"])
    return updates
