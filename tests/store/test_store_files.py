"""Value files are whole or not there, and what dead processes left of them is cleared up."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from children import (
    CLOCK,
    Child,
    copy_over,
    forget_on_demand,
    hold_file,
    meet_a_limit,
    own,
    pending,
    settle_on_demand,
)

from resonate_nb.errors import NotStoredError, StoreError
from resonate_nb.protocol import Inserted, Settled, State, Value
from resonate_nb.store import Durability, SqliteStore
from resonate_nb.store._files import ValueDisk


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    yield store
    store.close()


def names(path: Path) -> set[str]:
    return {file.name for file in (path / "values").iterdir()}


@pytest.mark.parametrize("durability", ["full", "process"])
def test_failed_write_leaves_no_partial_file(tmp_path: Path, durability: Durability) -> None:
    """Whatever stops it: chunks that raise, chunks of a wrong type, an interrupt."""
    store = SqliteStore.open(tmp_path / "store", durability=durability, clock=CLOCK)

    def chunks(last: object) -> Iterator[bytes]:
        yield b"x" * 1_000_000
        assert 1 == len(names(store.path))
        if isinstance(last, BaseException):
            raise last
        yield last  # type: ignore[misc]  # a wrong type is the point

    for last, error in (
        (ZeroDivisionError(), ZeroDivisionError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (bytearray(b"x"), TypeError),
    ):
        with pytest.raises(error):
            store.put_file(chunks(last))
        assert set() == names(store.path)
    assert [] == store.check()
    store.close()


@pytest.mark.parametrize(
    "replace",
    [os.mkfifo, os.mkdir, lambda file: os.symlink(file, file), lambda file: os.symlink("/dev/null", file)],
    ids=["pipe", "folder", "link to itself", "link to nothing"],
)
def test_what_cannot_be_read_is_not_stored(store: SqliteStore, replace: Callable[[Path], None]) -> None:
    """A call then computes it again; an error would come back at each Run All, and a pipe be waited for."""
    name = store.put_file([b"x" * 50_000]).name
    file = store.path / "values" / name
    file.unlink()
    replace(file)
    with pytest.raises(NotStoredError, match=name):
        store.read_file(name, 50_000)


def test_too_many_open_files_say_nothing_about_a_value(store: SqliteStore) -> None:
    """It is there, and need not be computed again."""
    name = store.put_file([b"x" * 50_000]).name
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    try:
        with pytest.raises(StoreError, match="too many files"):
            store.read_file(name, 50_000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert b"x" * 50_000 == store.read_file(name, 50_000)


def test_file_is_seen_by_its_last_name_only_when_it_is_whole(store: SqliteStore) -> None:
    """Until then its name says that it is a part."""

    def chunks() -> Iterator[bytes]:
        yield b"half"
        (name,) = names(store.path)
        assert name.endswith(".part")
        assert name.startswith(store.owner)

    file = store.put_file(chunks())
    assert {file.name} == names(store.path)
    assert file.name.startswith(store.owner)


@pytest.mark.slow
def test_full_disk_is_said_and_leaves_a_sound_store(tmp_path: Path) -> None:
    """A limit of file size stands in for it, for value files and for the database."""
    said = Child(meet_a_limit, tmp_path / "store").end().splitlines()
    assert ["file", "row", "kept"] == [line.split()[0] for line in said]
    for line in said[:2]:
        assert str(tmp_path / "store") in line
        assert "RESONATE_NB_STORE" in line
    assert "limit" in said[0]
    kept, word = map(int, said[2].split()[1:])
    assert kept > 5
    assert set() == names(tmp_path / "store")
    store = SqliteStore.open(tmp_path / "store", clock=CLOCK)
    assert [] == store.check()
    with store.read() as reader:
        assert kept == len(reader.notes("n", [f"n/{number}" for number in range(kept + 5)]))
        assert kept == reader.invalidation
        # The failed transaction's number was taken back, or runs ahead; it never stays behind.
        assert word >= kept
    assert kept == store.invalidation_word()
    store.close()


@pytest.mark.slow
def test_what_a_dead_process_left_goes_at_the_next_opening(store: SqliteStore) -> None:
    """Half a file, and a whole one that no row names; files of the living, named files and foreign ones stay."""
    path = store.path
    own = store.put_file([b"not named yet"])
    (path / "values" / "notes of the user.txt").write_text("hands off")
    child = Child(hold_file, path)
    owner, _ = child.read().split()
    named = store.put_file([b"named"])
    with store.write() as transaction:
        transaction.apply([Inserted(pending("a"))])
        transaction.apply([Settled("a", State.RESOLVED, Value({}, None, named.name, 5), 1)])
    before = names(path)
    assert 5 == len(before)

    def reopen() -> None:
        SqliteStore.open(path, durability="process", clock=CLOCK).close()

    reopen()
    assert before == names(path)
    assert [("orphan_file", "notes of the user.txt")] == [(found.kind, found.subject) for found in store.check()]
    child.kill()
    assert {"orphan_file", "partial_file"} == {found.kind for found in store.check() if found.subject.startswith(owner)}
    reopen()
    assert {own.name, named.name, "notes of the user.txt"} == names(path)
    assert owner == store.describe(owner).owner
    assert child.process.pid == store.describe(owner).pid
    assert store.describe(owner).started_at > 0
    (path / "values" / "notes of the user.txt").unlink()
    assert [] == store.check()


def test_disk_stores_bytes_and_nothing_else(tmp_path: Path) -> None:
    """diskcache would pickle what it does not know; ours has no way to."""
    disk = ValueDisk(tmp_path, lambda: "owner", synced_from=1)
    for value in (bytearray(b"x"), 5, None, object(), {"a": 1}, "text"):
        with pytest.raises(TypeError):
            disk.store(value)
    for refuse in (lambda: disk.put("key"), lambda: disk.get(b"key", False), lambda: disk.hash("key")):
        with pytest.raises(TypeError, match="no keys"):
            refuse()
    assert [] == list(tmp_path.iterdir())


def test_removing_the_last_file_keeps_the_directory(store: SqliteStore) -> None:
    """diskcache removes folders that have become empty, up to the store itself."""
    file = store.put_file([b"x"])
    store.drop_file(file.name)
    assert (store.path / "values").is_dir()
    store.drop_file(store.put_file([b"x"]).name)


def test_missing_directory_of_values_is_said(store: SqliteStore) -> None:
    """It is not made again: where it went, files of other promises went too."""
    (store.path / "values").rmdir()
    with pytest.raises(StoreError, match="missing"):
        store.put_file([b"x"])
    assert not (store.path / "values").exists()


def kill_in_its_commit(path: Path, work: Callable[[str], None], says: str) -> str:
    """A process is killed while it names a value file, or forgets it, and all others have died since, of whom one had
    opened the store after it: its commit is in the log, and not yet in the index by which the living read the log.
    Gives the name of the file.
    """
    index, kept = path / "promises.db-shm", path.with_name("index")
    living = Child(own, path)
    living.read()
    killed = Child(work, path)
    name = killed.read()
    value = (path / "values" / name).read_bytes()
    Child(copy_over, index, kept).end()
    killed.tell()
    assert says == killed.read()
    killed.kill()
    Child(copy_over, kept, index).end()
    (path / "values" / name).write_bytes(value)
    later = Child(own, path)
    later.read()
    for child in (living, later):
        child.kill()
    return name


@pytest.mark.slow
def test_a_commit_that_its_process_was_killed_in_does_not_come_back_without_its_file(tmp_path: Path) -> None:
    """To the living the promise is pending and its file a left-over; to the first opener after all have died it would
    be committed."""
    path = tmp_path / "store"
    name = kill_in_its_commit(path, settle_on_demand, "settled")
    store = SqliteStore.open(path, clock=CLOCK)
    with store.read() as reader:
        promise = reader.get("ghost")
    assert promise is not None
    assert State.PENDING is promise.state
    assert [] == store.check()
    assert [name] == [file.name for file in (path / "damaged").rglob("*") if file.is_file()]
    store.close()


@pytest.mark.slow
def test_a_deletion_that_its_process_was_killed_in_does_not_come_back_without_its_file(tmp_path: Path) -> None:
    """To the living the promise is there, with its file; to the first opener after all have died it would be deleted,
    and its file a left-over."""
    path = tmp_path / "store"
    name = kill_in_its_commit(path, forget_on_demand, "forgotten")
    store = SqliteStore.open(path, clock=CLOCK)
    with store.read() as reader:
        promise = reader.get("ghost")
    assert promise is not None
    assert [] == store.check()
    assert b"value" == store.read_file(name, 5)
    store.close()
