import sys
import types
from typing import Any, ClassVar

import numpy as np
import pytest

from mtdemo.analysis.similarity import normalised
from mtdemo.analysis.vectors import projection
from mtdemo.analysis.vectors.projection import available_methods, find_neighbours, project, project_in_steps
from mtdemo.errors import InputError, UnknownNameError
from tests.analysis.vectors.test_background import vectors


@pytest.mark.parametrize("n_dimensions", [2, 3])
def test_pca_is_that_of_scikit_learn(n_dimensions: int) -> None:
    from sklearn.decomposition import PCA

    rows = vectors(60, width=12) * np.linspace(1, 4, 12, dtype=np.float32)
    found = project(rows, "PCA", n_dimensions)
    pca = PCA(n_dimensions).fit(normalised(rows))
    np.testing.assert_allclose(found.explained, pca.explained_variance_ratio_, rtol=1e-5)
    np.testing.assert_allclose(found.places, pca.transform(normalised(rows)), atol=1e-5)


def test_lengths_do_not_change_a_map_and_neither_does_the_order_of_sentences() -> None:
    rows = vectors(30)
    places = project(rows).places
    np.testing.assert_allclose(project(rows * np.arange(1, 31, dtype=np.float32)[:, None]).places, places, atol=1e-5)
    np.testing.assert_allclose(project(rows[::-1]).places[::-1], places, atol=1e-5)


def test_the_judgement_is_that_of_scikit_learn() -> None:
    from sklearn.manifold import trustworthiness

    rows = vectors(80)
    found = project(rows)
    unit = normalised(rows)
    assert found.trustworthiness == pytest.approx(trustworthiness(unit, found.places, n_neighbors=10), abs=1e-3)
    assert found.continuity == pytest.approx(trustworthiness(found.places, unit, n_neighbors=10), abs=1e-3)
    assert (found.n_neighbours, found.n_judged) == (10, 80)


def test_a_map_that_loses_nothing_is_trusted_wholly() -> None:
    angles = np.linspace(0, 3, 40)
    flat = np.stack([np.cos(angles), np.sin(angles), np.zeros(40)], axis=1).astype(np.float32)
    found = project(flat)
    assert (found.trustworthiness, found.continuity) == (1.0, 1.0)
    assert sum(found.explained) == pytest.approx(1.0)


def test_many_sentences_are_judged_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "_MAX_JUDGED", 50)
    assert project(vectors(120)).n_judged == 40


@pytest.mark.parametrize("n", [4, 5, 7, 21])
def test_few_sentences_have_a_map_and_fewer_neighbours(n: int) -> None:
    found = project(vectors(n))
    assert found.places.shape == (n, 2)
    assert found.n_neighbours < n / 2
    assert found.trustworthiness is None or 0 <= found.trustworthiness <= 1


def test_equal_sentences_have_one_place() -> None:
    places = project(np.ones((6, 5), np.float32)).places
    assert np.all(np.isfinite(places)) and np.ptp(places) < 1e-6


def test_tsne_keeps_groups_together() -> None:
    rows = np.concatenate([np.eye(4, dtype=np.float32)[k] + 0.05 * vectors(12, 4) for k in range(3)])
    found = project(rows, "t-SNE")
    assert found.explained == ()
    near = np.linalg.norm(found.places[:, None] - found.places[None], axis=-1)
    np.fill_diagonal(near, np.inf)
    groups = np.repeat(range(3), 12)
    assert (groups[near.argmin(axis=1)] == groups).mean() > 0.9
    assert np.ptp(project(vectors(12), "t-SNE").places, axis=0).min() > 1, "few are spread out, too"
    assert list(project_in_steps(rows, "t-SNE", 3))[::10] == [(0, 750), (250, 750), (500, 750)]
    assert list(project_in_steps(rows)) == []
    assert np.isfinite(project(np.ones((6, 5), np.float32), "t-SNE").places).all(), "equal sentences have places, too"


def test_what_cannot_be_drawn_says_so() -> None:
    with pytest.raises(InputError, match="at least 4 sentences; there are 3"):
        project(vectors(3))
    with pytest.raises(UnknownNameError, match="no map by 'SOM'; there are PCA, t-SNE"):
        project(vectors(5), "SOM")


class Umap:
    """Draws the first coordinates, in 40 epochs which it tells of as UMAP does."""

    epochs: ClassVar[list[int]] = []

    def __init__(self, n_neighbors: int, n_components: int, tqdm_kwds: dict[str, Any], **_: Any) -> None:
        self.n, self.tqdm_kwds = n_components, {"desc": "Epochs completed", **tqdm_kwds}

    def fit_transform(self, rows: np.ndarray) -> np.ndarray:
        from tqdm.auto import tqdm

        for epoch in tqdm(range(40), **self.tqdm_kwds):
            self.epochs.append(epoch)
        return rows[:, : self.n]


@pytest.fixture
def umap(monkeypatch: pytest.MonkeyPatch) -> type[Umap]:
    module = types.ModuleType("umap")
    module.UMAP = Umap  # type: ignore[attr-defined]
    monkeypatch.setattr(projection.importlib.util, "find_spec", lambda name: module)
    monkeypatch.setitem(sys.modules, "umap", module)
    Umap.epochs.clear()
    return Umap


def test_umap_is_there_when_it_is_installed_and_tells_how_far_it_is(umap: type[Umap]) -> None:
    assert available_methods() == ("PCA", "t-SNE", "UMAP")
    assert project(vectors(9), "UMAP", 3).places.shape == (9, 3)
    told = list(project_in_steps(vectors(9), "UMAP"))
    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, 40), (40, 40))


def test_who_has_enough_of_umap_is_free_at_once_and_the_next_has_its_turn(umap: type[Umap]) -> None:
    steps, waiting = project_in_steps(vectors(9), "UMAP"), project_in_steps(vectors(9), "UMAP")
    assert next(steps) == (0, 40)
    steps.close()
    assert next(waiting) == (0, 40)
    assert len(umap.epochs) >= 40, "the first ran to its end before the second began"


def test_what_umap_refuses_reaches_who_asked(umap: type[Umap], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(umap, "fit_transform", lambda *_: {}["nothing"])
    with pytest.raises(KeyError, match="nothing"):
        project(vectors(9), "UMAP")


def test_umap_is_as_its_makers_run_it() -> None:
    makers = pytest.importorskip("umap")
    rows = vectors(60, width=12)
    theirs = makers.UMAP(15, 2, metric="cosine", random_state=0, n_jobs=1, init="pca").fit_transform(normalised(rows))
    np.testing.assert_array_equal(project(rows, "UMAP").places, theirs)


def test_neighbours_are_those_of_the_original_space() -> None:
    from sklearn.neighbors import NearestNeighbors

    rows = vectors(30)
    distances, expected = NearestNeighbors(n_neighbors=6, metric="cosine").fit(rows).kneighbors(rows[4:5])
    found = find_neighbours(rows, 4, 5)
    assert [place for place, _ in found] == expected[0][1:].tolist()
    np.testing.assert_allclose([cosine for _, cosine in found], 1 - distances[0][1:], atol=1e-5)
