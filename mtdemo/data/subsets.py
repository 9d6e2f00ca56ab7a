"""A part of the rows, at random with a fixed seed, so that every run takes the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any


def subsample(rows: Sequence[Any], limit: int) -> Sequence[Any]:
    """Draw at most `limit` rows at random (fixed seed).

    A fixed distance between them would meet one class only where classes alternate.
    """
    return rows if len(rows) <= limit else [rows[place] for place in sample_indices(len(rows), limit)]


def subsample_sources(rows: Sequence[Any], limit: int) -> Sequence[Any]:
    """Draw at most `limit` rows of each source.

    They are drawn at random (fixed seed) and stay in their order. Rows that name no source are one of their own.
    """
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(getattr(row, "source", ""), []).append(place)  # pairs name none
    return [rows[place] for place in sorted(place for its in places.values() for place in subsample(its, limit))]


def sample_indices(n_rows: int, n_drawn: int) -> list[int]:
    """Draw indices of rows at random (fixed seed), in order."""
    return sorted(Random(0).sample(range(n_rows), n_drawn))  # noqa: S311  nobody is to be surprised
