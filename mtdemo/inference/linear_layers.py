"""Linear layers as forward passes compute them: a copy of the network, in which other layers stand for them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn
from transformers.activations import GELUActivation

from mtdemo.inference.int8 import Int8Linear
from mtdemo.inference.reordered import Activation, ReorderedLinear
from mtdemo.models.loaded import LoadedModel, Products, list_weights

_LAYERS: dict[Products, Callable[[nn.Linear, Activation], nn.Module]] = {
    "int8": Int8Linear,
    "reordered": ReorderedLinear,
}
# Layers whose result goes through an activation and nowhere else, by the names of both in one module of transformers.
_WITH_ACTIVATION = {"dense": "intermediate_act_fn", "lin1": "activation"}


def as_computed(loaded: Any) -> Any:
    """Return a model as its passes compute.

    Where its `products` are not plain this is a copy with other linear layers, which shares all other weights. It is made
    once, and anew where weights were replaced or changed since. Any other model is returned as it is.
    """
    return _copies.of(loaded) if isinstance(loaded, LoadedModel) and loaded.products in _LAYERS else loaded


class _Copies:
    """Models that share weights with others, kept while those live."""

    def __init__(self) -> None:
        self._models: WeakKeyDictionary[nn.Module, tuple[LoadedModel, list[tuple[int, int, int]]]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, loaded: LoadedModel) -> LoadedModel:
        """Return the copy of a model."""
        tensors = list_weights(loaded.model)
        state = [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors]
        with self._lock:
            known = self._models.get(loaded.model)
            if known is None or known[1] != state:
                shared: dict[int, Tensor] = {id(tensor): tensor for tensor in tensors}
                network = copy.deepcopy(loaded.model, dict(shared)).eval()
                _put(_LAYERS[loaded.products], network.backbone)
                known = self._models[loaded.model] = (replace(loaded, model=network), state)
            return known[0]


def _put(make: Callable[[nn.Linear, Activation], nn.Module], module: nn.Module) -> None:
    """Put other layers into the place of all linear ones."""
    for name, child in module.named_children():
        if type(child) is not nn.Linear:
            _put(make, child)
        elif type(getattr(module, _WITH_ACTIVATION.get(name, ""), None)) is GELUActivation:
            setattr(module, name, make(child, "gelu"))
            setattr(module, _WITH_ACTIVATION[name], nn.Identity())
        else:
            setattr(module, name, make(child, "none"))


_copies = _Copies()
