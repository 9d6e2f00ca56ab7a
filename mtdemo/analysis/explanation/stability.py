"""How steady the answers are: over harmless variants of a sentence, and over other names and places in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtdemo.analysis.explanation.change import Change
from mtdemo.analysis.explanation.variants import Variant
from mtdemo.results import SentenceAnalysis


@dataclass(frozen=True, slots=True)
class Outcome:
    """A variant and what it changed."""

    variant: Variant
    change: Change

    def as_dict(self) -> dict[str, Any]:
        change = self.change
        return {
            "kind": self.variant.kind,
            "note": self.variant.note,
            "text": self.variant.text,
            "cosine": change.cosine,
            "label": change.after.label,
            "probability": change.after.probabilities[change.before.label],
            "changes_class": change.changes_class,
            "changes_entities": change.changes_entities,
            "entities": [entity.as_dict() for entity in change.after.entities],
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over variants of one kind.

    Attributes:
        kind: of the variants.
        n_variants: of this kind.
        n_classes: of them that change the class.
        n_entities: of them that change an entity.
        mean_cosine: to the sentence itself, -1 to 1.
        lowest_cosine: the same of the variant farthest off.
        mean_probability: of the class of the sentence itself, 0 to 1.
    """

    kind: str
    n_variants: int
    n_classes: int
    n_entities: int
    mean_cosine: float
    lowest_cosine: float
    mean_probability: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "n_variants": self.n_variants,
            "n_classes": self.n_classes,
            "n_entities": self.n_entities,
            "mean_cosine": self.mean_cosine,
            "lowest_cosine": self.lowest_cosine,
            "mean_probability": self.mean_probability,
        }


@dataclass(frozen=True, slots=True)
class Stability:
    """Changes that variants of a sentence make.

    Attributes:
        analysis: of the sentence itself.
        outcomes: those that should change nothing.
        opposite: one that should change the answer; None where none was asked for.
    """

    analysis: SentenceAnalysis
    outcomes: tuple[Outcome, ...]
    opposite: Outcome | None = None

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Counts by kind, in the order of the variants."""
        kinds = dict.fromkeys(outcome.variant.kind for outcome in self.outcomes)
        return tuple(_tally(kind, [one for one in self.outcomes if one.variant.kind == kind]) for kind in kinds)

    @property
    def total(self) -> Tally:
        """Counts over all variants that should change nothing."""
        return _tally("all", self.outcomes)

    @property
    def ranked(self) -> list[Outcome]:
        """The outcomes, those that change most first."""
        return sorted(
            self.outcomes,
            key=lambda one: (-one.change.changes_class - one.change.changes_entities, one.change.cosine),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "text": self.analysis.text,
            "label": self.analysis.label,
            "entities": [entity.as_dict() for entity in self.analysis.entities],
            "total": self.total.as_dict(),
            "kinds": [tally.as_dict() for tally in self.tallies],
            "variants": [outcome.as_dict() for outcome in self.ranked],
            "opposite": self.opposite.as_dict() if self.opposite else None,
        }


def _tally(kind: str, outcomes: Sequence[Outcome]) -> Tally:
    changes = [outcome.change for outcome in outcomes]
    cosines = [change.cosine for change in changes] or [1.0]
    probabilities = [change.after.probabilities[change.before.label] for change in changes] or [0.0]
    return Tally(
        kind,
        len(changes),
        sum(change.changes_class for change in changes),
        sum(change.changes_entities for change in changes),
        float(np.mean(cosines)),
        min(cosines),
        float(np.mean(probabilities)),
    )
