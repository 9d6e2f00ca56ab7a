"""A training plan as one thing that can be saved: what is frozen, who learns at which rate, how the rates run.

The page and the command line make the same plans; as JSON a plan travels between them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtdemo.errors import DataFileError, PlanError
from mtdemo.freezing import BACKBONE
from mtdemo.optim import OptimizerSettings

WARMUP_SHARE = 0.06


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What trains, and how fast.

    Attributes:
        frozen: names of the parts that do not train; `backbone` means all of it.
        optimizer: learning rates, layer-wise decay and weight decay.
        warmup_share: share of the steps in which the rates rise, 0 to 1; they fall linearly to 0 afterwards.

    Raises:
        PlanError: a number out of its range.
    """

    frozen: tuple[str, ...] = ()
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    warmup_share: float = WARMUP_SHARE

    def __post_init__(self) -> None:
        if not _is_number(self.warmup_share) or not 0.0 <= self.warmup_share <= 1.0:
            raise PlanError(f"The share of warm-up must be a number from 0 to 1, not {self.warmup_share}.")

    def rate_factor(self, step: int, n_steps: int) -> float:
        """What all rates are multiplied by in a step, 0 to 1; steps count from 0."""
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
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingPlan:
        """Make a plan of what `as_dict` gives; what is left out has its default.

        Raises:
            PlanError: an unknown field, or a value of the wrong kind.
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
        of_heads = {name: float(rate) for name, rate in rates.items() if name != BACKBONE}
        of_backbone = rates.get(BACKBONE, OptimizerSettings().backbone_learning_rate)
        optimizer = OptimizerSettings(of_backbone, of_heads, given["weight_decay"], given["layer_decay"])
        return cls(tuple(frozen), optimizer, given["warmup_share"])


def read_plan(path: Path) -> TrainingPlan:
    """Read a plan from a JSON file.

    Raises:
        DataFileError: the file cannot be read, or is no JSON.
        PlanError: what it says is no plan.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DataFileError(f"{path} is not JSON: {error}.") from error
    return TrainingPlan.from_dict(values)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
