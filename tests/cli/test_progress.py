from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mtdemo.cli.progress import ProgressBar

Write = Callable[..., Path]


def test_the_bar_starts_anew_with_every_phrase_and_every_count() -> None:
    with closing(ProgressBar()) as bar:
        seen = []
        for done, total in ((1, 3), (2, 3), (3, 3), (1, 5), (2, 5), (1, 5)):
            bar("measuring", done, total)
            assert bar._bar is not None
            seen.append((bar._bar, bar._bar.n, bar._bar.total))
    assert [(n, total) for _, n, total in seen] == [(1, 3), (2, 3), (3, 3), (1, 5), (2, 5), (1, 5)]
    assert len({id(one) for one, _, _ in seen}) == 3
