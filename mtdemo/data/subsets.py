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


def sample_indices(n_rows: int, n_drawn: int) -> list[int]:
    """Draw indices of rows at random (fixed seed), in order."""
    return sorted(Random(0).sample(range(n_rows), n_drawn))  # noqa: S311  nobody is to be surprised
