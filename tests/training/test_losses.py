import math

import pytest
import torch

from mtdemo.training.losses import class_disagreement, embedding_drift, partial_cross_entropy


def test_the_loss_on_a_partial_annotation_is_that_of_the_summed_probability() -> None:
    logits = torch.tensor([[math.log(0.5), math.log(0.2), math.log(0.3)]])
    loss = partial_cross_entropy(logits, torch.tensor([[True, False, True]]))
    assert loss.item() == pytest.approx(-math.log(0.8), abs=1e-6)
    complete = partial_cross_entropy(logits, torch.tensor([[False, True, False]]))
    torch.testing.assert_close(complete, torch.nn.functional.cross_entropy(logits, torch.tensor([1])))


def test_drift_is_one_minus_the_cosine() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    teacher = torch.tensor([[3.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert embedding_drift(embeddings, teacher).item() == pytest.approx((0 + 1 + 2) / 3)


def test_disagreement_is_the_divergence_from_the_teacher() -> None:
    said = torch.tensor([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]])
    logits = torch.tensor([[0.25, 0.25, 0.5], [0.1, 0.2, 0.7]]).log()
    assert class_disagreement(logits, said).item() == pytest.approx(math.log(2) / 2)
    torch.testing.assert_close(class_disagreement(logits + 3, logits.exp()), torch.tensor(0.0))
