"""The script of a plan is run, and makes the plan's own groups."""

import random
from typing import Any

import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel

from mtdemo.config import PACKAGE_DIRECTORY, Settings
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.parts import ParameterSpec, Part, PartKind
from mtdemo.planning.freezing import plan_freezing
from mtdemo.planning.optimizer import OptimizerSettings, plan_optimizer
from mtdemo.planning.planner import Planner, PlanReport, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.planning.script import write_script
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan

MODEL = pytest.mark.model  # the scripts for the embedded checkpoint load it
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096, "num_attention_heads": 16}


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's models without their weights; the embedded checkpoint is loaded as it is."""
    real = AutoModel.from_pretrained

    def from_pretrained(name: str, **options: Any) -> Any:
        if not name.startswith("bert-"):
            return real(name, **options)
        with torch.device("meta"):
            return BertModel(BertConfig(**(LARGE if "large" in name else {})), **options)

    monkeypatch.setattr(AutoModel, "from_pretrained", from_pretrained)
    monkeypatch.chdir(PACKAGE_DIRECTORY.parent)


def groups_of(script: str) -> list[tuple[list[str], float, float]]:
    made: dict[str, Any] = {}
    exec(compile(script, "plan.py", "exec"), made)  # noqa: S102
    if "unfreeze" in made:
        begins = {name for name, parameter in made["model"].named_parameters() if parameter.requires_grad}
        of_heads = {name for name in begins if not name.startswith("backbone.")}
        assert not of_heads or begins == of_heads, "the heads, where they train, begin alone"
        made["unfreeze"](1.0)
    names = {id(parameter): name for name, parameter in made["model"].named_parameters()}
    assert {names[id(p)] for group in made["optimizer"].param_groups for p in group["params"]} == {
        name for name, parameter in made["model"].named_parameters() if parameter.requires_grad
    }
    return [
        (sorted(names[id(p)] for p in group["params"]), group["lr"], group["weight_decay"])
        for group in made["optimizer"].param_groups
    ]


def planned_groups(plan: PlanReport) -> list[tuple[list[str], float, float]]:
    return [(sorted(p.name for p in g.parameters), g.learning_rate, g.weight_decay) for g in plan.optimizer.groups]


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", [pytest.param("embedded", marks=MODEL), "bert-base-uncased", "bert-large-uncased"])
def test_the_script_of_every_scenario_makes_its_groups(planner: Planner, backbone: str, scenario: str) -> None:
    plan = planner.plan(PlanRequest(backbone, scenario, new_output_layer=True))
    assert groups_of(plan.script) == planned_groups(plan)


@MODEL
def test_the_scripts_of_random_plans_make_their_groups(planner: Planner) -> None:
    draw = random.Random(7)
    for _ in range(30):
        backbone = draw.choice(["embedded", "bert-base-uncased"])
        names = [part.name for part in planner.parts(backbone)]
        request = PlanRequest(
            backbone,
            trainable_parts=tuple(draw.sample(names, draw.randint(1, len(names)))),
            optimizer=OptimizerSettings(
                draw.choice([2e-5, 1e-4]), {"ner_head": 1e-3}, draw.choice([0.0, 0.01]), draw.choice([1.0, 0.9])
            ),
            selection=draw.choice(["weights", "weights", "biases", "adapters"]),
            gradual=draw.choice([False, False, True]),
            adapters=AdapterSettings(draw.choice([2, 8]), 16, tuple(draw.sample(["query", "key", "value", "dense"], 2))),
        )
        layers = [name for name in request.trainable_parts or () if name.startswith("layer_")]
        if request.selection == "adapters" and not layers and "embeddings" in (request.trainable_parts or ()):
            continue  # adapters that stand nowhere are an error
        plan = planner.plan(request)
        if not plan.optimizer.groups:
            assert plan.script.startswith("# Nothing trains")
            continue
        assert groups_of(plan.script) == planned_groups(plan)


@MODEL
def test_the_script_of_the_embedded_model_has_its_weights(planner: Planner) -> None:
    made: dict[str, Any] = {}
    exec(planner.plan(PlanRequest("embedded")).script, made)  # noqa: S102
    loaded = MultiTaskModel.from_pretrained(Settings().checkpoint)
    for name, parameter in loaded.named_parameters():
        assert torch.equal(dict(made["model"].named_parameters())[name], parameter)


def test_what_begins_like_another_part_is_named_in_full() -> None:
    rest, layer = (
        Part(name, kind, tuple(ParameterSpec(n, (2,), True) for n in names))
        for name, kind, names in (
            ("backbone_rest", PartKind.BACKBONE_REST, ("backbone.encoder.rel.weight", "backbone.encoder.norm.weight")),
            ("layer_0", PartKind.LAYER, ("backbone.encoder.layer.0.a.weight", "backbone.encoder.layer.0.b.weight")),
        )
    )
    plan = plan_freezing((layer, rest), ("backbone_rest",))
    script = write_script("embedded", 'C:\\Users\\"ada"', plan, plan_optimizer(plan, OptimizerSettings()), TrainingPlan())
    assert '(("backbone.encoder.rel.weight", "backbone.encoder.norm.weight",)' in script
    compile(script, "plan.py", "exec")
    assert 'from_pretrained("C:\\\\Users\\\\\\"ada\\"")' in script


def test_a_trained_output_layer_stays_unless_a_new_one_is_planned() -> None:
    layer = Part("output_layer", PartKind.HEAD, (ParameterSpec("output_layer.linear.weight", (3, 2), True),))
    plan = plan_freezing((layer,), ("output_layer",))
    groups = plan_optimizer(plan, OptimizerSettings())
    for is_new in (False, True):
        script = write_script("embedded", "x", plan, groups, TrainingPlan(new_output_layer=is_new))
        assert ('"output_layer": loaded.output_layer' in script) == (not is_new)


def test_a_plan_in_which_nothing_trains_says_so(planner: Planner) -> None:
    script = planner.plan(PlanRequest("embedded", "freeze_network")).script
    assert script.startswith("# Nothing trains")
    exec(script, {})  # noqa: S102
