"""Measures of embeddings beside the one that a model uses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mtdemo.analysis.vectors.layers import compare_layers
from mtdemo.errors import InputError
from tests.analysis.vectors.test_background import vectors

LABELS = [("a", "b", "c", "")[n % 4] for n in range(40)]


def test_measures_are_those_of_scipy_and_scikit_learn() -> None:
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr
    from sklearn.neighbors import NearestNeighbors

    own = vectors(40, width=12)
    other = own[:, :6] + 0.5 * vectors(41, width=6)[1:]
    found = compare_layers(own, 2, {("cls", 1): other}, LABELS)
    (row,) = found.rows
    assert (row.pooling, row.layer) == ("cls", 1)
    assert row.rank_correlation == pytest.approx(
        spearmanr(1 - pdist(own, "cosine"), 1 - pdist(other, "cosine"))[0], abs=1e-5
    )
    assert row.anisotropy == pytest.approx((1 - pdist(other, "cosine")).mean(), abs=1e-6)
    kept = np.array([label != "" for label in LABELS])
    names = np.array(LABELS)[kept]
    nearest = NearestNeighbors(n_neighbors=found.n_neighbours, metric="cosine").fit(other[kept]).kneighbors()[1]
    assert row.label_agreement == pytest.approx((names[nearest] == names[:, None]).mean())
    assert found.n_labelled == kept.sum() == 30
    same = names[:, None] == names
    assert found.chance == pytest.approx((same.sum() - 30) / (30 * 29))
    assert (found.n_sentences, found.n_pairs) == (40, 40 * 39 / 2)


def test_an_embedding_is_ranked_as_itself_and_labels_are_no_must() -> None:
    own = vectors(9)
    found = compare_layers(own, 3, {("mean", 3): 2 * own, ("max", 3): np.ones_like(own)})
    assert (found.own.pooling, found.own.layer, found.own.rank_correlation) == ("", 3, pytest.approx(1.0))
    same, constant = found.rows
    assert same.rank_correlation == pytest.approx(1.0)
    assert (constant.rank_correlation, constant.anisotropy) == (None, pytest.approx(1.0))
    assert (found.chance, same.label_agreement, found.n_neighbours) == (None, None, 0)
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()
    with pytest.raises(InputError, match="at least 3 sentences; there are 2"):
        compare_layers(own[:2], 3, {})
