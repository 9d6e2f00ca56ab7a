"""Labelled sentences in files: with entity tags (JSON lines, columns), with a class (JSON lines, CSV), rated pairs."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.files import reading
from mtdemo.text.tags import as_bio, entity_type

Row = TypeVar("Row")
Parse: TypeAlias = "Callable[[_Lines], Iterator[Row]]"
COLUMN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".txt")
_TAG = re.compile(r"O|[BIESLU]-\S+")


def read_tagged(path: Path, limit: int | None = None, name: str | None = None) -> tuple[TaggedSentence, ...]:
    """Read tagged sentences.

    A file that ends on one of `COLUMN_SUFFIXES` has a token and its tag per line, in the first and the last column, and a
    blank line between sentences, as CoNLL-2003 has. Any other file holds JSON lines with `tokens`, `tags` and, optionally,
    `annotated` and `source`. Tags in BIOES or BILOU become BIO.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _sentences_in_columns if path.suffix.lower() in COLUMN_SUFFIXES else _by_line(_tagged), limit, name)


def is_in_columns(path: Path) -> bool:
    """Whether a file has a token and its tag per line, as its name says, or of `.txt`, its first line that is no remark.

    Raises:
        DataFileError: a file that cannot be read.
    """
    if path.suffix.lower() != ".txt":
        return path.suffix.lower() in COLUMN_SUFFIXES
    with reading(path.name), path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line.split() for line in file if line.strip() and line[0] != "#"), [])
    return len(first) > 1 and "|" not in first


def read_labelled(path: Path, limit: int | None = None, name: str | None = None) -> tuple[LabelledSentence, ...]:
    """Read sentences with a class: `.csv` with columns `text` and `label`, else JSON lines with these and maybe `source`.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _labelled_in_csv if path.suffix.lower() == ".csv" else _by_line(_labelled), limit, name)


def read_pairs(path: Path, limit: int | None = None) -> tuple[RatedPair, ...]:
    """Read lines of score, first and second sentence, tab separated, without quoting.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _by_line(_pair), limit)


def _read(path: Path, parse: Parse[Row], limit: int | None, name: str | None = None) -> tuple[Row, ...]:
    """Read rows; messages call the file by its path, or by the name that is given."""
    name = name or str(path)
    rows: list[Row] = []
    try:
        with reading(name), path.open(encoding="utf-8", newline="") as file:
            lines = _Lines(name, file)
            try:
                rows += islice(parse(lines), limit)
            except UnicodeDecodeError:
                raise
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
                reason = f"no field {error}" if isinstance(error, KeyError) else error
                raise DataFileError(f"{lines.place}: {reason}.") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{name} is not a UTF-8 text file{_first_undecodable(path)}: {error.reason}.") from error
    if not rows:
        raise DataFileError(f"{name} holds no sentences.")
    return tuple(rows)


def _first_undecodable(path: Path) -> str:
    """Where a file stops to be text; the error itself counts within the last piece that was read."""
    with path.open("rb") as file:
        broken = (number for number, line in enumerate(file, start=1) if line.decode(errors="ignore").encode() != line)
        return f", line {next(broken)}"


class _Lines:
    """The lines of a file without their ends, counted so that a message can name one."""

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self._name = name
        self._lines = lines
        self._number = 0

    @property
    def place(self) -> str:
        return f"{self._name}, line {max(1, self._number)}"

    def __iter__(self) -> Iterator[str]:
        for self._number, line in enumerate(self._lines, start=1):  # noqa: B020  the count is what messages name
            yield line.removeprefix("\N{BYTE ORDER MARK}") if self._number == 1 else line


def _by_line(parse: Callable[[str, str], Row]) -> Parse[Row]:
    """Rows that stand on a line each; `parse` gets the line and its place."""

    def rows(lines: _Lines) -> Iterator[Row]:
        for line in lines:
            if line.strip():
                yield parse(line.rstrip("\r\n"), lines.place)

    return rows


def _sentences_in_columns(lines: _Lines) -> Iterator[TaggedSentence]:
    tokens: list[str] = []
    tags: list[str] = []
    place = ""
    for line in chain(lines, [""]):
        columns = [column for column in re.split("[ \t]+", line.strip("\r\n")) if column]  # other spaces are a token's own
        ends = not columns or columns[0] == "-DOCSTART-"
        if not ends and not _is_remark(columns):
            if len(columns) < 2:
                raise ValueError(f"{columns[0]!r} stands alone; a line needs a token and, in its last column, a tag")
            place = place or lines.place
            tokens.append(columns[0])
            tags.append(columns[-1])
        elif ends and tokens:
            yield TaggedSentence(tuple(tokens), as_bio(tags), place=place)
            tokens, tags, place = [], [], ""


def _is_remark(columns: Sequence[str]) -> bool:
    """Whether a line is a comment as `# text = …`; `#` and `#word` with a tag are tokens."""
    if columns[0] != "#":
        return columns[0].startswith("#") and len(columns) == 1
    is_tagged = len(columns) > 1 and (_TAG.fullmatch(columns[-1]) or (len(columns) == 2 and columns[1].isupper()))
    return columns[2:3] == ["="] or not is_tagged


def _labelled_in_csv(lines: _Lines) -> Iterator[LabelledSentence]:
    reader = csv.DictReader(lines, strict=True)
    missing = {"text", "label"} - set(reader.fieldnames or ())
    if missing:
        has = ", ".join(reader.fieldnames or ("nothing",))
        raise ValueError(f"the first line must name the columns text and label, but has {has}")
    for row in reader:
        if row["text"] is None or row["label"] is None:
            raise ValueError("a row must have a text and a label")
        if None in row:
            raise ValueError("a row has more columns than the first line; a text with a comma must stand in quotes")
        yield LabelledSentence(row["text"], row["label"].strip(), row.get("source") or "", lines.place)


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        hint = f"; columns are read from {', '.join(COLUMN_SUFFIXES)}, and text,label from .csv" if error.pos == 0 else ""
        raise ValueError(f"this is no JSON ({error.msg}, column {error.colno}){hint}") from error
    if not isinstance(record, dict):
        raise ValueError("a line must be a JSON object")
    return record


def _tagged(line: str, place: str) -> TaggedSentence:
    record = _record(line)
    tokens, tags = _strings(record, "tokens"), _strings(record, "tags")
    if len(tokens) != len(tags):
        raise ValueError(f"{len(tokens)} tokens but {len(tags)} tags")
    if not tokens:
        raise ValueError("no tokens")
    annotated = _strings(record, "annotated") if record.get("annotated") is not None else None
    tags = as_bio(tags)
    others = sorted({entity_type(tag) for tag in tags} - {"O", *annotated}) if annotated is not None else ()
    if others:
        raise ValueError(f"{others[0]} is tagged, but not among what is annotated ({', '.join(annotated or ())})")
    return TaggedSentence(tokens, tags, annotated, str(record.get("source") or ""), place)


def _labelled(line: str, place: str) -> LabelledSentence:
    record = _record(line)
    if not isinstance(record["text"], str) or not isinstance(record["label"], str):
        raise ValueError("text and label must be strings")
    return LabelledSentence(record["text"], record["label"], str(record.get("source") or ""), place)


def _pair(line: str, _: str) -> RatedPair:
    columns = line.split("\t")
    if len(columns) != 3:
        raise ValueError(f"{len(columns)} columns instead of 3 (score, first sentence, second sentence)")
    score = float(columns[0])
    if not math.isfinite(score):
        raise ValueError(f"the score must be a number, not {columns[0]}")
    return RatedPair(score, columns[1], columns[2])


def _strings(record: dict[str, Any], key: str) -> tuple[str, ...]:
    values = record[key]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{key} must be a list of strings")
    return tuple(values)
