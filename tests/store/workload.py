"""What the power is cut from: calls with small and large values, reruns, forgettings, by one process or by two.

The transactions of a store are numbered, and each says inside, before it commits, ``will N inserted id`` (or settled,
or deleted). When a step has returned that ended with transaction N a process says ``done N``, and ``safe N`` if its
durability has promised by then that all it has done so far is safe.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

from children import CLOCK, pending, say
from syncing import sync

from resonate_nb.protocol import Deleted, Inserted, Settled, State, Value
from resonate_nb.store import INLINE_BYTES, Durability, SqliteStore

SIZES = {10: 30, 1_000: 20, 25_000: 35, 40_000: 8, 400_000: 4, 1_200_000: 3}
"""Sizes of values, and how often they come: rows that soon fill the log, files for the group, files of their own."""
STEPS = {"call": 80, "rerun": 8, "forget": 8, "long": 5, "wait": 3, "reopen": 1}
"""What is done, and how often."""


def value_of(id: str) -> bytes:
    """The only right value of a promise, told from its id."""
    (size,) = random.Random(id).choices(tuple(SIZES), tuple(SIZES.values()))
    return (id.encode() + b" ") * (size // (len(id) + 1) + 1)


class Worker:
    """One process at work on a store."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._path = path
        self._durability = durability
        self._open()

    def _open(self) -> None:
        self.store = SqliteStore.open(self._path, durability=self._durability, clock=CLOCK)

    def call(self, id: str) -> int:
        """A promise is made, and settles."""
        self._commit(Inserted(pending(id, self.store.owner)))
        data = value_of(id)
        if len(data) > INLINE_BYTES:
            file = self.store.put_file(data[start : start + 262_144] for start in range(0, len(data), 262_144))
            value = Value({}, None, file.name, file.size_bytes)
        else:
            value = Value({}, data, None, len(data))
        number = self._commit(Settled(id, State.RESOLVED, value, CLOCK.now_ms()))
        sync(self.store, 0)
        return number

    def forget(self, id: str) -> int:
        return self._commit(Deleted(id, 1))

    def wait(self) -> None:
        """Until the group of the last commit has been synced."""
        for thread in threading.enumerate():
            if thread.name == "resonate_nb sync":
                thread.join()

    def reopen(self) -> None:
        self.store.close()
        self._open()

    def _commit(self, delta: Inserted | Settled | Deleted) -> int:
        id = delta.promise.id if isinstance(delta, Inserted) else delta.id
        with self.store.write() as transaction:
            transaction.apply([delta])
            number = int(transaction.note("count", "n") or b"0") + 1
            transaction.put_note("count", "n", str(number).encode())
            if isinstance(delta, Deleted):
                transaction.invalidate()
            say("will", number, type(delta).__name__.lower(), id)
        return number


def run(path: str, durability: Durability, name: str, steps: str) -> None:
    """Some steps, as chance will have it."""
    chance = random.Random(name)
    worker = Worker(Path(path), durability)
    known: list[str] = []
    number = 0
    for count in range(int(steps)):
        (verb,) = chance.choices(tuple(STEPS), tuple(STEPS.values()))
        match verb:
            case "rerun" if known:
                base, _, generation = chance.choice(known).partition("~")
                known.append(f"{base}~{int(generation or 1) + 1 + count}")
                number = worker.call(known[-1])
            case "forget" if known:
                number = worker.forget(known.pop(chance.randrange(len(known))))
            case "long":
                sync(worker.store, 1_000)
            case "wait":
                worker.wait()
            case "reopen":
                worker.reopen()
            case _:
                known.append(f"{name}/{count}")
                number = worker.call(known[-1])
        if durability == "full" or (durability == "adaptive" and verb in ("long", "wait", "reopen")):
            say("safe", number)
        say("done", number)
    worker.store.close()
    if durability != "process":
        say("safe", number)


def run_two(path: str, first: Durability, second: Durability, name: str, steps: str) -> None:
    """The same by two processes at once."""
    command = (sys.executable, __file__, run.__name__, path)
    children = [
        subprocess.Popen([*command, durability, f"{name}-{number}", steps])
        for number, durability in enumerate((first, second))
    ]
    assert [0, 0] == [child.wait() for child in children]


def commit(path: str, durability: Durability, count: str) -> None:
    """So many commits of a row, as fast as it goes; says how long they took."""
    worker = Worker(Path(path), durability)
    worker.call("first")
    worker.wait()
    started = CLOCK.monotonic()
    say("begin")
    for number in range(int(count)):
        with worker.store.write() as transaction:
            transaction.apply([Inserted(pending(f"row/{number}"))])
        sync(worker.store, 0.001)
    say("end", CLOCK.monotonic() - started)
    worker.store.close()


def commit_what_took_long(path: str, durability: Durability) -> None:
    """A commit that is worth a sync, and one that is not."""
    worker = Worker(Path(path), durability)
    worker.call("first")
    for seconds in (1_000, 0):
        worker.wait()
        say("begin")
        with worker.store.write() as transaction:
            transaction.apply([Inserted(pending(f"row/{seconds}"))])
        sync(worker.store, seconds)
        say("returned")
    worker.wait()
    worker.store.close()


def commit_and_end(path: str, durability: Durability) -> None:
    """The process ends with its store open."""
    worker = Worker(Path(path), durability)
    worker.call("first")
    worker.wait()
    worker.call("last")
    say("end")


def call_durably(path: str) -> None:
    """Calls as a user makes them, with the settings that nobody has touched: one that takes long, and a short one."""
    import resonate_nb

    @resonate_nb.durable
    def call(seconds: float) -> float:
        threading.Event().wait(seconds)
        say("begin")
        return seconds

    resonate_nb.configure(store=path)
    for seconds in (1.5, 0.0):
        call(seconds)
        say("returned")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
