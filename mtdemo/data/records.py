"""Labelled sentences as records, and the check that a model knows their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mtdemo.errors import DataFileError
from mtdemo.text.tags import entity_type


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
