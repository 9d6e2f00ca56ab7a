"""Runs of the laboratory as figures: losses and scores, what moved, and runs beside one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtdemo.laboratory.outcome import Snapshot
from mtdemo.laboratory.run_queue import Run
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
    figure.update_layout(legend={"orientation": "h", "y": -0.15}, margin={"l": 8, "r": 8, "t": 40, "b": 8})
    figure.update_annotations(font_size=13)
    figure.update_xaxes(showgrid=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, automargin=True)
    figure.update_yaxes(range=[0, 1], row=1, col=2)
    return figure


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


AXES: dict[str, Callable[[Run], float]] = {
    "trainable parameters": lambda run: run.n_trainable,
    "seconds of its steps": lambda run: run.report["training_seconds"],
    "memory of a step, MB (estimate)": lambda run: run.n_bytes / 1e6,
}


def plot_runs(runs: Sequence[Run], by: str) -> Figure:
    """Draw each run's scores against its cost, one of `AXES`."""
    from plotly.graph_objects import Figure

    figure = Figure()
    for name, key, color in (("entities, F1", "entity_f1", TRAINS), ("classes, macro-F1", "macro_f1", SECOND)):
        figure.add_scatter(
            x=[AXES[by](run) for run in runs],
            y=[run.report["history"][-1][key] for run in runs],
            text=[str(run.number) for run in runs],
            customdata=[as_text(run.title) for run in runs],
            mode="markers+text",
            textposition="top center",
            name=name,
            marker={"color": color, "size": 11},
            hovertemplate="run %{text}: %{y:.3f}, %{x:,.6~g} " + by + "<br>%{customdata}<extra>" + name + "</extra>",
        )
    styled(figure, height=300)
    figure.update_layout(
        title={"text": "Runs by number: score kept aside against cost", "font": {"size": 13}},
        legend={"orientation": "h", "y": -0.3},
    )
    figure.update_xaxes(title_text=by, rangemode="tozero", nticks=5, tickangle=0, gridcolor=GRID, automargin=True)
    figure.update_yaxes(range=[0, 1.1], gridcolor=GRID, automargin=True)
    return figure
