"""The engine: the one door to a store. Commands go in as sequences and are judged by the law in one transaction."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from glob import escape
from types import TracebackType
from weakref import WeakSet

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.codec import Signer, load_key
from resonate_nb.errors import StoreError
from resonate_nb.protocol import (
    NEVER,
    Command,
    CreatePromise,
    FenceTask,
    HeartbeatTask,
    Inserted,
    Promise,
    ReleaseTask,
    Reply,
    Settled,
    SettlePromise,
    State,
    TaskState,
    View,
    apply,
    join_id,
    project,
    split_id,
)
from resonate_nb.store import Attempt, OwnerInfo, Query, Reader, Store, Transaction

from ._feed import Feed
from ._held import Hold, standing
from ._leases import Leases
from ._memo import Hits, Memo
from ._say import say, warn
from ._timers import Timers
from ._tries import tries_of

Also = Callable[[Transaction, list[Reply]], None]
"""Writes attempts and notes in the transaction of the commands, given the replies."""
LEASE_MS = 60_000
HEARTBEAT_SECONDS = 15.0


class Holding:
    """One call of this process at one promise, from before the claim's commit until after the settlement's.

    While it is entered, interrupts are held back (see `interrupts`), and from `Engine.hold` on the lease is extended.
    Left with an error it gives back what it had claimed.
    """

    __slots__ = ("_engine", "id", "interrupts", "pid", "promise", "version")

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self.id = id
        self.interrupts = Hold()
        """Holds them back, except while the claim is submitted and while the body runs."""
        self.version = 0
        """Of the task that it claimed; 0 until the claim is known to be committed."""
        self.promise: Promise | None = None
        """As it was when it was claimed; None until then."""
        self.pid = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a child that was forked by the body: to give back or to settle is its parent's business."""
        return self.pid == os.getpid()

    def __enter__(self) -> Holding:
        self.interrupts.__enter__()
        self._engine._begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._engine._end(self, has_failed=kind is not None)
        finally:
            self.interrupts.__exit__()


class _Known:
    """All that a command is judged on where it is carried out at once: this promise as it is known, and no other."""

    __slots__ = ("_mine",)

    def __init__(self, mine: Promise | None) -> None:
        self._mine = mine

    def get(self, id: str) -> Promise | None:
        mine = self._mine
        return mine if mine is not None and mine.id == id else None

    def fence(self, id: str) -> int:
        return 0


class _Knowing:
    """A view of a transaction in which one promise, or its absence, is known, and is not looked up once more."""

    __slots__ = ("_id", "_known", "_view")

    def __init__(self, view: View, id: str, known: Promise | None) -> None:
        self._view = view
        self._id = id
        self._known = known

    def get(self, id: str) -> Promise | None:
        return self._known if id == self._id else self._view.get(id)

    def fence(self, id: str) -> int:
        return self._view.fence(id)


_MARKS = "marks:"
"""The key under which notes about the whole store lie; no promise id of ours has this form."""


class Engine:
    """A store under the law. Everything that changes a promise goes through `submit`.

    Under a clock that is not the machine's nothing beats or ticks by itself: whoever moves the clock calls `beat`, and
    `tick` of the timers.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock | None = None,
        signer: Signer | None = None,
        *,
        reopen: Callable[[], Store] | None = None,
    ) -> None:
        """`reopen` opens the store for writing, where `store` could so far only be opened for reading: it is called
        before each write until it no longer raises UnwritableStoreError."""
        self.store = store
        self._reopen = reopen
        self._reopening = threading.Lock()
        self._former: list[Store] = []
        """Those that were read before; somebody may still be reading there."""
        self.clock = clock or SystemClock()
        self.feed = Feed(store)
        self.memo = Memo()
        self.timers = Timers(self)
        self._leases = Leases(self.clock)
        self._signer = signer
        self._lock = threading.Lock()
        self._held: dict[str, list[Holding]] = {}
        """By promise, from before the claim's commit until after the settlement's. Calls on several threads may try to
        claim one promise at the same time."""
        self._owed: list[tuple[ReleaseTask | SettlePromise, Also | None]] = []
        """What became of tasks of ours at which nobody is any more, and which the store would not take yet."""
        self._told: set[tuple[str, str]] = set()
        """Who was warned that the store cannot be written to, since it last could."""
        self._has_thread = isinstance(self.clock, SystemClock)
        self._heart: threading.Thread | None = None
        self._beat = threading.Condition(self._lock)
        self._calls = 0
        """Calls of this process that go through this engine at this moment."""
        self._is_closing = False
        self._marked: tuple[int, frozenset[str]] = (-1, frozenset())
        self._known_code: set[str] = set()
        _engines.add(self)
        self.hits: dict[str, Hits] = {}
        """By promise id."""
        self.cold: set[str] = set()
        """Names of functions whose last call found nothing stored, so that the next one may well find nothing."""
        path = store.path
        self.root = None if path is None else str(path.parent)
        """The folder that holds the store: files inside it are recorded relative to it, so that both can move."""

    @property
    def signer(self) -> Signer:
        """Made at first need: a store that only holds data that nobody unpickles needs no key."""
        if self._signer is None:
            self._signer = Signer(load_key())
        return self._signer

    def need_key(self) -> None:
        """There is a key to sign with. Raises UnwritableStoreError where there is none: nothing can be stored then."""
        _ = self.signer

    def submit(
        self,
        commands: Sequence[Command],
        *,
        also: Also | None = None,
        invalidate: bool = False,
        interrupts: Hold | None = None,
        unless: str | None = None,
        mine: Promise | None = None,
        synced: bool = True,
    ) -> list[Reply]:
        """Judge and carry out commands, in order, in one write transaction; committed when this returns.

        Args:
            commands: each sees what those before it did.
            also: writes attempts and notes in the same transaction, given the replies.
            invalidate: memory layers of all processes must look again.
            interrupts: what holds them back around this; they are heard while the write lock is awaited. Not given
                inside of a block that holds them back: not before its end. Not given elsewhere: as if given.
            unless: nothing is done, and there are no replies, if there is any generation of this id.
            mine: a promise as it was when this process acquired it, which spares looking it up whole.
            synced: False for what a power cut may take: a claim, a heartbeat (`Store.write`).
        """
        if interrupts is None and standing() is None:
            # In the middle of a commit, or just before its end, one would leave the store locked for every thread and
            # process for as long as somebody keeps its traceback, and a notebook keeps the last one.
            with Hold() as hold:
                return self.submit(
                    commands,
                    also=also,
                    invalidate=invalidate,
                    interrupts=hold,
                    unless=unless,
                    mine=mine,
                    synced=synced,
                )
        if self._reopen is not None:
            self._open_again()
        now = self.clock.now_ms()
        replies: list[Reply] = []
        hear = None if interrupts is None else interrupts.hear
        with self.store.write(hear, synced=synced) as transaction:
            view: View = transaction
            if unless is not None:
                if transaction.latest(unless) is not None:
                    return []
                view = _Knowing(transaction, unless, None)
            elif mine is not None and transaction.is_acquired(mine.id, mine.version):
                view = _Knowing(transaction, mine.id, mine)
            for command in commands:
                decision = apply(view, command, now)
                if decision.deltas:
                    transaction.apply(decision.deltas)
                replies.append(decision.reply)
            if also is not None:
                also(transaction, replies)
            if invalidate:
                transaction.invalidate()
        self._committed(commands)
        return replies

    def submit_at_once(
        self,
        command: Command,
        mine: Promise | None,
        *,
        interrupts: Hold | None = None,
        synced: bool = True,
    ) -> tuple[Reply, int] | None:
        """`submit` for a command beside which nothing is written, in one statement where `submit` takes six.

        It is judged on what this process knows: that its task is acquired at the version of `mine`, and that what the
        command makes was never there. Gives the reply, and the invalidation counter as of it; None, and nothing is
        done, where the store says otherwise: then `submit` has to look.
        """
        if interrupts is None and standing() is None:
            with Hold() as hold:  # as `submit`
                return self.submit_at_once(command, mine, interrupts=hold, synced=synced)
        if self._reopen is not None:
            return None
        decision = apply(_Known(mine), command, self.clock.now_ms())
        if len(decision.deltas) != 1:
            return None
        (delta,) = decision.deltas
        assert isinstance(delta, Inserted | Settled)
        under = None if mine is None else (mine.id, mine.version)
        hear = None if interrupts is None else interrupts.hear
        counter = self.store.at_once(delta, under, hear, synced=synced)
        if counter is None:
            return None
        self._committed((command,))
        return decision.reply, counter

    def _committed(self, commands: Sequence[Command]) -> None:
        """Whoever waits hears of it."""
        if self._told:
            self._told.clear()
        self.feed.publish()
        for command in commands:
            made = command.action if type(command) is FenceTask else command
            if type(made) is CreatePromise and made.timeout_at < NEVER:
                self.timers.arm(made.timeout_at)

    def mark_rerun(self, id: str) -> None:
        """The next use of this promise runs the next generation; the mark goes with that generation's birth."""

        def also(transaction: Transaction, _: list[Reply]) -> None:
            marks = set(_load_marks(transaction))
            marks.add(id)
            transaction.put_note(_MARKS, "rerun", json.dumps(sorted(marks)).encode())

        self.submit([], also=also, invalidate=True)

    @staticmethod
    def clear_mark(transaction: Transaction, id: str) -> None:
        """Take the mark away, in the transaction that made the mark come true. Nothing if there is none."""
        marks = set(_load_marks(transaction))
        if id in marks:
            marks.remove(id)
            transaction.put_note(_MARKS, "rerun", json.dumps(sorted(marks)).encode() if marks else None)

    def is_new_code(self, code: str) -> bool:
        """Whether this process has not yet stored the sources behind this fingerprint."""
        return code not in self._known_code

    def note_code(self, code: str) -> None:
        """The sources behind this fingerprint are committed."""
        self._known_code.add(code)

    def peek(self, ids: Sequence[str]) -> list[Promise | None]:
        """The promises of exactly these ids, judged at this instant; one read transaction, no lock."""
        now = self.clock.now_ms()
        with self.store.read() as reader:
            return [None if (found := reader.get(id)) is None else project(found, now) for id in ids]

    def latest(self, base: str) -> tuple[Promise | None, int]:
        """The highest generation of an id without generation, and the invalidation counter it was read under."""
        with self.store.read() as reader:
            found = reader.latest(base)
            counter = reader.invalidation
            if found is not None and found.state is State.RESOLVED:
                name = found.param.headers.get("name")
                if name is not None and self.memo.wants_ahead(name, counter):
                    self.memo.read_ahead(name, reader)
        return (None if found is None else project(found, self.clock.now_ms())), counter

    def find(self, id: str) -> Promise | None:
        """The promise of exactly this id; else, for a bare one, its newest version's latest generation (DESIGN 3)."""
        now = self.clock.now_ms()
        with self.store.read() as reader:
            found = reader.get(id) or reader.latest(id)
            if found is None and "@" not in id:
                query = Query(glob=f"{escape(id)}@*")
                for limit in (1, None):  # what came last may be one of its children
                    listed = reader.ids(replace(query, limit=limit))
                    newest = next((each for each in listed if ":" not in each[len(id) :]), None)
                    if newest is not None:
                        break
                # Promises of one millisecond are listed by id, so the latest generation is asked for by name.
                found = None if newest is None else reader.latest(split_id(newest)[0])
        return None if found is None else project(found, now)

    def newest(self, name: str) -> Promise | None:
        """The promise of this name that came last."""
        with self.store.read() as reader:
            return reader.newest(name)

    def search(self, query: Query) -> list[Promise]:
        now = self.clock.now_ms()
        with self.store.read() as reader:
            return [project(promise, now) for promise in reader.search(query)]

    def note(self, promise: str, kind: str) -> bytes | None:
        with self.store.read() as reader:
            return reader.note(promise, kind)

    def attempts(self, promise: str) -> tuple[Attempt, ...]:
        """The tries of a promise so far, in order; none where there is no such promise."""
        with self.store.read() as reader:
            found = reader.get(promise)
            return () if found is None else tries_of(found, reader.attempts(promise))

    @staticmethod
    def marks(reader: Reader) -> frozenset[str]:
        """The promises that are to be run again at their next use."""
        return frozenset(_load_marks(reader))

    def is_marked(self, id: str, counter: int) -> bool:
        """Whether the promise is to be run again at its next use, as of the invalidation counter given."""
        known, marks = self._marked
        if known != counter:
            with self.store.read() as reader:
                self._marked = (reader.invalidation, self.marks(reader))
            marks = self._marked[1]
        return id in marks

    def is_owned(self, promise: Promise) -> bool:
        """Whether a living process runs this pending promise.

        On one machine the owner's lock decides, and a lapsed lease says nothing (a long C call starves a heartbeat),
        unless the owner is stopped: then it has a whole lease to go on; or it has let go, and could not write that.
        On another machine only the lease can decide.
        """
        if promise.task is not TaskState.ACQUIRED or promise.owner is None:
            return False
        if promise.owner == self.store.owner:
            with self._lock:
                return promise.id in self._held
        if self.store.is_alive(promise.owner):
            if self.store.has_let_go(promise.owner, promise.id, promise.version):
                return False
            return not self._leases.is_over(promise, is_stopped=self.store.is_stopped(promise.owner))
        is_leased = promise.lease_until is not None and self.clock.now_ms() < promise.lease_until
        info = self.store.describe(promise.owner)
        return is_leased and info.host not in ("", _host_name())

    def describe(self, promise: Promise) -> OwnerInfo | None:
        return None if promise.owner is None else self.store.describe(promise.owner)

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
            found = self.peek([id])[0]
        except StoreError:
            return 0
        if found is None or found.task is not TaskState.ACQUIRED or found.owner != self.store.owner:
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
            self.submit([command], also=also)
        except StoreError as error:
            self.warn_unwritable(
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
                self.store.let_go(command.id, command.version)

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
            self.submit([owed[0]], also=owed[1])
            with self._lock:
                if owed in self._owed:
                    self._owed.remove(owed)

    def warn_unwritable(self, about: str, text: str) -> None:
        """Warn once about each thing until the store can be written to again, however many calls meet it."""
        if (key := (about, text)) not in self._told:
            self._told.add(key)
            warn(text)

    def _open_again(self) -> None:
        """The store is open for writing. Raises UnwritableStoreError while it cannot be."""
        with self._reopening:
            if self._reopen is None:
                return
            found = self._reopen()
            if found.is_read_only:
                found.close()
                return
            self._former.append(self.store)
            self.store = found
            self._reopen = None
        self.feed.follow(found)
        self.timers.begin()
        say(f"the store {str(found.path)!r} can be written to again")

    def _start_heart(self) -> None:
        # Called with the lock held.
        if self._has_thread and (self._heart is None or not self._heart.is_alive()):
            self._heart = threading.Thread(target=self._heartbeats, name="resonate_nb heartbeat", daemon=True)
            self._heart.start()

    def _heartbeats(self) -> None:
        while True:
            with self._lock:
                if not self._is_closing or self._calls:
                    self._beat.wait(HEARTBEAT_SECONDS)
                held = any(each.version for holdings in self._held.values() for each in holdings)
                if (self._is_closing and not self._calls) or not (held or self._owed):
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
        self.submit([HeartbeatTask(each.id, each.version) for each in held], synced=False)
        self._pay()

    def hits_of(self, promise: Promise) -> Hits:
        """Where the hits of a promise are counted: in memory only, and may be lost."""
        headers = promise.param.headers
        return self.hits_named(promise.id, None if headers.get("kind") == "cell" else headers.get("name", promise.id))

    def hits_named(self, id: str, name: str | None) -> Hits:
        """The same, of a function of this name; None for a cell."""
        return self.hits.get(id) or self.hits.setdefault(id, Hits(name))

    def take_hits(self) -> dict[str, tuple[int, int]]:
        """Hits of functions since this was last asked: name -> how many, and the milliseconds they saved."""
        taken: dict[str, tuple[int, int]] = {}
        for hits in list(self.hits.values()):
            fresh, saved_ms = hits.count - hits.taken, hits.saved_ms - hits.taken_ms
            if hits.name is None or not fresh:
                continue
            hits.taken, hits.taken_ms = hits.count, hits.saved_ms
            count, total = taken.get(hits.name, (0, 0))
            taken[hits.name] = (count + fresh, total + saved_ms)
        return taken

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every commit of any process; returns what ends it."""
        return self.feed.watch(callback)

    def renew_in_child(self) -> None:
        """After a fork: the calls in progress, the threads and the locks are the parent's (see `Holding.is_ours`)."""
        self._lock = threading.Lock()
        self._beat = threading.Condition(self._lock)
        self._reopening = threading.Lock()
        self._held = {}
        self._owed = []
        self._heart = None
        self.memo.renew_in_child()
        self.timers.renew_in_child()
        self._leases.renew_in_child()
        self.feed.renew_in_child()

    def close(self) -> None:
        """End the feed and close the store, once no call goes through it any more; idempotent.

        A call in progress has its promise in this store, and settles it there.
        """
        with self._lock:
            self._is_closing = True
            is_last = not self._calls
        if is_last:
            self._shut()

    def enter(self) -> bool:
        """A call begins: the store stays open until it leaves. False when it may be closed already."""
        with self._lock:
            self._calls += 1
            return not self._is_closing

    def leave(self) -> None:
        """A call that has entered has ended."""
        with self._lock:
            self._calls -= 1
            is_last = self._is_closing and not self._calls
        if is_last:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            self._beat.notify_all()
        self.pay()
        self.timers.close()
        self.feed.close()
        for store in (*self._former, self.store):
            store.close()


_engines: WeakSet[Engine] = WeakSet()


def _renew_in_child() -> None:
    for engine in _engines:
        engine.renew_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)


def _host_name() -> str:
    import socket  # not on the way to a first call

    return socket.gethostname()


def next_id(promise: Promise) -> str:
    """The id of the generation after this promise's."""
    base, generation = split_id(promise.id)
    return join_id(base, generation + 1)


def _load_marks(reader: Reader) -> list[str]:
    raw = reader.note(_MARKS, "rerun")
    return [] if raw is None else list(json.loads(raw))
