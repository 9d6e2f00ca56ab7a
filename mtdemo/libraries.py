"""torch and transformers, imported once and by one thread: they take seconds, and their lazy parts are not thread-safe."""

from __future__ import annotations

import threading

_lock = threading.Lock()


def import_libraries() -> None:
    """Import all that computes; waits while another thread does it, and costs nothing afterwards."""
    with _lock:
        from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel  # noqa: F401

        import mtdemo.inference
        import mtdemo.loading  # noqa: F401
