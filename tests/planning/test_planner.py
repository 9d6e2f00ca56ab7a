"""Plans of the panel, made as the page makes them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.errors import MtdemoError, PlanError, UnknownNameError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.models.parts import Parts
from mtdemo.planning.adapters import extended_parts
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest, _declare_parts, _read_config
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan

Write = Callable[..., Path]


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-base-uncased", "bert-large-uncased"])
def test_plans_need_no_weights_and_sum_up(scenario: str, backbone: str) -> None:
    plan = Planner(Settings().checkpoint).plan(PlanRequest(backbone, scenario)).as_dict()
    assert plan["n_trainable"] + plan["n_frozen"] == plan["n_parameters"]
    assert sum(part["n_parameters"] for part in plan["parts"]) == plan["n_parameters"]
    assert sum(part["n_trainable"] for part in plan["parts"]) == plan["n_trainable"]
    assert sum(group["n_parameters"] for group in plan["groups"]) == plan["n_trainable"]


def test_a_plan_by_parts_overrides_the_scenario(planner: Planner) -> None:
    request = PlanRequest("embedded", "freeze_network", trainable_parts=("layer_5", "output_layer"), new_output_layer=True)
    trained = [part.name for part in planner.plan(request).freezing.parts if part.state == "all"]
    assert trained == ["layer_5", "output_layer"]


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (PlanRequest("gpt-2"), UnknownNameError, "no backbone 'gpt-2'.*bert-base-uncased"),
        (PlanRequest(scenario="melt"), UnknownNameError, "no scenario 'melt'.*freeze_backbone"),
        (PlanRequest(n_frozen_layers=7), PlanError, "7 frozen layers.*6 layers"),
        (PlanRequest(n_frozen_layers=-1), PlanError, "-1 frozen layers"),
        (PlanRequest(n_frozen_layers="2"), PlanError, "whole number"),  # type: ignore[arg-type]
        (PlanRequest(["x"]), UnknownNameError, "no backbone"),  # type: ignore[arg-type]
        (PlanRequest(trainable_parts=("tail",)), UnknownNameError, "no part 'tail'.*layer_0"),
    ],
)
def test_a_request_that_makes_no_sense_lists_the_choices(
    planner: Planner, request_: PlanRequest, error: type[MtdemoError], words: str
) -> None:
    with pytest.raises(error, match=words):
        planner.plan(request_)


def test_the_plan_of_another_checkpoint_is_that_of_its_own_configuration(tiny: Write) -> None:
    directory = tiny(entity_labels=["O", "B-PER", "I-PER"])
    plan = Planner(str(directory)).plan(PlanRequest("embedded")).freezing
    assert plan.n_parameters == load_directory(directory).info.n_parameters


def test_planning_reads_no_weights(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safetensors.safe_open", None)
    monkeypatch.setattr("mtdemo.models.multitask.MultiTaskModel.from_pretrained", None)
    assert Planner(str(tiny())).plan(PlanRequest("embedded")).freezing.n_parameters > 0


def test_ticking_parts_builds_a_model_without_weights_once(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """With adapters in every layer once more, of which those of frozen layers are left out."""
    _declare_parts.cache_clear()
    built: list[TrainingPlan] = []

    def build(config: MultiTaskConfig, plan: TrainingPlan) -> Parts:
        built.append(plan)
        return extended_parts(config, plan)

    monkeypatch.setattr("mtdemo.planning.adapters.extended_parts", build)
    ticked = [tuple(f"layer_{index}" for index in range(n)) for n in range(1, 6)]
    for names in ticked:
        planner.plan(PlanRequest("bert-large-uncased", trainable_parts=names))
    assert len(built) == 1
    for names in ticked:
        planner.plan(PlanRequest("bert-large-uncased", trainable_parts=names, selection="adapters"))
    assert len(built) == 1 + 1
    for names in ticked:
        planner.plan(PlanRequest("bert-large-uncased", trainable_parts=names, selection="biases"))
    assert len(built) == 1 + 1


@pytest.mark.parametrize("frozen", [(), ("layer_0",), ("embeddings", "layer_1", "layer_5", "ner_head"), ("backbone",)])
def test_adapters_are_declared_as_a_model_gets_them(planner: Planner, frozen: tuple[str, ...]) -> None:
    plan = TrainingPlan(frozen, selection="adapters", adapters=AdapterSettings(4, targets=("query", "dense")))
    planned = planner.freezing("embedded", plan)
    assert planned == plan.freezing_plan(extended_parts(_read_config("embedded", Settings().checkpoint), plan))


def test_rates_are_those_of_the_scenario_and_the_backbone_unless_they_are_given(planner: Planner) -> None:
    """A BERT gets those of the reference."""
    rates = {
        backbone: planner.scenario_plan(backbone, "train_everything").optimizer
        for backbone in ("embedded", "bert-base-uncased", "bert-large-uncased")
    }
    told = {name: (rate.backbone_learning_rate, rate.learning_rate("ner_head")) for name, rate in rates.items()}
    assert told["bert-base-uncased"] == told["bert-large-uncased"] == (2e-5, 3e-4)
    assert told["embedded"][0] == 10 * 2e-5
    assert planner.scenario_plan("bert-base-uncased", "low_rank_adapters").optimizer.backbone_learning_rate == 1e-3
    given = PlanRequest("embedded", optimizer=OptimizerSettings(1e-5))
    assert planner.plan(given).plan.optimizer == OptimizerSettings(1e-5)
