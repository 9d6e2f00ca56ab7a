"""From text to the windows that the model reads, and from windows back to one sequence per sentence.

A sentence longer than the limit is read through overlapping windows. The first window is exactly the truncated
sentence, so embedding and class come from it; entities come from all windows together. Word piece by word piece, the
window in which a piece stands farthest from an edge speaks for it: so no entity is doubled, and none is cut at a seam.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LOWER, TITLE, UPPER, MIXED = range(4)


@dataclass(frozen=True, slots=True)
class Piece:
    """A word piece: where it stands in the text and which word it belongs to."""

    start: int
    end: int
    word: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a sentence that fits the model.

    Attributes:
        input_ids: word piece ids, special ones included.
        token_type_ids: segment ids, same length.
        content: the positions in `input_ids` that are not special.
        first_piece: index in the sentence of the first content piece.
    """

    input_ids: tuple[int, ...]
    token_type_ids: tuple[int, ...]
    content: slice
    first_piece: int

    @property
    def n_pieces(self) -> int:
        return int(self.content.stop - self.content.start)


@dataclass(frozen=True, slots=True)
class EncodedSentence:
    """A tokenised sentence: all its pieces, and the windows that cover them."""

    text: str
    pieces: tuple[Piece, ...]
    windows: tuple[Window, ...]
    n_special: int

    @property
    def n_tokens(self) -> int:
        """Word pieces of the whole sentence, special ones included."""
        return len(self.pieces) + self.n_special

    @property
    def n_truncated(self) -> int:
        """Word pieces that do not fit the first window."""
        return len(self.pieces) - self.windows[0].n_pieces


def word_case(word: str) -> int:
    """The shape of a word: `LOWER` without capitals, `TITLE` with the first letter capital, `UPPER`, `MIXED` for the rest.

    An uncased vocabulary throws this away; a checkpoint with `casing` gets it back through its segment embeddings. A
    single capital letter counts as `TITLE`.
    """
    if word == word.lower():
        return LOWER
    if word == word.upper() and sum(map(str.isalpha, word)) > 1:
        return UPPER
    return TITLE if word[0].isupper() and word[1:] == word[1:].lower() else MIXED


def replace_unreadable(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry, one for one, so that every offset stays valid."""
    return "".join(REPLACEMENT if unicodedata.category(c) == "Cs" else c for c in text)


def encode_sentences(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, casing: bool = False
) -> tuple[EncodedSentence, ...]:
    """Tokenise sentences into windows of at most `max_length` word pieces that overlap by a quarter.

    Args:
        tokenizer: a fast tokenizer. It is not safe to share between threads while this runs.
        texts: the sentences.
        max_length: special word pieces included.
        casing: whether the segment ids carry the case of the word that each piece belongs to.

    Returns:
        One `EncodedSentence` per text. A text without any readable character has no pieces and one window of special
        word pieces.
    """
    if not texts:
        return ()
    overlap = (max_length - tokenizer.num_special_tokens_to_add()) // 4
    batch = tokenizer(
        [replace_unreadable(text) for text in texts],
        truncation=True,
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
        verbose=False,
    )
    grouped: list[list[Any]] = [[] for _ in texts]
    for encoding, sentence in zip(batch.encodings, batch["overflow_to_sample_mapping"], strict=True):
        grouped[sentence].append(encoding)
    sentences = (_encoded_sentence(text, encodings, overlap) for text, encodings in zip(texts, grouped, strict=True))
    return tuple(map(_with_casing, sentences) if casing else sentences)


def _encoded_sentence(text: str, encodings: Sequence[Any], overlap: int) -> EncodedSentence:
    pieces: list[Piece] = []
    windows: list[Window] = []
    n_special = 0
    for encoding in encodings:
        special = encoding.special_tokens_mask
        n_special = sum(special)
        before = next((i for i, is_special in enumerate(special) if not is_special), 1)
        content = slice(before, before + len(special) - n_special)
        first_piece = max(0, len(pieces) - overlap) if windows else 0
        windows.append(Window(tuple(encoding.ids), tuple(encoding.type_ids), content, first_piece))
        words, offsets = encoding.word_ids, encoding.offsets
        pieces += [
            Piece(offsets[position][0], offsets[position][1], words[position])
            for position in range(content.start + len(pieces) - first_piece, content.stop)
        ]
    return EncodedSentence(text, tuple(pieces), tuple(windows), n_special)


def _with_casing(sentence: EncodedSentence) -> EncodedSentence:
    cases: list[int] = []
    for _, group in groupby(sentence.pieces, key=lambda piece: piece.word):
        pieces = list(group)
        cases += [word_case(sentence.text[pieces[0].start : pieces[-1].end].strip())] * len(pieces)

    def cased(window: Window) -> Window:
        types = [LOWER] * len(window.input_ids)
        types[window.content] = cases[window.first_piece : window.first_piece + window.n_pieces]
        return replace(window, token_type_ids=tuple(types))

    return replace(sentence, windows=tuple(map(cased, sentence.windows)))


def join_windows(sentence: EncodedSentence, values: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Join what each window says of its pieces into one row per piece of the sentence.

    Args:
        sentence: the sentence with its windows.
        values: per window, float32 (pieces of the window, labels).

    Returns:
        float32 (pieces of the sentence, labels), each row from the window where the piece is farthest from an edge.
    """
    joined = np.empty((len(sentence.pieces), values[0].shape[1]), dtype=np.float32)
    distance = np.full(len(sentence.pieces), -1)
    last = len(sentence.windows) - 1
    for number, (window, rows) in enumerate(zip(sentence.windows, values, strict=True)):
        n_pieces = window.n_pieces
        from_left = np.arange(n_pieces) if number > 0 else np.full(n_pieces, n_pieces)
        from_right = np.arange(n_pieces)[::-1] if number < last else np.full(n_pieces, n_pieces)
        here = np.minimum(from_left, from_right)
        span = slice(window.first_piece, window.first_piece + n_pieces)
        better = here > distance[span]
        joined[span][better] = rows[better]
        distance[span][better] = here[better]
    return joined
