"""The loop of a run: steps, measurements, the log, and states to go on from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.files import writing
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import ProgressCallback
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.step_losses import StepLosses
from mtdemo.training.trainer import Evaluator, Trainer

STATE_FILE = "training_state.pt"
LOG_FILE = "training_log.jsonl"


def train(
    base: LoadedModel,
    tagged: Sequence[TaggedSentence],
    labelled: Sequence[LabelledSentence],
    settings: TrainingSettings,
    progress: ProgressCallback,
    directory: Path | None = None,
    resume: Path | None = None,
    measure: Evaluator | None = None,
    *,
    class_teachers: Sequence[LoadedModel] = (),
) -> LoadedModel:
    """Train a model for all tasks.

    Args:
        base: where training starts; its weights are changed.
        tagged: sentences for the entity head; a task without sentences is not looked at.
        labelled: sentences for the classification head.
        settings: how.
        progress: called with a phrase, steps done and steps in all.
        directory: where states and the log are saved; none are without it.
        resume: the directory with the state to go on from.
        measure: how good a model is, asked every `settings.interval` steps and at the end; the best weights are kept.
        class_teachers: checkpoints whose classes, the mean of their probabilities, are learned too, from the sentences of
            both tasks.

    Raises:
        DataFileError: a label that the model does not have, a teacher of other classes, no sentences at all, no state to
            resume, or a state that cannot be written.
        TrainingError: a loss or a gradient is not a number; the last saved state is good.
    """
    trainer = Trainer(base, tagged, labelled, settings, class_teachers)
    if measure is not None:
        trainer.eval_fingerprint = measure.fingerprint
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    if resume is not None:
        trainer.restore(resume / STATE_FILE, progress)
    already = trainer.log[-1]["seconds"] if trainer.log else 0
    started, recent = time.monotonic() - already, list[StepLosses]()
    while trainer.n_done < settings.n_steps:
        recent.append(trainer.step())
        progress(f"training, {recent[-1].phrase}", trainer.n_done, settings.n_steps)
        if trainer.n_done % settings.interval and trainer.n_done < settings.n_steps:
            continue
        scores = trainer.measure(measure) if measure is not None else None
        if scores is not None:
            progress(f"training, {scores.phrase}", trainer.n_done, settings.n_steps)
        trainer.log.append(
            {
                "step": trainer.n_done,
                "seconds": round(time.monotonic() - started),
                "losses": StepLosses.mean(recent).as_dict(),
                "scores": _numbers(scores.as_dict()) if scores is not None else None,
            }
        )
        recent.clear()
        if directory is not None:
            trainer.save(directory / STATE_FILE)
            rows = "".join(json.dumps(row) + "\n" for row in trainer.log)
            with writing(directory / LOG_FILE):
                (directory / LOG_FILE).write_text(rows, encoding="utf-8")
    return trainer.finished()


def _numbers(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores with None in the place of what is no number, which JSON does not know."""
    return {name: value if value is None or math.isfinite(value) else None for name, value in scores.items()}
