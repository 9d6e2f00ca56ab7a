"""Sentences that carry a class and entity spans at once, in a file that a person can read and edit.

A line is `class | text with [names](TYPE)`; lines that begin with `#` are remarks; `[train]` and `[test]` begin the part
to learn from and the held-out part. The project's own sample is such a file.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtdemo.config import PACKAGE_DIRECTORY
from mtdemo.data.records import LabelledSentence, TaggedSentence, clean_label
from mtdemo.errors import DataFileError
from mtdemo.files import read_text
from mtdemo.text.tags import bio_run
from mtdemo.text.words import is_blank, nameless_spans, tears_syllable, trim_name, with_invisible, word_spans

SAMPLE = PACKAGE_DIRECTORY / "sample" / "sentences.txt"
PARTS = ("train", "test")
_SPAN = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")


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
        """The sentence for the entity head, as tagged words.

        Where a name begins or ends within a word, the word is cut there: `un[American](MISC)` -> `un`, `American`.
        """
        tokens: list[str] = []
        tags: list[str] = []
        before = 0
        for start, end, name in (*self.spans, (len(self.text), len(self.text), "")):
            outside, inside = self.text[before:start], self.text[start:end]
            words = [outside[slice(*span)] for span in word_spans(outside)]
            names = [inside[slice(*span)] for span in word_spans(inside)]
            tokens += (*words, *names)
            tags += (*["O"] * len(words), *bio_run(name, len(names)))
            before = end
        return TaggedSentence(tuple(tokens), tuple(tags), place=self.place)


@dataclass(frozen=True, slots=True)
class Sample:
    """Sentences to learn from, and held-out ones to measure on."""

    train: tuple[MarkedSentence, ...]
    test: tuple[MarkedSentence, ...]


def read_sample(path: Path = SAMPLE, name: str | None = None) -> Sample:
    """Read a file of marked sentences.

    Args:
        path: the file.
        name: what messages call it; its path by default.

    Raises:
        DataFileError: naming file and line.
    """
    name = name or str(path)
    return parse_sample(read_text(path, name), name)


def parse_sample(text: str, name: str) -> Sample:
    """Read marked sentences of a text; messages name the file.

    Raises:
        DataFileError: naming file and line.
    """
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
            part = stripped[1:-1].strip().lower()
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
    pieces: list[str] = []
    spans: list[tuple[int, int, str]] = []
    position, length = 0, 0
    for match in _SPAN.finditer(marked):
        before, inside = marked[position : match.start()], match.group(1)
        start = length + len(before)
        length = start + len(inside)
        if is_blank(inside):
            raise DataFileError(f"{place}: there is nothing between the brackets of a name.")
        spans.append((start, length, _type(match.group(2), place)))
        pieces += (before, inside)
        position = match.end()
    text = "".join((*pieces, marked[position:]))
    if "[" in text or "](" in text or "\\]" in marked:
        raise DataFileError(
            f"{place}: a name is marked as [name](TYPE), with nothing in between; this line has a bracket left."
        )
    if is_blank(text):
        raise DataFileError(f"{place}: the text is blank. Leave the row out, or write something.")
    return MarkedSentence(text, clean_label(label, "the label", place), tuple(_names(text, spans, place)), place)


def _type(name: str, place: str) -> str:
    """Check the type of a name: `PER`, without `B-`."""
    cleaned = clean_label(name, "the type of a name", place)
    if cleaned.upper() == "O" or cleaned[:2] in ("B-", "I-") or nameless_spans(cleaned):
        raise DataFileError(f"{place}: {cleaned[:60]!r} is no type of a name; write one such as PER, without B- or I-.")
    return cleaned


def _names(text: str, spans: Sequence[tuple[int, int, str]], place: str) -> Iterator[tuple[int, int, str]]:
    """Narrow marks to the names in them, as answers are.

    `["Paris".](LOC)` marks `Paris`, and `[Ada's](PER)` marks `Ada`; invisible characters beside a name belong to it.

    Raises:
        DataFileError: a mark holds no name, or tears a character.
    """
    nameless = deque(nameless_spans(text))
    before = 0
    for start, end, name in spans:
        inside = trim_name(text, start, end)
        while nameless and nameless[0][1] <= inside[0]:
            nameless.popleft()
        if inside[0] == inside[1] or (nameless and nameless[0][0] < inside[1]):
            raise DataFileError(
                f"{place}: {text[start:end][:60]!r} is no name; a name has a letter or digit, and is no address and no "
                "@handle. Leave it unmarked."
            )
        first, last = with_invisible(text, *inside)
        if tears_syllable(text, start) or tears_syllable(text, end):
            raise DataFileError(f"{place}: the mark of {text[start:end][:60]!r} ends within a letter; mark all of it.")
        yield max(first, before), last, name
        before = last
