"""Models that stay as they are while another learns: what they say of each training sentence, computed once.

The model as it was before training teaches its embeddings, and other checkpoints may teach their classes (Hinton et al.
2015, https://arxiv.org/abs/1503.02531).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from mtdemo.errors import DataFileError
from mtdemo.models.loaded import LoadedModel
from mtdemo.text.tokenization import Window


class FrozenModel:
    """A copy of a model, with what it reads of each training sentence and what is read of its answers."""

    def __init__(self, model: LoadedModel, windows: Sequence[Window], read: Callable[[Any], Tensor]) -> None:
        self._copy = replace(model, model=copy.deepcopy(model.model).eval().requires_grad_(False))
        self._windows = windows
        self._read = read

    def __call__(self, indices: Sequence[int]) -> Tensor:
        """float32 (sentences, width) for indices into the windows."""
        inputs = self._copy.pad([self._windows[index] for index in indices])
        with torch.no_grad():
            return self._read(self._copy.model(**inputs))

    @property
    def weights(self) -> dict[str, Tensor]:
        """By name."""
        return self._copy.model.state_dict()


class Teacher:
    """What fixed models say of each training sentence, their mean; asked for when it is needed and kept as float16."""

    def __init__(self, models: Sequence[FrozenModel], n_sentences: int, width: int) -> None:
        self.models = models
        self.answers = torch.zeros(n_sentences, width, dtype=torch.float16)
        self.known = torch.zeros(n_sentences, dtype=torch.bool)

    @classmethod
    def of_embeddings(cls, base: LoadedModel, windows: Sequence[Window]) -> Teacher:
        """Says the sentence embedding, float32 (sentences, hidden), that a model as it is now gives these windows."""
        model = FrozenModel(base, windows, lambda output: output.sentence_embedding)
        return cls([model], len(windows), base.info.hidden_size)

    @classmethod
    def of_classes(
        cls, models: Sequence[LoadedModel], texts: Sequence[str], labels: Sequence[str], max_length: int
    ) -> Teacher:
        """Says the probabilities of classes, float32 (sentences, classes).

        Args:
            models: checkpoints of any architecture; each reads the texts with its own tokenizer.
            texts: the training sentences.
            labels: the classes of the model that learns, in the order of the answers.
            max_length: word pieces read of a sentence, if a checkpoint can read so many.

        Raises:
            DataFileError: a checkpoint's classes are others, or untrained.
        """
        return cls([_classifier(model, texts, labels, max_length) for model in models], len(texts), len(labels))

    def __getitem__(self, indices: Sequence[int]) -> Tensor:
        """float32 (sentences, width) for indices of sentences."""
        missing = [index for index in indices if not self.known[index]]
        if missing:
            self.answers[missing] = torch.stack([model(missing) for model in self.models]).mean(dim=0).half()
            self.known[missing] = True
        return self.answers[list(indices)].float()

    def state_dict(self) -> dict[str, Tensor]:
        """What was said so far."""
        return {"answers": self.answers, "known": self.known}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what was said in an earlier run."""
        self.answers, self.known = state["answers"], state["known"]


def _classifier(model: LoadedModel, texts: Sequence[str], labels: Sequence[str], max_length: int) -> FrozenModel:
    info = model.info
    if "classification_head" not in info.trained_heads:
        raise DataFileError(f"The classes of {info.id} are untrained: there is nothing to learn from them.")
    if sorted(info.class_labels) != sorted(labels):
        raise DataFileError(f"The classes of {info.id} are {', '.join(info.class_labels)}, not {', '.join(labels)}.")
    order = [info.class_labels.index(label) for label in labels]
    windows = [sentence.windows[0] for sentence in model.encode(texts, min(max_length, info.max_length))]
    return FrozenModel(model, windows, lambda output: output.classification_logits.softmax(dim=-1)[:, order])
