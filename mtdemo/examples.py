"""Labelled sentences as a model learns from them: the first window of each, and what is known about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.decoding import entity_type
from mtdemo.encoding import Window
from mtdemo.errors import DataFileError
from mtdemo.loading import LoadedModel


@dataclass(frozen=True, slots=True)
class TaggedExample:
    """A window with the entity labels that its annotation leaves open.

    Attributes:
        window: the first window of the sentence.
        allowed: bool (content pieces, labels); exactly one per row where the annotation is complete.
    """

    window: Window
    allowed: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LabelledExample:
    """A window with the index of its class."""

    window: Window
    label: int


def tagged_examples(model: LoadedModel, sentences: Sequence[TaggedSentence], max_length: int) -> tuple[TaggedExample, ...]:
    """Tokenise tagged sentences; every word piece takes the tag of the token that it begins in.

    Raises:
        DataFileError: a tag of a type that the model does not have.
    """
    labels: list[str] = model.model.config.entity_labels
    _check_known((tag for s in sentences for tag in map(entity_type, s.tags)), [entity_type(name) for name in labels])
    examples = []
    for sentence, encoded in zip(sentences, model.encode([s.text for s in sentences], max_length), strict=True):
        token_at = np.repeat(np.arange(len(sentence.tokens)), [len(token) + 1 for token in sentence.tokens])
        window = encoded.windows[0]
        allowed = np.zeros((window.n_pieces, len(labels)), dtype=np.bool_)
        for row in range(window.n_pieces):
            tag = sentence.tags[token_at[encoded.pieces[row].start]]
            allowed[row] = allowed_labels(labels, tag, sentence.annotated)
        examples.append(TaggedExample(window, allowed))
    return tuple(examples)


def labelled_examples(
    model: LoadedModel, sentences: Sequence[LabelledSentence], max_length: int
) -> tuple[LabelledExample, ...]:
    """Tokenise sentences with a class.

    Raises:
        DataFileError: a class that the model does not have.
    """
    labels: list[str] = model.model.config.class_labels
    _check_known((sentence.label for sentence in sentences), labels)
    encoded = model.encode([sentence.text for sentence in sentences], max_length)
    return tuple(LabelledExample(e.windows[0], labels.index(s.label)) for s, e in zip(sentences, encoded, strict=True))


def allowed_labels(labels: Sequence[str], tag: str, annotated: Sequence[str] | None) -> tuple[bool, ...]:
    """Which labels a gold tag leaves open.

    A source that does not mark a type at all writes `O` also where that type stands, so its `O` allows the type too; the
    loss is then on their summed probability.
    """
    if tag == "O":
        open_types = set() if annotated is None else {entity_type(label) for label in labels} - set(annotated)
        return tuple(label == "O" or entity_type(label) in open_types for label in labels)
    if tag in labels:
        return tuple(label == tag for label in labels)
    return tuple(entity_type(label) == entity_type(tag) for label in labels)


def _check_known(found: Iterable[str], known: Sequence[str]) -> None:
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise DataFileError(f"The label {unknown[0]!r} is not one of the model's: {', '.join(dict.fromkeys(known))}.")
