"""How good a model is while it trains: each task on sentences kept aside, and one number to choose the best weights by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import Validation, score_classes, score_entities, score_similarity
from mtdemo.inference.forward import run_windows
from mtdemo.inference.pipeline import WindowRunner, analyze_batches
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis


@dataclass(frozen=True, slots=True)
class ValidationSets:
    """Sentences kept aside; at least one kind of them. Called with a model, it measures it.

    `run` is how windows are run; `CachedRunner` while a backbone does not change.
    """

    tagged: Sequence[TaggedSentence] = ()
    labelled: Sequence[LabelledSentence] = ()
    pairs: Sequence[RatedPair] = ()
    max_length: int = 128
    run: WindowRunner = run_windows

    @property
    def fingerprint(self) -> str:
        """Of the sentences and what is known of them, a SHA-256: equal where the sets are, from whatever file they come."""
        rows: list[Any] = [*self.tagged, *self.labelled, *self.pairs]
        known = [[getattr(row, field.name) for field in fields(row) if field.compare] for row in rows]
        return sha256(repr(known).encode()).hexdigest()

    def __call__(self, loaded: LoadedModel) -> Validation:
        entity_f1, macro_f1, spearman, output_f1 = None, None, None, None
        if self.tagged:
            answers = self.answers(loaded, [row.text for row in self.tagged])
            entity_f1 = score_entities(self.tagged, answers).f1
        if self.labelled:
            answers = self.answers(loaded, [row.text for row in self.labelled])
            gold, predicted = [row.label for row in self.labelled], [answer.label for answer in answers]
            macro_f1 = score_classes(gold, predicted, loaded.info.class_labels).macro_f1
            if loaded.model.config.output_names_classes:
                output_f1 = score_classes(gold, _output_labels(loaded, answers), loaded.info.class_labels).macro_f1
        if self.pairs:
            texts = [text for pair in self.pairs for text in (pair.first, pair.second)]
            answers = self.answers(loaded, texts)
            spearman = score_similarity([pair.score for pair in self.pairs], answers[::2], answers[1::2]).spearman
        return Validation(entity_f1, macro_f1, spearman, output_f1)

    def answers(self, loaded: LoadedModel, texts: Sequence[str]) -> list[SentenceAnalysis]:
        return analyze_batches(loaded, texts, min(self.max_length, loaded.info.max_length), run=self.run)


def _output_labels(loaded: LoadedModel, answers: Sequence[SentenceAnalysis]) -> list[str]:
    """What the new output layer says; it reads the sentence embedding, which the answers have."""
    layer: Any = loaded.model.output_layer
    with torch.inference_mode():
        logits = layer(torch.from_numpy(np.stack([answer.embedding for answer in answers])))
    return [loaded.model.config.output_labels[index] for index in logits.argmax(dim=-1)]
