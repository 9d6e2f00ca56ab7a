"""Named choices for a plan: what trains in the backbone (`SELECTIONS`), and whole scenarios (`SCENARIOS`).

Both are tables of plain data, which the page, the endpoint and the command line read. To add a scenario, add its row.
A scenario fills the whole plan, which can be changed by hand afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtdemo.errors import UnknownNameError
from mtdemo.models.parts import HEADS, Head, ParameterSpec

BACKBONE = "backbone"  # every part of it, where a name of a part is asked for
WEIGHTS, BIASES, ADAPTERS = "weights", "biases", "adapters"
_TRAINED_HEADS = tuple(head for head in HEADS if head.name != "output_layer")  # those that every model has


@dataclass(frozen=True, slots=True)
class Selection:
    """The parameters that train in a part of the backbone.

    Attributes:
        name: as the endpoint and a saved plan take it.
        title: as a person reads it.
        takes: whether a parameter trains.
    """

    name: str
    title: str
    takes: Callable[[ParameterSpec], bool]


def _takes_all(parameter: ParameterSpec) -> bool:
    return True


def _takes_biases(parameter: ParameterSpec) -> bool:
    return parameter.is_bias


def _takes_adapters(parameter: ParameterSpec) -> bool:
    return parameter.is_adapter


SELECTIONS = (  # named functions, since a lambda cannot be pickled
    Selection(WEIGHTS, "all weights", _takes_all),
    Selection(BIASES, "biases only (BitFit)", _takes_biases),
    Selection(ADAPTERS, "low-rank adapters (LoRA)", _takes_adapters),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named choice that fills a plan.

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


def _freeze_head(head: Head) -> Scenario:
    """Make the scenario in which one head is frozen."""
    others = " and ".join(f"the {other.title}" for other in _TRAINED_HEADS if other is not head)
    return Scenario(
        f"freeze_{head.name}",
        f"Freeze the {head.title}",
        f"The backbone and {others} learn; the {head.title} must cope with hidden states that move.",
        (head.name,),
    )


_WHOLE_NETWORK = (BACKBONE, *(head.name for head in _TRAINED_HEADS))

SCENARIOS = (
    Scenario("train_everything", "Train everything", "Fine-tuning: every weight may move. Most capacity, most memory.", ()),
    Scenario(
        "freeze_network",
        "Freeze the whole network",
        "Nothing moves, unless a new output layer is added: then it alone trains, on fixed sentence embeddings.",
        _WHOLE_NETWORK,
    ),
    Scenario(
        "freeze_backbone",
        "Freeze the backbone",
        "Feature extraction: both heads learn on fixed hidden states, which need to be computed only once.",
        (BACKBONE,),
    ),
    *(_freeze_head(head) for head in _TRAINED_HEADS),
    Scenario(
        "new_output_layer",
        "New output layer only",
        "A fresh linear layer, one output per class, learns on fixed sentence embeddings; the network and its heads stay.",
        _WHOLE_NETWORK,
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
        UnknownNameError: there is no such scenario; the message lists them.
    """
    for scenario in SCENARIOS:
        if str(name).strip().lower() in (scenario.name, scenario.title.lower()):
            return scenario
    raise UnknownNameError(f"There is no scenario {name!r}; there are {', '.join(s.name for s in SCENARIOS)}.")


def find_selection(name: str) -> Selection:
    """Look a selection up by its name.

    Raises:
        UnknownNameError: there is no such selection; the message lists them.
    """
    for selection in SELECTIONS:
        if name == selection.name:
            return selection
    known = ", ".join(selection.name for selection in SELECTIONS)
    raise UnknownNameError(f"What trains in the backbone is one of {known}, not {name!r}.")
