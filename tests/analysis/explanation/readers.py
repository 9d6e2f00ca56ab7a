"""Readers for tests: one whose answers are sums over words, and one that reads plainly, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mtdemo.analysis.explanation.reading import Hidden, MaskedBatch, Reading
from mtdemo.inference.pipeline import windows_of
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import Entity, SentenceAnalysis
from mtdemo.text.masking import Word, list_words


class SumReader:
    """The probability of `yes` is the sum of the weights of the words that are seen; so is that of the one name."""

    types = ("O", "PER")

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = list(weights)
        self.text = " ".join(f"w{place}" for place in range(len(weights)))
        starts = np.cumsum([0, *(len(word) + 1 for word in self.text.split(" "))])
        self.words = tuple(
            Word(text, int(start), int(start) + len(text), (place,))
            for place, (text, start) in enumerate(zip(self.text.split(" "), starts, strict=False))
        )
        self.batches: list[int] = []

    def read(self, hidden: Sequence[Hidden]) -> list[Reading]:
        self.batches.append(len(hidden))
        return [self._one(its) for its in hidden]

    def _one(self, hidden: Hidden) -> Reading:
        seen = [weight * (place not in hidden) for place, weight in enumerate(self.weights)]
        yes = sum(seen)
        found = (Entity("w0", "PER", yes, 0, 2),) if 0 not in hidden else ()
        embedding = np.array([1.0, *seen, *([0.0] * (12 - len(seen)))], dtype=np.float32)
        analysis = SentenceAnalysis(self.text, 9, 0, 0, embedding, {"no": 1 - yes, "yes": yes}, found)
        by_word = np.array([[1 - yes, yes]] * len(self.words), dtype=np.float32)
        return Reading(analysis, by_word)


class PlainReader:
    """Each variant by itself, without packing, queue or cache."""

    def __init__(self, loaded: LoadedModel, text: str, max_length: int) -> None:
        self._loaded = loaded
        (self._sentence,) = loaded.encode([text], max_length)
        self.words = list_words(self._sentence)
        self.types = loaded.scheme.types

    def read(self, hidden: Sequence[Hidden]) -> list[Reading]:
        mask_id: Any = self._loaded.tokenizer.mask_token_id
        readings = []
        for its in hidden:
            batch = MaskedBatch.plan(self._sentence, [its], mask_id)
            outputs = [self._loaded.run([window])[0] for window in windows_of(batch.variants)]
            readings += batch.to_readings(self._loaded, dict(enumerate(outputs)))
        return readings
