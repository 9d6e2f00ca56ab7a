import json
from typing import Any

import pytest

from mtdemo.planning.planner import Planner
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.lab.run_controls import TASK_WEIGHTS, check_run
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


def test_keeping_embeddings_that_stay_anyway_is_told(planner: Planner) -> None:
    assert "the weight of keeping them does nothing" in check(planner, HEADS, tasks="Classes only", keep=2.0)
    assert "keeping" not in check(planner, "{}", keep=2.0)
