"""Cosine similarities as an HTML table that scrolls in its own frame, while the sentences stay."""

from __future__ import annotations

import html
from collections.abc import Sequence

from mtdemo.analysis.similarity import Similarity
from mtdemo.ui.charts.similarity import MAX_SENTENCES
from mtdemo.ui.components.messages import numbered

_DARK = 0.55  # from this cosine on, letters on the cell are white


def render_grid(similarity: Similarity, order: Sequence[int] | None = None) -> str:
    """Write the cosines of sentences as a shaded table.

    Args:
        similarity: sentences and cosines.
        order: positions of the sentences shown, in the order in which they stand; the given one by default.

    Returns:
        HTML in which the sentences are text; empty for a single sentence.
    """
    sentences = similarity.analysis.sentences
    order = range(min(len(sentences), MAX_SENTENCES)) if order is None else order
    if len(sentences) == 1:
        return ""
    labels = numbered(sentences, 22)
    heads = "".join(f'<th scope="col">{place + 1}</th>' for place in order)
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{html.escape(labels[row])}</th>'
        + "".join(_cell(float(similarity.matrix[row, column])) for column in order)
        + "</tr>"
        for row in order
    )
    return (
        '<div class="grid" tabindex="0" role="region" aria-label="Cosine similarity, a table that scrolls">'
        f'<table><thead><tr><th scope="col"><span class="hidden-text">sentence</span></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(cosine: float) -> str:
    share = round(100 * max(0.0, cosine))
    ink = ' class="dark-cell"' if cosine >= _DARK else ""
    return f'<td{ink} style="--share:{share}%">{cosine:.2f}</td>'
