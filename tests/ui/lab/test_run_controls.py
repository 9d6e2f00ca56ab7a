import json
from pathlib import Path
from typing import Any

import pytest

from mtdemo.errors import DataFileError, PlanError
from mtdemo.planning.planner import Planner
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.lab.run_controls import TASK_WEIGHTS, check_run, read_run
from tests.ui.lab.conftest import RunForm

HEADS = json.dumps(TrainingPlan(("backbone", "ner_head")).as_dict())


def check(planner: Planner, saved: str, **said: Any) -> str:
    form = RunForm()
    words, can_run = check_run(planner, form.controls, form.values(saved=saved, **said))
    assert can_run
    return words


def test_tasks_are_learned_together_or_alone() -> None:
    assert TASK_WEIGHTS == {"Both tasks": (1.0, 1.0), "Classes only": (0.0, 1.0), "Entities only": (1.0, 0.0)}


@pytest.mark.parametrize(
    ("plan", "tasks", "n_steps", "words"),
    [
        (TrainingPlan(("backbone", "ner_head")), "Both tasks", 60, "The loss of entities cannot reach"),
        (TrainingPlan(), "Classes only", 60, "The entity head may train, but nothing of its task is learned"),
        (
            TrainingPlan(gradual=True),
            "Both tasks",
            5,
            "longer than the run: gradual unfreezing has 8 stages",
        ),
        (TrainingPlan(warmup_share=0.9), "Both tasks", 60, "The rates rise during 90% of the run"),
        (TrainingPlan(), "Both tasks", 60, ""),
    ],
)
def test_what_contradicts_itself_is_told_before_it_runs(
    planner: Planner, plan: TrainingPlan, tasks: str, n_steps: int, words: str
) -> None:
    told = check(planner, json.dumps(plan.as_dict()), tasks=tasks, n_steps=n_steps)
    assert words in told
    assert bool(told) == bool(words)


def test_a_field_that_is_emptied_is_no_error(planner: Planner) -> None:
    assert check(planner, "{}", n_steps=None, keep=None) == ""


@pytest.mark.parametrize(
    "saved", ["{", "[" * 100_000, "9" * 5_000, '{"weight_decay": ' + "9" * 5_000 + "}", "\ud800", "[1]", "null", '"x"']
)
def test_a_plan_that_is_none_is_an_error_of_ours(planner: Planner, saved: str) -> None:
    form = RunForm()
    words, can_run = check_run(planner, form.controls, form.values(saved=saved))
    assert words and not can_run
    with pytest.raises(PlanError):
        read_run(form.controls, form.values(saved=saved))


def test_a_file_is_read_when_the_run_has_a_place(tmp_path: Path) -> None:
    form, missing = RunForm(), tmp_path / "gone.csv"
    request = read_run(form.controls, form.values(saved=HEADS, file=str(missing)))
    assert request.dataset is not None
    with pytest.raises(DataFileError, match=r"gone\.csv is not here any more"):
        request.dataset()


def test_keeping_embeddings_that_stay_anyway_is_told(planner: Planner) -> None:
    assert "the weight of keeping them does nothing" in check(planner, HEADS, tasks="Classes only", keep=2.0)
    assert "keeping" not in check(planner, "{}", keep=2.0)
