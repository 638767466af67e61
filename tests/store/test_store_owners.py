"""A process is alive while it holds its lock, and is known for a week after."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from children import Child, own, pending

from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.protocol import Inserted
from resonate_nb.store import SqliteStore

WEEK_MS = 7 * 24 * 3600 * 1000


def test_two_handles_are_two_owners(tmp_path: Path) -> None:
    """Each sees the other die, though a lock of the same process would be granted by other kinds of locks."""
    clock = ManualClock()
    first = SqliteStore.open(tmp_path, clock=clock)
    second = SqliteStore.open(tmp_path, clock=clock)
    assert first.owner != second.owner
    assert first.is_alive(second.owner)
    assert second.is_alive(first.owner)
    for _ in range(3):
        # Asking must not take the lock away.
        assert first.is_alive(second.owner)
    second.close()
    assert not first.is_alive(second._directory.owners.own or "")
    first.close()


def test_owner_file_says_who_it_is(tmp_path: Path) -> None:
    """For people who look into the directory."""
    store = SqliteStore.open(tmp_path, clock=ManualClock(5_000))
    about = json.loads((tmp_path / "owners" / store.owner).read_text())
    assert os.getpid() == about["pid"]
    assert 5_000 == about["started_at"]
    assert about["host"]
    assert "process_start" in about
    store.close()


def test_what_processes_left_that_were_killed_while_they_registered_goes_after_a_week(tmp_path: Path) -> None:
    """Not earlier: one that registers just now has such a file as well."""
    clock = SystemClock()
    store = SqliteStore.open(tmp_path, clock=clock)
    old, new = (tmp_path / "owners" / f"{name}-1-00000000.new" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    seconds = (clock.now_ms() - WEEK_MS) / 1000 - 1
    os.utime(old, (seconds, seconds))
    store.close()
    SqliteStore.open(tmp_path, clock=clock).close()
    assert (False, True) == (old.exists(), new.exists())


def test_a_stopped_process_is_told_from_a_running_and_a_dead_one(tmp_path: Path) -> None:
    """The lock of each of the two that live is held alike."""
    child = Child(own, tmp_path)
    owner = child.read()
    store = SqliteStore.open(tmp_path, clock=ManualClock())
    assert (True, False) == (store.is_alive(owner), store.is_stopped(owner))
    child.process.send_signal(signal.SIGSTOP)
    os.waitpid(child.process.pid, os.WUNTRACED)
    assert (True, True) == (store.is_alive(owner), store.is_stopped(owner))
    child.process.send_signal(signal.SIGCONT)
    child.tell()
    assert "went on" == child.read()
    assert (True, False) == (store.is_alive(owner), store.is_stopped(owner))
    child.kill()
    assert (False, False) == (store.is_alive(owner), store.is_stopped(owner))
    store.close()


def test_dead_owner_is_described_for_a_week(tmp_path: Path) -> None:
    """Then its name has to do, unless a row still names it."""
    clock = ManualClock()
    dead, naming = (SqliteStore.open(tmp_path, clock=clock) for _ in range(2))
    owner, named = dead.owner, naming.owner
    with naming.write() as transaction:
        transaction.apply([Inserted(pending("a", named))])
    dead.close()
    naming.close()

    def described() -> tuple[int, int]:
        store = SqliteStore.open(tmp_path, clock=clock)
        try:
            assert not store.is_alive(owner)
            assert os.getpid() == store.describe(owner).pid
            return store.describe(owner).started_at, store.describe(named).started_at
        finally:
            store.close()

    assert (1_000_000, 1_000_000) == described()
    clock.advance(WEEK_MS)
    assert (1_000_000, 1_000_000) == described()
    clock.advance(1)
    assert (0, 1_000_000) == described()


def test_living_owner_is_kept_however_old(tmp_path: Path) -> None:
    """A kernel may run for months."""
    clock = ManualClock()
    old = SqliteStore.open(tmp_path, clock=clock)
    SqliteStore.open(tmp_path, clock=clock).close()
    clock.advance(10 * WEEK_MS)
    for _ in range(2):
        store = SqliteStore.open(tmp_path, clock=clock)
        assert store.is_alive(old.owner)
        assert 1_000_000 == store.describe(old.owner).started_at
        store.close()
    old.close()


def test_file_of_an_owner_that_died_while_writing_it_is_no_trouble(tmp_path: Path) -> None:
    """Its name is all there is."""
    store = SqliteStore.open(tmp_path, clock=ManualClock())
    (tmp_path / "owners" / "host-4711-0123abcd").write_bytes(b"")
    assert not store.is_alive("host-4711-0123abcd")
    assert (4711, "host", 0) == (
        (info := store.describe("host-4711-0123abcd")).pid,
        info.host,
        info.started_at,
    )
    store.close()
    SqliteStore.open(tmp_path, clock=ManualClock()).close()
