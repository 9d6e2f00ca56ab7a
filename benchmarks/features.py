"""What it is worth to compute the hidden states of a frozen backbone once: a ratio of times, measured in one run.

    python -m benchmarks.features [--steps 200]

The laboratory's sample, both heads, 16 sentences a step, the same seed; the weights of the heads must come out the same.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from mtdemo.config import EMBEDDED_CHECKPOINT, prepare_environment

prepare_environment()

import torch  # noqa: E402

from mtdemo.laboratory.dataset import read_dataset  # noqa: E402
from mtdemo.models.checkpoints import load_directory  # noqa: E402
from mtdemo.planning.training_plan import TrainingPlan  # noqa: E402
from mtdemo.training.preparation import prepare  # noqa: E402
from mtdemo.training.settings import TrainingSettings  # noqa: E402
from mtdemo.training.trainer import Trainer  # noqa: E402


def run(settings: TrainingSettings) -> tuple[float, dict[str, torch.Tensor]]:
    """Seconds of a run without loading, and the heads' weights at its end."""
    dataset = read_dataset()
    trainer = Trainer(prepare(load_directory(EMBEDDED_CHECKPOINT), dataset.tagged, dataset.labelled, settings))
    start = time.perf_counter()
    for _ in range(settings.n_steps):
        trainer.step()
    return time.perf_counter() - start, {name: t for name, t in trainer.model.state_dict().items() if "_head" in name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    plan = TrainingPlan(("backbone",))
    settings = TrainingSettings(
        n_steps=options.steps, sentences_per_step=16, plan=plan, casing=False, distillation_weight=0.0
    )
    recomputed_s, recomputed = run(replace(settings, max_feature_bytes=0))
    reused_s, reused = run(settings)
    whole_s, _ = run(replace(settings, plan=TrainingPlan(), n_steps=max(1, options.steps // 10)))
    for name, tensor in reused.items():
        torch.testing.assert_close(tensor, recomputed[name], atol=1e-5, rtol=0)
    print(f"{options.steps} steps of both heads: {reused_s:.1f} s reused, {recomputed_s:.1f} s recomputed")
    print(f"reusing features is {recomputed_s / reused_s:.1f} times as fast as recomputing them")
    per_step = whole_s / max(1, options.steps // 10)
    print(f"and {per_step * options.steps / reused_s:.0f} times as fast as training everything ({per_step:.2f} s a step)")


if __name__ == "__main__":
    main()
