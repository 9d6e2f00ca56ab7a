"""Training of the shared backbone for all tasks at once, with the freezing plans and optimizer groups that the demo shows.

Every step takes sentences of both tasks by a stated rule, one forward pass each. The embeddings are kept by
distillation: the model as it was before training is the teacher, and 1 - cosine to its embedding of every training
sentence is a part of the loss. Other checkpoints may teach their classes so. Where the backbone is frozen
its hidden states are computed once and used again. Left out: how a run is prepared (`mtdemo.training.preparation`), saved
(`mtdemo.training.state`) and driven (`mtdemo.training.loop`), and the sets that it is measured on
(`mtdemo.evaluation.validation`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol, cast

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mtdemo.errors import TrainingError
from mtdemo.inference.hidden_state_cache import HiddenStateCache
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.adapters import merge_adapters
from mtdemo.planning.freezing import apply_freezing
from mtdemo.planning.optimizer import build_optimizer, plan_optimizer
from mtdemo.results import ProgressCallback, no_progress
from mtdemo.training.preparation import Prepared
from mtdemo.training.step_losses import StepLosses

_ADVICE = "A lower learning rate may help."


class Scores(Protocol):
    """Result of a measurement, with one number to choose by."""

    @property
    def selection_metric(self) -> float: ...

    @property
    def phrase(self) -> str: ...

    def as_dict(self) -> dict[str, Any]: ...


class Evaluator(Protocol):
    """A measurement of models on held-out sentences."""

    @property
    def fingerprint(self) -> str:
        """Digest of the sentences that are measured on.

        Scores of runs with the same can be compared.
        """
        ...

    def __call__(self, model: LoadedModel, /) -> Scores: ...


class Trainer:
    """One run: its steps change the prepared model's weights.

    Attributes:
        prepared: what it trains, and how.
        n_done: steps so far.
        model: as it is now, in training.
    """

    def __init__(self, prepared: Prepared) -> None:
        settings = prepared.settings
        self.n_done = 0
        self.model = prepared.loaded.model
        self.prepared = prepared
        self._trains_now = prepared.freezing
        self._optimizer = build_optimizer(self.model, plan_optimizer(prepared.freezing, settings.plan.optimizer))
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: settings.plan.lr_multiplier(step, settings.n_steps)
        )
        self._average = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging)) if settings.averaging else None
        )
        self._best: dict[str, Any] = {}
        self._unfreeze()

    @property
    def hidden_states(self) -> HiddenStateCache | None:
        """Hidden states of a frozen backbone; None where it trains."""
        return self.prepared.objective.hidden_states

    @property
    def learning_rates(self) -> dict[str, float]:
        """Learning rate of each block in the next step.

        It is 0 while the whole block is frozen.
        """
        rates: dict[str, float] = {}
        for group in self._optimizer.param_groups:
            trains = any(parameter.requires_grad for parameter in group["params"])
            rates[group["block"]] = max(rates.get(group["block"], 0.0), group["lr"] if trains else 0.0)
        return rates

    def step(self) -> StepLosses:
        """Take one step.

        Raises:
            TrainingError: a loss or a gradient is not a number; no weight was changed by this step.
        """
        self.model.train()
        self.model.backbone.train(self.hidden_states is None)
        self._optimizer.zero_grad()
        losses = self.prepared.objective.backward(self.n_done)
        if not all(math.isfinite(loss) for loss in losses.as_dict().values() if loss is not None):
            raise TrainingError(f"Step {self.n_done + 1} has a loss that is no number: {losses.phrase}. {_ADVICE}")
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not torch.nn.utils.clip_grad_norm_(trainable, self.prepared.settings.max_gradient_norm).isfinite():
            raise TrainingError(f"Step {self.n_done + 1} has gradients that are no numbers. {_ADVICE}")
        self._optimizer.step()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self.model)
        self.n_done += 1
        self._unfreeze()
        return losses

    def measure(self, evaluator: Evaluator) -> Scores:
        """Measure the model, and keep its weights if best.

        A score that is no number, such as a correlation of constants, chooses nothing.
        """
        now = self.current()
        scores = evaluator(now)
        metric = scores.selection_metric
        if math.isfinite(metric) and (not self._best or metric > self._best["selection_metric"]):
            weights = {name: tensor.clone() for name, tensor in now.model.state_dict().items()}
            self._best = {"selection_metric": metric, "step": self.n_done, "weights": weights}
        return scores

    def current(self) -> LoadedModel:
        """Return the model as it is, or its average."""
        return self._described(self.model if self._average is None else cast(MultiTaskModel, self._average.module))

    def finished(self) -> LoadedModel:
        """Return the model with its best weights.

        They are the last where none were measured. Adapters become part of the matrices that they adapt.
        """
        self.model.load_state_dict(self._best["weights"] if self._best else self.current().model.state_dict())
        self._optimizer.zero_grad()
        merge_adapters(self.model)
        return self._described(self.model)

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to go on from here."""
        return {
            "n_done": self.n_done,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": {"last_epoch": self._schedule.last_epoch},
            "average": self._average.state_dict() if self._average is not None else None,
            "random": torch.get_rng_state(),
            "teachers": {
                name: term.teacher.state_dict()
                for name, term in self.prepared.objective.terms.items()
                if term.teacher is not None
            },
            "best": self._best,
        }

    def load_state_dict(self, state: dict[str, Any], progress: ProgressCallback = no_progress) -> None:
        """Go on from the state of the same run."""
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.last_epoch = state["schedule"]["last_epoch"]
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        for name, term in self.prepared.objective.terms.items():
            if term.teacher is not None:
                term.teacher.load_state_dict(state["teachers"][name])
        self.n_done, self._best = state["n_done"], state["best"]
        self._unfreeze()
        self.prepared.objective.compute_hidden_states(self.n_done, progress)

    def _unfreeze(self) -> None:
        """Unfreeze what trains from the next step on.

        With gradual unfreezing of two layers, a run of 100 steps has four stages: the heads alone, from step 25 layer 1
        too, from step 50 layer 0, from step 75 the embeddings. The optimizer has all of them from the beginning; what has
        no gradient yet is left alone by it, and an average of the weights, which begins with the first step, averages
        equal values there.
        """
        prepared = self.prepared
        now = prepared.settings.plan.freezing_at(prepared.freezing, self.n_done / prepared.settings.n_steps)
        if now != self._trains_now:
            apply_freezing(self.model, now)
            self._trains_now = now

    def _described(self, model: MultiTaskModel) -> LoadedModel:
        """Return a model to be asked, with its trained heads."""
        model.eval()
        taught = self.prepared.taught_heads if self.n_done else ()
        model.config.trained_heads = sorted({*model.config.trained_heads, *taught})
        base = self.prepared.loaded
        info = replace(base.info, trained_heads=model.trained_heads, n_parameters=model.num_parameters())
        return replace(base, model=model, info=info)
