"""Settings of a training run, as one table: the command line's options and the check of a resumed run are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from mtdemo.config import MAX_LENGTH, NumberRange
from mtdemo.errors import UsageError
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.batches import MIXES, TaskMixing

POSITIVE = NumberRange("at least 1", int, 1)
WEIGHT = NumberRange("from 0 to 1e6", float, 0, 1e6)
SHARE = NumberRange("from 0 to less than 1", float, 0, 1, excludes_most=True)
POWER = NumberRange("from 0 to 1", float, 0, 1)


def setting(
    default: Any,
    about: str,
    flag: str = "",
    limits: NumberRange | None = None,
    read: Callable[[str], Any] | None = None,
    **more: Any,
) -> Any:
    """Declare a field of the table.

    Args:
        default: its type says how many values the option takes: a tuple one for each of its own.
        about: what it is, for `--help`.
        flag: of the command line; none where it cannot be set there. A flag of something that is true by default switches
            it off.
        limits: of a number, or of each in a tuple.
        read: from the text of an option to the value; ValueError says what it must be. That of the limits by default.
        more: `choices`, `metavar` and `shown` (the default in words), where the command line needs them.
    """
    read = limits.read if read is None and limits is not None else read
    return field(default=default, metadata={"about": about, "flag": flag, "limits": limits, "read": read, **more})


def _read_gigabytes(text: str) -> int:
    return round(WEIGHT.read(text) * 1e9)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Settings of a run that trains a shared backbone.

    Attributes:
        n_steps, sentences_per_step, mix, task_weights: a task without weight has no loss, and its sentences are read only
            where models that do not change teach something about them.
        distillation_weight: the drift of embeddings is not measured without one.
        plan: what trains and how fast. Where `casing` is learned, the four segment rows that carry it train although the
            embeddings are frozen.
        casing: nothing is learned of it by a frozen backbone (`MultiTaskConfig.casing`).
        word_dropout: word pieces are hidden behind the mask token. Where the backbone is frozen there is neither noise nor
            dropout of it, since its hidden states are computed once.
        label_smoothing: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567.
        averaging: the average is what is measured and kept (Tarvainen & Valpola 2017, https://arxiv.org/abs/1703.01780).
            It begins as the weights after the first step, so it is of use after several times 1 / (1 - averaging) steps.
            0 keeps none.
        pooling: `MultiTaskConfig.classification_pooling`; None leaves what the configuration says.
        max_gradient_norm: gradients are clipped to it.
        max_length: word pieces read of a sentence, if the model can read so many.
        max_feature_bytes: what does not fit is computed again.
        tokens_per_pass: word pieces in one forward pass; a step with more takes several and sums their gradients.

    Raises:
        UsageError: a number out of its range.
    """

    n_steps: int = setting(800, "optimizer steps", "--steps", POSITIVE)
    sentences_per_step: int = setting(
        64, "sentences per step, of both tasks", "--sentences", NumberRange("at least 2", int, 2)
    )
    mix: TaskMixing = setting(
        MIXES["equal"],
        "how a step divides them: equal, square-root, proportional, or entities:classes such as 3:2",
        "--mix",
        read=TaskMixing.named,
        shown="equal",
    )
    source_powers: tuple[float, float] = setting(
        (1.0, 1.0),
        "a source of each task is drawn in proportion to its size to this power: 1 by size, 0 all alike",
        "--source-power",
        POWER,
        metavar=("ENTITIES", "CLASSES"),
    )
    task_weights: tuple[float, float] = setting(
        (1.0, 1.0), "of the two losses", "--weights", WEIGHT, metavar=("ENTITIES", "CLASSES")
    )
    distillation_weight: float = setting(10.0, "weight of keeping the base model's embeddings", "--distillation", WEIGHT)
    teacher_weight: float = setting(1.0, "of learning what the teachers say", "--teacher-weight", WEIGHT)
    plan: TrainingPlan = setting(TrainingPlan(), "what is frozen, rates, decay")
    casing: bool = setting(True, "do not give an uncased model the case of words", "--no-casing")
    case_noise: float = setting(0.0, "share of sentences read as if in one case", "--case-noise", SHARE)
    dropout: float | None = setting(None, "of the backbone", "--dropout", SHARE, shown="what its configuration says")
    word_dropout: float = setting(0.0, "share of word pieces that are hidden", "--word-dropout", SHARE)
    label_smoothing: float = setting(0.0, "share of the classes' targets that is spread", "--label-smoothing", SHARE)
    averaging: float = setting(0.0, "share the average of the weights keeps at a step", "--averaging", SHARE)
    pooling: Literal["mean", "cls"] | None = setting(
        None,
        "what a new class head reads, mean of the tokens or the first; one that is trained reads what it always did",
        "--pooling",
        choices=("mean", "cls"),
    )
    max_gradient_norm: float = setting(1.0, "length that gradients are clipped to")
    max_length: int = setting(MAX_LENGTH, "word pieces read of a sentence", limits=NumberRange("at least 2", int, 2))
    max_feature_bytes: int = setting(
        1_000_000_000, "kept of a frozen backbone's hidden states", "--feature-gigabytes", read=_read_gigabytes, shown="1"
    )
    tokens_per_pass: int = setting(4096, "word pieces in one forward pass", limits=POSITIVE)
    seed: int = setting(
        13, "of new heads, order, noise and dropout", "--seed", NumberRange(f"from 0 to {2**31}", int, 0, 2**31)
    )
    interval: int = setting(200, "steps between measurements and saved states", "--interval", POSITIVE)

    def __post_init__(self) -> None:
        for each in fields(self):
            limits, value = each.metadata["limits"], getattr(self, each.name)
            for number in value if isinstance(value, tuple) else (value,):
                if limits is not None and number is not None and number not in limits:
                    raise UsageError(f"{each.name} must be {limits.phrase}, not {number}.")
