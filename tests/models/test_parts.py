from pathlib import Path

import pytest
import torch

from mtdemo.models import configuration, declaration, multitask
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.parts import HEADS, Head, PartKind, part_title
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


def test_a_head_is_a_row_of_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The worked example: a head for formality, with its loss, its part and its place in a checkpoint."""
    rows = (*HEADS, Head("formality_head", "formality head", "classes", True, "formality_labels"))
    monkeypatch.setattr(multitask, "HEADS", rows)
    for module in (multitask, declaration, configuration):
        monkeypatch.setattr(module, "HEAD_NAMES", tuple(row.name for row in rows))
    config = tiny_config(formality_labels=["casual", "formal"], trained_heads=["formality_head"])
    model = MultiTaskModel(config).eval()
    assert [part.name for part in model.parts()][-1] == "formality_head"
    ids, labels = torch.tensor([[2, 5, 3], [2, 6, 3]]), torch.tensor([0, 1])
    output = model(input_ids=ids, formality_labels=labels)
    assert output.formality_logits.shape == (2, 2)
    assert torch.equal(output.loss, output.formality_loss)
    model.save_pretrained(tmp_path)
    again = MultiTaskModel.from_pretrained(tmp_path)
    assert again.trained_heads == ("formality_head",)
    torch.testing.assert_close(again(input_ids=ids).formality_logits, output.formality_logits)
