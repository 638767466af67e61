"""What the protocol speaks about: promises with their tasks, values, and the deltas by which they change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from resonate_nb.records import dataclass

NEVER = 2**53 - 1
"""The deadline of a promise without one: the largest integer every wire format carries exactly."""

TIMER_TAG = "resonate:timer"
"""A promise tagged so with "true" resolves at its deadline instead of timing out (PROTOCOL 1.7)."""


class State(StrEnum):
    """States of a promise, spelled as on the wire."""

    PENDING = "pending"
    RESOLVED = "resolved"
    REJECTED = "rejected"
    CANCELED = "rejected_canceled"
    TIMEDOUT = "rejected_timedout"

    @property
    def is_settled(self) -> bool:
        return self is not State.PENDING


class TaskState(StrEnum):
    """States of the task of a promise: the claimable right to run its function."""

    ABSENT = "absent"
    """The promise has no function to run: somebody else settles it."""
    PENDING = "pending"
    ACQUIRED = "acquired"
    FULFILLED = "fulfilled"


@dataclass(frozen=True, slots=True)
class Value:
    """What a promise was created with or settled to. The law copies it and never looks inside."""

    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    """The bytes themselves, when they lie in the row."""
    file: str | None = None
    """Name of the value file that holds the bytes instead; never set together with `data`."""
    size_bytes: int = 0


EMPTY = Value()


@dataclass(frozen=True, slots=True)
class Promise:
    """A durable promise and its task, one record."""

    id: str
    state: State
    param: Value
    value: Value
    """Empty until settled, and after a deadline."""
    tags: Mapping[str, str]
    timeout_at: int
    """Deadline in epoch milliseconds; immutable; `NEVER` when there is none."""
    created_at: int
    settled_at: int | None = None
    """Set exactly when state is not pending; the deadline itself when it settled by deadline."""
    task: TaskState = TaskState.ABSENT
    version: int = 0
    """The task's fencing number: rises by one on each acquisition and at no other time."""
    owner: str | None = None
    """Process that holds the task; set exactly while the task is acquired."""
    lease_ms: int | None = None
    """Length of the lease in milliseconds; set exactly while the task is acquired."""
    lease_until: int | None = None
    """End of the lease in epoch milliseconds; set exactly while the task is acquired."""

    @property
    def is_timer(self) -> bool:
        return self.tags.get(TIMER_TAG) == "true"


@dataclass(frozen=True, slots=True)
class Inserted:
    """Delta: a promise that was absent is there."""

    promise: Promise


@dataclass(frozen=True, slots=True)
class Settled:
    """Delta: a pending promise settles; its task, if it has one, is fulfilled and its lease gone."""

    id: str
    state: State
    value: Value
    settled_at: int


@dataclass(frozen=True, slots=True)
class Leased:
    """Delta: the task changes hands or its lease moves."""

    id: str
    task: TaskState
    version: int
    owner: str | None
    lease_ms: int | None
    lease_until: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """Delta: the promise is gone; the store keeps `version` as the fence of its id."""

    id: str
    version: int


Delta = Inserted | Settled | Leased | Deleted


def split_id(id: str) -> tuple[str, int]:
    """The id without its generation, and the generation from 1.

    Only a suffix ``~2``, ``~3``, … without leading zeros is a generation, so that splitting and `join_id` are
    inverse for every string an id may be.
    """
    base, mark, suffix = id.rpartition("~")
    if (
        mark
        and base
        and suffix.isascii()
        and suffix.isdigit()
        and suffix[0] != "0"
        and suffix != "1"
        and len(suffix) < 10
    ):
        return base, int(suffix)
    return id, 1


def join_id(base: str, generation: int) -> str:
    """The id of a generation, counted from 1; the first one has no suffix."""
    return base if generation == 1 else f"{base}~{generation}"
