"""What a less precise backbone costs: embeddings, probabilities, classes and entities beside those of float32.

    python -m benchmarks.precision --ner dev.jsonl --classification dev.jsonl [--rows 300] [--checkpoint DIRECTORY]

Sentences are the first of a draw of each file that does not change (seed 13). A line for each precision tells the lowest
and the mean cosine between both embeddings of a sentence, the largest and the mean change of a probability of a class, in
how many sentences the class or the entities are others, and how right both are (F1; of classes macro-F1). Computed where
`MTDEMO_DEVICE` says; int8 on the CPU alone.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtdemo.config import DTYPES, EMBEDDED_CHECKPOINT, MAX_LENGTH
from mtdemo.data.readers import read_labelled, read_tagged
from mtdemo.evaluation.task_tests import TASK_TESTS, AnsweredRows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.inference.placement import choose_device, place
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
    entity_f1: float
    class_f1: float

    def __str__(self) -> str:
        share = [f"{n} ({n / self.n_sentences:.1%})" for n in (self.n_classes, self.n_entities)]
        return (
            f"{self.dtype:<10} {self.lowest_cosine:>10.6f} {self.mean_cosine:>10.6f} {self.largest_change:>10.4f} "
            f"{self.mean_change:>10.5f} {share[0]:>12} {share[1]:>12} "
            f"{self.entity_f1:>8.4f} {self.class_f1:>8.4f} {self.seconds:>7.1f}"
        )


def draw(rows: Sequence[Any], n: int) -> list[Any]:
    """Draw rows, the same ones every time."""
    return random.Random(SEED).sample(list(rows), min(n, len(rows)))  # noqa: S311


def compare(
    dtype: str,
    seconds: float,
    exact: Sequence[SentenceAnalysis],
    rough: Sequence[SentenceAnalysis],
    scores: Sequence[float],
) -> Row:
    """Sum up what changed."""
    pairs = list(zip(exact, rough, strict=True))
    cosines = np.array([float(one.embedding @ other.embedding / (one.norm * other.norm)) for one, other in pairs])
    changes = np.array([[abs(one.probabilities[name] - other.probabilities[name]) for name in one.probabilities]
                        for one, other in pairs])  # fmt: skip
    return Row(
        dtype, seconds, float(cosines.min()), float(cosines.mean()), float(changes.max()), float(changes.mean()),
        sum(one.label != other.label for one, other in pairs),
        sum(one.entity_spans != other.entity_spans for one, other in pairs), len(pairs), *scores,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ner", type=Path, required=True, help="sentences with entities, as `evaluate` reads them")
    parser.add_argument("--classification", type=Path, required=True, help="sentences with classes")
    parser.add_argument("--rows", type=int, default=300, help="sentences of each file (default: 300)")
    parser.add_argument("--checkpoint", type=Path, default=EMBEDDED_CHECKPOINT)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES, help="beside float32 (default: all)")
    options = parser.parse_args()
    tagged = draw(read_tagged(options.ner), options.rows)
    labelled = draw(read_labelled(options.classification), options.rows)
    texts = [row.text for row in (*tagged, *labelled)]
    device = os.environ.get("MTDEMO_DEVICE", "auto")
    print(f"{len(texts)} sentences, embedding of {options.checkpoint.name}")
    print(f"{'':<10} {'cosine':>10} {'':>10} {'probability':>10} {'':>9} {'other':>12} {'other':>12} {'F1':>8}")
    print(f"{'':<10} {'lowest':>10} {'mean':>10} {'largest':>10} {'mean':>10} {'class':>12} {'entities':>12} "
          f"{'entities':>8} {'classes':>8} {'s':>7}")  # fmt: skip
    exact: list[SentenceAnalysis] = []
    for dtype in dict.fromkeys(("float32", *options.dtypes)):
        if dtype == "int8" and choose_device(device) != "cpu":
            continue
        loaded = place(load_directory(options.checkpoint), device, dtype)
        start = time.perf_counter()
        answers = analyze_batches(loaded, texts, MAX_LENGTH)
        seconds, exact = time.perf_counter() - start, exact or answers
        parts = ((tagged, answers[: len(tagged)]), (labelled, answers[len(tagged) :]))
        scores = [AnsweredRows(test, *part, loaded.info).scores.main for test, part in zip(TASK_TESTS, parts, strict=False)]
        print(compare(dtype, seconds, exact, answers, scores), flush=True)


if __name__ == "__main__":
    main()
