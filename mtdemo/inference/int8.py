"""Passes in int8: the matrix products of an encoder, computed in whole numbers of eight bits.

Each word piece is rounded by a step of its own, between its smallest and its largest number, and each row of a matrix by
its own. So what stands out makes nothing else less exact, and a sentence is rounded alike whatever it is computed with. The
product of whole numbers is exact, and weights take seven of the eight bits for that: without VNNI a processor adds two
products in 16 bits, which larger ones overflow. The model keeps its float32 weights, and training, gradients and export
read those.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from mtdemo.models.loaded import LoadedModel

_MOST_WEIGHT = 63
_N_STEPS = 254  # from the smallest number of a word piece to its largest


class Int8Linear(nn.Module):
    """A linear layer that multiplies in int8.

    Args:
        layer: whose weights are rounded; it is not changed, and its bias is shared.
    """

    weight: Tensor  # int8 (outputs, inputs)
    steps: Tensor  # float32 (outputs,): what 1 stands for in a row
    sums: Tensor  # float32 (outputs,): of the rows

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        weight = layer.weight.detach().float()
        steps = _never_zero(weight.abs().amax(dim=1, keepdim=True) / _MOST_WEIGHT)
        whole = (weight / steps).round_()
        self.register_buffer("weight", whole.to(torch.int8))
        self.register_buffer("steps", steps.squeeze(1))
        self.register_buffer("sums", (whole * steps).sum(dim=1))
        self.bias = layer.bias

    def forward(self, states: Tensor) -> Tensor:
        """Map float32 (…, inputs) to float32 (…, outputs)."""
        rows = states.reshape(-1, states.shape[-1])
        least, most = rows.aminmax(dim=1, keepdim=True)
        middle, steps = (least + most) / 2, _never_zero((most - least) / _N_STEPS)
        product = torch._int_mm(((rows - middle) / steps).round_().to(torch.int8), self.weight.t())
        result = (product * steps).mul_(self.steps).addcmul_(middle, self.sums)
        if self.bias is not None:
            result.add_(self.bias)
        return result.view(*states.shape[:-1], -1)


def _never_zero(steps: Tensor) -> Tensor:
    return steps.clamp_min_(torch.finfo(steps.dtype).tiny)


def as_int8(loaded: Any) -> Any:
    """Return a model as its passes compute.

    For one that is `in_int8` this is a copy with int8 layers, which shares all other weights. It is made once, and anew
    where weights were replaced or changed since. Any other model is returned as it is.
    """
    return _copies.of(loaded) if isinstance(loaded, LoadedModel) and loaded.in_int8 else loaded


class _Copies:
    """Models that share weights with others, kept while those live."""

    def __init__(self) -> None:
        self._models: WeakKeyDictionary[nn.Module, tuple[LoadedModel, list[tuple[int, int]]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, loaded: LoadedModel) -> LoadedModel:
        """Return the copy of a model."""
        tensors = [*loaded.model.parameters(), *loaded.model.buffers()]
        state = [(id(tensor), tensor._version) for tensor in tensors]
        with self._lock:
            known = self._models.get(loaded.model)
            if known is None or known[1] != state:
                shared = {id(tensor): tensor for tensor in tensors}
                network = copy.deepcopy(loaded.model, dict(shared)).eval()
                _quantize(network.backbone)
                known = self._models[loaded.model] = (replace(loaded, model=network, in_int8=False), state)
            return known[0]


def _quantize(module: nn.Module) -> None:
    """Put int8 layers into the place of all linear ones."""
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, Int8Linear(child))
        else:
            _quantize(child)


_copies = _Copies()
