"""Each kind of damage has a finding of its own, and the search for it changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from children import CLOCK, pending

from resonate_nb.errors import StoreError
from resonate_nb.protocol import EMPTY, NEVER, Inserted, Promise, Settled, State, TaskState, Value
from resonate_nb.store import MemoryStore, Query, SqliteStore
from resonate_nb.store._sound import impossible

SOUND = Promise("a", State.PENDING, EMPTY, EMPTY, {}, NEVER, 5, None, TaskState.ACQUIRED, 1, "host-1-00000000", 5, 10)
SETTLED = Promise("a", State.RESOLVED, EMPTY, EMPTY, {}, NEVER, 5, 6, TaskState.FULFILLED, 1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    yield store
    store.close()


def with_file(store: SqliteStore) -> str:
    file = store.put_file([b"x" * 40_000])
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
        transaction.apply([Settled("a", State.RESOLVED, Value({}, None, file.name, file.size_bytes), CLOCK.now_ms())])
    return file.name


def change(store: SqliteStore, statement: str) -> None:
    connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
    connection.execute(statement)
    connection.close()


def findings(store: SqliteStore) -> list[tuple[str, str]]:
    return [(problem.kind, problem.subject) for problem in store.check()]


def test_missing_file_is_found(store: SqliteStore) -> None:
    """The row says which."""
    name = with_file(store)
    (store.path / "values" / name).unlink()
    assert [("missing_file", "a")] == findings(store)
    assert name in store.check()[0].detail


def test_short_file_is_found(store: SqliteStore) -> None:
    """As after a power cut with nothing synced."""
    name = with_file(store)
    (store.path / "values" / name).write_bytes(b"x" * 20_000)
    assert [("short_file", "a")] == findings(store)


@pytest.mark.parametrize(
    "damage",
    [
        "settled_at = NULL",
        "state = 'pending'",
        "state = 'no state'",
        "task = 'no task'",
        "task = 'acquired'",
        "owner = 'host-1-00000000'",
        "tags = '{'",
        "value_headers = '{\"a\": '",
        "value_data = x'00'",
    ],
)
def test_bad_row_is_found(store: SqliteStore, damage: str) -> None:
    """What no command can have written."""
    with_file(store)
    change(store, f"UPDATE promises SET {damage}")
    assert [("bad_row", "a")] == findings(store)


def test_attempt_of_nobody_is_found(store: SqliteStore) -> None:
    """Attempts go with their promise."""
    change(store, "INSERT INTO attempts (promise, number, owner, started_at) VALUES ('gone', 1, 'host-1-00000000', 5)")
    assert [("bad_row", "gone")] == findings(store)


def test_damaged_database_is_found_and_said(store: SqliteStore) -> None:
    """A page overwritten by something else."""
    with store.write() as transaction:
        transaction.apply([Inserted(pending(f"a/{number}")) for number in range(2_000)])
    path = store.path
    store.close()
    database = path / "promises.db"
    with database.open("r+b") as file:
        file.seek(4096 * 20)
        file.write(b"\xa5" * 4096 * 10)
    damaged = SqliteStore.open(path, clock=CLOCK)
    assert {"damaged"} == {problem.kind for problem in damaged.check()}
    with pytest.raises(StoreError, match="malformed") as raised, damaged.read() as reader:
        reader.search(Query())
    assert str(path) in str(raised.value)
    damaged.close()


@pytest.mark.parametrize("store_kind", ["sqlite", "memory"])
def test_sound_store_has_no_findings(store: SqliteStore, store_kind: str) -> None:
    """Files of our own that no row names yet are none."""
    asked = store if store_kind == "sqlite" else MemoryStore(CLOCK)
    asked.put_file([b"on its way"])
    with asked.write() as transaction:
        transaction.apply([Inserted(SOUND), Inserted(replace(SETTLED, id="b"))])
    assert [] == asked.check()


def test_memory_finds_bad_rows_and_missing_files() -> None:
    """The fake is as strict as the real one."""
    store = MemoryStore(CLOCK)
    with store.write() as transaction:
        transaction.apply([Inserted(replace(SOUND, owner=None))])
        transaction.apply([Inserted(replace(SETTLED, id="b", value=Value({}, None, "gone", 1)))])
    assert [("bad_row", "a"), ("missing_file", "b")] == [(found.kind, found.subject) for found in store.check()]


@pytest.mark.parametrize(
    "promise",
    [
        SOUND,
        SETTLED,
        replace(SOUND, task=TaskState.PENDING, owner=None, lease_ms=None, lease_until=None, version=0),
        replace(SETTLED, task=TaskState.ABSENT, version=0),
        replace(SETTLED, state=State.TIMEDOUT, timeout_at=6),
        replace(SETTLED, settled_at=1),
    ],
)
def test_sound_record_is_possible(promise: Promise) -> None:
    """A clock set back included."""
    assert impossible(promise) is None


@pytest.mark.parametrize(
    "promise",
    [
        replace(SOUND, settled_at=6),
        replace(SOUND, value=Value({}, b"x", None, 1)),
        replace(SOUND, param=Value({}, b"x", "file", 1)),
        replace(SOUND, owner=None),
        replace(SOUND, lease_ms=None),
        replace(SOUND, lease_until=None),
        replace(SOUND, version=0),
        replace(SOUND, task=TaskState.PENDING),
        replace(SOUND, task=TaskState.ABSENT),
        replace(SOUND, task=TaskState.FULFILLED, owner=None, lease_ms=None, lease_until=None),
        replace(SETTLED, settled_at=None),
        replace(SETTLED, owner="host-1-00000000"),
        replace(SETTLED, task=TaskState.PENDING),
        replace(SETTLED, task=TaskState.ACQUIRED, owner="host-1-00000000", lease_ms=5, lease_until=10),
        replace(SETTLED, state=State.TIMEDOUT, timeout_at=7),
    ],
)
def test_impossible_record_is_told(promise: Promise) -> None:
    """In words."""
    assert impossible(promise)
