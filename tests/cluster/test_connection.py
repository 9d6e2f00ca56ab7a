"""What is said without Ray or without a cluster, and that Ray calls nobody."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from mtdemo.cluster.connection import LOCAL, joined
from mtdemo.config import prepare_environment
from mtdemo.errors import UsageError


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r'pip install "mtdemo\[ray\]"'), joined(LOCAL):
        pass


def test_usage_statistics_are_off_whatever_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    prepare_environment()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.filterwarnings("ignore")  # Ray's, of itself
def test_a_cluster_of_this_machine_calls_nobody_and_who_did_would_be_seen(
    ray: Any, called_outside: Callable[[], set[str]]
) -> None:
    def call(place: str) -> None:
        with suppress(OSError):
            socket.create_connection((place, 9), timeout=0.01)

    ray.get(ray.remote(call).remote("127.0.0.1"))
    assert called_outside() == set()
    ray.get(ray.remote(call).remote("198.51.100.1"))
    assert called_outside() == {"198.51.100.1"}
    open(os.environ["MTDEMO_NOTES"], "w").close()  # the tests after this one look again


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("head", "Give HOST:PORT of its head"),
        (":6379", "Give HOST:PORT of its head"),
        ("127.0.0.1:99999", "There is no Ray cluster at '127.0.0.1:99999'"),
        ("127.0.0.1:{closed}", "There is no Ray cluster at .*refused.*`ray start --head` begins one"),
        ("ray://127.0.0.1:{closed}", "There is no Ray cluster at .*refused"),
    ],
)
def test_a_wrong_address_is_told_before_ray_tries_for_minutes(
    address: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())  # of which nothing can be called
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with pytest.raises(UsageError, match=words), joined(address.format(closed=closed)):
        pass


def test_a_head_that_is_only_noted_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("RAY_ADDRESS", place)
    with pytest.raises(UsageError, match=r"There is no Ray cluster at .*refused"), joined("auto"):
        pass


@pytest.mark.parametrize("asked", ["auto", "HOST:PORT"])
def test_a_head_that_lets_nobody_in_is_told(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=refuse))
    monkeypatch.setattr("mtdemo.cluster.connection._find_noted_head", refuse)
    words = "No Ray cluster runs on this machine" if asked == "auto" else "wants a token"
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = asked if asked == "auto" else f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UsageError, match=words), joined(place):
            pass
