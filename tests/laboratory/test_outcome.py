"""Records of an experiment: bounds, JSON, and that no torch is needed to read them."""

import json
import subprocess
import sys

import pytest

from mtdemo.errors import PlanError
from mtdemo.evaluation.metrics import Validation
from mtdemo.laboratory.outcome import ExperimentSettings, Snapshot
from mtdemo.training.step_losses import StepLosses

FREE_OF_TORCH = """
import sys
import mtdemo.laboratory.outcome, mtdemo.laboratory.run_queue, mtdemo.laboratory.export, mtdemo.planning.planner
print([name for name in ("torch", "transformers", "peft") if name in sys.modules])
"""


def test_records_queue_and_plans_are_read_without_torch() -> None:
    done = subprocess.run([sys.executable, "-c", FREE_OF_TORCH], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_a_snapshot_tells_every_loss_by_the_words_of_the_log() -> None:
    losses = StepLosses(entities=0.5, classes=None)
    told = Snapshot(2, 4, 1.5, 1.5, losses, Validation(entity_f1=0.25), {"backbone": 2e-5}).as_dict()
    assert json.loads(json.dumps(told)) == {
        "step": 2,
        "seconds": 1.5,
        "entity_f1": 0.25,
        "macro_f1": None,
        "output_f1": None,
        "losses": losses.as_dict(),
    }
    before = Snapshot(0, 4, 0.0, None, None, Validation(), {}).as_dict()["losses"]
    assert before.keys() == losses.as_dict().keys()
    assert set(before.values()) == {None}


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
        ({"max_seconds": 0.0}, "more than 0.0 seconds"),
    ],
)
def test_settings_out_of_range_are_told(values: dict[str, object], words: str) -> None:
    with pytest.raises(PlanError) as caught:
        ExperimentSettings(**values)  # type: ignore[arg-type]
    assert words in str(caught.value)
