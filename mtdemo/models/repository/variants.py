"""Names of variants: a model whose embedding is pooled otherwise, or read after an earlier layer."""

from __future__ import annotations

import re
from dataclasses import dataclass

POOLINGS = ("mean", "cls", "max")  # that are offered; `mtdemo.models.embedding.pooling` has them and more
_NAME = re.compile(rf"(?P<base>.+)#(?P<pooling>{'|'.join(POOLINGS)})?(?:@(?P<layer>[1-9]\d?))?")


@dataclass(frozen=True, slots=True)
class Variant:
    """Another embedding of a model's network.

    Attributes:
        base: name of the model.
        pooling: one of `POOLINGS`; None for what its makers meant.
        layer: the encoder layer after which it is read, from 1; None for the last.
    """

    base: str
    pooling: str | None = None
    layer: int | None = None

    @property
    def name(self) -> str:
        """The name to ask for it by: `embedded#cls@4`."""
        layer = f"@{self.layer}" if self.layer else ""
        return f"{self.base}#{self.pooling or ''}{layer}" if self.pooling or layer else self.base


def read_variant(name: str) -> Variant | None:
    """Read `NAME#POOLING@LAYER`; None for a model as it is."""
    found = _NAME.fullmatch(name.strip())
    if found is None or not (found["pooling"] or found["layer"]):
        return None
    return Variant(found["base"], found["pooling"], int(found["layer"]) if found["layer"] else None)
