"""Which words carry each answer: every word is hidden in turn, and all heads are asked at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtdemo.analysis.explanation.deletion import DeletionCheck, can_check, check_order, draw_orders, first_words
from mtdemo.analysis.explanation.reading import NOTHING, Hidden, Reader, Readings
from mtdemo.analysis.explanation.targets import ENTITY, Target, fate, list_targets, measure
from mtdemo.results import ArrayRecord, FloatArray, SentenceAnalysis
from mtdemo.text.masking import Word


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion(ArrayRecord):
    """Effects of every word on every answer.

    Attributes:
        analysis: of the whole sentence.
        words: of the sentence.
        targets: the answers.
        effects: float32 (answers, words): how much of the answer is lost where the word is hidden: 1 - cosine for the
            embedding, the fall of the probability for a class or an entity. Negative where the answer gains.
        labels: the likeliest class where each word is hidden.
        fates: per entity among the answers, what became of it where each word is hidden: `kept`, `changed` or `lost`.
        n_found: entities found elsewhere where each word is hidden.
        checks: per answer, whether the words that matter most matter; None for a single word.
        n_readings: how often the sentence was read, with this or that hidden.
    """

    analysis: SentenceAnalysis
    words: tuple[Word, ...]
    targets: tuple[Target, ...]
    effects: FloatArray
    labels: tuple[str, ...]
    fates: tuple[tuple[str, ...], ...]
    n_found: tuple[int, ...]
    checks: tuple[DeletionCheck | None, ...]
    n_readings: int

    @property
    def ranked(self) -> list[int]:
        """Positions of words, that with the largest effect first."""
        return [int(place) for place in np.argsort(-np.abs(self.effects).max(axis=0), kind="stable")]

    def fate_of(self, target: int, word: int) -> str:
        """Say what became of an answer without a word.

        Returns:
            For an entity `kept`, `changed` or `lost`; for the class the label; for the embedding nothing.
        """
        its = self.targets[target]
        if its.kind != ENTITY:
            return self.labels[word] if its.label else ""
        first = next(place for place, one in enumerate(self.targets) if one.kind == ENTITY)
        return self.fates[target - first][word]

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.analysis.text,
            "label": self.analysis.label,
            "answers": [
                {**target.as_dict(), "check": check.as_dict() if check else None}
                for target, check in zip(self.targets, self.checks, strict=True)
            ],
            "words": [
                {
                    **word.as_dict(),
                    "effects": self.effects[:, place].tolist(),
                    "label": self.labels[place],
                    "fates": [fates[place] for fates in self.fates],
                    "n_found": self.n_found[place],
                }
                for place, word in enumerate(self.words)
            ],
        }


def occlude(reader: Reader) -> Occlusion:
    """Hide every word in turn, and check what that says.

    The first batch has the sentence, its words one by one and the random orders of the check; the second the orders that
    follow from it.

    Args:
        reader: reads the sentence.
    """
    words, readings = reader.words, Readings(reader)
    singles = [frozenset({place}) for place in range(len(words))]
    orders = draw_orders(len(words)) if can_check(len(words)) else []
    readings.read([NOTHING, *singles, *(hidden for order in orders for hidden in first_words(order))])
    whole = readings.whole
    targets = list_targets(whole, words, reader.types)
    effects = np.array(
        [[fall(target, readings, single) for single in singles] for target in targets], dtype=np.float32
    ).reshape(len(targets), len(words))
    entities = [target for target in targets if target.kind == ENTITY]
    found = whole.analysis.entities
    return Occlusion(
        analysis=whole.analysis,
        words=words,
        targets=targets,
        effects=effects,
        labels=tuple(readings[single].analysis.label for single in singles),
        fates=tuple(
            tuple(fate(target, entity, readings[single]) for single in singles)
            for target, entity in zip(entities, found, strict=False)  # at most so many are explained
        ),
        n_found=tuple(_count_elsewhere(readings[single].analysis, whole.analysis) for single in singles),
        checks=check_effects(readings, targets, effects),
        n_readings=len(readings),
    )


def fall(target: Target, readings: Readings, hidden: Hidden) -> float:
    """Measure how much of an answer is lost without words."""
    return target.value - measure(target, readings.whole, readings[hidden])


def check_effects(readings: Readings, targets: Sequence[Target], effects: FloatArray) -> tuple[DeletionCheck | None, ...]:
    """Check the order of words of each answer, reading once.

    Args:
        readings: of the sentence; what the checks lack is read.
        targets: the answers.
        effects: float32 (answers, words).

    Returns:
        One check per answer; None for a single word, which has no order.
    """
    if not can_check(effects.shape[1]):
        return (None,) * len(targets)
    ranked = [[int(place) for place in np.argsort(-its, kind="stable")] for its in effects]
    random_orders = draw_orders(effects.shape[1])
    readings.read(hidden for order in (*ranked, *random_orders) for hidden in first_words(order))

    def check(target: Target, order: Sequence[int]) -> DeletionCheck:
        return check_order(order, lambda hidden: fall(target, readings, hidden))

    return tuple(check(target, order) for target, order in zip(targets, ranked, strict=True))


def _count_elsewhere(one: SentenceAnalysis, whole: SentenceAnalysis) -> int:
    """Count entities that touch none of the whole sentence."""
    return sum(
        not any(entity.start < other.end and other.start < entity.end for other in whole.entities)
        for entity in one.entities
    )
