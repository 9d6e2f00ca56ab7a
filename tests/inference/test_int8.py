"""Passes in int8 say nearly what those in float32 say, and change no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings
from mtdemo.errors import SettingsError
from mtdemo.inference import placement
from mtdemo.inference.forward import run_windows
from mtdemo.inference.int8 import Int8Linear
from mtdemo.inference.linear_layers import as_computed
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.inference.placement import place
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.serving.service import ModelService
from tests.inference.test_packed import make_model, make_windows

Write = Callable[..., Path]


def cosines(exact: list[np.ndarray], rough: list[np.ndarray]) -> list[float]:
    return [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in zip(exact, rough, strict=True)]


def test_the_layer_is_exact_where_numbers_are_whole_and_off_by_half_a_step_elsewhere() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, states = nn.Linear(40, 30), torch.randn(3, 7, 40)
    whole = torch.randint(-63, 64, (30, 40), generator=torch.Generator().manual_seed(1)).float()
    whole[:, 0], pieces = 63, torch.randint(-127, 128, (2, 40), generator=torch.Generator().manual_seed(2)).float()
    pieces[:, 0], pieces[:, 1] = 127, -127
    with torch.no_grad():
        exact = nn.Linear(40, 30, bias=False)
        exact.weight.copy_(whole)
        assert torch.equal(Int8Linear(exact)(pieces), exact(pieces))
        error = (Int8Linear(layer)(states) - layer(states)).abs()
        of_states = (states.amax(-1) - states.amin(-1))[..., None] / 254 / 2 * layer.weight.abs().sum(1)
        of_weights = layer.weight.abs().amax(1) / 63 / 2 * (states.abs().sum(-1)[..., None] + 40 * 0.02)
        assert (error <= of_states + of_weights + 1e-5).all()
        assert torch.equal(Int8Linear(layer)(torch.zeros(2, 40)), layer.bias.expand(2, -1))


def test_a_word_piece_is_rounded_alike_in_any_company() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, states = Int8Linear(nn.Linear(16, 16)), torch.randn(5, 16)
    with torch.no_grad():
        assert torch.equal(layer(states * torch.tensor([[1.0], [1e6], [1], [0], [1]]))[[0, 2, 4]], layer(states[[0, 2, 4]]))


@pytest.mark.parametrize("architecture", ["bert", "roberta", "modernbert", "deberta-v2", "mpnet"])
def test_architectures_say_nearly_the_same(architecture: str) -> None:
    loaded, windows = make_model(architecture), make_windows(3, 9, 9, 40)
    exact = run_windows(loaded, windows, 1)
    rough = run_windows(replace(loaded, products="int8"), windows, 1)
    assert min(cosines([one.embedding for one in exact], [one.embedding for one in rough])) > 0.97
    assert not np.array_equal(exact[0].embedding, rough[0].embedding)
    assert any(isinstance(module, Int8Linear) for module in as_computed(replace(loaded, products="int8")).model.modules())
    assert not any(isinstance(module, Int8Linear) for module in loaded.model.modules())


def test_the_setting_is_told_and_refused_where_a_gpu_computes(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), dtype="int8"))
    answers = service.analyze(["the cat sat", "john sings"])
    assert answers.model.place == "cpu, int8"
    assert {weights.dtype for weights in service.get_model().model.parameters()} == {torch.float32}, "for the laboratory"
    assert {answer.embedding.dtype for answer in answers} == {np.dtype(np.float32)}
    monkeypatch.setattr(placement, "choose_device", lambda wanted: "cuda")
    with pytest.raises(SettingsError, match="int8 is for the CPU"):
        place(load_directory(tiny()), "auto", "int8")


@pytest.mark.model
def test_the_error_is_what_the_documents_state(embedded: LoadedModel, sentences: list[str]) -> None:
    rough = place(load_directory(EMBEDDED_CHECKPOINT), "cpu", "int8")
    exact, other = (analyze_batches(model, sentences, 128) for model in (embedded, rough))
    found = cosines([one.embedding for one in exact], [one.embedding for one in other])
    assert min(found) > 0.99
    changes = [
        abs(a.probabilities[name] - b.probabilities[name])
        for a, b in zip(exact, other, strict=True)
        for name in a.probabilities
    ]
    assert max(changes) < 0.1
    alone = [analyze_batches(rough, [text], 128)[0].embedding for text in sentences[:20]]
    assert min(cosines([one.embedding for one in other[:20]], alone)) > 0.9999
