"""Cost of a training step under a plan: memory and operations, counted from the parts alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from mtdemo.models.parts import HEADS, ParameterSpec, PartKind
from mtdemo.planning.freezing import FreezingPlan, PartPlan, plan_freezing

COUNTING_RULES = """
The counting rules, for float32 and AdamW:

1. Weights take 4 bytes each; gradients 4 bytes and Adam's two moments 8 bytes for each that trains.
2. A weight matrix costs 2 operations per entry and row that it reads, attention 4 per pair of tokens and hidden unit. Rows
   are word pieces, padding included, or sentences for what reads the sentence embedding.
3. Backward, a matrix costs the same again for its own gradient if it trains, and once more for the gradient of its input
   if anything before it trains; attention up to twice its forward cost. Nothing is done before the first weight that
   trains. Low-rank adapters are two more matrices beside the one that they adapt.
4. What the backward pass needs is kept from the forward pass for every layer that it goes through: per word piece seven
   vectors of the hidden size (queries, keys, values, what the two norms read, two masks of dropout), one of the
   intermediate size (what the activation reads) and the input of every matrix that trains, the one of queries, keys and
   values once; per pair of tokens and attention head three numbers (probabilities before and after dropout, its mask).
   Embeddings, heads and norms' statistics are small and left out.

Element-wise work (norms, activations, dropout, the optimizer's step) is not counted, as in torch's own counter.
"""

_FLOAT = 4  # bytes
_OF_SENTENCES = [head.name for head in HEADS if head.reads_sentences]


@dataclass(frozen=True, slots=True)
class Batch:
    """The size of the batch that one step reads.

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
    """Estimate the cost of one step under a plan.

    With the lowest layer and the entity head trained, gradients flow back from the head to that layer and stop there: the
    layers between pay for the gradients of their inputs, but for none of their own weights:

        embeddings -> nothing; layer_0 -> own weights; layer_1 -> inputs; ner_head -> own weights and inputs

    Args:
        plan: the parts, lowest first, and what of them trains.
        batch: what the step reads.
    """
    forward = sum(_forward(part, batch) for part in plan.parts)
    backward, kept = 0, 0
    below_trains = False  # whether anything before the part trains, so that gradients flow out of the part downwards
    for part in plan.parts:
        backward += _backward(part, batch, below_trains)
        if part.kind is PartKind.LAYER and (below_trains or part.n_trainable):
            kept += _kept_bytes(part, batch)
        below_trains = below_trains or (part.kind.in_backbone and part.n_trainable > 0)
    return StepCost(
        weight_bytes=_FLOAT * plan.n_parameters,
        gradient_bytes=_FLOAT * plan.n_trainable,
        optimizer_bytes=2 * _FLOAT * plan.n_trainable,
        activation_bytes=kept,
        n_operations=forward + backward,
        features_are_fixed=not below_trains,
    )


def estimate_training_everything(plan: FreezingPlan, batch: Batch) -> StepCost:
    """Estimate the same step with nothing frozen and no adapters.

    It is what a plan's cost is compared with.
    """
    parts = tuple(
        replace(part.part, parameters=tuple(p for p in part.part.parameters if not p.is_adapter)) for part in plan.parts
    )
    return estimate_step(plan_freezing(parts, [part.name for part in parts]), batch)


def _forward(plan: PartPlan, batch: Batch) -> int:
    return sum(_matrix(weight, plan, batch) for weight in _matrices(plan)) + _attention(plan, batch)


def _backward(plan: PartPlan, batch: Batch, below_trains: bool) -> int:
    """Count the operations of the gradients of a part.

    They are those of its own weights and of its inputs; none where nothing up to here trains. Modules follow one another,
    but the readers stand beside each other, and attention follows them. In a frozen layer whose values alone have an
    adapter and that nothing below trains:

        query, key -> nothing; value's adapter -> own weights; attention -> what its values need; the rest -> inputs
    """
    modules, readers, trainable = _modules(plan), _readers(plan), set(plan.trainable)
    flows = below_trains  # whether what a module gets has a gradient
    n_operations = 0
    for names in _groups(list(modules), readers):
        n_operations += sum(_backward_of_module(modules[name], trainable, plan, batch, flows) for name in names)
        leaving = [flows or not trainable.isdisjoint(modules[name]) for name in names]
        if names == readers:
            n_operations += _backward_of_attention(leaving, plan, batch)
        flows = any(leaving)
    return n_operations


def _backward_of_attention(flows: Sequence[bool], plan: PartPlan, batch: Batch) -> int:
    """Count the operations of the gradients of attention.

    Attention is two products: scores = queries x keys, context = scores x values. Each factor of each product has a
    gradient, which costs as much as the product did: half of attention's forward cost. It is computed where a gradient of
    that factor is wanted. Of all three -> 4 gradients; of queries alone -> 2 (scores, queries); of values alone -> 1.

    Args:
        flows: whether a gradient is wanted of queries, keys and values; of one module for all three, a single one.
        plan: the layer.
        batch: what the step reads.
    """
    queries, keys, values = flows if len(flows) == 3 else [any(flows)] * 3
    scores = queries or keys
    n_gradients = sum((scores, values, queries, keys))
    cost_of_a_product = _attention(plan, batch) // 2  # exact: the forward cost is a multiple of 4
    return n_gradients * cost_of_a_product


def _backward_of_module(
    parameters: Sequence[ParameterSpec], trainable: set[ParameterSpec], plan: PartPlan, batch: Batch, flows: bool
) -> int:
    """Count the operations of the gradients of one module.

    A matrix costs once for its own gradient and once for its input's; the second of an adapter reads the first.
    """
    n_operations, first_trains = 0, False
    for weight in (parameter for parameter in parameters if len(parameter.shape) == 2):
        trains = weight in trainable
        n_operations += _matrix(weight, plan, batch) * (trains + (flows or (weight.is_adapter and first_trains)))
        first_trains = trains and weight.is_adapter
    return n_operations


def _modules(plan: PartPlan) -> dict[str, list[ParameterSpec]]:
    """Group the parameters of a part by module.

    Modules stand in forward order. An adapter belongs to what it adapts. Tables of embeddings are
    looked up, so they count as no module.

        a.query.base_layer.weight, a.query.lora_A.default.weight, a.query.base_layer.bias -> "a.query"
    """
    modules: dict[str, list[ParameterSpec]] = {}
    for parameter in plan.part.parameters if plan.kind is not PartKind.EMBEDDINGS else ():
        name = parameter.name.partition(".lora_")[0].removesuffix(".weight").removesuffix(".bias")
        modules.setdefault(name.removesuffix(".base_layer"), []).append(parameter)
    return modules


def _groups(modules: Sequence[str], readers: Sequence[str]) -> list[list[str]]:
    """List the modules one by one, but the readers together.

    [query, key, value, dense] with the first three as readers -> [[query, key, value], [dense]]
    """
    singles = [[module] for module in modules if module not in readers]
    place = modules.index(readers[0]) if readers else 0
    return [*singles[:place], list(readers), *singles[place:]]


def _readers(plan: PartPlan) -> list[str]:
    """Name the modules that read a part's input.

    Of a layer they are those of queries, keys and values, or the one that makes all three; of a head the first. They are
    found by size: the first modules whose outputs are three times the hidden size together.
    """
    matrices = {name: members[0] for name, members in _modules(plan).items() if len(members[0].shape) == 2}
    n_outputs = 3 * _hidden(plan) if plan.kind is PartKind.LAYER else 1
    readers: list[str] = []
    for name in matrices:
        if sum(matrices[reader].shape[0] for reader in readers) < n_outputs:
            readers.append(name)
    return readers


def _matrices(plan: PartPlan) -> list[ParameterSpec]:
    """List the weights that multiply, in forward order."""
    return [parameter for members in _modules(plan).values() for parameter in members if len(parameter.shape) == 2]


def _matrix(weight: ParameterSpec, plan: PartPlan, batch: Batch) -> int:
    """Count the operations of one product with a weight."""
    n_rows = batch.n_sentences * (1 if plan.name in _OF_SENTENCES else batch.n_tokens)
    return 2 * n_rows * math.prod(weight.shape)


def _attention(plan: PartPlan, batch: Batch) -> int:
    """Count the operations of attention's two products, forward."""
    if plan.kind is not PartKind.LAYER:
        return 0
    return 4 * batch.n_sentences * batch.n_tokens**2 * _hidden(plan)


def _kept_bytes(plan: PartPlan, batch: Batch) -> int:
    """Count the bytes that a layer keeps for its gradients."""
    modules, readers = _modules(plan), _readers(plan)
    widest = max(weight.shape[0] for weight in _matrices(plan))
    reading = [weight for name in readers for weight in modules[name] if ".lora_B" not in weight.name]
    trained = [weight for weight in _matrices(plan) if weight in plan.trainable]
    inputs = sum(weight.shape[1] for weight in trained if weight not in reading)
    if any(weight in reading for weight in trained):
        inputs += _hidden(plan)
    n_pairs = batch.n_sentences * batch.n_attention_heads * batch.n_tokens**2
    return _FLOAT * (batch.n_sentences * batch.n_tokens * (7 * _hidden(plan) + widest + inputs) + 3 * n_pairs)


def _hidden(plan: PartPlan) -> int:
    return _matrices(plan)[0].shape[1]
