"""A classifier of transformers answers as it does there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

from mtdemo.errors import UsageError
from mtdemo.evaluation.calibration import fit_temperatures
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.forward import run_windows
from mtdemo.models.adoption.architectures import ARCHITECTURES, order_of
from mtdemo.models.checkpoints import load_directory, save_checkpoint
from mtdemo.models.loaded import LoadedModel, relabel
from mtdemo.planning.freezing import plan_freezing
from tests.repositories import CLASSIFIERS, SENTENCES, make_classifier

CLASSES, TAGS = "ForSequenceClassification", "ForTokenClassification"
SCHEMES = {
    "BIO": ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    "BIO, O last": ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"],
    "IO": ["O", "PER", "LOC"],
    "BIOES": ["O", "B-PER", "I-PER", "E-PER", "S-PER"],
    "BILOU": ["B-PER", "I-PER", "L-PER", "U-PER", "O"],
    "no O": ["NOUN", "VERB", "ADJ"],
    "generic": [f"LABEL_{number}" for number in range(9)],
    "40 labels": ["O", *(f"T{number}" for number in range(39))],
}


def theirs(directory: Path, loaded: LoadedModel, text: str) -> np.ndarray:
    """Logits of transformers' own class for one sentence."""
    kind = AutoModelForSequenceClassification if (directory / "is_sequence").exists() else AutoModelForTokenClassification
    model = kind.from_pretrained(directory).eval()
    inputs = loaded.tokenizer(text, return_tensors="pt", truncation=True, max_length=loaded.info.max_length)
    with torch.inference_mode():
        return model(**inputs).logits[0].numpy()


def ours(loaded: LoadedModel, texts: tuple[str, ...]) -> list:  # type: ignore[type-arg]
    windows = [sentence.windows[0] for sentence in loaded.encode(texts, loaded.info.max_length)]
    return list(zip(windows, run_windows(loaded, windows, 1), strict=True))


def softmax(logits: np.ndarray) -> np.ndarray:
    return torch.from_numpy(logits).softmax(dim=-1).numpy()


def test_every_architecture_of_the_issue_has_its_rows() -> None:
    assert {row.name for row in ARCHITECTURES} == {f"{name}{kind}" for name in CLASSIFIERS for kind in (CLASSES, TAGS)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_of_classes_equal_transformers(name: str, tmp_path: Path) -> None:
    directory = make_classifier(tmp_path / "theirs", name, CLASSES, ["angry", "calm", "LABEL_2", "sad"])
    loaded = load_directory(directory)
    assert loaded.info.class_labels == ("angry", "calm", "LABEL_2", "sad")
    assert loaded.info.trained_heads == ("classification_head",)
    for text, (_, output) in zip(SENTENCES, ours(loaded, SENTENCES), strict=True):
        expected = softmax(theirs(directory, loaded, text))
        assert expected.std() > 0.01, "the made weights tell sentences apart"
        np.testing.assert_allclose(output.class_probabilities, expected, atol=1e-6)
    save_checkpoint(loaded, tmp_path / "ours")
    for weights in loaded.model.parameters():  # as they are saved; a buffer that is not saved is computed anew
        weights.data = weights.data.half().float()
    again = load_directory(tmp_path / "ours", name=loaded.info.id)
    assert again.info == loaded.info
    for (_, one), (_, other) in zip(ours(loaded, SENTENCES), ours(again, SENTENCES), strict=True):
        np.testing.assert_array_equal(one.class_probabilities, other.class_probabilities)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_of_tags_equal_transformers(name: str, tmp_path: Path) -> None:
    _check_tags(make_classifier(tmp_path, name, TAGS, SCHEMES["BIO, O last"]), SCHEMES["BIO, O last"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_of_labels_is_read(scheme: str, tmp_path: Path) -> None:
    loaded = _check_tags(make_classifier(tmp_path, "Bert", TAGS, SCHEMES[scheme]), SCHEMES[scheme])
    types = {label[2:] if label[1:2] == "-" else label for label in SCHEMES[scheme]} - {"O"}
    assert set(loaded.info.entity_types) == types


def _check_tags(directory: Path, labels: list[str]) -> LoadedModel:
    loaded = load_directory(directory)
    assert loaded.info.trained_heads == ("ner_head",)
    assert loaded.scheme.labels == tuple(labels[index] for index in order_of(labels))
    for text, (window, output) in zip(SENTENCES, ours(loaded, SENTENCES), strict=True):
        expected = softmax(theirs(directory, loaded, text))[window.content][:, order_of(labels)]
        np.testing.assert_allclose(output.entity_probabilities, expected, atol=1e-6)
    return loaded


@pytest.mark.parametrize("n_labels", [2, 40])
def test_any_number_of_classes_is_read(n_labels: int, tmp_path: Path) -> None:
    labels = [f"LABEL_{number}" for number in range(n_labels)]
    directory = make_classifier(tmp_path, "Bert", CLASSES, labels)
    loaded = load_directory(directory)
    ((_, output),) = ours(loaded, SENTENCES[:1])
    np.testing.assert_allclose(output.class_probabilities, softmax(theirs(directory, loaded, SENTENCES[0])), atol=1e-6)
    assert loaded.info.class_labels == tuple(labels)


def test_several_classes_a_sentence_have_probabilities_of_their_own(tmp_path: Path) -> None:
    directory = make_classifier(
        tmp_path / "theirs", "Bert", CLASSES, ["joy", "fear"], problem_type="multi_label_classification"
    )
    loaded = load_directory(directory)
    ((_, output),) = ours(loaded, SENTENCES[:1])
    logits = torch.from_numpy(theirs(directory, loaded, SENTENCES[0]))
    np.testing.assert_allclose(output.class_probabilities, logits.sigmoid().numpy(), atol=1e-6)
    assert loaded.info.multi_label
    save_checkpoint(loaded, tmp_path / "ours")
    assert load_directory(tmp_path / "ours").info.multi_label
    from mtdemo.training.distillation import Teacher

    with pytest.raises(UsageError, match="several classes"):
        Teacher.of_classes([loaded], ["a"], ["joy", "fear"], 16)
    assert fit_temperatures(loaded, ValidationSets((), (), 16)).classes is None
    assert not relabel(loaded, class_labels=["one", "other"]).info.multi_label


@pytest.mark.parametrize(
    ("labels", "changes", "words"),
    [
        (["LABEL_0"], {}, "gives one number"),
        (["entailment", "neutral", "contradiction"], {}, "compares two sentences"),
        (["same", "same"], {}, "the same name"),
    ],
)
def test_a_head_without_a_place_here_is_left_out_and_the_embedding_stays(
    labels: list[str], changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    loaded = load_directory(make_classifier(tmp_path / "theirs", "Bert", CLASSES, labels, **changes))
    assert loaded.info.trained_heads == ()
    assert words in loaded.info.note
    save_checkpoint(loaded, tmp_path / "ours")
    assert load_directory(tmp_path / "ours").info.note == loaded.info.note


def test_a_head_whose_weights_are_missing_is_called_untrained(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    directory = make_classifier(tmp_path, "Roberta", CLASSES, ["a", "b"])
    weights = load_file(directory / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})
    assert load_directory(directory).info.trained_heads == ()


@pytest.mark.parametrize("name", ["Roberta", "DistilBert"])
def test_an_adopted_model_is_planned_and_frozen_like_any_other(name: str, tmp_path: Path) -> None:
    directory = make_classifier(tmp_path, name, CLASSES, ["a", "b"])
    model = load_directory(directory).model
    reference = AutoModelForSequenceClassification.from_pretrained(directory)
    plan = plan_freezing(model.parts(), ("layer_1", "classification_head"))
    classifier = [each for key, each in reference.named_parameters() if "classifier" in key or "layer.1." in key]
    assert plan.n_trainable == sum(parameter.numel() for parameter in classifier)
    ours = sum(part.n_parameters for part in model.parts() if part.name != "ner_head")
    assert ours == sum(parameter.numel() for parameter in reference.parameters())


def test_adopting_draws_nothing_from_the_generator_of_the_process(tmp_path: Path) -> None:
    directory = make_classifier(tmp_path, "Bert", CLASSES, ["a", "b"])
    before = torch.get_rng_state()
    load_directory(directory)
    assert torch.equal(before, torch.get_rng_state())
