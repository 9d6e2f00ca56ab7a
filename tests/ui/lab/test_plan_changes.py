"""Each control fills what it owns, and nothing that was set by hand is changed back in silence."""

import html
import json
from pathlib import Path

import gradio as gr
import pytest

from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner
from mtdemo.planning.scenarios import SCENARIOS, Scenario
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from mtdemo.ui.lab.plan_changes import (
    count_first,
    count_last,
    fill_backbone,
    fill_first,
    fill_last,
    fill_output_layer,
    fill_reset,
    fill_scenario,
)
from tests.ui.lab.conftest import PlanForm


def sliders(form: PlanForm) -> tuple[int, int]:
    return form.values[form.controls.n_first], form.values[form.controls.n_last]


def chosen(form: PlanForm) -> str | None:
    scenario: str | None = form.values[form.controls.scenario]
    return scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_fills_the_whole_plan_whatever_was_changed(form: PlanForm, planner: Planner, scenario: Scenario) -> None:
    form.lock("layer_3", "ner_head").change(fill_first, "n_first", n_first=2)
    form.change(selection="biases", gradual=True, backbone=1e-2, weight_decay=0.3, rank=3, warmup_share=0.5)
    form.change(fill_output_layer, new_output_layer=True)
    assert chosen(form) is None, "so that any scenario can be chosen, the one that was chosen too"
    form.change(fill_scenario, scenario=scenario.name)
    assert form.plan == planner.scenario_plan("embedded", scenario.name)
    assert chosen(form) == scenario.name
    assert f'<p class="origin"><b>{scenario.title}.</b> {scenario.hint}</p>' in html.unescape(form.shown("state"))
    parts = planner.parts("embedded", scenario.new_output_layer)
    assert sliders(form) == (count_first(parts, form.trains), count_last(parts, form.trains))
    assert 'class="warnings"' not in form.shown("summary"), "nothing of a preset's own is warned of"
    assert not form.told("reset", "visible")


def test_what_was_changed_by_hand_is_told_and_reset_brings_it_back(form: PlanForm) -> None:
    form.change(fill_scenario, scenario="freeze_backbone").lock("layer_5")
    assert "<b>Custom</b> (from Freeze the backbone). Changed by hand: layer 6 not frozen." in form.shown("state")
    assert form.told("reset", "visible")
    assert chosen(form) is None
    form.change(ner_head=0.5)
    assert "rate of the entity head 0.5 in place of 0.003" in form.shown("state")
    assert "A learning rate above 0.01 is set: entity head (0.5)" in form.shown("summary")
    form.change(fill_reset)
    assert "<b>Freeze the backbone.</b>" in form.shown("state")
    assert chosen(form) == "freeze_backbone"
    assert form.trains == ["classification_head", "ner_head"]


def test_what_is_set_back_by_hand_is_the_scenario_again(form: PlanForm) -> None:
    form.lock("layer_2")
    assert chosen(form) is None
    form.lock("layer_2")
    assert chosen(form) == "train_everything"


def test_a_slider_leaves_heads_and_other_layers_as_they_were_locked(form: PlanForm) -> None:
    form.lock("ner_head", "layer_4")
    form.change(fill_first, "n_first", n_first=3)
    assert form.trains == ["layer_3", "layer_5", "classification_head"]
    form.change(fill_first, "n_first", n_first=1)
    assert set(form.trains) == {"layer_1", "layer_2", "layer_3", "layer_5", "classification_head"}
    form.change(fill_first, "n_first", n_first=0)
    assert {"embeddings", "layer_0"} <= set(form.trains)
    assert {"ner_head", "layer_4"}.isdisjoint(form.trains)
    form.change(fill_last, "n_last", n_last=1)
    assert sliders(form) == (0, 1)
    form.change(fill_last, "n_last", n_last=0)
    assert "layer_5" in form.trains
    assert "layer_4" in form.trains, "it had become one piece with what the slider locked"


def test_sliders_follow_the_locks_and_are_not_pulled_back_while_they_move(form: PlanForm) -> None:
    form.lock("embeddings", "layer_0", "layer_1", "layer_5")
    assert sliders(form) == (2, 1)
    form.change(fill_first, "n_first", n_first=4)
    assert form.controls.n_first not in form.answered
    assert form.controls.n_last in form.answered
    form.lock("layer_4")
    assert form.controls.stack in form.answered
    assert "value" not in form.answered[form.controls.stack], "it may have been clicked on meanwhile"


def test_a_new_output_layer_leaves_the_locks_as_they_were(form: PlanForm) -> None:
    form.lock("layer_3", "ner_head").change(fill_output_layer, new_output_layer=True)
    assert "output_layer" in form.trains
    assert {"layer_3", "ner_head"}.isdisjoint(form.trains)
    assert 'aria-label="Lock the new output layer"' in form.drawing
    form.change(fill_output_layer, new_output_layer=False)
    assert "output_layer" not in form.trains


def test_another_backbone_brings_its_rates_and_keeps_what_was_changed(form: PlanForm) -> None:
    form.change(fill_scenario, scenario="freeze_ner_head")
    form.change(fill_backbone, backbone_="bert-base-uncased")
    assert chosen(form) == "freeze_ner_head"
    assert (form.plan.optimizer.backbone_learning_rate, form.plan.optimizer.learning_rate("ner_head")) == (2e-5, 3e-4)
    assert len(form.trains) == 1 + 12 + 1
    form.lock("layer_0", "ner_head").change(backbone=5e-5)
    form.change(fill_backbone, backbone_="bert-large-uncased")
    assert set(form.plan.frozen) == {"layer_0"}
    assert form.plan.optimizer.backbone_learning_rate == 5e-5
    assert "Changed by hand: layer 1 frozen; entity head not frozen; rate of the backbone 5e-05" in form.shown("state")
    form.lock("layer_20").change(fill_backbone, backbone_="embedded")
    assert set(form.plan.frozen) == {"layer_0"}, "it has no layer 21"
    assert form.plan.optimizer.learning_rate("classification_head") == 3e-3


def test_a_saved_plan_fills_the_controls_and_makes_itself_again(form: PlanForm, tmp_path: Path) -> None:
    planned = TrainingPlan(
        ("embeddings", "layer_1", "ner_head"),
        OptimizerSettings(1e-4, {"classification_head": 1e-3, "ner_head": 2e-3, "output_layer": 3e-3}, 0.1, 0.9),
        0.2,
        "adapters",
        AdapterSettings(4, 32, ("key",)),
        gradual=True,
        new_output_layer=True,
    )
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(planned.as_dict()))
    assert form.load(str(path)).shown("saved") == json.dumps(planned.as_dict(), indent=2)
    for content, words in (
        ("[", "plan.json is not JSON"),
        ('{"x": 1}', "no field 'x'"),
        ('{"frozen": ["x"]}', "no part 'x'"),
        ('{"selection": "adapters", "adapters": {"targets": ["q_proj"]}}', "q_proj"),
        ('{"adapters": {"targets": ["q_proj"]}}', "for query, key, value, dense, not for q_proj"),
    ):
        path.write_text(content)
        with pytest.raises(gr.Error, match=words) as caught:
            form.load(str(path))
        assert str(tmp_path) not in str(caught.value)
