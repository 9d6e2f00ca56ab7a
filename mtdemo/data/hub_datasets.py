"""Labelled sentences from data sets of the hub, through the optional `datasets` package.

A source is a file, or `hub:owner/name` or `hub:owner/name:split` (`train` where no split is named). Whatever comes from
the hub becomes the same rows that files give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mtdemo.data.readers import read_labelled, read_tagged
from mtdemo.data.records import LabelledSentence, TaggedSentence, make_labelled, make_tagged
from mtdemo.errors import DataFileError
from mtdemo.files import first_line

Row = TypeVar("Row", TaggedSentence, LabelledSentence)
PREFIX = "hub:"
_TAG_COLUMNS = ("ner_tags", "tags", "labels")
_TEXT_COLUMNS = ("text", "sentence")


def tagged_from(source: str) -> tuple[TaggedSentence, ...]:
    """Read tagged sentences of a file or a data set.

    A data set has `tokens` and `ner_tags` (or `tags`, `labels`), and maybe `annotated` and `source` as files have.

    Raises:
        DataFileError: naming the source, and what it lacks.
    """
    return _rows(source, read_tagged, _tagged)


def labelled_from(source: str) -> tuple[LabelledSentence, ...]:
    """Read sentences with a class from a file or dataset.

    A data set has `text` (or `sentence`) and `label`.

    Raises:
        DataFileError: naming the source, and what it lacks.
    """
    return _rows(source, read_labelled, _labelled)


def _rows(
    source: str, read: Callable[[Path], tuple[Row, ...]], convert: Callable[[Any, str], Iterator[Row]]
) -> tuple[Row, ...]:
    if not source.startswith(PREFIX):
        return read(Path(source))
    rows = tuple(convert(_load(source), source))
    if not rows:
        raise DataFileError(f"{source} holds no sentences.")
    return rows


def _load(source: str) -> Any:
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise DataFileError(f"{source}: data sets of the hub need one more package: pip install datasets.") from error
    name, _, split = source.removeprefix(PREFIX).partition(":")
    try:
        return load_dataset(name, split=split or "train")
    except Exception as error:
        raise DataFileError(f"{source} cannot be loaded: {first_line(error)}") from error


def _tagged(dataset: Any, source: str) -> Iterator[TaggedSentence]:
    tags = _column(dataset, _TAG_COLUMNS, source)
    tokens = _column(dataset, ("tokens",), source)
    names = getattr(getattr(dataset.features[tags], "feature", None), "names", None)
    for number, row in enumerate(dataset):
        place = f"{source}, row {number}"
        of_tokens = tuple(_text(token, place) for token in _list(row[tokens], tokens, place))
        of_tags = tuple(_name(tag, names, place) for tag in _list(row[tags], tags, place))
        annotated = row.get("annotated")
        yield make_tagged(
            of_tokens,
            of_tags,
            None if annotated is None else tuple(_text(name, place) for name in _list(annotated, "annotated", place)),
            str(row.get("source") or ""),
            place,
        )


def _labelled(dataset: Any, source: str) -> Iterator[LabelledSentence]:
    text = _column(dataset, _TEXT_COLUMNS, source)
    label = _column(dataset, ("label",), source)
    names = getattr(dataset.features[label], "names", None)
    for number, row in enumerate(dataset):
        place = f"{source}, row {number}"
        source_of_row = str(row.get("source") or "")
        yield make_labelled(_text(row[text], place), _name(row[label], names, place), source_of_row, place)


def _column(dataset: Any, names: Sequence[str], source: str) -> str:
    found = [name for name in names if name in dataset.features]
    if not found:
        raise DataFileError(f"{source} has no column {' or '.join(names)}, but {', '.join(dataset.features)}.")
    return found[0]


def _name(value: Any, names: Sequence[str] | None, place: str) -> str:
    if names is None:
        return str(value)
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise DataFileError(f"{place}: {value} is no label; they are 0 to {len(names) - 1}, {', '.join(names)}.")
    return names[value]


def _list(value: Any, name: str, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataFileError(f"{place}: {name} must be a list, not {value!r}.")
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise DataFileError(f"{place}: {value!r} is no text.")
    return value
