"""The machine: one command on one view at one instant comes to one decision. Pure; a refusal is a reply."""

from __future__ import annotations

from . import _promise, _task
from ._commands import (
    AcceptPromise,
    AcquireTask,
    Command,
    CreatePromise,
    Decision,
    ExpirePromise,
    FenceTask,
    HeartbeatTask,
    Outcome,
    ReleaseTask,
    Reply,
    SettlePromise,
    Status,
)
from ._promise import View, deadline_delta, project
from ._records import State

_CLIENT_STATES = frozenset({State.RESOLVED, State.REJECTED, State.CANCELED})


def apply(view: View, command: Command, now: int) -> Decision:
    """What `command` comes to at `now` (epoch milliseconds), given what `view` shows. Nothing is changed.

    A promise whose deadline has passed is settled by it first: that delta comes before those of the command, even
    when the command itself is refused.
    """
    stored = view.get(command.id)
    if stored is None:
        if _is_invalid(command):
            return Decision(Reply(Status.INVALID, None))
        if isinstance(command, CreatePromise):
            return _promise.insert(view, command, now)
        if isinstance(command, AcceptPromise):
            return _accept(view, command, now)
        return Decision(Reply(Status.NOT_FOUND, None))
    due = deadline_delta(stored, now)
    promise = project(stored, now) if due else stored
    if _is_invalid(command):
        decision = Decision(Reply(Status.INVALID, promise))
    elif isinstance(command, AcquireTask | HeartbeatTask | ReleaseTask | FenceTask):
        if promise.state.is_settled:
            decision = Decision(Reply(Status.SETTLED, promise))
        else:
            decision = _task.TABLE[promise.task, type(command)](command, promise, now)
            if isinstance(command, FenceTask) and decision.reply.status is Status.DONE:
                decision = apply(view, command.action, now)
    elif due and isinstance(command, ExpirePromise):
        decision = Decision(Reply(Status.DONE, promise))
    else:
        decision = _promise.TABLE[promise.state, type(command)](command, promise, now)
    if due:
        return Decision(decision.reply, due + decision.deltas)
    return decision


def _accept(view: View, command: AcceptPromise, now: int) -> Decision:
    """The promise is absent; what it is made of is judged as its deadline has left it, and that is written down."""
    stored = view.get(command.source)
    if stored is None:
        return Decision(Reply(Status.NOT_FOUND, None))
    decision = _promise.accept(view, command, project(stored, now), now)
    return Decision(decision.reply, deadline_delta(stored, now) + decision.deltas)


def _is_invalid(command: Command) -> bool:
    """Whether the command is wrong by itself, whatever is stored."""
    match command:
        case SettlePromise():
            return command.state not in _CLIENT_STATES
        case CreatePromise(outcome=Outcome() as outcome):
            return command.claim is not None or outcome.state not in _CLIENT_STATES
        case FenceTask():
            return command.action.id == command.id or _is_invalid(command.action)
        case AcceptPromise():
            return command.source == command.id
    return False
