"""One delta in one statement, which commits by itself: what a call that is computed writes twice.

A transaction that looks, judges and writes is six statements. Here the caller knows what it would find, and has judged
on that; the statement writes only if the store says the same, so that nothing can come between the look and the write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from resonate_nb.protocol import Inserted, Settled, split_id

from . import _failures, _rows
from ._directory import Directory
from ._schema import SCHEMA

_SAME = f"EXISTS (SELECT 1 FROM meta WHERE one = 1 AND schema = {SCHEMA} AND invalidation = ?)"
_ABSENT = "NOT EXISTS (SELECT 1 FROM promises WHERE base = ?) AND NOT EXISTS (SELECT 1 FROM fences WHERE promise = ?)"
_UNDER = f"EXISTS ({_rows.IS_ACQUIRED.strip()})"


def _insert(columns: str, condition: str) -> str:
    """The first two columns are base and generation. Where the condition is false the generation is NULL, which the
    table does not take, and OR IGNORE leaves the row out. (INSERT SELECT WHERE goes through a table of its own.)"""
    others = ", ".join("?" * (columns.count(",") - 1))
    return f"INSERT OR IGNORE INTO promises ({columns}) VALUES (?, CASE WHEN {condition} THEN ? END, {others})"


_BIRTH = _insert(_rows.BIRTH_COLUMNS, f"{_SAME} AND {_ABSENT}")
_BIRTH_UNDER = _insert(_rows.BIRTH_COLUMNS, f"{_SAME} AND {_ABSENT} AND {_UNDER}")
_WHOLE = _insert(_rows.COLUMNS, f"{_SAME} AND {_ABSENT}")
_WHOLE_UNDER = _insert(_rows.COLUMNS, f"{_SAME} AND {_ABSENT} AND {_UNDER}")
_SETTLE = f"{_rows.SETTLE.strip()} AND version = ? AND state = 'pending' AND task = 'acquired' AND {_SAME}"


def at_once(
    directory: Directory,
    delta: Inserted | Settled,
    under: tuple[str, int] | None,
    pause: Callable[[], object] | None,
    synced: bool,
) -> int | None:
    """See `Store.at_once`."""
    directory.look()
    forks = directory.forks
    word = directory.signal.invalidation_word()
    statement, parameters = _judged(delta, word, under)
    # After a fork by a handler of signals the child has another one.
    lock = directory.lock
    directory.acquire(pause)
    try:
        if directory.is_writing:
            raise RuntimeError("a write transaction inside another one of the same thread would wait for itself")
        directory.is_writing = True
        try:
            link = directory.pool.writer(synced)
            if directory.forks != forks:
                raise _failures.forked(directory.path)
            directory.execute(link, pause, statement, parameters)
            if link.cursor.rowcount != 1:
                return None
            if directory.signal.invalidation_word() != word:
                # Somebody may have set the database aside while we waited for its lock.
                directory.look_now()
            directory.committed()
        finally:
            directory.is_writing = False
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return None  # these are the tables of another package: who looks at their number is told
        raise directory.failure(error) from error
    finally:
        lock.release()
    return word


def _judged(delta: Inserted | Settled, word: int, under: tuple[str, int] | None) -> tuple[str, tuple[Any, ...]]:
    """The statement that writes the delta where the store is as it was judged to be, and its parameters."""
    if isinstance(delta, Settled):
        assert under is not None, "a settlement is under its own task"
        return _SETTLE, (*_rows.settlement_of(delta), under[1], word)
    promise = delta.promise
    is_birth = promise.settled_at is None
    base, *row = _rows.birth_of(promise) if is_birth else _rows.row_of(promise)
    if under is None:
        return _BIRTH if is_birth else _WHOLE, (base, word, base, promise.id, *row)
    id, version = under
    statement = _BIRTH_UNDER if is_birth else _WHOLE_UNDER
    return statement, (base, word, base, promise.id, *split_id(id), version, *row)
