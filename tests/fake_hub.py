"""A small hub on the loopback interface: enough of the protocol for the real client, and it misbehaves as told."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

SHA = "a" * 40


class FakeHub:
    """Repositories under a folder, `owner/name/…`, and the faults of each.

    Faults, by repository: `private`, `gated`, `token` (opens both), `status` (of everything), `silent_s` (before every
    answer); of weights `cut_after`, with `reset` by a TCP reset, and `stall_after` (bytes that are sent, for `stall_s`
    nothing more), `bytes_per_s`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.faults: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.address = ""

    @property
    def fetched(self) -> set[str]:
        """Names of the files that were sent."""
        return {line.split("/", 5)[-1] for line in self.asked if line.startswith("GET") and "/resolve/" in line}


@contextmanager
def serve(root: Path) -> Iterator[FakeHub]:
    hub = FakeHub(root)

    class Handler(_Handler):
        its = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    its: FakeHub

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.its.asked.append(f"{self.command} {path}")
        parts = path.removeprefix("/api/models").strip("/").split("/")
        name, rest = "/".join(parts[:2]), parts[2:]
        faults = dict(self.its.faults.get(name, {}))
        if self.headers.get("Authorization") == f"Bearer {faults.get('token')}":
            faults |= {"private": False, "gated": False}
        time.sleep(faults.get("silent_s", 0))
        directory = self.its.root / name
        if not directory.is_dir() or faults.get("private"):
            self._error(401, "RepoNotFound")
        elif "status" in faults:
            self._error(faults["status"], "")
        elif len(rest) > 1 and rest[1] not in ("main", "v2", SHA):
            self._error(404, "RevisionNotFound")
        elif path.startswith("/api/"):
            self._send(json.dumps(self._info(directory, name)).encode())
        elif faults.get("gated"):
            self._error(401, "GatedRepo")
        else:
            self._send_file(directory / "/".join(rest[2:]), faults)

    def _info(self, directory: Path, name: str) -> dict[str, Any]:
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        siblings = [{"rfilename": str(path.relative_to(directory)), "size": path.stat().st_size} for path in files]
        return {"_id": "0", "id": name, "modelId": name, "sha": SHA, "private": False, "siblings": siblings, "tags": []}

    def _send_file(self, path: Path, faults: dict[str, Any]) -> None:
        if not path.is_file():
            return self._error(404, "EntryNotFound")
        content = path.read_bytes()
        faults = faults if path.suffix == ".safetensors" else {}
        limits = [faults[key] for key in ("cut_after", "stall_after") if key in faults]
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        self._send(content, min([len(content), *limits]), faults.get("bytes_per_s"), ETag=etag)
        if limits and self.command == "GET":
            time.sleep(faults.get("stall_s", 5) if "stall_after" in faults else 0)
            if faults.get("reset"):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            self.close_connection = True
        return None

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        for key, value in {"X-Error-Code": code, "X-Error-Message": "no", "Content-Length": "0"}.items():
            self.send_header(key, value)
        self.end_headers()

    def _send(self, body: bytes, n_sent: int | None = None, bytes_per_s: int | None = None, **headers: str) -> None:
        self.send_response(200)
        for key, value in {"Content-Length": str(len(body)), "X-Repo-Commit": SHA, **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            body = body[:n_sent]
            step = bytes_per_s or len(body) or 1
            for start in range(0, len(body), step):
                time.sleep(1 if start else 0)
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
