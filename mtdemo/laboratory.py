"""Who may experiment when: one run per visitor, a bounded number at once, the rest in a line, nobody sees another's.

A run is an iterator; whoever stops asking for its next step, because a tab was closed, ends it and frees its place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.errors import LaboratoryError
from mtdemo.libraries import import_libraries
from mtdemo.plans import TrainingPlan
from mtdemo.sample_file import Sample, read_sample
from mtdemo.service import ModelService

if TYPE_CHECKING:
    from mtdemo.experiment import Experiment, Outcome, Snapshot

MOST_VISITORS = 16  # whose results are kept; each may hold a trained model
MOST_RUNS = 12  # of a visitor, that are kept to compare
_WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that has not begun; place 1 is next."""

    place: int


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run in numbers, to compare.

    Attributes:
        number: of this visitor's runs, from 1.
        title: what to call it.
        plan: what trained, and how fast.
        n_trainable: parameters.
        n_bytes: estimated memory of a step.
        report: the outcome as plain data.
    """

    number: int
    title: str
    plan: TrainingPlan
    n_trainable: int
    n_bytes: int
    report: dict[str, Any]


@dataclass(slots=True)
class _Visit:
    running: Experiment | None = None
    waits: bool = False
    outcome: Outcome | None = None
    runs: list[Run] = field(default_factory=list)


class Laboratory:
    """Conducts experiments on copies of the service's models.

    Args:
        service: whose models are copied.
        max_running: runs at once; their steps take turns.
        max_waiting: runs in line; more are refused.
    """

    def __init__(self, service: ModelService, max_running: int = 2, max_waiting: int = 8) -> None:
        self._service = service
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._line: list[object] = []
        self._n_running = 0
        self._changed = threading.Condition()

    def conduct(
        self, visitor: str, plan: TrainingPlan, title: str, sample: Sample | None = None, **settings: Any
    ) -> Iterator[Waiting | Snapshot]:
        """Wait for a place, then train a copy of the model in use.

        Args:
            visitor: whose run it is.
            plan: what trains, and how fast.
            title: what to call the run.
            sample: sentences to learn from and to measure on; the project's own by default.
            **settings: fields of `ExperimentSettings`.

        Yields:
            Where it stands: in line, then before the first step and after each.

        Raises:
            LaboratoryError: a run of this visitor is going on, or the line is full.
            PlanError, DataFileError, CheckpointError: what cannot be trained.
        """
        import_libraries()
        from mtdemo.experiment import Experiment, ExperimentSettings

        wanted = ExperimentSettings(plan=plan, **settings)
        ticket = object()
        visit = self._enter(visitor, ticket)
        has_place = False
        try:
            while not (has_place := self._take_place(ticket)):
                yield Waiting(self._place(ticket))
                with self._changed:
                    self._changed.wait(_WAIT_S)
            experiment = Experiment(self._service.borrow(), sample or read_sample(), wanted)
            visit.running = experiment
            yield from experiment.run()
            if experiment.outcome is not None:
                self._keep(visit, plan, title, wanted.sentences_per_step, experiment.outcome)
        finally:
            self._leave(visit, ticket, has_place)

    def stop(self, visitor: str) -> None:
        """End the visitor's run after the step that it is in; nothing happens where there is none."""
        visit = self._visits.get(visitor)
        if visit is not None and visit.running is not None:
            visit.running.stop()

    def outcome(self, visitor: str) -> Outcome | None:
        """What the visitor's last finished run did."""
        visit = self._visits.get(visitor)
        return visit.outcome if visit is not None else None

    def runs(self, visitor: str) -> tuple[Run, ...]:
        """The visitor's finished runs, oldest first."""
        visit = self._visits.get(visitor)
        return tuple(visit.runs) if visit is not None else ()

    def forget(self, visitor: str) -> None:
        """Stop the visitor's run and drop all results."""
        self.stop(visitor)
        with self._changed:
            self._visits.pop(visitor, None)

    def _enter(self, visitor: str, ticket: object) -> _Visit:
        with self._changed:
            visit = self._visits.setdefault(visitor, _Visit())
            self._visits.move_to_end(visitor)
            if visit.waits or visit.running is not None:
                raise LaboratoryError("A run of yours is going on already. Stop it, or wait until it has ended.")
            if len(self._line) >= self._max_waiting:
                raise LaboratoryError(f"{len(self._line)} runs are waiting already, which is the limit. Try again soon.")
            for other in [name for name, v in self._visits.items() if not v.waits and v.running is None]:
                if len(self._visits) > MOST_VISITORS and other != visitor:
                    del self._visits[other]
            visit.waits = True
            self._line.append(ticket)
            return visit

    def _take_place(self, ticket: object) -> bool:
        with self._changed:
            if self._n_running >= self._max_running or self._line[0] is not ticket:
                return False
            self._line.pop(0)
            self._n_running += 1
            return True

    def _place(self, ticket: object) -> int:
        with self._changed:
            return self._line.index(ticket) + 1

    def _leave(self, visit: _Visit, ticket: object, had_place: bool) -> None:
        with self._changed:
            visit.running, visit.waits = None, False
            if had_place:
                self._n_running -= 1
            else:
                self._line.remove(ticket)
            self._changed.notify_all()

    def _keep(self, visit: _Visit, plan: TrainingPlan, title: str, n_sentences: int, outcome: Outcome) -> None:
        from mtdemo.costs import Batch, estimate_step
        from mtdemo.freezing import plan_freezing, unfrozen_parts

        parts = outcome.model.model.parts()
        freezing = plan_freezing(parts, unfrozen_parts(parts, plan.frozen))
        n_heads = outcome.model.model.config.backbone.num_attention_heads
        cost = estimate_step(freezing, Batch(n_sentences, 32, n_heads))
        number = visit.runs[-1].number + 1 if visit.runs else 1
        run = Run(number, title, plan, freezing.n_trainable, cost.n_bytes, outcome.as_dict())
        visit.outcome = outcome
        visit.runs = [*visit.runs, run][-MOST_RUNS:]
