"""Commands that use a model as it is, and the one that calibrates it."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mtdemo.cli.options import make_writable, positive, service_settings, validation_sets
from mtdemo.cli.progress import ProgressBar
from mtdemo.config import EMBEDDED
from mtdemo.errors import UsageError
from mtdemo.models.parts import TASKS, find_task, part_title


def add_annotate(commands: Any) -> None:
    """Add the command that runs the model over a file."""
    parser = commands.add_parser("annotate", help="run the whole model over a file of lines")
    parser.add_argument("input", type=Path, help="text file, UTF-8, one sentence per line")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines to write, one per line of the input")
    parser.add_argument("--embeddings", type=Path, help="NumPy file to write, float32 (lines, hidden)")
    _add_checkpoint(parser)
    parser.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from mtdemo.serving.file_annotation import annotate_file
    from mtdemo.serving.service import ModelService

    service = ModelService(service_settings(options))
    with tqdm(desc="annotating", unit=" lines", file=sys.stderr) as bar:

        def follow(phrase: str, done: int, total: int) -> None:
            bar.update(done - bar.n)

        report = annotate_file(
            service, options.input, options.output, options.embeddings, follow, partial(bar.write, file=sys.stderr)
        )
    print(report.summary, file=sys.stderr)
    return 0


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
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object on the last line")
    _add_checkpoint(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.evaluate import evaluate_file
    from mtdemo.serving.service import ModelService

    service = ModelService(service_settings(options))
    with closing(ProgressBar()) as bar:
        result = evaluate_file(
            service,
            options.task,
            options.data,
            limit=options.limit,
            ignored=[name.strip() for name in options.ignore_labels.split(",") if name.strip()],
            progress=bar,
        )
    model = service.load()
    head = find_task(options.task).head
    if head is not None and head not in model.trained_heads:
        print(f"Note: the {part_title(head)} of this model is untrained: the numbers are those of chance.", file=sys.stderr)
    labels = getattr(result, "per_label", {})
    unknown = [name for name in labels if name not in (*model.class_labels, *model.entity_types)]
    if unknown:
        print(f"Note: the model does not know {', '.join(unknown)}, so it never finds them.", file=sys.stderr)
    n_touching = getattr(result, "n_touching", 0)
    if n_touching and not service.get_model().scheme.tells_touching_apart:
        print(
            f"Note: {n_touching:,} entities of the file directly follow another of their type and count as conlleval "
            "counts them; the IO labels of this model cannot tell the two apart.",
            file=sys.stderr,
        )
    print(json.dumps(result.as_dict(), indent=None if options.json else 2))
    return 0


def add_card(commands: Any) -> None:
    """Add the command that measures a checkpoint into its card."""
    parser = commands.add_parser("card", help="measure a checkpoint and write the numbers into its model card")
    parser.add_argument("--ner", type=Path, help="tagged sentences; without data files the last measurement is written")
    parser.add_argument("--classification", type=Path, help="sentences with a class")
    parser.add_argument("--similarity", type=Path, help="rated pairs")
    _add_checkpoint(parser)
    parser.set_defaults(run=_card)


def _card(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.model_card import around_section, measure, read_report, render, write_report, write_section
    from mtdemo.serving.service import ModelService

    settings = service_settings(options)
    if settings.model != EMBEDDED:
        raise UsageError(f"A card is written beside the weights, so {settings.model!r} must be a directory.")
    directory = Path(settings.checkpoint).expanduser()
    around_section(directory)
    files = (options.ner, options.classification, options.similarity)
    if any(files) and not all(files):
        raise UsageError("A measurement needs all of --ner, --classification and --similarity.")
    if all(files):
        with closing(ProgressBar()) as bar:
            report = measure(ModelService(settings), *files, bar)
        write_report(directory, report)
    write_section(directory, render(read_report(directory)))
    print(f"Written to {directory / 'README.md'}.", file=sys.stderr)
    return 0


def add_calibrate(commands: Any) -> None:
    """Add the command that makes a checkpoint's confidence honest."""
    parser = commands.add_parser("calibrate", help="make a checkpoint's confidence mean what it says")
    parser.add_argument(
        "--ner", dest="dev_ner", type=Path, metavar="FILE", help="tagged sentences that it was not trained on"
    )
    parser.add_argument(
        "--classification", dest="dev_classification", type=Path, metavar="FILE", help="sentences with a class, the same"
    )
    parser.add_argument(
        "--limit", dest="dev_limit", type=positive, default=1000, help="rows of each source, at random (default: 1000)"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory to write the checkpoint to")
    _add_checkpoint(parser)
    parser.set_defaults(run=_calibrate, dev_similarity=None)


def _calibrate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.calibration import fit_temperatures
    from mtdemo.models.checkpoints import load_directory, save_checkpoint
    from mtdemo.models.hub import load_model

    make_writable(options.output)
    settings = service_settings(options)
    is_directory = settings.model == EMBEDDED
    model = load_directory(Path(settings.checkpoint).expanduser()) if is_directory else load_model(settings.model)
    sets = validation_sets(options, model)
    if sets is None:
        raise UsageError("Sentences that were not trained on are needed: --ner, --classification or both.")
    with closing(ProgressBar()) as bar:
        found = fit_temperatures(model, sets, bar)
    save_checkpoint(model, options.output)
    print(f"Logits were divided: {found.phrase}. Saved to {options.output}.", file=sys.stderr)
    return 0


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--checkpoint", help="a directory or an id of the hub; the embedded checkpoint by default")
