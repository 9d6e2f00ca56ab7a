from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.evaluation.metrics import Validation
from mtdemo.evaluation.tallies import entity_f1, macro_f1
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.drift import (
    changed_answers,
    class_drift,
    collect_answers,
    embedding_cosine,
    entity_drift,
    relative_change,
)
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
    same = (entity_drift(HELD_OUT, before, before, scores, scores), class_drift(HELD_OUT, before, before, scores, scores))
    for drift, score, n in zip(same, (0.25, 0.5), (2, 3), strict=True):
        assert (drift.score_before, drift.score_after, drift.changed_fraction, drift.is_identical) == (
            score,
            score,
            0.0,
            True,
        )
        assert drift.n_sentences == n and (drift.tally_before == drift.tally_after).all()
    assert changed_answers(HELD_OUT, before, before) == ()
    after = collect_answers(changed(model), HELD_OUT, (), 128)
    moved = class_drift(HELD_OUT, before, after, scores, Validation())
    n_moved = sum(answer.label != "negative" for answer in before.labelled)
    assert (moved.score_after, moved.changed_fraction, moved.n_changed) == (0.0, n_moved / 3, n_moved)
    n_found = sum(bool(answer.entities) for answer in before.tagged)
    assert entity_drift(HELD_OUT, before, after, scores, scores).changed_fraction == n_found / 2
    assert embedding_cosine(before, after) == pytest.approx(1.0)


def test_tallies_score_as_the_measurement_does(model: LoadedModel) -> None:
    answers = collect_answers(model, HELD_OUT, (), 128)
    measured = ValidationSets(TAGGED, LABELLED)(model)
    entities = entity_drift(HELD_OUT, answers, answers, measured, measured)
    classes = class_drift(HELD_OUT, answers, answers, measured, measured)
    assert entity_f1(entities.tally_after) == pytest.approx(measured.entity_f1)
    assert macro_f1(classes.tally_after) == pytest.approx(measured.macro_f1)


def test_changes_are_listed_where_their_task_is_held_out(model: LoadedModel) -> None:
    before, after = (collect_answers(each, HELD_OUT, (), 128) for each in (model, changed(model)))
    listed = {change.text: change for change in changed_answers(HELD_OUT, before, after)}
    old, new = ({answer.text: answer for answer in answers.heldout} for answers in (before, after))
    for text, change in listed.items():
        if text in {sentence.text for sentence in LABELLED}:
            assert (change.label, change.class_before, change.class_after) == ("neutral", old[text].label, new[text].label)
        else:
            assert (change.label, change.class_before, change.class_after) == ("", "", "")
        if text in {sentence.text for sentence in TAGGED}:
            assert {*change.lost} == {*old[text].entities} - {*new[text].entities}
        else:
            assert change.lost == change.found == ()
    flipped = {text for text in old if old[text].label != new[text].label and text != "paris sat"}
    assert flipped == {text for text, change in listed.items() if change.flips_class}


def test_movement_is_relative_to_the_length_before(model: LoadedModel) -> None:
    doubled = replace(model, model=deepcopy(model.model))
    with torch.no_grad():
        for parameter in doubled.model.ner_head.parameters():
            parameter.mul_(2)
    moved = relative_change(model, doubled, model.model.parts())
    assert moved["ner_head"] == pytest.approx(1.0)
    assert {moved[name] for name in moved if name != "ner_head"} == {0.0}
