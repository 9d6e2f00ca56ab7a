"""What a checkpoint can do, measured by source and label, and written into its model card.

`measure` gives a report as plain data, kept beside the weights in `evaluation.json`; `mtdemo.evaluation.card_text` turns it
into the card's section. So a number in the card is always one that was measured, and the section can be made anew without
data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtdemo.errors import DataFileError
from mtdemo.evaluation.calibration import measure_calibration
from mtdemo.evaluation.card_text import ALL, name_of_source
from mtdemo.evaluation.evaluate import analyze_rows, answer_again
from mtdemo.evaluation.sources import report_sources
from mtdemo.evaluation.task_tests import TASK_TESTS, AnsweredRows, TaskTest
from mtdemo.files import writing
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.results import ProgressCallback, no_progress
from mtdemo.serving.service import ModelService

REPORT_FILE = "evaluation.json"
CARD_FILE = "README.md"
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_NEW_CARD = f"""---
library_name: transformers
pipeline_tag: feature-extraction
tags: [sentence-similarity, text-classification, token-classification, multi-task]
---

# A multi-task sentence encoder

One shared backbone that gives a sentence embedding, a class and named entities from one forward pass. Write here how it was
made, from which data under which licences, and what it is bad at.

## How good it is

{_BEGIN}
{_END}
"""


def measure(
    service: ModelService,
    ner: Path,
    classification: Path,
    similarity: Path,
    progress: ProgressCallback = no_progress,
    against: ModelService | None = None,
) -> dict[str, Any]:
    """Measure the service's model on three files.

    Args:
        service: of the checkpoint.
        ner: tagged sentences.
        classification: sentences with a class.
        similarity: rated pairs.
        progress: called with a phrase, what is done and what there is.
        against: another checkpoint's, to be compared with.

    Returns:
        A report of numbers, strings, lists and dictionaries; scores have the fields of `mtdemo.evaluation.metrics`, those
        by source of `mtdemo.evaluation.sources`.

    Raises:
        DataFileError: a file cannot be used, or a head of a model is untrained.
        CheckpointError: a model cannot be loaded.
    """
    for each in (service, against):
        if each is not None:
            _check_trained(each)
    files = (ner, classification, similarity)
    rows = [test.read(path) for test, path in zip(TASK_TESTS, files, strict=True)]
    answered = [_answer(service, *task, progress) for task in zip(TASK_TESTS, rows, files, strict=True)]
    others: list[AnsweredRows | None] = [None] * len(answered)
    if against is not None:
        others = [answer_again(one, against, str(path), progress) for one, path in zip(answered, files, strict=True)]
    by_source = [report_sources(*pair, progress) for pair in zip(answered, others, strict=True)]
    entities, classes, pairs = answered
    return {
        "weights": _digest_of(Path(service.settings.checkpoint)),
        "against": None if against is None else Path(against.settings.checkpoint).expanduser().resolve().name,
        "data": {test.task.title: _name(path) for test, path in zip(TASK_TESTS, files, strict=True)},
        "entities": _scores_by_source(entities),
        "classes": _scores_by_source(classes),
        "similarity": pairs.scores.as_dict(),
        "by_source": {test.task.title: report.as_dict() for test, report in zip(TASK_TESTS, by_source, strict=True)},
        "calibration": {
            one.test.task.title: asdict(measure_calibration([s for s, _ in its], [right for _, right in its]))
            for one in (entities, classes)
            for its in (one.confidences,)
        },
    }


def _check_trained(service: ModelService) -> None:
    info = service.load()
    untrained = [task.title for task in LEARNED_TASKS if task.head not in info.trained_heads]
    if untrained:
        raise DataFileError(
            f"The {' and '.join(untrained)} of {info.id} are untrained: there is nothing to measure of them."
        )


def _answer(
    service: ModelService, test: TaskTest, rows: Sequence[Any], path: Path, progress: ProgressCallback
) -> AnsweredRows:
    answers = analyze_rows(service, test.sentences(rows), progress, str(path), "measuring")
    return AnsweredRows(test, rows, answers, service.load())


def _scores_by_source(answered: AnsweredRows) -> dict[str, Any]:
    """All rows first, then those of each source."""
    parts = {name_of_source(name): part for name, part in answered.by_source().items()}
    return {name: part.scores.as_dict() for name, part in {ALL: answered, **parts}.items()}


def read_report(directory: Path) -> dict[str, Any]:
    """The report that stands beside the weights.

    Raises:
        DataFileError: there is none, it cannot be read, it is no report, or it was measured with other weights.
    """
    path = directory / REPORT_FILE
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataFileError(f"{path} cannot be read; give data files to measure the checkpoint anew.") from error
    if not isinstance(report, dict):
        raise DataFileError(f"{path} holds no report of a measurement; give data files to measure the checkpoint anew.")
    if "by_source" not in report:
        raise DataFileError(f"{path} is of an earlier version; give data files to measure the checkpoint anew.")
    if report.get("weights") != _digest_of(directory):
        raise DataFileError(f"{path} was measured with other weights; give data files to measure the checkpoint anew.")
    return report


def write_report(directory: Path, report: Mapping[str, Any]) -> None:
    """Keep a report beside the weights."""
    with writing(directory / REPORT_FILE):
        (directory / REPORT_FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def write_section(directory: Path, section: str) -> None:
    """Put a section between the two marks of the card.

    Where there is no card, begin one.
    """
    before, after = around_section(directory)
    with writing(directory / CARD_FILE):
        (directory / CARD_FILE).write_text(f"{before}{_BEGIN}\n{section}\n{_END}{after}", encoding="utf-8")


def around_section(directory: Path) -> tuple[str, str]:
    """Return the texts around the section of a card.

    Where there is no card, it is that of a new one.

    Raises:
        DataFileError: the card cannot be read, or has no marks.
    """
    path = directory / CARD_FILE
    try:
        card = path.read_text(encoding="utf-8") if path.exists() else _NEW_CARD
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path} cannot be read: {error}.") from error
    before, _, rest = card.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise DataFileError(f"{path} has no lines {_BEGIN} and {_END} to write between.")
    return before, after


def _digest_of(checkpoint: Path) -> str:
    """Return the SHA-256 of the weights of a checkpoint."""
    digest = hashlib.sha256()
    for path in sorted(checkpoint.expanduser().glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _name(path: Path) -> str:
    """Return folder and file, nothing else of this machine."""
    return "/".join(path.resolve().parts[-2:])
