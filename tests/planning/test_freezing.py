import pytest
import torch

from mtdemo.errors import UnknownNameError
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.freezing import FreezingPlan, apply_freezing, plan_freezing, trainable_parts
from mtdemo.planning.scenarios import SCENARIOS, find_scenario
from tests.conftest import tiny_config

EXPECTED = {
    "train_everything": {"embeddings", "layer_0", "layer_1", "classification_head", "ner_head", "output_layer"},
    "freeze_network": {"output_layer"},
    "freeze_backbone": {"classification_head", "ner_head", "output_layer"},
    "freeze_classification_head": {"embeddings", "layer_0", "layer_1", "ner_head", "output_layer"},
    "freeze_ner_head": {"embeddings", "layer_0", "layer_1", "classification_head", "output_layer"},
    "new_output_layer": {"output_layer"},
    "gradual_unfreezing": {"embeddings", "layer_0", "layer_1", "classification_head", "ner_head", "output_layer"},
    "biases_only": {"embeddings", "layer_0", "layer_1", "classification_head", "ner_head", "output_layer"},
    "low_rank_adapters": {"layer_0", "layer_1", "classification_head", "ner_head", "output_layer"},
}


@pytest.fixture
def model() -> MultiTaskModel:
    torch.manual_seed(3)
    return MultiTaskModel(tiny_config(output_labels=["yes", "no"]))


def backward(model: MultiTaskModel) -> None:
    ids = torch.randint(5, 17, (4, 6))
    labels = torch.randint(0, 2, (4,))
    loss = model(ids, classification_labels=labels, ner_labels=torch.randint(0, 5, (4, 6)), output_labels=labels).loss
    if loss.requires_grad:
        loss.backward()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("n_frozen_layers", [0, 1, 2])
def test_gradients_are_where_the_plan_says_and_nowhere_else(
    model: MultiTaskModel, scenario: object, n_frozen_layers: int
) -> None:
    parts = model.parts()
    plan = plan_freezing(parts, trainable_parts(parts, scenario, n_frozen_layers))  # type: ignore[arg-type]
    apply_freezing(model, plan)
    backward(model)
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in plan.trainable_names), name
    for part in plan.parts:
        gradients = [p.grad for n, p in model.named_parameters() if n in {s.name for s in part.trainable}]
        assert not gradients or any(gradient.abs().sum() > 0 for gradient in gradients), part.name


@pytest.mark.parametrize("name", EXPECTED)
def test_scenarios_train_what_their_names_say(model: MultiTaskModel, name: str) -> None:
    parts = model.parts()
    assert set(trainable_parts(parts, find_scenario(name))) == EXPECTED[name]
    assert set(EXPECTED) == {scenario.name for scenario in SCENARIOS}


def test_frozen_layers_come_from_below_and_take_the_embeddings_along(model: MultiTaskModel) -> None:
    everything = find_scenario("train_everything")
    assert "embeddings" in trainable_parts(model.parts(), everything, 0)
    assert set(trainable_parts(model.parts(), everything, 1)) == EXPECTED["train_everything"] - {"embeddings", "layer_0"}
    assert set(trainable_parts(model.parts(), everything, 0, 1)) == EXPECTED["train_everything"] - {"layer_1"}
    assert set(trainable_parts(model.parts(), everything, 1, 2)) == {"classification_head", "ner_head", "output_layer"}


def test_applying_decides_both_ways_and_drops_old_gradients(model: MultiTaskModel) -> None:
    parts = model.parts()
    backward(model)
    apply_freezing(model, plan_freezing(parts, ("ner_head",)))
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {"ner_head.linear.weight", "ner_head.linear.bias"}
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)
    apply_freezing(model, plan_freezing(parts, [part.name for part in parts]))
    assert all(p.requires_grad for p in model.parameters())


def test_single_parameters_can_train_in_a_frozen_part(model: MultiTaskModel) -> None:
    name = "backbone.embeddings.token_type_embeddings.weight"
    plan = plan_freezing(model.parts(), ("ner_head",), parameters=(name,))
    assert plan.trainable_names == {name, "ner_head.linear.weight", "ner_head.linear.bias"}
    assert plan.parts[0].state == "partial"


def test_planning_touches_nothing(model: MultiTaskModel) -> None:
    before = [p.requires_grad for p in model.parameters()]
    plan_freezing(model.parts(), ())
    assert [p.requires_grad for p in model.parameters()] == before


def test_every_column_sums_to_its_total(model: MultiTaskModel) -> None:
    plan = plan_freezing(model.parts(), ("layer_1", "ner_head"))
    assert plan.n_parameters == sum(p.numel() for p in model.parameters())
    assert plan.n_trainable == sum(part.n_trainable for part in plan.parts)
    assert plan.n_frozen == sum(part.n_frozen for part in plan.parts)
    assert plan.trainable_share == pytest.approx(plan.n_trainable / plan.n_parameters)
    assert plan.backbone_state == "partial"
    assert {part.name: part.state for part in plan.parts}["layer_0"] == "none"
    assert plan_freezing(model.parts(), ()).backbone_state == "none"


def test_a_selection_takes_only_of_the_backbone(model: MultiTaskModel) -> None:
    plan = plan_freezing(model.parts(), [part.name for part in model.parts()], "biases")
    for part in plan.parts:
        if part.kind.in_backbone:
            assert {p.name for p in part.trainable} == {p.name for p in part.part.parameters if p.name.endswith("bias")}
        else:
            assert part.state == "all"
    with pytest.raises(UnknownNameError, match="one of weights, biases, adapters, not 'x'"):
        plan_freezing(model.parts(), (), "x")


def test_applying_asks_for_the_names_once(model: MultiTaskModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made anew at each call, which for every parameter takes longer than all the rest."""
    asked: list[FreezingPlan] = []
    made = FreezingPlan.trainable_names.fget

    def names(plan: FreezingPlan) -> frozenset[str]:
        asked.append(plan)
        return made(plan)

    monkeypatch.setattr(FreezingPlan, "trainable_names", property(names))
    apply_freezing(model, plan_freezing(model.parts(), ("ner_head",)))
    assert len(asked) == 1
