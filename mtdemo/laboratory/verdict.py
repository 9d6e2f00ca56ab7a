"""Verdicts of experiments: differences between arms, the intervals that chance leaves them, and rules for words.

An interval is that of the paired percentile bootstrap over the held-out sentences (Efron & Tibshirani 1993; Koehn 2004,
https://aclanthology.org/W04-3250): both arms are scored on the same sentences, drawn with replacement, so that what a hard
sentence costs both is no part of their difference. Where an experiment makes several comparisons each gets a wider
interval (Bonferroni), so that all of them hold together at 95 %. The intervals tell of other sentences, not of other seeds.

The rule of every verdict: a difference is called one only where its interval leaves out 0. With fewer than
`MIN_TO_CONCLUDE` sentences nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from mtdemo.evaluation.tallies import Tally, entity_f1, macro_f1
from mtdemo.laboratory.outcome import Outcome, TaskDrift
from mtdemo.models.parts import LEARNED_TASKS

MIN_TO_CONCLUDE = 30  # held-out sentences
N_DRAWS, SEED, LEVEL = 2_000, 13, 0.95
MARGIN = 0.02  # of a score: arms that lose less than this are as good, in the rule of `find_enough`
_SCORES: dict[str, Callable[[Tally], float]] = {"entities": entity_f1, "classes": macro_f1}
Direction = Literal["higher", "lower", "unclear"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two scores on the same sentences.

    Attributes:
        first, second: the scores, 0 to 1.
        lower, upper: ends of the interval of second - first.
        level: share of the draws inside the interval, 0 to 1.
        n_sentences: that were drawn from.
    """

    first: float
    second: float
    lower: float
    upper: float
    level: float
    n_sentences: int

    @property
    def value(self) -> float:
        """Second score minus the first, -1 to 1."""
        return self.second - self.first

    @property
    def direction(self) -> Direction:
        """Direction of the difference, as far as it is known."""
        if self.n_sentences < MIN_TO_CONCLUDE or self.lower <= 0.0 <= self.upper:
            return "unclear"
        return "higher" if self.lower > 0.0 else "lower"

    @property
    def phrase(self) -> str:
        """The difference in words, with its interval."""
        level = f"{100 * self.level:.1f}".removesuffix(".0")
        return f"{signed(self.value)} ({level} %: {signed(self.lower)} to {signed(self.upper)})"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "value": self.value, "direction": self.direction}


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer to a question of the laboratory, in words.

    Attributes:
        headline: the answer in a few words, such as `No.` or `Cannot tell on 72 sentences.`
        points: what it rests on, a sentence each.
        differences: what was compared, by a phrase that names both sides.
    """

    headline: str
    points: tuple[str, ...]
    differences: tuple[tuple[str, Difference], ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "headline": self.headline,
            "points": list(self.points),
            "differences": {name: difference.as_dict() for name, difference in self.differences},
        }


def compare(first: Tally, second: Tally, score: Callable[[Tally], float], n_comparisons: int = 1) -> Difference:
    """Compare two tallies of the same sentences.

    Args:
        first: (sentences, …), as `mtdemo.evaluation.tallies` counts them.
        second: of the same shape.
        score: makes a score of a tally.
        n_comparisons: that are made together; the more, the wider is each interval.
    """
    generator, n = np.random.default_rng(SEED), len(first)
    draws = generator.integers(n, size=(N_DRAWS, n))
    differences = [score(second[drawn]) - score(first[drawn]) for drawn in draws]
    tail = (1 - LEVEL) / max(1, n_comparisons)
    lower, upper = np.quantile(differences, [tail / 2, 1 - tail / 2])
    return Difference(score(first), score(second), float(lower), float(upper), 1 - tail, n)


def signed(value: float) -> str:
    """Write a difference with its sign: `(-0.05) -> −0.050`."""
    shown = f"{abs(value):.3f}"
    return shown if shown == "0.000" else f"{'−' if value < 0 else '+'}{shown}"


@dataclass(frozen=True, slots=True)
class ArmResult:
    """An arm by its title, and what it did."""

    title: str
    outcome: Outcome

    def drift(self, task: str) -> TaskDrift:
        """Return the drift of a task, `entities` or `classes`."""
        return self.outcome.entities if task == "entities" else self.outcome.classes


def judge_protection(arms: Sequence[ArmResult]) -> Verdict:
    """Judge whether a frozen head keeps its task.

    The first arm froze the backbone too, the second trained it. Answers that changed on the held-out sentences are a fact
    about them, and refute that the task is left alone; whether it got better or worse is told by the interval.
    """
    frozen, trained = arms
    drift, n = trained.drift("entities"), trained.drift("entities").n_sentences
    lost = before_and_after(trained, "entities", 2)
    gained = before_and_after(trained, "classes", 2)
    if n < MIN_TO_CONCLUDE:
        headline = f"{n} sentences are too few to conclude."
    elif drift.n_changed:
        headline = "No."
    elif drift.is_identical:
        headline = "Yes, in this run."
    else:
        headline = f"Not refuted on {n} sentences."
    points = (
        f"With its head frozen and the backbone training, the entity task changed its answer on {drift.n_changed} of {n} "
        f"sentences: {_scores('F1', lost)}; {_direction(lost, 'it got better', 'it got worse')}.",
        _frozen_too(frozen),
        f"The classes, which were learned: {_scores('macro-F1', gained)}; {_direction(gained, 'better', 'worse')}.",
    )
    return Verdict(headline, points, (("entities, backbone trains", lost), ("classes, backbone trains", gained)))


def compare_both_tasks(arms: Sequence[ArmResult]) -> Verdict:
    """Compare the last arm with each other, by task."""
    *others, last = arms
    n_comparisons = len(others) * len(LEARNED_TASKS)
    found: list[tuple[str, Difference]] = []
    points = []
    for other in others:
        for task in LEARNED_TASKS:
            difference = between(other, last, task.title, n_comparisons)
            found.append((f"{task.title}: {last.title} − {other.title}", difference))
            points.append(
                f"{_capital(task.title)}, from {other.title} to {last.title}: {_scores(task.metric, difference)}; "
                f"{_direction(difference, 'better', 'worse')}."
            )
    clear = [
        f"{task.title}: {last.title} {'better' if difference.direction == 'higher' else 'worse'} than {other.title}"
        for (other, task), (_, difference) in zip(product(others, LEARNED_TASKS), found, strict=True)
        if difference.direction != "unclear"
    ]
    if not clear:
        return Verdict(_cannot_tell(found), tuple(points), tuple(found))
    n_open = len(found) - len(clear)
    rest = f" The rest ({n_open} of {len(found)}) cannot be told apart." if n_open else ""
    return Verdict(f"{_capital('; '.join(clear))}.{rest}", tuple(points), tuple(found))


def find_enough(arms: Sequence[ArmResult]) -> Verdict:
    """Find the cheapest arm as good as the last.

    It is as good where, on both tasks, the interval of its score minus that of the last arm lies above -`MARGIN`.
    """
    *others, last = arms
    n_comparisons = len(others) * len(LEARNED_TASKS)
    found: list[tuple[str, Difference]] = []
    points = []
    enough = ""
    for other in others:
        differences = [(task, between(last, other, task.title, n_comparisons)) for task in LEARNED_TASKS]
        found += [(f"{task.title}: {other.title} − {last.title}", difference) for task, difference in differences]
        scores = "; ".join(f"{task.title} {_scores(task.metric, difference)}" for task, difference in differences)
        points.append(f"From {last.title} to {other.title}: {scores}.")
        n = min(difference.n_sentences for _, difference in differences)
        if not enough and n >= MIN_TO_CONCLUDE and all(d.lower > -MARGIN for _, d in differences):
            enough = other.title
    points.append(f"As good means: both intervals lie above −{MARGIN}.")
    if enough:
        headline = f"{_capital(enough)}: as good as {last.title}."
    elif all(difference.direction == "lower" for _, difference in found):
        headline = f"{_capital(last.title)}: every other arm is worse."
    else:
        headline = _cannot_tell(found)
    return Verdict(headline, tuple(points), tuple(found))


def judge_sharing(arms: Sequence[ArmResult]) -> Verdict:
    """Judge whether a task gains by the other's loss.

    The first arm learned classes, the second entities, the third both.
    """
    alone = {"classes": arms[0], "entities": arms[1]}
    found: list[tuple[str, Difference]] = []
    points, clear = [], []
    for task in LEARNED_TASKS:
        difference = between(alone[task.title], arms[2], task.title, len(LEARNED_TASKS))
        found.append((f"{task.title}: both − alone", difference))
        points.append(
            f"{_capital(task.title)}, from alone to both: {_scores(task.metric, difference)}; "
            f"{_direction(difference, 'a gain', 'a loss')}."
        )
        if difference.direction != "unclear":
            clear.append(f"{task.title} {'gain' if difference.direction == 'higher' else 'lose'}")
    headline = f"{_capital(' and '.join(clear))} by the other's loss." if clear else _cannot_tell(found)
    return Verdict(headline, tuple(points), tuple(found))


def before_and_after(arm: ArmResult, task: str, n_comparisons: int) -> Difference:
    """Compare a task before an arm's training and after it."""
    drift = arm.drift(task)
    return compare(drift.tally_before, drift.tally_after, _SCORES[task], n_comparisons)


def between(first: ArmResult, second: ArmResult, task: str, n_comparisons: int) -> Difference:
    """Compare a task after the training of two arms."""
    return compare(first.drift(task).tally_after, second.drift(task).tally_after, _SCORES[task], n_comparisons)


def _frozen_too(arm: ArmResult) -> str:
    drift = arm.drift("entities")
    if drift.is_identical:
        return "With the backbone frozen too, every answer stayed the same, bit for bit."
    return f"With the backbone frozen too, {drift.n_changed} answers changed."


def _direction(difference: Difference, higher: str, lower: str) -> str:
    unclear = f"better or worse cannot be told on {difference.n_sentences} sentences"
    return {"higher": higher, "lower": lower, "unclear": unclear}[difference.direction]


def _scores(metric: str, difference: Difference) -> str:
    return f"{metric} {difference.first:.3f} → {difference.second:.3f}, {difference.phrase}"


def _cannot_tell(found: Sequence[tuple[str, Difference]]) -> str:
    n = min(difference.n_sentences for _, difference in found)
    if n < MIN_TO_CONCLUDE:
        return f"{n} sentences are too few to conclude."
    return f"Cannot tell on {n} sentences."


def _capital(text: str) -> str:
    """Begin with a capital and leave the rest: `LoRA` stays."""
    return text[:1].upper() + text[1:]
