"""A source of promises that a test owns: records in a dict, watchers called by hand."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable

from resonate_nb.protocol import EMPTY, NEVER, Promise, State, TaskState, Value
from resonate_nb.runtime import Detail, Record, Shown
from resonate_nb.store import Attempt, OwnerInfo, Query

T0 = 1_700_000_000_000
OWNER = OwnerInfo("owner-1", 4711, "lab-7", T0, is_alive=True)


def pending(id: str, created_at: int = T0) -> Record:
    """A promise that runs."""
    promise = Promise(id, State.PENDING, EMPTY, EMPTY, {}, NEVER, created_at, task=TaskState.ACQUIRED, owner="owner-1")
    return Record(promise, Shown.RUNNING, (Attempt(id, 1, "owner-1", created_at),), OWNER)


def resolved(id: str, created_at: int = T0, took_ms: int = 1_000) -> Record:
    """A promise that has resolved."""
    settled_at = created_at + took_ms
    promise = Promise(id, State.RESOLVED, EMPTY, Value(size_bytes=2_000), {}, NEVER, created_at, settled_at)
    attempt = Attempt(id, 1, "owner-1", created_at, settled_at, took_ms * 1000, None, 2_000, "resolved")
    return Record(promise, Shown.RESOLVED, (attempt,), OWNER)


class FakeSource:
    """What `resonate_nb.runtime.source()` gives, without a store."""

    def __init__(self, *records: Record) -> None:
        self.records = {record.promise.id: record for record in records}
        self.watchers: list[Callable[[], None]] = []
        self.looks = 0
        self.failure: Exception | None = None
        self.looked = threading.Semaphore(0)
        self.took: Callable[[], object] = lambda: None
        """Called by each look: its time goes by."""

    def put(self, *records: Record) -> None:
        """These promises are so now; whoever watches is told."""
        self.records.update({record.promise.id: record for record in records})
        for watcher in list(self.watchers):
            watcher()

    def look(self, query: Query) -> list[Record]:
        self.looks += 1
        self.took()
        self.looked.release()
        if self.failure is not None:
            raise self.failure
        found = [record for id, record in self.records.items() if fnmatch.fnmatchcase(id, query.glob or "*")]
        found.sort(key=lambda record: -record.promise.created_at)
        return found[: query.limit]

    def detail(self, id: str) -> Detail | None:
        if self.failure is not None:
            raise self.failure
        record = self.records.get(id)
        return None if record is None else Detail(record, {"n": "1"}, preview="the value", why="first call")

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        self.watchers.append(callback)
        return lambda: self.watchers.remove(callback)
