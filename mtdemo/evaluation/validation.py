"""How good a model is while it trains: each task on held-out sentences, and one number to choose the best weights by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from mtdemo.config import MAX_LENGTH
from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import Validation, score_classes
from mtdemo.evaluation.task_tests import TASK_TESTS
from mtdemo.inference.forward import WindowRunner, run_windows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis


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
        sets = (self.tagged, self.labelled, self.pairs)
        answers = [self.answers(loaded, test.sentences(rows)) for test, rows in zip(TASK_TESTS, sets, strict=True)]
        entity_f1, macro_f1, spearman = (
            test.score(rows, its, loaded.info, ()).main if rows else None
            for test, rows, its in zip(TASK_TESTS, sets, answers, strict=True)
        )
        output_f1 = None
        if self.labelled and loaded.model.config.output_names_classes:
            gold, predicted = [row.label for row in self.labelled], _output_labels(loaded, answers[1])
            output_f1 = score_classes(gold, predicted, loaded.info.class_labels).macro_f1
        return Validation(entity_f1, macro_f1, spearman, output_f1)

    def answers(self, loaded: LoadedModel, texts: Sequence[str]) -> list[SentenceAnalysis]:
        """Let a model analyse sentences as they are measured."""
        return analyze_batches(loaded, texts, min(self.max_length, loaded.info.max_length), run=self.run)


def _output_labels(loaded: LoadedModel, answers: Sequence[SentenceAnalysis]) -> list[str]:
    """Return the classes that the new output layer gives."""
    layer: Any = loaded.model.output_layer
    with torch.inference_mode():
        logits = layer(torch.from_numpy(np.stack([answer.embedding for answer in answers])))
    return [loaded.model.config.output_labels[index] for index in logits.argmax(dim=-1)]
