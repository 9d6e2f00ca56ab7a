"""From probabilities per word piece to entity spans in the person's own text.

The rule, for IO and BIO labels alike:

1. The probability of a type at a word piece is the sum of its labels' (`B-PER` and `I-PER` make PER).
2. A word is what the tokenizer splits text into before it makes word pieces; its probabilities are the mean of those of
   its pieces, and its type the most probable one, `O` included. So a name is never cut inside a word.
3. Neighbouring words of one type form one span. With BIO labels a span also ends before a word whose first piece finds
   `B-` more probable than `I-`. Between IO labels nothing can tell two touching names of one type apart.
4. The span reaches from its first word to its last, and over combining marks, joiners and variation selectors that
   follow, so that a letter keeps its accent and an emoji its colour.
5. The score is the mean of the words' probabilities of the span's type, 0 to 1.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from mtdemo.results import ArrayRecord, Entity
from mtdemo.text.tags import entity_type
from mtdemo.text.tokenization import Piece

_JOINERS = "\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-15}\N{VARIATION SELECTOR-16}"


@dataclass(frozen=True, slots=True, eq=False)
class TagScheme(ArrayRecord):
    """The meaning of the labels of an entity head.

    Attributes:
        labels: as the model has them, `O` first.
        types: `O`, then each entity type once.
        membership: float32 (labels, types), 1 where a label belongs to a type.
        begins, continues: per type, the index of its `B-` and its other label, -1 where there is none.
    """

    labels: tuple[str, ...]
    types: tuple[str, ...]
    membership: npt.NDArray[np.float32]
    begins: tuple[int, ...]
    continues: tuple[int, ...]

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> TagScheme:
        """Read the scheme off the labels.

        `PER` is IO, `B-PER` and `I-PER` are BIO.
        """
        types = tuple(dict.fromkeys(entity_type(label) for label in labels))
        membership = np.zeros((len(labels), len(types)), dtype=np.float32)
        for row, label in enumerate(labels):
            membership[row, types.index(entity_type(label))] = 1.0
        position = {label: row for row, label in enumerate(labels)}
        begins = tuple(position.get(f"B-{name}", -1) for name in types)
        continues = tuple(position.get(f"I-{name}", position.get(name, -1)) for name in types)
        return cls(tuple(labels), types, membership, begins, continues)


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    type: int
    probability: float
    begins: bool


def decode_entities(
    text: str, pieces: Sequence[Piece], probabilities: npt.NDArray[np.float32], scheme: TagScheme
) -> tuple[Entity, ...]:
    """Find the entity spans of one sentence.

    The module's docstring gives the rule.

    Args:
        text: the sentence.
        pieces: its word pieces, in order.
        probabilities: float32 (pieces, labels), rows sum to 1.
        scheme: the meaning of the labels.

    Returns:
        Entities ordered by start that never overlap; empty where there are none.
    """
    entities: list[Entity] = []
    position = 0
    for span in _spans(_words(pieces, probabilities, scheme)):
        start, end = _fit_to_text(text, max(position, span[0].start), span[-1].end)
        if start < end:
            position = end
            score = float(np.mean([word.probability for word in span]))
            entities.append(Entity(text[start:end], scheme.types[span[0].type], score, start, end))
    return tuple(entities)


def _words(pieces: Sequence[Piece], probabilities: npt.NDArray[np.float32], scheme: TagScheme) -> Iterator[_Word]:
    by_type = probabilities @ scheme.membership
    for _, group in groupby(range(len(pieces)), key=lambda index: pieces[index].word):
        indices = list(group)
        of_word = by_type[indices].mean(axis=0)
        best = int(of_word.argmax())
        begin, go_on = scheme.begins[best], scheme.continues[best]
        first = probabilities[indices[0]]
        begins = begin >= 0 and (go_on < 0 or bool(first[begin] > first[go_on]))
        yield _Word(pieces[indices[0]].start, pieces[indices[-1]].end, best, float(of_word[best]), begins)


def _spans(words: Iterator[_Word]) -> Iterator[list[_Word]]:
    span: list[_Word] = []
    for word in words:
        if span and (word.type != span[0].type or word.begins):
            yield span
            span = []
        if word.type != 0:
            span.append(word)
    if span:
        yield span


def _fit_to_text(text: str, start: int, end: int) -> tuple[int, int]:
    while end < len(text) and (text[end] in _JOINERS or unicodedata.category(text[end]) in ("Mn", "Me", "Mc")):
        end += 1
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
