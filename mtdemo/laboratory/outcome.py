"""Records of an experiment: what is tried, how it stands, what it did. No torch is needed to read them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mtdemo.errors import PlanError
from mtdemo.evaluation.metrics import Validation
from mtdemo.evaluation.tallies import Tally
from mtdemo.laboratory.receipt import FreezeReceipt
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import ArrayRecord, Entity, SentenceAnalysis
from mtdemo.training.step_losses import StepLosses

MAX_STEPS, MAX_SENTENCES_PER_STEP = 1_000, 64
Ending = Literal["done", "stopped", "out of time"]


@dataclass(frozen=True, slots=True)
class ExperimentSettings:
    """Settings of one experiment.

    Attributes:
        plan: what trains, and how fast.
        n_steps: 1 to `MAX_STEPS`.
        sentences_per_step: of both tasks together, 2 to `MAX_SENTENCES_PER_STEP`.
        task_weights: of the losses of entities and classes, at least 0, not both 0.
        distillation_weight: of keeping the embeddings, at least 0.
        seed: of order and dropout.
        own_sentences: a person's, analysed before and after beside the held-out ones.
        max_seconds: after which the run ends as if it had been stopped, more than 0.

    Raises:
        PlanError: a number out of its range.
    """

    plan: TrainingPlan = field(default_factory=TrainingPlan)
    n_steps: int = 100
    sentences_per_step: int = 16
    task_weights: tuple[float, float] = (1.0, 1.0)
    distillation_weight: float = 0.0
    seed: int = 13
    own_sentences: tuple[str, ...] = ()
    max_seconds: float = math.inf

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("The number of steps", self.n_steps, 1, MAX_STEPS),
            ("Sentences per step", self.sentences_per_step, 2, MAX_SENTENCES_PER_STEP),
            ("The seed", self.seed, 0, 2**31),
        ):
            if not isinstance(value, int) or not least <= value <= most:
                raise PlanError(f"{name} must be a whole number from {least:,} to {most:,}, not {value}.")
        if not self.max_seconds > 0:
            raise PlanError(f"A run must be given more than {self.max_seconds} seconds.")
        weights = (*self.task_weights, self.distillation_weight)
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or not sum(self.task_weights):
            raise PlanError("The weights of the losses must be 0 or more, and one of the two tasks must have more than 0.")

    def as_dict(self) -> dict[str, Any]:
        """Return all that repeats the run, but for the plan.

        The sentences of the person are left out, too.
        """
        return {
            "n_steps": self.n_steps,
            "sentences_per_step": self.sentences_per_step,
            "task_weights": {task.title: weight for task, weight in zip(LEARNED_TASKS, self.task_weights, strict=True)},
            "distillation_weight": self.distillation_weight,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run as it stands.

    Attributes:
        n_done, n_steps: steps.
        seconds: since the run began.
        seconds_left: estimated from the steps so far; None before the first.
        losses: of the last step; None before the first.
        scores: the last measurement on the held-out sentences.
        rates: learning rate by what shares one, such as the backbone or a head; 0 where it is still frozen.
    """

    n_done: int
    n_steps: int
    seconds: float
    seconds_left: float | None
    losses: StepLosses | None
    scores: Validation
    rates: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Return this snapshot's row in a history."""
        return {
            "step": self.n_done,
            "seconds": self.seconds,
            "entity_f1": self.scores.entity_f1,
            "macro_f1": self.scores.macro_f1,
            "output_f1": self.scores.output_f1,
            "losses": (self.losses or StepLosses(None, None)).as_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class TaskDrift(ArrayRecord):
    """Change of a task's answers on the held-out sentences.

    Attributes:
        score_before, score_after: entity F1, macro-F1 of classes, 0 to 1.
        changed_fraction: sentences whose answer is another now, 0 to 1.
        is_identical: whether every probability of a class, or of an entity found, is what it was, bit for bit.
        tally_before, tally_after: float64 (sentences, …), the counts that the score is made of, as
            `mtdemo.evaluation.tallies` gives them.
    """

    score_before: float
    score_after: float
    changed_fraction: float
    is_identical: bool
    tally_before: Tally
    tally_after: Tally

    @property
    def n_sentences(self) -> int:
        """Held-out sentences of the task."""
        return len(self.tally_before)

    @property
    def n_changed(self) -> int:
        """Sentences whose answer is another now."""
        return round(self.changed_fraction * self.n_sentences)


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """A held-out sentence with another answer than before.

    Attributes:
        text: the sentence.
        label: its class as people gave it; empty where it has none.
        class_before, class_after: what the model said; equal where only entities changed.
        lost, found: entities that it named before and not now, and the other way round, type and both ends counting.
    """

    text: str
    label: str
    class_before: str
    class_after: str
    lost: tuple[Entity, ...]
    found: tuple[Entity, ...]

    @property
    def flips_class(self) -> bool:
        """True where the class is another now."""
        return self.class_before != self.class_after

    def as_dict(self) -> dict[str, Any]:
        entities = {name: [entity.as_dict() for entity in getattr(self, name)] for name in ("lost", "found")}
        return {**asdict(self), **entities}


@dataclass(frozen=True, slots=True)
class LayerDrift:
    """Change of the hidden states at one level.

    Attributes:
        name: `embeddings`, `layer_0`, …: their output.
        cka: linear CKA of all word pieces before and after, 0 to 1.
        cosine: mean over word pieces of the cosine of the two vectors, -1 to 1.
        is_identical: whether all are the same, bit for bit; both numbers are 1 then.
    """

    name: str
    cka: float
    cosine: float
    is_identical: bool


@dataclass(frozen=True, slots=True)
class CacheSpeedup:
    """Gain from computing a frozen backbone's hidden states once.

    Attributes:
        n_computed, n_reused: sentences whose hidden states were computed, and taken from memory.
        computing_s, reusing_s: median seconds of a step that computed some, and of one that computed none.
    """

    n_computed: int
    n_reused: int
    computing_s: float
    reusing_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Results of one experiment.

    Attributes:
        snapshots: before the first step, at each measurement, and at the end.
        training_s: seconds that the steps took, without measurements and without waiting for the turns of others.
        entities, classes: drift of the two tasks.
        embedding_cosine: mean cosine, -1 to 1, between the held-out sentences' embeddings before and after.
        movement: per part, the length of its change relative to its length before; exactly 0 where nothing moved.
        own_before, own_after: what the model said, and says, of the person's sentences.
        ending: why it ended.
        reuse: what reusing hidden states was worth; None where the backbone trained or no step could reuse all.
        receipt: what was frozen, as asked and as done; None where no step was taken.
        layers: drift of the hidden states, lowest level first.
        changes: the held-out sentences with another answer.
    """

    snapshots: tuple[Snapshot, ...]
    training_s: float
    entities: TaskDrift
    classes: TaskDrift
    embedding_cosine: float
    movement: dict[str, float]
    own_before: tuple[SentenceAnalysis, ...]
    own_after: tuple[SentenceAnalysis, ...]
    ending: Ending
    reuse: CacheSpeedup | None
    receipt: FreezeReceipt | None
    layers: tuple[LayerDrift, ...]
    changes: tuple[AnswerChange, ...]

    def as_dict(self) -> dict[str, Any]:
        last = self.snapshots[-1]
        return {
            "n_steps": last.n_done,
            "seconds": last.seconds,
            "training_seconds": self.training_s,
            "ending": self.ending,
            "history": [snapshot.as_dict() for snapshot in self.snapshots],
            "share_of_changed_answers": {
                "entities": self.entities.changed_fraction,
                "classes": self.classes.changed_fraction,
            },
            "identical_answers": {"entities": self.entities.is_identical, "classes": self.classes.is_identical},
            "embedding_cosine": self.embedding_cosine,
            "movement": self.movement,
            "reuse": None if self.reuse is None else asdict(self.reuse),
            "n_heldout": {"entities": self.entities.n_sentences, "classes": self.classes.n_sentences},
            "freeze_receipt": None if self.receipt is None else self.receipt.as_dict(),
            "layers": [asdict(layer) for layer in self.layers],
            "changed_answers": [change.as_dict() for change in self.changes],
        }
