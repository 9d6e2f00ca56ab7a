"""The scale of a model's cosines: those of pairs of sentences that have nothing to do with each other.

Each model has a scale of its own: in one, unrelated sentences have a cosine near 0, in another near 0.7, so that a cosine
says something only beside those of other pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtdemo.analysis.similarity import normalised
from mtdemo.results import ArrayRecord, FloatArray

MAX_PAIRS = 5_000
MIN_SENTENCES = 3
_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Background(ArrayRecord):
    """Cosines of pairs of sentences taken at random.

    Attributes:
        cosines: float32 (pairs,), -1 to 1, ascending.
        n_sentences: that the pairs are of.
        source: whose sentences these are, in words.
    """

    cosines: FloatArray
    n_sentences: int
    source: str

    @property
    def anisotropy(self) -> float:
        """The mean cosine of random pairs, -1 to 1.

        0 where directions are used evenly; near 1 where all embeddings lie in a narrow cone (Ethayarajh 2019,
        https://aclanthology.org/D19-1006).
        """
        return float(self.cosines.mean(dtype=np.float64))

    def percentiles(self) -> dict[str, float]:
        """Return the cosines below which so many percent are."""
        return {str(percent): float(np.percentile(self.cosines, percent)) for percent in (1, 5, 25, 50, 75, 95, 99)}

    def percentile(self, cosine: float) -> float:
        """Return the percent (0 to 100) of lower pairs.

        Pairs with exactly that cosine count half, as in `scipy.stats.percentileofscore(kind="mean")`.
        """
        wanted = np.float32(cosine)
        sides = [int(np.searchsorted(self.cosines, wanted, "left")), int(np.searchsorted(self.cosines, wanted, "right"))]
        return 50.0 * sum(sides) / len(self.cosines)

    def phrase(self, cosine: float) -> str:
        """Say where a cosine stands: `above 98% of pairs`."""
        percent = self.percentile(cosine)
        if percent >= 100:
            return "above all random pairs"
        return f"above {int(percent)}% of random pairs" if percent < 99 else f"above {_floor(percent)}% of random pairs"

    def as_dict(self) -> dict[str, object]:
        return {
            "anisotropy": self.anisotropy,
            "n_pairs": len(self.cosines),
            "n_sentences": self.n_sentences,
            "source": self.source,
        }


def measure_background(embeddings: FloatArray, source: str, max_pairs: int = MAX_PAIRS) -> Background:
    """Measure the cosines of pairs of different rows.

    Args:
        embeddings: float32 (sentences, hidden), at least `MIN_SENTENCES`, of sentences that differ.
        source: whose sentences these are, in words.
        max_pairs: all pairs where there are not more, else as many drawn at random (with a fixed seed, without repeats).

    Raises:
        ValueError: too few rows.
    """
    n = len(embeddings)
    if n < MIN_SENTENCES:
        raise ValueError(f"A scale needs at least {MIN_SENTENCES} sentences, not {n}.")
    unit = normalised(embeddings)
    first, second = draw_pairs(n, max_pairs)
    cosines = np.clip(np.einsum("ph,ph->p", unit[first], unit[second]), -1.0, 1.0)
    return Background(np.sort(cosines).astype(np.float32), n, source)


def draw_pairs(n: int, max_pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions of pairs, the first below the second."""
    n_pairs = n * (n - 1) // 2
    if n_pairs <= max_pairs:
        return np.triu_indices(n, k=1)
    drawn: np.ndarray = np.array([], dtype=np.int64)
    generator = np.random.default_rng(_SEED)
    while len(drawn) < max_pairs:
        both = np.sort(generator.integers(n, size=(2 * max_pairs, 2)), axis=1)
        both = both[both[:, 0] < both[:, 1]]
        drawn = np.unique(np.concatenate([drawn, both[:, 0] * n + both[:, 1]]))
    drawn = generator.permutation(drawn)[:max_pairs]
    return drawn // n, drawn % n


def _floor(percent: float) -> str:
    """Write a percent, not rounding up: `99.96 -> 99.9`."""
    return f"{int(10 * percent) / 10:g}"
