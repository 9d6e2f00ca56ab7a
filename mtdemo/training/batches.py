"""Which sentences a training step reads, and in what disguise.

Both are functions of seed and step alone, so a run can go on anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mtdemo.text.tokenization import LOWER, TITLE, UPPER, Window

_POOL = 50  # batches that are sorted by length together: little padding, and still a random order


@dataclass(frozen=True, slots=True)
class TaskMixing:
    """How the sentences of a step are divided: by weight times size of the task's data ** exponent.

    Stickland & Murray 2019, https://arxiv.org/abs/1902.02671.

    Attributes:
        exponent: 0 to 1; with 0 the size says nothing.
        weights: of each task, more than 0.
    """

    exponent: float = 0.0
    weights: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def named(cls, name: str) -> TaskMixing:
        """A mix of `MIXES`, or fixed shares such as `3:2`, entities first.

        Raises:
            ValueError: it is neither.
        """
        if name in MIXES:
            return MIXES[name]
        try:
            entities, classes = map(float, name.split(":"))
            if 0 < entities < math.inf and 0 < classes < math.inf:
                return cls(weights=(entities, classes))
        except ValueError:
            pass
        raise ValueError(f"must be {', '.join(MIXES)} or shares such as 3:2, not {name}")


MIXES = {"equal": TaskMixing(0.0), "square-root": TaskMixing(0.5), "proportional": TaskMixing(1.0)}


def active_tasks(task_weights: Sequence[float], weight_of_teachers: float) -> tuple[bool, ...]:
    """Of each task, whether a step reads its sentences: to learn it, or for what teachers say of them."""
    return tuple(weight > 0 or weight_of_teachers > 0 for weight in task_weights)


def sentences_per_task(
    n_sentences: int, sizes: Sequence[int], mix: TaskMixing, active_tasks: Sequence[bool] = (True, True)
) -> tuple[int, ...]:
    """Divide the sentences of a step among tasks, at least one each.

    Args:
        n_sentences: of all tasks together, at least one per task.
        sizes: sentences that each task has.
        mix: by what they are divided.
        active_tasks: of each task, whether it gives any; at least one does.

    Returns:
        Counts that sum to `n_sentences`; what rounding leaves over goes to the largest remainders.
    """
    chosen = np.flatnonzero(active_tasks)
    weights = np.ldexp(mix.weights, -math.frexp(max(mix.weights))[1])  # at most 1; a power of two changes no share's digits
    shares = (weights * np.asarray(sizes, dtype=np.float64) ** mix.exponent)[chosen]
    free = n_sentences - len(chosen)
    wanted = np.clip(shares / shares.sum() * n_sentences - 1, 0, None)
    wanted *= free / max(wanted.sum(), 1e-12)
    counts = np.floor(wanted).astype(int)
    for index in np.argsort(counts - wanted, kind="stable")[: free - counts.sum()]:
        counts[index] += 1
    of_all = np.zeros(len(sizes), dtype=int)
    of_all[chosen] = counts + 1
    return tuple(int(count) for count in of_all)


class BatchSampler:
    """Which examples each step takes: shuffled anew each epoch, sentences of similar length together."""

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._size = min(size, len(lengths))
        self._seed = seed
        self._epoch = -1
        self._batches: list[npt.NDArray[np.int64]] = []

    @property
    def n_per_epoch(self) -> int:
        return max(1, len(self._lengths) // self._size)

    def __getitem__(self, step: int) -> list[int]:
        epoch, position = divmod(step, self.n_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffle(epoch)
        return [int(index) for index in self._batches[position]]

    def _shuffle(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        draw = np.random.default_rng((self._seed, epoch))
        order = draw.permutation(len(self._lengths))[: self.n_per_epoch * self._size]
        pools = np.array_split(order, math.ceil(len(order) / (_POOL * self._size)))
        ordered = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        batches = np.array_split(ordered, self.n_per_epoch)
        return [batches[index] for index in draw.permutation(len(batches))]


class InputNoise:
    """Windows in disguise: in one case throughout, and with hidden word pieces.

    Headlines and chats are written in one case, so a model that sees case must not depend on it; and a name that is
    hidden must be found by what stands around it. What the sentence means, and so its embedding, is to stay the same.
    """

    def __init__(self, case_share: float, hidden_share: float, mask_id: int | None, seed: int) -> None:
        self._case_share = case_share
        self._hidden_share = hidden_share if mask_id is not None else 0.0
        self._mask_id = mask_id or 0
        self._seed = seed

    def __call__(self, windows: Sequence[Window], step: int) -> list[Window]:
        """Disguise the windows of a step; without noise they stay the same."""
        draw = np.random.default_rng((self._seed, step))
        return [self._hide(self._recase(window, draw), draw) for window in windows]

    def _recase(self, window: Window, draw: np.random.Generator) -> Window:
        if draw.random() >= self._case_share:
            return window
        return replace(window, token_type_ids=_within(window, [int(draw.choice((LOWER, TITLE, UPPER)))] * window.n_pieces))

    def _hide(self, window: Window, draw: np.random.Generator) -> Window:
        hidden = draw.random(window.n_pieces) < self._hidden_share
        if not hidden.any():
            return window
        ids = list(window.input_ids)
        ids[window.content] = np.where(hidden, self._mask_id, ids[window.content]).tolist()
        return replace(window, input_ids=tuple(ids))


def _within(window: Window, values: Sequence[int]) -> tuple[int, ...]:
    """Values for the content of a window, 0 for its special word pieces."""
    ids = [0] * len(window.input_ids)
    ids[window.content] = values
    return tuple(ids)
