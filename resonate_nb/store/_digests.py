"""Digests of files, remembered beside a store from process to process. All of it may be lost: then files are read.

diskcache's `Cache`, given and giving bytes only. What is damaged in it is rebuilt without a word, and what cannot be
had (a read-only or a network disk, a lock that is held for long) is done without.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from blake3 import blake3
from diskcache import Cache, Disk, Timeout
from diskcache.core import ENOVAL, MODE_RAW, UNKNOWN

from ._filesystem import file_system_of

_CHECK_BYTES = 8
_WAIT_SECONDS = 0.5
"""For a lock that another process holds; to read a file again takes about as long."""
_MOST_BYTES = 16 * 1024 * 1024
_PRAGMAS = {"journal_mode": "delete", "synchronous": "off", "mmap_size": "0"}
"""Nothing is mapped: somebody may cut the file short under it, which would kill the process. Nothing is synced: all of
it may be lost."""
_T = TypeVar("_T")


class _BytesDisk(Disk):  # type: ignore[misc]  # diskcache carries no types
    """diskcache's disk, which can neither pickle nor unpickle, and has no files."""

    def put(self, key: object) -> tuple[object, bool]:
        if type(key) is not bytes:
            raise TypeError(f"a key here is bytes, not a {type(key).__qualname__}")
        return sqlite3.Binary(key), True

    def get(self, key: object, raw: bool) -> bytes:
        return _bytes(key)

    def store(self, value: object, read: bool, key: object = UNKNOWN) -> tuple[int, int, None, object]:
        return 0, MODE_RAW, None, sqlite3.Binary(_bytes(value))

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:
        if mode != MODE_RAW or filename is not None:
            raise TypeError("this is no row of ours")
        return _bytes(value)


class _Cache(Cache):  # type: ignore[misc]
    """diskcache's cache, which as it comes tries for minutes to be set up where somebody holds a lock."""

    _timeout = property(lambda self: _WAIT_SECONDS, lambda self, seconds: None)

    @property
    def _sql_retry(self) -> Any:
        return self._sql

    def reset(self, key: str, value: Any = ENOVAL, update: bool = True) -> Any:
        if not key.startswith("sqlite_"):
            return super().reset(key, value, update)
        # Ours alone: the file may say anything.
        pragma = key.removeprefix("sqlite_")
        if pragma in _PRAGMAS:
            self._sql(f"PRAGMA {pragma} = {_PRAGMAS[pragma]}").fetchall()
        return value


def _bytes(value: object) -> bytes:
    if type(value) is not bytes:
        raise TypeError(f"a value here is bytes, not a {type(value).__qualname__}")
    return value


class DigestMemory:
    """Digests by what names a state of a file. Safe to use from any thread, and by many processes at once."""

    def __init__(self, store: Path) -> None:
        """`store` is the directory of the store, which is never made here."""
        self._directory = store / "digests"
        self._is_usable = not file_system_of(store).is_network
        self._cache: _Cache | None = None
        self._is_rebuilt = False
        self._lock = threading.RLock()

    def get(self, key: bytes) -> bytes | None:
        """The digest that was put under this key; None where there is none, or what there is was damaged."""
        found = self._asked(lambda cache: cache.get(key))
        if found is None or len(found) <= _CHECK_BYTES:
            return None
        digest, check = found[:-_CHECK_BYTES], found[-_CHECK_BYTES:]
        return bytes(digest) if check == _check(key, digest) else None

    def put(self, key: bytes, digest: bytes) -> None:
        """It is remembered, if it can be."""
        value = digest + _check(key, digest)
        self._asked(lambda cache: cache.set(key, value))

    def renew_in_child(self) -> None:
        """After a fork: no lock of a thread that is not there; diskcache opens its own connections."""
        self._lock = threading.RLock()

    def close(self) -> None:
        """Connections are released."""
        with self._lock:
            cache, self._cache, self._is_usable = self._cache, None, False
        if cache is not None:
            cache.close()

    def _asked(self, what: Callable[[Any], _T]) -> _T | None:
        if not self._is_usable:
            return None
        try:
            cache = self._open()
            try:
                return what(cache)
            except (Timeout, sqlite3.OperationalError) as error:
                if isinstance(error, Timeout) or error.sqlite_errorcode in _HELD:
                    return None  # by another process, which is at it
                raise
        except Exception:  # whatever scribbles in the file make of it
            if not self._rebuild():
                return None
        try:
            return what(self._open())
        except Exception:
            self._is_usable = False
            return None

    def _open(self) -> _Cache:
        with self._lock:
            if self._cache is None:
                with suppress(FileExistsError):
                    os.mkdir(self._directory, 0o700)
                self._cache = _Cache(str(self._directory), disk=_BytesDisk, size_limit=_MOST_BYTES)
            return self._cache

    def _rebuild(self) -> bool:
        """What there was is gone; False where that cannot be, or was done before."""
        with self._lock:
            if self._is_rebuilt:
                return False
            self._is_rebuilt = True
            self._cache = None
            aside = self._directory.with_name(f"digests.broken.{os.getpid()}")
            try:
                os.rename(self._directory, aside)  # at once: others may be opening it
            except FileNotFoundError:
                return self._directory.parent.is_dir()
            except OSError:
                self._is_usable = False
                return False
            for each in self._directory.parent.glob("digests.broken.*"):
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each, ignore_errors=True)
                else:
                    each.unlink(missing_ok=True)
            return True


_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _check(key: bytes, digest: bytes) -> bytes:
    """Tells a row of ours from what damage made of it."""
    return blake3(key + digest).digest(_CHECK_BYTES)
