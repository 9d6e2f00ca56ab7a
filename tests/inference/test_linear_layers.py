"""Passes whose linear layers are others say what those of the model itself say, and change no model."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from mtdemo.inference import placement
from mtdemo.inference.forward import run_windows
from mtdemo.inference.linear_layers import as_computed
from mtdemo.inference.packed import count_rows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.inference.placement import hasten
from mtdemo.inference.reordered import Activation, ReorderedLinear, can_reorder
from mtdemo.models.loaded import LoadedModel, Products
from mtdemo.results import Entity
from tests.inference.test_packed import NOT_PACKED, PACKED, assert_equal, make_model, make_windows

pytestmark = pytest.mark.skipif(not can_reorder(), reason="this torch is built without oneDNN")
GIB = 2**30
OTHERS: list[Products] = ["reordered", "int8"]


def test_the_cases_are_all_there_are() -> None:
    assert {"plain", *OTHERS} == set(get_args(Products))


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 24), (3, 7), (1, 1), (2, 300), (0, 5)])
def test_a_reordered_layer_is_the_layer(shape: tuple[int, int], bias: bool, activation: Activation) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, states = nn.Linear(40, 30, bias=bias), torch.randn(*shape, 40)
    with torch.inference_mode():
        plain = layer(states) if activation == "none" else nn.functional.gelu(layer(states))
        torch.testing.assert_close(ReorderedLinear(layer, activation)(states), plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", PACKED)
def test_reordered_weights_change_no_answer(architecture: str) -> None:
    loaded, windows = make_model(architecture), make_windows(3, 9, 9, 40)
    faster = hasten(loaded, GIB)
    assert any(isinstance(module, ReorderedLinear) for module in as_computed(faster).model.modules())
    for its in (windows, windows[1:3], windows[:1]):  # of many lengths, of one, alone
        assert_equal(run_windows(faster, its, 1), run_windows(loaded, its, 1))


def test_the_numbers_of_rows_are_few_and_near(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = [count_rows(n) for n in range(1, 2_049)]
    assert len(set(counts)) == 56
    assert all(n <= count and count_rows(count) == count for n, count in enumerate(counts, 1))
    assert all(count <= n + max(3, n / 8) for n, count in enumerate(counts, 1))
    seen: list[int] = []
    multiply = ReorderedLinear.forward

    def note(layer: ReorderedLinear, states: torch.Tensor) -> torch.Tensor:
        seen.append(states[..., 0].numel())
        return multiply(layer, states)

    monkeypatch.setattr(ReorderedLinear, "forward", note)
    faster = hasten(make_model("bert"), GIB)
    for lengths in ((3,), (9, 9), (3, 9, 40)):
        run_windows(faster, make_windows(*lengths), 1)
    assert set(seen) == {8, 24, 60}  # each window has two pieces more


def test_an_exact_gelu_is_computed_with_the_layer_before_it_and_another_is_not() -> None:
    for architecture, name in (("bert", "gelu"), ("distilbert", "gelu"), ("bert", "gelu_new")):
        loaded = make_model(architecture)
        for layer in loaded.model.backbone.modules():
            if name != "gelu" and hasattr(layer, "intermediate_act_fn"):
                layer.intermediate_act_fn = nn.GELU(approximate="tanh")  # type: ignore[assignment]
        computed = as_computed(hasten(loaded, GIB)).model.backbone.modules()
        fused = [module for module in computed if isinstance(module, ReorderedLinear) and module.activation == "gelu"]
        assert len(fused) == (3 if name == "gelu" else 0)
        assert_equal(run_windows(hasten(loaded, GIB), make_windows(5, 5), 1), run_windows(loaded, make_windows(5, 5), 1))


@pytest.mark.parametrize("products", OTHERS)
def test_the_copy_is_made_once_and_anew_where_weights_changed(products: Products) -> None:
    loaded, windows = replace(make_model("bert"), products=products), make_windows(4, 4, 9)
    first = as_computed(loaded)
    assert as_computed(loaded) is first
    before = run_windows(loaded, windows, 1)
    weight = next(module for module in loaded.model.backbone.modules() if isinstance(module, nn.Linear)).weight
    for change in (lambda: weight.mul_(2), lambda: setattr(weight, "data", weight.data / 3)):
        with torch.no_grad():
            change()
        assert as_computed(loaded) is not first
        after = run_windows(loaded, windows, 1)
        assert abs(after[0].embedding - before[0].embedding).max() > 1e-4
        first, before = as_computed(loaded), after
    assert first.model.ner_head is not loaded.model.ner_head
    assert {id(weights) for weights in first.model.parameters()} <= {id(weights) for weights in loaded.model.parameters()}


def test_models_are_hastened_where_that_is_possible_and_memory_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = make_model("bert")
    faster = hasten(loaded, GIB)
    n_weights = sum(layer.weight.numel() for layer in loaded.model.backbone.modules() if isinstance(layer, nn.Linear))
    assert (faster.products, faster.place) == ("reordered", "cpu")
    assert faster.n_bytes == loaded.n_bytes + 4 * n_weights
    assert hasten(faster, GIB) is faster
    assert hasten(loaded, faster.n_bytes - 1) is loaded, "it would be larger than a model may be"
    for name in NOT_PACKED:
        other = make_model(name)
        assert hasten(other, GIB) is other, "its numbers of rows would be many"
    rough = replace(loaded, products="int8")
    assert hasten(rough, GIB) is rough
    assert rough.n_bytes == loaded.n_bytes + n_weights
    for name, value in (("_MAX_REORDERED", 4 * n_weights - 1), ("can_reorder", lambda: False)):
        with monkeypatch.context() as change:
            change.setattr(placement, name, value)
            assert hasten(loaded, GIB) is loaded
    loaded.model.backbone.to(torch.bfloat16)  # type: ignore[union-attr]
    assert hasten(loaded, GIB) is loaded


def test_a_torch_without_the_operators_computes_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("mkldnn_linear_pointwise: not built")

    monkeypatch.setattr(ReorderedLinear, "forward", refuse)
    assert not can_reorder.__wrapped__()
    monkeypatch.setattr(ReorderedLinear, "__init__", refuse)
    assert not can_reorder.__wrapped__()


@pytest.mark.model
def test_the_embedded_model_says_the_same_faster(embedded: LoadedModel, sentences: list[str]) -> None:
    plain, faster = replace(embedded, products="plain"), hasten(replace(embedded, products="plain"), GIB)
    assert faster.products == "reordered"
    for one, other in zip(*(analyze_batches(model, sentences, 128) for model in (plain, faster)), strict=True):
        assert abs(one.embedding - other.embedding).max() < 1e-5
        assert max(abs(one.probabilities[name] - other.probabilities[name]) for name in one.probabilities) < 1e-5
        assert list(map(_key, one.entities)) == list(map(_key, other.entities))


def _key(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.label
