"""The change feed: every change is told to everybody, whoever notices it first."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from resonate_nb.clock import SystemClock
from resonate_nb.runtime import _feed
from resonate_nb.runtime._feed import Feed
from resonate_nb.store import MemoryStore


class Words(MemoryStore):
    """A store whose change word moves as another process would move it."""

    word = 0

    def change_word(self) -> int:
        return self.word


def test_a_watcher_hears_of_a_change_that_a_waiter_noticed_first() -> None:
    """The waiter's look must not swallow what the feed's thread would have told."""
    store = Words(SystemClock())
    feed = Feed(store)
    feed.now()
    heard = threading.Event()
    unsubscribe = feed.watch(heard.set)
    store.word += 1
    seen = feed.now()
    assert heard.wait(60)
    feed.wait(seen - 1, 10)
    unsubscribe()
    feed.close()


def test_a_wait_without_a_thread_ends_in_time_and_leaves_no_waiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a later thread would look out for nobody, as often as for somebody, for as long as the process lives."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    feed = Feed(Words(SystemClock()))
    seen = feed.now()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    asyncio.run(feed.wait_async(seen, 0.01))
    feed.wait(seen, 0.01)
    assert (0, set()) == (feed._waiters, feed._futures)
    monkeypatch.undo()
    feed.close()


def test_an_interrupt_does_not_cut_the_start_of_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of it, `threading` would make a RuntimeError of it."""
    start, begun = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGINT)
        begun.append(thread.name)
        start(thread)

    feed = Feed(Words(SystemClock()))
    seen = feed.now()
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        feed.wait(seen, 60)
    monkeypatch.undo()
    assert ["resonate_nb feed"] == begun
    assert 0 == feed._waiters
    feed.close()


@pytest.mark.slow
@pytest.mark.parametrize("apart", [None, *range(1, 13)])
def test_interrupts_anywhere_in_a_wait_are_interrupts(apart: int | None) -> None:
    """A second one may come while the first is on its way out; neither leaves the lock taken, nor one alone a
    waiter."""
    feed = Feed(Words(SystemClock()))
    seen = feed.now()
    passed, instants = 0, [0]

    def look(frame: FrameType, event: str, _: object) -> Any:
        nonlocal passed
        frame.f_trace_opcodes = frame.f_code.co_filename in (_feed.__file__, threading.__file__)
        if event == "opcode":
            passed += 1
            if passed in instants:
                signal.raise_signal(signal.SIGINT)
        return look

    def waiting() -> Iterator[None]:
        # A generator takes along what Python, where a tracer raises, leaves as the exception that is being handled.
        feed.wait(seen, 0.001)
        yield

    while passed >= instants[0]:
        passed, instants = 0, [instants[0] + 1, *([] if apart is None else [instants[0] + 1 + apart])]
        before = sys.gettrace()
        sys.settrace(look)
        with suppress(KeyboardInterrupt):
            next(waiting())
        sys.settrace(before)
        assert sys.exception() is None
        assert apart is not None or 0 == feed._waiters
        with feed._lock:
            pass
        with pytest.raises(RuntimeError, match="un-acquired"):
            feed._lock.release()
    assert instants[0] > 30
    feed.close()


def test_a_loop_that_was_closed_under_its_waiters_does_not_stop_a_commit() -> None:
    """Nobody is left to be woken; the commit has happened, and its caller must hear that."""
    feed = Feed(Words(SystemClock()))
    loop = asyncio.new_event_loop()
    feed._futures.add((loop, loop.create_future()))
    loop.close()
    feed.publish()
