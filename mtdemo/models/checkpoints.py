"""Checkpoints on disk: reading a directory, checking what it holds, and saving a model into one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerBase
from transformers import logging as transformers_logging

from mtdemo.config import MIN_LENGTH
from mtdemo.errors import CheckpointNotFoundError, InvalidCheckpointError, ModelTooLargeError
from mtdemo.files import first_line, writing
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.embedding.layers import load_dense_weights
from mtdemo.models.embedding.recipe import EmbeddingRecipe, read_recipe
from mtdemo.models.formats import CheckpointFormat, find_format
from mtdemo.models.loaded import BYTES_PER_PARAMETER, LoadedModel, describe_model
from mtdemo.models.multitask import SEED_OF_UNTRAINED, MultiTaskModel
from mtdemo.models.parts import HEAD_NAMES
from mtdemo.models.repository.files import WEIGHTS, describe_others
from mtdemo.runtime import import_lock
from mtdemo.text.entity_spans import TagScheme

_REFUSED = {  # kinds of models that transformers calls encoders, and what they lack here
    **dict.fromkeys(("t5", "mt5", "umt5"), "a T5 model: its encoder alone is a class of its own, which is not read here"),
    "dpr": "a DPR model: it gives one vector by a projection of its own, and no hidden states of words",
    "xlnet": "an XLNet: it has no longest input, and its special pieces stand at the end, where no window has them",
}
_OWN_CODE = "brings code of its own (auto_map), which never runs here"
_MANY_FILES = 1_000  # more than a repository has; a person may name any directory
_LFS_POINTER = b"version https://git-lfs"
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json")


def load_directory(
    directory: Path, max_bytes: int | None = None, name: str | None = None, plain_mean: bool = False
) -> LoadedModel:
    """Load a checkpoint of any known format, as float32.

    Args:
        directory: with `config.json`, safetensors weights and the files of a fast tokenizer.
        max_bytes: the most memory its weights may take.
        name: what to call the model in answers and errors; the directory's path by default.
        plain_mean: whether the embedding is the mean of the last hidden states alone, of as many word pieces as the network
            can read, whatever the makers say.

    Raises:
        CheckpointNotFoundError: there is no such directory.
        InvalidCheckpointError: files are missing or broken, or tensors have other shapes than the configuration says.
        ModelTooLargeError: the weights would take more than `max_bytes`.
    """
    name = name or str(directory)
    found = _recognise(directory, name, plain_mean)
    check_size(found.config, name, max_bytes)
    model = _load_weights(found, name)
    tokenizer = load_tokenizer(found.directory, name)
    found.recipe.adapt(tokenizer)
    _check_vocabulary(model, tokenizer, name)
    scheme = TagScheme.from_labels(model.config.entity_labels, model.config.type_change_cost)
    loaded = LoadedModel(model, tokenizer, scheme, describe_model(model, tokenizer, name))
    _smoke_test(loaded)
    return loaded


def save_checkpoint(loaded: LoadedModel, directory: Path) -> None:
    """Save a model as a directory that `load_directory` reads.

    Weights are float16 safetensors. Rounding moves an embedding by about 1e-3 of its norm; what is loaded again is float32.

    Raises:
        FileWriteError: it could not be written.
    """
    model = copy.deepcopy(loaded.model).half()
    model.config.backbone.name_or_path = model.config.name_or_path = ""  # a path of this machine is of no use elsewhere
    model.config.backbone.dtype = None  # that of the whole model is written
    tokenizer: Any = copy.deepcopy(loaded.tokenizer)  # the model may be answering meanwhile
    tokenizer.backend_tokenizer.no_truncation()  # the last request's; each request sets its own
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    with writing(directory):
        model.save_pretrained(directory)
        tokenizer.save_pretrained(directory)


def model_without_weights(config: MultiTaskConfig) -> MultiTaskModel:
    """Build a model with every shape and no memory."""
    with torch.device("meta"):
        return MultiTaskModel(config)


def read_config(directory: Path, name: str) -> MultiTaskConfig:
    """Read what a checkpoint is built from.

    A plain backbone's configuration is wrapped.

    Raises:
        CheckpointNotFoundError, InvalidCheckpointError: as `load_directory`.
    """
    return _recognise(directory, name).config


@dataclass(frozen=True, slots=True)
class _Found:
    """A directory that was recognised.

    Attributes:
        root: the directory that was given.
        directory: where its configuration, weights and tokenizer are.
        format: its kind.
        config: of the model that it becomes.
        recipe: how its makers make embeddings; one that changes nothing where they do not say.
    """

    root: Path
    directory: Path
    format: CheckpointFormat
    config: MultiTaskConfig
    recipe: EmbeddingRecipe


def _recognise(root: Path, name: str, plain_mean: bool = False) -> _Found:
    if not root.is_dir():
        raise CheckpointNotFoundError(f"There is no checkpoint {name!r}: no such directory.")
    recipe = read_recipe(root, name)
    directory = root / recipe.folder if recipe else root
    format_, config = _read_format(directory, name)
    if recipe is None or plain_mean or not format_.follows_recipe:
        recipe = EmbeddingRecipe()
    else:
        for field, value in recipe.fields.items():
            setattr(config, field, value)
    return _Found(root, directory, format_, config, recipe)


def _read_format(directory: Path, name: str) -> tuple[CheckpointFormat, MultiTaskConfig]:
    if not (directory / "config.json").is_file():
        raise InvalidCheckpointError(
            f"{name!r} is not a checkpoint: it has no config.json.{_describe_others(directory)} A checkpoint directory "
            "holds config.json, model.safetensors and the tokenizer's files."
        )
    try:
        found = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        format_ = find_format(found)
        config = format_.configure(found)
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise InvalidCheckpointError(
                f"{name!r} {_OWN_CODE}. Choose a model of a kind that transformers has."
            ) from error
        raise InvalidCheckpointError(f"The config.json of {name!r} cannot be used: {_told(error, directory)}") from error
    if quantised := getattr(config.backbone, "quantization_config", None):
        method = quantised.get("quant_method", "quantised") if isinstance(quantised, dict) else "quantised"
        raise InvalidCheckpointError(
            f"The weights of {name!r} are quantised ({method}), which are not read here. Choose the model that they were "
            "made from."
        )
    if getattr(config.backbone, "is_encoder_decoder", False) or getattr(config.backbone, "is_decoder", False):
        raise InvalidCheckpointError(
            f"{name!r} ({getattr(config.backbone, 'model_type', '?')}) is not an encoder: it has a decoder."
        )
    if found.model_type in _REFUSED:
        raise InvalidCheckpointError(f"{name!r} is {_REFUSED[found.model_type]}.")
    if not hasattr(config.backbone, "hidden_size") or not hasattr(config.backbone, "num_hidden_layers"):
        raise InvalidCheckpointError(
            f"{name!r} is a {getattr(config.backbone, 'model_type', 'strange')} model, not a text encoder."
        )
    return format_, config


def check_size(config: MultiTaskConfig, name: str, max_bytes: int | None) -> None:
    """Refuse a model that its configuration makes too large.

    Raises:
        ModelTooLargeError: its weights would take more than `max_bytes`.
        InvalidCheckpointError: no model can be built from the configuration.
    """
    if max_bytes is None:
        return
    try:
        with import_lock:
            n_bytes = model_without_weights(config).num_parameters() * BYTES_PER_PARAMETER
    except Exception as error:
        raise InvalidCheckpointError(
            f"No encoder can be built from the config.json of {name!r}: {first_line(error)}"
        ) from error
    if n_bytes > max_bytes:
        raise ModelTooLargeError(
            f"The weights of {name!r} would take {n_bytes / 1e9:.1f} GB of memory; {max_bytes / 1e9:.1f} GB are allowed. "
            "Choose a smaller model, or raise MTDEMO_MAX_MODEL_BYTES."
        )


def _load_weights(found: _Found, name: str) -> MultiTaskModel:
    _check_weights(found.directory, name)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        model, report = found.format.load(found.directory, found.config)
    except Exception as error:
        raise InvalidCheckpointError(f"The weights of {name!r} cannot be read: {_told(error, found.directory)}") from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    _check_report(report, model, name)
    load_dense_weights(model.embedding_layers, found.root, found.recipe.dense_folders, name)
    model.eval()
    return model


def _check_weights(directory: Path, name: str) -> None:
    """Refuse a directory without weights under their usual name."""
    files = [directory / file for file in (WEIGHTS, f"{WEIGHTS}.index.json")]
    if not any(file.is_file() for file in files):
        raise InvalidCheckpointError(f"{name!r} has no safetensors weights ({WEIGHTS}).{_describe_others(directory)}")
    with (files[0] if files[0].is_file() else files[1]).open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise InvalidCheckpointError(
                f"{name!r} holds a pointer of Git LFS in the place of its weights. Fetch them: git lfs pull."
            )


def _describe_others(directory: Path) -> str:
    """Say what a directory holds, by its first files."""
    files = islice(directory.rglob("*"), _MANY_FILES)
    return describe_others(str(path.relative_to(directory)) for path in files)


def _check_report(report: dict[str, Any], model: MultiTaskModel, name: str) -> None:
    if report["mismatched_keys"]:
        key, found, expected = min(report["mismatched_keys"])
        raise InvalidCheckpointError(
            f"{len(report['mismatched_keys'])} weights of {name!r} have other shapes than its config.json says; {key}, "
            f"for instance, is {tuple(found)} and should be {tuple(expected)}."
        )
    missing = sorted(report["missing_keys"])
    of_backbone = [key for key in missing if key.partition(".")[0] not in HEAD_NAMES]
    if of_backbone:
        code = f" It {_OWN_CODE}, and may need it." if getattr(model.config.backbone, "auto_map", None) else ""
        raise InvalidCheckpointError(
            f"{name!r} lacks {len(of_backbone)} weights of its backbone, {of_backbone[0]} for instance.{code}"
        )
    without_weights = sorted({key.partition(".")[0] for key in missing})
    model.renew_heads(without_weights, SEED_OF_UNTRAINED)
    model.config.trained_heads = [head for head in model.config.trained_heads if head not in without_weights]


def load_tokenizer(directory: Path, name: str) -> PreTrainedTokenizerBase:
    """Read a fast tokenizer.

    Raises:
        InvalidCheckpointError: there is none that can be read, or only one that gives no offsets.
    """
    if not any((directory / file).is_file() for file in _VOCABULARIES) and not any(directory.glob("*.model")):
        raise InvalidCheckpointError(f"{name!r} has no tokenizer files (tokenizer.json), so no text can be read with it.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the Rust tokenizer raises bare Exception on a broken file
        raise InvalidCheckpointError(f"The tokenizer of {name!r} cannot be read: {_told(error, directory)}") from error
    if not tokenizer.is_fast:
        raise InvalidCheckpointError(
            f"{name!r} has no fast tokenizer (tokenizer.json), and only those give character offsets."
        )
    tokenizer.truncation_side = tokenizer.padding_side = "right"  # windows are read from the beginning
    return tokenizer


def _check_vocabulary(model: MultiTaskModel, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Refuse a tokenizer that does not fit the weights."""
    backbone: Any = model.backbone
    n_vectors = backbone.get_input_embeddings().num_embeddings
    n_pieces = max(tokenizer.get_vocab().values()) + 1
    if n_pieces > n_vectors:
        raise InvalidCheckpointError(
            f"The tokenizer of {name!r} does not fit its weights: it has {n_pieces:,} word pieces, they have {n_vectors:,}."
        )


def _told(error: Exception, directory: Path) -> str:
    """Repeat an error without the place where the files are."""
    return first_line(error).replace(f"{directory}/", "").replace(str(directory), "the checkpoint")


def _smoke_test(loaded: LoadedModel) -> None:
    """Read a sentence twice, to prove that it works.

    The second time it has another last piece, which an encoder's first piece must notice.
    """
    name = loaded.info.id
    if loaded.info.max_length < MIN_LENGTH:
        raise InvalidCheckpointError(f"{name!r} can read only {loaded.info.max_length} word pieces, too few to be of use.")
    try:
        ids = loaded.encode(["a b a b a"], MIN_LENGTH)[0].windows[0].input_ids
        other = (*ids[:-1], (ids[-1] + 1) % loaded.model.config.backbone.vocab_size)
        with torch.inference_mode():
            states = loaded.model(torch.tensor([ids, other])).last_hidden_state
    except Exception as error:
        raise InvalidCheckpointError(f"{name!r} cannot read a sentence: {first_line(error)}") from error
    if torch.equal(states[0, 0], states[1, 0]):
        raise InvalidCheckpointError(f"{name!r} is not an encoder: its words see only what stands before them.")
