"""Many threads ask for the same promises: one body, and nobody's claim ends another's."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from resonate_nb import Constant, configure, durable, search
from resonate_nb.errors import DurableWarning, StoreError, WaitCycleError
from resonate_nb.runtime import Engine, _context, _limit, engine

_ran: list[int] = []
_may_end = asyncio.Event()


@durable(ignore=("_ran",))
def step(x: int) -> int:
    _ran.append(x)
    return x


def test_one_body_runs_however_many_threads_ask_at_once(disk: Engine) -> None:
    """A thread whose claim comes too late must not take the claim of the one that was first for abandoned."""
    _ran.clear()
    rounds = 30
    barrier = threading.Barrier(6)
    got: list[int] = []

    def work() -> None:
        for number in range(rounds):
            barrier.wait()
            got.append(step(number))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(range(rounds)) == _ran
    assert sorted([*range(rounds)] * 6) == sorted(got)


def test_a_call_settles_in_the_store_that_it_began_in(tmp_path: Path) -> None:
    """`configure` while it runs closes that store after it, not under it; nobody runs the body a second time."""
    _ran.clear()
    middle, go_on = threading.Event(), threading.Event()

    @durable(ignore=("_ran", "middle", "go_on"))
    def slow(x: int) -> int:
        _ran.append(x)
        middle.set()
        go_on.wait(60)
        return x

    configure(store=tmp_path / "one", durability="process")
    got: list[int] = []
    threads = [threading.Thread(target=lambda: got.append(slow(1))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert middle.wait(60)
    former = engine()
    configure(durability="full")
    go_on.set()
    for thread in threads:
        thread.join()
    assert [1, 1] == got
    assert 1 == slow(1)
    assert [1] == _ran
    assert engine() is not former
    with pytest.raises(StoreError):
        former.peek(["x"])
    engine().close()


def test_calls_go_on_while_the_store_is_changed_under_them(tmp_path: Path) -> None:
    """A call that meets the store as it closes begins in the next one."""
    errors: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                step(1)
            except BaseException as error:
                errors.append(error)

    configure(store=tmp_path / "0", durability="process")
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(10):
        configure(store=tmp_path / str(number % 3))
        step(1)
    stop.set()
    for thread in threads:
        thread.join()
    assert [] == errors
    engine().close()
    assert not [thread for thread in threading.enumerate() if "feed" in thread.name]


@durable(ignore=("_may_end",))
async def on_the_loop(x: int) -> int:
    await _may_end.wait()
    return x


@durable(ignore=("search",))
def beside_the_loop() -> int:
    return search("on_the_loop*")[0].result()


@pytest.mark.slow
def test_a_loop_is_not_stopped_by_a_wait_for_what_needs_it(disk: Engine) -> None:
    """Neither for a promise that runs on it, nor for one in a thread that waits for such a one."""

    async def main() -> None:
        task = asyncio.create_task(on_the_loop(1))
        await asyncio.sleep(0)
        thread = threading.Thread(target=beside_the_loop)
        thread.start()
        while not (found := search("beside*")) or found[0].id not in _context._waits:
            await asyncio.sleep(0)
        with pytest.raises(WaitCycleError, match="await it instead"):
            beside_the_loop()
        _may_end.set()
        assert 1 == await task
        await asyncio.to_thread(thread.join)

    asyncio.run(main())
    assert 1 == beside_the_loop()


class Asking:
    """Asks, while it is pickled, for the very call whose value it is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (ask_for_itself(),)


@durable(ignore=("Asking", "_ran"))
def ask_for_itself() -> object:
    _ran.append(1)
    return Asking()


def test_a_thread_does_not_wait_for_what_it_is_storing(disk: Engine) -> None:
    """Interrupts are held back there: nothing would end the wait. The value is the caller's."""
    _ran.clear()
    with pytest.warns(DurableWarning, match=r"not stored.*wait for itself"):
        assert isinstance(ask_for_itself(), Asking)
    assert [1] == _ran


@durable(retry=Constant(2, delay=3600), ignore=("_ran",))
async def tried_twice() -> int:
    _ran.append(1)
    raise ConnectionError


def test_a_loop_is_not_stopped_by_a_wait_for_what_is_between_two_tries(disk: Engine) -> None:
    """Its body does not run, and all the same only this loop can go on with it."""
    _ran.clear()

    async def main() -> None:
        task = asyncio.create_task(tried_twice())
        while not _ran:
            await asyncio.sleep(0)
        with pytest.raises(WaitCycleError, match="await it instead"):
            search("tried_twice*")[0].result(60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_where_no_thread_can_be_had_calls_go_on_without(
    disk: Engine, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a limit of the system, or at the end of the interpreter."""

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("resonate_nb"):
            raise RuntimeError("can't start new thread")
        start(thread)

    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(_limit, "_thread", None)
    for name in ("timers", "tasks"):
        vars(getattr(disk, name)).update({"_thread": None, "_heart": None})

    @durable(timeout="1h", attempt_timeout="30m", retry=2)
    def limited(x: int) -> int:
        return x + 1

    assert [2, 3, 2] == [limited(1), limited(2), limited(1)]
    told = [line for line in said if "can't start new thread" in line]
    assert {
        "can't start new thread: a deadline is settled when somebody looks",
        "can't start new thread: a limit of time is judged when the body has ended",
        "can't start new thread: leases are not extended",
    } == set(told)
    assert 3 == len(told)
