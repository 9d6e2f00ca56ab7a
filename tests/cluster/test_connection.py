"""What is said without Ray or without a cluster, and that Ray does not call home."""

from __future__ import annotations

import os
import sys

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
