"""Whatever is done to its files, a store opens, hands out no wrong value, goes on, and deletes nothing damaged."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from children import CLOCK, pending

from resonate_nb.errors import StoreError
from resonate_nb.protocol import Deleted, Inserted, Promise, Settled, State, Value, join_id
from resonate_nb.store import Attempt, Query, SqliteStore

BASES = 160
"""With their generations, 200 promises."""


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
        connection = sqlite3.connect(store.path / "promises.db", isolation_level=None)
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        fill(store, range(in_database))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fill(store, range(in_database, BASES))
        if in_database == BASES:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copytree(store.path, folder / "killed")
        connection.close()
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


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 25))
def test_damaged_store_opens_and_goes_on(templates: list[Path], tmp_path: Path, first: int) -> None:
    """Three hundred random damages, in logs, databases, value files, words and indexes."""
    for seed in range(first, first + 25):
        one_damage(templates, tmp_path / str(seed), seed)
