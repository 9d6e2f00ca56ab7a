import numpy as np
import pytest

from mtdemo.analysis import similarity
from mtdemo.analysis.similarity import cosine_similarity, find_nearest, rank_by_similarity, rank_pairs


def test_cosine_equals_scikit_learn_and_is_exactly_symmetric() -> None:
    from sklearn.metrics.pairwise import cosine_similarity as reference

    vectors = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    matrix = cosine_similarity(vectors)
    np.testing.assert_allclose(matrix, reference(vectors.astype(np.float64)), atol=1e-6)
    assert np.array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 1).all()


def test_extreme_vectors_stay_in_range() -> None:
    vectors = np.array([[0, 0], [1e-30, 0], [-1e30, 0], [1e30, 1e30]], dtype=np.float32)
    matrix = cosine_similarity(vectors)
    assert np.isfinite(matrix).all()
    assert np.abs(matrix).max() <= 1
    assert matrix[1, 2] == -1
    assert matrix[0, 3] == 0


def test_pairs_are_ranked_from_both_ends() -> None:
    rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [-1, 0]], dtype=np.float32)
    most, least = rank_pairs(rows, 2)
    assert (most[0].first, most[0].second) == (0, 1)
    assert (least[0].first, least[0].second) == (0, 3)
    assert most[0].similarity == pytest.approx(float(cosine_similarity(rows)[0, 1]))
    assert most[0].similarity >= most[1].similarity


@pytest.mark.parametrize("block", [1, 7, 512])
def test_blocks_find_what_the_whole_matrix_holds(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_BLOCK", block)
    rows = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    rows[30] = rows[3]  # the first of equal ones is named
    matrix = cosine_similarity(rows)
    values = matrix[np.triu_indices(40, k=1)]
    most, least = rank_pairs(rows, 6)
    assert [pair.similarity for pair in most] == pytest.approx(np.sort(values)[::-1][:6])
    assert [pair.similarity for pair in least] == pytest.approx(np.sort(values)[:6])
    assert all(matrix[pair.first, pair.second] == pytest.approx(pair.similarity) for pair in (*most, *least))
    readable = np.arange(40) % 9 != 0
    others = np.where(readable & ~np.eye(40, dtype=bool), matrix, -np.inf)
    positions, cosines = find_nearest(rows, readable)
    assert positions.tolist() == np.where(readable, others.argmax(axis=1), -1).tolist()
    np.testing.assert_allclose(cosines[readable], others.max(axis=1)[readable], atol=1e-6)


def test_equal_rows_make_pairs_in_their_order() -> None:
    most, least = rank_pairs(np.ones((700, 3), np.float32), 3)
    assert [(pair.first, pair.second) for pair in most] == [(0, 1), (0, 2), (0, 3)] == [(p.first, p.second) for p in least]


def test_a_single_sentence_has_no_pairs_and_no_neighbour() -> None:
    assert rank_pairs(np.ones((1, 3), dtype=np.float32), 5) == ((), ())
    assert find_nearest(np.ones((1, 3), dtype=np.float32))[0].tolist() == [-1]


def test_ranked_by_cosine_best_first_and_ties_in_their_order() -> None:
    query = np.array([1, 0], dtype=np.float32)
    rows = [np.array(row, dtype=np.float32) for row in ([0, 3], [2, 0], [-1, 0], [0, 0], [5, 5])]
    ranked = rank_by_similarity(query, rows)
    assert [position for position, _ in ranked] == [1, 4, 0, 3, 2]
    assert [cosine for _, cosine in ranked] == pytest.approx([1, 0.5**0.5, 0, 0, -1])
