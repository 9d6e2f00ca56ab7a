"""Figures of many vectors: all cosines to a query, and sentences on a map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mtdemo.analysis.vectors.ranking import Ranking
from mtdemo.serving.vector_service import Comparison, SentenceMap
from mtdemo.ui.charts.style import CATEGORIES, FROZEN, SECOND, TRAINS, as_text, styled
from mtdemo.ui.components.messages import shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAX_COLORS = len(CATEGORIES)
_MAX_SVG = 1_000  # points; more are drawn by WebGL, which stays fluent
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "pentagon", "star", "hexagram")
_SOLID_SYMBOLS = ("circle", "square", "diamond", "cross", "x")  # those that a picture in three dimensions has
_HEIGHT = 520
_MANY = 6  # sentences in a bar, from which on plotly chooses the ticks, which are whole numbers then
_MAX_HOVER = 240  # characters of a sentence that a point shows


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
    figure.update_layout(margin={"l": 68, "b": 44})  # set, since plotly draws axes twice to find room for their labels
    figure.update_xaxes(title="cosine to the query", automargin=False)
    figure.update_yaxes(title="sentences", automargin=False, dtick=1 if counts.max() < _MANY else None)
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
    is_large = len(values) > _MAX_SVG
    kind = Scatter3d if n_dimensions == 3 else Scattergl if is_large else Scatter
    symbols = _SOLID_SYMBOLS if n_dimensions == 3 else _SYMBOLS[: 1 if is_large else None]  # at 5 pixels all look alike
    hovers = [_hover(text, _MAX_HOVER // 2 if is_large else _MAX_HOVER) for text in drawn.texts]
    figure = Figure()
    for number, (name, positions) in enumerate(_group(values, shown)):
        axes = {
            axis: places[positions, place].astype(float).round(5).tolist()
            for place, axis in enumerate("xyz"[:n_dimensions])
        }
        style = {
            "size": 4 if n_dimensions == 3 else 5 if is_large else 9,
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
                text=[hovers[position] for position in positions],
                hovertemplate="%{customdata}. %{text}<extra></extra>",
                marker=style,
            )
        )
    styled(figure, height=_HEIGHT)
    figure.update_layout(
        dragmode="pan" if n_dimensions == 2 else "orbit",
        legend={"orientation": "h", "y": -0.04, "yanchor": "top", "itemsizing": "constant"},
        modebar={"remove": ["select", "autoScale"], "bgcolor": "rgba(0,0,0,0)"},
        showlegend=True,
        hoverlabel={"align": "left"},
        uirevision=drawn.projection.method,
    )
    bare: dict[str, Any] = {"showticklabels": False, "title": None, "showgrid": n_dimensions == 3, "zeroline": False}
    if n_dimensions == 3:
        figure.update_layout(scene={f"{axis}axis": {**bare, "showbackground": False, "title": ""} for axis in "xyz"})
    else:
        figure.update_xaxes(**bare, automargin=False)
        figure.update_yaxes(**bare, automargin=False, scaleanchor="x")
    return figure


def plot_two_maps(compared: Comparison) -> Figure | None:
    """Draw two aligned maps, with lines for what moved.

    The lines join the two places of the sentences whose true neighbours changed most.
    """
    from plotly.graph_objects import Figure, Scatter, Scattergl

    maps = compared.maps
    if maps is None:
        return None
    kind = Scattergl if len(maps.one) > _MAX_SVG else Scatter
    texts = [_hover(sentence.text) for sentence in compared.one]
    lines: dict[str, list[float | None]] = {"x": [], "y": []}
    for change in compared.agreement.changed:
        for place, axis in enumerate(lines):
            lines[axis] += [float(maps.one[change.position, place]), float(maps.other[change.position, place]), None]
    figure = Figure(kind(**lines, mode="lines", line={"color": FROZEN, "width": 1.5}, hoverinfo="skip", showlegend=False))
    sides = ((compared.one, maps.one, TRAINS, "circle"), (compared.other, maps.other, SECOND, "diamond"))
    for analysis, places, color, symbol in sides:
        figure.add_trace(
            kind(
                x=places[:, 0].round(5).tolist(),
                y=places[:, 1].round(5).tolist(),
                mode="markers",
                name=as_text(shorten(analysis.model.id, 40)),
                customdata=list(range(1, len(texts) + 1)),
                text=texts,
                hovertemplate="%{customdata}. %{text}<extra></extra>",
                marker={"size": 5 if kind is Scattergl else 8, "color": color, "symbol": symbol, "opacity": 0.75},
            )
        )
    styled(figure, height=_HEIGHT)
    legend = {"orientation": "h", "y": -0.04, "yanchor": "top", "itemsizing": "constant"}
    figure.update_layout(dragmode="pan", legend=legend, showlegend=True, hoverlabel={"align": "left"})
    bare = {"showticklabels": False, "title": None, "showgrid": False, "zeroline": False}
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


def _hover(text: str, n_characters: int = _MAX_HOVER) -> str:
    """Break a text into short lines for a label."""
    words, lines = shorten(text, n_characters).split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > 60 and lines[-1]:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "<br>".join(map(as_text, lines))
