"""Cells under named columns: any table, workbook or JSON that a person brings, without a fixed set of columns.

The labelled files of `mtdemo.data.readers` have columns by a contract and are refused with the line where they break it.
Here nothing is known beforehand, so the names of the columns and what stands between cells are found in the content, and a
row that does not fit is left out and told.
"""

from __future__ import annotations

import csv
import json
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from mtdemo.data.records import TaggedSentence, make_tagged
from mtdemo.data.tables import read_objects
from mtdemo.errors import DataFileError
from mtdemo.text.words import strip_invisible

MAX_COLUMNS = 50
MAX_UNPACKED_BYTES = 32_000_000  # of a workbook, which is a ZIP file
_MAX_NAME = 60  # characters of a column's name; longer cells are no names
_DELIMITERS = (",", ";", "\t")
_NO_DELIMITER = "\x1f"  # for a table of one column
_N_SEEN = 50  # rows that tell what stands between cells
NAMES_OF_TEXT = (
    "text", "texts", "sentence", "sentences", "review", "comment", "content", "message", "body", "tweet", "post",
    "question", "utterance", "headline", "title", "description", "document", "abstract", "summary", "query",
)  # fmt: skip
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError,
    NotImplementedError, RuntimeError, OSError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Cells as text, and their line in the file."""

    line: int
    cells: tuple[str, ...]
    tagged: TaggedSentence | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows of cells under named columns.

    Attributes:
        columns: their names; no two are equal.
        rows: each with as many cells as there are columns.
        n_rows: rows that the file has; None where those beyond the limit were not counted.
        notes: what was left out or assumed, a sentence each.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    n_rows: int | None
    notes: tuple[str, ...] = ()


def read_delimited(text: str, name: str, max_rows: int, delimiter: str = "") -> Sheet:
    """Read a table whose cells stand apart by a delimiter.

    Args:
        text: of the file.
        name: what messages call it.
        max_rows: rows to keep.
        delimiter: found in the content by default.

    Raises:
        DataFileError: quotation marks that do not close, naming the line.
    """
    lines = [f"{line}\n" for line in text.split("\n")]
    rows = csv.reader(lines, strict=True, delimiter=delimiter or _find_delimiter(lines), skipinitialspace=True)
    found: list[Row] = []
    before = 0
    try:
        for cells in rows:
            line, before = before + 1, rows.line_num
            if any(map(str.strip, cells)):
                found.append(Row(line, tuple(cells)))
    except csv.Error as error:
        told = "; a quotation mark within quotes is written twice" if "expected after" in str(error) else ""
        raise DataFileError(f"{name}, line {before + 1}: {error}{told}.") from error
    return make_sheet(found, max_rows)


def read_workbook(path: Path, name: str, max_rows: int) -> Sheet:
    """Read the first sheet of a workbook that has rows.

    Args:
        path: an `.xlsx` file.
        name: what messages call it.
        max_rows: rows to keep; no more are read.

    Raises:
        DataFileError: it is no workbook, or would unpack to more than `MAX_UNPACKED_BYTES`.
    """
    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(entry.file_size for entry in archive.infolist())  # no more than these are unpacked
        if n_bytes > MAX_UNPACKED_BYTES:
            raise DataFileError(
                f"{name} unpacks to {n_bytes / 1e6:,.0f} MB; at most {MAX_UNPACKED_BYTES / 1e6:.0f} MB are read. Save the "
                "sheet as CSV (UTF-8), or a part of it."
            )
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            found: list[Row] = []
            title = ""
            for sheet in book.worksheets:
                found = list(islice(_rows_of(sheet), max_rows + 2))  # a line of names, and one that tells of more
                if found:
                    title = sheet.title
                    break
            others = [sheet.title for sheet in book.worksheets if sheet.title != title]
        finally:
            book.close()
    except _UNREADABLE as error:
        raise DataFileError(f"{name} cannot be read as a workbook. Save the sheet as CSV (UTF-8).") from error
    sheet = make_sheet(found, max_rows)
    notes = (f"Read is the sheet {title!r}; {len(others)} other{'' if len(others) == 1 else 's'} left out.",)
    has_more = sheet.n_rows is not None and sheet.n_rows > len(sheet.rows)
    return Sheet(sheet.columns, sheet.rows, None if has_more else sheet.n_rows, (*sheet.notes, *(notes if others else ())))


def read_json(text: str, name: str, max_rows: int) -> Sheet:
    """Read JSON objects; their keys are the columns.

    Objects with `tokens` and `tags` become texts with entity tags.

    Raises:
        DataFileError: naming the line.
    """
    columns: dict[str, None] = {}
    records: list[tuple[int, dict[str, Any], TaggedSentence | None]] = []
    n_rows = 0
    for place, record in read_objects(text, name):
        n_rows += 1
        if len(records) < max_rows:
            tagged = _tagged(record, place)
            values = _with_text(record, tagged) if tagged else record
            columns.update(dict.fromkeys(values))
            records.append((int(place.rpartition(" ")[2]), values, tagged))
    names = tuple(islice(columns, MAX_COLUMNS))
    rows = tuple(
        Row(line, tuple(_as_text(record.get(column)) for column in names), tagged) for line, record, tagged in records
    )
    return Sheet(names, rows, n_rows, _columns_left_out(len(columns)))


def read_tagged(sentences: Iterable[TaggedSentence], max_rows: int) -> Sheet:
    """Make a sheet of tagged sentences, in one column."""
    found = list(sentences)
    rows = tuple(Row(number, (sentence.text,), sentence) for number, sentence in enumerate(found[:max_rows], start=1))
    return Sheet(("text",), rows, len(found))


def read_lines(text: str, max_rows: int) -> Sheet:
    """Read a text of lines, in one column."""
    found = [Row(number, (line,)) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return Sheet(("text",), tuple(found[:max_rows]), len(found))


def make_sheet(found: Sequence[Row], max_rows: int) -> Sheet:
    """Name the columns of rows; leave out misfits.

    `[[id, text], [1, Hello!]]` has the columns id and text; `[[1, Hello!], [2, Bye.]]` has column 1 and column 2.
    """
    if not found:
        return Sheet((), (), 0)
    names = _names(found[0].cells)
    body = found[1:] if names else found
    width = len(names) if names else max(len(row.cells) for row in found)
    columns = names or tuple(f"column {number}" for number in range(1, width + 1))
    notes = [] if names or width == 1 else ["The first row names no columns, so it is read as the others."]
    fitting = [row for row in body if not any(map(str.strip, row.cells[width:]))]
    wide = [row.line for row in body if any(map(str.strip, row.cells[width:]))]
    if wide:
        rows_are = "1 row" if len(wide) == 1 else f"{len(wide):,} rows"
        notes.append(f"{rows_are} of more cells than columns left out, line {wide[0]:,} first.")
    n_kept = min(width, MAX_COLUMNS)
    rows = tuple(
        Row(row.line, tuple(cell for cell, _ in zip_longest(row.cells[:n_kept], range(n_kept), fillvalue="")))
        for row in fitting[:max_rows]
    )
    return Sheet(columns[:n_kept], rows, len(fitting), (*notes, *_columns_left_out(width)))


def _columns_left_out(n_columns: int) -> tuple[str, ...]:
    return (f"Only the first {MAX_COLUMNS} columns are kept.",) if n_columns > MAX_COLUMNS else ()


def _names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns, if a row holds them."""
    names = tuple(unicodedata.normalize("NFC", strip_invisible(cell)) for cell in cells)
    while names and not names[-1]:
        names = names[:-1]
    if len(names) == 1:
        return names if names[0].lower() in NAMES_OF_TEXT else ()
    are_names = all(name and len(name) <= _MAX_NAME and any(map(str.isalpha, name)) for name in names)
    is_sentence = any(name.endswith((".", "!", "?")) for name in names)
    return names if are_names and not is_sentence and len({*map(str.lower, names)}) == len(names) else ()


def _find_delimiter(lines: Sequence[str]) -> str:
    """Find what stands between cells: what cuts most rows alike.

    The first row must be cut, too: under a first row `text`, commas belong to the texts.
    """
    seen = list(islice((line for line in lines if line.strip()), _N_SEEN))

    def evenness(delimiter: str) -> tuple[float, int]:
        widths = [len(cells) for cells in csv.reader(seen, delimiter=delimiter, skipinitialspace=True)]
        (width, n_alike), *_ = Counter(widths).most_common(1) or [(1, 0)]
        return (n_alike / len(widths) if width > 1 and widths[0] > 1 else 0.0), width

    try:
        shares = {delimiter: evenness(delimiter) for delimiter in _DELIMITERS}
    except csv.Error:
        return _DELIMITERS[0]
    best = max(_DELIMITERS, key=shares.__getitem__)
    return best if shares[best][0] >= 0.5 else _NO_DELIMITER


def _rows_of(sheet: Any) -> Iterator[Row]:
    """Yield the rows of a sheet that hold something."""
    for number, cells in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True), start=1):
        if cells.count(None) == len(cells):  # a sheet may have a million of these
            continue
        texts = tuple(map(_as_text, cells))
        if any(map(str.strip, texts)):
            while not texts[-1].strip():
                texts = texts[:-1]
            yield Row(number, texts)


def _as_text(value: Any) -> str:
    """Write a cell as text: `3.0 -> 3`."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, default=str).strip('"')


def _tagged(record: dict[str, Any], place: str) -> TaggedSentence | None:
    tokens, tags = record.get("tokens"), record.get("tags")
    if not (isinstance(tokens, list) and isinstance(tags, list)):
        return None
    if not all(isinstance(value, str) for value in (*tokens, *tags)):
        return None
    return make_tagged(tokens, tags, place=place)


def _with_text(record: dict[str, Any], tagged: TaggedSentence) -> dict[str, Any]:
    """Put a text in the place of tokens and tags."""
    return {"text": tagged.text} | {name: value for name, value in record.items() if name not in ("text", "tokens", "tags")}
