"""Every situation of a promise meets every command that is about the promise itself.

The grids are the law as a reader may check it. A cell names the status of the reply. A `+` in front: the deadline that
had passed is written down first. `done`: the command's own deltas follow, as `OWN` spells them; no other status has
deltas of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from dict_store import DictStore, pending

from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    AcceptPromise,
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    Decision,
    Deleted,
    Delta,
    ExpirePromise,
    FenceTask,
    ForgetPromise,
    HeartbeatTask,
    Inserted,
    Outcome,
    Promise,
    ReleaseTask,
    Reply,
    Settled,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    apply,
    project,
)

NOW = 1_000
PAST = 900
TIMER = {"resonate:timer": "true"}
IN, OUT = Value(data=b"in", size_bytes=2), Value(data=b"out", size_bytes=3)
CLAIM = Claim("claimant", 30_000)

QUEUED, ACQUIRED = TaskState.PENDING, TaskState.ACQUIRED


def settled(state: State, task: TaskState = TaskState.ABSENT, at: int = 500, timeout_at: int = NEVER) -> Promise:
    return replace(pending(timeout_at=timeout_at), state=state, value=OUT, settled_at=at, task=task, version=3)


SITUATIONS: dict[str, Promise | None] = {
    "absent": None,
    "pending": pending(),
    "pending_last_ms": pending(timeout_at=NOW + 1),
    "queued": pending(task=QUEUED, version=3),
    "acquired": pending(task=ACQUIRED, version=3),
    "acquired_lapsed": pending(task=ACQUIRED, version=3, lease_until=PAST),
    "expired": pending(timeout_at=PAST),
    "expired_this_ms": pending(timeout_at=NOW),
    "expired_queued": pending(timeout_at=PAST, task=QUEUED, version=3),
    "expired_held": pending(timeout_at=PAST, task=ACQUIRED, version=3),
    "expired_timer": pending(timeout_at=PAST, tags=TIMER),
    "expired_tm_held": pending(timeout_at=PAST, tags=TIMER, task=ACQUIRED, version=3),
    "resolved": settled(State.RESOLVED),
    "rejected": settled(State.REJECTED),
    "canceled": settled(State.CANCELED),
    "timedout": replace(settled(State.TIMEDOUT, at=PAST, timeout_at=PAST), value=EMPTY),
    "fulfilled": settled(State.RESOLVED, TaskState.FULFILLED),
    "fulfilled_rej": settled(State.REJECTED, TaskState.FULFILLED),
    "fulfilled_can": settled(State.CANCELED, TaskState.FULFILLED),
    "fulfilled_out": replace(settled(State.TIMEDOUT, TaskState.FULFILLED, PAST, PAST), value=EMPTY),
}

COMMANDS: dict[str, Command] = {
    "create": CreatePromise("p", param=IN, tags={"k": "v"}),
    "claim": CreatePromise("p", param=IN, tags={"k": "v"}, claim=CLAIM),
    "done": CreatePromise("p", param=IN, tags={"k": "v"}, outcome=Outcome(State.RESOLVED, OUT)),
    "failed": CreatePromise("p", param=IN, tags={"k": "v"}, outcome=Outcome(State.REJECTED, OUT)),
    "two": CreatePromise("p", claim=CLAIM, outcome=Outcome(State.RESOLVED, OUT)),
    "born_pend": CreatePromise("p", outcome=Outcome(State.PENDING, OUT)),
    "born_timed": CreatePromise("p", outcome=Outcome(State.TIMEDOUT)),
    "accept": AcceptPromise("p", "source", 3, IN, OUT),
    "own": AcceptPromise("p", "p", 3, IN, OUT),
    "resolve": SettlePromise("p", State.RESOLVED, OUT),
    "reject": SettlePromise("p", State.REJECTED, OUT),
    "cancel": SettlePromise("p", State.CANCELED, OUT),
    "fulfil": SettlePromise("p", State.RESOLVED, OUT, version=3),
    "fulfil_old": SettlePromise("p", State.RESOLVED, OUT, version=2),
    "to_pend": SettlePromise("p", State.PENDING, OUT),
    "to_timed": SettlePromise("p", State.TIMEDOUT, OUT),
    "expire": ExpirePromise("p"),
    "forget": ForgetPromise("p"),
}

CREATE_GRID = """
situation       create  claim   done    failed  two      born_pend born_timed accept   own
absent          done    done    done    done    invalid  invalid   invalid not_found invalid
pending         exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
pending_last_ms exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
queued          exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
acquired        exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
acquired_lapsed exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
expired         +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
expired_this_ms +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
expired_queued  +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
expired_held    +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
expired_timer   +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
expired_tm_held +exists +exists +exists +exists +invalid +invalid  +invalid +exists   +invalid
resolved        exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
rejected        exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
canceled        exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
timedout        exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
fulfilled       exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
fulfilled_rej   exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
fulfilled_can   exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
fulfilled_out   exists  exists  exists  exists  invalid  invalid   invalid exists    invalid
"""

GRID = """
situation       resolve   reject    cancel    fulfil    fulfil_old to_pend  to_timed expire    forget
absent          not_found not_found not_found not_found not_found  invalid  invalid  not_found not_found
pending         done      done      done      conflict  conflict   invalid  invalid  conflict  done
pending_last_ms done      done      done      conflict  conflict   invalid  invalid  conflict  done
queued          done      done      done      conflict  conflict   invalid  invalid  conflict  done
acquired        done      done      done      done      conflict   invalid  invalid  conflict  conflict
acquired_lapsed done      done      done      done      conflict   invalid  invalid  conflict  conflict
expired         +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
expired_this_ms +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
expired_queued  +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
expired_held    +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
expired_timer   +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
expired_tm_held +settled  +settled  +settled  +settled  +settled   +invalid +invalid +done     +done
resolved        settled   settled   settled   settled   settled    invalid  invalid  settled   done
rejected        settled   settled   settled   settled   settled    invalid  invalid  settled   done
canceled        settled   settled   settled   settled   settled    invalid  invalid  settled   done
timedout        settled   settled   settled   settled   settled    invalid  invalid  settled   done
fulfilled       settled   settled   settled   settled   settled    invalid  invalid  settled   done
fulfilled_rej   settled   settled   settled   settled   settled    invalid  invalid  settled   done
fulfilled_can   settled   settled   settled   settled   settled    invalid  invalid  settled   done
fulfilled_out   settled   settled   settled   settled   settled    invalid  invalid  settled   done
"""

BORN = Promise("p", State.PENDING, param=IN, value=EMPTY, tags={"k": "v"}, timeout_at=NEVER, created_at=NOW)

OWN: dict[str, tuple[Delta, ...]] = {
    "create": (Inserted(BORN),),
    "claim": (
        Inserted(replace(BORN, task=ACQUIRED, version=1, owner="claimant", lease_ms=30_000, lease_until=NOW + 30_000)),
    ),
    "done": (Inserted(replace(BORN, state=State.RESOLVED, value=OUT, settled_at=NOW)),),
    "failed": (Inserted(replace(BORN, state=State.REJECTED, value=OUT, settled_at=NOW)),),
    "resolve": (Settled("p", State.RESOLVED, OUT, NOW),),
    "reject": (Settled("p", State.REJECTED, OUT, NOW),),
    "cancel": (Settled("p", State.CANCELED, OUT, NOW),),
    "fulfil": (Settled("p", State.RESOLVED, OUT, NOW),),
    "expire": (),
}


def own_deltas(name: str, before: Promise | None) -> tuple[Delta, ...]:
    """What a command that is done writes; forgetting leaves the version of what it met as the fence."""
    if name == "forget":
        assert before is not None
        return (Deleted("p", before.version),)
    return OWN[name]


def deadline_delta(before: Promise) -> Delta:
    """What the deadline decides: the stamp is the deadline itself, the verdict the timer tag's, the value empty."""
    verdict = State.RESOLVED if before.tags == TIMER else State.TIMEDOUT
    return Settled("p", verdict, EMPTY, before.timeout_at)


def cells() -> list[tuple[str, str, str]]:
    found = []
    for grid in (CREATE_GRID, GRID):
        header, *lines = [line.split() for line in grid.strip().splitlines()]
        for situation, *row in lines:
            found += [(situation, command, cell) for command, cell in zip(header[1:], row, strict=True)]
    return found


def test_grid_covers_every_situation_and_command() -> None:
    """A situation or command that the grid forgets would go untested in silence."""
    assert sorted((s, c) for s in SITUATIONS for c in COMMANDS) == sorted((s, c) for s, c, _ in cells())


def test_situations_cover_every_state_of_promise_and_task() -> None:
    """A state added to the law must get its rows here."""
    rows = [row for row in SITUATIONS.values() if row is not None]
    assert set(State) == {row.state for row in rows}
    assert set(TaskState) == {row.task for row in rows}


def test_commands_cover_every_verb() -> None:
    """A verb added to the law must get its column here or in the task table."""
    here = {type(command) for command in COMMANDS.values()}
    assert set(get_args(Command)) == here | {AcquireTask, HeartbeatTask, ReleaseTask, FenceTask}


@pytest.mark.parametrize(("situation", "command", "cell"), [pytest.param(*c, id=f"{c[0]}-{c[1]}") for c in cells()])
def test_cell(situation: str, command: str, cell: str) -> None:
    """Status, deltas, and the record in the reply are what the grid says."""
    before = SITUATIONS[situation]
    store = DictStore() if before is None else DictStore(before)

    decision = apply(store, COMMANDS[command], NOW)

    status = Status(cell.removeprefix("+"))
    expected: tuple[Delta, ...] = ()
    if cell.startswith("+"):
        assert before is not None
        expected += (deadline_delta(before),)
    if status is Status.DONE:
        expected += own_deltas(command, before)
    assert status is decision.reply.status
    assert expected == decision.deltas

    if command == "forget" and status is Status.DONE:
        assert before is not None
        assert project(before, NOW) == decision.reply.promise  # as it was
    for delta in decision.deltas:
        store.write(delta)
    if command != "forget" or status is not Status.DONE:
        assert store.get("p") == decision.reply.promise  # as it is now


SOURCE_GRID = """
situation       accept    older
absent          not_found not_found
pending         conflict  conflict
pending_last_ms conflict  conflict
queued          going_on  conflict
acquired        conflict  conflict
acquired_lapsed conflict  conflict
expired         +conflict +conflict
expired_this_ms +conflict +conflict
expired_queued  +again    +conflict
expired_held    +again    +conflict
expired_timer   +conflict +conflict
expired_tm_held +valued   +conflict
resolved        valued    conflict
rejected        again     conflict
canceled        again     conflict
timedout        again     conflict
fulfilled       valued    conflict
fulfilled_rej   again     conflict
fulfilled_can   again     conflict
fulfilled_out   again     conflict
"""
"""What is accepted, in each situation, with its version (3) and with an older one. Done are: `going_on`, it is canceled
and pending under the new id; `valued`, the new one is resolved; `again`, the new one is pending."""


def source_cells() -> list[tuple[str, int, str]]:
    header, *lines = [line.split() for line in SOURCE_GRID.strip().splitlines()]
    assert ["accept", "older"] == header[1:]
    assert [*SITUATIONS] == [line[0] for line in lines]
    return [(line[0], version, cell) for line in lines for version, cell in zip((3, 2), line[1:], strict=True)]


@pytest.mark.parametrize(
    ("situation", "version", "cell"), [pytest.param(*c, id=f"{c[0]}-{c[1]}") for c in source_cells()]
)
def test_what_is_accepted_decides_what_is_made(situation: str, version: int, cell: str) -> None:
    """One decision over both promises: a value goes over, and so does what somebody has to go on with."""
    source = SITUATIONS[situation]
    store = DictStore(*filter(None, [source]), fences={"new": 7})
    command = AcceptPromise("new", "p", version, IN, OUT, {"k": "v"}, NOW + 5)
    decision = store.submit(command, NOW)
    due = (deadline_delta(source),) if cell.startswith("+") and source is not None else ()
    born = replace(BORN, id="new", version=7)
    queued = replace(born, task=QUEUED, timeout_at=NOW + 5)
    expected: dict[str, tuple[Status, tuple[Delta, ...]]] = {
        "valued": (Status.DONE, (Inserted(replace(born, state=State.RESOLVED, value=OUT, settled_at=NOW)),)),
        "again": (Status.DONE, (Inserted(queued),)),
        "going_on": (
            Status.DONE,
            (Settled("p", State.CANCELED, EMPTY, NOW), Inserted(replace(queued, timeout_at=NEVER))),
        ),
    }
    outcome = cell.removeprefix("+")
    status, deltas = expected[outcome] if outcome in expected else (Status(outcome), ())
    assert status is decision.reply.status
    assert due + deltas == decision.deltas
    assert store.get("new" if status is Status.DONE else "p") == decision.reply.promise


def test_what_goes_on_keeps_its_deadline() -> None:
    store = DictStore(pending(task=QUEUED, version=3, timeout_at=NOW + 1))
    made = store.submit(AcceptPromise("new", "p", 3, timeout_at=NOW + 100), NOW).reply.promise
    assert made is not None
    assert (State.PENDING, NOW + 1) == (made.state, made.timeout_at)


def test_what_is_accepted_too_late_to_be_run_again_is_timed_out_from_birth() -> None:
    store = DictStore(settled(State.REJECTED))
    made = store.submit(AcceptPromise("new", "p", 3, timeout_at=PAST), NOW).reply.promise
    assert made is not None
    assert (State.TIMEDOUT, TaskState.FULFILLED, PAST) == (made.state, made.task, made.settled_at)
    assert store.get("new") == made


FENCED = [
    pytest.param(situation, action, cell, id=f"{situation}-{name}")
    for situation, name, cell in cells()
    if isinstance(action := COMMANDS[name], CreatePromise | SettlePromise)
]


@pytest.mark.parametrize(("situation", "action", "cell"), FENCED)
def test_fence_that_holds_changes_nothing_about_its_action(
    situation: str, action: CreatePromise | SettlePromise, cell: str
) -> None:
    """Each cell again, said by the holder of another task; only what is wrong by itself is refused at the fence."""
    before = SITUATIONS[situation]
    parent = pending("parent", task=ACQUIRED, version=7)
    alone = apply(DictStore(*filter(None, [before])), action, NOW)
    fenced = apply(DictStore(*filter(None, [before, parent])), FenceTask("parent", 7, action), NOW)
    if cell.endswith("invalid"):
        assert Decision(Reply(Status.INVALID, parent)) == fenced
    else:
        assert alone == fenced


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "absent"])
def test_projection_is_what_the_deadline_writes(situation: str) -> None:
    """A reader sees what the next command would write, and once settled sees it for good."""
    before = SITUATIONS[situation]
    assert before is not None
    store = DictStore(before)
    store.submit(ExpirePromise("p"), NOW)
    seen = project(before, NOW)
    assert store.get("p") == seen
    assert situation.startswith("expired") is (before != seen)
    if seen.state.is_settled:
        assert seen is project(seen, NOW + 10**9)


@pytest.mark.parametrize("timeout_at", [PAST, NOW], ids=["past", "this_ms"])
@pytest.mark.parametrize(
    ("claim", "outcome"),
    [(None, None), (CLAIM, None), (None, Outcome(State.CANCELED, OUT))],
    ids=["untasked", "claimed", "done"],
)
@pytest.mark.parametrize(
    ("tags", "verdict"),
    [
        pytest.param({}, State.TIMEDOUT, id="plain"),
        pytest.param(TIMER, State.RESOLVED, id="timer"),
        pytest.param({"resonate:timer": "True"}, State.TIMEDOUT, id="not_quite_timer"),
    ],
)
def test_born_settled(
    timeout_at: int, claim: Claim | None, outcome: Outcome | None, tags: dict[str, str], verdict: State
) -> None:
    """A promise created at or past its deadline is settled by it from birth, and nobody is given its task."""
    store = DictStore()
    decision = store.submit(CreatePromise("p", timeout_at, IN, tags, claim, outcome), NOW)
    born = decision.reply.promise
    assert Status.DONE is decision.reply.status
    assert born is not None
    assert [Inserted] == [type(delta) for delta in decision.deltas]
    assert store.get("p") == born
    assert (verdict, EMPTY, IN, tags) == (born.state, born.value, born.param, born.tags)
    assert (timeout_at, timeout_at, timeout_at) == (born.created_at, born.settled_at, born.timeout_at)
    assert (TaskState.FULFILLED if claim else TaskState.ABSENT) is born.task
    assert (None, None, None) == (born.owner, born.lease_ms, born.lease_until)


@pytest.mark.parametrize("state", [State.RESOLVED, State.REJECTED, State.CANCELED])
def test_born_with_its_outcome(state: State) -> None:
    """Work that was done before anybody heard of it is one write: born, settled, and without a task to take."""
    store = DictStore()
    born = store.submit(CreatePromise("p", NOW + 1, IN, outcome=Outcome(state, OUT)), NOW).reply.promise
    assert born is not None
    assert (state, OUT, IN) == (born.state, born.value, born.param)
    assert (NOW, NOW, NOW + 1) == (born.created_at, born.settled_at, born.timeout_at)
    assert (TaskState.ABSENT, 0, None, None, None) == (
        born.task,
        born.version,
        born.owner,
        born.lease_ms,
        born.lease_until,
    )
    assert born is project(born, NOW + 10**9)


@pytest.mark.parametrize("fence", [0, 1, 7])
@pytest.mark.parametrize(
    ("claim", "outcome"),
    [(None, None), (CLAIM, None), (None, Outcome(State.RESOLVED))],
    ids=["untasked", "claimed", "done"],
)
def test_an_id_made_again_starts_beyond_its_fence(fence: int, claim: Claim | None, outcome: Outcome | None) -> None:
    """No version of a task is ever given out twice for one id, forgotten or not."""
    store = DictStore(fences={"p": fence})
    born = store.submit(CreatePromise("p", claim=claim, outcome=outcome), NOW).reply.promise
    assert born is not None
    assert fence + (1 if claim else 0) == born.version


def test_create_ignores_what_a_second_creator_asks() -> None:
    """First write wins: other param, tags, deadline, claim or outcome of a later creator change nothing."""
    store = DictStore()
    first = store.submit(CreatePromise("p", NEVER, IN, {"k": "v"}), NOW).reply.promise
    for claim, outcome in ((CLAIM, None), (None, Outcome(State.RESOLVED, OUT))):
        second = store.submit(CreatePromise("p", PAST, OUT, {"k": "w"}, claim, outcome), NOW + 5)
        assert (Status.EXISTS, first, ()) == (second.reply.status, second.reply.promise, second.deltas)


def test_commands_touch_only_their_own_promise() -> None:
    """A neighbour whose deadline has passed is somebody else's to write down."""
    neighbour = pending("q", timeout_at=PAST)
    for command in COMMANDS.values():
        store = DictStore(pending(), neighbour)
        store.submit(command, NOW)
        assert neighbour is store.get("q")
