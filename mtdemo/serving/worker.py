"""One thread that runs tasks in order, and has a successor where it dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

_LOOK_S = 0.5  # how often an idle thread looks whether the process ends
_logger = logging.getLogger(__name__)


class Worker:
    """A thread that runs tasks one after the other.

    Tasks are meant to catch what they raise. Should the thread die all the same, whoever waits is told, and another one
    goes on with the tasks that are left.

    Args:
        name: of the thread.
        on_death: called by the thread that dies, with the reason.
    """

    def __init__(self, name: str, on_death: Callable[[BaseException], None]) -> None:
        self._name = name
        self._on_death = on_death
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._began: float | None = None
        self.n_deaths = 0

    @property
    def seconds_at_task(self) -> float:
        """Seconds that the running task has taken; 0 for none."""
        began = self._began
        return 0.0 if began is None else time.monotonic() - began

    def submit(self, task: Callable[[], None]) -> None:
        """Put a task behind those that wait."""
        self._tasks.put(task)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name=self._name)
        self._thread.start()

    def _work(self) -> None:
        try:
            self._run_tasks()
        except BaseException as error:  # noqa: BLE001 - whatever it is, who waits is told
            _logger.critical("the thread %s died of %s; another one goes on", self._name, type(error).__name__)
            self._began = None
            self.n_deaths += 1
            self._on_death(error)
            with self._lock:
                self._start()

    def _run_tasks(self) -> None:
        """Run tasks until the process ends."""
        while threading.main_thread().is_alive():
            try:
                task = self._tasks.get(timeout=_LOOK_S)
            except Empty:
                continue
            self._began = time.monotonic()
            task()
            self._began = None
