"""Whole files: every line of a text file analysed, streaming, none of them lost.

Line n of the input is line n of the output and row n of the embeddings, whatever happens: a line that cannot be analysed
gives a record with `error` instead of results, and a row of NaN.
"""

from __future__ import annotations

import io
import json
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdemo.errors import DataFileError, EmptyInputError, InputError, UsageError
from mtdemo.files import FilePart, open_lines, writing
from mtdemo.results import FloatArray, ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.service import ModelService

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True, slots=True)
class AnnotationReport:
    """The numbers of lines by what became of them.

    Attributes:
        n_lines: lines read, and lines written.
        n_blank: lines with nothing on them.
        n_problems: lines without a result for another reason, or read with a reservation; each was reported.
        n_truncated: lines of which not all word pieces were read for embedding and class.
        n_unknown: lines with word pieces that the vocabulary does not know.
    """

    n_lines: int = 0
    n_blank: int = 0
    n_problems: int = 0
    n_truncated: int = 0
    n_unknown: int = 0

    def __add__(self, other: AnnotationReport) -> AnnotationReport:
        return AnnotationReport(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    @property
    def summary(self) -> str:
        """One sentence for the person who ran it."""
        return (
            f"{self.n_lines:,} lines: {self.n_blank:,} blank, {self.n_problems:,} with a problem; {self.n_truncated:,} "
            f"were too long to be read whole for embedding and class (n_truncated says by how much); {self.n_unknown:,} "
            "have word pieces that the model does not know (n_unknown says how many)."
        )


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that are written about one of lines.

    Attributes:
        records: JSON lines.
        embeddings: a NumPy file; None where none is wanted.
    """

    records: Path
    embeddings: Path | None = None


def name_outputs(sources: Sequence[Path], directory: Path, has_embeddings: bool) -> dict[Path, Outputs]:
    """Name the outputs of several files: `a/b.txt -> DIRECTORY/b.jsonl`.

    Raises:
        UsageError: two would be one file, or one would overwrite what is read.
    """
    named: dict[Path, Outputs] = {}
    read = {source.resolve() for source in sources}
    for source in sources:
        records = directory / f"{source.stem}.jsonl"
        if any(records == outputs.records for outputs in named.values()):
            raise UsageError(f"{source} and another input would both be written to {records}. Rename one.")
        if {records.resolve(), records.with_suffix(".npy").resolve()} & read:
            raise UsageError(f"What is made of {source} would overwrite an input. Choose another directory.")
        named[source] = Outputs(records, records.with_suffix(".npy") if has_embeddings else None)
    return named


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    was_decoded: bool


def annotate_file(
    service: ModelService,
    source: Path | FilePart,
    output: Path,
    embeddings: Path | None = None,
    progress: ProgressCallback = no_progress,
    report: Callable[[str], object] = lambda problem: None,
) -> AnnotationReport:
    """Analyse a file of lines.

    Args:
        service: what answers.
        source: text file, UTF-8 or what its byte order mark says, or a part of one; a line feed, a carriage return or
            both end a line. Bytes that are not UTF-8 are read as U+FFFD and reported.
        output: JSON lines to write: `line` (from 1), `text`, `n_tokens`, `n_truncated`, `n_unknown`, `label`,
            `probabilities`, `entities`; and `error` instead of results where there are none.
        embeddings: NumPy file to write, float32 (lines, hidden).
        progress: told after each line how many were read; nobody knows how many there are, so in all there are 0.
        report: called with a sentence for each line that has a problem.

    Raises:
        DataFileError: a file cannot be read or written, or one would overwrite another.
        CheckpointError: the model cannot be loaded.
    """
    part = source if isinstance(source, FilePart) else FilePart(source, 0, 1, sys.maxsize)
    _check_different(part.path, output, embeddings)
    info = service.load()
    read: deque[_Line] = deque()  # lines handed to the service that have not come back, so a portion at most
    counts: Counter[str] = Counter()
    with ExitStack() as files:
        try:
            lines = files.enter_context(open_lines(part.path, part=part))
            records = files.enter_context(_Output(output))
            rows = files.enter_context(RowFile(embeddings, info.hidden_size)) if embeddings else None
        except OSError as error:
            raise DataFileError(f"{error.filename} cannot be opened: {error.strerror}.") from error
        for number, answer in enumerate(service.analyze_stream(_remembered(lines, read)), start=part.first):
            line = read.popleft()
            problem = _problem(line, answer)
            if problem:
                report(f"Line {number}: {problem}")
            counts.update(
                lines=1,
                blank=isinstance(answer, EmptyInputError),
                problems=problem is not None,
                truncated=isinstance(answer, SentenceAnalysis) and answer.n_truncated > 0,
                unknown=isinstance(answer, SentenceAnalysis) and answer.n_unknown > 0,
            )
            records.write(f"{json.dumps(_record(number, line, answer), ensure_ascii=False)}\n".encode())
            if rows is not None:
                rows.extend(answer.embedding if isinstance(answer, SentenceAnalysis) else np.full(info.hidden_size, np.nan))
            progress("annotating", number - part.first + 1, 0)
    return AnnotationReport(*(counts[name] for name in ("lines", "blank", "problems", "truncated", "unknown")))


class _Output:
    """A new file whose failures are told in a sentence."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with writing(self._path):
            self._file.close()

    def write(self, content: bytes) -> None:
        with writing(self._path):
            self._file.write(content)

    def write_at_the_beginning(self, content: bytes) -> None:
        with writing(self._path):
            self._file.seek(0)
            self._file.write(content)


class RowFile(_Output):
    """A `.npy` file that grows.

    Its header is written again at the end, when the number of rows is known.

    Args:
        path: the file.
        width: numbers in a row.
    """

    def __init__(self, path: Path, width: int) -> None:
        super().__init__(path)
        self._width = width
        self._n_rows = 0
        self.write(self._header())

    def __exit__(self, *error: object) -> None:
        try:
            self.write_at_the_beginning(self._header())  # as long as the first one: NumPy leaves room for it to grow
        finally:
            super().__exit__(*error)

    def extend(self, rows: FloatArray) -> None:
        """Write a row, or several in a matrix."""
        self.write(rows.astype("<f4").tobytes())
        self._n_rows += rows.size // self._width

    def _header(self) -> bytes:
        header = io.BytesIO()
        fields = {"descr": "<f4", "fortran_order": False, "shape": (self._n_rows, self._width)}
        np.lib.format.write_array_header_1_0(header, fields)
        return header.getvalue()


def _remembered(lines: Iterable[tuple[str, bool]], read: deque[_Line]) -> Iterator[str]:
    for text, was_decoded in lines:
        read.append(_Line(text, was_decoded))
        yield text


def _problem(line: _Line, answer: SentenceAnalysis | InputError) -> str | None:
    """Return the problem of a line, None for most."""
    if isinstance(answer, InputError):
        return None if isinstance(answer, EmptyInputError) else f"no result. {answer.reason}"
    if "\0" in line.text:
        return "it holds NUL characters, which no text has; it may be UTF-16 or damaged."
    return None if line.was_decoded else "not UTF-8; its unreadable bytes were read as U+FFFD."


def _record(number: int, line: _Line, answer: SentenceAnalysis | InputError) -> dict[str, Any]:
    if isinstance(answer, InputError):
        return {"line": number, "text": line.text, "error": answer.reason}
    return {"line": number, **answer.classification_as_dict(), **answer.entities_as_dict(), **answer.length_as_dict()}


def _check_different(*paths: Path | None) -> None:
    given = [path.resolve() for path in paths if path is not None]
    for number, path in enumerate(given):
        if path in given[:number]:
            raise DataFileError(f"{path} is named twice: one file would overwrite the other. Choose another name.")
