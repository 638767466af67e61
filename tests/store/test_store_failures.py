"""What the disk and the database say reaches the caller as one kind of error, with the store's path and the way out."""

from __future__ import annotations

import errno
import gc
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import CLOCK, pending

from resonate_nb.errors import StoreError, UnwritableStoreError
from resonate_nb.protocol import Inserted
from resonate_nb.store import SqliteStore
from resonate_nb.store._failures import translated


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    yield store
    store.close()


def refusal(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("says SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (refusal(sqlite3.SQLITE_FULL), "disk is full"),
        (refusal(sqlite3.SQLITE_READONLY), "read-only"),
        (refusal(sqlite3.SQLITE_READONLY_DBMOVED), "read-only"),
        (refusal(sqlite3.SQLITE_CORRUPT), "damaged"),
        (refusal(sqlite3.SQLITE_NOTADB), "damaged"),
        (refusal(sqlite3.SQLITE_BUSY), "locked"),
        (refusal(sqlite3.SQLITE_CANTOPEN), "cannot be opened"),
        (refusal(sqlite3.SQLITE_IOERR_WRITE), "refused to read or write"),
        (refusal(sqlite3.SQLITE_ERROR), "refused"),
        (sqlite3.ProgrammingError("says Python"), "refused"),
        (OSError(errno.ENOSPC, "says the system"), "disk is full"),
        (OSError(errno.EROFS, "says the system"), "read-only"),
        (PermissionError(errno.EACCES, "says the system"), "access is denied"),
        (OSError(errno.EIO, "says the system"), "disk failed"),
        (OSError("no number"), "disk failed"),
    ],
    ids=str,
)
def test_failure_names_store_cause_and_way_out(error: sqlite3.Error | OSError, what: str) -> None:
    """In this order."""
    message = str(translated(error, Path("/some/store")))
    assert message.index("/some/store") < message.index(what) < message.index(str(error))
    assert "RESONATE_NB_STORE" in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("number", "is_passing"),
    [
        (errno.EIO, True),
        (errno.ESTALE, True),
        (errno.ENOTCONN, True),
        (errno.ENOSPC, True),
        (None, True),
        (errno.ENOTDIR, False),
        (errno.ENAMETOOLONG, False),
        (errno.ELOOP, False),
    ],
)
def test_a_disk_that_fails_is_no_wrong_name(number: int | None, is_passing: bool) -> None:
    """Bodies run without a store whose disk says no; where none can ever be, whoever named it is told instead."""
    error = OSError("no number") if number is None else OSError(number, "says the system")
    assert is_passing == isinstance(translated(error, Path("/some/store")), UnwritableStoreError)


def test_full_database_rolls_back_and_says_so(store: SqliteStore) -> None:
    """SQLite itself may have ended the transaction; the words and the rows are as before, and it can go on."""
    with store.write() as transaction:
        transaction.put_note("a", "n", b"before")
        transaction.invalidate()
    connection = store._directory.pool.writer().connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="disk is full"), store.write() as transaction:
        transaction.put_note("a", "n", b"after")
        transaction.invalidate()
        transaction.put_note("b", "n", b"x" * 100_000)
    connection.execute("PRAGMA max_page_count = 1000000")
    with store.read() as reader:
        assert (b"before", 1) == (reader.note("a", "n"), reader.invalidation)
    with store.write() as transaction:
        transaction.put_note("b", "n", b"x" * 100_000)
        assert 1 == store.invalidation_word()
    assert [] == store.check()


def test_commit_that_fails_takes_the_word_back(store: SqliteStore) -> None:
    """The number was in the mapped word before the commit, where other processes see it."""
    seen = []

    def authorize(action: int, word: str | None, *_: object) -> int:
        if action == sqlite3.SQLITE_TRANSACTION and word == "COMMIT":
            seen.append(store.invalidation_word())
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK

    connection = store._directory.pool.writer().connection
    connection.set_authorizer(authorize)
    with pytest.raises(StoreError, match="not authorized"), store.write() as transaction:
        transaction.put_note("a", "n", b"x")
        transaction.invalidate()
    connection.set_authorizer(None)
    assert [1] == seen
    assert 0 == store.invalidation_word()
    with store.write() as transaction:
        assert transaction.note("a", "n") is None
        transaction.invalidate()
    assert 1 == store.invalidation_word()


def test_read_only_database_says_so(store: SqliteStore) -> None:
    """And is still read."""
    store._directory.pool.writer().connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="read-only"), store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
    with store.read() as reader:
        assert reader.get("a") is None


def test_failure_of_a_read_is_translated_too(store: SqliteStore) -> None:
    """Whatever it is; and the connection is not used again."""
    connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
    connection.execute("ALTER TABLE notes RENAME TO lost")
    with pytest.raises(StoreError, match="no such table"), store.read() as reader:
        reader.note("a", "n")
    connection.execute("ALTER TABLE lost RENAME TO notes")
    connection.close()
    with store.read() as reader:
        assert reader.note("a", "n") is None


def test_writer_waits_for_the_lock_of_another_connection(store: SqliteStore) -> None:
    """And gets it when it comes free."""
    other = sqlite3.connect(store.path / "promises.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    is_about_to = threading.Event()

    def write() -> None:
        is_about_to.set()
        with store.write() as transaction:
            transaction.apply([Inserted(pending("a"))])

    thread = threading.Thread(target=write)
    thread.start()
    is_about_to.wait()
    with store.read() as reader:
        assert reader.get("a") is None
    other.execute("COMMIT")
    thread.join()
    with store.read() as reader:
        assert reader.get("a") is not None
    other.close()


def test_killed_writer_leaves_the_word_ahead_and_the_next_one_repairs_it(store: SqliteStore) -> None:
    """Ahead is a miss; behind would be stale."""
    store._directory.signal.set_invalidation(1)
    with store.read() as reader:
        assert 0 == reader.invalidation
    assert 1 == store.invalidation_word()
    with store.write():
        assert 0 == store.invalidation_word()
    store._directory.signal.set_invalidation(7)
    SqliteStore.open(store.path, clock=CLOCK).close()
    assert 0 == store.invalidation_word()


def test_lost_transaction_frees_its_locks(store: SqliteStore) -> None:
    """An interrupt at the first instruction of the exit loses it."""
    transaction = store.write().__enter__()
    transaction.apply([Inserted(pending("a"))])
    del transaction
    gc.collect()
    with store.write() as transaction:
        assert transaction.get("a") is None
        transaction.apply([Inserted(pending("b"))])
    reader = store.read().__enter__()
    del reader
    gc.collect()
    assert store._directory.pool.pause()
    store._directory.pool.resume()


def test_reader_is_of_no_use_after_its_end(store: SqliteStore) -> None:
    """Its connection may be somebody else's by then."""
    with store.read() as reader:
        reader.get("a")
    with pytest.raises(AttributeError):
        reader.get("a")


def test_store_cannot_be_closed_inside_a_transaction(store: SqliteStore) -> None:
    """It would lose the transaction in silence."""
    with store.write() as transaction:
        with pytest.raises(RuntimeError, match="inside a transaction"):
            store.close()
        transaction.apply([Inserted(pending("a"))])
    with store.read() as reader:
        assert reader.get("a") is not None


def test_a_log_that_was_cut_while_it_is_in_use_is_said(store: SqliteStore) -> None:
    """By a tool that takes it for rubbish; also where the store is checked, which is what the user does next."""
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
    os.truncate(store.path / "promises.db-wal", 0)
    with pytest.raises(StoreError, match="RESONATE_NB_STORE"):
        store.check()


def test_a_folder_that_cannot_be_looked_into_any_more_is_said(store: SqliteStore) -> None:
    """As for want of permission; whatever the store is asked."""
    path = store.path
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path)
    for use in (store.check, store.repair, lambda: store.put_file([b"x"]), lambda: store.read().__enter__()):
        with pytest.raises(StoreError, match="something else lies where a part of it belongs"):
            use()
    path.unlink()
    path.with_name("elsewhere").rename(path)
    assert [] == store.check()
