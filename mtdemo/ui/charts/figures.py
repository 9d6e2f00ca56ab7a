"""Results as Plotly figures. They are transparent and grey-lettered, so that they read well in light and dark."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mtdemo.laboratory.run_queue import Run
from mtdemo.models.parts import part_title
from mtdemo.planning.freezing import FreezingPlan
from mtdemo.planning.optimizer import rates_by_part
from mtdemo.planning.planner import PlanReport
from mtdemo.results import Similarity
from mtdemo.ui.components.messages import numbered, shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from mtdemo.laboratory.outcome import Snapshot

INK = "#808a96"
TRAINS = "#0d9488"
FROZEN = "#94a3b8"
SECOND = "#d97706"
THIRD = "#8b5cf6"
GRID = "rgba(128,138,150,0.25)"
MAX_SENTENCES = 50
_TOOLS = ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"]  # of no use on these figures
_MAX_TICKS = 4
_N_SHOWN = 201  # steps of the schedule that is drawn
_MAX_NUMBERS = 12  # sentences up to which each cell carries its number


def plot_similarity(similarity: Similarity) -> Figure:
    """Cosine similarity as a heat map of the first `MAX_SENTENCES` sentences, on the fixed scale from -1 to 1.

    What the person typed stands in it as text.
    """
    from plotly.graph_objects import Figure, Heatmap

    shown = similarity.analysis.sentences[:MAX_SENTENCES]
    n = len(shown)
    labels = [_as_text(label) for label in numbered(shown, 22)]
    texts = [_as_text(shorten(sentence.text, 80)) for sentence in shown]
    heatmap = Heatmap(
        z=similarity.matrix[:n, :n].round(4).tolist(),
        x=[str(number) for number in range(1, n + 1)],
        y=labels,
        customdata=[[[row, column] for column in texts] for row in texts],
        hovertemplate="%{z:.3f}<br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        texttemplate="%{z:.2f}" if n <= _MAX_NUMBERS else None,
        zmin=-1,
        zmax=1,
        colorscale="RdBu",
        reversescale=True,
        colorbar={"title": {"text": "cosine"}, "thickness": 10, "tickvals": [-1, -0.5, 0, 0.5, 1]},
        xgap=1,
        ygap=1,
    )
    figure = _styled(Figure(heatmap), height=60 + max(26 * n, 180))
    figure.update_xaxes(side="top", type="category", showgrid=False)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, automargin=True)
    return figure


def plot_freezing(plan: FreezingPlan) -> Figure:
    """One bar per part, lowest part at the bottom: how many of its parameters train and how many are frozen."""
    from plotly.graph_objects import Bar, Figure

    names = [part_title(part.part.name) for part in plan.parts]
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
    _styled(figure, height=80 + 24 * len(names))
    most = max(part.n_parameters for part in plan.parts)
    figure.update_layout(
        barmode="stack", legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"}
    )
    figure.update_xaxes(range=[0, 1.75 * most], gridcolor=GRID, nticks=5)
    figure.update_yaxes(showgrid=False, automargin=True, type="category")
    return figure


def plot_rates(plan: PlanReport) -> Figure:
    """Left the learning rate of each part, lowest first, hollow where it is frozen; right the schedule by step."""
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
    _styled(figure, height=280)
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
    """The rates themselves where they are few, else powers of ten."""
    different = sorted({rate for rate in rates if rate})
    if len(different) > _MAX_TICKS:
        return {"dtick": 1, "exponentformat": "e"}
    return {"tickvals": different, "ticktext": [f"{rate:.2g}" for rate in different]}


def _symbols(trains: Sequence[bool]) -> list[str]:
    return ["circle" if t else "circle-open" for t in trains]


def plot_history(snapshots: Sequence[Snapshot]) -> Figure:
    """Left the losses of each step, right the scores on the sentences kept aside."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, subplot_titles=("Loss by step", "Score, kept aside"), horizontal_spacing=0.12)
    trained = [snapshot for snapshot in snapshots if snapshot.losses is not None]
    steps = [snapshot.n_done for snapshot in trained]
    scored = _changes(snapshots)
    for name, color, losses, scores in (
        ("entities", TRAINS, [s.losses.ner for s in trained if s.losses], [s.scores.entity_f1 for s in scored]),
        ("classes", SECOND, [s.losses.classification for s in trained if s.losses], [s.scores.macro_f1 for s in scored]),
        ("new output layer", THIRD, [s.losses.output for s in trained if s.losses], [s.scores.output_f1 for s in scored]),
    ):
        if not any(score is not None for score in scores):
            continue
        line = {"name": name, "legendgroup": name, "line": {"color": color}}
        if losses:
            figure.add_scatter(x=steps, y=losses, mode="lines", **line, row=1, col=1)
        figure.add_scatter(
            x=[s.n_done for s in scored], y=scores, mode="lines+markers", showlegend=not losses, **line, row=1, col=2
        )
    _styled(figure, height=300)
    figure.update_layout(legend={"orientation": "h", "y": -0.15}, margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_annotations(font_size=13)
    figure.update_xaxes(showgrid=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, automargin=True)
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    return figure


def plot_movement(movement: Mapping[str, float]) -> Figure:
    """One bar per part, lowest at the bottom: how far its weights moved, relative to their length."""
    from plotly.graph_objects import Bar, Figure

    names = [part_title(name) for name in movement]
    texts = ["unchanged, bit for bit" if value == 0.0 else f"{value:.2%}" for value in movement.values()]
    bar = Bar(
        x=[100 * value for value in movement.values()],
        y=names,
        orientation="h",
        marker={"color": TRAINS},
        text=texts,
        textposition="outside",
        hovertemplate="%{y}: %{text}<extra></extra>",
        cliponaxis=False,
    )
    figure = _styled(Figure(bar), height=90 + 24 * len(names))
    most = max(*movement.values(), 0.0) or 0.01
    figure.update_layout(title={"text": "How far each part moved, %", "font": {"size": 13}})
    figure.update_xaxes(range=[0, 140 * most], gridcolor=GRID)
    figure.update_yaxes(showgrid=False, automargin=True, type="category")
    return figure


AXES: dict[str, Callable[[Run], float]] = {
    "trainable parameters": lambda run: run.n_trainable,
    "seconds of its steps": lambda run: run.report["training_seconds"],
    "memory of a step, MB (estimate)": lambda run: run.n_bytes / 1e6,
}


def plot_runs(runs: Sequence[Run], by: str) -> Figure:
    """Scores of each run against what it cost, one of `AXES`."""
    from plotly.graph_objects import Figure

    figure = Figure()
    for name, key, color in (("entities, F1", "entity_f1", TRAINS), ("classes, macro-F1", "macro_f1", SECOND)):
        figure.add_scatter(
            x=[AXES[by](run) for run in runs],
            y=[run.report["history"][-1][key] for run in runs],
            text=[str(run.number) for run in runs],
            customdata=[_as_text(run.title) for run in runs],
            mode="markers+text",
            textposition="top center",
            name=name,
            marker={"color": color, "size": 11},
            hovertemplate="run %{text}: %{y:.3f}, %{x:,.6~g} " + by + "<br>%{customdata}<extra>" + name + "</extra>",
        )
    _styled(figure, height=300)
    figure.update_layout(
        title={"text": "Runs by number: score kept aside against cost", "font": {"size": 13}},
        legend={"orientation": "h", "y": -0.3},
    )
    figure.update_xaxes(title_text=by, rangemode="tozero", nticks=5, tickangle=0, gridcolor=GRID, automargin=True)
    figure.update_yaxes(range=[0, 1.1], gridcolor=GRID, automargin=True)
    return figure


def _changes(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots at which a new measurement was made, and the first."""
    changed: list[Snapshot] = []
    for snapshot in snapshots:
        if not changed or snapshot.scores is not changed[-1].scores:
            changed.append(snapshot)
    return changed


def _as_text(text: str) -> str:
    """Text in which Plotly, which reads a little HTML in labels, finds none; it knows no entity for quotation marks."""
    return html.escape(text, quote=False)


def _compact(number: int) -> str:
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 1_000 else str(number)


def _styled(figure: Figure, height: int) -> Figure:
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 12},
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        modebar={"remove": _TOOLS, "bgcolor": "rgba(0,0,0,0)"},
        height=height,
        dragmode=False,
    )
    figure.update_xaxes(zeroline=False)  # plotly's is white, which glares on a dark page
    figure.update_yaxes(zeroline=False)
    return figure
