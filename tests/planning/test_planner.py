"""Plans of the panel, asked through the service as the page asks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.errors import PlanError
from mtdemo.planning.planner import PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.serving.service import ModelService

Write = Callable[..., Path]


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-base-uncased", "bert-large-uncased"])
def test_plans_need_no_weights_and_sum_up(scenario: str, backbone: str) -> None:
    service = ModelService(Settings())
    plan = service.freezing_plan(PlanRequest(backbone, scenario)).as_dict()
    assert plan["n_trainable"] + plan["n_frozen"] == plan["n_parameters"]
    assert sum(part["n_parameters"] for part in plan["parts"]) == plan["n_parameters"]
    assert sum(part["n_trainable"] for part in plan["parts"]) == plan["n_trainable"]
    assert sum(group["n_parameters"] for group in plan["groups"]) == plan["n_trainable"]
    assert service.loaded() is None


def test_a_plan_by_parts_overrides_the_scenario(service: ModelService) -> None:
    request = PlanRequest("embedded", "freeze_network", trainable_parts=("layer_5", "output_layer"), new_output_layer=True)
    trained = [part.part.name for part in service.freezing_plan(request).freezing.parts if part.state == "all"]
    assert trained == ["layer_5", "output_layer"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (PlanRequest("gpt-2"), "no backbone 'gpt-2'.*bert-base-uncased"),
        (PlanRequest(scenario="melt"), "no scenario 'melt'.*freeze_backbone"),
        (PlanRequest(n_frozen_layers=7), "7 frozen layers.*6 layers"),
        (PlanRequest(n_frozen_layers=-1), "-1 frozen layers"),
        (PlanRequest(n_frozen_layers="2"), "whole number"),  # type: ignore[arg-type]
        (PlanRequest(["x"]), "no backbone"),  # type: ignore[arg-type]
        (PlanRequest(trainable_parts=("tail",)), "no part 'tail'.*layer_0"),
    ],
)
def test_a_request_that_makes_no_sense_lists_the_choices(service: ModelService, request_: PlanRequest, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        service.freezing_plan(request_)


def test_the_plan_of_another_checkpoint_is_that_of_its_own_configuration(tiny: Write) -> None:
    directory = tiny(entity_labels=["O", "B-PER", "I-PER"])
    service = ModelService(Settings(checkpoint=str(directory)))
    plan = service.freezing_plan(PlanRequest("embedded")).freezing
    assert service.loaded() is None
    assert plan.n_parameters == service.load().n_parameters
