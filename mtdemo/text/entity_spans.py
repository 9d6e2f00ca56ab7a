"""From probabilities per word piece to entity spans in the person's own text.

The rule, for IO and BIO labels alike:

1. The probability of a type at a word piece is the sum of its labels' (`B-PER` and `I-PER` make PER).
2. A word is what `mtdemo.text.words` calls one, whatever the tokenizer does; in a script without spaces it is a word piece,
   though never a part of a grapheme cluster. Its probabilities are the mean of those of its pieces, and its type the most
   probable one, `O` included. So a name is never cut inside a word. Web and mail addresses and @handles are `O`.
   Where the checkpoint names a cost of changing type, the types of a sentence are those with the largest sum of logarithms
   of their probabilities, less the cost for each two neighbours of different types, neither of them `O` (Viterbi 1967,
   https://doi.org/10.1109/TIT.1967.1054010). So a name is rarely torn into several types.
3. Neighbouring words of one type form one span. With BIO labels a span also ends before a word whose first piece finds
   `B-` more probable than `I-`; with BIOES and BILOU labels `B-`, `S-` or `U-` together more probable than the others.
   Between IO labels nothing can tell two touching names of one type apart.
4. The span reaches from its first letter or digit to its last, with the marks of that letter: punctuation at the edge of
   a name is no part of it, but for the last point of initials (`U.S.`), and nothing without a letter or digit is a name.
   A possessive 's at the end is no part of it either.
5. The score is the mean of the words' probabilities of the span's type, 0 to 1.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from mtdemo.results import ArrayRecord, Entity
from mtdemo.text.tags import begins_entity, entity_type
from mtdemo.text.tokenization import Piece
from mtdemo.text.words import Span, cluster_starts, is_readable, is_unspaced, nameless_spans, trim_name, word_spans


@dataclass(frozen=True, slots=True, eq=False)
class TagScheme(ArrayRecord):
    """The meaning of the labels of an entity head.

    Attributes:
        labels: as the model has them, `O` first, where there is one.
        types: `O`, then each entity type once.
        membership: float32 (labels, types), 1 where a label belongs to a type.
        begins: float32 (labels, types), 1 where a label begins an entity of a type: `B-`, `S-` and `U-`.
        type_change_cost: what two neighbouring words of different types, neither of them `O`, cost in natural logarithms; 0
            for the most probable type of each word by itself.
    """

    labels: tuple[str, ...]
    types: tuple[str, ...]
    membership: npt.NDArray[np.float32]
    begins: npt.NDArray[np.float32]
    type_change_cost: float = 0.0

    @property
    def tells_touching_apart(self) -> bool:
        """Tell if a label begins an entity."""
        return bool(self.begins.any())

    @classmethod
    def from_labels(cls, labels: Sequence[str], type_change_cost: float = 0.0) -> TagScheme:
        """Read the scheme off the labels.

        `PER` is IO, `B-PER` and `I-PER` are BIO, with `E-PER` and `S-PER` BIOES, with `L-PER` and `U-PER` BILOU.
        """
        types = tuple(dict.fromkeys(("O", *map(entity_type, labels))))
        of_label = [types.index(entity_type(label)) for label in labels]
        membership = np.eye(len(types), dtype=np.float32)[of_label]
        begins = membership * np.array([[begins_entity(label)] for label in labels], dtype=np.float32)
        return cls(tuple(labels), types, membership, begins, type_change_cost)


@dataclass(frozen=True, slots=True)
class TypedWord:
    """A word as the decoder sees it.

    Attributes:
        start, end: character offsets, end exclusive.
        type: index into `TagScheme.types`, 0 for none.
        probability: of that type, 0 to 1.
        begins: whether a span ends before it, though the type stays the same.
    """

    start: int
    end: int
    type: int
    probability: float
    begins: bool


def decode_entities(
    text: str, pieces: Sequence[Piece], probabilities: npt.NDArray[np.float32], scheme: TagScheme
) -> tuple[Entity, ...]:
    """Find the entity spans of one sentence.

    The module's docstring gives the rule. `Ada Lovelace wrote` in the pieces `ada love ##lace wrote` with IO labels, where
    `ada` and `love` are PER at 0.9 and `##lace` at 0.4: the word `Lovelace` is PER at the mean, 0.65, so that
    `Ada Lovelace`, from 0 to 12, is one entity.

    Args:
        text: the sentence.
        pieces: its word pieces, in order.
        probabilities: float32 (pieces, labels), rows sum to 1.
        scheme: the meaning of the labels.

    Returns:
        Entities ordered by start that never overlap; empty where there are none.
    """
    entities: list[Entity] = []
    position = 0  # the end of the last entity; none begins before it
    for span in _spans(type_words(text, pieces, probabilities, scheme)):
        start, end = trim_name(text, max(position, span[0].start), span[-1].end)
        # Words that the name lost at its edges have no part in its score.
        inside = [word.probability for word in span if word.start < end and start < word.end]
        if inside:
            position = end
            entities.append(Entity(text[start:end], scheme.types[span[0].type], float(np.mean(inside)), start, end))
    return tuple(entities)


def type_words(
    text: str, pieces: Sequence[Piece], probabilities: npt.NDArray[np.float32], scheme: TagScheme
) -> Iterator[TypedWord]:
    """Give each word its type (rules 1 to 3).

    Arguments are those of `decode_entities`; words are those of `group_pieces`.
    """
    # Rule 1: (pieces, labels) @ (labels, types), so B-PER at 0.2 and I-PER at 0.5 make PER at 0.7.
    by_type = probabilities @ scheme.membership
    groups = list(group_pieces(text, pieces))
    if not groups:
        return
    # Rule 2; most words are one piece, and the mean of one needs no computing.
    by_word = np.stack([by_type[its[0]] if len(its) == 1 else by_type[its].mean(axis=0) for its in groups])
    spans = [(pieces[its[0]].start, pieces[its[-1]].end) for its in groups]
    types = _best_types(by_word, _are_nameless(text, spans), scheme.type_change_cost)
    # Rule 3. Without labels that begin an entity no word begins a span by itself, without other labels every word does.
    first = probabilities[[its[0] for its in groups]]
    begins = first @ scheme.begins > first @ (scheme.membership - scheme.begins)
    begins |= (scheme.begins == scheme.membership).all(axis=0)
    for number, ((start, end), best) in enumerate(zip(spans, types.tolist(), strict=True)):
        yield TypedWord(start, end, best, float(by_word[number, best]), bool(begins[number, best]))


def _are_nameless(text: str, words: Sequence[Span]) -> npt.NDArray[np.bool_]:
    """Mark the words that no name can have."""
    nameless = deque(nameless_spans(text))
    marks = []
    for start, end in words:
        while nameless and nameless[0][1] <= start:
            nameless.popleft()
        marks.append(bool(nameless) and nameless[0][0] < end)
    return np.array(marks)


def _best_types(
    by_word: npt.NDArray[np.float32], nameless: npt.NDArray[np.bool_], change_cost: float
) -> npt.NDArray[np.int64]:
    """Choose the types of the words of a sentence.

    `PER 0.5, ORG 0.4` before `PER 0.3, ORG 0.6` is `PER ORG` where a change costs nothing, and `ORG ORG` where it costs 1:
    log 0.4 + log 0.6 is above log 0.5 + log 0.6 - 1.

    Args:
        by_word: float32 (words, types), at least one word.
        nameless: bool (words,), true for those that must be `O`.
        change_cost: of two neighbours of different types, neither of them `O`.
    """
    allowed = np.where(nameless[:, None] & (np.arange(by_word.shape[1]) > 0), 0.0, by_word)
    best: npt.NDArray[np.int64] = allowed.argmax(axis=1)
    changes = (best[1:] != best[:-1]) & (best[1:] != 0) & (best[:-1] != 0)
    if change_cost == 0.0 or not changes.any():  # nothing is paid, so no other types can be better
        return best
    cost = change_cost * (1.0 - np.eye(by_word.shape[1]))
    cost[0] = cost[:, 0] = 0.0
    with np.errstate(divide="ignore"):
        scores = np.log(allowed.astype(np.float64))
    came_from = np.zeros(by_word.shape, dtype=np.int64)
    total = scores[0]
    for place in range(1, len(scores)):
        through = total[:, None] - cost
        came_from[place] = through.argmax(axis=0)
        total = through.max(axis=0) + scores[place]
    best[-1] = total.argmax()
    for place in range(len(scores) - 1, 0, -1):
        best[place - 1] = came_from[place][best[place]]
    return best


def group_pieces(text: str, pieces: Sequence[Piece]) -> Iterator[list[int]]:
    """Group word pieces into words, by their indices.

    A piece of several words goes to the first that has a letter or digit: with pieces of the words of `St. "Ann"`,
    `St.|_"|Ann|"` -> `[St.] [_"] [Ann] ["]`. Pieces of nothing but white space are in none.
    """
    spans = word_spans(text)
    group: list[int] = []
    number, previous = 0, -1
    breaks: set[int] = set()
    for index, piece in enumerate(pieces):
        while number < len(spans) and spans[number][1] <= piece.start:
            number += 1
        its = _word_of(text, piece, spans, number)
        if its is None:
            continue
        if its != previous:
            breaks = _places_to_part(text, spans[its])
        if group and (its != previous or piece.start in breaks):
            yield group
            group = []
        group.append(index)
        previous = its
    if group:
        yield group


def _word_of(text: str, piece: Piece, words: Sequence[Span], first: int) -> int | None:
    """Return the number of the word that holds a piece."""
    touched = list(takewhile(lambda number: words[number][0] < piece.end, range(first, len(words))))
    for number in touched:
        start, end = words[number]
        if is_readable(text, max(start, piece.start), min(end, piece.end)):
            return number
    return touched[0] if touched else None


def _places_to_part(text: str, word: Span) -> set[int]:
    """Return where a word without spaces may be parted."""
    start, end = word
    unspaced = [place for place in range(start, end) if is_unspaced(text[place])]
    beside = {place for at in unspaced for place in (at, at + 1)} - {start, end}
    return beside & cluster_starts(text, start, end) if beside else set()


def _spans(words: Iterator[TypedWord]) -> Iterator[list[TypedWord]]:
    """Group neighbouring words of one type.

    `PER PER O LOC LOC -> [PER PER] [LOC LOC]`, or `[PER PER] [LOC] [LOC]` where the last word begins a span.
    """
    span: list[TypedWord] = []
    for word in words:
        if span and (word.type != span[0].type or word.begins):
            yield span
            span = []
        if word.type != 0:
            span.append(word)
    if span:
        yield span
