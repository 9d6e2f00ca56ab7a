"""Heads, small modules from hidden states or an embedding to logits, and how new ones are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers.activations import get_activation

from mtdemo.models.configuration import MultiTaskConfig

# What fills a tensor at random. Functions that are called with `generator=None`, as `torch.nn.init` does, need no row.
_FILLS = {
    Tensor.bernoulli_, Tensor.exponential_, Tensor.normal_, Tensor.random_, Tensor.uniform_,
    torch.rand, torch.randint, torch.randn, torch.randperm,
}  # fmt: skip


def make_head(name: str, config: MultiTaskConfig, n_labels: int) -> nn.Module:
    """Build an untrained head.

    Args:
        name: of a row of `mtdemo.models.parts.HEADS`. All heads without a branch here are linear.
        config: of the model.
        n_labels: outputs.
    """
    layers = config.head_layers.get(name, {})
    if name == "classification_head" or layers:
        return ClassificationHead(config.hidden_size, n_labels, config.head_dropout, **layers)
    if name == "output_layer":
        return LinearHead(config.embedding_size, n_labels, 0.0)
    return LinearHead(config.hidden_size, n_labels, config.head_dropout)


def draw_weights(head: nn.Module, generator: torch.Generator | None) -> None:
    """Draw the weights of a head anew.

    Args:
        head: what gets them.
        generator: None for that of the process.
    """
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()


class ClassificationHead(nn.Module):
    """Dropout, dense, activation, maybe a norm, linear.

    It reads one pooled vector per sentence; of some adopted models every token.

    Args:
        hidden_size: of what it reads.
        n_labels: outputs.
        dropout: 0 to 1.
        activation: a name of transformers'.
        bias: whether the dense layer has one.
        norm_epsilon: of a normalisation after the activation; None for none.
        norm_bias: whether that has one.
    """

    def __init__(
        self,
        hidden_size: int,
        n_labels: int,
        dropout: float,
        activation: str = "tanh",
        bias: bool = True,
        norm_epsilon: float | None = None,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(hidden_size, hidden_size, bias=bias)
        self.activation = torch.tanh if activation == "tanh" else get_activation(activation)
        self.norm: nn.Module = nn.Identity()
        if norm_epsilon is not None:
            self.norm = nn.LayerNorm(hidden_size, eps=norm_epsilon, bias=norm_bias)
        self.linear = nn.Linear(hidden_size, n_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        """(..., hidden) to logits (..., labels)."""
        logits: Tensor = self.linear(self.norm(self.activation(self.dense(self.dropout(pooled)))))
        return logits


class LinearHead(nn.Module):
    """Dropout and one linear layer over the last dimension.

    It reads every token for entities, and every sentence for outputs.
    """

    def __init__(self, hidden_size: int, n_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden_size, n_labels)

    def forward(self, vectors: Tensor) -> Tensor:
        """(..., hidden) to logits (..., labels)."""
        logits: Tensor = self.linear(self.dropout(vectors))
        return logits


class OwnGenerator(TorchFunctionMode):
    """A context that draws weights from its own generator.

    Models are loaded while another thread trains, and training draws its dropout from the generator of the process. Were
    the weights that a checkpoint lacks drawn from that one too, the result of a run would depend on who loads a model
    meanwhile. Like `torch.device` as a context, this one holds for one thread, and for library code that knows nothing
    of it.

    Args:
        seed: the same weights are drawn for the same seed.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function; where it draws, with this generator."""
        named = dict(kwargs or {})
        on_cpu = not any(isinstance(value, Tensor) and value.device.type != "cpu" for value in (*args, *named.values()))
        if on_cpu and (func in _FILLS or "generator" in named) and named.get("generator") is None:
            named["generator"] = self._generator
        return func(*args, **named)
