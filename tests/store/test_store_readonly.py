"""A store that may not be written is read, as it is at this moment, and says so when asked to write."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from children import CLOCK, pending

from resonate_nb.errors import NotStoredError, ReadOnlyStoreError, SchemaError, StoreError
from resonate_nb.protocol import Inserted, Settled, State, Value
from resonate_nb.store import Query, SqliteStore, _place
from resonate_nb.store._readonly import ReadOnlyStore

LARGE = b"large " * 10_000


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A store with a small value and a large one, left behind as by a kill: all of it in the log."""
    store = SqliteStore.open(tmp_path / "made", durability="process", clock=CLOCK)
    file = store.put_file([LARGE])
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a")), Inserted(pending("b"))])
        transaction.apply([Settled("a", State.RESOLVED, Value({}, None, file.name, file.size_bytes), 5)])
    path = tmp_path / "store"
    shutil.copytree(store.path, path)
    store.close()
    yield path
    for folder, _, _ in os.walk(path):
        os.chmod(folder, 0o700)


def reading(path: Path) -> ReadOnlyStore:
    return ReadOnlyStore(path, CLOCK)


@pytest.fixture
def own_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else copies to where this test looks."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def copies() -> set[str]:
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("resonate_nb-")}


def checkpoint(path: Path) -> None:
    """The log is empty, or gone."""
    with suppress(FileNotFoundError):
        connection = sqlite3.connect(path / "promises.db")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("own_copies")
@pytest.mark.parametrize("has_log", [True, False])
def test_everything_is_read_and_nothing_is_changed(path: Path, has_log: bool) -> None:
    """What is in the log counts: read without it, the store would be as of an earlier instant."""
    if not has_log:
        checkpoint(path)
    before, there = contents(path), copies()
    store = reading(path)
    assert store.is_read_only
    with store.read() as reader:
        assert ["a", "b"] == sorted(promise.id for promise in reader.search(Query()))
        value = reader.get("a").value  # type: ignore[union-attr]
        assert LARGE == store.read_file(value.file or "", value.size_bytes)
    assert [] == store.check()
    assert has_log == bool(copies() - there)
    store.close()
    assert there == copies()
    assert before == contents(path)


def test_a_database_without_tables_yet_holds_nothing(tmp_path: Path) -> None:
    """Its maker was stopped before it could write, by a full disk perhaps; and one of somebody else's is refused."""
    for name in ("new", "foreign"):
        (tmp_path / name / "values").mkdir(parents=True)
        (tmp_path / name / "promises.db").touch()
    store = reading(tmp_path / "new")
    with store.read() as reader:
        assert [] == reader.search(Query())
    assert [] == store.check()
    store.close()
    connection = sqlite3.connect(tmp_path / "foreign" / "promises.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="not a store of this package"):
        reading(tmp_path / "foreign")


def test_every_write_is_refused_with_the_way_out(path: Path) -> None:
    """The runtime tells this refusal from all others."""
    store = reading(path)
    for write in (store.write, store.repair, lambda: store.put_file([b"x"]), lambda: store.drop_file("x")):
        with pytest.raises(ReadOnlyStoreError, match="RESONATE_NB_STORE") as raised:
            write()
        assert str(path) in str(raised.value)
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read()
    with pytest.raises(StoreError, match="closed"):
        store.change_word()


@pytest.mark.parametrize("has_log", [True, False])
def test_what_another_process_writes_is_seen_at_the_next_read(path: Path, has_log: bool) -> None:
    """Read-only for us need not be read-only for all; a superseded generation must not be served."""
    if not has_log:
        checkpoint(path)
    store = reading(path)
    with store.read() as before:
        counter, word = store.invalidation_word(), store.change_word()
        assert counter == before.invalidation
        writer = SqliteStore.open(path, durability="process", clock=CLOCK)
        with writer.write() as transaction:
            transaction.apply([Inserted(pending("a~2"))])
            transaction.invalidate()
        assert counter != store.invalidation_word()
        assert word != store.change_word()
        assert before.latest("a").id == "a"  # type: ignore[union-attr]
        with store.read() as after:
            assert after.latest("a").id == "a~2"  # type: ignore[union-attr]
            assert after.invalidation == store.invalidation_word()
    writer.close()
    with store.read() as reader:
        assert reader.latest("a").id == "a~2"  # type: ignore[union-attr]
    store.close()


def test_store_of_an_older_schema_is_brought_over_in_a_copy(tmp_path: Path) -> None:
    """Where it lies it stays as it is."""
    path = tmp_path / "store"
    (path / "values").mkdir(parents=True)
    connection = sqlite3.connect(path / "promises.db")
    connection.executescript((Path(__file__).parent / "golden" / "schema1.sql").read_text())
    connection.close()
    before = contents(path)
    store = reading(path)
    with store.read() as reader:
        assert 6 == len(reader.search(Query()))
    store.close()
    assert before == contents(path)


def test_store_of_a_newer_schema_is_refused(path: Path) -> None:
    """With the way out."""
    connection = sqlite3.connect(path / "promises.db", isolation_level=None)
    connection.execute("UPDATE meta SET schema = 99")
    connection.close()
    with pytest.raises(SchemaError, match="Upgrade"):
        reading(path)


def test_damaged_store_is_read_as_far_as_it_can_be(path: Path) -> None:
    """Salvaged in a copy, and said."""
    checkpoint(path)
    with (path / "promises.db").open("r+b") as file:
        file.write(b"x" * 100)
    before = contents(path)
    store = reading(path)
    with store.read() as reader:
        assert ["a", "b"] == sorted(promise.id for promise in reader.search(Query()))
    assert "2 promises can be read" in store.news[0]
    store.close()
    assert before == contents(path)


def test_store_that_is_gone_is_said(path: Path) -> None:
    """At the next read."""
    store = reading(path)
    shutil.rmtree(path)
    with pytest.raises(StoreError, match="deleted"):
        store.read()
    store.close()


def test_missing_value_reads_as_not_stored(path: Path) -> None:
    """As from any store."""
    store = reading(path)
    with pytest.raises(NotStoredError):
        store.read_file("host-1-00000000." + "0" * 24, 5)
    store.close()


@pytest.mark.usefixtures("own_copies")
def test_forked_child_reads_a_copy_of_its_own(path: Path) -> None:
    """And leaves the parent's alone, however it ends."""
    store = reading(path)
    there = copies()
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with store.read() as reader:
            found = reader.get("b")
        os.write(into, b"b" if found is not None and len(copies() - there) == 1 else b"?")
        store.close()
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as said:
        assert b"b" == said.read()
    os.waitpid(child, 0)
    assert there == copies()
    with store.read() as reader:
        assert reader.get("b") is not None
    store.close()


WITHOUT_RIGHTS = """
import os, sys
from pathlib import Path
from resonate_nb.clock import SystemClock
from resonate_nb.errors import ReadOnlyStoreError
from resonate_nb.store import Query, SqliteStore
import resonate_nb.store._readonly, resonate_nb.store._files, tempfile, encodings.idna, urllib.parse
path = Path(sys.argv[1])
if os.geteuid() == 0:
    # Root may write everything: go on as nobody, who owns what the test has made over.
    for folder, _, files in os.walk(path):
        for piece in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(piece, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
for folder, _, files in os.walk(path, topdown=False):
    for name in files:
        os.chmod(os.path.join(folder, name), 0o400)
    os.chmod(folder, 0o500)
store = SqliteStore.open(path, clock=SystemClock())
with store.read() as reader:
    print(sorted(promise.id for promise in reader.search(Query())))
    value = reader.get("a").value
    print(len(store.read_file(value.file, value.size_bytes)))
try:
    store.write()
except ReadOnlyStoreError as error:
    print(store.is_read_only, "refused")
print(len(store.check()))
store.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("has_log", [True, False])
def test_process_without_the_right_to_write_opens_it_for_reading(path: Path, has_log: bool) -> None:
    """A real process of a user who may not write; as root, one that has become nobody."""
    if not has_log:
        checkpoint(path)
    # Where everybody may enter, which the folders of this test are not.
    with tempfile.TemporaryDirectory() as open_to_all:
        os.chmod(open_to_all, 0o755)
        copied = Path(open_to_all, "store")
        shutil.copytree(path, copied)
        ran = subprocess.run(
            [sys.executable, "-c", WITHOUT_RIGHTS, copied], capture_output=True, text=True, check=False
        )
        for folder, _, _ in os.walk(copied):
            os.chmod(folder, 0o700)
    assert ("['a', 'b']\n60000\nTrue refused\n0\n", "") == (ran.stdout, ran.stderr)


@pytest.mark.parametrize("look", [1, 2, 3])
def test_a_piece_that_comes_and_goes_makes_no_store_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """Another process closes the store, or makes it, while this one opens it: SQLite removes its log, or its journal.
    Whoever took that for a store that may not be written would store nothing for as long as it lives."""
    path = tmp_path / "store"
    SqliteStore.open(path, clock=CLOCK).close()
    log = path / "promises.db-wal"
    access, lexists, looks = os.access, os.path.lexists, []

    def come_or_go(piece: object) -> None:
        if piece == log:
            looks.append(piece)
            if len(looks) == look:
                log.unlink() if log.exists() else log.touch()

    def looked(piece: object) -> bool:
        come_or_go(piece)
        return lexists(piece)  # type: ignore[arg-type]

    def asked(piece: object, mode: int, **options: bool) -> bool:
        come_or_go(piece)
        return access(piece, mode, **options)  # type: ignore[arg-type]

    if look == 2:
        log.touch()
    monkeypatch.setattr(os.path, "lexists", looked)
    monkeypatch.setattr(os, "access", asked)
    monkeypatch.setattr(os, "supports_effective_ids", {*os.supports_effective_ids, asked})
    is_read_only = _place.is_read_only(path)
    monkeypatch.undo()
    assert not is_read_only
