"""An embedding goes back to sentence-transformers, and is the same there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdemo.errors import UsageError
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.embedding.export import export_embedding
from tests.repositories import EMBEDDERS, SENTENCES, make_classifier, make_embedder


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [*EMBEDDERS, "a classifier"])
def test_an_embedding_is_the_same_there(kind: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    if kind == "a classifier":
        loaded = load_directory(make_classifier(tmp_path / "t", "Roberta", "ForSequenceClassification", ["no", "yes"]))
    else:
        loaded = load_directory(make_embedder(tmp_path / "theirs", **EMBEDDERS[kind]))
    export_embedding(loaded, tmp_path / "back")
    ours = np.stack([each.embedding for each in analyze_batches(loaded, SENTENCES, loaded.info.max_length)])
    theirs = SentenceTransformer(str(tmp_path / "back"), device="cpu")
    np.testing.assert_allclose(theirs.encode(list(SENTENCES)), ours, atol=1e-5)
    again = load_directory(tmp_path / "back").info
    for field in ("hidden_size", "max_length", "pooling", "is_normalized", "prompt", "prompts"):
        assert getattr(again, field) == getattr(loaded.info, field), field


def test_the_case_of_words_stays_here(tiny: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the case of words"):
        export_embedding(load_directory(tiny("cased", casing=True)), tmp_path / "x")
