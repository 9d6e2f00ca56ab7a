"""Optimizer groups of a freezing plan: which rate, which weight decay, and what makes no sense.

AdamW (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101) with a rate for the backbone and one per head; no
decay on biases and normalisation weights. Planning is pure; `build_optimizer` makes the real thing from the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.errors import PlanError
from mtdemo.models.parts import ParameterSpec, PartKind, part_title
from mtdemo.planning.freezing import FreezingPlan, PartPlan
from mtdemo.planning.scenarios import BACKBONE, BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE

if TYPE_CHECKING:
    import torch

    from mtdemo.models.multitask import MultiTaskModel

WEIGHT_DECAY = 0.01
HIGH_RATE, LOW_RATE = 0.01, 1e-4  # rates beyond are warned of, low ones where little of the backbone trains


_FEW: tuple[tuple[str, Callable[[ParameterSpec], bool]], ...] = (
    ("biases", lambda parameter: parameter.is_bias),
    ("adapters", lambda parameter: parameter.is_adapter),
)


@dataclass(frozen=True, slots=True)
class OptimizerSettings:
    """Learning rates and weight decay.

    Attributes:
        backbone_learning_rate: of embeddings and layers, 0 to 1.
        head_learning_rates: per head, 0 to 1; `HEAD_LEARNING_RATE` for a head that is not named.
        weight_decay: 0 to 1, of everything but biases and normalisation weights.
        layer_decay: 0 to 1, the factor from each part of the backbone to the one below it. The last layer has the
            backbone's rate times the factor, as if the heads were a layer above it at the full rate (Clark et al. 2020,
            https://arxiv.org/abs/2003.10555); 1 gives the whole backbone one rate.

    Raises:
        PlanError: a number out of its range.
    """

    backbone_learning_rate: float = BACKBONE_LEARNING_RATE
    head_learning_rates: dict[str, float] = field(default_factory=dict)
    weight_decay: float = WEIGHT_DECAY
    layer_decay: float = 1.0

    def __post_init__(self) -> None:
        for field_, name, value in (
            (BACKBONE, "The learning rate of the backbone", self.backbone_learning_rate),
            *((k, f"The learning rate of the {part_title(k)}", rate) for k, rate in self.head_learning_rates.items()),
            ("weight_decay", "The weight decay", self.weight_decay),
            ("layer_decay", "The layer-wise decay", self.layer_decay),
        ):
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.0 <= value <= 1.0:
                raise PlanError(f"{name} must be a number from 0 to 1, not {value}.", field_)

    def learning_rate(self, module: str) -> float:
        """Return the rate of the backbone or of a head."""
        if module == BACKBONE:
            return self.backbone_learning_rate
        return self.head_learning_rates.get(module, HEAD_LEARNING_RATE)


@dataclass(frozen=True, slots=True)
class OptimizerGroup:
    """One parameter group as the optimizer gets it.

    Attributes:
        block: what shares the rate, in words: the backbone, a part of it, or a head.
        decays: whether weight decay applies to it.
        parameters: its members.
        learning_rate: 0 to 1, at the height of the schedule.
        weight_decay: 0 to 1; 0 for a group that does not decay.
    """

    block: str
    decays: bool
    parameters: tuple[ParameterSpec, ...]
    learning_rate: float
    weight_decay: float

    @property
    def name(self) -> str:
        return f"{self.block}, {'decay' if self.decays else 'no decay'}"

    @property
    def n_tensors(self) -> int:
        return len(self.parameters)

    @property
    def n_parameters(self) -> int:
        return sum(parameter.n_parameters for parameter in self.parameters)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "n_tensors": self.n_tensors,
            "n_parameters": self.n_parameters,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
        }


@dataclass(frozen=True, slots=True)
class OptimizerPlan:
    """The groups of one optimizer, and warnings in words."""

    groups: tuple[OptimizerGroup, ...]
    warnings: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        return sum(group.n_parameters for group in self.groups)

    def as_dict(self) -> dict[str, Any]:
        return {
            "optimizer": "AdamW",
            "groups": [group.as_dict() for group in self.groups],
            "warnings": list(self.warnings),
        }


def plan_optimizer(
    freezing: FreezingPlan, settings: OptimizerSettings, given: Collection[str] | None = None
) -> OptimizerPlan:
    """Put every trainable parameter into exactly one group.

    Groups without parameters do not exist. With the entity head alone trained, its two tensors part by decay:

        ner_head.linear.weight -> "entity head, decay", ner_head.linear.bias -> "entity head, no decay"

    Args:
        freezing: what trains.
        settings: rates and decay.
        given: names of those, backbone or head, whose rate somebody chose, which is told where they are frozen; None for
            all.
    """
    groups: list[OptimizerGroup] = []
    for block, rate, trainable in _blocks(freezing, settings):
        # A bias or a norm's weight is in the second group of its block, which has the same rate and no decay.
        for decays in (True, False):
            members = tuple(parameter for parameter in trainable if parameter.decays is decays)
            if members:
                groups.append(OptimizerGroup(block, decays, members, rate, settings.weight_decay if decays else 0.0))
    warnings = (
        *_warnings(freezing, settings),
        *_unusual_rates(freezing, settings),
        *_idle_rates(freezing, settings, given),
    )
    return OptimizerPlan(tuple(groups), warnings)


def build_optimizer(model: MultiTaskModel, plan: OptimizerPlan) -> torch.optim.AdamW:
    """Make the AdamW that a plan describes.

    Args:
        model: whose parameters it moves.
        plan: the groups.

    Raises:
        PlanError: the plan has no group, or names a parameter that the model does not have.
    """
    from torch.optim import AdamW

    parameters = dict(model.named_parameters())
    missing = [p.name for group in plan.groups for p in group.parameters if p.name not in parameters]
    if missing:
        raise PlanError(f"The plan was made for another model: this one has no parameter {missing[0]!r}.")
    if not plan.groups:
        raise PlanError("Nothing trains in this plan, so there is nothing to optimize. Unfreeze a part first.")
    return AdamW(
        [
            {
                "params": [parameters[parameter.name] for parameter in group.parameters],
                "name": group.name,
                "block": group.block,
                "lr": group.learning_rate,
                "weight_decay": group.weight_decay,
            }
            for group in plan.groups
        ]
    )


def _blocks(freezing: FreezingPlan, settings: OptimizerSettings) -> Iterator[tuple[str, float, Sequence[ParameterSpec]]]:
    """Part the trainable parameters by what shares a learning rate.

    Yields:
        Block, rate, parameters: of each head, and of the backbone as a whole or, with layer-wise decay, part by part.
    """
    rates = rates_by_part(freezing, settings)
    if settings.layer_decay == 1.0:
        for module, members in _trainable_by_module(freezing).items():
            yield part_title(module), settings.learning_rate(module), members
        return
    for plan in freezing.parts:
        yield part_title(plan.name), rates[plan.name], plan.trainable


def rates_by_part(freezing: FreezingPlan, settings: OptimizerSettings) -> dict[str, float]:
    """Return the learning rate of each part.

    Layer-wise decay multiplies the backbone's rate once for each step down from the heads. With two layers, a rate of
    1e-4 and a decay of 0.5:

        embeddings, layer_0, layer_1 -> 1.25e-5, 2.5e-5, 5e-5

    Args:
        freezing: the parts; a frozen one has the rate that it would have.
        settings: rates and decay.

    Returns:
        By name of the part, lowest first.
    """
    layers = [plan.name for plan in freezing.parts if plan.kind is PartKind.LAYER]
    # Steps down from the heads: the last layer is 1 below them, the first as many as there are layers, the embeddings one
    # more. What else the backbone has (a last norm, a projection) counts as its top, beside the last layer.
    depth = {name: len(layers) - index for index, name in enumerate(layers)}
    depth_by_kind = {PartKind.EMBEDDINGS: len(layers) + 1, PartKind.BACKBONE_REST: 1}

    def rate(plan: PartPlan) -> float:
        if plan.kind is PartKind.HEAD:
            return settings.learning_rate(plan.name)
        steps_down = depth[plan.name] if plan.kind is PartKind.LAYER else depth_by_kind[plan.kind]
        return settings.learning_rate(BACKBONE) * settings.layer_decay**steps_down

    return {plan.name: rate(plan) for plan in freezing.parts}


def _trainable_by_module(freezing: FreezingPlan) -> dict[str, list[ParameterSpec]]:
    modules: dict[str, list[ParameterSpec]] = {}
    for part in freezing.parts:  # a head is a module of its own, all else is the backbone
        module = part.name if part.kind is PartKind.HEAD else BACKBONE
        modules.setdefault(module, []).extend(part.trainable)
    return modules


def _warnings(freezing: FreezingPlan, settings: OptimizerSettings) -> tuple[str, ...]:
    trainable = _trainable_by_module(freezing)
    rates = {module: settings.learning_rate(module) for module in trainable}
    of_parts = rates_by_part(freezing, settings)  # of which a layer-wise decay of 0 leaves nothing to the backbone
    moves = any(of_parts[part.name] for part in freezing.parts if part.kind.in_backbone and part.n_trainable)
    warnings = []
    if not freezing.n_trainable:
        warnings.append("Nothing trains: every parameter is frozen. Unfreeze a part, or add a new output layer.")
    for module, members in trainable.items():
        if not members and module != BACKBONE and moves:
            warnings.append(
                f"The {part_title(module)} is frozen while the backbone under it moves. Its weights stay, but its inputs "
                "change, so its task drifts: freezing a head does not protect its task."
            )
        if members and not (moves if module == BACKBONE else rates[module]):
            warnings.append(f"The {part_title(module)} may train, but its learning rate is 0, so it will not move.")
    return tuple(warnings)


def _unusual_rates(freezing: FreezingPlan, settings: OptimizerSettings) -> Iterator[str]:
    """Warn of rates that erase, or hardly move.

    A step of AdamW moves a weight by about its rate, whatever the size of the gradient, and the weights of a BERT begin
    with a standard deviation of 0.02.
    """
    trainable = {module: members for module, members in _trainable_by_module(freezing).items() if members}
    rates = {module: settings.learning_rate(module) for module in trainable}
    few = [what for what, is_one in _FEW if all(map(is_one, trainable.get(BACKBONE, [])))]
    if BACKBONE in trainable and few and 0 < rates[BACKBONE] < LOW_RATE:
        yield (
            f"At a learning rate of {rates[BACKBONE]:g} the backbone's {few[0]} hardly move in a short run: there are few "
            "of them, so each must go far. 1e-3 is usual."
        )
    high = [f"{part_title(module)} ({rate:g})" for module, rate in rates.items() if rate > HIGH_RATE]
    if high:
        yield (
            f"A learning rate above {HIGH_RATE:g} is set: {', '.join(high)}. Each step moves a weight by about its rate, "
            "and most weights are smaller than 0.1, so a few steps erase what was learned. 1e-5 to 5e-3 is usual."
        )


def _idle_rates(freezing: FreezingPlan, settings: OptimizerSettings, given: Collection[str] | None) -> Iterator[str]:
    frozen = [module for module, members in _trainable_by_module(freezing).items() if not members]
    rates = {module: settings.learning_rate(module) for module in frozen if given is None or module in given}
    idle = [f"{part_title(module)} ({rate:g})" for module, rate in rates.items() if rate]
    if idle:
        yield f"A learning rate is set for what is frozen, and has no effect there: {', '.join(idle)}."
