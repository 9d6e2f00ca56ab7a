import numpy as np
import pytest

from mtdemo.analysis.explanation.deletion import N_ORDERS, check_order, count_hidden, draw_orders
from mtdemo.analysis.explanation.occlusion import occlude
from mtdemo.analysis.explanation.reading import Hidden
from tests.analysis.explanation.readers import SumReader

WEIGHTS = (0.02, 0.3, 0.01, 0.15, 0.03, 0.05, 0.01, 0.2, 0.02, 0.01)


def test_the_effects_of_a_sum_are_its_summands() -> None:
    reader = SumReader(WEIGHTS)
    its = occlude(reader)
    assert [target.title for target in its.targets] == ["embedding", "class yes", "w0 PER"]
    np.testing.assert_allclose(its.effects[1], WEIGHTS, atol=1e-6)
    np.testing.assert_allclose(its.effects[2], WEIGHTS, atol=1e-6)
    assert its.fates == (("lost", *["kept"] * 9),)
    assert [its.words[place].text for place in its.ranked[:3]] == ["w1", "w7", "w3"]
    assert len(reader.batches) == 2 and sum(reader.batches) == its.n_readings, "nothing is read twice"


def test_the_fall_of_a_sum_is_that_of_its_largest_summands() -> None:
    check = occlude(SumReader(WEIGHTS)).checks[1]
    assert check is not None
    assert check.counts == (1, 1, 1, 2, 5)
    ranked = sorted(WEIGHTS, reverse=True)
    np.testing.assert_allclose(check.falls, [sum(ranked[:count]) for count in check.counts], atol=1e-6)
    for order, falls in zip(draw_orders(10), check.random_falls, strict=True):
        expected = [sum(WEIGHTS[place] for place in order[:count]) for count in check.counts]
        np.testing.assert_allclose(falls, expected, atol=1e-6)
    assert check.passes and check.n_beaten >= 19
    assert check.area == pytest.approx(np.mean(check.falls))


def test_an_order_that_says_nothing_does_not_pass() -> None:
    def fall(hidden: Hidden) -> float:
        return sum(WEIGHTS[place] for place in hidden)

    upside_down = check_order(np.argsort(WEIGHTS).tolist(), fall)
    assert not upside_down.passes
    assert "no more than chance" in upside_down.phrase
    equal = check_order(list(range(10)), lambda hidden: len(hidden) / 10)
    assert (equal.n_beaten, equal.passes) == (0, False), "equals are not beaten"


def test_shares_of_words_are_those_of_eraser_and_at_least_one() -> None:
    assert count_hidden(100) == (1, 5, 10, 20, 50)
    assert count_hidden(2) == (1, 1, 1, 1, 1)
    assert len(draw_orders(7)) == N_ORDERS
    assert draw_orders(7) == draw_orders(7)
    assert all(sorted(order) == list(range(7)) for order in draw_orders(7))


def test_one_word_has_effects_and_no_check() -> None:
    its = occlude(SumReader([0.75]))
    assert its.checks == (None, None, None)
    assert its.effects[1].tolist() == [0.75]
    assert its.as_dict()["answers"][0]["check"] is None
