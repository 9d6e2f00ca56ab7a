"""Hidden states before and after training, layer by layer.

Two numbers for each layer: the mean cosine of each word piece's two vectors, which a rotation of the whole space lowers,
and linear centred kernel alignment (CKA; Kornblith et al. 2019, https://arxiv.org/abs/1905.00414), which it does not. A low
cosine beside a high CKA is a space that was turned rather than rearranged.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from mtdemo.inference.batching import plan_batches
from mtdemo.laboratory.outcome import LayerDrift
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import FloatArray

MAX_PIECES = 2_000  # that are compared; the later sentences are left out
_PIECES_PER_PASS = 4_096


def linear_cka(first: FloatArray, second: FloatArray) -> float:
    """Measure how alike two representations are, 0 to 1.

    |Yᵀ X|² / (|Xᵀ X| |Yᵀ Y|), Frobenius norms of centred columns. It stays the same when either is turned, mirrored, scaled
    or shifted. It needs clearly more rows than columns to say something of unlike representations.

    Args:
        first: (rows, any width).
        second: (the same rows, any width).

    Returns:
        1 where both are the same up to the above; not a number where one of them is constant.
    """
    x, y = (np.asarray(each, dtype=np.float64) - np.mean(each, axis=0, dtype=np.float64) for each in (first, second))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / scale) if scale else float("nan")


def collect_hidden_states(model: LoadedModel, texts: Sequence[str], max_length: int) -> list[FloatArray]:
    """Collect the hidden states of sentences at every level.

    Of each sentence the first window is read, and at most `MAX_PIECES` word pieces in all.

    Args:
        model: in evaluation mode.
        texts: sentences, none blank.
        max_length: word pieces read of a sentence, if the model can read so many.

    Returns:
        float32 (pieces, hidden) for each level, the embeddings first; rows of the same sentences in the same order for
        every model with this tokenizer.
    """
    windows = [sentence.windows[0] for sentence in model.encode(texts, min(max_length, model.info.max_length))]
    lengths = [len(window.input_ids) for window in windows]
    n_read = int(np.searchsorted(np.cumsum(lengths), MAX_PIECES, side="right")) or 1
    states: dict[int, list[FloatArray]] = {}
    for batch in plan_batches(lengths[:n_read], _PIECES_PER_PASS):
        inputs = model.pad([windows[place] for place in batch])
        with torch.inference_mode():
            levels = model.model.backbone(**inputs, output_hidden_states=True, return_dict=True).hidden_states
        for row, place in enumerate(batch):
            states[place] = [level[row, : lengths[place]].numpy().copy() for level in levels]
    return [np.concatenate(level) for level in zip(*(states[place] for place in sorted(states)), strict=True)]


def compare_layers(before: Sequence[FloatArray], after: Sequence[FloatArray]) -> tuple[LayerDrift, ...]:
    """Compare hidden states level by level, lowest first.

    Args:
        before: of a model, as `collect_hidden_states` gives them.
        after: of the same model later.
    """
    drifts = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        name = "embeddings" if number == 0 else f"layer_{number - 1}"
        if np.array_equal(old, new):
            drifts.append(LayerDrift(name, 1.0, 1.0, is_identical=True))
            continue
        lengths = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
        cosines = (old * new).sum(axis=1, dtype=np.float64) / np.maximum(lengths, 1e-12)
        drifts.append(LayerDrift(name, linear_cka(old, new), float(cosines.mean()), is_identical=False))
    return tuple(drifts)
