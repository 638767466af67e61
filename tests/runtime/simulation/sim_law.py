"""The law alone: many owners throw commands at a few promises, each by what it saw last, however long ago that was.

Owners forget nothing they were told, and act on it: on versions that others have long taken, on promises that are
settled or gone. What they get for it is judged by what an owner may rely on, and every commit by the ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from sim_ledger import Ledger, Violation, hold
from sim_machine import Machine, Seat

from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    TIMER_TAG,
    AcceptPromise,
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    Decision,
    ExpirePromise,
    FenceTask,
    ForgetPromise,
    HeartbeatTask,
    Outcome,
    Promise,
    ReleaseTask,
    Reply,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    View,
    apply,
)

Law = Callable[[View, Command, int], Decision]
IDS = ("a", "a", "a~2")
CHILDREN = ("a:1", "a:2")


class _History:
    def __init__(self, seed: int, law: Law) -> None:
        self.random = Random(seed)
        self.law = law
        self.machine = Machine()
        self.ledger = Ledger(self.machine)
        self.ledger.may_settle = self._may_settle
        # The law knows nothing of who lives: any owner may give back what it has seen, and take it.
        self.machine.observe = self.ledger.committed
        self.owners = [self.machine.open(f"o{number}") for number in range(3)]
        self.seen: dict[str, dict[str, Promise]] = {owner.owner: {} for owner in self.owners}
        self.held: dict[str, dict[str, int]] = {owner.owner: {} for owner in self.owners}
        """The version of each task that the owner was the last to take by itself, whoever has it now."""
        self.said: Command | None = None
        self.values = 0
        self.met: Counter[str] = Counter()
        self.told: list[tuple[object, ...]] = []

    def _may_settle(self, by: str, id: str, version: int) -> bool:
        """It took this version itself; or the settlement carries none, and comes from outside or from whoever holds
        the task around it."""
        said = self.said.action if isinstance(self.said, FenceTask) else self.said
        carries_none = isinstance(said, SettlePromise) and said.version is None
        return carries_none or self.held[by].get(id) == version

    def step(self) -> None:
        random, clock = self.random, self.machine.clock
        if random.random() < 0.3:
            clock.advance(random.choice([1, 5, 20]))
        if random.random() < 0.02:
            clock.advance_wall(random.choice([-10, 30]))
            self.ledger.clock_went_back = True
        owner = random.choice(self.owners)
        self.submit(owner, self.command(owner))

    def command(self, owner: Seat) -> Command:
        random = self.random
        id = random.choice(IDS)
        known = self.seen[owner.owner].get(id)
        version = 0 if known is None else known.version
        if random.random() < 0.1:
            version += random.choice([-1, 1])
        mine = self.held[owner.owner].get(id, 0)
        match random.choices(range(10), (20, 25, 12, 3, 10, 15, 8, 3, 4, 8))[0]:
            case 0:
                return self.create(id, owner)
            case 1:
                return AcquireTask(id, version, Claim(owner.owner, random.choice([5, 50])))
            case 2:
                return SettlePromise(id, self.outcome(), self.value(), mine)
            case 3:
                return SettlePromise(id, self.outcome(), self.value())
            case 4:
                return HeartbeatTask(id, mine)
            case 5:
                return ReleaseTask(id, version)
            case 6:
                child = random.choice(CHILDREN)
                action = self.create(child, owner) if random.random() < 0.7 else SettlePromise(child, self.outcome())
                return FenceTask("a", self.held[owner.owner].get("a", 0), action)
            case 7:
                return ExpirePromise(self.overdue() or id)
            case 8:
                other = random.choice((*IDS, "b", "b~2"))
                return AcceptPromise(other, id, version, EMPTY, self.value(), {}, self.deadline())
            case _:
                return ForgetPromise(id)

    def overdue(self) -> str | None:
        """Whose deadline has passed without anybody writing it down: timers look for these, and chance seldom would."""
        now = self.machine.clock.now_ms()
        promises = self.machine.state.promises.values()
        return next((each.id for each in promises if each.state is State.PENDING and each.timeout_at <= now), None)

    def create(self, id: str, owner: Seat) -> CreatePromise:
        random = self.random
        timeout_at = self.deadline()
        tags = {TIMER_TAG: "true"} if random.random() < 0.2 else {}
        kind = random.random()
        claim = Claim(owner.owner, random.choice([5, 50])) if kind < 0.8 else None
        outcome = Outcome(self.outcome(), self.value()) if kind > 0.95 else None
        return CreatePromise(id, timeout_at, EMPTY, tags, claim, outcome)

    def deadline(self) -> int:
        random = self.random
        return NEVER if random.random() < 0.5 else self.machine.clock.now_ms() + random.choice([-1, 0, 3, 30])

    def outcome(self) -> State:
        return self.random.choice([State.RESOLVED, State.RESOLVED, State.REJECTED, State.CANCELED])

    def value(self) -> Value:
        self.values += 1
        data = b"%d" % self.values
        return Value({}, data, None, len(data))

    def submit(self, owner: Seat, command: Command) -> None:
        now = self.machine.clock.now_ms()
        self.said = command
        with owner.write() as transaction:
            before = self.machine.state
            decision = self.law(transaction, command, now)
            if decision.deltas:
                transaction.apply(decision.deltas)
        reply = decision.reply
        self.told.append((now, owner.owner, command, "->", reply.status, reply.promise))
        self.met[f"{type(command).__name__} {reply.status}"] += 1
        self.judge(owner, command, reply, before, now)
        if reply.promise is not None:
            self.seen[owner.owner][reply.promise.id] = reply.promise
        action = command.action if isinstance(command, FenceTask) else command
        if (
            reply.status is Status.DONE
            and isinstance(action, CreatePromise | AcquireTask)
            and reply.promise is not None
        ):
            self.held[owner.owner][reply.promise.id] = reply.promise.version

    def judge(self, owner: Seat, command: Command, reply: Reply, before: Any, now: int) -> None:
        """What an owner may rely on."""
        state, promise = self.machine.state, reply.promise
        if promise is not None:
            is_overdue = promise.state is State.PENDING and promise.timeout_at <= now
            hold(not is_overdue, "an answer that its deadline has overtaken", command, reply)
            if not (isinstance(command, ForgetPromise) and reply.status is Status.DONE):
                hold(state.promises.get(promise.id) == promise, "an answer that is not what is stored", command, reply)
        if reply.status is Status.DONE:
            self.judge_done(owner, command, promise, before)
        else:
            for id, row in state.promises.items():
                was = before.promises.get(id)
                is_by_deadline = was is not None and was.timeout_at == row.settled_at and was.timeout_at <= now
                hold(was is row or is_by_deadline, "a refused command changed something", command, was, row)

    def judge_done(self, owner: Seat, command: Command, promise: Promise | None, before: Any) -> None:
        assert promise is not None
        held = before.promises.get(command.id)
        match command:
            case SettlePromise():
                hold((command.state, command.value) == (promise.state, promise.value), "another outcome", promise)
                if command.version is not None:
                    is_held = held.task is TaskState.ACQUIRED and held.version == command.version
                    hold(is_held, "settled by who does not hold it", command, held)
            case AcquireTask():
                hold(promise.owner == owner.owner and held.task is TaskState.PENDING, "taken twice", command, held)
                hold(promise.version == held.version + 1, "taken without a new version", command, promise)
            case HeartbeatTask() | ReleaseTask():
                is_held = held.task is TaskState.ACQUIRED and held.version == command.version
                hold(is_held, "kept or given back by who does not hold it", command, held)
            case FenceTask():
                is_held = held.task is TaskState.ACQUIRED and held.version == command.version
                hold(is_held, "a fence that does not hold", command, held)
            case AcceptPromise():
                source, after = before.promises[command.source], self.machine.state.promises[command.source]
                hold(source.version == command.version, "accepted in another version than was seen", command, source)
                hold(source.task is not TaskState.ACQUIRED or after.state.is_settled, "taken from who holds it", source)
                hold(after.state.is_settled, "two may run what was accepted", command, after)
                if after.state is State.RESOLVED:
                    hold((State.RESOLVED, command.value) == (promise.state, promise.value), "another value", promise)
                else:
                    hold(promise.state is not State.RESOLVED, "a value of what had none", after, promise)
            case ForgetPromise():
                is_free = held.task is not TaskState.ACQUIRED or held.timeout_at <= self.machine.clock.now_ms()
                hold(is_free, "forgotten while it runs", command, held)


def run_law(seed: int, steps: int = 20, law: Law = apply) -> Counter[str]:
    """Play one history of commands; what was answered, counted.

    Raises:
        Violation: an invariant did not hold; the message has the history.
    """
    history = _History(seed, law)
    try:
        for _ in range(steps):
            history.step()
        hold([] == history.machine.rows.check(), "the store is not sound", history.machine.rows.check())
    except Violation as found:
        lines = [" ".join(map(str, line)) for line in history.told]
        raise Violation(f"seed {seed}, {len(lines)} commands: {found}\n" + "\n".join(lines)) from None
    return history.met
