"""Numbers that say how sure an answer is, beside its probability."""

from __future__ import annotations

import math
from collections.abc import Iterable


def margin(probabilities: Iterable[float]) -> float:
    """Return the lead of the likeliest class, 0 to 1.

    Args:
        probabilities: 0 to 1, of at least two classes.
    """
    first, second, *_ = sorted(probabilities, reverse=True)
    return first - second


def entropy(probabilities: Iterable[float]) -> float:
    """Return the entropy of a distribution, in bits.

    0 where one class is certain; the logarithm (base 2) of their number where all are alike.

    Args:
        probabilities: 0 to 1, which sum to 1.
    """
    return -sum(p * math.log2(p) for p in probabilities if p > 0) + 0.0
