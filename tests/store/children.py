"""Other processes for the tests of the store: what they do is a function here, named on their command line.

They talk by lines: `say` on their standard output, `hear` on their standard input.
"""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from resonate_nb.clock import SystemClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import EMPTY, NEVER, Deleted, Inserted, Promise, Settled, State, TaskState, Value
from resonate_nb.store import INLINE_BYTES, Durability, SqliteStore
from resonate_nb.store._filesystem import FileSystem

CLOCK = SystemClock()


class Child:
    """A Python process that runs one function of this module with the given words."""

    def __init__(self, work: Callable[..., None], *words: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, work.__name__, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self) -> str:
        """The next line it says; empty when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, line: str = "go") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """What it said to its end, which must be a good one."""
        said = self._rest()
        assert 0 == self.process.returncode
        return said

    def kill(self) -> str:
        """SIGKILL; what it had said and nobody had read."""
        self.process.kill()
        return self._rest()

    def _rest(self) -> str:
        # Not `communicate`: it reads the pipe, and what `read` has taken from there beyond its line would be lost.
        with self.process as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            return process.stdout.read()


def in_fork(work: Callable[[], object]) -> object:
    """What `work` returned in a forked child, or the error that it raised, as a value."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found: object = work()
        except BaseException as error:
            found = error
        try:
            with os.fdopen(writing, "wb") as file:
                pickle.dump(found, file)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = pickle.load(file)
    os.waitpid(child, 0)
    return found


def say(*words: object) -> None:
    # One write, so that a line is never half there.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def hear() -> str:
    return sys.stdin.readline().rstrip("\n")


def opened(path: str, durability: Durability = "process") -> SqliteStore:
    return SqliteStore.open(Path(path), durability=durability, clock=CLOCK)


def pending(id: str, owner: str | None = None) -> Promise:
    if owner is None:
        return Promise(id, State.PENDING, EMPTY, EMPTY, {}, NEVER, CLOCK.now_ms())
    now = CLOCK.now_ms()
    return Promise(
        id, State.PENDING, EMPTY, EMPTY, {}, NEVER, now, None, TaskState.ACQUIRED, 1, owner, 60_000, now + 60_000
    )


def value_for(id: str) -> bytes:
    """The only right value of a promise: small or large, told from its id."""
    number = int(id.rpartition("/")[2])
    size = (10, 1_000, INLINE_BYTES + 10_000, 20, 400_000)[number % 5]
    return (id.encode() + b" ") * (size // (len(id) + 1) + 1)


def settle_for_ever(path: str, durability: Durability, name: str) -> None:
    """Create and settle as fast as it goes, forgetting every seventh; says what is acknowledged."""
    store = opened(path, durability)
    say("ready")
    for number in itertools.count():
        id = f"{name}/{number}"
        with store.write() as transaction:
            transaction.apply([Inserted(pending(id, store.owner))])
        data = value_for(id)
        if len(data) > INLINE_BYTES:
            file = store.put_file(data[start : start + 65_536] for start in range(0, len(data), 65_536))
            value = Value({}, None, file.name, file.size_bytes)
        else:
            value = Value({}, data, None, len(data))
        with store.write() as transaction:
            transaction.apply([Settled(id, State.RESOLVED, value, CLOCK.now_ms())])
        say("settled", id)
        if number % 7 == 6:
            forgotten = f"{name}/{number - random.randrange(5)}"
            with store.write() as transaction:
                if transaction.get(forgotten) is not None:
                    transaction.apply([Deleted(forgotten, 1)])
                    transaction.invalidate()
            say("forgotten", forgotten)


def compete(path: str, name: str, ids: str, rounds: str) -> None:
    """Insert what is absent of many ids, and add one to a common number, against others; says what was inserted."""
    store = opened(path)
    say("ready")
    hear()
    for number in random.sample(range(int(ids)), int(ids)):
        with store.write() as transaction:
            if transaction.get(f"common/{number}") is None:
                transaction.apply([Inserted(pending(f"common/{number}"))])
                say(f"common/{number}")
    for _ in range(int(rounds)):
        with store.write() as transaction:
            count = int(transaction.note("count", "n") or b"0")
            transaction.put_note("count", "n", str(count + 1).encode())
    store.close()


def invalidate_until_told(path: str, acknowledged: str) -> None:
    """Change a note and invalidate, or change it and roll back. A mapped file holds the last number committed, and
    whether it is enough, which the other side says."""
    store = opened(path)
    with open(acknowledged, "r+b") as file:
        words = mmap.mmap(file.fileno(), 16)
    say("ready")
    hear()
    for number in itertools.takewhile(lambda _: not words[8], itertools.count(1)):
        try:
            with store.write() as transaction:
                transaction.put_note("note", "n", str(-number).encode())
                transaction.invalidate()
                if number % 3 == 0:
                    raise ZeroDivisionError
                transaction.put_note("note", "n", str(number).encode())
        except ZeroDivisionError:
            continue
        struct.pack_into("=Q", words, 0, number)


def outlive(path: str) -> None:
    """Fork; the parent waits to be killed, the child, on demand, becomes an owner of its own and writes."""
    store = opened(path)
    owner = store.owner
    with store.read():
        pass
    if os.fork():
        os.waitpid(-1, 0)
        return
    # Said by the child: what a fork has to give up is given up by now, whichever of the two ran first.
    say(owner)
    hear()
    with store.write() as transaction:
        transaction.apply([Inserted(pending("child"))])
    say(store.owner)
    hear()
    os._exit(0)


def settle_on_demand(path: str) -> None:
    """A pending promise and a value file that it does not name yet; name it on demand, and wait to be killed."""
    store = opened(path)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("ghost", store.owner))])
    file = store.put_file([b"value"])
    say(file.name)
    hear()
    with store.write() as transaction:
        value = Value({}, None, file.name, file.size_bytes)
        transaction.apply([Settled("ghost", State.RESOLVED, value, CLOCK.now_ms())])
    say("settled")
    hear()


def forget_on_demand(path: str) -> None:
    """A promise with a value file; forget it on demand, and wait to be killed."""
    store = opened(path)
    file = store.put_file([b"value"])
    with store.write() as transaction:
        value = Value({}, None, file.name, file.size_bytes)
        transaction.apply([Inserted(pending("ghost")), Settled("ghost", State.RESOLVED, value, CLOCK.now_ms())])
    say(file.name)
    hear()
    with store.write() as transaction:
        transaction.apply([Deleted("ghost", 0)])
    say("forgotten")
    hear()


def copy_over(source: str, target: str) -> None:
    """The bytes of one file over those of another that is there. In a process of its own: a process that closes a file
    of SQLite's loses all its locks on it."""
    flags = os.O_WRONLY | (0 if os.path.exists(target) else os.O_CREAT)
    descriptor = os.open(target, flags, 0o600)
    os.write(descriptor, Path(source).read_bytes())
    os.close(descriptor)


def write_until_told(path: str) -> None:
    """Sit in a write transaction; commit on demand."""
    store = opened(path)
    with store.write() as transaction:
        transaction.apply([Inserted(pending("child"))])
        say("writing")
        hear()
    store.close()


def own(path: str) -> None:
    """Own a store, and answer once."""
    store = opened(path)
    say(store.owner)
    hear()
    say("went on")
    hear()


def own_alone(path: str) -> None:
    """Own a store as on a network file system, until told to let go."""
    store = SqliteStore.open(Path(path), clock=CLOCK, file_system=FileSystem("nfs4"))
    say("ready")
    hear()
    store.close()
    say("closed")
    hear()


def write_for_long(path: str, name: str, times: str) -> None:
    """Insert promises one by one, whatever is done to the store meanwhile; says which are stored."""
    store = opened(path)
    say("ready")
    hear()
    stored = []
    for number in range(int(times)):
        try:
            with store.write() as transaction:
                transaction.apply([Inserted(pending(f"{name}/{number}"))])
        except StoreError:
            continue
        stored.append(f"{name}/{number}")
    say(*stored)
    store.close()


def hold_file(path: str) -> None:
    """Leave a whole file that no row names and half of another, and wait to be killed."""
    store = opened(path)
    whole = store.put_file([b"whole"])

    def chunks() -> object:
        yield b"half"
        say(store.owner, whole.name)
        hear()

    store.put_file(chunks())  # type: ignore[arg-type]


def meet_a_limit(path: str) -> None:
    """Store under a limit of file size, which stands in for a full disk; says the errors."""
    import resource
    import signal

    store = opened(path)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
    try:
        store.put_file([b"x" * 400_000, b"x" * 400_000])
    except StoreError as error:
        say("file", error)
    kept = 0
    try:
        for number in range(1_000):
            with store.write() as transaction:
                transaction.put_note(f"n/{number}", "n", random.randbytes(20_000))
                transaction.invalidate()
            kept += 1
    except StoreError as error:
        say("row", error)
    say("kept", kept, store.invalidation_word())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
