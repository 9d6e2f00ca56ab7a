"""Scores by source: the tally of all rows is the score, and intervals are those of rows drawn again."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtdemo.config import Settings
from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.evaluate import answer_again, answer_file
from mtdemo.evaluation.metrics import ClassScores
from mtdemo.evaluation.sources import N_DRAWS, Estimate, report_sources
from mtdemo.evaluation.task_tests import TASK_TESTS, AnsweredRows
from mtdemo.results import Entity, ModelInfo, SentenceAnalysis
from mtdemo.serving.service import ModelService

LABELS = ("negative", "neutral", "positive")
MODEL = ModelInfo("x", "x", 1, 1, 1, 1, LABELS, ("PER",), ("ner_head", "classification_head"))
ENTITIES, CLASSES, PAIRS = TASK_TESTS


def analysis(label: str = "neutral", confidence: float = 0.8, finds: bool = False, x: float = 1.0) -> SentenceAnalysis:
    others = dict.fromkeys(LABELS, (1 - confidence) / 2)
    found = (Entity("ada", "PER", 0.9, 0, 3),) if finds else ()
    return SentenceAnalysis("ada b", 4, 0, 0, np.array([1.0, x], dtype=np.float32), {**others, label: confidence}, found)


def answered_classes(n: int, share_right: float, seed: int = 1, source: str = "") -> AnsweredRows:
    draw = random.Random(seed)
    gold = [draw.choice(LABELS) for _ in range(n)]
    answers = [analysis(label if draw.random() < share_right else draw.choice(LABELS)) for label in gold]
    return AnsweredRows(CLASSES, [LabelledSentence("a", label, source) for label in gold], answers, MODEL)


def joined(*parts: AnsweredRows) -> AnsweredRows:
    rows, answers = ([value for part in parts for value in getattr(part, name)] for name in ("rows", "answers"))
    return replace(parts[0], rows=rows, answers=answers)


def tagged(tags: Sequence[str], source: str = "") -> TaggedSentence:
    return TaggedSentence(("ada", "b"), tuple(tags), source=source)


@pytest.mark.parametrize("seed", range(3))
def test_the_tally_of_all_rows_is_the_score_of_every_task(seed: int) -> None:
    draw = random.Random(seed)
    sentences = [tagged(draw.choice((("PER", "O"), ("O", "PER"), ("O", "O")))) for _ in range(40)]
    found = [analysis(finds=draw.random() < 0.5) for _ in sentences]
    pairs = [RatedPair(draw.random() * 5, "a", "b") for _ in range(20)]
    embedded = [analysis(x=draw.gauss(0, 1)) for _ in range(40)]
    for answered in (
        AnsweredRows(ENTITIES, sentences, found, MODEL),
        AnsweredRows(ENTITIES, sentences, found, MODEL, ("PER",)),
        answered_classes(60, 0.5, seed),
        AnsweredRows(PAIRS, pairs, embedded, MODEL),
    ):
        assert len(answered.tally) == len(answered.rows)
        assert answered.test.score_tally(answered.tally) == pytest.approx(answered.scores.main)


def test_an_interval_is_that_of_the_normal_approximation_where_there_is_one() -> None:
    """With one class at hand, macro-F1 is a function of the share right, whose standard error is known."""
    rows = [LabelledSentence("a", "positive")] * 400
    answered = AnsweredRows(CLASSES, rows, [analysis("positive")] * 300 + [analysis("negative")] * 100, MODEL)
    total = report_sources(answered).total
    shares = [0.75 + sign * 1.96 * (0.75 * 0.25 / 400) ** 0.5 for sign in (-1, 0, 1)]
    assert [total.score.lower, total.score.value, total.score.upper] == pytest.approx(
        [2 * share / (1 + share) for share in shares], abs=0.006
    )


def test_sources_count_alike_and_err_apart_in_their_mean() -> None:
    large, small = answered_classes(500, 0.4, 1, "large"), answered_classes(50, 0.9, 2, "small")
    report = report_sources(joined(large, small))
    assert list(report.sources) == ["large", "small"]
    assert [source.n_rows for source in report.sources.values()] == [500, 50]
    assert report.mean is not None and report.mean.score.value is not None
    values = [large.scores.main, small.scores.main]
    assert report.mean.score.value == pytest.approx(sum(values) / 2)
    assert report.total.score.value == pytest.approx(joined(large, small).scores.main)
    widths = [width(source.score) for source in report.sources.values()]
    assert width(report.mean.score) == pytest.approx(sum(each**2 for each in widths) ** 0.5 / 2, rel=0.1)
    assert report_sources(joined(large, small)) == report, "the draws have a seed"


def width(estimate: Estimate) -> float:
    assert estimate.lower is not None and estimate.upper is not None
    return estimate.upper - estimate.lower


def test_a_source_without_a_class_is_scored_over_those_that_it_has() -> None:
    rows = [LabelledSentence("a", label, "two") for label in ("positive", "negative") * 5]
    answered = AnsweredRows(CLASSES, rows, [analysis(row.label) for row in rows], MODEL)
    assert report_sources(answered).sources["two"].score == Estimate(1.0, 1.0, 1.0)
    scores = answered.scores
    assert isinstance(scores, ClassScores)
    assert scores.macro_f1 == 1.0
    assert scores.per_label["neutral"].support == 0


def test_a_model_does_not_differ_from_itself_and_differs_less_than_its_scores_do_from_theirs() -> None:
    one = joined(answered_classes(200, 0.8, 1, "a"), answered_classes(100, 0.8, 2, "b"))
    same = report_sources(one, one)
    for score in (same.total, same.mean, *same.sources.values()):
        assert score is not None
        assert score.difference == Estimate(0.0, 0.0, 0.0)
        assert score.other_score == score.score
    # The other answers as this one does, but for ten rows that it gets wrong.
    wrong = [analysis(LABELS[LABELS.index(row.label) - 1]) for row in one.rows[:10]]
    found = report_sources(one, replace(one, answers=[*wrong, *one.answers[10:]])).total
    assert found.difference is not None and found.difference.lower is not None and found.difference.lower > 0
    assert width(found.difference) < width(found.score) / 2, "what both get wrong is no part of the difference"


def test_a_calibration_error_is_that_of_the_source() -> None:
    sure = [LabelledSentence("a", "positive", "sure")] * 10
    unsure = [LabelledSentence("a", "positive", "unsure")] * 10
    answers = [analysis("positive", 1.0)] * 10 + [analysis("positive", 0.5)] * 10
    report = report_sources(AnsweredRows(CLASSES, [*sure, *unsure], answers, MODEL))
    errors = [score.calibration_error for score in (*report.sources.values(), report.mean, report.total) if score]
    assert errors == pytest.approx([0.0, 0.5, 0.25, 0.25])
    nothing = AnsweredRows(ENTITIES, [tagged(("PER", "O"))], [analysis()], MODEL)
    assert report_sources(nothing).total.calibration_error is None


def test_a_correlation_of_constants_is_no_number_and_the_report_stays_json() -> None:
    pairs = [RatedPair(float(n), "a", "b") for n in range(5)]
    report = report_sources(AnsweredRows(PAIRS, pairs, [analysis()] * 10, MODEL))
    assert report.total.score == Estimate(None, None, None)
    assert (report.mean, report.sources, report.items) == (None, {}, "pairs")
    assert json.loads(json.dumps(report.as_dict(), allow_nan=False))["n_draws"] == N_DRAWS
    assert report.total.score.phrase == "– (– to –)"


def test_rows_without_a_source_are_one_part_beside_the_named_ones() -> None:
    answered = joined(answered_classes(10, 1, 1, "a"), answered_classes(10, 1, 2))
    assert list(answered.by_source()) == ["a", "no source named"]
    assert answered_classes(10, 1).by_source() == {}


def test_two_models_answer_the_rows_of_a_file(tmp_path: Path, tiny: Callable[..., Path]) -> None:
    path = tmp_path / "classes.jsonl"
    rows = [{"text": f"the cat {n}", "label": LABELS[n % 3], "source": "ab"[n % 2]} for n in range(12)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, other = (ModelService(Settings(checkpoint=str(tiny(f"m{seed}", seed=seed)))) for seed in (1, 2))
    told: list[tuple[str, int, int]] = []
    answered = answer_file(one, "classification", path)
    again = answer_again(answered, other, "x", lambda *counts: told.append(counts))
    assert told[-1] == ("evaluating the other model", 12, 12)
    report = report_sources(answered, again, lambda *counts: told.append(counts))
    assert told[-1] == ("drawing rows", 3, 3)
    assert report.sources["a"].other_score == report_sources(again).sources["a"].score
    assert answer_again(answered, one, "x").scores == answered.scores
