"""torch and transformers, imported once and by one thread, since they take seconds."""

from __future__ import annotations

from functools import cache

from mtdemo.import_lock import import_lock


@cache
def import_libraries() -> None:
    """Import all that computes; waits while another thread does it, and costs nothing afterwards."""
    with import_lock:
        from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel  # noqa: F401

        import mtdemo.inference
        import mtdemo.loading  # noqa: F401
