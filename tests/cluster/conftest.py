"""A Ray of this machine, small enough for two cores, told to report to a server of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mtdemo.cluster.connection import LOCAL, joined


@pytest.fixture(scope="package")
def calls_home() -> Iterator[list[str]]:
    """What Ray reports about its usage: it is told to do so each second, to a server of this machine."""
    calls: list[str] = []

    class Home(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            calls.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Home) as server, pytest.MonkeyPatch.context() as patch:
        Thread(target=server.serve_forever, daemon=True).start()
        patch.setenv("RAY_USAGE_STATS_REPORT_URL", f"http://127.0.0.1:{server.server_port}/")
        patch.setenv("RAY_USAGE_STATS_REPORT_INTERVAL_S", "1")
        yield calls
        server.shutdown()


@pytest.fixture(scope="package")
def ray(calls_home: list[str]) -> Iterator[Any]:
    """A cluster of two cores."""
    with joined(LOCAL, num_cpus=2, object_store_memory=80_000_000) as ray:
        yield ray
