"""Whatever is done to its files, a store opens, hands out no wrong value, goes on, and deletes nothing damaged."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from children import CLOCK, Child, pending, write_for_long

from resonate_nb.clock import ManualClock
from resonate_nb.errors import SchemaError, StoreError
from resonate_nb.protocol import Deleted, Inserted, Promise, Settled, State, Value, join_id
from resonate_nb.store import Attempt, Query, SqliteStore
from resonate_nb.store._signal import UNKNOWN

BASES = 160
"""Every eighth has three generations, every fiftieth is forgotten, every fortieth pending."""
COUNT = BASES * 10 // 8 - BASES // 50
HANDED_OUT = COUNT - BASES // 40


def data_of(id: str) -> bytes:
    """The only right value of a promise: some in the row, some over several pages, some in a file."""
    number = int(id.partition("/")[2].partition("~")[0])
    size = 40_000 if number % 20 == 7 else (20, 300, 3_000, 9_000)[number % 4]
    return (id.encode() + b" ") * (size // (len(id) + 1) + 1)


def signature_of(id: str, data: bytes) -> str:
    """As the runtime's: it binds a value to its promise."""
    return hashlib.sha256(id.encode() + data).hexdigest()


def fill(store: SqliteStore, bases: range) -> None:
    """Every eighth in three generations, with notes and tries, some pending, some forgotten."""
    for number in bases:
        for generation in range(1, 4 if number % 8 == 0 else 2):
            id = join_id(f"f/{number}", generation)
            data = data_of(id)
            headers = {"codec": "raw", "signature": signature_of(id, data)}
            value = Value(headers, data, None, len(data))
            if len(data) > 30_000:
                file = store.put_file([data])
                value = Value(headers, None, file.name, file.size_bytes)
            with store.write() as transaction:
                transaction.apply([Inserted(pending(id, store.owner))])
                if number % 40 == 39:
                    continue
                transaction.apply([Settled(id, State.RESOLVED, value, CLOCK.now_ms())])
                transaction.put_note(id, "output", b"text " * (number % 50))
                if number % 3 == 0:
                    transaction.put_attempt(Attempt(id, 1, store.owner, 5))
                if number % 50 == 49:
                    transaction.apply([Deleted(id, 1)])


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Stores as a kill leaves them: everything in the log, everything in the database, and half in each."""
    made = []
    for name, in_database in (("log", 0), ("database", BASES), ("both", BASES // 2)):
        folder = tmp_path_factory.mktemp(name)
        store = SqliteStore.open(folder / "store", durability="process", clock=CLOCK)
        connection = store._directory.pool.writer().connection
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        fill(store, range(in_database))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fill(store, range(in_database, BASES))
        if in_database == BASES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(store.path, folder / "killed")
        store.close()
        made.append(folder / "killed")
    return made


def scribble(file: Path, chance: random.Random) -> None:
    """One of the things that happen to files."""
    size = file.stat().st_size
    match chance.randrange(6):
        case 0:
            os.truncate(file, chance.randrange(size + 1))
        case 1:
            os.truncate(file, size // 4096 * chance.randrange(4096) // 4096 * 4096)
        case 2:
            overwrite(file, 0, chance.randbytes(chance.choice((16, 100, 4096))))
        case 3:
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(max(size // 4096, 1)) * 4096
                overwrite(file, at, chance.choice((chance.randbytes(4096), bytes(4096))))
        case 4:
            for _ in range(chance.randrange(1, 9)):
                overwrite(file, chance.randrange(max(size, 1)), chance.randbytes(chance.randrange(1, 200)))
        case 5:
            os.truncate(file, 0)


def overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def damage(path: Path, chance: random.Random) -> None:
    """One to three pieces of a store that nobody has open."""
    for _ in range(chance.randrange(1, 4)):
        name = chance.choice(("promises.db", "promises.db", "promises.db-wal", "promises.db-shm", "signal", "values"))
        file = path / name
        if name == "values":
            file = chance.choice(sorted((path / "values").iterdir()))
        if not file.exists():
            continue
        if name in ("promises.db-wal", "promises.db-shm", "signal") and chance.random() < 0.3:
            file.unlink()
        else:
            scribble(file, chance)


def handed_out(store: SqliteStore, promise: Promise) -> bytes | None:
    """The value as the runtime would give it: signed, and not said to be not stored; else None."""
    value = promise.value
    if promise.state is not State.RESOLVED or "not_stored" in value.headers:
        return None
    try:
        data = store.read_file(value.file, value.size_bytes) if value.file is not None else value.data
    except LookupError:
        return None
    if data is None or value.headers.get("signature") != signature_of(promise.id, data):
        return None
    return data


def read_all(store: SqliteStore) -> int:
    """Every value that is handed out is the right one; how many were."""
    count = 0
    with store.read() as reader:
        for promise in reader.search(Query()):
            data = handed_out(store, promise)
            if data is not None:
                assert data == data_of(promise.id)
                count += 1
    return count


def one_damage(templates: list[Path], path: Path, seed: int) -> None:
    chance = random.Random(seed)
    shutil.copytree(chance.choice(templates), path)
    damage(path, chance)
    before = [file.read_bytes() for file in (path / "values").iterdir()]
    said: list[str] = []
    store = SqliteStore.open(path, durability="process", clock=CLOCK, warn=said.append)
    with suppress(StoreError):  # damage that nobody had met yet
        read_all(store)
    for problem in store.repair():
        assert problem.done
    assert [] == store.check()
    count = read_all(store)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("new/1"))])
    store.close()
    after = {
        file.read_bytes()
        for place in (path / "values", path / "damaged")
        for file in place.rglob("*")
        if file.is_file()
    }
    assert [] == [data for data in before if data not in after]
    again = SqliteStore.open(path, durability="process", clock=CLOCK, warn=said.append)
    with again.read() as reader:
        assert reader.get("new/1") is not None
    assert count == read_all(again)
    again.close()
    shutil.rmtree(path)


def copied(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


def opened(path: Path, said: list[str]) -> SqliteStore:
    store = SqliteStore.open(path, durability="process", clock=CLOCK, warn=said.append)
    assert isinstance(store, SqliteStore)
    return store


def kept(path: Path, name: str) -> bytes:
    """The one piece of this name that is kept aside."""
    (file,) = (path / "damaged").glob(f"*/{name}")
    return file.read_bytes()


def page_with(path: Path, text: bytes, times: int) -> int:
    """Where a page begins in which the text stands often."""
    data = (path / "promises.db").read_bytes()
    return next(at for at in range(4096, len(data), 4096) if data[at : at + 4096].count(text) >= times)


LOG, DATABASE, BOTH = range(3)
"""Which template."""


@pytest.mark.parametrize(
    "scribbled",
    [b"x" * 16, random.Random(1).randbytes(4096), bytes(4096), b"hello\n" * 9],
    ids=["magic", "page", "zeros", "text"],
)
def test_lost_first_page_costs_nothing(templates: list[Path], tmp_path: Path, scribbled: bytes) -> None:
    """The tables of a store begin at the same pages always."""
    path = copied(templates[DATABASE], tmp_path)
    overwrite(path / "promises.db", 0, scribbled)
    before = (path / "promises.db").read_bytes()
    said: list[str] = []
    store = opened(path, said)
    assert [True] == [f"all its {COUNT} promises could be read" in line for line in said]
    assert str(path / "damaged") in said[0]
    assert HANDED_OUT == read_all(store)
    assert [] == store.check()
    assert before == kept(path, "promises.db")
    store.close()


def test_lost_pages_cost_their_rows_and_no_superseded_value_comes_back(templates: list[Path], tmp_path: Path) -> None:
    """A promise whose row is lost reads as not stored; were it gone, the generation before would be the latest."""
    path = copied(templates[DATABASE], tmp_path)
    chance = random.Random(2)
    for at in range(4096, (path / "promises.db").stat().st_size, 4096):
        if (path / "promises.db").read_bytes()[at : at + 4096].count(b"resolved") >= 3 and chance.random() < 0.5:
            overwrite(path / "promises.db", at, chance.randbytes(4096))
    said: list[str] = []
    store = met(path, said)
    assert len(said) == 1
    count = read_all(store)
    assert HANDED_OUT // 4 < count < HANDED_OUT * 3 // 4
    assert f"{COUNT - lost(store)} promises could be read" in said[0]
    assert f"; {lost(store)} could not" in said[0]
    with store.read() as reader:
        for number in range(0, BASES, 8):
            latest = reader.latest(f"f/{number}")
            assert latest is not None
            assert f"f/{number}~3" == latest.id
            assert handed_out(store, latest) in (None, data_of(latest.id))
    assert [] == store.check()
    store.close()


def met(path: Path, said: list[str]) -> SqliteStore:
    """The store after a process has met the damage and another one has opened it."""
    store = opened(path, said)
    with pytest.raises(StoreError, match=r"damaged.*next use.*kept.*RESONATE_NB_STORE"), store.read() as reader:
        reader.search(Query())
    store.close()
    assert [] == said
    return opened(path, said)


def lost(store: SqliteStore) -> int:
    with store.read() as reader:
        return sum("lost" in promise.value.headers.get("not_stored", "") for promise in reader.search(Query()))


@pytest.mark.slow
@pytest.mark.parametrize("size", [4096 * 20, 4096 * 20 + 100])
def test_cut_database_is_read_as_far_as_it_goes(templates: list[Path], tmp_path: Path, size: int) -> None:
    """SQLite refuses it as a whole."""
    path = copied(templates[DATABASE], tmp_path)
    os.truncate(path / "promises.db", size)
    said: list[str] = []
    store = opened(path, said)
    assert 5 < read_all(store) < HANDED_OUT
    assert "was damaged" in said[0]
    assert [] == store.check()
    assert size == len(kept(path, "promises.db"))
    store.close()


def test_empty_database_with_a_log_is_read_from_the_log(templates: list[Path], tmp_path: Path) -> None:
    """SQLite would take it for a new one, and remove the log."""
    path = copied(templates[LOG], tmp_path)
    log = (path / "promises.db-wal").read_bytes()
    os.truncate(path / "promises.db", 0)
    said: list[str] = []
    store = opened(path, said)
    assert HANDED_OUT == read_all(store)
    assert "it was empty" in said[0]
    assert log == kept(path, "promises.db-wal")
    store.close()


@pytest.mark.parametrize("way", [lambda file: os.truncate(file, 0), Path.unlink])
def test_lost_database_is_said_and_its_values_are_kept(
    templates: list[Path], tmp_path: Path, way: Callable[[Path], None]
) -> None:
    """A new one is made, as for a new store, but not in silence."""
    path = copied(templates[DATABASE], tmp_path)
    way(path / "promises.db")
    names = {file.name for file in (path / "values").iterdir()}
    said: list[str] = []
    store = opened(path, said)
    assert 0 == read_all(store)
    assert "missing or empty" in said[0]
    assert names <= {file.name for file in (path / "damaged").rglob("*")}
    assert [] == store.check()
    store.close()


def test_log_that_makes_no_sense_is_kept_and_said(templates: list[Path], tmp_path: Path) -> None:
    """SQLite would pass it over, and write over it; forgotten promises and superseded generations are back."""
    path = copied(templates[BOTH], tmp_path)
    overwrite(path / "promises.db-wal", 0, b"x" * 32)
    log = (path / "promises.db-wal").read_bytes()
    said: list[str] = []
    store = opened(path, said)
    assert ["as of an earlier instant, since its write-ahead log was damaged" in line for line in said] == [True]
    assert 0 < read_all(store) < HANDED_OUT
    assert log == kept(path, "promises.db-wal")
    assert [] == store.check()
    store.close()


def test_log_with_a_damaged_end_is_kept_and_said(templates: list[Path], tmp_path: Path) -> None:
    """What comes before is used; a commit that was begun only, as a kill leaves it, is none."""
    path = copied(templates[LOG], tmp_path)
    size = (path / "promises.db-wal").stat().st_size
    overwrite(path / "promises.db-wal", size // 2, b"x" * 5_000)
    log = (path / "promises.db-wal").read_bytes()
    said: list[str] = []
    store = opened(path, said)
    assert ["ends in a damaged part" in line for line in said] == [True]
    assert 0 < read_all(store) < HANDED_OUT
    assert log == kept(path, "promises.db-wal")
    store.close()


@pytest.mark.parametrize("share", [0, 1, 2])
def test_log_that_was_cut_is_said(templates: list[Path], tmp_path: Path, share: int) -> None:
    """Its index still knows how long it was."""
    path = copied(templates[BOTH], tmp_path)
    log = path / "promises.db-wal"
    os.truncate(log, log.stat().st_size * share // 3)
    said: list[str] = []
    store = opened(path, said)
    assert ["its write-ahead log has lost its end" in line for line in said] == [True]
    assert 0 < read_all(store) < HANDED_OUT
    store.close()


@pytest.mark.slow
def test_index_of_a_log_is_believed_only_if_it_is_sound(templates: list[Path], tmp_path: Path) -> None:
    """SQLite makes it anew from the log."""
    for seed in range(20):
        path = tmp_path / str(seed)
        shutil.copytree(templates[LOG], path)
        scribble(path / "promises.db-shm", random.Random(seed))
        said: list[str] = []
        store = opened(path, said)
        assert [] == said
        assert HANDED_OUT == read_all(store)
        store.close()


def test_missing_log_is_said(templates: list[Path], tmp_path: Path) -> None:
    """Its index is still there."""
    path = copied(templates[BOTH], tmp_path)
    (path / "promises.db-wal").unlink()
    said: list[str] = []
    store = opened(path, said)
    assert ["its write-ahead log is missing" in line for line in said] == [True]
    assert 0 < read_all(store) < HANDED_OUT
    store.close()


@pytest.mark.parametrize("template", [LOG, DATABASE, BOTH])
def test_store_of_a_killed_process_is_not_called_damaged(templates: list[Path], tmp_path: Path, template: int) -> None:
    """Nor is anything read through that need not be."""
    path = copied(templates[template], tmp_path)
    said: list[str] = []
    for _ in range(2):
        store = opened(path, said)
        assert HANDED_OUT == read_all(store)
        store.close()
    assert [] == said
    assert not (path / "damaged").exists()


@pytest.mark.parametrize("moved", [1, 2])
def test_salvage_that_was_killed_is_taken_up(templates: list[Path], tmp_path: Path, moved: int) -> None:
    """The pieces that were moved already belong together with those that were not."""
    path = copied(templates[BOTH], tmp_path)
    folder = path / "damaged" / "then"
    folder.mkdir(parents=True)
    (path / "suspect").write_text("then\nit was torn\n")
    (path / "promises.db.new").write_bytes(b"half")
    for name in ("promises.db", "promises.db-wal")[:moved]:
        (path / name).rename(folder / name)
    said: list[str] = []
    store = opened(path, said)
    assert HANDED_OUT == read_all(store)
    assert "(it was torn)" in said[0]
    assert {"promises.db", "promises.db-wal", "promises.db-shm"} <= {file.name for file in folder.iterdir()}
    store.close()
    assert not (path / "suspect").exists()
    assert HANDED_OUT == read_all(opened(path, said))
    assert 1 == len(said)


def test_suspicion_without_damage_is_dropped(templates: list[Path], tmp_path: Path) -> None:
    """In silence."""
    path = copied(templates[DATABASE], tmp_path)
    (path / "suspect").write_text("\nsomething\n")
    said: list[str] = []
    store = opened(path, said)
    assert [] == said
    assert HANDED_OUT == read_all(store)
    assert not (path / "suspect").exists()
    store.close()


def test_damaged_store_of_a_newer_package_is_left_alone(templates: list[Path], tmp_path: Path) -> None:
    """Only that package knows what is in it."""
    path = copied(templates[DATABASE], tmp_path)
    change(path, "UPDATE meta SET schema = 99")
    overwrite(path / "promises.db", page_with(path, b"resolved", 5), b"x" * 4096)
    (path / "suspect").write_text("\nsomething\n")
    before = (path / "promises.db").read_bytes()
    with pytest.raises(SchemaError, match="Upgrade"):
        opened(path, [])
    assert before == (path / "promises.db").read_bytes()


def test_damaged_store_of_the_first_schema_is_brought_over(tmp_path: Path) -> None:
    """After what can be read of it has been."""
    path = tmp_path / "store"
    path.mkdir()
    connection = sqlite3.connect(path / "promises.db")
    connection.executescript((Path(__file__).parent / "golden" / "schema1.sql").read_text())
    connection.close()
    os.truncate(path / "promises.db", (path / "promises.db").stat().st_size - 4096)
    said: list[str] = []
    store = opened(path, said)
    with store.read() as reader:
        assert 6 == len(reader.search(Query()))
    assert "was damaged" in said[0]
    store.close()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM meta", "UPDATE meta SET schema = 123456", "DROP TABLE notes", "DROP TABLE meta"],
)
def test_tables_that_make_no_sense_are_made_anew(templates: list[Path], tmp_path: Path, statement: str) -> None:
    """SQLite has nothing against them."""
    path = copied(templates[DATABASE], tmp_path)
    change(path, statement)
    said: list[str] = []
    store = opened(path, said)
    assert HANDED_OUT == read_all(store)
    assert f"all its {COUNT} promises" in said[0]
    with store.write() as transaction:
        transaction.put_note("a", "n", b"x")
    store.close()


TEXTS = (
    *("base", "state", "task", "owner", "tags", "name", "param_code", "param_arguments", "param_headers", "param_file"),
    *("value_code", "codec", "signature", "elapsed_us", "settled_by", "value_headers", "value_file"),
)


@pytest.mark.parametrize("column", TEXTS)
def test_a_text_that_is_none_hides_no_other_row(tmp_path: Path, column: str) -> None:
    """One bit is enough for that. The store opens after a kill, reads ahead, and lists attempts and deadlines."""
    made = SqliteStore.open(tmp_path / "made", durability="process", clock=CLOCK)
    param = Value({"name": "f"})
    with made.write() as transaction:
        for id in ("f:a", "f:b", "f:c"):
            promise = replace(pending(id, made.owner), param=param, timeout_at=1_000)
            transaction.apply([Inserted(promise)])
            transaction.put_attempt(Attempt(id, 1, made.owner, 5, error="no"))
        file = made.put_file([b"x" * 40_000])
        transaction.apply([Settled("f:b", State.RESOLVED, Value({}, None, file.name, file.size_bytes), 5)])
    path = copied(made.path, tmp_path)
    made.close()
    change(path, f"UPDATE promises SET {column} = CAST(x'66FF' AS TEXT) WHERE base = 'f:b'")
    change(path, "UPDATE attempts SET error = CAST(x'66FF' AS TEXT) WHERE promise = 'f:a'")
    (path / "owners" / "vm-1-00000000").touch()  # somebody has died there
    store = opened(path, [])
    for _ in range(2):
        with store.read() as reader:
            assert {"f:a", "f:c"} <= {row.base for row in reader.ahead("f", 10, 1_000)}
            assert {"f:a", "f:c"} <= {row.base for row in reader.under("f:", 10, 1_000)}
            assert {"f:a", "f:c"} <= {id for _, id in reader.deadlines(10)}
            assert ["f\ufffd"] == [attempt.error for attempt in reader.attempts("f:a")]
            assert reader.get("f:c") is not None
    store.repair()
    assert [] == store.check()
    store.close()


COLUMNS = (
    *("timeout_at", "created_at", "settled_at", "version", "lease_ms", "lease_until", "param_data", "value_data"),
    *TEXTS,
)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_cell_of_another_type_is_a_bad_row(tmp_path: Path, column: str) -> None:
    """One bit makes a text of bytes, or an instant of a far-off time; nobody who looks is to trip over it."""
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a", store.owner)), Inserted(pending("b", store.owner))])
    strange = "x'616263'" if column in TEXTS else "'abc'" if column.endswith("data") else "9007199254740992"
    change(tmp_path / "store", f"UPDATE promises SET {column} = {strange} WHERE base = 'b'")
    with store.read() as reader:
        assert {State.PENDING, State.RESOLVED} == {promise.state for promise in reader.search(Query())}
    assert ["bad_row"] == [problem.kind for problem in store.check()]
    store.repair()
    assert [] == store.check()
    store.close()


def test_rows_read_ahead_hold_no_time_that_is_no_number(tmp_path: Path) -> None:
    """A digit is one bit away from a letter; a call counts with it."""
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    with store.write() as transaction:
        for id, taken in (("a", "12"), ("b", "1r"), ("c", "")):
            transaction.apply([Inserted(replace(pending(id, store.owner), param=Value({"name": "f"})))])
            transaction.apply([Settled(id, State.RESOLVED, Value({"elapsed_us": taken}, b"x", None, 1), 5)])
    with store.read() as reader:
        assert {"a": "12", "b": None, "c": ""} == {row.base: row.elapsed_us for row in reader.ahead("f", 10, 100)}
    store.close()


@pytest.mark.parametrize(
    ("was", "became"),
    [
        ("'started_at INTEGER'", "'startgd_at INTEGER'"),
        ("'cpu_us TEXT'", "'cpu_uw TEXT'"),
        ("'CREATE TABLE'", "'CREATE TABBLE'"),
        ("'CREATE TABLE'", "CAST(x'CDCDCD' AS TEXT)"),
        ("'promises ('", "CAST(x'70EF6F28' AS TEXT)"),
    ],
)
def test_tables_whose_text_is_damaged_are_read_by_their_place(
    templates: list[Path], tmp_path: Path, was: str, became: str
) -> None:
    """Which columns they have, or even that they are tables, is said by one text on the first page."""
    path = copied(templates[DATABASE], tmp_path)
    connection = sqlite3.connect(path / "promises.db", isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(f"UPDATE sqlite_master SET sql = replace(sql, {was}, {became}) WHERE type = 'table'")
    connection.close()
    said: list[str] = []
    store = opened(path, said)
    assert HANDED_OUT == read_all(store)
    assert "was damaged" in said[0]
    with store.read() as reader:
        assert 1 == len(reader.attempts("f/3")) or "started_at" in was
    store.close()


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path / "promises.db", isolation_level=None)
    connection.execute(statement)
    connection.close()


def test_handle_that_had_the_damaged_store_open_goes_on_with_the_new_one(templates: list[Path], tmp_path: Path) -> None:
    """Within a tenth of a second, and at once where it would write to what was set aside."""
    path = copied(templates[DATABASE], tmp_path)
    clock = ManualClock()
    before = SqliteStore.open(path, durability="process", clock=clock)
    with before.read() as reader:
        assert reader.get("f/1") is not None
    overwrite(path / "promises.db", 0, b"x" * 100)
    after = opened(path, [])
    with pytest.raises(StoreError, match="replaced while this process was using it"):
        before.write().__enter__()
    clock.advance(200)
    with before.write() as transaction:
        transaction.apply([Inserted(pending("new/1"))])
    with after.read() as reader:
        assert reader.get("new/1") is not None
    assert HANDED_OUT == read_all(after) == read_all(before)
    before.close()
    after.close()
    assert HANDED_OUT == read_all(opened(path, []))


def write(store: SqliteStore) -> None:
    with store.write() as transaction:
        transaction.apply([Inserted(pending("new/1"))])


def write_at_once(store: SqliteStore) -> None:
    store.at_once(Inserted(pending("new/1", store.owner)), None)


@pytest.mark.parametrize("way", [write, write_at_once])
def test_nothing_is_committed_in_silence_to_what_was_set_aside(
    templates: list[Path], tmp_path: Path, way: Callable[[SqliteStore], None]
) -> None:
    """By a process that waits for the lock while another one heals."""
    path = copied(templates[DATABASE], tmp_path)
    store = opened(path, [])
    with store.read() as reader:
        assert reader.get("new/1") is None
    healer = sqlite3.connect(path / "promises.db", isolation_level=None, check_same_thread=False)
    healer.execute("BEGIN IMMEDIATE")
    said: list[StoreError] = []

    def wait_and_write() -> None:
        try:
            way(store)
        except StoreError as error:
            said.append(error)

    thread = threading.Thread(target=wait_and_write)
    thread.start()
    while not store._directory.is_writing:
        thread.join(0.001)
    store._directory.signal.set_invalidation(UNKNOWN)
    (path / "damaged" / "now").mkdir(parents=True)
    shutil.copyfile(path / "promises.db", path / "new")
    (path / "promises.db").rename(path / "damaged" / "now" / "promises.db")
    (path / "new").rename(path / "promises.db")
    store._directory.signal.set_invalidation(7)
    healer.execute("ROLLBACK")
    thread.join()
    healer.close()
    assert ["'promises.db' of the store" in str(error) for error in said] == [True]
    store.close()


def can_be_read(store: SqliteStore) -> bool:
    try:
        with store.read() as reader:
            return len(reader.search(Query())) > 0
    except StoreError:
        return False


@pytest.mark.slow
def test_damage_that_one_process_heals_is_healed_for_all(templates: list[Path], tmp_path: Path) -> None:
    """None is restarted, and nothing that one of them was told is stored is lost."""
    path = copied(templates[DATABASE], tmp_path)
    children = [Child(write_for_long, path, name, 400) for name in ("x", "y")]
    for child in children:
        assert "ready" == child.read()
    overwrite(path / "promises.db", page_with(path, b"resolved", 5), b"x" * 4096)
    store = opened(path, [])
    for child in children:
        child.tell()
    assert any(can_be_read(store) for _ in range(1_000))
    stored = [id for child in children for id in child.end().split()]
    with store.read() as reader:
        assert [] == [id for id in stored if reader.get(id) is None]
    assert b"x" * 4096 in kept(path, "promises.db")
    assert 400 < len(stored)
    assert [] == store.check()
    store.close()


@pytest.mark.parametrize("name", ["promises.db", "signal"])
def test_piece_replaced_under_a_process_is_said(templates: list[Path], tmp_path: Path, name: str) -> None:
    """As by a program that synchronises folders, or by `mv`."""
    clock = ManualClock()
    path = copied(templates[DATABASE], tmp_path)
    store = SqliteStore.open(path, durability="process", clock=clock)
    shutil.copyfile(path / name, path / "new")
    (path / name).rename(path / "old")
    (path / "new").rename(path / name)
    clock.advance(200)
    with pytest.raises(StoreError, match=rf"'{name}' of the store .* replaced"):
        store.read().__enter__()
    store.close()


def test_store_moved_away_under_a_process_is_said(templates: list[Path], tmp_path: Path) -> None:
    """Nothing is written where it was not asked for, nor where it is now."""
    clock = ManualClock()
    path = copied(templates[DATABASE], tmp_path)
    store = SqliteStore.open(path, durability="process", clock=clock)
    path.rename(tmp_path / "elsewhere")
    clock.advance(200)
    with pytest.raises(StoreError, match="moved, deleted or replaced"):
        store.write().__enter__()
    store.close()
    assert not path.exists()


def test_cut_words_are_made_whole_and_remembered_values_looked_up(templates: list[Path], tmp_path: Path) -> None:
    """Reading beyond the end of a mapped file would end the process; the next writer puts the word right."""
    clock = ManualClock()
    path = copied(templates[DATABASE], tmp_path)
    store = SqliteStore.open(path, durability="process", clock=clock)
    with store.write() as transaction:
        transaction.invalidate()
        counter = transaction.invalidation
    os.truncate(path / "signal", 8)
    clock.advance(200)
    with store.read() as reader:
        assert counter == reader.invalidation
        assert counter != store.invalidation_word()
    with store.write():
        assert counter == store.invalidation_word()
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 25))
def test_damaged_store_opens_and_goes_on(templates: list[Path], tmp_path: Path, first: int) -> None:
    """Three hundred random damages, in logs, databases, value files, words and indexes."""
    for seed in range(first, first + 25):
        one_damage(templates, tmp_path / str(seed), seed)
