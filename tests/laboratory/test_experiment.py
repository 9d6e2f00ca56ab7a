"""Experiments on the project's own sample: what a plan claims is what happens."""

import json
import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig

from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.errors import PlanError, TrainingError, UnknownNameError
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.experiment import Experiment
from mtdemo.laboratory.outcome import ExperimentSettings, Outcome, Snapshot
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from tests.conftest import tiny_config

FAST = OptimizerSettings(1e-4, {"classification_head": 1e-3, "ner_head": 1e-3})
OWN = ("Ada Lovelace met Charles Babbage in London.", "I am so happy today!")


@pytest.fixture(scope="module")
def model(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> LoadedModel:
    """Six layers as the embedded model has them, but small: for everything that is not about what is learned."""
    backbone = BertConfig(
        vocab_size=18, hidden_size=16, num_hidden_layers=6, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    config = tiny_config(backbone=backbone, trained_heads=["classification_head", "ner_head"])
    return load_directory(checkpoints(config, 0))


@pytest.fixture(scope="module")
def dataset() -> LabDataset:
    whole = read_sample()
    return LabDataset.from_sample(Sample(whole.train[::4], whole.test[::3]))


def run(model: LoadedModel, dataset: LabDataset, settings: ExperimentSettings) -> tuple[Outcome, list[Snapshot]]:
    outcome, told, _ = run_whole(model, dataset, settings)
    return outcome, told


def run_whole(
    model: LoadedModel, dataset: LabDataset, settings: ExperimentSettings
) -> tuple[Outcome, list[Snapshot], LoadedModel]:
    experiment = Experiment(model, dataset, settings)
    told = list(experiment.run())
    assert experiment.outcome is not None
    assert experiment.trained is not None
    assert experiment.trained.model is not model.model
    return experiment.outcome, told, experiment.trained


def quick(*frozen: str, n_steps: int = 3) -> ExperimentSettings:
    return ExperimentSettings(TrainingPlan(frozen, FAST), n_steps, own_sentences=OWN)


def test_a_frozen_head_over_a_backbone_that_trains_keeps_its_weights_and_loses_its_answers(
    embedded: LoadedModel, dataset: LabDataset
) -> None:
    """The reference's third scenario claims that the frozen head's task is unharmed. It is not."""
    settings = ExperimentSettings(TrainingPlan(("ner_head",), OptimizerSettings(1e-3)), 8, task_weights=(0.0, 1.0))
    few = replace(dataset, tagged_heldout=dataset.tagged_heldout[::3], labelled_heldout=dataset.labelled_heldout[::3])
    outcome, _ = run(embedded, few, replace(settings, sentences_per_step=8))
    assert outcome.movement["ner_head"] == 0.0
    assert outcome.movement["layer_0"] > 0.0
    assert outcome.entities.changed_fraction > 0.0
    assert outcome.embedding_cosine < 0.9999


def test_with_the_backbone_frozen_too_the_frozen_heads_answers_are_the_same_bit_for_bit(
    embedded: LoadedModel, dataset: LabDataset
) -> None:
    settings = ExperimentSettings(
        TrainingPlan(("backbone", "ner_head"), OptimizerSettings(1e-3)), 12, task_weights=(0.0, 1.0), own_sentences=OWN
    )
    outcome, _ = run(embedded, dataset, settings)
    assert {name for name, moved in outcome.movement.items() if moved} == {"classification_head"}
    assert outcome.entities.changed_fraction == 0.0
    assert outcome.entities.score_before == outcome.entities.score_after
    assert outcome.embedding_cosine == pytest.approx(1.0, abs=1e-6)
    for before, after in zip(outcome.own_before, outcome.own_after, strict=True):
        assert torch.equal(torch.tensor(before.embedding), torch.tensor(after.embedding))
        assert before.entities == after.entities


def test_a_model_of_few_positions_learns_too(tiny: Callable[..., Path], dataset: LabDataset) -> None:
    own = ("the cat " * 60,)
    settings = ExperimentSettings(TrainingPlan(("backbone",)), 1, own_sentences=own)
    outcome, _ = run(load_directory(tiny()), dataset, settings)
    assert outcome.own_before[0].n_truncated > 0


def test_a_model_that_answers_in_int8_trains_and_is_measured_in_float32(model: LoadedModel, dataset: LabDataset) -> None:
    outcome, _, trained = run_whole(replace(model, products="int8"), dataset, quick())
    assert trained.products == "plain"
    exact, _ = run(model, dataset, quick())
    assert (outcome.entities, outcome.classes, outcome.movement) == (exact.entities, exact.classes, exact.movement)


def test_the_model_that_serves_is_untouched(model: LoadedModel, dataset: LabDataset) -> None:
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    outcome, _ = run(model, dataset, quick())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.model.state_dict().items())
    assert not model.model.training
    assert all(parameter.requires_grad for parameter in model.model.parameters())
    assert outcome.movement["layer_5"] > 0


def test_it_tells_every_step_and_keeps_measurements(model: LoadedModel, dataset: LabDataset) -> None:
    outcome, told = run(model, dataset, quick("backbone", n_steps=25))
    assert [snapshot.n_done for snapshot in told] == list(range(26))
    assert told[0].losses is None
    assert set(told[3].rates) == set(told[0].rates)
    assert [snapshot.n_done for snapshot in outcome.snapshots] == [0, *range(2, 25, 2), 25]
    assert outcome.snapshots[-1].scores == told[-1].scores
    assert json.loads(json.dumps(outcome.as_dict()))["n_steps"] == 25


def test_learning_on_the_sample_lowers_the_loss(embedded: LoadedModel, dataset: LabDataset) -> None:
    _, told = run(embedded, dataset, quick("backbone", n_steps=60))
    losses = [snapshot.losses for snapshot in told if snapshot.losses is not None]
    assert np.mean([each.classes for each in losses[-20:]]) < np.mean([each.classes for each in losses[:20]])
    assert np.mean([each.entities for each in losses[-20:]]) < np.mean([each.entities for each in losses[:20]])


def test_stopping_keeps_what_there_is(model: LoadedModel, dataset: LabDataset) -> None:
    experiment = Experiment(model, dataset, quick("backbone", n_steps=1_000))
    told = []
    for snapshot in experiment.run():
        told.append(snapshot)
        if snapshot.n_done == 3:
            experiment.stop()
    assert told[-1].n_done == 3
    assert experiment.outcome is not None
    assert experiment.outcome.ending == "stopped"
    assert experiment.outcome.movement["ner_head"] > 0
    assert experiment.outcome.snapshots[-1].n_done == 3


def test_runs_at_the_same_time_do_not_change_each_other(model: LoadedModel, dataset: LabDataset) -> None:
    settings = [quick("backbone", "ner_head"), quick("embeddings")]
    alone = [run_whole(model, dataset, each)[2] for each in settings]
    together: dict[int, LoadedModel] = {}

    def run_one(number: int) -> None:
        together[number] = run_whole(model, dataset, settings[number])[2]

    threads = [threading.Thread(target=run_one, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(2):
        for name, tensor in alone[number].model.state_dict().items():
            torch.testing.assert_close(tensor, together[number].model.state_dict()[name], atol=1e-5, rtol=0)


def test_nothing_to_train_is_told(model: LoadedModel, dataset: LabDataset) -> None:
    with pytest.raises(PlanError, match="Nothing trains"):
        run(model, dataset, quick("backbone", "classification_head", "ner_head"))
    with pytest.raises(UnknownNameError, match="no part 'tail'"):
        run(model, dataset, quick("tail"))


@pytest.mark.parametrize(
    ("plan", "moved_parts"),
    [
        (TrainingPlan(("backbone", "classification_head", "ner_head"), FAST, new_output_layer=True), set()),
        (TrainingPlan(("embeddings", "layer_0", "layer_1", "ner_head"), FAST, selection="biases"), {2, 3, 4, 5}),
        (TrainingPlan(("embeddings", "layer_5", "ner_head"), FAST, selection="adapters"), {0, 1, 2, 3, 4}),
        (TrainingPlan(("ner_head",), FAST, gradual=True), {2, 3, 4, 5}),  # in 5 of the 8 stages
    ],
    ids=["new output layer", "biases", "adapters", "gradual"],
)
def test_each_kind_of_plan_moves_its_parts_and_no_other(
    model: LoadedModel, dataset: LabDataset, plan: TrainingPlan, moved_parts: set[int]
) -> None:
    experiment = Experiment(model, dataset, ExperimentSettings(plan, 8))
    for snapshot in experiment.run():
        if snapshot.n_done == 5:
            experiment.stop()
    outcome, trained = experiment.outcome, experiment.trained
    assert outcome is not None and trained is not None
    moved = {name for name, distance in outcome.movement.items() if distance > 0}
    heads = {"classification_head"} - set(plan.frozen)
    assert moved == {*heads, *(f"layer_{index}" for index in moved_parts)}
    assert (outcome.snapshots[-1].scores.output_f1 is not None) == plan.new_output_layer
    assert ("output_layer" in trained.info.trained_heads) == plan.new_output_layer
    expected = set(model.model.state_dict()) | {
        f"output_layer.linear.{n}" for n in ("weight", "bias") if plan.new_output_layer
    }
    assert set(trained.model.state_dict()) == expected, "adapters have become part of the matrices"


def test_a_new_output_layer_has_a_loss_of_its_own(embedded: LoadedModel, dataset: LabDataset) -> None:
    plan = TrainingPlan(("backbone", "classification_head", "ner_head"), FAST, new_output_layer=True)
    outcome, told = run(embedded, dataset, ExperimentSettings(plan, 30, task_weights=(0.0, 1.0)))
    losses = [snapshot.losses for snapshot in told if snapshot.losses is not None]
    assert losses[0].new_output_layer is not None and losses[-1].new_output_layer is not None
    assert losses[-1].new_output_layer < losses[0].new_output_layer, "it learns"
    assert outcome.as_dict()["history"][-1]["losses"]["new_output_layer"] == losses[-1].new_output_layer
    assert losses[0].classes is not None
    assert losses[0].classes < 0.7 < losses[0].new_output_layer, "that of the trained head, not the sum of both"


def test_keeping_embeddings_that_cannot_move_costs_nothing(model: LoadedModel, dataset: LabDataset) -> None:
    settings = ExperimentSettings(TrainingPlan(("backbone",), FAST), 3, task_weights=(0.0, 1.0), distillation_weight=5.0)
    plain, _ = run(model, dataset, replace(settings, distillation_weight=0.0))
    kept, told = run(model, dataset, settings)
    assert told[-1].losses is not None and told[-1].losses.entities is None
    assert kept.movement == plain.movement


def test_whether_answers_are_the_same_is_measured(model: LoadedModel, dataset: LabDataset) -> None:
    heads, _ = run(model, dataset, ExperimentSettings(TrainingPlan(("backbone",), FAST), 3, task_weights=(0.0, 1.0)))
    assert (heads.entities.is_identical, heads.classes.is_identical) == (True, False)
    slow = OptimizerSettings(1e-7)
    moved, _ = run(model, dataset, ExperimentSettings(TrainingPlan(("ner_head", "classification_head"), slow), 1))
    assert (moved.entities.changed_fraction, moved.entities.is_identical) == (0.0, False), "a change too small to see"
    assert 0 < moved.training_s < moved.snapshots[-1].seconds


def test_a_task_that_is_not_learned_leaves_its_head_alone(model: LoadedModel, dataset: LabDataset) -> None:
    """Not even weight decay touches it."""
    outcome, told = run(model, dataset, ExperimentSettings(TrainingPlan(("backbone",), FAST), 3, task_weights=(0.0, 1.0)))
    assert outcome.movement["ner_head"] == 0.0
    assert outcome.movement["classification_head"] > 0.0
    assert told[-1].losses is not None and told[-1].losses.entities is None


def test_a_run_ends_when_its_time_is_over_and_keeps_what_there_is(
    model: LoadedModel, dataset: LabDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = count()  # the clock moves when it is looked at
    monkeypatch.setattr("mtdemo.laboratory.experiment.time", SimpleNamespace(monotonic=lambda: float(next(seconds))))
    settings = replace(quick("backbone", n_steps=1_000), max_seconds=40.0)
    outcome, told = run(model, dataset, settings)
    assert outcome.ending == "out of time"
    assert 0 < told[-1].n_done < 1_000
    assert outcome.movement["ner_head"] > 0


def test_what_reusing_hidden_states_was_worth_is_told(embedded: LoadedModel, dataset: LabDataset) -> None:
    outcome, _ = run(embedded, dataset, ExperimentSettings(TrainingPlan(("backbone",), FAST), 30))
    assert outcome.reuse is not None
    texts = [sentence.text for sentence in (*dataset.tagged, *dataset.labelled)]
    different = {sentence.windows[0].input_ids for sentence in embedded.encode(texts, 128)}
    assert outcome.reuse.n_computed == len(different) < len(texts), "a sentence of both tasks is computed once"
    assert outcome.reuse.n_computed + outcome.reuse.n_reused == 30 * 16
    assert json.loads(json.dumps(outcome.as_dict()))["reuse"]["n_computed"] == outcome.reuse.n_computed
    moving, _ = run(embedded, dataset, quick("embeddings", n_steps=1))
    assert moving.reuse is None


def test_rates_that_are_too_high_are_told(model: LoadedModel, dataset: LabDataset) -> None:
    broken = replace(model, model=deepcopy(model.model))
    with torch.no_grad():
        broken.model.ner_head.linear.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="A lower learning rate may help"):
        run(broken, dataset, quick("backbone"))
