"""How good a model is on a labelled file, measured through the service that answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtdemo.data.records import TaggedSentence
from mtdemo.data.subsets import subsample
from mtdemo.errors import DataFileError, InputError, UnknownNameError, UsageError
from mtdemo.evaluation.task_tests import TASK_TESTS, AnsweredRows, Scores, TaskTest
from mtdemo.results import ModelInfo, ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.service import ModelService
from mtdemo.text.tags import entity_type

_log = logging.getLogger(__name__)


def evaluate_file(
    service: ModelService,
    task: str,
    path: Path,
    limit: int | None = None,
    ignored: Collection[str] = (),
    progress: ProgressCallback = no_progress,
) -> Scores:
    """Measure the service's model on a file, as `answer_file` does."""
    return answer_file(service, task, path, limit, ignored, progress).scores


def answer_file(
    service: ModelService,
    task: str,
    path: Path,
    limit: int | None = None,
    ignored: Collection[str] = (),
    progress: ProgressCallback = no_progress,
) -> AnsweredRows:
    """Let the service's model answer the rows of a file.

    Args:
        service: what answers.
        task: name of one of `mtdemo.models.parts.TASKS`.
        path: labelled rows, as `mtdemo.data.readers` reads them.
        limit: draw only that many rows, at random (fixed seed).
        ignored: entity types left out on both sides.
        progress: called with sentences done and sentences in all.

    Raises:
        UnknownNameError: there is no such task.
        UsageError: types to ignore that neither the file nor the model has, or of a task that has none.
        DataFileError: the file cannot be used for this task.
        CheckpointError: the model cannot be loaded.
    """
    test = _find_test(task)
    rows = test.read(path)
    if ignored:
        _check_ignored(ignored, task, rows, service.load())
    rows = rows if limit is None else tuple(subsample(rows, limit))
    answers = analyze_rows(service, test.sentences(rows), progress, str(path), "evaluating")
    return AnsweredRows(test, rows, answers, service.load(), ignored)


def answer_again(
    answered: AnsweredRows, service: ModelService, name: str, progress: ProgressCallback = no_progress
) -> AnsweredRows:
    """Let another model answer the same rows.

    Args:
        answered: rows, with the answers of one model.
        service: what answers them again.
        name: what messages call the rows.
        progress: called with sentences done and sentences in all.

    Raises:
        DataFileError: a row that the service refuses.
        CheckpointError: the model cannot be loaded.
    """
    answers = analyze_rows(service, answered.test.sentences(answered.rows), progress, name, "evaluating the other model")
    return replace(answered, answers=answers, model=service.load())


def _find_test(task: str) -> TaskTest:
    tests = {test.task.name: test for test in TASK_TESTS}
    if task not in tests:
        raise UnknownNameError(f"There is no task {task!r}; there are {', '.join(tests)}.")
    return tests[task]


def _check_ignored(ignored: Collection[str], task: str, rows: Sequence[Any], model: ModelInfo) -> None:
    tagged = [row for row in rows if isinstance(row, TaggedSentence)]
    if not tagged:
        raise UsageError(f"Only entity types can be ignored, and the task {task} has none.")
    known = {entity_type(tag) for row in tagged for tag in row.tags if tag != "O"} | {*model.entity_types}
    unknown = [name for name in ignored if name not in known]
    if unknown:
        raise UsageError(f"There is no entity type {unknown[0]!r} to ignore; there are {', '.join(sorted(known))}.")


def analyze_rows(
    service: ModelService, sentences: Sequence[str], progress: ProgressCallback, name: str, phrase: str
) -> list[SentenceAnalysis]:
    """Let the service analyse the sentences of a file.

    How many were not read whole, or have unknown word pieces, is told as a warning.

    Args:
        service: what answers.
        sentences: of the file's rows.
        progress: called with sentences done and sentences in all.
        name: what messages call the file.
        phrase: what is being done.

    Raises:
        DataFileError: a row that the service refuses.
    """
    answers: list[SentenceAnalysis] = []
    for answer in service.analyze_stream(sentences):
        if isinstance(answer, InputError):
            text = sentences[len(answers)]
            raise DataFileError(f"{name} has a sentence that cannot be read, {text[:60]!r}: {answer.reason}") from answer
        answers.append(answer)
        progress(phrase, len(answers), len(sentences))
    n_long, n_unknown = sum(a.n_truncated > 0 for a in answers), sum(a.n_unknown > 0 for a in answers)
    if n_long:
        told = (
            "Note: %s: %d of %d sentences are longer than what is read for embedding and class; entities are found in all."
        )
        _log.warning(told, name, n_long, len(answers))
    if n_unknown:
        told = "Note: %s: %d of %d sentences have word pieces that the model does not know."
        _log.warning(told, name, n_unknown, len(answers))
    return answers
