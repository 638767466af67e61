"""The task table: who may run a promise's function, for each state of the task and each verb.

Theory (PROTOCOL 2.1). The version is the fencing token: it rises by one on each acquisition and at no other time, and
every verb of a holder carries it, so that a former holder is refused. A release keeps the version; so does a lease
that the next taker ends on behalf of a dead owner, which is an ordinary release with the version that was seen.

              | acquire          | heartbeat     | release     | fence
    ----------+------------------+---------------+-------------+---------------
    absent    | conflict         | conflict      | conflict    | conflict
    pending   | take, version +1 | conflict      | conflict    | conflict
    acquired  | conflict         | extend        | give back   | hold: the action decides
    fulfilled | settled          | settled       | settled     | settled

A lapsed lease refuses nobody by itself: while the version stands, nobody else has taken the task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ._commands import AcquireTask, Decision, FenceTask, HeartbeatTask, ReleaseTask, Reply, Status
from ._records import Leased, Promise, TaskState


def _leased(promise: Promise, delta: Leased) -> Decision:
    after = replace(
        promise,
        task=delta.task,
        version=delta.version,
        owner=delta.owner,
        lease_ms=delta.lease_ms,
        lease_until=delta.lease_until,
    )
    return Decision(Reply(Status.DONE, after), (delta,))


def _take(command: AcquireTask, promise: Promise, now: int) -> Decision:
    if command.version != promise.version:
        return _conflict(command, promise, now)
    claim = command.claim
    return _leased(
        promise,
        Leased(
            promise.id,
            TaskState.ACQUIRED,
            promise.version + 1,
            claim.owner,
            claim.lease_ms,
            now + claim.lease_ms,
        ),
    )


def _extend(command: HeartbeatTask, promise: Promise, now: int) -> Decision:
    if command.version != promise.version or promise.lease_ms is None:
        return _conflict(command, promise, now)
    return _leased(
        promise,
        Leased(
            promise.id,
            TaskState.ACQUIRED,
            promise.version,
            promise.owner,
            promise.lease_ms,
            now + promise.lease_ms,
        ),
    )


def _give_back(command: ReleaseTask, promise: Promise, now: int) -> Decision:
    if command.version != promise.version:
        return _conflict(command, promise, now)
    return _leased(promise, Leased(promise.id, TaskState.PENDING, promise.version, None, None, None))


def _hold(command: FenceTask, promise: Promise, now: int) -> Decision:
    if command.version != promise.version:
        return _conflict(command, promise, now)
    return Decision(Reply(Status.DONE, promise))


def _conflict(command: object, promise: Promise, now: int) -> Decision:
    return Decision(Reply(Status.CONFLICT, promise))


def _too_late(command: object, promise: Promise, now: int) -> Decision:
    return Decision(Reply(Status.SETTLED, promise))


Rule = Callable[..., Decision]

TABLE: dict[tuple[TaskState, type], Rule] = {
    (TaskState.ABSENT, AcquireTask): _conflict,
    (TaskState.ABSENT, HeartbeatTask): _conflict,
    (TaskState.ABSENT, ReleaseTask): _conflict,
    (TaskState.ABSENT, FenceTask): _conflict,
    (TaskState.PENDING, AcquireTask): _take,
    (TaskState.PENDING, HeartbeatTask): _conflict,
    (TaskState.PENDING, ReleaseTask): _conflict,
    (TaskState.PENDING, FenceTask): _conflict,
    (TaskState.ACQUIRED, AcquireTask): _conflict,
    (TaskState.ACQUIRED, HeartbeatTask): _extend,
    (TaskState.ACQUIRED, ReleaseTask): _give_back,
    (TaskState.ACQUIRED, FenceTask): _hold,
    (TaskState.FULFILLED, AcquireTask): _too_late,
    (TaskState.FULFILLED, HeartbeatTask): _too_late,
    (TaskState.FULFILLED, ReleaseTask): _too_late,
    (TaskState.FULFILLED, FenceTask): _too_late,
}
"""(task state, command) -> rule(command, promise, now). A settled promise without a task is answered by its promise
being settled, before this table is asked. DONE for a fence means that it holds: the machine goes on to its action."""

VERBS = (AcquireTask, HeartbeatTask, ReleaseTask, FenceTask)

_missing = {(state, verb) for state in TaskState for verb in VERBS} - TABLE.keys()
if _missing:
    raise AssertionError(f"the task table has no rule for {sorted(map(str, _missing))}")
