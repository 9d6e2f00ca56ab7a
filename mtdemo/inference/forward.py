"""Forward passes: how a batch of windows is run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from mtdemo.inference.linear_layers import as_computed
from mtdemo.inference.packed import can_pack, run_packed
from mtdemo.inference.placement import leave_gpu
from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.text.tokenization import Window


class WindowRunner(Protocol):
    """A way to run a batch, such as `run_windows`.

    It may need more of a model than `AnsweringModel` promises, as a cache of hidden states needs its backbone.
    """

    def __call__(self, loaded: Any, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        """Run a batch; arguments and results are those of `run_windows`."""


def run_windows(loaded: AnsweringModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
    """Run one forward pass over windows of similar length.

    It is packed where that spares padding and the architecture allows it; the answers are the same. Where the memory of a
    GPU is full, the model goes on on the CPU.

    Args:
        loaded: the model.
        windows: at least one.
        n_threads: how many threads torch may use for it; for the whole process, so one pass runs at a time.
    """
    torch.set_num_threads(n_threads)
    try:
        return _run(loaded, windows)
    except torch.OutOfMemoryError:
        if not leave_gpu(loaded):
            raise
    return _run(loaded, windows)


def _run(loaded: AnsweringModel, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
    loaded = as_computed(loaded)
    needs_padding = len({len(window.input_ids) for window in windows}) > 1
    if can_pack(loaded) and (needs_padding or loaded.products == "reordered"):
        return run_packed(loaded, windows)
    return loaded.run(windows)
