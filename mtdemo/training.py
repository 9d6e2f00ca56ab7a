"""Training of the shared backbone for all tasks at once, with the freezing plans and optimizer groups that the demo shows.

Every step takes as many tagged as labelled sentences, one forward pass each. The embeddings are kept by distillation:
the model as it was before training is the teacher, and 1 - cosine to its embedding of every training sentence is a part
of the loss. A run that was stopped goes on from its last saved state and ends as if it had not been stopped.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.encoding import Window
from mtdemo.errors import DataFileError
from mtdemo.examples import labelled_examples, tagged_examples
from mtdemo.freezing import FreezingPlan, apply_freezing, find_scenario, plan_freezing, trainable_parts
from mtdemo.inference import pad_windows
from mtdemo.loading import LoadedModel
from mtdemo.losses import embedding_drift, partial_cross_entropy
from mtdemo.optim import OptimizerSettings, build_optimizer, plan_optimizer

Progress = Callable[[str, int, int], None]
STATE_FILE = "training_state.pt"
_POOL = 50  # batches that are sorted by length together: little padding, and still a random order


@dataclass(frozen=True, slots=True)
class Training:
    """How a shared backbone is trained.

    Attributes:
        n_steps: optimizer steps.
        sentences_per_step: of each task.
        optimizer: learning rates and weight decay.
        scenario: what is frozen, a name of `SCENARIOS`.
        freeze_embeddings: whether the embeddings are frozen in addition, all but the segment rows that carry case.
        casing: whether the model learns to see capitals (`MultiTaskConfig.casing`).
        distillation_weight: of the drift of embeddings, beside 1 for each task.
        warmup_share: share of the steps in which the rates rise, 0 to 1; they fall linearly to 0 afterwards.
        max_gradient_norm: gradients are clipped to it.
        max_length: word pieces read of a sentence.
        seed: of new heads, order and dropout.
        save_every: steps between saved states.
    """

    n_steps: int = 800
    sentences_per_step: int = 32
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    scenario: str = "train_everything"
    freeze_embeddings: bool = False
    casing: bool = True
    distillation_weight: float = 10.0
    warmup_share: float = 0.06
    max_gradient_norm: float = 1.0
    max_length: int = 128
    seed: int = 13
    save_every: int = 100


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of one step."""

    ner: float
    classification: float
    drift: float

    @property
    def phrase(self) -> str:
        return f"entities {self.ner:.3f}, classes {self.classification:.3f}, drift {self.drift:.4f}"


class Batches:
    """Which examples each step takes: shuffled anew each epoch, sentences of similar length together.

    A function of seed and step alone, so a run can go on at any step.
    """

    def __init__(self, lengths: Sequence[int], size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._size = size
        self._seed = seed
        self._epoch = -1
        self._batches: list[np.ndarray] = []

    @property
    def n_per_epoch(self) -> int:
        return max(1, len(self._lengths) // self._size)

    def __getitem__(self, step: int) -> list[int]:
        epoch, position = divmod(step, self.n_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, self._shuffle(epoch)
        return [int(index) for index in self._batches[position]]

    def _shuffle(self, epoch: int) -> list[np.ndarray]:
        draw = np.random.default_rng((self._seed, epoch))
        order = draw.permutation(len(self._lengths))[: self.n_per_epoch * self._size]
        pools = np.array_split(order, math.ceil(len(order) / (_POOL * self._size)))
        ordered = np.concatenate([pool[np.argsort(self._lengths[pool], kind="stable")] for pool in pools])
        batches = np.array_split(ordered, self.n_per_epoch)
        return [batches[index] for index in draw.permutation(len(batches))]


class Teacher:
    """The model as it was: its embedding of each training sentence, computed when it is first asked for."""

    def __init__(self, base: LoadedModel, windows: Sequence[Window]) -> None:
        self._base = replace(base, model=copy.deepcopy(base.model).eval().requires_grad_(False))
        self._windows = windows
        self._known: dict[int, Tensor] = {}

    def __getitem__(self, indices: Sequence[int]) -> Tensor:
        """float32 (sentences, hidden) for indices into the windows."""
        missing = [index for index in indices if index not in self._known]
        if missing:
            inputs = pad_windows([self._windows[index] for index in missing], self._base)
            with torch.inference_mode():
                embeddings = self._base.model(**inputs).sentence_embedding.half()
            self._known.update(zip(missing, embeddings, strict=True))
        return torch.stack([self._known[index] for index in indices]).float().clone()


class Trainer:
    """One run: everything that changes from step to step."""

    def __init__(
        self,
        base: LoadedModel,
        tagged: Sequence[TaggedSentence],
        labelled: Sequence[LabelledSentence],
        settings: Training,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        if settings.casing and not base.model.config.casing:
            base.model.add_casing()
        self.base = base
        self.model = base.model
        self.tagged = tagged_examples(base, tagged, settings.max_length)
        self.labelled = labelled_examples(base, labelled, settings.max_length)
        windows = [*(example.window for example in self.tagged), *(example.window for example in self.labelled)]
        self.teacher = Teacher(base, windows)
        lengths = [len(window.input_ids) for window in windows]
        size = settings.sentences_per_step
        self.tagged_batches = Batches(lengths[: len(self.tagged)], size, settings.seed)
        self.labelled_batches = Batches(lengths[len(self.tagged) :], size, settings.seed + 1)
        self.plan = _plan(base, settings)
        apply_freezing(self.model, self.plan)
        self.optimizer = build_optimizer(self.model, plan_optimizer(self.plan, settings.optimizer))
        n_warmup = max(1, round(settings.warmup_share * settings.n_steps))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda step: min((step + 1) / n_warmup, (settings.n_steps - step) / max(1, settings.n_steps - n_warmup)),
        )
        self.n_done = 0

    def step(self) -> StepLosses:
        """Take one step.

        Raises:
            FloatingPointError: a loss is not a number; nothing was changed by this step.
        """
        self.model.train()
        self.optimizer.zero_grad()
        ner, ner_drift = self._backward_tagged(self.tagged_batches[self.n_done])
        classes, class_drift = self._backward_labelled(self.labelled_batches[self.n_done])
        losses = StepLosses(ner, classes, (ner_drift + class_drift) / 2)
        if not all(map(math.isfinite, (losses.ner, losses.classification, losses.drift))):
            raise FloatingPointError(f"Step {self.n_done + 1} has a loss that is no number: {losses.phrase}.")
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        torch.nn.utils.clip_grad_norm_(trainable, self.settings.max_gradient_norm)
        self.optimizer.step()
        self.schedule.step()
        self.n_done += 1
        return losses

    def save(self, path: Path) -> None:
        """Write all that is needed to go on from here; a run that dies while it writes leaves the old state."""
        state = {
            "n_done": self.n_done,
            "settings": repr(self.settings),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "random": torch.get_rng_state(),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def restore(self, path: Path) -> None:
        """Go on from a saved state.

        Raises:
            DataFileError: there is none, or it is of a run with other settings.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except Exception as error:
            raise DataFileError(f"{path} cannot be read, so there is nothing to resume.") from error
        if state["settings"] != repr(self.settings):
            raise DataFileError(f"{path} is of a run with other settings ({state['settings']}).")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        torch.set_rng_state(state["random"])
        self.n_done = state["n_done"]

    def finished(self) -> LoadedModel:
        """The trained model, saying which heads were trained."""
        self.model.eval()
        heads = [part.part.name for part in self.plan.parts if not part.part.kind.in_backbone and part.n_trainable]
        self.model.config.trained_heads = sorted({*self.model.config.trained_heads, *heads})
        return replace(self.base, info=replace(self.base.info, trained_heads=self.model.trained_heads))

    def _backward_tagged(self, batch: Sequence[int]) -> tuple[float, float]:
        examples = [self.tagged[index] for index in batch]
        inputs = pad_windows([example.window for example in examples], self.base)
        output = self.model(**inputs)
        logits = torch.cat([output.ner_logits[row, e.window.content] for row, e in enumerate(examples)])
        loss = partial_cross_entropy(logits, torch.from_numpy(np.concatenate([e.allowed for e in examples])))
        return self._backward(loss, output.sentence_embedding, batch)

    def _backward_labelled(self, batch: Sequence[int]) -> tuple[float, float]:
        examples = [self.labelled[index] for index in batch]
        output = self.model(**pad_windows([example.window for example in examples], self.base))
        loss = functional.cross_entropy(output.classification_logits, torch.tensor([e.label for e in examples]))
        return self._backward(loss, output.sentence_embedding, [len(self.tagged) + index for index in batch])

    def _backward(self, loss: Tensor, embeddings: Tensor, indices: Sequence[int]) -> tuple[float, float]:
        drift = embedding_drift(embeddings, self.teacher[indices])
        (loss + self.settings.distillation_weight * drift / 2).backward()
        return loss.item(), drift.item()


def train(
    base: LoadedModel,
    tagged: Sequence[TaggedSentence],
    labelled: Sequence[LabelledSentence],
    settings: Training,
    progress: Progress,
    directory: Path | None = None,
    resume: bool = False,
) -> LoadedModel:
    """Train a model for all tasks.

    Args:
        base: where training starts; its weights are changed.
        tagged: sentences for the entity head.
        labelled: sentences for the classification head.
        settings: how.
        progress: called with a phrase, steps done and steps in all.
        directory: where states are saved; none are without it.
        resume: whether to go on from the state in `directory`.

    Raises:
        DataFileError: a label that the model does not have, or no state to resume.
    """
    trainer = Trainer(base, tagged, labelled, settings)
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        if resume:
            trainer.restore(directory / STATE_FILE)
    while trainer.n_done < settings.n_steps:
        losses = trainer.step()
        progress(f"training, {losses.phrase}", trainer.n_done, settings.n_steps)
        if directory is not None and trainer.n_done % settings.save_every == 0:
            trainer.save(directory / STATE_FILE)
    return trainer.finished()


def _plan(base: LoadedModel, settings: Training) -> FreezingPlan:
    parts = base.model.parts()
    names = trainable_parts(parts, find_scenario(settings.scenario))
    if settings.freeze_embeddings:
        names = tuple(name for name in names if name != "embeddings")
    segments = [p.name for part in parts for p in part.parameters if "token_type_embeddings" in p.name]
    return plan_freezing(parts, names, segments if settings.casing else ())
