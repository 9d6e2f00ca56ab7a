"""Commands that use a model as it is, and the one that calibrates it."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mtdemo.cli.options import add_checkpoint, load_checkpoint, make_writable, positive, service_settings, validation_sets
from mtdemo.cli.progress import ProgressBar
from mtdemo.errors import UsageError


def add_annotate(commands: Any) -> None:
    """Add the command that runs the model over a file."""
    parser = commands.add_parser("annotate", help="run the whole model over a file of lines")
    parser.add_argument("input", type=Path, help="text file, UTF-8, one sentence per line")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines to write, one per line of the input")
    parser.add_argument("--embeddings", type=Path, help="NumPy file to write, float32 (lines, hidden)")
    add_checkpoint(parser)
    parser.set_defaults(run=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from mtdemo.serving.file_annotation import annotate_file
    from mtdemo.serving.service import ModelService

    service = ModelService(service_settings(options.checkpoint))
    with tqdm(desc="annotating", unit=" lines", file=sys.stderr) as bar:

        def follow(phrase: str, done: int, total: int) -> None:
            bar.update(done - bar.n)

        report = annotate_file(
            service, options.input, options.output, options.embeddings, follow, partial(bar.write, file=sys.stderr)
        )
    print(report.summary, file=sys.stderr)
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
