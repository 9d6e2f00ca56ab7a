"""From windows to numbers, one batch one forward pass with torch used politely, and from numbers to results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mtdemo.models.loaded import LoadedModel
from mtdemo.results import ArrayRecord, FloatArray
from mtdemo.text.tokenization import Window


@dataclass(frozen=True, slots=True, eq=False)
class WindowOutput(ArrayRecord):
    """What the model says of one window.

    Attributes:
        embedding: float32 (hidden,).
        class_probabilities: float32 (classes,).
        entity_probabilities: float32 (content pieces, entity labels).
    """

    embedding: FloatArray
    class_probabilities: FloatArray
    entity_probabilities: FloatArray


def run_windows(loaded: LoadedModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
    """Run one forward pass over windows of similar length.

    Args:
        loaded: the model.
        windows: at least one.
        n_threads: how many threads torch may use for it.
    """
    torch.set_num_threads(n_threads)
    with torch.inference_mode():
        return read_output(loaded.model(**pad_windows(windows, loaded)), windows)


def read_output(output: Any, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    """Cut the output of a batch into its windows."""
    embeddings = output.sentence_embedding.numpy()
    classes = output.classification_logits.softmax(dim=-1).numpy()
    labels = output.ner_logits.softmax(dim=-1).numpy()
    return tuple(
        WindowOutput(embeddings[row].copy(), classes[row].copy(), labels[row, window.content].copy())
        for row, window in enumerate(windows)
    )


def pad_windows(windows: Sequence[Window], loaded: LoadedModel) -> dict[str, Tensor]:
    """Make the model's inputs: int64 (windows, longest window) each, padded on the right."""
    longest = max(len(window.input_ids) for window in windows)
    shape = (len(windows), longest)
    inputs = {
        "input_ids": torch.full(shape, loaded.tokenizer.pad_token_id or 0),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    if "token_type_ids" in loaded.tokenizer.model_input_names or loaded.model.config.casing:
        inputs["token_type_ids"] = torch.zeros(shape, dtype=torch.long)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        inputs["input_ids"][row, :length] = torch.tensor(window.input_ids)
        inputs["attention_mask"][row, :length] = 1
        if "token_type_ids" in inputs:
            inputs["token_type_ids"][row, :length] = torch.tensor(window.token_type_ids)
    return inputs
