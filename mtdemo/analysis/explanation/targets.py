"""The answers that words are held responsible for: embedding, class, each entity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtdemo.analysis.explanation.reading import Reading
from mtdemo.results import Entity
from mtdemo.text.masking import Word

MAX_ENTITIES = 8  # of a sentence that are explained, the first ones
EMBEDDING, CLASS, ENTITY = "embedding", "class", "entity"


@dataclass(frozen=True, slots=True)
class Target:
    """An answer about a sentence.

    Attributes:
        kind: `embedding`, `class` or `entity`.
        title: what people call it, such as `Paris LOC`.
        value: of the whole sentence: 1 for the embedding, a probability of a class or an entity, 0 to 1.
        label: the class or the entity type.
        words: positions of an entity's words.
        type_index: of the entity type, `O` being 0.
    """

    kind: str
    title: str
    value: float
    label: str = ""
    words: tuple[int, ...] = ()
    type_index: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "title": self.title, "value": self.value}


def list_targets(whole: Reading, words: Sequence[Word], types: Sequence[str]) -> tuple[Target, ...]:
    """List the answers about a sentence that can be explained.

    Args:
        whole: the sentence with nothing hidden.
        words: of it.
        types: the entity types, `O` first.

    Returns:
        The embedding, the likeliest class and at most `MAX_ENTITIES` entities.
    """
    label = whole.analysis.label
    probability = whole.analysis.probabilities[label]
    entities = (target_of(entity, words, types) for entity in whole.analysis.entities[:MAX_ENTITIES])
    return (
        Target(EMBEDDING, EMBEDDING, 1.0),
        Target(CLASS, f"{CLASS} {label}", probability, label),
        *entities,
    )


def target_of(entity: Entity, words: Sequence[Word], types: Sequence[str]) -> Target:
    """Make an entity a target."""
    its = tuple(position for position, word in enumerate(words) if word.start < entity.end and entity.start < word.end)
    title = f"{entity.text} {entity.label}"
    return Target(ENTITY, title, entity.score, entity.label, its, list(types).index(entity.label))


def measure(target: Target, whole: Reading, reading: Reading) -> float:
    """Measure how much of an answer is left.

    Args:
        target: the answer.
        whole: the sentence with nothing hidden.
        reading: the sentence with words hidden.

    Returns:
        For the embedding its cosine to that of the whole, -1 to 1. For a class its probability. For an entity the mean
        probability of its type over its words, as its score is, also where the decoder does not find it any more.
    """
    return _MEASURES[target.kind](target, whole, reading)


def _cosine(target: Target, whole: Reading, reading: Reading) -> float:
    return whole.analysis.cosine_to(reading.analysis)


def _class_probability(target: Target, whole: Reading, reading: Reading) -> float:
    return reading.analysis.probabilities[target.label]


def _span_probability(target: Target, whole: Reading, reading: Reading) -> float:
    return float(np.mean(reading.by_word[list(target.words), target.type_index]))


_MEASURES: dict[str, Callable[[Target, Reading, Reading], float]] = {
    EMBEDDING: _cosine,
    CLASS: _class_probability,
    ENTITY: _span_probability,
}


def fate(target: Target, entity: Entity, reading: Reading) -> str:
    """Say what became of an entity: `kept`, `changed` or `lost`.

    Args:
        target: the entity.
        entity: the same.
        reading: the sentence with words hidden.
    """
    touching = [one for one in reading.analysis.entities if one.start < entity.end and entity.start < one.end]
    if any((one.start, one.end, one.label) == (entity.start, entity.end, target.label) for one in touching):
        return "kept"
    return "changed" if touching else "lost"
