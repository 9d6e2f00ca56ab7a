"""Files read and written with clear errors: a missing file, a full disk or lacking rights are told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from mtdemo.errors import DataFileError, FileWriteError


@contextmanager
def reading(name: Path | str) -> Iterator[None]:
    """Tell in one sentence that a file cannot be read.

    Args:
        name: what messages call the file.

    Raises:
        DataFileError: the system refused, and why.
    """
    try:
        yield
    except OSError as error:
        raise DataFileError(f"{name} cannot be read: {error.strerror or error}.") from error


@contextmanager
def writing(path: Path, hint: str = "") -> Iterator[None]:
    """Tell in one sentence that a file cannot be written.

    Args:
        path: what is written.
        hint: what is not lost, as a sentence.

    Raises:
        FileWriteError: it could not be written, and why.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # torch's is a RuntimeError
        raise FileWriteError(f"{path} could not be written: {first_line(error)}. {hint}".rstrip()) from error


def first_line(error: Exception) -> str:
    """Return the first line of an error, else its kind."""
    return (getattr(error, "strerror", None) or str(error).strip() or type(error).__name__).splitlines()[0]
