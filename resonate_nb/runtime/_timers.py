"""Timers: a promise whose deadline has passed is settled in the store, whether or not anybody looks at it.

Reads judge a deadline by themselves (`protocol.project`); the timers write down what has been decided, and so wake
whoever waits, in any process. Deadlines are wall-clock instants, and so a thread that waits for one never sleeps for
long: a clock that was set, or a laptop that was suspended, is noticed when it wakes. So are the deadlines of other
processes, which may have died since: whoever holds a store on disk compares its change word now and then, and looks
only if anybody has committed. In a store of this process alone, and without deadlines, there is no thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import NEVER, Command, ExpirePromise, Reply
from resonate_nb.store import Store

from ._held import hold_interrupt
from ._say import say
from ._threads import started

LONGEST_SLEEP_SECONDS = 10.0
"""How late a jump of the wall clock is noticed."""
LOOK_SECONDS = 10.0
"""How often other processes' deadlines are looked for, and only if anybody has committed since."""
LONGEST_PAUSE_SECONDS = 60.0
"""Between two looks at a store that refuses them."""
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
        self._lock = threading.RLock()
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
        self._has_others = False
        """Other processes may make deadlines here."""

    def begin(self) -> None:
        """The deadlines that the store holds are watched, and those that other processes make; one look-up."""
        store = self._engine.store
        self._has_others = store.path is not None
        self._looked, self._word = self._engine.clock.monotonic(), store.change_word()
        with store.read() as reader:
            found = reader.deadlines(1)
        if found or self._has_others:
            self.arm(found[0][0] if found else NEVER)

    def arm(self, timeout_at: int) -> None:
        """This deadline of a promise is watched. Call it after the commit that made the promise."""
        with self._lock:
            is_sooner = timeout_at < self._next
            if is_sooner:
                self._next = timeout_at
            if self._is_closed or not self._has_thread:
                return
            if self._thread is None or not self._thread.is_alive():
                with hold_interrupt():
                    self._thread = started(self._run, "timers", otherwise="a deadline is settled when somebody looks")
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
            return max(0.0, min(2.0 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS) - since)
        if self._next == NEVER and not self._has_others:
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
            is_due = self._next <= self._engine.clock.now_ms()
            try:
                self.tick()
                self._failures = 0
            except StoreError as error:
                self._failures += 1
                # Whoever uses the store is told what has become of it; here only what that means for a deadline.
                if is_due and not self._is_closed:
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
        self._has_others = False
        self._lock = threading.RLock()
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
