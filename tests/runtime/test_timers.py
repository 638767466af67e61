"""A promise whose deadline has passed is settled in the store, whoever made it and whether or not anybody looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resonate_nb.clock import Clock, ManualClock, SystemClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import (
    NEVER,
    TIMER_TAG,
    Claim,
    CreatePromise,
    Promise,
    SettlePromise,
    State,
    Status,
    TaskState,
)
from resonate_nb.runtime import Engine, configure
from resonate_nb.runtime import engine as open_store
from resonate_nb.runtime._timers import BATCH, LONGEST_PAUSE_SECONDS, LONGEST_SLEEP_SECONDS, LOOK_SECONDS, Timers
from resonate_nb.store import MemoryStore, SqliteStore, Store

HANG_SECONDS = 60.0
"""After which a wait counts as hung; a guard, not a measurement."""


class Fixture:
    """An engine over a store in memory, and timers of its own beside it."""

    def __init__(self, clock: Clock, store: Store | None = None) -> None:
        self.clock = clock
        self.engine = Engine(store or MemoryStore(clock), clock)
        self.timers = Timers(self.engine)

    def create(self, id: str, timeout_at: int, tags: dict[str, str] | None = None, claim: Claim | None = None) -> None:
        self.engine.submit([CreatePromise(id, timeout_at=timeout_at, tags=tags or {}, claim=claim)])
        self.timers.arm(timeout_at)

    def stored(self, id: str) -> Promise:
        """The row as it is, not as a reader would judge it."""
        with self.engine.store.read() as reader:
            found = reader.get(id)
        assert found is not None
        return found

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait until a commit has made it true."""
        changed = threading.Event()
        end = self.engine.watch(changed.set)
        try:
            while not holds():
                assert changed.wait(HANG_SECONDS)
                changed.clear()
        finally:
            end()

    def close(self) -> None:
        self.timers.close()
        self.engine.close()


@pytest.fixture
def manual() -> Iterator[Fixture]:
    found = Fixture(ManualClock())
    yield found
    assert found.timers._thread is None
    found.close()


@pytest.fixture
def real() -> Iterator[Fixture]:
    found = Fixture(SystemClock())
    yield found
    found.close()


def clock_of(fixture: Fixture) -> ManualClock:
    assert isinstance(fixture.clock, ManualClock)
    return fixture.clock


def test_a_tick_settles_what_is_due_and_nothing_else(manual: Fixture) -> None:
    """At the deadline itself, which is written down as the moment of the settlement."""
    manual.create("due", 1_000_100)
    manual.create("later", 1_000_101)
    manual.create("never", NEVER)
    clock_of(manual).advance(99)
    manual.timers.tick()
    assert State.PENDING is manual.stored("due").state
    clock_of(manual).advance(1)
    manual.timers.tick()
    assert (State.TIMEDOUT, 1_000_100) == (manual.stored("due").state, manual.stored("due").settled_at)
    assert State.PENDING is manual.stored("later").state
    assert State.PENDING is manual.stored("never").state


def test_a_task_that_is_held_is_ended_with_its_promise(manual: Fixture) -> None:
    """Its holder is told when it settles."""
    manual.create("held", 1_000_100, claim=Claim("somebody", 60_000))
    clock_of(manual).advance(200)
    manual.timers.tick()
    assert TaskState.FULFILLED is manual.stored("held").task
    replies = manual.engine.submit([SettlePromise("held", State.RESOLVED, version=1)])
    assert [Status.SETTLED] == [reply.status for reply in replies]


def test_a_timer_resolves(manual: Fixture) -> None:
    """That is how a durable sleep ends."""
    manual.create("sleep", 1_000_100, {TIMER_TAG: "true"})
    clock_of(manual).advance(100)
    manual.timers.tick()
    assert State.RESOLVED is manual.stored("sleep").state


def test_many_deadlines_pass_at_once(manual: Fixture) -> None:
    """More than one transaction takes."""
    count = 2 * BATCH + 1
    manual.engine.submit([CreatePromise(f"p{number}", timeout_at=1_000_100) for number in range(count)])
    clock_of(manual).advance(100)
    manual.timers.tick()
    assert {State.TIMEDOUT} == {manual.stored(f"p{number}").state for number in range(count)}
    assert manual.timers.pause() is None


def test_a_tick_publishes(manual: Fixture) -> None:
    """Whoever waits is woken."""
    manual.create("due", 1_000_100)
    clock_of(manual).advance(100)
    calls: list[None] = []
    manual.engine.watch(lambda: calls.append(None))
    manual.timers.tick()
    assert 1 == len(calls)


# How long the thread sleeps.


def test_it_sleeps_until_the_soonest_deadline(manual: Fixture) -> None:
    """A later one does not matter, a sooner one does."""
    assert manual.timers.pause() is None
    manual.timers.arm(1_010_000)
    manual.timers.arm(1_020_000)
    assert 10.0 == manual.timers.pause()
    manual.timers.arm(1_005_000)
    assert 5.0 == manual.timers.pause()
    clock_of(manual).advance(5_000)
    assert 0.0 == manual.timers.pause()


def test_it_looks_at_the_wall_clock_again_and_again(manual: Fixture) -> None:
    """A suspended laptop or a clock that was set is noticed, both ways."""
    manual.create("far", 1_000_000 + 3_600_000)
    manual.timers.tick()
    assert LONGEST_SLEEP_SECONDS == manual.timers.pause()
    clock_of(manual).advance_wall(3_600_000)
    assert 0.0 == manual.timers.pause()
    clock_of(manual).advance_wall(-3_600_000)
    assert LONGEST_SLEEP_SECONDS == manual.timers.pause()
    manual.timers.tick()
    assert State.PENDING is manual.stored("far").state


def test_it_looks_for_the_deadlines_of_others_now_and_then_if_anybody_has_committed(manual: Fixture) -> None:
    """Another process makes promises and dies; an idle store is not read."""
    manual.create("mine", 1_000_000 + 3_600_000)
    manual.timers.tick()
    clock_of(manual).advance(round(LOOK_SECONDS * 1000))
    assert LONGEST_SLEEP_SECONDS == manual.timers.pause()
    manual.engine.submit([CreatePromise("others", timeout_at=1_070_000)])
    assert 0.0 == manual.timers.pause()
    manual.timers.tick()
    assert 10.0 == manual.timers.pause()


def test_a_store_that_others_may_use_is_watched_though_it_holds_no_deadline(tmp_path: Path) -> None:
    """Whoever makes one there later may die before it comes, and this process may do nothing more."""
    clock = ManualClock()

    def opened() -> SqliteStore:
        return SqliteStore.open(tmp_path / "store", durability="process", clock=clock)

    idle, other = Fixture(clock, opened()), Engine(opened(), clock)
    idle.timers.begin()
    assert LONGEST_SLEEP_SECONDS == idle.timers.pause()
    at = 1_000_500 + round(LOOK_SECONDS * 1000)
    other.submit([CreatePromise("orphan", timeout_at=at)])
    other.close()
    clock.advance(at - 501 - 1_000_000)
    assert 0.0 != idle.timers.pause()
    clock.advance(1)
    assert 0.0 == idle.timers.pause()
    idle.timers.tick()
    assert 0.5 == idle.timers.pause()
    clock.advance(500)
    assert 0.0 == idle.timers.pause()
    idle.timers.tick()
    assert (State.TIMEDOUT, at) == (idle.stored("orphan").state, idle.stored("orphan").settled_at)
    idle.close()


def test_it_sleeps_no_more_when_all_have_settled(manual: Fixture) -> None:
    """As the next look finds."""
    manual.create("soon", 1_000_000 + 3_600_000)
    manual.timers.tick()
    manual.engine.submit([SettlePromise("soon", State.RESOLVED)])
    clock_of(manual).advance(round(LOOK_SECONDS * 1000))
    assert 0.0 == manual.timers.pause()
    manual.timers.tick()
    assert manual.timers.pause() is None


# The thread.


def test_a_deadline_is_kept_though_nobody_looks(real: Fixture) -> None:
    """By a thread, which ends with the last deadline."""
    assert real.timers._thread is None
    real.create("due", real.clock.now_ms() + 20)
    thread = real.timers._thread
    assert thread is not None
    real.until(lambda: real.stored("due").state is State.TIMEDOUT)
    thread.join(HANG_SECONDS)
    assert real.timers._thread is None
    real.create("again", real.clock.now_ms() + 20)
    real.until(lambda: real.stored("again").state is State.TIMEDOUT)


def test_an_interrupt_does_not_cut_the_start_of_the_thread(real: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of it, `threading` would make a RuntimeError of it."""
    start, begun = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGINT)
        begun.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        real.timers.arm(real.clock.now_ms() + 3_600_000)
    monkeypatch.undo()
    assert ["resonate_nb timers"] == begun
    assert real.timers._thread is not None


def test_a_sooner_deadline_wakes_the_thread(real: Fixture) -> None:
    """It sleeps for the later one already."""
    real.create("later", real.clock.now_ms() + 3_600_000)
    real.create("sooner", real.clock.now_ms() + 20)
    real.until(lambda: real.stored("sooner").state is State.TIMEDOUT)
    assert State.PENDING is real.stored("later").state


def test_a_deadline_that_has_passed_already_is_kept(real: Fixture) -> None:
    """Its promise was settled by its creation; another's may be found late."""
    real.engine.submit([CreatePromise("late", timeout_at=real.clock.now_ms() + 1)])
    real.timers.arm(real.clock.now_ms() - 1000)
    real.create("due", real.clock.now_ms() + 20)
    real.until(lambda: real.stored("due").state is State.TIMEDOUT)
    assert State.TIMEDOUT is real.stored("late").state


def test_without_deadlines_there_is_no_thread(real: Fixture) -> None:
    """Neither at the opening nor later, where no other process can make one."""
    real.engine.submit([CreatePromise("never")])
    real.timers.begin()
    assert real.timers._thread is None


def test_deadlines_that_the_store_holds_are_watched_from_the_opening_on(real: Fixture) -> None:
    """Their maker is gone."""
    real.engine.submit([CreatePromise("left over", timeout_at=real.clock.now_ms() + 20)])
    real.timers.begin()
    real.until(lambda: real.stored("left over").state is State.TIMEDOUT)


def test_whoever_uses_a_store_keeps_the_deadlines_in_it(tmp_path: Path) -> None:
    """From its first use on, and without doing anything more."""
    then = ManualClock(SystemClock().now_ms() - 10_000)
    former = Engine(SqliteStore.open(tmp_path / "store", durability="process", clock=then), then)
    former.submit([CreatePromise("left over", timeout_at=then.now_ms() + 5_000)])
    former.close()
    configure(store=tmp_path / "store", durability="process")
    engine = open_store()
    changed = threading.Event()
    engine.watch(changed.set)
    while True:
        changed.clear()
        with engine.store.read() as reader:
            found = reader.get("left over")
        assert found is not None
        if found.state is not State.PENDING:
            break
        assert changed.wait(HANG_SECONDS)
    assert State.TIMEDOUT is found.state
    engine.close()


def test_closed_timers_have_no_thread_and_start_none(real: Fixture) -> None:
    """Twice is once."""
    real.create("later", real.clock.now_ms() + 3_600_000)
    thread = real.timers._thread
    assert thread is not None
    real.timers.close()
    assert not thread.is_alive()
    real.timers.arm(real.clock.now_ms() + 1)
    assert real.timers._thread is None
    real.timers.close()


class Refusing(MemoryStore):
    """A store on a disk that is full while `is_full`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.is_full = False
        self.refused = threading.Event()

    def write(self, pause: Any = None, *, synced: bool = True) -> Any:
        if self.is_full:
            self.refused.set()
            raise StoreError("the disk is full")
        return super().write(pause, synced=synced)


def test_a_tick_that_fails_has_lost_nothing() -> None:
    """The next one finds the same promises."""
    clock = ManualClock()
    store = Refusing(clock)
    fixture = Fixture(clock, store)
    fixture.create("due", 1_000_100)
    clock.advance(100)
    store.is_full = True
    for _ in range(2):
        with pytest.raises(StoreError, match="the disk is full"):
            fixture.timers.tick()
    store.is_full = False
    fixture.timers.tick()
    assert State.TIMEDOUT is fixture.stored("due").state
    fixture.close()


def test_a_store_that_refuses_is_asked_ever_more_rarely(manual: Fixture) -> None:
    """At last once a minute, whatever is armed meanwhile."""
    manual.timers.tick()
    pauses = []
    for manual.timers._failures in (1, 2, 3, 10, 5000):
        manual.timers.arm(1_000_000 - manual.timers._failures)
        pauses.append(manual.timers.pause())
    assert [2.0, 4.0, 8.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS] == pauses
    clock_of(manual).advance(60_000)
    assert 0.0 == manual.timers.pause()


@pytest.mark.slow
def test_a_full_disk_delays_a_deadline_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """The thread lives on."""
    store = Refusing(SystemClock())
    fixture = Fixture(SystemClock(), store)
    with caplog.at_level("INFO", "resonate_nb"):
        for id in ("one", "two"):
            store.refused.clear()
            timeout_at = fixture.clock.now_ms() + 20
            fixture.engine.submit([CreatePromise(id, timeout_at=timeout_at)])
            store.is_full = True
            fixture.timers.arm(timeout_at)
            assert store.refused.wait(HANG_SECONDS)
            store.is_full = False
            fixture.until(lambda id=id: fixture.stored(id).state is State.TIMEDOUT)
    assert 1 == sum("the disk is full" in record.getMessage() for record in caplog.records)
    fixture.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_watches_its_own_deadlines(tmp_path: Path) -> None:
    """The thread is its parent's, and so is the lock that somebody may have had."""
    clock = SystemClock()
    engine = Engine(SqliteStore.open(tmp_path / "store", durability="process", clock=clock), clock)
    timers = Timers(engine)
    engine.submit([CreatePromise("parents", timeout_at=clock.now_ms() + 3_600_000)])
    timers.begin()
    with timers._lock:
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            code = 3
            try:
                timers.renew_in_child()
                assert timers.pause() is None
                changed = threading.Event()
                engine.watch(changed.set)
                engine.submit([CreatePromise("childs", timeout_at=clock.now_ms() + 20)])
                changed.clear()
                timers.arm(clock.now_ms() + 20)
                with engine.store.read() as reader:
                    found = reader.get("childs")
                while found is not None and found.state is State.PENDING:
                    assert changed.wait(HANG_SECONDS)
                    changed.clear()
                    with engine.store.read() as reader:
                        found = reader.get("childs")
                timers.close()
                code = 0
            finally:
                os._exit(code)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    timers.close()
    engine.close()


@pytest.mark.slow
def test_the_deadline_of_a_killed_process_is_kept_by_another(tmp_path: Path) -> None:
    """Whoever opens the store next holds it."""
    code = """
    import os, sys
    from pathlib import Path
    from resonate_nb.clock import SystemClock
    from resonate_nb.protocol import Claim, CreatePromise
    from resonate_nb.runtime import Engine
    from resonate_nb.runtime._timers import Timers
    from resonate_nb.store import SqliteStore
    clock = SystemClock()
    engine = Engine(SqliteStore.open(Path(sys.argv[1]), durability="process", clock=clock), clock)
    timeout_at = clock.now_ms() + 1500
    engine.submit([CreatePromise("orphan", timeout_at=timeout_at, claim=Claim(engine.store.owner, 60_000))])
    Timers(engine).arm(timeout_at)
    os.kill(os.getpid(), 9)
    """
    path = tmp_path / "store"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)])
    assert -signal.SIGKILL == done.returncode
    clock = SystemClock()
    engine = Engine(SqliteStore.open(path, durability="process", clock=clock), clock)
    changed = threading.Event()
    engine.watch(changed.set)
    timers = Timers(engine)
    timers.begin()
    while True:
        changed.clear()
        with engine.store.read() as reader:
            found = reader.get("orphan")
        assert found is not None
        if found.state is not State.PENDING:
            break
        assert changed.wait(HANG_SECONDS)
    assert (State.TIMEDOUT, found.timeout_at) == (found.state, found.settled_at)
    timers.close()
    engine.close()
