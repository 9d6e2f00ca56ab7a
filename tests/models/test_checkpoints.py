import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2Model, PreTrainedModel, T5Config, T5EncoderModel, T5Model

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings
from mtdemo.errors import CheckpointNotFoundError, InvalidCheckpointError, ModelTooLargeError
from mtdemo.models.checkpoints import load_directory, save_checkpoint
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.loaded import LoadedModel
from mtdemo.serving.service import ModelService
from tests.conftest import make_tokenizer

Write = Callable[..., Path]


def test_a_checkpoint_says_what_it_is(tiny: Write) -> None:
    directory = tiny(trained_heads=["ner_head"], entity_labels=["O", "B-PER", "I-PER"])
    info = load_directory(directory).info
    assert (info.architecture, info.n_layers, info.hidden_size, info.max_length) == ("bert", 2, 16, 64)
    assert info.entity_types == ("PER",)
    assert (info.classifies, info.finds_entities) == (False, True)
    assert info.id == str(directory)
    assert info.n_parameters == sum(p.numel() for p in load_directory(directory).model.parameters())


def test_a_plain_backbone_answers_and_says_that_its_heads_are_untrained(upstream: Path) -> None:
    loaded = load_directory(upstream)
    assert loaded.info.trained_heads == ()
    assert not loaded.model.training


def test_what_is_trained_is_what_has_weights(tiny: Write) -> None:
    directory = tiny(trained_heads=["classification_head", "ner_head"])
    weights = load_file(directory / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("ner_head")}
    save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})
    assert load_directory(directory).info.trained_heads == ("classification_head",)


def test_a_head_without_weights_is_the_same_each_time(tiny: Write) -> None:
    directory = tiny()
    weights = load_file(directory / "model.safetensors")
    save_file({name: t for name, t in weights.items() if not name.startswith("ner_head")}, directory / "model.safetensors")
    one, other = load_directory(directory).model, load_directory(directory).model
    assert torch.equal(one.ner_head.linear.weight, other.ner_head.linear.weight)
    for model in (one, other):
        model.relabel(["angry", "calm"], model.config.entity_labels)
    assert torch.equal(one.classification_head.dense.weight, other.classification_head.dense.weight)


def test_a_directory_that_is_no_checkpoint_says_what_one_holds(tmp_path: Path) -> None:
    with pytest.raises(InvalidCheckpointError, match=r"config\.json.*model\.safetensors"):
        load_directory(tmp_path)


@pytest.mark.parametrize(
    ("content", "word"),
    [("{ this is no JSON", "cannot be used"), ("{}", "cannot be used"), ('{"model_type": "no-such"}', "cannot be used"),
     ('{"model_type": "multi-task-encoder", "entity_labels": ["PER", "O"]}', "begin with 'O'")],
)  # fmt: skip
def test_a_broken_configuration_says_so(tiny: Write, content: str, word: str) -> None:
    directory = tiny()
    (directory / "config.json").write_text(content)
    with pytest.raises(InvalidCheckpointError, match=word):
        load_directory(directory)


def test_a_model_of_another_kind_says_so(tiny: Write) -> None:
    directory = tiny()
    (directory / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(InvalidCheckpointError, match="clip"):
        load_directory(directory)


@pytest.mark.parametrize(
    "changes",
    [{"hidden_size": "abc"}, {"num_attention_heads": 0}, {"hidden_act": "no-such"}, {"is_decoder": True},
     {"max_position_embeddings": 2}, {"id2label": "x"}],
)  # fmt: skip
def test_a_backbone_that_cannot_be_built_or_read_with_says_so(tiny: Write, changes: dict[str, object]) -> None:
    directory = tiny()
    config = json.loads((directory / "config.json").read_text())
    config["backbone"] |= changes
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidCheckpointError, match="tiny"):
        load_directory(directory, 10**9)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (T5Model(T5Config(d_model=16, num_layers=1, num_heads=2, vocab_size=18, d_ff=32, d_kv=8)), "has a decoder"),
        (T5EncoderModel(T5Config(d_model=16, num_layers=1, num_heads=2, vocab_size=18, is_encoder_decoder=False)), "a T5"),
        (GPT2Model(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=18)), "see only what stands before"),
    ],
    ids=["t5", "t5 encoder", "gpt2"],
)
def test_what_is_no_encoder_is_refused(tmp_path: Path, model: PreTrainedModel, words: str) -> None:
    model.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(InvalidCheckpointError, match=words):
        load_directory(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"adapter_config.json": b"{}", "adapter_model.safetensors": b""}, "It holds an adapter without the model"),
        ({"model.fp16.safetensors": b""}, r"It holds weights under another name, model\.fp16\.safetensors\."),
        ({"model.safetensors": b"version https://git-lfs.github.com/spec/v1\n"}, "a pointer of Git LFS .* git lfs pull"),
    ],
    ids=["adapter", "another name", "pointer"],
)
@pytest.mark.parametrize("has_config", [True, False])
def test_without_weights_it_is_said_what_is_there(
    tiny: Write, files: dict[str, bytes], words: str, has_config: bool
) -> None:
    directory = tiny()
    (directory / "model.safetensors").unlink()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    if not has_config:
        (directory / "config.json").unlink()
        words = r"no config\.json" if "pointer" in words else rf"no config\.json\. {words}"
    with pytest.raises(InvalidCheckpointError, match=words) as caught:
        load_directory(directory, name="owner/name")
    assert str(directory) not in str(caught.value)


def test_quantised_weights_are_refused_by_name(tiny: Write) -> None:
    directory = tiny()
    config = json.loads((directory / "config.json").read_text())
    config["backbone"]["quantization_config"] = {"quant_method": "gptq", "bits": 4}
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidCheckpointError, match=r"quantised \(gptq\).*Choose the model that they were made from"):
        load_directory(directory)


def test_a_tokenizer_with_more_words_than_the_model_is_refused(tiny: Write) -> None:
    directory = tiny()
    tokenizer = make_tokenizer()
    tokenizer.add_tokens(["a", "b"])
    tokenizer.save_pretrained(directory)
    with pytest.raises(InvalidCheckpointError, match="does not fit its weights: it has 20 word pieces, they have 18"):
        load_directory(directory)


def test_a_tokenizer_is_never_invented(tiny: Write) -> None:
    directory = tiny()
    (directory / "tokenizer.json").unlink()
    with pytest.raises(InvalidCheckpointError, match="has no tokenizer files"):
        load_directory(directory)


def test_text_is_read_from_its_beginning_whatever_the_tokenizer_says(tiny: Write) -> None:
    directory = tiny()
    tokenizer = make_tokenizer()
    tokenizer.truncation_side = tokenizer.padding_side = "left"
    tokenizer.save_pretrained(directory)
    (sentence,) = load_directory(directory).encode(["the cat sat on the mat"], 8)
    assert [(p.start, p.end) for p in sentence.pieces] == sorted((p.start, p.end) for p in sentence.pieces)
    assert sentence.pieces[0].start == 0


def test_code_of_a_checkpoint_never_runs(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tiny()
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config"}}
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "evil.py").write_text("raise SystemExit('ran')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked the person whether to run code"))
    with pytest.raises(InvalidCheckpointError, match="brings code of its own"):
        load_directory(directory)


@pytest.mark.parametrize(("kind", "words"), [("dpr", "no hidden states of words"), ("xlnet", "no longest input")])
def test_kinds_that_lack_something_say_what(tiny: Write, kind: str, words: str) -> None:
    directory = tiny()
    (directory / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(InvalidCheckpointError, match=words):
        load_directory(directory)


def test_weights_that_lack_because_of_own_code_say_so(tiny: Write) -> None:
    directory = tiny()
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config["backbone"], "auto_map": {"AutoModel": "jina.JinaBert"}}))
    weights = load_file(directory / "model.safetensors")
    save_file({"other": weights["ner_head.linear.bias"]}, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidCheckpointError, match=r"lacks .* brings code of its own .* and may need it"):
        load_directory(directory)


def test_truncated_weights_say_so(tiny: Write) -> None:
    directory = tiny()
    content = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidCheckpointError, match="cannot be read"):
        load_directory(directory)


def test_weights_of_other_shapes_name_one_with_both_shapes(tiny: Write) -> None:
    directory = tiny()
    weights = load_file(directory / "model.safetensors")
    weights["ner_head.linear.weight"] = torch.zeros(9, 16)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidCheckpointError, match=r"ner_head\.linear\.weight.*\(9, 16\).*\(5, 16\)"):
        load_directory(directory)


def test_missing_weights_of_the_backbone_are_an_error(tiny: Write) -> None:
    directory = tiny()
    weights = load_file(directory / "model.safetensors")
    del weights["backbone.encoder.layer.0.output.dense.weight"]
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidCheckpointError, match="lacks 1 weights"):
        load_directory(directory)


def test_pickles_are_never_read(tiny: Write) -> None:
    directory = tiny()
    torch.save({}, directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    with pytest.raises(InvalidCheckpointError, match="never loaded"):
        load_directory(directory)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_broken_tokenizer_says_so(tiny: Write, content: str | None) -> None:
    directory = tiny()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).unlink(missing_ok=True)
        if content is not None:
            (directory / name).write_text(content)
    with pytest.raises(InvalidCheckpointError, match="tokenizer"):
        load_directory(directory)


def test_a_model_beyond_the_bound_is_refused_before_its_weights_are_read(tiny: Write) -> None:
    directory = tiny()
    (directory / "model.safetensors").unlink()
    with pytest.raises(ModelTooLargeError, match="MTDEMO_MAX_MODEL_BYTES"):
        load_directory(directory, max_bytes=1000)


def test_after_an_error_the_model_in_use_stays_in_use(tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny())))
    before = service.load()
    with pytest.raises(CheckpointNotFoundError):
        service.load("../not/an/id")
    assert service.loaded() == before
    assert len(service.analyze(["the cat"])) == 1


def test_saving_in_half_precision_moves_embeddings_little(tiny: Write, tmp_path: Path) -> None:
    loaded = load_directory(tiny(trained_heads=["ner_head"]))
    save_checkpoint(loaded, tmp_path / "saved")
    again = load_directory(tmp_path / "saved")
    assert again.info.trained_heads == ("ner_head",)
    assert next(again.model.parameters()).dtype == torch.float32
    assert next(loaded.model.parameters()).dtype == torch.float32, "the model itself is left alone"
    inputs = {"input_ids": torch.tensor([[2, 5, 6, 3]])}
    with torch.inference_mode():
        before, after = (m(**inputs).sentence_embedding.numpy() for m in (loaded.model, again.model))
    assert np.linalg.norm(before - after) / np.linalg.norm(before) < 2e-3


def test_what_is_read_and_saved_again_is_the_same(embedded: LoadedModel, tmp_path: Path) -> None:
    save_checkpoint(embedded, tmp_path)
    again, weights = (load_file(place / "model.safetensors") for place in (tmp_path, EMBEDDED_CHECKPOINT))
    assert again.keys() == weights.keys()
    assert all(tensor.dtype == torch.float16 and torch.equal(tensor, weights[name]) for name, tensor in again.items())
    saved, committed = (MultiTaskConfig.from_pretrained(place).to_dict() for place in (tmp_path, EMBEDDED_CHECKPOINT))
    version = "transformers_version"
    assert {**saved, version: ""} == {**committed, version: ""}


def test_a_copy_elsewhere_answers_the_same(embedded: LoadedModel, tmp_path: Path) -> None:
    shutil.copytree(EMBEDDED_CHECKPOINT, tmp_path / "copy")
    here, there = ModelService(Settings()), ModelService(Settings(checkpoint=str(tmp_path / "copy")))
    sentence = ["Ada Lovelace wrote to Charles Babbage."]
    assert np.array_equal(here.analyze(sentence).embeddings, there.analyze(sentence).embeddings)
