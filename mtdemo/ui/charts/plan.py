"""A plan in two figures: what trains, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mtdemo.models.parts import part_title
from mtdemo.planning.freezing import FreezingPlan
from mtdemo.planning.optimizer import rates_by_part
from mtdemo.planning.planner import PlanReport
from mtdemo.ui.charts.style import FROZEN, GRID, TRAINS, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


_MAX_TICKS = 4
_N_SHOWN = 201  # steps of the schedule that is drawn


def plot_freezing(plan: FreezingPlan) -> Figure:
    """Draw how many parameters of each part train.

    One bar per part, the lowest part at the bottom.
    """
    from plotly.graph_objects import Bar, Figure

    names = [part_title(part.name) for part in plan.parts]
    figure = Figure(
        [
            Bar(
                name=name,
                y=names,
                x=counts,
                orientation="h",
                marker={"color": color, "pattern": {"shape": pattern, "fgcolor": "rgba(255,255,255,0.35)"}},
                hovertemplate="%{y}: %{x:,} parameters<extra>" + name + "</extra>",
            )
            for name, counts, color, pattern in (
                ("trains", [part.n_trainable for part in plan.parts], TRAINS, ""),
                ("frozen", [part.n_frozen for part in plan.parts], FROZEN, "/"),
            )
        ]
    )
    for part, name in zip(plan.parts, names, strict=True):
        words = {"all": "trains", "none": "frozen", "partial": f"in all, {part.n_trainable:,} train"}[part.state]
        text = f"{_compact(part.n_parameters)} {words}"
        figure.add_annotation(y=name, x=part.n_parameters, text=text, xanchor="left", showarrow=False, xshift=4)
    styled(figure, height=80 + 24 * len(names))
    most = max(part.n_parameters for part in plan.parts)
    figure.update_layout(
        barmode="stack", legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    )
    figure.update_xaxes(range=[0, 1.75 * most], gridcolor=GRID, nticks=5)
    figure.update_yaxes(showgrid=False, automargin=True, type="category")
    return figure


def plot_rates(plan: PlanReport) -> Figure:
    """Draw each part's learning rate, and the schedule.

    Parts stand lowest first, hollow where they are frozen.
    """
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    rates = rates_by_part(plan.freezing, plan.plan.optimizer)
    lowest = min((rate for rate in rates.values() if rate), default=1.0) / 2  # where a rate of 0 is drawn
    trains = [part.n_trainable > 0 for part in plan.freezing.parts]
    names = [part_title(name) for name in rates]
    figure = make_subplots(
        1, 2, column_widths=[0.62, 0.38], subplot_titles=("Learning rate by part", "Schedule"), horizontal_spacing=0.16
    )
    figure.add_scatter(
        x=names,
        y=[rate or lowest for rate in rates.values()],
        mode="markers",
        marker={"size": 9, "color": [TRAINS if t else FROZEN for t in trains], "symbol": _symbols(trains)},
        customdata=[_effect(rate, t) for rate, t in zip(rates.values(), trains, strict=True)],
        hovertemplate="%{x}: %{customdata}<extra></extra>",
        row=1,
        col=1,
    )
    steps = range(_N_SHOWN)
    schedule = Scatter(
        x=[100 * step / (_N_SHOWN - 1) for step in steps],
        y=[100 * plan.plan.lr_multiplier(step, _N_SHOWN) for step in steps],
        mode="lines",
        line={"color": TRAINS},
        hovertemplate="after %{x:.0f} % of the steps: %{y:.0f} % of the rate<extra></extra>",
    )
    figure.add_trace(schedule, row=1, col=2)
    styled(figure, height=280)
    figure.update_layout(showlegend=False, margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_annotations(font_size=13)
    figure.update_xaxes(type="category", tickangle=-45, automargin=True, showgrid=False, row=1, col=1)
    figure.update_xaxes(title_text="% of the steps", automargin=True, showgrid=False, row=1, col=2)
    figure.update_yaxes(type="log", automargin=True, gridcolor=GRID, row=1, col=1, **_ticks(list(rates.values())))
    figure.update_yaxes(title_text="% of the rate", automargin=True, gridcolor=GRID, row=1, col=2)
    return figure


def _effect(rate: float, trains: bool) -> str:
    return f"{rate:.3g}, {'frozen, so without effect' if not trains else 'trains' if rate else 'so it will not move'}"


def _ticks(rates: Sequence[float]) -> dict[str, Any]:
    """Mark the rates or, where many, powers of ten."""
    different = sorted({rate for rate in rates if rate})
    if len(different) > _MAX_TICKS:
        return {"dtick": 1, "exponentformat": "e"}
    return {"tickvals": different, "ticktext": [f"{rate:.2g}" for rate in different]}


def _symbols(trains: Sequence[bool]) -> list[str]:
    return ["circle" if t else "circle-open" for t in trains]


def _compact(number: int) -> str:
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 1_000 else str(number)
