"""Looking and dropping: records and details of promises, search, frames, and what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from glob import escape
from itertools import chain
from typing import TYPE_CHECKING, Any

from resonate_nb.codec import decode, failure_from_bytes, preview
from resonate_nb.errors import PromiseBusyError, PromiseNotFoundError, ResonateNbError, UnwritableStoreError
from resonate_nb.protocol import (
    NEVER,
    Command,
    ForgetPromise,
    Promise,
    ReleaseTask,
    Reply,
    State,
    Status,
    TaskState,
    join_id,
    project,
    split_id,
)
from resonate_nb.store import Attempt, OwnerInfo, Query, Reader, Transaction

from . import _context
from ._engine import Engine
from ._generators import generators_phrase
from ._identity import about_of
from ._look import ACCEPTED, DRAWS, Detail, Record, Shown, retry_at_of
from ._news import why_it_ran
from ._say import say
from ._tries import tries_of
from .call import BY, FROM, load, origin_of

if TYPE_CHECKING:
    import pandas as pd

PREVIEW_BYTES = 50_000_000
"""Values larger than this are not decoded just to be shown."""


def record_of(engine: Engine, promise: Promise) -> Record:
    """One promise with what is known around it."""
    with engine.store.read() as reader:
        found = _Looking(engine, reader).record(promise)
    return _again_where_left(engine, [found])[0]


class _Looking:
    """One look at many promises: a snapshot, and each owner asked for once."""

    def __init__(self, engine: Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader
        self._owners: dict[str, OwnerInfo] = {}
        self._stopped: dict[str, bool] = {}
        self._awaited = _context.awaited_here()
        self._marked = engine.marks(reader)
        self._now = engine.clock.now_ms()

    def record(self, promise: Promise) -> Record:
        tries = tries_of(promise, self._reader.attempts(promise.id))
        headers = promise.value.headers
        marks = [
            f"{kind.replace('_', ' ')}: {headers[kind]}" for kind in ("not_stored", "not_replayable") if kind in headers
        ]
        if (accepted := promise.param.headers.get(FROM)) is not None:
            if (origin := origin_of(promise)) != promise.id and self._reader.get(origin) is None:
                marks.append(f"not stored: its value was that of {origin}, which has been forgotten")
            marks.append(f"{ACCEPTED}: from {accepted}")
        if promise.id in self._marked:
            marks.append("rerun")
        if "draws" in headers:
            marks.append(f"{DRAWS}: {generators_phrase(headers['draws'].split(','))}")
        hits = self._engine.hits.get(promise.id)
        owner = promise.owner or (tries[-1].owner if tries else promise.param.headers.get(BY))
        return Record(
            promise,
            shown(self._engine, promise, tries, self._now),
            tries,
            self._owner(owner),
            0 if hits is None else hits.count,
            0 if hits is None else hits.saved_ms,
            tuple(marks),
            about_of(promise).get("shown", {}),
            self._now,
            waits_for=_waits_of(self._engine, promise),
            is_awaited=promise.id in self._awaited,
            is_ours=owner == self._engine.store.owner,
            is_stopped=promise.owner is not None and self._is_stopped(promise.owner),
        )

    def _owner(self, owner: str | None) -> OwnerInfo | None:
        if owner is None:
            return None
        if owner not in self._owners:
            self._owners[owner] = self._engine.store.describe(owner)
        return self._owners[owner]

    def _is_stopped(self, owner: str) -> bool:
        if owner not in self._stopped:
            self._stopped[owner] = self._engine.store.is_stopped(owner)
        return self._stopped[owner]


def shown(engine: Engine, promise: Promise, attempts: Sequence[Attempt], now: int) -> Shown:
    """How the promise is shown: a view of owner, lease and attempts, stored nowhere."""
    if promise.state.is_settled:
        return Shown(promise.state.value)
    if promise.task is TaskState.ABSENT:
        return Shown.WAITING
    if engine.tasks.is_owned(promise):
        if now < retry_at_of(attempts):
            return Shown.RETRYING
        return Shown.WAITING if _waits_of(engine, promise) else Shown.RUNNING
    return Shown.INTERRUPTED if attempts else Shown.QUEUED


def _waits_of(engine: Engine, promise: Promise) -> tuple[str, ...]:
    """The promises that its body waits for, where it runs in this process."""
    return _context.waits_of(promise.id) if promise.owner == engine.store.owner else ()


def look(engine: Engine, query: Query) -> list[Record]:
    """Records of the promises that match, in the order of the query; without the bytes of resolved values."""
    now = engine.clock.now_ms()
    with engine.store.read() as reader:
        found = [project(promise, now) for promise in reader.search(replace(query, now=now), bare=True)]
        looking = _Looking(engine, reader)
        records = [looking.record(promise) for promise in found]
    return _again_where_left(engine, records)


def _again_where_left(engine: Engine, records: list[Record]) -> list[Record]:
    """The records, those looked at again of which it seems that this process holds their task and nobody is at it.

    Who holds a task is asked after the promise was read, and a call may have ended in between: it has settled then.
    """
    left = [
        (index, record.promise.id)
        for index, record in enumerate(records)
        if record.shown is Shown.INTERRUPTED and record.promise.owner == engine.store.owner
    ]
    if left:
        with engine.store.read() as reader:
            looking = _Looking(engine, reader)
            for index, id in left:
                if (promise := reader.get(id)) is not None:
                    records[index] = looking.record(project(promise, records[index].now))
    return records


def ids(engine: Engine, query: Query) -> list[str]:
    """Ids of the promises that match, in the order of the query."""
    with engine.store.read() as reader:
        return reader.ids(replace(query, now=engine.clock.now_ms()))


def id_of(engine: Engine, word: str) -> str:
    """The id that a word means: itself where there is a promise of it, else that of the newest promise of a function or
    cell of this name, or of those whose ids begin with it; itself where there is none either."""
    if engine.find(word) is not None:
        return word
    with engine.store.read() as reader:
        named = reader.newest(word)
        return named.id if named else next(iter(reader.ids(Query(f"{escape(word)}/*", limit=1))), word)


def tally(engine: Engine, query: Query) -> dict[State, int]:
    """How many promises match in each state, whatever the limit; states without any are left out."""
    now = engine.clock.now_ms()
    with engine.store.read() as reader:
        counted = {state: reader.count(replace(query, states=(state,), now=now)) for state in query.states or State}
    return {state: number for state, number in counted.items() if number}


Present = Callable[[object], "str | None"]
"""A stored value as text where its form is not for people; None for any other value."""


def detail(engine: Engine, id: str, present: Present = lambda value: None) -> Detail | None:
    """Everything that opens with a row; None when there is no such promise. Never raises for an unreadable value."""
    promise = engine.find(id)
    if promise is None:
        return None
    with engine.store.read() as reader:
        output = reader.note(origin_of(promise), "output")
        ran = why_it_ran(reader, promise)
        counter = reader.invalidation
    text, html, error, traceback = None, None, None, None
    headers = promise.value.headers
    if promise.state is State.RESOLVED and "not_stored" in headers:
        text = f"not stored: {headers['not_stored']}"
    elif promise.state is State.RESOLVED and promise.value.size_bytes > PREVIEW_BYTES:
        text = f"{promise.value.size_bytes:,} bytes; too large to be decoded for a preview"
    elif promise.state is State.RESOLVED:
        try:
            entry = load(engine, promise, counter)
            value = decode(entry.codec, entry.data)
            text = present(value)
            if text is None:
                text, html = preview(value)
        except ResonateNbError as problem:
            text = str(problem)
        except Exception as problem:
            # Unpickling runs the user's own classes; whatever they raise, the row still opens.
            text = f"the value cannot be read here ({type(problem).__name__}: {problem})"
    elif promise.value.headers.get("codec") == "failure" and promise.value.data is not None:
        failure = failure_from_bytes(promise.value.data)
        error, traceback = f"{failure.type_name}: {failure.message}", failure.traceback
    record = record_of(engine, promise)
    return Detail(
        record,
        record.arguments,
        text,
        html,
        error,
        traceback,
        () if output is None else tuple(json.loads(output)),
        ran.reason,
        ran.changes,
        ran.unsure,
        ran.services,
        ran.packages,
        ran.slow,
    )


class Source:
    """What a widget or a table looks through: records, details, and word of every change.

    Without an engine (everything is switched off and there is no store) there is nothing to see, and none is made.
    """

    def __init__(self, engine: Engine | None, present: Present = lambda value: None) -> None:
        self._engine = engine
        self._present = present

    def look(self, query: Query) -> list[Record]:
        """Records of the promises that match, in the order of the query."""
        return [] if self._engine is None else look(self._engine, query)

    def tally(self, query: Query) -> dict[State, int]:
        """How many promises match in each state, whatever the limit; states without any are left out."""
        return {} if self._engine is None else tally(self._engine, query)

    def detail(self, id: str) -> Detail | None:
        """Everything that opens with a row; None when there is no such promise."""
        return None if self._engine is None else detail(self._engine, id, self._present)

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every commit of any process; returns what ends it."""
        return (lambda: None) if self._engine is None else self._engine.watch(callback)


def to_frame(records: Sequence[Record]) -> pd.DataFrame:
    """One row per promise: id, state (as on the wire) and how it is shown (in words), times (UTC), seconds of the last
    try that has ended, attempts, size in bytes, replays, owner, the last error in one line, tags. `timeout_at` is the
    deadline, where there is one."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for record in records:
        promise = record.promise
        elapsed = next((each.elapsed_us for each in reversed(record.attempts) if each.elapsed_us is not None), None)
        rows.append(
            {
                "id": promise.id,
                "state": promise.state.value,
                "shown": record.shown.label,
                "name": promise.param.headers.get("name"),
                "created_at": promise.created_at,
                "settled_at": promise.settled_at,
                "timeout_at": promise.timeout_at if promise.timeout_at < NEVER else None,
                "elapsed_s": None if elapsed is None else elapsed / 1e6,
                "attempts": len(record.attempts),
                "size_bytes": promise.value.size_bytes,
                "replays": record.replays,
                "owner": None if record.owner is None else f"{record.owner.pid} on {record.owner.host}",
                "error": record.attempts[-1].error if record.attempts else None,
                "tags": dict(promise.tags),
            }
        )
    columns = ["id", "state", "shown", "name", "created_at", "settled_at", "timeout_at", "elapsed_s", "attempts"]
    frame = pd.DataFrame(rows, columns=[*columns, "size_bytes", "replays", "owner", "error", "tags"])
    for name in ("created_at", "settled_at", "timeout_at"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    return frame


def forget(engine: Engine, pattern: str) -> list[str]:
    """Drop promises: those a shell pattern matches, or every generation of one id; with their children. Returns the
    ids dropped.

    A promise that runs under a living owner is never dropped: named by its own id that is an error, under a pattern
    it is skipped and said.

    Raises:
        PromiseNotFoundError: there is no promise of this id.
        PromiseBusyError: the promise runs.
    """
    if any(letter in pattern for letter in "*?["):
        found = engine.search(Query(glob=pattern))
        dropped = drop(engine, found)
        gone = set(dropped)
        if kept := _busy(engine, [promise for promise in found if promise.id not in gone]):
            say(f"still running, so not forgotten: {', '.join(sorted(set(kept.values())))}")
        return dropped
    first = engine.find(pattern)
    if first is None:
        raise PromiseNotFoundError(f"there is no promise {pattern!r}; `rnb.search('*')` lists what there is")
    return forget_generations(engine, first)


def forget_generations(engine: Engine, promise: Promise) -> list[str]:
    """Drop all generations of a promise, with their children. Returns the ids dropped.

    Raises:
        PromiseBusyError: one of them runs, or belongs to one that does.
    """
    generations = _generations_of(engine, split_id(promise.id)[0])
    for id, runs in _busy(engine, generations).items():
        what = f"promise {id!r}" if runs == id else f"promise {id!r} belongs with {runs!r}, which"
        raise PromiseBusyError(f"{what} is running; interrupt it first, then forget it")
    return drop(engine, generations)


def _generations_of(engine: Engine, base: str) -> list[Promise]:
    """All generations of an id without generation, newest first."""
    literal = escape(base)
    found = engine.search(Query(glob=literal)) + engine.search(Query(glob=f"{literal}~*"))
    mine = [promise for promise in found if split_id(promise.id)[0] == base]
    return sorted(mine, key=lambda promise: split_id(promise.id)[1], reverse=True)


def drop(engine: Engine, promises: Sequence[Promise]) -> list[str]:
    """Forget promises, giving back the tasks of dead owners first. Returns the ids dropped. Those that run, or belong
    to one that does, stay.

    Children that are keyed by their place in one of them go with it: its id may be used again, and theirs would be.
    On a full disk, which has no room for what deleting writes, the files of what is to go make some first.
    """
    while True:
        busy = _busy(engine, promises)
        with suppress(_ChangedError):
            return _drop(engine, [promise for promise in promises if promise.id not in busy])


class _ChangedError(Exception):
    """A promise was claimed, or got children, between the look at it and the transaction that was to drop it."""


def _drop(engine: Engine, promises: Sequence[Promise]) -> list[str]:
    doomed: dict[str, list[Command]] = {}
    files: list[str] = []
    with engine.store.read() as reader:
        for promise in promises:
            for each in chain((promise,), _children_of(reader, promise.id)):
                given_back = [ReleaseTask(each.id, each.version)] if each.task is TaskState.ACQUIRED else []
                doomed[each.id] = [*given_back, ForgetPromise(each.id)]
                if each.value.file is not None:
                    files.append(each.value.file)
    commands = [command for each in doomed.values() for command in each]
    if not commands:
        return []
    dropped: list[str] = []

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        dropped.clear()
        for command, reply in zip(commands, replies, strict=True):
            if not isinstance(command, ForgetPromise):
                continue
            if reply.status is Status.CONFLICT or transaction.under(f"{command.id}:", 1, 0):
                raise _ChangedError  # nothing of it has happened then
            if reply.status is Status.DONE:
                dropped.append(command.id)
                engine.clear_mark(transaction, command.id)

    try:
        engine.submit(commands, also=also, invalidate=True)
    except UnwritableStoreError as error:
        if engine.store.is_read_only or not files:
            raise
        for name in files:
            engine.store.drop_file(name)
        try:
            engine.submit(commands, also=also, invalidate=True)
        except UnwritableStoreError:
            raise UnwritableStoreError(
                f"{error} The promises are still there, but those with large values ({len(files)}) have lost them."
            ) from error
    return dropped


def _children_of(reader: Reader, id: str, tasks: Collection[TaskState] = tuple(TaskState)) -> Iterator[Promise]:
    """All that lies under a promise, by id, with a task in one of these states."""
    for row in reader.under(f"{id}:", 2**31, 0):
        if row.task in tasks and (child := reader.get(join_id(row.base, row.generation))) is not None:
            yield child


def _busy(engine: Engine, promises: Sequence[Promise]) -> dict[str, str]:
    """Those that run, or of which a child or a parent does, and the one that does."""
    found: dict[str, str] = {}
    runs: dict[str, bool] = {}
    now = engine.clock.now_ms()
    with engine.store.read() as reader:
        for promise in promises:
            around = [promise.id[:end] for end, letter in enumerate(promise.id) if letter == ":"]
            for id in around:
                if id not in runs:
                    each = reader.get(id)
                    runs[id] = each is not None and engine.tasks.is_owned(project(each, now))
            running = [id for id in around if runs[id]]
            if engine.tasks.is_owned(promise):
                running.append(promise.id)
            if not running and promise.task is not TaskState.ABSENT:
                acquired = _children_of(reader, promise.id, (TaskState.ACQUIRED,))
                running += [child.id for child in acquired if engine.tasks.is_owned(child)]
            if running:
                found[promise.id] = running[0]
    return found
