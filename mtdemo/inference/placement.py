"""Placement: the device that a model computes on, and the precision of its backbone.

Heads, pooling and all that is returned are float32 in any case. With float32 a GPU multiplies without TF32, as torch does
unless TORCH_ALLOW_TF32_CUBLAS_OVERRIDE is set.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import torch

from mtdemo.config import on_zero_gpu
from mtdemo.errors import SettingsError
from mtdemo.inference.packed import can_pack
from mtdemo.inference.reordered import can_reorder
from mtdemo.models.loaded import LoadedModel

_log = logging.getLogger(__name__)
_MAX_REORDERED = 500_000_000  # bytes of weights kept twice: a model of the size of bert-base is, one of bert-large is not
_FULL = "The memory of the GPU is full, so %s answers on the CPU from now on. Set MTDEMO_DEVICE=cpu, or free some."


def choose_device(wanted: str) -> str:
    """Choose where to compute.

    On ZeroGPU torch finds a GPU that no program has outside of its own functions, so `auto` stays on the CPU there.

    Args:
        wanted: `auto` for a GPU where there is one, or `cpu`, `cuda` or `mps`.

    Raises:
        SettingsError: there is no such device.
    """
    found = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    found["cuda"] = found["cuda"] and not on_zero_gpu()
    if wanted == "auto":
        return next((device for device in ("cuda", "mps") if found[device]), "cpu")
    if not found[wanted]:
        reason = "ZeroGPU lends its GPU to single functions only" if on_zero_gpu() else "torch finds none here"
        raise SettingsError(f"MTDEMO_DEVICE is {wanted}, but {reason}. Set auto or cpu.")
    return wanted


def place(loaded: LoadedModel, device: str, dtype: str = "float32") -> LoadedModel:
    """Move a model to where it computes.

    Args:
        loaded: a model that nobody else has yet.
        device: as for `choose_device`.
        dtype: of the backbone: `float32`, `bfloat16` or `float16`; or `int8`, which leaves it in float32 and says in what
            its forward passes compute.

    Raises:
        SettingsError: there is no such device, or it does not compute in int8.
    """
    chosen = choose_device(device)
    if dtype == "int8":
        if chosen != "cpu":
            raise SettingsError(f"int8 is for the CPU, and MTDEMO_DEVICE={device} means {chosen}. Set cpu, or bfloat16.")
        return replace(loaded, products="int8")
    backbone: Any = loaded.model.backbone
    backbone.to(getattr(torch, dtype))
    try:
        loaded.model.to(chosen)  # type: ignore[arg-type]
    except torch.OutOfMemoryError:
        leave_gpu(loaded)
    return loaded


def hasten(loaded: LoadedModel, max_bytes: int) -> LoadedModel:
    """Let the passes of a model that serves compute faster.

    On the CPU, in float32, they multiply by weights in the processor's order, which takes memory for these weights once
    more. The answers differ by rounding alone. Any other model is returned as it is, and one that is too large.

    Args:
        loaded: the model, where it computes.
        max_bytes: what it may take, with these weights.
    """
    weights = next(loaded.model.backbone.parameters())
    # Only packed passes have few numbers of rows, see `count_rows`.
    on_cpu = can_pack(loaded) and (weights.device.type, weights.dtype, loaded.products) == ("cpu", torch.float32, "plain")
    faster = replace(loaded, products="reordered")
    fits = faster.n_bytes <= max_bytes and faster.n_bytes - loaded.n_bytes <= _MAX_REORDERED
    return faster if on_cpu and fits and can_reorder() else loaded


def leave_gpu(loaded: object) -> bool:
    """Bring a model back to the CPU, in float32.

    Returns:
        False where it is there already, or is none of ours.
    """
    if not isinstance(loaded, LoadedModel) or loaded.model.device.type == "cpu":
        return False
    _log.warning(_FULL, loaded.info.id)
    loaded.model.to("cpu").float()  # type: ignore[arg-type]
    torch.cuda.empty_cache()
    return True
