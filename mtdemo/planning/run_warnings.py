"""Warnings of a run: what contradicts itself between a plan and the training under it, in words."""

from __future__ import annotations

from collections.abc import Iterator

from mtdemo.models.parts import HEADS, LEARNED_TASKS, part_title
from mtdemo.planning.freezing import FreezingPlan
from mtdemo.planning.training_plan import TrainingPlan, loss_weight_by_head

_LONG_WARMUP = 0.5


def run_warnings(
    plan: TrainingPlan,
    freezing: FreezingPlan,
    n_steps: int,
    task_weights: tuple[float, float],
    distillation_weight: float = 0.0,
    teacher_weight: float = 0.0,
    noise: float = 0.0,
) -> tuple[str, ...]:
    """Name the contradictions between a plan and a run.

    Args:
        plan: what trains.
        freezing: the same for the model's parts.
        n_steps: of the run.
        task_weights: of the losses of entities and classes.
        distillation_weight: of keeping the embeddings.
        teacher_weight: of what other models teach the classification head; 0 where there are none.
        noise: the largest share of hidden word pieces, of sentences in one case, and of dropout.
    """
    trained = {part.name for part in freezing.parts if part.n_trainable}
    loss_weights = loss_weight_by_head(task_weights, teacher_weight)
    warnings: list[str] = []
    if freezing.backbone_state == "none":
        warnings += _without_effect(distillation_weight, noise)
    for task, weight in zip((task.title for task in LEARNED_TASKS), task_weights, strict=True):
        heads = [head.name for head in HEADS if head.task == task]
        present = [head for head in heads if any(part.name == head for part in freezing.parts)]
        if weight and freezing.backbone_state == "none" and not trained & set(heads):
            warnings.append(
                f"The loss of {task} cannot reach a weight that trains: its head and all that is under it are frozen."
            )
        warnings += [
            f"The {part_title(head)} may train, but nothing of its task is learned in this run, so it stays as it is."
            for head in present
            if head in trained and not loss_weights[head]
        ]
    n_stages = len(set(plan.unfreeze_schedule(freezing).values()))
    if n_stages > n_steps:
        warnings.append(
            f"The schedule is longer than the run: gradual unfreezing has {n_stages} stages, but there are only {n_steps} "
            "steps. Take more steps, or freeze the parts that come last."
        )
    if plan.warmup_share > _LONG_WARMUP:
        warnings.append(
            f"The rates rise during {plan.warmup_share:.0%} of the run, so they are hardly ever at their height. "
            "A tenth is usual."
        )
    return tuple(warnings)


def _without_effect(distillation_weight: float, noise: float) -> Iterator[str]:
    """Name the settings that do nothing over a frozen backbone."""
    if distillation_weight:
        yield "With a frozen backbone embeddings stay as they are, so the weight of keeping them does nothing."
    if noise:
        yield (
            "With a frozen backbone sentences are read once and as they are, so its dropout, hidden word pieces and noise "
            "of case do nothing."
        )
