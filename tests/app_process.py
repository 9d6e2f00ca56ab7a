"""Runs `app.py` as a person does, in a process of its own that notes every name it looks up.

As a script (`python app_process.py NAMES_FILE ARGUMENTS…`) it is that process; as a module it starts and stops it.
"""

from __future__ import annotations

import os
import runpy
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class AppProcess:
    """A running app: where it is, what it looked up, what it printed."""

    url: str
    names_file: Path
    log_file: Path

    @property
    def names(self) -> set[str]:
        """Every host that was looked up or connected to so far."""
        return set(self.names_file.read_text(encoding="utf-8").split("\n")) - {""}

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")


@contextmanager
def run_app(directory: Path, *arguments: str, timeout_s: float = 120) -> Iterator[AppProcess]:
    """Start the app on a free port, wait until its page answers, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = AppProcess(f"http://127.0.0.1:{port}", directory / "names", directory / "log")
    app.names_file.touch()
    command = [sys.executable, __file__, str(app.names_file), "--port", str(port), *arguments]
    with app.log_file.open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)  # noqa: S603
        try:
            _wait(app, process, timeout_s)
            yield app
        finally:
            process.terminate()
            process.wait(20)


def _wait(app: AppProcess, process: subprocess.Popen[bytes], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(app.url, timeout=5):  # noqa: S310
                return
        except (URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the app did not start:\n{app.log}") from None
            time.sleep(0.1)


def _note_names(names_file: str) -> None:
    """Write down every host before it is looked up or connected to."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def note(host: Any) -> None:
        with open(names_file, "a", encoding="utf-8") as names:
            names.write(f"{host.decode() if isinstance(host, bytes) else host}\n")

    def noted_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        note(host)
        return look_up(host, *args, **kwargs)

    class NotedSocket(socket.socket):
        def connect(self, address: Any) -> None:
            note(address[0] if isinstance(address, tuple) else "a local socket")
            connect(self, address)

    socket.getaddrinfo = noted_look_up
    socket.socket = NotedSocket  # type: ignore[misc]


if __name__ == "__main__":
    _note_names(sys.argv[1])
    sys.argv = ["app.py", *sys.argv[2:]]
    sys.path[0] = os.getcwd()
    runpy.run_path("app.py", run_name="__main__")
