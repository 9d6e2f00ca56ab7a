from __future__ import annotations

import json

import pytest

from mtdemo.errors import DataFileError, InputError
from mtdemo.ui.label_questions import LabelQuestions
from tests.ui.conftest import FakeService


def test_classes_are_examined_as_json(fake: FakeService) -> None:
    answer = LabelQuestions(fake).examine_classes(["one", "two", "three"], ["yes", "no", "other"])
    assert json.loads(json.dumps(answer)) == answer
    assert answer["labels"] == ["no", "yes", "other"]
    assert answer["confusion"] == [[0, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert answer["mistakes"] == [1, 2]
    assert answer["accuracy"]["value"] == pytest.approx(1 / 3)
    assert answer["abstention"][-1] == {"threshold": 1.0, "coverage": 0.0, "accuracy": None}
    assert answer["chosen"] == {"0.80": None, "0.90": None, "0.95": None}


def test_entities_are_examined_as_json(fake: FakeService) -> None:
    answer = LabelQuestions(fake).examine_entities([["Ada", "met", "bob"], ["Rome"]], [["B-PER", "O", "B-PER"], ["S-LOC"]])
    assert json.loads(json.dumps(answer)) == answer
    assert answer["counts"] == {"missed": 1, "spurious": 0, "boundary": 0, "type": 1, "boundary and type": 0}
    assert answer["errors"][1] == {"kind": "type", "position": 1, "gold": [0, 0, "LOC"], "predicted": [0, 0, "PER"]}
    assert answer["scores"]["per_label"]["PER"]["recall"] == 0.5
    assert answer["by_type"]["PER"]["recall"]["value"] == 0.5
    assert answer["by_type"]["all"]["f1"] == answer["f1"]


def test_what_does_not_fit_says_so(fake: FakeService) -> None:
    with pytest.raises(InputError, match="2 sentences and 1 labels; each needs one"):
        LabelQuestions(fake).examine_classes(["a", "b"], ["yes"])
    with pytest.raises(DataFileError, match="Sentence 1: 2 tokens but 1 tags"):
        LabelQuestions(fake).examine_entities([["a", "b"]], [["O"]])
