"""Value files: bytes too large for a row, in one flat directory, complete or not there.

A file is written under a name that ends in ``.part``, renamed, and with that complete: a name that a row may carry
stands for a whole file only. Where it is synced at once, that is before and after the renaming: bytes, then name. The
name begins with the owner that wrote it, so that what a dead process left behind can be told from what a living one is
about to name in a row.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from diskcache import Disk
from diskcache.core import MODE_BINARY, UNKNOWN

from resonate_nb.errors import NotStoredError

from ._group import GroupSync
from ._port import Durability, StoredFile
from ._sync import sync_directory, sync_file
from ._values import PART, is_value_name

ALONE_BYTES = 1_000_000
"""Under ``adaptive`` a file of this size is synced before its row is committed, a smaller one with the group."""
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What says nothing about the file: its value need not be computed again for it."""
_SYNCED_FROM: dict[Durability, float] = {"full": 0, "adaptive": ALONE_BYTES, "process": math.inf}


class ValueDisk(Disk):  # type: ignore[misc]  # diskcache carries no types
    """diskcache's disk, made to store bytes and nothing else.

    As it comes it would pickle what it does not know (a bytearray, in silence), leave half a file after a failed
    write, spread files over folders, and remove folders that have become empty.
    """

    def __init__(self, directory: Path, owner: Callable[[], str], *, synced_from: float) -> None:
        """Files of `synced_from` bytes and more are on the medium, name and all, when they are complete."""
        super().__init__(str(directory), min_file_size=0)
        self._owner = owner
        self._synced_from = synced_from

    def put(self, key: object) -> tuple[object, bool]:
        raise TypeError("value files have no keys")

    def get(self, key: object, raw: bool) -> object:
        raise TypeError("value files have no keys")

    def filename(self, key: object = UNKNOWN, value: object = UNKNOWN) -> tuple[str, str]:
        """A name that was never used, and the full path of it."""
        name = f"{self._owner()}.{os.urandom(12).hex()}"
        return name, os.path.join(self._directory, name)

    def store(self, value: object, read: bool = False, key: object = UNKNOWN) -> tuple[int, int, str, None]:
        """The bytes, or the chunks of bytes, are a complete file; returns size, mode, name and no inline value."""
        if isinstance(value, bytes):
            chunks: Iterator[object] = iter((value,))
        elif isinstance(value, (str, bytearray, memoryview)) or not isinstance(value, Iterable):
            raise TypeError(f"a value file takes bytes or an iterable of bytes, not {type(value).__qualname__}")
        else:
            chunks = iter(value)
        name, full_path = self.filename()
        return self._write(full_path, chunks, "xb"), MODE_BINARY, name, None

    def _write(self, full_path: str, iterator: Iterator[Any], mode: str, encoding: None = None) -> int:
        part = full_path + PART
        try:
            # Unlike diskcache we make no directory: if it is gone the store is gone, and that must be said.
            with open(part, mode, buffering=0) as writer:
                size = 0
                for chunk in iterator:
                    if not isinstance(chunk, bytes):
                        raise TypeError(f"a value file takes chunks of bytes, not {type(chunk).__qualname__}")
                    size += len(chunk)
                    _write_all(writer.fileno(), chunk)
                if size >= self._synced_from:
                    sync_file(writer.fileno())
            os.rename(part, full_path)
            if size >= self._synced_from:
                sync_directory(Path(self._directory))
        except BaseException:
            for name in (part, full_path):
                if os.path.exists(name):
                    os.unlink(name)
            raise
        return size

    def fetch(self, mode: int, filename: str, value: object = None, read: bool = False) -> bytes:
        """The bytes of a file. Raises OSError."""
        with open(os.path.join(self._directory, filename), "rb", buffering=0, opener=_open_at_once) as reader:
            return reader.readall() or b""

    def remove(self, file_path: str) -> None:
        """The file is gone, and its directory stays."""
        Path(self._directory, file_path).unlink(missing_ok=True)


class ValueFiles:
    """The files of one store, in the words of the port."""

    def __init__(
        self, directory: Path, owner: Callable[[], str], durability: Durability, group: GroupSync | None
    ) -> None:
        self._disk = ValueDisk(directory, owner, synced_from=_SYNCED_FROM[durability])
        self._group = group

    def put(self, chunks: Iterable[bytes]) -> StoredFile:
        size, _, name, _ = self._disk.store(chunks)
        if self._group is not None and size < ALONE_BYTES:
            self._group.owe_file(name)
        return StoredFile(name, size)

    def read(self, name: str, size_bytes: int) -> bytes:
        if not is_value_name(name):
            # A row of a store that somebody else made must not lead us out of the directory.
            raise NotStoredError(f"{name!r} is not the name of a value file")
        try:
            data = self._disk.fetch(MODE_BINARY, name)
        except FileNotFoundError:
            raise NotStoredError(f"the value file {name!r} is missing") from None
        except OSError as error:
            if error.errno in _PASSING:
                raise
            raise NotStoredError(f"the value file {name!r} cannot be read ({error.strerror})") from error
        if len(data) != size_bytes:
            raise NotStoredError(f"the value file {name!r} has {len(data)} bytes, and its row says {size_bytes}")
        return data

    def remove(self, name: str) -> None:
        if is_value_name(name):
            self._disk.remove(name)


def _open_at_once(path: str, flags: int) -> int:
    """What is no file of ours, a pipe for one, is not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _write_all(descriptor: int, data: bytes) -> None:
    """All of it is written; one call may write less (Linux stops at 2 GiB)."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
