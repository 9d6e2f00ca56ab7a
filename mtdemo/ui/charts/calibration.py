"""Confidence against success, as bars with the number of sentences behind each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtdemo.evaluation.calibration import Calibration
from mtdemo.ui.charts.style import INK, TRAINS, styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def plot_calibration(calibration: Calibration) -> Figure:
    """Draw the share that is right by confidence.

    A model whose confidence means what it says has bars that end at the dotted line.
    """
    from plotly.graph_objects import Bar, Figure, Scatter

    bins = calibration.bins
    figure = Figure(
        [
            Bar(
                x=[(found.lower + found.upper) / 2 for found in bins],
                y=[found.share_right for found in bins],
                width=[0.9 * (found.upper - found.lower) for found in bins],
                text=[f"n = {found.n_answers:,}" for found in bins],
                textposition="outside",
                cliponaxis=False,
                customdata=[[found.lower, found.upper, found.confidence] for found in bins],
                hovertemplate="confidence %{customdata[0]:.1f} to %{customdata[1]:.1f}, mean %{customdata[2]:.2f}<br>"
                "right %{y:.2f}<extra></extra>",
                marker={"color": TRAINS},
                name="right",
            ),
            Scatter(
                x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": INK}, hoverinfo="skip", name="as it says"
            ),
        ]
    )
    styled(figure, height=280)
    figure.update_layout(showlegend=False)
    figure.update_xaxes(title="confidence", range=[0, 1])
    figure.update_yaxes(title="share that is right", range=[0, 1.12], automargin=True)
    return figure
