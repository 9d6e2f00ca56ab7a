"""Temperatures change how sure a model is, and nothing that it says: on the embedded checkpoint and the own sample."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdemo.data.subsets import subsample
from mtdemo.evaluation.calibration import Temperatures, fit_temperatures, fit_type_change_cost, measure_calibration
from mtdemo.evaluation.metrics import right_entities
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.laboratory.dataset import read_dataset
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import SentenceAnalysis

HEADS = ("ner_head", "classification_head")


@pytest.fixture(scope="module")
def sets() -> ValidationSets:
    dataset = read_dataset()
    tagged, labelled = (*dataset.tagged, *dataset.tagged_heldout), (*dataset.labelled, *dataset.labelled_heldout)
    return ValidationSets(subsample(tagged, 100), subsample(labelled, 100))


def sharpened(model: LoadedModel, factor: float) -> LoadedModel:
    """A copy whose heads are surer by a factor."""
    copied = replace(model, model=copy.deepcopy(model.model))
    with torch.no_grad():
        for head in HEADS:
            for parameter in copied.model.get_submodule(f"{head}.linear").parameters():
                parameter.mul_(factor)
    return copied


def test_a_head_that_is_twice_as_sure_gets_twice_the_temperature_and_ends_as_the_same(
    embedded: LoadedModel, sets: ValidationSets
) -> None:
    told: list[tuple[str, int, int]] = []
    once, twice = sharpened(embedded, 1.0), sharpened(embedded, 2.0)
    first = fit_temperatures(once, sets, lambda *counts: told.append(counts))
    second = fit_temperatures(twice, sets)
    assert first.entities is not None and first.classes is not None
    assert second == Temperatures(2 * first.entities, 2 * first.classes)
    for name, tensor in once.model.state_dict().items():
        torch.testing.assert_close(twice.model.state_dict()[name], tensor, atol=1e-6, rtol=1e-6)
    assert told[0] == ("calibrating", 1, 50) and told[-1] == ("calibrating", 50, 50)


def test_what_was_too_sure_is_worth_its_confidence_after(embedded: LoadedModel, sets: ValidationSets) -> None:
    model = sharpened(embedded, 3.0)

    def measure() -> tuple[list[SentenceAnalysis], float, float]:
        """Answers about the sentences with a class, and the calibration errors of entities and of classes."""
        answers = list(sets.answers(model, [row.text for row in sets.labelled]))
        entities = right_entities(sets.tagged, sets.answers(model, [row.text for row in sets.tagged]))
        right = [answer.label == row.label for answer, row in zip(answers, sets.labelled, strict=True)]
        sure = [answer.probabilities[answer.label] for answer in answers]
        errors = (measure_calibration(*zip(*entities, strict=True)).error, measure_calibration(sure, right).error)
        return answers, *errors

    before, *errors_before = measure()
    fit_temperatures(model, sets)
    after, *errors_after = measure()
    assert all(now < then for now, then in zip(errors_after, errors_before, strict=True))
    assert [answer.label for answer in after] == [answer.label for answer in before]
    assert all((a.embedding == b.embedding).all() for a, b in zip(after, before, strict=True))


def test_an_untrained_head_and_a_task_without_sentences_stay_as_they_are(
    tiny: Callable[..., Path], embedded: LoadedModel, sets: ValidationSets
) -> None:
    untrained = load_directory(tiny())
    assert fit_temperatures(untrained, sets) == Temperatures(None, None)
    model = sharpened(embedded, 1.0)
    found = fit_temperatures(model, ValidationSets(labelled=sets.labelled))
    assert found.entities is None and found.classes is not None
    assert f"classes by {found.classes:.2f}" == found.phrase
    assert torch.equal(model.model.ner_head.linear.weight, embedded.model.ner_head.linear.weight)


def test_a_head_that_finds_no_entity_stays_as_it_is(embedded: LoadedModel, sets: ValidationSets) -> None:
    model = sharpened(embedded, 1.0)
    with torch.no_grad():
        model.model.ner_head.linear.bias[0] += 1000
    before = model.model.ner_head.linear.bias.clone()
    told: list[tuple[str, int, int]] = []
    few = ValidationSets(sets.tagged[:3], sets.labelled[:3])
    found = fit_temperatures(model, few, lambda *counts: told.append(counts))
    assert found.entities is None and found.classes is not None
    assert torch.equal(model.model.ner_head.linear.bias, before)
    assert told[-1] == ("calibrating", 50, 50)


def test_the_cost_of_changing_type_is_the_one_with_the_best_f1(embedded: LoadedModel, sets: ValidationSets) -> None:
    model = sharpened(embedded, 1.0)
    fitted = fit_type_change_cost(model, sets)
    tagged = replace(sets, labelled=())

    def f1(cost: float) -> float:
        found = tagged(replace(model, scheme=replace(model.scheme, type_change_cost=cost))).entity_f1
        assert found is not None
        return found

    scores = {cost: f1(cost) for cost in (0.0, 0.5, 1.0, 2.0, 4.0)}
    best = fitted.scheme.type_change_cost
    assert scores[best] == max(scores.values())
    assert all(scores[cost] < scores[best] for cost in scores if cost < best)
    assert fitted.model.config.type_change_cost == best
    assert fit_type_change_cost(model, ValidationSets(labelled=sets.labelled)) is model


def test_calibration_equals_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve

    draw = np.random.default_rng(1)
    confidences = draw.random(500)
    right = draw.random(500) < confidences**2
    found = measure_calibration(confidences.tolist(), right.tolist())
    share, mean = calibration_curve(right, confidences, n_bins=10)
    assert [b.share_right for b in found.bins] == pytest.approx(share)
    assert [b.confidence for b in found.bins] == pytest.approx(mean)
    counts = np.histogram(confidences, bins=10, range=(0, 1))[0]
    assert [b.n_answers for b in found.bins] == counts.tolist()
    assert found.error == pytest.approx(np.average(np.abs(share - mean), weights=counts))


def test_a_sure_model_that_is_right_is_calibrated() -> None:
    assert measure_calibration([1.0, 1.0], [True, True]).error == 0.0
    assert measure_calibration([1.0, 1.0], [False, False]).error == 1.0
    assert measure_calibration([], []).error == 0.0
