"""Questions about labelled sentences that programs ask, answered as JSON, for gradio's named endpoints.

The docstrings are what the page's documentation shows.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mtdemo.data.records import LabelledSentence, make_tagged
from mtdemo.errors import InputError
from mtdemo.evaluation.examination import examine_classes, examine_entities
from mtdemo.rest.questions import readable
from mtdemo.serving.service import ModelService

Record = dict[str, Any]
ACCURACIES = (0.8, 0.9, 0.95)  # for which a threshold is chosen


class LabelQuestions:
    """Answers to programs that bring labels, as plain dictionaries.

    Args:
        service: answers about sentences.
    """

    def __init__(self, service: ModelService) -> None:
        self._service = service

    def examine_classes(self, sentences: list[str], labels: list[str]) -> Record:
        """Hold the model's classes against labels, one per sentence.

        Returns accuracy and macro_f1 (value, lower, upper: the bootstrap interval of 95 percent), scores (of `evaluate`),
        labels, confusion (rows: labels, columns: answers), mistakes (positions, the most confident first), calibration
        (error, bins), abstention (threshold, coverage, accuracy, by tenths), chosen (the threshold that answers most and
        is right in 80, 90 or 95 percent of that, as in abstention, null where none is), model.
        """
        _check_lengths(sentences, labels, "labels")
        analysis = self._service.analyze(readable(sentences))
        rows = [LabelledSentence(a.text, label) for a, label in zip(analysis, readable(labels), strict=True)]
        found = examine_classes(rows, analysis.sentences, analysis.model)
        return {
            "accuracy": asdict(found.accuracy),
            "macro_f1": asdict(found.macro_f1),
            "scores": found.scores.as_dict(),
            "labels": list(found.labels),
            "confusion": [list(row) for row in found.confusion],
            "mistakes": found.mistakes,
            "calibration": {"error": found.calibration.error, "bins": [asdict(one) for one in found.calibration.bins]},
            "abstention": [asdict(found.abstain(tenth / 10)) for tenth in range(11)],
            "chosen": {
                f"{accuracy:.2f}": asdict(chosen) if (chosen := found.choose_threshold(accuracy)) else None
                for accuracy in ACCURACIES
            },
            "model": analysis.model.id,
        }

    def examine_entities(self, tokens: list[list[str]], tags: list[list[str]]) -> Record:
        """Hold the model's entities against tags, one per token.

        Tags are BIO, IO, BIOES, BILOU or BMEWO. Returns f1 (value, lower, upper: the bootstrap interval of 95 percent),
        by_type (precision, recall and f1 of each type and of all, in the same form), scores (of `evaluate`), counts (of
        errors by kind), errors (kind, position of the sentence, gold and predicted:
        first and last token, type), model.
        """
        _check_lengths(tokens, tags, "rows of tags")
        rows = [
            make_tagged(words, its, place=f"Sentence {number}")
            for number, (words, its) in enumerate(zip(tokens, tags, strict=True), start=1)
        ]
        analysis = self._service.analyze([row.text for row in rows])
        found = examine_entities(rows, analysis.sentences)
        errors = [
            {
                "kind": error.kind,
                "position": error.position,
                "gold": list(error.gold) if error.gold else None,
                "predicted": list(error.predicted) if error.predicted else None,
            }
            for error in found.errors
        ]
        return {
            "f1": asdict(found.f1),
            "by_type": {name: asdict(estimates) for name, estimates in found.by_type.items()},
            "scores": found.scores.as_dict(),
            "counts": found.counts,
            "errors": errors,
            "model": analysis.model.id,
        }


def _check_lengths(given: list[Any], labels: list[Any], name: str) -> None:
    if not isinstance(given, list) or not isinstance(labels, list):
        raise InputError("Sentences and labels must be lists of the same length.")
    if len(given) != len(labels):
        raise InputError(f"There are {len(given):,} sentences and {len(labels):,} {name}; each needs one.")
