"""The tries of a promise: those in rows of their own, and the one that the promise tells of by itself.

A first try has no row unless it ends otherwise than by settling its promise: a promise that is acquired says when and
by whom it was begun, and a settled one carries the owner and the times of the try that settled it in its value's
headers. So a call that runs once and returns writes its promise's row twice, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from resonate_nb.protocol import Promise, State, TaskState
from resonate_nb.store import Attempt

FAILED = ("failed", "late")
"""Outcomes of a try that came to its end, and after which the body is to run again."""
SPENT = (*FAILED, "rejected", "lost")
"""Outcomes that count against a policy's number of attempts; an interrupted try does not."""


def tries_of(promise: Promise, rows: Sequence[Attempt]) -> tuple[Attempt, ...]:
    """All tries in order of number; the last one has no outcome while it runs."""
    headers = promise.value.headers
    if promise.state is State.PENDING:
        if promise.owner is None or rows:
            return tuple(rows)
        return (Attempt(promise.id, 1, promise.owner, promise.created_at),)
    if "owner" not in headers:  # settled by its deadline, by a person, or by an earlier version of this package
        if promise.state is not State.TIMEDOUT:
            return tuple(rows)
        # Whoever ran the last one has not come back from it, or never will.
        deadline = promise.timeout_at
        return tuple(row if row.outcome is not None else ended(row, deadline, "late", None) for row in rows)
    number = int(headers.get("attempt", "1"))
    begun = next((row for row in rows if row.number == number), None)
    started_at = promise.created_at if begun is None else begun.started_at
    if promise.task is TaskState.ABSENT:
        started_at -= elapsed_ms(promise)  # it was made when its body had ended
    last = Attempt(
        promise.id,
        number,
        headers["owner"],
        started_at,
        promise.settled_at,
        _number(headers, "elapsed_us"),
        _number(headers, "cpu_us"),
        promise.value.size_bytes if promise.state is State.RESOLVED and "not_stored" not in headers else None,
        promise.state.value,
        headers.get("error"),
    )
    return (*(row for row in rows if row.number < number), last)


def ended(attempt: Attempt, ended_at: int, outcome: str, error: str | None) -> Attempt:
    """The try, over."""
    return replace(attempt, ended_at=ended_at, outcome=outcome, error=error)


def spent(tries: Sequence[Attempt]) -> int:
    """How many of a policy's attempts these have used up."""
    return sum(attempt.outcome in SPENT for attempt in tries)


def elapsed_ms(promise: Promise) -> int:
    """How long the try took that settled the promise, in milliseconds; 0 where that is not known."""
    return (_number(promise.value.headers, "elapsed_us") or 0) // 1000


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None
