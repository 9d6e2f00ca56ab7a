"""What a checkpoint can do, measured by source and label, and written into its model card.

`measure` gives a report as plain data, kept beside the weights in `evaluation.json`; `render` turns a report into the
card's section. So a number in the card is always one that was measured, and the section can be made anew without data.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtdemo.errors import DataFileError
from mtdemo.evaluation.calibration import measure_calibration
from mtdemo.evaluation.evaluate import analyze_rows
from mtdemo.evaluation.metrics import right_entities
from mtdemo.evaluation.task_tests import TASK_TESTS
from mtdemo.files import writing
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.results import ProgressCallback, SentenceAnalysis, no_progress
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
_ALL = "all"


def measure(
    service: ModelService, ner: Path, classification: Path, similarity: Path, progress: ProgressCallback = no_progress
) -> dict[str, Any]:
    """Measure the service's model on three files.

    Returns:
        A report of numbers, strings, lists and dictionaries; scores have the fields of `mtdemo.evaluation.metrics`.

    Raises:
        DataFileError: a file cannot be used, or a head of the model is untrained.
        CheckpointError: the model cannot be loaded.
    """
    info = service.load()
    untrained = [task.title for task in LEARNED_TASKS if task.head not in info.trained_heads]
    if untrained:
        raise DataFileError(
            f"The {' and '.join(untrained)} of {info.id} are untrained: there is nothing to measure of them."
        )
    files = (ner, classification, similarity)
    rows = [test.read(path) for test, path in zip(TASK_TESTS, files, strict=True)]
    answers = [
        analyze_rows(service, test.sentences(its_rows), progress, str(path), "measuring")
        for test, its_rows, path in zip(TASK_TESTS, rows, files, strict=True)
    ]
    of_entities, of_classes, of_pairs = TASK_TESTS
    (tagged, labelled, pairs), (entities, classes, rated) = rows, answers
    right = right_entities(tagged, entities)
    return {
        "weights": _digest_of(Path(service.settings.checkpoint)),
        "data": {test.task.title: _name(path) for test, path in zip(TASK_TESTS, files, strict=True)},
        "entities": {
            source: of_entities.score(some, its, info, ()).as_dict() for source, some, its in _by_source(tagged, entities)
        },
        "classes": {
            source: of_classes.score(some, its, info, ()).as_dict() for source, some, its in _by_source(labelled, classes)
        },
        "similarity": of_pairs.score(pairs, rated, info, ()).as_dict(),
        "calibration": {
            "entities": asdict(measure_calibration([score for score, _ in right], [is_right for _, is_right in right])),
            "classes": asdict(
                measure_calibration(
                    [max(answer.probabilities.values()) for answer in classes],
                    [row.label == answer.label for row, answer in zip(labelled, classes, strict=True)],
                )
            ),
        },
    }


def render(report: Mapping[str, Any]) -> str:
    """Render a report as a card's section, in Markdown."""
    data, similarity = report["data"], report["similarity"]
    entities, classes = report["entities"], report["classes"]
    parts = [
        f"Written by `python -m mtdemo card --ner {data['entities']} --classification {data['classes']} "
        f"--similarity {data['similarity']}`.",
        f"**Entities** by source; an entity is right when type, first and last word are{_touching(entities[_ALL])}",
        _table(
            ("source", "sentences", "entities", "precision", "recall", "F1"),
            (
                (source, s["n_sentences"], sum(x["support"] for x in s["per_label"].values()), *_prf(s))
                for source, s in entities.items()
            ),
        ),
        _table(
            ("entity type", "entities", "precision", "recall", "F1"),
            ((label, s["support"], *_prf(s)) for label, s in entities[_ALL]["per_label"].items()),
        ),
        "**Classes** by source:",
        _table(
            ("source", "sentences", "accuracy", "macro-F1"),
            ((source, s["n_sentences"], s["accuracy"], s["macro_f1"]) for source, s in classes.items()),
        ),
        _table(
            ("class", "sentences", "precision", "recall", "F1"),
            ((label, s["support"], *_prf(s)) for label, s in classes[_ALL]["per_label"].items()),
        ),
        _similarity(similarity),
        *(
            part
            for task, answers in (("classes", "classes"), ("entities", "entities found"))
            for part in _calibration(answers, report["calibration"][task])
        ),
    ]
    return "\n\n".join(parts)


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


def _by_source(
    rows: Sequence[Any], answers: Sequence[SentenceAnalysis]
) -> Iterator[tuple[str, list[Any], list[SentenceAnalysis]]]:
    """All rows first, then those of each source."""
    yield _ALL, list(rows), list(answers)
    named = {"": "no source named", _ALL: f"the source {_ALL!r}"}
    sources = [named.get(row.source, row.source) for row in rows]
    for source in dict.fromkeys(sources):
        chosen = [(row, answer) for row, answer, its in zip(rows, answers, sources, strict=True) if its == source]
        yield source, [row for row, _ in chosen], [answer for _, answer in chosen]


def _touching(found: Mapping[str, Any]) -> str:
    """Say how touching entities are counted, where there are any."""
    n_touching = found.get("n_touching", 0)
    if not n_touching:
        return ":"
    return (
        f". Touching entities of one type count apart, as conlleval counts them: {n_touching:,} gold entities directly "
        "follow another of their type, which a model with IO labels cannot tell from it:"
    )


def _similarity(found: Mapping[str, Any]) -> str:
    over = f"**Similarity**: over {found['n_pairs']:,} pairs the cosine has"
    if found["spearman"] is None:
        return f"{over} the same value everywhere, so it has no correlation with people's ratings."
    return (
        f"{over} a rank correlation (Spearman) of {found['spearman']:.3f} with people's ratings "
        f"(Pearson: {found['pearson']:.3f})."
    )


def _calibration(answers: str, found: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"**Calibration of {answers}**: expected calibration error {found['error']:.3f}.",
        _table(
            ("confidence", answers, "mean confidence", "share right"),
            (
                (f"{b['lower']:.1f} to {b['upper']:.1f}", b["n_answers"], b["confidence"], b["share_right"])
                for b in found["bins"]
            ),
        ),
    )


def _prf(score: Mapping[str, Any]) -> tuple[float, float, float]:
    return score["precision"], score["recall"], score["f1"]


def _name(path: Path) -> str:
    """Return folder and file, nothing else of this machine."""
    return "/".join(path.resolve().parts[-2:])


def _table(head: Sequence[str], rows: Iterator[tuple[Any, ...]] | Sequence[tuple[Any, ...]]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, str):  # a source is called anything: a bar or a line break would tear the table
            return re.sub(r"([\\|`*<>\[\]])", r"\\\1", " ".join(value.split()))
        return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"

    lines = [head, ("---",) * len(head), *(tuple(map(cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
