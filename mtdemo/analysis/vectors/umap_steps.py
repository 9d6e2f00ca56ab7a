"""Layout by UMAP, followed by the progress bar that it fills.

It has no steps to ask for, so it runs on a thread, and its bar passes on how far it is. Nothing ends it early: an error
raised by the bar would leave tqdm's lock taken. So who has enough of it is free at once, while it runs to its end; one
runs at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from queue import SimpleQueue
from typing import Any

import numpy as np

EPOCHS_PER_STEP = 10
_turn = threading.Lock()


def lay_out_by_umap(
    unit: np.ndarray, n_dimensions: int, n_neighbours: int, seed: int
) -> Generator[tuple[int, int], None, np.ndarray]:
    """Lay rows out by UMAP, which begins with PCA.

    Args:
        unit: float32 (rows, width).
        n_dimensions: of the map.
        n_neighbours: of each row, that the graph has; less than the rows.
        seed: of its random numbers.

    Yields:
        Epochs done and epochs in all, once neighbours and graph are found.

    Returns:
        float32 (rows, dimensions).
    """
    news: SimpleQueue[tuple[int, int] | np.ndarray | BaseException] = SimpleQueue()
    is_given_up = threading.Event()

    def run() -> None:
        try:
            with _turn:
                if not is_given_up.is_set():
                    news.put(_umap(unit, n_dimensions, n_neighbours, seed, news))
        except BaseException as error:  # noqa: BLE001 - whatever it is, who follows is told
            news.put(error)

    threading.Thread(target=run, name="umap", daemon=True).start()
    try:
        while True:
            told = news.get()
            if isinstance(told, BaseException):
                raise told
            if isinstance(told, np.ndarray):
                return told
            yield told
    finally:
        is_given_up.set()


def _umap(unit: np.ndarray, n_dimensions: int, n_neighbours: int, seed: int, news: SimpleQueue[Any]) -> np.ndarray:
    from umap import UMAP

    often = {"mininterval": 0, "miniters": EPOCHS_PER_STEP, "maxinterval": float("inf")}
    bar = {"file": _Bar(news), "disable": False, "bar_format": "{n} {total}", **often}
    method = UMAP(n_neighbours, n_dimensions, metric="cosine", random_state=seed, n_jobs=1, init="pca", tqdm_kwds=bar)
    return np.asarray(method.fit_transform(unit))


class _Bar:
    """A file that tqdm writes to how far it is."""

    def __init__(self, news: SimpleQueue[Any]) -> None:
        self._news = news

    def write(self, text: str) -> None:
        """Pass `10 500` on; a line feed says nothing."""
        if numbers := text.split():
            done, total = map(int, numbers)
            self._news.put((done, total))

    def flush(self) -> None:
        """Do nothing: nothing waits."""
