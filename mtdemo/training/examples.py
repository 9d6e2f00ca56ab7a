"""Labelled sentences as a model learns from them: the first window of each, and what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtdemo.data.records import LabelledSentence, TaggedSentence, check_labels
from mtdemo.models.loaded import LoadedModel
from mtdemo.text.tags import entity_type
from mtdemo.text.tokenization import Window


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """A window with what is to be learned from it.

    Attributes:
        window: the first window of the sentence.
        target: bool (content pieces, labels), the entity labels that the annotation leaves open, exactly one per row where
            it is complete; or the index of the class.
        n_targets: how much it weighs in a mean over examples: its content pieces, or 1.
    """

    window: Window
    target: Any
    n_targets: int


def tagged_examples(model: LoadedModel, sentences: Sequence[TaggedSentence], max_length: int) -> tuple[EncodedExample, ...]:
    """Tokenise tagged sentences.

    Every word piece takes the tag of the token that it ends in.

    Where a model tells the beginning of an entity from its inside, a token of several words begins with its first one.

    Raises:
        DataFileError: a tag of a type that the model does not have, naming file and line.
    """
    labels: list[str] = model.model.config.entity_labels
    check_labels(sentences, (), (), model.info.entity_types)
    examples = []
    for sentence, encoded in zip(sentences, model.encode([s.text for s in sentences], max_length), strict=True):
        token_at = np.repeat(np.arange(len(sentence.tokens)), [len(token) + 1 for token in sentence.tokens])
        window = encoded.windows[0]
        allowed = np.zeros((window.n_pieces, len(labels)), dtype=np.bool_)
        first_word: dict[int, int | None] = {}
        for row, piece in enumerate(encoded.pieces[: window.n_pieces]):
            token = int(token_at[max(piece.start, piece.end - 1)])  # some tokenizers count the space before a word to it
            tag = sentence.tags[token]
            inside = f"I-{entity_type(tag)}"
            if first_word.setdefault(token, piece.word) != piece.word and tag.startswith("B-") and inside in labels:
                tag = inside
            allowed[row] = allowed_labels(labels, tag, sentence.annotated)
        examples.append(EncodedExample(window, allowed, window.n_pieces))
    return tuple(examples)


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
    return tuple(EncodedExample(e.windows[0], labels.index(s.label), 1) for s, e in zip(sentences, encoded, strict=True))


def allowed_labels(labels: Sequence[str], tag: str, annotated: Sequence[str] | None) -> tuple[bool, ...]:
    """Mark the labels that a gold tag leaves open.

    A source that does not mark a type at all writes `O` also where that type stands, so its `O` allows the type too; the
    loss is then on their summed probability.
    """
    if tag == "O":
        open_types = set() if annotated is None else {entity_type(label) for label in labels} - set(annotated)
        return tuple(label == "O" or entity_type(label) in open_types for label in labels)
    if tag in labels:
        return tuple(label == tag for label in labels)
    return tuple(entity_type(label) == entity_type(tag) for label in labels)
