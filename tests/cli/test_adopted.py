"""A classifier of transformers is a base like any other."""

from pathlib import Path

import pytest

from mtdemo.cli.main import main
from mtdemo.models.checkpoints import load_directory
from tests.repositories import make_classifier


@pytest.mark.parametrize(
    ("name", "kind", "labels", "head"),
    [
        ("Roberta", "ForSequenceClassification", ["calm", "angry"], "classification_head"),
        ("DistilBert", "ForTokenClassification", ["B-PER", "E-PER", "I-PER", "S-PER", "O"], "ner_head"),
        ("Bert", "ForTokenClassification", ["NOUN", "PER"], "ner_head"),
    ],
)
def test_an_adopted_model_learns_and_keeps_its_labels(
    name: str, kind: str, labels: list[str], head: str, tmp_path: Path
) -> None:
    base = make_classifier(tmp_path / "base", name, kind, labels)
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n' * 4)
    classes = ("calm", "angry") if kind == "ForSequenceClassification" else ("neutral", "negative")
    (tmp_path / "classes").write_text("".join(f'{{"text": "the cat", "label": "{label}"}}\n' for label in classes * 2))
    assert main(
        ["train", "--base", str(base), "--ner", str(tmp_path / "ner"), "--classification", str(tmp_path / "classes"),
         "--output", str(tmp_path / "out"), "--steps", "2"]
    ) == 0  # fmt: skip
    before, after = load_directory(base), load_directory(tmp_path / "out")
    assert after.scheme.labels == before.scheme.labels
    assert after.info.class_labels == before.info.class_labels
    assert after.model.config.head_layers == before.model.config.head_layers
    assert head in after.info.trained_heads
