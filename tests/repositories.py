"""Repositories as people have them, made on the fly: tiny weights, real files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "cat", "sat", "on", "mat", "John", "john", "Paris", "paris", "query", ":", "##s", "##ing", "sing", ".")
WIDTH = 16
SENTENCES = ("the cat sat on the mat.", "John sings in Paris", "sing", "the mats " * 40, "John in paris sat : cats sing.")


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def make_tokenizer(lower: bool = True, max_length: int = 64, **names: Any) -> PreTrainedTokenizerFast:
    """A word-piece tokenizer of two dozen words; other names of special pieces as arguments."""
    vocabulary = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(lowercase=lower)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        model_max_length=max_length,
        **{
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
            **names,
        },
    )


def bert_config(**changes: Any) -> BertConfig:
    return BertConfig(
        **{
            "vocab_size": len(SPECIAL) + len(WORDS),
            "hidden_size": WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 64,
            "initializer_range": 0.5,
            **changes,
        }
    )


def make_encoder(directory: Path, lower: bool = True) -> Path:
    """Write a plain BERT."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(bert_config()).save_pretrained(directory)
    make_tokenizer(lower).save_pretrained(directory)
    return directory


def make_embedder(
    directory: Path,
    pooling: Mapping[str, Any],
    modules: Sequence[str] = ("Transformer", "Pooling", "Normalize"),
    folder: str = "",
    lower: bool = True,
    settings: Mapping[str, Any] | None = None,
    prompts: Mapping[str, Any] | None = None,
    dense: Mapping[str, Any] | None = None,
) -> Path:
    """Write a repository of sentence-transformers.

    Args:
        directory: where.
        pooling: of `1_Pooling/config.json`.
        modules: in their order.
        folder: of the transformer; empty for the top.
        lower: whether the tokenizer itself lower-cases.
        settings: of `sentence_bert_config.json`.
        prompts: of `config_sentence_transformers.json`.
        dense: of `2_Dense/config.json`.
    """
    make_encoder(directory / folder, lower)
    paths = {"Transformer": folder, **{kind: f"{place}_{kind}" for place, kind in enumerate(modules) if place}}
    rows = [
        {"idx": place, "name": str(place), "path": paths[kind], "type": f"sentence_transformers.models.{kind}"}
        for place, kind in enumerate(modules)
    ]
    write_json(directory / "modules.json", rows)
    write_json(directory / "config_sentence_transformers.json", {"__version__": {}, **(prompts or {})})
    write_json(
        directory / folder / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False, **(settings or {})}
    )
    write_json(directory / "1_Pooling" / "config.json", {"word_embedding_dimension": WIDTH, **pooling})
    if "Dense" in paths:
        its = {"in_features": WIDTH, "out_features": 6, "bias": True, **(dense or {})}
        write_json(directory / paths["Dense"] / "config.json", its)
        draw = torch.Generator().manual_seed(1)
        weights = {"linear.weight": torch.randn(its["out_features"], its["in_features"], generator=draw)}
        if its["bias"]:
            weights["linear.bias"] = torch.randn(its["out_features"], generator=draw)
        save_file(weights, directory / paths["Dense"] / "model.safetensors")
    return directory


_TANH = "torch.nn.modules.activation.Tanh"
_PROMPT = {"prompts": {"query": "query: ", "document": "paris: "}, "default_prompt_name": "query"}
_OLD = ("cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")

# By name: the arguments of `make_embedder`.
EMBEDDERS: dict[str, dict[str, Any]] = {
    **{mode: {"pooling": {f"pooling_mode_{other}": other == mode for other in _OLD}} for mode in _OLD},
    "no pooling named": {"pooling": {}},
    "concatenation": {"pooling": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}},
    "new names": {"pooling": {"pooling_mode": ["max", "cls"], "embedding_dimension": WIDTH}},
    "not normalised": {"pooling": {"pooling_mode": "mean"}, "modules": ("Transformer", "Pooling")},
    "dense": {
        "pooling": {"pooling_mode": "cls"},
        "modules": ("Transformer", "Pooling", "Dense", "Normalize"),
        "dense": {"activation_function": _TANH},
    },
    "dense over a concatenation": {
        "pooling": {"pooling_mode": ["cls", "mean"]},
        "modules": ("Transformer", "Pooling", "Dense"),
        "dense": {"in_features": 2 * WIDTH, "bias": False, "activation_function": "torch.nn.modules.linear.Identity"},
    },
    "dropout": {"pooling": {"pooling_mode": "mean"}, "modules": ("Transformer", "Pooling", "Dropout", "Normalize")},
    "folder": {"pooling": {"pooling_mode": "cls"}, "folder": "0_Transformer"},
    "short": {"pooling": {"pooling_mode": "mean"}, "settings": {"max_seq_length": 12}},
    "no length": {"pooling": {"pooling_mode": "mean"}, "settings": {"max_seq_length": None}},
    "lower case": {"pooling": {"pooling_mode": "mean"}, "settings": {"do_lower_case": True}, "lower": False},
    "cased": {"pooling": {"pooling_mode": "mean"}, "lower": False},
    "prompt": {"pooling": {"pooling_mode": "mean"}, "prompts": _PROMPT},
    "prompts without default": {"pooling": {"pooling_mode": "mean"}, "prompts": {**_PROMPT, "default_prompt_name": None}},
    **{
        f"prompt left out of {mode}": {
            "pooling": {"pooling_mode": mode, "include_prompt": False}, "prompts": _PROMPT,
        }
        for mode in ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    },
}  # fmt: skip


_SHAPE = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_VOCABULARY = {"vocab_size": len(SPECIAL) + len(WORDS), "pad_token_id": 0, "initializer_range": 0.5}
_ROBERTA = {**_SHAPE, **_VOCABULARY, "max_position_embeddings": 66, "type_vocab_size": 1}

# By the name of transformers' classes: the arguments of the configuration.
CLASSIFIERS: dict[str, dict[str, Any]] = {
    "Bert": {**_SHAPE, **_VOCABULARY, "max_position_embeddings": 64},
    "Albert": {**_SHAPE, **_VOCABULARY, "max_position_embeddings": 64, "embedding_size": 8},
    "Roberta": _ROBERTA,
    "XLMRoberta": _ROBERTA,
    "Camembert": _ROBERTA,
    "MPNet": _ROBERTA,
    "Longformer": {**_ROBERTA, "attention_window": [8, 8]},
    "Electra": {**_SHAPE, **_VOCABULARY, "max_position_embeddings": 64, "embedding_size": 8},
    "DistilBert": {
        **_VOCABULARY, "dim": WIDTH, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64,
    },
    "DebertaV2": {**_SHAPE, **_VOCABULARY, "max_position_embeddings": 64, "pooler_hidden_size": WIDTH},
    "ModernBert": {
        **_SHAPE, **_VOCABULARY, "max_position_embeddings": 64, "classifier_pooling": "mean",
        "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3,
    },
}  # fmt: skip
_WITH_SEGMENTS = ("Bert", "Albert", "Electra", "DebertaV2")


def make_classifier(directory: Path, name: str, kind: str, labels: Sequence[str], **changes: Any) -> Path:
    """Write a classifier of transformers.

    Args:
        directory: where.
        name: of a row of `CLASSIFIERS`.
        kind: `ForSequenceClassification` or `ForTokenClassification`.
        labels: of its outputs.
        **changes: to the configuration.
    """
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}
    config = getattr(transformers, f"{name}Config")(**{**CLASSIFIERS[name], **names, **changes})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, f"{name}{kind}")(config)
        for key, weights in model.named_parameters():
            if key.endswith("bias") and "classifier" in key:
                weights.data.normal_()
        model.save_pretrained(directory)
    inputs = (
        ["input_ids", "token_type_ids", "attention_mask"] if name in _WITH_SEGMENTS else ["input_ids", "attention_mask"]
    )
    make_tokenizer(model_input_names=inputs).save_pretrained(directory)
    if kind == "ForSequenceClassification":
        (directory / "is_sequence").touch()
    return directory
