"""One lock around whatever makes transformers or peft import a part of itself: their lazy imports are not thread-safe."""

import threading

import_lock = threading.RLock()
