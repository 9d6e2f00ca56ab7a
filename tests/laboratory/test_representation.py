"""CKA against its definition and its invariances; hidden states against the model's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdemo.laboratory.representation import collect_hidden_states, compare_layers, linear_cka
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.results import FloatArray
from tests.conftest import tiny_config

N, WIDTH = 60, 7


def draw(seed: int, width: int = WIDTH) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(N, width)).astype(np.float32)


def rotation(seed: int) -> FloatArray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)


def cka_by_definition(x: FloatArray, y: FloatArray) -> float:
    """Kornblith et al. 2019: HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of the Gram matrices, as tr(K H L H) / (n - 1)²."""
    centre = np.eye(len(x)) - np.ones((len(x), len(x))) / len(x)

    def hsic(k: FloatArray, other: FloatArray) -> float:
        return float(np.trace(k @ centre @ other @ centre)) / (len(x) - 1) ** 2

    k, other = (each.astype(np.float64) @ each.T.astype(np.float64) for each in (x, y))
    return hsic(k, other) / np.sqrt(hsic(k, k) * hsic(other, other))


@pytest.mark.parametrize("width", [3, WIDTH, 90])
def test_cka_is_that_of_its_definition(width: int) -> None:
    first, second = draw(0), draw(1, width)
    assert linear_cka(first, second) == pytest.approx(cka_by_definition(first, second), abs=1e-9)
    mixed = first + 0.3 * draw(2)
    assert linear_cka(first, mixed) == pytest.approx(cka_by_definition(first, mixed), abs=1e-9)


def test_cka_is_blind_to_rotation_scale_and_shift_but_not_to_every_linear_map() -> None:
    first, second = draw(0), draw(0) + draw(1)
    alike = linear_cka(first, second)
    assert 0.0 < alike < 1.0
    assert linear_cka(second, first) == pytest.approx(alike)
    for same in (second @ rotation(3), 17.0 * second, -second, second + 5.0):
        assert linear_cka(first, same) == pytest.approx(alike, abs=1e-6)
        assert linear_cka(second, same) == pytest.approx(1.0, abs=1e-6)
    assert abs(linear_cka(first, second * np.arange(1, WIDTH + 1)) - alike) > 0.01
    assert np.isnan(linear_cka(first, np.ones_like(first)))


def test_a_space_that_is_turned_has_a_low_cosine_and_a_high_cka() -> None:
    old = draw(0)
    same, turned, scaled = compare_layers([old] * 3, [old.copy(), old @ rotation(1), 2 * old])
    assert (same.name, same.cka, same.cosine, same.is_identical) == ("embeddings", 1.0, 1.0, True)
    assert turned.name == "layer_0" and not turned.is_identical
    assert turned.cka == pytest.approx(1.0, abs=1e-6) and turned.cosine < 0.9
    assert scaled.cosine == pytest.approx(1.0, abs=1e-6) and not scaled.is_identical


@pytest.fixture(scope="module")
def model(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> LoadedModel:
    return load_directory(checkpoints(tiny_config(), 0))


def test_states_are_those_of_the_model_sentence_by_sentence(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the cat sat", "john", "the cat sat on the mat ."]
    levels = collect_hidden_states(model, texts, 128)
    assert len(levels) == 3, "embeddings and two layers"
    start = 0
    for text in texts:
        inputs = model.pad([model.encode([text], 64)[0].windows[0]])
        with torch.inference_mode():
            expected = model.model.backbone(**inputs, output_hidden_states=True).hidden_states
        stop = start + inputs["input_ids"].shape[1]
        for level, its in zip(levels, expected, strict=True):
            np.testing.assert_allclose(level[start:stop], its[0].numpy(), atol=1e-5)
        start = stop
    assert all(len(level) == start for level in levels)
    monkeypatch.setattr("mtdemo.laboratory.representation.MAX_PIECES", 9)
    assert len(collect_hidden_states(model, texts, 128)[0]) == 8, "the third sentence does not fit"
    assert len(collect_hidden_states(model, texts[2:], 4)[0]) == 4
