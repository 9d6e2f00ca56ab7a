"""Files read and written with clear errors: a missing file, a full disk or lacking rights are told in a sentence.

Bytes become text by one rule for all formats and commands. The encoding is UTF-8, with or without a byte order mark, or
what a mark of UTF-16 or UTF-32 says; anything else is refused with the line. A line ends with a line feed, a carriage
return or both, and with nothing else (U+2028 is a character of its line), so lines are numbered as an editor numbers them.
Left out: guessing an encoding, since a wrong one gives wrong words.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import TextIO

from safetensors import SafetensorError

from mtdemo.errors import DataFileError, FileWriteError

MAX_FILE_BYTES = 1 << 30
_HEAD = 4096  # bytes that tell the encoding
_MARKS = (  # UTF-32 first: its mark begins as that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = (
    (b"PK\x03\x04", "a workbook or another ZIP file; save the sheet as CSV (UTF-8)"),
    (b"\xd0\xcf\x11\xe0", "a workbook or another Office file; save the sheet as CSV (UTF-8)"),
    (b"\x1f\x8b", "compressed; unpack it"),
    (b"%PDF", "a PDF"),
)
_HINT = "If it was saved as Windows-1252 (ANSI) or in another encoding, save it as UTF-8."


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


def make_room(directory: Path, n_bytes: int, max_bytes: int) -> None:
    """Delete the oldest files below a folder until one fits.

    Args:
        directory: looked through with all below it; it need not exist.
        n_bytes: of the file to come.
        max_bytes: what all files may have together.

    A file that is larger by itself leaves no other.
    """
    files = sorted((info.st_mtime, path, info.st_size) for path, info in _files_below(directory))
    total = n_bytes + sum(size for _, _, size in files)
    for _, path, size in files:
        if total <= max_bytes:
            return
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others are in it, or it is gone
            path.parent.rmdir()
        total -= size


def _files_below(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            with suppress(FileNotFoundError):  # deleted meanwhile
                yield path, path.stat()


def first_line(error: Exception) -> str:
    """Return the first line of an error, else its kind."""
    return (getattr(error, "strerror", None) or str(error).strip() or type(error).__name__).splitlines()[0]


def read_text(path: Path, name: str | None = None, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Read a text file whose lines end with line feeds.

    Args:
        path: the file.
        name: what messages call it; its path by default.
        max_bytes: the largest file that is read.

    Raises:
        DataFileError: it cannot be read, is too large, or is no text, naming the line.
    """
    name = name or str(path)
    with reading(name):
        size = path.stat().st_size
        if size > max_bytes:
            raise DataFileError(f"{name} has {size / 1e6:.1f} MB; at most {max_bytes / 1e6:,.0f} MB are read.")
        content = path.read_bytes()
    encoding = _find_encoding(content[:_HEAD], name)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        before = _end_lines(content[: error.start].decode(encoding, errors="ignore"))
        called = encoding.upper().removesuffix("-SIG")
        line = before.count("\n") + 1
        raise DataFileError(f"{name} is not a {called} text file, line {line}: {error.reason}. {_HINT}") from error
    mark = "\N{BYTE ORDER MARK}"  # a second one, or those of files that were put together
    text = _end_lines(text).lstrip(mark).replace(f"\n{mark}", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise DataFileError(f"{name} is no text file, line {line}: it holds a NUL character.")
    return text


@dataclass(frozen=True, slots=True)
class FilePart:
    """Lines of a file that are read by themselves.

    Attributes:
        path: the file.
        start: where they begin, as `tell` of a text file says it; no number of bytes.
        first: number of the first line, from 1.
        n_lines: how many.
    """

    path: Path
    start: int
    first: int
    n_lines: int


def part_file(path: Path, n_lines: int) -> Iterator[FilePart]:
    """Part a file of lines into runs of equal length.

    Args:
        path: the file, perhaps larger than memory.
        n_lines: of each run but the last, which may be shorter; a file without lines is one run of none.

    Raises:
        DataFileError: it cannot be opened, or its first bytes are those of no text.
    """
    with reading(path), _open_text(path, str(path)) as file:
        first, n_read = 1, n_lines
        while n_read == n_lines:
            start = file.tell()
            n_read = sum(1 for _ in takewhile(bool, (file.readline() for _ in range(n_lines))))  # `tell` forbids `next`
            if n_read or first == 1:
                yield FilePart(path, start, first, n_read)
            first += n_read


@contextmanager
def open_lines(path: Path, name: str | None = None, part: FilePart | None = None) -> Iterator[Iterator[tuple[str, bool]]]:
    """Open a file of lines, perhaps larger than memory.

    Args:
        path: the file.
        name: what messages call it; its path by default.
        part: which of its lines; all by default.

    Yields:
        Each line without its end, and whether all of it could be decoded; what could not be is U+FFFD.

    Raises:
        DataFileError: it cannot be opened, or its first bytes are those of no text.
    """
    with _open_text(path, name or str(path)) as lines:
        if part is not None:
            lines.seek(part.start)
        yield (_decoded(line.removesuffix("\n")) for line in islice(lines, part.n_lines if part else None))


def _open_text(path: Path, name: str) -> TextIO:
    with path.open("rb") as file:
        encoding = _find_encoding(file.read(_HEAD), name)
    return path.open(encoding=encoding, errors="surrogateescape" if encoding == "utf-8-sig" else "replace")


def _decoded(line: str) -> tuple[str, bool]:
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode(errors="surrogateescape").decode(errors="replace"), False
    return line, True


def _find_encoding(head: bytes, name: str) -> str:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    for mark, what in _NO_TEXT:
        if head.startswith(mark):
            raise DataFileError(f"{name} is no text file, but {what}.")
    if head.count(0) * 4 > len(head) or b"\n\0" in head or b"\0\n" in head:
        raise DataFileError(f"{name} is not a UTF-8 text file, line 1: it looks like UTF-16 without a mark. {_HINT}")
    return "utf-8-sig"


def _end_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
