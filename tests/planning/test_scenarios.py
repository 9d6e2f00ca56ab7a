"""The tables of scenarios and selections."""

import pickle

import pytest

from mtdemo.errors import UnknownNameError
from mtdemo.models.parts import HEADS
from mtdemo.planning.scenarios import SCENARIOS, SELECTIONS, find_scenario, find_selection


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


def test_the_rows_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps((SELECTIONS, SCENARIOS))) == (SELECTIONS, SCENARIOS)  # noqa: S301
