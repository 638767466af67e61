"""Settle: turn the outcome into bytes, check what is stored, and commit before anybody gets the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from resonate_nb.codec import Encoded, encode, failure_of, failure_to_bytes, in_words
from resonate_nb.errors import DurableTimeoutError, LostStoreError, ReadOnlyStoreError, ResonateNbError, StoreError
from resonate_nb.protocol import (
    NEVER,
    CreatePromise,
    ExpirePromise,
    FenceTask,
    Outcome,
    Promise,
    Reply,
    SettlePromise,
    State,
    Status,
    Value,
    join_id,
    project,
    split_id,
)
from resonate_nb.records import dataclass
from resonate_nb.store import INLINE_BYTES, Attempt, StoredFile, Transaction

from .. import _file_read, _identity
from .._engine import Engine
from .._generators import generators_advice, generators_phrase
from .._memo import Entry
from .._say import say, warn
from .._tasks import Also
from ._accepted import signed_as
from ._attempt import Tried
from ._claim import Claimed, Request
from ._plan import signed_version


def settle(engine: Engine, request: Request, claimed: Claimed, tried: Tried, why: str) -> Settled:
    """Settle the promise as the try came out, committed when this returns.

    Never raises for a value or disk that does not allow storing: the caller has the value, and is warned. Call with
    interrupts held back, from the end of the body on. `why` is what has been said of why it ran, so that it is
    not said again.
    """
    if not claimed.holding.is_ours:
        # A child that the body forked has come back from it as well.
        return Settled(claimed.promise)
    if claimed.is_child and not claimed.holding.version:
        # Its parent runs without a claim, and was warned of.
        return Settled(claimed.promise)
    if claimed.owed is not None:
        late = _claimed_late(engine, request, claimed, tried)
        if late is None:
            return Settled(claimed.promise)
        claimed = late
    notes = _notes(request)
    if claimed.is_child:
        notes |= _why_notes(claimed, why)
    if tried.error is not None:
        settled = _reject(engine, request, claimed, tried, tried.error, why, notes)
    else:
        settled = _resolve(engine, request, claimed, tried, why, notes)
    if not tried.is_awaited:
        save(engine, request, tried)
    return settled


def _why_notes(claimed: Claimed, why: str) -> dict[str, bytes]:
    """What a child that was not in the store before says of why it ran."""
    news = claimed.news
    has_changes = news is not None and bool(news.changes)
    if not has_changes and split_id(claimed.promise.id)[1] == 1:
        return {}
    notes = {"why": why.encode("utf-8", "backslashreplace")}
    return notes | {"changes": news.to_json()} if news is not None and has_changes else notes


def save(engine: Engine, request: Request, tried: Tried) -> None:
    """What is stored of the try is as safe as the store's durability has it, before anybody relies on it."""
    try:
        if (owed := engine.store.owed(tried.elapsed_us / 1e6)) is not None:
            owed()
    except StoreError as error:
        warn_unsafe(request, error)


def warn_unsafe(request: Request, error: StoreError) -> None:
    """What is stored may not survive a power cut."""
    warn(f"{request.work.title}: {error}", once=True)


def _claimed_late(engine: Engine, request: Request, claimed: Claimed, tried: Tried) -> Claimed | None:
    """The claim that could not be made before the body; None where it still cannot, or somebody else was faster."""
    assert claimed.owed is not None
    try:
        late = claimed.owed()
    except ReadOnlyStoreError:
        return None  # said when it was met first
    except StoreError as error:
        not_stored = _not_stored if tried.error is None else _failure_not_stored
        engine.warn_unwritable(request.work.title, not_stored(request, str(error)))
        return None
    if late is None:
        say(f"{request.work.title}: the value is returned, and another process has stored one meanwhile", once=True)
        return None
    return replace(claimed, promise=late.promise, number=late.number, used=late.used, owed=None)


_LATER = " It is stored as soon as this one can be written to, if this process still runs then."


def _not_stored(request: Request, why: str) -> str:
    return f"{request.work.title}: the value is returned but not stored: {why}"


def _failure_not_stored(request: Request, why: str) -> str:
    return f"{request.work.title}: what it raised is not stored: {why}"


def expire(engine: Engine, request: Request, claimed: Claimed, tried: Tried | None) -> Promise:
    """The deadline has passed: the promise is timed out, and the try, if there was one, known to have been late.

    What the store says by now is returned: it may be another owner's, who settled it in time.
    """
    promise = claimed.promise
    if claimed.owed is not None:
        return project(promise, engine.clock.now_ms())  # it never was in the store, which was told
    attempt = None if tried is None else replace(_attempt(engine, claimed, tried), outcome="late")
    notes = {} if tried is None else _notes(request)

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        now = replies[0].promise
        if attempt is None or now is None or now.state is not State.TIMEDOUT or now.version != promise.version:
            return  # forgotten, or another owner's
        transaction.put_attempt(attempt)
        for kind, data in notes.items():
            transaction.put_note(promise.id, kind, data)

    try:
        reply = engine.submit([ExpirePromise(promise.id)], also=also)[0]
    except StoreError as error:
        warn(f"promise {promise.id!r} timed out, which could not be written down yet: {error}")
        return project(promise, engine.clock.now_ms())
    return reply.promise or project(promise, engine.clock.now_ms())


@dataclass(frozen=True, slots=True)
class Settled:
    """The record as it is after the settlement, and its value for the memory layer, where it is there to be hit."""

    promise: Promise
    entry: Entry | None = None


def _notes(request: Request) -> dict[str, bytes]:
    if request.notes is None:
        return {}
    try:
        return dict(request.notes())
    except Exception as error:
        warn(f"{request.work.title}: what goes with the result could not be stored ({in_words(error)})")
        return {}


def _headers(engine: Engine, claimed: Claimed, tried: Tried) -> dict[str, str]:
    """What is known of the try that settles: see `runtime._tries`."""
    headers = {
        "elapsed_us": str(tried.elapsed_us),
        "cpu_us": str(tried.cpu_us),
        "owner": engine.store.owner,
    }
    if claimed.identity.code != claimed.promise.param.headers.get("code"):
        headers["code"] = claimed.identity.code
    if claimed.number > 1:
        headers["attempt"] = str(claimed.number)
    return headers


def _conditions(request: Request, claimed: Claimed, tried: Tried, why: str) -> dict[str, str]:
    """What a replay depends on: the files that the body read, and that it did nothing which a replay could not."""
    headers = {"files": _file_read.to_json(tried.files)} if tried.files else {}
    if tried.effects:
        headers["not_replayable"] = reason = "; ".join(tried.effects)
        if reason not in why:
            say(f"{request.work.title} is not replayable: it {reason}", once=True, about=claimed.identity.code)
    return headers


def say_of_draws(title: str, draws: Sequence[str], code: str) -> None:
    """Said of a function once, be it run or replayed: its value does not follow the seed."""
    say(
        f"{title}: it draws from {generators_phrase(draws)}; a replay brings back what the first run drew, whatever is "
        f"seeded now, and moves no generator ({generators_advice(draws)})",
        once=True,
        about=code,
    )


def _resolve(
    engine: Engine,
    request: Request,
    claimed: Claimed,
    tried: Tried,
    why: str,
    notes: Mapping[str, bytes],
) -> Settled:
    title = request.work.title
    headers = _headers(engine, claimed, tried) | _conditions(request, claimed, tried, why)
    if tried.draws:
        headers["draws"] = ",".join(tried.draws)
        if not request.work.is_cell:  # a replay of a cell moves them on by itself, where it can
            say_of_draws(title, tried.draws, claimed.identity.code)
    id, version = claimed.promise.id, signed_version(claimed.promise)
    encoded: Encoded | None = None
    stored: StoredFile | None = None
    why_not = ""
    try:
        encoded = encode(tried.value)
        about = signed_as(id, encoded.codec)
        signed = {
            **headers,
            "codec": encoded.codec,
            "signature": engine.signer.sign(encoded.data, promise=about, version=version),
        }
        if len(encoded.data) > INLINE_BYTES:
            stored = engine.store.put_file([encoded.data])
        value = Value(
            signed,
            None if stored is not None else encoded.data,
            None if stored is None else stored.name,
            len(encoded.data),
        )
    except Exception as error:
        # Whatever the user's classes raise while they are pickled: the value is still the caller's.
        why_not = str(error) if isinstance(error, ResonateNbError) else in_words(error)
        value = Value({**headers, "not_stored": why_not})
    reply, counter, problem = _write(engine, claimed, State.RESOLVED, value, notes)
    if problem:
        _drop(engine, stored)
        why_not = why_not or str(problem)
    if reply is None or reply.promise is None:
        is_owed = value.data is not None and not claimed.is_child and not isinstance(problem, LostStoreError)
        later = _LATER if is_owed else ""
        engine.warn_unwritable(title, f"{_not_stored(request, why_not)}{later}")
        return Settled(claimed.promise)
    if why_not:
        was_told = why_not.partition(". ")[0] in why  # it runs again for that very reason
        warn(f"{title}: again the value is returned but not stored" if was_told else _not_stored(request, why_not))
    if reply.status is not Status.DONE:
        _drop(engine, stored)
        return Settled(_refused(request, claimed, reply.promise))
    if encoded is None or why_not or tried.effects or _may_be_marked(engine, id, counter):
        return Settled(reply.promise)
    promise = reply.promise
    hits, saved_ms = engine.hits.of(promise), tried.elapsed_us // 1000
    entry = Entry(counter, promise, encoded.codec, encoded.data, hits, saved_ms)
    if not claimed.is_child:
        base, _ = split_id(id)
        engine.memo.put(base, entry)
    return Settled(promise, entry)


def _may_be_marked(engine: Engine, id: str, counter: int) -> bool:
    """Whether the promise is to be run again at its next use, as far as a store can be asked that has just taken it."""
    try:
        return engine.is_marked(id, counter)
    except StoreError:
        return True  # what can be read of it is met at the next use


def _reject(
    engine: Engine,
    request: Request,
    claimed: Claimed,
    tried: Tried,
    error: Exception,
    why: str,
    notes: Mapping[str, bytes],
) -> Settled:
    stored = _for_later(error)
    data = failure_to_bytes(failure_of(stored))
    headers = _headers(engine, claimed, tried)
    if request.may_raise_again:
        headers |= _conditions(request, claimed, tried, why)
    headers |= {"codec": "failure", "error": in_words(stored)}
    reply, _, problem = _write(engine, claimed, State.REJECTED, Value(headers, data, None, len(data)), notes)
    if problem:
        engine.warn_unwritable(request.work.title, _failure_not_stored(request, str(problem)))
    if reply is None or reply.promise is None:
        return Settled(claimed.promise)
    return Settled(reply.promise)


def _put_beside(engine: Engine, claimed: Claimed, transaction: Transaction) -> None:
    """What is written with a claim is written with the settlement of a child, which nobody claimed."""
    id, identity = claimed.promise.id, claimed.identity
    if engine.is_new_code(identity.code):
        _identity.put_code_notes(transaction, identity)
    for digest, summary in claimed.data.items():
        transaction.put_note(f"part:{digest}", "data", summary)
    if engine.is_new_code(identity.code) or identity.code in engine.packages.odd:
        engine.packages.note(transaction, id, identity.code, identity.packages)
    base, generation = split_id(id)
    if generation > 1:
        engine.clear_mark(transaction, join_id(base, generation - 1))


def _refused(request: Request, claimed: Claimed, now: Promise) -> Promise:
    """The settlement came too late: whose promise it is by now, said unless that is raised."""
    if claimed.is_child:
        warn(
            f"{request.work.title}: the value is returned but not stored: "
            + (
                f"promise {claimed.promise.id!r} was stored meanwhile"
                if now.state.is_settled
                else f"promise {claimed.holding.id!r}, which it is a step of, is no longer this process's to write to "
                "(it was stopped or has settled, another owner took it over, or it was forgotten)"
            )
        )
    elif now.state is not State.TIMEDOUT:
        warn(
            f"{request.work.title}: the value is returned, but promise {claimed.promise.id!r} is no longer this "
            f"process's to settle (it is {now.state.value}); another owner took it over"
        )
    return now


def _write(
    engine: Engine, claimed: Claimed, state: State, value: Value, notes: Mapping[str, bytes]
) -> tuple[Reply | None, int, StoreError | None]:
    """The settlement is committed, with its value or at least without: the reply, the invalidation counter as of it,
    and what stood in the way of the value. Where nothing at all can be written it is owed; with its value, unless that
    was to lie in a file."""
    try:
        return *_commit(engine, claimed, state, value, notes), None
    except StoreError as error:
        problem = error
    bare = _without_value(state, value, str(problem))
    try:
        return *_commit(engine, claimed, state, bare, {}), problem
    except StoreError:
        if not claimed.is_unborn and not isinstance(problem, LostStoreError):
            owed, kept = (value, notes) if value.file is None else (bare, {})
            promise = claimed.promise
            engine.tasks.owe(SettlePromise(promise.id, state, owed, promise.version), _noting(promise, kept))
        return None, 0, problem


def _without_value(state: State, value: Value, problem: str) -> Value:
    headers = {name: text for name, text in value.headers.items() if name not in ("codec", "signature")}
    return Value({"not_stored": problem, **headers} if state is State.RESOLVED else headers)


def _noting(promise: Promise, notes: Mapping[str, bytes]) -> Also:
    def also(transaction: Transaction, replies: list[Reply]) -> None:
        if replies[-1].status is Status.DONE:
            for kind, data in notes.items():
                transaction.put_note(promise.id, kind, data)

    return also


def _commit(
    engine: Engine, claimed: Claimed, state: State, value: Value, notes: Mapping[str, bytes]
) -> tuple[Reply, int]:
    promise = claimed.promise
    counter = 0
    if claimed.is_child:
        birth = CreatePromise(promise.id, NEVER, promise.param, promise.tags, outcome=Outcome(state, value))
        command: FenceTask | SettlePromise = FenceTask(claimed.holding.id, claimed.holding.version, birth)
    else:
        command = SettlePromise(promise.id, state, value, promise.version)
    known = claimed.holding.promise
    code = claimed.identity.code
    has_more = claimed.is_child and (engine.is_new_code(code) or code in engine.packages.odd)
    if known is not None and not notes and not has_more:
        found = engine.submit_at_once(command, known)
        if found is not None:
            return found
    put_notes = _noting(promise, notes)

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        nonlocal counter
        counter = transaction.invalidation
        put_notes(transaction, replies)
        if claimed.is_child and replies[-1].status is Status.DONE:
            _put_beside(engine, claimed, transaction)

    mine = None if claimed.is_unborn else promise
    reply = engine.submit([command], also=also, mine=mine)[-1]
    if claimed.is_child and (reply.promise is None or reply.promise.id != promise.id):
        # The fence has spoken: the parent is no longer ours.
        return Reply(Status.CONFLICT, promise), counter
    if claimed.is_child:
        engine.note_code(claimed.identity.code)
        engine.note_parts(claimed.data)
    return reply, counter


def _for_later(error: Exception) -> Exception:
    """The error as whoever reads of it later has it: a late value is nobody's but the caller's."""
    if not isinstance(error, DurableTimeoutError) or not error.has_value:
        return error
    again = DurableTimeoutError(error.id, error.deadline, error.limit)
    again.__cause__ = error.__cause__
    return again.with_traceback(error.__traceback__)


def _attempt(engine: Engine, claimed: Claimed, tried: Tried) -> Attempt:
    """The row of a try that does not settle its promise; its outcome is still to be said."""
    return Attempt(
        claimed.promise.id,
        claimed.number,
        engine.store.owner,
        claimed.started_at,
        engine.clock.now_ms(),
        tried.elapsed_us,
        tried.cpu_us,
        error=None if tried.error is None else in_words(_for_later(tried.error)),
    )


def failed(engine: Engine, claimed: Claimed, tried: Tried, ended_at: int, retry_at: int) -> Attempt:
    """The row of a try that another one is to follow at `retry_at`, epoch milliseconds."""
    outcome = "late" if tried.is_late else "failed"
    return replace(_attempt(engine, claimed, tried), ended_at=ended_at, outcome=outcome, retry_at=retry_at)


def _drop(engine: Engine, stored: StoredFile | None) -> None:
    """The value file that no row will name is gone, now or when the store is next opened after this process."""
    if stored is not None:
        with suppress(StoreError):  # what made it superfluous, a lost disk perhaps, is told already
            engine.store.drop_file(stored.name)
