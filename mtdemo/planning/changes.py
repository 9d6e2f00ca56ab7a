"""Differences between a plan and that of its scenario, in words, so that a page can say what was changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mtdemo.models.parts import HEAD_NAMES, part_title
from mtdemo.planning.scenarios import ADAPTERS, BACKBONE, find_selection
from mtdemo.planning.training_plan import TrainingPlan

_OUTPUT = "output_layer"


def changed_rates(own: TrainingPlan, plan: TrainingPlan) -> tuple[str, ...]:
    """Name the backbone and the heads whose rate is another."""
    rated = (BACKBONE, *HEAD_NAMES)
    return tuple(name for name in rated if own.optimizer.learning_rate(name) != plan.optimizer.learning_rate(name))


def describe_changes(own: TrainingPlan, plan: TrainingPlan) -> tuple[str, ...]:
    """Name what is not as in the scenario.

    Args:
        own: what the scenario plans for the same backbone.
        plan: what is planned.

    Returns:
        One phrase for each difference, such as `layers 1–2 frozen`; nothing where the plans are equal.
    """
    return (*_of_parts(own, plan), *_of_rates(own, plan), *_of_settings(own, plan))


def title_parts(names: Sequence[str]) -> str:
    """Title parts, neighbouring layers as one.

    `embeddings, layer_0, layer_1, ner_head -> embeddings, layers 1–2, entity head`
    """
    return ", ".join(_in_short(names))


def _of_parts(own: TrainingPlan, plan: TrainingPlan) -> Iterator[str]:
    frozen = [name for name in plan.frozen if name not in own.frozen]
    trained = [name for name in own.frozen if name not in plan.frozen and name != _OUTPUT]
    if own.new_output_layer != plan.new_output_layer:
        yield f"new output layer {'added' if plan.new_output_layer else 'left out'}"
    if frozen:
        yield f"{title_parts(frozen)} frozen"
    if trained:
        yield f"{title_parts(trained)} not frozen"


def _of_rates(own: TrainingPlan, plan: TrainingPlan) -> Iterator[str]:
    for name in changed_rates(own, plan):
        before, after = own.optimizer.learning_rate(name), plan.optimizer.learning_rate(name)
        yield f"rate of the {part_title(name)} {after:g} in place of {before:g}"


def _of_settings(own: TrainingPlan, plan: TrainingPlan) -> Iterator[str]:
    if own.selection != plan.selection:
        yield f"{find_selection(plan.selection).title} in the backbone"
    if own.gradual != plan.gradual:
        yield "unfrozen gradually" if plan.gradual else "not unfrozen gradually"
    if plan.selection == ADAPTERS and own.adapters != plan.adapters:
        targets = ", ".join(plan.adapters.targets)
        yield f"adapters of rank {plan.adapters.rank}, alpha {plan.adapters.alpha}, beside {targets}"
    for name, before, after in (
        ("weight decay", own.optimizer.weight_decay, plan.optimizer.weight_decay),
        ("layer-wise decay", own.optimizer.layer_decay, plan.optimizer.layer_decay),
        ("warm-up", own.warmup_share, plan.warmup_share),
    ):
        if before != after:
            yield f"{name} {after:g} in place of {before:g}"


def _in_short(names: Sequence[str]) -> Iterator[str]:
    for is_layer, group in groupby(names, lambda name: name.startswith("layer_")):
        titles = [part_title(name) for name in group]
        if is_layer and len(titles) > 1 and _follow_one_another(titles):
            yield f"layers {titles[0].split()[1]}–{titles[-1].split()[1]}"
        else:
            yield from titles


def _follow_one_another(titles: Sequence[str]) -> bool:
    numbers = [int(title.split()[1]) for title in titles]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))
