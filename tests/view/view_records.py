"""Records as the runtime makes them, for tests of what is drawn of them."""

from __future__ import annotations

from collections.abc import Mapping

from resonate_nb.protocol import EMPTY, NEVER, Promise, State, TaskState, Value
from resonate_nb.runtime import Record, Shown
from resonate_nb.store import Attempt, OwnerInfo

T0 = 1_700_000_000_000
OWNER = OwnerInfo("owner-1", 4711, "lab-7", T0 - 60_000, is_alive=True)
DEAD = OwnerInfo("owner-0", 3902, "lab-7", T0 - 90_000, is_alive=False)

_STATES = {
    Shown.RESOLVED: State.RESOLVED,
    Shown.REJECTED: State.REJECTED,
    Shown.CANCELED: State.CANCELED,
    Shown.TIMEDOUT: State.TIMEDOUT,
}


def make_record(
    id: str = "clean/4be1f09c66d2a370@a91c03f7",
    shown: Shown = Shown.RESOLVED,
    *,
    created_at: int = T0,
    took_ms: int | None = 4_200,
    size_bytes: int = 1_200_000,
    error: str | None = None,
    replays: int = 0,
    saved_ms: int = 0,
    marks: tuple[str, ...] = (),
    owner: OwnerInfo | None = OWNER,
    attempts: int = 1,
    headers: Mapping[str, str] | None = None,
    name: str | None = None,
    arguments: Mapping[str, str] | None = None,
    retry_at: int | None = None,
    timeout_at: int = NEVER,
    tags: Mapping[str, str] | None = None,
    now: int = T0,
) -> Record:
    """One promise that is shown so, with attempts that fit."""
    state = _STATES.get(shown, State.PENDING)
    is_settled = state is not State.PENDING
    settled_at = created_at + (took_ms or 0) if is_settled else None
    tries = []
    for number in range(1, attempts + 1):
        is_last = number == attempts
        if shown is Shown.RETRYING:
            at = created_at + number * 20_000
            tries.append(
                Attempt(
                    id,
                    number,
                    "lab-7-4711-0a1b2c3d",
                    at,
                    at + 1_500,
                    1_500_000,
                    40_000,
                    None,
                    "failed",
                    error,
                    retry_at,
                )
            )
        elif not is_last or shown is Shown.INTERRUPTED:
            tries.append(Attempt(id, number, "owner-0", created_at, created_at + 10, 10_000, None, None, "lost"))
        elif is_settled:
            outcome = "rejected" if error else "resolved"
            elapsed_us = None if took_ms is None else took_ms * 1000
            tries.append(
                Attempt(id, number, "owner-1", created_at, settled_at, elapsed_us, None, size_bytes, outcome, error)
            )
        else:
            tries.append(Attempt(id, number, "owner-1", created_at + 5))
    promise = Promise(
        id,
        state,
        Value({"name": name}) if name else EMPTY,
        Value(headers or {}, size_bytes=size_bytes) if is_settled else EMPTY,
        tags or {},
        timeout_at,
        created_at,
        settled_at,
        TaskState.FULFILLED if is_settled else TaskState.PENDING,
    )
    return Record(
        promise, shown, tuple(tries), owner if attempts else None, replays, saved_ms, marks, arguments or {}, now
    )
