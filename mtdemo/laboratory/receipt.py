"""Freeze receipts: what a plan asked to be frozen, what was frozen, and what one step changed.

Freezing that silently did not freeze is a fault that training libraries had more than once: a name that matched nothing, a
flag that was set and then overwritten, an optimizer that went on decaying. So each run of the laboratory counts and
compares after its first step, and refuses to go on where the plan was not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mtdemo.errors import TrainingError
from mtdemo.models.parts import part_title
from mtdemo.planning.freezing import FreezingPlan

if TYPE_CHECKING:
    from torch import Tensor

    from mtdemo.models.multitask import MultiTaskModel


@dataclass(frozen=True, slots=True)
class PartReceipt:
    """Freezing of one part, as asked and as done.

    Attributes:
        name: of the part.
        n_parameters: in it, adapters included.
        n_asked: those that the plan freezes in the first step.
        n_frozen: those that take no gradient in the model.
        largest_change: of any weight of the part in the first step, absolute; exactly 0 where nothing moved.
        largest_frozen_change: the same over the weights that are to be frozen.
    """

    name: str
    n_parameters: int
    n_asked: int
    n_frozen: int
    largest_change: float
    largest_frozen_change: float

    @property
    def is_kept(self) -> bool:
        """True where exactly what was asked is frozen."""
        return self.n_asked == self.n_frozen and self.largest_frozen_change == 0.0


@dataclass(frozen=True, slots=True)
class FreezeReceipt:
    """Freezing of a model after one step, lowest part first."""

    parts: tuple[PartReceipt, ...]

    @property
    def n_asked(self) -> int:
        """Parameters that were to be frozen."""
        return sum(part.n_asked for part in self.parts)

    @property
    def n_frozen(self) -> int:
        """Parameters that were."""
        return sum(part.n_frozen for part in self.parts)

    def check(self) -> None:
        """Make sure that the plan was kept.

        Raises:
            TrainingError: another number of parameters was frozen than asked, or a frozen weight changed.
        """
        for part in self.parts:
            if not part.is_kept:
                raise TrainingError(
                    f"The plan was not kept in the {part_title(part.name)}: {part.n_asked:,} of its parameters were to be "
                    f"frozen, {part.n_frozen:,} were, and one of those moved by {part.largest_frozen_change:.1e}. This is "
                    "a fault of the program; nothing that such a run shows can be trusted."
                )

    def as_dict(self) -> list[dict[str, Any]]:
        return [asdict(part) for part in self.parts]


def copy_weights(model: MultiTaskModel) -> dict[str, Tensor]:
    """Copy all parameters by name, with their `requires_grad`."""
    return {
        name: parameter.detach().clone().requires_grad_(parameter.requires_grad)
        for name, parameter in model.named_parameters()
    }


def write_receipt(before: Mapping[str, Tensor], model: MultiTaskModel, asked: FreezingPlan) -> FreezeReceipt:
    """Compare a model after a step with the plan.

    Args:
        before: its weights as `copy_weights` gives them, before the step.
        model: the same model after it; more of it may train from the next step on.
        asked: what was to train in that step.
    """
    now = dict(model.named_parameters())
    receipts = []
    for part in asked.parts:
        trainable = {parameter.name for parameter in part.trainable}
        names = [parameter.name for parameter in part.part.parameters]
        changes = {name: float((now[name] - before[name]).detach().abs().max()) for name in names if now[name].numel()}
        receipts.append(
            PartReceipt(
                part.name,
                part.n_parameters,
                part.n_frozen,
                sum(now[name].numel() for name in names if not before[name].requires_grad),
                max(changes.values(), default=0.0),
                max((change for name, change in changes.items() if name not in trainable), default=0.0),
            )
        )
    return FreezeReceipt(tuple(receipts))
