"""The saved state of a run: reading it, and the plain values by which two runs are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtdemo.errors import DataFileError
from mtdemo.training.settings import TrainingSettings


def read_state(path: Path) -> dict[str, Any]:
    """Read a saved state.

    Raises:
        DataFileError: there is none, or it is of an earlier version.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:
        raise DataFileError(f"{path} cannot be read, so there is nothing to resume.") from error
    if "eval_fingerprint" not in state:
        raise DataFileError(f"{path} was saved by an earlier version, whose runs this one cannot resume.")
    return state


def as_plain(settings: TrainingSettings) -> dict[str, Any]:
    """Turn settings into values of JSON, which can be saved and compared."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings, their names joined by dots."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def digest_of(weights: Mapping[str, torch.Tensor]) -> bytes:
    """Return the SHA-256 of weights, in their order."""
    digest = hashlib.sha256()
    for tensor in weights.values():
        digest.update(np.ascontiguousarray(tensor.detach().numpy()).data)
    return digest.digest()
