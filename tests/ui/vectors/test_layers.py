from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.config import Settings
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.vectors.layers import find_labels, show_layers

SENTENCES = ("the cat sat", "the cat sings", "john sat", "john sat on the mat", "paris", "the mat")
FILE = LoadedFile("a.csv", SENTENCES, ("text", "label"), tuple((s, s[0]) for s in SENTENCES), "text", "label")


@pytest.fixture
def vectors(tiny: Callable[..., Path]) -> VectorService:
    return VectorService(ModelService(Settings(checkpoint=str(tiny()))))


def test_a_row_for_each_layer_and_pooling_and_the_models_own_first(vectors: VectorService) -> None:
    note, table = show_layers(vectors, "\n".join(SENTENCES), None, None)
    assert "**6 sentences**, 15 pairs." in note
    assert "itself uses *mean* after layer 2" in note
    rows = table.value["data"]
    assert [row[:2] for row in rows[:3]] == [[2, "its own: mean"], [1, "mean"], [1, "cls"]]
    assert len(rows) == 7
    assert rows[0][3] == pytest.approx(1.0)
    assert table.value["metadata"]["display_value"][0][3] == "1.000"
    assert "neighbours with its label" not in table.value["headers"]


def test_labels_are_those_of_the_file(vectors: VectorService) -> None:
    text = "\n".join(("another one", *SENTENCES))
    assert find_labels(text, FILE) == ["", *"ttjjpt"]
    assert find_labels(text, None) == []
    note, table = show_layers(vectors, text, None, FILE)
    assert "by chance (6 sentences have one)" in note
    assert table.value["headers"][-1] == "neighbours with its label"
