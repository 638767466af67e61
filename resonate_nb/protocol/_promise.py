"""The promise table: for each state of a promise and each verb, the one rule that applies.

Theory (PROTOCOL 1.2, 1.6). A promise is pending and then settles exactly once; terminal states absorb every verb. The
id is the idempotency key and the first write wins, so a verb that comes too late is answered with the record as it
stands, and the caller compares. A deadline settles at the deadline itself, not at the moment somebody noticed:
`project` says what the deadline has decided, and every command on a promise is judged on the projected record.

           | create  | accept        | settle   | expire   | forget
    -------+---------+---------------+----------+----------+-------------------------
    absent | insert  | by its source | missing  | missing  | missing
    pending| exists  | exists        | settle   | too early| delete unless acquired
    settled| exists  | exists        | settled  | settled  | delete

    source | accept, of a promise that is absent
    -------+-----------------------------------------------------------------
    absent | missing
    pending| cancel it, insert pending; unless it is acquired or has no task
    resolv.| insert resolved
    other  | insert pending

A pending promise past its deadline appears in no row: it was projected before, and the delta of that settlement
precedes whatever the rule adds. A promise is inserted as its deadline has left
it, if that has passed; else settled, if the command brings its outcome; else pending.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from ._commands import (
    AcceptPromise,
    CreatePromise,
    Decision,
    ExpirePromise,
    ForgetPromise,
    Outcome,
    Reply,
    SettlePromise,
    Status,
)
from ._records import EMPTY, NEVER, Deleted, Delta, Inserted, Promise, Settled, State, TaskState


class View(Protocol):
    """What the law may look at: records by id, and the fences of forgotten ones."""

    def get(self, id: str) -> Promise | None: ...

    def fence(self, id: str) -> int: ...


def project(promise: Promise, now: int) -> Promise:
    """The record as its deadline has left it at `now` (epoch milliseconds): `now >= timeout_at` is expired."""
    if promise.state is not State.PENDING or now < promise.timeout_at:
        return promise
    return settled(promise, _by_deadline(promise))


def settled(promise: Promise, delta: Settled) -> Promise:
    """The record after a settlement: the task is fulfilled, its lease gone, its version kept."""
    # Every settlement passes here; `replace` costs four times as much.
    return Promise(
        promise.id,
        delta.state,
        promise.param,
        delta.value,
        promise.tags,
        promise.timeout_at,
        promise.created_at,
        delta.settled_at,
        TaskState.ABSENT if promise.task is TaskState.ABSENT else TaskState.FULFILLED,
        promise.version,
    )


def _by_deadline(promise: Promise) -> Settled:
    state = State.RESOLVED if promise.is_timer else State.TIMEDOUT
    return Settled(promise.id, state, EMPTY, promise.timeout_at)


def deadline_delta(promise: Promise, now: int) -> tuple[Delta, ...]:
    """What has to be written down before any rule may speak of a promise whose deadline has passed."""
    if promise.state is State.PENDING and now >= promise.timeout_at:
        return (_by_deadline(promise),)
    return ()


def _insert(view: View, command: CreatePromise, now: int) -> Decision:
    # The version continues from the fence: a task version never restarts for an id in one store, or a former
    # owner of a forgotten promise could settle the new one.
    fence = view.fence(command.id)
    claim, outcome = command.claim, command.outcome
    promise = Promise(
        id=command.id,
        state=State.PENDING if outcome is None else outcome.state,
        param=command.param,
        value=EMPTY if outcome is None else outcome.value,
        tags=command.tags,
        timeout_at=command.timeout_at,
        created_at=now,
        settled_at=None if outcome is None else now,
        task=TaskState.ABSENT if claim is None else TaskState.ACQUIRED,
        version=fence if claim is None else fence + 1,
        owner=None if claim is None else claim.owner,
        lease_ms=None if claim is None else claim.lease_ms,
        lease_until=None if claim is None else now + claim.lease_ms,
    )
    if now >= promise.timeout_at:
        promise = replace(settled(promise, _by_deadline(promise)), created_at=promise.timeout_at)
    return Decision(Reply(Status.DONE, promise), (Inserted(promise),))


def _accept(view: View, command: AcceptPromise, source: Promise, now: int) -> Decision:
    is_pending = source.state is State.PENDING
    if source.version != command.version or (is_pending and source.task is not TaskState.PENDING):
        return Decision(Reply(Status.CONFLICT, source))
    if source.state is State.RESOLVED:
        outcome = Outcome(State.RESOLVED, command.value)
        return _insert(view, CreatePromise(command.id, NEVER, command.param, command.tags, outcome=outcome), now)
    timeout_at = source.timeout_at if is_pending else command.timeout_at
    (inserted,) = _insert(view, CreatePromise(command.id, timeout_at, command.param, command.tags), now).deltas
    assert isinstance(inserted, Inserted)
    born = inserted.promise
    queued = replace(born, task=TaskState.FULFILLED if born.state.is_settled else TaskState.PENDING)
    canceled = (Settled(source.id, State.CANCELED, EMPTY, now),) if is_pending else ()
    return Decision(Reply(Status.DONE, queued), (*canceled, Inserted(queued)))


def _settle(command: SettlePromise, promise: Promise, now: int) -> Decision:
    fenced = command.version is not None and (
        promise.task is not TaskState.ACQUIRED or promise.version != command.version
    )
    if fenced:
        return Decision(Reply(Status.CONFLICT, promise))
    delta = Settled(promise.id, command.state, command.value, now)
    return Decision(Reply(Status.DONE, settled(promise, delta)), (delta,))


def _delete(command: ForgetPromise, promise: Promise, now: int) -> Decision:
    if promise.task is TaskState.ACQUIRED:
        return Decision(Reply(Status.CONFLICT, promise))
    return Decision(Reply(Status.DONE, promise), (Deleted(promise.id, promise.version),))


def _answer(status: Status) -> Callable[[object, Promise, int], Decision]:
    def rule(command: object, promise: Promise, now: int) -> Decision:
        return Decision(Reply(status, promise))

    return rule


_exists = _answer(Status.EXISTS)
_too_late = _answer(Status.SETTLED)
_too_early = _answer(Status.CONFLICT)

Rule = Callable[..., Decision]

TABLE: dict[tuple[State, type], Rule] = {
    (State.PENDING, CreatePromise): _exists,
    (State.PENDING, AcceptPromise): _exists,
    (State.PENDING, SettlePromise): _settle,
    (State.PENDING, ExpirePromise): _too_early,
    (State.PENDING, ForgetPromise): _delete,
    (State.RESOLVED, CreatePromise): _exists,
    (State.RESOLVED, AcceptPromise): _exists,
    (State.RESOLVED, SettlePromise): _too_late,
    (State.RESOLVED, ExpirePromise): _too_late,
    (State.RESOLVED, ForgetPromise): _delete,
    (State.REJECTED, CreatePromise): _exists,
    (State.REJECTED, AcceptPromise): _exists,
    (State.REJECTED, SettlePromise): _too_late,
    (State.REJECTED, ExpirePromise): _too_late,
    (State.REJECTED, ForgetPromise): _delete,
    (State.CANCELED, CreatePromise): _exists,
    (State.CANCELED, AcceptPromise): _exists,
    (State.CANCELED, SettlePromise): _too_late,
    (State.CANCELED, ExpirePromise): _too_late,
    (State.CANCELED, ForgetPromise): _delete,
    (State.TIMEDOUT, CreatePromise): _exists,
    (State.TIMEDOUT, AcceptPromise): _exists,
    (State.TIMEDOUT, SettlePromise): _too_late,
    (State.TIMEDOUT, ExpirePromise): _too_late,
    (State.TIMEDOUT, ForgetPromise): _delete,
}
"""(state, command) -> rule(command, promise, now), for a promise that is there."""

insert = _insert
"""The rule of create for a promise that is absent."""
accept = _accept
"""The rule of accept for one that is absent, given its source; every other verb on an absent promise is NOT_FOUND."""

VERBS = (CreatePromise, AcceptPromise, SettlePromise, ExpirePromise, ForgetPromise)

_missing = {(state, verb) for state in State for verb in VERBS} - TABLE.keys()
if _missing:
    raise AssertionError(f"the promise table has no rule for {sorted(map(str, _missing))}")
