"""What a step reads: counts that sum, epochs that cover, noise that is a function of seed and step."""

import itertools

import numpy as np
import pytest

from mtdemo.text.tokenization import LOWER, TITLE, UPPER, Window
from mtdemo.training.batches import (
    MIXES,
    BatchSampler,
    InputNoise,
    TaskMixing,
    active_tasks,
    examples_per_source,
    sentences_per_task,
)

MASK = 103
WINDOWS = [Window((101, *range(1000, 1000 + n), 102), (0,) * (n + 2), slice(1, n + 1), 0) for n in range(40)]


@pytest.mark.parametrize(
    ("n", "sizes", "mix", "expected"),
    [
        (64, (100, 900), MIXES["equal"], (32, 32)),
        (40, (100, 900), MIXES["square-root"], (10, 30)),
        (40, (100, 900), MIXES["proportional"], (4, 36)),
        (10, (1, 10_000), MIXES["proportional"], (1, 9)),
        (2, (5, 7), MIXES["proportional"], (1, 1)),
        (7, (5, 5), MIXES["equal"], (4, 3)),
        (64, (100, 900), TaskMixing.named("5:3"), (40, 24)),
        (9, (100, 900), TaskMixing.named("1:1000"), (1, 8)),
        (10, (100, 100), TaskMixing(1.0, (3.0, 2.0)), (6, 4)),
    ],
)
def test_a_step_is_divided_by_the_rule(n: int, sizes: tuple[int, ...], mix: TaskMixing, expected: tuple[int, ...]) -> None:
    assert sentences_per_task(n, sizes, mix) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("1e308:1e308", (5, 5)), ("5e-324:5e-324", (5, 5)), ("1e-300:1e300", (1, 9)), ("1e308:1", (9, 1))],
)
def test_shares_of_any_size_are_shares(name: str, expected: tuple[int, ...]) -> None:
    assert sentences_per_task(10, (7, 900), TaskMixing.named(name)) == expected


def test_shares_that_are_scaled_divide_as_they_did() -> None:
    for first, second in itertools.product((1, 2, 3, 5, 7, 0.3, 1e6, 33_398), repeat=2):
        for n, exponent in itertools.product((2, 7, 64, 101), (0.0, 0.5, 1.0)):
            shares = np.asarray((first, second)) * np.asarray((33_398, 61_916), dtype=np.float64) ** exponent
            wanted = np.clip(shares / shares.sum() * n - 1, 0, None)
            wanted *= (n - 2) / max(wanted.sum(), 1e-12)
            counts = np.floor(wanted).astype(int)
            for index in np.argsort(counts - wanted, kind="stable")[: n - 2 - counts.sum()]:
                counts[index] += 1
            assert sentences_per_task(n, (33_398, 61_916), TaskMixing(exponent, (first, second))) == tuple(counts + 1)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_a_task_that_is_not_looked_at_leaves_its_share_to_the_other(mix: TaskMixing) -> None:
    assert active_tasks((1.0, 0.0), 0.0) == (True, False)
    assert active_tasks((1.0, 0.0), 10.0) == (True, True)
    assert sentences_per_task(9, (100, 900), mix, active_tasks((0.0, 0.5), 0.0)) == (0, 9)
    assert sentences_per_task(9, (100, 900), mix, (True, True)) == sentences_per_task(9, (100, 900), mix)


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
def test_counts_sum_to_the_step_and_no_task_is_left_out(mix: TaskMixing) -> None:
    for n in range(2, 70):
        for sizes in ((1, 1), (3, 5), (1, 1000), (33_398, 61_916)):
            counts = sentences_per_task(n, sizes, mix)
            assert sum(counts) == n
            assert min(counts) >= 1


@pytest.mark.parametrize("name", ["most", "1:0", "1:2:3", "nan:1", "-1:1", ":"])
def test_what_is_no_mix_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TaskMixing.named(name)


def test_batches_are_a_function_of_seed_and_step_and_cover_an_epoch() -> None:
    lengths = [3 + n % 17 for n in range(100)]
    batches, again = BatchSampler(lengths, 10, 1), BatchSampler(lengths, 10, 1)
    epoch = [batches[step] for step in range(10)]
    assert sorted(index for batch in epoch for index in batch) == list(range(100))
    assert again[7] == epoch[7]
    assert [again[step] for step in range(10, 20)] != epoch
    assert max(max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in epoch) < 10


def test_without_noise_windows_stay_the_same() -> None:
    assert InputNoise(0.0, 0.0, MASK, 1)(WINDOWS, 3) == WINDOWS
    assert InputNoise(0.0, 1.0, None, 1)(WINDOWS, 3) == WINDOWS, "a tokenizer without a mask token hides nothing"


def test_noise_is_a_function_of_seed_and_step() -> None:
    noise = InputNoise(0.5, 0.2, MASK, 1)
    assert noise(WINDOWS, 3) == InputNoise(0.5, 0.2, MASK, 1)(WINDOWS, 3)
    assert noise(WINDOWS, 3) != noise(WINDOWS, 4)
    assert noise(WINDOWS, 3) != InputNoise(0.5, 0.2, MASK, 2)(WINDOWS, 3)


def test_case_noise_gives_every_word_of_a_sentence_one_case_and_leaves_special_pieces_alone() -> None:
    seen = set()
    for window in InputNoise(1.0, 0.0, MASK, 1)(WINDOWS[5:], 0):
        cases = window.token_type_ids[window.content]
        assert len(set(cases)) == 1
        assert window.token_type_ids[0] == window.token_type_ids[-1] == LOWER
        seen.add(cases[0])
    assert seen == {LOWER, TITLE, UPPER}


def test_word_dropout_hides_about_its_share_and_never_a_special_piece() -> None:
    noisy = InputNoise(0.0, 0.25, MASK, 1)(WINDOWS, 0)
    assert all(window.input_ids[0] == 101 and window.input_ids[-1] == 102 for window in noisy)
    n_hidden = sum(window.input_ids.count(MASK) for window in noisy)
    n_pieces = sum(window.n_pieces for window in noisy)
    assert 0.2 < n_hidden / n_pieces < 0.3


SOURCES = ["large"] * 90 + ["small"] * 10


@pytest.mark.parametrize(
    ("n", "sizes", "power", "expected"),
    [
        (100, (90, 10), 1.0, (90, 10)),
        (100, (90, 10), 0.5, (75, 25)),
        (100, (90, 10), 0.0, (50, 50)),
        (10, (7, 7, 7), 0.3, (4, 3, 3)),
        (0, (1, 2), 0.5, (0, 0)),
    ],
)
def test_an_epoch_is_divided_among_sources_without_rest(
    n: int, sizes: tuple[int, ...], power: float, expected: tuple[int, ...]
) -> None:
    assert examples_per_source(n, sizes, power) == expected


@pytest.mark.parametrize(("power", "n_small"), [(0.0, 50), (0.5, 25), (0.75, 16)])
def test_a_source_comes_by_a_power_of_its_size(power: float, n_small: int) -> None:
    batches = BatchSampler([5] * 100, 10, 13, SOURCES, power)
    for epoch in range(3):
        drawn = [index for step in range(10) for index in batches[epoch * 10 + step]]
        assert sum(index >= 90 for index in drawn) == n_small
        assert len(drawn) == 100


@pytest.mark.parametrize("power", [0.0, 0.3, 0.7])
def test_a_source_repeats_no_sentence_before_all_have_come(power: float) -> None:
    batches = BatchSampler(list(range(1, 101)), 10, 13, SOURCES, power)
    times = np.bincount([index for step in range(200) for index in batches[step]], minlength=100)
    assert np.ptp(times[:90]) <= 1
    assert np.ptp(times[90:]) <= 1


def test_the_examples_of_a_step_do_not_depend_on_which_steps_came_before() -> None:
    one, other = (BatchSampler([5] * 100, 10, 13, SOURCES, 0.5) for _ in range(2))
    in_order = [one[step] for step in range(45)]
    assert [other[step] for step in reversed(range(45))][::-1] == in_order


def test_a_power_of_one_draws_as_without_sources() -> None:
    with_sources, without = BatchSampler([5] * 100, 10, 13, SOURCES, 1.0), BatchSampler([5] * 100, 10, 13)
    assert [with_sources[step] for step in range(25)] == [without[step] for step in range(25)]


def test_a_single_source_comes_once_an_epoch() -> None:
    batches = BatchSampler([5] * 100, 10, 13, ["one"] * 100, 0.5)
    assert sorted(index for step in range(10) for index in batches[step]) == list(range(100))


def test_the_draws_of_a_seed_stay_what_they_are() -> None:
    """A checkpoint is made again only by the same draws."""
    batches = BatchSampler([5] * 100, 5, 13, SOURCES, 0.5)
    assert (batches[0], batches[23]) == ([79, 92, 98, 93, 94], [42, 84, 60, 90, 40])
