"""What would train, how, and at what cost: a request of the panel becomes one plan, and no model is touched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtdemo.config import EMBEDDED, PACKAGE_DIRECTORY
from mtdemo.errors import PlanError
from mtdemo.models.catalog import KnownModel, find_model
from mtdemo.models.parts import Parts
from mtdemo.planning.costs import Batch, StepCost, estimate_step, estimate_training_everything
from mtdemo.planning.freezing import FreezingPlan, plan_freezing, trainable_parts
from mtdemo.planning.optimizer import OptimizerPlan, OptimizerSettings, plan_optimizer
from mtdemo.planning.scenarios import ADAPTERS, find_scenario
from mtdemo.planning.script import write_script
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, TrainingPlan
from mtdemo.runtime import import_libraries, import_lock

MAX_SENTENCES, MAX_TOKENS = 1_024, 512  # of a planned step
_PROJECT = PACKAGE_DIRECTORY.parent


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What to plan.

    Attributes:
        backbone: an id of the catalogue.
        scenario: name or title of a scenario.
        n_frozen_layers: from 1 on, embeddings and that many lowest layers are frozen in addition to the scenario.
        n_frozen_last_layers: so many of the highest layers are frozen in addition.
        trainable_parts: exactly these parts train; None to follow the scenario, as with the three below.
        new_output_layer: whether a new linear layer over the sentence embedding is added.
        selection: what trains in the backbone's parts, `weights`, `biases` or `adapters`.
        gradual: whether the backbone's parts begin to train one after the other.
        adapters: what is added where the selection is `adapters`.
        optimizer: learning rates and weight decay.
        warmup_share: share of the steps in which the rates rise, 0 to 1.
        n_sentences, n_tokens: what a step reads, 1 to `MAX_SENTENCES` sentences of 1 to `MAX_TOKENS` word pieces.
    """

    backbone: str = EMBEDDED
    scenario: str = "train_everything"
    n_frozen_layers: int = 0
    n_frozen_last_layers: int = 0
    trainable_parts: tuple[str, ...] | None = None
    new_output_layer: bool | None = None
    selection: str | None = None
    gradual: bool | None = None
    adapters: AdapterSettings = field(default_factory=AdapterSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    warmup_share: float = WARMUP_SHARE
    n_sentences: int = 32
    n_tokens: int = 32


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What would train, how, and at what cost; nothing has been touched.

    Attributes:
        freezing: what trains, part by part.
        optimizer: the groups.
        cost: of one step.
        full_cost: of one step with nothing frozen.
        plan: the same as one thing that can be saved and given to the command line.
        script: the same as a PyTorch script.
    """

    freezing: FreezingPlan
    optimizer: OptimizerPlan
    cost: StepCost
    full_cost: StepCost
    plan: TrainingPlan
    script: str

    @property
    def starts(self) -> dict[str, float]:
        """From which share of the run on each part trains that trains at all, 0 to 1."""
        return self.plan.unfreeze_schedule(self.freezing)

    @property
    def operations_share(self) -> float:
        """Operations of a step relative to training everything, 0 to 1."""
        return self.cost.n_operations / self.full_cost.n_operations

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.freezing.as_dict(),
            **self.optimizer.as_dict(),
            "cost": self.cost.as_dict(),
            "cost_of_training_everything": self.full_cost.as_dict(),
            "plan": self.plan.as_dict(),
            "starts": self.starts,
        }


class Planner:
    """Plans over the parts of catalogued backbones, which are built without weights, once each.

    Args:
        checkpoint: the directory behind the embedded one.
    """

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = checkpoint

    def parts(self, backbone: str, new_output_layer: bool = False) -> Parts:
        """The parts of a catalogued backbone with its heads, without weights.

        Raises:
            PlanError: it is not in the catalogue.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        import_libraries()
        return _parts(find_model(backbone), self._checkpoint, bool(new_output_layer))

    def plan(self, request: PlanRequest) -> PlanReport:
        """Plan what trains and how, without touching any model.

        Raises:
            PlanError: an unknown backbone, scenario, part or target of adapters, or a number out of range.
        """
        plan = self._filled(request)
        known = find_model(request.backbone)
        freezing = self.freezing(known.id, plan)
        optimizer = plan_optimizer(freezing, plan.optimizer)
        batch = self._batch(request)
        return PlanReport(
            freezing,
            optimizer,
            estimate_step(freezing, batch),
            estimate_training_everything(freezing, batch),
            plan,
            write_script(known.id, self._checkpoint_from_here(), freezing, optimizer, plan),
        )

    def freezing(self, backbone: str, plan: TrainingPlan) -> FreezingPlan:
        """What a plan means for the parts of a catalogued backbone, with what it adds.

        Raises:
            PlanError: an unknown backbone, part or target of adapters.
        """
        import_libraries()
        adapters = plan.adapters if plan.selection == ADAPTERS else None
        return plan.freezing_plan(
            _parts(find_model(backbone), self._checkpoint, plan.new_output_layer, adapters, plan.frozen)
        )

    def _filled(self, request: PlanRequest) -> TrainingPlan:
        """The request with the gaps filled by its scenario."""
        scenario = find_scenario(request.scenario)
        has_output = scenario.new_output_layer if request.new_output_layer is None else request.new_output_layer
        parts = self.parts(request.backbone, has_output)
        trainable = request.trainable_parts
        if trainable is None:
            trainable = trainable_parts(parts, scenario, request.n_frozen_layers, request.n_frozen_last_layers)
        plan_freezing(parts, trainable)  # names an unknown part
        return TrainingPlan(
            tuple(part.name for part in parts if part.name not in trainable),
            request.optimizer,
            request.warmup_share,
            scenario.selection if request.selection is None else request.selection,
            request.adapters,
            scenario.gradual if request.gradual is None else request.gradual,
            has_output,
        )

    def _checkpoint_from_here(self) -> str:
        """The checkpoint's directory as a script at the top of the project names it."""
        path = Path(self._checkpoint)
        return str(path.relative_to(_PROJECT)) if path.is_relative_to(_PROJECT) else str(path)

    def _batch(self, request: PlanRequest) -> Batch:
        for name, value, most in (
            ("Sentences per step", request.n_sentences, MAX_SENTENCES),
            ("Word pieces per sentence", request.n_tokens, MAX_TOKENS),
        ):
            if not isinstance(value, int) or not 1 <= value <= most:
                raise PlanError(f"{name} must be a whole number from 1 to {most}, not {value}.")
        config = _config(find_model(request.backbone), self._checkpoint)
        return Batch(request.n_sentences, request.n_tokens, config.backbone.num_attention_heads)


def _config(known: KnownModel, checkpoint: str) -> Any:
    from transformers import BertConfig

    from mtdemo.models.checkpoints import read_config
    from mtdemo.models.configuration import MultiTaskConfig

    if known.id == EMBEDDED:
        return read_config(Path(checkpoint), checkpoint)
    return MultiTaskConfig(backbone=BertConfig(**dict[str, Any](known.shape)))


@lru_cache(maxsize=16)
def _parts(
    known: KnownModel,
    checkpoint: str,
    new_output_layer: bool,
    adapters: AdapterSettings | None = None,
    frozen: tuple[str, ...] = (),
) -> Parts:
    from mtdemo.planning.adapters import extended_parts

    plan = TrainingPlan(frozen, new_output_layer=new_output_layer)
    if adapters is not None:
        plan = replace(plan, selection=ADAPTERS, adapters=adapters)
    with import_lock:  # another kind of backbone is imported where it is first built
        return extended_parts(_config(known, checkpoint), plan)
