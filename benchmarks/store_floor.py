"""What the store costs over hand-written SQL that makes the same commits.

Run: ``python benchmarks/store_floor.py [rounds]``. All contestants live in one process and are asked in shuffled
turns; the figures are medians of CPU time over rounds, as ratios to the floor of the same run. Absolute numbers mean
nothing beyond their run.
"""

from __future__ import annotations

import gc
import hashlib
import random
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from resonate_nb.clock import SystemClock
from resonate_nb.protocol import (
    Claim,
    CreatePromise,
    Inserted,
    Promise,
    Settled,
    SettlePromise,
    State,
    TaskState,
    Value,
    apply,
)
from resonate_nb.store import SqliteStore

CALLS = 500
CLOCK = SystemClock()


def ids(contestant: str, round: int) -> list[str]:
    """Ids as calls have them: a name, digests in random order, a version."""
    return [
        f"clean/{hashlib.md5(f'{contestant} {round} {number}'.encode()).hexdigest()[:16]}@a91c03f7"
        for number in range(CALLS)
    ]


class Floor:
    """The least that a durable call needs: one row inserted, one updated, each in a commit of its own."""

    name = "hand-written SQL, two commits"

    def __init__(self, directory: Path) -> None:
        self.connection = sqlite3.connect(directory / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("CREATE TABLE calls (id TEXT PRIMARY KEY, state TEXT, param BLOB, value BLOB)")

    def cold(self, id: str) -> None:
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO calls VALUES (?, 'pending', ?, NULL)", (id, b"p" * 60))
        execute("COMMIT")
        execute("BEGIN IMMEDIATE")
        execute("UPDATE calls SET state = 'resolved', value = ? WHERE id = ?", (b"v" * 60, id))
        execute("COMMIT")

    def hit(self, id: str) -> None:
        self.connection.execute("SELECT state, value FROM calls WHERE id = ?", (id,)).fetchone()


class Rows:
    """The store alone: look-up and delta in each of two transactions, no law."""

    name = "store, deltas"

    def __init__(self, directory: Path) -> None:
        self.store = SqliteStore.open(directory / "rows", durability="process", clock=CLOCK)
        self.owner = self.store.owner

    def cold(self, id: str) -> None:
        param, value = Value(data=b"p" * 60, size_bytes=60), Value(data=b"v" * 60, size_bytes=60)
        now = CLOCK.now_ms()
        promise = Promise(
            id, State.PENDING, param, Value(), {}, 2**53 - 1, now, None, TaskState.ACQUIRED, 1, self.owner, 60_000, now
        )
        with self.store.write() as transaction:
            if transaction.get(id) is None:
                transaction.apply((Inserted(promise),))
        with self.store.write() as transaction:
            if transaction.get(id) is not None:
                transaction.apply((Settled(id, State.RESOLVED, value, now),))

    def hit(self, id: str) -> None:
        with self.store.read() as reader:
            reader.latest(id)


class Law(Rows):
    """The store under the law, as the engine uses it."""

    name = "store and law"

    def __init__(self, directory: Path) -> None:
        self.store = SqliteStore.open(directory / "law", durability="process", clock=CLOCK)
        self.owner = self.store.owner

    def cold(self, id: str) -> None:
        now = CLOCK.now_ms()
        create = CreatePromise(id, param=Value(data=b"p" * 60, size_bytes=60), claim=Claim(self.owner, 60_000))
        settle = SettlePromise(id, State.RESOLVED, Value(data=b"v" * 60, size_bytes=60), 1)
        for command in (create, settle):
            with self.store.write() as transaction:
                transaction.apply(apply(transaction, command, now).deltas)


def measured(call: Callable[[str], None], names: list[str]) -> float:
    """CPU microseconds per call."""
    gc.collect()
    start = CLOCK.cpu()
    for name in names:
        call(name)
    return (CLOCK.cpu() - start) / len(names) * 1e6


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        contestants = [contestant(Path(directory)) for contestant in (Floor, Rows, Law)]
        cold: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
        hit: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
        for round in range(rounds):
            for contestant in random.sample(contestants, len(contestants)):
                cold[contestant.name].append(measured(contestant.cold, ids(contestant.name, round)))
        # After all writing, as in a session that finds everything done.
        for round in random.sample(range(rounds), rounds):
            for contestant in random.sample(contestants, len(contestants)):
                hit[contestant.name].append(measured(contestant.hit, ids(contestant.name, round)))
        for what, figures in (("cold call", cold), ("first hit", hit)):
            floor = statistics.median(figures[Floor.name])
            for name, values in figures.items():
                median = statistics.median(values)
                print(f"{what:10} {name:30} {median:7.1f} us CPU {median / floor:5.2f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
