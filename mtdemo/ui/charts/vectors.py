"""Figures of many vectors: all cosines to a query, and sentences on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from mtdemo.analysis.vectors.ranking import Ranking
from mtdemo.serving.vector_service import SentenceMap
from mtdemo.ui.charts.style import CATEGORIES, FROZEN, TRAINS, as_text, styled
from mtdemo.ui.components.messages import shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_COLORS = len(CATEGORIES)
_MAX_SVG = 1_000  # points; more are drawn by WebGL, which stays fluent
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "pentagon", "star", "hexagram")
_SOLID_SYMBOLS = ("circle", "square", "diamond", "cross", "x")  # those that a picture in three dimensions has
_HEIGHT = 520


def plot_cosines(ranking: Ranking) -> Figure:
    """Draw how many sentences have which cosine to the query."""
    from plotly.graph_objects import Bar, Figure

    counts, edges = ranking.histogram()
    middles = (edges[:-1] + edges[1:]) / 2
    spans = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(edges)]
    bars = Bar(
        x=middles.round(4).tolist(),
        y=counts.tolist(),
        customdata=spans,
        width=float(edges[1] - edges[0]) * 0.9,
        hovertemplate="%{customdata}: %{y} sentences<extra></extra>",
        marker={"color": TRAINS},
    )
    figure = styled(Figure(bars), height=190)
    figure.update_xaxes(title="cosine to the query")
    figure.update_yaxes(title="sentences", automargin=True)
    return figure


def plot_map(drawn: SentenceMap, values: Sequence[str], shown: Sequence[bool]) -> Figure:
    """Draw sentences as points, coloured and shaped by a value.

    Args:
        drawn: the sentences and their places.
        values: of each, what it is coloured by; the commonest have colours, all others are one.
        shown: of each, whether it is drawn; what is not keeps its place free.
    """
    from plotly.graph_objects import Figure, Scatter, Scatter3d, Scattergl

    places = drawn.projection.places
    n_dimensions = places.shape[1]
    kind = Scatter3d if n_dimensions == 3 else Scattergl if len(values) > _MAX_SVG else Scatter
    symbols = _SOLID_SYMBOLS if n_dimensions == 3 else _SYMBOLS
    figure = Figure()
    for number, (name, positions) in enumerate(_group(values, shown)):
        axes = {axis: places[positions, place].tolist() for place, axis in enumerate("xyz"[:n_dimensions])}
        style = {
            "size": 4 if n_dimensions == 3 else 9 if len(values) <= _MAX_SVG else 5,
            "color": CATEGORIES[number] if number < MAX_COLORS else FROZEN,
            "symbol": symbols[number % len(symbols)],
            "opacity": 0.85,
        }
        figure.add_trace(
            kind(
                **axes,
                mode="markers",
                name=as_text(f"{shorten(name, 28)} ({len(positions):,})"),
                customdata=[position + 1 for position in positions],
                text=[_hover(drawn.texts[position]) for position in positions],
                hovertemplate="%{customdata}. %{text}<extra></extra>",
                marker=style,
            )
        )
    styled(figure, height=_HEIGHT)
    figure.update_layout(
        dragmode="pan" if n_dimensions == 2 else "orbit",
        legend={"orientation": "h", "y": -0.04, "yanchor": "top", "itemsizing": "constant"},
        modebar={"remove": ["select", "lasso", "autoScale"], "bgcolor": "rgba(0,0,0,0)"},
        showlegend=True,
        hoverlabel={"align": "left"},
        uirevision=drawn.projection.method,
    )
    bare = {"showticklabels": False, "title": None, "showgrid": n_dimensions == 3, "zeroline": False}
    if n_dimensions == 3:
        figure.update_layout(scene={f"{axis}axis": {**bare, "showbackground": False, "title": ""} for axis in "xyz"})
    else:
        figure.update_xaxes(**bare)
        figure.update_yaxes(**bare, scaleanchor="x")
    return figure


def _group(values: Sequence[str], shown: Sequence[bool]) -> list[tuple[str, list[int]]]:
    """Group positions by value, the commonest of all first."""
    ranked = [name for name, _ in Counter(values).most_common()]
    named = ranked if len(ranked) <= MAX_COLORS else ranked[: MAX_COLORS - 1]
    kept = {name: number for number, name in enumerate(named)}
    groups: list[tuple[str, list[int]]] = [(name, []) for name in named]
    others: list[int] = []
    for position, (name, is_shown) in enumerate(zip(values, shown, strict=True)):
        if is_shown:
            (groups[kept[name]][1] if name in kept else others).append(position)
    return [group for group in [*groups, (f"{len(ranked) - len(named):,} others", others)] if group[1]]


def _hover(text: str) -> str:
    """Break a text into short lines for a label."""
    words, lines = shorten(text, 240).split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 60 and lines[-1]:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "<br>".join(map(as_text, lines))
