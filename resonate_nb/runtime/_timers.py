"""Timers: a promise whose deadline has passed is settled in the store, whether or not anybody looks at it.

Reads judge a deadline by themselves (`protocol.project`); the timers write down what has been decided, and so wake
whoever waits, in any process. Deadlines are wall-clock instants, and so a thread that waits for one never sleeps for
long: a clock that was set, or a laptop that was suspended, is noticed when it wakes. In a store without deadlines there
is no thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import NEVER, Command, ExpirePromise, Reply
from resonate_nb.store import Store

from ._say import say

LONGEST_SLEEP_SECONDS = 30.0
"""While a deadline is pending: how late a jump of the wall clock is noticed."""
LOOK_SECONDS = 60.0
"""How often other processes' deadlines are looked for, and only if anybody has committed since."""
BATCH = 100
"""How many promises are settled in one transaction; others may write in between."""
_JOIN_SECONDS = 10.0


class Door(Protocol):
    """What the timers need of an engine."""

    store: Store
    clock: Clock

    def submit(self, commands: Sequence[Command]) -> list[Reply]: ...


class Timers:
    """The deadlines of one store, as this process watches them.

    Under a clock that is not the machine's no thread starts: whoever moves the clock calls `tick`.
    """

    def __init__(self, engine: Door) -> None:
        self._engine = engine
        self._has_thread = isinstance(engine.clock, SystemClock)
        self._lock = threading.Lock()
        # Taken by itself, not through the condition, whose `with` an interrupt can leave locked.
        self._changed = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._next = NEVER
        """The soonest deadline known, in epoch milliseconds; the promise may have settled meanwhile."""
        self._word = 0
        """The store's change word at the last look."""
        self._looked = 0.0
        """When that was, in monotonic seconds."""
        self._failures = 0
        """Looks in a row that the store has refused."""
        self._is_closed = False

    def begin(self) -> None:
        """The deadlines that the store holds already are watched; one look-up."""
        with self._engine.store.read() as reader:
            found = reader.deadlines(1)
        if found:
            self.arm(found[0][0])

    def arm(self, timeout_at: int) -> None:
        """This deadline of a promise is watched. Call it after the commit that made the promise."""
        with self._lock:
            is_sooner = timeout_at < self._next
            if is_sooner:
                self._next = timeout_at
            if self._is_closed or not self._has_thread:
                return
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="resonate_nb timers", daemon=True)
                self._thread.start()
            elif is_sooner:
                self._changed.notify_all()

    def tick(self) -> None:
        """What is due at this instant is settled, committed and published.

        Raises:
            StoreError: the store could not be read or written; a later tick finds the same promises.
        """
        with self._lock:
            self._next = NEVER  # what is armed from here on counts besides what the look finds
        left = self._settle()
        with self._lock:
            self._next = min(self._next, left)

    def _settle(self) -> int:
        """The soonest deadline that is left."""
        engine = self._engine
        while True:
            self._looked = engine.clock.monotonic()
            self._word = engine.store.change_word()
            with engine.store.read() as reader:
                found = reader.deadlines(BATCH)
            now = engine.clock.now_ms()
            due = [ExpirePromise(id) for timeout_at, id in found if timeout_at <= now]
            if not due:
                return found[0][0] if found else NEVER
            engine.submit(due)

    def pause(self) -> float | None:
        """Seconds to sleep before the next look; 0 when it is time for one, None when there is nothing to wait for."""
        clock = self._engine.clock
        since = clock.monotonic() - self._looked
        if self._failures:
            return max(0.0, min(2.0 ** min(self._failures, 10), LOOK_SECONDS) - since)
        if self._next == NEVER:
            return None
        if since >= LOOK_SECONDS and self._has_moved():
            return 0.0
        return min(max(0.0, (self._next - clock.now_ms()) / 1000), LONGEST_SLEEP_SECONDS)

    def _has_moved(self) -> bool:
        try:
            return self._engine.store.change_word() != self._word
        except StoreError:
            return True  # the look will say what it is

    def _run(self) -> None:
        while self._sleep():
            try:
                self.tick()
                self._failures = 0
            except StoreError as error:
                self._failures += 1
                if not self._is_closed:
                    say(f"promises whose deadline has passed cannot be settled yet: {error}", once=True)

    def _sleep(self) -> bool:
        """Until it is time to look; False when there is nothing to look for, and then the thread is no longer ours."""
        with self._lock:
            while not self._is_closed and (pause := self.pause()) is not None:
                if pause == 0:
                    return True
                self._changed.wait(pause)
            self._thread = None
            return False

    def renew_in_child(self) -> None:
        """After a fork: the parent goes on watching; the child begins with the deadlines that it makes."""
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._thread = None
        self._next = NEVER
        self._failures = 0

    def close(self) -> None:
        """The thread has ended; idempotent. Close the store only afterwards."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            # Not for ever: it may be publishing to somebody who waits for what the closer holds.
            thread.join(_JOIN_SECONDS)
