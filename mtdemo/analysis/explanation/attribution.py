"""Attribution of a class or an entity to words by gradients, with completeness and the deletion check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtdemo.analysis.explanation.deletion import DeletionCheck
from mtdemo.analysis.explanation.occlusion import check_effects
from mtdemo.analysis.explanation.reading import Readings
from mtdemo.analysis.explanation.targets import CLASS, Target
from mtdemo.results import ArrayRecord, FloatArray, SentenceAnalysis
from mtdemo.text.masking import Word
from mtdemo.text.tokenization import EncodedSentence

if TYPE_CHECKING:
    from mtdemo.inference.gradients import Integrated
    from mtdemo.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True, eq=False)
class Attribution(ArrayRecord):
    """Parts of words in the log odds of an answer.

    Attributes:
        analysis: of the sentence.
        words: of it.
        target: the answer.
        by_word: float32 (words,), in log odds; 0 for a word outside of the window that was read for the answer.
        log_odds: of the answer; their sigmoid is its probability.
        baseline_log_odds: the same, where every word piece is `[PAD]`.
        total: the sum over all word pieces.
        gap: the part of the difference that the sum misses.
        n_steps: of the path.
        is_complete: whether the gap is small enough.
        n_outside: words outside of the window.
        check: whether the words with the largest part matter most; None for a single word.
    """

    analysis: SentenceAnalysis
    words: tuple[Word, ...]
    target: Target
    by_word: FloatArray
    log_odds: float
    baseline_log_odds: float
    total: float
    gap: float
    n_steps: int
    is_complete: bool
    n_outside: int
    check: DeletionCheck | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.analysis.text,
            "answer": {**self.target.as_dict(), "check": self.check.as_dict() if self.check else None},
            "words": [
                {**word.as_dict(), "attribution": value}
                for word, value in zip(self.words, self.by_word.tolist(), strict=True)
            ],
            "log_odds": self.log_odds,
            "baseline_log_odds": self.baseline_log_odds,
            "total": self.total,
            "gap": self.gap,
            "n_steps": self.n_steps,
            "is_complete": self.is_complete,
            "n_outside": self.n_outside,
        }


def attribute(
    loaded: LoadedModel, sentence: EncodedSentence, words: Sequence[Word], target: Target, readings: Readings
) -> Attribution:
    """Attribute an answer to words by integrated gradients.

    A class is attributed within the first window, which it is made of; an entity within the window where it stands farthest
    from a seam.

    Args:
        loaded: the model.
        sentence: tokenised.
        words: of it.
        target: a class or an entity.
        readings: of the sentence; what the check lacks is read.
    """
    from mtdemo.inference.gradients import class_log_odds, entity_log_odds, integrate

    pieces = [piece for word in target.words for piece in words[word].pieces]
    window = sentence.windows[0] if target.kind == CLASS else sentence.windows[_window_of(sentence, pieces)]
    if target.kind == CLASS:
        score = class_log_odds(loaded, target.label)
    else:
        places = [window.content.start + piece - window.first_piece for piece in pieces]
        inside = [place for place in places if window.content.start <= place < window.content.stop]
        score = entity_log_odds(loaded, target.label, inside)
    found = integrate(loaded, window, score)
    by_piece = np.zeros(len(sentence.pieces), dtype=np.float32)
    by_piece[window.first_piece : window.first_piece + window.n_pieces] = found.by_piece
    return _to_attribution(
        found, words, target, by_piece, readings, range(window.first_piece, window.first_piece + window.n_pieces)
    )


def _to_attribution(
    found: Integrated, words: Sequence[Word], target: Target, by_piece: FloatArray, readings: Readings, inside: range
) -> Attribution:
    by_word = np.array([by_piece[list(word.pieces)].sum() for word in words], dtype=np.float32)
    (check,) = check_effects(readings, [target], by_word[None])
    return Attribution(
        analysis=readings.whole.analysis,
        words=tuple(words),
        target=target,
        by_word=by_word,
        log_odds=found.log_odds,
        baseline_log_odds=found.baseline_log_odds,
        total=found.total,
        gap=found.gap,
        n_steps=found.n_steps,
        is_complete=found.is_complete,
        n_outside=sum(not any(piece in inside for piece in word.pieces) for word in words),
        check=check,
    )


def _window_of(sentence: EncodedSentence, pieces: Sequence[int]) -> int:
    """Find the window where pieces stand farthest from a seam."""
    last = len(sentence.windows) - 1

    def distance(number: int) -> int:
        window = sentence.windows[number]
        before = min(pieces) - window.first_piece if number else len(sentence.pieces)
        after = window.first_piece + window.n_pieces - 1 - max(pieces) if number < last else len(sentence.pieces)
        return min(before, after)

    return max(range(len(sentence.windows)), key=distance)
