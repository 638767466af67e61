"""Processes and the calls in them. A call is the runtime's own brain, driven by hand: what takes time (a body, a wait,
a pause) takes turns here.

What is modelled is the face, the leg (`call` of `runtime/call/_drive.py`) and the body; all the rest is the real thing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, cast

from sim_ledger import Violation, hold
from sim_machine import Killed, Seat
from sim_town import JOBS, LONGEST_DELAY, Boom, Bug
from sim_world import World

from resonate_nb.codec import Signer
from resonate_nb.errors import (
    DriftError,
    DurableTimeoutError,
    PromiseBusyError,
    PromiseNotFoundError,
    RejectedError,
    StoreError,
    WaitCycleError,
)
from resonate_nb.protocol import Promise
from resonate_nb.runtime import MISS, Identity, Lane, Request, Work, _config, _context
from resonate_nb.runtime._limit import _left
from resonate_nb.runtime.call._attempt import Tried, _deadline, _Try
from resonate_nb.runtime.call._claim import Claimed
from resonate_nb.runtime.call._drive import _steps
from resonate_nb.runtime.call._plan import Wait
from resonate_nb.runtime.call._result import Result
from resonate_nb.runtime.call._retry import Pause
from resonate_nb.runtime.call._waits import counting_down, waiting
from resonate_nb.store import INLINE_BYTES

SIGNER = Signer(b"simulated" * 3 + b"keyed")


@dataclass(frozen=True)
class Until:
    """What a call waits for before it has a turn again: an instant of the monotonic clock."""

    at: float


NOW = Until(0.0)
Turns = Generator[Until, None, Any]


class Process:
    """One process: an engine, and calls that take turns in it as threads do."""

    def __init__(self, world: World, home: str = "here") -> None:
        self.world = world
        self.name = name = f"p{len(world.processes) + 1}"
        self.seat: Seat = world.machine.open(name, home)
        self.engine = world.engine_class(self.seat, world.clock, SIGNER)
        self.drivers: list[Driver] = []
        self.calls = 0
        """How many there have been."""
        self.lanes: dict[Work, Lane] = {}
        self._running: dict[str, Any] = {}
        self._waits: dict[str, dict[str, int]] = {}
        world.processes.append(self)
        world.note(name, "starts on", home)

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
        self._context = Context()
        self._turns = self._face(job, argument, is_rerun)
        process.drivers.append(self)

    def holds(self, id: str, version: int) -> bool:
        return any((each.id, each.version) == (id, version) for each in self.holdings)

    def turn(self, interrupt: bool = False) -> None:
        """The call goes on until it has to wait again."""
        world = self.world
        world.running = self
        self.process.here()
        handler = signal.getsignal(signal.SIGINT)
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
        hold(handler is signal.getsignal(signal.SIGINT), "an interrupt would not be heard", self.name)
        if self.is_over:
            world.note(self.name, "ends:", self.error if self.result is None else _told(self.result))
            if self in self.process.drivers:
                self.process.drivers.remove(self)
        if not self.process.is_alive:
            self.drop()
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
        with waiting(engine, request, step, blocking=True) as patience:
            while (found := patience.look()) is not None:
                hold(found.timeout_at > world.clock.now_ms(), "waits for what its deadline has settled", found)
                yield Until(world.clock.monotonic() + 0.1)
            return engine.peek([id])[0]

    def _pause(self, pause: Pause) -> Generator[Until, None, None]:
        world = self.world
        world.note(self.name, "pauses", pause.text)
        world.seen["paused"] += 1
        with counting_down(self.process.engine, pause) as tell, pause.claimed.holding.interrupts.let_through():
            while (seconds := tell()) > 0:
                hold(seconds <= LONGEST_DELAY, "a pause lasts longer than any policy has it", seconds, pause.text)
                yield Until(world.clock.monotonic() + min(seconds, 1.0))

    def _body(self, request: Request, claimed: Claimed) -> Generator[Until, None, Tried]:
        engine, clock = self.process.engine, self.world.clock
        left = _left(request.work.options.attempt_timeout, _deadline(claimed), clock)
        value, error, has_value, is_late = None, None, False, False
        with _Try(engine, request, claimed) as run, claimed.holding.interrupts.let_through():
            if left() <= 0:
                is_late = True
            else:
                self.world.begin_body(self, request, claimed)
                try:
                    value = yield from self._work(request, left)
                    has_value = True
                except Boom as raised:
                    error = raised
                except _Late:
                    is_late = True
                except Exception as raised:
                    error = raised
                    if not isinstance(raised, _KNOWN):
                        raise
                is_late = is_late or left() <= 0
        if error is not None:
            error.__traceback__ = None  # it would be written out in full with each failure, and nobody reads it
        return Tried(value, error, run.elapsed_us, run.cpu_us, (), (), (), is_late, has_value)

    def _work(self, request: Request, left: Callable[[], float] | None) -> Turns:
        """The body of a job. `left` says how many seconds of its limit are left, where it has one."""
        world, random, job = self.world, self.world.random, JOBS[request.work.label]
        argument = cast(int, request.arguments["x"])
        can_be_interrupted = random.random() < 0.5
        longest = 50 if world.is_calm else job.longest_ms
        yield from self._busy(random.randrange(longest), left if can_be_interrupted else None)
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

    def _busy(self, milliseconds: int, left: Callable[[], float] | None) -> Turns:
        clock = self.world.clock
        end = clock.monotonic() + milliseconds / 1000
        while clock.monotonic() < end:
            if left is not None and left() <= 0:
                raise _Late
            yield Until(end if left is None else min(end, clock.monotonic() + left()))

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
    value = str(result.value).strip() if isinstance(result.value, str) else type(result.value).__name__
    return f"{how}: {value if result.error is None else repr(result.error)[:200]}"
