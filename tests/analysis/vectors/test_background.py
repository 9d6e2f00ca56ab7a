import numpy as np
import pytest

from mtdemo.analysis.vectors.background import Background, measure_background


def vectors(n: int, width: int = 8, shift: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(n).normal(size=(n, width)) + shift).astype(np.float32)


def test_the_pairs_are_all_where_they_are_few() -> None:
    from sklearn.metrics.pairwise import cosine_similarity

    rows = vectors(30)
    background = measure_background(rows, "a test")
    expected = np.sort(cosine_similarity(rows.astype(np.float64))[np.triu_indices(30, k=1)])
    np.testing.assert_allclose(background.cosines, expected, atol=1e-6)
    assert background.anisotropy == pytest.approx(expected.mean(), abs=1e-6)
    assert background.as_dict()["n_pairs"] == 435


def test_drawn_pairs_differ_and_are_the_same_each_time() -> None:
    rows = np.diag(np.arange(1, 301)).astype(np.float32)  # orthogonal: only a pair of a row with itself has a cosine
    background = measure_background(rows, "a test", max_pairs=1_000)
    assert len(background.cosines) == 1_000
    assert not background.cosines.any()
    assert measure_background(vectors(300), "a") != measure_background(vectors(301), "a")
    assert measure_background(vectors(300), "a") == measure_background(vectors(300), "a")


def test_the_percentile_is_that_of_scipy() -> None:
    from scipy.stats import percentileofscore

    background = measure_background(vectors(40), "a test")
    for cosine in (-1.0, -0.31, 0.0, float(background.cosines[17]), 0.79, 1.0):
        expected = percentileofscore(background.cosines, np.float32(cosine), kind="mean")
        assert background.percentile(cosine) == pytest.approx(expected)


def test_the_scale_does_not_depend_on_lengths_of_vectors() -> None:
    rows = vectors(25)
    longer = rows * np.linspace(0.5, 9, 25, dtype=np.float32)[:, None]
    np.testing.assert_allclose(measure_background(rows, "a").cosines, measure_background(longer, "a").cosines, atol=1e-6)


def test_a_narrow_cone_is_told_by_the_mean() -> None:
    assert abs(measure_background(vectors(200), "a").anisotropy) < 0.05
    assert measure_background(vectors(200, shift=5), "a").anisotropy > 0.9


def test_words_never_round_up_to_all() -> None:
    background = Background(np.linspace(-0.5, 0.5, 10_000).astype(np.float32), 150, "a test")
    assert background.phrase(0.6) == "above all random pairs"
    assert background.phrase(0.49999) == "above 99.9% of random pairs"
    assert background.phrase(0.0) == "above 50% of random pairs"
    assert background.phrase(-1.0) == "above 0% of random pairs"


def test_two_sentences_make_no_scale() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        measure_background(vectors(2), "a")
