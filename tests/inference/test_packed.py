"""Packed passes give what padded ones give, for every architecture of the table and in every circumstance."""

from __future__ import annotations

import gc
import random
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING

from mtdemo.inference import packed
from mtdemo.inference.forward import run_windows
from mtdemo.inference.packed import PACKED, can_pack, run_packed
from mtdemo.inference.pipeline import analyze_batches, windows_of
from mtdemo.models.answering import WindowOutput
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.loaded import LoadedModel, describe_model
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import Window
from tests.conftest import make_tokenizer

ATOL = 1e-5
N_PIECES = 30  # of the vocabulary
PADDING = 1  # RoBERTa's, from which its position ids count
ROBERTAS = {name for name, number in PACKED.items() if number is packed._count_after_padding}
SIZES = {
    "vocab_size": N_PIECES,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 70,
    "bos_token_id": 2,
    "cls_token_id": 2,
    "eos_token_id": 3,
    "sep_token_id": 3,
    "mask_token_id": 4,
}
MORE = {
    "albert": {"embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48},
    "electra": {"embedding_size": 16},
    "eurobert": {"num_key_value_heads": 2},
    "longformer": {"attention_window": 64},
    "modernbert": {"local_attention": 8, "global_attn_every_n_layers": 2},  # windows below are longer than what it sees
}
WITHOUT_SEGMENTS = {"distilbert", "eurobert", "modernbert"}
NOT_PACKED = ("mpnet", "deberta-v2", "longformer", "rembert")


def make_model(architecture: str) -> LoadedModel:
    """A small model with random weights, large enough that a wrong neighbour shows."""
    padding = PADDING if architecture in ROBERTAS else 0
    backbone = CONFIG_MAPPING[architecture](**{**SIZES, "pad_token_id": padding, **MORE.get(architecture, {})})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MultiTaskModel(MultiTaskConfig(backbone=backbone)).eval()
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.25)
    tokenizer = make_tokenizer()
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(padding)
    if architecture in WITHOUT_SEGMENTS:
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return LoadedModel(
        model, tokenizer, TagScheme.from_labels(model.config.entity_labels), describe_model(model, tokenizer, "")
    )


def make_windows(*lengths: int) -> list[Window]:
    """Windows of random pieces, some of them the one that pads."""
    draw = random.Random(1)
    rows = [(2, *(draw.choice([*range(4, N_PIECES), PADDING]) for _ in range(length)), 3) for length in lengths]
    return [Window(row, (0,) * len(row), slice(1, len(row) - 1), 0) for row in rows]


def assert_equal(one: Sequence[WindowOutput], other: Sequence[WindowOutput]) -> None:
    for mine, its in zip(one, other, strict=True):
        np.testing.assert_allclose(mine.embedding, its.embedding, atol=ATOL, rtol=0)
        np.testing.assert_allclose(mine.class_probabilities, its.class_probabilities, atol=ATOL, rtol=0)
        np.testing.assert_allclose(mine.entity_probabilities, its.entity_probabilities, atol=ATOL, rtol=0)


@pytest.mark.parametrize("architecture", PACKED)
def test_packed_padded_and_one_by_one_are_the_same(architecture: str) -> None:
    model, windows = make_model(architecture), make_windows(3, 7, 7, 40, 2, 19, 40, 7, 1)
    assert can_pack(model)
    outputs = run_packed(model, windows)
    assert_equal(outputs, model.run(windows))
    assert_equal(outputs, [output for window in windows for output in model.run([window])])
    assert max(abs(output.embedding).max() for output in outputs) > 0.5, "a difference would show"


@pytest.mark.parametrize("architecture", NOT_PACKED)
def test_other_architectures_go_on_with_padding(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, windows = make_model(architecture), make_windows(3, 40)
    assert not can_pack(model)
    monkeypatch.setattr("mtdemo.inference.forward.run_packed", None)
    assert_equal(run_windows(model, windows, 1), model.run(windows))


def test_a_row_where_nothing_is_padded_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, windows = make_model("bert"), make_windows(5, 5)
    monkeypatch.setattr("mtdemo.inference.forward.run_packed", None)
    assert_equal(run_windows(model, windows, 1), model.run(windows))


def test_the_embedded_model_with_its_casing_finds_the_same(embedded: LoadedModel, sentences: list[str]) -> None:
    assert embedded.model.config.casing
    texts = sentences[::2]
    windows = windows_of(embedded.encode(texts, 128))
    assert_equal(run_packed(embedded, windows), [output for window in windows for output in embedded.run([window])])
    packs = analyze_batches(embedded, texts, 128)
    pads = analyze_batches(embedded, texts, 128, run=lambda loaded, windows, _: loaded.run(windows))
    assert [answer.entities_as_dict()["n_tokens"] for answer in packs] == [answer.n_tokens for answer in pads]
    for one, other in zip(packs, pads, strict=True):
        assert [(e.start, e.end, e.label) for e in one.entities] == [(e.start, e.end, e.label) for e in other.entities]


def test_the_model_itself_is_not_changed_and_may_run_padded_beside() -> None:
    model, windows = make_model("bert"), make_windows(3, 40, 7, 19)
    before, kind = model.run(windows), model.model.backbone.config._attn_implementation
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(way, windows) for _ in range(20) for way in (model.run, lambda its: run_packed(model, its))]
        for run in runs:
            assert_equal(run.result(), before)
    assert model.model.backbone.config._attn_implementation == kind == "sdpa"
    shared = packed._copies.of(model.model.backbone)
    assert [p.data_ptr() for p in shared.parameters()] == [p.data_ptr() for p in model.model.backbone.parameters()]


def test_weights_that_change_or_are_replaced_are_seen() -> None:
    model, windows = make_model("bert"), make_windows(3, 40)
    before = run_packed(model, windows)
    with torch.no_grad():
        model.model.backbone.encoder.layer[0].attention.self.query.weight.mul_(-1)  # as a step of training does
    changed = run_packed(model, windows)
    assert_equal(changed, model.run(windows))
    assert not np.allclose(changed[0].embedding, before[0].embedding, atol=0.01)
    model.model.add_casing()  # another table of segment embeddings
    with torch.no_grad():
        model.model.backbone.embeddings.token_type_embeddings.weight.mul_(-1)
    assert_equal(run_packed(model, windows), model.run(windows))


def test_what_was_made_for_a_model_leaves_with_it() -> None:
    model = make_model("bert")
    run_packed(model, make_windows(3, 40))
    shared = weakref.ref(packed._copies.of(model.model.backbone))
    del model
    gc.collect()
    assert shared() is None
