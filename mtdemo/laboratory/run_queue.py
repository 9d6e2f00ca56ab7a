"""The queue of runs: one per visitor, a bounded number at once, the rest in a line, and nobody sees another's.

A run is an iterator; whoever stops asking for its next step, because a tab was closed, ends it and frees its place.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.config import (
    EMBEDDED,
    KEPT_AFTER_LEAVING_S,
    MAX_RUN_SECONDS,
    MAX_RUNS_AT_ONCE,
    MAX_RUNS_WAITING,
    count_cores,
)
from mtdemo.errors import LaboratoryError
from mtdemo.laboratory.dataset import LabDataset, read_dataset
from mtdemo.laboratory.outcome import ExperimentSettings, Outcome, Snapshot
from mtdemo.laboratory.run_store import Run, RunStore, name_owner
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.runtime import import_libraries
from mtdemo.serving.service import ModelService

if TYPE_CHECKING:
    from mtdemo.laboratory.experiment import Experiment
    from mtdemo.models.loaded import LoadedModel

_WAIT_S = 0.5
_N_TOKENS = 32  # word pieces of a sentence, for the estimate of a step's memory


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that has not begun; place 1 is next."""

    place: int


@dataclass(slots=True)
class _VisitorState:
    """State of one visitor.

    Attributes:
        running: the experiment, once it has a place.
        active: from joining the line to the end of the run.
        cancelled: the run was stopped, or the line left.
        session: the page that began the run.
        sessions: the visitor's open pages.
        left_at: when the last of them was closed, on the monotonic clock; None while one is open.
    """

    running: Experiment | None = None
    active: bool = False
    cancelled: bool = False
    session: str = ""
    sessions: set[str] = field(default_factory=set)
    left_at: float | None = None


class _Line:
    """Places for runs, and the line before them.

    Args:
        changed: held while places change, and told of it.
        max_running: runs at once.
        max_waiting: runs in line; more are refused.
    """

    def __init__(self, changed: threading.Condition, max_running: int, max_waiting: int) -> None:
        self._changed = changed
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._tickets: list[object] = []
        self._n_running = 0

    def join(self, ticket: object) -> None:
        """Join the line at its end, or raise LaboratoryError."""
        with self._changed:
            if len(self._tickets) >= self._max_waiting:
                n = len(self._tickets)
                raise LaboratoryError(f"{n} runs are waiting already, which is the limit. Try again soon.")
            self._tickets.append(ticket)

    def take_place(self, ticket: object) -> bool:
        """Take a free place, if it is this one's turn."""
        with self._changed:
            if self._n_running >= self._max_running or self._tickets[0] is not ticket:
                return False
            self._tickets.pop(0)
            self._n_running += 1
            return True

    def place(self, ticket: object) -> int:
        """Return the place in line, 1 being next."""
        with self._changed:
            return self._tickets.index(ticket) + 1

    def leave(self, ticket: object, had_place: bool) -> None:
        """Free the place, or leave the line."""
        with self._changed:
            if had_place:
                self._n_running -= 1
            else:
                self._tickets.remove(ticket)
            self._changed.notify_all()


class Laboratory:
    """Runs experiments on copies of the service's models.

    Args:
        service: whose models are copied.
        max_running: runs at once; their steps take turns.
        max_waiting: runs in line; more are refused.
    """

    def __init__(
        self, service: ModelService, max_running: int = MAX_RUNS_AT_ONCE, max_waiting: int = MAX_RUNS_WAITING
    ) -> None:
        self._service = service
        self._states: dict[str, _VisitorState] = {}
        self._finished = RunStore()
        self._changed = threading.Condition()  # of states and places
        self._line = _Line(self._changed, max_running, max_waiting)

    def run(
        self,
        visitor: str,
        plan: TrainingPlan,
        title: str,
        dataset: LabDataset | Callable[[], LabDataset] | None = None,
        session: str = "",
        **settings: Any,
    ) -> Iterator[Waiting | Snapshot]:
        """Wait in line, then train a copy of the model.

        Args:
            visitor: whose run it is.
            plan: what trains, and how fast.
            title: what to call the run.
            dataset: sentences to learn from and to measure on, or what reads them in its turn; the project's by default.
            session: the page that asks; the run ends when it is closed.
            **settings: fields of `ExperimentSettings`.

        Yields:
            Where it stands: in line, then before the first step and after each.

        Raises:
            LaboratoryError: a run of this visitor is going on, the line is full, or nobody knows any more who this is.
            PlanError, DataFileError, CheckpointError: what cannot be trained.
        """
        import_libraries()
        from mtdemo.laboratory.experiment import Experiment

        wanted = ExperimentSettings(plan=plan, **{"max_seconds": MAX_RUN_SECONDS, **settings})
        ticket = object()
        state = self._join(visitor, session, ticket)
        has_place = False
        try:
            while not (has_place := self._line.take_place(ticket)):
                yield Waiting(self._line.place(ticket))
                with self._changed:
                    if state.cancelled or self._changed.wait_for(lambda: state.cancelled, _WAIT_S):
                        return
            n_threads = self._service.settings.threads or count_cores()
            data = dataset if isinstance(dataset, LabDataset) else (dataset or read_dataset)()
            experiment = Experiment(self._service.get_model(EMBEDDED), data, wanted, n_threads)
            with self._changed:
                if state.cancelled:
                    return
                state.running = experiment
            yield from experiment.run()
            if experiment.outcome is not None and experiment.trained is not None:
                number = self._finished.next_number(visitor)
                run = _describe(number, title, experiment, experiment.outcome, experiment.trained)
                if self._states.get(visitor) is state:  # else the visitor was forgotten in the meantime
                    self._finished.add(visitor, run, experiment.outcome, experiment.trained, experiment.n_own_bytes)
                    self._sweep()
        finally:
            with self._changed:
                state.running, state.active = None, False
                self._line.leave(ticket, has_place)

    def stop(self, visitor: str) -> None:
        """End the visitor's run after its current step.

        A run that is still in line leaves it; nothing happens where there is none.
        """
        state = self._states.get(visitor)
        if state is None:
            return
        with self._changed:
            state.cancelled = state.active
            if state.running is not None:
                state.running.stop()
            self._changed.notify_all()

    def is_active(self, visitor: str) -> bool:
        """Tell whether the visitor has a run going on."""
        state = self._states.get(visitor)
        return state is not None and state.active

    def outcome(self, visitor: str, number: int | None = None) -> Outcome | None:
        """Return the outcome of a run, the last by default.

        It is None where there is none, or where only its numbers are left.
        """
        return self._finished.outcome(visitor, number)

    def trained(self, visitor: str, number: int | None = None) -> tuple[Run, LoadedModel]:
        """Return a run, the last by default, and its model.

        Raises:
            LaboratoryError: there is none, it had to make room for others, or nobody knows any more who this is.
        """
        _check_known(visitor)
        return self._finished.trained(visitor, number)

    def has_weights(self, visitor: str, number: int) -> bool:
        """Tell whether a run's trained model can still be used."""
        return self._finished.has_weights(visitor, number)

    def runs(self, visitor: str) -> tuple[Run, ...]:
        """Return the visitor's finished runs, oldest first."""
        return self._finished.runs(visitor)

    def enter(self, visitor: str, session: str, kept: Iterable[Any] = ()) -> None:
        """Let a page of a visitor in.

        Args:
            visitor: whose page it is.
            session: the page.
            kept: runs as the browser kept them, for a server that does not know them any more.

        Raises:
            LaboratoryError: what the browser kept are no runs; the page is let in all the same.
        """
        with self._changed:
            state = self._states.setdefault(visitor, _VisitorState())
            state.sessions.add(session)
            state.left_at = None
        self._finished.touch(visitor)
        self._finished.restore(visitor, kept)

    def leave(self, session: str) -> None:
        """Let a closed page go; its results wait a while.

        A page that is loaded again is closed first, so nothing is dropped before `KEPT_AFTER_LEAVING_S`.
        """
        for visitor, state in list(self._states.items()):
            if state.active and session and state.session == session:
                self.stop(visitor)
            if session in state.sessions:
                state.sessions.discard(session)
                state.left_at = None if state.sessions else time.monotonic()
        self._sweep()

    def forget(self, visitor: str) -> None:
        """Stop the visitor's run and drop all results.

        A trained model that answers the visitor goes, too.
        """
        self.stop(visitor)
        with self._changed:
            self._states.pop(visitor, None)
        for run in self._finished.runs(visitor):
            self._service.unregister(name_owner(visitor, run.number))
        self._finished.drop(visitor)

    def _sweep(self) -> None:
        """Forget visitors gone long ago or above the limit."""
        states, last = list(self._states.items()), time.monotonic() - KEPT_AFTER_LEAVING_S
        long_gone = [name for name, state in states if state.left_at is not None and state.left_at < last]
        busy = [name for name, state in states if state.active]
        for name in {*long_gone, *self._finished.oldest_beyond(busy)} - {*busy}:
            self.forget(name)

    def _join(self, visitor: str, session: str, ticket: object) -> _VisitorState:
        _check_known(visitor)
        self._sweep()
        with self._changed:
            state = self._states.setdefault(visitor, _VisitorState())
            if state.active:
                raise LaboratoryError("A run of yours is going on already. Stop it, or wait until it has ended.")
            self._line.join(ticket)
            state.active, state.cancelled, state.session = True, False, session
            return state


def _check_known(visitor: str) -> None:
    """Refuse pages whose visitor the server forgot.

    It forgets a page that was asleep for an hour, and all such pages would be one visitor.
    """
    if not visitor:
        raise LaboratoryError("This page was left alone for too long, and the server forgot whose it is. Reload it.")


def _describe(number: int, title: str, experiment: Experiment, outcome: Outcome, trained: LoadedModel) -> Run:
    from mtdemo.planning.adapters import extended_parts
    from mtdemo.planning.costs import Batch, estimate_step
    from mtdemo.training.batches import MIXES, active_tasks, sentences_per_task

    settings = experiment.settings
    config: Any = trained.model.config
    freezing = settings.plan.freezing_plan(extended_parts(config, settings.plan))
    keeping = settings.distillation_weight if freezing.backbone_state != "none" else 0.0
    is_active = active_tasks(settings.task_weights, keeping)
    n_at_once = max(sentences_per_task(settings.sentences_per_step, (1, 1), MIXES["equal"], is_active))  # tasks take turns
    batch = Batch(n_at_once, _N_TOKENS, config.backbone.num_attention_heads)
    data = experiment.dataset
    told = {"settings": settings.as_dict(), "learned_from": data.phrase, "data": data.name}
    report = {**outcome.as_dict(), **told}
    return Run(number, title, settings.plan, freezing.n_trainable, estimate_step(freezing, batch).n_bytes, report)
