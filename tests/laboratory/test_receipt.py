"""Freeze receipts: exactly what the plan asks is frozen, and a plan that is not kept ends the run."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.errors import TrainingError, UnknownNameError
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.experiment import Experiment
from mtdemo.laboratory.outcome import ExperimentSettings
from mtdemo.laboratory.receipt import FreezeReceipt, PartReceipt, copy_weights, write_receipt
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.planning.freezing import apply_freezing
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from tests.conftest import tiny_config

WHOLE = read_sample()
FEW = LabDataset.from_sample(Sample(WHOLE.train[:12], WHOLE.test[:6]))
FAST = OptimizerSettings(1e-3, {"classification_head": 1e-3, "ner_head": 1e-3})


@pytest.fixture(scope="module")
def model(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> LoadedModel:
    return load_directory(checkpoints(tiny_config(trained_heads=["classification_head", "ner_head"]), 0))


def receipt_of(model: LoadedModel, plan: TrainingPlan) -> dict[str, PartReceipt]:
    experiment = Experiment(model, FEW, ExperimentSettings(plan, n_steps=4, sentences_per_step=4))
    for _ in experiment.run():
        pass
    assert experiment.outcome is not None and experiment.outcome.receipt is not None
    return {part.name: part for part in experiment.outcome.receipt.parts}


@pytest.mark.parametrize(
    ("plan", "frozen", "partly"),
    [
        (TrainingPlan((), FAST), set(), set()),
        (TrainingPlan(("backbone", "ner_head"), FAST), {"embeddings", "layer_0", "layer_1", "ner_head"}, set()),
        (TrainingPlan(("embeddings", "layer_0"), FAST), {"embeddings", "layer_0"}, set()),
        (TrainingPlan((), FAST, selection="biases"), set(), {"embeddings", "layer_0", "layer_1"}),
        (TrainingPlan(("embeddings",), FAST, selection="adapters"), {"embeddings"}, {"layer_0", "layer_1"}),
        (TrainingPlan((), FAST, gradual=True), {"embeddings", "layer_0", "layer_1"}, set()),  # the heads begin alone
    ],
    ids=["nothing", "backbone and a head", "lowest parts", "biases", "adapters", "gradual"],
)
def test_what_is_asked_is_frozen_and_only_the_rest_moves(
    model: LoadedModel, plan: TrainingPlan, frozen: set[str], partly: set[str]
) -> None:
    for name, part in receipt_of(model, plan).items():
        assert part.is_kept
        assert part.n_frozen == part.n_asked
        assert part.largest_frozen_change == 0.0
        if name in frozen:
            assert (part.n_frozen, part.largest_change) == (part.n_parameters, 0.0)
        else:
            assert (0 < part.n_frozen < part.n_parameters) == (name in partly)
            assert part.largest_change > 0.0


def test_a_plan_that_is_not_kept_is_told_and_ends_the_run(model: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is that of a library that sets the flags again after they were applied."""
    plan = TrainingPlan(("backbone",), FAST)

    def unfreeze(trained: torch.nn.Module, freezing: object) -> None:
        for parameter in trained.parameters():
            parameter.requires_grad_(True)

    monkeypatch.setattr("mtdemo.training.preparation.apply_freezing", unfreeze)
    experiment = Experiment(model, FEW, ExperimentSettings(plan, n_steps=4, sentences_per_step=4))
    with pytest.raises(TrainingError, match="plan was not kept in the embeddings"):
        list(experiment.run())


def test_a_frozen_weight_that_moves_is_seen_though_the_flags_are_right(model: LoadedModel) -> None:
    """As by an optimizer that decays what has no gradient."""
    changed = replace(model, model=deepcopy(model.model))
    asked = TrainingPlan(("backbone",)).freezing_plan(model.model.parts())
    apply_freezing(changed.model, asked)
    before = copy_weights(changed.model)
    assert write_receipt(before, changed.model, asked).parts[0].is_kept
    with torch.no_grad():
        changed.model.backbone.embeddings.word_embeddings.weight[3, 2] += 0.25
    receipt = write_receipt(before, changed.model, asked)
    assert receipt.parts[0].largest_frozen_change == pytest.approx(0.25)
    assert (
        receipt.n_asked
        == receipt.n_frozen
        == model.model.parts()[0].n_parameters
        + sum(part.n_parameters for part in model.model.parts() if part.name.startswith("layer_"))
    )
    with pytest.raises(TrainingError, match=r"embeddings.*moved by 2\.5e-01"):
        receipt.check()


def test_a_target_or_a_name_that_matches_nothing_is_an_error(model: LoadedModel) -> None:
    """Also beside others that match something."""
    for plan, words in (
        (TrainingPlan(("layer_9",)), "no part 'layer_9'"),
        (
            TrainingPlan(selection="adapters", adapters=AdapterSettings(targets=("query", "valeu"))),
            "No linear layer of this backbone is called valeu; there are query, key",
        ),
    ):
        with pytest.raises(UnknownNameError, match=words):
            receipt_of(model, plan)


def test_a_receipt_is_plain_data() -> None:
    part = PartReceipt("layer_0", 10, 9, 8, 0.5, 0.25)
    (row,) = FreezeReceipt((part,)).as_dict()
    assert PartReceipt(**row) == part
