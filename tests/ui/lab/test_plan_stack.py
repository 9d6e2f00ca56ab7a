"""The network as a stack: one row per part of any backbone, with its lock in words."""

import re

import pytest

from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner, PlanRequest
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.ui.lab.plan_stack import draw_stack, in_short
from tests.planning.test_reach import ARCHITECTURES, freezing

ROW = re.compile(
    r'data-part="(\w+)" data-trains="(\w+)".*?"amount" style="width:([\d.]+)%"><i style="width:([\d.]+)%;--shade:(\d+)%"'
    r'.*?aria-pressed="(\w+)" aria-label="([^"]+)" tabindex="(-?\d)".*?lock-word">(\w+)<'
)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_any_backbone_is_drawn_from_the_lowest_part_to_the_heads(architecture: str) -> None:
    """ALBERT has one layer that it repeats, which is a part like any other."""
    plan = freezing(architecture, TrainingPlan(("embeddings", "ner_head")))
    rows = ROW.findall(draw_stack(plan, OptimizerSettings()))
    assert [row[0] for row in rows] == [part.name for part in reversed(plan.parts)]
    most = max(part.n_parameters for part in plan.parts)
    for (name, trains, width, solid, _, pressed, label, tab, word), part in zip(rows, reversed(plan.parts), strict=True):
        assert trains == part.state
        assert float(width) == pytest.approx(100 * part.n_parameters / most, abs=0.006)
        assert float(solid) == pytest.approx(100 * part.n_trainable / part.n_parameters, abs=0.006)
        assert (pressed, word) == (("true", "frozen") if part.state == "none" else ("false", "trains"))
        assert label.startswith("Lock ")
        assert (tab == "0") == (name == rows[0][0]), "one stop of Tab for all locks; arrow keys walk"


@pytest.mark.parametrize(("backbone", "n_rows"), [("embedded", 9), ("bert-base-uncased", 15), ("bert-large-uncased", 27)])
def test_the_catalogue_is_drawn_without_weights(planner: Planner, backbone: str, n_rows: int) -> None:
    report = planner.plan(PlanRequest(backbone, "low_rank_adapters"))
    drawn = draw_stack(report.freezing, report.plan.optimizer)
    assert len(ROW.findall(drawn)) == n_rows
    assert "</b> of " in drawn, "what trains of a part, and the whole of it"


def test_the_colour_follows_the_rate() -> None:
    shades = []
    for rate in (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1.0):
        rows = ROW.findall(draw_stack(freezing("bert", TrainingPlan()), OptimizerSettings(rate)))
        shades.append({int(row[4]) for row in rows if row[0].startswith("layer")})
    assert shades == [{30}, {30}, {48}, {65}, {82}, {100}, {100}]


def test_numbers_have_three_digits() -> None:
    assert [in_short(n) for n in (0, 999, 1_925, 148_995, 999_499, 999_999, 1_774_464)] == [
        "0", "999", "1.93 k", "149 k", "999 k", "1 M", "1.77 M",
    ]  # fmt: skip
