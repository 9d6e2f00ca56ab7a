"""Recipes: how a repository of sentence-transformers makes an embedding, read from its `modules.json` and what that names.

Both layouts are read: weights and tokenizer at the top, or in a folder of their own (`0_Transformer`). What cannot be
honoured is refused, so that no embedding is ever another one than its makers meant. No code of a repository runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tokenizers.normalizers import Lowercase
from tokenizers.normalizers import Sequence as NormalizerSequence
from transformers import PreTrainedTokenizerBase

from mtdemo.errors import InvalidCheckpointError
from mtdemo.models.embedding.layers import ACTIVATIONS
from mtdemo.models.embedding.pooling import POOLINGS
from mtdemo.results import FrozenDict

MODULES_FILE = "modules.json"
PROMPTS_FILE = "config_sentence_transformers.json"
TRANSFORMER_FILES = tuple(
    f"sentence_{kind}_config.json" for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta")
)
OLD_POOLING_NAMES = {  # in the order in which they are put side by side
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclass(frozen=True, slots=True)
class EmbeddingRecipe:
    """All that makes an embedding of hidden states.

    Attributes:
        folder: of weights and tokenizer, in the repository; empty for the top.
        pooling: names of rows of `POOLINGS`.
        layers: `MultiTaskConfig.embedding_layers`.
        dense_folders: where the weights of the dense layers are, in their order.
        prompt: what is read before every sentence.
        prompts: what can be read instead, by name, such as `query` and `document`; empty where no text stands there.
        pools_prompt: whether its word pieces count in the pooling.
        max_length: word pieces that are read, special ones included; None for as many as the network can.
        lower_case: whether sentences are lower-cased before the tokenizer reads them.
    """

    folder: str = ""
    pooling: tuple[str, ...] = ()
    layers: tuple[dict[str, Any], ...] = ()
    dense_folders: tuple[str, ...] = ()
    prompt: str = ""
    prompts: FrozenDict[str] = field(default_factory=FrozenDict)
    pools_prompt: bool = True
    max_length: int | None = None
    lower_case: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of the `MultiTaskConfig`."""
        return {
            "pooling": list(self.pooling),
            "embedding_layers": list(self.layers),
            "prompt": self.prompt,
            "prompts": dict(self.prompts),
            "pools_prompt": self.pools_prompt,
        }

    def adapt(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Give a tokenizer the recipe's length and case.

        Both are saved with the tokenizer. Its own normaliser keeps offsets those of the text as it was given.
        """
        if self.max_length is not None:
            tokenizer.model_max_length = self.max_length
        core: Any = tokenizer.backend_tokenizer
        if self.lower_case:
            core.normalizer = NormalizerSequence([Lowercase(), *([core.normalizer] if core.normalizer else [])])


def read_recipe(directory: Path, name: str) -> EmbeddingRecipe | None:
    """Read how a repository makes embeddings.

    Args:
        directory: of the repository.
        name: of the model, for errors.

    Returns:
        None for a repository of another library, and for a cross-encoder, which makes no embeddings.

    Raises:
        InvalidCheckpointError: a file is broken, or a part of the recipe cannot be followed.
    """
    if not (directory / MODULES_FILE).is_file():
        return None
    general = _read(directory / PROMPTS_FILE, name)
    if general.get("model_type") == "CrossEncoder":
        return None
    modules = _read(directory / MODULES_FILE, name)
    recipe = EmbeddingRecipe()
    try:
        for module in modules:
            recipe = _step(str(module["type"]), name)(recipe, str(module["path"]), directory, name)
        prompts, default = general.get("prompts") or {}, general.get("default_prompt_name")
        offered = FrozenDict[str](prompts if any(prompts.values()) else None)  # empty ones are written into every file
        recipe = replace(recipe, prompt=prompts[default] if default else "", prompts=offered)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidCheckpointError(
            f"The files of {name!r} that say how its embeddings are made cannot be used: {error!r}."
        ) from error
    if not recipe.pooling:
        raise InvalidCheckpointError(f"{name!r} makes its embeddings without pooling, which cannot be done here.")
    return recipe


def _transformer(recipe: EmbeddingRecipe, path: str, directory: Path, name: str) -> EmbeddingRecipe:
    found = next((file for file in TRANSFORMER_FILES if (directory / path / file).is_file()), TRANSFORMER_FILES[0])
    settings = _read(directory / path / found, name)
    task = settings.get("transformer_task", "feature-extraction")
    if task != "feature-extraction":
        raise _refusal(name, f"reads the output of a {task!r} model")
    return replace(
        recipe,
        folder=path,
        max_length=settings.get("max_seq_length"),
        lower_case=bool(settings.get("do_lower_case", False)),
    )


def _pooling(recipe: EmbeddingRecipe, path: str, directory: Path, name: str) -> EmbeddingRecipe:
    settings = _read(directory / path / "config.json", name)
    old = [mode for key, mode in OLD_POOLING_NAMES.items() if settings.get(key)]
    given = settings.get("pooling_mode", old or "mean")
    names = (given,) if isinstance(given, str) else tuple(given)
    unknown = [mode for mode in names if mode not in POOLINGS]
    if unknown:
        raise _refusal(name, f"pools by {unknown[0]!r}")
    return replace(recipe, pooling=names, pools_prompt=bool(settings.get("include_prompt", True)))


def _normalize(recipe: EmbeddingRecipe, path: str, directory: Path, name: str) -> EmbeddingRecipe:
    _check_input(_read(directory / path / "config.json", name), name)
    return replace(recipe, layers=(*recipe.layers, {"kind": "normalize"}))


def _dense(recipe: EmbeddingRecipe, path: str, directory: Path, name: str) -> EmbeddingRecipe:
    settings = _read(directory / path / "config.json", name)
    _check_input(settings, name)
    activation = str(settings.get("activation_function", "torch.nn.modules.activation.Tanh"))
    module, _, kind = activation.rpartition(".")
    if not module.startswith("torch.nn.modules") or kind not in ACTIVATIONS or settings.get("use_residual"):
        raise _refusal(name, f"has a dense layer with {'a residual' if settings.get('use_residual') else activation!r}")
    layer = {
        "kind": "dense",
        "out_features": int(settings["out_features"]),
        "bias": bool(settings.get("bias", True)),
        "activation": kind,
    }
    return replace(recipe, layers=(*recipe.layers, layer), dense_folders=(*recipe.dense_folders, path))


def _nothing(recipe: EmbeddingRecipe, path: str, directory: Path, name: str) -> EmbeddingRecipe:
    return recipe  # dropout does nothing in a model that answers


_Step = Callable[[EmbeddingRecipe, str, Path, str], EmbeddingRecipe]
_STEPS: dict[str, _Step] = {
    "Transformer": _transformer,
    "Pooling": _pooling,
    "Normalize": _normalize,
    "Dense": _dense,
    "Dropout": _nothing,
}


def _step(type_: str, name: str) -> _Step:
    kind = type_.rpartition(".")[2]
    if not type_.startswith("sentence_transformers."):
        raise _refusal(name, f"brings code of its own ({kind}), which never runs here")
    if kind not in _STEPS:
        raise _refusal(name, f"has a module of the kind {kind}")
    return _STEPS[kind]


def _check_input(settings: dict[str, Any], name: str) -> None:
    for key in ("module_input_name", "module_output_name"):
        if settings.get(key) not in (None, "sentence_embedding"):
            raise _refusal(name, f"has a layer over {settings[key]!r}")


def _refusal(name: str, what: str) -> InvalidCheckpointError:
    return InvalidCheckpointError(
        f"{name!r} {what}, so its embeddings cannot be made as its makers meant them. What can be: "
        f"{', '.join(_STEPS)} of sentence-transformers, with the poolings {', '.join(POOLINGS)}."
    )


def _read(file: Path, name: str) -> Any:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidCheckpointError(f"The {file.name} of {name!r} is not JSON: {error}.") from error
