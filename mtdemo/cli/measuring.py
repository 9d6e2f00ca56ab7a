"""Commands that measure a model: one task on a file, or a checkpoint into its card."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtdemo.cli.options import add_checkpoint, positive, service_settings
from mtdemo.cli.progress import ProgressBar
from mtdemo.config import EMBEDDED
from mtdemo.errors import UsageError
from mtdemo.models.parts import TASKS, find_task, part_title

if TYPE_CHECKING:
    from mtdemo.evaluation.task_tests import Scores
    from mtdemo.serving.service import ModelService


def add_evaluate(commands: Any) -> None:
    """Add the command that measures a labelled file."""
    parser = commands.add_parser("evaluate", help="measure a task on a labelled file")
    parser.add_argument("--task", choices=[task.name for task in TASKS], required=True)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="JSON lines or columns (ner), JSON lines or CSV (classification), TSV of pairs",
    )
    parser.add_argument("--limit", type=positive, help="draw N rows at random (fixed seed)")
    parser.add_argument("--ignore-labels", default="", help="entity types left out on both sides, such as MISC,LOC")
    parser.add_argument("--by-source", action="store_true", help="also score each source, with bootstrap intervals")
    parser.add_argument(
        "--against", metavar="ID_OR_DIR", help="another checkpoint to compare with, source by source, on the same draws"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on the last line")
    add_checkpoint(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.card_text import source_table
    from mtdemo.evaluation.evaluate import answer_again, answer_file
    from mtdemo.evaluation.sources import report_sources
    from mtdemo.serving.service import ModelService

    service = ModelService(service_settings(options.checkpoint))
    ignored = [name.strip() for name in options.ignore_labels.split(",") if name.strip()]
    by_source = None
    with closing(ProgressBar()) as bar:
        answered = answer_file(service, options.task, options.data, options.limit, ignored, bar)
        other = None
        if options.against is not None:
            other = answer_again(answered, ModelService(service_settings(options.against)), str(options.data), bar)
        if options.by_source or other is not None:
            by_source = report_sources(answered, other, bar).as_dict()
    scores = answered.scores
    _print_notes(scores, options.task, service)
    result = scores.as_dict()
    if by_source is not None:
        result |= {"by_source": by_source, "against": options.against}
        print(source_table(by_source, options.against), file=sys.stderr)
    print(json.dumps(result, indent=None if options.json else 2))
    return 0


def _print_notes(scores: Scores, task: str, service: ModelService) -> None:
    """Tell what limits the meaning of the scores."""
    model, head = service.load(), find_task(task).head
    if head is not None and head not in model.trained_heads:
        print(f"Note: the {part_title(head)} of this model is untrained: the numbers are those of chance.", file=sys.stderr)
    unknown = [name for name in getattr(scores, "per_label", {}) if name not in (*model.class_labels, *model.entity_types)]
    if unknown:
        print(f"Note: the model does not know {', '.join(unknown)}, so it never finds them.", file=sys.stderr)
    n_touching = getattr(scores, "n_touching", 0)
    if n_touching and not service.get_model(part="entities").scheme.tells_touching_apart:
        print(
            f"Note: {n_touching:,} entities of the file directly follow another of their type and count as conlleval "
            "counts them; the IO labels of this model cannot tell the two apart.",
            file=sys.stderr,
        )


def add_card(commands: Any) -> None:
    """Add the command that measures a checkpoint into its card."""
    parser = commands.add_parser("card", help="measure a checkpoint and write the numbers into its model card")
    parser.add_argument("--ner", type=Path, help="tagged sentences; without data files the last measurement is written")
    parser.add_argument("--classification", type=Path, help="sentences with a class")
    parser.add_argument("--similarity", type=Path, help="rated pairs")
    parser.add_argument("--against", metavar="DIR", help="another checkpoint to compare with, source by source")
    add_checkpoint(parser)
    parser.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.card_text import render
    from mtdemo.evaluation.model_card import around_section, measure, read_report, write_report, write_section
    from mtdemo.serving.service import ModelService

    settings = service_settings(options.checkpoint)
    if settings.model != EMBEDDED:
        raise UsageError(f"A card is written beside the weights, so {settings.model!r} must be a directory.")
    directory = Path(settings.checkpoint).expanduser()
    around_section(directory)
    files = (options.ner, options.classification, options.similarity)
    if (any(files) or options.against) and not all(files):
        raise UsageError("A measurement needs all of --ner, --classification and --similarity.")
    if all(files):
        against = service_settings(options.against)
        if against.model != EMBEDDED:
            raise UsageError(f"{options.against!r} must be a directory to compare with.")
        with closing(ProgressBar()) as bar:
            report = measure(ModelService(settings), *files, bar, ModelService(against) if options.against else None)
        write_report(directory, report)
    write_section(directory, render(read_report(directory)))
    print(f"Written to {directory / 'README.md'}.", file=sys.stderr)
    return 0
