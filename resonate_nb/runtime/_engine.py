"""The engine: the one door to a store. Commands go in as sequences and are judged by the law in one transaction."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from glob import escape
from typing import TYPE_CHECKING
from weakref import WeakSet

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.codec import Signer, load_key
from resonate_nb.protocol import (
    NEVER,
    Command,
    CreatePromise,
    FenceTask,
    Inserted,
    Promise,
    Reply,
    Settled,
    State,
    View,
    apply,
    join_id,
    project,
    split_id,
)
from resonate_nb.store import Attempt, OwnerInfo, Query, Reader, Store, Transaction

from ._feed import Feed
from ._held import Hold, standing
from ._hits import HitCounts
from ._memo import Memo
from ._packages import Ledger
from ._say import say, warn
from ._tasks import Also, Tasks
from ._timers import Timers
from ._tries import tries_of

if TYPE_CHECKING:
    from resonate_nb.store import DigestMemory


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


_MOST_PARTS = 10_000
_COMPARING_SECONDS = 0.25
_MARKS = "marks:"
"""The key under which notes about the whole store lie; no promise id of ours has this form."""


class Guest:
    """A call, as the engine counts it: the store stays open until it has left.

    It leaves in a ``finally`` that begins with ``guest.among.discard(guest)``, a call of C before which nothing can be
    raised. A method of ours could be interrupted at its first line, and the call would count for ever.
    """

    __slots__ = ("_host", "among")

    def __init__(self) -> None:
        self._host: Engine | None = None
        self.among: set[Guest] = set()
        """Those who are where it is."""

    def enters(self, host: Engine) -> bool:
        """Whether the engine stays open for it; it may be closed already."""
        self._host, self.among = host, host.guests
        host.guests.add(self)
        return not host.is_closing

    def left(self) -> None:
        """The engine is closed, if that waited for this guest."""
        if self._host is not None:
            self._host.close_if_idle()


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
        reopen: Callable[[Hold | None], Store] | None = None,
    ) -> None:
        """`reopen` opens the store for writing, where `store` could so far only be opened for reading: it is called
        before each write until it no longer raises UnwritableStoreError, with what holds interrupts back if they
        are to be heard meanwhile."""
        self.store = store
        self._reopen = reopen
        self._reopening = threading.Lock()
        self._former: list[Store] = []
        """Those that were read before; somebody may still be reading there."""
        self.clock = clock or SystemClock()
        self.feed = Feed(store)
        self.memo = Memo()
        self.timers = Timers(self)
        self.tasks = Tasks(self)
        self._signer = signer
        self._digests: DigestMemory | None = None
        self._lock = threading.RLock()
        self._told: set[tuple[str, str]] = set()
        """Who was warned that the store cannot be written to, since it last could."""
        self.guests: set[Guest] = set()
        """Calls of this process that go through this engine at this moment."""
        self.is_closing = False
        """It is closed as soon as nobody is in it any more."""
        self._marked: tuple[int, frozenset[str]] = (-1, frozenset())
        self._known_code: set[str] = set()
        self.known_parts: set[str] = set()
        """Digests of data whose summaries are in the store."""
        self._compared: dict[str, float] = {}
        """Name of a function -> when its large arguments were last compared with earlier ones, monotonic seconds."""
        self.packages = Ledger(self.clock)
        _engines.add(self)
        self.hits = HitCounts()
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

    @property
    def digests(self) -> DigestMemory | None:
        """What is remembered of files beside the store; None where nothing can be."""
        if self._digests is None and self.store.path is not None and not self.store.is_read_only:
            from resonate_nb.store import DigestMemory  # few calls depend on large files, and it takes diskcache

            self._digests = DigestMemory(self.store.path)
        return self._digests

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
            self._open_again(interrupts)
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

    def note_parts(self, digests: Collection[str]) -> None:
        """The summaries of these pieces of data are committed."""
        if len(self.known_parts) + len(digests) > _MOST_PARTS:
            self.known_parts.clear()
        self.known_parts.update(digests)

    def may_compare(self, name: str) -> bool:
        """Whether it is time to look again how large arguments of this function differ from earlier ones."""
        now = self.clock.monotonic()
        if now - self._compared.get(name, -math.inf) < _COMPARING_SECONDS:
            return False
        self._compared[name] = now
        return True

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

    def describe(self, promise: Promise) -> OwnerInfo | None:
        return None if promise.owner is None else self.store.describe(promise.owner)

    def warn_unwritable(self, about: str, text: str) -> None:
        """Warn once about each thing until the store can be written to again, however many calls meet it."""
        if (key := (about, text)) not in self._told:
            self._told.add(key)
            warn(text)

    def _open_again(self, interrupts: Hold | None) -> None:
        """The store is open for writing. Raises UnwritableStoreError while it cannot be."""
        with self._reopening:
            if self._reopen is None:
                return
            found = self._reopen(interrupts)
            if found.is_read_only:
                found.close()
                return
            self._former.append(self.store)
            self.store = found
            self._reopen = None
        self.feed.follow(found)
        self.timers.begin()
        say(f"the store {str(found.path)!r} can be written to again")

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every commit of any process; returns what ends it."""
        return self.feed.watch(callback)

    def renew_in_child(self) -> None:
        """After a fork: the calls in progress, the threads and the locks are the parent's (see `Holding.is_ours`)."""
        self._lock = threading.RLock()
        self._reopening = threading.Lock()
        self.tasks.renew_in_child()
        self.memo.renew_in_child()
        self.timers.renew_in_child()
        self.feed.renew_in_child()
        if self._digests is not None:
            self._digests.renew_in_child()

    def close(self) -> None:
        """End the feed and close the store, once no call goes through it any more; idempotent.

        A call in progress has its promise in this store, and settles it there.
        """
        self.is_closing = True
        self.close_if_idle()

    def close_if_idle(self) -> None:
        """It is closed, if it is to be, and nobody is in it any more."""
        if self.is_closing and not self.guests:
            with self._lock:
                self._shut()

    def _shut(self) -> None:
        self.tasks.close()
        self.tasks.pay()
        self.timers.close()
        self.feed.close()
        if self._digests is not None:
            self._digests.close()
        for store in (*self._former, self.store):
            store.close()


_engines: WeakSet[Engine] = WeakSet()


def _renew_in_child() -> None:
    for engine in _engines:
        engine.renew_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)


def next_id(promise: Promise) -> str:
    """The id of the generation after this promise's."""
    base, generation = split_id(promise.id)
    return join_id(base, generation + 1)


def _load_marks(reader: Reader) -> list[str]:
    raw = reader.note(_MARKS, "rerun")
    return [] if raw is None else list(json.loads(raw))
