"""Words of a sentence as a model reads them, and the sentence with some of them hidden."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from mtdemo.text.entity_spans import group_pieces
from mtdemo.text.tokenization import LOWER, EncodedSentence, Window
from mtdemo.text.words import is_unspaced, word_spans


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its place and its word pieces.

    Attributes:
        text: exactly `sentence[start:end]`.
        start, end: character offsets, end exclusive.
        pieces: indices into the pieces of the sentence, in order.
    """

    text: str
    start: int
    end: int
    pieces: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        return {"text": self.text, "start": self.start, "end": self.end}


def list_words(sentence: EncodedSentence) -> tuple[Word, ...]:
    """List the words that a model read, punctuation included.

    They are those of `mtdemo.text.entity_spans`: runs of letters and digits, every other sign, and in a script without
    spaces each word piece.
    """
    words = []
    for indices in group_pieces(sentence.text, sentence.pieces):
        start, end = sentence.pieces[indices[0]].start, sentence.pieces[indices[-1]].end
        around = sentence.text[start:end]
        start += len(around) - len(around.lstrip())  # some tokenizers count a space to the word after it
        words.append(Word(around.strip(), start, start + len(around.strip()), tuple(indices)))
    return tuple(words)


def cut_words(text: str, n_words: int, n_characters: int) -> tuple[str, int]:
    """Cut a text off after so many words and characters.

    `(One two three., 2, 99) -> One two`, and 2 words left out, the full stop being one. Each character of a script
    without spaces counts as a word.

    Returns:
        The beginning of the text, and how many words of it are left out.
    """
    ends: list[int] = []
    for start, end in word_spans(text):
        ends += range(start + 1, end + 1) if any(map(is_unspaced, text[start:end])) else [end]
    n_read = min(n_words, bisect_right(ends, n_characters))
    if n_read == len(ends):
        return text, 0
    return text[: ends[n_read - 1] if n_read else n_characters], len(ends) - n_read


def hide_words(
    sentence: EncodedSentence, words: Sequence[Word], hidden: Iterable[int], mask_id: int | None
) -> EncodedSentence:
    """Hide words from the model; offsets stay.

    `John sat` as `[CLS] john sat [SEP]` without its first word is `[CLS] [MASK] sat [SEP]`, or `[CLS] sat [SEP]` where
    there is no mask token. A hidden word's case, where segment ids carry it, is hidden too.

    Args:
        sentence: the whole.
        words: of it, as `list_words` gives them.
        hidden: positions among these words.
        mask_id: what stands in place of each word piece; None to remove them.
    """
    pieces = {piece for number in hidden for piece in words[number].pieces}
    if not pieces:
        return sentence
    return _removed(sentence, pieces) if mask_id is None else _masked(sentence, pieces, mask_id)


def _masked(sentence: EncodedSentence, hidden: Set[int], mask_id: int) -> EncodedSentence:
    def masked(window: Window) -> Window:
        ids, types = list(window.input_ids), list(window.token_type_ids)
        for piece in hidden:
            place = window.content.start + piece - window.first_piece
            if window.content.start <= place < window.content.stop:
                ids[place], types[place] = mask_id, LOWER
        return replace(window, input_ids=tuple(ids), token_type_ids=tuple(types))

    return replace(sentence, windows=tuple(map(masked, sentence.windows)))


def _removed(sentence: EncodedSentence, hidden: Set[int]) -> EncodedSentence:
    n_kept_before = list(accumulate((index not in hidden for index in range(len(sentence.pieces))), initial=0))

    def removed(window: Window) -> Window:
        start, stop = window.content.start, window.content.stop
        stays = [
            not start <= place < stop or window.first_piece + place - start not in hidden
            for place in range(len(window.input_ids))
        ]
        return replace(
            window,
            input_ids=tuple(value for value, kept in zip(window.input_ids, stays, strict=True) if kept),
            token_type_ids=tuple(value for value, kept in zip(window.token_type_ids, stays, strict=True) if kept),
            content=slice(start, start + sum(stays[window.content])),
            first_piece=n_kept_before[window.first_piece],
        )

    kept = tuple(piece for index, piece in enumerate(sentence.pieces) if index not in hidden)
    return replace(sentence, pieces=kept, windows=tuple(map(removed, sentence.windows)))
