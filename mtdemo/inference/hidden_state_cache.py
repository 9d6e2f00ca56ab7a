"""Hidden states of a backbone that does not change, computed once per window."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mtdemo.models.answering import WindowOutput
from mtdemo.models.loaded import LoadedModel, mask_pooling, read_output
from mtdemo.text.tokenization import Window


class HiddenStateCache:
    """Hidden states per window, computed once while there is room.

    Args:
        max_bytes: of what is kept; what does not fit is computed again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._states: dict[tuple[tuple[int, ...], ...], Tensor] = {}
        self._n_bytes_left = max_bytes
        self.n_computed = self.n_reused = 0  # windows

    def __call__(self, loaded: LoadedModel, windows: Sequence[Window]) -> tuple[Tensor, Tensor]:
        """Look hidden states up; compute missing ones in one pass.

        Returns:
            Hidden states, float32 (windows, longest window, hidden), and pooling mask, int64 (windows, longest window).
        """
        keys = [(window.input_ids, window.token_type_ids) for window in windows]
        states = {key: self._states[key] for key in keys if key in self._states}
        missing = [row for row, key in enumerate(keys) if key not in states]
        self.n_computed += len(missing)
        self.n_reused += len(keys) - len(missing)
        if missing:
            with torch.no_grad():
                hidden = loaded.model.backbone(**loaded.pad([windows[row] for row in missing])).last_hidden_state
            for place, row in enumerate(missing):
                states[keys[row]] = hidden[place, : len(keys[row][0])].clone()
                self._keep(keys[row], states[keys[row]])
        chosen = [states[key] for key in keys]
        return pad_sequence(chosen, batch_first=True), mask_pooling(windows)

    def _keep(self, key: tuple[tuple[int, ...], ...], state: Tensor) -> None:
        if key not in self._states and state.nbytes <= self._n_bytes_left:
            self._states[key] = state
            self._n_bytes_left -= state.nbytes


class CachedRunner:
    """A `WindowRunner` that computes hidden states once.

    It is for a model of which the heads alone change.
    """

    def __init__(self, max_bytes: int) -> None:
        self._states = HiddenStateCache(max_bytes)

    def __call__(self, loaded: LoadedModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        """Run windows; arguments and results are those of `run_windows`."""
        torch.set_num_threads(n_threads)
        with torch.inference_mode():
            return read_output(loaded.model.apply_heads(*self._states(loaded, windows)), windows)
