"""A sentence as the model reads it: word pieces, windows, label probabilities, and the words made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdemo.models.answering import WindowOutput
from mtdemo.results import ArrayRecord, FloatArray, SentenceAnalysis
from mtdemo.text.entity_spans import type_words
from mtdemo.text.masking import Word, list_words
from mtdemo.text.tokenization import EncodedSentence, join_windows

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """A word piece of a sentence.

    Attributes:
        piece: as it stands in the vocabulary.
        start, end: character offsets into the sentence, end exclusive.
        is_unknown: whether the vocabulary has nothing for it.
        is_read: whether embedding and class read it; they read the first window alone.
        window: number of the window that speaks for it, from 1: that in which it stands farthest from a seam.
        word: position of its word; None for white space.
    """

    piece: str
    start: int
    end: int
    is_unknown: bool
    is_read: bool
    window: int
    word: int | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "piece": self.piece,
            "start": self.start,
            "end": self.end,
            "is_unknown": self.is_unknown,
            "is_read": self.is_read,
            "window": self.window,
            "word": self.word,
        }


@dataclass(frozen=True, slots=True, eq=False)
class PieceView(ArrayRecord):
    """Word pieces of a sentence and what they became.

    Attributes:
        analysis: of the sentence.
        pieces: without the special ones.
        n_windows: overlapping stretches in which the sentence was read.
        labels: of the entity head.
        probabilities: float32 (pieces, labels), rows sum to 1.
        words: that the decoder made of the pieces.
        word_types: the type that it gave each word, `O` for none.
        word_probabilities: of that type, 0 to 1.
    """

    analysis: SentenceAnalysis
    pieces: tuple[ReadPiece, ...]
    n_windows: int
    labels: tuple[str, ...]
    probabilities: FloatArray
    words: tuple[Word, ...]
    word_types: tuple[str, ...]
    word_probabilities: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.analysis.length_as_dict(),
            "n_windows": self.n_windows,
            "pieces": [
                {**piece.as_dict(), "probabilities": dict(zip(self.labels, row.tolist(), strict=True))}
                for piece, row in zip(self.pieces, self.probabilities, strict=True)
            ],
            "words": [
                {**word.as_dict(), "label": label, "probability": probability}
                for word, label, probability in zip(self.words, self.word_types, self.word_probabilities, strict=True)
            ],
            "entities": [entity.as_dict() for entity in self.analysis.entities],
        }


def name_pieces(loaded: LoadedModel, sentence: EncodedSentence) -> list[tuple[str, bool]]:
    """Look up the pieces of a sentence in the vocabulary.

    Called on the thread that alone may use the tokenizer.

    Returns:
        Each piece as it stands there, and whether it is unknown.
    """
    ids = [0] * len(sentence.pieces)
    for window in sentence.windows:
        ids[window.first_piece : window.first_piece + window.n_pieces] = window.input_ids[window.content]
    names = list(loaded.tokenizer.convert_ids_to_tokens(ids))
    return [(name, number == loaded.tokenizer.unk_token_id) for name, number in zip(names, ids, strict=True)]


def view_pieces(
    loaded: LoadedModel,
    sentence: EncodedSentence,
    names: list[tuple[str, bool]],
    outputs: Mapping[int, WindowOutput],
) -> PieceView:
    """Put pieces, windows and probabilities side by side.

    Args:
        loaded: the model.
        sentence: tokenised.
        names: as `name_pieces` gives them.
        outputs: of its windows, by position.
    """
    from mtdemo.inference.pipeline import to_analyses

    (analysis,) = to_analyses(loaded, [sentence], outputs)
    scheme, windows = loaded.scheme, sentence.windows
    probabilities = join_windows(sentence, [outputs[n].entity_probabilities for n in range(len(windows))])
    numbers = [np.full((window.n_pieces, 1), number, dtype=np.float32) for number, window in enumerate(windows, start=1)]
    speaks = join_windows(sentence, numbers)[:, 0].astype(int)
    words = list_words(sentence)
    word_of = {piece: place for place, word in enumerate(words) for piece in word.pieces}
    typed = list(type_words(sentence.text, sentence.pieces, probabilities, scheme))
    n_read = windows[0].n_pieces
    pieces = tuple(
        ReadPiece(name, piece.start, piece.end, is_unknown, place < n_read, int(speaks[place]), word_of.get(place))
        for place, (piece, (name, is_unknown)) in enumerate(zip(sentence.pieces, names, strict=True))
    )
    return PieceView(
        analysis=analysis,
        pieces=pieces,
        n_windows=len(windows),
        labels=scheme.labels,
        probabilities=probabilities,
        words=words,
        word_types=tuple(scheme.types[word.type] for word in typed),
        word_probabilities=tuple(word.probability for word in typed),
    )
