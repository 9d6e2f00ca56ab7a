"""Cosine similarities as an HTML table that scrolls in its own frame, while the sentences stay."""

from __future__ import annotations

import html

from mtdemo.results import Similarity
from mtdemo.ui.charts.similarity import MAX_SENTENCES
from mtdemo.ui.components.messages import numbered

_DARK = 0.55  # from this cosine on, letters on the cell are white


def render_grid(similarity: Similarity) -> str:
    """Write the cosines of sentences as a shaded table.

    Returns:
        HTML in which the sentences are text; empty for a single sentence.
    """
    shown = similarity.analysis.sentences[:MAX_SENTENCES]
    n = len(shown)
    if n == 1:
        return ""
    heads = "".join(f'<th scope="col">{number}</th>' for number in range(1, n + 1))
    rows = "".join(
        f'<tr><th scope="row" dir="auto">{html.escape(label)}</th>'
        + "".join(_cell(float(value)) for value in similarity.matrix[row, :n])
        + "</tr>"
        for row, label in enumerate(numbered(shown, 22))
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
