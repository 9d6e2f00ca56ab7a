"""How good predictions are: entities, classes and similarity against what people say. Pure arithmetic.

Entities are compared as the literature does (Tjong Kim Sang & De Meulder 2003, https://aclanthology.org/W03-0419): an
entity is right when type, first and last token are. Gold entities are counted as conlleval and seqeval count them, touching
ones of one type apart (`mtdemo.text.tags.tag_spans`), whatever the labels of the model can tell.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtdemo.data.records import TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.results import Entity, FrozenDict, SentenceAnalysis
from mtdemo.text.tags import TagSpan, tag_spans


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and F1 over `support` gold items.

    Each is 0 to 1, and 0 where undefined.
    """

    precision: float
    recall: float
    f1: float
    support: int

    @classmethod
    def from_counts(cls, n_right: int, n_predicted: int, n_gold: int) -> Score:
        """Count right, predicted and gold items into a score."""
        return cls(
            n_right / n_predicted if n_predicted else 0.0,
            n_right / n_gold if n_gold else 0.0,
            2 * n_right / (n_predicted + n_gold) if n_predicted + n_gold else 0.0,
            n_gold,
        )


@dataclass(frozen=True, slots=True)
class EntityScores:
    """Entity-level scores, over all entities (micro average) and per type.

    Attributes:
        precision, recall, f1: 0 to 1, over all entities.
        per_label: of each type.
        n_sentences: how many were read.
        n_touching: gold entities that directly follow another of their type; IO labels cannot tell them apart.
    """

    precision: float
    recall: float
    f1: float
    per_label: dict[str, Score]
    n_sentences: int
    n_touching: int = 0

    @property
    def main(self) -> float:
        """The score that stands for the task."""
        return self.f1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Accuracy, and the mean F1 of the classes.

    The mean is unweighted, over the classes that the sentences have.
    """

    accuracy: float
    macro_f1: float
    per_label: dict[str, Score]
    n_sentences: int

    @property
    def main(self) -> float:
        """The score that stands for the task."""
        return self.macro_f1

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SimilarityScores:
    """Correlation of cosine similarity with people's ratings.

    Each is -1 to 1, and no number where all cosines are equal.
    """

    spearman: float
    pearson: float
    n_pairs: int

    @property
    def main(self) -> float:
        """The score that stands for the task."""
        return self.spearman

    def as_dict(self) -> dict[str, Any]:
        """Give the fields as JSON, None for no number."""
        return {name: value if math.isfinite(value) else None for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Validation:
    """The scores of a model on held-out sets.

    Where the rows name their sources every source counts alike, whatever its size. None stands for a task without a set.

    Attributes:
        entity_f1: 0 to 1, over all entities of a source, the mean over the sources.
        macro_f1: 0 to 1, the mean over the classes that a source has, and over the sources.
        spearman: -1 to 1, of cosine similarity with people's ratings.
        output_f1: 0 to 1, as macro_f1, of a new output layer with the classes' names.
        entity_f1_by_source, macro_f1_by_source: of each source; empty where the rows name none.
    """

    entity_f1: float | None = None
    macro_f1: float | None = None
    spearman: float | None = None
    output_f1: float | None = None
    entity_f1_by_source: FrozenDict[float] = field(default_factory=lambda: FrozenDict({}))
    macro_f1_by_source: FrozenDict[float] = field(default_factory=lambda: FrozenDict({}))

    @property
    def selection_metric(self) -> float:
        """The mean of the scores, which the best weights have."""
        scores = (self.entity_f1, self.macro_f1, self.spearman, self.output_f1)
        known = [value for value in scores if value is not None]
        return sum(known) / len(known)

    @property
    def phrase(self) -> str:
        """The scores, with their worst and their best source."""
        named: tuple[tuple[str, float | None, Mapping[str, float]], ...] = (
            ("entity F1", self.entity_f1, self.entity_f1_by_source),
            ("class F1", self.macro_f1, self.macro_f1_by_source),
            ("similarity", self.spearman, {}),
            ("output layer F1", self.output_f1, {}),
        )
        return ", ".join(f"{name} {value:.3f}{_range(sources)}" for name, value, sources in named if value is not None)

    def as_dict(self) -> dict[str, Any]:
        by_source = (("entities", self.entity_f1_by_source), ("classes", self.macro_f1_by_source))
        return {
            "entity_f1": self.entity_f1,
            "macro_f1": self.macro_f1,
            "spearman": self.spearman,
            "output_f1": self.output_f1,
            "by_source": {task: dict(scores) for task, scores in by_source},
        }


def _range(scores: Mapping[str, float]) -> str:
    """Name the worst and the best source."""
    if len(scores) < 2:
        return ""
    worst, best = (choose(scores, key=lambda source: scores[source]) for choose in (min, max))
    return f" ({worst} {scores[worst]:.3f} to {best} {scores[best]:.3f})"


def score_entities(
    gold: Sequence[TaggedSentence], predicted: Sequence[SentenceAnalysis], ignored: Collection[str] = ()
) -> EntityScores:
    """Compare predicted entities with gold tags.

    Types that are ignored are left out on both sides, as are predicted types that a sentence's source does not annotate
    at all (`annotated`), since nothing can be said about them.
    """
    n_right: Counter[str] = Counter()
    n_predicted: Counter[str] = Counter()
    n_gold: Counter[str] = Counter()
    n_touching = 0
    for sentence, answer in zip(gold, predicted, strict=True):
        expected, found = compared_spans(sentence, answer, ignored)
        n_gold.update(span[2] for span in expected)
        n_predicted.update(span[2] for span in found)
        n_right.update(span[2] for span in found.intersection(expected))
        n_touching += sum(a[2] == b[2] and a[1] + 1 == b[0] for a, b in pairwise(expected))
    overall = Score.from_counts(n_right.total(), n_predicted.total(), n_gold.total())
    per_label = {
        label: Score.from_counts(n_right[label], n_predicted[label], n_gold[label])
        for label in sorted({*n_gold, *n_predicted})
    }
    return EntityScores(overall.precision, overall.recall, overall.f1, per_label, len(gold), n_touching)


def compared_spans(
    sentence: TaggedSentence, answer: SentenceAnalysis, ignored: Collection[str] = ()
) -> tuple[list[TagSpan], set[TagSpan]]:
    """Return the gold and the predicted spans that count."""
    expected = [span for span in tag_spans(sentence.tags) if span[2] not in ignored]
    found = {
        span
        for span, _ in predicted_spans(sentence, answer.entities)
        if span[2] not in ignored and (sentence.annotated is None or span[2] in sentence.annotated)
    }
    return expected, found


def score_classes(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> ClassScores:
    """Compare predicted with gold classes.

    Args:
        gold: the right class of each sentence.
        predicted: the class found for each sentence.
        labels: the classes of the model; classes that only the file has are added. Macro-F1 is over those that are gold
            somewhere: of a class that the file lacks nothing can be found, and what is taken for it is missed elsewhere.
    """
    n_gold, n_predicted = Counter(gold), Counter(predicted)
    n_right = Counter(g for g, p in zip(gold, predicted, strict=True) if g == p)
    per_label = {
        label: Score.from_counts(n_right[label], n_predicted[label], n_gold[label])
        for label in dict.fromkeys((*labels, *sorted(n_gold)))
    }
    accuracy = n_right.total() / len(gold)
    macro_f1 = sum(score.f1 for score in per_label.values()) / len(n_gold)  # without support F1 is 0
    return ClassScores(accuracy, macro_f1, per_label, len(gold))


def score_similarity(
    ratings: Sequence[float], first: Sequence[SentenceAnalysis], second: Sequence[SentenceAnalysis]
) -> SimilarityScores:
    """Correlate the cosine similarity of pairs with their ratings.

    Raises:
        DataFileError: fewer than two pairs, or all ratings equal; a correlation has no value then.
    """
    if len(set(ratings)) < 2:
        raise DataFileError("A correlation needs at least two pairs with different ratings.")
    cosines = np.array([a.cosine_to(b) for a, b in zip(first, second, strict=True)])
    rated = np.asarray(ratings, dtype=np.float64)
    return SimilarityScores(
        spearman=rank_correlation(rated, cosines), pearson=_correlation(rated, cosines), n_pairs=len(rated)
    )


def right_entities(gold: Sequence[TaggedSentence], predicted: Sequence[SentenceAnalysis]) -> list[tuple[float, bool]]:
    """Return score and rightness of every predicted entity.

    They are counted as `score_entities` counts them; types that a source does not annotate are left out.
    """
    answers = []
    for sentence, answer in zip(gold, predicted, strict=True):
        expected = set(tag_spans(sentence.tags))
        answers += [
            (score, span in expected)
            for span, score in predicted_spans(sentence, answer.entities)
            if sentence.annotated is None or span[2] in sentence.annotated
        ]
    return answers


def predicted_spans(sentence: TaggedSentence, entities: Sequence[Entity]) -> list[tuple[TagSpan, float]]:
    """Return the tokens that each entity covers, and its score.

    A token belongs to the first entity that shares a character with it. Entities of one type within one token are one,
    whose score is the mean of theirs: `Paris` and `Rome` in the token `Paris-Rome` -> that token. An entity that is left
    without a token by one of another type is none.

    Args:
        sentence: its tokens.
        entities: ordered by start, never overlapping.
    """
    spans: list[tuple[TagSpan, list[float]]] = []
    places, token = sentence.token_spans, 0
    for entity in entities:
        while token < len(places) and places[token][1] <= entity.start:
            token += 1
        first = token
        while token < len(places) and places[token][0] < entity.end:
            token += 1
        if token > first:
            spans.append(((first, token - 1, entity.label), [entity.score]))
        elif spans and spans[-1][0][2] == entity.label and places[spans[-1][0][1]][1] > entity.start:
            spans[-1][1].append(entity.score)
    return [(span, sum(scores) / len(scores)) for span, scores in spans]


def rank_correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return Spearman's correlation, NaN where one side is constant."""
    return _correlation(_ranks(first), _ranks(second))


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Ranks, equal values sharing the mean of theirs."""
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def _correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation, NaN where one side is constant."""
    if not (np.ptp(first) and np.ptp(second)):
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])
