"""Hits: how often what was stored was replayed in this process. Counted in memory only."""

from __future__ import annotations

from resonate_nb.protocol import Promise


class Hits:
    """How often a promise was replayed in this process, and the milliseconds that saved. May lose a count to a race
    of threads."""

    __slots__ = ("count", "name", "saved_ms", "taken", "taken_ms")

    def __init__(self, name: str | None) -> None:
        self.name = name
        """Of the function; None for a cell, which tells of its replay by itself."""
        self.count = self.saved_ms = self.taken = self.taken_ms = 0


class HitCounts(dict[str, Hits]):
    """By promise id."""

    def of(self, promise: Promise) -> Hits:
        headers = promise.param.headers
        return self.named(promise.id, None if headers.get("kind") == "cell" else headers.get("name", promise.id))

    def named(self, id: str, name: str | None) -> Hits:
        """Those of a promise of a function of this name; None for a cell."""
        return self.get(id) or self.setdefault(id, Hits(name))

    def take(self) -> dict[str, tuple[int, int]]:
        """Hits of functions since this was last asked: name -> how many, and the milliseconds they saved."""
        taken: dict[str, tuple[int, int]] = {}
        for hits in list(self.values()):
            fresh, saved_ms = hits.count - hits.taken, hits.saved_ms - hits.taken_ms
            if hits.name is None or not fresh:
                continue
            hits.taken, hits.taken_ms = hits.count, hits.saved_ms
            count, total = taken.get(hits.name, (0, 0))
            taken[hits.name] = (count + fresh, total + saved_ms)
        return taken
