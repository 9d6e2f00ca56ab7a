"""Who may experiment when: one run per visitor, a bounded number at once, the rest in a line, nobody sees another's.

A run is an iterator; whoever stops asking for its next step, because a tab was closed, ends it and frees its place.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.config import EMBEDDED, count_cores
from mtdemo.errors import LaboratoryError
from mtdemo.laboratory.dataset import LabDataset, read_dataset
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.runtime import import_libraries
from mtdemo.serving.service import ModelService

if TYPE_CHECKING:
    from mtdemo.laboratory.experiment import Experiment
    from mtdemo.laboratory.outcome import Outcome, Snapshot
    from mtdemo.models.loaded import LoadedModel

MAX_SECONDS = 900.0  # of a run
MAX_AT_ONCE = 2  # runs
MAX_VISITORS = 64  # whose results are kept
MAX_RUNS = 12  # of a visitor, that are kept to compare
MAX_MODELS = 4  # trained ones that are kept, of all visitors together; each takes as much memory as the model
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
    """What is known of a visitor; `active` is true from the line to the end of a run."""

    running: Experiment | None = None
    active: bool = False
    cancelled: bool = False
    outcome: Outcome | None = None
    runs: list[Run] = field(default_factory=list)


class Laboratory:
    """Conducts experiments on copies of the service's models.

    Args:
        service: whose models are copied.
        max_running: runs at once; their steps take turns.
        max_waiting: runs in line; more are refused.
    """

    def __init__(self, service: ModelService, max_running: int = MAX_AT_ONCE, max_waiting: int = 8) -> None:
        self._service = service
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._visits: OrderedDict[str, _VisitorState] = OrderedDict()
        self._trained: OrderedDict[str, tuple[Run, LoadedModel]] = OrderedDict()  # by visitor, the last one at the end
        self._line: list[object] = []
        self._n_running = 0
        self._changed = threading.Condition()

    def run(
        self, visitor: str, plan: TrainingPlan, title: str, dataset: LabDataset | None = None, **settings: Any
    ) -> Iterator[Waiting | Snapshot]:
        """Wait for a place, then train a copy of the embedded model.

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
        from mtdemo.laboratory.outcome import ExperimentSettings

        wanted = ExperimentSettings(plan=plan, **{"max_seconds": MAX_SECONDS, **settings})
        ticket = object()
        visit = self._enter(visitor, ticket)
        has_place = False
        try:
            while not (has_place := self._take_place(ticket)):
                yield Waiting(self._place(ticket))
                with self._changed:
                    if visit.cancelled or self._changed.wait_for(lambda: visit.cancelled, _WAIT_S):
                        return
            n_threads = self._service.settings.threads or count_cores()
            experiment = Experiment(self._service.get_model(EMBEDDED), dataset or read_dataset(), wanted, n_threads)
            with self._changed:
                if visit.cancelled:
                    return
                visit.running = experiment
            yield from experiment.run()
            if experiment.outcome is not None and experiment.trained is not None:
                run = _describe(visit, title, experiment, experiment.outcome, experiment.trained)
                self._keep(visitor, visit, run, experiment.outcome, experiment.trained)
        finally:
            self._leave(visit, ticket, has_place)

    def stop(self, visitor: str) -> None:
        """End the visitor's run after the step that it is in, or leave the line; nothing happens where there is none."""
        visit = self._visits.get(visitor)
        if visit is None:
            return
        with self._changed:
            visit.cancelled = visit.active
            if visit.running is not None:
                visit.running.stop()
            self._changed.notify_all()

    def outcome(self, visitor: str) -> Outcome | None:
        """What the visitor's last finished run did."""
        visit = self._visits.get(visitor)
        return visit.outcome if visit is not None else None

    def trained(self, visitor: str) -> tuple[Run, LoadedModel]:
        """The visitor's last run and the model that it has trained.

        Raises:
            LaboratoryError: there is none, it had to make room for those of others, or nobody knows any more who this is.
        """
        _check_known(visitor)
        trained = self._trained.get(visitor)
        if trained is None:
            raise LaboratoryError(
                "There is no trained model of yours here: none was trained yet, this page lost its connection for a while, "
                f"or others trained theirs since (the last {MAX_MODELS} are kept). Train it again; the same seed gives "
                "the same model."
            )
        return trained

    def runs(self, visitor: str) -> tuple[Run, ...]:
        """The visitor's finished runs, oldest first."""
        visit = self._visits.get(visitor)
        return tuple(visit.runs) if visit is not None else ()

    def forget(self, visitor: str) -> None:
        """Stop the visitor's run and drop all results, a model that answers the visitor included."""
        self.stop(visitor)
        with self._changed:
            self._drop(visitor)

    def _drop(self, visitor: str) -> None:
        self._visits.pop(visitor, None)
        self._trained.pop(visitor, None)
        self._service.unregister(visitor)

    def _enter(self, visitor: str, ticket: object) -> _VisitorState:
        _check_known(visitor)
        with self._changed:
            visit = self._visits.get(visitor) or _VisitorState()
            if visit.active:
                raise LaboratoryError("A run of yours is going on already. Stop it, or wait until it has ended.")
            if len(self._line) >= self._max_waiting:
                raise LaboratoryError(f"{len(self._line)} runs are waiting already, which is the limit. Try again soon.")
            self._visits[visitor] = visit
            self._visits.move_to_end(visitor)
            for other in [name for name, v in self._visits.items() if not v.active and v is not visit]:
                if len(self._visits) > MAX_VISITORS:
                    self._drop(other)
            visit.active, visit.cancelled = True, False
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

    def _leave(self, visit: _VisitorState, ticket: object, had_place: bool) -> None:
        with self._changed:
            visit.running, visit.active = None, False
            if had_place:
                self._n_running -= 1
            else:
                self._line.remove(ticket)
            self._changed.notify_all()

    def _keep(self, visitor: str, visit: _VisitorState, run: Run, outcome: Outcome, trained: LoadedModel) -> None:
        with self._changed:
            visit.outcome = outcome
            visit.runs = [*visit.runs, run][-MAX_RUNS:]
            if self._visits.get(visitor) is visit:  # else the tab was closed in the meantime
                self._trained[visitor] = (run, trained)
                self._trained.move_to_end(visitor)
            while len(self._trained) > MAX_MODELS:
                self._trained.popitem(last=False)


def _check_known(visitor: str) -> None:
    """A page that was asleep for an hour is forgotten by its server, and all such pages would be one visitor."""
    if not visitor:
        raise LaboratoryError("This page was left alone for too long, and the server forgot whose it is. Reload it.")


def _describe(visit: _VisitorState, title: str, experiment: Experiment, outcome: Outcome, trained: LoadedModel) -> Run:
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
    number = visit.runs[-1].number + 1 if visit.runs else 1
    report = {**outcome.as_dict(), "settings": settings.as_dict(), "learned_from": experiment.dataset.phrase}
    return Run(number, title, settings.plan, freezing.n_trainable, estimate_step(freezing, batch).n_bytes, report)
