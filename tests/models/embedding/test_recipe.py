"""A repository of sentence-transformers answers as it does there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdemo.config import Settings
from mtdemo.errors import InvalidCheckpointError, UnknownNameError
from mtdemo.inference.hidden_state_cache import CachedRunner
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.checkpoints import load_directory, save_checkpoint
from mtdemo.models.loaded import LoadedModel
from mtdemo.results import FloatArray
from mtdemo.serving.service import ModelService
from tests.repositories import EMBEDDERS, SENTENCES, WIDTH, make_embedder, make_encoder, write_json


def embed(loaded: LoadedModel, *texts: str) -> FloatArray:
    return np.stack([each.embedding for each in analyze_batches(loaded, texts, loaded.info.max_length)])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", EMBEDDERS)
def test_an_embedding_is_the_one_of_sentence_transformers(kind: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    directory = make_embedder(tmp_path, **EMBEDDERS[kind])
    theirs = SentenceTransformer(str(directory), device="cpu")
    expected = theirs.encode(list(SENTENCES))
    loaded = load_directory(directory)
    assert loaded.info.hidden_size == expected.shape[1]
    np.testing.assert_allclose(embed(loaded, *SENTENCES), expected, atol=1e-5)
    for row, sentence in enumerate(SENTENCES):
        np.testing.assert_allclose(embed(loaded, sentence)[0], expected[row], atol=1e-5)
    cached = analyze_batches(loaded, SENTENCES, loaded.info.max_length, run=CachedRunner(10**6))
    np.testing.assert_allclose(np.stack([each.embedding for each in cached]), expected, atol=1e-5)


@pytest.mark.parametrize("kind", EMBEDDERS)
def test_a_recipe_is_saved_with_the_model(kind: str, tmp_path: Path) -> None:
    loaded = load_directory(make_embedder(tmp_path / "theirs", **EMBEDDERS[kind]))
    loaded.model.half().float()  # as it is saved
    save_checkpoint(loaded, tmp_path / "ours")
    again = load_directory(tmp_path / "ours", name=loaded.info.id)
    assert again.info == loaded.info
    np.testing.assert_array_equal(embed(again, *SENTENCES), embed(loaded, *SENTENCES))


def test_a_model_says_how_its_embedding_is_made(tmp_path: Path) -> None:
    info = load_directory(make_embedder(tmp_path / "e5", **EMBEDDERS["prompt"])).info
    assert (info.pooling, info.is_normalized, info.prompt) == (("mean",), True, "query: ")
    info = load_directory(make_encoder(tmp_path / "plain")).info
    assert (info.pooling, info.is_normalized, info.prompt, info.hidden_size) == (("mean",), False, "", WIDTH)


@pytest.mark.parametrize("kind", ["concatenation", "dense", "prompt"])
def test_a_base_can_be_read_as_a_plain_encoder(kind: str, tmp_path: Path) -> None:
    directory = make_embedder(tmp_path, **EMBEDDERS[kind])
    loaded = load_directory(directory, plain_mean=True)
    assert (loaded.info.pooling, loaded.info.is_normalized, loaded.info.prompt) == (("mean",), False, "")
    sentence = loaded.encode([SENTENCES[0]], loaded.info.max_length)[0]
    with torch.inference_mode():
        states = loaded.model(torch.tensor([sentence.windows[0].input_ids])).last_hidden_state
    np.testing.assert_allclose(embed(loaded, SENTENCES[0])[0], states[0].mean(dim=0), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["prompt", "prompts without default", "prompt left out of mean"])
@pytest.mark.parametrize("name", ["query", "document", None])
def test_a_named_prompt_gives_what_sentence_transformers_gives(kind: str, name: str | None, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    directory = make_embedder(tmp_path, **EMBEDDERS[kind])
    service = ModelService(Settings(checkpoint=str(directory)))
    assert dict(service.load().prompts) == {"query": "query: ", "document": "paris: "}
    expected = SentenceTransformer(str(directory), device="cpu").encode(list(SENTENCES), prompt_name=name)
    found = service.analyze(SENTENCES, prompt=name)
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)
    assert found == service.analyze(SENTENCES, prompt=name), "each prompt has its own place in the cache"
    with pytest.raises(UnknownNameError, match="no prompt 'passage'; there are query, document"):
        service.analyze(SENTENCES, prompt="passage")


def test_empty_prompts_are_none(tmp_path: Path) -> None:
    files = {"prompts": {"query": "", "document": ""}, "default_prompt_name": None}
    info = load_directory(make_embedder(tmp_path, {"pooling_mode": "mean"}, prompts=files)).info
    assert info.as_dict()["prompts"] == {}


def test_dense_layers_belong_to_the_rest_of_the_backbone(tmp_path: Path) -> None:
    parts = load_directory(make_embedder(tmp_path, **EMBEDDERS["dense"])).model.parts()
    (rest,) = [part for part in parts if part.name == "backbone_rest"]
    dense = "embedding_layers.layers.0.linear"
    assert [spec.name for spec in rest.parameters] == [f"{dense}.weight", f"{dense}.bias"]


@pytest.mark.parametrize("max_length", [8, 48])
def test_offsets_stay_those_of_the_persons_text_though_a_prompt_was_read(tmp_path: Path, max_length: int) -> None:
    """The entity head finds one in every word; a prompt fills most of a window of 8."""
    plain = load_directory(make_embedder(tmp_path / "plain", **EMBEDDERS["cased"]))
    prompted = load_directory(make_embedder(tmp_path / "prompted", **{**EMBEDDERS["prompt"], "lower": False}))
    sentence = "John sings in Paris on the mats."
    for loaded in (plain, prompted):
        for weights in loaded.model.ner_head.parameters():
            weights.data.zero_()
        loaded.model.ner_head.linear.bias.data[1] = 9
    one, other = (analyze_batches(loaded, [sentence], max_length)[0] for loaded in (plain, prompted))
    assert one.entity_spans == other.entity_spans == ((0, 31, "PER"),)
    assert other.n_tokens == one.n_tokens + 2, "`query` and `:` are read, too"
    encoded = prompted.encode([sentence], max_length)[0]
    assert [sentence[piece.start : piece.end] for piece in encoded.pieces][:3] == ["John", "sing", "s"]
    read = [window.input_ids[window.content] for window in encoded.windows]
    ids = [*read[0]]
    for window, its in zip(encoded.windows[1:], read[1:], strict=True):
        ids[window.first_piece :] = its
    assert ids == prompted.tokenizer(sentence, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        (("StaticEmbedding",), "module of the kind StaticEmbedding"),
        (("Transformer", "Pooling", "LSTM"), "module of the kind LSTM"),
        (("Transformer", "Normalize"), "without pooling"),
    ],
)
def test_what_cannot_be_honoured_is_refused(modules: tuple[str, ...], words: str, tmp_path: Path) -> None:
    directory = make_embedder(tmp_path, {}, modules=("Transformer",) if modules[0] != "Transformer" else modules)
    if modules[0] != "Transformer":
        write_json(directory / "modules.json", [{"path": "", "type": f"sentence_transformers.models.{modules[0]}"}])
    with pytest.raises(InvalidCheckpointError, match=words):
        load_directory(directory, name="owner/name")


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("modules.json", [{"type": "custom_st.Transformer", "path": ""}], "code of its own"),
        ("1_Pooling/config.json", {"pooling_mode": "attention"}, "pools by 'attention'"),
        ("2_Dense/config.json", {"in_features": 16, "out_features": 6, "use_residual": True}, "a residual"),
        ("2_Dense/config.json", {"in_features": 16, "out_features": 6, "activation_function": "evil.Code"}, "evil"),
        ("2_Dense/config.json", {"in_features": 16, "out_features": 6, "module_input_name": "token_embeddings"}, "over"),
        ("2_Dense/config.json", {"in_features": 16}, "cannot be used"),
        ("2_Dense/config.json", {"in_features": 16, "out_features": 7}, "do not fit"),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}, "cannot be used"),
    ],
)  # fmt: skip
def test_a_recipe_that_cannot_be_followed_says_why(file: str, change: object, words: str, tmp_path: Path) -> None:
    directory = make_embedder(tmp_path / "secret", **EMBEDDERS["dense"])
    write_json(directory / file, change)
    with pytest.raises(InvalidCheckpointError, match=words) as caught:
        load_directory(directory, name="owner/name")
    assert "secret" not in str(caught.value)


def test_files_that_are_no_json_say_so(tmp_path: Path) -> None:
    directory = make_embedder(tmp_path, **EMBEDDERS["dense"])
    (directory / "modules.json").write_text("{oops")
    with pytest.raises(InvalidCheckpointError, match=r"modules\.json .* is not JSON"):
        load_directory(directory)


def test_a_pickled_dense_layer_is_refused(tmp_path: Path) -> None:
    directory = make_embedder(tmp_path, **EMBEDDERS["dense"])
    (directory / "2_Dense" / "model.safetensors").unlink()
    torch.save({}, directory / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(InvalidCheckpointError, match="no safetensors weights for its dense layer"):
        load_directory(directory)


def test_a_cross_encoder_makes_no_embedding_of_its_own(tmp_path: Path) -> None:
    directory = make_embedder(tmp_path, **EMBEDDERS["dense"])
    write_json(directory / "config_sentence_transformers.json", {"model_type": "CrossEncoder"})
    assert load_directory(directory).info.pooling == ("mean",)
    assert json.loads((directory / "config.json").read_text())["model_type"] == "bert"
