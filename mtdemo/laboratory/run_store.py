"""The store of finished runs: numbers and outcomes by visitor, trained models while there is room.

A visitor is named by a word that nobody else can guess, which their browser keeps. So a page that is loaded again finds its
runs; what had to make room is told apart from what never was.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mtdemo.config import MAX_RUNS_KEPT, MAX_TRAINED_BYTES, MAX_VISITORS
from mtdemo.errors import LaboratoryError, MtdemoError
from mtdemo.laboratory.outcome import Outcome
from mtdemo.planning.training_plan import TrainingPlan

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel

_LEFT_OUT = ("changed_answers", "history")  # of what a browser keeps: sentences are no numbers, and only the ends are shown


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

    def as_dict(self) -> dict[str, Any]:
        """Return what a browser keeps: numbers, and no sentences."""
        report = {name: value for name, value in self.report.items() if name not in _LEFT_OUT}
        history = self.report["history"]
        return {
            "number": self.number,
            "title": self.title,
            "plan": self.plan.as_dict(),
            "n_trainable": self.n_trainable,
            "n_bytes": self.n_bytes,
            "report": {**report, "history": [history[0], history[-1]]},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Run:
        """Make a run of what `as_dict` gives.

        Raises:
            LaboratoryError: it is something else.
        """
        try:
            report = dict(values["report"])
            last = report["history"][-1]
            numbers = (values["number"], values["n_trainable"], values["n_bytes"], report["n_steps"])
            shares = (*report["share_of_changed_answers"].values(), *report["n_heldout"].values())
            scores = (last["entity_f1"], last["macro_f1"], report["training_seconds"], report["embedding_cosine"])
            scores += tuple(report["movement"].values())
            if not all(isinstance(number, (int, float)) for number in (*numbers, *shares, *scores)):
                raise TypeError("a number is missing")
            title, report["data"] = str(values["title"])[:200], str(report["data"])[:200]
            return cls(int(values["number"]), title, TrainingPlan.from_dict(values["plan"]), *numbers[1:3], report)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, MtdemoError) as error:
            raise LaboratoryError(
                "The runs that this browser kept are of another version, so they are left out."
            ) from error


@dataclass(slots=True)
class _Record:
    """Finished runs of one visitor, oldest first."""

    runs: list[Run] = field(default_factory=list)
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class RunStore:
    """Finished runs of all visitors, bounded.

    Any thread may call it.
    """

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()  # the last used at the end
        self._trained: OrderedDict[tuple[str, int], tuple[LoadedModel, int]] = OrderedDict()  # with its bytes
        self._lock = threading.Lock()

    def add(self, visitor: str, run: Run, outcome: Outcome, trained: LoadedModel, n_bytes: int) -> None:
        """Keep a finished run.

        Args:
            visitor: whose it is.
            run: its numbers.
            outcome: what it did.
            trained: the model at its end.
            n_bytes: of the model's memory that nothing else uses.
        """
        with self._lock:
            record = self._records.setdefault(visitor, _Record())
            self._records.move_to_end(visitor)
            record.runs = [*record.runs, run][-MAX_RUNS_KEPT:]
            record.outcomes[run.number] = outcome
            kept = {each.number for each in record.runs}
            record.outcomes = {number: its for number, its in record.outcomes.items() if number in kept}
            self._trained[visitor, run.number] = (trained, n_bytes)
            for name in [key for key in self._trained if key[0] == visitor and key[1] not in kept]:
                del self._trained[name]
            while len(self._trained) > 1 and sum(size for _, size in self._trained.values()) > MAX_TRAINED_BYTES:
                self._trained.popitem(last=False)

    def runs(self, visitor: str) -> tuple[Run, ...]:
        """Return a visitor's finished runs, oldest first."""
        with self._lock:
            record = self._records.get(visitor)
            return tuple(record.runs) if record is not None else ()

    def next_number(self, visitor: str) -> int:
        """Return the number of a visitor's next run, from 1."""
        runs = self.runs(visitor)
        return runs[-1].number + 1 if runs else 1

    def outcome(self, visitor: str, number: int | None = None) -> Outcome | None:
        """Return the outcome of a run, the last by default.

        It is None where there is no such run, or where only its numbers are left.
        """
        with self._lock:
            record = self._records.get(visitor)
            if record is None or not record.runs:
                return None
            return record.outcomes.get(record.runs[-1].number if number is None else number)

    def trained(self, visitor: str, number: int | None = None) -> tuple[Run, LoadedModel]:
        """Return a run, the last by default, and its model.

        Raises:
            LaboratoryError: there is no such run, or its model had to make room for others.
        """
        runs = {run.number: run for run in self.runs(visitor)}
        if not runs or (number is not None and number not in runs):
            raise LaboratoryError("There is no such run of yours here: none was trained yet, or it was long ago.")
        run = runs[max(runs) if number is None else number]
        with self._lock:
            kept = self._trained.get((visitor, run.number))
            if kept is None:
                raise LaboratoryError(
                    f"The weights of run {run.number} are gone: they made room for those of later runs, or the server was "
                    "started anew. Its numbers stay. Train it again; the same seed gives the same model."
                )
            self._trained.move_to_end((visitor, run.number))
            return run, kept[0]

    def has_weights(self, visitor: str, number: int) -> bool:
        """Tell whether a run's trained model is still here."""
        with self._lock:
            return (visitor, number) in self._trained

    def restore(self, visitor: str, kept: Iterable[Any]) -> None:
        """Take back the numbers that a visitor's browser kept.

        What the server itself still knows counts for more.

        Raises:
            LaboratoryError: they are no runs.
        """
        runs = [Run.from_dict(values) for values in list(kept)[-MAX_RUNS_KEPT:]]
        with self._lock:
            if runs and visitor not in self._records:
                self._records[visitor] = _Record(sorted(runs, key=lambda run: run.number))

    def drop(self, visitor: str) -> None:
        """Forget all of a visitor."""
        with self._lock:
            self._records.pop(visitor, None)
            for key in [key for key in self._trained if key[0] == visitor]:
                del self._trained[key]

    def oldest_beyond(self, busy: Iterable[str]) -> list[str]:
        """Name the visitors above the limit, idle ones alone."""
        with self._lock:
            n_more = max(0, len(self._records) - MAX_VISITORS)
            idle = [name for name in self._records if name not in set(busy)]
            return idle[:n_more]

    def touch(self, visitor: str) -> None:
        """Count a visitor as the last one seen."""
        with self._lock:
            if visitor in self._records:
                self._records.move_to_end(visitor)


def name_owner(visitor: str, number: int) -> str:
    """Name the owner of a run's model, for the service."""
    return f"{visitor} {number}"
