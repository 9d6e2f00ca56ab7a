"""What a less precise backbone costs: embeddings, probabilities, classes and entities beside those of float32.

    python -m benchmarks.precision --ner dev.jsonl --classification dev.jsonl [--rows 300] [--checkpoint DIRECTORY]

Sentences are the first of a draw of each file that does not change (seed 13). A line for each precision tells the lowest
and the mean cosine between both embeddings of a sentence, the largest and the mean change of a probability of a class, and
in how many sentences the class or the entities are others. Computed where `MTDEMO_DEVICE` says.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtdemo.config import DTYPES, EMBEDDED_CHECKPOINT, MAX_LENGTH
from mtdemo.data.readers import read_labelled, read_tagged
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.inference.placement import place
from mtdemo.models.checkpoints import load_directory
from mtdemo.results import SentenceAnalysis

SEED = 13


@dataclass(frozen=True, slots=True)
class Row:
    """A precision beside float32, over all sentences."""

    dtype: str
    seconds: float
    lowest_cosine: float
    mean_cosine: float
    largest_change: float
    mean_change: float
    n_classes: int
    n_entities: int
    n_sentences: int

    def __str__(self) -> str:
        share = [f"{n} ({n / self.n_sentences:.1%})" for n in (self.n_classes, self.n_entities)]
        return (
            f"{self.dtype:<10} {self.lowest_cosine:>10.6f} {self.mean_cosine:>10.6f} {self.largest_change:>10.4f} "
            f"{self.mean_change:>10.5f} {share[0]:>12} {share[1]:>12} {self.seconds:>7.1f}"
        )


def draw(texts: Sequence[str], n: int) -> list[str]:
    """Draw sentences, the same ones every time."""
    return random.Random(SEED).sample(list(texts), min(n, len(texts)))  # noqa: S311


def compare(dtype: str, seconds: float, exact: Sequence[SentenceAnalysis], rough: Sequence[SentenceAnalysis]) -> Row:
    """Sum up what changed."""
    pairs = list(zip(exact, rough, strict=True))
    cosines = np.array([float(one.embedding @ other.embedding / (one.norm * other.norm)) for one, other in pairs])
    changes = np.array([[abs(one.probabilities[name] - other.probabilities[name]) for name in one.probabilities]
                        for one, other in pairs])  # fmt: skip
    return Row(
        dtype, seconds, float(cosines.min()), float(cosines.mean()), float(changes.max()), float(changes.mean()),
        sum(one.label != other.label for one, other in pairs),
        sum(one.entity_spans != other.entity_spans for one, other in pairs), len(pairs),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ner", type=Path, required=True, help="sentences with entities, as `evaluate` reads them")
    parser.add_argument("--classification", type=Path, required=True, help="sentences with classes")
    parser.add_argument("--rows", type=int, default=300, help="sentences of each file (default: 300)")
    parser.add_argument("--checkpoint", type=Path, default=EMBEDDED_CHECKPOINT)
    options = parser.parse_args()
    texts = draw([row.text for row in read_tagged(options.ner)], options.rows)
    texts += draw([row.text for row in read_labelled(options.classification)], options.rows)
    print(f"{len(texts)} sentences, embedding of {options.checkpoint.name}")
    print(f"{'':<10} {'cosine':>10} {'':>10} {'probability':>10} {'':>9} {'other':>12} {'other':>12}")
    print(f"{'':<10} {'lowest':>10} {'mean':>10} {'largest':>10} {'mean':>10} {'class':>12} {'entities':>12} {'s':>7}")
    answers: dict[str, list[SentenceAnalysis]] = {}
    for dtype in DTYPES:
        loaded = place(load_directory(options.checkpoint), os.environ.get("MTDEMO_DEVICE", "auto"), dtype)
        start = time.perf_counter()
        answers[dtype] = analyze_batches(loaded, texts, MAX_LENGTH)
        print(compare(dtype, time.perf_counter() - start, answers[DTYPES[0]], answers[dtype]), flush=True)


if __name__ == "__main__":
    main()
