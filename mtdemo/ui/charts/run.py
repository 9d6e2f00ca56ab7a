"""Runs of the laboratory as figures: losses and scores, what moved, and runs beside one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtdemo.laboratory.outcome import LayerDrift, Snapshot
from mtdemo.laboratory.run_store import Run
from mtdemo.models.parts import part_title
from mtdemo.ui.charts.style import GRID, SECOND, THIRD, TRAINS, as_text, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot_history(snapshots: Sequence[Snapshot]) -> Figure:
    """Draw the losses of each step, and the held-out scores."""
    from plotly.subplots import make_subplots

    figure = make_subplots(1, 2, subplot_titles=("Loss by step", "Score, kept aside"), horizontal_spacing=0.12)
    trained = [snapshot for snapshot in snapshots if snapshot.losses is not None]
    steps = [snapshot.n_done for snapshot in trained]
    scored = _changes(snapshots)
    for key, color, scores in (
        ("entities", TRAINS, [snapshot.scores.entity_f1 for snapshot in scored]),
        ("classes", SECOND, [snapshot.scores.macro_f1 for snapshot in scored]),
        ("new_output_layer", THIRD, [snapshot.scores.output_f1 for snapshot in scored]),
    ):
        if not any(score is not None for score in scores):
            continue
        name = key.replace("_", " ")
        losses = [snapshot.losses.as_dict()[key] for snapshot in trained if snapshot.losses]
        line = {"name": name, "legendgroup": name, "line": {"color": color}}
        if losses:
            figure.add_scatter(x=steps, y=losses, mode="lines", **line, row=1, col=1)
        figure.add_scatter(
            x=[s.n_done for s in scored], y=scores, mode="lines+markers", showlegend=not losses, **line, row=1, col=2
        )
    styled(figure, height=300)
    figure.update_layout(legend={"orientation": "h", "y": -0.2}, margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_annotations(font_size=13)
    n_steps = max((snapshot.n_steps for snapshot in snapshots), default=1)
    figure.update_xaxes(showgrid=False, automargin=True, range=[-0.02 * n_steps, 1.02 * n_steps], title_text="step")
    figure.update_yaxes(gridcolor=GRID, automargin=True)
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    shown = [score for s in scored for score in (s.scores.entity_f1, s.scores.macro_f1, s.scores.output_f1)]
    figure.update_yaxes(range=fit_scores(shown), row=1, col=2)
    return figure


def fit_scores(scores: Sequence[float | None], least_span: float = 0.1) -> list[float]:
    """Fit an axis to scores, with room around them.

    [0.8, 0.9] -> [0.785, 0.915]; equal scores get an axis of `least_span`, so that it never jumps to -1 and 1.
    """
    known = [score for score in scores if score is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    room = max(0.15 * (high - low), (least_span - (high - low)) / 2)
    low, high = low - room, high + room
    return [max(-0.02, low - max(0.0, high - 1.02)), min(1.02, high + max(0.0, -0.02 - low))]


def _changes(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Keep the first snapshot, and those with a new measurement."""
    changed: list[Snapshot] = []
    for snapshot in snapshots:
        if not changed or snapshot.scores is not changed[-1].scores:
            changed.append(snapshot)
    return changed


def plot_movement(movement: Mapping[str, float]) -> Figure:
    """Draw how far each part moved, relative to its length.

    One bar per part, the lowest part at the bottom.
    """
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
    figure = styled(Figure(bar), height=90 + 24 * len(names))
    most = max(*movement.values(), 0.0) or 0.01
    figure.update_layout(title={"text": "How far each part moved, %", "font": {"size": 13}})
    figure.update_xaxes(range=[0, 140 * most], gridcolor=GRID)
    figure.update_yaxes(showgrid=False, automargin=True, type="category")
    return figure


def plot_layers(layers: Sequence[LayerDrift]) -> Figure:
    """Draw CKA and cosine of hidden states, level by level."""
    from plotly.graph_objects import Figure

    figure, names = Figure(), [part_title(layer.name) for layer in layers]
    for name, color, values in (
        ("CKA", TRAINS, [layer.cka for layer in layers]),
        ("cosine", SECOND, [layer.cosine for layer in layers]),
    ):
        figure.add_scatter(
            x=values, y=names, name=name, mode="lines+markers", line={"color": color}, hovertemplate="%{y}: %{x:.4f}"
        )
    styled(figure, height=120 + 24 * len(names))
    figure.update_layout(
        title={"text": "Hidden states before and after: 1 is alike", "font": {"size": 13}},
        legend={"orientation": "h", "y": -0.15},
    )
    finite = [value for layer in layers for value in (layer.cka, layer.cosine) if math.isfinite(value)]
    low = min(finite, default=1.0)
    figure.update_xaxes(range=[min(0.98, low - 0.1 * (1 - low)), 1 + 0.03 * max(0.02, 1 - low)], gridcolor=GRID)
    figure.update_yaxes(showgrid=False, automargin=True, type="category")
    return figure


AXES: dict[str, Callable[[Run], float]] = {
    "trainable parameters": lambda run: run.n_trainable,
    "seconds of its steps": lambda run: run.report["training_seconds"],
    "memory of a step, MB (estimate)": lambda run: run.n_bytes / 1e6,
}


def plot_runs(runs: Sequence[Run], by: str) -> Figure:
    """Draw each run's scores against its cost, one of `AXES`."""
    from plotly.graph_objects import Figure

    figure = Figure()
    costs = [AXES[by](run) for run in runs]
    keys = (("entities, F1", "entity_f1", TRAINS), ("classes, macro-F1", "macro_f1", SECOND))
    scores = {key: [run.report["history"][-1][key] for run in runs] for _, key, _ in keys}
    axis = fit_scores([score for of_key in scores.values() for score in of_key], 0.2)
    widest = max([*costs, 1e-9])
    for name, key, color in keys:
        points = [
            (cost / widest, (score - axis[0]) / (axis[1] - axis[0])) for cost, score in zip(costs, scores[key], strict=True)
        ]
        figure.add_scatter(
            x=costs,
            y=scores[key],
            text=join_labels([str(run.number) for run in runs], points),
            customdata=[(run.number, as_text(run.title)) for run in runs],
            mode="markers+text",
            textposition="top center" if key == "entity_f1" else "bottom center",
            name=name,
            marker={"color": color, "size": 11},
            hovertemplate="run %{customdata[0]}: %{y:.3f}, %{x:,.6~g} "
            + by
            + "<br>%{customdata[1]}<extra>"
            + name
            + "</extra>",
        )
    styled(figure, height=320)
    figure.update_layout(
        title={"text": "Runs by number: score kept aside against cost", "font": {"size": 13}},
        legend={"orientation": "h", "y": -0.3},
    )
    figure.update_xaxes(title_text=by, range=[-0.04 * widest, 1.08 * widest], nticks=5, tickangle=0, tickformat="~s")
    figure.update_xaxes(gridcolor=GRID, automargin=True)
    figure.update_yaxes(range=axis, gridcolor=GRID, automargin=True)
    return figure


def join_labels(labels: Sequence[str], points: Sequence[tuple[float, float]]) -> list[str]:
    """Write labels of points that lie together once.

    Args:
        labels: one for each point.
        points: as shares of the width and height of the figure.

    Returns:
        Labels, empty at points whose label stands elsewhere: two points in one place -> `["1, 2", ""]`.
    """
    groups: dict[int, list[int]] = {}
    for place, (x, y) in enumerate(points):
        near = (first for first in groups if abs(points[first][0] - x) < 0.05 and abs(points[first][1] - y) < 0.1)
        groups.setdefault(next(near, place), []).append(place)
    return [", ".join(labels[member] for member in groups.get(place, ())) for place in range(len(labels))]
