"""Saving: what was awaited is handed out when it is on the disk, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.errors import DurableWarning, StoreError
from resonate_nb.store import MemoryStore

CALLS = 50


class Slow(MemoryStore):
    """Whatever is stored is safe when the test says so."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.is_safe = threading.Event()
        self.error: StoreError | None = None
        self.threads: set[str] = set()

    def owed(self, seconds: float) -> Callable[[], None]:
        return self.wait

    def wait(self) -> None:
        self.threads.add(threading.current_thread().name.partition("_")[0])
        assert self.is_safe.wait(60)
        if self.error is not None:
            raise self.error


@pytest.fixture
def slow() -> Slow:
    store = Slow()
    rnb.configure(store=store)
    return store


@durable
async def fetch(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


async def until_stored(calls: int) -> None:
    while len(rnb.search(state="resolved")) < calls:
        await asyncio.sleep(0)


def test_the_loop_goes_on_and_no_value_is_handed_out_before(slow: Slow) -> None:
    async def main() -> list[int]:
        tasks = [asyncio.ensure_future(fetch(x)) for x in range(CALLS)]
        await until_stored(CALLS)
        assert not any(task.done() for task in tasks)
        slow.is_safe.set()
        return await asyncio.gather(*tasks)

    assert [2 * x for x in range(CALLS)] == asyncio.run(asyncio.wait_for(main(), 120))
    assert 1 == len(slow.threads)
    assert threading.current_thread().name not in slow.threads


def test_a_save_that_fails_costs_nobody_the_value(slow: Slow) -> None:
    slow.error = StoreError("the disk failed")
    slow.is_safe.set()
    with pytest.warns(DurableWarning, match="the disk failed"):
        assert 2 == asyncio.run(fetch(1))


def test_who_is_canceled_meanwhile_finds_it_stored(slow: Slow) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(fetch(1))
        await until_stored(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        slow.is_safe.set()

    asyncio.run(asyncio.wait_for(main(), 120))
    handle = fetch.get(1)
    assert handle is not None
    assert 2 == handle.result()


def test_a_plain_call_is_saved_where_it_runs(slow: Slow) -> None:
    @durable
    def plain() -> int:
        return 1

    slow.is_safe.set()
    assert 1 == plain()
    assert {threading.current_thread().name} == slow.threads
