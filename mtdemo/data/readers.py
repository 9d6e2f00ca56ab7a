"""Labelled sentences of files in any format that is read: one reader per kind of row, for every command and the page.

| format | file | tagged | with a class |
|---|---|---|---|
| columns | `COLUMN_SUFFIXES` | yes | |
| table with the columns text and label | `.csv`, any other whose first line names them | | yes |
| marked sentences | `.txt` with `[train]` and `[test]` | yes | yes |
| JSON, an object per row, on lines or in an array | any other | `tokens`, `tags` | `text`, `label` |

Rated pairs are lines of score, first and second sentence, separated by tabs. Rows are checked by `mtdemo.data.records`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from mtdemo.data.columns import is_in_columns, read_columns
from mtdemo.data.marked_text import MarkedSentence, Sample, parse_sample
from mtdemo.data.records import (
    LabelledSentence,
    RatedPair,
    TaggedSentence,
    describe_repeats,
    make_labelled,
    make_pair,
    make_tagged,
)
from mtdemo.data.tables import has_columns, read_objects, read_table
from mtdemo.errors import DataFileError
from mtdemo.files import MAX_FILE_BYTES, read_text

Row = TypeVar("Row", TaggedSentence, LabelledSentence, RatedPair)
_log = logging.getLogger(__name__)
COLUMN_SUFFIXES = (".conll", ".conllu", ".bio", ".iob", ".iob2", ".tsv", ".txt")
_COLUMNS = ("text", "label")  # of a table
_JSON = re.compile(r"\s*(?:\{\s*\"|\[\s*\{)")
_HINT = f"; columns are read from {', '.join(COLUMN_SUFFIXES)}, and text,label from .csv"


def read_tagged(path: Path, name: str | None = None) -> tuple[TaggedSentence, ...]:
    """Read tagged sentences; tags in BIOES or BILOU become BIO.

    Rows that repeat others are told as a warning.

    Args:
        path: the file.
        name: what messages call it; its path by default.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    return _told(_tagged_of(path, read_text(path, name), name), name)


def read_labelled(path: Path, name: str | None = None) -> tuple[LabelledSentence, ...]:
    """Read sentences with a class.

    Rows that repeat others are told as a warning.

    Args:
        path: the file.
        name: what messages call it; its path by default.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    return _told(_labelled_of(path, read_text(path, name), name), name)


def read_pairs(path: Path, name: str | None = None) -> tuple[RatedPair, ...]:
    """Read rated pairs.

    A line is score, first and second sentence, tab separated, without quoting.

    Rows that repeat others are told as a warning.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    lines = enumerate(read_text(path, name).split("\n"), start=1)
    rows = _all((_pair(line, f"{name}, line {number}") for number, line in lines if line.strip()), name)
    outside = [row.score for row in rows if not 0 <= row.score <= 5]
    if outside:
        _log.warning("Note: %s: %d of %d scores are beyond 0 to 5, such as %g.", name, len(outside), len(rows), outside[0])
    return _told(rows, name)


def read_sentences(
    path: Path, name: str | None = None, max_bytes: int = MAX_FILE_BYTES
) -> Sample | tuple[TaggedSentence, ...] | tuple[LabelledSentence, ...]:
    """Read a file of marked, tagged or labelled sentences.

    Its content says which.

    Args:
        path: the file.
        name: what messages call it; its path by default.
        max_bytes: the largest file that is read.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    text = read_text(path, name, max_bytes)
    kind = _format_of(path, text)
    if kind == "marked":
        return parse_sample(text, name)
    if kind == "json":
        _, first = next(read_objects(text, name, _HINT), ("", {}))
        kind = "columns" if "tokens" in first else "table"
    return _tagged_of(path, text, name) if kind == "columns" else _labelled_of(path, text, name)


def _tagged_of(path: Path, text: str, name: str) -> tuple[TaggedSentence, ...]:
    match _format_of(path, text):
        case "marked":
            return tuple(sentence.tagged for sentence in _both_parts(text, name))
        case "columns":
            return _all(read_columns(text, name), name)
        case "table":
            raise DataFileError(f"{name} holds texts with a label; entity tags are read from columns or from JSON.")
    records = list(read_objects(text, name, _HINT))
    kept = [(place, record) for place, record in records if not _says_nothing(record)]
    blank = [place.rpartition(", ")[2] for place, record in records if _says_nothing(record)]
    if blank:
        told = "Note: %s, %s: %d of %d rows are blank and left out, this one first."
        _log.warning(told, name, blank[0], len(blank), len(records))
    return _all((_tagged(record, place) for place, record in kept), name)


def _says_nothing(record: dict[str, Any]) -> bool:
    """Find a row of blank tokens without an entity."""
    tokens = record.get("tokens")
    if not isinstance(tokens, list) or not tokens:
        return False
    is_blank_row = all(isinstance(token, str) and not token.strip(" \t\n") for token in tokens)
    return is_blank_row and bool(record.get("tags") == ["O"] * len(tokens))


def _labelled_of(path: Path, text: str, name: str) -> tuple[LabelledSentence, ...]:
    match _format_of(path, text):
        case "marked":
            return tuple(sentence.labelled for sentence in _both_parts(text, name))
        case "columns":
            raise DataFileError(f"{name} holds tokens with entity tags; classes are read from text,label or from JSON.")
        case "table":
            return _all((_labelled(record, place) for place, record in read_table(text, name, _COLUMNS)), name)
    return _all((_labelled(record, place) for place, record in read_objects(text, name, _HINT)), name)


def _both_parts(text: str, name: str) -> tuple[MarkedSentence, ...]:
    """Read both parts of a marked file, and tell so."""
    sample = parse_sample(text, name)
    _log.warning("Note: %s: the sentences of both its parts, [train] and [test], are read.", name)
    return (*sample.train, *sample.test)


def _format_of(path: Path, text: str) -> str:
    """Return `marked`, `columns`, `table` or `json`."""
    suffix = path.suffix.lower()
    if suffix == ".csv" or has_columns(text, _COLUMNS):
        return "table"
    if _JSON.match(text):
        return "json"
    if suffix == ".txt":
        return "columns" if is_in_columns(text) else "marked"
    return "columns" if suffix in COLUMN_SUFFIXES else "json"


def _all(rows: Iterator[Row], name: str) -> tuple[Row, ...]:
    found = tuple(rows)
    if not found:
        raise DataFileError(f"{name} holds no sentences.")
    return found


def _told(rows: tuple[Row, ...], name: str) -> tuple[Row, ...]:
    """Tell of rows that repeat others."""
    repeats = describe_repeats(rows)
    if repeats:
        _log.warning("Note: %s: %s.", name, repeats)
    return rows


def _tagged(record: dict[str, Any], place: str) -> TaggedSentence:
    annotated = _strings(record, "annotated", place) if record.get("annotated") is not None else None
    tokens, tags = _strings(record, "tokens", place), _strings(record, "tags", place)
    return make_tagged(tokens, tags, annotated, str(record.get("source") or ""), place)


def _labelled(record: dict[str, Any], place: str) -> LabelledSentence:
    text, label = _field(record, "text", place), _field(record, "label", place)
    if not isinstance(text, str) or not isinstance(label, str):
        raise DataFileError(f"{place}: text and label must be strings.")
    return make_labelled(text, label, str(record.get("source") or ""), place)


def _pair(line: str, place: str) -> RatedPair:
    columns = line.split("\t")
    if len(columns) != 3:
        raise DataFileError(f"{place}: {len(columns)} columns instead of 3 (score, first sentence, second sentence).")
    try:
        score = float(columns[0].replace("_", "?"))  # Python takes 1_0 for 10
    except ValueError as error:
        raise DataFileError(f"{place}: the score must be a number, not {columns[0][:60]!r}.") from error
    return make_pair(score, columns[1], columns[2], place)


def _field(record: dict[str, Any], key: str, place: str) -> Any:
    if key not in record:
        raise DataFileError(f"{place}: no field {key!r}.")
    return record[key]


def _strings(record: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
    values = _field(record, key, place)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise DataFileError(f"{place}: {key} must be a list of strings.")
    return tuple(values)
