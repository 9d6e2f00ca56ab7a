import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from benchmarks.soak import call, free_port, megabytes
from mtdemo.config import Settings
from mtdemo.ui import launch
from mtdemo.ui.bounded_http import BoundedHttp


def test_zero_gpu_finds_the_function_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=found.append))
    launch._satisfy_zero_gpu()
    assert found == [launch._on_gpu]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, by which gradio sums up its queue
def test_calls_leave_no_more_behind_than_the_sessions_that_are_kept(
    tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short soak; `python -m benchmarks.soak` is the long one. A session is 0.28 MB, so 60 too many are 17 MB."""
    monkeypatch.setattr(launch, "MAX_SESSIONS", 10)
    page, service = launch.start(Settings(checkpoint=str(tiny()), port=free_port(), max_cache_bytes=10_000))
    service.load()
    assert page.server.config.http_protocol_class is BoundedHttp
    try:
        with httpx.Client(base_url=page.local_url, timeout=60) as client:
            for number in range(60):
                call(client, number)
            before = megabytes()
            for number in range(60, 180):
                call(client, number)
            assert megabytes() - before < 10
        assert len(page.app.state_holder.session_data) <= 11
    finally:
        page.close(verbose=False)
