"""A kind of checkpoint is a row of a table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import BertForTokenClassification, BertModel, PreTrainedConfig

from mtdemo.config import Settings
from mtdemo.models import formats
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.formats import FORMATS, CheckpointFormat, LoadReport, find_format
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.serving.service import ModelService
from tests.conftest import make_tokenizer, tiny_config


def test_a_configuration_finds_its_row() -> None:
    assert find_format(tiny_config()).name == "multi-task checkpoint"
    assert find_format(tiny_config().backbone).name == "plain encoder"


def test_every_row_gives_a_configuration_that_a_model_can_be_built_from() -> None:
    ours, plain, classifier = tiny_config(), tiny_config().backbone, tiny_config().backbone
    classifier.architectures = ["BertForTokenClassification"]
    for row, config in zip(FORMATS, (ours, classifier, plain), strict=True):
        assert row.recognises(config)
    assert FORMATS[0].configure(ours) == FORMATS[-1].configure(plain) == tiny_config()
    assert [MultiTaskModel(FORMATS[1].configure(classifier)).config.trained_heads] == [["ner_head"]]


def test_weights_are_loaded_by_the_row(tiny: Callable[..., Path], tmp_path: Path) -> None:
    assert load_directory(tiny(trained_heads=["ner_head"])).info.trained_heads == ("ner_head",)
    BertModel(tiny_config().backbone).save_pretrained(tmp_path / "plain")
    make_tokenizer().save_pretrained(tmp_path / "plain")
    assert load_directory(tmp_path / "plain").info.trained_heads == ()


def test_another_kind_of_checkpoint_is_one_more_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worked example: a token classifier of another library answers with its own labels and its trained head."""

    def recognises(config: PreTrainedConfig) -> bool:
        return "BertForTokenClassification" in (config.architectures or ())

    def configure(config: PreTrainedConfig) -> MultiTaskConfig:
        return MultiTaskConfig(backbone=config, entity_labels=[*config.id2label.values()], trained_heads=["ner_head"])

    def load(directory: Path, config: MultiTaskConfig) -> tuple[MultiTaskModel, LoadReport]:
        theirs = BertForTokenClassification.from_pretrained(directory)
        model = MultiTaskModel(config, backbone=theirs.bert)
        model.ner_head.linear.load_state_dict(theirs.classifier.state_dict())
        return model, {"missing_keys": ["classification_head.dense.weight"], "mismatched_keys": []}

    backbone = tiny_config().backbone
    backbone.id2label = {0: "O", 1: "B-DRUG", 2: "I-DRUG"}
    theirs = BertForTokenClassification(backbone)
    theirs.classifier.bias.data[1] = 100  # it finds one in every word
    theirs.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    row = CheckpointFormat("token classifier", recognises, configure, load)
    monkeypatch.setattr(formats, "FORMATS", (row, *FORMATS))

    service = ModelService(Settings(checkpoint=str(tmp_path)))
    (answer,) = service.analyze(["john sat"])
    assert service.load().finds_entities
    assert not service.load().classifies
    assert [(entity.text, entity.label) for entity in answer.entities] == [("john", "DRUG"), ("sat", "DRUG")]
