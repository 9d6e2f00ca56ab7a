"""Integrated gradients: complete, equal to captum's, and of the same answer that the model gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from mtdemo.inference.gradients import class_log_odds, embed_path, entity_log_odds, integrate
from mtdemo.inference.packed import PACKED
from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.text.tokenization import Window
from tests.inference.test_packed import NOT_PACKED, make_model, make_windows

SENTENCE = "John Smith was rude, but Berlin is wonderful."


@pytest.fixture(scope="module")
def window(embedded: LoadedModel) -> Window:
    return embedded.encode([SENTENCE], 128)[0].windows[0]


def sigmoid(log_odds: float) -> float:
    return 1 / (1 + np.exp(-log_odds))


def test_log_odds_are_those_of_the_probabilities_that_the_model_gives(embedded: LoadedModel, window: Window) -> None:
    (output,) = embedded.run([window])
    for place, label in enumerate(embedded.info.class_labels):
        found = integrate(embedded, window, class_log_odds(embedded, label), [2])
        assert sigmoid(found.log_odds) == pytest.approx(output.class_probabilities[place], abs=1e-5)
    found = integrate(embedded, window, entity_log_odds(embedded, "PER", [1]), [2])
    assert sigmoid(found.log_odds) == pytest.approx(output.entity_probabilities[0, 1], abs=1e-5)


def test_parts_sum_to_the_difference(embedded: LoadedModel, window: Window) -> None:
    for score in (class_log_odds(embedded, "negative"), entity_log_odds(embedded, "PER", [1, 2])):
        found = integrate(embedded, window, score)
        assert found.is_complete and found.gap <= 0.01
        assert found.total == pytest.approx(found.difference, rel=0.01)
        assert found.by_piece.shape == (window.n_pieces,)
        rough = integrate(embedded, window, score, [1])
        assert rough.gap > found.gap and rough.n_steps == 1, "the last is given, complete or not"


def test_equal_to_captum(embedded: LoadedModel, window: Window) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of its own imports
        from captum.attr import IntegratedGradients
    inputs = embedded.pad([window])
    types = torch.zeros_like(inputs["token_type_ids"])
    end, start = embed_path(embedded, window)
    for score in (class_log_odds(embedded, "positive"), entity_log_odds(embedded, "LOC", [7])):

        def forward(points: Any, score: Any = score) -> Any:
            mask = torch.ones(points.shape[:2], dtype=torch.long)
            return score(
                embedded.model(inputs_embeds=points, attention_mask=mask, token_type_ids=types.expand(len(points), -1))
            )

        theirs, delta = IntegratedGradients(forward).attribute(
            end[None], baselines=start[None], n_steps=32, method="gausslegendre", return_convergence_delta=True
        )
        ours = integrate(embedded, window, score, [32])
        np.testing.assert_allclose(ours.by_piece, theirs[0].sum(dim=-1)[window.content].detach().numpy(), atol=1e-4)
        assert ours.total - ours.difference == pytest.approx(float(delta), abs=1e-4)


def test_the_model_is_not_changed_and_gets_no_gradient(embedded: LoadedModel, window: Window) -> None:
    before = embedded.run([window])[0]
    integrate(embedded, window, class_log_odds(embedded, "negative"), [4])
    assert all(parameter.grad is None for parameter in embedded.model.parameters())
    assert embedded.run([window])[0] == before


def test_special_pieces_have_no_part_and_a_sentence_that_is_its_baseline_none_at_all(embedded: LoadedModel) -> None:
    pad = embedded.tokenizer.pad_token_id
    blank = Window((101, pad, pad, 102), (0, 0, 0, 0), slice(1, 3), 0)
    found = integrate(embedded, blank, class_log_odds(embedded, "negative"), [4])
    assert found.by_piece.tolist() == [0, 0]
    assert found.difference == pytest.approx(0, abs=1e-6)


@pytest.mark.model
@pytest.mark.parametrize("architecture", [*PACKED, *NOT_PACKED])
def test_every_architecture_gives_the_same_answer_from_embeddings(architecture: str) -> None:
    loaded = make_model(architecture)
    (window,) = make_windows(11)
    inputs = loaded.pad([window])
    if "token_type_ids" in inputs and loaded.model.config.casing:
        pytest.fail("these models carry no case")
    with torch.no_grad():
        output = loaded.model(**inputs, pooling_mask=mask_pooling([window]))
    score = class_log_odds(loaded, loaded.info.class_labels[0])
    found = integrate(loaded, window, score, [64, 256])
    assert found.log_odds == pytest.approx(float(score(output)[0]), abs=1e-4)
    assert found.total == pytest.approx(found.difference, abs=0.05 * max(1, abs(found.difference)))
