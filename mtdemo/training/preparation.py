"""Preparation of a run: a model gets what the plan adds, and labelled sentences become tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import UsageError
from mtdemo.inference.hidden_state_cache import HiddenStateCache
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.parts import LEARNED_TASKS, find_task
from mtdemo.planning.adapters import extend_model
from mtdemo.planning.freezing import FreezingPlan, apply_freezing, unfrozen_parts
from mtdemo.planning.scenarios import BACKBONE
from mtdemo.planning.training_plan import loss_weight_by_head
from mtdemo.training.batches import BatchSampler, InputNoise, active_tasks, sentences_per_task
from mtdemo.training.distillation import DistillationTerm, distillation_terms
from mtdemo.training.examples import labelled_examples, tagged_examples
from mtdemo.training.objective import Objective, TaskExamples, class_loss, entity_loss
from mtdemo.training.settings import TrainingSettings

_CLASS_HEAD = find_task("classification").head


@dataclass(frozen=True, slots=True)
class Prepared:
    """Model that is ready to train, and its objective.

    Attributes:
        loaded: the model.
        settings: of the run.
        freezing: what trains once all of it has begun to train.
        objective: what each step minimises.
        taught_heads: names of the heads that the run teaches something.
    """

    loaded: LoadedModel
    settings: TrainingSettings
    freezing: FreezingPlan
    objective: Objective
    taught_heads: tuple[str, ...]


def prepare(
    base: LoadedModel,
    tagged: Sequence[TaggedSentence],
    labelled: Sequence[LabelledSentence],
    settings: TrainingSettings,
    class_teachers: Sequence[LoadedModel] = (),
) -> Prepared:
    """Make a model ready to train, in place.

    It seeds torch and adds to the model, in this order, what is drawn at random: segment rows of case, a new output layer,
    adapters, new heads in the place of untrained ones. So the same seed gives the same model.

    Args:
        base: the model, which is changed; it trains where it is, in float32.
        tagged: sentences for the entity head; a task without sentences is not active.
        labelled: sentences for the classification head.
        settings: of the run.
        class_teachers: checkpoints whose classes, the mean of their probabilities, are learned too, from the sentences of
            both tasks.

    Raises:
        DataFileError: a label that the model does not have.
        UsageError: a teacher of other classes, or no sentences at all.
        UnknownNameError: the plan names a part that the model does not have.
    """
    torch.manual_seed(settings.seed)
    model = base.model.float()
    learns_casing = _learns_casing(base, settings)
    if learns_casing and not model.config.casing:
        model.add_casing()
    extend_model(model, settings.plan)
    freezing = _plan_freezing(base, settings, learns_casing)
    backbone_moves = freezing.backbone_state != "none"
    distillation_weight = settings.distillation_weight if backbone_moves else 0.0  # what does not move needs no keeping
    teacher_weight = settings.teacher_weight if class_teachers else 0.0
    tasks = make_tasks(base, tagged, labelled, settings, distillation_weight + teacher_weight)
    taught = taught_heads(settings, freezing, tasks, teacher_weight, model.config.output_names_classes)
    new_heads = sorted(set(taught) - set(model.trained_heads))
    model.renew_heads(new_heads)
    if settings.pooling is not None and _CLASS_HEAD in new_heads:
        model.config.classification_pooling = settings.pooling
    terms = distillation_terms(
        base,
        [example.window for task in tasks for example in task.examples],
        [example.text for task in tasks for example in task.examples],
        distillation_weight,
        teacher_weight,
        class_teachers,
        settings.max_length,
    )
    if not backbone_moves:
        terms["drift"] = DistillationTerm.nothing()
    apply_freezing(model, freezing)
    _set_dropout(model, settings.dropout)
    hidden_states = None if backbone_moves else HiddenStateCache(settings.max_feature_bytes)
    objective = Objective(base, tasks, terms, hidden_states, settings.tokens_per_pass)
    return Prepared(base, settings, freezing, objective, taught)


def make_tasks(
    base: LoadedModel,
    tagged: Sequence[TaggedSentence],
    labelled: Sequence[LabelledSentence],
    settings: TrainingSettings,
    distillation_weight: float,
) -> tuple[TaskExamples, ...]:
    """Make tasks of labelled sentences, in the order of `LEARNED_TASKS`.

    Args:
        base: the model that learns.
        tagged: for the entity head.
        labelled: for the classification head.
        settings: of the run.
        distillation_weight: of what the sentences of every task are taught by models that do not change.

    Raises:
        DataFileError: a label that the model does not have.
        UsageError: there are no sentences.
    """
    max_length = min(settings.max_length, base.info.max_length)
    examples = (tagged_examples(base, tagged, max_length), labelled_examples(base, labelled, max_length))
    if not any(examples):
        raise UsageError("There is no sentence to learn from.")
    config = base.model.config
    losses = (
        entity_loss,
        partial(
            class_loss,
            smoothing=settings.label_smoothing,
            with_output_layer=config.output_names_classes,
            multi_label=config.multi_label,
        ),
    )
    wanted = active_tasks(settings.task_weights, distillation_weight)
    is_active = [is_wanted and len(of_task) > 0 for is_wanted, of_task in zip(wanted, examples, strict=True)]
    sizes = sentences_per_task(settings.sentences_per_step, [len(of_task) for of_task in examples], settings.mix, is_active)
    case_noise = settings.case_noise if config.casing else 0.0
    tasks: list[TaskExamples] = []
    for number, (task, of_task) in enumerate(zip(LEARNED_TASKS, examples, strict=True)):
        seed = settings.seed + number
        tasks.append(
            TaskExamples(
                name=task.title,
                examples=of_task,
                batches=BatchSampler(
                    [len(example.window.input_ids) for example in of_task],
                    sizes[number],
                    seed,
                    [example.source for example in of_task],
                    settings.source_powers[number],
                ),
                noise=InputNoise(case_noise, settings.word_dropout, base.tokenizer.mask_token_id, seed),
                is_active=is_active[number],
                weight=settings.task_weights[number],
                offset=sum(len(earlier.examples) for earlier in tasks),
                loss=losses[number],
            )
        )
    return tuple(tasks)


def taught_heads(
    settings: TrainingSettings,
    freezing: FreezingPlan,
    tasks: Sequence[TaskExamples],
    teacher_weight: float,
    output_names_classes: bool,
) -> tuple[str, ...]:
    """Name the heads that the run teaches something.

    They train, at a rate above 0, by a loss that has a weight.
    """
    of_entities, of_classes = (task.weight if task.is_active else 0.0 for task in tasks)
    weights = loss_weight_by_head((of_entities, of_classes), teacher_weight)
    weights["output_layer"] *= output_names_classes
    rate = settings.plan.optimizer.learning_rate
    heads = [part.name for part in freezing.parts if not part.kind.in_backbone and part.n_trainable]
    return tuple(name for name in heads if weights[name] and rate(name))


def _learns_casing(base: LoadedModel, settings: TrainingSettings) -> bool:
    """Tell whether the run teaches the backbone to see capitals.

    It does where case is to be learned, the backbone can carry it, and something of it trains.
    """
    parts = base.model.parts()
    trained = unfrozen_parts(parts, settings.plan.frozen)
    return (
        settings.casing
        and base.model.can_carry_case
        and any(part.kind.in_backbone and part.name in trained for part in parts)
    )


def _plan_freezing(base: LoadedModel, settings: TrainingSettings, learns_casing: bool) -> FreezingPlan:
    """Plan what trains.

    Where case is learned, the segment rows that carry it train although the embeddings may be frozen.
    """
    parts = base.model.parts()
    segments = [p.name for part in parts for p in part.parameters if "token_type_embeddings" in p.name]
    return settings.plan.freezing_plan(parts, segments if learns_casing else ())


def _set_dropout(model: torch.nn.Module, dropout: float | None) -> None:
    """Change the backbone's dropout, but not its configuration."""
    for name, module in model.named_modules():
        if dropout is not None and name.startswith(BACKBONE) and isinstance(module, torch.nn.Dropout):
            module.p = dropout
