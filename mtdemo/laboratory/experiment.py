"""One experiment of the laboratory: train a copy of a model under a plan, and tell what moved.

The model that is given stays as it is. Before and after training the held-out sentences and the person's own are
analysed, so that what the plan did to each task can be seen: scores, the share of predictions that changed, how far
embeddings turned, and how far each part's weights moved. Left out: who may run when, which is the run queue's.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from mtdemo.config import MAX_LENGTH, count_cores
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.forward import run_windows
from mtdemo.inference.hidden_state_cache import CachedRunner, HiddenStateCache
from mtdemo.laboratory.dataset import LabDataset, check_labels
from mtdemo.laboratory.drift import (
    Answers,
    changed_answers,
    class_drift,
    collect_answers,
    embedding_cosine,
    entity_drift,
    relative_change,
)
from mtdemo.laboratory.outcome import CacheSpeedup, Ending, ExperimentSettings, Outcome, Snapshot
from mtdemo.laboratory.receipt import FreezeReceipt, copy_weights, write_receipt
from mtdemo.laboratory.representation import collect_hidden_states, compare_layers
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import FloatArray
from mtdemo.training.preparation import prepare
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.step_losses import StepLosses
from mtdemo.training.trainer import Trainer

_N_MEASUREMENTS = 10
_N_TIMED = 30  # steps that the time left is estimated from
_MAX_FEATURE_BYTES = 256 << 20
# torch's random numbers belong to the process, so steps of different runs take turns, each with its own state
_turn = threading.Lock()


class Experiment:
    """One run of the laboratory.

    `run` may be called once; `stop` may be called from any thread at any time. At the end `outcome` tells what the run did,
    and `trained` is the copy: an ordinary model, since adapters have become part of its matrices. Weights that did not
    change are those of the base, so the copy takes `n_own_bytes` of memory.

    Args:
        base: the model whose copy is trained.
        dataset: what it learns, and what is held out.
        settings: what is tried.
        n_threads: of torch; one per core by default.
    """

    def __init__(
        self, base: LoadedModel, dataset: LabDataset, settings: ExperimentSettings, n_threads: int | None = None
    ) -> None:
        self.settings = settings
        self.dataset = dataset
        self.outcome: Outcome | None = None
        self.trained: LoadedModel | None = None
        self.n_own_bytes = 0
        self._base = base
        self._n_threads = n_threads or count_cores()
        self._stop = threading.Event()
        self._is_late = False
        self._watch = _Stopwatch(settings.n_steps)
        self._history: list[Snapshot] = []  # those with a new measurement
        self._receipt: FreezeReceipt | None = None
        self._random: torch.Tensor  # the state of torch's random numbers between two steps of this run

    def stop(self) -> None:
        """End the run after the step that it is in.

        What it has learned is kept.
        """
        self._stop.set()

    def run(self) -> Iterator[Snapshot]:
        """Train, and fill `outcome` and `trained` at the end.

        Yields:
            Where the run stands: before the first step and after each.

        Raises:
            PlanError: nothing trains in this plan.
            UnknownNameError: the plan names a part that the model does not have.
            TrainingError: the loss is no number any more, such as where rates are too high; or the first step did not
                freeze what the plan freezes.
            DataFileError: the dataset has a label that the model does not have.
        """
        self._watch.start()
        model, tokenizer = copy.deepcopy((self._base.model, self._base.tokenizer))
        copied = replace(self._base, model=model, tokenizer=tokenizer, products="plain")
        check_labels(self.dataset, self._base.info.class_labels, self._base.info.entity_types)
        before = self._collect_answers(copied)
        states = self._collect_states(copied, before)
        with _turn:
            trainer = _make_trainer(copied, self.dataset, self.settings)
            self._random = torch.get_rng_state()
        yield from self._train(trainer, copied)
        self.trained = trained = trainer.finished()
        self.n_own_bytes = _share_unchanged(self._base.model, trained.model)
        self.outcome = self._conclude(before, states, trained, trainer.hidden_states)
        yield self._history[-1]

    def _train(self, trainer: Trainer, copied: LoadedModel) -> Iterator[Snapshot]:
        """Take all steps, and measure at regular intervals.

        The last snapshot is only kept: `run` yields it when the outcome is there.
        """
        history = self._history
        runner = CachedRunner(_MAX_FEATURE_BYTES) if trainer.hidden_states is not None else run_windows
        evaluate = ValidationSets(self.dataset.tagged_heldout, self.dataset.labelled_heldout, run=runner)
        scores, losses = evaluate(copied), None
        n_steps = self.settings.n_steps
        interval = max(1, n_steps // _N_MEASUREMENTS)
        while True:
            n_done = trainer.n_done
            is_last = self._must_end() or n_done == n_steps
            is_measured = is_last or n_done % interval == 0
            if n_done and is_measured:
                scores = evaluate(trainer.current())
            seconds, seconds_left = self._watch.seconds, self._watch.seconds_left(n_done)
            now = Snapshot(n_done, n_steps, seconds, seconds_left, losses, scores, trainer.learning_rates)
            if is_measured:
                if history and history[-1].n_done == n_done:
                    history.pop()  # stopped at a step that was measured already
                history.append(now)
            if is_last:
                return
            yield now
            if not self._stop.is_set():  # else this step is measured and the last one
                losses = self._take_turn(trainer)

    def _must_end(self) -> bool:
        if self._watch.seconds > self.settings.max_seconds:
            self._is_late = True
            self._stop.set()
        return self._stop.is_set()

    def _take_turn(self, trainer: Trainer) -> StepLosses:
        """Take a step while no other run takes one.

        It draws from the random numbers of this run.
        """
        with _turn:
            torch.set_num_threads(self._n_threads)  # torch counts them per thread, and steps come from several
            torch.set_rng_state(self._random)
            weights = copy_weights(trainer.model) if trainer.n_done == 0 else None
            losses = self._watch.time_step(trainer)
            self._random = torch.get_rng_state()
        if weights is not None:
            prepared = trainer.prepared
            self._receipt = write_receipt(
                weights, trainer.model, prepared.settings.plan.freezing_at(prepared.freezing, 0.0)
            )
            self._receipt.check()
        return losses

    def _collect_answers(self, model: LoadedModel) -> Answers:
        torch.set_num_threads(self._n_threads)
        return collect_answers(model, self.dataset, self.settings.own_sentences, MAX_LENGTH)

    def _collect_states(self, model: LoadedModel, answers: Answers) -> list[FloatArray]:
        return collect_hidden_states(model, [answer.text for answer in answers.heldout], MAX_LENGTH)

    def _conclude(
        self, before: Answers, states: list[FloatArray], trained: LoadedModel, features: HiddenStateCache | None
    ) -> Outcome:
        after = self._collect_answers(trained)
        first, last = self._history[0].scores, self._history[-1].scores
        return Outcome(
            snapshots=tuple(self._history),
            training_s=self._watch.training_s,
            entities=entity_drift(self.dataset, before, after, first, last),
            classes=class_drift(self.dataset, before, after, first, last),
            embedding_cosine=embedding_cosine(before, after),
            movement=relative_change(self._base, trained, self._base.model.parts()),
            own_before=before.own,
            own_after=after.own,
            ending=self._ending(self._history[-1].n_done),
            reuse=self._watch.speedup(features),
            receipt=self._receipt,
            layers=compare_layers(states, self._collect_states(trained, after)),
            changes=changed_answers(self.dataset, before, after),
        )

    def _ending(self, n_done: int) -> Ending:
        if n_done == self.settings.n_steps:
            return "done"
        return "out of time" if self._is_late else "stopped"


class _Stopwatch:
    """Times of one run and of its steps."""

    def __init__(self, n_steps: int) -> None:
        self._n_steps = n_steps
        self._started = 0.0
        self._recent: deque[tuple[int, float]] = deque(maxlen=_N_TIMED)  # steps done, and when
        self._computing: list[float] = []  # seconds of steps that computed hidden states to reuse
        self._reusing: list[float] = []  # seconds of all other steps

    def start(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def training_s(self) -> float:
        """Seconds of all steps together."""
        return sum(self._computing) + sum(self._reusing)

    def seconds_left(self, n_done: int) -> float | None:
        """Estimate the time left from the last steps, measurements included.

        [(0, 10.0), (1, 12.0), (2, 14.0)] as steps done and seconds, of 5 steps in all -> 6.0
        """
        now = time.monotonic()
        self._recent.append((n_done, now))
        n_before, before = self._recent[0]
        if n_done == n_before:
            return None
        return (now - before) / (n_done - n_before) * (self._n_steps - n_done)

    def time_step(self, trainer: Trainer) -> StepLosses:
        """Take a step, and note how long it took."""
        started, n_computed = time.monotonic(), trainer.hidden_states.n_computed if trainer.hidden_states else 0
        losses = trainer.step()
        computes = trainer.hidden_states is not None and trainer.hidden_states.n_computed > n_computed
        (self._computing if computes else self._reusing).append(time.monotonic() - started)
        return losses

    def speedup(self, features: HiddenStateCache | None) -> CacheSpeedup | None:
        """Compare steps that computed hidden states with others."""
        if features is None or not self._computing or not self._reusing:
            return None
        medians = (float(np.median(times)) for times in (self._computing, self._reusing))
        return CacheSpeedup(features.n_computed, features.n_reused, *medians)


def _make_trainer(model: LoadedModel, dataset: LabDataset, settings: ExperimentSettings) -> Trainer:
    training = TrainingSettings(
        n_steps=settings.n_steps,
        sentences_per_step=settings.sentences_per_step,
        task_weights=settings.task_weights,
        distillation_weight=settings.distillation_weight,
        plan=settings.plan,
        casing=False,
        seed=settings.seed,
        max_length=MAX_LENGTH,
        max_feature_bytes=_MAX_FEATURE_BYTES,
    )
    return Trainer(prepare(model, dataset.tagged, dataset.labelled, training))


def _share_unchanged(base: torch.nn.Module, trained: torch.nn.Module) -> int:
    """Let a trained model share its base's equal weights.

    Both are only read from now on. What the model says stays the same, bit for bit.

    Returns:
        Bytes of the trained model's own weights.
    """
    theirs, n_bytes = dict(base.named_parameters()), 0
    for name, parameter in trained.named_parameters():
        parameter.grad = None
        other = theirs.get(name)
        if other is not None and torch.equal(other, parameter):
            parameter.data = other.data
        else:
            n_bytes += parameter.nbytes
    return n_bytes
