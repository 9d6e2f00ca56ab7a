"""Files of a repository: the named ones that a model needs, and words for what else people upload."""

from __future__ import annotations

import re
from collections.abc import Iterable

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_MODULE_FOLDER = re.compile(r"\d+_\w+")  # of sentence-transformers
_NEEDED = re.compile(
    r"config\.json|modules\.json|config_sentence_transformers\.json|sentence_[\w-]+_config\.json|tokenizer\.json"
    r"|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(?:txt|json)|merges\.txt"
    r"|(?:spiece|spm|tokenizer|sentencepiece\.bpe|sentencepiece)\.model|model\.safetensors(?:\.index\.json)?"
)
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
_OTHERS = (  # what a name ends with, and what it is
    ("adapter_config.json", "an adapter without the model that it changes (merge them first)"),
    (".gguf", "GGUF weights, which are for llama.cpp"),
    (".onnx", "an ONNX export"),
    (".h5", "TensorFlow weights"),
    (".msgpack", "Flax weights"),
    ("gliner_config.json", "a GLiNER model"),
    ("meta.json", "a spaCy pipeline"),
    (".bin", "pickled weights, which can run code and are never loaded"),
)


def needed_files(names: Iterable[str]) -> list[str]:
    """Choose the files to fetch, those without weights first.

    Only names that are known are fetched, at the top or in a folder such as `1_Pooling`; shards only where there is no
    `model.safetensors` in their folder.
    """
    given = set(names)
    chosen = []
    for name in given:
        folder, _, file = name.rpartition("/")
        is_shard = _SHARD.fullmatch(file) and f"{folder}/model.safetensors".lstrip("/") not in given
        if (not folder or _MODULE_FOLDER.fullmatch(folder)) and (_NEEDED.fullmatch(file) or is_shard):
            chosen.append(name)
    return sorted(chosen, key=lambda name: (is_weights(name), name))


def is_weights(name: str) -> bool:
    """Tell if a file holds weights."""
    return name.endswith(".safetensors")


def describe_others(names: Iterable[str]) -> str:
    """Say what a repository holds instead."""
    given = sorted(names)
    found = [words for ending, words in _OTHERS if any(name.endswith(ending) for name in given)]
    other = next((name for name in given if is_weights(name) and name not in needed_files(given)), None)
    if other and not found:
        found = [f"weights under another name, {other}"]
    return f" It holds {', and '.join(found)}." if found else ""
