"""The memory layer: encoded values of settled promises, so that a repeated hit costs no I/O.

Settled promises are final, so an entry needs no look at the database, only at the store's invalidation word: an entry
is tagged with the invalidation counter that its row was read under, and is a hit only while the mapped word equals
that tag (HOUSE 4.4 (1)).
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from resonate_nb.protocol import Promise
from resonate_nb.records import dataclass

LIMIT_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 1_000
"""What an entry costs beside its value: a bound, not a measurement."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A settled promise whose value is at hand, verified."""

    tag: int
    """The invalidation counter of the snapshot that the row was read from."""
    promise: Promise
    codec: str
    data: bytes
    """The encoded value, its signature already checked."""


class Memo:
    """Least recently used entries, at most `LIMIT_BYTES` together."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, base: str, word: int) -> Entry | None:
        """The entry of an id without generation, if nothing has been invalidated since its row was read."""
        with self._lock:
            entry = self._entries.get(base)
            if entry is None:
                return None
            if entry.tag != word:
                self._drop(base)
                return None
            self._entries.move_to_end(base)
            return entry

    def put(self, base: str, entry: Entry) -> None:
        size = len(entry.data) + _ENTRY_BYTES
        if size > self._limit // 4:
            return
        with self._lock:
            if base in self._entries:
                self._drop(base)
            self._entries[base] = entry
            self._bytes += size
            while self._bytes > self._limit:
                self._drop(next(iter(self._entries)))

    def drop(self, base: str) -> None:
        with self._lock:
            if base in self._entries:
                self._drop(base)

    def renew_in_child(self) -> None:
        """After a fork: what is remembered stays, and no lock of a thread that is not there."""
        self._lock = threading.Lock()
        self._bytes = sum(len(entry.data) + _ENTRY_BYTES for entry in self._entries.values())

    def _drop(self, base: str) -> None:
        entry = self._entries.pop(base)
        self._bytes -= len(entry.data) + _ENTRY_BYTES
