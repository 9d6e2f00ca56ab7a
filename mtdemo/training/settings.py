"""Settings of a training run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.training.batches import MIXES, TaskMixing


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a shared backbone is trained.

    Attributes:
        n_steps: optimizer steps.
        sentences_per_step: of both tasks together; of one of them where the other is not looked at.
        mix: how many of them each task gives.
        task_weights: of the losses of entities and classes; a task without weight is not looked at.
        distillation_weight: of the drift of embeddings, which is not measured without one.
        teacher_weight: of the disagreement with the classes that teachers give the sentences of both tasks, where there are
            teachers.
        plan: what trains and how fast. Where `casing` is learned, the four segment rows that carry it train although the
            embeddings are frozen.
        casing: whether the model learns to see capitals (`MultiTaskConfig.casing`); nothing is learned by a frozen
            backbone.
        case_noise: share of the sentences, 0 to 1, that are read as if written in one case throughout.
        dropout: of the backbone while it trains, 0 to 1; None leaves what its configuration says.
        word_dropout: share of the word pieces, 0 to 1, that are hidden behind the mask token. Where the backbone
            is frozen there is neither noise nor dropout of it, since its hidden states are computed once.
        label_smoothing: share of the probability, 0 to 1, that the classes' targets spread over all classes (Szegedy et
            al. 2016, https://arxiv.org/abs/1512.00567).
        averaging: share of itself, 0 to 1, that an average of the weights keeps at each step; the average is what is
            measured and kept (Tarvainen & Valpola 2017, https://arxiv.org/abs/1703.01780). It begins as the weights after
            the first step, so it is of use after several times 1 / (1 - averaging) steps. 0 keeps none.
        pooling: what a new classification head reads (`MultiTaskConfig.classification_pooling`); None leaves what the
            configuration says.
        max_gradient_norm: gradients are clipped to it.
        max_length: word pieces read of a sentence, if the model can read so many.
        max_feature_bytes: kept of the hidden states of a frozen backbone; what does not fit is computed again.
        tokens_per_pass: word pieces in one forward pass; a step with more takes several and sums their gradients.
        seed: of new heads, order, noise and dropout.
        interval: steps between saved states, and between measurements.
    """

    n_steps: int = 800
    sentences_per_step: int = 64
    mix: TaskMixing = MIXES["equal"]
    task_weights: tuple[float, float] = (1.0, 1.0)
    distillation_weight: float = 10.0
    teacher_weight: float = 1.0
    plan: TrainingPlan = field(default_factory=TrainingPlan)
    casing: bool = True
    case_noise: float = 0.0
    dropout: float | None = None
    word_dropout: float = 0.0
    label_smoothing: float = 0.0
    averaging: float = 0.0
    pooling: Literal["mean", "cls"] | None = None
    max_gradient_norm: float = 1.0
    max_length: int = 128
    max_feature_bytes: int = 1 << 30
    tokens_per_pass: int = 4096
    seed: int = 13
    interval: int = 100
