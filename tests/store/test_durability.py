"""Each durability syncs what it says, in the right order, no more often than it says, and says when it cannot."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from children import in_fork, pending, value_for
from syncing import sync

from resonate_nb.clock import ManualClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import Inserted
from resonate_nb.store import Durability, SqliteStore
from resonate_nb.store._group import GroupSync

if not os.path.isdir("/proc/self/fd"):
    pytest.skip("only /proc tells which file a descriptor is", allow_module_level=True)

LARGE = b"x" * 1_000_000


class Syncs:
    """The files whose syncs were asked for, by name, in order; and what to do at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.passed_over: set[str] = set()
        self.error: OSError | None = None
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._sync)

    def _sync(self, descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        if name in self.passed_over:
            return
        self.names.append(name)
        if self.error is not None:
            raise self.error

    def take(self) -> list[str]:
        names, self.names = self.names, []
        return names


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    """SQLite's own are not among them."""
    return Syncs(monkeypatch)


def opened(path: Path, durability: Durability) -> SqliteStore:
    return SqliteStore.open(path, durability=durability, clock=ManualClock())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(tmp_path: Path, syncs: Syncs, clock: ManualClock) -> Iterator[SqliteStore]:
    """An adaptive one, whose manual clock stands: no group of its own comes due until a test moves it."""
    store = SqliteStore.open(tmp_path / "store", durability="adaptive", clock=clock)
    # That the store is there is synced once, with the first group (see `NAMES`).
    syncs.passed_over = {"owners", "store", tmp_path.name}
    yield store
    assert [] == store.check()
    store.close()


def commit(store: SqliteStore, id: str = "a") -> None:
    with store.write() as transaction:
        transaction.apply([Inserted(pending(id))])


def test_those_that_are_owed_at_the_same_time_share_a_sync(store: SqliteStore, syncs: Syncs) -> None:
    """Each is called when all have been committed, as calls do that end together on a loop."""
    commit(store, "a")
    first = store.owed(1_000)
    commit(store, "b")
    second = store.owed(1_000)
    assert first is not None
    assert second is not None
    first()
    assert ["promises.db-wal"] == syncs.take()
    second()
    assert [] == syncs.take()
    assert None is store.owed(0)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "resonate_nb sync"]


NAMES = ["owners", "new", "above"]


@pytest.mark.parametrize(("durability", "expected"), [("full", NAMES), ("adaptive", []), ("process", [])])
def test_opened_store_is_there_for_good(
    tmp_path: Path, syncs: Syncs, durability: Durability, expected: list[str]
) -> None:
    """SQLite syncs what is in its files; that the files are there is for us to sync, and all that was made for them."""
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "further" / "above" / "new"
    store = opened(path, durability)
    assert ["there", "further", *expected] == syncs.take()
    commit(store)
    sync(store, 1_000)
    assert ([*NAMES, "promises.db-wal"] if durability == "adaptive" else []) == syncs.take()
    store.close()
    # Whoever made it may have been killed before it was synced, or was not asked to.
    opened(path, durability).close()
    assert expected == syncs.take()


def test_folder_that_may_not_be_read_is_left_to_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can sync it, and the store in it is as good as any."""
    real = os.open

    def refuse(path: object, *rest: int) -> int:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "denied", str(path))
        return real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    opened(tmp_path / "store", "full").close()


@pytest.mark.parametrize(
    ("durability", "data", "expected"),
    [
        ("full", b"x", ["part", "values"]),
        ("full", LARGE, ["part", "values"]),
        ("adaptive", LARGE[1:], []),
        ("adaptive", LARGE, ["part", "values"]),
        ("process", LARGE, []),
    ],
)
def test_file_is_synced_before_a_row_can_name_it(
    tmp_path: Path, syncs: Syncs, durability: Durability, data: bytes, expected: list[str]
) -> None:
    """In this order: bytes, name. Under `adaptive` from 1 MB on."""
    store = opened(tmp_path / "store", durability)
    syncs.take()
    file = store.put_file([data])
    assert [f"{file.name}.part" if name == "part" else name for name in expected] == syncs.take()
    store.drop_file(file.name)
    store.close()


def test_group_syncs_files_then_their_names_then_the_log(store: SqliteStore, syncs: Syncs) -> None:
    """So a row that is safe names a file that is. One sync of the log serves all commits before it."""
    files = [store.put_file([value_for("v/2")]).name for _ in range(2)]
    large = store.put_file([LARGE]).name
    assert [f"{large}.part", "values"] == syncs.take()
    commit(store, "a")
    commit(store, "b")
    assert [] == syncs.take()
    sync(store, 1_000)
    assert [*files, "values", "promises.db-wal"] == syncs.take()
    sync(store, 1_000)
    assert [] == syncs.take()
    for name in (*files, large):
        store.drop_file(name)


def test_group_passes_over_a_file_that_was_dropped(store: SqliteStore, syncs: Syncs) -> None:
    """It was never named, or it is forgotten by now."""
    store.drop_file(store.put_file([b"x"]).name)
    commit(store)
    sync(store, 1_000)
    assert ["values", "promises.db-wal"] == syncs.take()


def test_short_call_waits_for_no_sync_and_a_long_one_does(store: SqliteStore, syncs: Syncs) -> None:
    """Longer than ten syncs: of 5 ms until one has been measured. (With a clock that stands they take no time.)"""
    commit(store)
    sync(store, 0.05)
    assert [] == syncs.take()
    sync(store, 0.051)
    assert ["promises.db-wal"] == syncs.take()
    commit(store, "b")
    sync(store, 0.001)
    assert ["promises.db-wal"] == syncs.take()


@pytest.mark.parametrize("durability", ["full", "process"])
def test_others_leave_nothing_to_a_group(tmp_path: Path, syncs: Syncs, durability: Durability) -> None:
    """They have made their syncs, or make none."""
    store = opened(tmp_path / "store", durability)
    commit(store)
    syncs.take()
    sync(store, 1_000)
    assert [] == threads()
    store.close()
    assert [] == syncs.take()


def test_closing_syncs_what_is_owed(store: SqliteStore, syncs: Syncs, tmp_path: Path) -> None:
    """Once; and the thread has ended."""
    other = opened(tmp_path / "other", "adaptive")
    syncs.passed_over.add("other")
    commit(other)
    assert 1 == len(threads())
    other.close()
    assert [] == threads()
    assert ["promises.db-wal"] == syncs.take()
    other.close()
    assert [] == syncs.take()


def test_group_comes_by_itself_and_an_idle_store_runs_nothing(
    store: SqliteStore, syncs: Syncs, clock: ManualClock
) -> None:
    """Its thread ends with the last sync owed, and the next commit starts another."""
    for id in ("a", "b"):
        assert [] == threads()
        commit(store, id)
        (thread,) = threads()
        clock.advance(100)
        thread.join()
        assert ["promises.db-wal"] == syncs.take()


def test_group_ends_within_the_tenth_of_a_second_that_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins earlier by two syncs of this disk, by half of the time at most; the first commit counts."""
    clock = ManualClock()
    (tmp_path / "log").touch()
    took_ms = 0
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: clock.advance(took_ms))
    # Never started: the thread would take its turn when it likes.
    monkeypatch.setattr(threading.Thread, "start", lambda thread: None)
    group = GroupSync(tmp_path, tmp_path / "log", tmp_path, (), clock)
    assert group.due_in() is None
    group.owe_commit()
    assert 0.09 == pytest.approx(group.due_in())
    clock.advance(30)
    group.owe_commit()
    assert 0.06 == pytest.approx(group.due_in())
    for took_ms, due_in in ((1, 0.098), (10, 0.08), (10, 0.08), (500, 0.08), (500, 0.08), (500, 0.05), (500, 0.05)):
        group.flush()
        assert group.due_in() is None
        group.owe_commit()
        assert due_in == pytest.approx(group.due_in()), took_ms
    group.flush()


def test_callers_that_wait_share_a_sync(store: SqliteStore, syncs: Syncs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed while a sync was under way is all covered by the next one."""
    begun, may_end = threading.Event(), threading.Event()

    def slow(descriptor: int) -> None:
        syncs.names.append("sync")
        begun.set()
        may_end.wait()

    monkeypatch.setattr(os, "fdatasync", slow)
    commit(store, "0")
    waiting = [threading.Thread(target=sync, args=(store, 1_000)) for _ in range(4)]
    waiting[0].start()
    begun.wait()
    for number, thread in enumerate(waiting[1:], start=1):
        commit(store, str(number))
        thread.start()
    may_end.set()
    for thread in waiting:
        thread.join()
    assert ["sync", "sync"] == syncs.take()


def test_failed_group_is_said_once_and_owed_again(store: SqliteStore, syncs: Syncs, clock: ManualClock) -> None:
    """At the next `sync`, whatever its seconds: nobody waited for the group. The files of it stay owed as well."""
    syncs.error = OSError(errno.ENOSPC, "no space")
    file = store.put_file([b"x"])
    commit(store)
    (thread,) = threads()
    clock.advance(100)
    thread.join()
    assert [file.name] == syncs.take()
    with pytest.raises(StoreError, match=r"could not be synced: the disk is full .* power cut .* RESONATE_NB_STORE"):
        sync(store, 0)
    sync(store, 0)
    # It is not tried over and over.
    assert [] == threads()
    assert [] == syncs.take()
    syncs.error = None
    commit(store, "b")
    sync(store, 1_000)
    assert [file.name, "values", "promises.db-wal"] == syncs.take()
    store.drop_file(file.name)


def test_failed_sync_is_said_to_who_waits_for_it(store: SqliteStore, syncs: Syncs) -> None:
    """What was committed is there all the same, for all who look."""
    commit(store)
    syncs.error = OSError(errno.EIO, "broken")
    with pytest.raises(StoreError, match="could not be synced: the disk failed"):
        sync(store, 1_000)
    with store.read() as reader:
        assert reader.get("a") is not None
    syncs.error = None


def test_store_whose_last_sync_fails_is_closed(tmp_path: Path, syncs: Syncs) -> None:
    """And the failure is said."""
    store = opened(tmp_path / "store", "adaptive")
    commit(store)
    owner = store.owner
    syncs.error = OSError(errno.EIO, "broken")
    with pytest.raises(StoreError, match="could not be synced"):
        store.close()
    syncs.error = None
    assert [] == threads()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        commit(store)
    other = opened(tmp_path / "store", "adaptive")
    assert not other.is_alive(owner)
    other.close()


def test_failed_group_is_said_at_the_latest_when_the_store_is_closed(
    tmp_path: Path, syncs: Syncs, clock: ManualClock
) -> None:
    """Though the last sync has gone through: what a system could not write once it may have given up."""
    store = SqliteStore.open(tmp_path / "store", durability="adaptive", clock=clock)
    commit(store)
    (thread,) = threads()
    syncs.error = OSError(errno.EIO, "broken")
    clock.advance(100)
    thread.join()
    syncs.error = None
    with pytest.raises(StoreError, match="could not be synced"):
        store.close()
    assert "promises.db-wal" in syncs.take()
    store.close()


def test_deleted_store_owes_nothing(tmp_path: Path, syncs: Syncs) -> None:
    """That it is gone is said to those who use it, not to who closes it."""
    store = opened(tmp_path / "store", "adaptive")
    store.put_file([b"x"])
    commit(store)
    shutil.rmtree(tmp_path / "store")
    sync(store, 1_000)
    store.close()
    assert [tmp_path.name] == syncs.take()


def test_commit_is_synced_at_once_where_no_thread_can_be_had(
    store: SqliteStore, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives none, or the interpreter is ending."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    commit(store)
    assert ["promises.db-wal"] == syncs.take()


def test_interrupt_while_the_thread_is_started_leaves_nothing_locked(
    store: SqliteStore, syncs: Syncs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the store nor the debts: the next commit starts the thread."""

    def interrupt(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            commit(store)
    # Another thread, since the lock lets the same one in again.
    other = threading.Thread(target=commit, args=(store, "b"), daemon=True)
    other.start()
    other.join(30)
    assert not other.is_alive()
    assert 1 == len(threads())
    sync(store, 1_000)
    assert ["promises.db-wal"] == syncs.take()


def test_child_of_multiprocessing_syncs_what_it_owes_at_its_end(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked ones pass over `atexit`."""
    reading, writing = os.pipe()
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda descriptor: os.write(writing, b"."))
    child = multiprocessing.get_context("fork").Process(target=commit, args=(store, "child"))
    child.start()
    child.join()
    assert 0 == child.exitcode
    os.close(writing)
    with os.fdopen(reading) as file:
        assert "...." == file.read()  # three folders, and the log


def test_forked_child_owes_what_it_commits_itself(store: SqliteStore, syncs: Syncs) -> None:
    """Its parent's debts are its parent's, and so is the thread."""
    commit(store, "parent")

    def work() -> object:
        sync(store, 1_000)
        before = syncs.take()
        commit(store, "child")
        count = len(threads())
        sync(store, 1_000)
        return before, count, syncs.take()

    assert ([], 1, ["promises.db-wal"]) == in_fork(work)
    sync(store, 1_000)
    assert ["promises.db-wal"] == syncs.take()
