"""A store that this process may read and not write: another user's, one on a read-only file system, an archive.

SQLite cannot read a database with a write-ahead log from a folder in which it cannot write, unless it is told that the
file never changes (``immutable``), and then it leaves the log out: the latest generations would be missing. So
``immutable`` is used only where there is no log, or an empty one. Else database and log are copied to a temporary
folder and read there. Should somebody else be writing to the store, each read looks whether the files have changed,
and copies anew if so.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import NoReturn

from resonate_nb.clock import Clock
from resonate_nb.errors import DamagedStoreError, StoreError

from . import _failures, _place, _rows, _schema
from ._aside import Aside
from ._check import Judge, check
from ._forks import tell_of_forks
from ._owners import Owners, new_owner
from ._place import DATABASE
from ._pool import Pool
from ._port import Extent, OwnerInfo, Problem, StoredFile
from ._transaction import SqliteReader
from ._values import extent_of

_LOGS = ("-wal", "-journal")
_PLACES = (None, "/dev/shm")
"""Where a copy may lie: with other temporary files, else in memory, where the system has such a place."""
_COPIES = 10
"""How often a copy is begun again because the files have changed under it."""
_UNKNOWN = 2**64 - 1
"""An invalidation word that nothing is remembered under."""
_WORD_BYTES = 16

Stamp = tuple[tuple[int, int, int] | None, ...]


class _Others(Owners):
    """Owners whose files this process may not even be allowed to read; such a one says nothing."""

    def is_alive(self, owner: str) -> bool:
        try:
            return super().is_alive(owner)
        except PermissionError:
            return False

    def has_let_go(self, owner: str, task: str) -> bool:
        try:
            return super().has_let_go(owner, task)
        except PermissionError:
            return False

    def _about(self, owner: str) -> dict[str, object]:
        try:
            return super()._about(owner)
        except PermissionError:
            return {}


class View:
    """One state of the database, open for reading: the file itself, or a copy of it."""

    def __init__(self, store: ReadOnlyStore, database: Path, mode: str, stamp: Stamp, word: int) -> None:
        self.path = store.path
        self.values = store.path / _place.VALUES
        self.owners = store.owners
        self.pool = Pool(database, "process", lambda: None, mode=mode)
        self.stamp = stamp
        self.word = word
        self.forks = 0
        self.no_fence_at = -1
        self.invalidation = 0
        link = self.pool.take()
        try:
            schema, self.invalidation = link.cursor.execute(_rows.META).fetchone() or (0, 0)
        finally:
            self.pool.drop(link)
        if schema != _schema.SCHEMA:
            raise _schema.refused(schema, self.path)

    def look(self) -> None:
        """Nothing to ask: whoever gave this view has looked."""

    def failure(self, error: sqlite3.Error | OSError) -> StoreError:
        return _failures.translated(error, self.path)


class ReadOnlyStore:
    """The port, as far as it can be had without writing."""

    is_read_only = True

    def __init__(self, path: Path, clock: Clock) -> None:
        """Opens it. Raises StoreError when not even reading is possible."""
        self._path = path
        self._clock = clock
        self._owner = new_owner()
        self.owners = _Others(path / _place.OWNERS, clock)
        self.news: list[str] = []
        self._words = _mapped(path / _place.SIGNAL)
        self._lock = threading.RLock()
        self._copies: list[Callable[[], object]] = []
        self._is_closed = False
        self._view: View | None = None
        _OPEN.add(self)
        self._current()

    @property
    def path(self) -> Path:
        return self._path

    @property
    def owner(self) -> str:
        return self._owner

    def read(self) -> SqliteReader:
        return SqliteReader(self._current())

    def write(self, pause: Callable[[], object] | None = None, *, synced: bool = True) -> NoReturn:
        raise _failures.read_only(self._path)

    def at_once(self, *_: object, synced: bool = True) -> NoReturn:
        raise _failures.read_only(self._path)

    def put_file(self, chunks: Iterable[bytes]) -> StoredFile:
        raise _failures.read_only(self._path)

    def drop_file(self, name: str) -> None:
        raise _failures.read_only(self._path)

    def repair(self) -> list[Problem]:
        raise _failures.read_only(self._path)

    def read_file(self, name: str, size_bytes: int) -> bytes:
        from ._files import ValueFiles

        try:
            return ValueFiles(self._path / _place.VALUES, lambda: self._owner, "process", None).read(name, size_bytes)
        except OSError as error:
            raise _failures.translated(error, self._path) from error

    def change_word(self) -> int:
        self._look()
        return self._word()

    def invalidation_word(self) -> int:
        """The counter of the state that is being read, until somebody else has written."""
        self._look()
        view = self._view
        return _UNKNOWN if view is None or self._word() != view.word else view.invalidation

    def is_alive(self, owner: str) -> bool:
        return owner == self._owner or self.owners.is_alive(owner)

    def is_stopped(self, owner: str) -> bool:
        return False

    def let_go(self, id: str, version: int) -> None:
        raise _failures.read_only(self._path)

    def has_let_go(self, owner: str, id: str, version: int) -> bool:
        return self.owners.has_let_go(owner, f"{id}|{version}")

    def describe(self, owner: str) -> OwnerInfo:
        return self.owners.describe(owner)

    def check(self, judge: Judge | None = None) -> list[Problem]:
        try:
            return check(self._current(), judge)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise _failures.translated(error, self._path) from error

    def extent(self) -> Extent:
        return extent_of(self._path)

    def owed(self, seconds: float) -> None:
        self._look()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            _OPEN.discard(self)
            self._drop()

    def _look(self) -> None:
        if self._is_closed:
            raise _failures.closed(self._path)

    def _word(self) -> int:
        return 0 if self._words is None else self._words[0]

    def _current(self) -> View:
        """The view of the files as they are now."""
        self._look()
        try:
            if (view := self._fresh()) is None:
                with self._lock:
                    if (view := self._fresh()) is None:
                        view = self._view = self._opened()
            return view
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, StoreError):
                raise
            raise _failures.translated(error, self._path) from error

    def _fresh(self) -> View | None:
        view = self._view
        return view if view is not None and view.stamp == self._stamp() and view.word == self._word() else None

    def _stamp(self) -> Stamp:
        """What changes when the database does."""
        return tuple(_stamp_of(self._path / f"{DATABASE}{piece}") for piece in ("", *_LOGS))

    def _opened(self) -> View:
        # The last copy stays until there is another: somebody may be about to read it.
        self._drop(keep=1)
        stamp, word = self._stamp(), self._word()
        if stamp[0] is None:
            raise _failures.deleted(self._path)
        if not any(log is not None and log[1] for log in stamp[1:]):
            try:
                with closing(sqlite3.connect(_uri(self._path / DATABASE), uri=True)) as connection:
                    schema = connection.execute(_rows.META).fetchone()
                if schema is not None and schema[0] >= _schema.SCHEMA:
                    return View(self, self._path / DATABASE, "ro&immutable=1", stamp, word)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                if not _failures.is_damage(error) and getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_ERROR:
                    raise
            # Damaged, without tables yet, or of an older package: mended, made, or brought over, in the copy.
        failure: Exception | None = None
        for place in _PLACES:
            try:
                folder = Path(tempfile.mkdtemp(prefix="resonate_nb-", dir=place))
            except OSError as error:
                failure = error
                continue
            self._copies.append(weakref.finalize(self, _remove, folder, os.getpid()))
            try:
                stamp, word = self._copied(folder)
                self._prepare(folder / DATABASE)
                return View(self, folder / DATABASE, "rw", stamp, word)
            except (sqlite3.Error, OSError) as error:
                # No room there either, perhaps: a full disk may be why the store is only read.
                self._copies.pop()()
                failure = error
        assert failure is not None
        raise failure

    def _copied(self, folder: Path) -> tuple[Stamp, int]:
        """Database and log are in the folder, as they were at one instant."""
        for _ in range(_COPIES):
            stamp, word = self._stamp(), self._word()
            for piece in ("", *_LOGS):
                (folder / f"{DATABASE}{piece}").unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    shutil.copyfile(self._path / f"{DATABASE}{piece}", folder / f"{DATABASE}{piece}")
            if stamp == self._stamp():
                return stamp, word
        raise StoreError(
            f"the store {str(self._path)!r} is read-only here, and another process writes to it faster than it can "
            "be copied. Try again when that process rests."
        )

    def _prepare(self, copied: Path) -> None:
        """The copy is whole and of our schema."""
        try:
            with closing(sqlite3.connect(copied, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                _schema.prepare(connection, self._path)
                connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeDecodeError, DamagedStoreError) as error:
            if not _failures.is_damage(error):
                raise
            from ._salvage import salvage

            found = salvage(copied, Aside(copied.parent, self._clock), self._clock, journal="wal")
            self.news.append(
                f"the database of the store {str(self._path)!r} is damaged ({error}), and the store is read-only: "
                f"{found.promises:,} promises can be read, and nothing was changed there."
            )

    def _drop(self, keep: int = 0) -> None:
        """The view is closed, and all copies but the last `keep` are gone; who is reading one reads on."""
        if self._view is not None:
            self._view.pool.close()
            self._view = None
        while len(self._copies) > keep:
            self._copies.pop(0)()

    def before_fork(self) -> None:
        self._lock.acquire()
        if self._view is not None:
            self._view.pool.pause()

    def after_fork_in_parent(self) -> None:
        if self._view is not None:
            self._view.pool.resume()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """A copy is its maker's, who removes it: this process makes one of its own."""
        self._lock = threading.RLock()
        self._owner = new_owner()
        if self._view is not None:
            self._view.pool.reset_in_child()
            self._view.forks += 1
            self._view = None
        self._copies = []


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _uri(database: Path) -> str:
    return f"{database.as_uri()}?mode=ro&immutable=1"


def _mapped(file: Path) -> memoryview | None:
    """The words that writers move, where they can be read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return memoryview(mmap.mmap(descriptor, _WORD_BYTES, access=mmap.ACCESS_READ)).cast("Q")
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)


def _remove(folder: Path, pid: int) -> None:
    if pid == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)


_OPEN: weakref.WeakSet[ReadOnlyStore] = weakref.WeakSet()

tell_of_forks(_OPEN)
