"""What a plan adds to a model changes nothing that it says until it is trained, and merging changes nothing either."""

from dataclasses import replace

import pytest
import torch

from mtdemo.errors import UnknownNameError
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.parts import count_parameters
from mtdemo.planning.adapters import extend_model, extended_parts, merge_adapters, target_names
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from tests.conftest import tiny_config

ADAPTED = TrainingPlan(("embeddings", "layer_0"), selection="adapters", adapters=AdapterSettings(2, 4))
IDS = torch.tensor([[2, 5, 6, 7, 3], [2, 9, 10, 11, 3]])


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(5)
    return MultiTaskModel(tiny_config()).eval()


def test_adapters_say_nothing_until_they_are_trained_and_stay_where_they_belong(model: MultiTaskModel) -> None:
    before = model(IDS).last_hidden_state
    n_before = count_parameters(model.parts())
    extend_model(model, ADAPTED)
    assert torch.equal(model(IDS).last_hidden_state, before)
    added = [p for part in model.parts() for p in part.parameters if p.is_adapter]
    assert {part.name for part in model.parts() if set(part.parameters) & set(added)} == {"layer_1"}
    assert sum(p.n_parameters for p in added) == 2 * 2 * (16 + 16), "two targets, rank 2, hidden size 16"
    assert count_parameters(model.parts()) == n_before + 128 == sum(p.numel() for p in model.parameters())


def test_merging_keeps_the_answers_and_gives_an_ordinary_model(model: MultiTaskModel) -> None:
    names = set(model.state_dict())
    extend_model(model, ADAPTED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_" in name:
                parameter.normal_()
    adapted = model(IDS).last_hidden_state
    merge_adapters(model)
    assert set(model.state_dict()) == names
    assert not hasattr(model.backbone, "peft_config")
    torch.testing.assert_close(model(IDS).last_hidden_state, adapted, atol=1e-5, rtol=0)
    merge_adapters(model)  # nothing is left to merge


def test_parts_are_known_without_weights(model: MultiTaskModel) -> None:
    for plan in (ADAPTED, replace(ADAPTED, new_output_layer=True), TrainingPlan()):
        declared = extended_parts(model.config, plan)
        other = MultiTaskModel(tiny_config())
        extend_model(other, plan)
        assert declared == other.parts()
    assert model.config.output_labels == [], "the configuration that was given stays as it was"


def test_planning_draws_no_random_number_since_a_run_may_be_drawing_its_own(model: MultiTaskModel) -> None:
    before = torch.get_rng_state()
    extended_parts(model.config, TrainingPlan(selection="adapters", new_output_layer=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_new_output_layer_has_the_models_classes(model: MultiTaskModel) -> None:
    extend_model(model, TrainingPlan(new_output_layer=True))
    assert model.config.output_labels == model.config.class_labels
    logits = model(IDS).output_logits
    assert logits is not None and logits.shape == (2, 3)
    layer = model.output_layer
    model.config.trained_heads = ["output_layer"]
    extend_model(model, TrainingPlan(new_output_layer=True))
    assert model.output_layer is not layer, "a new one takes the place of one that is there"
    assert model.config.trained_heads == []


def test_targets_are_found_by_their_last_name_and_unknown_ones_are_told(model: MultiTaskModel) -> None:
    layer = next(part for part in model.parts() if part.name == "layer_1")
    prefix = "backbone.encoder.layer.1."
    assert target_names(layer, ["value", "dense"]) == [
        f"{prefix}attention.self.value",
        f"{prefix}attention.output.dense",
        f"{prefix}intermediate.dense",
        f"{prefix}output.dense",
    ]
    with pytest.raises(UnknownNameError, match="is called wq; there are query, key, value, dense"):
        extend_model(model, replace(ADAPTED, adapters=AdapterSettings(targets=("wq",))))


def test_where_no_layer_trains_there_are_no_adapters(model: MultiTaskModel) -> None:
    extend_model(model, replace(ADAPTED, frozen=("backbone",)))
    assert not any(p.is_adapter for part in model.parts() for p in part.parameters)
