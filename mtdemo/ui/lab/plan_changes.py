"""Changes of a plan's controls: each fills what it owns of the others, and nothing that was set by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.errors import PlanError
from mtdemo.models.parts import PartKind, Parts
from mtdemo.planning.freezing import unfrozen_parts
from mtdemo.planning.planner import Planner
from mtdemo.planning.training_plan import TrainingPlan, read_plan
from mtdemo.ui.components.events import Values
from mtdemo.ui.lab.plan_controls import TARGETS, PlanControls, write_plan

Filled = dict[Component, Any]  # values of controls, as a callback would get them


def keep_all(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Fill nothing: what was changed is a plan's own control."""
    return {}


def fill_scenario(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Fill all that a scenario owns; what was changed goes."""
    scenario = values[controls.scenario] or values[controls.origin][0]
    return {**_own(planner, controls, values[controls.backbone], scenario), controls.scenario: scenario}


def fill_reset(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Fill all that the scenario chosen last owns."""
    return fill_scenario(planner, controls, {**values, controls.scenario: None})


def fill_backbone(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Fill what another backbone makes of the scenario.

    What was changed by hand stays, as far as the backbone has it: a lock, where it has the part.
    """
    scenario, before = values[controls.origin]
    old, new = (_own(planner, controls, backbone, scenario) for backbone in (before, values[controls.backbone]))
    filled = {field: value for field, value in new.items() if field is controls.origin or values[field] == old[field]}
    known = [part.name for part in planner.parts(before, values[controls.new_output_layer])]
    declared = planner.parts(values[controls.backbone], values[controls.new_output_layer])
    locks, own_locks, new_locks = (each[controls.stack] for each in (values, old, new))

    def trains(name: str) -> bool:
        if name in known and (name in locks) != (name in own_locks):
            return name in locks
        return name in new_locks

    filled[controls.stack] = [part.name for part in declared if trains(part.name)]
    return filled


def fill_first(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Lock embeddings and first layers, as many as said.

    Of the others those are unlocked that were locked in one piece with them.
    """
    declared, locks, n_locked = _declared(planner, controls, values), values[controls.stack], int(values[controls.n_first])
    lowest = _layers(declared)
    touched = [*_embeddings(declared), *lowest[: max(count_first(declared, locks), n_locked)]]
    frozen = [*_embeddings(declared), *lowest[:n_locked]] if n_locked else []
    return {controls.stack: _relock(locks, touched, frozen)}


def fill_last(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Lock as many of the last layers as said.

    Of the others those are unlocked that were locked in one piece with them.
    """
    declared, locks, n_locked = _declared(planner, controls, values), values[controls.stack], int(values[controls.n_last])
    highest = _layers(declared)[::-1]
    touched = highest[: max(count_last(declared, locks), n_locked)]
    return {controls.stack: _relock(locks, touched, highest[:n_locked])}


def fill_output_layer(planner: Planner, controls: PlanControls, values: Values) -> Filled:
    """Put the new output layer into the stack, or out."""
    others = [name for name in values[controls.stack] if name != "output_layer"]
    return {controls.stack: [*others, "output_layer"] if values[controls.new_output_layer] else others}


def fill_file(planner: Planner, controls: PlanControls, values: Values, upload: gr.UploadButton) -> Filled:
    """Fill the controls from a saved plan.

    Raises:
        DataFileError, PlanError, UnknownNameError: it cannot be read, or is not for this backbone.
    """
    backbone, path = values[controls.backbone], Path(values[upload])
    plan = read_plan(path, path.name)
    planner.freezing(backbone, plan)  # names a part or a target that is none of this backbone
    others = sorted(set(plan.adapters.targets) - set(TARGETS))
    if others:
        raise PlanError(f"Adapters can be planned here for {', '.join(TARGETS)}, not for {', '.join(others)}.")
    return _write(planner, controls, backbone, plan)


def count_first(declared: Parts, trainable: Collection[str]) -> int:
    """Count the first layers that are locked without a gap.

    Where the embeddings train there are none.
    """
    if any(name in trainable for name in _embeddings(declared)):
        return 0
    return _count_until(_layers(declared), trainable)


def count_last(declared: Parts, trainable: Collection[str]) -> int:
    """Count the last layers that are locked without a gap."""
    return _count_until(_layers(declared)[::-1], trainable)


def count_layers(declared: Parts) -> int:
    """Count the layers; an ALBERT declares none."""
    return len(_layers(declared))


def _own(planner: Planner, controls: PlanControls, backbone: str, scenario: str) -> Filled:
    plan = planner.scenario_plan(backbone, scenario)
    return {**_write(planner, controls, backbone, plan), controls.origin: (scenario, backbone)}


def _write(planner: Planner, controls: PlanControls, backbone: str, plan: TrainingPlan) -> Filled:
    declared = planner.parts(backbone, plan.new_output_layer)
    return write_plan(controls, plan, unfrozen_parts(declared, plan.frozen))


def _declared(planner: Planner, controls: PlanControls, values: Values) -> Parts:
    return planner.parts(values[controls.backbone], values[controls.new_output_layer])


def _relock(trainable: Sequence[str], touched: Collection[str], frozen: Collection[str]) -> list[str]:
    """Lock the frozen of the touched parts, unlock the others."""
    kept = [name for name in trainable if name not in touched]
    return [*kept, *(name for name in touched if name not in frozen)]


def _embeddings(declared: Parts) -> list[str]:
    return [part.name for part in declared if part.kind is PartKind.EMBEDDINGS]


def _layers(declared: Parts) -> list[str]:
    return [part.name for part in declared if part.kind is PartKind.LAYER]


def _count_until(names: Sequence[str], trainable: Collection[str]) -> int:
    return next((place for place, name in enumerate(names) if name in trainable), len(names))
