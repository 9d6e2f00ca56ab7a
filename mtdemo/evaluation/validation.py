"""How good a model is while it trains: each task on held-out sentences, and one number to choose the best weights by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from mtdemo.config import MAX_LENGTH
from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import Validation
from mtdemo.evaluation.task_tests import TASK_TESTS, AnsweredRows, TaskTest
from mtdemo.inference.forward import WindowRunner, run_windows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import FrozenDict, SentenceAnalysis


@dataclass(frozen=True, slots=True)
class ValidationSets:
    """Held-out sentences that measure a model when called with it.

    Attributes:
        tagged, labelled, pairs: the rows of each task, in the order of `TASK_TESTS`; at least one kind of them.
        max_length: word pieces read of a sentence, at most what the model can.
        run: runs windows; `CachedRunner` while a backbone does not change.
    """

    tagged: Sequence[TaggedSentence] = ()
    labelled: Sequence[LabelledSentence] = ()
    pairs: Sequence[RatedPair] = ()
    max_length: int = MAX_LENGTH
    run: WindowRunner = run_windows

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the rows, wherever they come from."""
        rows: list[Any] = [*self.tagged, *self.labelled, *self.pairs]
        known = [[getattr(row, field.name) for field in fields(row) if field.compare] for row in rows]
        return sha256(repr(known).encode()).hexdigest()

    def __call__(self, loaded: LoadedModel) -> Validation:
        tasks = (self.tagged, self.labelled, self.pairs)
        entities, classes, similarity = (self._answered(loaded, *task) for task in zip(TASK_TESTS, tasks, strict=True))
        output = None
        if classes is not None and loaded.model.config.output_names_classes:
            output = replace(classes, answers=_of_output_layer(loaded, classes.answers))
        answered = (entities, classes, similarity, output)
        by_source = [_scores_by_source(task) for task in answered]
        entity_f1, class_f1, spearman, output_f1 = map(_mean_over_sources, answered, by_source)
        return Validation(entity_f1, class_f1, spearman, output_f1, *map(FrozenDict, by_source[:2]))

    def _answered(self, loaded: LoadedModel, test: TaskTest, rows: Sequence[Any]) -> AnsweredRows | None:
        return AnsweredRows(test, rows, self.answers(loaded, test.sentences(rows)), loaded.info) if rows else None

    def answers(self, loaded: LoadedModel, texts: Sequence[str]) -> list[SentenceAnalysis]:
        """Let a model analyse sentences as they are measured."""
        return analyze_batches(loaded, texts, min(self.max_length, loaded.info.max_length), run=self.run)


def _scores_by_source(answered: AnsweredRows | None) -> dict[str, float]:
    parts = answered.by_source() if answered is not None else {}
    return {source: part.scores.main for source, part in parts.items()}


def _mean_over_sources(answered: AnsweredRows | None, by_source: Mapping[str, float]) -> float | None:
    """Average the sources, or score all rows without any."""
    if answered is None:
        return None
    return sum(by_source.values()) / len(by_source) if by_source else answered.scores.main


def _of_output_layer(loaded: LoadedModel, answers: Sequence[SentenceAnalysis]) -> list[SentenceAnalysis]:
    """Replace the classes by those of the new output layer."""
    layer: Any = loaded.model.output_layer
    with torch.inference_mode():
        logits = layer(torch.from_numpy(np.stack([answer.embedding for answer in answers])).to(loaded.model.device))
    names = [loaded.model.config.output_labels[index] for index in logits.argmax(dim=-1)]
    return [replace(answer, probabilities=FrozenDict({name: 1.0})) for answer, name in zip(answers, names, strict=True)]
