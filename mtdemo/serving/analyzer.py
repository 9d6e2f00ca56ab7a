"""From sentences to results: cached, every sentence computed once, one batch at a time.

Tokenising and forward passes run on one thread of their own. A request hands over its batches one after the other, so
between two batches of a long request there is room for one of a short request, which therefore never waits for the
whole of the long one. A sentence that another request is computing already is waited for, and computed again only where
that request failed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from mtdemo.config import Settings, count_cores
from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.results import ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.lru_cache import LruCache
from mtdemo.serving.model_store import ModelEntry
from mtdemo.text.tokenization import Window

_SHORT_REQUEST = 512  # word pieces


class _Key(NamedTuple):
    """All that a result depends on."""

    load_number: int
    max_length: int
    sentence: str


class Analyzer:
    """Computes what no cache has, and remembers it within `max_cache_bytes`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._results: LruCache[_Key, SentenceAnalysis] = LruCache(settings.max_cache_bytes, _size_of_result)
        self._pending: dict[_Key, Future[SentenceAnalysis]] = {}
        self._pending_lock = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self.n_forward_passes = 0

    def analyze(
        self,
        entry: ModelEntry,
        sentences: Sequence[str],
        max_length: int,
        progress: ProgressCallback = no_progress,
    ) -> tuple[SentenceAnalysis, ...]:
        """Analyse sentences, each different one at most once.

        Args:
            entry: the model.
            sentences: checked and not blank.
            max_length: word pieces per window, special ones included.
            progress: told of windows done and windows in all, when there is more than one batch.

        Returns:
            One result per sentence, in the given order.
        """
        keys = [_Key(entry.number, max_length, sentence) for sentence in sentences]
        results: dict[_Key, SentenceAnalysis] = {}
        while missing := [key for key in dict.fromkeys(keys) if key not in results]:
            known, claimed, pending = self._claim(missing)
            results |= known
            if claimed:
                try:
                    computed = self._compute(entry.loaded, [key.sentence for key in claimed], max_length, progress)
                except BaseException as error:
                    self._settle(claimed, error)
                    raise
                results |= dict(zip(claimed, computed, strict=True))
                self._settle(claimed, results)
            results |= {key: future.result() for key, future in pending.items() if future.exception() is None}
        return tuple(results[key] for key in keys)

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

    def _compute(
        self, loaded: AnsweringModel, texts: Sequence[str], max_length: int, progress: ProgressCallback
    ) -> list[SentenceAnalysis]:
        from mtdemo.inference.pipeline import run_batches, to_analyses, windows_of

        encoded = self._thread.submit(loaded.encode, texts, max_length).result()
        windows = windows_of(encoded)
        n_threads = self._n_threads(sum(len(window.input_ids) for window in windows))
        outputs: dict[int, WindowOutput] = {}
        for batch in run_batches(loaded, windows, self._settings.tokens_per_batch, n_threads, self._run_on_thread):
            outputs |= batch
            if len(batch) < len(windows):
                progress("reading", len(outputs), len(windows))
        return to_analyses(loaded, encoded, outputs)

    def _run_on_thread(self, loaded: AnsweringModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        """Wait for a batch on the inference thread."""
        return self._thread.submit(self._run, loaded, windows, n_threads).result()

    def _run(self, loaded: AnsweringModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        """Run a batch; only the inference thread does so."""
        from mtdemo.inference import forward

        self.n_forward_passes += 1  # one thread alone counts, so no lock is needed
        return forward.run_windows(loaded, windows, n_threads)

    def _n_threads(self, n_tokens: int) -> int:
        """Choose few threads for short requests, all for long ones."""
        most = self._settings.threads or count_cores()
        return most if n_tokens > _SHORT_REQUEST else min(self._settings.threads_short, most)


def _size_of_result(result: SentenceAnalysis) -> int:
    """Estimate the bytes of a result."""
    # The text twice, as key and as value, of at most 4 bytes a character; then the objects.
    return result.embedding.nbytes + 8 * len(result.text) + 250 * len(result.entities) + 1_000
