"""A store that ends with its process, for tests and for promises that nobody wants to keep."""

from __future__ import annotations

import itertools
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from types import TracebackType
from typing import assert_never

from resonate_nb.clock import Clock
from resonate_nb.errors import NotStoredError, StoreError
from resonate_nb.protocol import (
    NEVER,
    Deleted,
    Delta,
    Inserted,
    Leased,
    Promise,
    Settled,
    State,
    TaskState,
    join_id,
    split_id,
)
from resonate_nb.records import dataclass

from . import _query
from ._owners import host_name, new_owner, pid_of
from ._port import Ahead, Attempt, Extent, Order, OwnerInfo, Problem, Query, StoredFile
from ._sound import impossible
from ._stand_in import DAMAGED, stand_in

_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _State:
    """Everything that one snapshot sees. The maps of a published state are never changed, nor is what is in them: a
    transaction works on copies of the maps and publishes them whole."""

    promises: dict[str, Promise] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    """Base to the highest generation there ever was."""
    attempts: dict[str, Mapping[int, Attempt]] = field(default_factory=dict)
    notes: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    fences: dict[str, int] = field(default_factory=dict)
    invalidation: int = 0

    def copy(self) -> _State:
        return _State(
            dict(self.promises),
            dict(self.highest),
            dict(self.attempts),
            dict(self.notes),
            dict(self.fences),
            self.invalidation,
        )


class MemoryStore:
    """Rows and files in memory; the port says what holds. A forked child goes on with a copy of its own."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._opened_at = clock.now_ms()
        self._state = _State()
        self._files: dict[str, bytes] = {}
        self._names = itertools.count(1)
        self._change_word = 0
        self._owner = new_owner()
        self._lock = threading.RLock()
        self._is_writing = False
        self._is_closed = False
        _OPEN.add(self)

    @property
    def path(self) -> Path | None:
        return None

    @property
    def is_read_only(self) -> bool:
        return False

    @property
    def owner(self) -> str:
        return self._owner

    def read(self) -> MemoryReader:
        return MemoryReader(self)

    def write(self, pause: Callable[[], object] | None = None, *, synced: bool = True) -> MemoryTransaction:
        return MemoryTransaction(self, pause)

    def at_once(self, *_: object, synced: bool = True) -> None:
        return None  # a transaction costs nothing here

    def put_file(self, chunks: Iterable[bytes]) -> StoredFile:
        self._look()
        if isinstance(chunks, (str, bytearray, memoryview)):
            raise TypeError(f"a value file takes bytes or an iterable of bytes, not {type(chunks).__qualname__}")
        taken = []
        for chunk in (chunks,) if isinstance(chunks, bytes) else chunks:
            if not isinstance(chunk, bytes):
                raise TypeError(f"a value file takes chunks of bytes, not {type(chunk).__qualname__}")
            taken.append(chunk)
        data = b"".join(taken)
        name = f"{self._owner}.{next(self._names):024x}"
        self._files[name] = data
        return StoredFile(name, len(data))

    def drop_file(self, name: str) -> None:
        self._look()
        self._files.pop(name, None)

    def read_file(self, name: str, size_bytes: int) -> bytes:
        self._look()
        data = self._files.get(name)
        if data is None or len(data) != size_bytes:
            raise NotStoredError(f"the value file {name!r} is missing or not of {size_bytes} bytes")
        return data

    def change_word(self) -> int:
        self._look()
        return self._change_word

    def invalidation_word(self) -> int:
        self._look()
        return self._state.invalidation

    def is_alive(self, owner: str) -> bool:
        return owner == self._owner and not self._is_closed

    def is_stopped(self, owner: str) -> bool:
        return False  # whoever asks is the owner, and runs

    def let_go(self, id: str, version: int) -> None:
        return  # no other process looks here

    def has_let_go(self, owner: str, id: str, version: int) -> bool:
        return False

    def describe(self, owner: str) -> OwnerInfo:
        is_own = owner == self._owner
        return OwnerInfo(
            owner=owner,
            pid=pid_of(owner),
            host=host_name() if is_own else owner.rsplit("-", 2)[0],
            started_at=self._opened_at if is_own else 0,
            is_alive=self.is_alive(owner),
        )

    def check(self, judge: Callable[[Promise], Problem | None] | None = None) -> list[Problem]:
        self._look()
        problems = []
        for promise in self._state.promises.values():
            wrong = impossible(promise)
            if wrong is not None:
                problems.append(Problem("bad_row", promise.id, wrong))
            for value in (promise.param, promise.value):
                if value.file is not None and value.file not in self._files:
                    problems.append(Problem("missing_file", promise.id, value.file))
            judged = None if wrong is not None or judge is None else judge(promise)
            if judged is not None:
                problems.append(judged)
        return problems

    def repair(self) -> list[Problem]:
        problems = self.check()
        with self.write() as transaction:
            for problem in problems:
                old = transaction._state.promises[problem.subject]
                columns = dict(zip(("base", "generation"), split_id(old.id), strict=True))
                why = DAMAGED if problem.kind == "bad_row" else "its value file is missing"
                transaction._state.promises[old.id] = stand_in({**columns, "created_at": old.created_at}, why)
                transaction.invalidate()
        return [replace(problem, done="counts as not stored") for problem in problems]

    def owed(self, seconds: float) -> Callable[[], None] | None:
        """Nothing of it outlives the process, so nothing is owed to a disk."""
        return None

    def extent(self) -> Extent:
        values = (promise.value for promise in self._state.promises.values())
        return Extent(len(self._files), sum(value.size_bytes for value in values), 0)

    def close(self) -> None:
        self._is_closed = True
        _OPEN.discard(self)

    def _look(self) -> None:
        if self._is_closed:
            raise StoreError("the store in memory is closed. Open another one with rnb.configure(store=...).")

    def _after_fork_in_child(self) -> None:
        self._owner = new_owner()
        self._lock = threading.RLock()
        self._is_writing = False


class _Lookups:
    """Look-ups in one state."""

    __slots__ = ("_state", "_store")

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._state = store._state

    @property
    def invalidation(self) -> int:
        return self._state.invalidation

    def get(self, id: str) -> Promise | None:
        return self._state.promises.get(id)

    def is_acquired(self, id: str, version: int) -> bool:
        found = self.get(id)
        return found is not None and found.task is TaskState.ACQUIRED and found.version == version

    def latest(self, base: str) -> Promise | None:
        for generation in range(self._state.highest.get(base, 0), 0, -1):
            promise = self._state.promises.get(join_id(base, generation))
            if promise is not None:
                return promise
        return None

    def fence(self, id: str) -> int:
        return self._state.fences.get(id, 0)

    def search(self, query: Query, *, bare: bool = False) -> list[Promise]:
        found = list(filter(_query.keeps(query), self._state.promises.values()))
        if query.order is Order.NEWEST:
            found.reverse()  # sorting keeps the order of equal ones, and so does it backwards
        found.sort(key=lambda promise: promise.created_at, reverse=query.order is Order.NEWEST)
        return found[: query.limit]

    def ids(self, query: Query) -> list[str]:
        return [promise.id for promise in self.search(query)]

    def count(self, query: Query) -> int:
        return len(self.search(replace(query, limit=None)))

    def newest(self, name: str) -> Promise | None:
        found = [promise for promise in self._state.promises.values() if promise.param.headers.get("name") == name]
        return found[-1] if found else None

    def recent(self, name: str, limit: int) -> list[Promise]:
        found = [promise for promise in self._state.promises.values() if promise.param.headers.get("name") == name]
        return found[: -limit - 1 : -1]

    def ahead(self, name: str, limit: int, size_bytes: int) -> list[Ahead]:
        found = [promise for promise in self._state.promises.values() if promise.param.headers.get("name") == name]
        return [_ahead(promise, size_bytes) for promise in found[: -limit - 1 : -1]]

    def under(self, prefix: str, limit: int, size_bytes: int) -> list[Ahead]:
        found = (promise for promise in self._state.promises.values() if split_id(promise.id)[0].startswith(prefix))
        return [_ahead(promise, size_bytes) for promise in sorted(found, key=lambda each: split_id(each.id))[:limit]]

    def deadlines(self, limit: int) -> list[tuple[int, str]]:
        pending = (promise for promise in self._state.promises.values() if promise.state is State.PENDING)
        return sorted((promise.timeout_at, promise.id) for promise in pending if promise.timeout_at < NEVER)[:limit]

    def attempts(self, promise: str) -> list[Attempt]:
        return [attempt for _, attempt in sorted(self._state.attempts.get(promise, {}).items())]

    def note(self, promise: str, kind: str) -> bytes | None:
        return self._state.notes.get(promise, {}).get(kind)

    def notes(self, kind: str, promises: Sequence[str]) -> dict[str, bytes]:
        found = {promise: self.note(promise, kind) for promise in promises}
        return {promise: data for promise, data in found.items() if data is not None}


class MemoryReader(_Lookups):
    """One snapshot: the state that was published when it was entered."""

    __slots__ = ()

    def __enter__(self) -> MemoryReader:
        self._store._look()
        self._state = self._store._state
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class MemoryTransaction(_Lookups):
    """Works on a copy, and publishes it on a clean exit."""

    __slots__ = ("_is_changed", "_is_invalidating", "_pause", "_unnamed_files")

    def __init__(self, store: MemoryStore, pause: Callable[[], object] | None = None) -> None:
        super().__init__(store)
        self._pause = pause
        self._is_changed = False
        self._is_invalidating = False
        self._unnamed_files: list[str] = []

    def __enter__(self) -> MemoryTransaction:
        store = self._store
        store._look()
        while not store._lock.acquire(timeout=_PAUSE_SECONDS):
            if self._pause is not None:
                self._pause()
        if store._is_writing:
            store._lock.release()
            raise RuntimeError("a write transaction inside another one of the same thread would wait for itself")
        store._is_writing = True
        self._state = store._state.copy()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        store = self._store
        try:
            if kind is None and self._is_changed:
                store._state = self._state
                store._change_word += 1
                for name in self._unnamed_files:
                    store._files.pop(name, None)
        finally:
            store._is_writing = False
            store._lock.release()

    def apply(self, deltas: Iterable[Delta]) -> None:
        self._is_changed = True
        for delta in deltas:
            match delta:
                case Inserted():
                    self._insert(delta.promise)
                case Settled():
                    self._settle(delta)
                case Leased():
                    self._lease(delta)
                case Deleted():
                    self._delete(delta)
                case _:
                    assert_never(delta)

    def put_attempt(self, attempt: Attempt) -> None:
        self._is_changed = True
        others = self._state.attempts.get(attempt.promise, {})
        self._state.attempts[attempt.promise] = {**others, attempt.number: attempt}

    def put_note(self, promise: str, kind: str, data: bytes | None) -> None:
        self._is_changed = True
        kept = {other: note for other, note in self._state.notes.get(promise, {}).items() if other != kind}
        self._state.notes[promise] = kept if data is None else {**kept, kind: data}

    def invalidate(self) -> None:
        if not self._is_invalidating:
            self._is_changed = self._is_invalidating = True
            self._state = replace(self._state, invalidation=self._state.invalidation + 1)

    def _insert(self, promise: Promise) -> None:
        if promise.id in self._state.promises:
            raise RuntimeError(f"a delta Inserted for {promise.id!r}, which is in the store")
        base, generation = split_id(promise.id)
        self._state.promises[promise.id] = promise
        self._state.highest[base] = max(generation, self._state.highest.get(base, 0))

    def _settle(self, delta: Settled) -> None:
        promise = self._there(delta)
        self._state.promises[delta.id] = replace(
            promise,
            state=delta.state,
            value=delta.value,
            settled_at=delta.settled_at,
            task=TaskState.ABSENT if promise.task is TaskState.ABSENT else TaskState.FULFILLED,
            owner=None,
            lease_ms=None,
            lease_until=None,
        )

    def _lease(self, delta: Leased) -> None:
        self._state.promises[delta.id] = replace(
            self._there(delta),
            task=delta.task,
            version=delta.version,
            owner=delta.owner,
            lease_ms=delta.lease_ms,
            lease_until=delta.lease_until,
        )

    def _delete(self, delta: Deleted) -> None:
        promise = self._there(delta)
        files = (promise.param.file, promise.value.file)
        self._unnamed_files.extend(name for name in files if name is not None)
        del self._state.promises[delta.id]
        self._state.attempts.pop(delta.id, None)
        self._state.notes.pop(delta.id, None)
        self._state.fences[delta.id] = delta.version
        self.invalidate()

    def _there(self, delta: Settled | Leased | Deleted) -> Promise:
        promise = self._state.promises.get(delta.id)
        if promise is None:
            raise RuntimeError(f"a delta {type(delta).__name__} for {delta.id!r}, which is not in the store")
        return promise


_COLUMNS = ("code", "codec", "signature", "elapsed_us", "cpu_us", "owner")
"""The headers of a value that say nothing out of the ordinary."""


def _ahead(promise: Promise, size_bytes: int) -> Ahead:
    base, generation = split_id(promise.id)
    param, value = promise.param.headers, promise.value
    others = {name: text for name, text in value.headers.items() if name not in _COLUMNS}
    return Ahead(
        base,
        generation,
        promise.state,
        promise.task,
        promise.version,
        value.headers.get("code") or param.get("code"),
        param.get("arguments"),
        value.headers.get("codec"),
        value.headers.get("signature"),
        value.headers.get("elapsed_us"),
        json.dumps(others) if others else None,
        value.data if value.size_bytes <= size_bytes else None,
    )


_OPEN: weakref.WeakSet[MemoryStore] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for store in list(_OPEN):
        store._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
