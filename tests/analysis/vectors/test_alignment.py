import numpy as np
import pytest

from mtdemo.analysis.vectors import alignment
from mtdemo.analysis.vectors.alignment import align_maps, compare_neighbours, nearest_others
from mtdemo.analysis.vectors.projection import project
from tests.analysis.vectors.test_background import vectors


def test_the_alignment_is_that_of_scipy_on_the_two_maps() -> None:
    from scipy.spatial import procrustes

    one, other = vectors(30), vectors(31)[:30]
    expected = procrustes(project(one).places, project(other).places)
    found = align_maps(one, other)
    assert found is not None
    np.testing.assert_allclose(found.one, expected[0], atol=1e-5)
    np.testing.assert_allclose(found.other, expected[1], atol=1e-5)
    assert found.disparity == pytest.approx(expected[2], abs=1e-5)
    assert found.disparity == pytest.approx(float(((found.one - found.other) ** 2).sum()), abs=1e-5)


def test_a_space_that_is_only_turned_and_scaled_gives_the_same_picture() -> None:
    one = vectors(20, width=6)
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    found = align_maps(one, (3 * one @ turn).astype(np.float32))
    assert found is not None and found.disparity == pytest.approx(0, abs=1e-6)
    assert all(change.shared == 1 for change in compare_neighbours(one, (one @ turn).astype(np.float32), 5))


@pytest.mark.parametrize("rows", [vectors(3), np.ones((8, 4), np.float32)])
def test_few_or_equal_sentences_have_no_maps_to_align(rows: np.ndarray) -> None:
    assert align_maps(rows, rows) is None


@pytest.mark.parametrize("block", [1, 7, 512])
def test_the_nearest_others_are_those_of_scikit_learn(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neighbors import NearestNeighbors

    monkeypatch.setattr(alignment, "_BLOCK", block)
    rows = vectors(40)
    expected = NearestNeighbors(n_neighbors=5, metric="cosine").fit(rows).kneighbors(return_distance=False)
    assert nearest_others(rows, 5).tolist() == expected.tolist()


def test_a_sentence_that_moved_names_what_it_left_and_what_it_came_to() -> None:
    one = np.concatenate([np.eye(2, 6, dtype=np.float32)[k] + 0.1 * vectors(9 + k, 6)[:9] for k in range(2)])
    other = one.copy()
    other[0] = one[12] + 0.01
    change = compare_neighbours(one, other, 4)[0]
    assert (change.position, change.shared) == (0, 0.0)
    assert all(place < 9 for place in change.only_one) and all(place >= 9 for place in change.only_other)
    assert change.only_other[0] == 12
