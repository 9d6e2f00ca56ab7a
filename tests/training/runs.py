"""Short runs of a tiny model that the tests of training share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.loop import train
from mtdemo.training.preparation import prepare
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.trainer import Scores, Trainer

TAGGED = [
    TaggedSentence(("John", "sat", "on", "the", "cat"), ("PER", "O", "O", "O", "O")),
    TaggedSentence(("the", "cat", "sat", "on", "Paris"), ("O", "O", "O", "O", "LOC")),
    TaggedSentence(("Paris", "sings", "."), ("LOC", "O", "O"), ("PER", "ORG", "LOC")),
] * 20
LABELLED = [LabelledSentence("the cat sat !", "positive"), LabelledSentence("Paris sings on the mat", "negative")] * 30
FAST = OptimizerSettings(5e-3, {"classification_head": 2e-2, "ner_head": 2e-2})
FAST_PLAN = TrainingPlan(optimizer=FAST)
QUICK = TrainingSettings(n_steps=12, sentences_per_step=16, plan=FAST_PLAN, interval=5)


def make_trainer(*arguments: Any) -> Trainer:
    return Trainer(prepare(*arguments))


def run(checkpoint: Path, settings: TrainingSettings, **more: object) -> tuple[LoadedModel, list[str]]:
    told: list[str] = []
    base = load_directory(checkpoint)
    trained = train(base, TAGGED, LABELLED, settings, lambda phrase, *_: told.append(phrase), **more)  # type: ignore[arg-type]
    return trained, told


def run_until(step: int, checkpoint: Path, settings: TrainingSettings, out: Path, **more: Any) -> None:
    """A run that is stopped in the middle."""

    def stop(phrase: str, done: int, total: int) -> None:
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_directory(checkpoint), TAGGED, LABELLED, settings, stop, out, **more)


class Asked:
    """A measure that asks a function."""

    def __init__(self, ask: Callable[[LoadedModel], Scores], fingerprint: str = "held out") -> None:
        self.ask, self.fingerprint = ask, fingerprint

    def __call__(self, model: LoadedModel) -> Scores:
        return self.ask(model)


def state(model: LoadedModel) -> dict[str, torch.Tensor]:
    return model.model.state_dict()


def loss_in(phrase: str, name: str) -> float:
    return float(phrase.partition(f"{name} ")[2].partition(",")[0])
