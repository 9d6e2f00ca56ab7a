"""What training minimises: partial annotation for labels, distances to what teachers say. Pure torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def partial_cross_entropy(logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean of -log of the summed probability of the allowed labels (Tsuboi et al. 2008, https://aclanthology.org/C08-1113).

    Args:
        logits: float (examples, labels).
        allowed: bool (examples, labels), at least one true per row; with exactly one it is the usual cross-entropy.
    """
    return (logits.logsumexp(dim=-1) - logits.masked_fill(~allowed, -torch.inf).logsumexp(dim=-1)).mean()


def embedding_drift(embeddings: Tensor, teacher: Tensor) -> Tensor:
    """Mean of 1 - cosine between embeddings and the teacher's, 0 to 2.

    Args:
        embeddings: float (sentences, hidden).
        teacher: float (sentences, hidden), what the same sentences had before training.
    """
    return (1.0 - functional.cosine_similarity(embeddings, teacher, dim=-1)).mean()


def class_disagreement(logits: Tensor, teacher: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence from a teacher's probabilities to the model's, in nats, 0 or more (Hinton et al.
    2015, https://arxiv.org/abs/1503.02531; temperature 1).

    Args:
        logits: float (sentences, classes).
        teacher: float (sentences, classes), probabilities.
    """
    return functional.kl_div(logits.log_softmax(dim=-1), teacher, reduction="batchmean")
