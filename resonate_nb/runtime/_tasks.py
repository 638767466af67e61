"""The tasks this process holds: their leases are kept alive, and they are given back, settled, or owed.

A task whose owner is gone is free at once on one machine, where a lock says who lives; elsewhere its lease decides.
What became of a task, and the store would not take (a full disk), is owed: it is written down as soon as it can be.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.errors import StoreError
from resonate_nb.protocol import Command, HeartbeatTask, Promise, ReleaseTask, Reply, SettlePromise, TaskState
from resonate_nb.store import Store, Transaction

from ._held import Hold
from ._leases import Leases
from ._threads import started

Also = Callable[[Transaction, list[Reply]], None]
"""Writes attempts and notes in the transaction of the commands, given the replies."""
LEASE_MS = 60_000
HEARTBEAT_SECONDS = 15.0


class Holding:
    """One call of this process at one promise, from before the claim's commit until after the settlement's.

    While it is entered, interrupts are held back (see `interrupts`), and from `Tasks.hold` on the lease is extended.
    Left with an error it gives back what it had claimed.
    """

    __slots__ = ("_tasks", "id", "interrupts", "pid", "promise", "thread", "version")

    def __init__(self, tasks: Tasks, id: str) -> None:
        self._tasks = tasks
        self.id = id
        self.interrupts = Hold()
        """Holds them back, except while the claim is submitted and while the body runs."""
        self.version = 0
        """Of the task that it claimed; 0 until the claim is known to be committed."""
        self.promise: Promise | None = None
        """As it was when it was claimed; None until then."""
        self.pid = os.getpid()
        self.thread = 0
        """The one that the call was made in; 0 where the task is only kept."""

    @property
    def is_ours(self) -> bool:
        """False in a child that was forked by the body: to give back or to settle is its parent's business."""
        return self.pid == os.getpid()

    def __enter__(self) -> Holding:
        self.interrupts.__enter__()
        self.thread = threading.get_ident()
        self._tasks._begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._tasks._end(self, has_failed=kind is not None)
        finally:
            self.interrupts.__exit__()


class Door(Protocol):
    """What the tasks need of an engine."""

    store: Store
    clock: Clock

    def submit(self, commands: Sequence[Command], *, also: Also | None = None, synced: bool = True) -> list[Reply]: ...

    def peek(self, ids: Sequence[str]) -> list[Promise | None]: ...

    def warn_unwritable(self, about: str, text: str) -> None: ...


class Tasks:
    """The tasks of one store that this process holds or owes.

    Under a clock that is not the machine's nothing beats by itself: whoever moves the clock calls `beat`.
    """

    def __init__(self, engine: Door) -> None:
        self._engine = engine
        self._has_thread = isinstance(engine.clock, SystemClock)
        self._leases = Leases(engine.clock)
        self._lock = threading.RLock()
        self._held: dict[str, list[Holding]] = {}
        """By promise, from before the claim's commit until after the settlement's. Calls on several threads may try to
        claim one promise at the same time."""
        self._owed: list[tuple[ReleaseTask | SettlePromise, Also | None]] = []
        """What became of tasks of ours at which nobody is any more, and which the store would not take yet."""
        self._heart: threading.Thread | None = None
        self._beat = threading.Condition(self._lock)
        self._is_closed = False

    def is_owned(self, promise: Promise) -> bool:
        """Whether a living process runs this pending promise.

        On one machine the owner's lock decides, and a lapsed lease says nothing (a long C call starves a heartbeat),
        unless the owner is stopped: then it has a whole lease to go on; or it has let go, and could not write that.
        On another machine only the lease can decide.
        """
        if promise.task is not TaskState.ACQUIRED or promise.owner is None:
            return False
        if promise.owner == self._engine.store.owner:
            with self._lock:
                return promise.id in self._held
        if self._engine.store.is_alive(promise.owner):
            if self._engine.store.has_let_go(promise.owner, promise.id, promise.version):
                return False
            return not self._leases.is_over(promise, is_stopped=self._engine.store.is_stopped(promise.owner))
        is_leased = promise.lease_until is not None and self._engine.clock.now_ms() < promise.lease_until
        info = self._engine.store.describe(promise.owner)
        return is_leased and info.host not in ("", _host_name())

    def holding(self, id: str) -> Holding:
        """While this process claims, runs and settles promise `id`."""
        return Holding(self, id)

    def _begin(self, holding: Holding) -> None:
        with self._lock:
            self._held.setdefault(holding.id, []).append(holding)

    def _end(self, holding: Holding, *, has_failed: bool) -> None:
        self._remove(holding)
        # An interrupt while the claim was submitted, or a fault of ours: without this the task would stay ours with
        # nobody at it. Where it was given back or settled already, this is refused.
        if has_failed and holding.is_ours and (version := holding.version or self._unnoticed(holding.id)):
            with self._lock:
                is_kept = any(other.version == version for other in self._held.get(holding.id, ()))
            if not is_kept:
                self.release(ReleaseTask(holding.id, version))

    def keep(self, promise: Promise) -> Callable[[], None]:
        """The task stays this process's although the call that claimed it ends; until what is returned is called."""
        holding = Holding(self, promise.id)
        holding.version = promise.version
        self._begin(holding)
        return lambda: self._remove(holding)

    def held_here(self) -> list[str]:
        """The promises that calls made in this thread are at, whether or not their bodies run just now."""
        here = threading.get_ident()
        with self._lock:
            return [id for id, holdings in self._held.items() if any(each.thread == here for each in holdings)]

    def _remove(self, holding: Holding) -> None:
        with self._lock:
            others = self._held.get(holding.id, [])
            if holding in others:
                others.remove(holding)
            if not others:
                self._held.pop(holding.id, None)

    def _unnoticed(self, id: str) -> int:
        """The version of a claim of ours that was committed when an interrupt came before anybody took note; else 0."""
        try:
            found = self._engine.peek([id])[0]
        except StoreError:
            return 0
        if found is None or found.task is not TaskState.ACQUIRED or found.owner != self._engine.store.owner:
            return 0
        with self._lock:
            is_held = any(other.version in (0, found.version) for other in self._held.get(id, ()))
        return 0 if is_held else found.version

    def hold(self, holding: Holding, promise: Promise) -> None:
        """The claim is ours: keep its lease alive."""
        with self._lock:
            holding.version, holding.promise = promise.version, promise
            self._start_heart()

    def release(self, command: ReleaseTask, also: Also | None = None) -> None:
        """The task is free, at once or, where the store fails, as soon as it does not. Raises nothing: what is on its
        way out (an interrupt, a cancellation) matters more."""
        try:
            self._engine.submit([command], also=also)
        except StoreError as error:
            self._engine.warn_unwritable(
                command.id, f"promise {command.id!r} was stopped, which could not be written down yet: {error}"
            )
            self.owe(command, also)

    def owe(self, command: ReleaseTask | SettlePromise, also: Also | None = None) -> None:
        """The store does not take it: it is tried again with each beat, and before each call that looks there. Other
        processes need not wait for that."""
        with self._lock:
            if any((owed.id, owed.version) == (command.id, command.version) for owed, _ in self._owed):
                return
            self._owed.append((command, also))
            self._start_heart()
        if command.version is not None:
            with suppress(StoreError):  # then they wait
                self._engine.store.let_go(command.id, command.version)

    def owes(self, id: str) -> bool:
        """Whether what became of this promise could not be written down yet."""
        return any(command.id == id for command, _ in self._owed)

    def pay(self) -> None:
        """What is owed is written down if it can be by now."""
        if self._owed:
            with suppress(StoreError):  # it stays owed, and was told
                self._pay()

    def _pay(self) -> None:
        while True:
            with self._lock:
                if not self._owed:
                    return
                owed = self._owed[0]
            # A refusal is an answer: somebody else has taken the task meanwhile.
            self._engine.submit([owed[0]], also=owed[1])
            with self._lock:
                if owed in self._owed:
                    self._owed.remove(owed)

    def _start_heart(self) -> None:
        # Called with the lock held.
        if self._has_thread and (self._heart is None or not self._heart.is_alive()):
            self._heart = started(self._heartbeats, "heartbeat", otherwise="leases are not extended")

    def _heartbeats(self) -> None:
        while True:
            with self._lock:
                if not self._is_closed:
                    self._beat.wait(HEARTBEAT_SECONDS)
                held = any(each.version for holdings in self._held.values() for each in holdings)
                if self._is_closed or not (held or self._owed):
                    self._heart = None
                    return
            # A full disk, say: the next beat tries again, and this process's lock says meanwhile that it lives.
            with suppress(StoreError):
                self.beat()

    def beat(self) -> None:
        """The leases of what this process holds are extended, and what it owes is given back.

        Raises:
            StoreError: the store could not be written; a later beat does the same.
        """
        with self._lock:
            held = [each for holdings in self._held.values() for each in holdings if each.version]
        # Refusals need no answer here: a lost claim is told to its holder when it settles.
        self._engine.submit([HeartbeatTask(each.id, each.version) for each in held], synced=False)
        self._pay()

    def close(self) -> None:
        """The heart stops: no call goes through the engine any more."""
        with self._lock:
            self._is_closed = True
            self._beat.notify_all()

    def renew_in_child(self) -> None:
        """After a fork: the calls in progress, the threads and the locks are the parent's (see `Holding.is_ours`)."""
        self._lock = threading.RLock()
        self._beat = threading.Condition(self._lock)
        self._held = {}
        self._owed = []
        self._heart = None
        self._leases.renew_in_child()


def _host_name() -> str:
    import socket  # not on the way to a first call

    return socket.gethostname()
