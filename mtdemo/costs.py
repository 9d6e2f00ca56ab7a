"""What a step of training costs, aware of what is frozen: memory and operations, counted from the parts alone.

The counting rules, for float32 and AdamW:

1. Weights take 4 bytes each; gradients 4 bytes and Adam's two moments 8 bytes for each that trains.
2. A weight matrix costs 2 operations per entry and row that it reads, attention 4 per pair of tokens and hidden unit. Rows
   are word pieces, padding included, or sentences for what reads the sentence embedding.
3. Backward, a matrix costs the same again for its own gradient if it trains, and once more for the gradient of its input
   if anything below it trains; attention twice its forward cost. Nothing is done below the lowest part that trains.
4. What the backward pass needs is kept from the forward pass for every layer that it goes through: per word piece seven
   vectors of the hidden size (queries, keys, values, what the two norms read, two masks of dropout), one of the
   intermediate size (what the activation reads) and the input of every matrix that trains, the one of queries, keys and
   values once; per pair of tokens and attention head three numbers (probabilities before and after dropout, its mask).
   Embeddings, heads and norms' statistics are small and left out.

Element-wise work (norms, activations, dropout, the optimizer's step) is not counted, as in torch's own counter.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from mtdemo.freezing import FreezingPlan, PartPlan, plan_freezing
from mtdemo.parts import ParameterSpec, PartKind

_FLOAT = 4  # bytes
_OF_SENTENCES = ("classification_head", "output_layer")  # heads that read one vector per sentence


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step reads.

    Attributes:
        n_sentences: in the batch.
        n_tokens: word pieces of each, padding included.
        n_attention_heads: of the backbone.
    """

    n_sentences: int
    n_tokens: int
    n_attention_heads: int


@dataclass(frozen=True, slots=True)
class StepCost:
    """Memory and operations of one training step.

    Attributes:
        weight_bytes, gradient_bytes, optimizer_bytes: of all weights, and of those that train.
        activation_bytes: kept from the forward pass for the backward pass.
        n_operations: of the forward and the backward pass.
        features_are_fixed: whether no part of the backbone trains, so that its hidden states need computing only once.
    """

    weight_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int
    n_operations: int
    features_are_fixed: bool

    @property
    def n_bytes(self) -> int:
        return self.weight_bytes + self.gradient_bytes + self.optimizer_bytes + self.activation_bytes

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate_step(plan: FreezingPlan, batch: Batch) -> StepCost:
    """Estimate what one step costs under a plan."""
    forward = sum(_forward(part, batch) for part in plan.parts)
    backward, kept = 0, 0
    below_trains = False
    for part in plan.parts:
        backward += _backward(part, batch, below_trains)
        if part.part.kind is PartKind.LAYER and (below_trains or part.n_trainable):
            kept += _kept_bytes(part, batch)
        below_trains = below_trains or (part.part.kind.in_backbone and part.n_trainable > 0)
    return StepCost(
        weight_bytes=_FLOAT * plan.n_parameters,
        gradient_bytes=_FLOAT * plan.n_trainable,
        optimizer_bytes=2 * _FLOAT * plan.n_trainable,
        activation_bytes=kept,
        n_operations=forward + backward,
        features_are_fixed=not below_trains,
    )


def estimate_training_everything(plan: FreezingPlan, batch: Batch) -> StepCost:
    """The cost of the same step with nothing frozen, to compare with."""
    parts = tuple(part.part for part in plan.parts)
    return estimate_step(plan_freezing(parts, [part.name for part in parts]), batch)


def _forward(plan: PartPlan, batch: Batch) -> int:
    return sum(_matrix(weight, plan, batch) for weight in _matrices(plan)) + _attention(plan, batch)


def _backward(plan: PartPlan, batch: Batch, below_trains: bool) -> int:
    """Gradients of the part's own weights and of its inputs; only in a part that trains or stands above one."""
    if not (below_trains or plan.n_trainable):
        return 0
    trainable = set(plan.trainable)
    matrices = _matrices(plan)
    own = sum(_matrix(weight, plan, batch) for weight in matrices if weight in trainable)
    inputs = sum(_matrix(weight, plan, batch) for weight in matrices)
    if not below_trains:
        inputs -= sum(_matrix(weight, plan, batch) for weight in _readers(plan))
    return own + inputs + 2 * _attention(plan, batch)


def _matrices(plan: PartPlan) -> list[ParameterSpec]:
    """What multiplies; tables of embeddings are looked up."""
    if plan.part.kind is PartKind.EMBEDDINGS:
        return []
    return [parameter for parameter in plan.part.parameters if len(parameter.shape) == 2]


def _readers(plan: PartPlan) -> list[ParameterSpec]:
    """The matrices that read the part's input: of a layer those of queries, keys and values, of a head the first."""
    matrices = _matrices(plan)
    n_outputs = 3 * matrices[0].shape[1] if plan.part.kind is PartKind.LAYER and matrices else 1
    readers: list[ParameterSpec] = []
    while matrices and sum(reader.shape[0] for reader in readers) < n_outputs:
        readers.append(matrices.pop(0))
    return readers


def _matrix(weight: ParameterSpec, plan: PartPlan, batch: Batch) -> int:
    n_rows = batch.n_sentences * (1 if plan.part.name in _OF_SENTENCES else batch.n_tokens)
    return 2 * n_rows * math.prod(weight.shape)


def _attention(plan: PartPlan, batch: Batch) -> int:
    if plan.part.kind is not PartKind.LAYER:
        return 0
    return 4 * batch.n_sentences * batch.n_tokens**2 * _hidden(plan)


def _kept_bytes(plan: PartPlan, batch: Batch) -> int:
    matrices, readers, trainable = _matrices(plan), _readers(plan), set(plan.trainable)
    widest = max(weight.shape[0] for weight in matrices)
    inputs = sum(weight.shape[1] for weight in matrices if weight in trainable and weight not in readers)
    if trainable & set(readers):
        inputs += _hidden(plan)
    n_pairs = batch.n_sentences * batch.n_attention_heads * batch.n_tokens**2
    return _FLOAT * (batch.n_sentences * batch.n_tokens * (7 * _hidden(plan) + widest + inputs) + 3 * n_pairs)


def _hidden(plan: PartPlan) -> int:
    return _matrices(plan)[0].shape[1]
