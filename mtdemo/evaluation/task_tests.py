"""The test of each task: what reads its rows, which sentences they hold, and what scores the answers, by source too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeAlias

from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import (
    ClassScores,
    EntityScores,
    SimilarityScores,
    right_entities,
    score_classes,
    score_entities,
    score_similarity,
)
from mtdemo.evaluation.tallies import (
    Tally,
    entity_f1,
    macro_f1,
    spearman,
    tally_classes,
    tally_entities,
    tally_pairs,
)
from mtdemo.models.parts import Task, find_task
from mtdemo.results import ModelInfo, SentenceAnalysis

Scores: TypeAlias = EntityScores | ClassScores | SimilarityScores


@dataclass(frozen=True, slots=True)
class TaskTest:
    """The steps from labelled file to scores.

    Attributes:
        task: what is tested.
        read: gives the rows of a file.
        texts: gives the sentences of a row, in the order in which `score` expects their answers.
        score: compares rows with answers; types that are ignored are left out where there are types.
        tally: counts what is right by row, with the same arguments.
        score_tally: makes the main score of a tally.
        confidences: give the confidence of each answer, and whether it is right; none where a task has no confidence.
        items: what the score counts, in the plural.
    """

    task: Task
    read: Callable[[Path], tuple[Any, ...]]
    texts: Callable[[Any], tuple[str, ...]]
    score: Callable[[Sequence[Any], Sequence[SentenceAnalysis], ModelInfo, Collection[str]], Scores]
    tally: Callable[[Sequence[Any], Sequence[SentenceAnalysis], Collection[str]], Tally]
    score_tally: Callable[[Tally], float]
    confidences: Callable[[Sequence[Any], Sequence[SentenceAnalysis]], list[tuple[float, bool]]]
    items: str

    def sentences(self, rows: Iterable[Any]) -> list[str]:
        """Return the sentences of all rows."""
        return [text for row in rows for text in self.texts(row)]


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Rows of a task with the answers of a model.

    Attributes:
        test: of the task.
        rows: at least one.
        answers: to the sentences of all rows.
        model: what answered.
        ignored: entity types left out on both sides.
    """

    test: TaskTest
    rows: Sequence[Any]
    answers: Sequence[SentenceAnalysis]
    model: ModelInfo
    ignored: Collection[str] = ()

    @property
    def scores(self) -> Scores:
        return self.test.score(self.rows, self.answers, self.model, self.ignored)

    @property
    def tally(self) -> Tally:
        return self.test.tally(self.rows, self.answers, self.ignored)

    @property
    def confidences(self) -> list[tuple[float, bool]]:
        return self.test.confidences(self.rows, self.answers)

    @property
    def n_items(self) -> int:
        """Gold entities, or rows."""
        scores = self.scores
        return sum(s.support for s in scores.per_label.values()) if isinstance(scores, EntityScores) else len(self.rows)

    def by_source(self) -> dict[str, AnsweredRows]:
        """Part the rows by the source that they name.

        Empty where none names one; rows of a file of several sources that name none are one part.
        """
        named = [getattr(row, "source", "") for row in self.rows]  # pairs name none
        if not any(named):
            return {}
        sources = [source or "no source named" for source in named]
        n_texts = len(self.answers) // len(self.rows)
        parts = {}
        for source in dict.fromkeys(sources):
            places = [place for place, its in enumerate(sources) if its == source]
            answers = [self.answers[place * n_texts + number] for place in places for number in range(n_texts)]
            parts[source] = replace(self, rows=[self.rows[p] for p in places], answers=answers)
        return parts


def _score_tagged(
    rows: Sequence[TaggedSentence], answers: Sequence[SentenceAnalysis], model: ModelInfo, ignored: Collection[str]
) -> EntityScores:
    return score_entities(rows, answers, ignored)


def _score_labelled(
    rows: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis], model: ModelInfo, ignored: Collection[str]
) -> ClassScores:
    return score_classes([row.label for row in rows], [answer.label for answer in answers], model.class_labels)


def _score_pairs(
    rows: Sequence[RatedPair], answers: Sequence[SentenceAnalysis], model: ModelInfo, ignored: Collection[str]
) -> SimilarityScores:
    return score_similarity([row.score for row in rows], answers[::2], answers[1::2])


def _tally_labelled(rows: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis], _: Collection[str]) -> Tally:
    return tally_classes([row.label for row in rows], [answer.label for answer in answers])


def _tally_pairs(rows: Sequence[RatedPair], answers: Sequence[SentenceAnalysis], _: Collection[str]) -> Tally:
    return tally_pairs([row.score for row in rows], answers[::2], answers[1::2])


def right_classes(rows: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis]) -> list[tuple[float, bool]]:
    """Return confidence and rightness of every class."""
    return [(max(a.probabilities.values()), row.label == a.label) for row, a in zip(rows, answers, strict=True)]


TASK_TESTS = (
    TaskTest(
        find_task("ner"),
        read_tagged,
        lambda row: (row.text,),
        _score_tagged,
        tally_entities,
        entity_f1,
        right_entities,
        "entities",
    ),
    TaskTest(
        find_task("classification"),
        read_labelled,
        lambda row: (row.text,),
        _score_labelled,
        _tally_labelled,
        macro_f1,
        right_classes,
        "sentences",
    ),
    TaskTest(
        find_task("similarity"),
        read_pairs,
        attrgetter("first", "second"),
        _score_pairs,
        _tally_pairs,
        spearman,
        lambda rows, answers: [],
        "pairs",
    ),
)
