"""Counts by row that the scores of tasks are made of, so that rows can be drawn again.

Each task has a tally, an array with an entry per row, and a score of such an array: that of all entries is the score of
`mtdemo.evaluation.metrics`, and that of entries drawn at random is what other rows might have given.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mtdemo.data.records import TaggedSentence
from mtdemo.evaluation.metrics import compared_spans, rank_correlation
from mtdemo.results import SentenceAnalysis

Tally: TypeAlias = npt.NDArray[np.float64]


def tally_entities(
    gold: Sequence[TaggedSentence], predicted: Sequence[SentenceAnalysis], ignored: Collection[str] = ()
) -> Tally:
    """Count entities of each sentence, as `score_entities` does.

    Returns:
        (sentences, 3): right, predicted and gold ones.
    """
    rows = []
    for sentence, answer in zip(gold, predicted, strict=True):
        expected, found = compared_spans(sentence, answer, ignored)
        rows.append((len(found.intersection(expected)), len(found), len(expected)))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def tally_types(gold: Sequence[TaggedSentence], predicted: Sequence[SentenceAnalysis], types: Sequence[str]) -> Tally:
    """Count entities of each sentence by type.

    Returns:
        (sentences, types and one more, 3): right, predicted and gold ones of each type, and last of all together.
    """
    counts = np.zeros((len(gold), len(types) + 1, 3))
    places = {name: place for place, name in enumerate(types)}
    for row, sentence, answer in zip(counts, gold, predicted, strict=True):
        expected, found = compared_spans(sentence, answer)
        for column, spans in enumerate((found.intersection(expected), found, expected)):
            for span in spans:
                row[places[span[2]], column] += 1
    counts[:, -1] = counts.sum(axis=1)
    return counts


def type_scores(tally: Tally) -> Tally:
    """Return precision, recall and F1 of each type.

    Returns:
        Each type's three, one after the other; not a number where there is nothing to divide by.
    """
    right, predicted, gold = np.moveaxis(tally.sum(axis=0), -1, 0)
    divisors = np.stack([predicted, gold, (predicted + gold) / 2], axis=-1)
    return np.asarray(np.divide(right[:, None], divisors, out=np.full_like(divisors, np.nan), where=divisors > 0)).ravel()


def entity_f1(tally: Tally) -> float:
    """Return F1 over all entities; 0 without any."""
    return float(_f1(tally.sum(axis=0)))


def tally_classes(gold: Sequence[str], predicted: Sequence[str]) -> Tally:
    """Mark each sentence's gold and predicted class.

    Returns:
        (sentences, classes, 3): whether the class is right, predicted and gold, for the classes that are gold somewhere.
    """
    labels = np.array(sorted(set(gold)))
    is_gold = np.asarray(gold)[:, None] == labels
    is_predicted = np.asarray(predicted)[:, None] == labels
    return np.stack([is_gold & is_predicted, is_predicted, is_gold], axis=-1).astype(np.float64)


def macro_f1(tally: Tally) -> float:
    """Return the mean F1 of the classes."""
    return float(_f1(tally.sum(axis=0)).mean())


def tally_pairs(ratings: Sequence[float], first: Sequence[SentenceAnalysis], second: Sequence[SentenceAnalysis]) -> Tally:
    """Put ratings and cosines side by side: (pairs, 2)."""
    cosines = [a.cosine_to(b) for a, b in zip(first, second, strict=True)]
    return np.stack([np.asarray(ratings, dtype=np.float64), np.asarray(cosines, dtype=np.float64)], axis=-1)


def spearman(tally: Tally) -> float:
    """Correlate ratings and cosines; NaN where one is constant."""
    return rank_correlation(tally[:, 0], tally[:, 1])


def _f1(counts: Tally) -> Tally:
    """F1 of right, predicted and gold counts, the last axis."""
    in_all = counts[..., 1] + counts[..., 2]
    return np.asarray(2 * counts[..., 0] / np.maximum(1, in_all))
