"""A Ray cluster, joined for one command."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mtdemo.config import Settings, prepare_environment
from mtdemo.errors import UsageError

LOCAL = "local"  # a cluster of this machine alone, which ends with the command


@contextmanager
def joined(address: str, **options: Any) -> Iterator[Any]:
    """Join a cluster, and leave it at the end.

    Ray's usage statistics stay off, and its dashboard is not started.

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
    if address == LOCAL:
        options = {"include_dashboard": False, **options}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except ConnectionError as error:
        raise UsageError(f"There is no Ray cluster at {address!r}. `ray start --head` begins one.") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def settings_of_workers(settings: Settings) -> Settings:
    """Return settings for processes that run elsewhere.

    One thread, unless another number was set, since each core has a worker; a checkpoint that is found from any directory.
    """
    return replace(settings, threads=settings.threads or 1, checkpoint=os.path.abspath(settings.checkpoint))
