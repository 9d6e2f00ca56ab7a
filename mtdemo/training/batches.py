"""Sentences that a training step reads, and the noise that is added to them.

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
    """Rule that divides the sentences of a step among tasks.

    A task gets a share in proportion to its weight times the size of its data ** exponent. Stickland & Murray 2019, https://arxiv.org/abs/1902.02671.

    Attributes:
        exponent: 0 to 1; with 0 the size says nothing.
        weights: of each task, more than 0.
    """

    exponent: float = 0.0
    weights: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def named(cls, name: str) -> TaskMixing:
        """Find a rule of `MIXES`, or make one of shares.

        Args:
            name: of the rule, or shares such as `3:2`, entities first.

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


def active_tasks(task_weights: Sequence[float], distillation_weight: float) -> tuple[bool, ...]:
    """Return which tasks contribute sentences to a step.

    A task does for its own loss, or for what models that do not change teach of its sentences:
    `(1, 0), 0 -> (True, False)`, `(1, 0), 10 -> (True, True)`.
    """
    return tuple(weight > 0 or distillation_weight > 0 for weight in task_weights)


def sentences_per_task(
    n_sentences: int, sizes: Sequence[int], mix: TaskMixing, active_tasks: Sequence[bool] = (True, True)
) -> tuple[int, ...]:
    """Divide the sentences of a step among tasks.

    Every active task gets at least one. Ten sentences of tasks with 1 and 10,000, in proportion: `(1, 9)`.

    Args:
        n_sentences: of all tasks together, at least one per task.
        sizes: sentences that each task has.
        mix: the rule.
        active_tasks: whether each task gives any; at least one does.

    Returns:
        Counts that sum to `n_sentences`; what rounding leaves over goes to the largest remainders.
    """
    chosen = np.flatnonzero(active_tasks)
    # Huge weights would overflow when they are summed, so all are scaled to at most 1. The scale is a power of two, which
    # changes no digit, and so no rounding below: (3, 2) -> (0.75, 0.5).
    _, exponent_of_two = math.frexp(max(mix.weights))
    weights = np.ldexp(mix.weights, -exponent_of_two)
    shares = (weights * np.asarray(sizes, dtype=np.float64) ** mix.exponent)[chosen]
    # One sentence of each task is set aside; the rest is divided. 40 sentences in shares 10 : 30 -> 9 and 29 wanted of the
    # 38 that are free. With shares 1 : 10,000 of 10 -> 0 and 9 wanted, scaled to the 8 that are free.
    free = n_sentences - len(chosen)
    wanted = np.clip(shares / shares.sum() * n_sentences - 1, 0, None)
    wanted *= free / max(wanted.sum(), 1e-12)
    of_all = np.zeros(len(sizes), dtype=int)
    of_all[chosen] = _whole_numbers(wanted, free) + 1
    return tuple(int(count) for count in of_all)


def examples_per_source(n_examples: int, sizes: Sequence[int], power: float) -> tuple[int, ...]:
    """Divide the examples of an epoch among sources.

    Each gets a share in proportion to its size ** power. 100 examples of sources with 90 and 10: by power 1 `(90, 10)`, by
    0.5 `(75, 25)`, by 0 `(50, 50)`.

    Returns:
        Counts that sum to `n_examples`; what rounding leaves over goes to the largest remainders.
    """
    weights = np.asarray([size**power for size in sizes])
    return tuple(int(count) for count in _whole_numbers(weights / sum(weights) * n_examples, n_examples))


def _whole_numbers(wanted: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Round down, and give the rest to the largest remainders."""
    counts = np.floor(wanted).astype(np.int64)
    counts[np.argsort(counts - wanted, kind="stable")[: total - counts.sum()]] += 1
    return counts


class BatchSampler:
    """Batches of examples, one for each step.

    A batch follows from seed and step alone. Examples are shuffled anew each epoch, and those of similar length come
    together, so that little is padded.

    With a power below 1 a source comes in proportion to its size ** power, so that a large one does not drown a small one
    (as multilingual BERT meets its languages, https://github.com/google-research/bert/blob/master/multilingual.md). An
    epoch is then still as many examples as there are, but each source goes round on its own: of a large one some wait for
    the next epoch, and those of a small one come again, none before all of its source have come.

    Args:
        lengths: word pieces of each example.
        size: examples in a batch, if there are so many.
        seed: of the order.
        sources: of each example, the name of its data set; not needed with a power of 1.
        power: 0 to 1; with 1 every example comes once an epoch, with 0 every source as often as any other.
    """

    def __init__(
        self, lengths: Sequence[int], size: int, seed: int, sources: Sequence[str] = (), power: float = 1.0
    ) -> None:
        self._lengths = np.asarray(lengths)
        self._size = min(size, len(lengths))
        self._seed = seed
        self._epoch = -1
        self._batches: list[npt.NDArray[np.int64]] = []
        self._sources: list[tuple[npt.NDArray[np.int64], int]] = []  # indices of each, and how many of them in an epoch
        if power != 1 and sources:
            indices = [np.flatnonzero(np.asarray(sources) == name) for name in sorted(set(sources))]
            counts = examples_per_source(self.n_per_epoch * self._size, [len(its) for its in indices], power)
            self._sources = list(zip(indices, counts, strict=True))

    @property
    def n_per_epoch(self) -> int:
        return max(1, len(self._lengths) // self._size)

    def __getitem__(self, step: int) -> list[int]:
        epoch, position = divmod(step, self.n_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffle(epoch)
        return [int(index) for index in self._batches[position]]

    def _shuffle(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        # Lengths [5, 3, 9, 4, 8, 7], batches of 2: shuffled indices [4, 0, 3, 5, 1, 2] -> sorted by length within a pool
        # [1, 3, 0, 5, 4, 2] -> batches [[1, 3], [0, 5], [4, 2]] -> in random order. A pool holds many batches, but not all
        # of a large data set, so that the same sentences do not meet in every epoch.
        draw = np.random.default_rng((self._seed, epoch))
        order = self._drawn(draw, epoch)
        pools = np.array_split(order, math.ceil(len(order) / (_POOL * self._size)))
        ordered = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        batches = np.array_split(ordered, self.n_per_epoch)
        return [batches[index] for index in draw.permutation(len(batches))]

    def _drawn(self, draw: np.random.Generator, epoch: int) -> npt.NDArray[np.int64]:
        """Draw the examples of an epoch, in random order."""
        if not self._sources:
            return draw.permutation(len(self._lengths))[: self.n_per_epoch * self._size]
        drawn = [
            indices[_places_in_rounds(len(indices), epoch * count, count, (self._seed, number))]
            for number, (indices, count) in enumerate(self._sources)
        ]
        return draw.permutation(np.concatenate(drawn))


def _places_in_rounds(n_items: int, first: int, n: int, seed: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return a part of an endless sequence of shuffled rounds.

    Each round holds every item once, in an order of its own. Of three items, rounds such as [2, 0, 1], [1, 0, 2], …: the
    four from place 2 on are `[1, 1, 0, 2]`.
    """
    if n == 0:
        return np.empty(0, dtype=np.int64)
    rounds = range(first // n_items, (first + n - 1) // n_items + 1)
    order = np.concatenate([np.random.default_rng((*seed, number)).permutation(n_items) for number in rounds])
    return order[first - rounds[0] * n_items :][:n]


class InputNoise:
    """Noise of two kinds: one case throughout, hidden word pieces.

    Headlines and chats are written in one case, so a model that sees case must not depend on it; and a name that is
    hidden must be found by what stands around it. What the sentence means, and so its embedding, is to stay the same.

    Args:
        case_share: share of the sentences, 0 to 1, that are read as if in one case.
        hidden_share: share of the word pieces, 0 to 1, that are hidden behind the mask token.
        mask_id: of that token; None hides nothing.
        seed: noise follows from it and the step alone.
    """

    def __init__(self, case_share: float, hidden_share: float, mask_id: int | None, seed: int) -> None:
        self._case_share = case_share
        self._hidden_share = hidden_share if mask_id is not None else 0.0
        self._mask_id = mask_id or 0
        self._seed = seed

    def __call__(self, windows: Sequence[Window], step: int) -> list[Window]:
        """Add noise to the windows of a step."""
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
    """Give values to the content, 0 to special pieces."""
    ids = [0] * len(window.input_ids)
    ids[window.content] = values
    return tuple(ids)
