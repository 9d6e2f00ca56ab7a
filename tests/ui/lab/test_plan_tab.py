import json

import pytest

from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.lab.plan_controls import fill_parts
from mtdemo.ui.lab.plan_view import summarise
from tests.ui.lab.conftest import PlanForm


def fill(form: PlanForm, backbone: str, scenario: str, n_first: int = 0, new_output_layer: bool = False) -> list[str]:
    said = {"backbone": backbone, "scenario": scenario, "n_first": n_first, "new_output_layer": new_output_layer}
    return list(form.fill(fill_parts, **said)["parts"].value)


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-large-uncased"])
def test_every_printed_column_sums_to_its_printed_total(form: PlanForm, backbone: str, scenario: str) -> None:
    shown = form.plan(fill(form, backbone, scenario, 1, True), backbone=backbone, new_output_layer=True)
    assert list(shown.rates.data[0].x) == list(shown.parts["part"])[:-1]
    *rows, total = shown.parts.to_dict("records")
    for column in ("parameters", "trainable", "frozen"):
        assert sum(number(row[column]) for row in rows) == number(total[column])
        assert total[column] in shown.summary
    *rows, total = shown.groups.to_dict("records")
    assert sum(number(row["parameters"]) for row in rows) == number(total["parameters"])
    assert sum(map(sum, (bar.x for bar in shown.picture.data))) == number(shown.parts.iloc[-1]["parameters"])


def test_adapters_are_counted_like_everything_else(form: PlanForm) -> None:
    """Published counts: rank 8 on queries and values of a bert-base, and its biases."""
    assert fill(form, "bert-base-uncased", "freeze_network") == []
    layers = [f"layer_{index}" for index in range(12)]
    for selection, n_trainable in (("adapters", 294_912), ("biases", 102_144 - 768)):  # without the embeddings' one norm
        shown = form.plan(
            layers, backbone="bert-base-uncased", selection=selection, rank=8, alpha=16, targets=["query", "value"]
        )
        assert f"<dt>Trainable</dt><dd>{n_trainable:,}</dd>" in shown.summary
    for rank, targets, words in (
        (8, ["q"], "No linear layer of this backbone is called q"),
        (0, ["query"], "The rank of the adapters must be a whole number from 1 to 256, not 0"),
        (8, [], "The adapters need the names of the linear layers"),
    ):
        adapters = {"rank": rank, "alpha": 16, "targets": targets}
        assert words in form.refusal(["layer_0"], selection="adapters", **adapters)
        assert "Trainable" in form.plan(["layer_0"], selection="weights", **adapters).summary


def test_the_list_of_parts_is_what_is_planned(form: PlanForm) -> None:
    shown = form.plan(["ner_head"], backbone="bert-base-uncased")
    assert list(shown.groups["group"]) == ["entity head, decay", "entity head, no decay", "together"]
    assert shown.parts[shown.parts["part"] == "layer 1"]["trains"].item() == "none"
    assert "3,845" in shown.summary


def test_rates_reach_the_groups_and_an_emptied_field_is_its_default(form: PlanForm) -> None:
    emptied = {"layer_decay": None, "warmup_share": None, "n_sentences": None, "n_tokens": None}
    rates = {"classification_head": None, "ner_head": 5e-3, "output_layer": None}
    shown = form.plan(["layer_0", "ner_head"], backbone_rate=1e-4, head_rates=rates, weight_decay=0.1, **emptied)
    assert dict(zip(shown.groups["group"], shown.groups["learning rate"], strict=True))["backbone, decay"] == "0.0001"
    assert dict(zip(shown.groups["group"], shown.groups["learning rate"], strict=True))["entity head, decay"] == "0.005"
    assert dict(zip(shown.groups["group"], shown.groups["weight decay"], strict=True))["entity head, decay"] == "0.1"
    plan = TrainingPlan.from_dict(json.loads(shown.saved))
    assert plan.optimizer.learning_rate("classification_head") == form.controls.head_rates["classification_head"].value


def test_warnings_are_shown(form: PlanForm) -> None:
    assert "Nothing trains" in form.plan(fill(form, "embedded", "freeze_network")).summary
    assert "<li>" not in form.plan(fill(form, "embedded", "train_everything")).summary


def test_a_rate_out_of_range_is_told(form: PlanForm) -> None:
    assert "from 0 to 1" in form.refusal(["ner_head"], backbone_rate=7)


def test_a_part_of_another_backbone_is_told(form: PlanForm) -> None:
    assert "no part" in form.refusal(["layer_20"])


def test_totals_are_figures_of_the_plan(planner: Planner) -> None:
    plan = planner.plan(PlanRequest("bert-base-uncased", "freeze_backbone"))
    assert "108,891,648" in summarise(plan)
    assert "0.55%" in summarise(plan)


def test_cost_knows_what_is_frozen(form: PlanForm) -> None:
    frozen = form.plan(["ner_head"]).summary
    everything = form.plan(fill(form, "embedded", "train_everything")).summary
    assert "computed <b>once</b>" in frozen
    assert "<dt>Activations kept</dt><dd>0.0 MB</dd>" in frozen
    assert "<dt>Gradients</dt><dd>0.0 MB</dd>" in frozen
    assert "<b>once</b>" not in everything
    assert "<dd>100%</dd>" in everything


@pytest.mark.parametrize(
    ("n_sentences", "n_tokens", "words"), [(0, 3, "from 1 to 1024, not 0"), (3, 9999, "from 1 to 512, not 9999")]
)
def test_a_step_out_of_range_is_told(form: PlanForm, n_sentences: int, n_tokens: int, words: str) -> None:
    assert words in form.refusal(["ner_head"], n_sentences=n_sentences, n_tokens=n_tokens)


def test_layer_wise_decay_is_drawn_and_the_file_is_the_plan(form: PlanForm) -> None:
    shown = form.plan(["layer_4", "layer_5", "ner_head"], layer_decay=0.5, warmup_share=0.1)
    drawn = dict(zip(shown.rates.data[0].x, shown.rates.data[0].y, strict=True))
    assert drawn["layer 6"] == pytest.approx(1e-5)
    assert drawn["layer 5"] == pytest.approx(5e-6)
    symbols = dict(zip(shown.rates.data[0].x, shown.rates.data[0].marker.symbol, strict=True))
    assert (symbols["layer 4"], symbols["layer 5"]) == ("circle-open", "circle")
    plan = TrainingPlan.from_dict(json.loads(shown.saved))
    assert plan.optimizer.layer_decay == 0.5
    assert plan.warmup_share == 0.1
    assert set(plan.frozen) == {"embeddings", *(f"layer_{n}" for n in range(4)), "classification_head"}
    assert "MultiTaskModel.from_pretrained" in shown.script
