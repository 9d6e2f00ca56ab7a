from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtdemo.data import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.head_training import HeadTraining, train_heads
from mtdemo.loading import LoadedModel, load_directory

LABELS = ["O", "PER", "ORG", "LOC", "MISC"]
TAGGED = [
    TaggedSentence(("john", "sat", "on", "the", "cat"), ("PER", "O", "O", "O", "O")),
    TaggedSentence(("the", "cat", "sat", "on", "paris"), ("O", "O", "O", "O", "LOC")),
    TaggedSentence(("paris", "sings", "."), ("LOC", "O", "O")),
] * 20
LABELLED = [LabelledSentence("the cat sat !", "positive"), LabelledSentence("paris sings on the mat", "negative")] * 30


@pytest.fixture
def trained(tiny: Callable[..., Path]) -> tuple[LoadedModel, LoadedModel, list[str]]:
    directory, told = tiny(), []
    base, untouched = load_directory(directory), load_directory(directory)
    settings = HeadTraining(n_epochs=60, learning_rate=3e-2, sentences_per_step=30)
    return train_heads(base, TAGGED, LABELLED, settings, lambda phrase, *_: told.append(phrase)), untouched, told


def test_the_loss_falls_and_the_heads_learn(trained: tuple[LoadedModel, LoadedModel, list[str]]) -> None:
    model, _, told = trained
    losses = [float(phrase.rpartition(" ")[2]) for phrase in told if phrase.startswith("training")]
    assert losses[-1] < losses[0] / 3
    inputs = model.tokenizer("the cat sat on paris", return_tensors="pt")
    with torch.inference_mode():
        output = model.model(**inputs)
    assert [LABELS[i] for i in output.ner_logits[0, 1:-1].argmax(-1)] == ["O", "O", "O", "O", "LOC"]


def test_the_backbone_stays_bit_identical_and_the_model_says_what_is_trained(
    trained: tuple[LoadedModel, LoadedModel, list[str]],
) -> None:
    model, untouched, _ = trained
    for (name, after), (_, before) in zip(
        model.model.backbone.state_dict().items(), untouched.model.backbone.state_dict().items(), strict=True
    ):
        assert torch.equal(after, before), name
    assert model.info.trained_heads == model.model.trained_heads == ("classification_head", "ner_head")
    assert untouched.info.trained_heads == ()


def test_the_same_seed_gives_the_same_heads(tiny: Callable[..., Path]) -> None:
    directory = tiny()
    settings = HeadTraining(n_epochs=2)
    one, other = (train_heads(load_directory(directory), TAGGED, LABELLED, settings, lambda *_: None) for _ in range(2))
    for (name, a), (_, b) in zip(one.model.state_dict().items(), other.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name


def test_fewer_pieces_than_steps_leave_no_empty_batch(tiny: Callable[..., Path]) -> None:
    settings = HeadTraining(n_epochs=3, sentences_per_step=1)
    few = [TaggedSentence(("cat",), ("O",)), TaggedSentence(("paris",), ("LOC",))]
    trained = train_heads(load_directory(tiny()), few, LABELLED, settings, lambda *_: None)
    assert all(parameter.isfinite().all() for parameter in trained.model.parameters())


def test_unknown_labels_are_named(tiny: Callable[..., Path]) -> None:
    base = load_directory(tiny())
    with pytest.raises(DataFileError, match="DATE"):
        train_heads(base, [TaggedSentence(("may",), ("B-DATE",))], LABELLED, HeadTraining(), lambda *_: None)
    with pytest.raises(DataFileError, match="angry"):
        train_heads(base, TAGGED, [LabelledSentence("x", "angry")], HeadTraining(), lambda *_: None)
