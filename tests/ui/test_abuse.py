"""Programs that send what no page sends: to every endpoint behind the page, and to the server as such."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from benchmarks.soak import free_port
from mtdemo.config import Settings
from mtdemo.ui import launch
from tests.ui.conftest import FakeService

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, by which gradio sums up its queue

HOSTILE = {
    "nothing": "null",
    "text": '"<img src=x onerror=alert(1)>"',
    "huge number": "9" * 5_000,
    "infinite number": "1e999",
    "negative number": "-1",
    "deep list": "[" * 400 + "]" * 400,
    "object": '{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}',
    "huge number as text": '"' + "9" * 5_000 + '"',
    "broken JSON as text": '"{\\"a\\": [[["',
    "lone surrogate": '"\\ud800"',
}


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[httpx.Client]:
    """A client of the real server, which is started in this process around a service without a model.

    At its end nothing that was sent may have been printed, and the server itself may not have failed.
    """
    monkeypatch.setattr("mtdemo.serving.service.ModelService", lambda settings: FakeService())
    page, _ = launch.start(Settings(port=free_port()))
    try:
        with httpx.Client(base_url=page.local_url, timeout=60) as client:
            yield client
    finally:
        page.close(verbose=False)
    printed = "".join(capfd.readouterr())
    assert "Exception in ASGI application" not in printed, printed[printed.index("Exception in ASGI") :][:3_000]
    assert not [sent for sent in ("passwd", "9999999", "onerror") if sent in printed]


def send(client: httpx.Client, function: int, values: str, session: str) -> str:
    """Send values to an endpoint as the page does, and give what became of it."""
    body = f'{{"fn_index": {function}, "session_hash": "{session}", "data": {values}}}'
    joined = client.post("/gradio_api/queue/join", content=body, headers={"content-type": "application/json"})
    if joined.status_code != 200:
        assert joined.status_code in (400, 422), joined.text
        return "refused"
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as events:
        for line in events.iter_lines():
            if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] in (
                "process_completed",
                "close_stream",
            ):
                return "answered" if message.get("success") else json.dumps(message.get("output"))
    return "closed"


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_value_for_any_endpoint_of_the_page_is_printed_or_breaks_the_server(outside: httpx.Client, kind: str) -> None:
    config = outside.get("/config").json()
    endpoints: list[dict[str, Any]] = [one for one in config["dependencies"] if one["backend_fn"]]
    assert len(endpoints) > 20
    for endpoint in endpoints:
        values = f"[{','.join([HOSTILE[kind]] * len(endpoint['inputs']))}]"
        outcome = send(outside, endpoint["id"], values, f"{kind.replace(' ', '')}{endpoint['id']}")
        assert "<img" not in outcome
    for body in ("{", '{"data": ' + "[" * 100_000, '{"data": [' + "9" * 5_000 + "]}", "[]"):
        for path in ("/gradio_api/queue/join", "/gradio_api/call/analyze"):
            answer = outside.post(path, content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (200, 400, 422), answer.text


def test_connections_that_say_nothing_or_little_keep_nobody_else_waiting(outside: httpx.Client) -> None:
    """500 connections: half of them are silent, half send a header now and then, as a slow-loris does."""
    place = (outside.base_url.host, outside.base_url.port or 80)
    connections = [socket.create_connection(place, timeout=10) for _ in range(500)]
    try:
        for connection in connections[::2]:
            connection.sendall(b"POST /api/v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n")
        for _ in range(3):
            for connection in connections[::2]:
                connection.sendall(b"X-Slow: 1\r\n")
            start = time.monotonic()
            answer = outside.post("/api/v1/classify", json={"sentences": ["I love this!"]})
            assert answer.status_code == 200
            assert time.monotonic() - start < 10
    finally:
        for connection in connections:
            connection.close()
    assert outside.get("/healthz").status_code == 200
