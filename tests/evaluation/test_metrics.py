"""Scores and their confidence are counted by one rule."""

import json
import math
import random

import numpy as np
import pytest

from mtdemo.data.records import TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.evaluation.metrics import (
    predicted_spans,
    right_entities,
    score_classes,
    score_entities,
    score_similarity,
)
from mtdemo.results import Entity, SentenceAnalysis
from mtdemo.text.tags import tag_spans

TYPES = ("PER", "ORG", "LOC")


def analysis(text: str, entities: tuple[Entity, ...] = (), embedding: np.ndarray | None = None) -> SentenceAnalysis:
    vector = np.ones(3, dtype=np.float32) if embedding is None else embedding.astype(np.float32)
    return SentenceAnalysis(text, 3, 0, 0, vector, {"a": 1.0}, entities)


def as_entities(tags: list[str], sentence: TaggedSentence) -> tuple[Entity, ...]:
    spans = sentence.token_spans
    return tuple(
        Entity(sentence.text[spans[first][0] : spans[last][1]], label, 0.9, spans[first][0], spans[last][1])
        for first, last, label in tag_spans(tags)
    )


def random_case(seed: int) -> tuple[list[TaggedSentence], list[list[str]]]:
    draw = random.Random(seed)
    gold, predicted = [], []
    for _ in range(50):
        n = draw.randint(1, 12)
        tags = [draw.choice(["O", "O", *(f"{prefix}-{name}" for prefix in "BI" for name in TYPES)]) for _ in range(n)]
        gold.append(TaggedSentence(tuple("ab" * draw.randint(1, 3) for _ in range(n)), tuple(tags)))
        predicted.append([tag if draw.random() < 0.7 else draw.choice(["O", "B-PER", "I-LOC"]) for tag in tags])
    return gold, predicted


@pytest.mark.parametrize("seed", range(5))
def test_entity_scores_equal_seqeval(seed: int) -> None:
    from seqeval.metrics import f1_score, precision_score, recall_score

    gold, predicted = random_case(seed)
    answers = [analysis(s.text, as_entities(tags, s)) for s, tags in zip(gold, predicted, strict=True)]
    scores = score_entities(gold, answers)
    expected = [list(sentence.tags) for sentence in gold]
    assert scores.precision == pytest.approx(precision_score(expected, predicted))
    assert scores.recall == pytest.approx(recall_score(expected, predicted))
    assert scores.f1 == pytest.approx(f1_score(expected, predicted))
    per_label = dict(zip(TYPES, [scores.per_label[name].f1 for name in TYPES], strict=True))
    assert per_label == pytest.approx(dict(zip(sorted(TYPES), f1_score(expected, predicted, average=None), strict=True)))


@pytest.mark.parametrize("seed", range(3))
def test_class_scores_equal_scikit_learn(seed: int) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    draw = random.Random(seed)
    labels = ["negative", "neutral", "positive"]
    gold = [draw.choice(labels) for _ in range(100)]
    predicted = [draw.choice([label, *labels]) for label in gold]
    scores = score_classes(gold, predicted, labels)
    assert scores.accuracy == pytest.approx(accuracy_score(gold, predicted))
    assert scores.macro_f1 == pytest.approx(f1_score(gold, predicted, average="macro"))


def test_similarity_scores_equal_scipy_with_ties() -> None:
    from scipy.stats import pearsonr, spearmanr

    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 40, 8))
    second[5:10], first[5:10] = second[0], first[0]
    ratings = generator.integers(0, 5, size=40).astype(float)
    cosines = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    scores = score_similarity(
        ratings.tolist(), [analysis("x", embedding=v) for v in first], [analysis("y", embedding=v) for v in second]
    )
    assert scores.spearman == pytest.approx(spearmanr(ratings, cosines).statistic, abs=1e-3)
    assert scores.pearson == pytest.approx(pearsonr(ratings, cosines).statistic, abs=1e-5)


def test_ignored_types_are_left_out_on_both_sides() -> None:
    gold = [TaggedSentence(("a", "b", "c"), ("PER", "MISC", "O"))]
    answer = analysis("a b c", (Entity("a", "PER", 0.9, 0, 1), Entity("c", "MISC", 0.9, 4, 5)))
    assert score_entities(gold, [answer], ["MISC"]).f1 == 1.0
    assert score_entities(gold, [answer]).f1 == pytest.approx(0.5)


def test_a_type_that_the_source_does_not_annotate_is_no_mistake() -> None:
    answer = analysis("a b", (Entity("a", "PER", 0.9, 0, 1), Entity("b", "MISC", 0.9, 2, 3)))
    assert score_entities([TaggedSentence(("a", "b"), ("PER", "O"), ("PER",))], [answer]).precision == 1.0
    assert score_entities([TaggedSentence(("a", "b"), ("PER", "O"))], [answer]).precision == 0.5


def test_a_token_belongs_to_the_first_entity_that_touches_it() -> None:
    sentence = TaggedSentence(("Ada", "b", "Rome-Oslo", "c"), ("O",) * 4)
    found = [
        Entity("da", "PER", 0.9, 1, 3), Entity("Rome", "LOC", 0.8, 6, 10), Entity("Oslo", "LOC", 0.6, 11, 15),
        Entity("slo", "ORG", 0.5, 12, 15),
    ]  # fmt: skip
    assert predicted_spans(sentence, found) == [((0, 0, "PER"), 0.9), ((2, 2, "LOC"), pytest.approx(0.7))]


def test_a_correlation_without_variety_is_refused() -> None:
    with pytest.raises(DataFileError, match="different ratings"):
        score_similarity([1.0, 1.0], [analysis("a")] * 2, [analysis("b")] * 2)


def test_an_entity_is_right_when_span_and_type_are_and_unmarked_types_say_nothing() -> None:
    gold = [TaggedSentence(("New", "York", "Ada"), ("LOC", "LOC", "O"), ("LOC", "PER"))]
    found = (
        Entity("New York", "LOC", 0.9, 0, 8),
        Entity("York", "LOC", 0.8, 4, 8),
        Entity("Ada", "PER", 0.7, 9, 12),
        Entity("Ada", "MISC", 0.6, 9, 12),
    )
    right = [right_entities(gold, [analysis(gold[0].text, (entity,))]) for entity in found]
    assert right == [[(0.9, True)], [(0.8, False)], [(0.7, False)], []]


def test_touching_names_of_one_type_count_as_conlleval_counts_them() -> None:
    gold = [TaggedSentence(("Ada", "Bob", "sat"), ("B-PER", "B-PER", "O"))]
    apart = (Entity("Ada", "PER", 0.9, 0, 3), Entity("Bob", "PER", 0.5, 4, 7))
    scores = score_entities(gold, [analysis("Ada Bob sat", apart)])
    assert (scores.f1, scores.per_label["PER"].support, scores.n_touching) == (1.0, 2, 1)
    assert right_entities(gold, [analysis("Ada Bob sat", apart)]) == [(0.9, True), (0.5, True)]
    as_one = (Entity("Ada Bob", "PER", 0.8, 0, 7),)  # all that IO labels can say
    assert score_entities(gold, [analysis("Ada Bob sat", as_one)]).f1 == 0.0
    assert right_entities(gold, [analysis("Ada Bob sat", as_one)]) == [(0.8, False)]


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
    same = [analysis("a", embedding=np.array([1.0, 0.5]))] * 3
    scores = score_similarity([1.0, 2.0, 3.0], same, same)
    assert math.isnan(scores.spearman) and math.isnan(scores.pearson)
    assert json.loads(json.dumps(scores.as_dict()), parse_constant=pytest.fail) == {
        "spearman": None, "pearson": None, "n_pairs": 3,
    }  # fmt: skip
