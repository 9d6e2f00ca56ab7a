"""Windows as the tensors that a network reads, and its output cut into windows again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mtdemo.models.answering import WindowOutput
from mtdemo.text.tokenization import Window


def read_output(output: Any, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    """Cut the output of a batch into its windows."""
    embeddings = output.sentence_embedding.numpy()
    classes = output.classification_logits.softmax(dim=-1).numpy()
    labels = output.ner_logits.softmax(dim=-1).numpy()
    return tuple(
        WindowOutput(embeddings[row].copy(), classes[row].copy(), labels[row, window.content].copy())
        for row, window in enumerate(windows)
    )


def pad_windows(windows: Sequence[Window], pad_token_id: int, with_segments: bool) -> dict[str, Tensor]:
    """Pad windows on the right into one batch.

    Args:
        windows: at least one.
        pad_token_id: what fills the rows; the attention mask hides it.
        with_segments: whether the network reads `token_type_ids`.

    Returns:
        `input_ids`, `attention_mask` and maybe `token_type_ids`, int64 (windows, longest window) each: two windows of 3
        and 2 pieces give `[[2, 7, 3], [2, 3, 0]]` with the mask `[[1, 1, 1], [1, 1, 0]]`.
    """
    longest = max(len(window.input_ids) for window in windows)
    shape = (len(windows), longest)
    inputs = {
        "input_ids": torch.full(shape, pad_token_id),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    if with_segments:
        inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        inputs["input_ids"][row, :length] = torch.tensor(window.input_ids)
        inputs["attention_mask"][row, :length] = 1
        if "token_type_ids" in inputs:
            inputs["token_type_ids"][row, :length] = torch.tensor(window.token_type_ids)
    return inputs
