"""The flusher: many changes, few looks, one thread that ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from resonate_nb.clock import ManualClock
from resonate_nb.notebook._flush import EVERY_SECONDS, SHARE, Flusher, next_start

PATIENCE = 60.0
"""Seconds after which a test that waits for a signal has failed."""


class Bell:
    """A subscription that a test rings."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.callback = callback

        def end() -> None:
            self.callback = None

        return end

    def ring(self) -> None:
        assert self.callback is not None
        self.callback()


@contextmanager
def flushing(
    flush: Callable[[], float | None], failed: Callable[[Exception], None] = lambda error: None
) -> Iterator[tuple[Bell, Flusher]]:
    bell = Bell()
    flusher = Flusher(flush, bell.subscribe, ManualClock(), failed, name="flusher of a test", pace=min)
    try:
        yield bell, flusher
    finally:
        flusher.close()


def test_changes_during_a_flush_are_served_by_one_more() -> None:
    begun, go_on, done = threading.Semaphore(0), threading.Semaphore(0), []

    def flush() -> None:
        begun.release()
        assert go_on.acquire(timeout=PATIENCE)
        done.append(threading.current_thread().name)

    with flushing(flush) as (bell, _):
        bell.ring()
        assert begun.acquire(timeout=PATIENCE)
        for _ in range(1_000):
            bell.ring()
        go_on.release()
        assert begun.acquire(timeout=PATIENCE)
        go_on.release()
        bell.ring()  # a third, to know that there was no other in between
        assert begun.acquire(timeout=PATIENCE)
        assert done == ["flusher of a test"] * 2
        go_on.release()


def test_what_is_urgent_does_not_wait_for_its_turn() -> None:
    """A look at thousands of promises takes a second, and the next one was due after four more: until then the page
    showed as running what had ended with its cell."""
    flushed = threading.Semaphore(0)
    bell = Bell()
    flusher = Flusher(
        lambda: flushed.release(), bell.subscribe, ManualClock(), lambda error: None, pace=lambda began, ended: 1e6
    )
    try:
        bell.ring()
        assert flushed.acquire(timeout=PATIENCE)
        bell.ring()
        assert not flushed.acquire(blocking=False)
        flusher.wake(is_urgent=True)
        assert flushed.acquire(timeout=PATIENCE)
    finally:
        flusher.close()


def test_nothing_is_flushed_without_a_change() -> None:
    flushed: list[int] = []
    with flushing(lambda: flushed.append(1)):
        pass
    assert flushed == []


def test_flush_can_ask_to_be_called_again() -> None:
    """A dead owner is no commit: while something is pending, somebody must look without being told."""
    enough = threading.Event()
    calls: list[int] = []

    def flush() -> float | None:
        calls.append(1)
        if len(calls) == 3:
            enough.set()
            return None
        return 0.0

    with flushing(flush) as (bell, _):
        bell.ring()
        assert enough.wait(PATIENCE)


def test_an_error_is_told_and_does_not_end_the_thread() -> None:
    told: list[Exception] = []
    heard = threading.Semaphore(0)
    error = ValueError("no such store")

    def flush() -> None:
        raise error

    def failed(raised: Exception) -> None:
        told.append(raised)
        heard.release()

    with flushing(flush, failed) as (bell, _):
        for _ in range(2):
            bell.ring()
            assert heard.acquire(timeout=PATIENCE)
    assert told == [error, error]


def test_close_ends_thread_and_subscription() -> None:
    with flushing(lambda: None) as (bell, flusher):
        assert bell.callback is not None
        flusher.close()
        flusher.close()
        assert bell.callback is None
        assert "flusher of a test" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    ("started", "ended", "due"),
    [
        pytest.param(10.0, 10.001, 10.0 + EVERY_SECONDS, id="quick: ten a second"),
        pytest.param(10.0, 12.0, 12.0 + 2.0 * (1 - SHARE) / SHARE, id="slow: a tenth of the time"),
    ],
)
def test_pace(started: float, ended: float, due: float) -> None:
    assert next_start(started, ended) == pytest.approx(due)
