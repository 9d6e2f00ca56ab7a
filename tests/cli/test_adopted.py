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


def test_a_part_is_exported_for_its_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = make_classifier(tmp_path / "base", "Roberta", "ForSequenceClassification", ["calm", "angry"])
    given = ["export", "--to", "transformers", "--checkpoint", str(base), "--output"]
    assert main([*given, str(tmp_path / "classes")]) == 0
    told = capsys.readouterr().err
    assert 'RobertaForSequenceClassification, for pipeline("text-classification"' in told
    assert "Left behind: embedding" in told
    assert load_directory(tmp_path / "classes").info.class_labels == ("calm", "angry")
    assert main([*given, str(tmp_path / "embedding"), "--part", "embedding"]) == 0
    assert (tmp_path / "embedding" / "modules.json").is_file()
    assert "Left behind: classes" in capsys.readouterr().err
    assert main([*given, str(tmp_path / "entities"), "--part", "entities"]) == 0
    assert "untrained: what it says is noise" in capsys.readouterr().err


@pytest.mark.model
def test_a_model_of_two_heads_asks_which_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--output", str(tmp_path)]) == 2
    assert "--part classes or entities" in capsys.readouterr().err.replace("entities or classes", "classes or entities")
