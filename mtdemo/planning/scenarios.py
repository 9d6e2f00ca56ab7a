"""Named choices for a plan: what trains in the backbone, at which rates, and whole scenarios.

`SELECTIONS`, `STARTING_RATES` and `SCENARIOS` are tables of plain data, which the page, the endpoint and the command line
read. To add a scenario, add its row. A scenario fills the whole plan, rates included, which can be changed by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mtdemo.errors import UnknownNameError
from mtdemo.models.parts import HEADS, Head, ParameterSpec

BACKBONE = "backbone"  # every part of it, where a name of a part is asked for
WEIGHTS, BIASES, ADAPTERS = "weights", "biases", "adapters"
BACKBONE_LEARNING_RATE, HEAD_LEARNING_RATE = 2e-5, 3e-4  # those of the reference, for a BERT
_NARROW = 512  # hidden sizes below it are those of small models
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
class StartingRates:
    """Learning rates that a scenario begins with.

    `python -m benchmarks.presets` measures what they do in the laboratory's own run.

    Attributes:
        is_narrow: whether they are for backbones with a hidden size below 512, such as MiniLM, or for wider ones.
        selection: what trains in the backbone, by the name of a `Selection`.
        backbone, heads: the rates, 0 to 1.
        reason: why they are what they are, for a person.
    """

    is_narrow: bool
    selection: str
    backbone: float
    heads: float
    reason: str


STARTING_RATES = (
    StartingRates(
        False,
        WEIGHTS,
        BACKBONE_LEARNING_RATE,
        HEAD_LEARNING_RATE,
        "BERT was fine-tuned at 2e-5 to 5e-5 (Devlin et al. 2019); new heads learn from nothing, so they get far more.",
    ),
    StartingRates(
        False,
        BIASES,
        1e-3,
        HEAD_LEARNING_RATE,
        "Biases alone need rates from 1e-4 to 1e-3 (Ben Zaken et al. 2022): there are few of them, so each must move far.",
    ),
    StartingRates(
        False,
        ADAPTERS,
        1e-3,
        HEAD_LEARNING_RATE,
        "Adapters begin as 0 and are learned from nothing; 2e-4 to 1e-3 is usual (Hu et al. 2022).",
    ),
    StartingRates(
        True,
        WEIGHTS,
        2e-4,
        3e-3,
        "A narrow model takes, and needs, about ten times the rates of a BERT to learn in few steps.",
    ),
    StartingRates(
        True, BIASES, 5e-3, 3e-3, "Biases are few, so each must move far; a narrow model needs more than BERT's 1e-3."
    ),
    StartingRates(
        True, ADAPTERS, 3e-3, 3e-3, "Adapters are learned from nothing; a narrow model needs more than BERT's 1e-3."
    ),
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
        "The heads and only the biases of the backbone: 0.1 % of it (Ben Zaken et al. 2022).",
        (),
        selection=BIASES,
    ),
    Scenario(
        "low_rank_adapters",
        "Low-rank adapters (LoRA)",
        "The heads, and small matrices beside frozen ones (Hu et al. 2022), merged into them at the end.",
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


def starting_rates(scenario: Scenario, hidden_size: int) -> StartingRates:
    """Look up the rates that a scenario begins with.

    Args:
        scenario: which trains something of the backbone, or only heads.
        hidden_size: of the backbone.
    """
    is_narrow = hidden_size < _NARROW
    return next(row for row in STARTING_RATES if (row.is_narrow, row.selection) == (is_narrow, scenario.selection))


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
