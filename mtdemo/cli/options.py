"""Kinds of options that several commands share, and what is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from mtdemo.config import EMBEDDED, Settings, read_settings
from mtdemo.errors import DataFileError

if TYPE_CHECKING:
    from mtdemo.evaluation.validation import ValidationSets
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.training.batches import TaskMixing


def at_least(least: int, most: int | None = None) -> Callable[[str], int]:
    """Make a type of option: whole numbers in a range."""

    def convert(value: str) -> int:
        try:
            found = int(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {value!r}") from error
        if found < least or (most is not None and found > most):
            limit = f"at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"must be {limit}, not {found}")
        return found

    return convert


positive = at_least(1)
seed = at_least(0, 2**31)


def task_mixing(value: str) -> TaskMixing:
    """Read how a step divides its sentences among tasks."""
    from mtdemo.training.batches import MIXES, TaskMixing

    try:
        return TaskMixing.named(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be {', '.join(MIXES)} or shares such as 3:2, not {value}") from error


def number(value: str) -> float:
    """Read a number."""
    try:
        return float(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a number, not {value!r}") from error


def weight(value: str) -> float:
    """Read the weight of a loss."""
    found = number(value)
    if not 0.0 <= found <= 1e6:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1e6, not {value}")
    return found


def share(value: str) -> float:
    """Read a share, 0 to less than 1."""
    found = number(value)
    if not 0.0 <= found < 1.0:
        raise argparse.ArgumentTypeError(f"must be from 0 to less than 1, not {value}")
    return found


def service_settings(options: argparse.Namespace) -> Settings:
    """Return the environment's settings with the model of the command."""
    from mtdemo.models.hub import is_directory_name

    settings = read_settings([])
    if options.checkpoint is None:
        return settings
    if is_directory_name(options.checkpoint):
        return replace(settings, model=EMBEDDED, checkpoint=options.checkpoint)
    return replace(settings, model=options.checkpoint)


def validation_sets(options: argparse.Namespace, base: LoadedModel) -> ValidationSets | None:
    """Read the held-out sentences of the options; None where none are given.

    Raises:
        DataFileError: a file that cannot be read, a label that the model does not have, or ratings that are all the same.
    """
    from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
    from mtdemo.data.records import check_labels
    from mtdemo.data.subsets import subsample
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


def make_writable(directory: Path) -> None:
    """Make a directory, and make sure that files can be written into it.

    Raises:
        FileWriteError: it cannot be, and why; better told before hours of training than after.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise DataFileError(f"{directory} cannot be written to: {error.strerror}.") from error
