"""Files that must not be lost half written: what a full disk or a directory without rights does is told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from mtdemo.errors import FileWriteError


@contextmanager
def writing(path: Path, hint: str = "") -> Iterator[None]:
    """Turn what libraries raise when a file cannot be written into one kind of error.

    Args:
        path: what is written.
        hint: what is not lost, or what to do, as a sentence.

    Raises:
        FileWriteError: it could not be written, and why.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch's is a RuntimeError
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise FileWriteError(f"{path} could not be written: {reason}. {hint}".rstrip()) from error
