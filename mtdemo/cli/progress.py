"""Progress on a terminal."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


class ProgressBar:
    """Progress bar on standard error.

    It starts anew with every phrase, and where another count begins under the same phrase.
    """

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._title = ""

    def __call__(self, phrase: str, done: int, total: int) -> None:
        title, _, postfix = phrase.partition(", ")
        if self._bar is None or title != self._title or total != self._bar.total or done < self._bar.n:
            self.close()
            self._title = title
            already = max(0, done - 1)  # what an earlier run did says nothing of the time that is left
            self._bar = tqdm(total=total, desc=title, initial=already, file=sys.stderr)
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
