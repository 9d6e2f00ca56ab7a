"""A plan as the page shows it: in words, tables, a timeline, code and a file."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from mtdemo.errors import MtdemoError
from mtdemo.models.parts import part_title
from mtdemo.planning.costs import StepCost
from mtdemo.planning.planner import PlanReport
from mtdemo.planning.scenarios import find_scenario
from mtdemo.planning.timeline import rate_timeline
from mtdemo.ui.charts.plan import draw_timeline
from mtdemo.ui.components.events import Updates
from mtdemo.ui.components.messages import as_warnings


@dataclass(frozen=True, slots=True)
class PlanView:
    """Components that show a plan."""

    state: gr.HTML
    summary: gr.HTML
    groups: gr.HTML
    timeline: gr.HTML
    parts: gr.HTML
    script: gr.Code
    saved: gr.Code

    @property
    def outputs(self) -> set[Component]:
        return {self.state, self.summary, self.groups, self.timeline, self.parts, self.script, self.saved}

    def show(self, plan: PlanReport, scenario: str, n_steps: int) -> Updates:
        """Show a plan.

        Args:
            plan: what is shown.
            scenario: name of the one that it comes from.
            n_steps: that the timeline is drawn for.
        """
        return {
            self.state: describe_origin(plan, scenario),
            self.summary: summarise(plan),
            self.groups: tabulate_groups(plan),
            self.timeline: draw_timeline(rate_timeline(plan.plan, plan.freezing, n_steps)),
            self.parts: tabulate_parts(plan),
            self.script: plan.script,
            self.saved: json.dumps(plan.plan.as_dict(), indent=2),
        }

    def show_error(self, error: MtdemoError) -> Updates:
        """Show why there is no plan, and empty the rest."""
        words = f'<p role="alert" class="no-plan"><b>No plan.</b> {html.escape(str(error), quote=False)}</p>'
        emptied: Updates = dict.fromkeys(
            (self.summary, self.groups, self.timeline, self.parts, self.script, self.saved), ""
        )
        return {**emptied, self.state: words}


def add_plan_view(state: gr.HTML) -> PlanView:
    """Add what stands beside the controls.

    `parts`, `script` and `saved` are rendered by the tab, below.
    """
    plain: dict[str, Any] = {"padding": False, "apply_default_css": False}
    return PlanView(
        state=state,
        summary=gr.HTML(**plain),
        groups=gr.HTML(**plain),
        timeline=gr.HTML(**plain),
        parts=gr.HTML(render=False, **plain),
        script=gr.Code(label="plan.py", language="python", interactive=False, render=False),
        saved=gr.Code(label="plan.json", language="json", interactive=False, render=False),
    )


def describe_origin(plan: PlanReport, scenario: str) -> str:
    """Name the scenario, and what was changed of it."""
    chosen = find_scenario(scenario)
    if not plan.changes:
        return f'<p class="origin"><b>{html.escape(chosen.title)}.</b> {html.escape(chosen.hint)}</p>{_rates(plan)}'
    changes = html.escape("; ".join(plan.changes))
    return f'<p class="origin"><b>Custom</b> (from {html.escape(chosen.title)}). Changed by hand: {changes}.</p>'


def _rates(plan: PlanReport) -> str:
    """Say at which rates a scenario begins, and why."""
    if not plan.freezing.n_trainable:
        return ""
    rates = plan.starting_rates
    backbone = f"{rates.backbone:g} for the backbone, " if plan.freezing.backbone_state != "none" else ""
    words = f"Learning rates: {backbone}{rates.heads:g} for heads. {rates.reason if backbone else ''}"
    return f'<p class="origin-rates">{html.escape(words.strip())}</p>'


def summarise(plan: PlanReport) -> str:
    """Write totals, cost, notes and warnings as HTML."""
    freezing, cost = plan.freezing, plan.cost
    tiles = _tiles(
        ("Parameters", f"{freezing.n_parameters:,}", ""),
        ("Trainable", f"{freezing.n_trainable:,}", f"{freezing.n_frozen:,} frozen"),
        ("Share that trains", as_share(freezing.n_trainable, freezing.n_parameters), "of all parameters"),
        ("Computation", as_share(cost.n_operations, plan.full_cost.n_operations), "of a step that trains everything"),
        ("Memory of a step", as_bytes(cost.n_bytes), "about; weights included"),
    )
    notes = [*plan.notes] + (
        ["The backbone does not move, so a run computes its hidden states <b>once</b>; then a step costs next to nothing."]
        if cost.features_are_fixed and freezing.n_trainable
        else []
    )
    stages = [html.escape(_describe_stages(plan))] if plan.plan.gradual else []
    facts = "".join(f"<li>{words}</li>" for words in (*notes, *stages))
    return f"{tiles}{_memory(cost)}{f'<ul class=facts>{facts}</ul>' if facts else ''}{as_warnings(plan.warnings)}"


def as_share(part: int, whole: int) -> str:
    """Write a share; 0 and 100 % are exact.

    `(1, 3) -> 33.33%`, `(999_999, 1_000_000) -> > 99.99%`, `(1, 1_000_000) -> < 0.01%`
    """
    if part in (0, whole):
        return "100%" if part else "0%"
    written = f"{part / whole:.2%}"
    return {"0.00%": "< 0.01%", "100.00%": "> 99.99%"}.get(written, written)


def as_bytes(number: int) -> str:
    """Write a size with three digits: `4_620 -> 4.62 kB`."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g} {unit}"
    return f"{number} bytes"


def _tiles(*rows: tuple[str, str, str]) -> str:
    tiles = "".join(
        f"<div><dt>{name}</dt><dd>{html.escape(value)}{f'<small>{about}</small>' if about else ''}</dd></div>"
        for name, value, about in rows
    )
    return f'<dl class="totals plan-totals">{tiles}</dl>'


def _memory(cost: StepCost) -> str:
    """Draw how the memory of a step divides."""
    shares = (
        ("weights", cost.weight_bytes, "slate"),
        ("gradients", cost.gradient_bytes, "teal"),
        ("Adam's two moments", cost.optimizer_bytes, "blue"),
        ("activations kept", cost.activation_bytes, "orange"),
    )
    bars = "".join(f'<i class="hue-{hue}" style="flex-grow:{number}"></i>' for _, number, hue in shares if number)
    words = " ".join(
        f'<span><i class="hue-{hue}"></i>{name} <b>{as_bytes(number) if number else "none"}</b></span>'
        for name, number, hue in shares
    )
    return f'<div class="memory"><div class="memory-bar" aria-hidden="true">{bars}</div><p>{words}</p></div>'


def _describe_stages(plan: PlanReport) -> str:
    """Say when each part begins to train."""
    later = sorted((start, name) for name, start in plan.starts.items() if start)
    words = "; ".join(f"{part_title(name)} from {start:.0%} of the steps" for start, name in later)
    return f"Unfrozen one by one: {words}. The cost is that of the last stage; earlier ones cost less."


def tabulate_groups(plan: PlanReport) -> str:
    """Tabulate the optimizer's groups, and their sum."""
    groups = plan.optimizer.groups
    if not groups:
        return ""
    rows = [
        (g.name, f"{g.n_tensors:,}", f"{g.n_parameters:,}", f"{g.learning_rate:g}", f"{g.weight_decay:g}") for g in groups
    ]
    total = ("together", f"{sum(g.n_tensors for g in groups):,}", f"{plan.optimizer.n_parameters:,}", "", "")
    return as_table(
        "Groups of the optimizer, AdamW",
        ("group", "tensors", "parameters", "rate", "decay"),
        [*rows, total],
    )


def tabulate_parts(plan: PlanReport) -> str:
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
    return as_table("Parts of the network", ("part", "parameters", "trainable", "frozen", "trains"), [*rows, total])


def as_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table whose last row is a sum."""
    heads = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    lines = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{html.escape(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="scrolls" tabindex="0" role="region" aria-label="{html.escape(title)}, a table that may scroll">'
        f'<table class="numbers summed"><caption>{html.escape(title)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )
