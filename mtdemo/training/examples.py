"""Labelled sentences as a model learns from them: their windows, and what is known about each."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mtdemo.data.records import LabelledSentence, TaggedSentence, check_labels
from mtdemo.models.loaded import LoadedModel
from mtdemo.text.tags import begins_entity, entity_type
from mtdemo.text.tokenization import EncodedSentence, Window, join_windows

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """A window with what is to be learned from it.

    Attributes:
        window: of the sentence: each of one with entity tags, the first of one with a class.
        text: what the window holds.
        target: bool (learned pieces, labels), the entity labels that the annotation leaves open, exactly one per row where
            it is complete; or the index of the class.
        n_targets: how much it weighs in a mean over examples: its learned pieces, or 1.
        learned: the positions in the window of the pieces whose labels are learned.
        source: the data set's name, empty where unknown.
    """

    window: Window
    text: str
    target: Any
    n_targets: int
    learned: slice
    source: str = ""


def tagged_examples(model: LoadedModel, sentences: Sequence[TaggedSentence], max_length: int) -> tuple[EncodedExample, ...]:
    """Tokenise tagged sentences, window by window.

    Every word piece takes the tag of the token that it ends in, and is learned once: in the window that speaks for it when
    the model answers, where it is farthest from an edge. Where a model tells the beginning of an entity from its inside, a
    token of several words begins with its first one. Tags of tokens without any word piece, such as invisible characters,
    cannot be learned; how many there are is told as a warning.

    Raises:
        DataFileError: a tag of a type that the model does not have, naming file and line.
    """
    labels: list[str] = model.model.config.entity_labels
    check_labels(sentences, (), (), model.info.entity_types)
    examples = []
    n_lost = 0
    for sentence, encoded in zip(sentences, model.encode([s.text for s in sentences], max_length), strict=True):
        allowed, has_pieces = _allowed(sentence, encoded, labels)
        n_lost += sum(tag != "O" and not has for tag, has in zip(sentence.tags, has_pieces, strict=True))
        for window, rows in zip(encoded.windows, _rows_by_window(encoded), strict=True):
            start = window.content.start + rows.start - window.first_piece
            learned = slice(start, start + rows.stop - rows.start)
            text = sentence.text if len(encoded.windows) == 1 else _text_of(window, encoded)
            examples.append(EncodedExample(window, text, allowed[rows], rows.stop - rows.start, learned, sentence.source))
    if n_lost:
        _log.warning("Note: %d tagged tokens have no word piece and are not learned.", n_lost)
    return tuple(examples)


def _allowed(
    sentence: TaggedSentence, encoded: EncodedSentence, labels: Sequence[str]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return open labels by piece, and the tokens with pieces."""
    token_at = np.repeat(np.arange(len(sentence.tokens)), [len(token) + 1 for token in sentence.tokens])
    allowed = np.zeros((len(encoded.pieces), len(labels)), dtype=np.bool_)
    has_pieces = np.zeros(len(sentence.tokens), dtype=np.bool_)
    first_word: dict[int, int | None] = {}
    for row, piece in enumerate(encoded.pieces):
        token = int(token_at[max(piece.start, piece.end - 1)])  # some tokenizers count the space before a word to it
        has_pieces[token] = True
        tag = sentence.tags[token]
        inside = f"I-{entity_type(tag)}"
        if first_word.setdefault(token, piece.word) != piece.word and tag.startswith("B-") and inside in labels:
            tag = inside
        allowed[row] = allowed_labels(labels, tag, sentence.annotated)
    return allowed, has_pieces


def _rows_by_window(encoded: EncodedSentence) -> list[slice]:
    """Return the pieces that each window speaks for.

    With windows of the pieces 0 to 7 and 6 to 13: `[0:7, 7:14]`.
    """
    numbers = [np.full((window.n_pieces, 1), number, dtype=np.float32) for number, window in enumerate(encoded.windows)]
    owners = join_windows(encoded, numbers)[:, 0]
    ends = np.searchsorted(owners, np.arange(len(numbers)), side="right")
    return [slice(int(start), int(end)) for start, end in zip((0, *ends[:-1]), ends, strict=True)]


def _text_of(window: Window, encoded: EncodedSentence) -> str:
    pieces = encoded.pieces[window.first_piece : window.first_piece + window.n_pieces]
    return encoded.text[pieces[0].start : pieces[-1].end]


def labelled_examples(
    model: LoadedModel, sentences: Sequence[LabelledSentence], max_length: int
) -> tuple[EncodedExample, ...]:
    """Tokenise sentences with a class.

    Raises:
        DataFileError: a class that the model does not have, naming file and line.
    """
    labels: list[str] = model.model.config.class_labels
    check_labels((), sentences, labels, ())
    encoded = model.encode([sentence.text for sentence in sentences], max_length)
    n_cut = sum(len(sentence.windows) > 1 for sentence in encoded)
    if n_cut:
        _log.warning(
            "Note: %d of %d sentences with a class have more than %d word pieces; what lies beyond is not read for it.",
            n_cut, len(encoded), max_length,
        )  # fmt: skip
    return tuple(
        EncodedExample(e.windows[0], s.text, labels.index(s.label), 1, e.windows[0].content, s.source)
        for s, e in zip(sentences, encoded, strict=True)
    )


def allowed_labels(labels: Sequence[str], tag: str, annotated: Sequence[str] | None) -> tuple[bool, ...]:
    """Mark the labels that a gold tag leaves open.

    A source that does not mark a type at all writes `O` also where that type stands, so its `O` allows the type too; the
    loss is then on their summed probability.
    """
    if tag == "O":
        if "O" not in labels:  # a model that tags every word, as for parts of speech, learns nothing from it
            return (True,) * len(labels)
        open_types = set() if annotated is None else {entity_type(label) for label in labels} - set(annotated)
        return tuple(label == "O" or entity_type(label) in open_types for label in labels)
    of_type = tuple(entity_type(label) == entity_type(tag) for label in labels)
    if tag[:2] not in ("B-", "I-"):
        return of_type
    exact = tuple(its and begins_entity(label) == tag.startswith("B-") for its, label in zip(of_type, labels, strict=True))
    return exact if any(exact) else of_type
