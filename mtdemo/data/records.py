"""Labelled sentences as records, by one rule for every format, and the check that a model knows their labels."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtdemo.errors import DataFileError
from mtdemo.text.tags import as_bio, entity_type
from mtdemo.text.tokenization import replace_unreadable
from mtdemo.text.words import is_blank, strip_invisible

_MISSING = {"nan", "<na>"}  # what pandas writes where there is no value
_NO_TYPE = re.compile(r"[BIESLUMW]-?")
_OTHER_SCHEME = re.compile(r"[BIESLUMW][_/:–—]\S+|[bi][-_/:–—]\S+")  # with the dash of a word processor, too


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
    """Two sentences and their similarity, 0 to 5."""

    score: float
    first: str
    second: str


def make_tagged(
    tokens: Sequence[str],
    tags: Sequence[str],
    annotated: Sequence[str] | None = None,
    source: str = "",
    place: str = "",
    places: Sequence[str] | None = None,
) -> TaggedSentence:
    """Make a tagged sentence of a row's checked values.

    Tags are stripped and put into NFC, and those of BIOES, BILOU and BMEWO become BIO.

    Args:
        tokens: of the sentence.
        tags: one per token.
        annotated: the types that the source marks at all.
        source: the data set's name.
        place: file and line of the row.
        places: of each token, where each has a line of its own.

    Raises:
        DataFileError: a row without tokens, a blank tag, an entity in a blank token, or a type beside `annotated`; naming
            file and line.
    """
    if len(tokens) != len(tags):
        raise DataFileError(f"{place}: {len(tokens)} tokens but {len(tags)} tags.")
    if not tokens:
        raise DataFileError(f"{place}: no tokens.")
    if all(map(is_blank, tokens)) and any(token.strip(" \t\n") for token in tokens):
        raise DataFileError(f"{place}: the text is blank. Leave the row out, or write something.")
    cleaned = []
    for number, (token, tag) in enumerate(zip(tokens, tags, strict=True)):
        where = places[number] if places else place
        label = clean_label(tag, f"the tag of {token[:60]!r}", where)
        # Data sets do hold blanks and no-break spaces as tokens; what is blank and no entity changes nothing.
        if not token.strip(" \t\n") and (label != "O" or all(map(is_blank, tokens))):
            raise DataFileError(f"{where}: token {number + 1} is blank.")
        cleaned.append(_check_tag(label, token, where))
    bio = as_bio(cleaned)
    types = None if annotated is None else tuple(clean_label(name, "a type in `annotated`", place) for name in annotated)
    others = sorted({entity_type(tag) for tag in bio} - {"O", *types}) if types is not None else []
    if others:
        known = ", ".join(types or ())
        raise DataFileError(f"{place}: {others[0]} is tagged, but not among what is annotated ({known}).")
    return TaggedSentence(tuple(map(replace_unreadable, tokens)), bio, types, clean_source(source), place)


def _check_tag(tag: str, token: str, place: str) -> str:
    """Return a tag that can be read; `o` is `O`.

    Raises:
        DataFileError: it names no type, or its scheme is written otherwise, as in `B_PER` or `b-per`.
    """
    if tag in ("O", "o"):
        return "O"
    if _NO_TYPE.fullmatch(tag) or not any(map(str.isalpha, tag)):
        raise DataFileError(
            f"{place}: the tag {tag!r} of {token[:60]!r} names no type; write O for none, else a name such as B-PER."
        )
    if _OTHER_SCHEME.fullmatch(tag):
        raise DataFileError(
            f"{place}: the tag {tag!r} of {token[:60]!r} is written otherwise here: {tag[0].upper()}-{tag[2:]}."
        )
    return tag


def make_labelled(text: str, label: str, source: str = "", place: str = "") -> LabelledSentence:
    """Make a sentence with a class of checked values.

    The label is stripped and put into NFC; the text stays as it is.

    Raises:
        DataFileError: a blank text, or a blank or missing label; naming file and line.
    """
    text, label = _clean_text(text, "the text", place), clean_label(label, "the label", place)
    return LabelledSentence(text, label, clean_source(source), place)


def make_pair(score: float, first: str, second: str, place: str = "") -> RatedPair:
    """Make a rated pair of a row's checked values.

    Raises:
        DataFileError: a blank sentence, or a score that is no number; naming file and line.
    """
    if not math.isfinite(score):
        raise DataFileError(f"{place}: the score must be a number, not {score}.")
    first, second = _clean_text(first, "the first sentence", place), _clean_text(second, "the second sentence", place)
    return RatedPair(score, first, second)


def clean_label(label: str, what: str, place: str) -> str:
    """Strip a label of invisible characters; make it NFC.

    Raises:
        DataFileError: nothing is left, or what pandas writes where a value is missing; `what` names it.
    """
    cleaned = unicodedata.normalize("NFC", strip_invisible(replace_unreadable(label)))
    if not cleaned or cleaned.lower() in _MISSING:
        raise DataFileError(f"{place}: {what} is missing{f' ({cleaned})' if cleaned else ''}.")
    return cleaned


def clean_source(source: str) -> str:
    """Strip a source's name of invisible characters.

    A missing one, as of pandas, is empty.
    """
    cleaned = strip_invisible(replace_unreadable(source))
    return "" if cleaned.lower() in _MISSING else cleaned


def _clean_text(text: str, what: str, place: str) -> str:
    if is_blank(text):
        raise DataFileError(f"{place}: {what} is blank. Leave the row out, or write something.")
    if text.strip() in ("nan", "NaN", "<NA>"):
        raise DataFileError(f"{place}: {what} is missing ({text.strip()}). Leave the row out, or write something.")
    return replace_unreadable(text)


def describe_repeats(rows: Sequence[TaggedSentence | LabelledSentence | RatedPair]) -> str:
    """Say how many rows repeat or contradict others.

    Returns:
        A phrase such as `7 of 8 rows repeat an earlier one`; empty where none does.
    """
    labels: dict[tuple[str, ...], set[Any]] = {}
    for row in rows:
        match row:
            case TaggedSentence():
                labels.setdefault(row.tokens, set()).add(row.tags)
            case LabelledSentence():
                labels.setdefault((unicodedata.normalize("NFC", row.text),), set()).add(row.label)
            case RatedPair():
                labels.setdefault((row.first, row.second), set()).add(row.score)
    n_repeated = len(rows) - sum(map(len, labels.values()))
    n_torn = sum(len(known) > 1 for known in labels.values())
    told = f"{n_repeated} of {len(rows)} rows repeat an earlier one" if n_repeated else ""
    torn = f"{n_torn} sentences stand there with different labels" if n_torn else ""
    return " and ".join(filter(None, (told, torn)))


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
            if tag != "O" and entity_type(tag) not in types:
                _refuse(sentence.place, f"the tag {tag!r} of {token!r}", ("O", *types))
        for name in sentence.annotated or ():
            if name not in types:
                _refuse(sentence.place, f"{name!r} in `annotated`", types)
    for labelled_sentence in labelled:
        if labelled_sentence.label not in classes:
            _refuse(labelled_sentence.place, f"the class {labelled_sentence.label!r}", classes)


def _refuse(place: str, what: str, known: Sequence[str]) -> None:
    raise DataFileError(f"{place}{': ' if place else ''}{what} is none of the model's: {', '.join(known)}.")
