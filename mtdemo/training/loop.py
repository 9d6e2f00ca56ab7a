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
from mtdemo.training.preparation import prepare
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.state import RunIdentity, load_state, save_state
from mtdemo.training.step_losses import StepLosses
from mtdemo.training.trainer import Evaluator, Scores, Trainer

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
    evaluator: Evaluator | None = None,
    *,
    class_teachers: Sequence[LoadedModel] = (),
) -> LoadedModel:
    """Train a model for all tasks.

    Args:
        base: where training starts; its weights are changed.
        tagged: sentences for the entity head; a task without sentences is not active.
        labelled: sentences for the classification head.
        settings: how.
        progress: called with a phrase, steps done and steps in all.
        directory: where states and the log are saved; none are without it.
        resume: the directory with the state to go on from.
        evaluator: measures the model every `settings.interval` steps and at the end; the best weights are kept.
        class_teachers: checkpoints whose classes, the mean of their probabilities, are learned too, from the sentences of
            both tasks.

    Raises:
        DataFileError: a label that the model does not have.
        UsageError: a teacher of other classes, or no sentences at all.
        ResumeError: no state to resume, or one of another run.
        FileWriteError: a state or the log cannot be written.
        TrainingError: a loss or a gradient is not a number; the last saved state is good.
    """
    prepared = prepare(base, tagged, labelled, settings, class_teachers)
    identity = RunIdentity.of(prepared, evaluator.fingerprint if evaluator is not None else "")
    trainer = Trainer(prepared)
    log: list[dict[str, Any]] = []
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    if resume is not None:
        state = load_state(resume / STATE_FILE, identity)
        trainer.load_state_dict(state["trainer"], progress)
        log = state["log"]
    already = log[-1]["seconds"] if log else 0
    started, recent = time.monotonic() - already, list[StepLosses]()
    while trainer.n_done < settings.n_steps:
        recent.append(trainer.step())
        progress(f"training, {recent[-1].phrase}", trainer.n_done, settings.n_steps)
        if trainer.n_done % settings.interval and trainer.n_done < settings.n_steps:
            continue
        scores = trainer.measure(evaluator) if evaluator is not None else None
        if scores is not None:
            progress(f"training, {scores.phrase}", trainer.n_done, settings.n_steps)
        log.append(_log_row(trainer.n_done, time.monotonic() - started, recent, scores))
        recent.clear()
        if directory is not None:
            save_state(directory / STATE_FILE, identity, {"trainer": trainer.state_dict(), "log": log})
            _write_log(directory / LOG_FILE, log)
    return trainer.finished()


def _log_row(n_done: int, seconds: float, losses: Sequence[StepLosses], scores: Scores | None) -> dict[str, Any]:
    return {
        "step": n_done,
        "seconds": round(seconds),
        "losses": StepLosses.mean(losses).as_dict(),
        "scores": _numbers(scores.as_dict()) if scores is not None else None,
    }


def _write_log(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with writing(path):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _numbers(scores: dict[str, Any]) -> dict[str, Any]:
    """Put None in the place of NaN, which JSON lacks."""
    return {
        name: _numbers(value) if isinstance(value, dict) else value if value is None or math.isfinite(value) else None
        for name, value in scores.items()
    }
