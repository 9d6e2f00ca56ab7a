"""Cosine similarity and the pairs that stand out. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtdemo.results import FloatArray, Pair


def cosine_similarity(embeddings: FloatArray) -> FloatArray:
    """Compare every row with every other.

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


def rank_pairs(matrix: FloatArray, n_pairs: int) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """Find the most and the least similar pairs.

    Args:
        matrix: float32 (sentences, sentences), symmetric.
        n_pairs: how many of each at most.

    Returns:
        The most similar pairs, best first, and the least similar ones, worst first; both empty for one sentence.
    """
    first, second = np.triu_indices(len(matrix), k=1)
    values = matrix[first, second]
    order = np.argsort(-values, kind="stable")

    def pairs(positions: np.ndarray) -> tuple[Pair, ...]:
        return tuple(Pair(int(first[p]), int(second[p]), float(values[p])) for p in positions)

    return pairs(order[:n_pairs]), pairs(order[::-1][:n_pairs])


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
