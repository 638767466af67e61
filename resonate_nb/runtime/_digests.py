"""Digests of what files hold. An unchanged file is not read again, in no process, for as long as that is provable.

Unchanged is what has the same path, device, inode, size, mtime and ctime, and had rested before it was read: a file
that changes twice within one tick of its file system's clock looks the same both times, as git's index knows.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.errors import UnfingerprintableError

from . import _config
from ._say import Line, live

RACY_MS = 2_000
"""A file that changed less than this before it was read may change again without its times showing it: the clocks of
file systems are coarse, that of FAT by two seconds."""
_CHUNK_BYTES = 8 << 20
_REMEMBERED_FROM = 1 << 20
"""Bytes from which on a digest outlives the process: to read less takes no longer than to ask."""
_LARGE_BYTES = 100_000_000
_KEPT = 50_000
_TRIES = 3
_SAID_AFTER = 1.0
_SAID_EVERY = 0.25


class Stamp(NamedTuple):
    """What tells one state of a file from another without reading it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


def stamp_of(found: os.stat_result) -> Stamp:
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


class Progress:
    """What is read for one answer, said while it takes long."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._line: Line | None = None
        self._next = self._clock.monotonic() + _SAID_AFTER
        self._files = 0

    def went_on(self, path: str, done: int, size: int) -> None:
        """So many bytes of a file have been read."""
        self._files += done >= size
        if (now := self._clock.monotonic()) < self._next:
            return
        self._next = now + _SAID_EVERY
        is_large = size > _LARGE_BYTES
        what = f"{done / 1e9:.1f} of {size / 1e9:.1f} GB of {os.path.basename(path)}" if is_large else ""
        files = f"{self._files:,} file{'s' * (self._files > 1)}" if self._files else ""
        text = f"reading {' and '.join(filter(None, (files, what)))}, to know whether anything has changed"
        if self._line is None:
            self._line = live(text)
        else:
            self._line.update(text)

    def end(self) -> None:
        """The answer is there."""
        if self._line is not None:
            self._line.end()


_known: OrderedDict[tuple[str, Stamp], str] = OrderedDict()
_unwritten: dict[tuple[str, Stamp], str] = {}
"""Those of large files that were read before there was a store to keep them beside."""


def digest_of(path: str, found: os.stat_result, progress: Progress | None = None, clock: Clock | None = None) -> str:
    """The digest of a regular file's content, 64 hex digits; `found` is what `os.stat` has just said of it.

    Can be interrupted while it reads. `clock` tells how long a file has rested.

    Raises:
        OSError: it cannot be read.
        UnfingerprintableError: it changes while it is read, each time.
    """
    stamp = stamp_of(found)
    if _unwritten and (memory := _config.digest_memory()) is not None:
        for (name, then), digest in list(_unwritten.items()):
            _unwritten.pop((name, then), None)
            memory.put(_key(name, then), bytes.fromhex(digest))
    if (known := _known.get((path, stamp))) is not None:
        return known
    is_large = stamp.size >= _REMEMBERED_FROM
    memory = _config.digest_memory() if is_large else None
    if memory is not None and (kept := memory.get(_key(path, stamp))) is not None:
        return _keep(path, stamp, kept.hex())
    clock = clock or SystemClock()
    for _ in range(_TRIES):
        begun = clock.now_ms()
        with open(path, "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                break
            digest, read_bytes = _read(file, path, before.st_size, progress)
            after = stamp_of(os.fstat(file.fileno()))
        stamp = stamp_of(before)
        if stamp != after:
            continue
        mtime, ctime = stamp.mtime_ns // 1_000_000, stamp.ctime_ns // 1_000_000
        # A time that was set to the future says nothing, and the other one cannot be set.
        has_rested = (ctime if mtime > begun else max(mtime, ctime)) <= begun - RACY_MS
        # What the system makes up while it is read has no size, and times that tell nothing.
        if has_rested and read_bytes == stamp.size:
            _keep(path, stamp, digest)
            if memory is not None:
                memory.put(_key(path, stamp), bytes.fromhex(digest))
            elif is_large:
                _unwritten[path, stamp] = digest
        return digest
    raise UnfingerprintableError(path, "file", "it changes while it is read")


def _read(file: BinaryIO, path: str, size: int, progress: Progress | None) -> tuple[str, int]:
    """The digest, and how many bytes it is of: not all of them where the file grows meanwhile."""
    # All cores for what is large; they take longer to begin than a small file takes to hash.
    content = blake3(max_threads=blake3.AUTO if size > _CHUNK_BYTES else 1)
    done = 0
    while chunk := file.read(_CHUNK_BYTES):
        content.update(chunk)
        done += len(chunk)
        if progress is not None:
            progress.went_on(path, done, size)
        if done > size > 0:
            break
    return content.hexdigest(), done


def _keep(path: str, stamp: Stamp, digest: str) -> str:
    _known[path, stamp] = digest
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return digest


def _key(path: str, stamp: Stamp) -> bytes:
    return blake3(repr((os.fsencode(os.path.realpath(path)), *stamp)).encode()).digest()
