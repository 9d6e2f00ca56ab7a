"""Pooling and heads: small modules from hidden states to an embedding or to logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mean_pool(hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
    """Average the hidden states of the real tokens.

    Args:
        hidden_states: float (batch, tokens, hidden).
        attention_mask: int or bool (batch, tokens), 1 for real tokens ([CLS] and [SEP] included), 0 for padding.

    Returns:
        float (batch, hidden). A row without any real token gives zeros.

    The pooling of Reimers & Gurevych 2019 (https://arxiv.org/abs/1908.10084).
    """
    mask = attention_mask.unsqueeze(-1).to(hidden_states.dtype)
    return (hidden_states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)


class ClassificationHead(nn.Module):
    """Dropout, dense, tanh, linear over one pooled vector per sentence."""

    def __init__(self, hidden_size: int, n_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.linear = nn.Linear(hidden_size, n_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        """(batch, hidden) to logits (batch, labels)."""
        logits: Tensor = self.linear(torch.tanh(self.dense(self.dropout(pooled))))
        return logits


class LinearHead(nn.Module):
    """Dropout and one linear layer over the last dimension.

    It reads every token for entities, and every sentence for outputs.
    """

    def __init__(self, hidden_size: int, n_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, n_labels)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., hidden) to logits (..., labels)."""
        logits: Tensor = self.linear(self.dropout(vectors))
        return logits
