"""Two models on the same sentences: how far apart their answers are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtdemo.config import MAX_LENGTH
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel


@dataclass(frozen=True, slots=True)
class Difference:
    """Largest differences of two models on the same sentences.

    Attributes:
        embedding: length of the difference of the embeddings, relative to the length of the first.
        probability: difference of the probability of a class, 0 to 1.
        n_entities: sentences in which other entities are found.
        n_sentences: compared.
    """

    embedding: float
    probability: float
    n_entities: int
    n_sentences: int

    @property
    def phrase(self) -> str:
        return (
            f"on {self.n_sentences} sentences embeddings differ by at most {self.embedding:.1e} of their length, class "
            f"probabilities by {self.probability:.1e}; entities are other ones in {self.n_entities} sentences"
        )


def compare(one: LoadedModel, other: LoadedModel, texts: Sequence[str], max_length: int = MAX_LENGTH) -> Difference:
    """Compare two models on the same sentences.

    Such as a trained one and its checkpoint, which is rounded to float16.

    Args:
        one: a model.
        other: another with the same classes.
        texts: sentences, at least one.
        max_length: word pieces read of a sentence, if both can read so many.
    """
    max_length = min(max_length, one.info.max_length, other.info.max_length)
    pairs = list(zip(*(analyze_batches(model, texts, max_length) for model in (one, other)), strict=True))
    return Difference(
        max(float(np.linalg.norm(a.embedding - b.embedding)) / a.norm for a, b in pairs),
        max(abs(a.probabilities[name] - b.probabilities[name]) for a, b in pairs for name in a.probabilities),
        sum(a.entity_spans != b.entity_spans for a, b in pairs),
        len(pairs),
    )
