"""Batches of inputs: sorted by length, cut under a token budget. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence


def plan_batches(lengths: Sequence[int], max_tokens: int) -> tuple[tuple[int, ...], ...]:
    """Group inputs of similar length, for little padding.

    Args:
        lengths: tokens of each input.
        max_tokens: the most tokens in a batch, padding counted (inputs times the longest). An input that is longer by
            itself forms a batch of its own.

    Returns:
        Batches of indices into `lengths`; every index stands in exactly one. No inputs give no batches.
    """
    batches: list[tuple[int, ...]] = []
    current: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if current and (len(current) + 1) * lengths[index] > max_tokens:
            batches.append(tuple(current))
            current = []
        current.append(index)
    if current:
        batches.append(tuple(current))
    return tuple(batches)
