"""Threads, tasks, pools, forks and the body itself ask for the same promises, in one process and its children.

    python together.py SCENARIO

Each scenario prints what came of it; what ran how often is in the log.
"""

from __future__ import annotations

import asyncio
import contextvars
import multiprocessing
import os
import random
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import torture_steps as steps
from others import begin
from torture_steps import begun, ended

import resonate_nb as rnb
from resonate_nb import durable

THREADS = 32
PROMISES = 20


def once_token(x: int) -> str:
    return steps.once(x)["token"]


def distinct(*tokens: str) -> None:
    """Prints how many different tokens there are: as many as promises, when each has run once."""
    print(len(tokens), len(set(tokens)))


def in_threads(work: Callable[[int], list[str]], count: int) -> list[str]:
    """All tokens that this many threads came to, all begun at once."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> list[str]:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [token for tokens in pool.map(begin, range(count)) for token in tokens]


# -- threads and tasks ------------------------------------------------------------------------------------------------


async def gather_awaited(xs: list[int]) -> list[str]:
    return [value["token"] for value in await asyncio.gather(*map(steps.awaited, xs))]


def threads() -> None:
    def work(number: int) -> list[str]:
        return [once_token(x) for x in random.Random(number).sample(range(PROMISES), PROMISES)]

    distinct(*in_threads(work, THREADS))


def tasks() -> None:
    distinct(*asyncio.run(gather_awaited([7] * 100)))


def loops() -> None:
    """Several event loops, one a thread, and tasks of each."""
    distinct(*in_threads(lambda number: asyncio.run(gather_awaited([*range(10)] * 5)), 8))


def threads_and_tasks() -> None:
    """Half of the threads call; the tasks of the others call in threads, on the loop, and await handles."""

    async def mixed() -> list[str]:
        called = [asyncio.to_thread(once_token, x) for x in range(5)]
        awaited = [gather_awaited([x]) for x in range(5)]
        found = await asyncio.gather(*called, *awaited)
        for x in range(5):
            handle = steps.awaited.get(x)
            assert handle is not None
            awaited_again = (await handle)["token"]
            assert [awaited_again] == found[5 + x]
        return [*found[:5], *(token for (token,) in found[5:]), once_token(5)]

    def work(number: int) -> list[str]:
        return asyncio.run(mixed()) if number % 2 else [once_token(x) for x in range(6)]

    distinct(*in_threads(work, THREADS))


# -- children ---------------------------------------------------------------------------------------------------------

ASKED = [*range(10)] * 4


def pool(method: str) -> None:
    """The parent asks as well, on a thread of its own, while its children do."""
    once_token(0)
    got: list[str] = []
    with multiprocessing.get_context(method).Pool(3) as workers:
        coming = workers.map_async(once_token, ASKED, chunksize=1)
        got = [once_token(x) for x in range(10)]
        values = workers.map(steps.once, ASKED, chunksize=2)
        distinct(*coming.get(), *got, *(value["token"] for value in values))


def executor(method: str) -> None:
    once_token(0)
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context(method)) as workers:
        values = list(workers.map(steps.once, ASKED))
        distinct(*(value["token"] for value in values))


@durable(id="pooled/{x}", version=1, ignore=("begun", "ended"))
def pooled(x: int) -> dict[str, Any]:
    """A body that has children at work."""
    token = begun("pooled", x)
    with multiprocessing.get_context("fork").Pool(2) as workers:
        tokens = workers.map(once_token, ASKED)
    return {**ended(token), "tokens": tokens}


def pool_in_a_body() -> None:
    distinct(*pooled(1)["tokens"])
    distinct(*pooled(1)["tokens"])


def fork_among_threads() -> None:
    """Forks at any instant of what other threads do with the store: no child is held up, none refuses the store."""
    stop = threading.Event()

    def ask(number: int) -> None:
        x = 1_000 * (number + 1)
        while not stop.is_set():
            once_token(x)
            steps.again.rerun(number)
            x += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    codes = []
    for number in range(30):
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            try:
                once_token(number)
                once_token(number + 1)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        once_token(number)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    for thread in threads:
        thread.join()
    print(codes == [0] * 30)


@durable(id="slow/{x}", version=1, ignore=("begun", "ended", "hold"))
def slow(x: int) -> dict[str, Any]:
    token = begun("slow", x)
    hold()
    return ended(token)


def hold() -> None:
    """Nothing, but in the child that is to be killed."""


def killed_child() -> None:
    """Threads of the parent, whose store was open before the fork, wait for what a child runs that is killed."""
    global hold
    once_token(0)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        hold = lambda: (os.write(writing, b"x"), signal.pause())  # noqa: E731
        try:
            slow(1)
        finally:
            os._exit(1)
    assert b"x" == os.read(reading, 1)
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(slow, 1) for _ in range(4)]
        while not any("feed" in thread.name for thread in threading.enumerate()):
            os.sched_yield()  # until they wait
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        distinct(*(wait.result()["token"] for wait in waits))


# -- re-entrant calls -------------------------------------------------------------------------------------------------


@durable(id="steps/{x}", version=1, ignore=("begun", "ended"))
def descend(x: int) -> dict[str, Any]:
    token = begun("descend", x)
    below = descend(x - 1)["sum"] if x else 0
    return {**ended(token), "sum": x + below}


@durable(id="descend_async/{x}", version=1, ignore=("begun", "ended"))
async def descend_async(x: int) -> dict[str, Any]:
    token = begun("descend_async", x)
    both = await asyncio.gather(descend_async(x - 1), descend_async(x - 1)) if x else [{"sum": 0}]
    return {**ended(token), "sum": x + both[0]["sum"]}


def other_arguments() -> None:
    print(descend(30)["sum"], asyncio.run(descend_async(10))["sum"])


@durable(id="itself/{way}", version=1, ignore=("WAYS",))
def itself(way: str) -> str:
    return WAYS[way]()


@durable(id="itself_async/{way}", version=1, ignore=("ASYNC_WAYS",))
async def itself_async(way: str) -> str:
    return await ASYNC_WAYS[way]()


@durable(id="between/{way}", version=1)
def between(way: str) -> str:
    return itself(way)


def through_a_thread() -> str:
    """One that carries the context on, as `asyncio.to_thread` does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.copy_context().run, itself, "through_a_thread").result()


def through_a_fork() -> str:
    with multiprocessing.get_context("fork").Pool(1) as workers:
        return workers.apply(itself, ("through_a_fork",))


def through_a_loop() -> str:
    async def main() -> str:
        return await asyncio.to_thread(itself, "through_a_loop")

    return asyncio.run(main())


WAYS: dict[str, Callable[[], str]] = {
    "at_once": lambda: itself("at_once"),
    "by_rerun": lambda: itself.rerun("by_rerun"),
    "by_another": lambda: between("by_another"),
    "by_its_handle": lambda: itself.get("by_its_handle").result(),  # type: ignore[union-attr]
    "through_a_thread": through_a_thread,
    "through_a_fork": through_a_fork,
    "through_a_loop": through_a_loop,
}


async def by_a_task() -> str:
    return await asyncio.create_task(itself_async("by_a_task"))


async def by_gather() -> str:
    return (await asyncio.gather(itself_async("by_gather"), steps.awaited(1)))[0]


async def by_a_thread() -> str:
    return await asyncio.to_thread(lambda: asyncio.run(itself_async("by_a_thread")))


async def by_its_handle() -> str:
    handle = itself_async.get("by_its_handle")
    assert handle is not None
    return await handle


ASYNC_WAYS: dict[str, Callable[[], Any]] = {
    "at_once": lambda: itself_async("at_once"),
    "by_a_task": by_a_task,
    "by_gather": by_gather,
    "by_a_thread": by_a_thread,
    "by_its_handle": by_its_handle,
}


def same_arguments() -> None:
    """Each is refused, with the cycle spelled out, and what the refused body holds is free again."""
    for way in WAYS:
        refused(way, lambda way=way: itself(way))
    for way in ASYNC_WAYS:
        refused(f"async {way}", lambda way=way: asyncio.run(itself_async(way)))
    print("left pending:", *(handle.id for handle in rnb.search(state="pending")))


def refused(way: str, ask: Callable[[], str]) -> None:
    try:
        print(way, "gives", ask())
    except Exception as error:
        name = way.removeprefix("async ")
        print(way, "is refused" if "wait" in str(error) and name in str(error) else f"raises {error!r}")


@durable(id="through_a_bare_thread", version=1)
def through_a_bare_thread() -> None:
    """A thread that carries no context on: nobody can know that it is the body's own."""
    thread = threading.Thread(target=through_a_bare_thread, daemon=True)
    thread.start()
    thread.join()


@durable(id="first", version=1, ignore=("meet",))
def first() -> str:
    meet.wait()
    return second()


@durable(id="second", version=1, ignore=("meet",))
def second() -> str:
    meet.wait()
    return first()


meet = threading.Barrier(2)


def ring_of_threads() -> None:
    """Each waits for the other: one is refused, and its failure ends the other's wait."""
    found: list[BaseException] = []

    def ask(function: Callable[[], str]) -> None:
        try:
            function()
        except Exception as error:
            found.append(error)

    both = [threading.Thread(target=ask, args=(function,)) for function in (first, second)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    print(len(found), all("first" in str(error) and "second" in str(error) for error in found))


if __name__ == "__main__":
    begin()
    rnb.configure(durability="process")
    globals()[sys.argv[1]](*sys.argv[2:])
