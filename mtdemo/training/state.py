"""Saved states of runs: what is written, and of which run a state is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtdemo.errors import ResumeError
from mtdemo.files import writing
from mtdemo.training.preparation import Prepared
from mtdemo.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Identity of a run, in which its states go on.

    Attributes:
        settings: of training, as values of JSON.
        fingerprint: SHA-256 in hexadecimal digits of what is learned, and from which models.
        eval_fingerprint: that of the sentences that it is measured on; empty without any.
    """

    settings: dict[str, Any]
    fingerprint: str
    eval_fingerprint: str

    @classmethod
    def of(cls, prepared: Prepared, eval_fingerprint: str = "") -> RunIdentity:
        """Identify a run before its first step."""
        digest = hashlib.sha256(_digest(prepared.loaded.model.state_dict()))
        disagreement = prepared.objective.terms.get("disagreement")
        teacher = disagreement.teacher if disagreement is not None else None
        for model in teacher.models if teacher is not None else ():
            digest.update(_digest(model.weights))
        for task, power in zip(prepared.objective.tasks, prepared.settings.source_powers, strict=True):
            for example in task.examples:
                digest.update(np.asarray([*example.window.input_ids, *example.window.token_type_ids]).tobytes())
                digest.update(np.asarray(example.target).tobytes())
                digest.update(example.source.encode() if power != 1 else b"")  # it says when the example comes
        return cls(_plain(prepared.settings), digest.hexdigest(), eval_fingerprint)

    def check(self, path: Path, saved: Mapping[str, Any]) -> None:
        """Make sure that a saved state is of this run.

        Raises:
            ResumeError: it is of a run with other settings or data, from another model, or measured on other sentences.
        """
        defaults = _plain(TrainingSettings())
        before, now = (_flatten({**defaults, **settings}) for settings in (saved["settings"], self.settings))
        changed = [
            f"{name} was {before.get(name)} and is now {now.get(name)}"
            for name in dict.fromkeys((*before, *now))
            if before.get(name) != now.get(name)
        ]
        if changed:
            raise ResumeError(f"{path} is of a run with other settings: {'; '.join(changed)}.")
        if saved["fingerprint"] != self.fingerprint:
            raise ResumeError(f"{path} is of a run with other sentences, or from another model.")
        if saved["eval_fingerprint"] != self.eval_fingerprint:
            raise ResumeError(f"{path} is of a run that was measured on other sentences; its best weights are by those.")


def save_state(path: Path, identity: RunIdentity, state: Mapping[str, Any]) -> None:
    """Write a state; a failure leaves the one before.

    Raises:
        FileWriteError: the disk is full, or the like.
    """
    unfinished = path.with_suffix(".partial")
    try:
        with writing(path, "The state that was saved before is good." if path.exists() else ""):
            torch.save({**asdict(identity), **state}, unfinished)
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_state(path: Path, identity: RunIdentity) -> dict[str, Any]:
    """Read a state to go on from.

    Raises:
        ResumeError: there is none, or it is of an earlier version, or of another run.
    """
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:
        raise ResumeError(f"{path} cannot be read, so there is nothing to resume.") from error
    if "eval_fingerprint" not in state:
        raise ResumeError(f"{path} was saved by an earlier version, whose runs this one cannot resume.")
    identity.check(path, state)
    return state


def _plain(settings: TrainingSettings) -> dict[str, Any]:
    """Turn settings into JSON values, which can be compared."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(settings)))
    return plain


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings: `{"plan": {"frozen": []}} -> {"plan.frozen": []}`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _digest(weights: Mapping[str, torch.Tensor]) -> bytes:
    digest = hashlib.sha256()
    for tensor in weights.values():
        digest.update(np.ascontiguousarray(tensor.detach().numpy()).data)
    return digest.digest()
