"""Random numbers that leave torch's process-wide generator alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# What fills a tensor at random. Functions that are called with `generator=None`, as `torch.nn.init` does, need no row.
_FILLS = {
    Tensor.bernoulli_, Tensor.exponential_, Tensor.normal_, Tensor.random_, Tensor.uniform_,
    torch.rand, torch.randint, torch.randn, torch.randperm,
}  # fmt: skip


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
