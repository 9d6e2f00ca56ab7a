"""Questions that the laboratory answers by experiment: a table of arms, and a rule for each verdict.

To add a question, add a row to `QUESTIONS`. Its arms are plans, cheap ones first; its rule turns what the arms did on the
held-out sentences into words that are never stronger than the intervals (`mtdemo.laboratory.verdict`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mtdemo.errors import UnknownNameError
from mtdemo.laboratory.outcome import Outcome
from mtdemo.laboratory.verdict import (
    ArmResult,
    Verdict,
    compare_both_tasks,
    find_enough,
    judge_protection,
    judge_sharing,
)
from mtdemo.models.parts import HEAD_NAMES
from mtdemo.planning.optimizer import OptimizerSettings
from mtdemo.planning.scenarios import ADAPTERS, BACKBONE, BIASES, WEIGHTS
from mtdemo.planning.training_plan import TrainingPlan

_RATE, _HEAD_RATE = 2e-4, 1e-3  # that move the embedded model's scores in so few steps
_BIAS_RATE, _ADAPTER_RATE = 5e-3, 3e-3  # there are few of them, so each must move far
BOTH, CLASSES, ENTITIES = (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)  # weights of the losses of entities and classes


@dataclass(frozen=True, slots=True)
class Arm:
    """One plan of an experiment.

    Attributes:
        title: what it tries, in a few words.
        frozen: names of parts; `backbone` means all of it.
        n_last_layers: of the backbone that train, all below being frozen; None for what `frozen` says.
        selection: what trains in the backbone's parts.
        rate: of the backbone.
        task_weights: of the losses of entities and classes.
        sentences_per_step: of both tasks together.
    """

    title: str
    frozen: tuple[str, ...] = ()
    n_last_layers: int | None = None
    selection: str = WEIGHTS
    rate: float = _RATE
    task_weights: tuple[float, float] = BOTH
    sentences_per_step: int = 16

    def plan(self, n_layers: int) -> TrainingPlan:
        """Make the plan for a backbone of so many layers."""
        frozen = self.frozen
        if self.n_last_layers is not None:
            frozen = ("embeddings", *(f"layer_{index}" for index in range(n_layers - self.n_last_layers)))
        rates = OptimizerSettings(self.rate, dict.fromkeys(HEAD_NAMES, _HEAD_RATE))
        return TrainingPlan(frozen, rates, selection=self.selection)

    def settings(self, n_steps: int) -> dict[str, Any]:
        """Return fields of `ExperimentSettings` but for the plan."""
        return {
            "n_steps": n_steps,
            "sentences_per_step": self.sentences_per_step,
            "task_weights": self.task_weights,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the arms that answer it, and the rule.

    Attributes:
        name: as messages and JSON call it.
        title: the question.
        about: why one asks, in a sentence.
        arms: cheap ones first.
        judge: makes the verdict of all arms' results, in order.
        shown: place of the arm whose changed sentences are listed.
        n_steps: of each arm.
        seconds: of work of one core for all arms together with the embedded model, about; two quiet cores take less.
    """

    name: str
    title: str
    about: str
    arms: tuple[Arm, ...]
    judge: Callable[[Sequence[ArmResult]], Verdict]
    shown: int
    n_steps: int
    seconds: int

    def arms_for(self, n_layers: int) -> tuple[Arm, ...]:
        """Return the arms that differ with so many layers."""
        return tuple(arm for arm in self.arms if arm.n_last_layers is None or arm.n_last_layers < n_layers)

    def results(self, arms: Sequence[Arm], outcomes: Sequence[Outcome]) -> tuple[ArmResult, ...]:
        """Put the titles of arms beside what they did."""
        return tuple(ArmResult(arm.title, outcome) for arm, outcome in zip(arms, outcomes, strict=True))


_HEADS = Arm("heads only", (BACKBONE,))
_ALL = Arm("all layers")

QUESTIONS = (
    Question(
        "protection",
        "Does freezing a head protect its task?",
        "The claim: freezing one head lets you improve one task without affecting the other. Both arms learn classes alone "
        "and freeze the entity head; they differ in the backbone under it.",
        (
            Arm("backbone frozen too", (BACKBONE, "ner_head"), task_weights=CLASSES),
            Arm("backbone trains", ("ner_head",), task_weights=CLASSES),
        ),
        judge_protection,
        shown=1,
        n_steps=40,
        seconds=35,
    ),
    Question(
        "head_or_all",
        "Head only, or everything?",
        "Feature extraction against fine-tuning: the heads alone on fixed hidden states, or the whole network.",
        (_HEADS, _ALL),
        compare_both_tasks,
        shown=1,
        n_steps=40,
        seconds=40,
    ),
    Question(
        "layers",
        "How many layers are enough?",
        "The heads with the last layers under them: none, one, two, four, or the whole network (Lee, Tang & Lin 2019).",
        (_HEADS, *(Arm(f"+ last {n}" if n > 1 else "+ last layer", n_last_layers=n) for n in (1, 2, 4)), _ALL),
        find_enough,
        shown=4,
        n_steps=40,
        seconds=105,
    ),
    Question(
        "few_parameters",
        "LoRA, BitFit, or everything?",
        "A tenth of a percent to a few percent of the backbone against all of it, each at a rate that suits it.",
        (
            Arm("biases only (BitFit)", selection=BIASES, rate=_BIAS_RATE),
            Arm("adapters (LoRA)", ("embeddings",), selection=ADAPTERS, rate=_ADAPTER_RATE),
            _ALL,
        ),
        compare_both_tasks,
        shown=2,
        n_steps=40,
        seconds=90,
    ),
    Question(
        "sharing",
        "One task's loss, or both?",
        "Does a task gain or lose when the other is learned beside it? Each arm reads 16 sentences per step of each task "
        "that it learns.",
        (
            Arm("classes alone", task_weights=CLASSES),
            Arm("entities alone", task_weights=ENTITIES),
            Arm("both", task_weights=BOTH, sentences_per_step=32),
        ),
        judge_sharing,
        shown=2,
        n_steps=40,
        seconds=120,
    ),
)


def find_question(name: str) -> Question:
    """Look a question up by its name.

    Raises:
        UnknownNameError: there is no such question; the message lists them.
    """
    for question in QUESTIONS:
        if question.name == name:
            return question
    raise UnknownNameError(f"There is no question {name!r}; there are {', '.join(q.name for q in QUESTIONS)}.")
