"""One experiment of the laboratory: train a copy of a model under a plan, and tell what moved.

The model that is given stays as it is. Before and after training the held-out sentences and the person's own are
analysed, so that what the plan did to each task can be seen: scores, the share of predictions that changed, how far
embeddings turned, and how far each part's weights moved. Left out: who may run when, which is the laboratory's.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mtdemo.config import count_cores
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.forward import run_windows
from mtdemo.inference.hidden_state_cache import CachedRunner, HiddenStateCache
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.laboratory.dataset import LabDataset, check_labels
from mtdemo.laboratory.outcome import CacheSpeedup, Ending, ExperimentSettings, Outcome, Snapshot, TaskDrift
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.parts import Parts
from mtdemo.results import SentenceAnalysis
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.step_losses import StepLosses
from mtdemo.training.trainer import Trainer

_N_MEASUREMENTS = 10
_N_TIMED = 30  # steps that the time left is estimated from
_MAX_LENGTH = 128  # word pieces
_MAX_FEATURE_BYTES = 256 << 20
# torch's random numbers belong to the process, so steps of different runs take turns, each with its own state
_turn = threading.Lock()


class Experiment:
    """One run. `run` may be called once; `stop` may be called from any thread at any time.

    At the end `outcome` tells what it did, and `trained` is the copy: an ordinary model, since adapters have become part of
    its matrices.
    """

    def __init__(
        self, base: LoadedModel, dataset: LabDataset, settings: ExperimentSettings, n_threads: int | None = None
    ) -> None:
        self.settings = settings
        self.dataset = dataset
        self._base = base
        self._n_threads = n_threads or count_cores()
        self._stop = threading.Event()
        self._is_late = False
        self._clock: deque[tuple[int, float]] = deque(maxlen=_N_TIMED)
        self._times: dict[bool, list[float]] = {True: [], False: []}
        self.outcome: Outcome | None = None
        self.trained: LoadedModel | None = None

    def stop(self) -> None:
        """End the run after the step that it is in; what it has learned is kept."""
        self._stop.set()

    def run(self) -> Iterator[Snapshot]:
        """Train, and tell where it stands before the first step and after each; the outcome is there at the end.

        Raises:
            PlanError: nothing trains in this plan, or it names a part that the model does not have.
            TrainingError: the loss is no number any more, such as where rates are too high.
            DataFileError: the dataset has a label that the model does not have.
        """
        started = time.monotonic()
        settings = self.settings
        copied = replace(self._base, model=copy.deepcopy(self._base.model), tokenizer=copy.deepcopy(self._base.tokenizer))
        check_labels(self.dataset, self._base.info.class_labels, self._base.info.entity_types)
        before = self._answers(copied)
        with _turn:
            trainer = _trainer(copied, self.dataset, settings)
            random = torch.get_rng_state()
        run = CachedRunner(_MAX_FEATURE_BYTES) if trainer.features is not None else run_windows
        held_out = ValidationSets(self.dataset.tagged_heldout, self.dataset.labelled_heldout, run=run)
        scores = held_out(copied)
        losses = None
        kept: list[Snapshot] = []
        interval = max(1, settings.n_steps // _N_MEASUREMENTS)
        while True:
            if time.monotonic() - started > settings.max_seconds:
                self._stop.set()
                self._is_late = True
            is_last = trainer.n_done == settings.n_steps or self._stop.is_set()
            if trainer.n_done and (is_last or trainer.n_done % interval == 0):
                trainer.model.eval()
                scores = held_out(trainer.current())
            now = Snapshot(
                trainer.n_done,
                settings.n_steps,
                time.monotonic() - started,
                self._seconds_left(trainer.n_done),
                losses,
                scores,
                _rates(trainer),
            )
            if kept and kept[-1].n_done == now.n_done:
                kept.pop()  # stopped at a step that was measured already
            if is_last or trainer.n_done % interval == 0:
                kept.append(now)
            if is_last:
                break
            yield now
            if self._stop.is_set():
                continue
            with _turn:
                torch.set_num_threads(self._n_threads)  # torch counts them per thread, and steps come from several
                torch.set_rng_state(random)
                losses = self._step(trainer)
                random = torch.get_rng_state()
        self.trained = trained = trainer.finished()
        self.outcome = self._compare(kept, before, self._answers(trained), trained, _reuse(trainer.features, self._times))
        yield now

    def _step(self, trainer: Trainer) -> StepLosses:
        """One step; how long it took is noted by whether it computed hidden states that are reused later."""
        started, n_computed = time.monotonic(), trainer.features.n_computed if trainer.features else 0
        losses = trainer.step()
        computes = trainer.features is not None and trainer.features.n_computed > n_computed
        self._times[computes].append(time.monotonic() - started)
        return losses

    def _seconds_left(self, n_done: int) -> float | None:
        """From how long the last steps took, measurements included."""
        now = time.monotonic()
        self._clock.append((n_done, now))
        (n_before, before), *_ = self._clock
        if n_done == n_before:
            return None
        return (now - before) / (n_done - n_before) * (self.settings.n_steps - n_done)

    def _answers(self, model: LoadedModel) -> _Answers:
        torch.set_num_threads(self._n_threads)
        tagged, labelled = self.dataset.tagged_heldout, self.dataset.labelled_heldout
        aside = dict.fromkeys([*(sentence.text for sentence in tagged), *(sentence.text for sentence in labelled)])
        answers = analyze_batches(model, [*aside, *self.settings.own_sentences], min(_MAX_LENGTH, model.info.max_length))
        by_text = dict(zip(aside, answers, strict=False))
        return _Answers(
            [by_text[sentence.text] for sentence in tagged],
            [by_text[sentence.text] for sentence in labelled],
            list(by_text.values()),
            tuple(answers[len(aside) :]),
        )

    def _compare(
        self,
        snapshots: Sequence[Snapshot],
        before: _Answers,
        after: _Answers,
        trained: LoadedModel,
        reuse: CacheSpeedup | None,
    ) -> Outcome:
        first, last = snapshots[0].scores, snapshots[-1].scores
        tagged = list(zip(before.tagged, after.tagged, strict=True))
        labelled = list(zip(before.labelled, after.labelled, strict=True))
        return Outcome(
            tuple(snapshots),
            sum(seconds for times in self._times.values() for seconds in times),
            TaskDrift(
                first.entity_f1 or 0.0,
                last.entity_f1 or 0.0,
                float(np.mean([_spans(a) != _spans(b) for a, b in tagged])),
                all(a.entities == b.entities for a, b in tagged),
            ),
            TaskDrift(
                first.macro_f1 or 0.0,
                last.macro_f1 or 0.0,
                float(np.mean([a.label != b.label for a, b in labelled])),
                all(a.probabilities == b.probabilities for a, b in labelled),
            ),
            float(np.mean([_cosine(a, b) for a, b in zip(before.aside, after.aside, strict=True)])),
            relative_change(self._base, trained, self._base.model.parts()),
            before.own,
            after.own,
            self._ending(snapshots[-1].n_done),
            reuse,
        )

    def _ending(self, n_done: int) -> Ending:
        if n_done == self.settings.n_steps:
            return "done"
        return "out of time" if self._is_late else "stopped"


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a model says of the sentences kept aside, by task and in all, and of the person's own."""

    tagged: Sequence[SentenceAnalysis]
    labelled: Sequence[SentenceAnalysis]
    aside: Sequence[SentenceAnalysis]
    own: tuple[SentenceAnalysis, ...]


def relative_change(before: LoadedModel, after: LoadedModel, parts: Parts) -> dict[str, float]:
    """How far the weights of each part moved, relative to their length before; 0 where they are bit-identical.

    Args:
        before: a model as it was.
        after: the same model later; it may have parts that it did not have.
        parts: of the earlier one.
    """
    old, new = ({name: parameter.detach() for name, parameter in each.model.named_parameters()} for each in (before, after))
    moved = {}
    for part in parts:
        change, length = 0.0, 0.0
        for name in (parameter.name for parameter in part.parameters):
            if not torch.equal(old[name], new[name]):
                change += float((new[name] - old[name]).double().square().sum())
            length += float(old[name].double().square().sum())
        moved[part.name] = math.sqrt(change / max(length, 1e-24))
    return moved


def _trainer(model: LoadedModel, dataset: LabDataset, settings: ExperimentSettings) -> Trainer:
    training = TrainingSettings(
        n_steps=settings.n_steps,
        sentences_per_step=settings.sentences_per_step,
        task_weights=settings.task_weights,
        distillation_weight=settings.distillation_weight,
        plan=settings.plan,
        casing=False,
        seed=settings.seed,
        max_length=_MAX_LENGTH,
        max_feature_bytes=_MAX_FEATURE_BYTES,
    )
    return Trainer(model, dataset.tagged, dataset.labelled, training)


def _rates(trainer: Trainer) -> dict[str, float]:
    rates: dict[str, float] = {}
    for group in trainer.optimizer.param_groups:
        trains = any(parameter.requires_grad for parameter in group["params"])
        rates[group["block"]] = max(rates.get(group["block"], 0.0), group["lr"] if trains else 0.0)
    return rates


def _reuse(features: HiddenStateCache | None, times: dict[bool, list[float]]) -> CacheSpeedup | None:
    if features is None or not times[True] or not times[False]:
        return None
    medians = (float(np.median(times[computes])) for computes in (True, False))
    return CacheSpeedup(features.n_computed, features.n_reused, *medians)


def _cosine(before: SentenceAnalysis, after: SentenceAnalysis) -> float:
    return float(before.embedding @ after.embedding) / max(before.norm * after.norm, 1e-12)


def _spans(answer: SentenceAnalysis) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label) for entity in answer.entities]
