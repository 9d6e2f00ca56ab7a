"""Imports of torch and transformers, made once and by one thread at a time.

They take seconds, and their lazy imports are not thread-safe. This module imports them inside functions only.
"""

import threading
from functools import cache

import_lock = threading.RLock()


@cache
def import_libraries() -> None:
    """Import torch and transformers, once in a process.

    It waits while another thread imports them, and costs nothing afterwards.
    """
    with import_lock:
        import huggingface_hub  # noqa: F401
        import torch.optim.swa_utils  # noqa: F401
        from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel  # noqa: F401
