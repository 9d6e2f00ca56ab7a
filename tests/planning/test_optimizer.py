import random

import pytest
import torch

from mtdemo.errors import PlanError
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.adapters import extend_model
from mtdemo.planning.freezing import FreezingPlan, apply_freezing, plan_freezing, trainable_parts
from mtdemo.planning.optimizer import OptimizerPlan, OptimizerSettings, build_optimizer, plan_optimizer
from mtdemo.planning.scenarios import SCENARIOS, Scenario, find_scenario
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from tests.conftest import tiny_config


@pytest.fixture
def model() -> MultiTaskModel:
    return MultiTaskModel(tiny_config())


def plan(model: MultiTaskModel, scenario: str, settings: OptimizerSettings | None = None) -> OptimizerPlan:
    parts = model.parts()
    freezing = plan_freezing(parts, trainable_parts(parts, find_scenario(scenario)))
    apply_freezing(model, freezing)
    return plan_optimizer(freezing, settings or OptimizerSettings())


@pytest.mark.parametrize("scenario", ["train_everything", "freeze_backbone", "freeze_ner_head"])
def test_every_trainable_parameter_is_in_exactly_one_group(model: MultiTaskModel, scenario: str) -> None:
    groups = plan(model, scenario).groups
    names = [parameter.name for group in groups for parameter in group.parameters]
    assert sorted(names) == sorted(name for name, p in model.named_parameters() if p.requires_grad)


def test_rates_and_decay_are_the_references(model: MultiTaskModel) -> None:
    groups = {group.name: group for group in plan(model, "train_everything").groups}
    assert {name: (g.learning_rate, g.weight_decay) for name, g in groups.items()} == {
        "backbone, decay": (2e-5, 0.01),
        "backbone, no decay": (2e-5, 0.0),
        "classification head, decay": (3e-4, 0.01),
        "classification head, no decay": (3e-4, 0.0),
        "entity head, decay": (3e-4, 0.01),
        "entity head, no decay": (3e-4, 0.0),
    }
    for name, group in groups.items():
        for parameter in group.parameters:
            assert ("no decay" in name) == (len(parameter.shape) == 1), parameter.name


def test_the_optimizer_is_what_the_plan_says(model: MultiTaskModel) -> None:
    planned = plan(model, "freeze_ner_head", OptimizerSettings(1e-4, {"classification_head": 5e-3}, 0.1))
    optimizer = build_optimizer(model, planned)
    assert isinstance(optimizer, torch.optim.AdamW)
    for group, built in zip(planned.groups, optimizer.param_groups, strict=True):
        assert sum(p.numel() for p in built["params"]) == group.n_parameters
        assert (built["lr"], built["weight_decay"]) == (group.learning_rate, group.weight_decay)
    assert {g.learning_rate for g in planned.groups} == {1e-4, 5e-3}


def test_a_step_moves_what_trains_and_leaves_the_rest_bit_identical(model: MultiTaskModel) -> None:
    optimizer = build_optimizer(model, plan(model, "freeze_backbone"))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    ids = torch.randint(5, 17, (4, 6))
    model(ids, classification_labels=torch.zeros(4, dtype=torch.long), ner_labels=torch.ones_like(ids)).loss.backward()
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.equal(before[name], parameter) == name.startswith("backbone"), name


def test_warnings_are_in_words(model: MultiTaskModel) -> None:
    assert plan(model, "train_everything").warnings == ()
    (nothing, idle) = plan(model, "freeze_network").warnings
    assert nothing.startswith("Nothing trains")
    assert "no effect" in idle
    (drift, idle) = plan(model, "freeze_ner_head").warnings
    assert "entity head is frozen while the backbone under it moves" in drift
    assert "does not protect" in drift
    assert "entity head (0.0003)" in idle
    (idle,) = plan(model, "freeze_backbone").warnings
    assert "backbone (2e-05)" in idle
    (still,) = plan(model, "train_everything", OptimizerSettings(backbone_learning_rate=0)).warnings
    assert "will not move" in still


def test_nothing_to_train_is_an_error_when_it_is_built(model: MultiTaskModel) -> None:
    with pytest.raises(PlanError, match="Nothing trains"):
        build_optimizer(model, plan(model, "freeze_network"))


def test_a_plan_for_another_model_is_refused(model: MultiTaskModel) -> None:
    planned = plan(MultiTaskModel(tiny_config(output_labels=["x"])), "train_everything")
    with pytest.raises(PlanError, match="output_layer"):
        build_optimizer(model, planned)


@pytest.mark.parametrize("value", [-1e-3, 1.5, float("nan"), float("inf"), "x", True, 10**400])
def test_numbers_out_of_range_are_named(value: float) -> None:
    with pytest.raises(PlanError, match="backbone must be a number from 0 to 1"):
        OptimizerSettings(backbone_learning_rate=value)
    with pytest.raises(PlanError, match="entity head"):
        OptimizerSettings(head_learning_rates={"ner_head": value})


def test_with_layer_wise_decay_each_layer_learns_slower_than_the_one_above(model: MultiTaskModel) -> None:
    """The last layer has decay^1, not decay^2 (google-research/electra issue 51), the embeddings come last."""
    settings = OptimizerSettings(1e-4, {"ner_head": 1e-3}, layer_decay=0.5)
    planned = plan(model, "train_everything", settings)
    rates = {group.block: group.learning_rate for group in planned.groups}
    assert rates == {
        "embeddings": pytest.approx(1e-4 / 2 ** (model.config.n_layers + 1)),
        **{
            f"layer {index + 1}": pytest.approx(1e-4 / 2 ** (model.config.n_layers - index))
            for index in range(model.config.n_layers)
        },
        "classification head": 3e-4,
        "entity head": 1e-3,
    }
    names = [parameter.name for group in planned.groups for parameter in group.parameters]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert len(build_optimizer(model, planned).param_groups) == len(planned.groups)


def changed_by_a_step(model: MultiTaskModel, plan: TrainingPlan, share_done: float = 0.0) -> tuple[set[str], FreezingPlan]:
    """What a real backward pass and optimizer step change, bit for bit, under a plan that is applied for real."""
    extend_model(model, plan)
    freezing = plan.freezing_at(plan.freezing_plan(model.parts()), share_done)
    apply_freezing(model, freezing)
    optimizer = build_optimizer(model, plan_optimizer(freezing, plan.optimizer))
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(grouped) == len(set(grouped)), "every trainable parameter stands in exactly one group"
    assert set(grouped) == {id(p) for p in model.parameters() if p.requires_grad}
    assert freezing.n_trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert freezing.n_parameters == sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B" in name:  # it begins as 0, under which the first matrix has no gradient
                parameter.normal_(std=0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    ids, labels = torch.randint(5, 17, (4, 6)), torch.tensor([0, 1, 1, 0])
    outputs = labels if model.output_layer is not None else None
    loss = model(ids, classification_labels=labels, ner_labels=ids % 5, output_labels=outputs).loss
    loss.backward()
    optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}, freezing


def test_after_a_real_step_of_100_random_plans_exactly_what_was_planned_has_changed() -> None:
    draw = random.Random(11)
    torch.manual_seed(3)
    n_tried = 0
    while n_tried < 100:
        model = MultiTaskModel(tiny_config(output_labels=["yes", "no"]))
        names = [part.name for part in model.parts()]
        heads = {"classification_head", "ner_head", "output_layer"}
        frozen = set(draw.sample(names, draw.randint(0, len(names) - 1)))
        if heads <= frozen and draw.random() < 0.5:
            frozen -= {"ner_head"}
        plan = TrainingPlan(
            tuple(frozen),
            OptimizerSettings(1e-2, layer_decay=draw.choice([1.0, 0.9])),
            selection=draw.choice(["weights", "weights", "biases", "adapters"]),
            adapters=AdapterSettings(draw.choice([1, 4]), 8, tuple(draw.sample(["query", "key", "value", "dense"], 2))),
        )
        if (
            plan.selection == "adapters"
            and {"layer_0", "layer_1"} <= frozen
            and ("embeddings" not in frozen or heads <= frozen)
        ):
            continue  # no adapter would train, or nothing at all, which are errors of their own
        n_tried += 1
        changed, freezing = changed_by_a_step(model, plan)
        assert changed == freezing.trainable_names, plan


@pytest.mark.parametrize("scenario", [s for s in SCENARIOS if s.name != "freeze_network"], ids=lambda s: s.name)
def test_after_a_real_step_of_every_preset_exactly_what_was_planned_has_changed(scenario: Scenario) -> None:
    plan = TrainingPlan(
        scenario.frozen,
        OptimizerSettings(1e-2),
        selection=scenario.selection,
        gradual=scenario.gradual,
        new_output_layer=scenario.new_output_layer,
    )
    for share_done in (0.0, 0.3, 1.0) if plan.gradual else (0.0,):
        torch.manual_seed(3)
        model = MultiTaskModel(tiny_config(class_labels=["a", "b"]))
        changed, freezing = changed_by_a_step(model, plan, share_done)
        assert changed == freezing.trainable_names
        assert changed


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (OptimizerSettings(0.0), "The backbone may train, but its learning rate is 0"),
        (OptimizerSettings(1e-4, layer_decay=0.0), "The backbone may train, but its learning rate is 0"),
    ],
)
def test_a_backbone_without_a_rate_moves_no_task(settings: OptimizerSettings, words: str) -> None:
    freezing = TrainingPlan(("ner_head",)).freezing_plan(MultiTaskModel(tiny_config()).parts())
    warnings = " ".join(plan_optimizer(freezing, settings).warnings)
    assert words in warnings
    assert "drifts" not in warnings
    assert "drifts" in " ".join(plan_optimizer(freezing, OptimizerSettings(1e-4)).warnings)


def test_a_rate_of_what_is_frozen_is_told_where_somebody_gave_it() -> None:
    freezing = TrainingPlan(("backbone",)).freezing_plan(MultiTaskModel(tiny_config()).parts())
    told = "A learning rate is set for what is frozen, and has no effect there: backbone (2e-05)."
    assert plan_optimizer(freezing, OptimizerSettings()).warnings == (told,)
    assert plan_optimizer(freezing, OptimizerSettings(), {"backbone"}).warnings == (told,)
    assert plan_optimizer(freezing, OptimizerSettings(), {"ner_head"}).warnings == ()


def test_gradual_unfreezing_adds_one_part_per_stage() -> None:
    """Stages are equal shares of the run: the heads alone, then the last layer, …, the embeddings last."""
    plan = TrainingPlan(gradual=True)
    freezing = plan.freezing_plan(MultiTaskModel(tiny_config()).parts())
    stages = [
        {part.name for part in plan.freezing_at(freezing, share).parts if part.n_trainable}
        for share in (0.0, 0.24, 0.25, 0.5, 0.75, 1.0)
    ]
    heads = {"classification_head", "ner_head"}
    assert stages == [
        heads,
        heads,
        {*heads, "layer_1"},
        {*heads, "layer_1", "layer_0"},
        {*heads, "layer_1", "layer_0", "embeddings"},
        {*heads, "layer_1", "layer_0", "embeddings"},
    ]
    assert TrainingPlan().freezing_at(freezing, 0.0) is freezing
