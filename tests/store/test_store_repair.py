"""Repair keeps every promise, sets aside what is damaged of it, and leaves nothing for a second check to find."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from children import CLOCK, Child, hold_file, pending

from resonate_nb.clock import ManualClock
from resonate_nb.protocol import EMPTY, NEVER, Inserted, Promise, Settled, State, TaskState, Value
from resonate_nb.store import MemoryStore, Order, Problem, Query, SqliteStore
from resonate_nb.store._sound import impossible
from resonate_nb.store._stand_in import stand_in

LARGE = b"large " * 10_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(5_000)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteStore]:
    """``a`` in two generations, the second with its value in a file, and ``b``."""
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=clock)
    assert isinstance(store, SqliteStore)
    file = store.put_file([LARGE])
    with store.write() as transaction:
        transaction.apply([Inserted(replace(pending(id), created_at=at)) for at, id in enumerate(("a", "a~2", "b"))])
        transaction.apply([Settled("a", State.RESOLVED, Value({"codec": "raw"}, b"old", None, 3), 7)])
        transaction.apply([Settled("a~2", State.RESOLVED, Value({"codec": "raw"}, None, file.name, 60_000), 8)])
        transaction.apply([Settled("b", State.RESOLVED, Value({"codec": "raw"}, b"b", None, 1), 9)])
    yield store
    store.close()
    again = SqliteStore.open(store.path, durability="process", clock=clock)
    assert [] == again.check()
    again.close()


def change(store: SqliteStore, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
    rows = connection.execute(statement).fetchall()
    connection.close()
    return rows


def value_file(store: SqliteStore) -> Path:
    (file,) = (store.path / "values").iterdir()
    return file


def aside(store: SqliteStore) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (store.path / "damaged").rglob("*") if file.is_file()}


def get(store: SqliteStore, id: str) -> Promise:
    with store.read() as reader:
        found = reader.get(id)
    assert found is not None
    return found


def test_sound_store_is_left_alone(store: SqliteStore) -> None:
    """Nobody has to look again."""
    word = store.invalidation_word()
    assert [] == store.repair()
    assert word == store.invalidation_word()
    assert not (store.path / "damaged").exists()


def test_missing_file_leaves_a_promise_that_was_not_stored(store: SqliteStore) -> None:
    """Every memory layer looks again."""
    word = store.invalidation_word()
    file = value_file(store)
    file.unlink()
    assert [Problem("missing_file", "a~2", file.name, "counts as not stored")] == store.repair()
    value = get(store, "a~2").value
    assert Value({"codec": "raw", "not_stored": "its value file is missing"}) == value
    assert word + 1 == store.invalidation_word()


def test_cut_file_is_kept_aside(store: SqliteStore) -> None:
    """Half a result may be worth something to a person."""
    file = value_file(store)
    file.write_bytes(LARGE[:100])
    (problem,) = store.repair()
    assert ("short_file", "a~2") == (problem.kind, problem.subject)
    assert str(store.path / "damaged") in problem.done
    assert {file.name: LARGE[:100]} == aside(store)
    assert not file.exists()
    assert "its value file was damaged" == get(store, "a~2").value.headers["not_stored"]


def test_file_that_is_not_ours_is_kept_aside(store: SqliteStore) -> None:
    """Whoever put it there."""
    (store.path / "values" / "notes.txt").write_bytes(b"mine")
    (store.path / "values" / "half.part").write_bytes(b"mine too")
    assert {"orphan_file", "partial_file"} == {problem.kind for problem in store.repair()}
    assert {"notes.txt": b"mine", "half.part": b"mine too"} == aside(store)
    assert LARGE == store.read_file(get(store, "a~2").value.file or "", 60_000)


def test_row_that_leads_out_of_the_store_touches_nothing_there(store: SqliteStore, tmp_path: Path) -> None:
    """A store may be a stranger's."""
    (tmp_path / "precious").write_bytes(b"x")
    value_file(store).unlink()
    change(store, "UPDATE promises SET value_file = '../../precious' WHERE value_file IS NOT NULL")
    (problem,) = store.repair()
    assert ("missing_file", "a~2") == (problem.kind, problem.subject)
    assert b"x" == (tmp_path / "precious").read_bytes()


BAD = [
    "state = 'no state'",
    "task = 'no task'",
    "settled_at = NULL",
    "settled_at = 'never'",
    "timeout_at = 'soon'",
    "created_at = 'today'",
    "created_at = -5",
    "version = x'00'",
    "tags = '{'",
    "tags = 7",
    "value_headers = '[1]'",
    "value_headers = CAST(x'ff' AS TEXT)",
    "name = CAST(x'ff' AS TEXT)",
]


@pytest.mark.parametrize("damage", BAD)
def test_bad_row_hides_no_other_and_is_moved_to_a_table_of_its_own(store: SqliteStore, damage: str) -> None:
    """It reads as not stored before and after, so that the superseded generation before it does not come back."""
    change(store, "UPDATE promises SET value_file = NULL, value_size = 0 WHERE generation = 2")
    value_file(store).unlink()
    change(store, f"UPDATE promises SET {damage} WHERE generation = 2")
    is_repaired = False
    for _ in range(2):
        with store.read() as reader:
            for order in (Order.NEWEST, Order.OLDEST):
                assert {"a", "a~2", "b"} == {each.id for each in reader.search(Query(order=order))}
            assert {"a", "a~2", "b"} == set(reader.ids(Query()))
            assert {"a", "a~2"} == {each.id for each in reader.search(Query(glob="a*"))}
            assert "a~2" in {each.id for each in reader.search(Query(glob="[a]*", tags={}))}
            assert 3 == reader.count(Query())
            assert [] == reader.search(Query(tags={"team": "growth"}))
            latest = reader.latest("a")
            assert latest is not None
            assert "a~2" == latest.id
            assert is_repaired <= ("not_stored" in latest.value.headers)
            assert b"b" == reader.get("b").value.data  # type: ignore[union-attr]
        if not is_repaired:
            (problem,) = store.repair()
            assert ("bad_row", "a~2") == (problem.kind, problem.subject)
            assert "moved to the table set_aside; the promise counts as not stored" == problem.done
            is_repaired = True
    ((at, source, columns),) = change(store, "SELECT at, source, columns FROM set_aside")
    assert (5_000, "promises") == (at, source)
    assert ("a", 2) == (json.loads(str(columns))["base"], json.loads(str(columns))["generation"])


@pytest.mark.parametrize("damage", ["base = x'00ff'", "base = CAST(x'ff' AS TEXT)", "base = ''", "generation = 'x'"])
def test_row_without_an_id_is_set_aside_whole(store: SqliteStore, damage: str) -> None:
    """Nobody can ask for it."""
    change(store, f"UPDATE promises SET {damage} WHERE base = 'b'")
    with store.read() as reader:
        assert {"a", "a~2"} <= {promise.id for promise in reader.search(Query())}
        assert {"a", "a~2"} <= set(reader.ids(Query()))
        assert {"a", "a~2"} <= {promise.id for promise in reader.search(Query(glob="[ab]*"))}
    (problem,) = store.repair()
    assert ("bad_row", "moved to the table set_aside") == (problem.kind, problem.done)
    with store.read() as reader:
        assert ["a~2", "a"] == [promise.id for promise in reader.search(Query())]
    ((columns,),) = change(store, "SELECT columns FROM set_aside")
    assert {"hex": "62"} == json.loads(str(columns))["value_data"]


def test_attempts_of_nobody_are_set_aside(store: SqliteStore) -> None:
    """All of them."""
    for number in (1, 2):
        change(store, f"INSERT INTO attempts (promise, number, owner, started_at) VALUES ('gone', {number}, 'h', 5)")
    assert [("bad_row", "gone")] == [(problem.kind, problem.subject) for problem in store.repair()]
    assert [("attempts",)] * 2 == change(store, "SELECT source FROM set_aside")


def test_damaged_index_is_made_anew(store: SqliteStore) -> None:
    """Its lies would hide a promise, or show a superseded one."""
    change(store, "PRAGMA writable_schema = ON")
    connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'names'").fetchone()
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'names'", (f"{sql} AND generation > 1",))
    connection.close()
    store.close()
    again = SqliteStore.open(store.path, durability="process", clock=CLOCK)
    with again.write() as transaction:
        transaction.apply([Inserted(replace(pending("c"), param=Value({"name": "f"})))])
    change(again, "PRAGMA writable_schema = ON")
    connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'names'", (sql,))
    connection.close()
    again.close()
    mended = SqliteStore.open(store.path, durability="process", clock=CLOCK)
    assert {"damaged"} == {problem.kind for problem in mended.check()}
    (problem,) = mended.repair()
    assert "all its 4 promises could be read" in problem.done
    assert [] == mended.check()
    with mended.read() as reader:
        assert "c" == reader.newest("f").id  # type: ignore[union-attr]
    with mended.write() as transaction:
        transaction.put_note("a", "n", b"x")
    mended.close()


def damaged(store: SqliteStore) -> None:
    """A page in the middle is lost."""
    with store.write() as transaction:
        transaction.apply([Inserted(pending(f"c/{number}")) for number in range(500)])
    change(store, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (store.path / "promises.db").open("r+b") as file:
        file.seek(4096 * 12)
        file.write(b"\xa5" * 4096)


def test_damaged_database_is_not_replaced_under_a_reader(store: SqliteStore) -> None:
    """Of this process."""
    damaged(store)
    with store.read() as reader:
        (problem,) = store.repair()
        assert problem.done.startswith("not yet, since this process is using it")
        assert reader.get("b") is not None
    store.close()
    said: list[str] = []
    again = SqliteStore.open(store.path, durability="process", clock=CLOCK, warn=said.append)
    assert "could be read" in said[0]
    assert [] == again.check()
    again.close()


@pytest.mark.slow
def test_files_of_a_killed_process_are_out_of_the_way(store: SqliteStore) -> None:
    """Half a file is nothing; a whole one may be a result whose row was lost."""
    child = Child(hold_file, store.path)
    _, whole = child.read().split()
    assert [] == store.repair()
    child.kill()
    opened = SqliteStore.open(store.path, durability="process", clock=CLOCK)
    assert [] == opened.check()
    opened.close()
    assert {whole: b"whole"} == aside(store)
    assert 1 == store.extent().value_files
    assert 5 == store.extent().set_aside_bytes


def test_memory_is_repaired_as_a_directory_is() -> None:
    """The fake is no milder."""
    store = MemoryStore(CLOCK)
    gone = Promise("b", State.RESOLVED, EMPTY, Value({}, None, "gone", 1), {}, NEVER, 5, 6, TaskState.FULFILLED, 1)
    with store.write() as transaction:
        transaction.apply([Inserted(replace(gone, id="a", settled_at=None)), Inserted(gone)])
    assert [("bad_row", "a"), ("missing_file", "a"), ("missing_file", "b")] == [
        (problem.kind, problem.subject) for problem in store.repair()
    ]
    assert [] == store.check() == store.repair()
    with store.read() as reader:
        assert "its value file is missing" == reader.get("b").value.headers["not_stored"]  # type: ignore[union-attr]


@pytest.mark.parametrize("columns", [{}, {"base": b"\xff", "generation": "x", "created_at": -1}, {"base": "a"}])
def test_what_stands_in_for_a_row_is_sound(columns: dict[str, object]) -> None:
    """Whatever is left of the row."""
    assert impossible(stand_in(columns)) is None


def test_judge_sees_what_the_store_finds_sound(store: SqliteStore) -> None:
    """And no more."""
    seen: list[str] = []

    def judge(promise: Promise) -> Problem | None:
        seen.append(promise.id)
        return Problem("unverified", promise.id, "because") if promise.id == "b" else None

    change(store, "UPDATE promises SET state = 'no state' WHERE base = 'a' AND generation = 1")
    assert [("bad_row", "a"), ("unverified", "b")] == [(each.kind, each.subject) for each in store.check(judge)]
    assert ["a~2", "b"] == sorted(seen)
    store.repair()
