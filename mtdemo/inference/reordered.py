"""Linear layers in float32 whose weights are laid out for the processor beforehand.

A matrix product first brings its weights into blocks of the size that the processor multiplies best. oneDNN, which torch
contains, can keep them so: one of 24 word pieces then takes two thirds of the time, one of 2,000 four fifths, and an
activation behind it nothing of its own. torch's compiler does the same where it freezes a network
(`torch._inductor.fx_passes.mkldnn_fusion`); it needs a C++ compiler and minutes. Answers differ by rounding alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

Activation = Literal["none", "gelu"]


class ReorderedLinear(nn.Module):
    """A linear layer whose weights are in oneDNN's order.

    Args:
        layer: whose weights are copied; it is not changed, and its bias is shared.
        activation: of the result.
    """

    def __init__(self, layer: nn.Linear, activation: Activation = "none") -> None:
        super().__init__()
        with torch.inference_mode(False), torch.no_grad():
            self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        self.bias = layer.bias
        self.activation = activation

    def forward(self, states: Tensor) -> Tensor:
        """Map float32 (…, inputs) to float32 (…, outputs)."""
        result: Tensor = torch.ops.mkldnn._linear_pointwise(states, self._weight, self.bias, self.activation, [], "none")
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> ReorderedLinear:
        return self  # it never changes


@cache
def can_reorder() -> bool:
    """Return True where this torch computes so.

    A small layer is tried, since a torch may name operators that it was built without.
    """
    layer = nn.Linear(4, 4).requires_grad_(False)
    states = torch.arange(8.0).view(2, 4)
    try:
        return torch.allclose(ReorderedLinear(layer)(states), layer(states), atol=1e-5)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
