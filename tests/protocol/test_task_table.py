"""Every situation of a task meets every command that needs its version, with the right, an old and a future one.

Cells read as in the promise table: the reply's status, `+` where a deadline is written down first.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from dict_store import DictStore, pending

from resonate_nb.protocol import (
    EMPTY,
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    Delta,
    FenceTask,
    ForgetPromise,
    HeartbeatTask,
    Inserted,
    Leased,
    Outcome,
    Promise,
    ReleaseTask,
    Settled,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    apply,
)

NOW = 1_000
PAST = 900
OUT = Value(data=b"out", size_bytes=3)
QUEUED, ACQUIRED, FULFILLED = TaskState.PENDING, TaskState.ACQUIRED, TaskState.FULFILLED
NEXT = Claim("next", 30_000)


def settled(state: State, task: TaskState) -> Promise:
    return replace(pending(), state=state, settled_at=500, task=task, version=3)


SITUATIONS: dict[str, Promise | None] = {
    "absent": None,
    "untasked": pending(version=3),
    "queued": pending(task=QUEUED, version=3),
    "acquired": pending(task=ACQUIRED, version=3),
    "lapsed": pending(task=ACQUIRED, version=3, lease_until=PAST),
    "expired_untasked": pending(timeout_at=PAST, version=3),
    "expired_queued": pending(timeout_at=PAST, task=QUEUED, version=3),
    "expired_acquired": pending(timeout_at=PAST, task=ACQUIRED, version=3),
    "expired_this_ms": pending(timeout_at=NOW, task=ACQUIRED, version=3),
    "resolved_untasked": settled(State.RESOLVED, TaskState.ABSENT),
    "rejected_untasked": settled(State.REJECTED, TaskState.ABSENT),
    "resolved": settled(State.RESOLVED, FULFILLED),
    "rejected": settled(State.REJECTED, FULFILLED),
    "canceled": settled(State.CANCELED, FULFILLED),
    "timedout": settled(State.TIMEDOUT, FULFILLED),
}

VERSIONS = {"old": 2, "": 3, "future": 4}
VERBS = ("acquire", "heartbeat", "release", "resolve", "reject", "cancel", "fence")


def command(verb: str, version: int) -> Command:
    match verb:
        case "acquire":
            return AcquireTask("p", version, NEXT)
        case "heartbeat":
            return HeartbeatTask("p", version)
        case "release":
            return ReleaseTask("p", version)
        case "resolve":
            return SettlePromise("p", State.RESOLVED, OUT, version)
        case "reject":
            return SettlePromise("p", State.REJECTED, OUT, version)
        case "cancel":
            return SettlePromise("p", State.CANCELED, OUT, version)
        case "fence":
            return FenceTask("p", version, CreatePromise("child", outcome=Outcome(State.RESOLVED, OUT)))
    raise AssertionError(verb)


GRID = """
situation         acquire   heartbeat release   resolve   reject    cancel    fence
absent            not_found not_found not_found not_found not_found not_found not_found
untasked          conflict  conflict  conflict  conflict  conflict  conflict  conflict
queued            done      conflict  conflict  conflict  conflict  conflict  conflict
acquired          conflict  done      done      done      done      done      done
lapsed            conflict  done      done      done      done      done      done
expired_untasked  +settled  +settled  +settled  +settled  +settled  +settled  +settled
expired_queued    +settled  +settled  +settled  +settled  +settled  +settled  +settled
expired_acquired  +settled  +settled  +settled  +settled  +settled  +settled  +settled
expired_this_ms   +settled  +settled  +settled  +settled  +settled  +settled  +settled
resolved_untasked settled   settled   settled   settled   settled   settled   settled
rejected_untasked settled   settled   settled   settled   settled   settled   settled
resolved          settled   settled   settled   settled   settled   settled   settled
rejected          settled   settled   settled   settled   settled   settled   settled
canceled          settled   settled   settled   settled   settled   settled   settled
timedout          settled   settled   settled   settled   settled   settled   settled
"""

OWN: dict[str, tuple[Delta, ...]] = {
    "acquire": (Leased("p", ACQUIRED, 4, "next", 30_000, NOW + 30_000),),
    "heartbeat": (Leased("p", ACQUIRED, 3, "worker", 60_000, NOW + 60_000),),
    "release": (Leased("p", QUEUED, 3, None, None, None),),
    "resolve": (Settled("p", State.RESOLVED, OUT, NOW),),
    "reject": (Settled("p", State.REJECTED, OUT, NOW),),
    "cancel": (Settled("p", State.CANCELED, OUT, NOW),),
    "fence": (Inserted(replace(pending("child"), state=State.RESOLVED, value=OUT, created_at=NOW, settled_at=NOW)),),
}


def cells() -> list[tuple[str, str, str, str]]:
    """The grid, once per version: what is done with the right one is a conflict with any other, all else is equal."""
    header, *lines = [line.split() for line in GRID.strip().splitlines()]
    found = []
    for line in lines:
        for verb, cell in zip(header[1:], line[1:], strict=True):
            for age in VERSIONS:
                found.append((line[0], verb, age, "conflict" if age and cell == "done" else cell))
    return found


def test_grid_covers_every_situation_and_verb() -> None:
    """A situation or verb that the grid forgets would go untested in silence."""
    assert [(s, v, a) for s in SITUATIONS for v in VERBS for a in VERSIONS] == [(s, v, a) for s, v, a, _ in cells()]


def test_situations_cover_every_pair_of_states_that_can_be() -> None:
    """A task is absent or fulfilled once its promise has settled, and anything but fulfilled before."""
    rows = [row for row in SITUATIONS.values() if row is not None]
    assert set(TaskState) - {FULFILLED} == {row.task for row in rows if row.state is State.PENDING}
    assert set(State) - {State.PENDING} == {row.state for row in rows if row.task is FULFILLED}


@pytest.mark.parametrize(
    ("situation", "verb", "age", "cell"),
    [pytest.param(*c, id="-".join(part for part in c[:3] if part)) for c in cells()],
)
def test_cell(situation: str, verb: str, age: str, cell: str) -> None:
    """Status, deltas, and the record in the reply are what the grid says."""
    before = SITUATIONS[situation]
    store = DictStore() if before is None else DictStore(before)

    decision = apply(store, command(verb, VERSIONS[age]), NOW)

    status = Status(cell.removeprefix("+"))
    expected: tuple[Delta, ...] = ()
    if cell.startswith("+"):
        assert before is not None
        expected += (Settled("p", State.TIMEDOUT, EMPTY, before.timeout_at),)
    if status is Status.DONE:
        expected += OWN[verb]
    assert status is decision.reply.status
    assert expected == decision.deltas
    for delta in decision.deltas:
        store.write(delta)
    of = "child" if verb == "fence" and status is Status.DONE else "p"
    assert store.get(of) == decision.reply.promise


def test_settling_without_a_version_ends_the_task_of_whoever_holds_it() -> None:
    """A person may settle a promise that a worker runs; the worker is told at its next word."""
    store = DictStore(pending(task=ACQUIRED, version=3))
    store.submit(SettlePromise("p", State.CANCELED), NOW)
    row = store.get("p")
    assert row is not None
    assert (FULFILLED, 3, None, None, None) == (row.task, row.version, row.owner, row.lease_ms, row.lease_until)
    for late in (HeartbeatTask("p", 3), ReleaseTask("p", 3), SettlePromise("p", State.RESOLVED, OUT, 3)):
        decision = store.submit(late, NOW + 1)
        assert (Status.SETTLED, row, ()) == (decision.reply.status, decision.reply.promise, decision.deltas)


def test_former_owner_is_refused_after_a_takeover() -> None:
    """The version is the fence: what was acquired, released and acquired again is not the former owner's any more."""
    store = DictStore()
    store.submit(CreatePromise("p", claim=Claim("first", 100)), NOW)
    store.submit(ReleaseTask("p", 1), NOW + 200)
    taken = store.submit(AcquireTask("p", 1, Claim("second", 100)), NOW + 200).reply.promise
    assert taken is not None
    assert ("second", 2) == (taken.owner, taken.version)
    for late in (HeartbeatTask("p", 1), ReleaseTask("p", 1), SettlePromise("p", State.RESOLVED, OUT, 1)):
        decision = store.submit(late, NOW + 300)
        assert (Status.CONFLICT, taken, ()) == (decision.reply.status, decision.reply.promise, decision.deltas)


def test_versions_are_not_given_out_again_after_forgetting() -> None:
    """An owner from before a forgotten promise cannot settle the one that has its id now."""
    store = DictStore()
    for life in range(1, 4):
        born = store.submit(CreatePromise("p", claim=NEXT), NOW).reply.promise
        assert born is not None
        assert life == born.version
        assert Status.CONFLICT is store.submit(SettlePromise("p", State.RESOLVED, OUT, life - 1), NOW).reply.status
        assert Status.DONE is store.submit(ReleaseTask("p", life), NOW).reply.status
        assert Status.DONE is store.submit(ForgetPromise("p"), NOW).reply.status


class CountingStore(DictStore):
    """Says which ids were looked up."""

    def __init__(self, *rows: Promise) -> None:
        super().__init__(*rows)
        self.looked_up: list[str] = []

    def get(self, id: str) -> Promise | None:
        self.looked_up.append(id)
        return super().get(id)


ACTIONS: dict[str, CreatePromise | SettlePromise] = {
    "create": CreatePromise("child"),
    "done": CreatePromise("child", outcome=Outcome(State.RESOLVED, OUT)),
    "settle": SettlePromise("child", State.RESOLVED, OUT),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_fence_costs_one_look_up_of_each(action: CreatePromise | SettlePromise) -> None:
    """It stands in the hottest path of a workflow: a look-up more would be felt ten thousand times."""
    store = CountingStore(pending(task=ACQUIRED, version=3), pending("child"))
    apply(store, FenceTask("p", 3, action), NOW)
    assert ["p", "child"] == store.looked_up


REFUSED = [
    pytest.param(situation, version, id=f"{situation}-{version}")
    for situation in SITUATIONS
    for version in VERSIONS.values()
    if (situation, version) not in (("acquired", 3), ("lapsed", 3))
]


@pytest.mark.parametrize(("situation", "version"), REFUSED)
@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_fence_that_refuses_leaves_its_action_alone(
    situation: str, version: int, action: CreatePromise | SettlePromise
) -> None:
    """Who has lost the task is told so, and the child, even one past its deadline, is not so much as looked at."""
    before = SITUATIONS[situation]
    store = CountingStore(pending("child", timeout_at=PAST), *filter(None, [before]))
    decision = store.submit(FenceTask("p", version, action), NOW)
    assert ["p"] == store.looked_up
    assert {"p"} >= {delta.id for delta in decision.deltas if isinstance(delta, Settled)}
    assert situation.startswith("expired") is bool(decision.deltas)
    assert store.get("p") == decision.reply.promise


WRONG: dict[str, CreatePromise | SettlePromise] = {
    "creates_itself": CreatePromise("p"),
    "settles_itself": SettlePromise("p", State.RESOLVED, OUT, 3),
    "settles_as_no_client_may": SettlePromise("child", State.TIMEDOUT),
    "born_as_no_client_may": CreatePromise("child", outcome=Outcome(State.PENDING)),
    "claims_what_is_done": CreatePromise("child", claim=NEXT, outcome=Outcome(State.RESOLVED)),
}


@pytest.mark.parametrize("action", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_fence_of_a_wrong_action_is_invalid_whoever_asks(situation: str, action: CreatePromise | SettlePromise) -> None:
    """What no stored state could make right is said before the fence is asked; a deadline is written all the same."""
    before = SITUATIONS[situation]
    store = CountingStore(*filter(None, [before]))
    decision = store.submit(FenceTask("p", 3, action), NOW)
    assert ["p"] == store.looked_up
    assert Status.INVALID is decision.reply.status
    assert situation.startswith("expired") is bool(decision.deltas)
    assert store.get("p") == decision.reply.promise


def test_former_owner_has_no_children() -> None:
    """After a takeover, a step of the former holder is not recorded beside those of the new one."""
    store = DictStore(pending(task=ACQUIRED, version=3))
    store.submit(ReleaseTask("p", 3), NOW)
    taken = store.submit(AcquireTask("p", 3, NEXT), NOW).reply.promise
    late = store.submit(FenceTask("p", 3, ACTIONS["done"]), NOW)
    assert (Status.CONFLICT, taken, ()) == (late.reply.status, late.reply.promise, late.deltas)
    assert store.get("child") is None
    assert Status.DONE is store.submit(FenceTask("p", 4, ACTIONS["done"]), NOW).reply.status
