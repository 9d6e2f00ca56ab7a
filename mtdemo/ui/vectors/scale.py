"""The scale of a model's cosines in words, so that a person can tell whether 0.79 is high."""

from __future__ import annotations

from mtdemo.analysis.vectors.background import Background
from mtdemo.ui.components.messages import as_plain_markdown

_EVEN, _NARROW = 0.1, 0.4  # of the mean cosine of random pairs


def describe_scale(background: Background) -> str:
    """Say what cosines random pairs have, as Markdown."""
    high = background.cosines[int(0.95 * len(background.cosines))]
    return (
        f"**Is a cosine high?** Of {len(background.cosines):,} random pairs of {background.n_sentences:,} "
        f"{as_plain_markdown(background.source)}, 95% are below **{high:.2f}**, and their mean is "
        f"{background.anisotropy:.2f}: {_cone(background.anisotropy)} "
        "([Ethayarajh 2019](https://aclanthology.org/D19-1006))."
    )


def _cone(anisotropy: float) -> str:
    if anisotropy < _EVEN:
        return "this model uses its directions evenly"
    if anisotropy < _NARROW:
        return "this model's embeddings lean to one side, so that unrelated sentences look a little similar"
    return (
        "this model's embeddings lie in a narrow cone, where unrelated sentences look similar; go by the percentage of "
        "random pairs, not by the cosine"
    )
