"""Another embedding of the same network, with the same weights: pooled otherwise, or read after an earlier layer."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from torch import nn

from mtdemo.errors import CheckpointNotFoundError
from mtdemo.models.declaration import find_layers
from mtdemo.models.embedding.layers import EmbeddingLayers
from mtdemo.models.loaded import LoadedModel, describe_model

# Architectures whose hidden states between two layers are those that the next layer reads, and no more; tests hold it.
# ModernBERT and others normalise after the last layer alone, ALBERT has one layer many times.
_LAYERED = {
    "bert", "camembert", "deberta-v2", "distilbert", "electra", "longformer", "mpnet", "roberta", "xlm-roberta",
}  # fmt: skip


def vary_embedding(loaded: LoadedModel, pooling: str | None, layer: int | None, name: str) -> LoadedModel:
    """Make a model with another embedding, which shares all weights.

    Its embedding is the hidden states that transformers calls `hidden_states[layer]`, pooled; what the makers put after
    their pooling (dense layers, normalisation) stays with that pooling alone. The model that is given stays as it is.

    Args:
        loaded: the model.
        pooling: a name of `POOLINGS`; None for the makers'.
        layer: encoder layer after which hidden states are read, from 1; None for the last one.
        name: what to call it.

    Raises:
        CheckpointNotFoundError: there is no such layer, or the architecture has none that can be read so.
    """
    n_layers = loaded.info.n_layers
    if layer is not None and layer > n_layers:
        raise CheckpointNotFoundError(f"{loaded.info.id!r} has {n_layers} layers, so none can be read after layer {layer}.")
    model: Any = _copy_sharing_weights(loaded.model)
    told = []
    if layer is not None and layer < n_layers:
        _cut(model, layer, loaded.info.id, loaded.info.architecture)
        told.append(f"The embedding is read after layer {layer} of {n_layers}, which is not what its makers meant.")
    if pooling is not None:
        model.config.pooling, model.config.embedding_layers = [pooling], []
        model.embedding_layers = EmbeddingLayers(model.config.hidden_size, [])
        told.append("Its pooling was chosen on this page.")
    info = describe_model(model, loaded.tokenizer, name)
    return replace(loaded, model=model, info=replace(info, note=" ".join([*told, *filter(None, [info.note])])))


def _copy_sharing_weights(model: nn.Module) -> nn.Module:
    """Copy modules and configurations, but no tensor."""
    shared = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    return copy.deepcopy(model, dict(shared)).eval()


def readable_layers(model: nn.Module) -> tuple[int, ...]:
    """List the layers, from 1, that can be read."""
    config: Any = model.config
    is_layered = config.backbone.model_type in _LAYERED and find_layers(model, config.n_layers) is not None
    return tuple(range(1, config.n_layers + 1)) if is_layered else (config.n_layers,)


def _cut(model: Any, n_layers: int, name: str, architecture: str) -> None:
    """Take away the layers above one."""
    path = find_layers(model, model.config.n_layers)
    if path is None or n_layers not in readable_layers(model):
        raise CheckpointNotFoundError(
            f"{name!r} ({architecture}) can be read after its last layer only: what stands between its layers is no hidden "
            "state of its own. Change the pooling alone."
        )
    parent, _, attribute = path.rpartition(".")
    stack = model.get_submodule(path)
    setattr(model.get_submodule(parent), attribute, nn.ModuleList(list(stack)[:n_layers]))
    for config in (model.config.backbone, model.backbone.config):
        config.num_hidden_layers = n_layers
