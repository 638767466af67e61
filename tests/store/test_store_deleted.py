"""A store deleted under a living process is noticed and said, and nothing of it is made again in silence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from children import Child, own, pending

from resonate_nb.clock import ManualClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import Inserted
from resonate_nb.store import Query, SqliteStore


def read(store: SqliteStore) -> None:
    with store.read() as reader:
        reader.get("a")


def write(store: SqliteStore) -> None:
    with store.write() as transaction:
        transaction.apply([Inserted(pending("b"))])


def put_file(store: SqliteStore) -> None:
    store.put_file([b"x"])


def read_file(store: SqliteStore) -> None:
    store.read_file("x-1-00000000.000000000000000000000000", 1)


def check(store: SqliteStore) -> None:
    store.check()


USES = [read, write, put_file, read_file, check]


@pytest.mark.parametrize("use", USES)
def test_deleted_store_is_said(tmp_path: Path, use: Callable[[SqliteStore], None]) -> None:
    """The error names the path and the ways out; the path stays empty."""
    clock = ManualClock()
    path = tmp_path / "store"
    store = SqliteStore.open(path, clock=clock)
    write(store)
    read(store)
    shutil.rmtree(path)
    clock.advance(100)
    for _ in range(2):
        with pytest.raises(StoreError) as raised:
            use(store)
        assert str(path) in str(raised.value)
        assert "deleted" in str(raised.value)
        assert "Restart the kernel" in str(raised.value)
        assert "rnb.configure(store=" in str(raised.value)
    store.close()
    assert not path.exists()


@pytest.mark.parametrize("use", [put_file, check])
def test_what_needs_a_file_notices_at_once(tmp_path: Path, use: Callable[[SqliteStore], None]) -> None:
    """Between two looks, what fails for the missing directory is told by its cause."""
    path = tmp_path / "store"
    store = SqliteStore.open(path, clock=ManualClock())
    shutil.rmtree(path)
    with pytest.raises(StoreError, match="deleted"):
        use(store)
    store.close()
    assert not path.exists()


def test_link_count_is_looked_at_ten_times_a_second(tmp_path: Path) -> None:
    """Not oftener: a look asks the system."""
    clock = ManualClock()
    path = tmp_path / "store"
    store = SqliteStore.open(path, clock=clock)
    read(store)
    shutil.rmtree(path)
    clock.advance(99)
    read(store)
    clock.advance(2)
    with pytest.raises(StoreError, match="deleted"):
        read(store)
    store.close()


def test_new_connection_does_not_make_the_database_again(tmp_path: Path) -> None:
    """A reader beside another one opens the file anew, whenever it was last looked at."""
    path = tmp_path / "store"
    store = SqliteStore.open(path, clock=ManualClock())
    with store.read():
        shutil.rmtree(path)
        with pytest.raises(StoreError, match="deleted"):
            read(store)
    assert not path.exists()
    store.close()


def test_store_made_anew_in_the_same_place_is_not_touched(tmp_path: Path) -> None:
    """The old handle is of no use any more, and its end leaves the new store alone."""
    clock = ManualClock()
    path = tmp_path / "store"
    old = SqliteStore.open(path, clock=clock)
    write(old)
    shutil.rmtree(path)
    new = SqliteStore.open(path, clock=clock)
    write(new)
    clock.advance(200)
    with pytest.raises(StoreError, match="deleted"):
        write(old)
    old.close()
    with new.read() as reader:
        assert reader.get("b") is not None
    new.close()
    found = SqliteStore.open(path, clock=clock)
    with found.read() as reader:
        assert reader.get("b") is not None
    assert [] == found.check()
    found.close()


@pytest.mark.parametrize("is_open_again", [False, True], ids=["closed", "used again"])
def test_descriptors_closed_by_others_are_said(tmp_path: Path, is_open_again: bool) -> None:
    """As code does that makes a daemon. The file that has got the number since is not touched."""
    clock = ManualClock()
    store = SqliteStore.open(tmp_path / "store", clock=clock)
    write(store)
    descriptor = store._directory.signal._descriptor
    os.close(descriptor)
    foreign = os.open(tmp_path / "foreign", os.O_RDWR | os.O_CREAT)
    if foreign != descriptor:
        os.dup2(foreign, descriptor)
        os.close(foreign)
    if not is_open_again:
        os.close(descriptor)
    clock.advance(100)
    with pytest.raises(StoreError, match=r"'signal' of the store .* was moved, deleted or replaced"):
        read(store)
    store.close()
    assert b"" == (tmp_path / "foreign").read_bytes()
    if is_open_again:
        os.close(descriptor)


def copy_as_after_a_kill(store: SqliteStore, path: Path) -> SqliteStore:
    """What another process would find if this one were killed now."""
    assert store.path is not None
    said: list[str] = []  # that a log was there, which the index beside it tells
    copied = SqliteStore.open(Path(shutil.copytree(store.path, path)), clock=ManualClock(), warn=said.append)
    assert isinstance(copied, SqliteStore)
    return copied


def test_a_log_that_is_deleted_loses_nothing_once_it_is_noticed(tmp_path: Path) -> None:
    """It is still open in the process that wrote it; what came after went into a file without a name."""
    clock = ManualClock()
    said: list[str] = []
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=clock, warn=said.append)
    for id in ("a", "b", "c"):
        with store.write() as transaction:
            transaction.apply([Inserted(pending(id))])
        if id == "a":
            (tmp_path / "store" / "promises.db-wal").unlink()
            clock.advance(200)
    with store.read() as reader:
        assert {"a", "b", "c"} == set(reader.ids(Query()))
    (sentence,) = said
    assert "'promises.db-wal' of the store" in sentence
    assert "Nothing is lost" in sentence
    after = copy_as_after_a_kill(store, tmp_path / "copy")
    with after.read() as reader:
        assert {"a", "b", "c"} == set(reader.ids(Query()))
    assert [] == after.check() == store.check()
    after.close()
    store.close()


def test_a_log_that_is_deleted_gets_no_other_before_it_is_noticed(tmp_path: Path) -> None:
    """A new connection would begin one, beside the one that the others write to; whoever checks has it noticed."""
    clock = ManualClock()
    said: list[str] = []
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=clock, warn=said.append)
    write(store)
    (tmp_path / "store" / "promises.db-wal").unlink()
    with pytest.raises(StoreError, match="replaced while"):
        read(store)
    assert not (tmp_path / "store" / "promises.db-wal").exists()
    assert [] == store.check()
    assert 1 == len(said)
    with store.read() as reader:
        assert ["b"] == reader.ids(Query())
    store.close()


def test_a_log_that_is_deleted_under_two_processes_ends_their_use(tmp_path: Path) -> None:
    """Each has the old one open, and a new one beside it would ruin the database; all that was in it is kept."""
    clock = ManualClock()
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=clock)
    other = Child(own, tmp_path / "store")
    other.read()
    write(store)
    (tmp_path / "store" / "promises.db-wal").unlink()
    clock.advance(200)
    with pytest.raises(StoreError, match=r"'promises\.db-wal' of the store .* replaced while"):
        write(store)
    other.kill()
    after = copy_as_after_a_kill(store, tmp_path / "copy")
    with after.read() as reader:
        assert ["b"] == reader.ids(Query())
    after.close()
    store.close()
