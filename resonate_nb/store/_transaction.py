"""Reading and writing one SQLite store: a snapshot, and a transaction that is all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import assert_never

from resonate_nb.protocol import Deleted, Delta, Inserted, Leased, Promise, Settled, join_id, split_id

from . import _failures, _query, _rows, _schema
from ._directory import Directory
from ._opened import Readable
from ._pool import Link
from ._port import Ahead, Attempt, Query


class _Rows:
    """Look-ups through one connection."""

    __slots__ = ("_directory", "_forks", "_invalidation", "link")

    _directory: Readable
    _forks: int
    """How many forks the store had seen when this began: in a forked child it is the parent's business."""
    _invalidation: int
    link: Link

    @property
    def invalidation(self) -> int:
        return self._invalidation

    def get(self, id: str) -> Promise | None:
        return self._one(_rows.LOOK_UP, split_id(id))

    def is_acquired(self, id: str, version: int) -> bool:
        return self.link.cursor.execute(_rows.IS_ACQUIRED, (*split_id(id), version)).fetchone() is not None

    def latest(self, base: str) -> Promise | None:
        return self._one(_rows.LATEST, (base,))

    def _one(self, statement: str, parameters: Sequence[object]) -> Promise | None:
        try:
            row = self.link.cursor.execute(statement, parameters).fetchone()
        except sqlite3.OperationalError as error:
            row = self._leniently(error).execute(statement, parameters).fetchone()
        return None if row is None else _rows.promise_of(row)

    def _many(self, statement: str, parameters: Sequence[object]) -> list[_rows.Row]:
        try:
            return self.link.cursor.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as error:
            return self._leniently(error).execute(statement, parameters).fetchall()

    def _aheads(self, statement: str, parameters: Sequence[object]) -> list[Ahead]:
        rows = self._many(statement, parameters)
        if self.link.connection.text_factory is not str:
            # A damaged row is met by whoever looks it up.
            rows = [row for row in rows if not any(isinstance(cell, bytes) for cell in row[:-1])]
        return list(map(Ahead._make, rows))

    def _leniently(self, error: sqlite3.OperationalError) -> sqlite3.Cursor:
        """The cursor, for which a text that is no UTF-8 is bytes from here on, so that a damaged row cannot hide the
        sound ones. Raises the error if it was another one."""
        if "decode to UTF-8" not in str(error):
            raise error
        self.link.connection.text_factory = _rows.text_or_bytes
        return self.link.cursor

    def fence(self, id: str) -> int:
        directory = self._directory
        # A fence comes with an invalidation, so that there was none as of this counter says there is none now.
        if directory.no_fence_at == self._invalidation:
            return 0
        row = self.link.cursor.execute(_rows.FENCE, (id,)).fetchone()
        if row is None and self.link.cursor.execute(_rows.ANY_FENCE).fetchone() is None:
            directory.no_fence_at = self._invalidation
        return 0 if row is None else int(row[0])

    def search(self, query: Query, *, bare: bool = False) -> list[Promise]:
        """Two steps: which rows, then the rows, so that sorting does not carry the values about."""
        statement = _rows.BARE_AT_ROW if bare else _rows.AT_ROW
        found = (self._one(statement, row[:1]) for row in self._all(query))
        return [promise for promise in found if promise is not None]

    def ids(self, query: Query) -> list[str]:
        return [join_id(row[1], row[2]) for row in self._all(query) if isinstance(row[1], str)]

    def count(self, query: Query) -> int:
        query = replace(query, limit=None)
        statement, parameters, is_exact = _rows.listing(query)
        if not is_exact:
            return len(self._all(query))
        return int(self.link.cursor.execute(f"SELECT count(*) FROM ({statement})", parameters).fetchone()[0])

    def _all(self, query: Query) -> list[_rows.Row]:
        """Rows with `_rows.LISTED`."""
        try:
            return list(self._listed(query))
        except sqlite3.OperationalError as error:
            self._leniently(error)
            return list(self._listed(query))

    def _listed(self, query: Query) -> Iterator[_rows.Row]:
        statement, parameters, is_exact = _rows.listing(query)
        if is_exact:
            return self.link.cursor.execute(statement, parameters)
        # A cursor of its own, which goes with the iterator: one that is left half read keeps the snapshot beyond us.
        rows: Iterator[_rows.Row] = self.link.connection.execute(statement, parameters)
        keep = _query.keeps(replace(query, states=()))
        return islice((row for row in rows if keep(_rows.listed_of(row))), query.limit)

    def newest(self, name: str) -> Promise | None:
        return self._one(_rows.NEWEST, (name,))

    def recent(self, name: str, limit: int) -> list[Promise]:
        return [_rows.promise_of(row) for row in self._many(_rows.RECENT, (name, limit))]

    def ahead(self, name: str, limit: int, size_bytes: int) -> list[Ahead]:
        return self._aheads(_rows.AHEAD, (size_bytes, name, limit))

    def under(self, prefix: str, limit: int, size_bytes: int) -> list[Ahead]:
        # What begins so lies between the prefix and the same with its last letter raised.
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return self._aheads(_rows.UNDER, (size_bytes, prefix, end, limit))

    def deadlines(self, limit: int) -> list[tuple[int, str]]:
        return [(at, id) for at, id in self._many(_rows.DEADLINES, (limit,)) if isinstance(id, str)]

    def attempts(self, promise: str) -> list[Attempt]:
        return [_rows.attempt_of(row) for row in self._many(_rows.ATTEMPTS, (promise,))]

    def note(self, promise: str, kind: str) -> bytes | None:
        row = self.link.cursor.execute(_rows.NOTE, (promise, kind)).fetchone()
        return None if row is None else row[0]

    def notes(self, kind: str, promises: Sequence[str]) -> dict[str, bytes]:
        found = {}
        for promise in promises:
            data = self.note(promise, kind)
            if data is not None:
                found[promise] = data
        return found


class SqliteReader(_Rows):
    """One snapshot; a context manager of its own, since a generator would cost as much as the SELECT."""

    __slots__ = ()

    def __init__(self, directory: Readable) -> None:
        self._directory = directory

    def __enter__(self) -> SqliteReader:
        directory = self._directory
        directory.look()
        self._forks = directory.forks
        try:
            link = self.link = directory.pool.take()
            # The statement stays half read: that holds the snapshot until `__exit__` (see SNAPSHOT).
            schema, self._invalidation = link.snapshot.execute(_rows.SNAPSHOT).fetchone()
            if schema != _schema.SCHEMA:
                raise _schema.refused(schema, directory.path)
        except BaseException as error:
            self._give_up()
            if isinstance(error, sqlite3.Error):
                raise directory.failure(error) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        directory = self._directory
        if error is not None:
            # Whatever it was may have left a cursor half read, and whoever reads next would see this snapshot still.
            self._give_up()
            if isinstance(error, sqlite3.Error):
                raise directory.failure(error) from error
        elif self._forks == directory.forks:
            link = self.link
            # A reader kept beyond its `with` must not see through a connection that is somebody else's by then.
            del self.link
            link.snapshot.fetchone()
            directory.pool.give(link)

    def _give_up(self) -> None:
        """The connection, which may be damaged or in the middle of something, is closed; a parent's is left alone."""
        if hasattr(self, "link") and self._forks == self._directory.forks:
            link = self.link
            del self.link
            self._directory.pool.drop(link)


class SqliteTransaction(_Rows):
    """One write transaction; holds the lock of this process and of the database from `__enter__` to `__exit__`."""

    __slots__ = ("_is_changed", "_is_invalidating", "_is_open", "_pause", "_synced", "_unnamed_files")

    _directory: Directory

    def __init__(self, directory: Directory, pause: Callable[[], object] | None = None, synced: bool = True) -> None:
        self._directory = directory
        self._pause = pause
        self._synced = synced
        self._is_open = False
        self._is_changed = False
        self._is_invalidating = False
        self._unnamed_files: list[str] = []

    def __enter__(self) -> SqliteTransaction:
        directory = self._directory
        directory.look()
        self._forks = directory.forks
        try:
            directory.acquire(self._pause)
            if directory.is_writing:
                raise RuntimeError("a write transaction inside another one of the same thread would wait for itself")
            directory.is_writing = self._is_open = True
            self.link = directory.pool.writer(self._synced)
            directory.begin(self.link, self._pause)
            schema, self._invalidation = self.link.cursor.execute(_rows.META).fetchone()
            if schema != _schema.SCHEMA:
                raise _schema.refused(schema, directory.path)
            if self._invalidation != directory.signal.invalidation_word():
                directory.look_now()
                # A writer was killed between the word and its commit.
                directory.signal.set_invalidation(self._invalidation)
        except BaseException as error:
            self._abort()
            self._release()
            if isinstance(error, sqlite3.Error):
                raise directory.failure(error) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        directory = self._directory
        if self._forks != directory.forks:
            # We are a forked child: the transaction is our parent's, and it ends there.
            raise _failures.forked(directory.path)
        try:
            if kind is None:
                if self._is_invalidating:
                    directory.signal.set_invalidation(self._invalidation)
                self.link.cursor.execute("COMMIT")
            else:
                self._abort()
        except BaseException as failure:
            self._abort()
            if isinstance(failure, sqlite3.Error):
                raise directory.failure(failure) from failure
            raise
        finally:
            try:
                if kind is None and self._is_changed:
                    directory.committed()
            finally:
                # An interrupt can arrive in there as well.
                self._release()
        if kind is None:
            if self._unnamed_files:
                directory.remove_files(self._unnamed_files)
        elif isinstance(error, sqlite3.Error):
            raise directory.failure(error) from error

    def __del__(self) -> None:
        # An interrupt can arrive at the first instruction of __exit__: the locks still have to come free.
        if self._is_open and self._forks == self._directory.forks:
            self._abort()
            self._release()

    def apply(self, deltas: Iterable[Delta]) -> None:
        cursor = self.link.cursor
        self._is_changed = True
        for delta in deltas:
            match delta:
                case Inserted():
                    self._insert(delta.promise)
                case Settled():
                    cursor.execute(_rows.SETTLE, _rows.settlement_of(delta))
                    _must_be_one(cursor, delta)
                case Leased():
                    cursor.execute(_rows.LEASE, _rows.lease_of(delta))
                    _must_be_one(cursor, delta)
                case Deleted():
                    self._delete(delta)
                case _:
                    assert_never(delta)

    def put_attempt(self, attempt: Attempt) -> None:
        self._is_changed = True
        self.link.cursor.execute(_rows.PUT_ATTEMPT, _rows.row_of_attempt(attempt))

    def put_note(self, promise: str, kind: str, data: bytes | None) -> None:
        self._is_changed = True
        if data is None:
            self.link.cursor.execute(_rows.DELETE_NOTE, (promise, kind))
        else:
            self.link.cursor.execute(_rows.PUT_NOTE, (promise, kind, data))

    def invalidate(self) -> None:
        if self._is_invalidating:
            return
        self._is_changed = self._is_invalidating = True
        self._invalidation += 1
        self.link.cursor.execute(_rows.INVALIDATE, (self._invalidation,))

    def _insert(self, promise: Promise) -> None:
        try:
            self.link.cursor.execute(_rows.INSERT, _rows.row_of(promise))
        except sqlite3.IntegrityError as error:
            raise RuntimeError(f"a delta Inserted for {promise.id!r}, which is in the store") from error

    def _delete(self, delta: Deleted) -> None:
        cursor = self.link.cursor
        where = split_id(delta.id)
        files = cursor.execute(_rows.FILES, where).fetchone()
        if files is None:
            raise _absent(delta)
        self._unnamed_files.extend(name for name in files if name is not None)
        cursor.execute(_rows.DELETE, where)
        cursor.execute(_rows.DELETE_ATTEMPTS, (delta.id,))
        cursor.execute(_rows.DELETE_NOTES, (delta.id,))
        cursor.execute(_rows.PUT_FENCE, (delta.id, delta.version))
        self.invalidate()

    def _abort(self) -> None:
        """What was written is undone, and the mapped word says again what the database says."""
        link = self._directory.pool.writer_if_open
        # Where SQLite has rolled back by itself (a full disk, say) the lock is gone and the word is not ours to write
        # any more. It then runs ahead of the database until the next writer: look-ups miss meanwhile, none is stale.
        if not self._is_open or link is None or not link.connection.in_transaction:
            return
        if self._is_invalidating:
            self._directory.signal.set_invalidation(self._invalidation - 1)
        try:
            link.cursor.execute("ROLLBACK")
        except sqlite3.Error:
            # What matters is the error that brought us here; closing the connection rolls back as well.
            self._directory.pool.drop_writer()

    def _release(self) -> None:
        """The locks are free. The caller has committed or aborted."""
        if self._is_open:
            self._is_open = False
            self._directory.is_writing = False
        try:
            self._directory.lock.release()
        except RuntimeError:
            # An interrupt came before the lock was ours.
            return


def _must_be_one(cursor: sqlite3.Cursor, delta: Settled | Leased) -> None:
    if cursor.rowcount != 1:
        raise _absent(delta)


def _absent(delta: Settled | Leased | Deleted) -> RuntimeError:
    return RuntimeError(f"a delta {type(delta).__name__} for {delta.id!r}, which is not in the store")
