"""The answers of two models to the same sentences: where they differ, and whether their embeddings rank pairs alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtdemo.analysis.similarity import MAX_MATRIX, normalised
from mtdemo.analysis.vectors.alignment import N_CHANGED, NeighbourChange, compare_neighbours
from mtdemo.analysis.vectors.background import draw_pairs
from mtdemo.results import Analysis, Entity, FloatArray, ModelInfo, SentenceAnalysis

N_NEIGHBOURS = 10
_MAX_PAIRS = 200_000
_BLOCK = 10_000  # of them


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The answers of two models to one sentence.

    Attributes:
        position: of the sentence.
        classes: that each model gives; None where these cannot be compared.
        distance: half the sum of the differences of the class probabilities, 0 to 1; None where they cannot be compared.
        only_one, only_other: entities that one model alone finds.
        shared_neighbours: share of the nearest others that both models have in common, 0 to 1; None where it was not
            counted.
    """

    position: int
    classes: tuple[str, str] | None
    distance: float | None
    only_one: tuple[Entity, ...]
    only_other: tuple[Entity, ...]
    shared_neighbours: float | None

    @property
    def changes_class(self) -> bool:
        return self.classes is not None and self.classes[0] != self.classes[1]

    @property
    def changes_entities(self) -> bool:
        return bool(self.only_one or self.only_other)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answers of two models to the same sentences.

    Attributes:
        rows: of every sentence, the largest disagreement first: those of class and entities, then those of probability.
        rank_correlation: Spearman's, of the cosines of all pairs; None for fewer than three sentences or no variance.
        mean_cosines: of these pairs, for each model: its anisotropy; None where there is no correlation.
        n_pairs: that both are of; of more, so many are drawn at random.
        n_neighbours: that `shared_neighbours` is about.
        changed: those whose true neighbours changed most, the most changed first; at most `N_CHANGED`.
        compares_classes, compares_entities: whether both heads were trained, and on labels that they share.
    """

    rows: tuple[Disagreement, ...]
    rank_correlation: float | None
    mean_cosines: tuple[float, float] | None
    n_pairs: int
    n_neighbours: int
    changed: tuple[NeighbourChange, ...]
    compares_classes: bool
    compares_entities: bool

    @property
    def n_class_changes(self) -> int:
        return sum(row.changes_class for row in self.rows)

    @property
    def n_entity_changes(self) -> int:
        """Sentences in which the models find other entities."""
        return sum(row.changes_entities for row in self.rows)

    @property
    def shared_neighbours(self) -> float | None:
        """The mean over the sentences."""
        shares = [row.shared_neighbours for row in self.rows if row.shared_neighbours is not None]
        return sum(shares) / len(shares) if shares else None


def compare_answers(one: Analysis, other: Analysis) -> Agreement:
    """Compare the answers of two models.

    Args:
        one: sentences, by a model.
        other: the same sentences, by another.
    """
    with_classes, with_entities = share_classes(one.model, other.model), share_entities(one.model, other.model)
    correlation, means, n_pairs = _correlate(one, other)
    n_neighbours = min(N_NEIGHBOURS, (len(one) - 1) // 2)
    changes = compare_neighbours(one.embeddings, other.embeddings, n_neighbours) if n_neighbours else []
    shares: list[float | None] = [change.shared for change in changes] or [None] * len(one)
    rows = [
        _disagreement(position, pair, share, with_classes, with_entities)
        for position, (pair, share) in enumerate(zip(zip(one, other, strict=True), shares, strict=True))
    ]
    changed = sorted((change for change in changes if change.shared < 1), key=lambda change: change.shared)[:N_CHANGED]
    rows.sort(key=lambda row: (-(row.changes_class + row.changes_entities), -(row.distance or 0.0), row.position))
    return Agreement(tuple(rows), correlation, means, n_pairs, n_neighbours, tuple(changed), with_classes, with_entities)


def share_classes(one: ModelInfo, other: ModelInfo) -> bool:
    """Tell whether two models were taught the same classes."""
    return one.classifies and other.classifies and {*one.class_labels} == {*other.class_labels}


def share_entities(one: ModelInfo, other: ModelInfo) -> bool:
    """Tell whether two models were taught an entity type alike."""
    return one.finds_entities and other.finds_entities and bool({*one.entity_types} & {*other.entity_types})


def _disagreement(
    position: int,
    pair: tuple[SentenceAnalysis, SentenceAnalysis],
    shared: float | None,
    with_classes: bool,
    with_entities: bool,
) -> Disagreement:
    one, other = pair
    spans, other_spans = {*one.entity_spans}, {*other.entity_spans}
    return Disagreement(
        position,
        (one.label, other.label) if with_classes else None,
        _distance(one.probabilities, other.probabilities) if with_classes else None,
        tuple(e for e in one.entities if (e.start, e.end, e.label) not in other_spans) if with_entities else (),
        tuple(e for e in other.entities if (e.start, e.end, e.label) not in spans) if with_entities else (),
        shared,
    )


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the total variation distance of two distributions."""
    return sum(abs(one[name] - other[name]) for name in one) / 2


def _correlate(one: Analysis, other: Analysis) -> tuple[float | None, tuple[float, float] | None, int]:
    """Correlate the cosines of pairs by their ranks.

    Returns:
        Spearman's correlation, the mean cosine of each model, and the number of pairs.
    """
    if len(one) < 3:
        return None, None, 0
    ours, theirs = cosines_of_pairs(one.embeddings), cosines_of_pairs(other.embeddings)
    correlation = correlate_ranks(ours, theirs)
    return correlation, None if correlation is None else (float(ours.mean()), float(theirs.mean())), len(ours)


def cosines_of_pairs(embeddings: FloatArray) -> npt.NDArray[np.float64]:
    """Compute the cosines of all pairs, or of many.

    Args:
        embeddings: float32 (sentences, hidden), at least two.

    Returns:
        Of at most 200,000 pairs, the same ones for each model; rounded, so that equal ones tie.
    """
    unit = normalised(embeddings)
    first, second = draw_pairs(len(unit), _MAX_PAIRS)
    if len(unit) <= MAX_MATRIX:
        return np.asarray((unit @ unit.T)[first, second]).round(7)
    found = np.empty(len(first))
    for start in range(0, len(first), _BLOCK):
        block = slice(start, start + _BLOCK)
        found[block] = np.einsum("ph,ph->p", unit[first[block]], unit[second[block]])
    return found.round(7)


def correlate_ranks(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float | None:
    """Return Spearman's correlation; None where one side is constant."""
    if not (np.ptp(one) and np.ptp(other)):
        return None
    ranks = [np.asarray(pd.Series(values).rank(), dtype=np.float64) for values in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
