"""The test of each task: what reads its rows, which sentences they hold, and what scores the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import (
    ClassScores,
    EntityScores,
    SimilarityScores,
    score_classes,
    score_entities,
    score_similarity,
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
    """

    task: Task
    read: Callable[[Path], tuple[Any, ...]]
    texts: Callable[[Any], tuple[str, ...]]
    score: Callable[[Sequence[Any], Sequence[SentenceAnalysis], ModelInfo, Collection[str]], Scores]

    def sentences(self, rows: Iterable[Any]) -> list[str]:
        """Return the sentences of all rows."""
        return [text for row in rows for text in self.texts(row)]


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


TASK_TESTS = (
    TaskTest(find_task("ner"), read_tagged, lambda row: (row.text,), _score_tagged),
    TaskTest(find_task("classification"), read_labelled, lambda row: (row.text,), _score_labelled),
    TaskTest(find_task("similarity"), read_pairs, lambda row: (row.first, row.second), _score_pairs),
)
