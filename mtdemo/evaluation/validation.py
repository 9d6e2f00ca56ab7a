"""How good a model is while it trains: each task on sentences kept aside, and one number to choose the best weights by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from mtdemo.data.readers import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import score_classes, score_entities, score_similarity
from mtdemo.inference.forward import run_windows
from mtdemo.inference.pipeline import WindowRunner, analyze_batches
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis


@dataclass(frozen=True, slots=True)
class Validation:
    """What the sets kept aside say of a model; None for a task without one.

    Attributes:
        entity_f1: 0 to 1, over all entities.
        macro_f1: 0 to 1, the mean over the classes.
        spearman: -1 to 1, of cosine similarity with people's ratings.
        output_f1: 0 to 1, as macro_f1, of a new output layer with the classes' names.
    """

    entity_f1: float | None = None
    macro_f1: float | None = None
    spearman: float | None = None
    output_f1: float | None = None

    @property
    def selection_metric(self) -> float:
        """What the best weights are chosen by: the mean of the measures there are."""
        known: list[float] = [value for value in astuple(self) if value is not None]
        return sum(known) / len(known)

    @property
    def phrase(self) -> str:
        named = (
            ("entity F1", self.entity_f1),
            ("class F1", self.macro_f1),
            ("similarity", self.spearman),
            ("output layer F1", self.output_f1),
        )
        return ", ".join(f"{name} {value:.3f}" for name, value in named if value is not None)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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
