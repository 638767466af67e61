"""A forked child is a process of its own: nothing of its parent's store is used, and nothing of it is undone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import CLOCK, Child, in_fork, outlive, pending

from resonate_nb.errors import StoreError
from resonate_nb.protocol import Inserted
from resonate_nb.store import MemoryStore, Query, SqliteStore, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore.open(tmp_path / "store", durability="process", clock=CLOCK)
    yield store
    assert [] == store.check()
    store.close()


def insert(store: Store, id: str) -> None:
    with store.write() as transaction:
        transaction.apply([Inserted(pending(id))])


def ids(store: Store) -> set[str]:
    with store.read() as reader:
        return {promise.id for promise in reader.search(Query())}


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_child_is_another_owner(store: SqliteStore, kind: str) -> None:
    """A promise that a child runs is not its parent's."""
    asked: Store = store if kind == "sqlite" else MemoryStore(CLOCK)
    owner = asked.owner
    child = in_fork(lambda: (asked.owner, asked.is_alive(asked.owner), asked.describe(asked.owner).pid, os.getpid()))
    assert isinstance(child, tuple)
    assert child[0] != owner
    assert child[1]
    assert child[2] == child[3]
    assert owner == asked.owner
    assert asked.is_alive(owner)
    assert not asked.is_alive(child[0])


def test_parent_and_child_both_write(store: SqliteStore) -> None:
    """Each through connections of its own."""
    insert(store, "before")

    def work() -> object:
        insert(store, "child")
        file = store.put_file([b"x" * 50_000])
        store.drop_file(file.name)
        return ids(store), store.owner in file.name

    assert ({"before", "child"}, True) == in_fork(work)
    insert(store, "after")
    assert {"before", "child", "after"} == ids(store)


def test_child_goes_on_when_its_parent_has_closed(store: SqliteStore, tmp_path: Path) -> None:
    """With an inherited connection SQLite would take the child for a holder of its parent's locks, and the parent's
    end would remove the write-ahead log under it."""
    other = SqliteStore.open(tmp_path / "other", durability="process", clock=CLOCK)
    insert(other, "before")
    reading, writing = os.pipe()

    def work() -> object:
        insert(other, "child 1")
        os.write(writing, b"1")
        os.read(again_reading, 1)
        insert(other, "child 2")
        return ids(other)

    again_reading, again_writing = os.pipe()

    def close() -> None:
        os.read(reading, 1)
        other.close()
        os.write(again_writing, b"1")

    closer = threading.Thread(target=close)
    closer.start()
    assert {"before", "child 1", "child 2"} == in_fork(work)
    closer.join()
    for descriptor in (reading, writing, again_reading, again_writing):
        os.close(descriptor)
    found = SqliteStore.open(tmp_path / "other", clock=CLOCK)
    assert {"before", "child 1", "child 2"} == ids(found)
    assert [] == found.check()
    found.close()


def test_fork_waits_for_what_other_threads_do(store: SqliteStore) -> None:
    """A reader and a writer of other threads end first, and the child finds the store free."""
    is_reading, is_writing, may_end = threading.Event(), threading.Event(), threading.Event()

    def read() -> None:
        with store.read() as reader:
            is_reading.set()
            may_end.wait()
            assert reader.get("written") is None

    def write() -> None:
        with store.write() as transaction:
            is_writing.set()
            may_end.wait()
            transaction.apply([Inserted(pending("written"))])

    threads = [threading.Thread(target=work) for work in (read, write)]
    for thread in threads:
        thread.start()
    is_reading.wait()
    is_writing.wait()
    threading.Timer(0.02, may_end.set).start()

    def work() -> object:
        insert(store, "child")
        return ids(store)

    assert {"written", "child"} == in_fork(work)
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("kind", ["read", "write"])
def test_child_of_a_transaction_is_refused_and_its_parent_goes_on(store: SqliteStore, kind: str) -> None:
    """It must neither commit nor roll back what is its parent's."""
    if kind == "write":
        with store.write() as transaction:
            transaction.apply([Inserted(pending("parent"))])
            child = in_fork(lambda: insert(store, "child"))
    else:
        insert(store, "parent")
        with store.read() as reader:
            child = in_fork(lambda: insert(store, "child"))
            assert reader.get("parent") is not None
    assert isinstance(child, StoreError)
    assert "forked" in str(child)
    assert {"parent"} == ids(store)
    insert(store, "later")


def test_child_that_leaves_its_parents_transaction_is_refused(store: SqliteStore) -> None:
    """The `with` ends in both processes, and only one may commit."""
    reading, writing = os.pipe()
    child = None
    try:
        with store.write() as transaction:
            transaction.apply([Inserted(pending("parent"))])
            child = os.fork()
    except StoreError as error:
        if child == 0:
            os.write(writing, str(error).encode())
            os._exit(0)
        raise
    if child == 0:
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as file:
        assert "forked" in file.read()
    os.waitpid(child, 0)
    assert {"parent"} == ids(store)


@pytest.mark.slow
def test_dead_owner_is_seen_though_its_child_lives(tmp_path: Path) -> None:
    """The lock of a killed process does not live on in its children, which are owners of their own."""
    path = tmp_path / "store"
    store = SqliteStore.open(path, durability="process", clock=CLOCK)
    parent = Child(outlive, path)
    owner = parent.read()
    assert store.is_alive(owner)
    parent.process.kill()
    parent.process.wait()
    assert not store.is_alive(owner)
    assert parent.process.pid == store.describe(owner).pid
    parent.tell()
    child = parent.read()
    assert child != owner
    assert store.is_alive(child)
    assert store.describe(child).is_alive
    parent.tell()
    assert "" == parent.read()
    assert not store.is_alive(child)
    assert {"child"} == ids(store)
    assert [] == store.check()
    store.close()
