"""Tiny models for the tests of training."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel


@pytest.fixture
def directory(tiny: Callable[..., Path]) -> Path:
    return tiny()


@pytest.fixture
def teacher(tiny: Callable[..., Path]) -> LoadedModel:
    model = load_directory(tiny("teacher", seed=1))
    with torch.no_grad():
        model.model.classification_head.linear.weight.mul_(100)  # it is sure of what it says
    return replace(model, info=replace(model.info, trained_heads=("classification_head",)))
