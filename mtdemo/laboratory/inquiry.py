"""Experiments of several arms: a question is answered by runs one after the other, and a verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mtdemo.config import EMBEDDED
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.outcome import Outcome, Snapshot
from mtdemo.laboratory.questions import Arm, Question
from mtdemo.laboratory.run_queue import Laboratory, Waiting
from mtdemo.laboratory.verdict import ArmResult, Verdict
from mtdemo.serving.service import ModelService


@dataclass(frozen=True, slots=True)
class Inquiry:
    """An experiment of several arms as it stands.

    Attributes:
        arms: all of them, in their order.
        finished: what those that have ended did, in the same order.
        run_numbers: of the finished arms, in the visitor's table of runs.
        state: of the arm that runs; None between arms and at the end.
        seconds: since the first arm began.
        verdict: at the end, where every arm took all of its steps.
        was_stopped: whether the visitor ended it, or an arm ran out of time.
    """

    arms: tuple[Arm, ...]
    finished: tuple[ArmResult, ...] = ()
    run_numbers: tuple[int, ...] = ()
    state: Waiting | Snapshot | None = None
    seconds: float = 0.0
    verdict: Verdict | None = None
    was_stopped: bool = False

    @property
    def share_done(self) -> float:
        """Share of the steps of all arms, 0 to 1."""
        current = self.state.n_done / self.state.n_steps if isinstance(self.state, Snapshot) else 0.0
        return min(1.0, (len(self.finished) + current) / len(self.arms))

    @property
    def has_ended(self) -> bool:
        return self.verdict is not None or self.was_stopped


def inquire(
    laboratory: Laboratory,
    service: ModelService,
    visitor: str,
    question: Question,
    dataset: LabDataset | None = None,
    **settings: Any,
) -> Iterator[Inquiry]:
    """Run the arms of a question in turn, then judge.

    Each arm is an ordinary run of the visitor, with a place in the line and a row among the runs.
    `Laboratory.stop` ends the arm that runs and the whole experiment; finished arms stay.

    Args:
        laboratory: runs the arms.
        service: its model's layers are counted.
        visitor: whose experiment it is.
        question: what is asked.
        dataset: sentences to learn from and to measure on; the project's own by default.
        **settings: fields of `ExperimentSettings` for all arms, before those of each arm.

    Yields:
        Where it stands, after each step of each arm; the last one has the verdict or was stopped.

    Raises:
        MtdemoError: as `Laboratory.run`.
    """
    started = time.monotonic()
    n_layers = service.load(EMBEDDED).n_layers
    arms = question.arms_for(n_layers)
    outcomes: list[Outcome] = []
    numbers: list[int] = []

    def now(**more: Any) -> Inquiry:
        results = question.results(arms[: len(outcomes)], outcomes)
        return Inquiry(arms, results, tuple(numbers), seconds=time.monotonic() - started, **more)

    for arm in arms:
        known = {run.number for run in laboratory.runs(visitor)}
        title, of_arm = f"{question.title} {arm.title}", arm.settings(question.n_steps)
        for state in laboratory.run(visitor, arm.plan(n_layers), title, dataset, **{**settings, **of_arm}):
            yield now(state=state)
        new = [run.number for run in laboratory.runs(visitor) if run.number not in known]
        outcome = laboratory.outcome(visitor)
        if not new or outcome is None or outcome.ending != "done":
            yield now(was_stopped=True)
            return
        outcomes.append(outcome)
        numbers.append(new[-1])
    yield now(verdict=question.judge(question.results(arms, outcomes)))
