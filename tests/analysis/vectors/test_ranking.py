import numpy as np
import pytest

from mtdemo.analysis.vectors import ranking
from mtdemo.analysis.vectors.ranking import find_duplicates, rank
from tests.analysis.vectors.test_background import vectors


def test_the_order_is_that_of_the_cosines_of_scikit_learn() -> None:
    from sklearn.metrics.pairwise import cosine_similarity

    rows = vectors(50)
    found = rank(rows[0] * 3, rows)
    expected = cosine_similarity(rows[:1].astype(np.float64), rows.astype(np.float64))[0]
    assert found.positions[0] == 0
    np.testing.assert_allclose(found.cosines, np.sort(expected)[::-1], atol=1e-6)
    np.testing.assert_allclose(expected[found.positions], found.cosines, atol=1e-6)


def test_the_histogram_counts_every_sentence_once() -> None:
    counts, edges = rank(vectors(1)[0], vectors(64)).histogram()
    assert counts.sum() == 64
    assert len(edges) == len(counts) + 1 == ranking.N_BINS + 1


@pytest.mark.parametrize("block", [1, 7, 1_024])
def test_duplicates_are_all_pairs_above_the_threshold_whatever_the_block(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.metrics.pairwise import cosine_similarity

    monkeypatch.setattr(ranking, "_BLOCK", block)
    rows = vectors(40, width=3)
    found = find_duplicates(rows, 0.8)
    matrix = cosine_similarity(rows)
    expected = {(a, b) for a in range(40) for b in range(a + 1, 40) if matrix[a, b] >= 0.8}
    assert {(pair.first, pair.second) for pair in found.pairs} == expected
    assert found.n_pairs == len(expected) > 10
    cosines = [pair.similarity for pair in found.pairs]
    assert cosines == sorted(cosines, reverse=True)


def test_of_very_many_duplicates_the_most_similar_are_listed_and_all_are_counted() -> None:
    found = find_duplicates(np.ones((60, 4), np.float32), 0.99)
    assert found.n_pairs == 60 * 59 // 2
    assert len(found.pairs) == ranking.MAX_PAIRS
