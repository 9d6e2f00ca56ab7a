"""Questions about many vectors, asked of the service with hand-written answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdemo.config import Settings
from mtdemo.errors import EmptyInputError, InputError
from mtdemo.rest.vector_questions import VectorQuestions
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from tests.ui.conftest import FakeService

SENTENCES = [f"Ada saw {n} cats" for n in range(9)]


@pytest.fixture
def questions() -> VectorQuestions:
    return VectorQuestions(VectorService(FakeService()))


def test_every_answer_is_json(questions: VectorQuestions) -> None:
    for answer in (
        questions.scale(),
        questions.rank("cats", SENTENCES),
        questions.duplicates(SENTENCES, 0.5),
        questions.map(SENTENCES, n_dimensions=3, n_clusters=2),
        questions.compare(SENTENCES),
    ):
        assert json.loads(json.dumps(answer)) == answer


def test_the_scale_rises(questions: VectorQuestions) -> None:
    scale = questions.scale()
    values = list(scale["percentiles"].values())
    assert values == sorted(values) and len(values) == 7
    assert scale["n_pairs"] == 72 * 71 / 2


def test_a_ranking_has_the_best_with_their_percentile(questions: VectorQuestions) -> None:
    answer = questions.rank(SENTENCES[4], SENTENCES, 3)
    assert [set(row) >= {"position", "similarity", "percentile", "text"} for row in answer["ranked"]] == [True] * 3
    assert answer["ranked"][0]["position"] == 4
    assert answer["ranked"][0]["similarity"] == pytest.approx(1.0)
    assert answer["query"]["text"] == SENTENCES[4]
    with pytest.raises(EmptyInputError, match="no sentence"):
        questions.rank("cats", [])


def test_a_map_has_a_place_for_each_and_a_cluster_too(questions: VectorQuestions) -> None:
    answer = questions.map(SENTENCES, n_clusters=2)
    assert np.array(answer["places"]).shape == (9, 2)
    assert sorted(member for cluster in answer["clusters"] for member in cluster["members"]) == list(range(9))
    with pytest.raises(InputError, match="2 or 3 dimensions, not 4"):
        questions.map(SENTENCES, n_dimensions=4)


def test_a_model_does_not_differ_from_itself(questions: VectorQuestions) -> None:
    answer = questions.compare(SENTENCES, "embedded")
    assert (answer["n_class_changes"], answer["n_entity_changes"]) == (0, 0)
    assert answer["rank_correlation"] == pytest.approx(1.0)
    assert answer["shared_neighbours"] == 1.0


def test_layers_are_compared_with_labels_or_without(tiny: Callable[..., Path]) -> None:
    questions = VectorQuestions(VectorService(ModelService(Settings(checkpoint=str(tiny())))))
    for labels in (None, ["a", "", "b"] * 3):
        answer = questions.layers(SENTENCES, labels)
        assert json.loads(json.dumps(answer)) == answer
        assert len(answer["rows"]) == 6
        assert answer["n_labelled"] == (6 if labels else 0)
    with pytest.raises(InputError, match="9 sentences and 1 labels"):
        questions.layers(SENTENCES, ["a"])
