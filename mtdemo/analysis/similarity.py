"""Cosine similarity of all with all in bounded memory: the pairs that stand out, each sentence's nearest. Pure numpy."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdemo.results import Analysis, ArrayRecord, FloatArray, Pair

MAX_MATRIX = 1_000  # sentences, whose cosines are kept as a matrix; those of more are looked at in blocks
N_PAIRS = 5
_BLOCK = 512  # rows compared at once with all others: 41 MB for 10,000


@dataclass(frozen=True, slots=True, eq=False)
class Similarity(ArrayRecord):
    """Cosine similarity of every sentence with every other.

    Attributes:
        analysis: the sentences.
        matrix: float32 (sentences, sentences), symmetric, ones on the diagonal; of very many sentences, of the first of
            them (`MAX_MATRIX`).
        most_similar, least_similar: pairs of different positions, the most extreme first; empty for a single sentence.
        nearest: int64 (sentences,), the position of each sentence's nearest other that the model can read; -1 where there
            is none.
        nearest_cosines: float32 (sentences,), of each to that one.
    """

    analysis: Analysis
    matrix: FloatArray
    most_similar: tuple[Pair, ...]
    least_similar: tuple[Pair, ...]
    nearest: npt.NDArray[np.int64]
    nearest_cosines: FloatArray

    @property
    def neighbours(self) -> list[tuple[int, float] | None]:
        """Each sentence's nearest other, as position and cosine."""
        found = zip(self.nearest.tolist(), self.nearest_cosines.tolist(), strict=True)
        return [(position, cosine) if position >= 0 else None for position, cosine in found]

    def as_dict(self) -> dict[str, Any]:
        return {
            "sentences": [sentence.length_as_dict() for sentence in self.analysis],
            "similarity": self.matrix.tolist(),
            "most_similar": [pair.as_dict() for pair in self.most_similar],
            "least_similar": [pair.as_dict() for pair in self.least_similar],
        }


def compare_all(analysis: Analysis, n_pairs: int = N_PAIRS) -> Similarity:
    """Compare every sentence with every other.

    Of more than `MAX_MATRIX` the matrix is that of the first of them; pairs and nearest are those of all.

    Args:
        analysis: the sentences.
        n_pairs: how many of the most and of the least similar pairs, at most.
    """
    embeddings = analysis.embeddings
    readable = np.array([not sentence.reading_of("embedding").is_hardly_readable for sentence in analysis])
    most, least = rank_pairs(embeddings, n_pairs)
    nearest, cosines = find_nearest(embeddings, readable)
    return Similarity(analysis, cosine_similarity(embeddings[:MAX_MATRIX]), most, least, nearest, cosines)


def cosine_similarity(embeddings: FloatArray) -> FloatArray:
    """Compare every row with every other, as a matrix.

    Args:
        embeddings: float32 (sentences, hidden). A zero vector has similarity 0 with everything else.

    Returns:
        float32 (sentences, sentences), -1 to 1, exactly symmetric, exactly 1 on the diagonal.
    """
    unit = normalised(embeddings)
    matrix = np.clip(unit @ unit.T, -1.0, 1.0)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    similarity: FloatArray = matrix.astype(np.float32)
    return similarity


def rank_pairs(embeddings: FloatArray, n_pairs: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Find the most and the least similar pairs.

    Args:
        embeddings: float32 (sentences, hidden).
        n_pairs: how many of each at most.

    Returns:
        The most similar pairs, best first, and the least similar ones, worst first; both empty for one sentence.
    """
    best: dict[int, list[tuple[float, int, int]]] = {1: [], -1: []}
    for first, cosines in _blocks(normalised(embeddings)):
        for sign, known in best.items():
            values = sign * cosines
            values[np.tril_indices(len(values))] = -np.inf  # each pair once, none with itself
            best[sign] = heapq.nsmallest(n_pairs, [*known, *_largest(values, known, first, n_pairs)])
    most, least = (tuple(Pair(a, b, -sign * value) for value, a, b in found) for sign, found in best.items())
    return most, least


def find_nearest(
    embeddings: FloatArray, readable: npt.NDArray[np.bool_] | None = None
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Find the nearest other of each row.

    Args:
        embeddings: float32 (sentences, hidden).
        readable: bool (sentences,), whether a row is compared at all; all are by default.

    Returns:
        Positions, int64 (sentences,), the first of equal ones, -1 where there is no other; and cosines, float32.
    """
    unit = normalised(embeddings)
    kept = np.arange(len(unit)) if readable is None else np.flatnonzero(readable)
    best, place = np.full(len(kept), -np.inf), np.full(len(kept), -1)
    for first, cosines in _blocks(unit[kept]):
        cosines[np.tril_indices(len(cosines))] = -np.inf
        for values in (cosines.T, cosines):  # those before a row, then those behind it
            rows = first + np.arange(len(values))
            other = values.argmax(axis=1)
            value = values[np.arange(len(values)), other]
            nearer = value > best[rows]
            best[rows[nearer]], place[rows[nearer]] = value[nearer], first + other[nearer]
    positions, nearest = np.full(len(unit), -1), np.zeros(len(unit), np.float32)
    found = place >= 0
    positions[kept[found]], nearest[kept[found]] = kept[place[found]], best[found]
    return positions, nearest


def rank_by_similarity(query: FloatArray, embeddings: Sequence[FloatArray]) -> list[tuple[int, float]]:
    """Order embeddings by their cosine to a query.

    Args:
        query: float32 (hidden,).
        embeddings: of the same width each.

    Returns:
        Position and cosine (-1 to 1) of each, best first; those that are equal in their given order.
    """
    unit = normalised(np.stack([query, *embeddings]))
    cosines = np.clip(unit[1:] @ unit[0], -1.0, 1.0)
    return [(int(place), float(cosines[place])) for place in np.argsort(-cosines, kind="stable")]


def normalised(embeddings: FloatArray) -> npt.NDArray[np.float64]:
    """Divide rows by their length; zeros stay zeros."""
    rows = embeddings.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    normalised: npt.NDArray[np.float64] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return normalised


def _blocks(unit: npt.NDArray[np.float64]) -> Iterator[tuple[int, FloatArray]]:
    """Yield the first row of each block, and its cosines.

    To the rows from that one on: those to earlier rows were in earlier blocks.
    """
    for first in range(0, len(unit), _BLOCK):
        yield first, np.clip(unit[first : first + _BLOCK] @ unit[first:].T, -1.0, 1.0).astype(np.float32)


def _largest(
    values: FloatArray, known: list[tuple[float, int, int]], first: int, n_pairs: int
) -> list[tuple[float, int, int]]:
    """Find a block's largest values that beat what is known."""
    flat = values.ravel()
    n = min(n_pairs, flat.size)
    if len(known) < n_pairs:
        places = np.flatnonzero(flat >= np.partition(flat, -n)[-n])
    else:
        places = np.flatnonzero(flat > -known[-1][0])
    places = places[np.argsort(-flat[places], kind="stable")[:n]]
    rows, columns = np.unravel_index(places, values.shape)
    found = zip(flat[places].tolist(), rows.tolist(), columns.tolist(), strict=True)
    return [(-value, first + row, first + column) for value, row, column in found if value > -np.inf]
