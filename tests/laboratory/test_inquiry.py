"""Experiments of several arms, on a small model."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.data.marked_text import Sample, read_sample
from mtdemo.errors import UnknownNameError
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.inquiry import Inquiry, inquire
from mtdemo.laboratory.outcome import Snapshot
from mtdemo.laboratory.questions import QUESTIONS, Question, find_question
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from tests.conftest import tiny_config

WHOLE = read_sample()
FEW = LabDataset.from_sample(Sample(WHOLE.train[:12], WHOLE.test[:6]))


@pytest.fixture(scope="module")
def small(checkpoints: Callable[[MultiTaskConfig, int], Path]) -> ModelService:
    config = tiny_config(trained_heads=["classification_head", "ner_head"])
    return ModelService(Settings(checkpoint=str(checkpoints(config, 0))))


def ask(laboratory: Laboratory, service: ModelService, question: Question, n_steps: int = 3) -> Iterator[Inquiry]:
    return inquire(laboratory, service, "ada", replace(question, n_steps=n_steps), FEW)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_each_question_runs_its_arms_and_ends_in_a_verdict(small: ModelService, question: Question) -> None:
    laboratory = Laboratory(small)
    told = list(ask(laboratory, small, question))
    *_, last = told
    assert last.verdict is not None and last.has_ended and not last.was_stopped
    assert last.verdict.headline == "6 sentences are too few to conclude.", "though training moves a model of 2 layers much"
    titles = [arm.title for arm in last.arms]
    assert [result.title for result in last.finished] == titles
    runs = laboratory.runs("ada")
    assert tuple(run.number for run in runs) == last.run_numbers
    assert [run.title for run in runs] == [f"{question.title} {title}" for title in titles]
    shares = [inquiry.share_done for inquiry in told]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0, "one bar for the whole"


def test_the_network_of_two_layers_has_no_arm_of_four(small: ModelService) -> None:
    arms = find_question("layers").arms_for(2)
    assert [arm.title for arm in arms] == ["heads only", "+ last layer", "all layers"]
    assert arms[1].plan(2).frozen == ("embeddings", "layer_0")


def test_arms_are_plans_of_the_embedded_model_and_cheap_ones_come_first(planner: Planner) -> None:
    for question in QUESTIONS:
        counts = [planner.freezing("embedded", arm.plan(6)).n_trainable for arm in question.arms]
        assert all(counts)
        if question.name != "sharing":  # whose arms differ in what they read
            assert counts == sorted(counts)
        assert 0 <= question.shown < len(question.arms)
    with pytest.raises(UnknownNameError, match="There is no question 'why'; there are protection, "):
        find_question("why")


def test_stopping_ends_the_experiment_and_keeps_finished_arms(small: ModelService) -> None:
    laboratory = Laboratory(small)
    for inquiry in ask(laboratory, small, QUESTIONS[0], n_steps=50):
        if len(inquiry.finished) == 1 and isinstance(inquiry.state, Snapshot) and inquiry.state.n_done == 2:
            laboratory.stop("ada")
    assert inquiry.was_stopped and inquiry.verdict is None
    assert [result.title for result in inquiry.finished] == ["backbone frozen too"]
    assert [run.report["ending"] for run in laboratory.runs("ada")] == ["done", "stopped"]


def test_an_experiment_in_line_can_be_given_up(small: ModelService) -> None:
    laboratory = Laboratory(small, max_running=1)
    other = laboratory.run("bob", QUESTIONS[0].arms[0].plan(2), "bob's", FEW, n_steps=100)
    next(other)
    inquiry = ask(laboratory, small, QUESTIONS[0])
    assert isinstance(next(inquiry).state, Waiting)
    laboratory.stop("ada")
    *_, last = inquiry
    assert last.was_stopped and laboratory.runs("ada") == ()
    other.close()  # type: ignore[attr-defined]
