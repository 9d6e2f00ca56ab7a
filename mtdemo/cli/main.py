"""The command line, `mtdemo annotate | evaluate | card | calibrate | export | train`: arguments in, messages out."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from mtdemo import __version__
from mtdemo.cli.commands import add_annotate, add_calibrate
from mtdemo.cli.export import add_export
from mtdemo.cli.measuring import add_card, add_evaluate
from mtdemo.cli.train import add_train
from mtdemo.config import prepare_environment
from mtdemo.errors import MtdemoError


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
    if options.command == "annotate" and options.ray is not None:
        return " The same command goes on with the parts that are missing."
    if options.command != "train":
        return ""
    from mtdemo.training.loop import STATE_FILE

    if (options.output / STATE_FILE).exists():
        return " The same command with --resume goes on from the last saved state."
    if (options.output / "model.safetensors").exists():
        return f" {options.output} holds a finished checkpoint, of this run or of an earlier one."
    return " Nothing was saved yet."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtdemo",
        description="A multi-task sentence encoder for files.",
        epilog="`mtdemo serve` starts the web page; `mtdemo serve --help` lists its settings.",
    )
    parser.add_argument("--version", action="version", version=f"mtdemo {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (add_annotate, add_evaluate, add_card, add_calibrate, add_export, add_train):
        add(commands)
    return parser
