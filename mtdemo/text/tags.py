"""Entity tags: the type that a tag stands for, and the other ways to write the same spans."""

from __future__ import annotations

from collections.abc import Iterable

_BIO = {"S-": "B-", "U-": "B-", "E-": "I-", "L-": "I-"}  # what BIOES and BILOU say beyond BIO


def entity_type(label: str) -> str:
    """Return the type that a label stands for."""
    return label[2:] if label[:2] in ("B-", "I-") else label


def as_bio(tags: Iterable[str]) -> tuple[str, ...]:
    """Rewrite BIOES or BILOU tags as BIO; others stay."""
    return tuple(_BIO.get(tag[:2], tag[:2]) + tag[2:] for tag in tags)
