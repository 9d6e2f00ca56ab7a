"""How fast the service answers against plain loops over the same model: ratios of medians, measured in one run.

    python -m benchmarks.throughput [--sentences 300] [--repeat 3]

The plain loops are what one writes first: one sentence at a time, and batches of 32 in the given order, padded to the
longest. All compute embedding, class and entity labels in float32 with torch's default threads for long requests; the
service also decodes entities. The cache is off, and the last line shows what it is worth.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings, prepare_environment

prepare_environment()

import torch  # noqa: E402

from mtdemo.models.checkpoints import load_directory  # noqa: E402
from mtdemo.serving.service import ModelService  # noqa: E402

WORDS = [
    "the",
    "a",
    "train",
    "river",
    "painted",
    "quickly",
    "Paris",
    "John",
    "bought",
    "nine",
    "reports",
    "never",
    "under",
    "question",
    "blue",
    "because",
]


def make_sentences(n: int) -> list[str]:
    """Sentences of 3 to 60 words, most of them short, as people write them."""
    draw = random.Random(5)  # noqa: S311
    return [" ".join(draw.choices(WORDS, k=min(60, 3 + int(draw.expovariate(1 / 12))))) + f" {i}." for i in range(n)]


def median_s(run: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    sentences = make_sentences(options.sentences)
    loaded = load_directory(EMBEDDED_CHECKPOINT)
    uncached = ModelService(replace(Settings(), max_cache_bytes=0))
    cached = ModelService(Settings())
    for service in (uncached, cached):
        service.analyze(sentences)

    def loop(size: int) -> None:
        for start in range(0, len(sentences), size):
            inputs = loaded.tokenizer(
                sentences[start : start + size], truncation=True, max_length=128, padding=True, return_tensors="pt"
            )
            with torch.inference_mode():
                loaded.model(**inputs)

    service_s = median_s(lambda: uncached.analyze(sentences), options.repeat)
    print(f"{len(sentences)} sentences, {torch.get_num_threads()} threads, median of {options.repeat}")
    print(f"service            {service_s:7.3f} s   1.00 x")
    for name, size in (("one at a time", 1), ("batches of 32", 32)):
        plain_s = median_s(lambda size=size: loop(size), options.repeat)  # type: ignore[misc]
        print(f"{name:<18} {plain_s:7.3f} s   {plain_s / service_s:.2f} x the service's time")
    cached_s = median_s(lambda: cached.analyze(sentences), options.repeat)
    print(f"service, cached    {cached_s:7.3f} s   {cached_s / service_s:.4f} x")


if __name__ == "__main__":
    main()
