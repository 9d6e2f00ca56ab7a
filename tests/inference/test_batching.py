from hypothesis import given
from hypothesis import strategies as st

from mtdemo.inference.batching import plan_batches


@given(st.lists(st.integers(1, 600), max_size=60), st.integers(1, 3000))
def test_every_input_stands_in_exactly_one_batch_that_keeps_the_budget(lengths: list[int], max_tokens: int) -> None:
    batches = plan_batches(lengths, max_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= max_tokens


def test_neighbours_in_length_run_together() -> None:
    assert plan_batches([9, 2, 8, 2], 20) == ((1, 3), (2, 0))


def test_nothing_gives_no_batches() -> None:
    assert plan_batches([], 100) == ()
