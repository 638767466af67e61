"""The machine against the naive model, over random histories; and the invariants of PROTOCOL 5, after each step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any, ClassVar, get_args

import hypothesis.strategies as st
import pytest
from dict_store import DictStore
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from model import Answer, Model, Row

from resonate_nb.clock import ManualClock
from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    ExpirePromise,
    ForgetPromise,
    HeartbeatTask,
    Inserted,
    Promise,
    ReleaseTask,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    project,
)

TIMER = {"resonate:timer": "true"}

ids = st.sampled_from(["a", "a~2"])
"""Few, so that commands meet one another's promises."""
deadlines = st.sampled_from([None, -7, -1, 0, 1, 5, 5, 20, 20, 60])
"""Milliseconds from now, so that some are past at birth and some pass while things happen; None for no deadline."""
tags = st.sampled_from([{}, {}, TIMER, {"resonate:timer": "no", "team": "x"}])
values = st.sampled_from([EMPTY, Value(data=b"1", size_bytes=1), Value({"h": "v"}, file="f", size_bytes=9)])
claims = st.builds(Claim, st.sampled_from(["one", "two"]), st.integers(1, 40))
client_states = st.sampled_from([State.RESOLVED, State.REJECTED, State.CANCELED])
off_by = st.sampled_from([0, 0, 0, 0, -1, 1])
"""Most commands carry the version that stands, or runs would be refusals only."""

TASK_FIELDS = ("task", "version", "owner", "lease_ms", "lease_until")
BIRTH_FIELDS = ("id", "param", "tags", "timeout_at", "created_at")


class Comparison(RuleBasedStateMachine):
    """Each command goes to both; they answer alike, and hold the same rows ever after."""

    seen: ClassVar[Counter[tuple[type[Command], Status, bool]]] = Counter()
    """Over the whole run: which command came to which status, and whether it met a deadline nobody had written."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.store = DictStore()
        self.model = Model()
        self.acquisitions: set[tuple[str, int]] = set()
        self.before: dict[str, Promise] = {}

    def meet(self, command: Command, expected: Answer) -> None:
        """Submit, and hold the reply, the deltas and the rows against the model's answer."""
        now = self.clock.now_ms()
        self.before = dict(self.store.rows)
        found = self.before.get(command.id)
        decision = self.store.submit(command, now)
        reply = decision.reply
        status, row = expected
        assert status == reply.status, f"{command} on {found} at {now}"
        assert row == (None if reply.promise is None else as_row(reply.promise))

        was_due = found is not None and project(found, now) is not found
        if reply.status is not Status.DONE:
            left = {} if found is None else {found.id: project(found, now)}
            assert self.before | left == self.store.rows, "a refused command changed something"
            assert was_due == bool(decision.deltas)
        for delta in decision.deltas:
            assert command.id == (delta.promise.id if isinstance(delta, Inserted) else delta.id)
        if isinstance(command, CreatePromise | AcquireTask) and reply.status is Status.DONE:
            self.note_acquisition(reply.promise)
        self.seen[type(command), reply.status, was_due] += 1

    def note_acquisition(self, promise: Promise | None) -> None:
        assert promise is not None
        if promise.task is not TaskState.ABSENT:
            one = (promise.id, promise.version)
            assert one not in self.acquisitions, "two winners of one version"
            self.acquisitions.add(one)

    def version_of(self, id: str, off: int) -> int:
        row = self.store.get(id)
        return off + (self.store.fence(id) if row is None else row.version)

    @rule(milliseconds=st.integers(0, 8))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)
        self.before = dict(self.store.rows)

    @rule(id=ids, off=st.sampled_from([-1, 0, 0, 1]), verb=st.sampled_from(get_args(Command)), claim=claims)
    def deadline_comes(self, id: str, off: int, verb: type[Command], claim: Claim) -> None:
        """Go to the very edge of a deadline, where the rules change, and say one word there."""
        row = self.store.get(id)
        if row is None or row.timeout_at == NEVER:
            self.create(id, 5, EMPTY, {}, claim)
            row = self.store.rows[id]
        self.time_passes(max(0, row.timeout_at + off - self.clock.now_ms()))
        self.speak(verb, id, claim)

    def speak(self, verb: type[Command], id: str, claim: Claim) -> None:
        words: dict[type[Command], Callable[[], None]] = {
            CreatePromise: lambda: self.create(id, None, EMPTY, {}, claim),
            SettlePromise: lambda: self.settle(id, State.RESOLVED, EMPTY),
            AcquireTask: lambda: self.acquire(id, 0, claim),
            HeartbeatTask: lambda: self.heartbeat(id, 0),
            ReleaseTask: lambda: self.release(id, 0),
            ExpirePromise: lambda: self.expire(id),
            ForgetPromise: lambda: self.forget(id),
        }
        words[verb]()

    @initialize(claim=claims)
    def begin(self, claim: Claim) -> None:
        """Start every history with a promise that somebody runs, or most of it would meet nothing."""
        self.create("a", 20, EMPTY, {}, claim)

    @rule(id=ids, deadline=deadlines, param=values, tags=tags)
    def create_untasked(self, id: str, deadline: int | None, param: Value, tags: dict[str, str]) -> None:
        self.create(id, deadline, param, tags, None)

    @rule(id=ids, deadline=deadlines, param=values, tags=tags, claim=claims)
    def create_claimed(self, id: str, deadline: int | None, param: Value, tags: dict[str, str], claim: Claim) -> None:
        self.create(id, deadline, param, tags, claim)

    @rule(id=ids, deadline=deadlines, tags=tags, claim=claims)
    def create_anew(self, id: str, deadline: int | None, tags: dict[str, str], claim: Claim) -> None:
        """Forget what has the id, if that is allowed, and start over; chance alone meets mostly settled promises."""
        self.forget(id)
        self.create(id, deadline, EMPTY, tags, claim)

    @rule(id=ids, claim=claims)
    def hand_over(self, id: str, claim: Claim) -> None:
        """The walk of a takeover: two right words in a row, which chance alone seldom says."""
        self.release(id, 0)
        self.acquire(id, 0, claim)

    def create(self, id: str, deadline: int | None, param: Value, tags: dict[str, str], claim: Claim | None) -> None:
        now = self.clock.now_ms()
        timeout_at = NEVER if deadline is None else now + deadline
        expected = self.model.create(
            id, now, timeout_at, param, tags, None if claim is None else (claim.owner, claim.lease_ms)
        )
        self.meet(CreatePromise(id, timeout_at, param, tags, claim), expected)

    @rule(id=ids, state=client_states, value=values)
    def settle(self, id: str, state: State, value: Value) -> None:
        expected = self.model.settle(id, self.clock.now_ms(), str(state), value, None)
        self.meet(SettlePromise(id, state, value), expected)

    @rule(id=ids, state=client_states, value=values, off=off_by)
    def fulfil(self, id: str, state: State, value: Value, off: int) -> None:
        version = self.version_of(id, off)
        expected = self.model.settle(id, self.clock.now_ms(), str(state), value, version)
        self.meet(SettlePromise(id, state, value, version), expected)

    @rule(id=ids, state=st.sampled_from([State.PENDING, State.TIMEDOUT]), off=st.one_of(st.none(), off_by))
    def settle_as_no_client_may(self, id: str, state: State, off: int | None) -> None:
        version = None if off is None else self.version_of(id, off)
        expected = self.model.settle(id, self.clock.now_ms(), str(state), EMPTY, version)
        self.meet(SettlePromise(id, state, EMPTY, version), expected)

    @rule(id=ids, off=off_by, claim=claims)
    def acquire(self, id: str, off: int, claim: Claim) -> None:
        version = self.version_of(id, off)
        expected = self.model.acquire(id, self.clock.now_ms(), version, claim.owner, claim.lease_ms)
        self.meet(AcquireTask(id, version, claim), expected)

    @rule(id=ids, off=off_by)
    def heartbeat(self, id: str, off: int) -> None:
        version = self.version_of(id, off)
        self.meet(HeartbeatTask(id, version), self.model.heartbeat(id, self.clock.now_ms(), version))

    @rule(id=ids, off=off_by)
    def release(self, id: str, off: int) -> None:
        version = self.version_of(id, off)
        self.meet(ReleaseTask(id, version), self.model.release(id, self.clock.now_ms(), version))

    @rule(id=ids)
    def expire(self, id: str) -> None:
        self.meet(ExpirePromise(id), self.model.expire(id, self.clock.now_ms()))

    @rule(id=ids)
    def forget(self, id: str) -> None:
        self.meet(ForgetPromise(id), self.model.forget(id, self.clock.now_ms()))

    @invariant()
    def rows_are_equal_as_any_reader_sees_them(self) -> None:
        now = self.clock.now_ms()
        self.model.sweep(now)
        assert self.model.rows == {id: as_row(project(row, now)) for id, row in self.store.rows.items()}
        assert self.model.stopped_at == self.store.fences

    @invariant()
    def each_record_is_sound(self) -> None:
        for row in self.store.rows.values():
            assert_sound(row)
            assert_sound(project(row, self.clock.now_ms()))

    @invariant()
    def each_step_is_lawful(self) -> None:
        for id, after in self.store.rows.items():
            if id in self.before and after is not self.before[id]:
                assert_lawful_step(self.before[id], after)


def as_row(promise: Promise) -> Row:
    """Plain values as the model holds them; no value and the empty value are one thing there."""
    row: dict[str, Any] = {field.name: getattr(promise, field.name) for field in fields(promise)}
    if promise.value == EMPTY and promise.settled_at in (None, promise.timeout_at):
        row["value"] = None
    return row


def assert_sound(row: Promise) -> None:
    """What holds of every record, whatever its history (PROTOCOL 5, Promise and Task)."""
    assert row.created_at <= row.timeout_at
    assert row.state.is_settled == (row.settled_at is not None)
    if row.settled_at is None:
        assert EMPTY == row.value
    else:
        assert row.created_at <= row.settled_at <= row.timeout_at
        if row.settled_at == row.timeout_at:  # by deadline: at or past it no client settles
            assert EMPTY == row.value
            assert (State.RESOLVED if row.tags == TIMER else State.TIMEDOUT) is row.state
        else:
            assert State.TIMEDOUT is not row.state
    held = row.task is TaskState.ACQUIRED
    assert held == (row.owner is not None) == (row.lease_ms is not None) == (row.lease_until is not None)
    assert row.version >= (0 if row.task is TaskState.ABSENT else 1)
    if row.task is not TaskState.ABSENT:
        assert row.state.is_settled == (row.task is TaskState.FULFILLED)


def assert_lawful_step(before: Promise, after: Promise) -> None:
    """What holds between a record and the next one of its id, while it is not forgotten (PROTOCOL 5)."""
    assert not before.state.is_settled, "a settled record changed"
    assert picked(before, BIRTH_FIELDS) == picked(after, BIRTH_FIELDS)
    assert (before.task is TaskState.ABSENT) == (after.task is TaskState.ABSENT)
    acquired = before.task is TaskState.PENDING and after.task is TaskState.ACQUIRED
    assert before.version + acquired == after.version
    if before.task is TaskState.PENDING and not after.state.is_settled:
        assert TaskState.ACQUIRED is after.task
    if after.state.is_settled:
        assert (None, None, None) == (after.owner, after.lease_ms, after.lease_until)


def picked(promise: Promise, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(promise, name) for name in names}


@pytest.mark.slow
def test_machine_and_model_agree() -> None:
    """The run counts only if every command succeeded, was refused, and met an unwritten deadline."""
    Comparison.seen.clear()
    run_state_machine_as_test(
        Comparison,
        settings=settings(
            max_examples=300,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    verbs = set(get_args(Command))
    seen = Comparison.seen
    assert verbs == {verb for verb, status, _ in seen if status is Status.DONE}
    assert verbs == {verb for verb, status, _ in seen if status is not Status.DONE}
    assert verbs == {verb for verb, _, was_due in seen if was_due}
    assert set(Status) == {status for _, status, _ in seen}
