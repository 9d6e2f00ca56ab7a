import pytest

from mtdemo.data.subsets import subsample


@pytest.mark.parametrize(("n", "limit"), [(10, 3), (10, 10), (3, 10), (1, 1), (1000, 7)])
def test_rows_are_drawn_in_their_order_and_always_the_same_ones(n: int, limit: int) -> None:
    chosen = list(subsample(range(n), limit))
    assert len(set(chosen)) == min(n, limit)
    assert chosen == sorted(chosen) == list(subsample(range(n), limit))
