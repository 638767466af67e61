"""Promises in a dict: the plainest view the machine can read from and the plainest writer of its deltas."""

from __future__ import annotations

from dataclasses import replace

from resonate_nb.protocol import (
    EMPTY,
    Command,
    Decision,
    Deleted,
    Delta,
    Inserted,
    Leased,
    Promise,
    Settled,
    State,
    TaskState,
    apply,
)


class DictStore:
    """Rows by id, and the fences of forgotten ids. Refuses a delta that does not fit the row it meets."""

    def __init__(self, *rows: Promise, fences: dict[str, int] | None = None) -> None:
        self.rows = {row.id: row for row in rows}
        self.fences = dict(fences or {})

    def get(self, id: str) -> Promise | None:
        return self.rows.get(id)

    def fence(self, id: str) -> int:
        return self.fences.get(id, 0)

    def submit(self, command: Command, now: int) -> Decision:
        """Decide, then write: what an engine does in one transaction."""
        decision = apply(self, command, now)
        for delta in decision.deltas:
            self.write(delta)
        return decision

    def write(self, delta: Delta) -> None:
        match delta:
            case Inserted(promise):
                assert promise.id not in self.rows, f"inserted over a row: {promise.id}"
                self.rows[promise.id] = promise
            case Settled(id, state, value, settled_at):
                row = self.rows[id]
                assert row.state is State.PENDING, f"settled twice: {row}"
                self.rows[id] = replace(
                    row,
                    state=state,
                    value=value,
                    settled_at=settled_at,
                    task=TaskState.ABSENT if row.task is TaskState.ABSENT else TaskState.FULFILLED,
                    owner=None,
                    lease_ms=None,
                    lease_until=None,
                )
            case Leased(id, task, version, owner, lease_ms, lease_until):
                row = self.rows[id]
                assert row.state is State.PENDING, f"leased after settlement: {row}"
                self.rows[id] = replace(
                    row, task=task, version=version, owner=owner, lease_ms=lease_ms, lease_until=lease_until
                )
            case Deleted(id, version):
                del self.rows[id]
                self.fences[id] = version


def pending(
    id: str = "p",
    *,
    timeout_at: int = 2**53 - 1,
    task: TaskState = TaskState.ABSENT,
    version: int = 0,
    lease_until: int = 60_500,
    tags: dict[str, str] | None = None,
) -> Promise:
    """A pending promise created at 100; an acquired one belongs to "worker" with a lease of 60 s."""
    held = task is TaskState.ACQUIRED
    return Promise(
        id=id,
        state=State.PENDING,
        param=EMPTY,
        value=EMPTY,
        tags=tags or {},
        timeout_at=timeout_at,
        created_at=100,
        task=task,
        version=version,
        owner="worker" if held else None,
        lease_ms=60_000 if held else None,
        lease_until=lease_until if held else None,
    )
