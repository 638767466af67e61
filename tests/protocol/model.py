"""What the protocol says, once more and naively: dicts of plain values, no class or function of the machine.

Written from PROTOCOL 1.1, 1.2, 1.6 and 2.1 and the docstrings of records and commands, by someone who did not write
the machine. It differs in kind: time is swept eagerly over all rows before each command, where the machine settles
only the row it touches. So it is right only for a clock that does not go back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Answer = tuple[str, Row | None]
"""Status and the row as the reply should carry it."""

CLIENT_STATES = ("resolved", "rejected", "rejected_canceled")
_FOR_EVER = 2**53 - 1
_ACCEPTABLE = dict.fromkeys((*CLIENT_STATES, "rejected_timedout"), ("absent", "fulfilled")) | {"pending": ("pending",)}
"""Tasks of what may be accepted, by its state."""


class Model:
    """All promises as rows; what is written down already is told apart from what the deadline alone decided."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.stopped_at: dict[str, int] = {}
        """Version at which the task of a forgotten id stopped."""
        self.unwritten: set[str] = set()
        """Settled by their deadline, and touched by no command since."""

    def sweep(self, now: int) -> None:
        """Let every deadline up to `now` take effect."""
        for id, row in self.rows.items():
            if row["state"] == "pending" and row["timeout_at"] <= now:
                self._end(row, _verdict(row["tags"]), None, row["timeout_at"])
                self.unwritten.add(id)

    def create(
        self,
        id: str,
        now: int,
        timeout_at: int,
        param: object,
        tags: dict[str, str],
        claim: tuple[str, int] | None,
        outcome: tuple[str, object] | None,
    ) -> Answer:
        if _is_wrong_birth(claim, outcome):
            return "invalid", self._touch(id, now)
        if (found := self._touch(id, now)) is not None:
            return "exists", found
        last = self.stopped_at.get(id, 0)
        owner, lease_ms = claim or (None, None)
        row: Row = {
            "id": id,
            "state": "pending",
            "param": param,
            "value": None,
            "tags": tags,
            "timeout_at": timeout_at,
            "created_at": now,
            "settled_at": None,
            "task": "acquired" if claim else "absent",
            "version": last + 1 if claim else last,
            "owner": owner,
            "lease_ms": lease_ms,
            "lease_until": now + lease_ms if lease_ms is not None else None,
        }
        self.rows[id] = row
        if timeout_at <= now:
            row["created_at"] = timeout_at
            self._end(row, _verdict(tags), None, timeout_at)
        elif outcome:
            self._end(row, *outcome, now)
        return "done", dict(row)

    def accept(
        self,
        id: str,
        now: int,
        source: str,
        version: int,
        param: object,
        value: object,
        tags: dict[str, str],
        timeout_at: int,
        nothing: object,
    ) -> Answer:
        """`nothing` is the value of what is canceled, in the machine's words."""
        if id == source:
            return "invalid", self._touch(id, now)
        if (found := self._touch(id, now)) is not None:
            return "exists", found
        if (found := self._touch(source, now)) is None:
            return "not_found", None
        if found["version"] != version or found["task"] not in _ACCEPTABLE[found["state"]]:
            return "conflict", found
        if found["state"] == "resolved":
            return self.create(id, now, _FOR_EVER, param, tags, None, ("resolved", value))
        if found["state"] == "pending":
            timeout_at = found["timeout_at"]
            self._end(self.rows[source], "rejected_canceled", nothing, now)
        self.create(id, now, timeout_at, param, tags, None, None)
        row = self.rows[id]
        row["task"] = "pending" if row["state"] == "pending" else "fulfilled"
        return "done", dict(row)

    def settle(self, id: str, now: int, state: str, value: object, version: int | None) -> Answer:
        if state not in CLIENT_STATES:
            return "invalid", self._touch(id, now)
        if (found := self._touch(id, now)) is None:
            return "not_found", None
        if found["state"] != "pending":
            return "settled", found
        if version is not None and (found["task"], found["version"]) != ("acquired", version):
            return "conflict", found
        self._end(self.rows[id], state, value, now)
        return "done", dict(self.rows[id])

    def acquire(self, id: str, now: int, version: int, owner: str, lease_ms: int) -> Answer:
        refusal = self._refuse_task(id, now, "pending", version)
        if refusal:
            return refusal
        self.rows[id].update(
            task="acquired", version=version + 1, owner=owner, lease_ms=lease_ms, lease_until=now + lease_ms
        )
        return "done", dict(self.rows[id])

    def heartbeat(self, id: str, now: int, version: int) -> Answer:
        refusal = self._refuse_task(id, now, "acquired", version)
        if refusal:
            return refusal
        self.rows[id]["lease_until"] = now + self.rows[id]["lease_ms"]
        return "done", dict(self.rows[id])

    def release(self, id: str, now: int, version: int) -> Answer:
        refusal = self._refuse_task(id, now, "acquired", version)
        if refusal:
            return refusal
        self.rows[id].update(task="pending", owner=None, lease_ms=None, lease_until=None)
        return "done", dict(self.rows[id])

    def fence(self, id: str, now: int, version: int, verb: str, asked: dict[str, Any]) -> Answer:
        """`verb` is "create" or "settle", `asked` what it is asked with, but for the time."""
        if verb == "create":
            is_wrong = _is_wrong_birth(asked["claim"], asked["outcome"])
        else:
            is_wrong = asked["state"] not in CLIENT_STATES
        if is_wrong or asked["id"] == id:
            return "invalid", self._touch(id, now)
        act: Callable[..., Answer] = getattr(self, verb)
        return self._refuse_task(id, now, "acquired", version) or act(now=now, **asked)

    def expire(self, id: str, now: int) -> Answer:
        self.sweep(now)
        news = id in self.unwritten
        if (found := self._touch(id, now)) is None:
            return "not_found", None
        if found["state"] == "pending":
            return "conflict", found
        return ("done" if news else "settled"), found

    def forget(self, id: str, now: int) -> Answer:
        if (found := self._touch(id, now)) is None:
            return "not_found", None
        if found["task"] == "acquired":
            return "conflict", found
        del self.rows[id]
        self.stopped_at[id] = found["version"]
        return "done", found

    def _touch(self, id: str, now: int) -> Row | None:
        self.sweep(now)
        self.unwritten.discard(id)
        row = self.rows.get(id)
        return None if row is None else dict(row)

    def _refuse_task(self, id: str, now: int, needed: str, version: int) -> Answer | None:
        if (found := self._touch(id, now)) is None:
            return "not_found", None
        if found["state"] != "pending":
            return "settled", found
        if found["task"] != needed or found["version"] != version:
            return "conflict", found
        return None

    @staticmethod
    def _end(row: Row, state: str, value: object, at: int) -> None:
        row.update(state=state, value=value, settled_at=at, owner=None, lease_ms=None, lease_until=None)
        if row["task"] != "absent":
            row["task"] = "fulfilled"


def _verdict(tags: dict[str, str]) -> str:
    return "resolved" if tags.get("resonate:timer") == "true" else "rejected_timedout"


def _is_wrong_birth(claim: object, outcome: tuple[str, object] | None) -> bool:
    return outcome is not None and (claim is not None or outcome[0] not in CLIENT_STATES)
