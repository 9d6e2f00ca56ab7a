"""Groups of embeddings with the words that set them apart, and an order in which like stands beside like."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtdemo.analysis.similarity import normalised
from mtdemo.errors import InputError
from mtdemo.results import FloatArray

MAX_CLUSTERS = 20
N_WORDS = 6
_MIN_LETTERS = 2
_SURE = 0.75  # standard errors by which a word must be commoner in its cluster
_SEED = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Sentences whose embeddings lie together.

    Attributes:
        members: positions, the most central first.
        words: that are commoner in it than in all others, the surest first.
        cohesion: mean cosine to the middle of the cluster, -1 to 1.
    """

    members: tuple[int, ...]
    words: tuple[str, ...]
    cohesion: float


def find_clusters(embeddings: FloatArray, texts: Sequence[str], n_clusters: int) -> tuple[Cluster, ...]:
    """Group embeddings by k-means on their directions.

    Args:
        embeddings: float32 (sentences, hidden).
        texts: the sentences.
        n_clusters: how many groups, 1 to `MAX_CLUSTERS`; fewer come where fewer embeddings differ.

    Returns:
        The largest first.

    Raises:
        InputError: another number of groups, or more groups than sentences.
    """
    if not 1 <= n_clusters <= min(MAX_CLUSTERS, len(texts)):
        raise InputError(f"{len(texts):,} sentences make 1 to {min(MAX_CLUSTERS, len(texts))} clusters, not {n_clusters}.")
    from sklearn.cluster import KMeans

    unit = normalised(embeddings)
    n_different = len(np.unique(unit.round(6), axis=0))
    labels = KMeans(min(n_clusters, n_different), n_init=4, random_state=_SEED).fit(unit).labels_
    groups = sorted((np.flatnonzero(labels == number) for number in np.unique(labels)), key=lambda g: (-len(g), g[0]))
    words = set_apart(texts, groups)
    return tuple(_cluster(unit, group, its_words) for group, its_words in zip(groups, words, strict=True))


def _cluster(unit: np.ndarray, group: npt.NDArray[np.int64], words: tuple[str, ...]) -> Cluster:
    middle = normalised(unit[group].mean(axis=0, keepdims=True))[0]
    cosines = unit[group] @ middle
    members = group[np.argsort(-cosines, kind="stable")]
    return Cluster(tuple(members.tolist()), words, float(cosines.mean()))


def set_apart(texts: Sequence[str], groups: Sequence[Sequence[int] | npt.NDArray[np.int64]]) -> list[tuple[str, ...]]:
    """Find the words that set groups of sentences apart.

    By the log-odds ratio with an informative Dirichlet prior, in standard errors (Monroe et al. 2008,
    https://doi.org/10.1093/pan/mpn018). A word counts once per sentence, and is named where several of a group have it;
    scikit-learn's list of English function words is left out.

    Args:
        texts: all sentences.
        groups: positions of each group, which part them.

    Returns:
        At most `N_WORDS` words of each group.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    counts = [Counter(w for place in group for w in _words(texts[place]) - ENGLISH_STOP_WORDS) for group in groups]
    everywhere: Counter[str] = sum(counts, Counter())
    n_words = everywhere.total()
    found = []
    for group, count in zip(groups, counts, strict=True):
        n_here, scores = count.total(), {}
        for word, n in count.items():
            here, there = n + everywhere[word], 2 * everywhere[word] - n
            difference = _log_odds(here, n_here + n_words) - _log_odds(there, 2 * n_words - n_here)
            if n >= min(2, len(group)):
                scores[word] = difference / math.sqrt(1 / here + 1 / there)
        best = sorted((word for word in scores if scores[word] >= _SURE), key=lambda word: (-scores[word], word))
        found.append(tuple(best[:N_WORDS]))
    return found


def _log_odds(n: int, n_in_all: int) -> float:
    return math.log(n / max(n_in_all - n, 0.5))


def order_by_similarity(matrix: FloatArray) -> list[int]:
    """Order sentences so that similar ones stand side by side.

    By the leaves of average-linkage clustering, in the order that keeps neighbours most alike (Bar-Joseph et al. 2001,
    https://doi.org/10.1093/bioinformatics/17.suppl_1.S22).

    Args:
        matrix: float32 (sentences, sentences), cosines.

    Returns:
        Each position once.
    """
    n = len(matrix)
    if n < 3:
        return list(range(n))
    from scipy.cluster.hierarchy import leaves_list, linkage

    distances = np.clip(1.0 - np.asarray(matrix, dtype=np.float64)[np.triu_indices(n, k=1)], 0.0, 2.0)
    return [int(place) for place in leaves_list(linkage(distances, "average", optimal_ordering=True))]


def _words(text: str) -> set[str]:
    """Different words of a sentence, in lower case."""
    cleaned = "".join(c if c.isalpha() or c in "'’-" else " " for c in text.lower())
    return {word for part in cleaned.split() if len(word := part.strip("'’-")) >= _MIN_LETTERS}
