"""A map of embeddings in two or three dimensions, and how far it can be trusted.

Embeddings are brought to length 1 first, so that near means a high cosine. PCA is exact and says how much of the variance
it keeps; t-SNE (van der Maaten & Hinton 2008) and UMAP (McInnes et al. 2018) keep neighbours together and say nothing by
their distances.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np

from mtdemo.analysis.similarity import normalised, rank_by_similarity
from mtdemo.errors import InputError, UnknownNameError
from mtdemo.results import ArrayRecord, FloatArray

MIN_SENTENCES = 4
MAX_NEIGHBOUR_SENTENCES = 3_000  # that t-SNE and UMAP lay out, in one go that cannot be stopped
N_NEIGHBOURS = 10
_MAX_JUDGED = 1_000  # sentences; the judgement compares all of them with all
_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Projection(ArrayRecord):
    """Places of embeddings on a map.

    Attributes:
        method: a key of `METHODS`.
        places: float32 (sentences, 2 or 3).
        explained: share of the variance that each axis keeps, 0 to 1; empty where the axes mean nothing.
        trustworthiness: 0 to 1, falls with every neighbour on the map that is none in the original space; None for few.
        continuity: 0 to 1, falls with every neighbour in the original space that is none on the map (both Venna & Kaski
            2001, https://doi.org/10.1007/3-540-44668-0_68).
        n_neighbours: that both are about.
        n_judged: sentences that both are of.
    """

    method: str
    places: FloatArray
    explained: tuple[float, ...]
    trustworthiness: float | None
    continuity: float | None
    n_neighbours: int
    n_judged: int


def available_methods() -> tuple[str, ...]:
    """List the methods that are installed."""
    return ("PCA", "t-SNE", *(("UMAP",) if importlib.util.find_spec("umap") else ()))


def project(embeddings: FloatArray, method: str = "PCA", n_dimensions: int = 2) -> Projection:
    """Lay embeddings out on a map.

    Args:
        embeddings: float32 (sentences, hidden).
        method: one of `available_methods()`.
        n_dimensions: 2 or 3.

    Raises:
        InputError: fewer than `MIN_SENTENCES`, or more than `MAX_NEIGHBOUR_SENTENCES` for another method than PCA.
        UnknownNameError: there is no such method here.
    """
    n = len(embeddings)
    if method not in available_methods():
        raise UnknownNameError(f"There is no map by {method!r}; there are {', '.join(available_methods())}.")
    if n < MIN_SENTENCES:
        raise InputError(f"A map needs at least {MIN_SENTENCES} sentences; there are {n}.")
    if n > MAX_NEIGHBOUR_SENTENCES and method != "PCA":
        raise InputError(f"{method} lays out at most {MAX_NEIGHBOUR_SENTENCES:,} sentences; use PCA for {n:,}.")
    unit = normalised(embeddings)
    explained: tuple[float, ...] = ()
    if method == "PCA":
        places, explained = _pca(unit, n_dimensions)
    else:
        places = (_tsne if method == "t-SNE" else _umap)(unit, n_dimensions)
    return Projection(method, places.astype(np.float32), explained, *_judge(unit, places))


def find_neighbours(embeddings: FloatArray, position: int, n_neighbours: int = N_NEIGHBOURS) -> list[tuple[int, float]]:
    """Find the nearest others in the original space.

    Args:
        embeddings: float32 (sentences, hidden).
        position: whose neighbours.
        n_neighbours: at most.

    Returns:
        Positions and cosines, the nearest first.
    """
    order = rank_by_similarity(embeddings[position], list(embeddings))
    return [(place, cosine) for place, cosine in order if place != position][:n_neighbours]


def _pca(unit: np.ndarray, n_dimensions: int) -> tuple[np.ndarray, tuple[float, ...]]:
    """Project on the directions of most variance, exactly.

    An axis points to where its largest component is positive, so that the same sentences give the same map.
    """
    centred = unit - unit.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    first = np.argsort(-values)[:n_dimensions]
    chosen = axes[:, first]
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(chosen.shape[1])])
    places = np.zeros((len(unit), n_dimensions))
    places[:, : chosen.shape[1]] = centred @ (chosen * signs)
    total = max(float(values.clip(0).sum()), 1e-12)
    return places, tuple(float(max(values[axis], 0.0)) / total for axis in first)


def _tsne(unit: np.ndarray, n_dimensions: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(unit) - 1) / 3)
    method = TSNE(n_dimensions, perplexity=perplexity, init="pca", random_state=_SEED)
    return np.asarray(method.fit_transform(unit.astype(np.float32)))


def _umap(unit: np.ndarray, n_dimensions: int) -> np.ndarray:
    from umap import UMAP

    n_neighbours = min(15, len(unit) - 1)
    method = UMAP(n_neighbours, n_dimensions, metric="cosine", random_state=_SEED, init="pca")
    return np.asarray(method.fit_transform(unit.astype(np.float32)))


def _judge(unit: np.ndarray, places: np.ndarray) -> tuple[float | None, float | None, int, int]:
    """Compare neighbours on the map with true ones."""
    spread = slice(None, None, -(-len(unit) // _MAX_JUDGED))  # over the whole file
    original, drawn = unit[spread], places[spread]
    n = len(original)
    n_neighbours = min(N_NEIGHBOURS, (n - 1) // 2)
    if 2 * n - 3 * n_neighbours - 1 <= 0 or n_neighbours < 1:
        return None, None, n_neighbours, n
    from sklearn.manifold import trustworthiness

    trust = trustworthiness(original, drawn, n_neighbors=n_neighbours)
    continuity = trustworthiness(drawn, original, n_neighbors=n_neighbours)
    return float(trust), float(continuity), n_neighbours, n
