"""The tables of scenarios and selections."""

import pickle

import pytest

from mtdemo.errors import UnknownNameError
from mtdemo.models.parts import HEADS
from mtdemo.planning.optimizer import HIGH_RATE
from mtdemo.planning.scenarios import (
    SCENARIOS,
    SELECTIONS,
    STARTING_RATES,
    Scenario,
    find_scenario,
    find_selection,
    starting_rates,
)


def test_scenarios_are_found_by_name_and_by_title() -> None:
    assert find_scenario("Freeze the backbone") is find_scenario(" FREEZE_BACKBONE ")
    with pytest.raises(UnknownNameError, match="train_everything"):
        find_scenario("melt")


def test_selections_are_found_by_name() -> None:
    assert [find_selection(selection.name) for selection in SELECTIONS] == list(SELECTIONS)
    with pytest.raises(UnknownNameError, match="one of weights, biases, adapters, not 'x'"):
        find_selection("x")


def test_every_head_that_a_model_is_made_with_can_be_frozen_alone() -> None:
    alone = {
        scenario.frozen[0]: scenario
        for scenario in SCENARIOS
        if len(scenario.frozen) == 1 and scenario.frozen != ("backbone",)
    }
    assert set(alone) - {"embeddings"} == {head.name for head in HEADS} - {"output_layer"}
    assert alone["ner_head"].hint == (
        "The backbone and the classification head learn; the entity head must cope with hidden states that move."
    )


@pytest.mark.parametrize("hidden_size", [128, 384, 512, 768, 1024])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_scenario_begins_with_rates_for_every_backbone(scenario: Scenario, hidden_size: int) -> None:
    rates = starting_rates(scenario, hidden_size)
    assert rates.is_narrow == (hidden_size < 512)
    assert 0 < rates.backbone <= HIGH_RATE
    assert 0 < rates.heads <= HIGH_RATE
    assert rates.reason.endswith(".")


def test_the_rows_can_be_pickled() -> None:
    tables = (SELECTIONS, STARTING_RATES, SCENARIOS)
    assert pickle.loads(pickle.dumps(tables)) == tables  # noqa: S301
