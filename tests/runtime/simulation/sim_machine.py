"""A machine that is not there: a clock, a disk with one store, and the processes that live, stand still or have died.

Every process has a handle of its own to the one store, as a process has to a directory: its own name, and a view of who
lives. A process that has died can do nothing any more: whatever its abandoned frames still try is refused.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from resonate_nb.clock import ManualClock
from resonate_nb.errors import StoreError, UnwritableStoreError
from resonate_nb.protocol import Inserted, Settled, TaskState, split_id
from resonate_nb.store import MemoryStore, OwnerInfo, StoredFile, Transaction

BEGIN_MS = 1_000_000_000
HOST = socket.gethostname()


class Killed(BaseException):
    """SIGKILL: nothing of the process runs after it."""


class Machine:
    """Or several: processes of another one are known by their leases only."""

    def __init__(self) -> None:
        self.clock = ManualClock(BEGIN_MS)
        self.rows = MemoryStore(self.clock)
        self.is_full = False
        """The disk takes nothing."""
        self.living: dict[str, str] = {}
        """Owner -> the machine it lives on."""
        self.stopped: dict[str, float] = {}
        """Owner -> since when, in monotonic seconds."""
        self.homes: dict[str, str] = {}
        """Of all owners there ever were."""
        self.let_go: set[tuple[str, str, int]] = set()
        """Owner, promise and version: given up, which no row says."""
        self.knows_at_once = True
        """Whether its store can commit in one statement what is true by what is known (`Store.at_once`)."""
        self.before_write: Callable[[str], None] = lambda owner: None
        """Told of each owner that comes to write, before it has the lock: others may have been faster."""
        self.observe: Callable[[Any, Any, str], None] = lambda before, after, by: None
        """Told of each commit: the state before it and after it, and whose it is."""
        self.crash: dict[str, str] = {}
        """Owner -> where in its next commit it is killed: ``before`` or ``after``. Or it is interrupted, where it waits
        for the lock (``wait``); or does not get it (``busy``)."""

    @property
    def state(self) -> Any:
        """All rows, as they are committed at this moment."""
        return self.rows._state

    def open(self, owner: str, home: str = "here") -> Seat:
        """A process begins."""
        self.living[owner] = self.homes[owner] = home
        return Seat(self, owner, home)

    def kill(self, owner: str) -> None:
        self.living.pop(owner, None)
        self.stopped.pop(owner, None)
        self.crash.pop(owner, None)

    def stop(self, owner: str) -> None:
        self.stopped[owner] = self.clock.monotonic()

    def go_on(self, owner: str) -> None:
        self.stopped.pop(owner, None)


class Seat:
    """The store, as one process has it open."""

    path: Path | None = None
    is_read_only = False

    def __init__(self, machine: Machine, owner: str, home: str) -> None:
        self._machine = machine
        self._rows = machine.rows
        self._opened_at = machine.clock.now_ms()
        self.owner = owner
        self.home = home

    def __getattr__(self, name: str) -> Any:
        """All that is not the process's own is the store's."""
        self._look()
        return getattr(self._rows, name)

    def write(self, pause: Callable[[], object] | None = None, **others: Any) -> Any:
        return _Writing(self, pause, self._rows.write(**others))

    def at_once(
        self,
        delta: Inserted | Settled,
        under: tuple[str, int] | None,
        pause: Callable[[], object] | None = None,
        *,
        synced: bool = True,
    ) -> int | None:
        if not self._machine.knows_at_once:
            return None
        with self.write(pause) as transaction:
            if under is not None:
                row = transaction.get(under[0])
                if row is None or (row.task, row.version) != (TaskState.ACQUIRED, under[1]):
                    return None
            if isinstance(delta, Inserted):
                base, generation = split_id(delta.promise.id)
                if generation > 1 or transaction.latest(base) is not None or base in self._machine.state.fences:
                    return None
            transaction.apply([delta])
            return transaction.invalidation

    def put_file(self, chunks: Iterable[bytes]) -> StoredFile:
        self._look()
        self.refuse_when_full()
        return self._rows.put_file(chunks)

    def is_alive(self, owner: str) -> bool:
        return self._machine.living.get(owner) == self.home

    def is_stopped(self, owner: str) -> bool:
        return self.is_alive(owner) and owner in self._machine.stopped

    def let_go(self, id: str, version: int) -> None:
        self._look()
        self._machine.let_go.add((self.owner, id, version))

    def has_let_go(self, owner: str, id: str, version: int) -> bool:
        return (owner, id, version) in self._machine.let_go

    def describe(self, owner: str) -> OwnerInfo:
        home = self._machine.homes.get(owner, "")
        host = HOST if home == self.home else home
        return OwnerInfo(owner, len(owner), host, self._opened_at, self.is_alive(owner))

    def close(self) -> None:
        self._machine.kill(self.owner)

    def refuse_when_full(self) -> None:
        if self._machine.is_full:
            raise UnwritableStoreError("the store cannot be used: the disk is full. Free some space.")

    def _look(self) -> None:
        if self.owner not in self._machine.living:
            raise StoreError("this process has died")


class _Writing:
    """One write transaction of one process, and what may happen to it."""

    def __init__(self, seat: Seat, pause: Callable[[], object] | None, inner: Any) -> None:
        self._seat = seat
        self._machine = seat._machine
        self._pause = pause
        self._inner = inner

    def __enter__(self) -> Transaction:
        self._seat._look()
        self._machine.before_write(self._seat.owner)
        if self._seat.owner not in self._machine.living:
            raise Killed
        if self._machine.crash.get(self._seat.owner) == "busy":
            del self._machine.crash[self._seat.owner]
            raise StoreError("the store cannot be used: another process has kept it locked for too long.")
        if self._pause is not None and self._machine.crash.get(self._seat.owner) == "wait":
            del self._machine.crash[self._seat.owner]
            raise KeyboardInterrupt
        return self._inner.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        machine, owner = self._machine, self._seat.owner
        where = machine.crash.get(owner)
        if kind is None and self._inner._is_changed:
            try:
                self._seat.refuse_when_full()
            except UnwritableStoreError as full:
                self._inner.__exit__(type(full), full, None)
                raise
            if where == "before":
                machine.kill(owner)
                self._inner.__exit__(Killed, Killed(), None)
                raise Killed
        before = machine.state
        self._inner.__exit__(kind, error, trace)
        if machine.state is not before:
            machine.observe(before, machine.state, owner)
            if where == "after":
                machine.kill(owner)
                raise Killed
