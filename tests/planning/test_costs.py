"""Estimates against measurement: torch's own counter, the tensors autograd keeps, a real optimizer's state."""

import copy
import random

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig

from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.adapters import extend_model
from mtdemo.planning.costs import Batch, estimate_step, estimate_training_everything
from mtdemo.planning.freezing import FreezingPlan, apply_freezing, plan_freezing
from mtdemo.planning.optimizer import OptimizerSettings, build_optimizer, plan_optimizer
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan

BATCH = Batch(n_sentences=6, n_tokens=20, n_attention_heads=4)
PLANS = {
    "everything": None,
    "backbone frozen": ("classification_head", "ner_head", "output_layer"),
    "one head": ("ner_head",),
    "upper half": ("layer_2", "layer_3", "classification_head", "ner_head", "output_layer"),
    "one layer in the middle": ("layer_1",),
    "embeddings only": ("embeddings",),
    "head frozen over a backbone that trains": ("embeddings", "layer_0", "layer_1", "layer_2", "layer_3", "ner_head"),
}


@pytest.fixture(scope="module")
def model() -> MultiTaskModel:
    backbone = BertConfig(
        vocab_size=100, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256,
        attn_implementation="eager",
    )  # fmt: skip
    return MultiTaskModel(MultiTaskConfig(backbone=backbone, output_labels=["a", "b"]))


def planned(model: MultiTaskModel, names: tuple[str, ...] | None) -> FreezingPlan:
    parts = model.parts()
    plan = plan_freezing(parts, [part.name for part in parts] if names is None else names)
    apply_freezing(model, plan)
    return plan


def loss_of(model: MultiTaskModel) -> torch.Tensor:
    ids = torch.randint(5, 100, (BATCH.n_sentences, BATCH.n_tokens))
    labels = torch.zeros(BATCH.n_sentences, dtype=torch.long)
    output = model(ids, classification_labels=labels, ner_labels=torch.zeros_like(ids), output_labels=labels)
    assert output.loss is not None
    return output.loss


def count(model: MultiTaskModel) -> int:
    model.zero_grad()
    with FlopCounterMode(display=False) as counter:
        loss_of(model).backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize("names", PLANS.values(), ids=PLANS)
def test_operations_equal_torchs_counter(model: MultiTaskModel, names: tuple[str, ...] | None) -> None:
    assert estimate_step(planned(model, names), BATCH).n_operations == count(model)


def test_operations_of_random_plans_equal_torchs_counter(model: MultiTaskModel) -> None:
    draw = random.Random(4)
    names = [part.name for part in model.parts()]
    for _ in range(20):
        plan = planned(model, tuple(draw.sample(names, draw.randint(1, len(names)))))
        assert estimate_step(plan, BATCH).n_operations == count(model)


def test_a_plan_of_single_parameters_is_counted_too(model: MultiTaskModel) -> None:
    """Only biases: every gradient flows to the bottom, none is taken of a matrix."""
    parts = model.parts()
    plan = plan_freezing(
        parts, (), parameters=[p.name for part in parts for p in part.parameters if p.name.endswith("bias")]
    )
    apply_freezing(model, plan)
    assert estimate_step(plan, BATCH).n_operations == count(model)


ADAPTERS = [
    TrainingPlan(("embeddings",), selection="adapters", adapters=AdapterSettings(4, targets=targets))
    for targets in (("query", "value"), ("query", "key", "value", "dense"), ("dense",), ("key",))
] + [TrainingPlan(("embeddings", "layer_0", "layer_2"), selection="adapters"), TrainingPlan((), selection="biases")]


@pytest.mark.parametrize("plan", ADAPTERS, ids=lambda plan: f"{plan.selection} {plan.adapters.targets} {plan.frozen}")
def test_biases_and_adapters_are_counted_as_torch_counts_them(model: MultiTaskModel, plan: TrainingPlan) -> None:
    adapted = copy.deepcopy(model)
    extend_model(adapted, plan)
    freezing = plan.freezing_plan(adapted.parts())
    apply_freezing(adapted, freezing)
    assert 0 < freezing.n_trainable < 0.2 * freezing.n_parameters
    assert estimate_step(freezing, BATCH).n_operations == count(adapted)
    check_kept(freezing, adapted)
    assert estimate_training_everything(freezing, BATCH) == estimate_training_everything(planned(model, None), BATCH)


@pytest.mark.parametrize("names", PLANS.values(), ids=PLANS)
def test_kept_activations_are_near_what_autograd_keeps(model: MultiTaskModel, names: tuple[str, ...] | None) -> None:
    plan = planned(model, names)
    check_kept(plan, model)


def check_kept(plan: FreezingPlan, model: MultiTaskModel) -> None:
    """Within a tenth, but for what embeddings and heads keep, which the estimate leaves out."""
    estimated, measured = estimate_step(plan, BATCH).activation_bytes, kept_bytes(model)
    small = 4 * BATCH.n_sentences * BATCH.n_tokens * 64 * 6  # six vectors of the hidden size per word piece
    assert abs(estimated - measured) < 0.1 * measured + small, (estimated, measured)


def kept_bytes(model: MultiTaskModel) -> int:
    """What autograd keeps of a forward pass beside the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    model.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = loss_of(model)
    del loss
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("names", PLANS.values(), ids=PLANS)
def test_gradients_and_optimizer_state_are_what_they_are(model: MultiTaskModel, names: tuple[str, ...] | None) -> None:
    plan = planned(model, names)
    optimizer = build_optimizer(model, plan_optimizer(plan, OptimizerSettings()))
    model.zero_grad()
    loss_of(model).backward()
    optimizer.step()
    cost = estimate_step(plan, BATCH)
    assert cost.weight_bytes == sum(p.nbytes for p in model.parameters())
    assert cost.gradient_bytes == sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    moments = [state[key] for state in optimizer.state.values() for key in ("exp_avg", "exp_avg_sq")]
    assert cost.optimizer_bytes == sum(moment.nbytes for moment in moments)
    assert cost.n_bytes == cost.weight_bytes + 3 * cost.gradient_bytes + cost.activation_bytes


def test_features_are_fixed_only_where_no_part_of_the_backbone_trains(model: MultiTaskModel) -> None:
    fixed = {name: estimate_step(planned(model, names), BATCH).features_are_fixed for name, names in PLANS.items()}
    assert {name for name, is_fixed in fixed.items() if is_fixed} == {"backbone frozen", "one head"}
