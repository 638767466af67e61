"""Leases: how long a stopped owner keeps its task, by the monotonic clock of whoever waits for it.

A lease is stored with the wall-clock instant at which it ends. On one machine that instant proves nothing: a clock that
is set forward by an hour would take the task from an owner that was stopped for a second, and one that is set back
would leave it to a stopped one for an hour. What each waiter can see by itself is that nothing has moved: the task's
version and the lease's end are those of its first look, and the owner was stopped at each look. When that has held for
the length of a lease, the lease is over. A suspended machine counts for nothing: its monotonic clock stands still, as
its processes do.
"""

from __future__ import annotations

import threading

from resonate_nb.clock import Clock
from resonate_nb.protocol import Promise
from resonate_nb.records import dataclass


@dataclass(frozen=True, slots=True)
class _Seen:
    version: int
    lease_until: int | None
    since: float
    """Monotonic seconds of the first look."""


class Leases:
    """What this process has seen of stopped owners."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._seen: dict[str, _Seen] = {}

    def is_over(self, promise: Promise, *, is_stopped: bool) -> bool:
        """Whether the owner, living on this machine, has been seen stopped for a whole lease.

        Tell of each look, also when the owner is not stopped: then whatever was seen before counts for nothing.
        """
        with self._lock:
            if not is_stopped or promise.lease_ms is None:
                self._seen.pop(promise.id, None)
                return False
            now = self._clock.monotonic()
            seen = self._seen.get(promise.id)
            if seen is None or (seen.version, seen.lease_until) != (promise.version, promise.lease_until):
                seen = self._seen[promise.id] = _Seen(promise.version, promise.lease_until, now)
            return now - seen.since >= promise.lease_ms / 1000

    def renew_in_child(self) -> None:
        """After a fork: a thread of the parent may have had the lock."""
        self._lock = threading.RLock()
