"""Requests with long heads, sent byte for byte to a server of a few lines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from mtdemo.ui.bounded_http import MAX_HEAD_BYTES, BoundedHttp

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def count_body(scope: Any, receive: Any, send: Any) -> None:
    n_bytes, is_more = 0, True
    while is_more:
        message = await receive()
        n_bytes, is_more = n_bytes + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"%d bytes" % n_bytes})


@contextmanager
def connection() -> Iterator[socket.socket]:
    server = uvicorn.Server(uvicorn.Config(count_body, http=BoundedHttp, log_level="critical", lifespan="off"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        with socket.create_connection(listening.getsockname(), timeout=30) as connected:
            yield connected
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def answer_to(*parts: bytes) -> bytes:
    """Send parts until the server has heard enough, and read what it says until it closes."""
    with connection() as connected:
        answer = b""
        try:
            for part in parts:
                connected.sendall(part)
            while part := connected.recv(65_536):
                answer += part
        except ConnectionError:
            pass
        return answer


def test_a_body_is_as_long_as_it_likes_and_requests_follow_each_other() -> None:
    body = b"a" * 10 * MAX_HEAD_BYTES
    lengths = b"Content-Length: %d\r\n" % len(body)
    chunks = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    padding = b"X: " + b"a" * (MAX_HEAD_BYTES - 1_000) + b"\r\n"
    answer = answer_to(HEAD + lengths + padding + b"\r\n", body, HEAD + lengths + b"\r\n", body + HEAD + chunks)
    assert answer.count(b"HTTP/1.1 200") == answer.count(b"%d bytes" % len(body)) == 3


@pytest.mark.parametrize(
    "start",
    [b"GET /", HEAD + b"X: ", HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: "],
    ids=["address", "header", "trailer"],
)
def test_a_head_that_does_not_end_is_refused(start: bytes) -> None:
    answer = answer_to(start, *[b"a" * 10_000] * 10)
    assert answer.startswith(b"HTTP/1.1 400") or not answer, "where it was closed first, the system drops the answer"
    assert b"200" not in answer
