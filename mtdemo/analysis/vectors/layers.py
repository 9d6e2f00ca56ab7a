"""Embeddings of the same sentences by layer and pooling, measured beside the one that a model uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mtdemo.analysis.vectors.agreement import N_NEIGHBOURS, correlate_ranks, cosines_of_pairs
from mtdemo.analysis.vectors.alignment import nearest_others
from mtdemo.errors import InputError
from mtdemo.results import FloatArray

MIN_SENTENCES = 3


@dataclass(frozen=True, slots=True)
class EmbeddingMeasures:
    """Measures of an embedding.

    Attributes:
        pooling: how hidden states become a vector; empty for all that the model's makers meant.
        layer: after which they are read, from 1.
        anisotropy: the mean cosine of random pairs, -1 to 1 (Ethayarajh 2019, https://aclanthology.org/D19-1006).
        rank_correlation: Spearman's, of the cosines of pairs with those of the embedding that the model uses, -1 to 1;
            None where all cosines are equal.
        label_agreement: of each labelled sentence's nearest labelled others, the share with its label, the mean, 0 to 1;
            None without labels.
    """

    pooling: str
    layer: int
    anisotropy: float
    rank_correlation: float | None
    label_agreement: float | None


@dataclass(frozen=True, slots=True)
class LayerComparison:
    """Embeddings by layer and pooling.

    Attributes:
        own: that of the model.
        rows: all others, layer by layer.
        n_sentences: that were read.
        n_pairs: that cosines are of.
        n_neighbours: that the agreement is of; 0 without labels.
        n_labelled: sentences with a label.
        chance: the agreement that neighbours at random would have; None without labels.
    """

    own: EmbeddingMeasures
    rows: tuple[EmbeddingMeasures, ...]
    n_sentences: int
    n_pairs: int
    n_neighbours: int
    n_labelled: int
    chance: float | None

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}


def compare_layers(
    own: FloatArray, last_layer: int, others: Mapping[tuple[str, int], FloatArray], labels: Sequence[str] = ()
) -> LayerComparison:
    """Measure embeddings of the same sentences.

    Args:
        own: float32 (sentences, width), the embedding that the model uses.
        last_layer: after which that is read.
        others: float32 (sentences, hidden) each, by pooling and layer.
        labels: of the sentences, empty where one has none; none at all where there are no labels.

    Raises:
        InputError: fewer than `MIN_SENTENCES`.
    """
    if len(own) < MIN_SENTENCES:
        raise InputError(f"Layers are compared on at least {MIN_SENTENCES} sentences; there are {len(own)}.")
    reference = cosines_of_pairs(own)
    labelled = np.array([place for place, label in enumerate(labels) if label], dtype=np.int64)
    names = np.array([labels[place] for place in labelled])
    n_neighbours = min(N_NEIGHBOURS, (len(labelled) - 1) // 2) if len(labelled) >= MIN_SENTENCES else 0

    def measure(pooling: str, layer: int, embeddings: FloatArray) -> EmbeddingMeasures:
        cosines = cosines_of_pairs(embeddings)
        agreement = None
        if n_neighbours:
            nearest = nearest_others(embeddings[labelled], n_neighbours)
            agreement = float((names[nearest] == names[:, None]).mean())
        return EmbeddingMeasures(pooling, layer, float(cosines.mean()), correlate_ranks(reference, cosines), agreement)

    rows = tuple(measure(pooling, layer, embeddings) for (pooling, layer), embeddings in others.items())
    chance = _same_by_chance(names.tolist()) if n_neighbours else None
    its_own = measure("", last_layer, own)
    return LayerComparison(its_own, rows, len(own), len(reference), n_neighbours, len(labelled), chance)


def _same_by_chance(labels: Sequence[str]) -> float:
    """Return the share of pairs that have one label."""
    n = len(labels)
    return sum(count * (count - 1) for count in Counter(labels).values()) / (n * (n - 1))
