import sys
from types import SimpleNamespace

import pytest

from mtdemo.ui import launch


def test_zero_gpu_finds_the_function_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=found.append))
    launch._satisfy_zero_gpu()
    assert found == [launch._on_gpu]
