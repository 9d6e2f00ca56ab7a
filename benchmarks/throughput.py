"""Sentences a second, by the service and by what one would use without it: ratios from interleaved rounds of one run.

    python -m benchmarks.throughput [--quick] [--sentences 512] [--rounds 3] [--questions 60] [--threads 2]

The service computes embedding, class and entities of every sentence, with the cache off: with packed passes as it is, with
padded ones, and in int8. Against it stand `encode` of sentence-transformers and onnxruntime, which compute the embedding
alone, and three pipelines of transformers, one per task, on three models of the same size. That the embeddings of those two
are equal is looked at first.
Every round runs each once, in an order drawn anew. A ratio is the median over the rounds of the ratio within a round. Then
each is asked for one sentence of 24 word pieces at a time, in turn. Wall time means something on a quiet machine alone; the
processor's time of this process changes less beside others. `--quick` takes few sentences, to see that it works.

Needs requirements-dev.txt, and onnx and onnxruntime for their row.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.rivals import Run, make_encoder, make_onnx_encoder, make_pipelines  # prepares the environment
from mtdemo.config import Settings, count_cores
from mtdemo.serving.service import ModelService

import torch  # isort: skip

WORDS = "the a train river painted quickly Paris John bought nine reports never under question blue because".split()  # noqa: SIM905
REFERENCE = "sentence-transformers"


def make_sentences(n: int) -> list[str]:
    """Sentences of 3 to 60 words, most of them short, as people write them."""
    draw = random.Random(5)  # noqa: S311
    return [" ".join(draw.choices(WORDS, k=min(60, 3 + int(draw.expovariate(1 / 12))))) + f" {i}." for i in range(n)]


def make_service(packed: bool, n_threads: int, dtype: str = "float32") -> Run:
    """A service without cache, and the way that its passes are run."""
    service = ModelService(replace(Settings(), max_cache_bytes=0, threads=n_threads, dtype=dtype))
    if packed:
        return service.analyze

    def padded(sentences: list[str]) -> object:
        with patch("mtdemo.inference.forward.can_pack", lambda _: False):
            return service.analyze(sentences)

    return padded


def add_onnx(ways: dict[str, Run], sentences: list[str], directory: Path, n_threads: int) -> None:
    """Add onnxruntime where it is installed, and check that it computes what the reference does."""
    try:
        ways["onnxruntime"] = make_onnx_encoder(directory, n_threads)
    except ImportError as error:
        print(f"onnxruntime is left out: {error}. pip install onnx onnxruntime")
        return
    one, other = (np.array(ways[name](sentences)) for name in (REFERENCE, "onnxruntime"))
    if (difference := float(np.abs(one - other).max())) > 1e-4:
        raise SystemExit(f"onnxruntime computes something else: {difference:.1e}")


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall and of this process's processors."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def compare(ways: dict[str, Run], sentences: list[str], n_rounds: int, n_threads: int) -> None:
    """Run all sentences by each way, in rounds, and print ratios."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    draw = random.Random(1)  # noqa: S311
    for _ in range(n_rounds):
        for name in draw.sample(list(ways), len(ways)):
            torch.set_num_threads(n_threads)
            times[name].append(measure(partial(ways[name], sentences)))
    print(f"{'':<22} {'wall s':>8} {'CPU s':>8} {'x wall':>8} {'x CPU':>8}")
    for name, its in times.items():
        shown = [statistics.median(column) for column in zip(*its, strict=True)]
        pairs = zip(times[REFERENCE], its, strict=True)
        ratios = zip(
            *([one / other for one, other in zip(reference, mine, strict=True)] for reference, mine in pairs), strict=True
        )
        shown += [statistics.median(column) for column in ratios]
        print(f"{name:<22} {shown[0]:8.2f} {shown[1]:8.2f} {shown[2]:8.2f} {shown[3]:8.2f}", flush=True)


def ask_one_by_one(ways: dict[str, Run], n_questions: int, n_threads: int) -> None:
    """Ask for one sentence at a time, by each way in turn, and print milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    draw = random.Random(2)  # noqa: S311
    for number in range(n_questions):
        sentence = " ".join(draw.choices(WORDS, k=20)) + f" {number % 10}."
        for name in draw.sample(list(ways), len(ways)):
            torch.set_num_threads(n_threads)
            times[name].append(measure(partial(ways[name], [sentence]))[0] * 1e3)
    slowest = statistics.median(times["three pipelines"])
    print(f"{'one sentence':<22} {'p50 ms':>8} {'p95 ms':>8} {'x':>8}")
    for name, its in times.items():
        p50, p95 = statistics.median(its), sorted(its)[int(0.95 * (len(its) - 1))]
        print(f"{name:<22} {p50:8.1f} {p95:8.1f} {slowest / p50:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 sentences, one round, nine questions")
    parser.add_argument("--sentences", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=60)
    parser.add_argument("--threads", type=int, default=count_cores())
    options = parser.parse_args()
    if options.quick:
        options.sentences, options.rounds, options.questions = 64, 1, 9
    sentences = make_sentences(options.sentences)
    with tempfile.TemporaryDirectory() as directory:
        ways: dict[str, Run] = {
            REFERENCE: make_encoder(),
            "service, packed": make_service(True, options.threads),
            "service, padded": make_service(False, options.threads),
            "service, int8": make_service(True, options.threads, "int8"),
            "three pipelines": make_pipelines(Path(directory)),
        }
        add_onnx(ways, sentences[:40], Path(directory), options.threads)
    for run in ways.values():
        run(sentences[:40])
    print(f"{len(sentences)} sentences, {options.threads} threads, {options.rounds} rounds, torch {torch.__version__}, "
          f"{torch.backends.cpu.get_cpu_capability()}")  # fmt: skip
    compare(ways, sentences, options.rounds, options.threads)
    ask_one_by_one(ways, options.questions, options.threads)


if __name__ == "__main__":
    main()
