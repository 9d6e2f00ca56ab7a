"""How good a model is on a labelled file, measured through the service that answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from mtdemo.data.readers import read_labelled, read_pairs, read_tagged
from mtdemo.errors import DataFileError, InputError
from mtdemo.evaluation.metrics import (
    ClassScores,
    EntityScores,
    SimilarityScores,
    score_classes,
    score_entities,
    score_similarity,
)
from mtdemo.results import SentenceAnalysis
from mtdemo.serving.service import ModelService

Progress = Callable[[int, int], None]


def evaluate_file(
    service: ModelService,
    task: str,
    path: Path,
    limit: int | None = None,
    ignored: Collection[str] = (),
    progress: Progress = lambda done, total: None,
) -> EntityScores | ClassScores | SimilarityScores:
    """Measure the service's model on a file.

    Args:
        service: what answers.
        task: `ner`, `classification` or `similarity`.
        path: JSON lines or columns, JSON lines or CSV, or tab-separated pairs, as `mtdemo.data.readers` reads them.
        limit: read only that many rows.
        ignored: entity types left out on both sides.
        progress: called with sentences done and sentences in all.

    Raises:
        DataFileError: the file cannot be used for this task.
        CheckpointError: the model cannot be loaded.
    """
    if task == "ner":
        tagged = read_tagged(path, limit)
        return score_entities(tagged, analyze_rows(service, [row.text for row in tagged], progress, str(path)), ignored)
    if task == "classification":
        labelled = read_labelled(path, limit)
        answers = analyze_rows(service, [row.text for row in labelled], progress, str(path))
        predicted = [answer.label for answer in answers]
        return score_classes([row.label for row in labelled], predicted, service.load().class_labels)
    if task == "similarity":
        pairs = read_pairs(path, limit)
        answers = analyze_rows(service, [text for pair in pairs for text in (pair.first, pair.second)], progress, str(path))
        return score_similarity([pair.score for pair in pairs], answers[::2], answers[1::2])
    raise DataFileError(f"There is no task {task!r}; there are ner, classification and similarity.")


def analyze_rows(service: ModelService, sentences: Sequence[str], progress: Progress, name: str) -> list[SentenceAnalysis]:
    """Let the service analyse the sentences of a file, which messages call by a name.

    Raises:
        DataFileError: a row that the service refuses.
    """
    answers: list[SentenceAnalysis] = []
    for answer in service.analyze_stream(sentences):
        if isinstance(answer, InputError):
            text = sentences[len(answers)]
            raise DataFileError(f"{name} has a sentence that cannot be read, {text[:60]!r}: {answer.reason}") from answer
        answers.append(answer)
        progress(len(answers), len(sentences))
    return answers
