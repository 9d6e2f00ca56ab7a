import json
from pathlib import Path

import pytest
import torch

from mtdemo.errors import DataFileError, MtdemoError, PlanError, UnknownNameError
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.training_plan import TrainingPlan, read_plan
from tests.conftest import tiny_config

PLANS = [
    TrainingPlan(),
    TrainingPlan(("backbone",)),
    TrainingPlan(("embeddings", "layer_0"), OptimizerSettings(1e-4, {"ner_head": 1e-3}, 0.0, 0.8), 0.5),
]


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_survives_a_file(plan: TrainingPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(plan.as_dict()))
    assert read_plan(path) == plan


def test_what_is_left_out_has_its_default() -> None:
    assert TrainingPlan.from_dict({}) == TrainingPlan()
    assert TrainingPlan.from_dict({"learning_rates": {"ner_head": 1e-3}}).optimizer == OptimizerSettings(
        head_learning_rates={"ner_head": 1e-3}
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"freeze": []}, "no field 'freeze'; its fields are frozen, learning_rates"),
        ({"frozen": "embeddings"}, "list of names"),
        ({"frozen": [3]}, "list of names"),
        ({"learning_rates": 3}, "learning_rates gives a number"),
        ({"learning_rates": {"classifier_head": 1e-3}}, "knows backbone, classification_head, ner_head, output_layer, not"),
        ({"learning_rates": {"backbone": "fast"}}, "learning_rates gives a number"),
        ({"learning_rates": {"backbone": 7}}, "must be a number from 0 to 1, not 7"),
        ({"layer_decay": 2}, "layer-wise decay must be a number from 0 to 1"),
        ({"weight_decay": None}, "weight decay must be a number"),
        ({"warmup_share": -1}, "warm-up must be a number from 0 to 1, not -1"),
        ({"warmup_share": True}, "warm-up must be a number"),
        ([1], "a JSON object"),
    ],
)
def test_a_bad_plan_is_a_sentence(values: dict[str, object], words: str) -> None:
    with pytest.raises((PlanError, UnknownNameError)) as caught:
        TrainingPlan.from_dict(values)
    assert words.lower() in str(caught.value).lower()


@pytest.mark.parametrize("content", [None, "{", b"\xff\xfe\x00"])
def test_a_bad_file_is_a_sentence(content: str | bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataFileError, match=r"plan\.json"):
        read_plan(path)
    assert issubclass(DataFileError, MtdemoError)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"warmup_share": 2}, PlanError),
        ({"selection": "all"}, UnknownNameError),
        ({"learning_rates": {"x": 0}}, UnknownNameError),
    ],
)
def test_what_a_file_says_wrongly_is_told_with_its_name(
    values: dict[str, object], error: type[MtdemoError], tmp_path: Path
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(values))
    with pytest.raises(error, match=r"^mine\.json: "):
        read_plan(path, "mine.json")


@pytest.mark.parametrize(("n_steps", "share"), [(1, 0.0), (10, 0.0), (100, 0.06), (50, 0.5), (7, 1.0)])
def test_rates_rise_then_fall_and_never_leave_their_range(n_steps: int, share: float) -> None:
    factors = [TrainingPlan(warmup_share=share).lr_multiplier(step, n_steps) for step in range(n_steps)]
    peak = factors.index(max(factors))
    assert max(factors) == 1.0
    assert min(factors) > 0.0
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_without_warm_up_the_schedule_is_that_of_torch() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], lr=1.0)
    torchs = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=9)
    plan = TrainingPlan(warmup_share=0.0)
    for step in range(1, 10):
        assert plan.lr_multiplier(step, 10) == pytest.approx(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()


def test_gradual_unfreezing_without_a_head_that_trains_begins_with_the_last_layer() -> None:
    parts = MultiTaskModel(tiny_config()).parts()
    plan = TrainingPlan(("classification_head", "ner_head"), gradual=True)
    assert plan.unfreeze_schedule(plan.freezing_plan(parts)) == {"layer_1": 0.0, "layer_0": 1 / 3, "embeddings": 2 / 3}
    first = plan.freezing_at(plan.freezing_plan(parts), 0.0)
    assert [part.name for part in first.parts if part.n_trainable] == ["layer_1"]
    plan = TrainingPlan(("ner_head",), gradual=True)
    assert plan.unfreeze_schedule(plan.freezing_plan(parts))["layer_1"] == 1 / 4


def test_a_plan_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes('{"frozen": ["backbone"], "selection": "weights"}\r\n'.encode(encoding))
        assert read_plan(path).frozen == ("backbone",)
