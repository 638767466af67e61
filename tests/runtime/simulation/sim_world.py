"""The world of one history: the machine, its processes, what was seen of them, and what holds for every call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, cast

from sim_ledger import Ledger, hold
from sim_machine import Machine
from sim_town import JOBS

from resonate_nb.codec import decode
from resonate_nb.protocol import Promise, State, TaskState, join_id, split_id
from resonate_nb.runtime import Engine, Identity, Request, Work, _context
from resonate_nb.runtime.call._claim import Claimed
from resonate_nb.runtime.call._result import Result

if TYPE_CHECKING:
    from sim_calls import Driver, Process


class World:
    """The machine, its processes, what was seen of them, and chance."""

    def __init__(
        self, random: Random, engine_class: type[Engine], names: Mapping[tuple[str, int], tuple[Work, Identity]]
    ) -> None:
        self.random = random
        self.machine = Machine()
        self.clock = self.machine.clock
        self.ledger = Ledger(self.machine)
        self.engine_class = engine_class
        self.names = names
        self.processes: list[Process] = []
        self.running: Driver | None = None
        self.trace: list[tuple[float, str, str, tuple[object, ...]]] = []
        self.values: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        """What has happened at all, so that a run that meets nothing is noticed."""
        self.is_calm = False
        """No body fails any more, and none takes long."""
        self.reruns: set[str] = set()
        """Generations that came because somebody asked for a rerun."""
        self.marked: set[str] = set()
        """Ids that were ever to run again."""
        self.free: set[tuple[str, str, int]] = set()
        """Owner, promise and version: tasks that were there to be taken when the owner came to write, or began without
        a claim; it cannot know better."""
        self.bodies: dict[tuple[str, int, int], str] = {}
        """Tries whose body has begun: promise's id and creation, number."""
        self.machine.observe = self._observe
        self.ledger.may_settle = self._may_settle
        self.ledger.may_take = self.may_take
        self.ledger.may_follow = self._may_follow
        self.ledger.may_cancel = lambda by, promise: self.running is None or self.may_take(by, promise) is None
        self.ledger.max_attempts = _max_attempts

    def note(self, who: str, what: str, *about: object) -> None:
        self.trace.append((self.clock.monotonic(), who, what, about))

    def process(self, owner: str) -> Process:
        return next(each for each in self.processes if each.name == owner)

    def _observe(self, before: Any, after: Any, by: str) -> None:
        self.note(by, "commits", before, after)
        if forgotten := before.promises.keys() - after.promises.keys():
            self.reruns -= forgotten
            self.bodies = {key: name for key, name in self.bodies.items() if key[0] not in forgotten}
        if self.running is not None and self.running.request.rerun:
            self.reruns |= {id for id in after.promises.keys() - before.promises.keys() if ":" not in id}
        self.ledger.committed(before, after, by)

    def _may_settle(self, by: str, id: str, version: int) -> bool:
        driver = self.running
        if driver is not None and driver.process.name == by and driver.holds(id, version):
            return True
        # What a call could not write down is written by its process, after the call.
        process = self.process(by)
        is_owed = any((command.id, command.version) == (id, version) for command, _ in process.engine.tasks._owed)
        return is_owed and not any(driver.holds(id, version) for driver in process.drivers)

    def may_take(self, by: str, promise: Promise) -> str | None:
        """Why not."""
        owner = cast(str, promise.owner)
        machine = self.machine
        if owner == by:
            is_held = any(driver.holds(promise.id, promise.version) for driver in self.process(by).drivers)
            return "is still at it" if is_held else None
        if (by, promise.id, promise.version) in self.free:
            return None
        if owner not in machine.living or (owner, promise.id, promise.version) in machine.let_go:
            return None
        if machine.homes[owner] != machine.homes[by]:
            is_leased = cast(int, promise.lease_until) > self.clock.now_ms()
            return "has a lease on another machine" if is_leased else None
        since = machine.stopped.get(owner)
        if since is None:
            return "lives"
        lasted = self.clock.monotonic() - since
        return None if lasted * 1000 >= cast(int, promise.lease_ms) else f"was stopped for {lasted} s only"

    def begin_body(self, driver: Driver, request: Request, claimed: Claimed) -> None:
        """A try begins: it may, and nobody else is at it."""
        promise = claimed.promise
        self.note(driver.name, "begins", f"try {claimed.number} of {promise.id}")
        self.seen["began"] += 1
        hold(self.clock.now_ms() < promise.timeout_at, "a try begins after the deadline", promise)
        if claimed.is_child:
            self._begin_child(claimed)
        row = self.machine.state.promises.get(promise.id)
        if claimed.is_unborn:
            if row is not None:
                self.free.add((driver.process.name, row.id, row.version))
            return
        is_ours = row is not None and (row.task, row.version, row.owner) == (
            TaskState.ACQUIRED,
            promise.version,
            driver.process.name,
        )
        hold(is_ours, "a try begins by who does not hold the task", claimed, row)
        key = (promise.id, promise.created_at, claimed.number)
        if not self.ledger.is_disturbed:
            hold(key not in self.bodies, "two tries of one number", key, self.bodies.get(key))
        self.bodies[key] = driver.name

    def _begin_child(self, claimed: Claimed) -> None:
        """Nothing that has resolved at this place, in this generation or one that it adopts, is done again."""
        promises = self.machine.state.promises
        root = promises.get(claimed.holding.id)
        if not self.is_held(claimed.holding):
            return  # a former owner, which goes on for its own caller, and stores nothing
        base = split_id(claimed.promise.id)[0]
        is_own = True
        while root is not None:
            place = f"{root.id}{base[len(claimed.holding.id) :]}"
            last = self.latest(place)
            if last is not None and last.state is State.RESOLVED and not self._is_asked_for(last):
                hold(False, "a step that was done is done again", last, claimed.promise)
            if last is not None and is_own:
                return
            adopted = None if root.id in self.reruns else root.param.headers.get("adopts")
            root, is_own = None if adopted is None else promises.get(adopted), False

    def _is_asked_for(self, promise: Promise) -> bool:
        """Whether it is to run again, or a call around it is: somebody has said so, or its value was not stored."""
        parts = promise.id.split(":")
        around = [self.machine.state.promises.get(":".join(parts[: n + 1])) for n in range(len(parts))]
        is_lost = any(each is not None and "not_stored" in each.value.headers for each in around)
        return is_lost or any(promise.id.startswith(id) for id in self.marked)

    def is_held(self, fence: Any) -> bool:
        """Whether what a call holds is still the task that it took."""
        row = self.machine.state.promises.get(fence.id)
        return row is not None and row.task is TaskState.ACQUIRED and row.version == fence.version

    def latest(self, base: str) -> Promise | None:
        """The highest generation that is stored."""
        found, promises = None, self.machine.state.promises
        for generation in range(1, self.machine.state.highest.get(base, 0) + 1):
            found = promises.get(join_id(base, generation), found)
        return found

    def stored(self, row: Promise) -> object:
        value = row.value
        data = value.data if value.file is None else self.machine.rows._files.get(value.file)
        if data is None:
            return None  # on a full disk, to forget makes room first
        return decode(value.headers["codec"], cast(bytes, data))

    def check_lane(self, request: Request, identity: Identity, value: object) -> Result:
        """What comes by the short way is what the long one would have brought."""
        self.seen["by the lane"] += 1
        around = _context.current()
        if request.work.options.keyed_by == "args":
            row = self.latest(identity.base)
        else:  # each value is of one run
            rows = self.machine.state.promises.values()
            mine = (each for each in rows if each.state is State.RESOLVED and "not_stored" not in each.value.headers)
            row = next((each for each in mine if ":" in each.id and self.stored(each) == value), None)
        if row is None:
            hold(around is not None and not self.is_held(around.fence), "a value that nobody stored", value)
            return Result(value, None, True)
        result = Result(value, row, True)
        self.check_result(request, result, is_look=request.work.options.keyed_by == "args")
        return result

    def check_result(self, request: Request, result: Result, is_look: bool) -> None:
        """What a caller is given is what is stored, and stays so. `is_look`: it neither ran nor waited."""
        promise = result.promise
        if promise is None:
            return
        around = _context.current() if request.work.options.keyed_by == "call" else None
        if around is not None and not self.is_held(around.fence):
            return  # it goes on for its own caller, with what it knew
        row = self.machine.state.promises.get(promise.id)
        if result.error is None and (result.replayed or result.entry is not None):
            hold(row is not None and row.state is State.RESOLVED, "a value that nobody stored", result, row)
            stored = self.stored(cast(Promise, row))
            is_gone = stored is None and row is not None and row.value.file is not None
            hold(is_gone or stored == result.value, "not the value that is stored", result.value, stored, row)
        if promise.state is State.TIMEDOUT and not self.ledger.is_disturbed:
            is_written = row is None or row.state.is_settled
            hold(is_written, "told of a deadline that is not written down", promise, row)
        if result.replayed and around is not None:
            is_own = promise.id.startswith(f"{around.id}:")
            hold(
                is_own or around.fence.id not in self.reruns,
                "a rerun uses the steps of the run before",
                promise,
                around.id,
            )
        if result.replayed and is_look:
            hold(row == self.latest(split_id(promise.id)[0]), "an old generation is replayed", promise, row)
            max_age = request.work.options.max_age
            if max_age is not None and row is not None and row.settled_at is not None:
                age = self.clock.now_ms() - row.settled_at
                hold(age <= max_age * 1000, "a value that is too old is replayed", row, age)

    def _may_follow(self, by: str, before: Promise, after: Promise) -> str | None:
        driver = self.running
        headers = before.value.headers
        if driver is None or "not_stored" in headers or "not_replayable" in headers:
            return None
        if before.value.file is not None and before.value.file not in self.machine.rows._files:
            return None  # on a full disk, to forget makes room first
        if any(before.param.headers[name] != after.param.headers[name] for name in ("code", "arguments")):
            return None
        request = driver.request
        if request.rerun or before.id in driver.marked:
            return None
        max_age = request.work.options.max_age
        if max_age is not None and self.clock.now_ms() - cast(int, before.settled_at) > max_age * 1000:
            return None
        return "its value is there"


def _max_attempts(promise: Promise) -> int | None:
    job = JOBS.get(promise.param.headers.get("name", ""))
    return None if job is None or job.options.retry is None else job.options.retry.max_attempts


def difference(before: Any, after: Any) -> str:
    parts = []
    for id, promise in after.promises.items():
        former = before.promises.get(id)
        if former is not promise:
            lease = "" if promise.owner is None else f" by {promise.owner}"
            parts.append(f"{id} {promise.state.value} {promise.task.value} v{promise.version}{lease}")
    parts += [f"{id} forgotten" for id in before.promises if id not in after.promises]
    for id, rows in after.attempts.items():
        former_rows = before.attempts.get(id, {})
        parts += [
            f"try {number} of {id}: {row.outcome or 'begun'}"
            for number, row in rows.items()
            if former_rows.get(number) is not row
        ]
    return "; ".join(parts)
