"""The command line, `python -m mtdemo annotate | evaluate | card | calibrate | train`: arguments in, messages out."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast

from tqdm import tqdm

from mtdemo.config import EMBEDDED, Settings, prepare_environment, read_settings
from mtdemo.errors import DataFileError, MtdemoError, PlanError

if TYPE_CHECKING:
    from mtdemo.evaluation.validation import ValidationSets
    from mtdemo.models.configuration import MultiTaskConfig
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.planning.training_plan import TrainingPlan
    from mtdemo.training.batches import TaskMixing
    from mtdemo.training.trainer import TrainingSettings

_TASKS = ("ner", "classification", "similarity")
_COMPARED = 500  # sentences on which a checkpoint is compared with what was saved
_POOLINGS = ("mean", "cls")
_DISTILLATION = 10.0


class _Bar:
    """A progress bar on stderr that starts anew with every phrase, and where another count begins under the same phrase."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._title = ""

    def __call__(self, phrase: str, done: int, total: int) -> None:
        title, _, postfix = phrase.partition(", ")
        if self._bar is None or title != self._title or total != self._bar.total or done < self._bar.n:
            self.close()
            self._title = title
            already = max(0, done - 1)  # what an earlier run did says nothing of the time that is left
            self._bar = tqdm(total=total, desc=title, initial=already, file=sys.stderr)
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it worked, also where single lines had a problem and were reported; 2 when it could not be done at all; 130
        when it was stopped by Ctrl+C.
    """
    prepare_environment()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except MtdemoError as error:
        print(f"mtdemo {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nmtdemo {options.command}: stopped.{_hint_after_stop(options)}", file=sys.stderr)
        return 130


def _hint_after_stop(options: argparse.Namespace) -> str:
    if options.command != "train":
        return ""
    from mtdemo.training.trainer import STATE_FILE

    if (options.output / STATE_FILE).exists():
        return " The same command with --resume goes on from the last saved state."
    if (options.output / "model.safetensors").exists():
        return f" {options.output} holds a finished checkpoint, of this run or of an earlier one."
    return " Nothing was saved yet."


def _annotate(options: argparse.Namespace) -> int:
    from mtdemo.serving.file_annotation import annotate_file
    from mtdemo.serving.service import ModelService

    service = ModelService(_settings(options))
    with tqdm(desc="annotating", unit=" lines", file=sys.stderr) as bar:
        report = annotate_file(
            service, options.input, options.output, options.embeddings, bar.update, partial(bar.write, file=sys.stderr)
        )
    print(report.summary, file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.evaluate import evaluate_file
    from mtdemo.models.parts import part_title
    from mtdemo.serving.service import ModelService

    service = ModelService(_settings(options))
    with closing(_Bar()) as bar:
        result = evaluate_file(
            service,
            options.task,
            options.data,
            limit=options.limit,
            ignored=[name for name in options.ignore_labels.split(",") if name],
            progress=lambda done, total: bar("evaluating", done, total),
        )
    model = service.load()
    head = {"ner": "ner_head", "classification": "classification_head"}.get(options.task)
    if head is not None and head not in model.trained_heads:
        print(f"Note: the {part_title(head)} of this model is untrained: the numbers are those of chance.", file=sys.stderr)
    labels = getattr(result, "per_label", {})
    unknown = [name for name in labels if name not in (*model.class_labels, *model.entity_types)]
    if unknown:
        print(f"Note: the model does not know {', '.join(unknown)}, so it never finds them.", file=sys.stderr)
    print(json.dumps(result.as_dict(), indent=None if options.json else 2))
    return 0


def _card(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.model_card import around_section, measure, read_report, render, write_report, write_section
    from mtdemo.serving.service import ModelService

    settings = _settings(options)
    if settings.model != EMBEDDED:
        raise DataFileError(f"A card is written beside the weights, so {settings.model!r} must be a directory.")
    directory = Path(settings.checkpoint).expanduser()
    around_section(directory)
    files = (options.ner, options.classification, options.similarity)
    if any(files) and not all(files):
        raise DataFileError("A measurement needs all of --ner, --classification and --similarity.")
    if all(files):
        with closing(_Bar()) as bar:
            report = measure(ModelService(settings), *files, lambda done, total: bar("measuring", done, total))
        write_report(directory, report)
    write_section(directory, render(read_report(directory)))
    print(f"Written to {directory / 'README.md'}.", file=sys.stderr)
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.calibration import fit_temperatures
    from mtdemo.models.checkpoints import load_directory, save_checkpoint
    from mtdemo.models.hub import load_model

    _make_writable(options.output)
    settings = _settings(options)
    is_directory = settings.model == EMBEDDED
    model = load_directory(Path(settings.checkpoint).expanduser()) if is_directory else load_model(settings.model)
    sets = _validation_sets(options, model)
    if sets is None:
        raise DataFileError("Sentences that were not trained on are needed: --ner, --classification or both.")
    with closing(_Bar()) as bar:
        found = fit_temperatures(model, sets, lambda done, total: bar("calibrating", done, total))
    save_checkpoint(model, options.output)
    print(f"Logits were divided: {found.phrase}. Saved to {options.output}.", file=sys.stderr)
    return 0


def _train(options: argparse.Namespace) -> int:
    from mtdemo.analysis.comparison import compare
    from mtdemo.data.hub_datasets import labelled_from, tagged_from
    from mtdemo.data.readers import subsample
    from mtdemo.models.checkpoints import load_directory, save_checkpoint
    from mtdemo.models.hub import load_model
    from mtdemo.models.loaded import relabel
    from mtdemo.models.vocabulary import add_emoji_tokens
    from mtdemo.training.trainer import STATE_FILE, train

    if not any(options.weights):
        raise PlanError("One of the two losses must have a weight above 0.")
    settings = _training(options)
    _make_writable(options.output)
    tagged = [sentence for source in options.ner for sentence in tagged_from(source)]
    labelled = [sentence for source in options.classification for sentence in labelled_from(source)]
    texts = [*(sentence.text for sentence in tagged), *(sentence.text for sentence in labelled)]
    if not any(map(str.strip, texts)):
        raise DataFileError("None of the sentences has a word in it.")
    base = relabel(load_model(options.base), options.class_labels, options.entity_types)
    if options.emoji:
        base, emoji = add_emoji_tokens(base, texts)
        print(f"{len(emoji)} emoji have a place in the vocabulary now.", file=sys.stderr)
    teachers = [load_model(teacher) for teacher in options.class_teacher]
    validation = _validation_sets(options, base)
    if not (options.no_casing or base.model.can_carry_case):
        print(f"{options.base} cannot carry the case of words; it learns without.", file=sys.stderr)
    for warning in _warnings(base, settings, options):
        print(f"Note: {warning}", file=sys.stderr)
    resume = options.output if options.resume is True else options.resume
    with closing(_Bar()) as bar:
        trained = train(base, tagged, labelled, settings, bar, options.output, resume, validation, class_teachers=teachers)
    save_checkpoint(trained, options.output)
    (options.output / STATE_FILE).unlink(missing_ok=True)  # several times the size of the checkpoint, and of no more use
    compared = subsample([text for text in texts if text.strip()], _COMPARED)
    rounded = compare(trained, load_directory(options.output), compared)
    print(f"Saved to {options.output} as float16: {rounded.phrase}.", file=sys.stderr)
    return 0


def _training(options: argparse.Namespace) -> TrainingSettings:
    from mtdemo.training.trainer import TrainingSettings

    return TrainingSettings(
        n_steps=options.steps,
        sentences_per_step=options.sentences,
        mix=options.mix,
        task_weights=tuple(options.weights),
        distillation_weight=_DISTILLATION if options.distillation is None else options.distillation,
        teacher_weight=options.teacher_weight,
        plan=_plan(options),
        casing=not options.no_casing,
        case_noise=options.case_noise,
        dropout=options.dropout,
        word_dropout=options.word_dropout,
        label_smoothing=options.label_smoothing,
        averaging=options.averaging,
        pooling=options.pooling,
        max_feature_bytes=round(options.feature_gigabytes * 1e9),
        interval=options.interval,
        seed=options.seed,
    )


def _warnings(base: LoadedModel, settings: TrainingSettings, options: argparse.Namespace) -> Sequence[str]:
    """What contradicts itself in what was asked for; of what is so by default nothing is told."""
    from mtdemo.models.parts import HEAD_NAMES
    from mtdemo.planning.adapters import extended_parts
    from mtdemo.planning.optimizer import plan_optimizer
    from mtdemo.planning.scenarios import BACKBONE
    from mtdemo.planning.training_plan import run_warnings

    plan, config = settings.plan, cast("MultiTaskConfig", base.model.config)
    freezing = plan.freezing_plan(extended_parts(config, plan))
    of_run = run_warnings(
        plan,
        freezing,
        settings.n_steps,
        settings.task_weights,
        options.distillation or 0.0,
        settings.teacher_weight if options.class_teacher else 0.0,
        max(settings.word_dropout, settings.case_noise, settings.dropout or 0.0),
    )
    rates = (((BACKBONE,), options.backbone_rate), (HEAD_NAMES, options.head_rate))
    given = {name for names, rate in rates if rate is not None for name in names}
    return (*plan_optimizer(freezing, plan.optimizer, given).warnings, *of_run)


def _plan(options: argparse.Namespace) -> TrainingPlan:
    """The plan of the file, where there is one, changed by what the command says."""
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


def _make_writable(directory: Path) -> None:
    """Make sure before hours of training that their result can be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise DataFileError(f"{directory} cannot be written to: {error.strerror}.") from error


def _validation_sets(options: argparse.Namespace, base: LoadedModel) -> ValidationSets | None:
    from mtdemo.data.readers import check_labels, read_labelled, read_pairs, read_tagged, subsample
    from mtdemo.evaluation.validation import ValidationSets

    def rows(path: Path | None, read: Any) -> Any:
        return subsample(read(path), options.dev_limit) if path is not None else ()

    sets = ValidationSets(
        rows(options.dev_ner, read_tagged),
        rows(options.dev_classification, read_labelled),
        rows(options.dev_similarity, read_pairs),
    )
    check_labels(sets.tagged, sets.labelled, base.info.class_labels, base.info.entity_types)
    if sets.pairs and len({pair.score for pair in sets.pairs}) < 2:
        raise DataFileError(f"{options.dev_similarity}: its pairs need at least two different ratings.")
    return sets if sets.tagged or sets.labelled or sets.pairs else None


def _settings(options: argparse.Namespace) -> Settings:
    """The settings of the environment, with the model that the command names: a directory or an id of the hub."""
    from mtdemo.models.hub import is_directory_name

    settings = read_settings([])
    if options.checkpoint is None:
        return settings
    if is_directory_name(options.checkpoint):
        return replace(settings, model=EMBEDDED, checkpoint=options.checkpoint)
    return replace(settings, model=options.checkpoint)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mtdemo", description="A multi-task sentence encoder for files.")
    commands = parser.add_subparsers(dest="command", required=True)

    annotate = commands.add_parser("annotate", help="run the whole model over a file of lines")
    annotate.add_argument("input", type=Path, help="text file, UTF-8, one sentence per line")
    annotate.add_argument("--output", type=Path, required=True, help="JSON lines to write, one per line of the input")
    annotate.add_argument("--embeddings", type=Path, help="NumPy file to write, float32 (lines, hidden)")
    annotate.set_defaults(run=_annotate)

    evaluate = commands.add_parser("evaluate", help="measure a task on a labelled file")
    evaluate.add_argument("--task", choices=_TASKS, required=True)
    evaluate.add_argument(
        "--data",
        type=Path,
        required=True,
        help="JSON lines or columns (ner), JSON lines or CSV (classification), TSV of pairs",
    )
    evaluate.add_argument("--limit", type=_positive, help="read only the first N rows")
    evaluate.add_argument("--ignore-labels", default="", help="entity types left out on both sides, such as MISC,LOC")
    evaluate.add_argument("--json", action="store_true", help="print the result as one JSON object on the last line")
    evaluate.set_defaults(run=_evaluate)

    card = commands.add_parser("card", help="measure a checkpoint and write the numbers into its model card")
    card.add_argument("--ner", type=Path, help="tagged sentences; without data files the last measurement is written")
    card.add_argument("--classification", type=Path, help="sentences with a class")
    card.add_argument("--similarity", type=Path, help="rated pairs")
    card.set_defaults(run=_card)

    calibrate = commands.add_parser("calibrate", help="make a checkpoint's confidence mean what it says")
    calibrate.add_argument(
        "--ner", dest="dev_ner", type=Path, metavar="FILE", help="tagged sentences that it was not trained on"
    )
    calibrate.add_argument(
        "--classification", dest="dev_classification", type=Path, metavar="FILE", help="sentences with a class, the same"
    )
    calibrate.add_argument(
        "--limit", dest="dev_limit", type=_positive, default=1000, help="rows of each, drawn by lot (default: 1000)"
    )
    calibrate.add_argument("--output", type=Path, required=True, help="directory to write the checkpoint to")
    calibrate.set_defaults(run=_calibrate, dev_similarity=None)

    for command in (annotate, evaluate, card, calibrate):
        command.add_argument("--checkpoint", help="a directory or an id of the hub; the embedded checkpoint by default")

    _add_train(commands)
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser("train", help="train a shared backbone and its heads")
    train.add_argument("--base", required=True, help="a directory or an id of the hub: the backbone")
    train.add_argument(
        "--ner", nargs="+", required=True, metavar="FILE", help="tagged sentences; also hub:owner/name:split"
    )
    train.add_argument(
        "--classification", nargs="+", required=True, metavar="FILE", help="sentences with a class; the same"
    )
    train.add_argument("--output", type=Path, required=True, help="directory to write the checkpoint to")
    train.add_argument("--class-labels", nargs="+", metavar="NAME", help="the classes to learn (default: the base's)")
    train.add_argument(
        "--entity-types", nargs="+", metavar="NAME", help="the entities to find, as PER (default: the base's)"
    )
    train.add_argument(
        "--emoji", action="store_true", help="give emoji the free places of the vocabulary ([unused0] …), as BERT's has"
    )
    train.add_argument("--plan", type=Path, help="JSON: what is frozen, rates, decay; the options below change it")
    train.add_argument("--seed", type=_seed, default=13, help="of new heads, order, noise and dropout (default: 13)")
    train.add_argument("--steps", type=_positive, default=800, help="optimizer steps (default: 800)")
    train.add_argument("--backbone-rate", type=_number, help="learning rate of the backbone (default: 2e-5)")
    train.add_argument("--head-rate", type=_number, help="learning rate of the heads (default: 3e-4)")
    train.add_argument("--layer-decay", type=_number, help="factor from a layer's rate to that of the one below")
    train.add_argument("--sentences", type=_at_least(2), default=64, help="sentences per step, of both tasks (default: 64)")
    train.add_argument(
        "--mix",
        type=_mix,
        default="equal",
        help="how a step divides them: equal (the default), square-root, proportional, or entities:classes such as 3:2",
    )
    train.add_argument(
        "--weights",
        nargs=2,
        type=_weight,
        default=(1.0, 1.0),
        metavar=("ENTITIES", "CLASSES"),
        help="of the two losses (default: 1 1)",
    )
    train.add_argument(
        "--freeze", nargs="+", metavar="PART", help="parts that do not train: embeddings, layer_0, backbone …"
    )
    train.add_argument(
        "--distillation", type=_weight, help=f"weight of keeping the base model's embeddings (default: {_DISTILLATION:g})"
    )
    train.add_argument(
        "--class-teacher",
        nargs="+",
        default=(),
        metavar="ID_OR_DIR",
        help="checkpoints whose classes, their mean, are learned too, from the sentences of both tasks",
    )
    train.add_argument("--teacher-weight", type=_weight, default=1.0, help="of learning what the teachers say (default: 1)")
    train.add_argument("--dropout", type=_share, help="of the backbone (default: what its configuration says)")
    train.add_argument("--case-noise", type=_share, default=0.0, help="share of sentences read as if in one case")
    train.add_argument("--word-dropout", type=_share, default=0.0, help="share of word pieces that are hidden")
    train.add_argument("--label-smoothing", type=_share, default=0.0, help="share of the classes' targets that is spread")
    train.add_argument("--averaging", type=_share, default=0.0, help="share the average of the weights keeps at a step")
    train.add_argument(
        "--pooling",
        choices=_POOLINGS,
        help="what a new class head reads, mean of the tokens or the first; one that is trained reads what it always did",
    )
    train.add_argument(
        "--feature-gigabytes", type=_weight, default=1.0, help="kept of a frozen backbone's hidden states (default: 1)"
    )
    train.add_argument(
        "--interval", type=_positive, default=200, help="steps between measurements and saved states (default: 200)"
    )
    train.add_argument("--no-casing", action="store_true", help="do not give an uncased model the case of words")
    train.add_argument("--dev-ner", type=Path, metavar="FILE", help="tagged sentences to measure on while it trains")
    train.add_argument("--dev-classification", type=Path, metavar="FILE", help="the same for classes")
    train.add_argument("--dev-similarity", type=Path, metavar="FILE", help="the same for similarity: rated pairs")
    train.add_argument("--dev-limit", type=_positive, default=1000, help="rows of each, drawn by lot (default: 1000)")
    train.add_argument(
        "--resume", type=Path, nargs="?", const=True, metavar="DIR", help="go on from the state in DIR, or in --output"
    )
    train.set_defaults(run=_train)


def _at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    def number(value: str) -> int:
        try:
            found = int(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {value!r}") from error
        if found < least or (most is not None and found > most):
            limit = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {limit}, not {found}")
        return found

    return number


_positive = _at_least(1)
_seed = _at_least(0, 2**31)


def _mix(value: str) -> TaskMixing:
    from mtdemo.training.batches import MIXES, TaskMixing

    try:
        return TaskMixing.named(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {', '.join(MIXES)} or shares such as 3:2, not {value}") from error


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a number, not {value!r}") from error


def _weight(value: str) -> float:
    number = _number(value)
    if not 0.0 <= number <= 1e6:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1e6, not {value}")
    return number


def _share(value: str) -> float:
    number = _number(value)
    if not 0.0 <= number < 1.0:
        raise argparse.ArgumentTypeError(f"must be from 0 to less than 1, not {value}")
    return number


if __name__ == "__main__":
    sys.exit(main())
