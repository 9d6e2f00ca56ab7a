from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdemo.analysis.vectors.background import measure_background
from mtdemo.config import Settings
from mtdemo.data.marked_text import read_sample
from mtdemo.inference.layers import LayerReader
from mtdemo.serving import vector_service
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import MIN_OWN, VectorService, first_of_each
from tests.ui.conftest import FakeService


def test_the_scale_of_a_model_is_measured_once() -> None:
    fake = FakeService()
    vectors = VectorService(fake)
    assert vectors.background() is vectors.background()
    assert len(fake.asked) == 1
    assert vectors.background().n_sentences == len(read_sample().test)


def test_many_sentences_are_their_own_scale_and_repeats_do_not_count() -> None:
    fake = FakeService()
    vectors = VectorService(fake)
    few = [f"word {n}" for n in range(MIN_OWN - 1)]
    analysis = fake.analyze([*few, *few])
    assert vectors.background_of(analysis) is vectors.background()
    own = vectors.background_of(fake.analyze([*few, "another", *few]))
    assert own.n_sentences == MIN_OWN
    assert own == measure_background(fake.analyze([*few, "another"]).embeddings, own.source)
    assert first_of_each(["a", "b", "a", "c"]) == [0, 1, 3]


@pytest.mark.model
def test_the_scale_of_the_embedded_model_stays_within_small_limits() -> None:
    background = VectorService(ModelService(Settings(max_sentences=7))).background()
    assert len(background.cosines) == 72 * 71 / 2
    assert 0 < background.anisotropy < 0.2
    assert np.all(np.diff(background.cosines) >= 0)


TEXTS = [f"{subject} sat on {place}{mark}" for subject in ("the cat", "john", "sing") for place in ("mat", "paris")
         for mark in ("", ".", "!")]  # fmt: skip


def test_layers_and_poolings_are_those_that_their_names_give(tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    vectors = VectorService(service)
    service.analyze(TEXTS)
    before = service.n_forward_passes
    found = vectors.compare_layers(TEXTS).comparison
    assert service.n_forward_passes == before + 1, "the sentences were in the cache, and all layers are of one pass"
    assert [(row.pooling, row.layer) for row in found.rows] == [(p, n) for n in (1, 2) for p in ("mean", "cls", "max")]
    for row in found.rows:
        compared = vectors.compare(TEXTS, None, f"embedded#{row.pooling}@{row.layer}").agreement
        assert row.rank_correlation == pytest.approx(compared.rank_correlation, abs=1e-4)
        assert compared.mean_cosines == pytest.approx((found.own.anisotropy, row.anisotropy), abs=1e-5)
        assert compared.n_pairs == found.n_pairs
    own = next(row for row in found.rows if (row.pooling, row.layer) == ("mean", 2))
    assert own.rank_correlation == pytest.approx(1.0, abs=1e-4)


def test_embeddings_of_layers_are_those_that_a_variant_gives(tiny: Callable[..., Path]) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    reader = LayerReader(service.get_model())
    outputs = service.read_windows(reader, TEXTS, lambda encoded: [sentence.windows[0] for sentence in encoded])
    for (pooling, layer), embeddings in reader.gather(outputs).items():
        np.testing.assert_allclose(
            embeddings,
            service.analyze(TEXTS, f"embedded#{pooling}@{layer}").embeddings,
            atol=1e-5,
            err_msg=f"{pooling} {layer}",
        )


def test_many_sentences_are_read_in_part_and_that_is_told(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_service, "MAX_LAYERED", 5)
    vectors = VectorService(ModelService(Settings(checkpoint=str(tiny()))))
    found = vectors.compare_layers(TEXTS, labels=["a", "b"] * 9)
    assert (found.comparison.n_sentences, found.comparison.n_labelled, found.n_given) == (5, 5, 18)
    part = [0, 3, 7, 10, 14]
    assert found.comparison == vectors.compare_layers([TEXTS[n] for n in part], labels=[*"abbaa"]).comparison
    monkeypatch.setattr(vector_service, "_MAX_LAYERED_BYTES", 4 * 6 * 16 * 3)
    assert vectors.compare_layers(TEXTS).comparison.n_sentences == 3
