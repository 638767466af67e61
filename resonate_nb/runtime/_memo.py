"""The memory layer: encoded values of settled promises, so that a repeated hit costs no I/O.

Settled promises are final, so an entry needs no look at the database, only at the store's invalidation word: an entry
is tagged with the invalidation counter that its row was read under, and is a hit only while the mapped word equals
that tag (HOUSE 4.4 (1)).

After a few first hits of one function the small values of all its promises are read ahead in one SELECT: a resume of
ten thousand steps must not make ten thousand of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from resonate_nb.protocol import Promise
from resonate_nb.store import Ahead, Reader

from ._hits import Hits

LIMIT_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 1_000
"""What an entry costs beside its value: a bound, not a measurement."""
_AHEAD_AFTER = 3
_AHEAD_ROWS = 20_000
_AHEAD_BYTES = 1_000
"""With 20,000 rows of at most this size, what is read ahead stays within a third of the memory layer's limit."""


class Entry:
    """A settled promise whose value is at hand, verified."""

    __slots__ = ("codec", "data", "hits", "promise", "saved_ms", "tag")

    def __init__(self, tag: int, promise: Promise, codec: str, data: bytes, hits: Hits, saved_ms: int) -> None:
        self.tag = tag
        """The invalidation counter of the snapshot that the row was read from."""
        self.promise = promise
        self.codec = codec
        self.data = data
        """The encoded value, its signature already checked."""
        self.hits = hits
        self.saved_ms = saved_ms


class Memo:
    """Least recently used entries, at most `LIMIT_BYTES` together, and rows read ahead by name of function."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._lock = threading.RLock()
        self._first_hits: dict[str, int] = {}
        self._ahead: dict[str, tuple[int, dict[str, Ahead]]] = {}

    def get(self, base: str, word: int) -> Entry | None:
        """The entry of an id without generation, if nothing has been invalidated since its row was read."""
        if base not in self._entries:
            return None
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

    def wants_ahead(self, name: str, word: int) -> bool:
        """A first hit of this function has come: whether its rows are to be read ahead now."""
        known = self._ahead.get(name)
        if known is not None and known[0] == word:
            return False
        self._first_hits[name] = self._first_hits.get(name, 0) + 1
        return self._first_hits[name] % _AHEAD_AFTER == 0

    def read_ahead(self, name: str, reader: Reader) -> None:
        """The latest generations of this function's promises, as this snapshot sees them, are at hand."""
        rows: dict[str, Ahead] = {}
        for row in reader.ahead(name, _AHEAD_ROWS, _AHEAD_BYTES):
            if (later := rows.get(row.base)) is None or later.generation < row.generation:
                rows[row.base] = row
        others = {other: known for other, known in self._ahead.items() if other != name}
        while others and len(rows) + sum(len(known[1]) for known in others.values()) > _AHEAD_ROWS:
            del others[next(iter(others))]
        self._ahead = {**others, name: (reader.invalidation, rows)}

    def ahead(self, name: str, word: int) -> dict[str, Ahead] | None:
        """Rows by id without generation, if nothing has been invalidated since they were read."""
        known = self._ahead.get(name)
        return known[1] if known is not None and known[0] == word else None

    def renew_in_child(self) -> None:
        """After a fork: what is remembered stays, and no lock of a thread that is not there."""
        self._lock = threading.RLock()
        self._bytes = sum(len(entry.data) + _ENTRY_BYTES for entry in self._entries.values())

    def _drop(self, base: str) -> None:
        entry = self._entries.pop(base)
        self._bytes -= len(entry.data) + _ENTRY_BYTES
