from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    ElectraConfig,
    RobertaConfig,
)

from mtdemo.config import EMBEDDED_CHECKPOINT
from mtdemo.models.checkpoints import model_without_weights
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.embedding.pooling import mean_pool
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.models.parts import PartKind, count_parameters
from tests.conftest import make_tokenizer, tiny_config

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
BACKBONES = {
    "bert": (BertConfig(**SMALL, vocab_size=50), 2),
    "roberta": (RobertaConfig(**SMALL, vocab_size=50), 2),
    "distilbert": (DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=32, vocab_size=50), 2),
    "electra": (ElectraConfig(**SMALL, vocab_size=50, embedding_size=8), 2),
    "albert": (AlbertConfig(**SMALL, vocab_size=50, embedding_size=8), 0),
}


def inputs(batch: int = 3, tokens: int = 7) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    mask = torch.ones(batch, tokens, dtype=torch.long)
    mask[0, 4:] = 0
    return {"input_ids": torch.randint(5, 17, (batch, tokens)), "attention_mask": mask}


def test_one_pass_gives_every_output_with_the_documented_shapes() -> None:
    model = MultiTaskModel(tiny_config()).eval()
    with torch.inference_mode():
        output = model(**inputs())
    assert output.last_hidden_state.shape == (3, 7, 16)
    assert output.sentence_embedding.shape == (3, 16)
    assert output.classification_logits.shape == (3, 3)
    assert output.ner_logits.shape == (3, 7, 5)
    assert output.loss is None
    assert output.output_logits is None


def test_a_configuration_in_half_precision_changes_neither_the_model_nor_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread that builds a model meanwhile must not get one in half precision."""
    asked: list[torch.dtype] = []
    real = torch.set_default_dtype
    monkeypatch.setattr(torch, "set_default_dtype", lambda dtype: (asked.append(dtype), real(dtype)))
    model = MultiTaskModel(MultiTaskConfig(backbone=BertConfig(**SMALL, vocab_size=50, dtype="float16")))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert set(asked) <= {torch.float32}


def test_other_labels_make_a_new_head_and_leave_the_other() -> None:
    model = MultiTaskModel(tiny_config())
    model.config.trained_heads = ["classification_head", "ner_head"]
    before = model.classification_head.linear.weight
    model.relabel(model.config.class_labels, ["O", "DRUG"])
    assert model.classification_head.linear.weight is before
    assert model(**inputs()).ner_logits.shape == (3, 7, 2)
    assert model.trained_heads == ("classification_head",)
    model.relabel(["angry", "calm"], ["O", "DRUG"])
    assert model(**inputs()).classification_logits.shape == (3, 2)
    assert model.trained_heads == ()
    assert sum(part.n_parameters for part in model.parts()) == model.num_parameters()


def test_other_classes_take_the_output_layer_of_the_old_ones_away() -> None:
    model = MultiTaskModel(tiny_config(output_labels=["negative", "neutral", "positive"]))
    model.config.trained_heads = ["classification_head", "ner_head", "output_layer"]
    assert model.config.output_names_classes
    model.relabel(model.config.class_labels, ["O", "DRUG"])
    assert model.output_layer is not None and model.trained_heads == ("classification_head", "output_layer")
    model.relabel(["angry", "calm"], ["O", "DRUG"])
    assert model.output_layer is None and model.trained_heads == ()
    assert model.config.output_labels == [] and not model.config.output_names_classes
    assert model(**inputs()).output_logits is None


def test_one_pass_runs_the_backbone_once() -> None:
    model = MultiTaskModel(tiny_config()).eval()
    calls = []
    model.backbone.register_forward_hook(lambda *_: calls.append(1))
    model(**inputs())
    assert len(calls) == 1


def test_losses_are_cross_entropies_and_add_up() -> None:
    model = MultiTaskModel(tiny_config(output_labels=["yes", "no"])).eval()
    classes, labels, outputs = torch.tensor([0, 1, 2]), torch.randint(0, 5, (3, 7)), torch.tensor([0, 1, 0])
    labels[0, 4:] = -100
    output = model(**inputs(), classification_labels=classes, ner_labels=labels, output_labels=outputs)
    torch.testing.assert_close(output.classification_loss, functional.cross_entropy(output.classification_logits, classes))
    kept = labels.flatten() != -100
    torch.testing.assert_close(
        output.ner_loss, functional.cross_entropy(output.ner_logits.flatten(0, 1)[kept], labels.flatten()[kept])
    )
    torch.testing.assert_close(output.loss, output.classification_loss + output.ner_loss + output.output_loss)


def test_labels_for_a_layer_that_is_not_there_are_an_error() -> None:
    with pytest.raises(ValueError, match="output layer"):
        MultiTaskModel(tiny_config())(**inputs(), output_labels=torch.tensor([0, 1, 0]))


def test_mean_pooling_counts_no_padding_and_equals_the_reference_for_one_sentence() -> None:
    states = torch.randn(2, 5, 4)
    torch.testing.assert_close(mean_pool(states, torch.ones(2, 5)), states.mean(dim=1))
    mask = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    torch.testing.assert_close(mean_pool(states, mask)[0], states[0, :2].mean(dim=0))
    assert mean_pool(states, torch.zeros(2, 5)).abs().sum() == 0


def test_pooling_of_the_classification_head_is_a_matter_of_configuration() -> None:
    torch.manual_seed(1)
    model = MultiTaskModel(tiny_config(classification_pooling="cls")).eval()
    output = model(**inputs())
    torch.testing.assert_close(output.classification_logits, model.classification_head(output.last_hidden_state[:, 0]))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"entity_labels": ["PER", "O"]}, "begin with 'O'"),
        ({"classification_pooling": "max"}, "'mean' or 'cls'"),
        ({"trained_heads": ["tail"]}, "trained_heads"),
        ({"class_labels": ["yes", "yes"]}, "name of its own"),
        ({"type_change_cost": -1.0}, "from 0 on"),
    ],
)
def test_a_configuration_that_makes_no_sense_says_so(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        tiny_config(**changes)


@pytest.mark.parametrize("labels", [["O", "B-PER", "I-PER"], ["O", "A", "B", "C", "D", "E"]])
def test_other_labels_work_by_configuration_alone(labels: list[str]) -> None:
    model = MultiTaskModel(tiny_config(entity_labels=labels, class_labels=["no", "yes"]))
    output = model(**inputs())
    assert output.ner_logits.shape[-1] == len(labels)
    assert output.classification_logits.shape[-1] == 2


def test_casing_changes_nothing_until_it_is_trained_and_is_kept_by_the_checkpoint(tmp_path: Path) -> None:
    model = MultiTaskModel(tiny_config()).eval()
    before = model(**inputs()).sentence_embedding
    model.add_casing()
    cases = torch.randint(0, 4, (3, 7))
    torch.testing.assert_close(model(**inputs(), token_type_ids=cases).sentence_embedding, before)
    model.save_pretrained(tmp_path)
    again = MultiTaskModel.from_pretrained(tmp_path)
    assert again.config.casing
    assert again.backbone.embeddings.token_type_embeddings.weight.shape == (4, 16)


def test_a_backbone_without_segments_cannot_carry_case() -> None:
    with pytest.raises(ValueError, match="distilbert"):
        MultiTaskModel(MultiTaskConfig(backbone=BACKBONES["distilbert"][0])).add_casing()


def test_saving_and_loading_keeps_every_bit(tmp_path: Path) -> None:
    model = MultiTaskModel(tiny_config(entity_labels=["O", "B-PER", "I-PER"], trained_heads=["ner_head"])).eval()
    model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    again = MultiTaskModel.from_pretrained(tmp_path)
    assert again.trained_heads == ("ner_head",)
    assert again.config.entity_labels == ["O", "B-PER", "I-PER"]
    for (name, before), (other, after) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(before, after)
    assert isinstance(AutoModel.from_pretrained(tmp_path), MultiTaskModel)


def test_a_plain_backbone_loads_with_heads_that_say_they_are_untrained(tmp_path: Path) -> None:
    backbone = BertModel(tiny_config().backbone)
    backbone.save_pretrained(tmp_path)
    model = MultiTaskModel.from_pretrained(tmp_path, config=tiny_config(trained_heads=["ner_head"]))
    assert model.trained_heads == ()
    torch.testing.assert_close(model.backbone.embeddings.word_embeddings.weight, backbone.embeddings.word_embeddings.weight)
    assert getattr(model.backbone, "pooler", None) is None


@pytest.mark.parametrize("name", BACKBONES)
def test_parts_sum_to_the_model_and_hold_every_parameter_once(name: str) -> None:
    backbone, n_layers = BACKBONES[name]
    model = MultiTaskModel(MultiTaskConfig(backbone=backbone))
    parts = model.parts()
    names = [parameter.name for part in parts for parameter in part.parameters]
    assert count_parameters(parts) == sum(parameter.numel() for parameter in model.parameters())
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert len(names) == len(set(names))
    assert [part.name for part in parts if part.kind is PartKind.LAYER] == [f"layer_{i}" for i in range(n_layers)]
    assert [part.name for part in parts if part.kind is PartKind.HEAD] == ["classification_head", "ner_head"]
    assert parts[0].name == "embeddings"


def test_a_tied_parameter_is_counted_once() -> None:
    model = MultiTaskModel(tiny_config())
    before = count_parameters(model.parts())
    model.backbone.encoder.layer[1].output.dense.weight = model.backbone.encoder.layer[0].output.dense.weight
    assert before - count_parameters(model.parts()) == 16 * 32
    assert count_parameters(model.parts()) == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["bert", "electra", "roberta", "distilbert"])
def test_nothing_decays_but_matrices(name: str) -> None:
    parts = MultiTaskModel(MultiTaskConfig(backbone=BACKBONES[name][0])).parts()
    for parameter in (parameter for part in parts for parameter in part.parameters):
        assert parameter.decays == (len(parameter.shape) == 2), parameter.name


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({}, 108_891_648),
        (
            {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096, "num_attention_heads": 16},
            334_092_288,
        ),
    ],
)
def test_backbones_without_pooler_have_the_published_number_of_parameters(shape: dict[str, int], expected: int) -> None:
    parts = model_without_weights(MultiTaskConfig(backbone=BertConfig(**shape))).parts()
    assert count_parameters(tuple(part for part in parts if part.kind.in_backbone)) == expected
    with torch.device("meta"):
        theirs = BertModel(BertConfig(**shape), add_pooling_layer=False)
    modules = {"embeddings": theirs.embeddings, **{f"layer_{i}": layer for i, layer in enumerate(theirs.encoder.layer)}}
    counted = {part.name: count_parameters((part,)) for part in parts if part.kind.in_backbone}
    assert counted == {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}


@pytest.mark.model
def test_the_embedded_checkpoint_is_a_standard_checkpoint_with_both_heads_trained() -> None:
    model = AutoModel.from_pretrained(EMBEDDED_CHECKPOINT, dtype=torch.float32)
    assert isinstance(model, MultiTaskModel)
    assert model.trained_heads == ("classification_head", "ner_head")
    assert sum(path.stat().st_size for path in EMBEDDED_CHECKPOINT.iterdir()) < 48e6
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_CHECKPOINT)
    assert tokenizer.is_fast
    assert "/" not in (model.config.to_diff_dict().get("_name_or_path") or "")


def test_the_tiny_tokenizer_of_these_tests_splits_into_pieces() -> None:
    assert make_tokenizer().tokenize("Cats singing") == ["cat", "##s", "sing", "##ing"]
