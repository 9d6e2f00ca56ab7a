"""The way back: a head of ours as the class of transformers that computes the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
)

from mtdemo.errors import UsageError
from mtdemo.files import writing
from mtdemo.models.adoption.architectures import ARCHITECTURES, CLASSES, Architecture, set_dropout
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.heads import OwnGenerator
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import SEED_OF_UNTRAINED
from mtdemo.models.parts import HEADS, part_title

_OWN_LAYERS = {"activation": "tanh", "bias": True, "norm_epsilon": None, "norm_bias": True}  # of a head of classes
_LABELS = {head.name: head.labels for head in HEADS}


def export_head(loaded: LoadedModel, head: str, directory: Path) -> str:
    """Save backbone and one head as transformers' own class.

    Args:
        loaded: the model.
        head: `classification_head` or `ner_head`.
        directory: for `config.json`, float32 weights and the tokenizer.

    Returns:
        The name of the class.

    Raises:
        UsageError: no class of transformers computes the same; the message says what stands in the way.
        FileWriteError: it could not be written.
    """
    config: Any = loaded.model.config
    row = _find_row(config, head)
    _check(config, row)
    theirs = _fill(loaded, row, _configure(config, row))
    with writing(directory):
        theirs.save_pretrained(directory)
    save_tokenizer(loaded, directory)
    return row.name


def save_tokenizer(loaded: LoadedModel, directory: Path) -> None:
    """Save a tokenizer without what the last request set."""
    tokenizer: Any = copy.deepcopy(loaded.tokenizer)  # the model may be answering meanwhile
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for key in ("is_local", "local_files_only"):
        tokenizer.init_kwargs.pop(key, None)
    with writing(directory):
        tokenizer.save_pretrained(directory)


def check_reading(config: MultiTaskConfig, what: str) -> None:
    """Refuse what only this project's tokenisation reads.

    Raises:
        UsageError: the segment embeddings carry the case of words.
    """
    if config.casing:
        raise UsageError(
            f"{what} cannot go to another library: this model reads the case of words through its segment embeddings, and "
            "no tokenizer of theirs writes those. Train with --no-casing for that."
        )


def _find_row(config: MultiTaskConfig, head: str) -> Architecture:
    """Find the class of this backbone with such a head."""
    kind = config.backbone.model_type  # type: ignore[union-attr]
    names = (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES if head == CLASSES else MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES
    )
    row = next((row for row in ARCHITECTURES if row.name == names.get(kind) and row.head == head), None)
    if row is None:
        raise UsageError(
            f"There is no class of transformers for the {part_title(head)} of a {kind} that can be filled here."
        )
    return row


def _check(config: MultiTaskConfig, row: Architecture) -> None:
    """Refuse a head that computes something else than theirs."""
    what = f"The {part_title(row.head)}"
    check_reading(config, what)
    if config.prompt:
        raise UsageError(
            f"{what} was read after the prompt {config.prompt!r}, which a pipeline of transformers leaves out."
        )
    own: dict[str, Any] = dict(_OWN_LAYERS) if row.head == CLASSES else {}
    ours = {**own, **config.head_layers.get(row.head, {})}
    theirs = {**own, **row.layers(config.backbone)}  # type: ignore[arg-type]
    differences = [
        f"{name} {ours.get(name)!r}, theirs {value!r}" for name, value in theirs.items() if ours.get(name) != value
    ]
    if row.head == CLASSES:
        pooling = row.fields(config.backbone).get("classification_pooling", "cls")  # type: ignore[arg-type]
        if config.classification_pooling != pooling:
            differences.append(f"pooling {config.classification_pooling!r}, theirs {pooling!r}")
    if differences:
        raise UsageError(
            f"{what} is not what {row.name} computes ({'; '.join(differences)}), so its answers would be others. It "
            "stays a checkpoint of this project; other parts of the model may go."
        )


def _configure(config: MultiTaskConfig, row: Architecture) -> Any:
    theirs: Any = copy.deepcopy(config.backbone)
    labels = list(getattr(config, _LABELS[row.head]))
    theirs.id2label = dict(enumerate(labels))
    theirs.label2id = {label: index for index, label in enumerate(labels)}
    theirs.architectures = [row.name]
    theirs.problem_type = "multi_label_classification" if row.head == CLASSES and config.multi_label else None
    theirs.name_or_path = ""
    theirs.dtype = torch.float32
    set_dropout(theirs, config.head_dropout)
    return theirs


def _fill(loaded: LoadedModel, row: Architecture, config: Any) -> Any:
    """Build their model and give it our weights."""
    with OwnGenerator(SEED_OF_UNTRAINED):  # all that is drawn is overwritten, but it must not change a run's numbers
        theirs = getattr(transformers, row.name)(config).eval()
    theirs.base_model.load_state_dict(loaded.model.backbone.state_dict(), strict=False)
    head: Any = loaded.model.get_submodule(row.head)
    for name, place in row.modules.items():
        theirs.get_submodule(place).load_state_dict(head.get_submodule(name).state_dict())
    return theirs
