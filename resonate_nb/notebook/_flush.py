"""The flusher: one thread that turns any number of changes into at most ten looks a second, also while a cell runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

from resonate_nb.clock import Clock

EVERY_SECONDS = 0.1
"""Jupyter's server drops messages above 1,000 a second and 1 MB a second; people see ten a second as live."""
SHARE = 0.2
"""Part of the time that flushing may take: it competes with the user's own Python for the interpreter."""


def next_start(started: float, ended: float) -> float:
    """The earliest begin of the next flush, in seconds of the same clock: flushes keep to their share of the time."""
    return max(started + EVERY_SECONDS, ended + (ended - started) * (1 - SHARE) / SHARE)


class Flusher:
    """Calls `flush` on a thread of its own, soon after each change, until it is closed.

    - Changes that come while a flush runs, or before the next one is due, are served by one flush together.
    - The end of a cell is urgent: what is left on a page that is then looked at must not be a minute old. It waits for
      as long again as the last flush took, and no longer.
    - `flush` returns after how many seconds it wants to be called again without a change, or None for never: a dead
      owner is no commit, so whoever shows one must look.
    - An error of `flush` goes to `failed`; the thread goes on with the next change.
    """

    def __init__(
        self,
        flush: Callable[[], float | None],
        subscribe: Callable[[Callable[[], None]], Callable[[], None]],
        clock: Clock,
        failed: Callable[[Exception], None],
        *,
        name: str = "resonate_nb inspector",
        pace: Callable[[float, float], float] = next_start,
    ) -> None:
        """Starts at once.

        Args:
            flush: does the work.
            subscribe: called with what a change calls; returns what ends the subscription.
            clock: paces the flushes.
            failed: told of each error of `flush`; must not raise.
            name: of the thread.
            pace: begin and end of a flush to the earliest begin of the next.
        """
        self._flush = flush
        self._clock = clock
        self._failed = failed
        self._pace = pace
        self._changed = threading.Condition()
        self._is_dirty = False
        self._is_urgent = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._unsubscribe = subscribe(self.wake)
        self._thread.start()

    def wake(self, *, is_urgent: bool = False) -> None:
        """Something has changed. Returns at once; any thread."""
        with self._changed:
            self._is_dirty = True
            self._is_urgent |= is_urgent
            self._changed.notify_all()

    def close(self) -> None:
        """End the subscription and the thread; a flush that runs is waited for. Idempotent."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        self._unsubscribe()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        again: float | None = None
        soon = not_before = self._clock.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_dirty or self._is_closed, again)
                for is_due in (lambda: self._is_closed or self._is_urgent, lambda: self._is_closed):
                    pause = (soon if self._is_urgent else not_before) - self._clock.monotonic()
                    if pause > 0:
                        self._changed.wait_for(is_due, pause)
                if self._is_closed:
                    return
                self._is_dirty = self._is_urgent = False
            started = self._clock.monotonic()
            try:
                again = self._flush()
            except Exception as error:
                again = None
                self._failed(error)
            ended = self._clock.monotonic()
            not_before, soon = self._pace(started, ended), 2 * ended - started
