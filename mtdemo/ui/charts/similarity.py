"""Cosine similarities as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mtdemo.analysis.similarity import Similarity
from mtdemo.analysis.vectors.background import Background
from mtdemo.ui.charts.style import as_text, styled
from mtdemo.ui.components.messages import numbered, shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


MAX_SENTENCES = 50
_MAX_NUMBERS = 12  # sentences up to which each cell carries its number
_MARGIN = 170  # pixels, for a number and the 22 characters of a label


def plot_similarity(
    similarity: Similarity, background: Background | None = None, order: Sequence[int] | None = None
) -> Figure:
    """Draw cosine similarities as a heat map.

    It shows the first `MAX_SENTENCES` sentences, on the fixed scale from -1 to 1. What the person typed
    stands in it as text. A cell tells where its cosine stands among random pairs, where the background is given.

    Args:
        similarity: sentences and cosines.
        background: the scale.
        order: positions of the sentences shown, in the order in which they stand; the given one by default.
    """
    from plotly.graph_objects import Figure, Heatmap

    sentences = similarity.analysis.sentences
    order = list(range(min(len(sentences), MAX_SENTENCES))) if order is None else list(order)
    n = len(order)
    all_labels = numbered(sentences, 22)
    labels = [as_text(all_labels[place]) for place in order]
    texts = [as_text(shorten(sentences[place].text, 80)) for place in order]
    cosines = similarity.matrix[np.ix_(order, order)].astype(float)
    places = [[f", {background.phrase(value)}" if background else "" for value in row] for row in cosines.tolist()]
    heatmap = Heatmap(
        z=cosines.round(4).tolist(),
        x=[str(place + 1) for place in order],
        y=labels,
        customdata=[[[texts[i], texts[j], places[i][j]] for j in range(n)] for i in range(n)],
        hovertemplate="%{z:.3f}%{customdata[2]}<br>%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        texttemplate="%{z:.2f}" if n <= _MAX_NUMBERS else None,
        zmin=-1,
        zmax=1,
        colorscale="RdBu",
        reversescale=True,
        colorbar={"title": {"text": "cosine"}, "thickness": 10, "tickvals": [-1, -0.5, 0, 0.5, 1]},
        xgap=1,
        ygap=1,
    )
    figure = styled(Figure(heatmap), height=60 + max(26 * n, 180))
    is_large = n > _MAX_NUMBERS  # whose margin and angles are set: measuring labels takes longer than all the rest
    figure.update_xaxes(side="top", type="category", showgrid=False, automargin=not is_large, tickangle=0)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False, automargin=not is_large, tickangle=0)
    if is_large:
        figure.update_layout(margin={"l": _MARGIN})
    return figure
