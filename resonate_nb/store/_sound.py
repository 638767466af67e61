"""What a record can be and what it cannot."""

from __future__ import annotations

from resonate_nb.protocol import EMPTY, Promise, State, TaskState


def impossible(promise: Promise) -> str | None:
    """What no sequence of commands can have led to, in words; None for a sound record.

    A settlement earlier than the creation is not among them: clocks are set back.
    """
    for name, value in (("param", promise.param), ("value", promise.value)):
        if value.data is not None and value.file is not None:
            return f"its {name} lies both in the row and in a file"
    return _wrong_state(promise) or _wrong_task(promise)


def _wrong_state(promise: Promise) -> str | None:
    if promise.state is State.PENDING:
        if promise.settled_at is not None:
            return "pending with an instant of settlement"
        if promise.value != EMPTY:
            return "pending with a value"
    elif promise.settled_at is None:
        return "settled without an instant of settlement"
    elif promise.state is State.TIMEDOUT and promise.settled_at != promise.timeout_at:
        return "timed out at another instant than its deadline"
    return None


def _wrong_task(promise: Promise) -> str | None:
    lease = (promise.owner, promise.lease_ms, promise.lease_until)
    if promise.task is TaskState.ACQUIRED:
        if promise.state is not State.PENDING:
            return "settled with an acquired task"
        if None in lease:
            return "acquired without an owner and a lease"
        if promise.version < 1:
            return "acquired at version 0"
    elif lease != (None, None, None):
        return f"owner or lease on a task that is {promise.task}"
    elif promise.task is not TaskState.ABSENT:
        is_fulfilled = promise.task is TaskState.FULFILLED
        if is_fulfilled != promise.state.is_settled:
            return f"{promise.state} with a task that is {promise.task}"
    return None
