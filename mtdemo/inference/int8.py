"""Passes in int8: the matrix products of an encoder, computed in whole numbers of eight bits.

Each word piece is rounded by a step of its own, between its smallest and its largest number, and each row of a matrix by
its own. So what stands out makes nothing else less exact, and a sentence is rounded alike whatever it is computed with. The
product of whole numbers is exact, and weights take seven of the eight bits for that: without VNNI a processor adds two
products in 16 bits, which larger ones overflow. The model keeps its float32 weights, and training, gradients and export
read those.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mtdemo.inference.reordered import Activation

_MOST_WEIGHT = 63
_N_ROWS = 512  # word pieces at a time, so that what is between stays in the processor's cache
_N_STEPS = 254  # from the smallest number of a word piece to its largest


class Int8Linear(nn.Module):
    """A linear layer that multiplies in int8.

    Args:
        layer: whose weights are rounded; it is not changed, and its bias is shared.
        activation: of the result.
    """

    weight: Tensor  # int8 (outputs, inputs)
    steps: Tensor  # float32 (outputs,): what 1 stands for in a row
    sums: Tensor  # float32 (outputs,): of the rows

    def __init__(self, layer: nn.Linear, activation: Activation = "none") -> None:
        super().__init__()
        weight = layer.weight.detach().float()
        steps = _never_zero(weight.abs().amax(dim=1, keepdim=True) / _MOST_WEIGHT)
        whole = (weight / steps).round_()
        self.register_buffer("weight", whole.to(torch.int8))
        self.register_buffer("steps", steps.squeeze(1))
        self.register_buffer("sums", (whole * steps).sum(dim=1))
        self.bias = layer.bias
        self.activation = activation

    def forward(self, states: Tensor) -> Tensor:
        """Map float32 (…, inputs) to float32 (…, outputs)."""
        rows = states.reshape(-1, states.shape[-1])
        results = rows.new_empty(len(rows), len(self.steps))
        for these, its in zip(rows.split(_N_ROWS), results.split(_N_ROWS), strict=True):
            self._multiply(these, its)
        return results.view(*states.shape[:-1], -1)

    def _multiply(self, rows: Tensor, result: Tensor) -> None:
        """Map float32 (rows, inputs) into float32 (rows, outputs)."""
        least, most = rows.amin(dim=1, keepdim=True), rows.amax(dim=1, keepdim=True)  # 15 times as fast as `aminmax`
        middle, steps = (least + most) / 2, _never_zero((most - least) / _N_STEPS)
        product = torch._int_mm((rows - middle).div_(steps).round_().to(torch.int8), self.weight.t())
        torch.mul(product, steps, out=result).mul_(self.steps).addcmul_(middle, self.sums)
        if self.bias is not None:
            result.add_(self.bias)
        if self.activation == "gelu":
            result.copy_(nn.functional.gelu(result))


def _never_zero(steps: Tensor) -> Tensor:
    return steps.clamp_min_(torch.finfo(steps.dtype).tiny)
