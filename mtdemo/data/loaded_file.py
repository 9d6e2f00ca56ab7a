"""Texts that a person brings in a file: one per line of the box, with the columns and labels beside it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtdemo.config import MAX_UPLOAD_BYTES
from mtdemo.data.columns import read_columns
from mtdemo.data.marked_text import PARTS, Sample, parse_sample
from mtdemo.data.records import TaggedSentence
from mtdemo.data.sheets import (
    NAMES_OF_TEXT,
    Row,
    Sheet,
    read_delimited,
    read_json,
    read_lines,
    read_tagged,
    read_workbook,
)
from mtdemo.errors import DataFileError, EmptyInputError
from mtdemo.files import read_text, reading
from mtdemo.text.sentences import split_sentences
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.text.words import is_blank, strip_invisible

NAMES_OF_LABEL = (
    "label", "labels", "class", "classes", "category", "sentiment", "intent", "topic", "gold", "target", "polarity",
)  # fmt: skip
SPLIT = "Split text"  # in place of a file's name
_MISSING = {"nan", "<na>"}  # what pandas writes where there is no value
_BREAKS = re.compile(r"\s*[\r\n]\s*")
_TAG = re.compile(r"O|[BIESLUMW]-\S+")
_PART = re.compile(r"(?:\s*(?:#.*)?\n)*\s*\[(?:train|test)\]\s*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class TextLimits:
    """The most that the box takes.

    Attributes:
        n_texts: texts.
        n_characters: characters of one text.
        n_characters_in_all: characters of all texts.
    """

    n_texts: int
    n_characters: int
    n_characters_in_all: int


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """Texts of a file with what stood beside them.

    Attributes:
        name: of the file, without its directory.
        texts: one line each, none blank, within the limits of the page.
        columns: names of the file's columns, in its order.
        rows: the cells of each text's row, one per column.
        text_column: the column that the texts come from.
        label_column: the one with a class for each text; empty where none is called so.
        tagged: each text with its entity tags, its `text` being that of `texts`; empty where the file has none.
        n_rows: rows with anything in them that the file has; None where those beyond the limit were not counted.
        notes: what was skipped, cut, changed or assumed; a sentence each.
    """

    name: str
    texts: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_column: str
    label_column: str = ""
    tagged: tuple[TaggedSentence, ...] = ()
    n_rows: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The class of each text, or nothing.

        It is empty where a row has none; there are none where the file has no classes.
        """
        return tuple(map(_clean_label, self.values(self.label_column))) if self.label_column else ()

    def values(self, column: str) -> tuple[str, ...]:
        """Return the cells of a column, one per text."""
        place = self.columns.index(column)
        return tuple(cells[place] for cells in self.rows)

    def find_rows(self, sentences: Sequence[str]) -> tuple[int | None, ...]:
        """Find the row of each sentence that is read.

        A person may have changed the box since. Equal texts are taken in their order.

        Returns:
            Positions in `texts`; None for a sentence that is not of this file.
        """
        places: defaultdict[str, deque[int]] = defaultdict(deque)
        for place, text in enumerate(self.texts):
            places[text].append(place)
        return tuple(places[sentence].popleft() if places[sentence] else None for sentence in sentences)


def split_text(text: str) -> LoadedFile:
    """Split a text into its sentences.

    Their places in the whole are the columns `start` and `end` (exclusive).

    Raises:
        EmptyInputError: nothing in it can be seen.
    """
    whole = replace_unreadable(text)
    spans = split_sentences(whole)
    if not spans:
        raise EmptyInputError("There is nothing to split yet. Paste a text into the box.")
    texts = tuple(whole[start:end] for start, end in spans)
    rows = tuple((text, str(start), str(end)) for text, (start, end) in zip(texts, spans, strict=True))
    return LoadedFile(SPLIT, texts, ("text", "start", "end"), rows, "text", n_rows=len(rows))


def load_file(path: Path, limits: TextLimits, text_column: str = "") -> LoadedFile:
    """Load the texts of a file, up to the limits.

    Args:
        path: one of `SUFFIXES`; its size is checked before it is parsed.
        limits: of the page.
        text_column: guessed by default, by its name, else by its content.

    Raises:
        DataFileError: it cannot be read or holds no text, naming the file without its directory, and the line.
    """
    name, reader = path.name, _READERS.get(path.suffix.lower())
    if reader is None:
        kinds = f"{', '.join(SUFFIXES[:-1])} and {SUFFIXES[-1]}"
        raise DataFileError(f"{name} is of a kind that is not read; {kinds} are.")
    if not path.exists():
        raise DataFileError(f"{name} is not here any more. Open it again.")
    with reading(name):
        n_bytes = path.stat().st_size
    if n_bytes > MAX_UPLOAD_BYTES:
        raise DataFileError(f"{name} has {n_bytes / 1e6:.1f} MB; at most {MAX_UPLOAD_BYTES / 1e6:.0f} are read.")
    sheet = reader(path, name, limits.n_texts)
    if not sheet.rows:
        raise DataFileError(f"{name} holds no text.")
    if text_column not in sheet.columns:
        text_column = _guess_text_column(sheet)
    return _take_texts(sheet, name, limits, text_column)


def _take_texts(sheet: Sheet, name: str, limits: TextLimits, column: str) -> LoadedFile:
    """Take the texts of a column; tell what is left."""
    place = sheet.columns.index(column)
    taken: list[tuple[str, Row]] = []
    n_blank = n_joined = n_characters = 0
    too_long: list[int] = []
    beyond = 0
    for row in sheet.rows:
        text = _one_line(row.cells[place])
        if is_blank(text):
            n_blank += 1
        elif len(text) > limits.n_characters:
            too_long.append(row.line)
        elif beyond or n_characters + len(text) > limits.n_characters_in_all:
            beyond += 1
        else:
            n_characters += len(text)
            n_joined += _BREAKS.search(row.cells[place].strip()) is not None
            taken.append((text, row))
    if not taken:
        raise DataFileError(f"{name} holds no text in the column {column!r} that can be read.")
    n_beyond = beyond + ((sheet.n_rows or 0) - len(sheet.rows))
    has_tags = all(row.tagged is not None and row.tagged.text == text for text, row in taken)
    notes = (
        *_tell_beyond(len(taken), n_beyond, sheet.n_rows is None),
        *([f"{_count(n_blank, 'row')} without a text left out."] if n_blank else []),
        *([f"{_count(len(too_long), 'text')} of more than {limits.n_characters:,} characters left out, line "
           f"{too_long[0]:,} first."] if too_long else []),
        *([f"Line breaks within {_count(n_joined, 'text')} are spaces now."] if n_joined else []),
        *sheet.notes,
    )  # fmt: skip
    return LoadedFile(
        name,
        tuple(text for text, _ in taken),
        sheet.columns,
        tuple(row.cells for _, row in taken),
        column,
        _guess_label_column(sheet, column),
        tuple(row.tagged for _, row in taken if row.tagged) if has_tags else (),
        sheet.n_rows,
        notes,
    )


def _tell_beyond(n_taken: int, n_beyond: int, has_more: bool) -> list[str]:
    if not n_beyond and not has_more:
        return []
    rest = "what follows is" if has_more else f"the other {n_beyond:,} rows are" if n_beyond > 1 else "one more row is"
    return [
        f"The first {n_taken:,} texts are taken, and {rest} left out: no more is read at once here. `python -m mtdemo "
        "annotate` reads whole files."
    ]


def _guess_text_column(sheet: Sheet) -> str:
    """Guess the column of texts: by name, else the wordiest."""
    named = {column.lower(): column for column in reversed(sheet.columns)}
    for name in NAMES_OF_TEXT:
        if name in named:
            return named[name]

    def wordiness(place: int) -> float:
        cells = [row.cells[place] for row in sheet.rows]
        n_letters = sum(min(sum(map(str.isalpha, cell[:400])), 200) for cell in cells)
        return n_letters * len({*cells}) / len(cells) ** 2

    return sheet.columns[max(range(len(sheet.columns)), key=wordiness)]


def _guess_label_column(sheet: Sheet, text_column: str) -> str:
    """Find a column that is called as classes are."""
    named = {column.lower(): column for column in reversed(sheet.columns) if column != text_column}
    return next((named[name] for name in NAMES_OF_LABEL if name in named), "")


def _clean_label(cell: str) -> str:
    label = unicodedata.normalize("NFC", strip_invisible(replace_unreadable(cell)))
    return "" if label.lower() in _MISSING else label


def _one_line(cell: str) -> str:
    return _BREAKS.sub(" ", replace_unreadable(cell).replace("\0", " ").strip())


def _count(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _read_plain(path: Path, name: str, max_rows: int) -> Sheet:
    """Read a `.txt`: marked sentences, columns of tags, or lines."""
    text = read_text(path, name, MAX_UPLOAD_BYTES)
    if _PART.match(text):
        return _marked(parse_sample(text, name), max_rows)
    return _read_columns(path, name, max_rows) if _is_tagged(text) else read_lines(text, max_rows)


def _marked(sample: Sample, max_rows: int) -> Sheet:
    """Make a sheet of marked sentences with their part.

    The tags go along where the tokens, with a space between them, are the text itself.
    """
    found = [(part, sentence) for part in PARTS for sentence in getattr(sample, part)]
    rows = tuple(
        Row(number, (sentence.text, sentence.label, part), sentence.tagged)
        for number, (part, sentence) in enumerate(found[:max_rows], start=1)
    )
    whole = all(sentence.tagged.text == sentence.text for _, sentence in found)
    notes = () if whole else ("Its marked names are not kept, since the marks are of words, not of places in the text.",)
    return Sheet(("text", "label", "part"), rows, len(found), notes)


def _read_columns(path: Path, name: str, max_rows: int) -> Sheet:
    return read_tagged(read_columns(read_text(path, name, MAX_UPLOAD_BYTES), name), max_rows)


def _read_table(path: Path, name: str, max_rows: int) -> Sheet:
    return read_delimited(read_text(path, name, MAX_UPLOAD_BYTES), name, max_rows)


def _read_tabs(path: Path, name: str, max_rows: int) -> Sheet:
    text = read_text(path, name, MAX_UPLOAD_BYTES)
    if _is_tagged(text):
        return _read_columns(path, name, max_rows)
    return read_delimited(text, name, max_rows, delimiter="\t" if "\t" in text else "")


def _read_json(path: Path, name: str, max_rows: int) -> Sheet:
    return read_json(read_text(path, name, MAX_UPLOAD_BYTES), name, max_rows)


def _is_tagged(text: str) -> bool:
    """Tell whether every line ends with an entity tag."""
    lines = [line.split() for line in text.split("\n") if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    return bool(lines) and all(len(cells) > 1 and _TAG.fullmatch(cells[-1]) for cells in lines)


_READERS: dict[str, Callable[[Path, str, int], Sheet]] = {
    ".txt": _read_plain,
    ".csv": _read_table,
    ".tsv": _read_tabs,
    ".jsonl": _read_json,
    ".json": _read_json,
    ".xlsx": read_workbook,
    ".conll": _read_columns,
    ".conllu": _read_columns,
    ".bio": _read_columns,
    ".iob": _read_columns,
    ".iob2": _read_columns,
}
SUFFIXES = tuple(_READERS)
