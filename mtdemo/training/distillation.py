"""Distillation: models that do not change teach one that learns, each sentence's answer computed once.

The model as it was before training teaches its embeddings, and other checkpoints may teach their classes (Hinton et al.
2015, https://arxiv.org/abs/1503.02531).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mtdemo.errors import UsageError
from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.models.parts import find_task
from mtdemo.text.tokenization import Window
from mtdemo.training.losses import class_disagreement, embedding_drift


class FrozenModel:
    """Copy of a model that does not change any more.

    Args:
        model: what is copied.
        windows: the training sentences, as this model reads them.
        read: from the copy's output to float32 (sentences, width).
    """

    def __init__(self, model: LoadedModel, windows: Sequence[Window], read: Callable[[Any], Tensor]) -> None:
        self._copy = replace(model, model=copy.deepcopy(model.model).eval().requires_grad_(False))
        self._windows = windows
        self._read = read

    def __call__(self, indices: Sequence[int]) -> Tensor:
        """Answer sentences by their index, as float32 (sentences, width)."""
        windows = [self._windows[index] for index in indices]
        with torch.no_grad():
            return self._read(self._copy.model(**self._copy.pad(windows), pooling_mask=mask_pooling(windows))).cpu()

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights of the copy, by name."""
        return self._copy.model.state_dict()


class Teacher:
    """Mean answers of models that do not change.

    Each is kept as float16 once it was computed.

    Args:
        models: whose answers are averaged.
        n_sentences: in all.
        width: numbers in the answer to one.
    """

    def __init__(self, models: Sequence[FrozenModel], n_sentences: int, width: int) -> None:
        self.models = models
        self.answers = torch.zeros(n_sentences, width, dtype=torch.float16)
        self.known = torch.zeros(n_sentences, dtype=torch.bool)

    @classmethod
    def of_embeddings(cls, base: LoadedModel, windows: Sequence[Window]) -> Teacher:
        """Make a teacher of embeddings, float32 (sentences, hidden).

        It says what the model says now, whatever happens to it later.
        """
        model = FrozenModel(base, windows, lambda output: output.sentence_embedding)
        return cls([model], len(windows), base.info.hidden_size)

    @classmethod
    def of_classes(
        cls, models: Sequence[LoadedModel], texts: Sequence[str], labels: Sequence[str], max_length: int
    ) -> Teacher:
        """Make a teacher of class probabilities, float32 (sentences, classes).

        Args:
            models: checkpoints of any architecture; each reads the texts with its own tokenizer.
            texts: the training sentences.
            labels: the classes of the model that learns, in the order of the answers.
            max_length: word pieces read of a sentence, if a checkpoint can read so many.

        Raises:
            UsageError: a checkpoint's classes are others, or untrained.
        """
        return cls([_classifier(model, texts, labels, max_length) for model in models], len(texts), len(labels))

    def __getitem__(self, indices: Sequence[int]) -> Tensor:
        """Answer sentences by their index, as float32 (sentences, width)."""
        missing = [index for index in indices if not self.known[index]]
        if missing:
            self.answers[missing] = torch.stack([model(missing) for model in self.models]).mean(dim=0).half()
            self.known[missing] = True
        return self.answers[list(indices)].float()

    def state_dict(self) -> dict[str, Tensor]:
        """Return the answers so far."""
        return {"answers": self.answers, "known": self.known}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over the answers of an earlier run."""
        self.answers, self.known = state["answers"], state["known"]


@dataclass(frozen=True, slots=True)
class DistillationTerm:
    """Loss against what a teacher says of each sentence.

    Attributes:
        weight: of the loss.
        teacher: what the sentences are taught; None where the loss is 0 in any case.
        distance: from the model's output and the teacher's answers to their mean loss.
    """

    weight: float
    teacher: Teacher | None
    distance: Callable[[Any, Tensor], Tensor]

    @classmethod
    def nothing(cls) -> DistillationTerm:
        """Make a term that is always 0, without a model."""
        return cls(0.0, None, lambda output, answers: answers)

    def loss(self, output: Any, indices: Sequence[int]) -> Tensor:
        """Compute the mean loss of some sentences.

        Args:
            output: what the model that learns says of them.
            indices: theirs among the sentences of all tasks.
        """
        return torch.zeros(()) if self.teacher is None else self.distance(output, self.teacher[indices])


def distillation_terms(
    base: LoadedModel,
    windows: Sequence[Window],
    texts: Sequence[str],
    embedding_weight: float,
    class_weight: float,
    class_teachers: Sequence[LoadedModel],
    max_length: int,
) -> dict[str, DistillationTerm]:
    """Make the terms of weight, by name in `StepLosses`.

    Args:
        base: the model that learns, as it is before the first step.
        windows: the sentences of all tasks, as it reads them.
        texts: the same sentences.
        embedding_weight: of keeping the embeddings.
        class_weight: of learning the teachers' classes.
        class_teachers: models with the same classes.
        max_length: word pieces that a teacher reads of a sentence.

    Raises:
        UsageError: a teacher's classes are others, or untrained.
    """
    terms = {}
    if embedding_weight:
        terms["drift"] = DistillationTerm(
            embedding_weight,
            Teacher.of_embeddings(base, windows),
            lambda output, answers: embedding_drift(output.sentence_embedding, answers),
        )
    if class_weight:
        terms["disagreement"] = DistillationTerm(
            class_weight,
            Teacher.of_classes(class_teachers, texts, base.model.config.class_labels, max_length),
            lambda output, answers: class_disagreement(output.classification_logits, answers),
        )
    return terms


def _classifier(model: LoadedModel, texts: Sequence[str], labels: Sequence[str], max_length: int) -> FrozenModel:
    info = model.info
    if find_task("classification").head not in info.trained_heads:
        raise UsageError(f"The classes of {info.id} are untrained: there is nothing to learn from them.")
    if info.multi_label:
        raise UsageError(f"{info.id} gives a sentence several classes, so it cannot teach which one it has.")
    if sorted(info.class_labels) != sorted(labels):
        raise UsageError(f"The classes of {info.id} are {', '.join(info.class_labels)}, not {', '.join(labels)}.")
    order = [info.class_labels.index(label) for label in labels]
    windows = [sentence.windows[0] for sentence in model.encode(texts, min(max_length, info.max_length))]
    return FrozenModel(model, windows, lambda output: output.classification_logits.softmax(dim=-1)[:, order])
