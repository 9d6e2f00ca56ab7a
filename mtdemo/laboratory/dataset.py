"""Datasets of the laboratory: sentences to learn from and held-out ones, of the project's sample or a person's file.

A person's file replaces the sentences of the tasks that it marks; a task that it says nothing of keeps the project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mtdemo.config import MAX_UPLOAD_BYTES
from mtdemo.data import records
from mtdemo.data.marked_text import SAMPLE, Sample, read_sample
from mtdemo.data.readers import read_sentences
from mtdemo.data.records import LabelledSentence, TaggedSentence, describe_repeats
from mtdemo.data.subsets import sample_indices, subsample
from mtdemo.errors import DataFileError

MIN_FILE_SENTENCES, MAX_FILE_SENTENCES = 8, 2_000  # of each task
MAX_CHARACTERS = 1_000  # of a sentence
MAX_HELD_OUT = 200  # measuring more would take longer than training
_EVERY = 4  # of a file without parts, one sentence in so many is held out
OWN = "the sample of this project"


@dataclass(frozen=True, slots=True)
class LabDataset:
    """Sentences to learn from and held-out ones, by task.

    Attributes:
        tagged, labelled: to learn from, for the entity head and for the classification head.
        tagged_heldout, labelled_heldout: to measure on.
        note: what a person should know of their file; empty where there is nothing.
        name: what to call it beside others.
    """

    tagged: tuple[TaggedSentence, ...]
    labelled: tuple[LabelledSentence, ...]
    tagged_heldout: tuple[TaggedSentence, ...]
    labelled_heldout: tuple[LabelledSentence, ...]
    note: str = ""
    name: str = "the project's sample"

    @classmethod
    def from_sample(cls, sample: Sample) -> LabDataset:
        """Use every marked sentence for both tasks."""
        return cls(
            tagged=tuple(sentence.tagged for sentence in sample.train),
            labelled=tuple(sentence.labelled for sentence in sample.train),
            tagged_heldout=tuple(sentence.tagged for sentence in sample.test),
            labelled_heldout=tuple(sentence.labelled for sentence in sample.test),
        )

    @property
    def phrase(self) -> str:
        """Say in words how many sentences there are."""
        return (
            f"{len(self.tagged)} sentences with entities and {len(self.labelled)} with a class to learn from, "
            f"{len(self.tagged_heldout)} and {len(self.labelled_heldout)} others kept aside"
            f"{'; ' if self.note else ''}{self.note}"
        )


def read_dataset(path: Path | None = None) -> LabDataset:
    """Read the project's sample, or a person's file.

    The file is one of: JSON lines with `tokens` and `tags` or with `text` and `label`, CSV with `text` and `label`,
    columns of tokens and tags as CoNLL-2003 has, or marked sentences like the project's own (`.txt`, which may hold columns
    too), which alone say themselves what is held out.

    Raises:
        DataFileError: naming the file, without its directory, and the line.
    """
    own = LabDataset.from_sample(read_sample(SAMPLE, OWN))
    if path is None:
        return own
    if not path.exists():
        raise DataFileError(f"{path.name} is not here any more. Upload it again.")
    found = read_sentences(path, path.name, MAX_UPLOAD_BYTES)
    learned: tuple[Any, ...]
    heldout: tuple[Any, ...]
    if isinstance(found, Sample):
        _check_lengths([(sentence.place, len(sentence.text)) for sentence in (*found.train, *found.test)])
        dataset = LabDataset.from_sample(found)
        learned, heldout = dataset.labelled, dataset.labelled_heldout
    else:
        learned, heldout = _split(found)
        if isinstance(found[0], TaggedSentence):
            dataset = replace(own, tagged=learned, tagged_heldout=heldout)
        else:
            dataset = replace(own, labelled=learned, labelled_heldout=heldout)
    _check_sizes(dataset, path.name)
    for places in (dataset.tagged, dataset.tagged_heldout, dataset.labelled, dataset.labelled_heldout):
        _check_lengths([(sentence.place, len(sentence.text.strip())) for sentence in places])
    return replace(
        dataset,
        name=path.name,
        note=_note(learned, heldout),
        tagged_heldout=tuple(subsample(dataset.tagged_heldout, MAX_HELD_OUT)),
        labelled_heldout=tuple(subsample(dataset.labelled_heldout, MAX_HELD_OUT)),
    )


def check_labels(dataset: LabDataset, classes: Sequence[str], types: Sequence[str]) -> None:
    """Make sure that a model knows every label.

    Args:
        dataset: what is to be learned, and what is held out.
        classes: names of the model's classes.
        types: of its entities, without `O`.

    Raises:
        DataFileError: a label that is neither, naming file and line.
    """
    tagged, labelled = (*dataset.tagged, *dataset.tagged_heldout), (*dataset.labelled, *dataset.labelled_heldout)
    try:
        records.check_labels(tagged, labelled, classes, types)
    except DataFileError as error:
        if not str(error).startswith(OWN):
            raise
        advice = "This model needs sentences of yours for both tasks: marked ones, in a .txt file."
        raise DataFileError(f"{error} {advice}") from error


def _note(learned: Sequence[Any], heldout: Sequence[Any]) -> str:
    """Say how many sentences repeat others or are learned."""
    known = {row.text for row in learned}
    n_known = sum(row.text in known for row in heldout)
    told = f"{n_known} of those kept aside are learned from, too, so their scores say less" if n_known else ""
    return "; ".join(filter(None, (describe_repeats((*learned, *heldout)), told)))


def _check_sizes(dataset: LabDataset, name: str) -> None:
    for learned, heldout in ((dataset.tagged, dataset.tagged_heldout), (dataset.labelled, dataset.labelled_heldout)):
        n_sentences = len(learned) + len(heldout)
        if n_sentences > MAX_FILE_SENTENCES:
            raise DataFileError(
                f"{name} has more than {MAX_FILE_SENTENCES:,} sentences, which is the most that is read here."
            )
        if n_sentences < MIN_FILE_SENTENCES:
            raise DataFileError(
                f"{name} has {n_sentences} sentences; at least {MIN_FILE_SENTENCES} are needed, since some are kept aside."
            )


def _check_lengths(sentences: Sequence[tuple[str, int]]) -> None:
    for place, length in sentences:
        if length > MAX_CHARACTERS:
            raise DataFileError(f"{place}: it has {length:,} characters; at most {MAX_CHARACTERS:,} are read here.")


def _split(rows: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Split rows into those to learn from and held-out ones.

    A quarter is held out, drawn at random with a fixed seed; both keep the order of the file.
    """
    heldout = sample_indices(len(rows), len(rows) // _EVERY)
    learned = sorted({*range(len(rows))} - {*heldout})
    return tuple(rows[place] for place in learned), tuple(rows[place] for place in heldout)
