"""Preparation: what a run adds to a model, and what it calls trained."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import DistilBertConfig

from mtdemo.data.records import LabelledSentence
from mtdemo.errors import UsageError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.loop import train
from mtdemo.training.settings import TrainingSettings
from tests.training.runs import FAST, LABELLED, QUICK, TAGGED, make_trainer, run, state


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (replace(QUICK, task_weights=(1.0, 0.0)), ("ner_head",)),
        (replace(QUICK, task_weights=(0.0, 1.0)), ("classification_head",)),
        (
            replace(QUICK, plan=TrainingPlan(optimizer=OptimizerSettings(1e-3, {"ner_head": 0.0}))),
            ("classification_head",),
        ),
    ],
)
def test_only_a_head_that_was_taught_something_is_called_trained(
    directory: Path, settings: TrainingSettings, expected: tuple[str, ...]
) -> None:
    trained, _ = run(directory, replace(settings, n_steps=2))
    assert trained.info.trained_heads == expected == trained.model.trained_heads


def test_an_output_layer_of_other_labels_is_left_alone(tiny: Callable[..., Path]) -> None:
    labels = ["positive", "negative"]  # an index that the classes' third would be beyond
    directory = tiny(output_labels=labels, trained_heads=["output_layer"])
    before = state(load_directory(directory))
    dataset = [*LABELLED, LabelledSentence("the mat", "positive")]
    base = load_directory(directory)
    trainer = make_trainer(
        base, TAGGED, dataset, replace(QUICK, plan=TrainingPlan(optimizer=replace(FAST, weight_decay=0.1)))
    )
    assert trainer.step().new_output_layer is None
    trained = trainer.finished()
    assert all(torch.equal(state(trained)[name], before[name]) for name in before if name.startswith("output_layer"))
    assert trained.info.trained_heads == ("classification_head", "ner_head", "output_layer"), "as it was before"


@pytest.mark.parametrize("weights", [(0.0, 1.0), (1.0, 1.0)])
def test_a_task_without_sentences_is_not_looked_at(directory: Path, weights: tuple[float, float]) -> None:
    trainer = make_trainer(load_directory(directory), [], LABELLED, replace(QUICK, task_weights=weights))
    losses = trainer.step()
    assert losses.entities is None and losses.classes is not None and losses.drift is not None
    assert trainer.current().info.trained_heads == ("classification_head",)
    with pytest.raises(UsageError, match="no sentence to learn from"):
        make_trainer(load_directory(directory), [], [], QUICK)


def test_a_new_class_head_reads_what_it_is_told_to_and_a_trained_one_what_it_always_read(directory: Path) -> None:
    first, _ = run(directory, replace(QUICK, pooling="cls"))
    assert first.model.config.classification_pooling == "cls"
    assert load_directory(directory).model.config.classification_pooling == "mean"
    again = make_trainer(first, TAGGED, LABELLED, replace(QUICK, pooling="mean"))
    assert again.model.config.classification_pooling == "cls"


def test_no_more_is_read_of_a_sentence_than_the_model_can_read(directory: Path) -> None:
    long = LabelledSentence("the cat sat on the mat " * 40, "positive")
    trainer = make_trainer(load_directory(directory), TAGGED, [long, *LABELLED], QUICK)
    assert max(len(example.window.input_ids) for example in trainer.prepared.objective.tasks[1].examples) == 64
    assert trainer.step().classes is not None


def test_a_backbone_without_segment_embeddings_learns_without_case(directory: Path) -> None:
    backbone = DistilBertConfig(vocab_size=18, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=64)
    base = load_directory(directory)
    other = replace(base, model=MultiTaskModel(MultiTaskConfig(backbone=backbone)).eval())
    trained = train(other, TAGGED, LABELLED, QUICK, lambda *_: None)
    assert not trained.model.can_carry_case
    assert not trained.model.config.casing


def test_new_heads_follow_from_the_seed_and_trained_ones_stay(directory: Path) -> None:
    one, other = load_directory(directory), load_directory(directory)
    make_trainer(one, TAGGED, LABELLED, QUICK)
    assert not torch.equal(one.model.ner_head.linear.weight, other.model.ner_head.linear.weight)
    other.model.config.trained_heads = ["ner_head"]
    before = other.model.ner_head.linear.weight.clone()
    make_trainer(other, TAGGED, LABELLED, QUICK)
    assert torch.equal(other.model.ner_head.linear.weight, before)
    assert torch.equal(other.model.classification_head.linear.weight, one.model.classification_head.linear.weight)
