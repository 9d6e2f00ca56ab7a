import numpy as np
import pytest

from mtdemo.analysis.vectors.background import measure_background
from mtdemo.config import Settings
from mtdemo.data.marked_text import read_sample
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
