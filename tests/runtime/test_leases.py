"""A stopped owner keeps its task for a whole lease, by a clock that nobody can set."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.protocol import EMPTY, NEVER, Promise, State, TaskState
from resonate_nb.runtime._leases import Leases
from resonate_nb.store import SqliteStore

HOUR_MS = 3_600_000
PROMISE = Promise(
    id="job",
    state=State.PENDING,
    param=EMPTY,
    value=EMPTY,
    tags={},
    timeout_at=NEVER,
    created_at=1_000_000,
    task=TaskState.ACQUIRED,
    version=1,
    owner="host-1-00000000",
    lease_ms=60_000,
    lease_until=1_060_000,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def leases(clock: ManualClock) -> Leases:
    return Leases(clock)


def test_a_stopped_owner_has_a_whole_lease_from_the_first_look(clock: ManualClock, leases: Leases) -> None:
    """Not from the stored instant, which may lie anywhere."""
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(59_999)
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(1)
    assert leases.is_over(PROMISE, is_stopped=True)


@pytest.mark.parametrize("jump", [HOUR_MS, -HOUR_MS], ids=["forward", "back"])
def test_a_wall_clock_that_is_set_changes_nothing(clock: ManualClock, leases: Leases, jump: int) -> None:
    """Forward it takes no task from who was stopped for a second, back it leaves none to who stays stopped."""
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance_wall(jump)
    clock.advance(1_000)
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(59_000)
    assert leases.is_over(PROMISE, is_stopped=True)


def test_a_suspended_machine_takes_no_task(clock: ManualClock, leases: Leases) -> None:
    """Nobody could run; the monotonic clock stood still."""
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance_wall(8 * HOUR_MS)
    assert not leases.is_over(PROMISE, is_stopped=True)


@pytest.mark.parametrize(
    "after",
    [replace(PROMISE, lease_until=1_090_000), replace(PROMISE, version=2)],
    ids=["heartbeat", "another owner"],
)
def test_a_lease_that_has_moved_begins_anew(clock: ManualClock, leases: Leases, after: Promise) -> None:
    """Between two looks somebody ran."""
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(60_000)
    assert not leases.is_over(after, is_stopped=True)
    clock.advance(60_000)
    assert leases.is_over(after, is_stopped=True)


def test_an_owner_that_goes_on_begins_anew(clock: ManualClock, leases: Leases) -> None:
    """Its next stop is another one."""
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(60_000)
    assert not leases.is_over(PROMISE, is_stopped=False)
    assert not leases.is_over(PROMISE, is_stopped=True)


def test_an_owner_in_a_long_call_keeps_its_task(clock: ManualClock, leases: Leases) -> None:
    """Its heartbeat starves, but it is not stopped."""
    for _ in range(3):
        assert not leases.is_over(PROMISE, is_stopped=False)
        clock.advance(HOUR_MS)


def test_each_promise_has_its_own_lease(clock: ManualClock, leases: Leases) -> None:
    """One owner may hold many."""
    other = replace(PROMISE, id="other")
    assert not leases.is_over(PROMISE, is_stopped=True)
    clock.advance(60_000)
    assert not leases.is_over(other, is_stopped=True)
    assert leases.is_over(PROMISE, is_stopped=True)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="this system does not tell who is stopped")
def test_a_really_stopped_process(tmp_path: Path, clock: ManualClock, leases: Leases) -> None:
    """Stopped, continued, stopped again, and killed, as the machine tells it."""
    code = """
    import sys
    from pathlib import Path
    from resonate_nb.clock import SystemClock
    from resonate_nb.store import SqliteStore
    store = SqliteStore.open(Path(sys.argv[1]), durability="process", clock=SystemClock())
    print(store.owner, flush=True)
    while line := sys.stdin.readline():
        print(line, end="", flush=True)
    """
    path = tmp_path / "store"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    owner = process.stdout.readline().strip()
    store = SqliteStore.open(path, durability="process", clock=SystemClock())
    promise = replace(PROMISE, owner=owner)

    def stop() -> None:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)

    def is_over() -> bool:
        return leases.is_over(promise, is_stopped=store.is_stopped(owner))

    try:
        assert not is_over()
        stop()
        assert not is_over()
        clock.advance_wall(HOUR_MS)
        assert not is_over()
        process.send_signal(signal.SIGCONT)
        process.stdin.write("here\n")
        assert "here\n" == process.stdout.readline()
        clock.advance(60_000)
        assert not is_over()
        stop()
        assert not is_over()
        clock.advance(60_000)
        assert is_over()
    finally:
        process.kill()
        process.communicate()
    assert not store.is_alive(owner)
    store.close()
