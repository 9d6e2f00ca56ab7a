import numpy as np
import pytest

from mtdemo.analysis.explanation.reading import NOTHING
from mtdemo.analysis.explanation.shared_words import share_words
from tests.analysis.explanation.readers import SumReader


def test_the_matrix_is_what_both_words_make_together() -> None:
    first, second = SumReader((0.4, 0.1, 0.2)), SumReader((0.3, 0.05, 0.5))
    its = share_words(first, second)
    assert max(len(first.batches), len(second.batches)) <= 2, "words and random orders, then what the check lacks"

    def cosine(one: frozenset[int], other: frozenset[int]) -> float:
        (ours,), (theirs,) = first.read([one]), second.read([other])
        return ours.analysis.cosine_to(theirs.analysis)

    whole = cosine(NOTHING, NOTHING)
    assert its.cosine == pytest.approx(whole)
    for i in range(3):
        assert its.first.effects[i] == pytest.approx(whole - cosine(frozenset({i}), NOTHING), abs=1e-6)
        for j in range(3):
            one, other = frozenset({i}), frozenset({j})
            expected = whole - cosine(one, NOTHING) - cosine(NOTHING, other) + cosine(one, other)
            assert its.together[i, j] == pytest.approx(expected, abs=1e-6)
    assert its.pairs[0] == (*np.unravel_index(its.together.argmax(), (3, 3)), pytest.approx(its.together.max()))


def test_the_other_way_round_is_the_transpose() -> None:
    one, other = (0.4, 0.1, 0.2, 0.05), (0.3, 0.05)
    forth, back = share_words(SumReader(one), SumReader(other)), share_words(SumReader(other), SumReader(one))
    np.testing.assert_allclose(forth.together, back.together.T, atol=1e-6)
    assert forth.first.effects == pytest.approx(back.second.effects)
    single = share_words(SumReader([0.4]), SumReader(other))
    assert single.first.check is None and single.second.check is not None
