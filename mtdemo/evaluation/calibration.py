"""Whether confidence means what it says, and what makes it so: temperatures, and the decoder's cost of changing type.

`measure_calibration` only measures. `fit_temperatures` changes a model: it folds temperatures into the last layer of its
heads. Logits divided by one number per head give the same classes and nearly the same entities (where the pieces of a word
disagree, another may win), but other probabilities (Guo et al. 2017, https://arxiv.org/abs/1706.04599).
`fit_type_change_cost` chooses how much the decoder minds a name of several types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.evaluation.metrics import right_entities
from mtdemo.results import ProgressCallback, SentenceAnalysis, no_progress

if TYPE_CHECKING:  # these load torch, which the page, that only measures, does not need at its start
    from mtdemo.evaluation.validation import ValidationSets
    from mtdemo.models.loaded import LoadedModel

_TRIED = tuple(2 ** (eighth / 8) for eighth in range(-8, 17))  # 0.5 to 4
_COSTS = (0.0, 0.5, 1.0, 2.0, 4.0)  # in natural logarithms
_LEAST = 1e-6  # a probability of 0 would cost without end
_MAX_BYTES = 1 << 30
_Cost: TypeAlias = Callable[[Sequence[SentenceAnalysis]], float]


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of similar confidence.

    Attributes:
        lower, upper: bounds of their confidence.
        n_answers: how many there are.
        confidence: how sure the model is of them, their mean.
        share_right: how often it is right, 0 to 1.
    """

    lower: float
    upper: float
    n_answers: int
    confidence: float
    share_right: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The gap between confidence and success.

    Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.

    Attributes:
        error: the expected calibration error, 0 to 1: the mean over answers of |confidence - share right| of their bin.
        bins: of equal width, lowest first; bins without answers are left out.
    """

    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Numbers that the logits of each head were divided by.

    Each is 0.5 to 4: above 1 the head was too sure, below 1 not sure enough; None where nothing could be said.
    """

    entities: float | None
    classes: float | None

    @property
    def phrase(self) -> str:
        named = (("entities", self.entities), ("classes", self.classes))
        return ", ".join(f"{name} by {value:.2f}" for name, value in named if value is not None) or "none of them"


def measure_calibration(confidences: Sequence[float], right: Sequence[bool], n_bins: int = 10) -> Calibration:
    """Compare confidence with success.

    Args:
        confidences: 0 to 1, of each answer.
        right: whether the answer was right.
        n_bins: of equal width over 0 to 1; the last holds 1 too.
    """
    sure, good = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    number = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    bins = tuple(
        Bin(
            n / n_bins,
            (n + 1) / n_bins,
            int((here := number == n).sum()),
            float(sure[here].mean()),
            float(good[here].mean()),
        )
        for n in np.unique(number).tolist()
    )
    n_off = sum(found.n_answers * abs(found.confidence - found.share_right) for found in bins)
    return Calibration(float(n_off / max(1, len(sure))), bins)


def fit_temperatures(loaded: LoadedModel, sets: ValidationSets, progress: ProgressCallback = no_progress) -> Temperatures:
    """Fold the best temperature into each trained head.

    Of classes that is the least mean of -log of the probability of the right class, of entities the least mean of -log of
    the probability that the score of an entity found gives to what it is, right or wrong. Where none is found the head
    stays as it is, and so does one that gives a sentence several classes.

    Args:
        loaded: the model, whose heads are changed.
        sets: sentences that it was not trained on.
        progress: called with the measurements done and in all.
    """
    from mtdemo.inference.hidden_state_cache import CachedRunner

    remembered = replace(sets, run=CachedRunner(_MAX_BYTES))
    heads: tuple[tuple[str, Sequence[TaggedSentence | LabelledSentence], _Cost], ...] = (
        ("ner_head", sets.tagged, partial(_cost_of_entities, sets.tagged)),
        ("classification_head", sets.labelled, partial(_cost_of_classes, sets.labelled)),
    )
    fitted = {*loaded.info.trained_heads} - ({"classification_head"} if loaded.info.multi_label else set())
    asked = [head for head in heads if head[1] and head[0] in fitted]
    found: dict[str, float] = {}
    for number, (name, sentences, cost) in enumerate(asked):
        linear: Any = loaded.model.get_submodule(f"{name}.linear")
        before = {key: tensor.clone() for key, tensor in linear.state_dict().items()}
        costs = {}
        for temperature in _TRIED:
            linear.load_state_dict({key: tensor / temperature for key, tensor in before.items()})
            costs[temperature] = cost(remembered.answers(loaded, [row.text for row in sentences]))
            progress("calibrating", number * len(_TRIED) + len(costs), len(asked) * len(_TRIED))
        best = min(costs, key=lambda temperature: costs[temperature])
        if math.isfinite(costs[best]):
            found[name] = best
        linear.load_state_dict({key: tensor / found.get(name, 1.0) for key, tensor in before.items()})
    return Temperatures(found.get("ner_head"), found.get("classification_head"))


def fit_type_change_cost(loaded: LoadedModel, sets: ValidationSets) -> LoadedModel:
    """Choose the cost of changing type inside a name.

    Of 0, 0.5, 1, 2 and 4 that is the one with the best entity F1, the mean over the sources, and the least of several.

    Args:
        loaded: the model, whose configuration is changed; its temperatures are fitted.
        sets: sentences that it was not trained on.

    Returns:
        The model with that cost; as it is where its entity head is untrained or no sentence is tagged.
    """
    from mtdemo.inference.hidden_state_cache import CachedRunner

    if not (sets.tagged and loaded.info.finds_entities):
        return loaded
    tagged = replace(sets, labelled=(), pairs=(), run=CachedRunner(_MAX_BYTES))
    models = [replace(loaded, scheme=replace(loaded.scheme, type_change_cost=cost)) for cost in _COSTS]
    best = max(models, key=lambda model: tagged(model).entity_f1 or 0.0)
    loaded.model.config.type_change_cost = best.scheme.type_change_cost
    return best


def _cost_of_entities(gold: Sequence[TaggedSentence], answers: Sequence[SentenceAnalysis]) -> float:
    return _mean_cost([score if is_right else 1 - score for score, is_right in right_entities(gold, answers)])


def _cost_of_classes(gold: Sequence[LabelledSentence], answers: Sequence[SentenceAnalysis]) -> float:
    return _mean_cost([answer.probabilities[row.label] for row, answer in zip(gold, answers, strict=True)])


def _mean_cost(probabilities: Sequence[float]) -> float:
    """Return the mean of -log, infinite where there is nothing."""
    if not probabilities:
        return math.inf
    return sum(-math.log(max(p, _LEAST)) for p in probabilities) / len(probabilities)
