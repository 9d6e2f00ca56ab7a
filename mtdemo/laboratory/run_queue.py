"""The queue of runs: one per visitor, a bounded number at once, the rest in a line, and nobody sees another's.

A run is an iterator; whoever stops asking for its next step, because a tab was closed, ends it and frees its place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.config import (
    EMBEDDED,
    MAX_RUN_SECONDS,
    MAX_RUNS_AT_ONCE,
    MAX_RUNS_KEPT,
    MAX_RUNS_WAITING,
    MAX_TRAINED_MODELS,
    MAX_VISITORS,
    count_cores,
)
from mtdemo.errors import LaboratoryError
from mtdemo.laboratory.dataset import LabDataset, read_dataset
from mtdemo.laboratory.outcome import ExperimentSettings, Outcome, Snapshot
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
class _VisitorState:
    """State of one visitor.

    Attributes:
        running: the experiment, once it has a place.
        active: from joining the line to the end of the run.
        cancelled: the run was stopped, or the line left.
        outcome: of the last finished run.
        runs: finished ones, oldest first.
    """

    running: Experiment | None = None
    active: bool = False
    cancelled: bool = False
    outcome: Outcome | None = None
    runs: list[Run] = field(default_factory=list)


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
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._states: OrderedDict[str, _VisitorState] = OrderedDict()
        self._trained: OrderedDict[str, tuple[Run, LoadedModel]] = OrderedDict()  # by visitor, the last one at the end
        self._line: list[object] = []
        self._n_running = 0
        self._changed = threading.Condition()

    def run(
        self, visitor: str, plan: TrainingPlan, title: str, dataset: LabDataset | None = None, **settings: Any
    ) -> Iterator[Waiting | Snapshot]:
        """Wait in line, then train a copy of the model.

        Args:
            visitor: whose run it is.
            plan: what trains, and how fast.
            title: what to call the run.
            dataset: sentences to learn from and to measure on; the project's own by default.
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
        state = self._enter(visitor, ticket)
        has_place = False
        try:
            while not (has_place := self._take_place(ticket)):
                yield Waiting(self._place(ticket))
                with self._changed:
                    if state.cancelled or self._changed.wait_for(lambda: state.cancelled, _WAIT_S):
                        return
            n_threads = self._service.settings.threads or count_cores()
            experiment = Experiment(self._service.get_model(EMBEDDED), dataset or read_dataset(), wanted, n_threads)
            with self._changed:
                if state.cancelled:
                    return
                state.running = experiment
            yield from experiment.run()
            if experiment.outcome is not None and experiment.trained is not None:
                run = _describe(state, title, experiment, experiment.outcome, experiment.trained)
                self._keep(visitor, state, run, experiment.outcome, experiment.trained)
        finally:
            self._leave(state, ticket, has_place)

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

    def outcome(self, visitor: str) -> Outcome | None:
        """Return the outcome of the visitor's last finished run."""
        state = self._states.get(visitor)
        return state.outcome if state is not None else None

    def trained(self, visitor: str) -> tuple[Run, LoadedModel]:
        """Return the visitor's last run and its trained model.

        Raises:
            LaboratoryError: there is none, it had to make room for those of others, or nobody knows any more who this is.
        """
        _check_known(visitor)
        trained = self._trained.get(visitor)
        if trained is None:
            raise LaboratoryError(
                "There is no trained model of yours here: none was trained yet, this page lost its connection for a while, "
                f"or others trained theirs since (the last {MAX_TRAINED_MODELS} are kept). Train it again; the same seed "
                "gives the same model."
            )
        return trained

    def runs(self, visitor: str) -> tuple[Run, ...]:
        """Return the visitor's finished runs, oldest first."""
        state = self._states.get(visitor)
        return tuple(state.runs) if state is not None else ()

    def forget(self, visitor: str) -> None:
        """Stop the visitor's run and drop all results.

        A trained model that answers the visitor goes, too.
        """
        self.stop(visitor)
        with self._changed:
            self._drop(visitor)

    def _drop(self, visitor: str) -> None:
        self._states.pop(visitor, None)
        self._trained.pop(visitor, None)
        self._service.unregister(visitor)

    def _enter(self, visitor: str, ticket: object) -> _VisitorState:
        _check_known(visitor)
        with self._changed:
            state = self._states.get(visitor) or _VisitorState()
            if state.active:
                raise LaboratoryError("A run of yours is going on already. Stop it, or wait until it has ended.")
            if len(self._line) >= self._max_waiting:
                raise LaboratoryError(f"{len(self._line)} runs are waiting already, which is the limit. Try again soon.")
            self._states[visitor] = state
            self._states.move_to_end(visitor)
            for idle in [name for name, other in self._states.items() if not other.active and other is not state]:
                if len(self._states) > MAX_VISITORS:
                    self._drop(idle)
            state.active, state.cancelled = True, False
            self._line.append(ticket)
            return state

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

    def _leave(self, state: _VisitorState, ticket: object, had_place: bool) -> None:
        with self._changed:
            state.running, state.active = None, False
            if had_place:
                self._n_running -= 1
            else:
                self._line.remove(ticket)
            self._changed.notify_all()

    def _keep(self, visitor: str, state: _VisitorState, run: Run, outcome: Outcome, trained: LoadedModel) -> None:
        with self._changed:
            state.outcome = outcome
            state.runs = [*state.runs, run][-MAX_RUNS_KEPT:]
            if self._states.get(visitor) is state:  # else the tab was closed in the meantime
                self._trained[visitor] = (run, trained)
                self._trained.move_to_end(visitor)
            while len(self._trained) > MAX_TRAINED_MODELS:
                self._trained.popitem(last=False)


def _check_known(visitor: str) -> None:
    """Refuse pages whose visitor the server forgot.

    It forgets a page that was asleep for an hour, and all such pages would be one visitor.
    """
    if not visitor:
        raise LaboratoryError("This page was left alone for too long, and the server forgot whose it is. Reload it.")


def _describe(state: _VisitorState, title: str, experiment: Experiment, outcome: Outcome, trained: LoadedModel) -> Run:
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
    number = state.runs[-1].number + 1 if state.runs else 1
    report = {**outcome.as_dict(), "settings": settings.as_dict(), "learned_from": experiment.dataset.phrase}
    return Run(number, title, settings.plan, freezing.n_trainable, estimate_step(freezing, batch).n_bytes, report)
