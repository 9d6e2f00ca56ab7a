from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.evaluation.metrics import Validation
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.drift import class_drift, collect_answers, embedding_cosine, entity_drift, relative_change
from mtdemo.laboratory.outcome import TaskDrift
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskConfig
from tests.conftest import tiny_config

TAGGED = tuple(TaggedSentence((word, "sat"), ("PER", "O")) for word in ("john", "paris"))
LABELLED = tuple(LabelledSentence(text, "neutral") for text in ("the cat", "john sat", "the mat"))
HELD_OUT = LabDataset((), (), TAGGED, LABELLED)


@pytest.fixture(scope="module")
def model(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> LoadedModel:
    return load_directory(checkpoints(tiny_config(), 0))


def changed(model: LoadedModel) -> LoadedModel:
    """The model with another answer to everything, from the same hidden states."""
    other = replace(model, model=deepcopy(model.model))
    with torch.no_grad():
        other.model.classification_head.linear.bias += torch.tensor([50.0, 0.0, 0.0])
        other.model.ner_head.linear.bias += torch.tensor([50.0, 0.0, 0.0, 0.0, 0.0])
    return other


def test_a_sentence_of_both_tasks_is_read_once(model: LoadedModel) -> None:
    answers = collect_answers(model, HELD_OUT, ["the cat", "my own"], 128)
    assert [answer.text for answer in answers.tagged] == ["john sat", "paris sat"]
    assert [answer.text for answer in answers.labelled] == ["the cat", "john sat", "the mat"]
    assert [answer.text for answer in answers.heldout] == ["john sat", "paris sat", "the cat", "the mat"]
    assert [answer.text for answer in answers.own] == ["the cat", "my own"]
    assert answers.tagged[0] is answers.labelled[1]


def test_answers_that_stay_are_identical_and_answers_that_change_are_counted(model: LoadedModel) -> None:
    before = collect_answers(model, HELD_OUT, (), 128)
    scores = Validation(entity_f1=0.25, macro_f1=0.5)
    assert entity_drift(before, before, scores, scores) == TaskDrift(0.25, 0.25, 0.0, True)
    assert class_drift(before, before, scores, scores) == TaskDrift(0.5, 0.5, 0.0, True)
    after = collect_answers(changed(model), HELD_OUT, (), 128)
    moved = class_drift(before, after, scores, Validation())
    n_moved = sum(answer.label != "negative" for answer in before.labelled)
    assert moved == TaskDrift(0.5, 0.0, n_moved / 3, False)
    n_found = sum(bool(answer.entities) for answer in before.tagged)
    assert entity_drift(before, after, scores, scores).changed_fraction == n_found / 2
    assert embedding_cosine(before, after) == pytest.approx(1.0)


def test_movement_is_relative_to_the_length_before(model: LoadedModel) -> None:
    doubled = replace(model, model=deepcopy(model.model))
    with torch.no_grad():
        for parameter in doubled.model.ner_head.parameters():
            parameter.mul_(2)
    moved = relative_change(model, doubled, model.model.parts())
    assert moved["ner_head"] == pytest.approx(1.0)
    assert {moved[name] for name in moved if name != "ner_head"} == {0.0}
