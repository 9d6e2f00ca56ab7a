"""Classifiers of transformers as models of ours: what their configuration becomes, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedConfig

from mtdemo.models.adoption.architectures import (
    CLASSES,
    Architecture,
    dropout_of,
    find_architecture,
    labels_of,
    order_of,
    reason_to_refuse,
)
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.heads import OwnGenerator
from mtdemo.models.multitask import SEED_OF_UNTRAINED, MultiTaskModel
from mtdemo.models.parts import HEADS

_LABELS = {head.name: head.labels for head in HEADS}


def is_adoptable(config: PreTrainedConfig) -> bool:
    """Tell if a classifier's head can be adopted."""
    return find_architecture(config) is not None and not reason_to_refuse(config)


def configure_adopted(config: PreTrainedConfig) -> MultiTaskConfig:
    """Make the configuration of the model that a classifier becomes."""
    row = _row(config)
    labels = labels_of(config)
    fields: dict[str, Any] = {
        "classification_pooling": "cls",
        _LABELS[row.head]: labels if row.head == CLASSES else [labels[index] for index in order_of(labels)],
        "head_dropout": dropout_of(config),
        "multi_label": row.head == CLASSES and config.problem_type == "multi_label_classification",
        "trained_heads": [row.head],
        **row.fields(config),
    }
    layers = row.layers(config)
    return MultiTaskConfig(backbone=config, head_layers={row.head: layers} if layers else {}, **fields)


def load_adopted(directory: Path, config: MultiTaskConfig) -> tuple[MultiTaskModel, dict[str, Any]]:
    """Load a classifier, and report in our names."""
    their_config: Any = config.backbone
    row = _row(their_config)
    with OwnGenerator(SEED_OF_UNTRAINED):  # for weights that the checkpoint lacks
        theirs, report = row.loader.from_pretrained(
            directory,
            config=their_config,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        weights = {name: theirs.get_submodule(place).state_dict() for name, place in row.modules.items()}
        model = MultiTaskModel(config, backbone=theirs.base_model)
    names = [head.name for head in HEADS if getattr(model, head.name) is not None]
    model.renew_heads(names, SEED_OF_UNTRAINED)
    head: Any = model.get_submodule(row.head)
    for name, its in weights.items():
        head.get_submodule(name).load_state_dict(its)
    if row.head != CLASSES:
        order = order_of(labels_of(their_config))
        for tensor in head.linear.state_dict().values():
            tensor.copy_(tensor[order].clone())
    return model, _translated(report, row, theirs.base_model_prefix)


def _row(config: PreTrainedConfig) -> Architecture:
    row = find_architecture(config)
    if row is None:
        raise ValueError(f"no head of {config.architectures} is adopted")
    return row


def _translated(report: dict[str, Any], row: Architecture, prefix: str) -> dict[str, Any]:
    """Name the weights of a report as ours are named.

    `bert.encoder.x -> backbone.encoder.x`, `classifier.weight -> classification_head.linear.weight`. A pooler that nothing
    reads is left out.
    """

    def ours(key: str) -> str:
        for name, place in row.modules.items():
            if key.startswith(f"{place}."):
                return f"{row.head}.{name}{key.removeprefix(place)}"
        return f"backbone{key.removeprefix(prefix)}" if key.startswith(f"{prefix}.") else f"{row.head}.{key}"

    missing = {ours(key) for key in report["missing_keys"] if f"{prefix}.pooler" not in key or "backbone" not in ours(key)}
    mismatched = {(ours(key), *shapes) for key, *shapes in report["mismatched_keys"]}
    return {**report, "missing_keys": missing, "mismatched_keys": mismatched}
