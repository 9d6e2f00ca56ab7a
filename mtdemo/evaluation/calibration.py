"""Temperatures that make a model's confidence mean what it says, folded into the last layer of its heads.

Logits divided by one number per head give the same classes and nearly the same entities (where the pieces of a word
disagree, another may win), but other probabilities (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from mtdemo.data.readers import LabelledSentence, TaggedSentence
from mtdemo.evaluation.metrics import right_entities
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.hidden_state_cache import CachedRunner
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis

_TRIED = tuple(2 ** (eighth / 8) for eighth in range(-8, 17))  # 0.5 to 4
_LEAST = 1e-6  # a probability of 0 would cost without end
_MAX_BYTES = 1 << 30
_Cost: TypeAlias = Callable[[Sequence[SentenceAnalysis]], float]


@dataclass(frozen=True, slots=True)
class Temperatures:
    """What the logits of each head were divided by, 0.5 to 4: above 1 the head was too sure, below 1 not sure enough.

    None where nothing could be said.
    """

    entities: float | None
    classes: float | None

    @property
    def phrase(self) -> str:
        named = (("entities", self.entities), ("classes", self.classes))
        return ", ".join(f"{name} by {value:.2f}" for name, value in named if value is not None) or "none of them"


def fit_temperatures(loaded: LoadedModel, sets: ValidationSets, progress: Callable[[int, int], None]) -> Temperatures:
    """Find for each trained head the temperature under which its confidence is worth most, and fold it in.

    Of classes that is the least mean of -log of the probability of the right class, of entities the least mean of -log of
    the probability that the score of an entity found gives to what it is, right or wrong. Where none is found the head
    stays as it is.

    Args:
        loaded: the model, whose heads are changed.
        sets: sentences that it was not trained on.
        progress: called with the measurements done and in all.
    """
    remembered = replace(sets, run=CachedRunner(_MAX_BYTES))
    heads: tuple[tuple[str, Sequence[TaggedSentence | LabelledSentence], _Cost], ...] = (
        ("ner_head", sets.tagged, partial(_cost_of_entities, sets.tagged)),
        ("classification_head", sets.labelled, partial(_cost_of_classes, sets.labelled)),
    )
    asked = [head for head in heads if head[1] and head[0] in loaded.info.trained_heads]
    found: dict[str, float] = {}
    for number, (name, sentences, cost) in enumerate(asked):
        linear: Any = loaded.model.get_submodule(f"{name}.linear")
        before = {key: tensor.clone() for key, tensor in linear.state_dict().items()}
        costs = {}
        for temperature in _TRIED:
            linear.load_state_dict({key: tensor / temperature for key, tensor in before.items()})
            costs[temperature] = cost(remembered.answers(loaded, [row.text for row in sentences]))
            progress(number * len(_TRIED) + len(costs), len(asked) * len(_TRIED))
        best = min(costs, key=lambda temperature: costs[temperature])
        if math.isfinite(costs[best]):
            found[name] = best
        linear.load_state_dict({key: tensor / found.get(name, 1.0) for key, tensor in before.items()})
    return Temperatures(found.get("ner_head"), found.get("classification_head"))


def _cost_of_entities(gold: Sequence[TaggedSentence], answers: Sequence[SentenceAnalysis]) -> float:
    return _mean_cost([score if is_right else 1 - score for score, is_right in right_entities(gold, answers)])


def _cost_of_classes(gold: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis]) -> float:
    return _mean_cost([answer.probabilities[row.label] for row, answer in zip(gold, answers, strict=True)])


def _mean_cost(probabilities: Sequence[float]) -> float:
    """Mean of -log; without end where there is nothing, of which nothing can be said."""
    if not probabilities:
        return math.inf
    return sum(-math.log(max(p, _LEAST)) for p in probabilities) / len(probabilities)
