"""A model's own labels, in words and in colours; a page that knows no model yet names none."""

from __future__ import annotations

from collections.abc import Sequence

from mtdemo.results import ModelInfo
from mtdemo.ui.components.messages import as_plain_markdown

COLORS = ("teal", "orange", "blue", "purple", "red", "green", "yellow", "pink", "cyan", "lime")
_MANY = 30
_FEELINGS = {"negative": "red", "neutral": "slate", "positive": "green"}
_MEANINGS = {  # of the types of CoNLL-2003, which many models have
    "PER": "a person",
    "ORG": "an organisation",
    "LOC": "a place",
    "MISC": "another name, such as a product, an event or a work",
}


def color_types(info: ModelInfo) -> dict[str, str]:
    """Give each entity type a colour.

    It follows from the place in the model's list: the second is orange whatever it is called.
    """
    return {name: COLORS[place % len(COLORS)] for place, name in enumerate(info.entity_types)}


def color_classes(info: ModelInfo) -> dict[str, str]:
    """Give each class a colour, by meaning or else place."""
    return {name: _FEELINGS.get(name.lower(), COLORS[place % len(COLORS)]) for place, name in enumerate(info.class_labels)}


def describe_types(info: ModelInfo) -> str:
    """List the entity types, with their meanings where known."""
    return _join([f"{name}: {_MEANINGS[name]}" if name in _MEANINGS else name for name in info.entity_types], " · ")


def describe_classes(info: ModelInfo) -> str:
    """List the classes."""
    return _join(info.class_labels, ", ")


POOLING_WORDS = {  # several stand side by side, each with its name
    "cls": "the first token",
    "max": "the maximum over all tokens",
    "mean": "the mean of all tokens",
    "mean_sqrt_len_tokens": "the sum of all tokens over the square root of their number",
    "weightedmean": "the mean of all tokens, later ones weighing more",
    "lasttoken": "the last token",
}


def describe_embedding(info: ModelInfo) -> str:
    """Say how the model makes an embedding, as Markdown."""
    pooled = " beside ".join(POOLING_WORDS[name] for name in info.pooling)
    length = ", brought to length 1" if info.is_normalized else ""
    prompt = f" It reads “{as_plain_markdown(info.prompt)}” before every sentence." if info.prompt else ""
    return f"Its embedding is {pooled} ({info.hidden_size} numbers){length}.{prompt}"


def _join(names: Sequence[str], separator: str) -> str:
    """Join at most `_MANY` names; count those left out."""
    left_out = len(names) - _MANY
    return separator.join(names[:_MANY]) + (f"{separator}and {left_out:,} others" if left_out > 0 else "")
