"""Named choices for a plan: what trains in the backbone (`SELECTIONS`), and whole scenarios (`SCENARIOS`).

Both are tables of plain data. To add a scenario, add its row: the page, the endpoint and the command line read this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtdemo.errors import PlanError
from mtdemo.models.parts import ParameterSpec

BACKBONE = "backbone"  # every part of it, where a name of a part is asked for
WEIGHTS, BIASES, ADAPTERS = "weights", "biases", "adapters"


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
    Selection(WEIGHTS, "all weights", lambda parameter: True),
    Selection(BIASES, "biases only (BitFit)", lambda parameter: parameter.is_bias),
    Selection(ADAPTERS, "low-rank adapters (LoRA)", lambda parameter: parameter.is_adapter),
)


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
