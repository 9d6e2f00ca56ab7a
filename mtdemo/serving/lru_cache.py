"""A bounded, locked store whose least recently used entries leave first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """A mapping of bounded size for several threads.

    Args:
        max_size: what the sizes of all entries may sum to. An entry that is larger by itself is not kept.
        size_of: size of an entry, in whatever unit `max_size` has.
        max_entries: how many entries at most; no bound by default.
    """

    def __init__(self, max_size: int, size_of: Callable[[Value], int], max_entries: int | None = None) -> None:
        self._max_size = max_size
        self._size_of = size_of
        self._max_entries = max_entries
        self._entries: OrderedDict[Key, Value] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Sum of the sizes of all entries."""
        return self._size

    def get(self, key: Key) -> Value | None:
        """Look an entry up and mark it as just used."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def values(self) -> tuple[Value, ...]:
        """List all entries, without using them."""
        with self._lock:
            return tuple(self._entries.values())

    def drop(self, key: Key) -> None:
        """Let an entry go; nothing happens where there is none."""
        with self._lock:
            if key in self._entries:
                self._size -= self._size_of(self._entries.pop(key))

    def put(self, key: Key, value: Value) -> None:
        """Keep an entry; older ones leave until the bounds hold."""
        with self._lock:
            if key in self._entries:
                self._size -= self._size_of(self._entries.pop(key))
            if self._size_of(value) > self._max_size:
                return
            self._entries[key] = value
            self._size += self._size_of(value)
            while self._size > self._max_size or (self._max_entries or len(self._entries)) < len(self._entries):
                _, oldest = self._entries.popitem(last=False)
                self._size -= self._size_of(oldest)
