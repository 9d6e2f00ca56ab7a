"""Rows of named values: tables as spreadsheets write them, and JSON, on lines or in an array; each row with its line."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mtdemo.errors import DataFileError
from mtdemo.text.words import strip_invisible

_DELIMITERS = (",", ";", "\t")  # English Excel, German Excel, a copied sheet
_SEP = re.compile(r"sep=(.)")  # the line that Excel writes and reads before the first one
_BLANK = re.compile(r"\s*")

Row = tuple[str, dict[str, Any]]  # file and line, and the values by name


def read_table(text: str, name: str, columns: Sequence[str]) -> Iterator[Row]:
    """Read a table with a header.

    Cells stand apart by comma, semicolon or tab.

    Args:
        text: of the file.
        name: what messages call it.
        columns: the ones that the header must name; names are stripped, and in any case.

    Yields:
        File and first line of each row, and its values by the names in lower case.

    Raises:
        DataFileError: naming the line.
    """
    first, begins = _header_line(text)
    delimiter, header = _find_delimiter(first, columns)
    place = f"{name}, line {begins}"
    if not set(columns) <= set(header):
        has = ", ".join(header) if any(header) else "nothing"
        raise DataFileError(f"{place}: the first line must name the columns {' and '.join(columns)}, but has {has}.")
    doubled = [column for column in columns if header.count(column) > 1]
    if doubled:
        raise DataFileError(f"{place}: the first line names the column {doubled[0]} twice.")
    lines = [f"{line}\n" for line in text.split("\n")[begins - 1 :]]
    rows = csv.reader(lines, strict=True, delimiter=delimiter, skipinitialspace=True)
    before = 0
    try:
        next(rows)
        before = rows.line_num
        for cells in rows:
            place, before = f"{name}, line {begins + before}", rows.line_num
            if any(map(str.strip, cells)) or len(cells) > 1:
                yield place, _named(cells, header, delimiter, place, columns)
    except csv.Error as error:
        place = f"{name}, line {min(begins + before, len(lines) + begins - 1)}"
        told = "; a quotation mark within quotes is written twice" if "expected after" in str(error) else ""
        raise DataFileError(f"{place}: {error}{told}.") from error


def has_columns(text: str, columns: Sequence[str]) -> bool:
    """Tell whether a table's first line names all columns."""
    return set(columns) <= set(_find_delimiter(_header_line(text)[0], columns)[1])


def _header_line(text: str) -> tuple[str, int]:
    """Return the first line with text, and its number."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not _SEP.fullmatch(line.strip()):
            return line, number
    return "", 1


def _find_delimiter(line: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """Return the delimiter of a header, and its cells.

    It is the one under which the header names the columns, else the most frequent.
    """
    headers = {delimiter: _split_header(line, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda d: (set(columns) <= set(headers[d]), len(headers[d])))
    return best, headers[best]


def _split_header(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        cells = [line]
    return [strip_invisible(cell).lower() for cell in cells]


def _named(
    cells: Sequence[str], header: Sequence[str], delimiter: str, place: str, columns: Sequence[str]
) -> dict[str, str]:
    if not set(columns) <= set(header[: len(cells)]):
        wanted = " and ".join(f"a {column}" for column in columns)
        raise DataFileError(f"{place}: a row must have {wanted}, but this one has {len(cells)} of {len(header)} cells.")
    if len(cells) > len(header) and any(map(str.strip, cells[len(header) :])):
        called = {",": "a comma", ";": "a semicolon", "\t": "a tab"}[delimiter]
        raise DataFileError(
            f"{place}: a row has more columns than the first line; a text with {called} must stand in quotes."
        )
    return dict(zip(header, cells, strict=False))


def read_objects(text: str, name: str, hint: str = "") -> Iterator[Row]:
    """Read JSON objects, on lines or in one array.

    An object may go over several lines.

    Args:
        text: of the file.
        name: what messages call it.
        hint: where else rows are read from, for a file that is no JSON at all.

    Yields:
        File and first line of each object, and the object.

    Raises:
        DataFileError: naming the line.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_unique)
    position = _skip_blank(text, 0)
    in_array = text[position : position + 1] == "["
    position = _skip_blank(text, position + 1) if in_array else position
    counted, number = 0, 1
    is_first = True
    while position < len(text) and not (in_array and text[position] == "]"):
        number, counted = number + text.count("\n", counted, position), position
        place = f"{name}, line {number}"
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            where = f"column {error.colno}" if error.lineno == number else f"line {error.lineno}, column {error.colno}"
            told = hint if is_first and error.pos == counted else ""
            raise DataFileError(f"{place}: this is no JSON ({error.msg}, {where}){told}.") from error
        except DataFileError as error:
            raise DataFileError(f"{place}: {error}") from error
        except (RecursionError, ValueError) as error:  # nested without end, or a number of thousands of digits
            raise DataFileError(f"{place}: this JSON cannot be read: {str(error) or type(error).__name__}.") from error
        if not isinstance(value, dict):
            raise DataFileError(f"{place}: a row must be a JSON object, not {json.dumps(value)[:60]}.")
        yield place, _with_plain_names(value, place)
        is_first = False
        position = _after(text, position, in_array, place)
    if in_array:
        _check_end(text, position, name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose names are unique."""
    made = dict(pairs)
    if len(made) < len(pairs):
        doubled = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise DataFileError(f"an object names {doubled[:60]!r} twice.")
    return made


def _with_plain_names(record: dict[str, Any], place: str) -> dict[str, Any]:
    """Strip the names of an object, and lower them.

    `{"Text ": 1} -> {"text": 1}`.
    """
    if all(name.isalpha() and name.islower() for name in record):
        return record
    try:
        return _unique([(strip_invisible(name).lower(), value) for name, value in record.items()])
    except DataFileError as error:
        raise DataFileError(f"{place}: {error}") from error


def _after(text: str, position: int, in_array: bool, place: str) -> int:
    """Return where the next object begins."""
    position = _skip_blank(text, position)
    if not in_array or text[position : position + 1] == "]":
        return position
    if text[position : position + 1] != ",":
        raise DataFileError(f"{place}: this is no JSON (a comma or ] must stand after this object of the array).")
    return _skip_blank(text, position + 1)


def _check_end(text: str, position: int, name: str) -> None:
    rest = _skip_blank(text, position + 1)
    if position >= len(text) or rest < len(text):
        number = 1 + text.count("\n", 0, min(rest, len(text)))
        wrong = "the array is not closed by ]" if position >= len(text) else "something stands after the array"
        raise DataFileError(f"{name}, line {number}: this is no JSON ({wrong}).")


def _skip_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position
