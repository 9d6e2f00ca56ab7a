import numpy as np
import pytest

from mtdemo.inference.hidden_state_cache import CachedRunner
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel

ATOL = 1e-5


def test_cached_states_give_what_computing_gives(embedded: LoadedModel, sentences: list[str]) -> None:
    run = CachedRunner(1 << 20)
    for texts in (sentences[:20], sentences[10:40]):  # half of the second are cached, and some have no room
        plain = analyze_batches(embedded, texts, 128)
        for answer, other in zip(plain, analyze_batches(embedded, texts, 128, run=run), strict=True):
            np.testing.assert_allclose(answer.embedding, other.embedding, atol=ATOL, rtol=0)
            assert answer.probabilities == pytest.approx(dict(other.probabilities), abs=ATOL)
            assert [(e.start, e.end, e.label) for e in answer.entities] == [
                (e.start, e.end, e.label) for e in other.entities
            ]
