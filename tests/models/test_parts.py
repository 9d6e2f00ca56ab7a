import pytest

from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.parts import HEADS, PartKind, part_title
from tests.conftest import tiny_config


@pytest.mark.parametrize(
    ("name", "title"),
    [("layer_0", "layer 1"), ("embeddings", "embeddings"), ("backbone_rest", "backbone rest"), ("ner_head", "entity head")],
)
def test_parts_have_titles(name: str, title: str) -> None:
    assert part_title(name) == title


def test_the_table_of_heads_is_that_of_the_model() -> None:
    model = MultiTaskModel(tiny_config(output_labels=["a", "b"]))
    assert [part.name for part in model.parts() if part.kind is PartKind.HEAD] == [head.name for head in HEADS]
