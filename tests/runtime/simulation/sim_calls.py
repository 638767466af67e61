"""Processes and the calls in them. A call is the runtime's own brain, driven by hand: what takes time (a body, a wait,
a pause) takes turns here.

What is modelled is the leg (`call` of `runtime/call/_drive.py`) and the body; all the rest is the real thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from random import Random
from threading import Lock
from typing import Any, Literal, cast

from sim_ledger import Ledger, Violation, hold
from sim_machine import Killed, Machine, Seat

from resonate_nb.codec import Signer, decode
from resonate_nb.errors import (
    DriftError,
    DurableTimeoutError,
    PromiseBusyError,
    PromiseNotFoundError,
    RejectedError,
    StoreError,
    WaitCycleError,
)
from resonate_nb.fingerprint import CodeKey, Subject
from resonate_nb.protocol import Promise, State, TaskState, join_id, split_id
from resonate_nb.retry import Constant, Exponential
from resonate_nb.runtime import MISS, Engine, Identity, Lane, Options, Request, Work, _config, _context, identify
from resonate_nb.runtime.call._attempt import Claimed, Tried, _limit, _Try
from resonate_nb.runtime.call._drive import Result, _counting_down, _steps, _waiting
from resonate_nb.runtime.call._plan import Wait
from resonate_nb.runtime.call._retry import Pause
from resonate_nb.store import INLINE_BYTES

SIGNER = Signer(b"simulated" * 3 + b"keyed")


class Boom(Exception):
    """What a body raises."""


class Bug(TypeError):
    """What a body raises that no second try can mend."""


@dataclass(frozen=True)
class Job:
    """A function of the town: what it is allowed and what it calls."""

    name: str
    options: Options = field(default_factory=Options)
    calls: tuple[str, ...] = ()
    """Jobs that its body calls, in order."""
    at_once: bool = False
    """It awaits them together."""
    fails: float = 0.2
    longest_ms: int = 4_000
    work: str = ""
    """The name of the function, where several jobs are what it was at different times."""
    returns: Literal["text", "much", "what cannot be stored"] = "text"


_PLACED = "call"
JOBS = {
    job.name: job
    for job in (
        Job("leaf"),
        Job("flaky", Options(retry=Constant(3, delay=2)), fails=0.6),
        Job("timed", Options(timeout=30), longest_ms=40_000),
        Job("limited", Options(retry=Exponential(3, delay=1), attempt_timeout=5, timeout=60), longest_ms=8_000),
        Job("fresh", Options(max_age=20)),
        Job("strict", Options(on_rejected="raise"), fails=0.5),
        Job("step", Options(keyed_by=_PLACED)),
        Job("paid", Options(keyed_by=_PLACED, retry=Constant(2, delay=1)), fails=0.4),
        Job("dated", Options(keyed_by=_PLACED, timeout=20), longest_ms=25_000),
        Job("stage", Options(keyed_by=_PLACED), calls=("step", "step")),
        Job("order", calls=("step", "leaf", "step")),
        Job("batch", Options(retry=Constant(3, delay=3)), calls=("step", "paid", "step"), fails=0.3),
        Job("deep", Options(timeout=90), calls=("stage", "dated"), fails=0.3),
        Job("fan", calls=("step", "step", "step"), at_once=True),
        Job("large", returns="much"),
        Job("odd", returns="what cannot be stored"),
        Job("older", Options(version=1), work="coded"),
        Job("newer", Options(version=1, on_drift="rerun"), work="coded"),
        Job("reused", Options(id="one", on_reuse="rerun")),
        Job("ping", calls=("pong",), fails=0.1),
        Job("pong", calls=("ping",), fails=0.1),
    )
}
"""The town. Few functions, so that calls meet."""
LONGEST_DELAY = 4.0
"""Of all policies, in seconds."""


class _Source:
    """The code of a job, which never changes."""

    def __init__(self, name: str) -> None:
        self._key = CodeKey((name.encode().hex() * 32)[:32], "", {}, {}, {}, (), (), {})

    def key(self) -> CodeKey:
        return self._key

    standing = key


def named(job: Job, argument: int) -> tuple[Work, Identity]:
    work = Work(job.work or job.name, cast(Subject, _Source(job.name)), job.options, label=job.name)
    found = identify(work, {"x": argument})
    assert isinstance(found, Identity)
    return work, found


NAMES = {(job.name, argument): named(job, argument) for job in JOBS.values() for argument in (1, 2)}


@dataclass(frozen=True)
class Until:
    """What a call waits for before it has a turn again: an instant of the monotonic clock."""

    at: float


NOW = Until(0.0)
Turns = Generator[Until, None, Any]


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
        self.bodies: dict[tuple[str, int, int], str] = {}
        """Tries whose body has begun: promise's id and creation, number."""
        self.machine.observe = self._observe
        self.ledger.may_settle = self._may_settle
        self.ledger.may_take = self._may_take
        self.ledger.may_follow = self._may_follow
        self.ledger.may_cancel = lambda by, promise: self.running is None or self._may_take(by, promise) is None
        self.ledger.max_attempts = _max_attempts

    def note(self, who: str, what: str, *about: object) -> None:
        self.trace.append((self.clock.monotonic(), who, what, about))

    def start(self, home: str = "here") -> Process:
        process = Process(self, f"p{len(self.processes) + 1}", home)
        self.processes.append(process)
        self.note(process.name, "starts on", home)
        return process

    def process(self, owner: str) -> Process:
        return next(each for each in self.processes if each.name == owner)

    def _observe(self, before: Any, after: Any, by: str) -> None:
        self.note(by, "commits", before, after)
        self.reruns -= before.promises.keys() - after.promises.keys()
        if self.running is not None and self.running.request.rerun:
            self.reruns |= {id for id in after.promises.keys() - before.promises.keys() if ":" not in id}
        self.ledger.committed(before, after, by)

    def _may_settle(self, by: str, id: str, version: int) -> bool:
        driver = self.running
        if driver is not None and driver.process.name == by and driver.holds(id, version):
            return True
        # What a call could not write down is written by its process, after the call.
        process = self.process(by)
        is_owed = any((command.id, command.version) == (id, version) for command, _ in process.engine._owed)
        return is_owed and not any(driver.holds(id, version) for driver in process.drivers)

    def _may_take(self, by: str, promise: Promise) -> str | None:
        """Why not."""
        owner = cast(str, promise.owner)
        machine = self.machine
        if owner == by:
            is_held = any(driver.holds(promise.id, promise.version) for driver in self.process(by).drivers)
            return "is still at it" if is_held else None
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
        if claimed.is_unborn:
            return
        row = self.machine.state.promises.get(promise.id)
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
            adopted = root.param.headers.get("adopts")
            root, is_own = None if adopted is None else promises.get(adopted), False

    def _is_asked_for(self, promise: Promise) -> bool:
        """Whether it is to run again, or a call around it is."""
        is_stored = "not_stored" not in promise.value.headers
        return not is_stored or any(promise.id.startswith(id) for id in self.marked)

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


class Process:
    """One process: an engine, and calls that take turns in it as threads do."""

    def __init__(self, world: World, name: str, home: str) -> None:
        self.world = world
        self.name = name
        self.seat: Seat = world.machine.open(name, home)
        self.engine = world.engine_class(self.seat, world.clock, SIGNER)
        self.drivers: list[Driver] = []
        self.calls = 0
        self.lanes: dict[Work, Lane] = {}
        self._running: dict[str, Any] = {}
        self._waits: dict[str, dict[str, int]] = {}

    @property
    def is_alive(self) -> bool:
        return self.name in self.world.machine.living

    @property
    def is_stopped(self) -> bool:
        return self.name in self.world.machine.stopped

    def here(self) -> None:
        """What the runtime keeps once in a process is this one's."""
        _context._running, _context._waits = self._running, self._waits
        _config._engine = self.engine

    def does(self, what: str, action: Callable[[], object]) -> None:
        """Something outside of every call, which the process may die of."""
        self.world.note(self.name, what)
        self.world.running = None
        self.here()
        try:
            action()
        except Killed:
            self.end()
        except (StoreError, PromiseBusyError, PromiseNotFoundError, KeyboardInterrupt) as error:
            self.world.note(self.name, "is refused", error)

    def end(self) -> None:
        """SIGKILL. The frames are closed one after the other, and reach nothing."""
        self.world.note(self.name, "dies")
        self.world.machine.kill(self.name)
        self.here()
        for driver in self.drivers:
            driver.drop()
        self.drivers.clear()


class Driver:
    """One call from outside, in its process: its turns, and what it holds at this moment."""

    def __init__(self, process: Process, job: str, argument: int, *, is_rerun: bool = False) -> None:
        self.process = process
        self.world = process.world
        process.calls += 1
        self.name = f"{process.name}.{process.calls}"
        self.holdings: list[Any] = []
        """What the calls in it hold whose body or pause has begun."""
        self.request: Request
        """Of the innermost call whose brain is at work."""
        self.marked: frozenset[str] = frozenset()
        self.wakes = NOW
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.is_over = False
        self.began = self.world.clock.monotonic()
        self._context: Context = copy_context()
        self._turns = self._face(job, argument, is_rerun)
        process.drivers.append(self)

    def holds(self, id: str, version: int) -> bool:
        return any((each.id, each.version) == (id, version) for each in self.holdings)

    def turn(self, interrupt: bool = False) -> None:
        """The call goes on until it has to wait again."""
        world = self.world
        world.running = self
        self.process.here()
        step = (lambda: self._turns.throw(KeyboardInterrupt())) if interrupt else (lambda: next(self._turns))
        try:
            self.wakes = self._context.run(step)
        except StopIteration as end:
            self.result, self.is_over = end.value, True
            world.seen["replayed" if self.result.replayed else "ran"] += 1
        except Violation:
            raise
        except BaseException as error:
            self.error, self.is_over = error, True
            world.seen[type(error).__name__] += 1
            if not isinstance(error, _KNOWN):
                raise
        finally:
            world.running = None
        if self.is_over:
            world.note(self.name, "ends:", self.error if self.result is None else _told(self.result))
            if self in self.process.drivers:
                self.process.drivers.remove(self)
        if not self.process.is_alive:
            self.process.end()

    def drop(self) -> None:
        with suppress(BaseException):
            self._context.run(self._turns.close)

    # The face: what a durable function does when it is called.

    def _face(self, job: str, argument: int, is_rerun: bool) -> Turns:
        work, identity = self.world.names[job, argument]
        request = Request(work, {"x": argument}, no_body, rerun=is_rerun)
        lane, args = self.process.lanes.setdefault(work, Lane(work, ("x",))), (argument,)
        if not is_rerun:
            if work.options.keyed_by == "args":
                value, child_id = lane.hit(args), None
            else:
                value, child_id = lane.child(args)
                request = replace(request, child_id=child_id)
            if value is not MISS:
                return self.world.check_lane(request, identity, value)
        result = yield from self._call(request, identity)
        lane.learn(args, result)
        return result

    # The leg: `call`, in turns.

    def _call(self, request: Request, identity: Identity) -> Turns:
        engine, world = self.process.engine, self.world
        answer: Promise | Tried | None = None
        held: list[Any] = []
        waited: Promise | None = None
        try:
            with closing(_steps(engine, request, identity)) as steps:
                while True:
                    self.request, self.marked = request, engine.marks(world.machine.rows.read())
                    try:
                        step = steps.send(answer)
                    except StopIteration as end:
                        result = cast(Result, end.value)
                        world.check_result(request, result, is_look=waited is None and not held)
                        return result
                    match step:
                        case Claimed():
                            self._hold(step, held)
                            answer = yield from self._body(request, step)
                        case Wait():
                            waited = step.promise
                            answer = yield from self._wait(request, step)
                        case Pause():
                            self._hold(step.claimed, held)
                            yield from self._pause(step)
                            answer = None
                        case Result():
                            value = yield from self._work(request, None)
                            return replace(step, value=value)
        finally:
            for each in held:
                self.holdings.remove(each)

    def _hold(self, claimed: Claimed, held: list[Any]) -> None:
        if claimed.holding not in held:
            held.append(claimed.holding)
            self.holdings.append(claimed.holding)

    def _wait(self, request: Request, step: Wait) -> Generator[Until, None, Promise | None]:
        engine, world = self.process.engine, self.world
        id = step.promise.id
        world.note(self.name, "waits for", id)
        world.seen["waited"] += 1
        with _waiting(engine, request, step, blocking=True) as patience:
            while (found := patience.look()) is not None:
                hold(found.timeout_at > world.clock.now_ms(), "waits for what its deadline has settled", found)
                yield Until(world.clock.monotonic() + 0.1)
            return engine.peek([id])[0]

    def _pause(self, pause: Pause) -> Generator[Until, None, None]:
        world = self.world
        world.note(self.name, "pauses", pause.text)
        world.seen["paused"] += 1
        with _counting_down(self.process.engine, pause) as tell, pause.claimed.holding.interrupts.let_through():
            while (seconds := tell()) > 0:
                hold(seconds <= LONGEST_DELAY, "a pause lasts longer than any policy has it", seconds, pause.text)
                yield Until(world.clock.monotonic() + min(seconds, 1.0))

    def _body(self, request: Request, claimed: Claimed) -> Generator[Until, None, Tried]:
        engine, clock = self.process.engine, self.world.clock
        seconds = _limit(engine, request, claimed)
        value, error, has_value, is_late = None, None, False, False
        with _Try(engine, claimed) as run, claimed.holding.interrupts.let_through():
            if seconds is not None and seconds <= 0:
                is_late = True
            else:
                self.world.begin_body(self, request, claimed)
                until = None if seconds is None else clock.monotonic() + seconds
                try:
                    value = yield from self._work(request, until)
                    has_value = True
                except Boom as raised:
                    error = raised
                except _Late:
                    is_late = True
                except Exception as raised:
                    error = raised
                    if not isinstance(raised, _KNOWN):
                        raise
                is_late = is_late or (until is not None and clock.monotonic() >= until)
        if error is not None:
            error.__traceback__ = None  # it would be written out in full with each failure, and nobody reads it
        return Tried(value, error, run.elapsed_us, run.cpu_us, (), (), (), is_late, has_value)

    def _work(self, request: Request, until: float | None) -> Turns:
        """The body of a job."""
        world, random, job = self.world, self.world.random, JOBS[request.work.label]
        argument = cast(int, request.arguments["x"])
        can_be_interrupted = random.random() < 0.5
        longest = 50 if world.is_calm else job.longest_ms
        yield from self._busy(random.randrange(longest), until if can_be_interrupted else None)
        calls = [self._nested(name, argument) for name in job.calls]
        if job.at_once:
            yield from self._together(calls)
        else:
            for each in calls:
                yield from each
        if random.random() < (0 if world.is_calm else job.fails):
            if random.random() < 0.2:
                raise Bug(f"{job.name} is wrong")
            raise Boom(f"{job.name} failed")
        world.values[job.name] += 1
        value = f"{job.name} {argument} no. {world.values[job.name]}"
        if job.returns == "text" or world.is_calm:
            return value
        return value.ljust(INLINE_BYTES + 1) if job.returns == "much" else Lock()

    def _busy(self, milliseconds: int, until: float | None) -> Turns:
        end = self.world.clock.monotonic() + milliseconds / 1000
        while self.world.clock.monotonic() < end:
            if until is not None and self.world.clock.monotonic() >= until:
                raise _Late
            yield Until(end if until is None else min(end, until))

    def _nested(self, name: str, argument: int) -> Turns:
        result = yield from self._face(name, argument, False)
        if result.error is not None:
            raise result.error
        return result.value

    def _together(self, calls: list[Turns]) -> Turns:
        """As tasks of an event loop: each in a context of its own; all are over when this is, however it ends."""
        left = [[NOW, copy_context(), each] for each in calls]
        failure: BaseException | None = None
        clock, random = self.world.clock, self.world.random
        try:
            while left:
                able = [each for each in left if each[0].at <= clock.monotonic()]
                if able:
                    chosen = random.choice(able)
                    try:
                        chosen[0] = chosen[1].run(next, chosen[2])
                    except StopIteration:
                        left.remove(chosen)
                    except (Violation, Killed):
                        raise
                    except BaseException as error:
                        left.remove(chosen)
                        if not isinstance(error, Exception):
                            raise
                        failure = failure or error
                yield Until(min((each[0].at for each in left), default=0.0))
        finally:
            for _, context, each in left:
                with suppress(KeyboardInterrupt, StopIteration, StoreError):
                    context.run(each.throw, KeyboardInterrupt())
        if failure is not None:
            raise failure


def no_body() -> object:
    raise AssertionError("bodies are modelled")


class _Late(BaseException):
    """The limit of a body that can be interrupted has passed."""


_KNOWN = (
    Boom,
    Bug,
    KeyboardInterrupt,
    Killed,
    StoreError,
    DurableTimeoutError,
    RejectedError,
    WaitCycleError,
    DriftError,
)


def _told(result: Result) -> str:
    how = "replayed" if result.replayed else "ran"
    return f"{how}: {result.value if result.error is None else repr(result.error)}"
