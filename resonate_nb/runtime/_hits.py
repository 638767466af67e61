"""Hits: how often what was stored was replayed in this process. Counted in memory only."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from resonate_nb.protocol import Promise


class Hits:
    """How often a promise was replayed in this process, and the milliseconds that saved. May lose a count to a race
    of threads."""

    __slots__ = ("count", "name", "saved_ms", "settled_at", "taken", "taken_ms")

    def __init__(self, name: str | None) -> None:
        self.name = name
        """Of the function; None for a cell, which tells of its replay by itself."""
        self.settled_at: int | None = None
        """When it was computed, epoch milliseconds, where that has been read."""
        self.count = self.saved_ms = self.taken = self.taken_ms = 0


class HitCounts(dict[str, Hits]):
    """By promise id."""

    def of(self, promise: Promise) -> Hits:
        headers = promise.param.headers
        found = self.named(promise.id, None if headers.get("kind") == "cell" else headers.get("name", promise.id))
        found.settled_at = promise.settled_at
        return found

    def named(self, id: str, name: str | None) -> Hits:
        """Those of a promise of a function of this name; None for a cell."""
        return self.get(id) or self.setdefault(id, Hits(name))

    def take(self) -> tuple[dict[str, int], int]:
        """Hits of functions since this was last asked: name -> how many, and the milliseconds that they all saved."""
        taken: dict[str, int] = {}
        spans = []
        for hits in list(self.values()):
            fresh, saved_ms = hits.count - hits.taken, hits.saved_ms - hits.taken_ms
            if hits.name is None or not fresh:
                continue
            hits.taken, hits.taken_ms = hits.count, hits.saved_ms
            taken[hits.name] = taken.get(hits.name, 0) + fresh
            spans.append((hits.settled_at, saved_ms, fresh))
        return taken, saved_in_all(spans)


def saved_in_all(spans: Iterable[tuple[int | None, int, int]]) -> int:
    """Milliseconds of computing that replays saved together: what had run at the same time counts once.

    Five thousand requests that were awaited together for half a minute were no forty hours.

    Args:
        spans: of each promise when it was computed (None counts by itself), what its replays saved, how many they were.
    """
    total, now = 0, 0
    going: list[tuple[int, int]] = []
    """Of those that were computed at `now`: how often each was replayed, negative, and its end; the most on top."""

    def forward(until: int | None) -> None:
        nonlocal total, now
        while going and (until is None or now < until):
            times, end = going[0]
            if end <= now:
                heappop(going)
                continue
            to = end if until is None else min(end, until)
            total -= times * (to - now)
            now = to

    placed = []
    for settled_at, saved_ms, times in spans:
        if settled_at is None:
            total += saved_ms
        else:
            placed.append((settled_at - saved_ms // times, settled_at, times))
    for start, end, times in sorted(placed):
        forward(start)
        now = start
        heappush(going, (-times, end))
    forward(None)
    return total
