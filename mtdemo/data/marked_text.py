"""Sentences that carry a class and entity spans at once, in a file that a person can read and edit.

A line is `class | text with [names](TYPE)`; lines that begin with `#` are remarks; `[train]` and `[test]` begin the part
to learn from and the part kept aside. The project's own sample is such a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mtdemo.config import PACKAGE_DIRECTORY
from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.files import reading

SAMPLE = PACKAGE_DIRECTORY / "sample" / "sentences.txt"
PARTS = ("train", "test")
_SPAN = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class MarkedSentence:
    """A sentence with its class and its entities.

    Attributes:
        text: without marks.
        label: the class.
        spans: start, end (exclusive) and type of each entity, in order.
        place: file and line, for messages.
    """

    text: str
    label: str
    spans: tuple[tuple[int, int, str], ...]
    place: str

    @property
    def labelled(self) -> LabelledSentence:
        """The sentence for the classification head."""
        return LabelledSentence(self.text, self.label, place=self.place)

    @property
    def tagged(self) -> TaggedSentence:
        """The sentence for the entity head: words and signs of punctuation with their types. Where a
        name begins or ends within a word, the word is cut there."""
        ends = (0, *(place for start, end, _ in self.spans for place in (start, end)), len(self.text))
        found = [
            (m.group(), start + m.start()) for start, end in pairwise(ends) for m in _TOKEN.finditer(self.text[start:end])
        ]
        tags = (next((name for start, end, name in self.spans if start <= at < end), "O") for _, at in found)
        return TaggedSentence(tuple(token for token, _ in found), tuple(tags), place=self.place)


@dataclass(frozen=True, slots=True)
class Sample:
    """Sentences to learn from, and sentences kept aside to measure on."""

    train: tuple[MarkedSentence, ...]
    test: tuple[MarkedSentence, ...]


def read_sample(path: Path = SAMPLE, name: str | None = None) -> Sample:
    """Read a file of marked sentences; messages call it by its path, or by the name that is given.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    try:
        with reading(name):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileError(f"{name} is not a UTF-8 text file: {error.reason} at byte {error.start}.") from error
    rows = tuple(_rows(text, name))
    train, test = (tuple(sentence for part, sentence in rows if part == wanted) for wanted in PARTS)
    for part, sentences in zip(PARTS, (train, test), strict=True):
        if not sentences:
            raise DataFileError(f"{name} has no sentences after a line [{part}].")
    return Sample(train, test)


def _rows(text: str, name: str) -> Iterator[tuple[str, MarkedSentence]]:
    part = ""
    for number, line in enumerate(text.split("\n"), start=1):
        place, stripped = f"{name}, line {number}", line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("[") and stripped.endswith("]"):
            part = stripped[1:-1]
            if part not in PARTS:
                raise DataFileError(f"{place}: a part is [train] or [test], not {stripped}.")
            continue
        if not part:
            raise DataFileError(f"{place}: a line [train] or [test] must stand before the first sentence.")
        yield part, _sentence(stripped, place)


def _sentence(line: str, place: str) -> MarkedSentence:
    label, bar, marked = (piece.strip() for piece in line.partition("|"))
    if not (label and bar and marked):
        raise DataFileError(f"{place}: a line is a class, a bar and a text, such as `neutral | It rains in [Bergen](LOC).`")
    text, spans, position = "", [], 0
    for match in _SPAN.finditer(marked):
        text += marked[position : match.start()]
        spans.append((len(text), len(text) + len(match.group(1)), match.group(2)))
        text += match.group(1)
        position = match.end()
    text += marked[position:]
    if "[" in text or "](" in text:
        raise DataFileError(
            f"{place}: a name is marked as [name](TYPE), with nothing in between; this line has a bracket left."
        )
    return MarkedSentence(text, label, tuple(spans), place)
