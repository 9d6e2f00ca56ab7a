import math

import numpy as np
import pytest

from mtdemo.analysis.uncertainty import entropy, margin


def test_entropy_is_that_of_scipy_in_bits() -> None:
    from scipy.stats import entropy as of_scipy

    for row in np.random.default_rng(0).dirichlet(np.ones(5), size=20):
        assert entropy(row.tolist()) == pytest.approx(of_scipy(row, base=2))
        assert margin(row.tolist()) == pytest.approx(np.sort(row)[-1] - np.sort(row)[-2])


def test_the_ends() -> None:
    assert (entropy([1.0, 0.0]), margin([1.0, 0.0])) == (0.0, 1.0)
    assert (entropy([0.25] * 4), margin([0.25] * 4)) == (math.log2(4), 0.0)
