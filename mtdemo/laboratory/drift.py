"""Drift: how far answers and weights of a model moved while it was trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mtdemo.evaluation.metrics import Validation
from mtdemo.evaluation.tallies import tally_classes, tally_entities
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.outcome import AnswerChange, TaskDrift
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.parts import Parts
from mtdemo.results import SentenceAnalysis


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to the held-out sentences and a person's own.

    Attributes:
        tagged, labelled: one for each held-out sentence of a task, in order.
        heldout: one for each different held-out sentence of either task.
        own: one for each sentence of the person.
    """

    tagged: Sequence[SentenceAnalysis]
    labelled: Sequence[SentenceAnalysis]
    heldout: Sequence[SentenceAnalysis]
    own: tuple[SentenceAnalysis, ...]


def collect_answers(model: LoadedModel, dataset: LabDataset, own: Sequence[str], max_length: int) -> Answers:
    """Analyse the held-out sentences and a person's own.

    A sentence that both tasks hold out is read once.

    Args:
        model: that analyses them.
        dataset: whose held-out sentences are read.
        own: the person's sentences.
        max_length: word pieces read of a sentence, if the model can read so many.
    """
    tagged, labelled = dataset.tagged_heldout, dataset.labelled_heldout
    texts = list(dict.fromkeys([*(sentence.text for sentence in tagged), *(sentence.text for sentence in labelled)]))
    answers = analyze_batches(model, [*texts, *own], min(max_length, model.info.max_length))
    heldout = answers[: len(texts)]
    by_text = dict(zip(texts, heldout, strict=True))
    return Answers(
        [by_text[sentence.text] for sentence in tagged],
        [by_text[sentence.text] for sentence in labelled],
        heldout,
        tuple(answers[len(texts) :]),
    )


def entity_drift(dataset: LabDataset, before: Answers, after: Answers, first: Validation, last: Validation) -> TaskDrift:
    """Compare the entities found before and after training.

    Args:
        dataset: whose held-out sentences were read.
        before: answers of a model.
        after: answers of the same model later.
        first: its scores before.
        last: its scores after.
    """
    pairs = list(zip(before.tagged, after.tagged, strict=True))
    return TaskDrift(
        first.entity_f1 or 0.0,
        last.entity_f1 or 0.0,
        float(np.mean([a.entity_spans != b.entity_spans for a, b in pairs])),
        all(a.entities == b.entities for a, b in pairs),
        *(tally_entities(dataset.tagged_heldout, answers.tagged) for answers in (before, after)),
    )


def class_drift(dataset: LabDataset, before: Answers, after: Answers, first: Validation, last: Validation) -> TaskDrift:
    """Compare the classes given before and after training.

    Args:
        dataset: whose held-out sentences were read.
        before: answers of a model.
        after: answers of the same model later.
        first: its scores before.
        last: its scores after.
    """
    pairs = list(zip(before.labelled, after.labelled, strict=True))
    gold = [sentence.label for sentence in dataset.labelled_heldout]
    return TaskDrift(
        first.macro_f1 or 0.0,
        last.macro_f1 or 0.0,
        float(np.mean([a.label != b.label for a, b in pairs])),
        all(a.probabilities == b.probabilities for a, b in pairs),
        *(tally_classes(gold, [answer.label for answer in answers.labelled]) for answers in (before, after)),
    )


def changed_answers(dataset: LabDataset, before: Answers, after: Answers) -> tuple[AnswerChange, ...]:
    """List the held-out sentences with another answer than before.

    A class counts where the sentence is held out for classes, entities where it is held out for entities.

    Args:
        dataset: whose held-out sentences were read.
        before: answers of a model.
        after: answers of the same model later.
    """
    gold = {sentence.text: sentence.label for sentence in dataset.labelled_heldout}
    tagged = {sentence.text for sentence in dataset.tagged_heldout}
    changes = []
    for a, b in zip(before.heldout, after.heldout, strict=True):
        has_class, has_entities = a.text in gold, a.text in tagged
        change = AnswerChange(
            a.text,
            gold.get(a.text, ""),
            a.label if has_class else "",
            b.label if has_class else "",
            tuple(e for e, s in zip(a.entities, a.entity_spans, strict=True) if has_entities and s not in b.entity_spans),
            tuple(e for e, s in zip(b.entities, b.entity_spans, strict=True) if has_entities and s not in a.entity_spans),
        )
        if change.flips_class or change.lost or change.found:
            changes.append(change)
    return tuple(changes)


def embedding_cosine(before: Answers, after: Answers) -> float:
    """Average the cosine of each held-out sentence's two embeddings."""
    return float(np.mean([a.cosine_to(b) for a, b in zip(before.heldout, after.heldout, strict=True)]))


def relative_change(before: LoadedModel, after: LoadedModel, parts: Parts) -> dict[str, float]:
    """Measure how far the weights of each part moved.

    Args:
        before: a model as it was.
        after: the same model later; it may have parts that it did not have.
        parts: of the earlier one.

    Returns:
        By name of the part, the length of the change relative to the length before: exactly 0 where all weights are
        bit-identical, 1 where they have doubled.
    """
    old, new = ({name: parameter.detach() for name, parameter in each.model.named_parameters()} for each in (before, after))
    moved = {}
    for part in parts:
        change, length = 0.0, 0.0
        for name in (parameter.name for parameter in part.parameters):
            if not torch.equal(old[name], new[name]):
                change += float((new[name] - old[name]).double().square().sum())
            length += float(old[name].double().square().sum())
        moved[part.name] = math.sqrt(change / max(length, 1e-24))
    return moved
