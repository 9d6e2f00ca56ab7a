"""Layers after pooling: what a model's makers put between the pooled vector and the embedding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from mtdemo.errors import InvalidCheckpointError

ACTIVATIONS: dict[str, type[nn.Module]] = {
    kind.__name__: kind for kind in (nn.Tanh, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Mish)
}


class EmbeddingLayers(nn.Module):
    """Dense layers and normalisation over pooled vectors.

    Args:
        width: of the pooled vectors.
        layers: `MultiTaskConfig.embedding_layers`.
    """

    def __init__(self, width: int, layers: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for layer in layers:
            self.layers.append(_DenseLayer(width, layer) if layer["kind"] == "dense" else _UnitLength())
            width = layer.get("out_features", width)

    def forward(self, pooled: Tensor) -> Tensor:
        """(batch, width) to embeddings (batch, width of the last layer)."""
        for layer in self.layers:
            pooled = layer(pooled)
        return pooled


class _DenseLayer(nn.Module):
    """A linear layer and its activation."""

    def __init__(self, width: int, layer: dict[str, Any]) -> None:
        super().__init__()
        self.linear = nn.Linear(width, layer["out_features"], bias=layer["bias"])
        self.activation = ACTIVATIONS[layer["activation"]]()

    def forward(self, vectors: Tensor) -> Tensor:
        activated: Tensor = self.activation(self.linear(vectors))
        return activated


class _UnitLength(nn.Module):
    """Normalisation to length 1."""

    def forward(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=-1)


def load_dense_weights(layers: EmbeddingLayers, root: Path, folders: Sequence[str], name: str) -> None:
    """Read the weights of dense layers.

    Args:
        layers: whose dense layers get them.
        root: of the repository.
        folders: one for each dense layer, in their order.
        name: of the model, for errors.

    Raises:
        InvalidCheckpointError: there are none, they cannot be read, or their shapes are others.
    """
    dense = [layer for layer in layers.layers if isinstance(layer, _DenseLayer)]
    for layer, folder in zip(dense, folders, strict=False):  # a checkpoint of this project has them among its own weights
        file = root / folder / "model.safetensors"
        if not file.is_file():
            raise InvalidCheckpointError(f"{name!r} has no safetensors weights for its dense layer ({folder}).")
        try:
            layer.load_state_dict({key: weights.float() for key, weights in load_file(file).items()})
        except Exception as error:
            raise InvalidCheckpointError(f"The weights of the dense layer ({folder}) of {name!r} do not fit.") from error


def check_layers(layers: Sequence[dict[str, Any]]) -> None:
    """Check layers as a configuration names them.

    Raises:
        ValueError: one is neither `normalize` nor a whole `dense`.
    """
    for layer in layers:
        dense = layer.get("kind") == "dense" and {"out_features", "bias", "activation"} <= layer.keys()
        if not (dense and layer["activation"] in ACTIVATIONS) and layer != {"kind": "normalize"}:
            raise ValueError(
                "A layer of embedding_layers is {'kind': 'normalize'}, or a 'dense' with out_features, bias and activation "
                f"({', '.join(ACTIVATIONS)}), not {layer}."
            )


def width_after(width: int, layers: Sequence[dict[str, Any]]) -> int:
    """Return the width of the embedding."""
    for layer in layers:
        width = layer.get("out_features", width)
    return width
