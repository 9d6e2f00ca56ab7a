"""What was adopted goes back to its class, and answers there as it does here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline

from mtdemo.errors import UsageError
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.adoption.export import export_head
from mtdemo.models.checkpoints import load_directory, save_checkpoint
from mtdemo.models.loaded import LoadedModel, relabel
from tests.repositories import CLASSIFIERS, SENTENCES, make_classifier, make_encoder

Write = Callable[..., Path]
CLASSES, TAGS = ["no", "yes", "maybe"], ["B-PER", "I-PER", "O", "B-LOC", "I-LOC"]
KINDS = {
    "ForSequenceClassification": (CLASSES, "classification_head", AutoModelForSequenceClassification),
    "ForTokenClassification": (TAGS, "ner_head", AutoModelForTokenClassification),
}


def logits(kind: Any, directory: Path, loaded: LoadedModel) -> tuple[list[str], list[np.ndarray]]:
    model = kind.from_pretrained(directory).eval()
    labels = [label for _, label in sorted(model.config.id2label.items())]
    order = [labels.index(label) for label in sorted(labels)]
    with torch.inference_mode():
        inputs = (loaded.tokenizer(text, return_tensors="pt", truncation=True, max_length=32) for text in SENTENCES)
        return sorted(labels), [model(**each).logits[0][..., order].numpy() for each in inputs]


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_comes_back_as_its_own_class(name: str, kind: str, tmp_path: Path) -> None:
    labels, head, loader = KINDS[kind]
    loaded = load_directory(make_classifier(tmp_path / "theirs", name, kind, labels))
    assert export_head(loaded, head, tmp_path / "back") == f"{name}{kind}"
    (names, before), (same, after) = (logits(loader, tmp_path / place, loaded) for place in ("theirs", "back"))
    assert names == same
    for one, other in zip(before, after, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)
    again = load_directory(tmp_path / "back", name=loaded.info.id)
    assert again.info == loaded.info
    for one, other in zip(*(analyze_batches(model, SENTENCES, 32) for model in (loaded, again)), strict=True):
        np.testing.assert_allclose(other.embedding, one.embedding, atol=1e-6)
        assert other.entity_spans == one.entity_spans
        assert dict(other.probabilities) == pytest.approx(dict(one.probabilities), abs=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_pipelines_say_what_is_said_here(tmp_path: Path) -> None:
    several = {"problem_type": "multi_label_classification"}
    for changes in ({}, several):
        place = tmp_path / f"classes{len(changes)}"
        loaded = load_directory(make_classifier(place, "Bert", "ForSequenceClassification", CLASSES, **changes))
        export_head(loaded, "classification_head", place / "back")
        asked: Any = pipeline("text-classification", model=str(place / "back"), device="cpu")
        for text in SENTENCES[:3]:
            (ours,) = analyze_batches(loaded, [text], 64)
            theirs = {each["label"]: each["score"] for each in asked(text, top_k=None)}
            assert theirs == pytest.approx(dict(ours.probabilities), abs=1e-6)


# What a person writes, in words of one and of several pieces: `sings` is `sing` and `##s`.
SPOKEN = ("john sings in paris", "the cat sat on the mats", "paris paris john sing mat", "sings cats mats john")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("without_o", [False, True])
@pytest.mark.parametrize("name", ["Bert", "Electra", "DebertaV2"])
def test_spans_are_those_of_the_average_strategy(name: str, without_o: bool, tmp_path: Path) -> None:
    """With a label for each type, plain words and no possessives, where the two rules say the same."""
    loaded = load_directory(make_classifier(tmp_path / "t", name, "ForTokenClassification", ["O", "PER", "LOC"]))
    loaded.model.ner_head.linear.bias.data[0] -= 100 * without_o
    export_head(loaded, "ner_head", tmp_path / "back")
    asked = pipeline("token-classification", model=str(tmp_path / "back"), device="cpu", aggregation_strategy="average")
    n_found = 0
    for text in SPOKEN:
        (ours,) = analyze_batches(loaded, [text], 64)
        theirs: Any = asked(text)
        assert [(each["start"], each["end"], each["entity_group"]) for each in theirs] == list(ours.entity_spans)
        np.testing.assert_allclose([each["score"] for each in theirs], [each.score for each in ours.entities], atol=1e-6)
        n_found += len(theirs)
    assert n_found > 0 or not without_o


def test_a_head_that_no_class_computes_is_refused(tiny: Write, tmp_path: Path) -> None:
    own = load_directory(tiny())
    with pytest.raises(
        UsageError, match=r"not what BertForSequenceClassification computes \(pooling 'mean', theirs 'cls'\)"
    ):
        export_head(own, "classification_head", tmp_path / "a")
    assert export_head(own, "ner_head", tmp_path / "b") == "BertForTokenClassification"
    distil = load_directory(make_classifier(tmp_path / "d", "DistilBert", "ForSequenceClassification", CLASSES))
    distil.model.config.head_layers = {}
    with pytest.raises(UsageError, match="activation 'tanh', theirs 'relu'"):
        export_head(distil, "classification_head", tmp_path / "c")
    modern = load_directory(make_classifier(tmp_path / "m", "ModernBert", "ForSequenceClassification", CLASSES))
    with pytest.raises(UsageError, match="activation None, theirs"):
        export_head(modern, "ner_head", tmp_path / "e")
    own.model.config.prompt = "query: "
    with pytest.raises(UsageError, match="after the prompt 'query: '"):
        export_head(own, "ner_head", tmp_path / "f")
    cased = load_directory(tiny("cased", casing=True))
    with pytest.raises(UsageError, match="the case of words"):
        export_head(cased, "ner_head", tmp_path / "g")
    assert not {path.name for path in tmp_path.iterdir()} & set("acefg"), "nothing was written"


def test_a_relabelled_and_saved_model_goes_to_a_class_too(tmp_path: Path) -> None:
    base = relabel(load_directory(make_encoder(tmp_path / "plain")), ["a", "b"], ["PER", "DRUG"])
    save_checkpoint(base, tmp_path / "ours")
    loaded = load_directory(tmp_path / "ours")
    export_head(loaded, "ner_head", tmp_path / "back")
    again = load_directory(tmp_path / "back")
    assert again.info.entity_types == ("PER", "DRUG")
    for one, other in zip(*(analyze_batches(model, SENTENCES, 32) for model in (loaded, again)), strict=True):
        assert other.entity_spans == one.entity_spans
