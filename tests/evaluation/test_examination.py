from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtdemo.data.records import LabelledSentence, make_tagged
from mtdemo.evaluation.examination import (
    ALL_TYPES,
    ERROR_KINDS,
    ClassExamination,
    EntityExamination,
    examine_classes,
    examine_entities,
)
from mtdemo.evaluation.sources import Estimate, estimate, estimate_difference
from mtdemo.evaluation.tallies import entity_f1, macro_f1, tally_classes
from mtdemo.results import Entity, SentenceAnalysis
from tests.ui.conftest import INFO, analyse

LABELS = ("a", "b", "c")


def examined(n: int = 60) -> ClassExamination:
    draw = np.random.default_rng(3)
    model = replace(INFO, class_labels=LABELS)
    rows = [LabelledSentence(f"text {k}", LABELS[draw.integers(3)]) for k in range(n)]
    answers = []
    for row in rows:
        values = draw.dirichlet((1, 1, 1))
        answers.append(replace(analyse(row.text), probabilities=dict(zip(LABELS, values.tolist(), strict=True))))
    return examine_classes(rows, answers, model)


def test_scores_and_confusion_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

    found = examined()
    assert found.accuracy.value == pytest.approx(accuracy_score(found.gold, found.predicted))
    assert found.macro_f1.value == pytest.approx(f1_score(found.gold, found.predicted, average="macro"))
    assert found.scores.macro_f1 == pytest.approx(found.macro_f1.value)
    assert np.array_equal(found.confusion, confusion_matrix(found.gold, found.predicted, labels=LABELS))


def test_intervals_hold_their_value() -> None:
    for shown in (examined().accuracy, examined().macro_f1):
        assert 0 <= shown.lower < shown.value < shown.upper <= 1


def test_cells_part_the_sentences_and_mistakes_are_what_is_off_the_diagonal() -> None:
    found = examined()
    cells = [found.find(gold, predicted) for gold in LABELS for predicted in LABELS]
    assert sorted(place for cell in cells for place in cell) == list(range(60))
    wrong = [place for gold in LABELS for predicted in LABELS if gold != predicted for place in found.find(gold, predicted)]
    assert sorted(found.mistakes) == sorted(wrong)
    sure = [found.confidences[place] for place in found.mistakes]
    assert sure == sorted(sure, reverse=True)


def test_to_abstain_costs_coverage_and_nothing_is_answered_above_all_confidences() -> None:
    found = examined()
    everything = found.abstain(0.0)
    assert (everything.coverage, everything.accuracy) == (1.0, found.scores.accuracy)
    shares = [found.abstain(threshold / 20).coverage for threshold in range(21)]
    assert shares == sorted(shares, reverse=True)
    assert found.abstain(1.1).accuracy is None
    half = found.abstain(0.6)
    right = [g == p for g, p, c in zip(found.gold, found.predicted, found.confidences, strict=True) if c >= 0.6]
    assert half.accuracy == pytest.approx(np.mean(right))


def test_a_chosen_threshold_answers_most_of_all_that_are_right_so_often() -> None:
    found = replace(examined(), confidences=tuple(round(c, 1) for c in examined().confidences))  # with many ties
    everything = [found.abstain(confidence) for confidence in {*found.confidences}]
    for accuracy in (0.0, 0.3, 0.35, 0.4, 0.5, 1.0):
        good = [one for one in everything if one.accuracy >= accuracy]
        assert found.choose_threshold(accuracy) == max(good, key=lambda one: one.coverage, default=None)
    assert found.choose_threshold(0.0).coverage == 1.0


def test_a_class_that_only_the_file_has_is_a_row_without_hits() -> None:
    found = examine_classes(
        [LabelledSentence("x", "new"), LabelledSentence("y", "yes")], [analyse("x"), analyse("y")], INFO
    )
    assert found.labels == ("no", "yes", "new")
    assert found.confusion == ((0, 0, 0), (0, 1, 0), (0, 1, 0))
    assert found.scores.accuracy == 0.5


def test_a_difference_of_a_model_with_itself_is_none() -> None:
    found = examined()
    tally = tally_classes(found.gold, found.predicted)
    same = estimate_difference(tally, tally, macro_f1)
    assert (same.value, same.lower, same.upper) == (0.0, 0.0, 0.0)
    perfect = estimate_difference(tally_classes(found.gold, found.gold), tally, macro_f1)
    assert perfect.value == pytest.approx(1 - found.scores.macro_f1)
    assert perfect.lower > 0


TOKENS = ("Ada", "Byron", "met", "Bob", "in", "New", "York", "City", "today", "Acme")
GOLD = ("B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "O", "O")


def answer(*spans: tuple[int, int, str]) -> SentenceAnalysis:
    row = make_tagged(TOKENS, GOLD)
    places = row.token_spans
    entities = tuple(
        Entity(row.text[places[a][0] : places[b][1]], label, 0.5, places[a][0], places[b][1]) for a, b, label in spans
    )
    return replace(analyse(row.text), entities=entities)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        (((0, 1, "PER"), (3, 3, "PER"), (5, 7, "LOC")), {}),
        ((), {"missed": 3}),
        (((0, 1, "PER"), (3, 3, "ORG"), (5, 7, "LOC")), {"type": 1}),
        (((0, 0, "PER"), (3, 3, "PER"), (5, 7, "LOC")), {"boundary": 1}),
        (((0, 1, "PER"), (3, 3, "PER"), (5, 6, "ORG")), {"boundary and type": 1}),
        (((0, 1, "PER"), (3, 3, "PER"), (5, 7, "LOC"), (9, 9, "ORG")), {"spurious": 1}),
        (((0, 0, "PER"), (1, 1, "PER"), (3, 3, "PER"), (5, 7, "LOC")), {"boundary": 1, "spurious": 1}),
        (((0, 3, "PER"), (5, 7, "LOC")), {"boundary": 1, "missed": 1}),
    ],
)
def test_each_error_has_one_kind(spans: tuple[tuple[int, int, str], ...], expected: dict[str, int]) -> None:
    found = examine_entities([make_tagged(TOKENS, GOLD)], [answer(*spans)])
    assert found.counts == {kind: expected.get(kind, 0) for kind in ERROR_KINDS}


def test_kinds_sum_to_what_is_wrong_and_scores_are_those_of_seqeval() -> None:
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    draw = np.random.default_rng(0)
    rows, answers, tags = [], [], []
    for _ in range(40):
        cuts = sorted(draw.choice(11, size=4, replace=False).tolist())
        spans = [(a, b - 1, str(draw.choice(["PER", "LOC", "ORG"]))) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
        rows.append(make_tagged(TOKENS, GOLD))
        answers.append(answer(*spans))
        row = ["O"] * 10
        for a, b, label in spans:
            row[a : b + 1] = [f"B-{label}", *[f"I-{label}"] * (b - a)]
        tags.append(row)
    found = examine_entities(rows, answers)
    assert found.f1.value == pytest.approx(f1_score([list(GOLD)] * 40, tags, mode="strict", scheme=IOB2))
    n_gold = sum(score.support for score in found.scores.per_label.values())
    paired = sum(found.counts[kind] for kind in ("boundary", "type", "boundary and type"))
    assert found.n_right + found.counts["missed"] + paired == n_gold == 120
    assert found.n_right + found.counts["spurious"] + paired == sum(len(a.entities) for a in answers)
    assert found.scores.recall == pytest.approx(found.n_right / n_gold)
    check_intervals_by_type(found)


def check_intervals_by_type(found: EntityExamination) -> None:
    by_type = found.by_type
    assert list(by_type) == [*found.scores.per_label, ALL_TYPES]
    assert by_type[ALL_TYPES].f1 == found.f1
    for name, score in found.scores.per_label.items():
        its = by_type[name]
        assert (its.precision.value, its.recall.value, its.f1.value) == pytest.approx(
            (score.precision, score.recall, score.f1)
        )
        for one in (its.precision, its.recall, its.f1):
            assert (one.lower, one.upper) == (None, None) or 0 <= one.lower <= one.value <= one.upper <= 1
    of_person = found.tally[:, list(found.scores.per_label).index("PER")]
    assert by_type["PER"].f1 == estimate(of_person, entity_f1)
    assert by_type["ORG"].recall == Estimate(0.0, None, None), "the file has none, so no draw says anything"
