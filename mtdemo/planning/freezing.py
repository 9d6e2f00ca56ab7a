"""Which parameters train: scenarios, the plan they make over a model's parts, and how a plan is applied.

`plan_freezing` is pure and is what the panel shows; only training calls `apply_freezing`. A scenario is a row of
`SCENARIOS` and fills the whole plan, which can be changed by hand afterwards: which parts train, what of the backbone's
parts trains (a row of `SELECTIONS`), whether they are unfrozen one by one, whether a new output layer is added.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from mtdemo.errors import PlanError
from mtdemo.models.parts import ParameterSpec, Part, PartKind, Parts

if TYPE_CHECKING:
    from mtdemo.models.multitask import MultiTaskModel

State = Literal["none", "partial", "all"]
BACKBONE = "backbone"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which parameters train in those parts of the backbone that train at all.

    Attributes:
        name: as the endpoint and a saved plan take it.
        title: as a person reads it.
        takes: whether a parameter trains.
    """

    name: str
    title: str
    takes: Callable[[ParameterSpec], bool]


SELECTIONS = (
    Selection("weights", "all weights", lambda parameter: True),
    Selection("biases", "biases only (BitFit)", lambda parameter: parameter.is_bias),
    Selection("adapters", "low-rank adapters (LoRA)", lambda parameter: parameter.is_adapter),
)
WEIGHTS, BIASES, ADAPTERS = (selection.name for selection in SELECTIONS)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named choice of what is frozen, which fills a plan.

    Attributes:
        name: as the endpoint and the command line take it.
        title: as a person reads it.
        hint: one sentence on what it is for.
        frozen: names of frozen parts; `backbone` means every part of it.
        selection: what trains in the backbone's other parts, by the name of a `Selection`.
        gradual: whether the backbone's parts begin to train one after the other, the last layer first.
        new_output_layer: whether a new linear layer over the sentence embedding is added.
    """

    name: str
    title: str
    hint: str
    frozen: tuple[str, ...]
    selection: str = WEIGHTS
    gradual: bool = False
    new_output_layer: bool = False


SCENARIOS = (
    Scenario("train_everything", "Train everything", "Fine-tuning: every weight may move. Most capacity, most memory.", ()),
    Scenario(
        "freeze_network",
        "Freeze the whole network",
        "Nothing moves, unless a new output layer is added: then it alone trains, on fixed sentence embeddings.",
        (BACKBONE, "classification_head", "ner_head"),
    ),
    Scenario(
        "freeze_backbone",
        "Freeze the backbone",
        "Feature extraction: both heads learn on fixed hidden states, which need to be computed only once.",
        (BACKBONE,),
    ),
    Scenario(
        "freeze_classification_head",
        "Freeze the classification head",
        "The backbone and the entity head learn; the classification head must cope with hidden states that move.",
        ("classification_head",),
    ),
    Scenario(
        "freeze_ner_head",
        "Freeze the entity head",
        "The backbone and the classification head learn; the entity head must cope with hidden states that move.",
        ("ner_head",),
    ),
    Scenario(
        "new_output_layer",
        "New output layer only",
        "A fresh linear layer of 3 classes learns on fixed sentence embeddings; the network and its heads stay.",
        (BACKBONE, "classification_head", "ner_head"),
        new_output_layer=True,
    ),
    Scenario(
        "gradual_unfreezing",
        "Gradual unfreezing",
        "First the heads alone, then the last layer too, then one more below it at a time (Howard & Ruder 2018, ULMFiT).",
        (),
        gradual=True,
    ),
    Scenario(
        "biases_only",
        "Biases only (BitFit)",
        "The heads and only the biases of the backbone: 0.1 % of it (Ben Zaken et al. 2022). It wants a rate near 1e-3.",
        (),
        selection=BIASES,
    ),
    Scenario(
        "low_rank_adapters",
        "Low-rank adapters (LoRA)",
        "The heads, and small matrices beside frozen ones (Hu et al. 2022), merged into them at the end. They want a rate "
        "near 1e-3.",
        ("embeddings",),
        selection=ADAPTERS,
    ),
)


@dataclass(frozen=True, slots=True)
class PartPlan:
    """A part and those of its parameters that train."""

    part: Part
    trainable: tuple[ParameterSpec, ...]

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
        """Whether none, some or all of the part trains."""
        return _state(self.n_trainable, self.n_parameters)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.part.name,
            "kind": self.part.kind.value,
            "n_parameters": self.n_parameters,
            "n_trainable": self.n_trainable,
            "n_frozen": self.n_frozen,
            "trains": self.state,
        }


@dataclass(frozen=True, slots=True)
class FreezingPlan:
    """What trains, part by part, lowest first."""

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
        """0 to 1."""
        return self.n_trainable / self.n_parameters if self.n_parameters else 0.0

    @property
    def backbone_state(self) -> State:
        """Whether none, some or all of the backbone trains."""
        backbone = [part for part in self.parts if part.part.kind.in_backbone]
        return _state(sum(part.n_trainable for part in backbone), sum(part.n_parameters for part in backbone))

    @property
    def trainable_names(self) -> frozenset[str]:
        """Full names of the parameters that train."""
        return frozenset(parameter.name for part in self.parts for parameter in part.trainable)

    def limited_to(self, names: Collection[str]) -> FreezingPlan:
        """The plan in which, of all parts, only the named ones train."""
        return FreezingPlan(tuple(part if part.part.name in names else replace(part, trainable=()) for part in self.parts))

    def as_dict(self) -> dict[str, Any]:
        return {
            "n_parameters": self.n_parameters,
            "n_trainable": self.n_trainable,
            "n_frozen": self.n_frozen,
            "trainable_share": self.trainable_share,
            "parts": [part.as_dict() for part in self.parts],
        }


def find_scenario(name: str) -> Scenario:
    """Look a scenario up by its name or its title.

    Raises:
        PlanError: there is no such scenario; the message lists them.
    """
    for scenario in SCENARIOS:
        if str(name).strip().lower() in (scenario.name, scenario.title.lower()):
            return scenario
    raise PlanError(f"There is no scenario {name!r}; there are {', '.join(s.name for s in SCENARIOS)}.")


def find_selection(name: str) -> Selection:
    """Look a selection up by its name.

    Raises:
        PlanError: there is no such selection; the message lists them.
    """
    for selection in SELECTIONS:
        if name == selection.name:
            return selection
    known = ", ".join(selection.name for selection in SELECTIONS)
    raise PlanError(f"What trains in the backbone is one of {known}, not {name!r}.")


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
        PlanError: a name that is no part of this model; the message lists the parts.
    """
    known = {BACKBONE, *(part.name for part in parts)}
    unknown = sorted(set(frozen) - known)
    if unknown:
        raise PlanError(f"There is no part {unknown[0]!r}; the parts are {', '.join(part.name for part in parts)}.")
    return tuple(
        part.name for part in parts if part.name not in frozen and not (part.kind.in_backbone and BACKBONE in frozen)
    )


def plan_freezing(
    parts: Parts, trainable: Collection[str], selection: str = WEIGHTS, parameters: Collection[str] = ()
) -> FreezingPlan:
    """Plan to train exactly the named parts. Pure: no model is touched.

    Args:
        parts: the model's declaration.
        trainable: names of the parts that train: heads as a whole, parts of the backbone as `selection` says.
        selection: what trains in them, by the name of a `Selection`.
        parameters: full names of single parameters that train in addition, in whatever part they are.

    Raises:
        PlanError: a name that is not a part of this model, or no selection; the message lists what there is.
    """
    unknown = sorted(set(trainable) - {part.name for part in parts})
    if unknown:
        raise PlanError(f"There is no part {unknown[0]!r}; the parts are {', '.join(part.name for part in parts)}.")
    selected = find_selection(selection).takes

    def trains(part: Part, parameter: ParameterSpec) -> bool:
        chosen = part.name in trainable and (selected(parameter) or not part.kind.in_backbone)
        return chosen or parameter.name in parameters

    return FreezingPlan(tuple(PartPlan(part, tuple(p for p in part.parameters if trains(part, p))) for part in parts))


def apply_freezing(model: MultiTaskModel, plan: FreezingPlan) -> None:
    """Set `requires_grad` of every parameter, both ways, to what the plan says, and drop gradients left on frozen ones."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in plan.trainable_names)
        if not parameter.requires_grad:
            parameter.grad = None  # AdamW would go on decaying a weight with a stale gradient


def _state(n_trainable: int, n_parameters: int) -> State:
    if n_trainable == 0:
        return "none"
    return "all" if n_trainable == n_parameters else "partial"
