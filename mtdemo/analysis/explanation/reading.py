"""A sentence read again and again with words hidden, in batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mtdemo.models.answering import AnsweringModel, WindowOutput
from mtdemo.results import ArrayRecord, FloatArray, SentenceAnalysis
from mtdemo.text.masking import Word, hide_words, list_words
from mtdemo.text.tokenization import EncodedSentence, Window, join_windows

Hidden = frozenset[int]  # positions of the words that are hidden
NOTHING: Hidden = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Reading(ArrayRecord):
    """A sentence as it was read with some words hidden.

    Attributes:
        analysis: all answers.
        by_word: float32 (words, types), the probability of each entity type, `O` first, as the decoder averages them over
            word pieces. A word that was removed rather than masked has zeros.
    """

    analysis: SentenceAnalysis
    by_word: FloatArray


class Reader(Protocol):
    """A sentence and a model that reads it in batches."""

    @property
    def words(self) -> tuple[Word, ...]:
        """The words that can be hidden."""

    @property
    def types(self) -> tuple[str, ...]:
        """The entity types, `O` first."""

    def read(self, hidden: Sequence[Hidden]) -> list[Reading]:
        """Read the sentence once for each set of hidden words."""


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """A sentence with words hidden in several ways.

    Attributes:
        sentence: the whole.
        words: of it.
        hidden: the words hidden in each variant.
        variants: the sentence in each of them.
    """

    sentence: EncodedSentence
    words: tuple[Word, ...]
    hidden: tuple[Hidden, ...]
    variants: tuple[EncodedSentence, ...]

    @classmethod
    def plan(cls, sentence: EncodedSentence, hidden: Sequence[Hidden], mask_id: int | None) -> MaskedBatch:
        """Hide words in several ways.

        `mask_id` is None where there is no mask token.
        """
        words = list_words(sentence)
        variants = tuple(hide_words(sentence, words, its, mask_id) for its in hidden)
        return cls(sentence, words, tuple(hidden), variants)

    @property
    def windows(self) -> list[Window]:
        """All that has to be run, in order."""
        return [window for variant in self.variants for window in variant.windows]

    def to_readings(self, loaded: AnsweringModel, outputs: Mapping[int, WindowOutput]) -> list[Reading]:
        """Make a reading of each variant.

        Args:
            loaded: the model that was run.
            outputs: by position in `windows`, all of them.
        """
        from mtdemo.inference.pipeline import to_analyses

        analyses = to_analyses(loaded, self.variants, outputs)
        in_order = iter([outputs[index] for index in range(len(outputs))])
        readings = []
        for variant, hidden, analysis in zip(self.variants, self.hidden, analyses, strict=True):
            joined = join_windows(variant, [next(in_order).entity_probabilities for _ in variant.windows])
            by_piece = self._spread(joined @ loaded.scheme.membership, hidden)
            by_word = [by_piece[list(word.pieces)].mean(axis=0) for word in self.words]
            n_types = len(loaded.scheme.types)
            readings.append(Reading(analysis, np.array(by_word, dtype=np.float32).reshape(len(by_word), n_types)))
        return readings

    def _spread(self, rows: FloatArray, hidden: Collection[int]) -> FloatArray:
        """Give pieces that were removed rows of zeros."""
        n_pieces = len(self.sentence.pieces)
        if len(rows) == n_pieces:
            return rows
        removed = {piece for number in hidden for piece in self.words[number].pieces}
        by_piece = np.zeros((n_pieces, rows.shape[1]), dtype=np.float32)
        by_piece[[piece for piece in range(n_pieces) if piece not in removed]] = rows
        return by_piece


class Readings:
    """All readings of a sentence so far, each made once.

    Args:
        reader: reads what is missing.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[Hidden, Reading] = {}

    def __getitem__(self, hidden: Hidden) -> Reading:
        return self._known[hidden]

    @property
    def whole(self) -> Reading:
        """The sentence with nothing hidden."""
        return self._known[NOTHING]

    def read(self, hidden: Iterable[Hidden]) -> None:
        """Read what is not known yet, in one batch."""
        missing = [its for its in dict.fromkeys(hidden) if its not in self._known]
        if missing:
            self._known |= dict(zip(missing, self._reader.read(missing), strict=True))

    def __len__(self) -> int:
        return len(self._known)
