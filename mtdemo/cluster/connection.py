"""A Ray cluster, joined for one command."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from mtdemo.config import Settings, prepare_environment
from mtdemo.errors import UsageError

LOCAL = "local"  # a cluster of this machine alone, which ends with the command
_AUTO = "auto"  # the one that runs on this machine
_CONNECT_S = 5.0  # for the head to take a connection; Ray itself tries for minutes


@contextmanager
def joined(address: str, **options: Any) -> Iterator[Any]:
    """Join a cluster, and leave it at the end.

    Ray's usage statistics stay off, and neither its dashboard nor the server behind it is started.

    Args:
        address: of its head, `auto` for the one of this machine, or `LOCAL`.
        options: of `ray.init`, for a local one.

    Yields:
        The module `ray`.

    Raises:
        UsageError: Ray is not installed, or no cluster is there.
    """
    prepare_environment()
    try:
        import ray
    except ImportError as error:
        raise UsageError('Ray is not installed. It is an extra: pip install "mtdemo[ray]", or ".[ray]" here.') from error
    with ExitStack() as stack:
        if address == LOCAL:
            options = stack.enter_context(_without_server()) | options
        try:
            if address != LOCAL:
                _check_head(_find_noted_head() if address == _AUTO else address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
        except ConnectionError as error:
            if address == _AUTO:
                raise UsageError("No Ray cluster runs on this machine. `ray start --head` begins one.") from error
            raise UsageError(
                f"What listens at {address!r} lets nobody in: it is no Ray cluster or wants a token, see docs/scaling.md."
            ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextmanager
def _without_server() -> Iterator[dict[str, Any]]:
    """Give options that start no API server.

    Ray starts it for its usage statistics even where there is no dashboard, and it asks the metadata services of three
    clouds where it runs, whether statistics are on or off. Ray goes on without it where its port is taken.
    """
    logging.getLogger("ray._private.services").setLevel(logging.CRITICAL)  # which calls that an error
    with socket.create_server(("127.0.0.1", 0)) as taken:
        host, port = taken.getsockname()
        yield {"include_dashboard": False, "dashboard_host": host, "dashboard_port": port}


def _find_noted_head() -> str:
    """Find the address that `auto` stands for.

    It is in the environment, or in a file that a cluster leaves behind where it does not end by itself.

    Raises:
        ConnectionError: there is none.
    """
    from ray._private.services import canonicalize_bootstrap_address

    return str(canonicalize_bootstrap_address(_AUTO) or "")


def _check_head(address: str) -> None:
    """Make sure that something listens where the head should.

    Raises:
        UsageError: the address is none, or nobody answers.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(
            f"{address!r} is no address of a Ray cluster. Give HOST:PORT of its head, such as head:6379, or {_AUTO!r} for "
            "the one that runs on this machine."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"There is no Ray cluster at {address!r}: {error}. `ray start --head` begins one, and prints its address; a "
            "firewall must let this machine through to it."
        ) from error


def settings_of_workers(settings: Settings) -> Settings:
    """Return settings for processes that run elsewhere.

    One thread, unless another number was set, since each core has a worker; a checkpoint that is found from any directory.
    """
    return replace(settings, threads=settings.threads or 1, checkpoint=os.path.abspath(settings.checkpoint))
