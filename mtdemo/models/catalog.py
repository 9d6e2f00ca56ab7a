"""Models that the app offers by name, and the shapes of those that can be planned for without their weights."""

from __future__ import annotations

from dataclasses import dataclass

from mtdemo.config import EMBEDDED, Settings
from mtdemo.errors import UnknownNameError
from mtdemo.results import FrozenDict


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A row of the catalogue.

    Attributes:
        id: `embedded`, or an id of the hub.
        title: as a person reads it.
        shape: the configuration of its BERT backbone, where it differs from BERT base; the embedded one has its own.
        expectation: what to know before loading it.
    """

    id: str
    title: str
    shape: FrozenDict[int]
    expectation: str


_POOR_SIMILARITY = (
    "its two heads are new and **untrained**, so classes and entities are left out; and the mean of its hidden states is "
    "a poor sentence embedding by nature: {quality} on the STS benchmark, against 0.82 for the base of the embedded model. "
    "It is downloaded from the hub ({size})."
)

KNOWN_MODELS = (
    KnownModel(
        EMBEDDED,
        "Embedded MiniLM (6 layers)",
        FrozenDict({}),
        "The checkpoint that ships with this project. Nothing is downloaded, and both heads are trained.",
    ),
    KnownModel(
        "bert-base-uncased",
        "bert-base-uncased (12 layers)",
        FrozenDict({}),
        "Before you load it: "
        + _POOR_SIMILARITY.format(quality="0.46 to 0.47 in the literature (Spearman)", size="about 440 MB"),
    ),
    KnownModel(
        "bert-large-uncased",
        "bert-large-uncased (24 layers)",
        FrozenDict({"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096, "num_attention_heads": 16}),
        "Before you load it: "
        + _POOR_SIMILARITY.format(quality="no better than bert-base-uncased's 0.46 to 0.47", size="about 1.3 GB"),
    ),
)


def find_model(model_id: str) -> KnownModel:
    """Look a catalogued model up by its id.

    Raises:
        UnknownNameError: it is not in the catalogue; the message lists the ids.
    """
    for known in KNOWN_MODELS:
        if known.id == model_id:
            return known
    ids = ", ".join(known.id for known in KNOWN_MODELS)
    raise UnknownNameError(f"There is no backbone {model_id!r} to plan for; there are {ids}.")


def allowed_models(settings: Settings) -> tuple[str, ...] | None:
    """Return the ids that visitors may load; None for any."""
    if not settings.hub_models:
        return (EMBEDDED,)
    if settings.allowed_models == "*":
        return None
    listed = [name.strip() for name in settings.allowed_models.split(",") if name.strip()]
    known = [known.id for known in KNOWN_MODELS] if "known" in listed else [EMBEDDED]
    return tuple(dict.fromkeys([*known, *(name for name in listed if name != "known")]))
