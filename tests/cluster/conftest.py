"""A Ray of this machine, small enough for two cores, and notes of whom its processes call."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from mtdemo.cluster.connection import LOCAL, joined

NOTED = Path(__file__).parent / "noted"  # a folder with a `sitecustomize`, which Python imports at its start


@pytest.fixture(scope="package")
def called_outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], set[str]]]:
    """Every name or address beyond this machine that a process of the cluster looked up, or called, until now.

    Processes in Python note it before they do it, also where no network is there; of those in C++ it is seen while the
    connection stands.
    """
    notes = tmp_path_factory.mktemp("ray") / "notes"
    notes.touch()
    own = {"localhost", "0.0.0.0", "::", "None", "", socket.gethostname(), socket.getfqdn()}  # noqa: S104
    own |= {address.address.partition("%")[0] for its in psutil.net_if_addrs().values() for address in its}

    def look() -> set[str]:
        called = set(notes.read_text(encoding="utf-8").split("\n"))
        for process in psutil.Process().children(recursive=True):
            try:
                called |= {one.raddr.ip for one in process.net_connections() if one.raddr}
            except psutil.Error:  # it has ended
                continue
        return {name.removeprefix("::ffff:") for name in called} - own

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTDEMO_NOTES", str(notes))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(NOTED), *filter(None, [os.environ.get("PYTHONPATH")])]))
        yield look


@pytest.fixture(scope="package")
def ray(called_outside: Callable[[], set[str]]) -> Iterator[Any]:
    """A cluster of two cores."""
    with joined(LOCAL, num_cpus=2, object_store_memory=80_000_000) as ray:
        yield ray
