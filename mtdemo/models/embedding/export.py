"""The way back: an embedding of ours as a directory of sentence-transformers that makes the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mtdemo.files import writing
from mtdemo.models.adoption.export import check_reading, save_tokenizer
from mtdemo.models.embedding.recipe import MODULES_FILE, OLD_POOLING_NAMES, PROMPTS_FILE, TRANSFORMER_FILES
from mtdemo.models.loaded import LoadedModel

_MODULES = "sentence_transformers.models."
_DEFAULT = "default"  # the name of a default prompt that has none


def export_embedding(loaded: LoadedModel, directory: Path) -> None:
    """Save what makes the embedding as sentence-transformers does.

    Args:
        loaded: the model.
        directory: for `modules.json` and what it names.

    Raises:
        UsageError: it reads the case of words, which that library does not.
        FileWriteError: it could not be written.
    """
    config: Any = loaded.model.config
    check_reading(config, "The embedding")
    backbone: Any = loaded.model.backbone
    settings = {"max_seq_length": loaded.info.max_length, "do_lower_case": False}
    with writing(directory):
        backbone.save_pretrained(directory)
        _write(directory / TRANSFORMER_FILES[0], settings)
        _write(directory / PROMPTS_FILE, _prompts(config))
        kinds = ["Transformer", "Pooling", *(str(layer["kind"]).capitalize() for layer in config.embedding_layers)]
        paths = ["", *(f"{place}_{kind}" for place, kind in enumerate(kinds) if place)]
        rows = [
            {"idx": place, "name": str(place), "path": path, "type": _MODULES + kind}
            for place, (path, kind) in enumerate(zip(paths, kinds, strict=True))
        ]
        _write(directory / MODULES_FILE, rows)
        _write(directory / paths[1] / "config.json", _pooling(config))
        width = len(config.pooling) * config.hidden_size
        for path, layer, module in zip(
            paths[2:], config.embedding_layers, loaded.model.embedding_layers.layers, strict=True
        ):
            (directory / path).mkdir(exist_ok=True)
            if layer["kind"] == "dense":
                _write(directory / path / "config.json", _dense(width, layer, module))
                save_file(
                    {f"linear.{name}": each for name, each in _weights(module)}, directory / path / "model.safetensors"
                )
                width = layer["out_features"]
    save_tokenizer(loaded, directory)


def _pooling(config: Any) -> dict[str, Any]:
    """Write the pooling, in the names that every version reads."""
    old = {mode: key for key, mode in OLD_POOLING_NAMES.items()}
    settings: dict[str, Any] = {"word_embedding_dimension": config.hidden_size, "include_prompt": config.pools_prompt}
    in_their_order = [mode for mode in OLD_POOLING_NAMES.values() if mode in config.pooling]
    if in_their_order == list(config.pooling):
        return settings | {key: mode in config.pooling for mode, key in old.items()}
    return settings | {"pooling_mode": list(config.pooling)}


def _dense(width: int, layer: dict[str, Any], module: Any) -> dict[str, Any]:
    kind = type(module.activation)
    return {
        "in_features": width,
        "out_features": layer["out_features"],
        "bias": layer["bias"],
        "activation_function": f"{kind.__module__}.{kind.__name__}",
    }


def _weights(module: Any) -> list[tuple[str, Any]]:
    return [(name, each.detach().cpu().contiguous()) for name, each in module.linear.state_dict().items()]


def _prompts(config: Any) -> dict[str, Any]:
    """Write the prompts, and which is read by default."""
    prompts = dict(config.prompts)
    named = next((name for name, text in prompts.items() if text == config.prompt), _DEFAULT) if config.prompt else None
    if named is not None:
        prompts[named] = config.prompt
    return {"prompts": prompts, "default_prompt_name": named, "similarity_fn_name": "cosine"}


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{json.dumps(content, indent=2, ensure_ascii=False)}\n", encoding="utf-8")
