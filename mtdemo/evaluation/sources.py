"""Scores by source, with the intervals that chance leaves them.

A source is a data set whose name the rows carry. An interval is the middle 95 % of the scores of as many rows, drawn with
replacement (the percentile bootstrap; Efron & Tibshirani 1993). Two models are compared on the same draws, so that what a
hard sentence costs both of them is no part of their difference (Koehn 2004, https://aclanthology.org/W04-3250).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdemo.evaluation.calibration import measure_calibration
from mtdemo.evaluation.tallies import Tally
from mtdemo.evaluation.task_tests import AnsweredRows
from mtdemo.results import ProgressCallback, no_progress

N_DRAWS, SEED, LEVEL = 1000, 13, 0.95
_Draws = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with the interval that chance leaves it.

    No number stands for what cannot be said, as a correlation of constants.
    """

    value: float | None
    lower: float | None
    upper: float | None

    @property
    def phrase(self) -> str:
        """The three numbers: `0.702 (0.690 to 0.714)`."""
        shown = ["–" if number is None else f"{number:.3f}" for number in (self.value, self.lower, self.upper)]
        return f"{shown[0]} ({shown[1]} to {shown[2]})"


@dataclass(frozen=True, slots=True)
class SourceScore:
    """Score of a model on a source.

    Attributes:
        n_rows: sentences, or pairs.
        n_items: what is counted in them: gold entities, or the rows.
        score: F1, macro-F1 or Spearman.
        calibration_error: expected error of the confidence, 0 to 1; None where a task has none, or nothing was found.
        other_score: that of the model that it is compared with.
        difference: how much better than the other model it is.
    """

    n_rows: int
    n_items: int
    score: Estimate
    calibration_error: float | None
    other_score: Estimate | None = None
    difference: Estimate | None = None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """Scores of a model by source.

    Attributes:
        metric: name of the score.
        items: what is counted, in the plural.
        total: of all rows together.
        mean: of the sources, each counting alike; None with fewer than two.
        sources: by name; none where no row names one.
        n_draws, seed, level: of the intervals.
    """

    metric: str
    items: str
    total: SourceScore
    mean: SourceScore | None
    sources: dict[str, SourceScore]
    n_draws: int = N_DRAWS
    seed: int = SEED
    level: float = LEVEL

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def report_sources(
    answered: AnsweredRows, other: AnsweredRows | None = None, progress: ProgressCallback = no_progress
) -> SourceReport:
    """Score a model's answers by source.

    Args:
        answered: rows with the answers of the model.
        other: the same rows with those of another model, to compare with.
        progress: called with the parts done, the whole and each source, and parts in all.
    """
    pairs: dict[str, tuple[AnsweredRows, AnsweredRows | None]] = {"": (answered, other)}
    of_other = other.by_source() if other is not None else {}
    for name, part in answered.by_source().items():
        pairs[name] = (part, of_other.get(name))
    scores: list[SourceScore] = []
    draws: list[tuple[_Draws, _Draws | None]] = []
    for number, (part, its_other) in enumerate(pairs.values()):
        drawn = _draw(part, number), _draw(its_other, number) if its_other is not None else None
        draws.append(drawn)
        error = _calibration_error(part)
        values = (part.scores.main, its_other.scores.main if its_other is not None else None)
        scores.append(_source_score(len(part.rows), part.n_items, error, values, drawn))
        progress("drawing rows", number + 1, len(pairs))
    total, *of_sources = scores
    mean = _mean(total, of_sources, draws[1:]) if len(of_sources) > 1 else None
    names = [name for name in pairs if name]
    return SourceReport(
        answered.test.task.metric, answered.test.items, total, mean, dict(zip(names, of_sources, strict=True))
    )


def estimate(tally: Tally, score: Callable[[Tally], float]) -> Estimate:
    """Score rows, with the interval that chance leaves.

    Args:
        tally: an entry per row, at least one (`mtdemo.evaluation.tallies`).
        score: of such an array.
    """
    return _estimate(score(tally), _draw_scores(tally, score))


def estimate_each(tally: Tally, score: Callable[[Tally], Tally]) -> list[Estimate]:
    """Score rows in several ways, on the same draws.

    Args:
        tally: as for `estimate`.
        score: of such an array, an array of numbers. What is not a number counts as 0; draws that give none are left out of
            its interval.
    """
    draws = _draw_scores(tally, score)
    return [_estimate(value, draws[:, place]) for place, value in enumerate(np.nan_to_num(score(tally)).tolist())]


def estimate_difference(tally: Tally, other: Tally, score: Callable[[Tally], float]) -> Estimate:
    """Estimate what one model scores more on the same rows.

    Both are scored on the same draws.

    Args:
        tally: an entry per row, by one model.
        other: by the other, of the same rows.
        score: of such an array.
    """
    return _estimate(score(tally) - score(other), _draw_scores(tally, score) - _draw_scores(other, score))


def _draw(answered: AnsweredRows, number: int) -> _Draws:
    return _draw_scores(answered.tally, answered.test.score_tally, number)


def _draw_scores(tally: Tally, score: Callable[[Tally], float | Tally], number: int = 0) -> _Draws:
    """Score rows drawn with replacement, many times.

    The same number and as many rows give the same draws, whoever answered.
    """
    generator = np.random.default_rng((SEED, number))
    n = len(tally)
    return np.array([score(tally[generator.integers(n, size=n)]) for _ in range(N_DRAWS)])


def _source_score(
    n_rows: int,
    n_items: int,
    calibration_error: float | None,
    values: tuple[float, float | None],
    draws: tuple[_Draws, _Draws | None],
) -> SourceScore:
    value, other_value = values
    drawn, other_drawn = draws
    if other_value is None or other_drawn is None:
        return SourceScore(n_rows, n_items, _estimate(value, drawn), calibration_error)
    return SourceScore(
        n_rows,
        n_items,
        _estimate(value, drawn),
        calibration_error,
        _estimate(other_value, other_drawn),
        _estimate(value - other_value, drawn - other_drawn),
    )


def _mean(total: SourceScore, sources: Sequence[SourceScore], draws: Sequence[tuple[_Draws, _Draws | None]]) -> SourceScore:
    """Average sources, each counting alike; each is drawn for itself."""
    errors = [source.calibration_error for source in sources if source.calibration_error is not None]
    other_values = [source.other_score.value for source in sources if source.other_score is not None]
    other_draws = [drawn for _, drawn in draws if drawn is not None]
    return _source_score(
        total.n_rows,
        total.n_items,
        sum(errors) / len(errors) if errors else None,
        (_average([s.score.value for s in sources]), _average(other_values) if other_values else None),
        (np.mean([drawn for drawn, _ in draws], axis=0), np.mean(other_draws, axis=0) if other_draws else None),
    )


def _average(values: Sequence[float | None]) -> float:
    return sum(math.nan if value is None else value for value in values) / len(values)


def _estimate(value: float, draws: _Draws) -> Estimate:
    known = draws[np.isfinite(draws)]
    tail = 50 * (1 - LEVEL)
    lower, upper = np.percentile(known, [tail, 100 - tail]) if len(known) else (math.nan, math.nan)
    return Estimate(*(float(number) if math.isfinite(number) else None for number in (value, lower, upper)))


def _calibration_error(answered: AnsweredRows) -> float | None:
    answers = answered.confidences
    return measure_calibration([sure for sure, _ in answers], [right for _, right in answers]).error if answers else None
