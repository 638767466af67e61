"""What one process has open of a store directory: connections, words, owner, locks; and what a fork makes of them."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from resonate_nb.clock import Clock
from resonate_nb.errors import StoreError

from . import _failures, _opening, _place
from ._aside import Aside
from ._clear_up import clear_up
from ._filesystem import FileSystem, file_system_of
from ._forks import tell_of_forks
from ._group import GroupSync
from ._owners import Owners
from ._place import DATABASE, SIGNAL
from ._pool import WRITE_BUSY_SECONDS, Link, Pool
from ._port import Durability
from ._presence import Presence
from ._signal import Signal
from ._sync import sync_names
from ._turn import Turn

if TYPE_CHECKING:
    from ._files import ValueFiles

_BUSY_TRIES = 60
"""Waits of half a second each for the write lock, so that an interrupt is heard between two of them."""
_LOOK_SECONDS = 0.1
"""How often the link count is looked at."""
_FORK_SECONDS = 5.0
"""How long a fork waits for another thread to end its transaction."""


class Directory:
    """The open parts of a store. Raises StoreError with the way out whenever one of them fails."""

    def __init__(
        self,
        path: Path,
        durability: Durability,
        clock: Clock,
        file_system: FileSystem | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Make what is missing, and map the words. `set_up` must follow. The system is asked for a file system that is
        not given; `warn` is told what is found damaged, and what was done."""
        file_system = file_system or file_system_of(path)
        is_shared = not file_system.is_network
        if not is_shared:
            durability = "full"  # the other two are about the log that there is none of
        folders = (path / _place.OWNERS, path, path.parent)
        _place.make(path)
        self.path = path
        # For this user alone wherever it lies; what SQLite puts beside it takes its mode. Only where there is none:
        # closing a descriptor of a database that is in use would release SQLite's locks on it.
        with suppress(FileExistsError):
            os.close(os.open(path / DATABASE, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        self.values = path / _place.VALUES
        self._log = path / f"{DATABASE}-wal"
        self.signal = Signal(path / SIGNAL, is_shared=is_shared)
        self.owners = Owners(path / _place.OWNERS, clock)
        self.pool = Pool(path / DATABASE, durability, self.look_now, journal="wal" if is_shared else "delete")
        self.lock = threading.RLock()
        """Held by the one thread of this process that writes. Re-entrant only so that a second transaction of the
        same thread is refused (see `is_writing`) instead of waiting for itself."""
        self.is_writing = False
        self.forks = 0
        """How many forks lie between the opening process and this one; a transaction of another number is not ours."""
        self.no_fence_at = -1
        """The invalidation counter under which the store was seen to hold no fence; -1 when it was not."""
        self.news: list[str] = []
        """What was found damaged at the opening, and what was done: sentences for people."""
        self._durability = durability
        self._group = GroupSync(path, self._log, self.values, folders, clock) if durability == "adaptive" else None
        self._folders = folders if durability == "full" else ()
        """Which folders' names are to be synced: SQLite syncs what is in its files, not that the store is there."""
        self.clock = clock
        self._presence = Presence(path, self.signal)
        self._damage = ""
        """What SQLite has found damaged since the database was last known to be whole."""
        self._warn = warn
        self._next_look = float("-inf")
        self._is_closed = False
        self._files: ValueFiles | None = None
        self._undeleted: list[str] = []
        self._setup_lock = threading.RLock()
        self._forked_while_busy = False
        self._held_for_fork = ExitStack()
        self._turn = None if is_shared else Turn.of(path, file_system, clock)
        """Where one process at a time may use the store: that this one does."""
        _OPEN.add(self)

    def set_up(self) -> None:
        """The tables are there, the words are right, what dead processes left is cleared up, and we are an owner.

        Other openers are kept out meanwhile: switching a new database to write-ahead logging, for one, is not
        something that two processes can do at once.
        """
        if self._turn is not None:
            self._turn.look()
        with self.lock, self._setup_lock, self.signal.lock():
            try:
                self._open()
            except sqlite3.DatabaseError as error:
                if not _failures.is_damage(error):
                    raise
                # Met on the way: the mark makes the next try read all of it.
                _opening.mark(self.path, str(error))
                self._open()
            self._is_whole()
            self.owners.register()
            # At each opening: whoever made the store may have been killed before, or was not asked to sync.
            sync_names(self._folders)
            self.signal.move()

    def _open(self) -> None:
        try:
            link, invalidation = _opening.opened(self)
            self.signal.set_invalidation(invalidation)
            clear_up(self, link)
            link.cursor.execute("COMMIT")
        except BaseException:
            self.pool.drop_writer()
            raise

    def salvage_now(self, why: str) -> tuple[bool, str]:
        """Whether the damaged database was replaced by what can be read of it; and what to say of that."""
        with self.lock, self._setup_lock, self.signal.lock():
            try:
                if self.is_writing or not self.pool.pause():
                    _opening.mark(self.path, why)
                    return False, "not yet, since this process is using it just now; the next start does it"
                if self._presence.is_set_aside():
                    self._is_whole()
                    return True, (
                        f"the database of the store {str(self.path)!r} was damaged, and another process has put what "
                        "it could read into a new one."
                    )
                aside = Aside(self.path, self.clock)
                link, invalidation, said = _opening.salvaged(self, aside, why)
                self.signal.set_invalidation(invalidation)
                link.cursor.execute("COMMIT")
                self._is_whole()
            except BaseException:
                self.pool.drop_writer()
                raise
            finally:
                self.pool.resume()
            self.signal.move()
        return True, said

    def _heal(self) -> None:
        """What can be read of a damaged database goes on in a new one, so that no kernel need be restarted for it.

        Nothing while this process is reading from it or writing to it: whoever meets the damage again is told.
        """
        from ._check import damage

        self._damage = ""
        try:
            link = self.pool.take()
            try:
                found = damage(link.connection)
            finally:
                self.pool.drop(link)
            if found:
                is_whole, said = self.salvage_now(found[0])
                if is_whole:
                    self._warn(said)
        except StoreError:
            raise
        except (sqlite3.Error, OSError) as error:
            raise self.failure(error) from error

    def _follow(self) -> None:
        """This process goes on with the database that is there now. Nothing while it is reading from the other one."""
        with self.lock, self._setup_lock, self.signal.lock():
            try:
                if not self.is_writing and self.pool.pause():
                    self._is_whole()
            finally:
                self.pool.resume()

    def _has_lost_log(self) -> bool:
        """Whether somebody has deleted the log that our writer has open: SQLite itself does that with the last one."""
        return self.pool.journal == "wal" and self.pool.writer_if_open is not None and not self._log.exists()

    def _save_log(self) -> None:
        """What was in the deleted log is in the database, and the next connection makes a new log.

        Raises LostStoreError where somebody else has the old one open: two logs of one database would ruin it.
        """
        with self.lock, self._setup_lock, self.signal.lock():
            writer = self.pool.writer_if_open
            if self.is_writing or writer is None or not self._has_lost_log():
                return
            try:
                is_busy, frames, copied = writer.cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if is_busy or frames != copied or not self.owners.is_alone or not self.pool.pause():
                    raise _failures.replaced(self.path, self._log.name)
            except sqlite3.Error as error:
                raise _failures.translated(error, self.path) from error
            finally:
                self.pool.resume()
        self._warn(
            f"{self._log.name!r} of the store {str(self.path)!r} was deleted while this process was using it. Nothing "
            "is lost, since it was still open here; a process that is killed before it notices loses what was in it."
        )

    def forget_database(self) -> None:
        """It is about to be another one."""
        self._presence.forget_database()

    def _is_whole(self) -> None:
        """The database that is there now is ours, and whole."""
        _opening.unmark(self.path)
        self._presence.note_database()
        self.no_fence_at = -1

    def look(self) -> None:
        """Raises StoreError if the handle is of no use any more. Asks the system at most ten times a second."""
        if self.clock.monotonic() >= self._next_look:
            self.look_now(is_idle=True)
        if self._damage:
            self._heal()

    def look_now(self, *, is_idle: bool = False) -> None:
        """As `look`, and asks at once. A thread that is in the middle of nothing may go on with the database that
        another process has put in the place of a damaged one."""
        self._next_look = float("-inf")
        if self._is_closed:
            raise _failures.closed(self.path)
        if self._forked_while_busy:
            raise _failures.forked(self.path)
        if is_idle and self._presence.is_set_aside():
            self._follow()
        if (gone := self._presence.gone()) is not None:
            raise gone
        if self._has_lost_log():
            if not is_idle:  # about to connect, perhaps, which would make another log
                raise _failures.replaced(self.path, self._log.name)
            self._save_log()
        if self._turn is not None:
            self._turn.look()
        self._next_look = self.clock.monotonic() + _LOOK_SECONDS

    def failure(self, error: sqlite3.Error | OSError) -> StoreError:
        """What to raise for a failure that reached the door."""
        if not self._is_closed and (gone := self._presence.gone()) is not None:
            return gone
        if _failures.is_damage(error):
            _opening.mark(self.path, str(error))
            self._damage = str(error)
        return _failures.translated(error, self.path)

    def acquire(self, pause: Callable[[], object] | None) -> None:
        """This process's lock for writing is ours; `pause` is called every half second until it is."""
        while not self.lock.acquire(timeout=WRITE_BUSY_SECONDS):
            if pause is not None:
                pause()

    def begin(self, link: Link, pause: Callable[[], object] | None = None) -> None:
        """The database's write lock is ours; `pause` is called every half second until it is."""
        self.execute(link, pause, "BEGIN IMMEDIATE")

    def execute(
        self, link: Link, pause: Callable[[], object] | None, statement: str, parameters: Sequence[object] = ()
    ) -> None:
        """A statement that takes the write lock is carried out; `pause` is called every half second until it is."""
        for _ in range(_BUSY_TRIES - 1):
            try:
                link.cursor.execute(statement, parameters)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
            if pause is not None:
                pause()
        link.cursor.execute(statement, parameters)

    def files(self) -> ValueFiles:
        """The value files. Imported with the first of them: diskcache costs more than the rest of the room."""
        if self._files is None:
            from ._files import ValueFiles

            self._files = ValueFiles(self.values, self.owner, self._durability, self._group)
        return self._files

    def remove_files(self, names: list[str]) -> None:
        """Unlink after a commit. What is refused (an open file on some systems) is tried again after the next one,
        and cleared up by a later opener at the latest."""
        waiting, self._undeleted = [*self._undeleted, *names], []
        for name in waiting:
            try:
                self.files().remove(name)
            except OSError:
                self._undeleted.append(name)

    def owner(self) -> str:
        """This process; a forked child becomes an owner of its own at its first question."""
        own = self.owners.own
        if own is not None:
            return own
        self.look_now()
        try:
            with self._setup_lock:
                return self.owners.register()
        except OSError as error:
            raise self.failure(error) from error

    def committed(self) -> None:
        """A transaction of this process has been committed: others are told, and a sync is owed where one is due."""
        self.signal.move()
        if self._group is not None:
            self._group.owe_commit()

    def owed(self, seconds: float) -> Callable[[], None] | None:
        """See the port."""
        return None if self._group is None else self._group.owed(seconds)

    def close(self) -> None:
        """Idempotent. Raises StoreError, with everything closed, when what is owed cannot be synced."""
        with self.lock:
            if self._is_closed:
                return
            if self.is_writing:
                raise RuntimeError("a store cannot be closed inside a transaction of its own")
            self._is_closed = True
            self._next_look = float("-inf")
            _OPEN.discard(self)
            try:
                if self._group is not None:
                    self._group.close()
            finally:
                self.pool.close()
                self.owners.close()
                self.signal.close()
                if self._turn is not None:
                    self._turn.end()

    def before_fork(self) -> None:
        """No thread writes and no connection is open, until `after_fork`; else the child will refuse the store."""
        is_quiet = True
        for lock in (self.lock, self._setup_lock):
            # Re-entrant: a thread that forks inside its own transaction gets the first one at once.
            if lock.acquire(timeout=_FORK_SECONDS):
                self._held_for_fork.callback(lock.release)
            else:
                is_quiet = False
        self._forked_while_busy = not (is_quiet and not self.is_writing and self.pool.pause())
        self._next_look = float("-inf")

    def after_fork_in_parent(self) -> None:
        self._forked_while_busy = False
        self.pool.resume()
        self._held_for_fork.close()

    def after_fork_in_child(self) -> None:
        """The locks, connections and owner are this process's own: none yet."""
        self.forks += 1
        self.lock = threading.RLock()
        self.is_writing = False
        self._setup_lock = threading.RLock()
        self._held_for_fork = ExitStack()
        self._undeleted = []
        self.pool.reset_in_child()
        if self._group is not None:
            self._group.reset_in_child()
        self.owners.close()
        self.signal.renew()
        if self._turn is not None:
            self._turn.forget()


_OPEN: set[Directory] = set()
"""Kept until they are closed: an owner whose handle was merely lost still lives, and a child must let go of it."""

tell_of_forks(_OPEN)
