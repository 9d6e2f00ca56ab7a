"""Losses of a training step, as plain data that the log, the page and the command line show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class StepLosses:
    """Losses of one step, or their means over several.

    None for what was not computed, such as a task without weight.

    Attributes:
        entities: of the entity head.
        classes: of the classification head.
        new_output_layer: of a new output layer, on the same classes.
        disagreement: with what teachers say of the classes.
        drift: of the sentence embeddings.
    """

    entities: float | None = None
    classes: float | None = None
    new_output_layer: float | None = None
    disagreement: float | None = None
    drift: float | None = None

    @property
    def phrase(self) -> str:
        digits = {"drift": 4}
        named = ((name.replace("_", " "), value, digits.get(name, 3)) for name, value in self.as_dict().items())
        return ", ".join(f"{name} {value:.{digits}f}" for name, value, digits in named if value is not None)

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)

    @classmethod
    def mean(cls, of_steps: Sequence[StepLosses]) -> StepLosses:
        """Average each loss over the steps that have it."""
        columns = zip(*(astuple(losses) for losses in of_steps), strict=True)
        known = ([value for value in column if value is not None] for column in columns)
        return cls(*(float(np.mean(values)) if values else None for values in known))
