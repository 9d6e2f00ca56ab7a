"""Training plans: what is frozen, which part learns at which rate, how the rates run, as one record that can be saved.

The page and the command line make the same plans; as JSON a plan travels between them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtdemo.errors import DataFileError, PlanError, UnknownNameError
from mtdemo.files import read_text
from mtdemo.models.parts import HEAD_NAMES, HEADS, LEARNED_TASKS, Parts, part_title
from mtdemo.planning.freezing import FreezingPlan, plan_freezing, unfrozen_parts
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.scenarios import BACKBONE, WEIGHTS, find_selection

WARMUP_SHARE = 0.06
MAX_RANK, MAX_ALPHA = 256, 1024
_RATED = (BACKBONE, *HEAD_NAMES)


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """Settings of low-rank adapters (LoRA).

    Beside a frozen matrix W stands B·A of a small rank, scaled by alpha / rank, and B begins as 0. Hu et al. 2022,
    https://arxiv.org/abs/2106.09685.

    Attributes:
        rank: 1 to `MAX_RANK`.
        alpha: 1 to `MAX_ALPHA`.
        targets: names of the linear layers in each layer of the backbone that get one; of a BERT `query`, `key`, `value`
            and `dense`, which is the name of three.

    Raises:
        PlanError: a number out of its range, or no target.
    """

    rank: int = 8
    alpha: int = 16
    targets: tuple[str, ...] = ("query", "value")

    def __post_init__(self) -> None:
        if not isinstance(self.rank, int) or isinstance(self.rank, bool) or not 1 <= self.rank <= MAX_RANK:
            words = f"The rank of the adapters must be a whole number from 1 to {MAX_RANK}, not {self.rank}."
            raise PlanError(words, "rank")
        if not isinstance(self.alpha, int) or isinstance(self.alpha, bool) or not 1 <= self.alpha <= MAX_ALPHA:
            words = f"The alpha of the adapters must be a whole number from 1 to {MAX_ALPHA}, not {self.alpha}."
            raise PlanError(words, "alpha")
        if not self.targets or not all(isinstance(target, str) for target in self.targets):
            words = f"not {self.targets!r}" if self.targets else "and none is chosen"
            raise PlanError(f"The adapters need the names of the linear layers that get one, {words}.", "targets")


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """A plan of training: what trains, and how fast.

    Attributes:
        frozen: names of the parts that do not train; `backbone` means all of it.
        optimizer: learning rates, layer-wise decay and weight decay.
        warmup_share: share of the steps in which the rates rise, 0 to 1; they fall linearly to 0 afterwards.
        selection: what trains in those parts of the backbone that do, by the name of a
            `mtdemo.planning.scenarios.Selection`.
        adapters: what is added to the layers that train where the selection is `adapters`.
        gradual: whether the backbone's parts begin to train one after the other, the last layer first.
        new_output_layer: whether a linear layer of the classes over the sentence embedding is added and trained.

    Raises:
        PlanError: a number out of its range.
        UnknownNameError: an unknown selection.
    """

    frozen: tuple[str, ...] = ()
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    warmup_share: float = WARMUP_SHARE
    selection: str = WEIGHTS
    adapters: AdapterSettings = field(default_factory=AdapterSettings)
    gradual: bool = False
    new_output_layer: bool = False

    def __post_init__(self) -> None:
        if not _is_number(self.warmup_share) or not 0.0 <= self.warmup_share <= 1.0:
            raise PlanError(f"The share of warm-up must be a number from 0 to 1, not {self.warmup_share}.", "warmup_share")
        find_selection(self.selection)
        for name, value in (("gradual", self.gradual), ("new_output_layer", self.new_output_layer)):
            if not isinstance(value, bool):
                raise PlanError(f"{name} is true or false, not {value!r}.")

    def freezing_plan(self, parts: Parts, parameters: Collection[str] = ()) -> FreezingPlan:
        """Plan the freezing of a model's parts.

        Args:
            parts: the model's declaration, with what the plan adds.
            parameters: full names of single parameters that train in addition.

        Raises:
            UnknownNameError: a name that is no part of this model.
            PlanError: the selection reaches no parameter of the backbone, though some part of it is to train.
        """
        unfrozen = unfrozen_parts(parts, self.frozen)
        _check_reach(plan_freezing(parts, unfrozen, self.selection), unfrozen, self.selection)
        return plan_freezing(parts, unfrozen, self.selection, parameters)

    def unfreeze_schedule(self, freezing: FreezingPlan) -> dict[str, float]:
        """Return when each trainable part begins to train.

        Gradual unfreezing is that of Howard & Ruder 2018 (https://arxiv.org/abs/1801.06146), with equal shares of the run
        in the place of their epochs: the heads begin alone, then comes the last layer, and the embeddings come last. Where
        no head trains the last layer begins. With two layers and a head there are four stages:

            embeddings, layer_0, layer_1, ner_head -> 0.75, 0.5, 0.25, 0.0

        Args:
            freezing: this plan over a model's parts.

        Returns:
            Share of the run, 0 to 1, by name of the part; all 0 where unfreezing is not gradual.
        """
        trained = [part for part in freezing.parts if part.n_trainable]
        starts = {part.name: 0.0 for part in trained}
        if self.gradual:
            from_top = [part.name for part in trained if part.kind.in_backbone][::-1]
            has_heads = len(trained) > len(from_top)
            n_stages = len(from_top) + has_heads  # the heads, where they train, are the first stage
            starts |= {name: stage / n_stages for stage, name in enumerate(from_top, start=int(has_heads))}
        return starts

    def freezing_at(self, freezing: FreezingPlan, share_done: float) -> FreezingPlan:
        """Return the freezing plan at a point of the run.

        Args:
            freezing: this plan over a model's parts.
            share_done: of the run, 0 to 1.
        """
        if not self.gradual:
            return freezing
        return freezing.limited_to(
            [name for name, start in self.unfreeze_schedule(freezing).items() if start <= share_done]
        )

    def lr_multiplier(self, step: int, n_steps: int) -> float:
        """Return the factor of all learning rates in a step.

        It rises to 1 and falls, both linearly, and no step has 0: ten steps with a warm-up of 0.2 have

            0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125

        Args:
            step: from 0 to n_steps - 1.
            n_steps: of the run.
        """
        n_warmup = max(1, round(self.warmup_share * n_steps))
        return min((step + 1) / n_warmup, (n_steps - step) / max(1, n_steps - n_warmup))

    def as_dict(self) -> dict[str, Any]:
        rates = {BACKBONE: self.optimizer.backbone_learning_rate, **self.optimizer.head_learning_rates}
        return {
            "frozen": list(self.frozen),
            "learning_rates": rates,
            "layer_decay": self.optimizer.layer_decay,
            "weight_decay": self.optimizer.weight_decay,
            "warmup_share": self.warmup_share,
            "selection": self.selection,
            "adapters": {**asdict(self.adapters), "targets": list(self.adapters.targets)},
            "gradual": self.gradual,
            "new_output_layer": self.new_output_layer,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingPlan:
        """Make a plan of what `as_dict` gives.

        What is left out has its default.

        Raises:
            PlanError: an unknown field, or a value of the wrong kind.
            UnknownNameError: an unknown selection, or a rate of what is neither the backbone nor a head.
        """
        if not isinstance(values, Mapping):
            raise PlanError("A plan is a JSON object.")
        known = list(cls().as_dict())
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise PlanError(f"A plan has no field {unknown[0]!r}; its fields are {', '.join(known)}.")
        given = {**cls().as_dict(), **values}
        frozen, rates = given["frozen"], given["learning_rates"]
        if not isinstance(frozen, list) or not all(isinstance(name, str) for name in frozen):
            raise PlanError(f"frozen is a list of names of parts, not {frozen!r}.")
        if not isinstance(rates, Mapping) or not all(map(_is_number, rates.values())):
            raise PlanError(f"learning_rates gives a number for the backbone or a head, not {rates!r}.")
        if set(rates) - set(_RATED):
            raise UnknownNameError(f"learning_rates knows {', '.join(_RATED)}, not {min(set(rates) - set(_RATED))!r}.")
        of_heads = {name: rate for name, rate in rates.items() if name != BACKBONE}
        of_backbone = rates.get(BACKBONE, OptimizerSettings().backbone_learning_rate)
        optimizer = OptimizerSettings(of_backbone, of_heads, given["weight_decay"], given["layer_decay"])
        others = (given[name] for name in ("gradual", "new_output_layer"))
        return cls(
            tuple(frozen), optimizer, given["warmup_share"], given["selection"], _adapters(given["adapters"]), *others
        )


def read_plan(path: Path, name: str | None = None) -> TrainingPlan:
    """Read a plan from a JSON file.

    Args:
        path: of the file.
        name: what messages call it; its path by default.

    Raises:
        DataFileError: the file cannot be read, or is no JSON.
        PlanError, UnknownNameError: what it says is no plan.
    """
    try:
        values = json.loads(read_text(path, name))
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"{name or path} is not JSON: {error}.") from error
    try:
        return TrainingPlan.from_dict(values)
    except (PlanError, UnknownNameError) as error:
        raise type(error)(f"{name or path}: {error}") from error


def loss_weight_by_head(task_weights: tuple[float, float], teacher_weight: float = 0.0) -> dict[str, float]:
    """Sum the weights of the losses that teach each head.

    Args:
        task_weights: of the losses of entities and classes.
        teacher_weight: of what other models teach the classification head; 0 where there are none.

    Returns:
        By name of the head, 0 for one that learns nothing.
    """
    of_tasks = {task.title: weight for task, weight in zip(LEARNED_TASKS, task_weights, strict=True)}
    asked = {head.name: of_tasks[head.task] for head in HEADS}
    return {**asked, "classification_head": asked["classification_head"] + teacher_weight}


def _check_reach(freezing: FreezingPlan, unfrozen: Collection[str], selection: str) -> None:
    """Refuse a selection that selects nothing in the backbone.

    Adapters stand beside the linear layers of a backbone's layers: there are none where its layers are frozen, or where it
    has one layer that it repeats (ALBERT). Biases may be lacking altogether (ModernBERT).

    Args:
        freezing: the plan, without single parameters that train in addition.
        unfrozen: names of the parts that are to train.
        selection: what of them is.

    Raises:
        PlanError: parts of the backbone are to train, but no parameter of theirs does.
    """
    chosen = [part.name for part in freezing.parts if part.kind.in_backbone and part.name in unfrozen]
    if chosen and freezing.backbone_state == "none":
        parts = "the backbone" if len(chosen) > 1 else f"the {part_title(chosen[0])}"
        raise PlanError(
            f'No parameter of {parts} is selected by "{find_selection(selection).title}", so nothing of the backbone would '
            "train. Choose all weights or other parts, or freeze the backbone."
        )


def _adapters(values: Any) -> AdapterSettings:
    known = asdict(AdapterSettings())
    if not isinstance(values, Mapping) or set(values) - set(known):
        raise PlanError(f"adapters gives {', '.join(known)}, not {values!r}.")
    given = {**known, **values}
    if not isinstance(given["targets"], (list, tuple)):
        raise PlanError(f"The targets of the adapters are a list of names, not {given['targets']!r}.")
    return AdapterSettings(given["rank"], given["alpha"], tuple(given["targets"]))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
