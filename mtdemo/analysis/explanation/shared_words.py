"""Two sentences: which words of one make it similar to which words of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdemo.analysis.explanation.deletion import DeletionCheck, can_check, check_order, draw_orders, first_words
from mtdemo.analysis.explanation.reading import NOTHING, Hidden, Reader, Readings
from mtdemo.results import ArrayRecord, FloatArray, SentenceAnalysis
from mtdemo.text.masking import Word

Float64Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sentences.

    Attributes:
        analysis: of the whole sentence.
        words: of it.
        effects: how much the cosine falls where each word is hidden.
        check: whether the words with the largest effect matter most; None for a single word.
    """

    analysis: SentenceAnalysis
    words: tuple[Word, ...]
    effects: tuple[float, ...]
    check: DeletionCheck | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.analysis.text,
            "words": [{**word.as_dict(), "effect": effect} for word, effect in zip(self.words, self.effects, strict=True)],
            "check": self.check.as_dict() if self.check else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class SharedWords(ArrayRecord):
    """Why two sentences are as similar as they are.

    Attributes:
        cosine: of their embeddings, -1 to 1.
        first: one.
        second: the other.
        together: float32 (words of the first, words of the second): the part of the cosine that both words make together,
            `cos - cos without one - cos without the other + cos without both`. Positive where one needs the other.
    """

    cosine: float
    first: Side
    second: Side
    together: FloatArray

    @property
    def pairs(self) -> list[tuple[int, int, float]]:
        """Pairs of words, those that share most first."""
        order = np.argsort(-self.together, axis=None, kind="stable")
        places = zip(*np.unravel_index(order, self.together.shape), strict=True)
        return [(int(one), int(other), float(self.together[one, other])) for one, other in places]

    def as_dict(self) -> dict[str, Any]:
        return {
            "cosine": self.cosine,
            "first": self.first.as_dict(),
            "second": self.second.as_dict(),
            "together": self.together.tolist(),
        }


def share_words(first: Reader, second: Reader) -> SharedWords:
    """Hide words of two sentences and compare the rest.

    Each sentence is read once for each of its words, so n + m readings give all n × m pairs.

    Args:
        first: reads one sentence.
        second: reads the other, by the same model.
    """
    sides = [_read(reader) for reader in (first, second)]
    singles = [[NOTHING, *(frozenset({place}) for place in range(len(reader.words)))] for reader in (first, second)]
    ours, theirs = (
        np.stack([_unit(side[hidden].analysis) for hidden in its]) for side, its in zip(sides, singles, strict=True)
    )
    cosines = ours @ theirs.T  # row and column 0: nothing hidden
    whole = float(cosines[0, 0])
    together = whole - cosines[1:, :1] - cosines[:1, 1:] + cosines[1:, 1:]
    return SharedWords(
        whole,
        _side(first, sides[0], theirs[0], whole, cosines[1:, 0]),
        _side(second, sides[1], ours[0], whole, cosines[0, 1:]),
        together.astype(np.float32),
    )


def _read(reader: Reader) -> Readings:
    """Read a sentence with each word hidden in turn."""
    n_words, readings = len(reader.words), Readings(reader)
    orders = draw_orders(n_words) if can_check(n_words) else []
    singles = [frozenset({place}) for place in range(n_words)]
    readings.read([NOTHING, *singles, *(hidden for order in orders for hidden in first_words(order))])
    return readings


def _side(reader: Reader, readings: Readings, other: Float64Array, whole: float, without: Float64Array) -> Side:
    effects = [whole - float(cosine) for cosine in without]
    check = None
    if can_check(len(effects)):
        order = [int(place) for place in np.argsort([-effect for effect in effects], kind="stable")]
        readings.read(first_words(order))

        def fall(hidden: Hidden) -> float:
            return whole - float(_unit(readings[hidden].analysis) @ other)

        check = check_order(order, fall)
    return Side(readings.whole.analysis, reader.words, tuple(effects), check)


def _unit(analysis: SentenceAnalysis) -> Float64Array:
    unit: Float64Array = analysis.embedding.astype(np.float64) / max(analysis.norm, 1e-12)
    return unit
