"""What holds at every commit, whoever makes it: the invariants of promises and tasks, written down a second time.

The ledger sees the rows before and after each commit and who made it. It shares no code with the law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sim_machine import Machine

from resonate_nb.protocol import EMPTY, NEVER, TIMER_TAG, Promise, State, TaskState, split_id
from resonate_nb.store import Attempt

BIRTH = ("id", "param", "tags", "timeout_at", "created_at")
SPENT = ("failed", "rejected", "late", "lost")


class Violation(AssertionError):
    """Something has happened that never may."""


def hold(condition: object, what: str, *about: object) -> None:
    if not condition:
        raise Violation(f"{what}: {', '.join(map(str, about))}")


def sound(promise: Promise) -> str | None:
    """What is wrong with a record by itself (PROTOCOL 5)."""
    is_pending = promise.state is State.PENDING
    is_acquired = promise.task is TaskState.ACQUIRED
    lease = (promise.owner, promise.lease_ms, promise.lease_until)
    if promise.created_at > promise.timeout_at:
        return "created after its deadline"
    if (promise.settled_at is None) != is_pending:
        return "an instant of settlement on a pending promise, or none on a settled one"
    if is_pending and promise.value != EMPTY:
        return "pending with a value"
    if promise.settled_at is not None and promise.settled_at > promise.timeout_at:
        return "settled after its deadline"
    if promise.state is State.TIMEDOUT:
        if promise.settled_at != promise.timeout_at or promise.value != EMPTY:
            return "timed out with a value, or at another instant than its deadline"
        if promise.tags.get(TIMER_TAG) == "true":
            return "a timer that timed out"
    if (None not in lease) != is_acquired or (not is_acquired and lease != (None, None, None)):
        return "owner and lease do not belong to an acquired task"
    if is_acquired and (promise.version < 1 or not is_pending):
        return "acquired at version 0, or settled while acquired"
    if promise.task is not TaskState.ABSENT and (promise.task is TaskState.FULFILLED) is is_pending:
        return "settlement and fulfilment do not go together"
    return None


class Ledger:
    """All that was ever seen of one store."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.acquired: dict[tuple[str, int], str] = {}
        """Who took which version of which task; nobody takes it again."""
        self.fences: dict[str, int] = {}
        """The highest version that there was of the task of an id."""
        self.clock_went_back = False
        self.may_settle: Callable[[str, str, int], bool] = lambda by, id, version: True
        """Whether the owner holds this version at this moment, in the very call that commits."""
        self.may_take: Callable[[str, Promise], str | None] = lambda by, promise: None
        """Why this owner may not take the task from the one who has it."""
        self.may_follow: Callable[[str, Promise, Promise], str | None] = lambda by, before, after: None
        """Why this generation may not come after the one that is stored and resolved."""
        self.may_cancel: Callable[[str, Promise], bool] = lambda by, promise: True
        """Whether who commits may cancel what somebody runs."""
        self.max_attempts: Callable[[Promise], int | None] = lambda promise: None
        self.is_disturbed = False
        """Some tries could not be written down."""

    def committed(self, before: Any, after: Any, by: str) -> None:
        """Called by the machine after each commit."""
        for id, promise in after.promises.items():
            former = before.promises.get(id)
            if former is not promise:
                wrong = sound(promise)
                hold(wrong is None, str(wrong), promise)
                if former is None:
                    self._born(promise, before, by)
                else:
                    self._changed(former, promise, by)
        for id, promise in before.promises.items():
            if id not in after.promises:
                self._forgotten(promise, after, by)
        for id, rows in after.attempts.items():
            if before.attempts.get(id) is not rows:
                self._tried(id, before.attempts.get(id, {}), rows, after)

    def _born(self, promise: Promise, before: Any, by: str) -> None:
        id = promise.id
        fence = self.fences.get(id, 0)
        if promise.settled_at is not None and not self.clock_went_back:
            hold(promise.created_at <= promise.settled_at, "settled before it was created", promise)
        self._child(promise, before, by)
        is_queued = promise.task is TaskState.PENDING or (
            promise.task is TaskState.FULFILLED and promise.version == fence and promise.state is State.TIMEDOUT
        )
        if promise.task is TaskState.ABSENT or is_queued:
            hold(fence == promise.version, "a version that moved without an acquisition", promise)
        else:
            # Born acquired, or its deadline had passed at birth.
            hold(promise.version == fence + 1, "the version of a task did not go on where it stopped", promise, fence)
            self._acquire(promise, by)
            if promise.state.is_settled and promise.settled_at != promise.timeout_at:
                hold(self.may_settle(by, id, promise.version), "settled by who does not hold it", promise, by)
        base, generation = split_id(id)
        if generation > 1 and promise.task is not TaskState.ABSENT:
            last = before.promises.get(base if generation == 2 else f"{base}~{generation - 1}")
            if last is not None and last.state is State.RESOLVED:
                why_not = self.may_follow(by, last, promise)
                hold(why_not is None, f"computed again, though {why_not}", last, promise)

    def _child(self, promise: Promise, before: Any, by: str) -> None:
        """Only who holds the call around it, or the call around that, may make a child."""
        above, fence = promise.id, None
        while ":" in above and fence is None:
            above = above.rpartition(":")[0]
            row = before.promises.get(above)
            fence = row if row is not None and row.task is not TaskState.ABSENT else None
        if above == promise.id:
            return
        is_held = fence is not None and fence.task is TaskState.ACQUIRED and fence.owner == by
        hold(is_held, "a child was made by who does not hold what is around it", promise, fence, by)
        hold(self.may_settle(by, fence.id, fence.version), "a child was made by another call", promise, fence, by)

    def _acquire(self, promise: Promise, by: str) -> None:
        key = (promise.id, promise.version)
        hold(key not in self.acquired, "two winners of one version", key, self.acquired.get(key), by)
        self.acquired[key] = by
        self.fences[promise.id] = promise.version
        if promise.task is TaskState.ACQUIRED:
            hold(promise.owner == by, "taken in the name of another", promise, by)

    def _changed(self, former: Promise, promise: Promise, by: str) -> None:
        hold(former.state is State.PENDING, "a settled promise has changed", former, promise)
        for name in BIRTH:
            hold(getattr(former, name) == getattr(promise, name), f"{name} has changed", former, promise)
        is_by_deadline = promise.state is State.TIMEDOUT or (
            promise.state is State.RESOLVED and promise.settled_at == promise.timeout_at
        )
        was_taken = former.task is TaskState.ACQUIRED and (
            promise.version != former.version
            or promise.task is TaskState.PENDING
            or (promise.state.is_settled and not is_by_deadline)
        )
        if was_taken and promise.state is State.CANCELED:
            hold(self.may_cancel(by, former), "cancelled by a call while its owner is at it", former, by)
        elif was_taken and former.owner != by:
            why_not = self.may_take(by, former)
            hold(why_not is None, f"taken from an owner that {why_not}", former, promise, by)
        if promise.version != former.version:
            hold(promise.version == former.version + 1, "the version did not rise by one", former, promise)
            if former.task is TaskState.ACQUIRED and former.owner == by:
                why_not = self.may_take(by, former)
                hold(why_not is None, f"taken from a call of its own that {why_not}", former, promise, by)
            self._acquire(promise, by)
        elif former.task is not TaskState.ACQUIRED:
            hold(promise.task is not TaskState.ACQUIRED, "acquired without a new version", former, promise)
        elif promise.task is TaskState.ACQUIRED:
            hold(promise.owner == former.owner, "the owner changed within a version", former, promise)
        if promise.state in (State.RESOLVED, State.REJECTED) and not is_by_deadline:
            hold(self.may_settle(by, promise.id, promise.version), "settled by who does not hold it", promise, by)
        if not self.clock_went_back and promise.settled_at is not None:
            hold(promise.created_at <= promise.settled_at, "settled before it was created", promise)

    def _forgotten(self, promise: Promise, after: Any, by: str) -> None:
        hold(after.fences.get(promise.id) == promise.version, "forgotten without its fence", promise)
        if promise.task is TaskState.ACQUIRED and self._machine.clock.now_ms() < promise.timeout_at:
            why_not = self.may_take(by, promise)
            hold(why_not is None, f"forgotten while its owner {why_not}", promise, by)

    def _tried(self, id: str, before: Mapping[int, Attempt], rows: Mapping[int, Attempt], after: Any) -> None:
        promise = after.promises.get(id)
        hold(promise is not None, "a try of no promise", id)
        if self.is_disturbed:
            return
        for number, attempt in rows.items():
            former = before.get(number)
            if former is attempt or former == attempt:
                continue
            hold(number >= 1, "a try without a number", attempt)
            if former is not None:
                hold(former.outcome is None, "a try that is over has changed", former, attempt)
                hold(
                    (former.owner, former.started_at) == (attempt.owner, attempt.started_at),
                    "two tries of one number",
                    former,
                    attempt,
                )
            else:
                later = [other for other in before if other > number]
                hold(not later, "a try was entered after later ones", attempt, later)
            most = self.max_attempts(promise)
            if attempt.retry_at is not None and most is not None:
                spent = sum(each.outcome in SPENT for each in rows.values())
                hold(spent < most, "another try is to follow beyond the budget", spent, most, attempt)
            if attempt.retry_at is not None and promise.timeout_at != NEVER:
                hold(attempt.retry_at < promise.timeout_at, "a try is to follow after the deadline", attempt, promise)
