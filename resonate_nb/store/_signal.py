"""Two words in a small mapped file: every process sees at once that something changed, without I/O.

The *change word* moves with each commit. Each writer stores a number that no one else ever stores (a random half of
its own, a count of its own) after its commit. There is no reading and adding, so no increment can be lost, and the
word cannot come back to what a waiter has seen: whoever compares after a commit sees it differ. A process killed
between its commit and its store loses that one wake-up; waiters look again at a slow tick of their own.

The *invalidation word* mirrors the invalidation counter of the database. A writer that raises the counter stores the
new number before it commits, and the old one again on a rollback, both under the database's write lock. So an entry
tagged with a counter read in the same snapshot as its row is stale only when the word differs from the tag. The word
may run ahead of the database (a killed writer): then entries miss until the next writer repairs it, never the reverse.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from types import TracebackType

from . import _locks

_SIZE_BYTES = 16
_CHANGE = 0
_INVALIDATION = 1
_ANOTHER = -1, -1
"""The identity of what is no file of ours."""
UNKNOWN = 2**64 - 1
"""An invalidation word that nothing is remembered under: whoever meets it has to look what has become of the store."""


class Signal:
    """The mapped words of one store directory. Reading one costs tens of nanoseconds."""

    def __init__(self, path: Path, *, is_shared: bool = True) -> None:
        """Map the file, making it if the store is new; words that are not shared lie in memory of this process."""
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            status = os.fstat(self._descriptor)
            self._file = status.st_dev, status.st_ino
            if status.st_size < _SIZE_BYTES:
                with self.lock():  # two processes may be at it
                    _fill_up(self._descriptor)
            self._map = mmap.mmap(self._descriptor if is_shared else -1, _SIZE_BYTES)
        except BaseException:
            os.close(self._descriptor)
            raise
        # Native 8-byte items, aligned: read and stored whole, never half.
        self._words = memoryview(self._map).cast("Q")
        self._next = int.from_bytes(os.urandom(4), "little") << 32

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the file; None when it has been unlinked: the store is gone, and only this is left.

        A file that somebody has cut is made whole, since to read beyond its end would end the process. One that is
        open in its place is nobody's of ours: code that makes a daemon closes all there is, and numbers are used again.
        """
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return _ANOTHER
        if (status.st_dev, status.st_ino) != self._file:
            return _ANOTHER
        if status.st_nlink == 0:
            return None
        if status.st_size < _SIZE_BYTES:
            _fill_up(self._descriptor)
            # What it was is lost. This says no to everything that is remembered, until the next writer puts it right.
            self._words[_INVALIDATION] = UNKNOWN
        return self._file

    def change_word(self) -> int:
        return self._words[_CHANGE]

    def invalidation_word(self) -> int:
        return self._words[_INVALIDATION]

    def move(self) -> None:
        """The change word holds a number that it never held before."""
        self._next += 1
        self._words[_CHANGE] = self._next

    def set_invalidation(self, number: int) -> None:
        """Call under the database's write lock only."""
        self._words[_INVALIDATION] = number

    def renew(self) -> None:
        """Numbers of our own again, after a fork has copied those of the parent."""
        self._next = int.from_bytes(os.urandom(4), "little") << 32

    def lock(self) -> SetupLock:
        """Excludes other processes while a store is set up or an owner registers; held for milliseconds."""
        return SetupLock(self._descriptor)

    def close(self) -> None:
        is_ours = self.identity() != _ANOTHER
        self._words.release()
        self._map.close()
        if is_ours:
            os.close(self._descriptor)


def _fill_up(descriptor: int) -> None:
    """The file has its size, and room on the disk: to store a word into a hole on a full disk would end the process."""
    size = os.fstat(descriptor).st_size
    os.pwrite(descriptor, bytes(max(0, _SIZE_BYTES - size)), size)


class SetupLock:
    """An exclusive lock on the signal file, for the length of a `with`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        _locks.hold(self._descriptor)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _locks.release(self._descriptor)
