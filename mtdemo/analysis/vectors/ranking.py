"""Sentences in the order of their cosine to a query, and those that nearly repeat one another."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtdemo.analysis.similarity import normalised, rank_by_similarity
from mtdemo.results import ArrayRecord, FloatArray, Pair

N_BINS = 40
MAX_PAIRS = 200  # near-duplicates that are listed; all are counted
_BLOCK = 1_024  # rows compared at once with all others: 40 MB of float32 for 10,000


@dataclass(frozen=True, slots=True, eq=False)
class Ranking(ArrayRecord):
    """Positions of sentences by their cosine to a query.

    Attributes:
        positions: int64 (sentences,), the nearest first; equal ones in their given order.
        cosines: float32 (sentences,), -1 to 1, in that order.
    """

    positions: npt.NDArray[np.int64]
    cosines: FloatArray

    def histogram(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Count cosines in bins of equal width, as NumPy does.

        Returns:
            Counts (bins,) and edges (bins + 1,), from the least cosine to the greatest.
        """
        counts, edges = np.histogram(self.cosines, bins=N_BINS)
        return counts, edges


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Pairs of sentences whose cosine reaches a threshold.

    Attributes:
        threshold: -1 to 1.
        pairs: the most similar ones, at most `MAX_PAIRS`, most similar first.
        n_pairs: how many there are in all.
    """

    threshold: float
    pairs: tuple[Pair, ...]
    n_pairs: int


def rank(query: FloatArray, embeddings: FloatArray) -> Ranking:
    """Order embeddings by their cosine to a query.

    Args:
        query: float32 (hidden,).
        embeddings: float32 (sentences, hidden), at least one.
    """
    order = rank_by_similarity(query, list(embeddings))
    return Ranking(np.array([place for place, _ in order]), np.array([cosine for _, cosine in order], np.float32))


def find_duplicates(embeddings: FloatArray, threshold: float) -> Duplicates:
    """Find pairs with at least a cosine, within bounds.

    Args:
        embeddings: float32 (sentences, hidden).
        threshold: -1 to 1.
    """
    unit = normalised(embeddings).astype(np.float32)
    n_pairs = 0
    best: list[tuple[float, int, int]] = []
    for first in range(0, len(unit), _BLOCK):
        cosines = np.clip(unit[first : first + _BLOCK] @ unit[first:].T, -1.0, 1.0)
        rows, columns = np.nonzero(np.triu(cosines >= threshold, k=1))
        n_pairs += len(rows)
        values = cosines[rows, columns]
        kept = np.argsort(-values, kind="stable")[:MAX_PAIRS]
        found = [(-float(values[k]), int(rows[k]) + first, int(columns[k]) + first) for k in kept]
        best = heapq.nsmallest(MAX_PAIRS, [*best, *found])
    return Duplicates(threshold, tuple(Pair(a, b, -negative) for negative, a, b in best), n_pairs)
