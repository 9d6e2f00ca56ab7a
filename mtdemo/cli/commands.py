"""Commands that use a model as it is, and the one that calibrates it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from mtdemo.cli.options import (
    add_checkpoint,
    add_cluster,
    load_checkpoint,
    make_writable,
    positive,
    service_settings,
    validation_sets,
)
from mtdemo.cli.progress import ProgressBar
from mtdemo.errors import UsageError

if TYPE_CHECKING:
    from mtdemo.config import Settings
    from mtdemo.serving.file_annotation import AnnotationReport, Outputs


def add_annotate(commands: Any) -> None:
    """Add the command that runs the model over files."""
    parser = commands.add_parser("annotate", help="run the whole model over files of lines")
    parser.add_argument("input", type=Path, nargs="+", help="text files, UTF-8, one sentence per line")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="JSON lines to write, one per line of the input; a directory for several files and with --ray",
    )
    parser.add_argument(
        "--embeddings",
        type=Path,
        nargs="?",
        const=Path(),
        help="NumPy file to write, float32 (lines, hidden); without name where --output is a directory",
    )
    add_cluster(parser)
    parser.add_argument("--workers", type=positive, help="with --ray, at most so many (default: one per core)")
    add_checkpoint(parser)
    parser.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from mtdemo.serving.file_annotation import Outputs, name_outputs

    is_one = len(options.input) == 1 and options.ray is None and not options.output.is_dir()
    if options.embeddings is not None and is_one == (options.embeddings == Path()):
        raise UsageError("--embeddings takes a name where --output is a file, and none where it is a directory.")
    if options.workers is not None and options.ray is None:
        raise UsageError("--workers belongs to --ray; without it one process computes.")
    if is_one:
        outputs = {options.input[0]: Outputs(options.output, options.embeddings)}
    else:
        outputs = name_outputs(options.input, options.output, options.embeddings is not None)
        make_writable(options.output)
    settings = replace(service_settings(options.checkpoint), max_cache_bytes=0)  # a line's bytes depend on no earlier line
    report = _annotate_here(settings, outputs) if options.ray is None else _annotate_on_ray(settings, outputs, options)
    print(report.summary, file=sys.stderr)
    return 0


def _annotate_here(settings: Settings, outputs: Mapping[Path, Outputs]) -> AnnotationReport:
    """Annotate files one after the other, in this process."""
    from mtdemo.serving.file_annotation import AnnotationReport, annotate_file
    from mtdemo.serving.service import ModelService

    service, counts = ModelService(settings), AnnotationReport()
    with tqdm(desc="annotating", unit=" lines", file=sys.stderr) as bar:
        for source, its in outputs.items():

            def follow(phrase: str, done: int, total: int, before: int = counts.n_lines) -> None:
                bar.update(before + done - bar.n)

            def tell(problem: str, prefix: str = f"{source}: " if len(outputs) > 1 else "") -> None:
                bar.write(prefix + problem, file=sys.stderr)

            counts += annotate_file(service, source, its.records, its.embeddings, follow, tell)
    return counts


def _annotate_on_ray(settings: Settings, outputs: Mapping[Path, Outputs], options: argparse.Namespace) -> AnnotationReport:
    """Annotate files in parts, by workers on a cluster."""
    from mtdemo.cluster.connection import joined
    from mtdemo.cluster.parts import annotate_in_parts
    from mtdemo.cluster.workers import run_on

    with joined(options.ray) as ray, tqdm(desc="annotating", unit=" parts", file=sys.stderr) as bar:

        def follow(n_done: int, n_parts: int) -> None:
            bar.total = n_parts
            bar.update(n_done - bar.n)

        run, tell = run_on(ray, options.workers), partial(bar.write, file=sys.stderr)
        return annotate_in_parts(outputs, options.output, settings, run, follow, tell)


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
    add_checkpoint(parser)
    parser.set_defaults(run=_calibrate, dev_similarity=None)


def _calibrate(options: argparse.Namespace) -> int:
    from mtdemo.evaluation.calibration import fit_temperatures, fit_type_change_cost
    from mtdemo.models.checkpoints import save_checkpoint

    make_writable(options.output)
    model = load_checkpoint(options.checkpoint)
    sets = validation_sets(options, model)
    if sets is None:
        raise UsageError("Sentences that were not trained on are needed: --ner, --classification or both.")
    with closing(ProgressBar()) as bar:
        found = fit_temperatures(model, sets, bar)
    model = fit_type_change_cost(model, sets)
    save_checkpoint(model, options.output)
    print(
        f"Logits were divided: {found.phrase}. A change of type inside a name costs {model.scheme.type_change_cost:g}. "
        f"Saved to {options.output}.",
        file=sys.stderr,
    )
    return 0
