"""A selection that reaches no parameter of the backbone is an error of the plan, for every architecture."""

import pytest
from transformers import AutoConfig

from mtdemo.errors import MtdemoError, PlanError, UnknownNameError
from mtdemo.models.multitask import MultiTaskConfig
from mtdemo.planning.adapters import extended_parts
from mtdemo.planning.freezing import FreezingPlan
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan

SMALL = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "pad_token_id": 0,
}  # fmt: skip
CHANGES = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "electra": {"embedding_size": 8},
    "albert": {"embedding_size": 8},
    "longformer": {"attention_window": 4},
}
# The linear layers that queries and values come from, where they are not called so.
TARGETS = {
    "distilbert": ("q_lin", "v_lin"),
    "mpnet": ("q", "v"),
    "deberta-v2": ("query_proj", "value_proj"),
    "modernbert": ("Wqkv",),
}
ARCHITECTURES = (
    "bert", "roberta", "distilbert", "electra", "mpnet", "albert", "deberta-v2", "modernbert", "xlm-roberta", "camembert",
    "longformer",
)  # fmt: skip
REACHES_NOTHING = {("albert", "adapters"), ("modernbert", "biases")}


def config(architecture: str) -> MultiTaskConfig:
    return MultiTaskConfig(backbone=AutoConfig.for_model(architecture, **{**SMALL, **CHANGES.get(architecture, {})}))


def freezing(architecture: str, plan: TrainingPlan) -> FreezingPlan:
    return plan.freezing_plan(extended_parts(config(architecture), plan))


@pytest.mark.parametrize("selection", ["weights", "biases", "adapters"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_selection_reaches_the_backbone_or_is_an_error(architecture: str, selection: str) -> None:
    targets = TARGETS.get(architecture, AdapterSettings().targets)
    plan = TrainingPlan(selection=selection, adapters=AdapterSettings(2, targets=targets))
    if (architecture, selection) in REACHES_NOTHING:
        with pytest.raises(PlanError, match="nothing of the backbone would train"):
            freezing(architecture, plan)
    else:
        assert freezing(architecture, plan).backbone_state == ("all" if selection == "weights" else "partial")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_targets_that_no_layer_has_are_an_error(architecture: str) -> None:
    with pytest.raises((PlanError, UnknownNameError)):
        freezing(architecture, TrainingPlan(selection="adapters", adapters=AdapterSettings(targets=("nothing",))))


@pytest.mark.parametrize("selection", ["biases", "adapters"])
def test_where_the_backbone_is_frozen_there_is_nothing_to_reach(selection: str) -> None:
    for architecture in ("albert", "modernbert"):
        assert freezing(architecture, TrainingPlan(("backbone",), selection=selection)).backbone_state == "none"


def test_adapters_that_stand_nowhere_are_an_error_of_the_planner_too(planner: Planner) -> None:
    with pytest.raises(PlanError, match=r"^No parameter of the embeddings is selected by \"low-rank adapters"):
        planner.plan(PlanRequest(trainable_parts=("embeddings", "ner_head"), selection="adapters"))


def test_a_parameter_that_trains_in_addition_does_not_hide_it() -> None:
    parts = extended_parts(config("modernbert"), TrainingPlan())
    with pytest.raises(MtdemoError):
        TrainingPlan(selection="biases").freezing_plan(parts, [parts[0].parameters[0].name])
