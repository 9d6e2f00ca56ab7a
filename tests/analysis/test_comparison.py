from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch

from mtdemo.analysis.comparison import compare
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel


def test_two_models_are_compared_on_no_more_than_both_can_read(tiny: Callable[..., Path]) -> None:
    model = load_directory(tiny())
    assert model.info.max_length == 64
    assert compare(model, model, ["the cat sat on the mat " * 40]).embedding == 0.0


def test_the_difference_of_two_models_is_the_largest_over_the_sentences(embedded: LoadedModel) -> None:
    texts = ["John lives in Paris.", "What a waste of money.", "It rains."]
    same = compare(embedded, embedded, texts)
    assert (same.embedding, same.probability, same.n_entities, same.n_sentences) == (0.0, 0.0, 0, 3)
    other = replace(embedded, model=deepcopy(embedded.model))
    with torch.no_grad():
        other.model.classification_head.linear.bias += torch.tensor([50.0, 0.0, 0.0])
        other.model.ner_head.linear.bias += torch.tensor([50.0, 0.0, 0.0, 0.0, 0.0])
    changed = compare(embedded, other, texts)
    assert changed.embedding == 0.0
    assert changed.probability > 0.5
    assert changed.n_entities == 1
    assert "entities are other ones in 1 sentences" in changed.phrase
