"""Training of the shared backbone for all tasks at once, with the freezing plans and optimizer groups that the demo shows.

Every step takes sentences of both tasks by a stated rule, one forward pass each. The embeddings are kept by
distillation: the model as it was before training is the teacher, and 1 - cosine to its embedding of every training
sentence is a part of the loss. Other checkpoints may teach their classes so. Where the backbone is frozen
its hidden states are computed once and used again. A run that was stopped goes on from its last saved state and ends as
if it had not been stopped. Left out: the sets that progress is measured on, which are `mtdemo.evaluation.validation`'s.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError, TrainingError
from mtdemo.files import writing
from mtdemo.inference.batching import plan_batches
from mtdemo.inference.hidden_state_cache import HiddenStateCache
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.adapters import extend_model, merge_adapters
from mtdemo.planning.freezing import FreezingPlan, apply_freezing, unfrozen_parts
from mtdemo.planning.optimizer import build_optimizer, plan_optimizer
from mtdemo.planning.scenarios import BACKBONE
from mtdemo.planning.training_plan import loss_weight_by_head
from mtdemo.results import ProgressCallback, no_progress
from mtdemo.text.tokenization import Window
from mtdemo.training.batches import BatchSampler, InputNoise, active_tasks, sentences_per_task
from mtdemo.training.distillation import Teacher
from mtdemo.training.examples import EncodedExample, labelled_examples, tagged_examples
from mtdemo.training.losses import class_disagreement, embedding_drift
from mtdemo.training.objective import DistillationTerm, Task, class_loss, entity_loss
from mtdemo.training.settings import TrainingSettings
from mtdemo.training.state import as_plain, digest_of, flatten, read_state
from mtdemo.training.step_losses import StepLosses

_ADVICE = "A lower learning rate may help."


class Scores(Protocol):
    """What a measurement gives: one number to choose by, and all numbers for the log."""

    @property
    def selection_metric(self) -> float: ...

    @property
    def phrase(self) -> str: ...

    def as_dict(self) -> dict[str, Any]: ...


class Evaluator(Protocol):
    """How good a model is, on sentences that are kept aside."""

    @property
    def fingerprint(self) -> str:
        """Of what it measures on: scores of runs with the same can be compared."""
        ...

    def __call__(self, model: LoadedModel, /) -> Scores: ...


class Trainer:
    """One run: everything that changes from step to step."""

    def __init__(
        self,
        base: LoadedModel,
        tagged: Sequence[TaggedSentence],
        labelled: Sequence[LabelledSentence],
        settings: TrainingSettings,
        class_teachers: Sequence[LoadedModel] = (),
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        if _learns_casing(base, settings) and not base.model.config.casing:
            base.model.add_casing()
        extend_model(base.model, settings.plan)
        self.base = base
        self.model = base.model
        self.freezing = _plan(base, settings)
        moves = self.freezing.backbone_state != "none"
        self.distillation_weight = settings.distillation_weight if moves else 0.0  # what does not move needs no keeping
        self.teacher_weight = settings.teacher_weight if class_teachers else 0.0
        self.tasks = self._make_tasks(tagged, labelled)
        self.n_active_tasks = sum(task.is_active for task in self.tasks)
        windows = [example.window for task in self.tasks for example in task.examples]
        new_heads = sorted(set(self._trained_heads()) - set(base.model.trained_heads))
        base.model.renew_heads(new_heads)
        if settings.pooling is not None and "classification_head" in new_heads:
            base.model.config.classification_pooling = settings.pooling
        self._base_digest = digest_of(base.model.state_dict())
        self.teachers: dict[str, Teacher] = {}
        if self.distillation_weight:
            self.teachers["embeddings"] = Teacher.of_embeddings(base, windows)
        if self.teacher_weight:
            texts = [*(sentence.text for sentence in tagged), *(sentence.text for sentence in labelled)]
            labels = base.model.config.class_labels
            self.teachers["classes"] = Teacher.of_classes(class_teachers, texts, labels, settings.max_length)
        self.features = HiddenStateCache(settings.max_feature_bytes) if not moves else None
        self._training_now = self.freezing
        apply_freezing(self.model, self.freezing)
        _set_dropout(self.model, settings.dropout)
        self.optimizer = build_optimizer(self.model, plan_optimizer(self.freezing, settings.plan.optimizer))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: settings.plan.lr_multiplier(step, settings.n_steps)
        )
        self.average = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging)) if settings.averaging else None
        )
        self.taught = self._distillation_terms()
        self.n_done = 0
        self.eval_fingerprint = ""
        self.log: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}

    def step(self) -> StepLosses:
        """Take one step.

        Raises:
            TrainingError: a loss or a gradient is not a number; no weight was changed by this step.
        """
        self.model.train()
        self.model.backbone.train(self.features is None)
        self._unfreeze()
        self.optimizer.zero_grad()
        ((ner, *_), taught_by_ner), ((classes, *output), taught_by_classes) = map(self._backward, self.tasks)
        both = [taught for taught in (taught_by_ner, taught_by_classes) if taught]
        means = {name: sum(taught[name] for taught in both) / len(both) for name in (both[0] if both else ())}
        losses = StepLosses(ner, classes, *output, **means)
        if not all(math.isfinite(loss) for loss in astuple(losses) if loss is not None):
            raise TrainingError(f"Step {self.n_done + 1} has a loss that is no number: {losses.phrase}. {_ADVICE}")
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not torch.nn.utils.clip_grad_norm_(trainable, self.settings.max_gradient_norm).isfinite():
            raise TrainingError(f"Step {self.n_done + 1} has gradients that are no numbers. {_ADVICE}")
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self.n_done += 1
        return losses

    def measure(self, evaluator: Evaluator) -> Scores:
        """Measure the model as it is now; keep its weights if they are the best so far.

        A score that is no number, such as a correlation of constants, chooses nothing.
        """
        now = self.current()
        scores = evaluator(now)
        metric = scores.selection_metric
        if math.isfinite(metric) and (not self.best or metric > self.best["selection_metric"]):
            weights = {name: tensor.clone() for name, tensor in now.model.state_dict().items()}
            self.best = {"selection_metric": metric, "step": self.n_done, "weights": weights}
        return scores

    def save(self, path: Path) -> None:
        """Write all that is needed to go on from here; a run that dies while it writes leaves the old state.

        Raises:
            DataFileError: the disk is full, or the like.
        """
        state = {
            "n_done": self.n_done,
            "settings": as_plain(self.settings),
            "fingerprint": self.fingerprint,
            "eval_fingerprint": self.eval_fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "average": self.average.state_dict() if self.average is not None else None,
            "random": torch.get_rng_state(),
            "teachers": {name: teacher.state_dict() for name, teacher in self.teachers.items()},
            "log": self.log,
            "best": self.best,
        }
        unfinished = path.with_suffix(".partial")
        try:
            with writing(path, "The state that was saved before is good." if path.exists() else ""):
                torch.save(state, unfinished)
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def restore(self, path: Path, progress: ProgressCallback = no_progress) -> None:
        """Go on from a saved state.

        Raises:
            DataFileError: there is none, or it is of an earlier version, or of a run with other settings or data, or
                from another model, or measured on other sentences.
        """
        state = read_state(path)
        before, now = (flatten({**as_plain(TrainingSettings()), **s}) for s in (state["settings"], as_plain(self.settings)))
        changed = [
            f"{name} was {before.get(name)} and is now {now.get(name)}"
            for name in dict.fromkeys((*before, *now))
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise DataFileError(f"{path} is of a run with other settings: {'; '.join(changed)}.")
        if state["fingerprint"] != self.fingerprint:
            raise DataFileError(f"{path} is of a run with other sentences, or from another model.")
        if state["eval_fingerprint"] != self.eval_fingerprint:
            raise DataFileError(f"{path} is of a run that was measured on other sentences; its best weights are by those.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        for name, teacher in self.teachers.items():
            teacher.load_state_dict(state["teachers"][name])
        self.n_done, self.log, self.best = state["n_done"], state["log"], state["best"]
        if self.features is not None:  # computed again in the same batches, so that they are the same bit for bit
            for step in range(self.n_done):
                for task in self.tasks:
                    for _, _, examples in self._passes(task, step):
                        self.features(self.base, [example.window for example in examples])
                progress("computing hidden states again", step + 1, self.n_done)

    @cached_property
    def fingerprint(self) -> str:
        """Of what is learned, from which models: a SHA-256 in hexadecimal digits."""
        digest = hashlib.sha256(self._base_digest)
        for model in self.teachers["classes"].models if "classes" in self.teachers else ():
            digest.update(digest_of(model.weights))
        for task in self.tasks:
            for example in task.examples:
                digest.update(np.asarray([*example.window.input_ids, *example.window.token_type_ids]).tobytes())
                digest.update(np.asarray(example.target).tobytes())
        return digest.hexdigest()

    def current(self) -> LoadedModel:
        """The model as it is now, or its average where one is kept, saying which heads were trained."""
        return self._described(self.model if self.average is None else cast(MultiTaskModel, self.average.module))

    def finished(self) -> LoadedModel:
        """The model with the best weights that were measured, or the last where none were; adapters are merged."""
        self.model.load_state_dict(self.best["weights"] if self.best else self.current().model.state_dict())
        self.optimizer.zero_grad()
        merge_adapters(self.model)
        return self._described(self.model)

    def _described(self, model: MultiTaskModel) -> LoadedModel:
        model.eval()
        taught = self._trained_heads() if self.n_done else ()
        model.config.trained_heads = sorted({*model.config.trained_heads, *taught})
        info = replace(self.base.info, trained_heads=model.trained_heads, n_parameters=model.num_parameters())
        return replace(self.base, model=model, info=info)

    def _unfreeze(self) -> None:
        """Let train what the plan lets train by now."""
        now = self.settings.plan.freezing_at(self.freezing, self.n_done / self.settings.n_steps)
        if now != self._training_now:
            apply_freezing(self.model, now)
            self._training_now = now

    def _trained_heads(self) -> list[str]:
        """Heads that this run teaches something: they train, at some rate, by a loss that has a weight."""
        of_entities, of_classes = (task.weight if task.is_active else 0.0 for task in self.tasks)
        asked = loss_weight_by_head((of_entities, of_classes), self.teacher_weight)
        asked["output_layer"] *= self.model.config.output_names_classes
        rate = self.settings.plan.optimizer.learning_rate
        heads = [part for part in self.freezing.parts if not part.kind.in_backbone and part.n_trainable]
        return [part.name for part in heads if asked[part.name] and rate(part.name)]

    def _make_tasks(self, tagged: Sequence[TaggedSentence], labelled: Sequence[LabelledSentence]) -> tuple[Task, Task]:
        settings = self.settings
        max_length = min(settings.max_length, self.base.info.max_length)
        kinds: tuple[Sequence[EncodedExample], ...] = (
            tagged_examples(self.base, tagged, max_length),
            labelled_examples(self.base, labelled, max_length),
        )
        if not any(kinds):
            raise DataFileError("There is no sentence to learn from.")
        wanted = active_tasks(settings.task_weights, self.distillation_weight + self.teacher_weight)
        is_active = [is_wanted and len(kind) > 0 for is_wanted, kind in zip(wanted, kinds, strict=True)]
        sizes = sentences_per_task(settings.sentences_per_step, [len(kind) for kind in kinds], settings.mix, is_active)
        case_noise = settings.case_noise if self.model.config.casing else 0.0

        def task(number: int, offset: int, loss: Any) -> Task:
            kind, seed = kinds[number], settings.seed + number
            return Task(
                kind,
                BatchSampler([len(example.window.input_ids) for example in kind], sizes[number], seed),
                InputNoise(case_noise, settings.word_dropout, self.base.tokenizer.mask_token_id, seed),
                is_active[number],
                settings.task_weights[number],
                offset,
                loss,
            )

        with_output = self.model.config.output_names_classes
        of_classes = partial(class_loss, smoothing=settings.label_smoothing, with_output_layer=with_output)
        return task(0, 0, entity_loss), task(1, len(tagged), of_classes)

    def _distillation_terms(self) -> dict[str, DistillationTerm]:
        """By the field of `StepLosses` that it is told in."""
        rows = {}
        if self.features is not None:
            rows["drift"] = DistillationTerm(0.0, lambda *_: torch.zeros(()))
        elif self.distillation_weight:
            embeddings = self.teachers["embeddings"]
            rows["drift"] = DistillationTerm(
                self.distillation_weight,
                lambda output, indices: embedding_drift(output.sentence_embedding, embeddings[indices]),
            )
        if self.teacher_weight:
            classes = self.teachers["classes"]
            rows["disagreement"] = DistillationTerm(
                self.teacher_weight,
                lambda output, indices: class_disagreement(output.classification_logits, classes[indices]),
            )
        return rows

    def _backward(self, task: Task) -> tuple[Sequence[float | None], dict[str, float]]:
        """Add one task's gradients; its losses, and those of what its sentences are taught, where it is looked at."""
        if not task.is_active:
            return [None], {}
        batch = task.batches[self.n_done]
        n_targets = sum(task.examples[index].n_targets for index in batch)
        losses_in_all: Sequence[float] = ()
        taught_in_all = dict.fromkeys(self.taught, 0.0)
        for indices, windows, examples in self._passes(task, self.n_done):
            output = self._forward(windows, examples)
            share = sum(example.n_targets for example in examples) / n_targets
            losses = [loss * share for loss in task.loss(output, examples)]
            objective = torch.zeros(())
            for name, taught in self.taught.items():
                loss = taught.loss(output, indices) * (len(examples) / len(batch))
                objective = objective + taught.weight * loss / self.n_active_tasks  # the mean over tasks is weighted
                taught_in_all[name] += loss.item()
            if task.weight:  # a loss times 0 would give gradients of 0, and what has a gradient decays
                objective = objective + task.weight * torch.stack(losses).sum()
            if objective.requires_grad:  # not where the task's own head and all under it are frozen
                objective.backward()
            of_pass = [loss.item() for loss in losses]
            losses_in_all = [a + b for a, b in zip_longest(losses_in_all, of_pass, fillvalue=0.0)]
        return losses_in_all or [0.0], taught_in_all

    def _passes(self, task: Task, step: int) -> Iterator[tuple[list[int], list[Window], list[EncodedExample]]]:
        """The forward passes of a step: indices of sentences, their windows in disguise, and the sentences themselves.
        Those of which nothing can be read are left out."""
        if not task.is_active:
            return
        batch = task.batches[step]
        windows = task.noise([task.examples[index].window for index in batch], step)
        for rows in plan_batches([len(window.input_ids) for window in windows], self.settings.tokens_per_pass):
            examples = [task.examples[batch[row]] for row in rows]
            if any(example.n_targets for example in examples):
                yield [task.offset + batch[row] for row in rows], [windows[row] for row in rows], examples

    def _forward(self, windows: Sequence[Window], examples: Sequence[EncodedExample]) -> Any:
        """The model's output for windows in disguise, or for the examples as they are where hidden states are kept."""
        if self.features is not None:
            return self.model.apply_heads(*self.features(self.base, [example.window for example in examples]))
        return self.model(**self.base.pad(windows))


def _plan(base: LoadedModel, settings: TrainingSettings) -> FreezingPlan:
    parts = base.model.parts()
    segments = [p.name for part in parts for p in part.parameters if "token_type_embeddings" in p.name]
    return settings.plan.freezing_plan(parts, segments if _learns_casing(base, settings) else ())


def _learns_casing(base: LoadedModel, settings: TrainingSettings) -> bool:
    """Whether case is to be learned, the backbone can carry it, and something of it trains that can learn it."""
    parts = base.model.parts()
    trained = unfrozen_parts(parts, settings.plan.frozen)
    return (
        settings.casing
        and base.model.can_carry_case
        and any(part.kind.in_backbone and part.name in trained for part in parts)
    )


def _set_dropout(model: torch.nn.Module, dropout: float | None) -> None:
    """Change the dropout of the backbone for this run; the configuration keeps what it says."""
    for name, module in model.named_modules():
        if dropout is not None and name.startswith(BACKBONE) and isinstance(module, torch.nn.Dropout):
            module.p = dropout
