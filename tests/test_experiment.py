"""Experiments on the embedded model and the project's own sample: what a plan claims is what happens."""

import json
import threading
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdemo.config import Settings
from mtdemo.errors import PlanError
from mtdemo.experiment import Experiment, ExperimentSettings, Outcome, Snapshot, movement
from mtdemo.loading import LoadedModel, load_directory
from mtdemo.optim import OptimizerSettings
from mtdemo.plans import TrainingPlan
from mtdemo.sample_file import Sample, read_sample

FAST = OptimizerSettings(1e-4, {"classification_head": 1e-3, "ner_head": 1e-3})
OWN = ("Ada Lovelace met Charles Babbage in London.", "I am so happy today!")


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_directory(Path(Settings().checkpoint))


@pytest.fixture(scope="module")
def sample() -> Sample:
    whole = read_sample()
    return Sample(whole.train[::4], whole.test[::3])


def conduct(model: LoadedModel, sample: Sample, settings: ExperimentSettings) -> tuple[Outcome, list[Snapshot]]:
    experiment = Experiment(model, sample, settings)
    told = list(experiment.run())
    assert experiment.outcome is not None
    return experiment.outcome, told


def quick(*frozen: str, n_steps: int = 3) -> ExperimentSettings:
    return ExperimentSettings(TrainingPlan(frozen, FAST), n_steps, own_sentences=OWN)


def test_a_frozen_head_over_a_backbone_that_trains_keeps_its_weights_and_loses_its_answers(
    model: LoadedModel, sample: Sample
) -> None:
    """The reference's third scenario claims that the frozen head's task is unharmed. It is not."""
    settings = ExperimentSettings(TrainingPlan(("ner_head",), OptimizerSettings(1e-3)), 6, task_weights=(0.0, 1.0))
    outcome, _ = conduct(model, sample, settings)
    assert outcome.movement["ner_head"] == 0.0
    assert outcome.movement["layer_0"] > 0.0
    assert outcome.entities.share_changed > 0.0
    assert outcome.embedding_cosine < 0.9999


def test_with_the_backbone_frozen_too_the_frozen_heads_answers_are_the_same_bit_for_bit(
    model: LoadedModel, sample: Sample
) -> None:
    settings = ExperimentSettings(
        TrainingPlan(("backbone", "ner_head"), OptimizerSettings(1e-3)), 12, task_weights=(0.0, 1.0), own_sentences=OWN
    )
    outcome, _ = conduct(model, sample, settings)
    assert {name for name, moved in outcome.movement.items() if moved} == {"classification_head"}
    assert outcome.entities.share_changed == 0.0
    assert outcome.entities.score_before == outcome.entities.score_after
    assert outcome.embedding_cosine == pytest.approx(1.0, abs=1e-6)
    for before, after in zip(outcome.own_before, outcome.own_after, strict=True):
        assert torch.equal(torch.tensor(before.embedding), torch.tensor(after.embedding))
        assert before.entities == after.entities


def test_the_model_that_serves_is_untouched(model: LoadedModel, sample: Sample) -> None:
    before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
    outcome, _ = conduct(model, sample, quick())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.model.state_dict().items())
    assert not model.model.training
    assert all(parameter.requires_grad for parameter in model.model.parameters())
    assert outcome.model.model is not model.model
    assert outcome.movement["layer_5"] > 0


def test_it_tells_every_step_and_keeps_measurements(model: LoadedModel, sample: Sample) -> None:
    outcome, told = conduct(model, sample, quick("backbone", n_steps=25))
    assert [snapshot.n_done for snapshot in told] == list(range(26))
    assert told[0].losses is None
    assert set(told[3].rates) == set(told[0].rates)
    assert [snapshot.n_done for snapshot in outcome.snapshots] == [0, *range(2, 25, 2), 25]
    assert outcome.snapshots[-1].scores == told[-1].scores
    assert json.loads(json.dumps(outcome.as_dict()))["n_steps"] == 25


def test_learning_on_the_sample_lowers_the_loss(model: LoadedModel, sample: Sample) -> None:
    _, told = conduct(model, sample, quick("backbone", n_steps=60))
    losses = [snapshot.losses for snapshot in told if snapshot.losses is not None]
    assert np.mean([each.classification for each in losses[-20:]]) < np.mean([each.classification for each in losses[:20]])
    assert np.mean([each.ner for each in losses[-20:]]) < np.mean([each.ner for each in losses[:20]])


def test_stopping_keeps_what_there_is(model: LoadedModel, sample: Sample) -> None:
    experiment = Experiment(model, sample, quick("backbone", n_steps=1_000))
    told = []
    for snapshot in experiment.run():
        told.append(snapshot)
        if snapshot.n_done == 3:
            experiment.stop()
    assert told[-1].n_done == 3
    assert experiment.outcome is not None
    assert experiment.outcome.stopped
    assert experiment.outcome.movement["ner_head"] > 0
    assert experiment.outcome.snapshots[-1].n_done == 3


def test_runs_at_the_same_time_do_not_change_each_other(model: LoadedModel, sample: Sample) -> None:
    settings = [quick("backbone", "ner_head"), quick("embeddings")]
    alone = [conduct(model, sample, each)[0] for each in settings]
    together: dict[int, Outcome] = {}

    def conduct_one(number: int) -> None:
        together[number] = conduct(model, sample, settings[number])[0]

    threads = [threading.Thread(target=conduct_one, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(2):
        for name, tensor in alone[number].model.model.state_dict().items():
            torch.testing.assert_close(tensor, together[number].model.model.state_dict()[name], atol=1e-5, rtol=0)


def test_nothing_to_train_is_told(model: LoadedModel, sample: Sample) -> None:
    with pytest.raises(PlanError, match="Nothing trains"):
        conduct(model, sample, quick("backbone", "classification_head", "ner_head"))
    with pytest.raises(PlanError, match="no part 'tail'"):
        conduct(model, sample, quick("tail"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_steps": 0}, "number of steps must be a whole number from 1 to 1,000, not 0"),
        ({"n_steps": 10_000}, "not 10000"),
        ({"sentences_per_step": 1}, "from 2 to 64"),
        ({"seed": -1}, "The seed"),
        ({"task_weights": (0.0, 0.0)}, "weights of the losses"),
        ({"task_weights": (float("nan"), 1.0)}, "weights of the losses"),
        ({"distillation_weight": -1.0}, "weights of the losses"),
    ],
)
def test_settings_out_of_range_are_told(values: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        ExperimentSettings(**values)  # type: ignore[arg-type]
    assert words in str(caught.value)


def test_movement_is_relative_to_the_length_before(model: LoadedModel) -> None:
    doubled = replace(model, model=deepcopy(model.model))
    with torch.no_grad():
        for parameter in doubled.model.ner_head.parameters():
            parameter.mul_(2)
    moved = movement(model, doubled, model.model.parts())
    assert moved["ner_head"] == pytest.approx(1.0)
    assert {moved[name] for name in moved if name != "ner_head"} == {0.0}
