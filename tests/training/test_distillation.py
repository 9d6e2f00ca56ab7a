"""Models that stay as they are: their answers, whatever happens to the model that learns."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mtdemo.errors import UsageError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from mtdemo.training.distillation import Teacher

TEXTS = ["the cat sat !", "Paris sings on the mat", "John", "the cat"]


def sure_of_classes(directory: Path) -> LoadedModel:
    """A tiny model that says something else of each sentence, as if its head had been trained."""
    loaded = load_directory(directory)
    with torch.no_grad():
        loaded.model.classification_head.linear.weight.mul_(100)
    return replace(loaded, info=replace(loaded.info, trained_heads=("classification_head",)))


@pytest.fixture
def model(tiny: Callable[..., Path]) -> LoadedModel:
    return sure_of_classes(tiny())


def test_the_teacher_of_embeddings_is_the_model_as_it_was(model: LoadedModel) -> None:
    windows = [sentence.windows[0] for sentence in model.encode(TEXTS, 64)]
    teacher = Teacher.of_embeddings(model, windows)
    before = teacher[[0, 2]]
    with torch.no_grad():
        model.model.backbone.encoder.layer[0].output.dense.bias[0] += 1
    assert torch.equal(teacher[[2, 0]], before.flip(0))
    assert not torch.equal(Teacher.of_embeddings(model, windows)[[0, 2]], before)
    torch.testing.assert_close(Teacher.of_embeddings(model, windows)[[1]][0], embedding_of(model, 1))


def embedding_of(model: LoadedModel, index: int) -> torch.Tensor:
    """The embedding of one sentence, through float16."""
    tokens = model.tokenizer(TEXTS[index], return_tensors="pt")
    with torch.no_grad():
        return model.model(**tokens).sentence_embedding[0].half().float()


def test_a_teacher_of_classes_answers_in_the_order_of_the_labels_that_are_learned(model: LoadedModel) -> None:
    labels = list(model.info.class_labels)
    said = Teacher.of_classes([model], TEXTS, labels, 64)[range(len(TEXTS))]
    turned = Teacher.of_classes([model], TEXTS, labels[::-1], 64)[range(len(TEXTS))]
    assert torch.equal(said, turned.flip(1))
    assert said.unique(dim=0).shape == said.shape, "each sentence has an answer of its own"
    torch.testing.assert_close(said.sum(dim=1), torch.ones(len(TEXTS)), atol=2e-3, rtol=0)


def test_several_teachers_say_their_mean(model: LoadedModel, tiny: Callable[..., Path]) -> None:
    labels, everyone = model.info.class_labels, range(len(TEXTS))
    other = sure_of_classes(tiny("other", seed=1))
    one, two, both = (
        Teacher.of_classes(models, TEXTS, labels, 64)[everyone] for models in ([model], [other], [model, other])
    )
    assert not torch.allclose(one, two, atol=1e-2)
    torch.testing.assert_close(both, (one + two) / 2, atol=1e-3, rtol=0)


def test_answers_do_not_depend_on_what_is_asked_together(model: LoadedModel) -> None:
    together, apart = (Teacher.of_classes([model], TEXTS, model.info.class_labels, 64) for _ in range(2))
    one_by_one = torch.cat([apart[[index]] for index in (3, 1, 0, 2)])
    torch.testing.assert_close(together[[3, 1, 0, 2]], one_by_one, atol=1e-3, rtol=0)  # a float16 may round either way


def test_a_long_text_is_read_as_far_as_the_teacher_can_read(model: LoadedModel) -> None:
    long = "the cat sat on the mat " * 40
    said = Teacher.of_classes([model], [long], model.info.class_labels, 128)
    assert said[[0]].isfinite().all()


def test_a_teacher_that_has_nothing_to_say_is_refused(model: LoadedModel) -> None:
    with pytest.raises(UsageError, match=r"The classes of .* are negative, neutral, positive, not bad, good"):
        Teacher.of_classes([model], TEXTS, ("bad", "good"), 64)
    untrained = replace(model, info=replace(model.info, trained_heads=()))
    with pytest.raises(UsageError, match="are untrained: there is nothing to learn"):
        Teacher.of_classes([untrained], TEXTS, model.info.class_labels, 64)
