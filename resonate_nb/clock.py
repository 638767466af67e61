"""The only readers of time: wall-clock milliseconds for what is stored, monotonic seconds for what is waited for."""

from __future__ import annotations

import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; passed in, so that tests own it."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, for stored instants."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back, for durations and waits."""
        ...

    def cpu(self) -> float:
        """Seconds of CPU time this process has used."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def cpu(self) -> float:
        return time.process_time()


class ManualClock:
    """A clock that moves only when told to; starts at `now_ms` milliseconds since the epoch."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self._now_ms = now_ms
        self._run_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._run_ms / 1000

    def cpu(self) -> float:
        return self._run_ms / 1000

    def advance(self, milliseconds: int) -> None:
        """Time goes by."""
        self._now_ms += milliseconds
        self._run_ms += milliseconds

    def advance_wall(self, milliseconds: int) -> None:
        """The wall clock jumps, forward or back: it was set, or the machine was suspended."""
        self._now_ms += milliseconds


def local_now() -> datetime.datetime:
    """This moment with the local time zone, for ids that hold a date."""
    return datetime.datetime.now().astimezone()
