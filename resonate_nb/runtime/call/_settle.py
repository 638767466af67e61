"""Settle: turn the outcome into bytes, check what is stored, and commit before anybody gets the value."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from resonate_nb.codec import Encoded, encode, failure_of, failure_to_bytes, in_words
from resonate_nb.errors import ResonateNbError, StoreError
from resonate_nb.protocol import Promise, ReleaseTask, Reply, SettlePromise, State, Status, Value, split_id
from resonate_nb.store import INLINE_BYTES, Attempt, StoredFile, Transaction

from .. import _reads
from .._engine import Engine
from .._generators import generators_advice, generators_phrase
from .._memo import Entry
from .._say import say, warn
from ._attempt import Claimed, Request, Tried


def settle(engine: Engine, request: Request, claimed: Claimed, tried: Tried, why: str) -> Promise:
    """Settle the promise as the try came out, committed when this returns; the record as it is then.

    Never raises for a value or disk that does not allow storing: the caller has the value, and is warned. Call with
    interrupts held back, from the end of the body on. `why` is what has been said of why it ran, so that it is
    not said again.
    """
    if not claimed.holding.is_ours:
        # A child that the body forked has come back from it as well.
        return claimed.promise
    notes = _notes(request)
    if tried.error is not None:
        return _reject(engine, request, claimed, tried, tried.error, notes)
    return _resolve(engine, request, claimed, tried, why, notes)


def _notes(request: Request) -> dict[str, bytes]:
    if request.notes is None:
        return {}
    try:
        return dict(request.notes())
    except Exception as error:
        warn(f"{request.work.title}: what goes with the result could not be stored ({in_words(error)})")
        return {}


def _resolve(
    engine: Engine,
    request: Request,
    claimed: Claimed,
    tried: Tried,
    why: str,
    notes: Mapping[str, bytes],
) -> Promise:
    title = request.work.title
    headers = {"code": claimed.identity.code, "elapsed_ms": str(round(tried.elapsed_us / 1000))}
    if tried.files:
        headers["files"] = _reads.to_json(tried.files)
    if tried.effects:
        headers["not_replayable"] = "; ".join(tried.effects)
        if headers["not_replayable"] not in why:
            say(f"{title} is not replayable: it {headers['not_replayable']}", once=True, about=claimed.identity.code)
    if tried.draws:
        headers["draws"] = ",".join(tried.draws)
        if not request.work.is_cell:  # a replay of a cell moves them on by itself, where it can
            say(
                f"{title}: {generators_phrase(tried.draws)} moved while it ran; a replay brings the same "
                f"value back and moves no generator ({generators_advice(tried.draws)})",
                once=True,
                about=claimed.identity.code,
            )
    bare = dict(headers)
    encoded: Encoded | None = None
    stored: StoredFile | None = None
    why_not = ""
    reply: Reply | None
    try:
        encoded = encode(tried.value)
        headers["codec"] = encoded.codec
        headers["signature"] = engine.signer.sign(
            encoded.data, promise=f"{claimed.promise.id}|{encoded.codec}", version=claimed.promise.version
        )
        if len(encoded.data) > INLINE_BYTES:
            stored = engine.store.put_file([encoded.data])
        value = Value(
            headers,
            None if stored is not None else encoded.data,
            None if stored is None else stored.name,
            len(encoded.data),
        )
    except Exception as error:
        # Whatever the user's classes raise while they are pickled: the value is still the caller's.
        why_not = str(error) if isinstance(error, ResonateNbError) else in_words(error)
        value = Value({**bare, "not_stored": why_not})
    try:
        reply, counter = _commit(engine, claimed, State.RESOLVED, value, tried, notes)
    except StoreError as error:
        _drop(engine, stored)
        why_not = str(error)
        reply, counter = _say_at_least(engine, claimed, Value({**bare, "not_stored": why_not}), tried)
    if why_not:
        warn(f"{title}: the value is returned but not stored: {why_not}")
    if reply is None:
        engine.release(ReleaseTask(claimed.promise.id, claimed.promise.version))
        return claimed.promise
    if reply.promise is None:
        return claimed.promise
    if reply.status is not Status.DONE:
        _drop(engine, stored)
        warn(
            f"{title}: the value is returned, but promise {claimed.promise.id!r} is no longer this process's to settle "
            f"(it is {reply.promise.state.value}); another owner took it over"
        )
        return reply.promise
    if encoded is not None and not why_not and not tried.effects and not engine.is_marked(claimed.promise.id, counter):
        base, _ = split_id(claimed.promise.id)
        engine.memo.put(base, Entry(counter, reply.promise, encoded.codec, encoded.data))
    return reply.promise


def _reject(
    engine: Engine,
    request: Request,
    claimed: Claimed,
    tried: Tried,
    error: Exception,
    notes: Mapping[str, bytes],
) -> Promise:
    data = failure_to_bytes(failure_of(error))
    headers = {"code": claimed.identity.code, "codec": "failure", "elapsed_ms": str(round(tried.elapsed_us / 1000))}
    value = Value(headers, data, None, len(data))
    try:
        reply, _ = _commit(engine, claimed, State.REJECTED, value, tried, notes)
    except StoreError as problem:
        warn(f"{request.work.title}: the failure could not be stored: {problem}")
        engine.release(ReleaseTask(claimed.promise.id, claimed.promise.version))
        return claimed.promise
    return reply.promise or claimed.promise


def _commit(
    engine: Engine, claimed: Claimed, state: State, value: Value, tried: Tried, notes: Mapping[str, bytes]
) -> tuple[Reply, int]:
    id = claimed.promise.id
    error = tried.error
    attempt = Attempt(
        id,
        claimed.number,
        engine.store.owner,
        claimed.started_at,
        engine.clock.now_ms(),
        tried.elapsed_us,
        tried.cpu_us,
        value.size_bytes if state is State.RESOLVED and "not_stored" not in value.headers else None,
        state.value,
        None if error is None else in_words(error),
    )
    counter = 0

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        nonlocal counter
        counter = transaction.invalidation
        if replies[0].status is Status.DONE:
            transaction.put_attempt(attempt)
            for kind, data in notes.items():
                transaction.put_note(id, kind, data)

    replies = engine.submit([SettlePromise(id, state, value, claimed.promise.version)], also=also)
    return replies[0], counter


def _say_at_least(engine: Engine, claimed: Claimed, value: Value, tried: Tried) -> tuple[Reply | None, int]:
    """The settlement without its value, which may still fit; None when even that cannot be written."""
    try:
        return _commit(engine, claimed, State.RESOLVED, replace(value, data=None), tried, {})
    except StoreError:
        # The caller is warned with the first reason, and the task is given back as soon as the store takes it: nothing
        # is lost but the time.
        return None, 0


def _drop(engine: Engine, stored: StoredFile | None) -> None:
    """The value file that no row will name is gone, now or when the store is next opened after this process."""
    if stored is not None:
        with suppress(StoreError):  # what made it superfluous, a lost disk perhaps, is told already
            engine.store.drop_file(stored.name)
