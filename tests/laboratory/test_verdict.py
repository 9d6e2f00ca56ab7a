"""Verdicts are never stronger than their intervals."""

from collections.abc import Sequence

import numpy as np
import pytest

from mtdemo.evaluation.tallies import entity_f1, macro_f1, tally_classes
from mtdemo.laboratory.outcome import Outcome, TaskDrift
from mtdemo.laboratory.questions import QUESTIONS, find_question
from mtdemo.laboratory.verdict import (
    MIN_TO_CONCLUDE,
    ArmResult,
    Difference,
    compare,
    compare_both_tasks,
    find_enough,
    judge_protection,
    judge_sharing,
    signed,
)

N = 72


def tally(n_right: int, n: int) -> np.ndarray:
    """Sentences with one gold and one predicted entity each, the first ones right."""
    return np.array([(float(place < n_right), 1.0, 1.0) for place in range(n)])


def test_equal_answers_differ_by_exactly_nothing() -> None:
    same = compare(tally(30, 40), tally(30, 40), entity_f1)
    assert (same.value, same.lower, same.upper, same.direction) == (0.0, 0.0, 0.0, "unclear")


def test_the_interval_is_that_of_paired_sentences() -> None:
    """One sentence in ten differs, so the difference of a draw is binomial; pairing forgets the other nine."""
    n = 100
    difference = compare(tally(60, n), tally(70, n), entity_f1)
    assert difference.value == pytest.approx(0.1)
    drawn = np.random.default_rng(0).binomial(n, 0.1, 100_000) / n
    assert (difference.lower, difference.upper) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.011)
    assert difference.direction == "higher"
    assert compare(tally(70, n), tally(60, n), entity_f1).direction == "lower"


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator, hits = np.random.default_rng(1), 0
    for _ in range(60):
        first, second = (tally(0, 72) for _ in range(2))
        first[:, 0], second[:, 0] = generator.random(72) < 0.7, generator.random(72) < 0.7
        difference = compare(first, second, entity_f1)
        hits += difference.lower <= 0.0 <= difference.upper
    assert hits >= 52, "0.95 of 60 is 57, and fewer than 52 has a chance below 0.01"


def test_more_comparisons_have_wider_intervals() -> None:
    one, eight = (compare(tally(60, 100), tally(66, 100), entity_f1, n) for n in (1, 8))
    assert (one.level, eight.level) == (0.95, pytest.approx(1 - 0.05 / 8))
    assert eight.lower < one.lower < one.upper < eight.upper


@pytest.mark.parametrize(("n", "direction"), [(MIN_TO_CONCLUDE - 1, "unclear"), (MIN_TO_CONCLUDE, "higher")])
def test_few_sentences_conclude_nothing_however_clear_they_look(n: int, direction: str) -> None:
    assert compare(tally(0, n), tally(n, n), entity_f1).direction == direction


def test_the_scores_are_those_of_the_tallies() -> None:
    gold = ["a", "b", "c"] * 20
    first, second = tally_classes(gold, gold), tally_classes(gold, ["a"] * 60)
    difference = compare(first, second, macro_f1)
    assert (difference.first, difference.second) == (macro_f1(first), macro_f1(second)) == (1.0, pytest.approx(1 / 6))


def test_differences_are_written_with_sign_level_and_ends() -> None:
    assert Difference(0.8, 0.75, -0.11, 0.01, 0.9875, 72).phrase == "−0.050 (98.8 %: −0.110 to +0.010)"
    assert [signed(value) for value in (-0.0001, 0.0, 0.05)] == ["0.000", "0.000", "+0.050"]


def drift(n_before: int, n_after: int, n_changed: int = 0, n: int = N, is_classes: bool = False) -> TaskDrift:
    """So many of the sentences are right, each with one gold and one predicted item."""
    tallies = [np.array([(float(place < right), 1.0, 1.0) for place in range(n)]) for right in (n_before, n_after)]
    if is_classes:
        tallies = [tally[:, None, :] for tally in tallies]
    return TaskDrift(n_before / n, n_after / n, n_changed / n, n_changed == 0, *tallies)


def arm(title: str, entities: TaskDrift, classes: TaskDrift) -> ArmResult:
    nothing = ((), 1.0, entities, classes, 1.0, {}, (), (), "done", None, None, (), ())
    return ArmResult(title, Outcome(*nothing))  # type: ignore[arg-type]


def learned(title: str, n_entities: int, n_classes: int, n: int = N) -> ArmResult:
    return arm(title, drift(40, n_entities, n=n), drift(40, n_classes, n=n, is_classes=True))


SAME = arm("backbone frozen too", drift(60, 60), drift(50, 60, 10, is_classes=True))


@pytest.mark.parametrize(
    ("entities", "headline", "words"),
    [
        (drift(60, 40, 20), "No.", "changed its answer on 20 of 72 sentences: F1 0.833 → 0.556, −0.278"),
        (drift(60, 40, 20), "No.", "it got worse"),
        (drift(60, 59, 1), "No.", "better or worse cannot be told on 72 sentences"),
        (drift(60, 60, 0), "Yes, in this run.", "changed its answer on 0 of 72"),
        (TaskDrift(1.0, 1.0, 0.0, False, *[np.ones((N, 3))] * 2), "Not refuted on 72 sentences.", "on 0 of 72"),
        (drift(18, 2, 16, n=20), "20 sentences are too few to conclude.", "cannot be told on 20 sentences"),
    ],
)
def test_a_head_is_protected_only_where_no_answer_changed(entities: TaskDrift, headline: str, words: str) -> None:
    verdict = judge_protection([SAME, arm("backbone trains", entities, drift(50, 60, 10, is_classes=True))])
    assert verdict.headline == headline
    assert words in " ".join(verdict.points)
    assert "With the backbone frozen too, every answer stayed the same, bit for bit." in verdict.points


def test_arms_that_differ_are_named_and_the_others_are_not() -> None:
    verdict = compare_both_tasks([learned("heads only", 40, 40), learned("LoRA", 60, 41)])
    assert verdict.headline == "Entities: LoRA better than heads only. The rest (1 of 2) cannot be told apart."
    assert [difference.direction for _, difference in verdict.differences] == ["higher", "unclear"]
    worse = compare_both_tasks([learned("heads only", 60, 60), learned("LoRA", 40, 40)])
    assert worse.headline == "Entities: LoRA worse than heads only; classes: LoRA worse than heads only."
    assert compare_both_tasks([learned("a", 40, 40), learned("b", 41, 42)]).headline == "Cannot tell on 72 sentences."
    few = compare_both_tasks([learned("a", 1, 1, 12), learned("b", 12, 12, 12)])
    assert few.headline == "12 sentences are too few to conclude."


def test_the_cheapest_arm_as_good_as_the_last_is_found() -> None:
    names = ("heads only", "+ last layer", "+ last 2", "all layers")

    def verdict(*right: int) -> str:
        return find_enough([learned(name, n, n) for name, n in zip(names, right, strict=True)]).headline

    assert verdict(40, 60, 60, 60) == "+ last layer: as good as all layers."
    assert verdict(60, 60, 60, 60) == "Heads only: as good as all layers."
    assert verdict(30, 35, 40, 65) == "All layers: every other arm is worse."
    assert verdict(57, 58, 59, 60) == "Cannot tell on 72 sentences.", "0.01 below, but the intervals reach farther"


def test_a_task_gains_or_loses_by_the_other() -> None:
    def verdict(both: tuple[int, int]) -> str:
        return judge_sharing([learned("c", 40, 50), learned("e", 50, 40), learned("both", *both)]).headline

    assert verdict((65, 30)) == "Entities gain and classes lose by the other's loss."
    assert verdict((65, 50)) == "Entities gain by the other's loss."
    assert verdict((50, 51)) == "Cannot tell on 72 sentences."


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_every_verdict_says_only_what_an_interval_bears_out(question: object) -> None:
    """Whatever the arms did: words of a difference stand there only beside an interval without 0."""
    assert isinstance(question, type(QUESTIONS[0]))
    generator = np.random.default_rng(5)
    for _ in range(6):
        right: Sequence[Sequence[int]] = generator.integers(30, 70, size=(len(question.arms), 2)).tolist()
        arms = [learned(each.title, *numbers) for each, numbers in zip(question.arms, right, strict=True)]
        verdict = question.judge(arms)
        unclear = all(difference.direction == "unclear" for _, difference in verdict.differences)
        if unclear and question.name not in {"protection", "layers"}:
            assert verdict.headline == "Cannot tell on 72 sentences."
        for _, difference in verdict.differences:
            assert any(difference.phrase in point for point in verdict.points)


def test_questions_are_found_by_name() -> None:
    assert [find_question(question.name) for question in QUESTIONS] == list(QUESTIONS)
