"""What a `functools` cache of the user's holds was made from files: who takes it from there depends on them too.

A cached helper opens its files once. The body that fills the cache records them; a later one that is served from the
cache opens nothing, and would be replayed for ever. (What is put there outside of durable calls is seen by nobody.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from ._file_read import FileRead
from ._reads import Reads

_filled: WeakKeyDictionary[Any, dict[FileRead, None]] = WeakKeyDictionary()
"""Cache -> files that were read by bodies while it was filled."""


class Caches:
    """The caches that a body reaches, from its beginning to its end."""

    __slots__ = ("_before",)

    def __init__(self, caches: Iterable[Any]) -> None:
        self._before = [(cache, cache.cache_info()) for cache in caches]

    def settle(self, reads: Reads) -> None:
        """The files behind what the body took from the caches are its own, and behind what it put there those that it
        has read."""
        fed = []
        for cache, before in self._before:
            now = cache.cache_info()
            if now.hits != before.hits:
                reads.add(_filled.get(cache, ()))
            if now.misses != before.misses:
                fed.append(cache)
        files = reads.files() if fed else ()
        for cache in fed:
            _filled.setdefault(cache, {}).update(dict.fromkeys(files))
