"""What packed passes would gain in training on the CPU: forward and backward, packed and padded, in one run.

    python -m benchmarks.training [--sentences 96] [--batch 16] [--rounds 4] [--threads 1]

Batches of sentences in random order, as training draws them, go through the embedded encoder and back by both ways in
turn, with a loss of all hidden states. That both find the same gradients is looked at first. Seconds are of this thread's
processor; training itself runs padded.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks.throughput import make_sentences  # prepares the environment
from mtdemo.config import EMBEDDED_CHECKPOINT
from mtdemo.inference.packed import compute_hidden_states
from mtdemo.inference.pipeline import windows_of
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel, list_weights, mask_pooling
from mtdemo.text.tokenization import Window

import torch  # isort: skip

Step = Callable[[LoadedModel, Sequence[Window]], None]


def step_padded(loaded: LoadedModel, windows: Sequence[Window]) -> None:
    states = loaded.model.backbone(**loaded.pad(windows)).last_hidden_state
    (states * mask_pooling(windows)[..., None]).pow(2).sum().backward()


def step_packed(loaded: LoadedModel, windows: Sequence[Window]) -> None:
    by_length = sorted(windows, key=lambda window: len(window.input_ids))
    compute_hidden_states(loaded, by_length)[1].pow(2).sum().backward()


def find_gradients(loaded: LoadedModel, step: Step, windows: Sequence[Window]) -> torch.Tensor:
    loaded.model.zero_grad()
    step(loaded, windows)
    return torch.cat([weights.grad.flatten() for weights in list_weights(loaded.model) if weights.grad is not None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentences", type=int, default=96)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    loaded = load_directory(EMBEDDED_CHECKPOINT)
    windows = list(windows_of(loaded.encode(make_sentences(options.sentences), 128)))
    random.Random(1).shuffle(windows)  # noqa: S311
    batches = [windows[start : start + options.batch] for start in range(0, len(windows), options.batch)]
    one, other = (find_gradients(loaded, step, batches[0]) for step in (step_padded, step_packed))
    if (difference := float((one - other).abs().max() / one.abs().max())) > 1e-5:
        raise SystemExit(f"The gradients differ by {difference:.1e} of the largest.")
    times: dict[str, list[float]] = {"padded": [], "packed": []}
    for _ in range(options.rounds):
        for name, step in (("padded", step_padded), ("packed", step_packed)):
            begin = time.thread_time()
            for run in (partial(find_gradients, loaded, step, batch) for batch in batches):
                run()
            times[name].append(time.thread_time() - begin)
    n_pieces = sum(len(window.input_ids) for window in windows)
    n_padded = sum(max(len(window.input_ids) for window in batch) * len(batch) for batch in batches)
    ratio = statistics.median(a / b for a, b in zip(*times.values(), strict=True))
    print(f"{len(windows)} sentences in batches of {options.batch}, {n_pieces:,} word pieces, {n_padded:,} with padding")
    print(*(f"{name} {statistics.median(its):.2f} s" for name, its in times.items()), f"ratio {ratio:.2f}", sep="   ")
    print(f"largest difference of a gradient: {difference:.1e} of the largest")


if __name__ == "__main__":
    main()
