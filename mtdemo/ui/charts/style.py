"""The look of every figure: transparent and grey-lettered, so that it reads well in light and dark."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


INK = "#808a96"
TRAINS = "#0d9488"
FROZEN = "#94a3b8"
SECOND = "#d97706"
THIRD = "#8b5cf6"
CATEGORIES = (  # of points on a map; readable on white and on black
    "#0d9488", "#d97706", "#3b82f6", "#a855f7", "#ef4444", "#84a00d", "#ec4899", "#0891b2", "#b45309", "#6366f1",
)  # fmt: skip
GRID = "rgba(128,138,150,0.25)"
_TOOLS = ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"]  # of no use on these figures


def styled(figure: Figure, height: int) -> Figure:
    """Give a figure the common look; `height` is in pixels."""
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 12},
        margin={"l": 8, "r": 8, "t": 32, "b": 8},
        modebar={"remove": _TOOLS, "bgcolor": "rgba(0,0,0,0)"},
        height=height,
        dragmode=False,
    )
    figure.update_xaxes(zeroline=False, gridcolor=GRID)  # plotly's are white, which glares on a dark page
    figure.update_yaxes(zeroline=False, gridcolor=GRID)
    return figure


def as_text(text: str) -> str:
    """Escape a text for Plotly, which reads HTML in labels.

    It knows no entity for quotation marks, so these stay.
    """
    return html.escape(text, quote=False)
