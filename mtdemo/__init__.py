"""A multi-task sentence encoder, its service, and its demo.

What is named here is what other code may rely on. Names are imported when they are first used (PEP 562), so that
`import mtdemo` costs nothing and the page can be up before torch is.
"""

from __future__ import annotations

import importlib
from typing import Any

_EXPORTS = {
    "PlanRequest": "mtdemo.planning.planner",
    "ModelService": "mtdemo.serving.service",
    "MtdemoError": "mtdemo.errors",
    "MultiTaskConfig": "mtdemo.models.configuration",
    "MultiTaskModel": "mtdemo.models.multitask",
    "MultiTaskOutput": "mtdemo.models.multitask",
    "Settings": "mtdemo.config",
    "apply_freezing": "mtdemo.planning.freezing",
    "build_optimizer": "mtdemo.planning.optimizer",
    "load_model": "mtdemo.models.hub",
    "plan_freezing": "mtdemo.planning.freezing",
    "plan_optimizer": "mtdemo.planning.optimizer",
    "read_settings": "mtdemo.config",
}
__all__ = sorted(_EXPORTS)  # noqa: PLE0605
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'mtdemo' has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
