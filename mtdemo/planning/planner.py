"""Plans for catalogued backbones: a request becomes what would train, how, and at what cost.

No model is touched and no weight is read: a backbone's parts are declared by a model without weights, once for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mtdemo.config import EMBEDDED, PACKAGE_DIRECTORY
from mtdemo.errors import MtdemoError, PlanError
from mtdemo.models.catalog import find_model
from mtdemo.models.parts import HEAD_NAMES, PartKind, Parts
from mtdemo.planning.changes import changed_rates, describe_changes
from mtdemo.planning.costs import Batch, StepCost, estimate_step, estimate_training_everything
from mtdemo.planning.freezing import FreezingPlan, check_part_names, trainable_parts, unfrozen_parts
from mtdemo.planning.optimizer import OptimizerPlan, OptimizerSettings, plan_optimizer
from mtdemo.planning.scenarios import ADAPTERS, Scenario, StartingRates, find_scenario, starting_rates
from mtdemo.planning.script import write_script
from mtdemo.planning.training_plan import WARMUP_SHARE, AdapterSettings, TrainingPlan
from mtdemo.runtime import import_libraries, import_lock

MAX_PLANNED_SENTENCES, MAX_PLANNED_TOKENS = 1_024, 512  # of a planned step
_PROJECT = PACKAGE_DIRECTORY.parent


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A scenario, and what is changed of it.

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
        optimizer: learning rates and weight decay; None for those that the scenario begins with on this backbone.
        warmup_share: share of the steps in which the rates rise, 0 to 1.
        n_sentences, n_tokens: what a step reads, 1 to `MAX_PLANNED_SENTENCES` sentences of 1 to `MAX_PLANNED_TOKENS` word
            pieces.
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
    optimizer: OptimizerSettings | None = None
    warmup_share: float = WARMUP_SHARE
    n_sentences: int = 32
    n_tokens: int = 32


@dataclass(frozen=True, slots=True)
class PlanReport:
    """A plan and all that is known of it.

    Attributes:
        freezing: what trains, part by part.
        optimizer: the groups.
        cost: of one step.
        full_cost: of one step with nothing frozen.
        plan: the same as one thing that can be saved and given to the command line.
        script: the same as a PyTorch script.
        scenario_plan: what the scenario plans by itself.
        starting_rates: the rates in it, and why.
        notes: those of the warnings that are true of the scenario as it is, whatever is changed of it.
    """

    freezing: FreezingPlan
    optimizer: OptimizerPlan
    cost: StepCost
    full_cost: StepCost
    plan: TrainingPlan
    script: str
    scenario_plan: TrainingPlan
    starting_rates: StartingRates
    notes: tuple[str, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of what is changed of the scenario."""
        return tuple(warning for warning in self.optimizer.warnings if warning not in self.notes)

    @property
    def changes(self) -> tuple[str, ...]:
        """Differences from the scenario, in words."""
        return describe_changes(self.scenario_plan, self.plan)

    @property
    def starts(self) -> dict[str, float]:
        """Start of each part, as a share (0 to 1)."""
        return self.plan.unfreeze_schedule(self.freezing)

    @property
    def operations_share(self) -> float:
        """Operations relative to those of training everything, 0 to 1."""
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
    """Plans over the parts of catalogued backbones.

    Every method may be called from any thread.

    Args:
        checkpoint: the directory behind the embedded one.
    """

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = checkpoint

    def parts(self, backbone: str, new_output_layer: bool = False) -> Parts:
        """Declare the parts of a catalogued backbone with its heads.

        Raises:
            UnknownNameError: it is not in the catalogue.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        import_libraries()
        return _declare_parts(find_model(backbone).id, self._checkpoint, bool(new_output_layer))

    def freezing(self, backbone: str, plan: TrainingPlan) -> FreezingPlan:
        """Plan the freezing of a catalogued backbone.

        Its parts are declared with what the plan adds.

        Raises:
            UnknownNameError: an unknown backbone, part or target of adapters.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        import_libraries()
        of_model = (find_model(backbone).id, self._checkpoint, plan.new_output_layer)
        parts = _declare_parts(*of_model)
        if plan.selection == ADAPTERS:
            trained = unfrozen_parts(parts, plan.frozen)
            layers = [part.name for part in parts if part.kind is PartKind.LAYER and part.name in trained]
            adapted = {part.name: part for part in _declare_parts(*of_model, plan.adapters)} if layers else {}
            parts = tuple(adapted[part.name] if part.name in layers else part for part in parts)  # frozen layers get none
        return plan.freezing_plan(parts)

    def scenario_plan(self, backbone: str, scenario: str) -> TrainingPlan:
        """Plan what a scenario says of a backbone, rates included.

        Raises:
            UnknownNameError: an unknown backbone or scenario.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        return self._resolve(PlanRequest(backbone, scenario), find_scenario(scenario))

    def plan(self, request: PlanRequest) -> PlanReport:
        """Plan what trains, how, and at what cost.

        Raises:
            UnknownNameError: an unknown backbone, scenario, part or target of adapters.
            PlanError: a number out of range.
            CheckpointError: it is the embedded one, and its config.json cannot be read.
        """
        own = self.scenario_plan(request.backbone, request.scenario)
        plan = self._resolve(request, find_scenario(request.scenario))
        freezing = self.freezing(request.backbone, plan)
        optimizer = plan_optimizer(freezing, plan.optimizer, changed_rates(own, plan))
        batch = self._batch(request)
        return PlanReport(
            freezing,
            optimizer,
            estimate_step(freezing, batch),
            estimate_training_everything(freezing, batch),
            plan,
            write_script(request.backbone, self._checkpoint_from_here(), freezing, optimizer, plan),
            own,
            self._starting_rates(request.backbone, find_scenario(request.scenario)),
            self._notes(request.backbone, own),
        )

    def _resolve(self, request: PlanRequest, scenario: Scenario) -> TrainingPlan:
        """Fill what the request leaves open from its scenario."""
        has_output = scenario.new_output_layer if request.new_output_layer is None else request.new_output_layer
        parts = self.parts(request.backbone, has_output)
        trainable = request.trainable_parts
        if trainable is None:
            trainable = trainable_parts(parts, scenario, request.n_frozen_layers, request.n_frozen_last_layers)
        check_part_names(parts, trainable)
        rates = self._starting_rates(request.backbone, scenario)
        return TrainingPlan(
            frozen=tuple(part.name for part in parts if part.name not in trainable),
            optimizer=request.optimizer or OptimizerSettings(rates.backbone, dict.fromkeys(HEAD_NAMES, rates.heads)),
            warmup_share=request.warmup_share,
            selection=scenario.selection if request.selection is None else request.selection,
            adapters=request.adapters,
            gradual=scenario.gradual if request.gradual is None else request.gradual,
            new_output_layer=has_output,
        )

    def _starting_rates(self, backbone: str, scenario: Scenario) -> StartingRates:
        return starting_rates(scenario, _read_config(backbone, self._checkpoint).backbone.hidden_size)

    def _notes(self, backbone: str, own: TrainingPlan) -> tuple[str, ...]:
        """Warn of what a scenario does by itself.

        Where it cannot be planned for this backbone, such as adapters in an ALBERT, a change by hand may be planned.
        """
        try:
            return plan_optimizer(self.freezing(backbone, own), own.optimizer, ()).warnings
        except MtdemoError:
            return ()

    def _checkpoint_from_here(self) -> str:
        """Name the checkpoint relative to the top of the project."""
        path = Path(self._checkpoint)
        return str(path.relative_to(_PROJECT)) if path.is_relative_to(_PROJECT) else str(path)

    def _batch(self, request: PlanRequest) -> Batch:
        for field_, name, value, most in (
            ("n_sentences", "Sentences per step", request.n_sentences, MAX_PLANNED_SENTENCES),
            ("n_tokens", "Word pieces per sentence", request.n_tokens, MAX_PLANNED_TOKENS),
        ):
            if not isinstance(value, int) or not 1 <= value <= most:
                raise PlanError(f"{name} must be a whole number from 1 to {most}, not {value}.", field_)
        config = _read_config(request.backbone, self._checkpoint)
        return Batch(request.n_sentences, request.n_tokens, config.backbone.num_attention_heads)


@lru_cache(maxsize=16)
def _read_config(backbone: str, checkpoint: str) -> Any:
    """Read the configuration of a backbone, which nobody changes."""
    from transformers import BertConfig

    from mtdemo.models.checkpoints import read_config
    from mtdemo.models.configuration import MultiTaskConfig

    if backbone == EMBEDDED:
        return read_config(Path(checkpoint), checkpoint)
    return MultiTaskConfig(backbone=BertConfig(**dict[str, Any](find_model(backbone).shape)))


@lru_cache(maxsize=16)
def _declare_parts(
    backbone: str, checkpoint: str, new_output_layer: bool, adapters: AdapterSettings | None = None
) -> Parts:
    """Declare the parts of a backbone with additions.

    Adapters are in every layer. To build the model of which they are read off takes a tenth of a second for BERT-large, and
    more with adapters.
    """
    from mtdemo.planning.adapters import extended_parts

    added = TrainingPlan(new_output_layer=new_output_layer)
    if adapters is not None:
        added = TrainingPlan(selection=ADAPTERS, adapters=adapters, new_output_layer=new_output_layer)
    with import_lock:  # another kind of backbone is imported where it is first built
        return extended_parts(_read_config(backbone, checkpoint), added)
