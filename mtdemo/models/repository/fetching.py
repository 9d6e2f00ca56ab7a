"""Fetching within a stated time, and the cause of a failure by its name."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from mtdemo.errors import CheckpointError, CheckpointNotFoundError, HubUnreachableError

Value = TypeVar("Value")
_STEP_S = 0.5  # between two looks


class StalledError(Exception):
    """The hub stopped sending."""


def run_within(seconds: float, work: Callable[[], Value], measure: Callable[[], int] = lambda: 0) -> Value:
    """Run work, and give up when nothing moves.

    The libraries below wait for minutes, and some for ever. Who is given up ends by itself, and keeps nobody waiting.

    Args:
        seconds: without any change, after which it is given up.
        work: what is run.
        measure: a number that changes while the work gets on, such as the bytes that have come.

    Raises:
        StalledError: it was given up.
        Exception: what the work raises.
    """
    result: Future[Value] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            result.set_exception(error)

    Thread(target=run, daemon=True, name="download").start()
    seen, since = measure(), time.monotonic()
    while True:
        try:
            return result.result(min(_STEP_S, seconds))
        except TimeoutError:
            if result.done():
                raise
        if (now := measure()) != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since >= seconds:
            raise StalledError


_BY_STATUS = {
    401: "it asks for a login, which this page does not have",
    403: "it refuses access from here (403)",
    429: "it has had too many requests from here (429); wait some minutes",
}
_BY_NUMBER = {
    errno.ENOSPC: "the disk is full. Free some space",
    errno.EDQUOT: "the disk quota is used up. Free some space",
    errno.EACCES: "the cache folder cannot be written. Set HF_HOME to one that can",
    errno.EPERM: "the cache folder cannot be written. Set HF_HOME to one that can",
    errno.EROFS: "the cache folder is read-only. Set HF_HOME to another one",
}
_UNREACHABLE, _INTERRUPTED = "the hub cannot be reached from here; check the network", "the download was interrupted"
_BY_NAME = (  # of an error, since several libraries below have their own: the first that fits
    ("Reset", _INTERRUPTED),
    ("Aborted", _INTERRUPTED),
    ("Connect", _UNREACHABLE),
    ("gaierror", _UNREACHABLE),
    ("Timeout", "the hub does not answer"),
    ("", _INTERRUPTED),
)


def is_silence(error: Exception) -> bool:
    """Tell if a failure was not an answer."""
    if isinstance(error, HfHubHTTPError):
        return _status(error) >= 500 or _status(error) == 429
    return not isinstance(error, OSError) or error.errno not in _BY_NUMBER


_KNOWN: tuple[tuple[type[Exception], type[CheckpointError], str], ...] = (
    (
        GatedRepoError,
        CheckpointNotFoundError,
        "The model {name!r} is gated: its makers ask for a login, which this page does not have. Choose another one.",
    ),
    (
        RevisionNotFoundError,
        CheckpointNotFoundError,
        "The model {name!r} has no such revision. Check what stands after the @.",
    ),
    (
        RepositoryNotFoundError,
        CheckpointNotFoundError,
        "The hub has no public model {name!r}. Check the spelling of the id; a private one cannot be loaded here.",
    ),
    (
        RemoteEntryNotFoundError,
        CheckpointNotFoundError,
        "The model {name!r} changed while it was downloaded. Try again.",
    ),
    (
        StalledError,
        HubUnreachableError,
        "The model {name!r} could not be downloaded: the hub stopped sending. Try again; what has come is kept.",
    ),
)


def explain(error: Exception, name: str) -> CheckpointError:
    """Turn a failure into the error that names its cause.

    Args:
        error: of the hub's client, of the network or of the disk.
        name: of the model.
    """
    for kind, ours, words in _KNOWN:
        if isinstance(error, kind):
            return ours(words.format(name=name))
    if isinstance(error, HfHubHTTPError):
        status = _status(error)
        cause = _BY_STATUS.get(status, f"it has a fault of its own ({status}); try again later")
        return HubUnreachableError(f"The hub does not give the model {name!r} just now: {cause}.")
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return HubUnreachableError(f"The model {name!r} cannot be kept here: {_BY_NUMBER[error.errno]}.")
    cause = next(words for sign, words in _BY_NAME if sign in _root_of(error))
    return HubUnreachableError(
        f"The model {name!r} could not be downloaded: {cause} ({_root_of(error)}), and it is not in the local cache. Try "
        "again later, or use the embedded model."
    )


def _root_of(error: BaseException) -> str:
    """Name the error that a chain of them began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return type(error).__name__


def _status(error: HfHubHTTPError) -> int:
    return int(getattr(error.response, "status_code", 0) or 0)
