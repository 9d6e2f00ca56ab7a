"""A plan as the page shows it: in words, tables, figures, code and a file."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass

import gradio as gr
import pandas as pd
from gradio.components import Component

from mtdemo.errors import MtdemoError
from mtdemo.models.parts import part_title
from mtdemo.planning.planner import PlanReport
from mtdemo.ui.charts.plan import plot_freezing, plot_rates
from mtdemo.ui.components.events import Updates
from mtdemo.ui.components.messages import as_warnings

_WIDTHS: list[str | int] = ["236px", "88px", "112px", "96px", "88px"]


@dataclass(frozen=True, slots=True)
class PlanView:
    """Components that show a plan."""

    summary: gr.HTML
    groups: gr.Dataframe
    picture: gr.Plot
    rates: gr.Plot
    parts: gr.Dataframe
    script: gr.Code
    saved: gr.Code

    @property
    def outputs(self) -> set[Component]:
        return {self.summary, self.groups, self.picture, self.rates, self.parts, self.script, self.saved}

    def show(self, plan: PlanReport) -> Updates:
        """Show a plan."""
        return {
            self.summary: summarise(plan),
            self.groups: tabulate_groups(plan),
            self.picture: plot_freezing(plan.freezing),
            self.rates: plot_rates(plan),
            self.parts: tabulate_parts(plan),
            self.script: plan.script,
            self.saved: json.dumps(plan.plan.as_dict(), indent=2),
        }

    def show_error(self, error: MtdemoError) -> Updates:
        """Show why there is no plan, and empty the rest."""
        emptied: Updates = dict.fromkeys((self.groups, self.picture, self.rates, self.parts))
        words = as_warnings([f"This plan cannot be made. {error}"])
        return {self.summary: words, **emptied, self.script: "", self.saved: ""}


def add_plan_view() -> PlanView:
    """Add what stands beside the controls.

    `parts`, `script` and `saved` are rendered by the tab, below.
    """
    return PlanView(
        summary=gr.HTML(padding=False),
        groups=gr.Dataframe(label="Optimizer groups (AdamW)", interactive=False, wrap=True, column_widths=_WIDTHS),
        picture=gr.Plot(label="Parts", show_label=False),
        rates=gr.Plot(label="Learning rates", show_label=False),
        parts=gr.Dataframe(label="Parts", interactive=False, wrap=True, render=False),
        script=gr.Code(label="plan.py", language="python", interactive=False, render=False),
        saved=gr.Code(label="plan.json", language="json", interactive=False, render=False),
    )


def summarise(plan: PlanReport) -> str:
    """Write totals, cost and warnings as HTML."""
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
    """Say when each part begins to train."""
    later = sorted((start, name) for name, start in plan.starts.items() if start)
    words = "; ".join(f"{part_title(name)} from {start:.0%} of the steps" for start, name in later)
    return f"Unfrozen one by one: {words}. The cost is that of the last stage; earlier ones cost less."


def _totals(*pairs: tuple[str, str]) -> str:
    return f'<dl class="totals">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs)}</dl>'


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


def tabulate_groups(plan: PlanReport) -> pd.DataFrame:
    """Tabulate the optimizer's groups, and their sum."""
    groups = plan.optimizer.groups
    rows = [
        (g.name, f"{g.n_tensors:,}", f"{g.n_parameters:,}", f"{g.learning_rate:g}", f"{g.weight_decay:g}") for g in groups
    ]
    total = ("together", f"{sum(g.n_tensors for g in groups):,}", f"{plan.optimizer.n_parameters:,}", "", "")
    return pd.DataFrame([*rows, total], columns=["group", "tensors", "parameters", "learning rate", "weight decay"])


def tabulate_parts(plan: PlanReport) -> pd.DataFrame:
    """Tabulate the parts, lowest first, and their sum."""
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
