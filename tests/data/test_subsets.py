import pytest

from mtdemo.data.records import LabelledSentence, RatedPair
from mtdemo.data.subsets import subsample, subsample_sources


@pytest.mark.parametrize(("n", "limit"), [(10, 3), (10, 10), (3, 10), (1, 1), (1000, 7)])
def test_rows_are_drawn_in_their_order_and_always_the_same_ones(n: int, limit: int) -> None:
    chosen = list(subsample(range(n), limit))
    assert len(set(chosen)) == min(n, limit)
    assert chosen == sorted(chosen) == list(subsample(range(n), limit))


def test_rows_of_each_source_are_drawn_apart() -> None:
    rows = [LabelledSentence(str(n), "a", "small" if n % 10 == 0 else "large") for n in range(100)]
    chosen = subsample_sources(rows, 12)
    assert [row.source for row in chosen].count("small") == 10
    assert [row.source for row in chosen].count("large") == 12
    assert [int(row.text) for row in chosen] == sorted(int(row.text) for row in chosen)
    assert subsample_sources(rows, 12) == chosen


def test_rows_without_a_source_are_drawn_as_ever() -> None:
    pairs = [RatedPair(1.0, str(n), "b") for n in range(50)]
    assert list(subsample_sources(pairs, 7)) == list(subsample(pairs, 7))
