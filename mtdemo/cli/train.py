"""The command `train`: its options, and what is made of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mtdemo.cli.options import (
    add_settings,
    given_settings,
    make_writable,
    number,
    positive,
    service_settings,
    validation_sets,
)
from mtdemo.cli.progress import ProgressBar
from mtdemo.errors import UsageError
from mtdemo.training.settings import TrainingSettings

if TYPE_CHECKING:
    from mtdemo.evaluation.validation import ValidationSets
    from mtdemo.models.configuration import MultiTaskConfig
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.planning.training_plan import TrainingPlan

_COMPARED = 500  # sentences on which a checkpoint is compared with what was saved


def add_train(commands: Any) -> None:
    """Add the command that trains a backbone and its heads."""
    parser = commands.add_parser("train", help="train a shared backbone and its heads")
    parser.add_argument("--base", required=True, help="a directory or an id of the hub: the backbone")
    parser.add_argument(
        "--ner", nargs="+", required=True, metavar="FILE", help="tagged sentences; also hub:owner/name:split"
    )
    parser.add_argument(
        "--classification", nargs="+", required=True, metavar="FILE", help="sentences with a class; the same"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory to write the checkpoint to")
    parser.add_argument("--class-labels", nargs="+", metavar="NAME", help="the classes to learn (default: the base's)")
    parser.add_argument(
        "--entity-types", nargs="+", metavar="NAME", help="the entities to find, as PER (default: the base's)"
    )
    parser.add_argument(
        "--emoji", action="store_true", help="give emoji the free places of the vocabulary ([unused0] …), as BERT's has"
    )
    parser.add_argument(
        "--plain-mean",
        action="store_true",
        help="embeddings are the mean of the hidden states, not normalised, whatever the base's makers say",
    )
    parser.add_argument(
        "--class-teacher",
        nargs="+",
        default=(),
        metavar="ID_OR_DIR",
        help="checkpoints whose classes, their mean, are learned too, from the sentences of both tasks",
    )
    _add_plan(parser)
    add_settings(parser, TrainingSettings)
    parser.add_argument("--dev-ner", type=Path, metavar="FILE", help="tagged sentences to measure on while it trains")
    parser.add_argument("--dev-classification", type=Path, metavar="FILE", help="the same for classes")
    parser.add_argument("--dev-similarity", type=Path, metavar="FILE", help="the same for similarity: rated pairs")
    parser.add_argument("--dev-limit", type=positive, default=1000, help="rows of each source, at random (default: 1000)")
    parser.add_argument(
        "--resume", type=Path, nargs="?", const=True, metavar="DIR", help="go on from the state in DIR, or in --output"
    )
    parser.set_defaults(run=_train)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", type=Path, help="JSON: what is frozen, rates, decay; the options below change it")
    parser.add_argument(
        "--freeze", nargs="+", metavar="PART", help="parts that do not train: embeddings, layer_0, backbone …"
    )
    parser.add_argument("--backbone-rate", type=number, help="learning rate of the backbone (default: 2e-5)")
    parser.add_argument("--head-rate", type=number, help="learning rate of the heads (default: 3e-4)")
    parser.add_argument("--layer-decay", type=number, help="factor from a layer's rate to that of the one below")


def _train(options: argparse.Namespace) -> int:
    from mtdemo.analysis.comparison import compare
    from mtdemo.data.hub_datasets import labelled_from, tagged_from
    from mtdemo.data.subsets import subsample
    from mtdemo.inference.placement import place
    from mtdemo.models.checkpoints import load_directory, save_checkpoint
    from mtdemo.models.hub import load_model
    from mtdemo.models.loaded import relabel
    from mtdemo.models.vocabulary import add_emoji_tokens
    from mtdemo.training.loop import STATE_FILE, train

    settings = TrainingSettings(plan=_plan(options), **given_settings(options, TrainingSettings))
    if not any(settings.task_weights):
        raise UsageError("One of the two losses must have a weight above 0.")
    make_writable(options.output)
    tagged = [sentence for source in options.ner for sentence in tagged_from(source)]
    labelled = [sentence for source in options.classification for sentence in labelled_from(source)]
    texts = [*(sentence.text for sentence in tagged), *(sentence.text for sentence in labelled)]
    device = service_settings(None).device
    model = place(load_model(options.base, plain_mean=options.plain_mean), device)
    base = relabel(model, options.class_labels, options.entity_types)
    if options.emoji:
        base, emoji = add_emoji_tokens(base, texts)
        print(f"{len(emoji)} emoji have a place in the vocabulary now.", file=sys.stderr)
    teachers = [place(load_model(teacher), device) for teacher in options.class_teacher]
    validation = validation_sets(options, base)
    if settings.casing and not base.model.can_carry_case:
        print(f"{options.base} cannot carry the case of words; it learns without.", file=sys.stderr)
    for warning in (*_warnings(base, settings, options), *_overlap(validation, texts)):
        print(f"Note: {warning}", file=sys.stderr)
    resume = options.output if options.resume is True else options.resume
    with closing(ProgressBar()) as bar:
        trained = train(base, tagged, labelled, settings, bar, options.output, resume, validation, class_teachers=teachers)
    save_checkpoint(trained, options.output)
    (options.output / STATE_FILE).unlink(missing_ok=True)  # several times the size of the checkpoint, and of no more use
    compared = subsample(texts, _COMPARED)
    rounded = compare(trained, load_directory(options.output), compared)
    print(f"Saved to {options.output} as float16: {rounded.phrase}.", file=sys.stderr)
    return 0


def _overlap(validation: ValidationSets | None, texts: Sequence[str]) -> Sequence[str]:
    """Say how many sentences are learned and measured on."""
    rows: tuple[Any, ...] = (*validation.tagged, *validation.labelled) if validation else ()
    known = set(texts)
    n_known = sum(row.text in known for row in rows)
    return [f"{n_known} of {len(rows)} sentences to measure on are learned from, too; the scores say less."] * bool(n_known)


def _warnings(base: LoadedModel, settings: TrainingSettings, options: argparse.Namespace) -> Sequence[str]:
    """Warn of contradictions in what was asked for.

    Nothing is said of what is so by default.
    """
    from mtdemo.models.parts import HEAD_NAMES
    from mtdemo.planning.adapters import extended_parts
    from mtdemo.planning.optimizer import plan_optimizer
    from mtdemo.planning.run_warnings import run_warnings
    from mtdemo.planning.scenarios import BACKBONE

    plan, config = settings.plan, cast("MultiTaskConfig", base.model.config)
    freezing = plan.freezing_plan(extended_parts(config, plan))
    of_run = run_warnings(
        plan,
        freezing,
        settings.n_steps,
        settings.task_weights,
        options.distillation_weight or 0.0,
        settings.teacher_weight if options.class_teacher else 0.0,
        max(settings.word_dropout, settings.case_noise, settings.dropout or 0.0),
    )
    rates = (((BACKBONE,), options.backbone_rate), (HEAD_NAMES, options.head_rate))
    given = {name for names, rate in rates if rate is not None for name in names}
    return (*plan_optimizer(freezing, plan.optimizer, given).warnings, *of_run)


def _plan(options: argparse.Namespace) -> TrainingPlan:
    """Return the plan of the file, changed by the options."""
    from mtdemo.models.parts import HEAD_NAMES
    from mtdemo.planning.optimizer import OptimizerSettings
    from mtdemo.planning.training_plan import TrainingPlan, read_plan

    plan = read_plan(options.plan) if options.plan else TrainingPlan()
    heads = plan.optimizer.head_learning_rates
    if options.head_rate is not None:
        heads = dict.fromkeys(HEAD_NAMES, options.head_rate)
    optimizer = OptimizerSettings(
        plan.optimizer.backbone_learning_rate if options.backbone_rate is None else options.backbone_rate,
        heads,
        plan.optimizer.weight_decay,
        plan.optimizer.layer_decay if options.layer_decay is None else options.layer_decay,
    )
    frozen = plan.frozen if options.freeze is None else tuple(options.freeze)
    return replace(plan, frozen=frozen, optimizer=optimizer)
