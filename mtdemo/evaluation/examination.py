"""A model's answers held against labels: where it errs, whether its confidence means something, when it should abstain.

The scores are those of `evaluate` (`mtdemo.evaluation.metrics`), their intervals those of `evaluate --by-source`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.evaluation.calibration import Calibration, measure_calibration
from mtdemo.evaluation.metrics import ClassScores, EntityScores, compared_spans, score_classes, score_entities
from mtdemo.evaluation.sources import Estimate, estimate, estimate_each
from mtdemo.evaluation.tallies import Tally, entity_f1, macro_f1, tally_classes, tally_types, type_scores
from mtdemo.results import ArrayRecord, ModelInfo, SentenceAnalysis
from mtdemo.text.tags import TagSpan

ALL_TYPES = "all"
ERROR_KINDS = ("missed", "spurious", "boundary", "type", "boundary and type")


@dataclass(frozen=True, slots=True)
class Abstention:
    """The result of answering only what is sure enough.

    Attributes:
        threshold: the least confidence with which it answers, 0 to 1.
        coverage: share of the sentences that it answers, 0 to 1.
        accuracy: share of these that are right; None where it answers nothing.
    """

    threshold: float
    coverage: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class ClassExamination:
    """Classes held against labels.

    Attributes:
        scores: accuracy and F1.
        labels: the classes of the model, then those that only the file has.
        gold, predicted: of each sentence.
        confidences: of each answer, 0 to 1.
        calibration: in bins of confidence.
    """

    scores: ClassScores
    labels: tuple[str, ...]
    gold: tuple[str, ...]
    predicted: tuple[str, ...]
    confidences: tuple[float, ...]
    calibration: Calibration

    @property
    def accuracy(self) -> Estimate:
        """The share that is right, with its bootstrap interval."""
        right = np.array([gold == predicted for gold, predicted in self._pairs], dtype=np.float64)
        return estimate(right, lambda drawn: float(drawn.mean()))

    @property
    def macro_f1(self) -> Estimate:
        """The mean F1 of the classes, with its bootstrap interval."""
        return estimate(tally_classes(self.gold, self.predicted), macro_f1)

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """Counts of sentences, by gold and predicted class.

        A row for each gold class, a column for each predicted one.
        """
        counts = Counter(self._pairs)
        return tuple(tuple(counts[gold, predicted] for predicted in self.labels) for gold in self.labels)

    def find(self, gold: str, predicted: str) -> list[int]:
        """Return the positions of a cell, the most confident first."""
        return self._by_confidence([n for n, pair in enumerate(self._pairs) if pair == (gold, predicted)])

    @property
    def mistakes(self) -> list[int]:
        """Positions of wrong answers, the most confident first."""
        return self._by_confidence([n for n, (gold, predicted) in enumerate(self._pairs) if gold != predicted])

    def abstain(self, threshold: float) -> Abstention:
        """Answer only with at least a confidence."""
        answered = zip(self._pairs, self.confidences, strict=True)
        right = [gold == predicted for (gold, predicted), confidence in answered if confidence >= threshold]
        return Abstention(threshold, len(right) / len(self.gold), sum(right) / len(right) if right else None)

    def choose_threshold(self, accuracy: float) -> Abstention | None:
        """Find the threshold that answers most with an accuracy.

        Args:
            accuracy: least share of the answers that is right, 0 to 1.

        Returns:
            The threshold with what it costs and gives; None where no answers are right so often.
        """
        order = np.argsort(-np.array(self.confidences), kind="stable")
        sure = np.array(self.confidences)[order]
        right = np.cumsum([self.gold[place] == self.predicted[place] for place in order])
        is_last = np.append(sure[1:] != sure[:-1], True)  # of equal confidences, which are answered together
        enough = np.flatnonzero(is_last & (right / np.arange(1, len(sure) + 1) >= accuracy))
        return self.abstain(float(sure[enough[-1]])) if len(enough) else None

    @property
    def _pairs(self) -> list[tuple[str, str]]:
        return list(zip(self.gold, self.predicted, strict=True))

    def _by_confidence(self, positions: list[int]) -> list[int]:
        return sorted(positions, key=lambda position: -self.confidences[position])


@dataclass(frozen=True, slots=True)
class EntityError:
    """A gold or a predicted entity that is not right.

    Attributes:
        kind: one of `ERROR_KINDS`.
        position: of its sentence.
        gold, predicted: first and last token, and type; None where there is none.
    """

    kind: str
    position: int
    gold: TagSpan | None
    predicted: TagSpan | None


@dataclass(frozen=True, slots=True)
class TypeEstimates:
    """Scores of an entity type with bootstrap intervals.

    Draws that lack what a score is a share of are left out of its interval.
    """

    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class EntityExamination(ArrayRecord):
    """Entities held against tags.

    Attributes:
        scores: precision, recall and F1, over all and by type.
        tally: right, predicted and gold ones of each sentence, float64 (sentences, types and one more, 3): by type in the
            order of `scores.per_label`, and last of all.
        n_right: entities whose type, first and last token are right.
        errors: all others. Gold entities are the right ones, the missed ones and those of the last three kinds; predicted
            ones are the right ones, the spurious ones and those of the last three kinds.
    """

    scores: EntityScores
    tally: Tally
    n_right: int
    errors: tuple[EntityError, ...]

    @property
    def f1(self) -> Estimate:
        """F1 over all entities, with its bootstrap interval."""
        return estimate(self.tally[:, -1], entity_f1)

    @property
    def by_type(self) -> dict[str, TypeEstimates]:
        """The scores of each type, with their bootstrap intervals.

        Those of all entities stand last, under `ALL_TYPES`.
        """
        found = iter(estimate_each(self.tally, type_scores))
        return {name: TypeEstimates(next(found), next(found), next(found)) for name in (*self.scores.per_label, ALL_TYPES)}

    @property
    def counts(self) -> dict[str, int]:
        """The number of errors of each kind."""
        counts = Counter(error.kind for error in self.errors)
        return {kind: counts[kind] for kind in ERROR_KINDS}


def examine_classes(
    rows: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis], model: ModelInfo
) -> ClassExamination:
    """Hold a model's classes against labels.

    Args:
        rows: sentences with their classes, at least one.
        answers: to each of them.
        model: what answered.
    """
    gold, predicted = [row.label for row in rows], [answer.label for answer in answers]
    confidences = [max(answer.probabilities.values()) for answer in answers]
    right = [a == b for a, b in zip(gold, predicted, strict=True)]
    return ClassExamination(
        score_classes(gold, predicted, model.class_labels),
        tuple(dict.fromkeys((*model.class_labels, *sorted(set(gold))))),
        tuple(gold),
        tuple(predicted),
        tuple(confidences),
        measure_calibration(confidences, right),
    )


def examine_entities(rows: Sequence[TaggedSentence], answers: Sequence[SentenceAnalysis]) -> EntityExamination:
    """Hold a model's entities against tags.

    Args:
        rows: sentences with their tags, at least one.
        answers: to each of them.
    """
    errors: list[EntityError] = []
    n_right = 0
    for position, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        gold, found = compared_spans(row, answer)
        n_right += len(found.intersection(gold))
        errors += _errors(position, [span for span in gold if span not in found], sorted(found.difference(gold)))
    scores = score_entities(rows, answers)
    return EntityExamination(scores, tally_types(rows, answers, [*scores.per_label]), n_right, tuple(errors))


def _errors(position: int, missed: Sequence[TagSpan], wrong: Sequence[TagSpan]) -> list[EntityError]:
    """Pair what was missed with what was found there.

    Each once: first those of the same place, then those of the same type, then others; of these, who share most tokens.
    """
    touching = [(gold, found) for gold in missed for found in wrong if _overlap(gold, found)]
    pairs = sorted(touching, key=lambda pair: (pair[0][:2] != pair[1][:2], pair[0][2] != pair[1][2], -_overlap(*pair)))
    left, unused, errors = list(missed), list(wrong), []
    for gold, found in pairs:
        if gold in left and found in unused:
            left.remove(gold)
            unused.remove(found)
            errors.append(EntityError(_kind(gold, found), position, gold, found))
    errors += [EntityError("missed", position, gold, None) for gold in left]
    return errors + [EntityError("spurious", position, None, found) for found in unused]


def _kind(gold: TagSpan, found: TagSpan) -> str:
    if gold[:2] == found[:2]:
        return "type"
    return "boundary" if gold[2] == found[2] else "boundary and type"


def _overlap(one: TagSpan, other: TagSpan) -> int:
    """Count the tokens that two spans share."""
    return max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)
