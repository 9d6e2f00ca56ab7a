"""What is told of a plan that was changed by hand."""

from dataclasses import replace

import pytest

from mtdemo.planning.changes import changed_rates, describe_changes, title_parts
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan

OWN = TrainingPlan(("embeddings", "layer_0", "layer_1"), OptimizerSettings(2e-5))


@pytest.mark.parametrize("backbone", ["embedded", "bert-base-uncased"])
@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
def test_a_scenario_as_it_is_has_no_change_and_no_warning(planner: Planner, backbone: str, scenario: str) -> None:
    report = planner.plan(PlanRequest(backbone, scenario))
    assert report.changes == ()
    assert report.warnings == ()
    assert report.plan == planner.scenario_plan(backbone, scenario)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (OWN, ()),
        (replace(OWN, frozen=("embeddings",)), ("layers 1–2 not frozen",)),
        (replace(OWN, frozen=(*OWN.frozen, "layer_4", "ner_head")), ("layer 5, entity head frozen",)),
        (replace(OWN, new_output_layer=True), ("new output layer added",)),
        (replace(OWN, optimizer=OptimizerSettings(1e-4)), ("rate of the backbone 0.0001 in place of 2e-05",)),
        (replace(OWN, selection="biases", gradual=True), ("biases only (BitFit) in the backbone", "unfrozen gradually")),
        (replace(OWN, adapters=AdapterSettings(4)), ()),
        (replace(OWN, warmup_share=0.5), ("warm-up 0.5 in place of 0.06",)),
    ],
)
def test_each_change_is_told_once(plan: TrainingPlan, words: tuple[str, ...]) -> None:
    assert describe_changes(OWN, plan) == words


def test_adapters_are_told_where_there_are_any() -> None:
    own = replace(OWN, selection="adapters")
    told = describe_changes(own, replace(own, adapters=AdapterSettings(4, 16, ("key",))))
    assert told == ("adapters of rank 4, alpha 16, beside key",)


def test_rates_that_are_equal_by_default_are_no_change() -> None:
    assert changed_rates(OWN, replace(OWN, optimizer=OptimizerSettings(2e-5, {"ner_head": 3e-4}))) == ()
    assert changed_rates(OWN, replace(OWN, optimizer=OptimizerSettings(2e-5, {"ner_head": 1e-4}))) == ("ner_head",)


def test_neighbouring_layers_are_titled_as_one() -> None:
    assert title_parts(["embeddings", "layer_0", "layer_1", "ner_head"]) == "embeddings, layers 1–2, entity head"
    assert title_parts(["layer_0", "layer_2"]) == "layer 1, layer 3"
