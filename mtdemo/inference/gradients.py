"""Integrated gradients over the embeddings of word pieces, for one window.

Sundararajan et al. 2017 (https://arxiv.org/abs/1703.01365). The path leads in a straight line from a baseline, the
embedding of `[PAD]` in place of each word piece, to the sentence; special pieces and a prompt stay as they are on the whole
path. Where segment ids carry the case of words, case begins at lower case and is part of a piece's embedding. The integral
is a Gauss-Legendre sum, as in captum, with more steps until it is complete: the attributions then sum to the difference of
the answer between sentence and baseline. No weight gets a gradient, so a model that serves is not changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.results import ArrayRecord, FloatArray
from mtdemo.text.tokenization import Window

STEPS = (16, 32, 64, 128, 256)  # tried until the gap is small enough
MAX_GAP = 0.01  # of the difference that is to be explained
_SMALL = 0.1  # log odds; less moves a probability by 0.025 at most
_TOKENS_PER_BATCH = 2_048
_turn = threading.Lock()  # a run keeps activations of a whole batch; one at a time bounds memory

Score = Callable[[Any], Tensor]  # output of the model -> float (batch,)


@dataclass(frozen=True, slots=True, eq=False)
class Integrated(ArrayRecord):
    """Attributions of an answer to word pieces of a window.

    Attributes:
        by_piece: float32 (content pieces,), in log odds.
        log_odds: of the answer for the sentence.
        baseline_log_odds: of the answer for the baseline.
        n_steps: points of the path at which the gradient was taken.
    """

    by_piece: FloatArray
    log_odds: float
    baseline_log_odds: float
    n_steps: int

    @property
    def total(self) -> float:
        """The sum of the attributions."""
        return float(self.by_piece.sum(dtype=np.float64))

    @property
    def difference(self) -> float:
        """The log odds that are to be explained."""
        return self.log_odds - self.baseline_log_odds

    @property
    def gap(self) -> float:
        """The missing part of the difference, 0 or more.

        Where the difference is below `_SMALL`, it is relative to that.
        """
        return abs(self.total - self.difference) / max(abs(self.difference), _SMALL)

    @property
    def is_complete(self) -> bool:
        """True where the gap is at most `MAX_GAP`."""
        return self.gap <= MAX_GAP


def class_log_odds(loaded: LoadedModel, label: str) -> Score:
    """Score a class by its log odds against all others.

    The sigmoid of it is the probability of the class.
    """
    place = loaded.info.class_labels.index(label)

    def score(output: Any) -> Tensor:
        logits: Tensor = output.classification_logits
        return logits[:, place] if loaded.info.multi_label else _log_odds(logits, [place])

    return score


def entity_log_odds(loaded: LoadedModel, label: str, places: Sequence[int]) -> Score:
    """Score an entity type by mean log odds over pieces.

    Args:
        loaded: the model.
        label: an entity type.
        places: of the pieces in the window, special ones counted.
    """
    its = [place for place, row in enumerate(loaded.scheme.membership) if row[loaded.scheme.types.index(label)]]

    def score(output: Any) -> Tensor:
        return _log_odds(output.ner_logits[:, list(places)], its).mean(dim=1)

    return score


def _log_odds(logits: Tensor, places: Sequence[int]) -> Tensor:
    """Compute log odds from logits.

    `[1, 2, 5]` and place 2 give `5 - log(e^1 + e^2)`.
    """
    others = [place for place in range(logits.shape[-1]) if place not in places]
    return logits[..., list(places)].logsumexp(dim=-1) - logits[..., others].logsumexp(dim=-1)


def integrate(loaded: LoadedModel, window: Window, score: Score, steps: Sequence[int] = STEPS) -> Integrated:
    """Attribute a score to the word pieces of a window.

    Args:
        loaded: the model.
        window: what it reads.
        score: of the answer.
        steps: numbers of points to try, in order, until the attributions are complete.

    Returns:
        The first that is complete, or else the last.
    """
    embeddings, baseline = embed_path(loaded, window)
    run = _Run(loaded, window, score)
    with _turn:
        ends = run.score(torch.stack([embeddings, baseline]))
        for n_steps in steps:
            attributions = run.integrate(embeddings, baseline, n_steps)
            by_piece = attributions.float().sum(dim=-1)[window.content].cpu().numpy()
            found = Integrated(by_piece, float(ends[0]), float(ends[1]), n_steps)
            if found.is_complete:
                break
    return found


def embed_path(loaded: LoadedModel, window: Window) -> tuple[Tensor, Tensor]:
    """Return both ends of the path: sentence and baseline.

    Returns:
        float32 (pieces, width) each, as `inputs_embeds` takes them, with segment ids of 0.
    """
    backbone: Any = loaded.model.backbone
    table = backbone.get_input_embeddings()
    ids = torch.tensor(window.input_ids, device=loaded.model.device)
    blank = ids.clone()
    blank[window.content] = loaded.tokenizer.pad_token_id or 0
    with torch.no_grad():
        embeddings, baseline = table(ids), table(blank)
        if loaded.model.config.casing:
            cases = backbone.embeddings.token_type_embeddings
            embeddings = (
                embeddings + cases(torch.tensor(window.token_type_ids, device=ids.device)) - cases(torch.zeros_like(ids))
            )
    return embeddings, baseline


class _Run:
    """A model and a score, asked along a path."""

    def __init__(self, loaded: LoadedModel, window: Window, score: Score) -> None:
        self._loaded, self._score = loaded, score
        self._inputs = loaded.pad([window])
        self._inputs.pop("input_ids")
        if "token_type_ids" in self._inputs:
            self._inputs["token_type_ids"] = torch.zeros_like(self._inputs["token_type_ids"])
        if loaded.model.config.global_attention_on_first:
            first = torch.zeros_like(self._inputs["attention_mask"])
            first[:, 0] = 1
            self._inputs["global_attention_mask"] = first
        self._pooling = mask_pooling([window]).to(loaded.model.device)
        self._batch = max(1, _TOKENS_PER_BATCH // len(window.input_ids))

    def score(self, points: Tensor) -> Tensor:
        """(points, pieces, width) to scores (points,)."""
        with torch.no_grad():
            return self._forward(points)

    def integrate(self, end: Tensor, start: Tensor, n_steps: int) -> Tensor:
        """Sum gradients along the path: (pieces, width)."""
        nodes, weights = np.polynomial.legendre.leggauss(n_steps)
        alphas = torch.tensor((nodes + 1) / 2, dtype=end.dtype, device=end.device)[:, None, None]
        shares = torch.tensor(weights / 2, dtype=end.dtype, device=end.device)[:, None, None]
        total = torch.zeros_like(end)
        for first in range(0, n_steps, self._batch):
            part = slice(first, first + self._batch)
            points = (start + alphas[part] * (end - start)).requires_grad_()
            (gradients,) = torch.autograd.grad(self._forward(points).sum(), points)
            total += (shares[part] * gradients).sum(dim=0)
        return total * (end - start)

    def _forward(self, points: Tensor) -> Tensor:
        n_points = len(points)
        inputs = {name: values.expand(n_points, -1) for name, values in self._inputs.items()}
        output = self._loaded.model(**inputs, inputs_embeds=points, pooling_mask=self._pooling.expand(n_points, -1))
        return self._score(output)
