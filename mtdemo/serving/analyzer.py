"""From sentences to results: cached, and every sentence computed once.

A sentence that another request is computing already is waited for, and computed again only where that request failed.
What is left goes into the line before the model (`mtdemo.serving.pass_queue`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from mtdemo.config import Settings
from mtdemo.results import ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.lru_cache import LruCache
from mtdemo.serving.model_entry import Entry, ModelEntry
from mtdemo.serving.pass_queue import PassQueue, Request, always


class Answers(NamedTuple):
    """Results in the order given, and what they took.

    Attributes:
        results: one per sentence.
        n_passes: forward passes that had sentences of this question.
        were_known: for each sentence, whether it did not have to be computed for it.
    """

    results: tuple[SentenceAnalysis, ...]
    n_passes: int
    were_known: tuple[bool, ...]


class _Key(NamedTuple):
    """All that a result depends on."""

    load_number: int
    max_length: int
    prompt: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ServiceCounts:
    """Counts of a service's work since its start.

    Attributes:
        n_forward_passes: over windows.
        n_tokens: word pieces read by them, special ones included.
        n_known: sentences whose results were cached, or being computed for another request.
        n_computed: sentences computed.
        n_cache_bytes: memory of the results that are kept now.
        n_waiting: windows that wait now.
        n_restarts: how often the thread that computes died and another one went on.
        seconds_at_pass: since what is computed now began; 0 for nothing.
    """

    n_forward_passes: int
    n_tokens: int
    n_known: int
    n_computed: int
    n_cache_bytes: int
    n_waiting: int
    n_restarts: int
    seconds_at_pass: float


class Analyzer:
    """Computes what no cache has, and remembers it within `max_cache_bytes`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._results: LruCache[_Key, SentenceAnalysis] = LruCache(settings.max_cache_bytes, _size_of_result)
        self._pending: dict[_Key, Future[SentenceAnalysis]] = {}
        self._pending_lock = threading.Lock()
        self._passes = PassQueue(settings)
        self._n_known = self._n_computed = 0

    @property
    def counts(self) -> ServiceCounts:
        """Counts of the work since the start."""
        passes = self._passes
        return ServiceCounts(
            n_forward_passes=passes.n_forward_passes,
            n_tokens=passes.n_tokens,
            n_known=self._n_known,
            n_computed=self._n_computed,
            n_cache_bytes=self._results.size,
            n_waiting=passes.n_waiting,
            n_restarts=passes.n_restarts,
            seconds_at_pass=passes.seconds_at_pass,
        )

    def analyze(
        self,
        entry: Entry,
        sentences: Sequence[str],
        max_length: int,
        progress: ProgressCallback = no_progress,
        is_wanted: Callable[[], bool] = always,
        prompt: str | None = None,
    ) -> Answers:
        """Analyse sentences, each network each different one once.

        Args:
            entry: the model; where it is put together, each of its networks reads the sentences by itself.
            sentences: checked and not blank.
            max_length: word pieces per window, special ones included; at most what a network can.
            progress: told of windows done and windows in all, when there is more than one pass.
            is_wanted: False where nobody waits for the results any more; asked before each pass.
            prompt: what is read before each sentence for the embedding; None for what the model reads by default.

        Returns:
            One result per sentence, in the given order, and what they took.

        Raises:
            RequestGoneError: they are not wanted any more.
        """
        answers = [
            self._analyze(model, sentences, max_length, progress, is_wanted, None if number else prompt)
            for number, model in enumerate(entry.models)
        ]
        return Answers(
            tuple(map(entry.join, zip(*(answer.results for answer in answers), strict=True))),
            sum(answer.n_passes for answer in answers),
            tuple(map(all, zip(*(answer.were_known for answer in answers), strict=True))),
        )

    def _analyze(
        self,
        model: ModelEntry,
        sentences: Sequence[str],
        max_length: int,
        progress: ProgressCallback,
        is_wanted: Callable[[], bool],
        prompt: str | None,
    ) -> Answers:
        """Let one network read the sentences."""
        max_length = min(max_length, model.info.max_length)
        keys = [_Key(model.number, max_length, prompt, sentence) for sentence in sentences]
        results: dict[_Key, SentenceAnalysis] = {}
        computed_here: set[_Key] = set()
        n_passes = 0
        while missing := [key for key in dict.fromkeys(keys) if key not in results]:
            known, claimed, pending = self._claim(missing)
            results |= known
            if claimed:
                try:
                    texts = [key.sentence for key in claimed]
                    request = Request(model.loaded, texts, max_length, is_wanted, prompt)
                    computed = self._compute(request, progress)
                except BaseException as error:
                    self._settle(claimed, error)
                    raise
                results |= dict(zip(claimed, computed, strict=True))
                computed_here.update(claimed)
                n_passes += request.n_passes
                self._settle(claimed, results)
            results |= {key: future.result() for key, future in pending.items() if future.exception() is None}
        return Answers(tuple(results[key] for key in keys), n_passes, tuple(key not in computed_here for key in keys))

    def run(self, request: Request, progress: ProgressCallback = no_progress) -> None:
        """Run windows of one's own choice, past the cache.

        Arguments and errors are those of `PassQueue.run`.
        """
        self._passes.run(request, progress)

    def _claim(
        self, keys: Sequence[_Key]
    ) -> tuple[dict[_Key, SentenceAnalysis], list[_Key], dict[_Key, Future[SentenceAnalysis]]]:
        """Part keys into known, computed here and computed elsewhere."""
        results: dict[_Key, SentenceAnalysis] = {}
        claimed: list[_Key] = []
        pending: dict[_Key, Future[SentenceAnalysis]] = {}
        with self._pending_lock:
            for key in keys:
                known = self._results.get(key)
                if known is not None:
                    results[key] = known
                elif key in self._pending:
                    pending[key] = self._pending[key]
                else:
                    self._pending[key] = Future()
                    claimed.append(key)
            self._n_known += len(results) + len(pending)
            self._n_computed += len(claimed)
        return results, claimed, pending

    def _settle(self, claimed: Sequence[_Key], outcome: dict[_Key, SentenceAnalysis] | BaseException) -> None:
        """Cache what this request computed and wake who waits."""
        with self._pending_lock:
            futures = {key: self._pending.pop(key) for key in claimed}
            if not isinstance(outcome, BaseException):
                for key in claimed:
                    self._results.put(key, outcome[key])
        for key, future in futures.items():
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome[key])

    def _compute(self, request: Request, progress: ProgressCallback) -> list[SentenceAnalysis]:
        from mtdemo.inference.pipeline import to_analyses

        self._passes.run(request, progress)
        return to_analyses(request.loaded, request.encoded, request.outputs)


def _size_of_result(result: SentenceAnalysis) -> int:
    """Estimate the bytes of a result."""
    # The text twice, as key and as value, of at most 4 bytes a character; then the objects.
    return result.embedding.nbytes + 8 * len(result.text) + 250 * len(result.entities) + 1_000
