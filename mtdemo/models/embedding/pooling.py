"""Pooling: a table of functions from hidden states to one vector per sentence.

The names and the results are those of sentence-transformers (https://www.sbert.net), so that its models answer here as
they do there. Padding stands on the right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Pooling = Callable[[Tensor, Tensor], Tensor]


def pool(hidden_states: Tensor, mask: Tensor, names: Sequence[str]) -> Tensor:
    """Pool hidden states in one or more ways.

    Args:
        hidden_states: float (batch, tokens, hidden).
        mask: int or bool (batch, tokens), 1 for the tokens that count: [CLS] and [SEP] do, padding does not.
        names: of rows of `POOLINGS`, at least one.

    Returns:
        float (batch, names times hidden). A row in which no token counts gives zeros.
    """
    vectors = [POOLINGS[name](hidden_states, mask) for name in names]
    return vectors[0] if len(vectors) == 1 else torch.cat(vectors, dim=-1)


def mean_pool(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Average the hidden states of the tokens that count.

    The pooling of Reimers & Gurevych 2019 (https://arxiv.org/abs/1908.10084).
    """
    weights = _weights(hidden_states, mask)
    return (hidden_states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def _sum_over_square_root(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Divide the sum by the square root of its length."""
    weights = _weights(hidden_states, mask)
    return (hidden_states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0).sqrt()


def _weighted_mean(hidden_states: Tensor, mask: Tensor) -> Tensor:
    """Average with weights 1, 2, 3, … by position.

    Muennighoff 2022 (https://arxiv.org/abs/2202.08904).
    """
    positions = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    weights = _weights(hidden_states, mask * positions)
    return (hidden_states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def _maximum(hidden_states: Tensor, mask: Tensor) -> Tensor:
    counts = mask.bool().unsqueeze(-1)
    largest = hidden_states.masked_fill(~counts, float("-inf")).amax(dim=1)
    return largest.where(counts.any(dim=1), torch.zeros_like(largest))


def _first(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _at(hidden_states, mask, mask.int().argmax(dim=1))


def _last(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return _at(hidden_states, mask, mask.shape[1] - 1 - mask.int().flip(1).argmax(dim=1))


def _at(hidden_states: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
    """Take one token of each row, or zeros."""
    rows = torch.arange(len(hidden_states), device=hidden_states.device)
    return hidden_states[rows, positions] * _weights(hidden_states, mask)[rows, positions]


def _weights(hidden_states: Tensor, mask: Tensor) -> Tensor:
    return mask.unsqueeze(-1).to(hidden_states.dtype)


POOLINGS: dict[str, Pooling] = {
    "cls": _first,
    "max": _maximum,
    "mean": mean_pool,
    "mean_sqrt_len_tokens": _sum_over_square_root,
    "weightedmean": _weighted_mean,
    "lasttoken": _last,
}
