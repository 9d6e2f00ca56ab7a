"""Two maps of the same sentences laid over one another, and whose true neighbours two models see differently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtdemo.analysis.similarity import normalised
from mtdemo.analysis.vectors.projection import MIN_SENTENCES, project
from mtdemo.results import ArrayRecord, FloatArray

N_CHANGED = 10
_BLOCK = 512  # rows compared at once with all others


@dataclass(frozen=True, slots=True, eq=False)
class AlignedMaps(ArrayRecord):
    """Two maps of sentences, the second fitted to the first.

    It is shifted, turned, mirrored and scaled.

    Attributes:
        one, other: float32 (sentences, 2), each centred and of size 1 in all.
        disparity: the sum of the squared distances that are left, from 0 (the same picture) to 1 (nothing in common).
    """

    one: FloatArray
    other: FloatArray
    disparity: float


@dataclass(frozen=True, slots=True)
class NeighbourChange:
    """A sentence's neighbours that two models do not share.

    Attributes:
        position: of the sentence.
        shared: share of its nearest that both have, 0 to 1.
        only_one, only_other: positions of those that one alone has, the nearest first.
    """

    position: int
    shared: float
    only_one: tuple[int, ...]
    only_other: tuple[int, ...]


def align_maps(one: FloatArray, other: FloatArray) -> AlignedMaps | None:
    """Lay two models' maps by PCA over one another.

    By Procrustes analysis (Gower 1975, https://doi.org/10.1007/BF02291478), as scipy computes it.

    Args:
        one: float32 (sentences, hidden), embeddings by a model.
        other: float32 (sentences, hidden of that one), by another.

    Returns:
        None for fewer than `MIN_SENTENCES`, or where all sentences have one place.
    """
    if len(one) < MIN_SENTENCES:
        return None
    places = [project(embeddings).places.astype(np.float64) for embeddings in (one, other)]
    if not all(np.ptp(each) > 1e-6 for each in places):
        return None
    from scipy.spatial import procrustes

    first, second, disparity = procrustes(*places)
    return AlignedMaps(first.astype(np.float32), second.astype(np.float32), float(disparity))


def compare_neighbours(one: FloatArray, other: FloatArray, n_neighbours: int) -> list[NeighbourChange]:
    """Compare the nearest others of each sentence in both spaces.

    Args:
        one: float32 (sentences, hidden), embeddings by a model.
        other: float32 (sentences, hidden of that one), by another.
        n_neighbours: of each sentence, at least 1 and fewer than there are sentences.

    Returns:
        One for each sentence, in their order.
    """
    pairs = zip(nearest_others(one, n_neighbours).tolist(), nearest_others(other, n_neighbours).tolist(), strict=True)
    return [
        NeighbourChange(
            position,
            len({*first} & {*second}) / n_neighbours,
            tuple(place for place in first if place not in second),
            tuple(place for place in second if place not in first),
        )
        for position, (first, second) in enumerate(pairs)
    ]


def nearest_others(embeddings: FloatArray, n_neighbours: int) -> npt.NDArray[np.int64]:
    """Find the nearest others of each row by cosine.

    Returns:
        Positions, int64 (sentences, n_neighbours), the nearest first.
    """
    unit = normalised(embeddings)
    found = np.empty((len(unit), n_neighbours), np.int64)
    for first in range(0, len(unit), _BLOCK):
        distances = -(unit[first : first + _BLOCK] @ unit.T)
        rows = np.arange(len(distances))
        distances[rows, first + rows] = np.inf
        nearest = np.sort(np.argpartition(distances, n_neighbours - 1, axis=1)[:, :n_neighbours], axis=1)
        order = np.argsort(np.take_along_axis(distances, nearest, axis=1), axis=1, kind="stable")
        found[first : first + _BLOCK] = np.take_along_axis(nearest, order, axis=1)
    return found
