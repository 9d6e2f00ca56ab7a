"""Learning rates by part and step, without a model that trains: `tests/training/test_trainer.py` compares with one."""

from itertools import pairwise

import pytest

from mtdemo.errors import PlanError
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.timeline import rate_timeline, turning_steps
from mtdemo.planning.training_plan import TrainingPlan
from tests.conftest import tiny_config

PARTS = MultiTaskModel(tiny_config()).parts()


def test_the_example_of_the_docstring() -> None:
    plan = TrainingPlan(
        ("embeddings", "classification_head", "ner_head"), OptimizerSettings(1e-4), warmup_share=0.0, gradual=True
    )
    timeline = rate_timeline(plan, plan.freezing_plan(PARTS), 4)
    assert timeline["layer_0"] == pytest.approx((0, 0, 1e-4 * 2 / 3, 1e-4 / 3))
    assert timeline["layer_1"] == pytest.approx((1e-4, 1e-4, 1e-4 * 2 / 3, 1e-4 / 3))
    assert set(timeline["embeddings"]) == {0.0}


@pytest.mark.parametrize("gradual", [False, True])
@pytest.mark.parametrize("layer_decay", [1.0, 0.5])
@pytest.mark.parametrize("warmup_share", [0.0, 0.06, 0.5, 1.0])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 7, 60, 101])
def test_the_turning_steps_say_all_the_others(gradual: bool, layer_decay: float, warmup_share: float, n_steps: int) -> None:
    """Between two of them every rate runs in a line, so the table and the drawing leave nothing out."""
    plan = TrainingPlan(
        ("ner_head",), OptimizerSettings(layer_decay=layer_decay), warmup_share=warmup_share, gradual=gradual
    )
    timeline = rate_timeline(plan, plan.freezing_plan(PARTS), n_steps)
    turns = turning_steps(timeline)
    assert (turns[0], turns[-1]) == (0, n_steps - 1)
    for rates in timeline.values():
        assert len(rates) == n_steps
        for first, last in pairwise(turns):
            slope = (rates[last] - rates[first]) / (last - first)
            line = [rates[first] + slope * (step - first) for step in range(first, last + 1)]
            assert rates[first : last + 1] == pytest.approx(line, abs=1e-18)


@pytest.mark.parametrize("n_steps", [0, -1, 10_001, 2.5])
def test_a_number_of_steps_out_of_range_is_told_at_its_field(n_steps: int) -> None:
    plan = TrainingPlan()
    with pytest.raises(PlanError, match="from 1 to 10,000") as caught:
        rate_timeline(plan, plan.freezing_plan(PARTS), n_steps)
    assert caught.value.field == "n_steps"
