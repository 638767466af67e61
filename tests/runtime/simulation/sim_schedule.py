"""Schedules: from a seed, who does what when, and what breaks. One seed is one history, the same each time."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random

from sim_calls import Driver, Process
from sim_ledger import Violation, hold
from sim_machine import BEGIN_MS
from sim_town import JOBS, NAMES
from sim_world import World, difference

from resonate_nb.protocol import SettlePromise, State, TaskState
from resonate_nb.runtime import Engine, Identity, Work, _config, _context
from resonate_nb.runtime._reading import forget
from resonate_nb.runtime.call import _retry

FAULTS = ("race", "kill", "crash", "stop", "interrupt", "disk", "clock", "cancel", "forget", "rerun", "mark", "far")
TOGETHER = ((), (), ("older", "newer"), ("reused", "leaf"), ("order", "fan"), ("ping", "pong"), ("batch",), ("deep",))
"""Functions that meet one another, or themselves; () for any three."""
LINES = 400
"""Of a trace, the last ones, that are shown."""
ROUNDS = 2_000
"""After the last fault: within so many everybody has an answer."""


@dataclass(frozen=True)
class Plan:
    """All that a history hangs on."""

    seed: int
    turns: int = 120
    calls: int = 8
    processes: int = 3
    faults: frozenset[str] = frozenset(FAULTS)
    jobs: tuple[str, ...] = ()
    """Which are called; chosen by chance when empty."""
    engine_class: type[Engine] = field(default=Engine, repr=False)
    names: Mapping[tuple[str, int], tuple[Work, Identity]] = field(default_factory=lambda: NAMES, repr=False)


class Failure(AssertionError):
    """A history in which something happened that never may."""


def run(plan: Plan) -> Counter[str]:
    """Play one history; what has happened in it, counted.

    Raises:
        Failure: an invariant did not hold; the message has the plan and the trace.
    """
    return played(plan).world.seen


def played(plan: Plan) -> History:
    """The same, with all that can be told of it."""
    history = History(plan)
    with silence(plan.seed):
        try:
            history.play()
        except Exception as error:
            what = str(error) if isinstance(error, Violation) else f"{type(error).__name__}: {error}"
            raise Failure(f"{_short(what)}\n{plan}\n{history.told()}") from error
        finally:
            history.bury()
    return history


@contextmanager
def silence(seed: int) -> Iterator[None]:
    """Nobody reads what the runtime says of a million calls; and what it keeps once in a process stays as it was."""
    logger = logging.getLogger("resonate_nb")
    level, running, waits, engine = logger.level, _context._running, _context._waits, _config._engine
    logger.setLevel(logging.CRITICAL)
    _retry._random.seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        _context._running, _context._waits, _config._engine = running, waits, engine


class History:
    """One, while it is played."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = Random(plan.seed)
        self.world = World(self.random, plan.engine_class, plan.names)
        self.left = plan.calls
        self.has_been_full = False
        self.is_racing = False
        self.world.machine.knows_at_once = self.random.random() < 0.7
        names = sorted(JOBS)
        self.jobs = plan.jobs or self.random.choice(TOGETHER) or self.random.choices(names, k=3)
        self.arguments = self.random.choice([(1,), (1,), (1, 2)])
        # Some histories are quiet but for one thing: it meets what it would never meet in a storm.
        faults = sorted(plan.faults)
        kept = self.random.choice([len(faults), len(faults) // 2, 2, 1, 0])
        self.faults = self.random.sample(faults, min(kept, len(faults)))
        if "race" in self.faults:
            self.world.machine.before_write = self.others_first

    def play(self) -> None:
        for number in range(self.plan.processes):
            is_far = "far" in self.faults and number == 2
            Process(self.world, "elsewhere" if is_far else "here")
        for _ in range(self.plan.turns):
            self.step()
        self.end()

    # One step.

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.58:
            self.turn()
        elif chance < 0.72:
            self.pass_time()
        elif chance < 0.82:
            self.call()
        elif chance < 0.9:
            self.housekeeping()
        elif self.faults:
            getattr(self, f"_{self.random.choice(self.faults)}")()

    def drivers(self) -> list[Driver]:
        """Calls that can have a turn."""
        now = self.world.clock.monotonic()
        return [driver for process in self.able() for driver in process.drivers if driver.wakes.at <= now]

    def able(self) -> list[Process]:
        return [each for each in self.world.processes if each.is_alive and not each.is_stopped]

    def turn(self) -> None:
        if drivers := self.drivers():
            self.random.choice(drivers).turn()
        else:
            self.pass_time()

    def pass_time(self) -> None:
        clock, now = self.world.clock, self.world.clock.monotonic()
        later = [driver.wakes.at for each in self.able() for driver in each.drivers if driver.wakes.at > now]
        if later and self.random.random() < 0.7:
            clock.advance(max(1, round((min(later) - now) * 1000)))
        else:
            clock.advance(self.random.choice([1, 100, 1_000, 5_000, 20_000, 70_000]))

    def call(self, process: Process | None = None) -> None:
        if not self.left or not (able := self.able()):
            return
        self.left -= 1
        process = process or self.random.choice(able)
        self.begin(process, self.random.choice(self.jobs), self.random.choice(self.arguments))

    def begin(self, process: Process, job: str, argument: int, is_rerun: bool | None = None) -> None:
        if is_rerun is None:
            is_rerun = "rerun" in self.faults and self.random.random() < 0.25
        self.world.note(process.name, "calls", f"{job} {argument}", "rerun" if is_rerun else "")
        Driver(process, job, argument, is_rerun=is_rerun)

    def housekeeping(self) -> None:
        if able := self.able():
            process = self.random.choice(able)
            if self.random.random() < 0.5:
                process.does("beats", process.engine.tasks.beat)
            else:
                process.does("ticks", process.engine.timers.tick)

    # What breaks.

    def _kill(self) -> None:
        if living := [each for each in self.world.processes if each.is_alive]:
            self.random.choice(living).end()
            self.world.seen["killed"] += 1
            Process(self.world)

    def _crash(self) -> None:
        if able := self.able():
            process = self.random.choice(able)
            where = self.random.choice(["before", "after", "wait", "busy"])
            self.world.note(process.name, "will crash", where)
            self.world.ledger.is_disturbed |= where == "busy"
            self.world.machine.crash[process.name] = where
            self.world.seen["crash"] += 1

    def _stop(self) -> None:
        machine = self.world.machine
        if stopped := [each for each in self.world.processes if each.is_stopped]:
            if not machine.is_full:
                self.go_on(self.random.choice(stopped))
        elif able := self.able():
            process = self.random.choice(able)
            self.world.note(process.name, "is stopped")
            machine.stop(process.name)
            self.world.seen["stopped"] += 1

    def go_on(self, process: Process) -> None:
        self.world.note(process.name, "goes on")
        self.world.machine.go_on(process.name)
        # What it slept through is due: its heart beats before anything else, at another instant than it last did.
        self.world.clock.advance(1)
        process.does("beats", process.engine.tasks.beat)

    def _interrupt(self) -> None:
        drivers = [driver for process in self.able() for driver in process.drivers]
        if drivers:
            driver = self.random.choice(drivers)
            self.world.note(driver.name, "is interrupted")
            driver.turn(interrupt=True)

    def _disk(self) -> None:
        machine = self.world.machine
        machine.is_full = not machine.is_full
        self.world.note("disk", "is full" if machine.is_full else "has room")
        if machine.is_full:
            self.world.seen["full"] += 1
            # Some tries are not written down; and what is forgotten makes room first.
            self.world.ledger.is_disturbed = self.has_been_full = True

    def _clock(self) -> None:
        by = self.random.choice([-600_000, -5_000, 5_000, 600_000])
        self.world.note("clock", "is set by", by)
        self.world.clock.advance_wall(by)
        self.world.ledger.clock_went_back |= by < 0

    def _cancel(self) -> None:
        pending = [each.id for each in self.world.machine.state.promises.values() if each.state is State.PENDING]
        if pending and (able := self.able()):
            id, process = self.random.choice(pending), self.random.choice(able)
            process.does(f"cancels {id}", lambda: process.engine.submit([SettlePromise(id, State.CANCELED)]))

    def _forget(self) -> None:
        bases = sorted({identity.base for _, identity in self._names()})
        if able := self.able():
            base, process = self.random.choice(bases), self.random.choice(able)
            process.does(f"forgets {base}", lambda: forget(process.engine, base))

    def _mark(self) -> None:
        settled = [each.id for each in self.world.machine.state.promises.values() if each.state.is_settled]
        if settled and (able := self.able()):
            id, process = self.random.choice(settled), self.random.choice(able)
            self.world.marked.add(id)
            process.does(f"marks {id}", lambda: process.engine.mark_rerun(id))

    def _race(self) -> None:
        self.turn()

    def others_first(self, owner: str) -> None:
        """While one waits for the lock, or stands still just before it, others go on."""
        world, machine = self.world, self.world.machine
        if self.is_racing or self.random.random() > 0.1 or owner not in machine.living:
            return
        self.is_racing = True
        running, process = world.running, world.process(owner)
        acquired = [each for each in machine.state.promises.values() if each.task is TaskState.ACQUIRED]
        world.free |= {(owner, each.id, each.version) for each in acquired if world.may_take(owner, each) is None}
        stands_still = not process.is_stopped and self.random.random() < 0.3
        world.note(owner, "comes to write", "and is stopped" if stands_still else "")
        world.seen["raced"] += 1
        if stands_still:
            machine.stop(owner)
            world.clock.advance(self.random.choice([1_000, 61_000, 130_000]))
        try:
            for _ in range(self.random.randrange(1, 6)):
                others = [driver for driver in self.drivers() if driver.process is not process]
                if others:
                    self.random.choice(others).turn()
                elif able := [each for each in self.able() if each is not process]:
                    self.call(self.random.choice(able))
                if self.random.random() < 0.2:
                    world.clock.advance(100)
            if stands_still and not machine.is_full:
                self.go_on(process)
        finally:
            self.is_racing = False
            world.running = running
            process.here()

    def _rerun(self) -> None:
        self.call()

    def _far(self) -> None:
        self.turn()

    def _names(self) -> list[tuple[Work, Identity]]:
        return [self.world.names[job, argument] for job in self.jobs for argument in self.arguments]

    # The end: nothing breaks any more, and everybody comes to one.

    def end(self) -> None:
        world, machine = self.world, self.world.machine
        world.note("-", "all is well from here on")
        machine.is_full = False
        machine.crash.clear()
        machine.before_write = lambda owner: None
        for process in [each for each in world.processes if each.is_stopped]:
            self.go_on(process)
        self.settle_down()
        world.is_calm = True
        process = Process(world)
        for job in dict.fromkeys(self.jobs):
            for argument in self.arguments:
                self.begin(process, job, argument, is_rerun=False)
        self.settle_down()
        world.clock.advance(3_600_000)
        process.does("ticks", process.engine.timers.tick)
        now = world.clock.now_ms()
        for promise in machine.state.promises.values():
            is_due = promise.state is State.PENDING and promise.timeout_at <= now
            hold(not is_due, "a deadline that nobody wrote down", promise)
        problems = [each for each in process.seat.check() if each.kind != "missing_file" or not self.has_been_full]
        hold([] == problems, "the store is not sound", problems)

    def settle_down(self) -> None:
        world = self.world
        for round in range(ROUNDS):
            drivers = [driver for process in world.processes for driver in process.drivers]
            if not drivers:
                return
            for driver in self.drivers():
                driver.turn()
            now = world.clock.monotonic()
            later = [driver.wakes.at for process in world.processes for driver in process.drivers]
            if later:
                # A lease on another machine may last for minutes, where the wall clock was set back.
                least = 1 if round < 300 else 2_000
                world.clock.advance(max(least, round_up((min(later) - now) * 1000)))
            if round % 20 == 0:
                for process in self.able():
                    process.does("beats", process.engine.tasks.beat)
        waiting = [driver.name for process in world.processes for driver in process.drivers]
        raise Violation(f"these calls never come to an end: {waiting}")

    def bury(self) -> None:
        for process in self.world.processes:
            if process.is_alive:
                process.end()

    def told(self) -> str:
        lines = []
        for at, who, what, about in self.world.trace[-LINES:]:
            text = difference(*about) if what == "commits" else " ".join(map(str, about))
            lines.append(f"{at - BEGIN_MS / 1000:10.3f}  {who:5} {what} {text}")
        return _short("\n".join(lines))


def _short(text: str) -> str:
    """With ids that can be read."""
    for (job, argument), (_, identity) in NAMES.items():
        text = text.replace(identity.base, f"{job}({argument})")
        if identity.is_automatic_id:  # a child is named without its version
            text = text.replace(identity.base.partition("@")[0], f"{job}({argument})")
    return text


def round_up(value: float) -> int:
    return -int(-value // 1)


def failure_of(plan: Plan) -> Failure | None:
    """How it fails, if it does."""
    try:
        run(plan)
    except Failure as failure:
        return failure
    return None


def shrunk(plan: Plan) -> Plan:
    """A plan that fails as well, with fewer turns, calls, processes and faults, if there is one near by."""
    while True:
        smaller = [replace(plan, turns=turns) for turns in (plan.turns * 3 // 4, plan.turns - 1) if turns]
        smaller += [replace(plan, calls=plan.calls - 1)] if plan.calls > 1 else []
        smaller += [replace(plan, processes=plan.processes - 1)] if plan.processes > 1 else []
        smaller += [replace(plan, faults=plan.faults - {fault}) for fault in sorted(plan.faults)]
        failing = next((other for other in smaller if failure_of(other) is not None), None)
        if failing is None:
            return plan
        plan = failing
