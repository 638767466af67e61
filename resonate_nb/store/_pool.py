"""Connections of one process to one database: handed out one reader each, and closed around a fork."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from ._port import Durability

_READ_BUSY_SECONDS = 30.0
WRITE_BUSY_SECONDS = 0.5
"""Short, since the store asks again, and hears an interrupt in between."""
_DRAIN_SECONDS = 5.0
"""How long a fork waits for other threads to end what they are reading or writing."""

_ABANDONED: list[Link] = []
"""Connections that a forked child inherited in use. They are the parent's: closing them here would write to its
database, so they are kept from being collected."""


class Link:
    """A connection with its cursors, which are used over and over: making one costs as much as a small SELECT."""

    __slots__ = ("__weakref__", "connection", "cursor", "is_synced", "snapshot", "thread")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.snapshot = connection.cursor()
        self.thread = 0
        self.is_synced = True
        """Under ``full``: whether its commits are synced."""

    def close(self) -> None:
        """Idempotent."""
        with suppress(sqlite3.ProgrammingError):  # it is closed already
            # By itself a closed connection lives on, its transaction and all, while a cursor is half read that the
            # frames of somebody's traceback keep.
            if self.connection.in_transaction:
                with suppress(sqlite3.Error):  # a disk that fails undoes it by itself
                    self.connection.rollback()
            self.cursor.close()
            self.snapshot.close()
            self.connection.close()


class Pool:
    """All connections of this process to one database."""

    def __init__(
        self,
        path: Path,
        durability: Durability,
        before_connect: Callable[[], None],
        *,
        mode: str = "rwc",
        journal: str = "wal",
    ) -> None:
        """`mode` is that of SQLite's file names; only ``rwc`` makes the file, and the journal be of this kind."""
        self._path = path
        self._durability = durability
        self._before_connect = before_connect
        self.journal = journal
        self._mode = mode
        # The lock is taken by itself, not through the condition, whose `with` an interrupt can leave locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._idle: list[Link] = []
        self._readers: WeakSet[Link] = WeakSet()
        """Those that are idle, and those that somebody reads with. One that is lost by an interrupt closes itself."""
        self._writer: Link | None = None
        self._paused_by: int | None = None
        self._is_closed = False

    def take(self) -> Link:
        """A connection to read with, for this caller alone until `give` or `drop`."""
        # The way of almost every read takes no lock: pop and append are atomic. `pause` misses a link that is not
        # idle, and waits for it.
        try:
            link = self._idle.pop()
        except IndexError:
            return self._take_slowly()
        link.thread = threading.get_ident()
        if self._paused_by is not None and self._paused_by != link.thread:
            self.give(link)
            return self._take_slowly()
        return link

    def give(self, link: Link) -> None:
        """The connection is free for others."""
        self._idle.append(link)
        if self._paused_by is not None or self._is_closed:
            self._give_slowly()

    def drop(self, link: Link) -> None:
        """The connection, which may be damaged, is closed and not used again."""
        with self._lock:
            self._readers.discard(link)
            self._changed.notify_all()
        link.close()

    def writer(self, synced: bool = True) -> Link:
        """The one connection that writes. Call while holding the store's lock for writing.

        Under ``full`` a commit through it is synced, if it is to be.
        """
        writer = self._writer
        if writer is None:
            # With a rollback journal a commit waits for the readers of this process, and is not asked again.
            busy_seconds = WRITE_BUSY_SECONDS if self.journal == "wal" else _READ_BUSY_SECONDS
            writer = self._writer = self._connect(busy_seconds)
        if self._durability == "full" and writer.is_synced is not synced and self.journal == "wal":
            writer.connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")
            writer.is_synced = synced
        return writer

    @property
    def writer_if_open(self) -> Link | None:
        return self._writer

    def drop_writer(self) -> None:
        """Closed, which rolls back what is open. Call while holding the store's lock for writing."""
        if self._writer is not None:
            self._writer.close()  # first: whoever is interrupted in it still finds it
            self._writer = None

    def close(self) -> None:
        """All idle connections are closed; one that is being read with is closed when it is given back.

        Call while holding the store's lock for writing.
        """
        self._is_closed = True
        self._close_idle()
        self.drop_writer()

    def pause(self) -> bool:
        """No connection is open, nor will be until `resume`: what a fork must see. False if one is in use and stays so.

        SQLite keeps its locks per process: a child that opens the database while it has inherited an open connection
        is taken to hold the parent's locks, and the write-ahead log can be deleted under it when the parent ends.
        Call while holding the store's lock for writing.
        """
        me = threading.get_ident()
        with self._lock:
            while self._paused_by is not None and self._paused_by != me:
                self._changed.wait()
            self._paused_by = me
            if not any(link.thread == me for link in self._readers if link not in self._idle):
                self._changed.wait_for(lambda: len(self._idle) == len(self._readers), _DRAIN_SECONDS)
            self._close_idle()
            is_quiet = not self._readers
        self.drop_writer()
        return is_quiet

    def resume(self) -> None:
        """Connections can be had again. Nothing if it was not this thread that paused."""
        with self._lock:
            if self._paused_by == threading.get_ident():
                self._paused_by = None
                self._changed.notify_all()

    def reset_in_child(self) -> None:
        """After a fork, in the child: nothing of the parent's is used, and nothing of it is closed."""
        _ABANDONED.extend(self._readers)
        if self._writer is not None:
            _ABANDONED.append(self._writer)
        self._idle = []
        self._readers = WeakSet()
        self._writer = None
        self._paused_by = None
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def _take_slowly(self) -> Link:
        me = threading.get_ident()
        with self._lock:
            while self._paused_by is not None and self._paused_by != me:
                self._changed.wait()
            link = self._connect(_READ_BUSY_SECONDS)
            link.thread = me
            self._readers.add(link)
            return link

    def _give_slowly(self) -> None:
        with self._lock:
            if self._is_closed:
                self._close_idle()
            self._changed.notify_all()

    def _close_idle(self) -> None:
        with self._lock:
            while self._idle:
                link = self._idle.pop()
                self._readers.discard(link)
                link.close()

    def _connect(self, busy_seconds: float) -> Link:
        self._before_connect()
        # Only the first one may make the file: a database that was deleted under us must not come back empty.
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode={self._mode}",
            uri=True,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if self._mode == "rwc":
                self._set_journal(connection)
                self._mode = "rw"
            # Grows only as pages are read: 8 MB hold the upper levels of a store of a million promises.
            connection.execute("PRAGMA cache_size = -8000")
            if self._durability == "full":
                connection.execute("PRAGMA synchronous = FULL")
            else:
                # In WAL mode a commit makes no sync; only a checkpoint does, so that a power cut cannot tear the file.
                connection.execute("PRAGMA synchronous = NORMAL")
            if sys.platform == "darwin":
                # A checkpoint that is only handed to the drive could be lost when the log it came from is overwritten.
                connection.execute("PRAGMA checkpoint_fullfsync = ON")
                if self._durability == "full":
                    connection.execute("PRAGMA fullfsync = ON")
        except UnicodeDecodeError as error:
            # See `is_damage`; what opens a database knows SQLite's own errors only.
            connection.close()
            damage = sqlite3.DatabaseError("its tables make no sense")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage from error
        except BaseException:
            connection.close()
            raise
        return Link(connection)

    def _set_journal(self, connection: sqlite3.Connection) -> None:
        if self.journal != "wal":
            # Alone, SQLite keeps the index of a log that is still there in its own memory, not in mapped memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        (mode,) = connection.execute(f"PRAGMA journal_mode = {self.journal}").fetchone()
        if mode != self.journal:
            raise sqlite3.OperationalError(
                f"the journal {self.journal!r} is not possible there (but {mode!r} is); a network file system?"
            )
        if self.journal != "wal":
            connection.execute("PRAGMA locking_mode = NORMAL")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # only now does it let go
            # The index of a log that was there, which nobody has read.
            self._path.with_name(f"{self._path.name}-shm").unlink(missing_ok=True)
