import json
from pathlib import Path

import gradio as gr
import pytest

from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.scenarios import SCENARIOS, Scenario
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from mtdemo.ui.lab.plan_controls import add_part, fill_from_scenario, fill_parts
from tests.ui.lab.conftest import PlanForm


def test_a_slider_fills_the_parts_and_bounds_the_sliders(form: PlanForm) -> None:
    filled = form.fill(fill_parts, backbone="bert-large-uncased", scenario="freeze_ner_head", n_first=3, n_last=2)
    parts = filled.pop("parts")
    assert next(value for _, value in parts.choices) == "embeddings"
    assert "ner_head" not in parts.value
    assert {"embeddings", "layer_0", "layer_2"}.isdisjoint(parts.value)
    assert "layer_3" in parts.value
    assert {"layer_21", "layer_22"} & set(parts.value) == {"layer_21"}
    told = {name: slider.constructor_args for name, slider in filled.items()}
    assert told == {"n_first": {"maximum": 24}, "n_last": {"maximum": 24}}, (
        "not their values, since they may have been moved on meanwhile; and only a scenario that is chosen fills the rest"
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_fills_the_whole_plan(form: PlanForm, scenario: Scenario) -> None:
    filled = form.fill(fill_from_scenario, scenario=scenario.name, new_output_layer=True)
    parts = filled.pop("parts").value
    others = {name: value for name, value in filled.items() if name not in ("n_first", "n_last")}
    assert others == {
        "selection": scenario.selection,
        "gradual": scenario.gradual,
        "new_output_layer": scenario.new_output_layer,
    }
    assert ("output_layer" in parts) == scenario.new_output_layer
    shown = form.plan(parts, **others)
    planned = TrainingPlan.from_dict(json.loads(shown.saved))
    assert {name: getattr(planned, name) for name in others} == others
    assert ("Unfrozen one by one: layer 6 from 12% of the steps" in shown.summary) == scenario.gradual


def test_a_smaller_backbone_pulls_the_slider_back(form: PlanForm) -> None:
    filled = form.fill(fill_parts, n_first=20, n_last=7)
    assert [(filled[name].maximum, filled[name].value) for name in ("n_first", "n_last")] == [(6, 6), (6, 6)]


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
    controls = form.controls
    filled = form.load(str(path))
    assert set(filled) == (controls.filled | controls.adapters | controls.rates) - {controls.n_first, controls.n_last}
    values = {**form.values(), **filled, controls.parts: filled[controls.parts].value}
    assert form.show(values).saved == json.dumps(planned.as_dict(), indent=2)
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


def test_a_new_output_layer_leaves_the_list_as_it_was_chosen_by_hand(form: PlanForm) -> None:
    added = form.fill(add_part, parts=["layer_3", "ner_head"], new_output_layer=True)["parts"]
    assert added.value == ["layer_3", "ner_head", "output_layer"]
    assert ("new output layer", "output_layer") in added.choices
    assert form.fill(add_part, parts=added.value, new_output_layer=False)["parts"].value == ["layer_3", "ner_head"]
