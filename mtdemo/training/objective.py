"""What a training step minimises: the losses of the tasks, of what other models teach, and how they are told.

Which sentences a step reads is `mtdemo.training.batches`'s; the steps are `mtdemo.training.trainer`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtdemo.training.batches import BatchSampler, InputNoise
from mtdemo.training.examples import EncodedExample
from mtdemo.training.losses import partial_cross_entropy


@dataclass(frozen=True, slots=True)
class DistillationTerm:
    """What the sentences of all tasks are taught by a model that stays as it is.

    Attributes:
        weight: of the loss.
        loss: from the model's output and the indices of the sentences among those of all tasks to their mean loss.
    """

    weight: float
    loss: Callable[[Any, Sequence[int]], Tensor]


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of examples and how a step uses them.

    Attributes:
        examples: what is learned from.
        batches: which of them each step takes.
        noise: how they are disguised.
        is_active: whether a step reads any of them.
        weight: of the loss.
        offset: index of the first example among those of all tasks.
        loss: of each head that answers them, the mean loss over what the examples ask, a word piece or a sentence each.
    """

    examples: Sequence[EncodedExample]
    batches: BatchSampler
    noise: InputNoise
    is_active: bool
    weight: float
    offset: int
    loss: Callable[[Any, Sequence[EncodedExample]], Sequence[Tensor]]


def entity_loss(output: Any, examples: Sequence[EncodedExample]) -> list[Tensor]:
    """Of the entity head: the mean over word pieces, on the summed probability of what the annotation leaves open."""
    logits = torch.cat([output.ner_logits[row, example.window.content] for row, example in enumerate(examples)])
    return [partial_cross_entropy(logits, torch.from_numpy(np.concatenate([example.target for example in examples])))]


def class_loss(
    output: Any, examples: Sequence[EncodedExample], smoothing: float, with_output_layer: bool = False
) -> list[Tensor]:
    """Of the classification head and, where its outputs are the classes, of the new output layer: means over sentences."""
    targets = torch.tensor([example.target for example in examples])
    of_heads = (output.classification_logits, *((output.output_logits,) if with_output_layer else ()))
    return [functional.cross_entropy(logits, targets, label_smoothing=smoothing) for logits in of_heads]
