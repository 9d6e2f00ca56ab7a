"""Measurement of the scenarios: each trains a copy at its own defaults, and must move the held-out scores or say why not.

    python -m benchmarks.presets [--scenarios NAME ...] [--rates BACKBONE HEADS]

The runs are those of the laboratory on the page: its sample, its number of steps, its seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mtdemo.config import EMBEDDED, Settings
from mtdemo.laboratory.dataset import read_dataset
from mtdemo.laboratory.experiment import Experiment
from mtdemo.laboratory.outcome import ExperimentSettings, Outcome
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.parts import HEAD_NAMES
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.planner import Planner
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.planning.training_plan import TrainingPlan

N_STEPS, SENTENCES_PER_STEP = 60, 16  # as on the page
SCORES = ("entity_f1", "macro_f1", "output_f1")
COLUMNS = (
    "scenario", "rates: backbone, heads", "entities, F1", "classes, macro-F1", "new output layer, macro-F1",
    "changed answers: entities, classes", "cosine of embeddings", "seconds",
)  # fmt: skip


def measure(plan: TrainingPlan, checkpoint: str, n_steps: int) -> tuple[Outcome, float]:
    """Run a plan as the laboratory does; return what it did, and seconds."""
    settings = ExperimentSettings(plan, n_steps=n_steps, sentences_per_step=SENTENCES_PER_STEP)
    experiment = Experiment(load_directory(Path(checkpoint)), read_dataset(), settings)
    started = time.perf_counter()
    for _ in experiment.run():
        pass
    if experiment.outcome is None:
        raise RuntimeError("A run that was not stopped has an outcome.")
    return experiment.outcome, time.perf_counter() - started


def moves(outcome: Outcome) -> bool:
    """Whether a held-out score is another than before."""
    first, last = outcome.snapshots[0].as_dict(), outcome.snapshots[-1].as_dict()
    return any(first[score] != last[score] for score in SCORES)


def describe(outcome: Outcome) -> Iterator[str]:
    """Write scores before and after, answers that changed, and the embeddings' cosine."""
    first, last = outcome.snapshots[0].as_dict(), outcome.snapshots[-1].as_dict()
    for score in SCORES:
        yield "" if last[score] is None else f"{first[score]:.3f} -> {last[score]:.3f}"
    yield f"{outcome.entities.changed_fraction:.0%}, {outcome.classes.changed_fraction:.0%}"
    yield f"{outcome.embedding_cosine:.4f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", nargs="+", default=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--rates", nargs=2, type=float, metavar=("BACKBONE", "HEADS"), help="in place of the scenario's")
    parser.add_argument("--steps", type=int, default=N_STEPS)
    options = parser.parse_args(arguments)
    checkpoint, failed = Settings().checkpoint, 0
    planner = Planner(checkpoint)
    columns = (
        "scenario",
        "rates: backbone, heads",
        "entities, F1",
        "classes, macro-F1",
        "new output layer",
        "changed",
        "cosine",
    )
    print(f"| {' | '.join((*columns, 'seconds'))} |\n|{'---|' * (len(columns) + 1)}", flush=True)
    for name in options.scenarios:
        plan = planner.scenario_plan(EMBEDDED, name)
        if options.rates:
            backbone, heads = options.rates
            plan = replace(plan, optimizer=OptimizerSettings(backbone, dict.fromkeys(HEAD_NAMES, heads)))
        rates = f"{plan.optimizer.backbone_learning_rate:g}, {plan.optimizer.learning_rate('ner_head'):g}"
        if not planner.freezing(EMBEDDED, plan).n_trainable:
            print(f"| {name} | {rates} | nothing trains, which its hint says | | | | | |", flush=True)
            continue
        outcome, seconds = measure(plan, checkpoint, options.steps)
        failed += not moves(outcome)
        print(f"| {name} | {rates} | {' | '.join(describe(outcome))} | {seconds:.0f} |", flush=True)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
