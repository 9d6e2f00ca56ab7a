import json
from pathlib import Path

import gradio as gr
import pytest

from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS, Scenario
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from mtdemo.ui.lab.plan_controls import RATES, add_part, fill_parts, load_plan
from mtdemo.ui.lab.plan_tab import show_plan
from mtdemo.ui.lab.plan_view import summarise

BATCH = (None, None)
ADAPTERS = (None, None, ["query", "value"])
PLAIN = ("weights", False, False, *ADAPTERS)
DEFAULTS = [*BATCH, *(rate for _, rate in RATES)]


def refused(planner: Planner, *values: object) -> str:
    """What the page says of a plan that cannot be made; nothing of another plan may be left beside it."""
    summary, *others = show_plan(planner, "embedded", *values)  # type: ignore[arg-type]
    assert others == [None, None, None, None, "", ""]
    assert "This plan cannot be made." in summary
    return summary


def fill(planner: Planner, backbone: str, scenario: str, first: int = 0, new_output_layer: bool = False) -> list[str]:
    return list(fill_parts(planner, False, backbone, scenario, first, 0, new_output_layer)[0].value)


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-large-uncased"])
def test_every_printed_column_sums_to_its_printed_total(planner: Planner, backbone: str, scenario: str) -> None:
    parts = fill(planner, backbone, scenario, 1, True)
    plain = ("weights", False, True, *ADAPTERS)
    summary, groups, figure, rates, table, _, _ = show_plan(planner, backbone, parts, *plain, *DEFAULTS)
    assert list(rates.data[0].x) == list(table["part"])[:-1]
    *rows, total = table.to_dict("records")
    for column in ("parameters", "trainable", "frozen"):
        assert sum(number(row[column]) for row in rows) == number(total[column])
        assert total[column] in summary
    *rows, total = groups.to_dict("records")
    assert sum(number(row["parameters"]) for row in rows) == number(total["parameters"])
    assert sum(figure.data[0].x) + sum(figure.data[1].x) == number(table.iloc[-1]["parameters"])


def test_a_scenario_fills_the_parts_and_the_sliders_range(planner: Planner) -> None:
    parts, slider, last, *others = fill_parts(planner, False, "bert-large-uncased", "freeze_ner_head", 3, 2, False)
    assert next(value for _, value in parts.choices) == "embeddings"
    assert "ner_head" not in parts.value
    assert {"embeddings", "layer_0", "layer_2"}.isdisjoint(parts.value)
    assert "layer_3" in parts.value
    told = [each.constructor_args for each in (slider, last)]
    assert told == [{"maximum": 24}] * 2, "and not its value, since it may have been moved on meanwhile"
    assert {"layer_21", "layer_22"} & set(parts.value) == {"layer_21"}
    assert others == [gr.skip()] * 3, "only a scenario that is chosen fills them"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario_fills_the_whole_plan(planner: Planner, scenario: Scenario) -> None:
    parts, _, _, *others = fill_parts(planner, True, "embedded", scenario.name, 0, 0, True)
    assert others == [scenario.selection, scenario.gradual, scenario.new_output_layer]
    assert ("output_layer" in parts.value) == scenario.new_output_layer
    summary, *_, saved = show_plan(planner, "embedded", parts.value, *others, *ADAPTERS, *DEFAULTS)
    planned = TrainingPlan.from_dict(json.loads(saved))
    assert (planned.selection, planned.gradual, planned.new_output_layer) == tuple(others)
    assert ("Unfrozen one by one: layer 6 from 12% of the steps" in summary) == scenario.gradual


def test_adapters_are_counted_like_everything_else(planner: Planner) -> None:
    """Published counts: rank 8 on queries and values of a bert-base, and its biases."""
    backbone = fill(planner, "bert-base-uncased", "freeze_network")
    assert backbone == []
    layers = [f"layer_{index}" for index in range(12)]
    for selection, n_trainable in (("adapters", 294_912), ("biases", 102_144 - 768)):  # without the embeddings' one norm
        summary, *_ = show_plan(
            planner, "bert-base-uncased", layers, selection, False, False, 8, 16, ["query", "value"], *DEFAULTS
        )
        assert f"<dt>Trainable</dt><dd>{n_trainable:,}</dd>" in summary
    for adapters, words in (
        ((8, 16, ["q"]), "No linear layer of this backbone is called q"),
        ((0, 16, ["query"]), "The rank of the adapters must be a whole number from 1 to 256, not 0"),
        ((8, 16, []), "The adapters need the names of the linear layers"),
    ):
        assert words in refused(planner, ["layer_0"], "adapters", False, False, *adapters, *DEFAULTS)
        assert "Trainable" in show_plan(planner, "embedded", ["layer_0"], *PLAIN[:3], *adapters, *DEFAULTS)[0]


def test_a_smaller_backbone_pulls_the_slider_back(planner: Planner) -> None:
    _, *sliders = fill_parts(planner, False, "embedded", "train_everything", 20, 7, False)[:3]
    assert [(slider.maximum, slider.value) for slider in sliders] == [(6, 6), (6, 6)]


def test_the_list_of_parts_is_what_is_planned(planner: Planner) -> None:
    summary, groups, _, _, table, _, _ = show_plan(planner, "bert-base-uncased", ["ner_head"], *PLAIN, *DEFAULTS)
    assert list(groups["group"]) == ["entity head, decay", "entity head, no decay", "together"]
    assert table[table["part"] == "layer 1"]["trains"].item() == "none"
    assert "3,845" in summary


def test_rates_reach_the_groups_and_an_emptied_field_is_its_default(planner: Planner) -> None:
    _, groups, *_ = show_plan(
        planner, "embedded", ["layer_0", "ner_head"], *PLAIN, *BATCH, 1e-4, None, 5e-3, None, 0.1, None, None
    )
    assert dict(zip(groups["group"], groups["learning rate"], strict=True))["backbone, decay"] == "0.0001"
    assert dict(zip(groups["group"], groups["learning rate"], strict=True))["entity head, decay"] == "0.005"
    assert dict(zip(groups["group"], groups["weight decay"], strict=True))["entity head, decay"] == "0.1"


def test_warnings_are_shown(planner: Planner) -> None:
    parts = fill(planner, "embedded", "freeze_network")
    assert "Nothing trains" in show_plan(planner, "embedded", parts, *PLAIN, *DEFAULTS)[0]
    assert "<li>" not in show_plan(planner, "embedded", fill(planner, "embedded", "train_everything"), *PLAIN, *DEFAULTS)[0]


def test_a_rate_out_of_range_is_told(planner: Planner) -> None:
    assert "from 0 to 1" in refused(planner, ["ner_head"], *PLAIN, *BATCH, 7, *DEFAULTS[3:])


def test_a_part_of_another_backbone_is_told(planner: Planner) -> None:
    assert "no part" in refused(planner, ["layer_20"], *PLAIN, *DEFAULTS)


def test_totals_are_figures_of_the_plan(planner: Planner) -> None:
    plan = planner.plan(PlanRequest("bert-base-uncased", "freeze_backbone"))
    assert "108,891,648" in summarise(plan)
    assert "0.55%" in summarise(plan)


def test_cost_knows_what_is_frozen(planner: Planner) -> None:
    frozen = show_plan(planner, "embedded", ["ner_head"], *PLAIN, *DEFAULTS)[0]
    everything = show_plan(planner, "embedded", fill(planner, "embedded", "train_everything"), *PLAIN, *DEFAULTS)
    assert "computed <b>once</b>" in frozen
    assert "<dt>Activations kept</dt><dd>0.0 MB</dd>" in frozen
    assert "<dt>Gradients</dt><dd>0.0 MB</dd>" in frozen
    assert "<b>once</b>" not in everything[0]
    assert "<dd>100%</dd>" in everything[0]


@pytest.mark.parametrize(("batch", "words"), [((0, 3), "from 1 to 1024, not 0"), ((3, 9999), "from 1 to 512, not 9999")])
def test_a_step_out_of_range_is_told(planner: Planner, batch: tuple[int, int], words: str) -> None:
    assert words in refused(planner, ["ner_head"], *PLAIN, *batch, *DEFAULTS[2:])


def test_layer_wise_decay_is_drawn_and_the_file_is_the_plan(planner: Planner) -> None:
    numbers = [*DEFAULTS[:-2], 0.5, 0.1]
    *_, rates, _, script, saved = show_plan(planner, "embedded", ["layer_4", "layer_5", "ner_head"], *PLAIN, *numbers)
    drawn = dict(zip(rates.data[0].x, rates.data[0].y, strict=True))
    assert drawn["layer 6"] == pytest.approx(1e-5)
    assert drawn["layer 5"] == pytest.approx(5e-6)
    symbols = dict(zip(rates.data[0].x, rates.data[0].marker.symbol, strict=True))
    assert (symbols["layer 4"], symbols["layer 5"]) == ("circle-open", "circle")
    plan = TrainingPlan.from_dict(json.loads(saved))
    assert plan.optimizer.layer_decay == 0.5
    assert plan.warmup_share == 0.1
    assert set(plan.frozen) == {"embeddings", *(f"layer_{n}" for n in range(4)), "classification_head"}
    assert "MultiTaskModel.from_pretrained" in script


def test_a_saved_plan_fills_the_controls_and_makes_itself_again(planner: Planner, tmp_path: Path) -> None:
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
    parts, _, _, selection, gradual, has_output, *numbers = load_plan(planner, "embedded", str(path))
    adapters, rates = numbers[:3], numbers[3:]
    *_, saved = show_plan(planner, "embedded", parts.value, selection, gradual, has_output, *adapters, *BATCH, *rates)
    assert TrainingPlan.from_dict(json.loads(saved)) == planned
    for content, words in (
        ("[", "plan.json is not JSON"),
        ('{"x": 1}', "no field 'x'"),
        ('{"frozen": ["x"]}', "no part 'x'"),
        ('{"selection": "adapters", "adapters": {"targets": ["q_proj"]}}', "q_proj"),
        ('{"adapters": {"targets": ["q_proj"]}}', "for query, key, value, dense, not for q_proj"),
    ):
        path.write_text(content)
        with pytest.raises(gr.Error, match=words) as caught:
            load_plan(planner, "embedded", str(path))
        assert str(tmp_path) not in str(caught.value)


def test_a_new_output_layer_leaves_the_list_as_it_was_chosen_by_hand(planner: Planner) -> None:
    added = add_part(planner, "embedded", ["layer_3", "ner_head"], True)
    assert added.value == ["layer_3", "ner_head", "output_layer"]
    assert ("new output layer", "output_layer") in added.choices
    assert add_part(planner, "embedded", added.value, False).value == ["layer_3", "ner_head"]
