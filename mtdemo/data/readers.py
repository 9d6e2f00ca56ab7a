"""Labelled sentences in files: with entity tags (JSON lines, columns), with a class (JSON lines, CSV), rated pairs."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, TypeVar

from mtdemo.errors import DataFileError

Row = TypeVar("Row")
Parse: TypeAlias = "Callable[[_Lines], Iterator[Row]]"
COLUMN_SUFFIXES = (".conll", ".bio", ".iob", ".iob2", ".txt")
_BIO = {"S-": "B-", "U-": "B-", "E-": "I-", "L-": "I-"}  # what BIOES and BILOU say beyond BIO
_TAG = re.compile(r"O|[BIESLU]-\S+")


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """A sentence with an entity tag per token.

    Attributes:
        tokens: as the source splits them.
        tags: one per token, `O` or a type with or without `B-`/`I-`.
        annotated: the types that the source marks at all, an `O` may hide any other type; None when it marks every type.
        source: the data set's name, empty where unknown.
        place: file and line, for messages.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    annotated: tuple[str, ...] | None = None
    source: str = ""
    place: str = field(default="", compare=False)

    @property
    def text(self) -> str:
        """The tokens with a space between them."""
        return " ".join(self.tokens)

    @property
    def token_spans(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each token in `text`."""
        spans, start = [], 0
        for token in self.tokens:
            spans.append((start, start + len(token)))
            start += len(token) + 1
        return tuple(spans)


@dataclass(frozen=True, slots=True)
class LabelledSentence:
    """A sentence with its class."""

    text: str
    label: str
    source: str = ""
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class RatedPair:
    """Two sentences and how similar people find them, 0 to 5."""

    score: float
    first: str
    second: str


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
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = next((line.split() for line in file if line.strip() and line[0] != "#"), [])
    except OSError as error:
        raise DataFileError(f"{path.name} cannot be read: {error.strerror}.") from error
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
        with path.open(encoding="utf-8", newline="") as file:
            lines = _Lines(name, file)
            try:
                rows += islice(parse(lines), limit)
            except UnicodeDecodeError:
                raise
            except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
                reason = f"no field {error}" if isinstance(error, KeyError) else error
                raise DataFileError(f"{lines.place}: {reason}.") from error
    except OSError as error:
        raise DataFileError(f"{name} cannot be read: {error.strerror}.") from error
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


def as_bio(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags in BIOES or BILOU as BIO; all others as they are."""
    return tuple(_BIO.get(tag[:2], tag[:2]) + tag[2:] for tag in tags)


def _type(tag: str) -> str:
    return tag[2:] if tag[:2] in ("B-", "I-") else tag


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
    others = sorted({_type(tag) for tag in tags} - {"O", *annotated}) if annotated is not None else ()
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


def check_labels(
    tagged: Iterable[TaggedSentence], labelled: Iterable[LabelledSentence], classes: Sequence[str], types: Sequence[str]
) -> None:
    """Make sure that a model knows every label.

    Args:
        tagged: sentences with entity tags.
        labelled: sentences with a class.
        classes: names of the model's classes.
        types: of its entities, without `O`.

    Raises:
        DataFileError: a label that is neither, naming file and line.
    """
    for sentence in tagged:
        for token, tag in zip(sentence.tokens, sentence.tags, strict=True):
            if tag != "O" and _type(tag) not in types:
                _refuse(sentence.place, f"the tag {tag!r} of {token!r}", ("O", *types))
        for name in sentence.annotated or ():
            if name not in types:
                _refuse(sentence.place, f"{name!r} in `annotated`", types)
    for labelled_sentence in labelled:
        if labelled_sentence.label not in classes:
            _refuse(labelled_sentence.place, f"the class {labelled_sentence.label!r}", classes)


def _refuse(place: str, what: str, known: Sequence[str]) -> None:
    raise DataFileError(f"{place}{': ' if place else ''}{what} is none of the model's: {', '.join(known)}.")


def subsample(rows: Sequence[Any], limit: int) -> Sequence[Any]:
    """At most so many rows in their order, drawn by lot, always the same ones; a fixed distance between them would meet one
    class only where classes alternate."""
    return rows if len(rows) <= limit else [rows[place] for place in sample_indices(len(rows), limit)]


def sample_indices(n_rows: int, n_drawn: int) -> list[int]:
    """Places of rows drawn by lot, in order; always the same ones."""
    return sorted(Random(0).sample(range(n_rows), n_drawn))  # noqa: S311  nobody is to be surprised
