"""What training minimises: partial annotation for labels, distances to what teachers say. Pure torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def partial_cross_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Compute the loss on the summed probability of allowed labels.

    It is the mean of -log of that sum (Tsuboi et al. 2008, https://aclanthology.org/C08-1113). With probabilities
    `[0.5, 0.2, 0.3]` and the first and last label allowed: `-log 0.8`.

    Args:
        logits: float (examples, labels).
        allowed: bool (examples, labels), at least one true per row; with exactly one it is the usual cross-entropy.
    """
    return (logits.logsumexp(dim=-1) - logits.masked_fill(~allowed, -torch.inf).logsumexp(dim=-1)).mean()


def embedding_drift(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Compute the mean of 1 - cosine to a teacher.

    0 where none has turned, at most 2.

    Args:
        embeddings: float (sentences, hidden).
        teacher: float (sentences, hidden), what the same sentences had before training.
    """
    return (1.0 - functional.cosine_similarity(embeddings, teacher, dim=-1)).mean()


def class_disagreement(logits: Tensor, teacher: Tensor) -> Tensor:
    """Compute the mean divergence from a teacher's probabilities.

    It is that of Kullback and Leibler, in nats, 0 or more (Hinton et al. 2015, https://arxiv.org/abs/1503.02531;
    temperature 1).

    Args:
        logits: float (sentences, classes).
        teacher: float (sentences, classes), probabilities.
    """
    return functional.kl_div(logits.log_softmax(dim=-1), teacher, reduction="batchmean")
