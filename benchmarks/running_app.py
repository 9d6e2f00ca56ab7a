"""The app in a process of its own, as the benchmarks ask it, or another one beside which it is measured."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.soak import ROOT, free_port

APP = ("app.py", "--port")  # what Python runs, before the port
PLAIN_APP = ("-m", "benchmarks.rivals")
_START_S = 120.0


@dataclass(frozen=True)
class RunningApp:
    """An app that answers: its address, and its process."""

    url: str
    process_id: int

    @property
    def peak_mb(self) -> float:
        """The most memory that it had so far, in MB; Linux only."""
        status = Path(f"/proc/{self.process_id}/status").read_text(encoding="utf-8")
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1_000


@contextlib.contextmanager
def running_app(environment: Mapping[str, str] | None = None, arguments: Sequence[str] = APP) -> Iterator[RunningApp]:
    """Start an app on a free port, and end it.

    Args:
        environment: variables that are set for it, beside those of this process.
        arguments: what Python runs.

    Yields:
        The app, as soon as its model answers.

    Raises:
        TimeoutError: it ended, or did not answer within two minutes.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *arguments, str(port)]
    app = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | (environment or {}))
    try:
        deadline = time.monotonic() + _START_S
        while not _is_ready(url + ("/readyz" if arguments is APP else "/")):
            if app.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError("The app did not start; see its messages above.")
            time.sleep(0.2)
        yield RunningApp(url, app.pid)
    finally:
        app.terminate()
        app.wait(30)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False
