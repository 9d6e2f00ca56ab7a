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
    """A word piece with its place and its word."""

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
        n_unpooled: pieces at the beginning, those of a prompt, that do not count in the embedding.
    """

    input_ids: tuple[int, ...]
    token_type_ids: tuple[int, ...]
    content: slice
    first_piece: int
    n_unpooled: int = 0

    @property
    def n_pieces(self) -> int:
        return int(self.content.stop - self.content.start)


@dataclass(frozen=True, slots=True)
class EncodedSentence:
    """A tokenised sentence: its pieces and the windows over them."""

    text: str
    pieces: tuple[Piece, ...]
    windows: tuple[Window, ...]
    n_special: int
    n_unknown: int  # pieces of which the vocabulary knows nothing, so that they all read alike

    @property
    def n_tokens(self) -> int:
        """All word pieces, special and prompt ones included."""
        return len(self.pieces) + self.n_special

    @property
    def n_truncated(self) -> int:
        """Word pieces that do not fit the first window."""
        return len(self.pieces) - self.windows[0].n_pieces


def word_case(word: str) -> int:
    """Classify the case of a word.

    `rain -> LOWER`, `Rain -> TITLE`, `RAIN -> UPPER`, `McRain -> MIXED`; a single capital letter is `TITLE`. An uncased
    vocabulary throws this away; a checkpoint with `casing` gets it back through its segment embeddings.
    """
    if word == word.lower():
        return LOWER
    if word == word.upper() and sum(map(str.isalpha, word)) > 1:
        return UPPER
    return TITLE if word[0].isupper() and word[1:] == word[1:].lower() else MIXED


def replace_unreadable(text: str) -> str:
    """Replace lone surrogates, which no encoding can carry.

    Each becomes one character, so that every offset stays valid.
    """
    try:
        text.encode()  # as nearly all can, and much faster than looking at every character
    except UnicodeEncodeError:
        return "".join(REPLACEMENT if unicodedata.category(c) == "Cs" else c for c in text)
    return text


def encode_sentences(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_length: int,
    casing: bool = False,
    prompt: str = "",
    pools_prompt: bool = True,
) -> tuple[EncodedSentence, ...]:
    """Tokenise sentences into overlapping windows.

    A window has at most `max_length` word pieces and shares a quarter of them with the one before.

    Args:
        tokenizer: a fast tokenizer. It is not safe to share between threads while this runs.
        texts: the sentences.
        max_length: special word pieces included.
        casing: whether the segment ids carry the case of the word that each piece belongs to.
        prompt: what is read before every sentence. Its pieces count in the length, and offsets are those of the sentence.
        pools_prompt: whether the pieces of the prompt count in the embedding.

    Returns:
        One `EncodedSentence` per text. A text without any readable character has no pieces and one window of special
        word pieces.
    """
    if not texts:
        return ()
    overlap = (max_length - tokenizer.num_special_tokens_to_add()) // 4  # pieces
    batch = tokenizer(
        [prompt + replace_unreadable(text) for text in texts],
        truncation=True,
        max_length=max_length,
        stride=overlap,
        return_overflowing_tokens=True,
        verbose=False,
    )
    grouped: list[list[Any]] = [[] for _ in texts]
    for encoding, sentence in zip(batch.encodings, batch["overflow_to_sample_mapping"], strict=True):
        grouped[sentence].append(encoding)
    unknown_id = tokenizer.unk_token_id
    sentences = (_encoded_sentence(text, found, overlap, unknown_id) for text, found in zip(texts, grouped, strict=True))
    if prompt:
        ids: list[int] = tokenizer(prompt)["input_ids"]
        n_before = 0 if pools_prompt else len(ids) - (ids[-1] in tokenizer.all_special_ids)
        n_unknown = ids.count(-1 if unknown_id is None else unknown_id)
        sentences = (_without_prompt(sentence, len(prompt), n_unknown, n_before) for sentence in sentences)
    return tuple(map(_with_casing, sentences) if casing else sentences)


def _without_prompt(sentence: EncodedSentence, n_characters: int, n_unknown: int, n_unpooled: int) -> EncodedSentence:
    """Take a prompt's pieces from a sentence; windows keep theirs.

    `query: rain` in the pieces `query`, `:` and `rain`, with 7 characters of prompt, has one piece, from 0 to 4, and the
    content of the window `[CLS] query : rain [SEP]` is the position 3.

    Args:
        sentence: read with the prompt.
        n_characters: of the prompt.
        n_unknown: pieces of the prompt that are not in the vocabulary.
        n_unpooled: see `Window`.
    """
    n_prompt = sum(piece.end <= n_characters for piece in sentence.pieces)

    def shortened(window: Window) -> Window:
        n_gone = min(max(0, n_prompt - window.first_piece), window.n_pieces)
        content = slice(window.content.start + n_gone, window.content.stop)
        return replace(window, content=content, first_piece=max(0, window.first_piece - n_prompt), n_unpooled=n_unpooled)

    pieces = tuple(
        Piece(max(0, piece.start - n_characters), piece.end - n_characters, piece.word)
        for piece in sentence.pieces[n_prompt:]
    )
    return replace(
        sentence,
        pieces=pieces,
        windows=tuple(map(shortened, sentence.windows)),
        n_special=sentence.n_special + n_prompt,
        n_unknown=sentence.n_unknown - n_unknown,
    )


def _encoded_sentence(text: str, encodings: Sequence[Any], overlap: int, unknown_id: int | None) -> EncodedSentence:
    """Put the overlapping encodings of a text together.

    Seven pieces a-g in windows of 4 that share 2 (and `[CLS]`, `[SEP]` around each) come as `abcd`, `cdef`, `efg`: the
    windows begin at the pieces 0, 2 and 4, and the new pieces are `abcd`, `ef` and `g`.
    """
    pieces: list[Piece] = []
    windows: list[Window] = []
    n_special = n_unknown = 0
    for encoding in encodings:
        # The special pieces stand at both ends, so the content is one stretch; in a text without any it is empty.
        special = encoding.special_tokens_mask
        n_special = sum(special)
        before = next((i for i, is_special in enumerate(special) if not is_special), 1)
        content = slice(before, before + len(special) - n_special)
        # All windows but the first begin with pieces that are known already.
        first_piece = max(0, len(pieces) - overlap) if windows else 0
        windows.append(Window(tuple(encoding.ids), tuple(encoding.type_ids), content, first_piece))
        words, offsets = encoding.word_ids, encoding.offsets
        new = range(content.start + len(pieces) - first_piece, content.stop)
        pieces += [Piece(offsets[position][0], offsets[position][1], words[position]) for position in new]
        n_unknown += sum(encoding.ids[position] == unknown_id for position in new)
    return EncodedSentence(text, tuple(pieces), tuple(windows), n_special, n_unknown)


def _with_casing(sentence: EncodedSentence) -> EncodedSentence:
    """Write the case of words into the segment ids.

    `New york` as `[CLS] new yo ##rk [SEP]` gives `[0, 1, 0, 0, 0]`: `TITLE` for `new`, `LOWER` for the rest.
    """
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
    """Join windows into one row per word piece.

    Args:
        sentence: the sentence with its windows.
        values: per window, float32 (pieces of the window, labels).

    Returns:
        float32 (pieces of the sentence, labels), each row from the window where the piece is farthest from an edge.

    A sentence of 8 pieces in two windows of 6 that share 4. The ends of the sentence are no edges, so the distances of the
    first window count to its right end, and those of the second to its left:

        piece             0 1 2 3 4 5 6 7
        first window      5 4 3 2 1 0
        second window         0 1 2 3 4 5
        row taken from    1 1 1 1 2 2 2 2

    Pieces 3 and 4 meet at the seam, and each was read with two pieces of context beyond it, so a name across both is
    found whole.
    """
    joined = np.empty((len(sentence.pieces), values[0].shape[1]), dtype=np.float32)
    distance = np.full(len(sentence.pieces), -1)
    last = len(sentence.windows) - 1
    for number, (window, rows) in enumerate(zip(sentence.windows, values, strict=True)):
        # How far each piece of this window is from a seam; at the ends of the sentence there is none.
        n_pieces = window.n_pieces
        from_left = np.arange(n_pieces) if number > 0 else np.full(n_pieces, n_pieces)
        from_right = np.arange(n_pieces)[::-1] if number < last else np.full(n_pieces, n_pieces)
        here = np.minimum(from_left, from_right)
        # Take the rows over where this window reads a piece with more around it than those before did.
        span = slice(window.first_piece, window.first_piece + n_pieces)
        better = here > distance[span]
        joined[span][better] = rows[better]
        distance[span][better] = here[better]
    return joined
