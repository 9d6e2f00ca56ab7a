"""Freezing plans: which parameters of a model's parts train, and how a plan is applied.

`plan_freezing` is pure and is what the panel shows; only training calls `apply_freezing`. The named choices that fill a
plan are in `mtdemo.planning.scenarios`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mtdemo.errors import PlanError, UnknownNameError
from mtdemo.models.parts import ParameterSpec, Part, PartKind, Parts
from mtdemo.planning.scenarios import BACKBONE, WEIGHTS, Scenario, find_selection

if TYPE_CHECKING:
    from mtdemo.models.multitask import MultiTaskModel

State = Literal["none", "partial", "all"]


@dataclass(frozen=True, slots=True)
class PartPlan:
    """A part and those of its parameters that train."""

    part: Part
    trainable: tuple[ParameterSpec, ...]

    @property
    def name(self) -> str:
        """Name of the part, such as `layer_0`."""
        return self.part.name

    @property
    def kind(self) -> PartKind:
        """Place of the part in the model."""
        return self.part.kind

    @property
    def n_parameters(self) -> int:
        return self.part.n_parameters

    @property
    def n_trainable(self) -> int:
        return sum(parameter.n_parameters for parameter in self.trainable)

    @property
    def n_frozen(self) -> int:
        return self.n_parameters - self.n_trainable

    @property
    def state(self) -> State:
        """Say whether none, some or all of the part trains."""
        return _state(self.n_trainable, self.n_parameters)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "n_parameters": self.n_parameters,
            "n_trainable": self.n_trainable,
            "n_frozen": self.n_frozen,
            "trains": self.state,
        }


@dataclass(frozen=True, slots=True)
class FreezingPlan:
    """The parts of a model, lowest first, as planned."""

    parts: tuple[PartPlan, ...]

    @property
    def n_parameters(self) -> int:
        return sum(part.n_parameters for part in self.parts)

    @property
    def n_trainable(self) -> int:
        return sum(part.n_trainable for part in self.parts)

    @property
    def n_frozen(self) -> int:
        return self.n_parameters - self.n_trainable

    @property
    def trainable_share(self) -> float:
        """Share of all parameters that train, 0 to 1."""
        return self.n_trainable / self.n_parameters if self.n_parameters else 0.0

    @property
    def backbone_state(self) -> State:
        """Say whether none, some or all of the backbone trains."""
        backbone = [part for part in self.parts if part.kind.in_backbone]
        return _state(sum(part.n_trainable for part in backbone), sum(part.n_parameters for part in backbone))

    @property
    def trainable_names(self) -> frozenset[str]:
        """Full names of the parameters that train.

        The set is made anew at each call.
        """
        return frozenset(parameter.name for part in self.parts for parameter in part.trainable)

    def limited_to(self, names: Collection[str]) -> FreezingPlan:
        """Freeze all parts in addition but the named ones."""
        return FreezingPlan(tuple(part if part.name in names else replace(part, trainable=()) for part in self.parts))

    def as_dict(self) -> dict[str, Any]:
        return {
            "n_parameters": self.n_parameters,
            "n_trainable": self.n_trainable,
            "n_frozen": self.n_frozen,
            "trainable_share": self.trainable_share,
            "parts": [part.as_dict() for part in self.parts],
        }


def check_part_names(parts: Parts, names: Collection[str]) -> None:
    """Make sure that every name is that of a part.

    Args:
        parts: the model's declaration.
        names: to check.

    Raises:
        UnknownNameError: a name that is no part of this model; the message lists the parts.
    """
    known = [part.name for part in parts]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UnknownNameError(f"There is no part {unknown[0]!r}; the parts are {', '.join(known)}.")


def trainable_parts(parts: Parts, scenario: Scenario, n_first: int = 0, n_last: int = 0) -> tuple[str, ...]:
    """Name the parts that train in a scenario.

    Args:
        parts: the model's declaration.
        scenario: which parts it freezes.
        n_first: 0 to the number of layers; from 1 on, the embeddings and that many of the lowest layers are frozen in
            addition.
        n_last: 0 to the number of layers; so many of the highest layers are frozen in addition.

    Raises:
        PlanError: the model has fewer layers.
    """
    layers = [part.name for part in parts if part.kind is PartKind.LAYER]
    for number in (n_first, n_last):
        if not isinstance(number, int) or isinstance(number, bool):
            raise PlanError(f"The number of frozen layers must be a whole number, not {number!r}.")
        if not 0 <= number <= len(layers):
            raise PlanError(f"{number} frozen layers were asked for; this backbone has {len(layers)} layers.")
    embeddings = [part.name for part in parts if part.kind is PartKind.EMBEDDINGS] if n_first else []
    frozen = (*scenario.frozen, *embeddings, *layers[:n_first], *layers[len(layers) - n_last :])
    return unfrozen_parts(parts, frozen)


def unfrozen_parts(parts: Parts, frozen: Collection[str]) -> tuple[str, ...]:
    """Name the parts that are left when others are frozen.

    Args:
        parts: the model's declaration.
        frozen: names of parts; `backbone` means every part of it.

    Raises:
        UnknownNameError: a name that is no part of this model; the message lists the parts.
    """
    check_part_names(parts, set(frozen) - {BACKBONE})
    return tuple(
        part.name for part in parts if part.name not in frozen and not (part.kind.in_backbone and BACKBONE in frozen)
    )


def plan_freezing(
    parts: Parts, trainable: Collection[str], selection: str = WEIGHTS, parameters: Collection[str] = ()
) -> FreezingPlan:
    """Plan to train exactly the named parts.

    Pure: no model is touched. A tied tensor belongs to the first part that uses it and trains with that part. Where the
    two lowest layers share a matrix, `["layer_0"]` -> it trains, `["layer_1"]` -> it does not.

    Args:
        parts: the model's declaration.
        trainable: names of the parts that train: heads as a whole, parts of the backbone as `selection` says.
        selection: what trains in them, by the name of a `Selection`.
        parameters: full names of single parameters that train in addition, in whatever part they are.

    Raises:
        UnknownNameError: a name that is not a part of this model, or no selection; the message lists what there is.
    """
    check_part_names(parts, trainable)
    selected = find_selection(selection).takes

    def trains(part: Part, parameter: ParameterSpec) -> bool:
        chosen = part.name in trainable and (selected(parameter) or not part.kind.in_backbone)
        return chosen or parameter.name in parameters

    return FreezingPlan(tuple(PartPlan(part, tuple(p for p in part.parameters if trains(part, p))) for part in parts))


def apply_freezing(model: MultiTaskModel, plan: FreezingPlan) -> None:
    """Set `requires_grad` of every parameter, both ways.

    Gradients left on what is frozen now are dropped.

    Args:
        model: which is changed; a tied tensor stands once in its `named_parameters`, under its first name, and so in the
            plan.
        plan: what trains.
    """
    trainable = plan.trainable_names
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trainable)
        if not parameter.requires_grad:
            parameter.grad = None  # AdamW would go on decaying a weight with a stale gradient


def _state(n_trainable: int, n_parameters: int) -> State:
    if n_trainable == 0:
        return "none"
    return "all" if n_trainable == n_parameters else "partial"
