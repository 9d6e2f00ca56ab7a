"""A check of an order of words: hiding the first ones must change the answer more than hiding any others.

An attribution without such a check is a picture. The measure is comprehensiveness, averaged over shares of the words
(AOPC), of DeYoung et al. 2020, ERASER (https://arxiv.org/abs/1911.03429). The same is done in random orders; an order that
falls no faster than those says nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtdemo.analysis.explanation.reading import Hidden

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words that are hidden, as in ERASER
N_ORDERS = 20
SEED = 0
_CHANCE = 0.05  # the share of random orders that may do as well as one that says something
_TOLERANCE = 1e-6  # float32


@dataclass(frozen=True, slots=True)
class DeletionCheck:
    """The fall of an answer as words are hidden.

    Attributes:
        counts: words hidden, for each of `SHARES`, at least one.
        falls: of the answer, in this order.
        random_falls: of the answer, in each of `N_ORDERS` random orders.
    """

    counts: tuple[int, ...]
    falls: tuple[float, ...]
    random_falls: tuple[tuple[float, ...], ...]

    @property
    def area(self) -> float:
        """The mean fall, called AOPC."""
        return float(np.mean(self.falls))

    @property
    def random_areas(self) -> tuple[float, ...]:
        """The mean fall in each random order."""
        return tuple(float(np.mean(falls)) for falls in self.random_falls)

    @property
    def random_area(self) -> float:
        """The mean over random orders of the mean fall."""
        return float(np.mean(self.random_areas))

    @property
    def n_beaten(self) -> int:
        """Random orders in which the answer falls less."""
        return sum(area < self.area - _TOLERANCE for area in self.random_areas)

    @property
    def passes(self) -> bool:
        """True where hardly a random order does as well."""
        return len(self.random_areas) - self.n_beaten <= _CHANCE * len(self.random_areas)

    @property
    def phrase(self) -> str:
        """The outcome in words."""
        told = (
            f"hidden in this order the answer falls by {self.area:.3f} on average, in random order by "
            f"{self.random_area:.3f}; more than in {self.n_beaten} of {len(self.random_areas)} random orders"
        )
        return told if self.passes else f"{told}, which is no more than chance: do not build on these words"

    def as_dict(self) -> dict[str, Any]:
        return {
            "shares": list(SHARES),
            "counts": list(self.counts),
            "falls": list(self.falls),
            "area": self.area,
            "random_area": self.random_area,
            "random_areas": list(self.random_areas),
            "n_beaten": self.n_beaten,
            "passes": self.passes,
        }


def count_hidden(n_words: int) -> tuple[int, ...]:
    """Count the words to hide.

    Of 10 they are `(1, 1, 1, 2, 5)`.
    """
    return tuple(min(n_words, max(1, math.ceil(round(share * n_words, 6)))) for share in SHARES)


def draw_orders(n_words: int) -> list[tuple[int, ...]]:
    """Draw random orders, the same ones each time."""
    draw = random.Random(SEED)  # noqa: S311 - no secret
    return [tuple(draw.sample(range(n_words), n_words)) for _ in range(N_ORDERS)]


def first_words(order: Sequence[int]) -> list[Hidden]:
    """List what is hidden at each share of an order."""
    return [frozenset(order[:count]) for count in count_hidden(len(order))]


def can_check(n_words: int) -> bool:
    """Tell if there are enough words for orders to differ."""
    return n_words > 1


def check_order(order: Sequence[int], fall: Callable[[Hidden], float]) -> DeletionCheck:
    """Compare an order of words with random ones.

    Args:
        order: positions of all words, the most important first.
        fall: of the answer, where these words are hidden.
    """

    def falls(one: Sequence[int]) -> tuple[float, ...]:
        return tuple(fall(hidden) for hidden in first_words(one))

    return DeletionCheck(count_hidden(len(order)), falls(order), tuple(map(falls, draw_orders(len(order)))))
