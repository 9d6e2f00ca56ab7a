"""A plan in words and tables."""

from __future__ import annotations

import html
import json

import pandas as pd

from mtdemo.models.parts import part_title
from mtdemo.planning.planner import PlanReport
from mtdemo.ui.components.messages import as_warnings


def summarise(plan: PlanReport) -> str:
    """Totals, cost and warnings as HTML."""
    freezing, cost = plan.freezing, plan.cost
    totals = _totals(
        ("Parameters", f"{freezing.n_parameters:,}"),
        ("Trainable", f"{freezing.n_trainable:,}"),
        ("Frozen", f"{freezing.n_frozen:,}"),
        ("Share that trains", f"{freezing.trainable_share:.2%}"),
    )
    memory = _totals(
        ("Weights", _bytes(cost.weight_bytes)),
        ("Gradients", _bytes(cost.gradient_bytes)),
        ("Adam's state", _bytes(cost.optimizer_bytes)),
        ("Activations kept", _bytes(cost.activation_bytes)),
        ("Memory in all", _bytes(cost.n_bytes)),
        ("Work, of a full step's", f"{plan.operations_share:.0%}"),
    )
    features = (
        "<p>The backbone does not move, so its hidden states can be computed <b>once</b> and used in every epoch; then a "
        "step costs next to nothing.</p>"
        if cost.features_are_fixed
        else ""
    )
    stages = f"<p>{html.escape(_describe_stages(plan))}</p>" if plan.plan.gradual else ""
    warnings = as_warnings(plan.optimizer.warnings)
    return f'{totals}<h3 class="heading">What a step costs</h3>{memory}{features}{stages}{warnings}'


def _describe_stages(plan: PlanReport) -> str:
    """Which part trains from when on; the cost is that of the last stage."""
    later = sorted((start, name) for name, start in plan.starts.items() if start)
    words = "; ".join(f"{part_title(name)} from {start:.0%} of the steps" for start, name in later)
    return f"Unfrozen one by one: {words}. The cost is that of the last stage; earlier ones cost less."


def _totals(*pairs: tuple[str, str]) -> str:
    return f'<dl class="totals">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def as_file(plan: PlanReport) -> str:
    """Write a plan as the JSON that the command line takes."""
    return json.dumps(plan.plan.as_dict(), indent=2)


def tabulate_groups(plan: PlanReport) -> pd.DataFrame:
    """One row per group as the optimizer gets it, and their sum."""
    groups = plan.optimizer.groups
    rows = [
        (g.name, f"{g.n_tensors:,}", f"{g.n_parameters:,}", f"{g.learning_rate:g}", f"{g.weight_decay:g}") for g in groups
    ]
    total = ("together", f"{sum(g.n_tensors for g in groups):,}", f"{plan.optimizer.n_parameters:,}", "", "")
    return pd.DataFrame([*rows, total], columns=["group", "tensors", "parameters", "learning rate", "weight decay"])


def tabulate_parts(plan: PlanReport) -> pd.DataFrame:
    """One row per part, lowest first, and their sum."""
    starts = plan.starts
    rows = [
        (
            part_title(p.name),
            f"{p.n_parameters:,}",
            f"{p.n_trainable:,}",
            f"{p.n_frozen:,}",
            f"{p.state}, from {starts[p.name]:.0%} of the steps" if starts.get(p.name) else p.state,
        )
        for p in plan.freezing.parts
    ]
    freezing = plan.freezing
    state = "all" if not freezing.n_frozen else "partial" if freezing.n_trainable else "none"
    total = ("together", f"{freezing.n_parameters:,}", f"{freezing.n_trainable:,}", f"{freezing.n_frozen:,}", state)
    return pd.DataFrame([*rows, total], columns=["part", "parameters", "trainable", "frozen", "trains"])
