"""Sentences in the order of a cosine, as HTML in which they are text."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from mtdemo.analysis.vectors.background import Background


def render_ranked(texts: Sequence[str], ranked: Iterable[tuple[int, float]], background: Background) -> str:
    """List sentences with their cosines and where these stand.

    Args:
        texts: all sentences.
        ranked: position and cosine of those listed, in order.
        background: the scale.
    """
    items = "".join(
        f'<li class="answer"><span class="number">{position + 1}</span>'
        f'<p class="text" dir="auto">{html.escape(texts[position])}</p>'
        f'<div class="told"><div class="class cosine"><b>{cosine:.3f}</b><span class="bar">'
        f'<i style="width:{100 * max(0.0, cosine):.1f}%"></i></span></div>'
        f'<p class="nearest">{background.phrase(cosine)}</p></div></li>'
        for position, cosine in ranked
    )
    return f'<ol class="answers">{items}</ol>' if items else ""
