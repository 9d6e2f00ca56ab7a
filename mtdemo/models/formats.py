"""Formats of checkpoints: a table of what recognises each kind and what loads it.

To load another kind, add a row: the configuration that it becomes, and a function that
brings its weights into a `MultiTaskModel`. Checks, messages, tokenizer and description are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedConfig

from mtdemo.models.adoption.architectures import find_architecture, reason_to_refuse
from mtdemo.models.adoption.classifiers import configure_adopted, is_adoptable, load_adopted
from mtdemo.models.configuration import MultiTaskConfig
from mtdemo.models.multitask import MultiTaskModel

LoadReport = dict[str, Any]  # of transformers: `missing_keys`, `mismatched_keys`, …


@dataclass(frozen=True, slots=True)
class CheckpointFormat:
    """A kind of checkpoint directory.

    Attributes:
        name: as people call it.
        recognises: whether a configuration, as config.json says it, is of this kind.
        configure: the configuration of the model that it becomes. An error that it raises becomes one about config.json.
        load: the model from a directory and its configuration, as float32, and a report of weights that were missing or of
            other shapes. A head whose weights are missing is drawn anew and called untrained.
        follows_recipe: whether embeddings are made as the files of sentence-transformers beside it say.
    """

    name: str
    recognises: Callable[[PreTrainedConfig], bool]
    configure: Callable[[PreTrainedConfig], MultiTaskConfig]
    load: Callable[[Path, MultiTaskConfig], tuple[MultiTaskModel, LoadReport]]
    follows_recipe: bool = True


def find_format(config: PreTrainedConfig) -> CheckpointFormat:
    """Return the first format that recognises a configuration."""
    return next(row for row in FORMATS if row.recognises(config))


def _is_multi_task(config: PreTrainedConfig) -> bool:
    return isinstance(config, MultiTaskConfig)


def _as_it_is(config: PreTrainedConfig) -> MultiTaskConfig:
    return cast("MultiTaskConfig", config)


def _with_new_heads(config: PreTrainedConfig) -> MultiTaskConfig:
    return MultiTaskConfig(backbone=config, head_note=reason_to_refuse(config) if find_architecture(config) else "")


def _load(directory: Path, config: MultiTaskConfig) -> tuple[MultiTaskModel, LoadReport]:
    model, report = MultiTaskModel.from_pretrained(
        directory,
        config=config,
        local_files_only=True,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    return model, report


FORMATS = (
    CheckpointFormat("multi-task checkpoint", _is_multi_task, _as_it_is, _load, follows_recipe=False),
    CheckpointFormat("classifier of transformers", is_adoptable, configure_adopted, load_adopted),
    CheckpointFormat("plain encoder", lambda config: True, _with_new_heads, _load),
)
