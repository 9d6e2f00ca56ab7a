"""Scores and their confidence are counted by one rule."""

import json
import math
import random

import numpy as np
import pytest

from mtdemo.data.records import TaggedSentence
from mtdemo.evaluation.metrics import right_entities, score_entities, score_similarity
from mtdemo.results import Entity, SentenceAnalysis


def analysis(text: str, entities: tuple[Entity, ...] = (), *vector: float) -> SentenceAnalysis:
    return SentenceAnalysis(text, 3, 0, np.asarray(vector or (1.0,), dtype=np.float32), {"a": 1.0}, entities)


def test_neighbours_of_one_type_are_one_entity_with_the_mean_of_their_scores() -> None:
    gold = [TaggedSentence(("Ada", "Bob", "sat"), ("B-PER", "B-PER", "O"))]
    found = (Entity("Ada", "PER", 0.9, 0, 3), Entity("Bob", "PER", 0.5, 4, 7))
    assert score_entities(gold, [analysis("Ada Bob sat", found)]).f1 == 1.0
    assert right_entities(gold, [analysis("Ada Bob sat", found)]) == [(pytest.approx(0.7), True)]
    assert right_entities(gold, [analysis("Ada Bob sat", found[:1])]) == [(0.9, False)]


def test_two_entities_in_one_token_are_one() -> None:
    gold = [TaggedSentence(("Paris-Rome", "."), ("LOC", "O"))]
    found = (Entity("Paris", "LOC", 0.8, 0, 5), Entity("Rome", "LOC", 0.6, 6, 10))
    assert right_entities(gold, [analysis("Paris-Rome .", found)]) == [(pytest.approx(0.7), True)]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_right_is_what_scores_count(seed: int) -> None:
    draw = random.Random(seed)
    gold, answers = [], []
    for _ in range(40):
        n = draw.randint(1, 10)
        annotated = draw.choice([None, ("PER",), ("PER", "LOC")])
        tags = tuple(draw.choice(["O", "B-PER", "I-PER", *(["LOC"] if annotated != ("PER",) else [])]) for _ in range(n))
        gold.append(TaggedSentence(tuple("ab" * draw.randint(1, 3) for _ in range(n)), tags, annotated))
        places = [place for place in gold[-1].token_spans if draw.random() < 0.6]
        labels = [draw.choice(["PER", "LOC"]) for _ in places]
        found = (Entity("x", label, draw.random(), *place) for label, place in zip(labels, places, strict=True))
        answers.append(analysis(gold[-1].text, tuple(found)))
    right, scores = right_entities(gold, answers), score_entities(gold, answers)
    assert sum(is_right for _, is_right in right) / len(right) == pytest.approx(scores.precision)
    assert all(0 <= score <= 1 for score, _ in right)


def test_equal_cosines_have_no_correlation_and_the_report_is_json() -> None:
    same = [analysis("a", (), 1.0, 0.5)] * 3
    scores = score_similarity([1.0, 2.0, 3.0], same, same)
    assert math.isnan(scores.spearman) and math.isnan(scores.pearson)
    assert json.loads(json.dumps(scores.as_dict()), parse_constant=pytest.fail) == {
        "spearman": None, "pearson": None, "n_pairs": 3,
    }  # fmt: skip
