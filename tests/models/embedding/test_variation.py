"""The same network with another embedding: what transformers' own hidden states give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel

from mtdemo.config import Settings
from mtdemo.errors import CheckpointNotFoundError
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.embedding.variation import readable_layers, vary_embedding
from mtdemo.models.repository.variants import Variant, read_variant
from mtdemo.serving.service import ModelService
from tests.repositories import CLASSIFIERS, EMBEDDERS, SENTENCES, make_classifier, make_embedder

LAYERED = [name for name in CLASSIFIERS if name not in {"Albert", "ModernBert"}]
POOL = {
    "mean": lambda states: states.mean(dim=0),
    "cls": lambda states: states[0],
    "max": lambda states: states.amax(dim=0),
}


@pytest.mark.parametrize("pooling", POOL)
@pytest.mark.parametrize("name", LAYERED)
def test_an_earlier_layer_is_the_one_that_transformers_counts(name: str, pooling: str, tmp_path: Path) -> None:
    directory = make_classifier(tmp_path, name, "ForTokenClassification", ["O", "PER"])
    loaded = load_directory(directory)
    varied = vary_embedding(loaded, pooling, 1, "x")
    theirs: Any = AutoModel.from_pretrained(directory).eval()
    ours = analyze_batches(varied, SENTENCES, 32)
    for text, its in zip(SENTENCES, ours, strict=True):
        inputs = loaded.tokenizer(text, return_tensors="pt", truncation=True, max_length=32)
        with torch.inference_mode():
            states = theirs(**inputs, output_hidden_states=True).hidden_states[1][0]
        np.testing.assert_allclose(its.embedding, POOL[pooling](states).numpy(), atol=1e-5)
    shared = {id(weights) for weights in loaded.model.parameters()}
    own = [key for key, weights in varied.model.named_parameters() if id(weights) not in shared]
    assert not own, "no weight was copied"
    assert loaded.info.n_layers == 2
    assert readable_layers(loaded.model) == (1, 2)
    assert varied.info.n_layers == 1
    assert "after layer 1 of 2" in varied.info.note


@pytest.mark.parametrize("name", ["Albert", "ModernBert"])
def test_a_network_without_hidden_states_between_its_layers_says_so(name: str, tmp_path: Path) -> None:
    loaded = load_directory(make_classifier(tmp_path, name, "ForTokenClassification", ["O", "PER"]))
    with pytest.raises(CheckpointNotFoundError, match="after its last layer only"):
        vary_embedding(loaded, None, 1, "x")
    assert readable_layers(loaded.model) == (2,)
    assert vary_embedding(loaded, "max", 2, "x").info.pooling == ("max",)
    with pytest.raises(CheckpointNotFoundError, match="has 2 layers"):
        vary_embedding(loaded, None, 3, "x")


def test_the_makers_pooling_is_kept_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    loaded = load_directory(make_embedder(tmp_path, **EMBEDDERS["dense"]))
    earlier = vary_embedding(loaded, None, 1, "x").info
    assert (earlier.pooling, earlier.hidden_size, earlier.is_normalized) == (("cls",), 6, True)
    mean = vary_embedding(loaded, "mean", None, "x").info
    assert (mean.pooling, mean.hidden_size, mean.is_normalized) == (("mean",), 16, False)


def test_classes_and_entities_stay_as_they_are(tmp_path: Path) -> None:
    service = ModelService(Settings(checkpoint=str(make_embedder(tmp_path, **EMBEDDERS["dense"]))))
    plain = service.analyze(SENTENCES)
    for name, n_passes in (
        ("embedded#max", 1),
        ("embedded#max@1", 2),
        ("embedded#@2", 1),
        ("embedded#cls@1+embedded+embedded", 2),
    ):
        varied = service.analyze(SENTENCES, name)
        assert varied.model.passes_per_sentence == n_passes, name
        assert not np.array_equal(varied.embeddings, plain.embeddings) or name == "embedded#@2"
        for one, other in zip(varied, plain, strict=True):
            assert one.probabilities == other.probabilities
            assert one.entities == other.entities
    assert service.load("embedded#cls@1").sources[0].endswith("#cls@1"), "not the part that has no heads"


def test_names_of_variants_are_read_as_they_are_written() -> None:
    for variant in (Variant("a/b", "cls"), Variant("a/b", None, 4), Variant("embedded", "max", 12)):
        assert read_variant(variant.name) == variant
    for name in ("embedded", "embedded#", "embedded#sum", "embedded#@0", "#mean"):
        assert read_variant(name) is None
