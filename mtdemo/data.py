"""Labelled sentences in files: JSON lines with tokens and tags, JSON lines with text and label, tab-separated pairs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from mtdemo.errors import DataFileError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class TaggedSentence:
    """A sentence with an entity tag per token.

    Attributes:
        tokens: as the source splits them.
        tags: one per token, `O` or a type with or without `B-`/`I-`.
        annotated: the types that the source marks at all, an `O` may hide any other type; None when it marks every type.
        source: the data set's name, empty where unknown.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    annotated: tuple[str, ...] | None = None
    source: str = ""

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


@dataclass(frozen=True, slots=True)
class RatedPair:
    """Two sentences and how similar people find them, 0 to 5."""

    score: float
    first: str
    second: str


def read_tagged(path: Path, limit: int | None = None) -> tuple[TaggedSentence, ...]:
    """Read JSON lines with `tokens`, `tags` and, optionally, `annotated` and `source`.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _tagged, limit)


def read_labelled(path: Path, limit: int | None = None) -> tuple[LabelledSentence, ...]:
    """Read JSON lines with `text`, `label` and, optionally, `source`.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _labelled, limit)


def read_pairs(path: Path, limit: int | None = None) -> tuple[RatedPair, ...]:
    """Read lines of score, first and second sentence, tab separated, without quoting.

    Raises:
        DataFileError: naming file and line.
    """
    return _read(path, _pair, limit)


def _read(path: Path, parse: Callable[[str], Row], limit: int | None) -> tuple[Row, ...]:
    rows = tuple(islice(_rows(path, parse), limit))
    if not rows:
        raise DataFileError(f"{path} holds no sentences.")
    return rows


def _rows(path: Path, parse: Callable[[str], Row]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield parse(line.rstrip("\r\n"))
                except (ValueError, KeyError, TypeError) as error:
                    reason = f"no field {error}" if isinstance(error, KeyError) else error
                    raise DataFileError(f"{path}, line {number}: {reason}.") from error
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path} is not a UTF-8 text file: {error.reason} at byte {error.start}.") from error


def _record(line: str) -> dict[str, Any]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("a line must be a JSON object")
    return record


def _tagged(line: str) -> TaggedSentence:
    record = _record(line)
    tokens, tags = _strings(record, "tokens"), _strings(record, "tags")
    if len(tokens) != len(tags):
        raise ValueError(f"{len(tokens)} tokens but {len(tags)} tags")
    if not tokens:
        raise ValueError("no tokens")
    annotated = _strings(record, "annotated") if "annotated" in record else None
    return TaggedSentence(tokens, tags, annotated, str(record.get("source", "")))


def _labelled(line: str) -> LabelledSentence:
    record = _record(line)
    if not isinstance(record["text"], str) or not isinstance(record["label"], str):
        raise ValueError("text and label must be strings")
    return LabelledSentence(record["text"], record["label"], str(record.get("source", "")))


def _pair(line: str) -> RatedPair:
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
