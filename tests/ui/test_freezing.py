import gradio as gr
import pytest

from mtdemo.freezing import SCENARIOS
from mtdemo.service import FreezingRequest, ModelService
from mtdemo.ui.charts import part_title
from mtdemo.ui.freezing import RATES, fill_parts, show_plan, summarise
from tests.ui.conftest import FakeService

DEFAULTS = [rate for _, rate in RATES]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("scenario", [scenario.name for scenario in SCENARIOS])
@pytest.mark.parametrize("backbone", ["embedded", "bert-large-uncased"])
def test_every_printed_column_sums_to_its_printed_total(fake: FakeService, backbone: str, scenario: str) -> None:
    parts, _ = fill_parts(fake, backbone, scenario, 1, True)
    summary, groups, figure, table = show_plan(fake, backbone, True, parts.value, *DEFAULTS)
    *rows, total = table.to_dict("records")
    for column in ("parameters", "trainable", "frozen"):
        assert sum(number(row[column]) for row in rows) == number(total[column])
        assert total[column] in summary
    *rows, total = groups.to_dict("records")
    assert sum(number(row["parameters"]) for row in rows) == number(total["parameters"])
    assert sum(figure.data[0].x) + sum(figure.data[1].x) == number(table.iloc[-1]["parameters"])


def test_a_scenario_fills_the_parts_and_the_sliders_range(fake: FakeService) -> None:
    parts, slider = fill_parts(fake, "bert-large-uncased", "freeze_ner_head", 3, False)
    assert next(value for _, value in parts.choices) == "embeddings"
    assert "ner_head" not in parts.value
    assert {"embeddings", "layer_0", "layer_2"}.isdisjoint(parts.value)
    assert "layer_3" in parts.value
    assert (slider.maximum, slider.value) == (24, 3)


def test_a_smaller_backbone_pulls_the_slider_back(fake: FakeService) -> None:
    _, slider = fill_parts(fake, "embedded", "train_everything", 20, False)
    assert (slider.maximum, slider.value) == (6, 6)


def test_the_list_of_parts_is_what_is_planned(fake: FakeService) -> None:
    summary, groups, _, table = show_plan(fake, "bert-base-uncased", False, ["ner_head"], *DEFAULTS)
    assert list(groups["group"]) == ["entity head, decay", "entity head, no decay", "together"]
    assert table[table["part"] == "layer 1"]["trains"].item() == "none"
    assert "3,845" in summary


def test_rates_reach_the_groups_and_an_emptied_field_is_its_default(fake: FakeService) -> None:
    _, groups, _, _ = show_plan(fake, "embedded", False, ["layer_0", "ner_head"], 1e-4, None, 5e-3, None, 0.1)
    assert dict(zip(groups["group"], groups["learning rate"], strict=True))["backbone, decay"] == "0.0001"
    assert dict(zip(groups["group"], groups["learning rate"], strict=True))["entity head, decay"] == "0.005"
    assert dict(zip(groups["group"], groups["weight decay"], strict=True))["entity head, decay"] == "0.1"


def test_warnings_are_shown(fake: FakeService) -> None:
    parts, _ = fill_parts(fake, "embedded", "freeze_network", 0, False)
    assert "Nothing trains" in show_plan(fake, "embedded", False, parts.value, *DEFAULTS)[0]
    assert (
        "<li>"
        not in show_plan(
            fake, "embedded", False, fill_parts(fake, "embedded", "train_everything", 0, False)[0].value, *DEFAULTS
        )[0]
    )


def test_a_rate_out_of_range_is_told(fake: FakeService) -> None:
    with pytest.raises(gr.Error, match="from 0 to 1"):
        show_plan(fake, "embedded", False, ["ner_head"], 7, *DEFAULTS[1:])


def test_a_part_of_another_backbone_is_told(fake: FakeService) -> None:
    with pytest.raises(gr.Error, match="no part"):
        show_plan(fake, "embedded", False, ["layer_20"], *DEFAULTS)


def test_totals_are_figures_of_the_plan(service: ModelService) -> None:
    plan = service.freezing_plan(FreezingRequest("bert-base-uncased", "freeze_backbone"))
    assert "108,891,648" in summarise(plan)
    assert "0.55%" in summarise(plan)


@pytest.mark.parametrize(
    ("name", "title"), [("layer_0", "layer 1"), ("ner_head", "entity head"), ("classification_head", "classification head")]
)
def test_parts_have_titles(name: str, title: str) -> None:
    assert part_title(name) == title
