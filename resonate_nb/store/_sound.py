"""What a record can be and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping

from resonate_nb.protocol import EMPTY, Promise, State, TaskState


def impossible(promise: Promise) -> str | None:
    """What no sequence of commands can have led to, in words; None for a sound record.

    A settlement earlier than the creation is not among them: clocks are set back.
    """
    return _wrong_type(promise) or _wrong_value(promise) or _wrong_state(promise) or _wrong_task(promise)


def _wrong_type(promise: Promise) -> str | None:
    """SQLite stores any type in any column, so a scribbled page may hold a text for an instant."""
    for name in ("timeout_at", "created_at", "version"):
        if not _is_count(getattr(promise, name)):
            return f"its {name} is {getattr(promise, name)!r}"
    for name in ("settled_at", "lease_ms", "lease_until"):
        if (found := getattr(promise, name)) is not None and not _is_count(found):
            return f"its {name} is {found!r}"
    if promise.owner is not None and not isinstance(promise.owner, str):
        return f"its owner is {promise.owner!r}"
    for name, mapping in (("tags", promise.tags), ("param", promise.param.headers), ("value", promise.value.headers)):
        texts = (text for item in mapping.items() for text in item) if isinstance(mapping, Mapping) else (None,)
        if not all(isinstance(text, str) for text in texts):
            return f"its {name} has headers that are no texts"
    return None


def _wrong_value(promise: Promise) -> str | None:
    for name, value in (("param", promise.param), ("value", promise.value)):
        if value.data is not None and value.file is not None:
            return f"its {name} lies both in the row and in a file"
        if not isinstance(value.data, bytes | None) or not isinstance(value.file, str | None):
            return f"its {name} is of no type that a value has"
        if not _is_count(value.size_bytes) or (value.data is not None and len(value.data) != value.size_bytes):
            return f"its {name} is not of {value.size_bytes!r} bytes"
    return None


def _is_count(found: object) -> bool:
    return type(found) is int and found >= 0


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
