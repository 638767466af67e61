"""One delta in one statement: written where the store is as the delta was judged on, and nothing done elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resonate_nb.clock import ManualClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import EMPTY, NEVER, Deleted, Inserted, Leased, Promise, Settled, State, TaskState, Value
from resonate_nb.store import SqliteStore

CLAIMED = Promise(
    id="f/1@2",
    state=State.PENDING,
    param=Value({"name": "f", "code": "c", "arguments": "a", "kind": "cell"}, b"about", None, 5),
    value=EMPTY,
    tags={"team": "growth"},
    timeout_at=NEVER,
    created_at=1_000_000,
    task=TaskState.ACQUIRED,
    version=1,
    owner="host-1-00000000",
    lease_ms=60_000,
    lease_until=1_060_000,
)
VALUE = Value({"codec": "json", "signature": "s", "elapsed_us": "3", "extra": "x"}, b"42", None, 2)
SETTLED = Settled("f/1@2", State.RESOLVED, VALUE, 1_000_005)
CHILD = Promise("f/1@2:g.1", State.RESOLVED, Value({"name": "g"}), VALUE, {}, NEVER, 1_000_001, 1_000_001)
UNDER = ("f/1@2", 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "s", durability="process", clock=ManualClock())
    assert isinstance(opened, SqliteStore)
    yield opened
    opened.close()


def get(store: SqliteStore, id: str) -> Promise | None:
    with store.read() as reader:
        return reader.get(id)


def test_what_is_written_at_once_is_what_a_transaction_writes(store: SqliteStore) -> None:
    """Each field of a birth, of a child, and of a settlement; and the change word moves each time."""
    words = [store.change_word()]
    for delta, under in ((Inserted(CLAIMED), None), (Inserted(CHILD), UNDER), (SETTLED, UNDER)):
        assert 0 == store.at_once(delta, under)
        words.append(store.change_word())
    assert len(set(words)) == len(words)
    assert replace(
        CLAIMED,
        state=State.RESOLVED,
        value=VALUE,
        settled_at=1_000_005,
        task=TaskState.FULFILLED,
        owner=None,
        lease_ms=None,
        lease_until=None,
    ) == get(store, "f/1@2")
    assert CHILD == get(store, "f/1@2:g.1")


def test_a_birth_is_as_the_record_says(store: SqliteStore) -> None:
    """Also under a task."""
    child = replace(CLAIMED, id="f/1@2:g.1")
    store.at_once(Inserted(CLAIMED), None)
    store.at_once(Inserted(child), UNDER)
    assert CLAIMED == get(store, "f/1@2")
    assert child == get(store, "f/1@2:g.1")


@pytest.mark.parametrize("there", ["f/1@2", "f/1@2~3"])
def test_no_birth_where_any_generation_is(store: SqliteStore, there: str) -> None:
    before = replace(CLAIMED, id=there, tags={})
    with store.write() as transaction:
        transaction.apply([Inserted(before)])
    word = store.change_word()
    assert store.at_once(Inserted(CLAIMED), None) is None
    assert before == get(store, there)
    assert word == store.change_word()


def test_no_birth_where_one_was_forgotten(store: SqliteStore) -> None:
    """Its version would begin anew."""
    with store.write() as transaction:
        transaction.apply([Inserted(replace(CLAIMED, task=TaskState.PENDING)), Deleted("f/1@2", 1)])
    assert store.at_once(Inserted(CLAIMED), None) is None
    assert get(store, "f/1@2") is None


def test_nothing_is_done_under_a_task_that_was_lost(store: SqliteStore) -> None:
    """To another owner, or given back; nor twice."""
    store.at_once(Inserted(CLAIMED), None)
    for task, version in ((TaskState.PENDING, 1), (TaskState.ACQUIRED, 2)):
        with store.write() as transaction:
            transaction.apply([Leased("f/1@2", task, version, "o", 1, 1)])
        assert store.at_once(SETTLED, UNDER) is None
        assert store.at_once(Inserted(CHILD), UNDER) is None
        assert store.at_once(Inserted(replace(CHILD, state=State.PENDING, settled_at=None, value=EMPTY)), UNDER) is None
    assert 0 == store.at_once(SETTLED, ("f/1@2", 2))
    assert store.at_once(SETTLED, ("f/1@2", 2)) is None
    assert store.at_once(Inserted(CHILD), ("f/1@2", 2)) is None
    assert get(store, "f/1@2:g.1") is None


def test_nothing_is_done_where_the_word_is_not_the_database_s(store: SqliteStore) -> None:
    """A killed writer left it; who takes the long way puts it right."""
    store._directory.signal.set_invalidation(7)
    assert store.at_once(Inserted(CLAIMED), None) is None
    with store.write():
        pass
    assert 0 == store.at_once(Inserted(CLAIMED), None)


def test_the_counter_is_that_of_the_store(store: SqliteStore) -> None:
    with store.write() as transaction:
        transaction.invalidate()
    assert 1 == store.at_once(Inserted(CLAIMED), None)


def test_nothing_is_done_in_tables_of_another_package(store: SqliteStore, tmp_path: Path) -> None:
    """Whatever became of the columns; what takes the long way is told."""
    connection = sqlite3.connect(tmp_path / "s" / "promises.db", isolation_level=None)
    connection.execute("UPDATE meta SET schema = 3")
    assert store.at_once(Inserted(CLAIMED), None) is None
    connection.execute("ALTER TABLE promises RENAME COLUMN state TO status")
    assert store.at_once(Inserted(CLAIMED), None) is None
    connection.close()
    with pytest.raises(StoreError, match="schema 3"), store.write():
        pass


def test_a_disk_that_fails_is_told_as_ever(store: SqliteStore) -> None:
    """And the lock is free afterwards."""
    connection = store._directory.pool.writer().connection
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="read-only"):
        store.at_once(Inserted(CLAIMED), None)
    connection.execute("PRAGMA query_only = OFF")
    assert 0 == store.at_once(Inserted(CLAIMED), None)


def test_inside_of_a_transaction_of_the_same_thread_it_would_be_part_of_it(store: SqliteStore) -> None:
    with store.write(), pytest.raises(RuntimeError, match="wait for itself"):
        store.at_once(Inserted(CLAIMED), None)
    assert 0 == store.at_once(Inserted(CLAIMED), None)


@pytest.mark.slow  # half a second for each wait
def test_it_waits_for_another_writer_and_hears_what_comes_meanwhile(store: SqliteStore, tmp_path: Path) -> None:
    """As a transaction does."""
    other = sqlite3.connect(tmp_path / "s" / "promises.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.at_once(Inserted(CLAIMED), None, stop)
    assert 0 == store.at_once(Inserted(CLAIMED), None, lambda: other.execute("COMMIT"))
    assert CLAIMED == get(store, "f/1@2")
    other.close()
