"""A map of embeddings in two or three dimensions, and how far it can be trusted.

Embeddings are brought to length 1 first, so that near means a high cosine. PCA is exact and says how much of the variance
it keeps; t-SNE (van der Maaten & Hinton 2008) and UMAP (McInnes et al. 2018) keep neighbours together and say nothing by
their distances. Both can be followed and stopped; t-SNE is computed in steps by openTSNE (Poličar et al. 2024).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mtdemo.analysis.similarity import normalised, rank_by_similarity
from mtdemo.analysis.vectors.umap_steps import lay_out_by_umap
from mtdemo.errors import InputError, UnknownNameError
from mtdemo.results import ArrayRecord, FloatArray

MIN_SENTENCES = 4
MAX_UMAP_SENTENCES = 3_000  # since one that nobody follows any more still runs to its end
N_NEIGHBOURS = 10
_MAX_JUDGED = 1_000  # sentences; the judgement compares all of them with all
_SEED = 0
_STEP = 25  # iterations of t-SNE
_PHASES = ((250, {"exaggeration": 12, "momentum": 0.5}), (500, {"momentum": 0.8}))  # as its makers set them

Steps = Generator[tuple[int, int], None, "Projection"]
Result = TypeVar("Result")


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
    """Lay embeddings out on a map, as `project_in_steps`."""
    return finish(project_in_steps(embeddings, method, n_dimensions))


def finish(steps: Generator[object, None, Result]) -> Result:
    """Take all steps of a generator; return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def project_in_steps(embeddings: FloatArray, method: str = "PCA", n_dimensions: int = 2) -> Steps:
    """Lay embeddings out on a map, step by step.

    Args:
        embeddings: float32 (sentences, hidden).
        method: one of `available_methods()`.
        n_dimensions: 2 or 3.

    Yields:
        Iterations done and iterations in all, for a method that has them. Who wants no more of it asks for no more.

    Returns:
        The map.

    Raises:
        InputError: fewer than `MIN_SENTENCES`, or more than `MAX_UMAP_SENTENCES` for UMAP.
        UnknownNameError: there is no such method here.
    """
    n = len(embeddings)
    if method not in available_methods():
        raise UnknownNameError(f"There is no map by {method!r}; there are {', '.join(available_methods())}.")
    if n < MIN_SENTENCES:
        raise InputError(f"A map needs at least {MIN_SENTENCES} sentences; there are {n}.")
    if n > MAX_UMAP_SENTENCES and method == "UMAP":
        raise InputError(f"UMAP lays out at most {MAX_UMAP_SENTENCES:,} sentences; use PCA or t-SNE for {n:,}.")
    unit = normalised(embeddings)
    explained: tuple[float, ...] = ()
    if method == "PCA":
        places, explained = _pca(unit, n_dimensions)
    elif method == "UMAP":
        places = yield from lay_out_by_umap(unit.astype(np.float32), n_dimensions, min(15, n - 1), _SEED)
    else:
        places = yield from _tsne(unit, n_dimensions)
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


def _tsne(unit: np.ndarray, n_dimensions: int) -> Generator[tuple[int, int], None, np.ndarray]:
    """Lay out by t-SNE, from PCA.

    On one core, so that it is the same each time.
    """
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN

    perplexity = min(30.0, (len(unit) - 1) / 3)
    affinities = PerplexityBasedNN(unit.astype(np.float32), perplexity, n_jobs=1, random_state=_SEED)
    start, _ = _pca(unit, n_dimensions)
    start = 1e-4 * start / max(float(start[:, 0].std()), 1e-12)
    start += np.random.default_rng(_SEED).normal(scale=1e-6, size=start.shape)  # equal places would never part
    places = TSNEEmbedding(start, affinities, n_jobs=1, random_state=_SEED)
    done, total = 0, sum(n for n, _ in _PHASES)
    for n, settings in _PHASES:
        rate = max(200.0, len(unit) / settings.get("exaggeration", 1))  # the default leaves few sentences where they began
        for _ in range(n // _STEP):
            yield done, total
            places.optimize(_STEP, learning_rate=rate, inplace=True, **settings)
            done += _STEP
    return np.array(places)


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
