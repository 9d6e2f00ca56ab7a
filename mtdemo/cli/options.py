"""Kinds of options that several commands share, and what is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from mtdemo.config import EMBEDDED, NumberRange, Settings, read_settings
from mtdemo.errors import DataFileError, FileWriteError

if TYPE_CHECKING:
    from mtdemo.evaluation.validation import ValidationSets
    from mtdemo.models.loaded import LoadedModel


def option_type(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make a type of option from a reading function.

    Args:
        read: from the text to the value; raises ValueError with words that go on after the name of the option.
    """

    def convert(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


positive = option_type(NumberRange("at least 1", int, 1).read)


def number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from error


def add_settings(parser: argparse.ArgumentParser, table: type[Any]) -> None:
    """Add an option for every setting that has a flag.

    Args:
        parser: of a command.
        table: a dataclass with fields as `mtdemo.training.settings.setting` declares them. What is not given on the
            command line is None, so that `given_settings` can tell it from a default that was asked for.
    """
    for each in fields(table):
        flag, default = each.metadata["flag"], each.default
        if not flag:
            continue
        if isinstance(default, bool):
            more: dict[str, Any] = {"action": "store_const", "const": not default}
        elif each.metadata.get("choices"):
            more = {"choices": each.metadata["choices"]}
        else:
            metavar = each.metadata.get("metavar", flag.removeprefix("--").upper().replace("-", "_"))
            more = {"type": option_type(each.metadata["read"]), "metavar": metavar}
            more |= {"nargs": len(default)} if isinstance(default, tuple) else {}
        parser.add_argument(flag, dest=each.name, help=_help(each), **more)


def given_settings(options: argparse.Namespace, table: type[Any]) -> dict[str, Any]:
    """Return the settings that were given, by field."""
    values = {each.name: getattr(options, each.name) for each in fields(table) if each.metadata["flag"]}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value is not None}


def _help(each: Field[Any]) -> str:
    shown = each.metadata.get("shown")
    if shown is None and not (each.default is None or isinstance(each.default, bool)):
        numbers = each.default if isinstance(each.default, tuple) else (each.default,)
        shown = " ".join(f"{value:g}" for value in numbers)
    about: str = each.metadata["about"]
    return about if shown is None else f"{about} (default: {shown})"


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the model."""
    parser.add_argument("--checkpoint", help="a directory or an id of the hub; the embedded checkpoint by default")


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a Ray cluster."""
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="a Ray cluster; without address one of this machine alone",
    )


def service_settings(checkpoint: str | None) -> Settings:
    """Return the environment's settings, with a model if given.

    Args:
        checkpoint: a directory or an id of the hub.
    """
    from mtdemo.models.hub import is_directory_name

    settings = read_settings([])
    if checkpoint is None:
        return settings
    if is_directory_name(checkpoint):
        return replace(settings, model=EMBEDDED, checkpoint=checkpoint)
    return replace(settings, model=checkpoint)


def load_checkpoint(checkpoint: str | None) -> LoadedModel:
    """Load the model that `--checkpoint` names, else the embedded.

    Raises:
        CheckpointError: it cannot be loaded, or names several models put together.
    """
    from mtdemo.models.checkpoints import load_directory
    from mtdemo.models.hub import load_model

    settings = service_settings(checkpoint)
    if settings.model == EMBEDDED:
        return load_directory(Path(settings.checkpoint).expanduser(), name=settings.checkpoint_name)
    return load_model(settings.model)


def validation_sets(options: argparse.Namespace, base: LoadedModel) -> ValidationSets | None:
    """Read the held-out sentences; None where none are given.

    Raises:
        DataFileError: a file that cannot be read, a label that the model does not have, or ratings that are all the same.
    """
    from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
    from mtdemo.data.records import check_labels
    from mtdemo.data.subsets import subsample_sources
    from mtdemo.evaluation.validation import ValidationSets

    def rows(path: Path | None, read: Any) -> Any:
        return subsample_sources(read(path), options.dev_limit) if path is not None else ()

    sets = ValidationSets(
        rows(options.dev_ner, read_tagged),
        rows(options.dev_classification, read_labelled),
        rows(options.dev_similarity, read_pairs),
    )
    check_labels(sets.tagged, sets.labelled, base.info.class_labels, base.info.entity_types)
    if sets.pairs and len({pair.score for pair in sets.pairs}) < 2:
        raise DataFileError(f"{options.dev_similarity}: its pairs need at least two different ratings.")
    return sets if sets.tagged or sets.labelled or sets.pairs else None


def make_writable(directory: Path) -> None:
    """Make a directory, and try to write into it.

    Raises:
        FileWriteError: it cannot be, and why; better told before hours of training than after.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise FileWriteError(f"{directory} cannot be written to: {error.strerror}.") from error
