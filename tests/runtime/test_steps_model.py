"""Random programs of steps within steps, stopped and failing at random points, against a naive model of what they do.

The model is a tree of outcomes by place. A life of the root begins with nothing done; a stop keeps everything, a
failure keeps what had resolved, a rerun keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.runtime import configure, engine, mark_rerun
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Spec:
    """One kind of step: it calls others, then has its effect."""

    calls: tuple[str, ...] = ()
    attempts: int = 1
    is_own: bool = False
    """Whether it has a deadline, and so is a promise of its own while it runs."""
    catches: bool = False


Program = dict[str, Spec]
LEVELS = ("r", "ab", "cd", "ef")


@dataclass(frozen=True)
class Story:
    """A program, what becomes of one effect after another (all is well after the last one), and what is asked for."""

    program: Program
    fates: list[str]
    deeds: list[str]


def story_of(seed: int) -> Story:
    random = Random(seed)
    program: Program = {}
    for level, labels in enumerate(LEVELS):
        below = "".join(LEVELS[level + 1 :])
        for label in labels:
            calls = random.choices(below, k=random.randrange(4)) if below else []
            attempts = random.choice([1, 1, 1, 2, 3])
            program[label] = Spec(tuple(calls), attempts, random.random() < 0.5, random.random() < 0.5)
    fates = random.choices(["ok", "ok", "ok", "fail", "stop"], k=random.randrange(41))
    deeds = random.choices(["call", "call", "call", "rerun", "mark", "forget"], k=random.randrange(2, 10))
    return Story(program, fates, deeds)


class Failure(ValueError):
    """What a step fails with; a builtin kind of error, which comes back as itself, would do as well."""


class Outside:
    """The world that effects are on. Whoever has them asks it what becomes of each."""

    def __init__(self, fates: list[str]) -> None:
        self.fates = iter(fates)
        self.effects: list[str] = []

    def effect(self, label: str) -> None:
        self.effects.append(label)
        match next(self.fates, "ok"):
            case "fail":
                raise Failure(label)
            case "stop":
                raise KeyboardInterrupt(label)


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except KeyboardInterrupt:
        return "stopped"
    except Exception as error:
        return f"failed: {str(error).rpartition(' ')[2]}"


# -- the model -------------------------------------------------------------------------------------------------------

Place = tuple[tuple[str, int], ...]


@dataclass
class Model:
    program: Program
    outside: Outside
    done: dict[Place, str | None] = field(default_factory=dict)
    """What came of the steps at these places; None is well."""
    used: Counter[Place] = field(default_factory=Counter)
    """Attempts that failed, of steps that have not settled."""
    state: str = "absent"
    is_marked: bool = False
    failure: str = ""

    def call(self) -> object:
        if self.state == "resolved" and not self.is_marked:
            return "done"
        if self.state != "pending":
            self._begin(keeps=self.state == "rejected" and not self.is_marked)
        self.state = "pending"
        try:
            self._run("r", ())
        except Failure as failure:
            self.state = "rejected"
            raise failure
        self.state = "resolved"
        return "done"

    def rerun(self) -> object:
        if self.state != "pending":
            self._begin(keeps=False)
            self.state = "pending"
        return self.call()

    def mark(self) -> object:
        if self.state == "absent":
            return "absent"
        self.is_marked = True
        return "marked"

    def forget(self) -> object:
        was, self.state = self.state, "absent"
        self._begin(keeps=False)
        return "absent" if was == "absent" else "forgotten"

    def _begin(self, keeps: bool) -> None:
        self.is_marked = False
        self.used.clear()
        self._drop(lambda place: not keeps or self.done[place] is not None)

    def _drop(self, which: Callable[[Place], bool]) -> None:
        for place in list(filter(which, self.done)):
            del self.done[place]

    def _run(self, label: str, place: Place) -> None:
        """The body, as often as its attempts allow."""
        spec = self.program[label]
        while True:
            try:
                self._body(spec, label, place)
            except Failure:
                self.used[place] += 1
                if self.used[place] >= spec.attempts:
                    del self.used[place]
                    raise
                # The next attempt tries again what this one may have failed of.
                self._drop(lambda each: each[: len(place)] == place and self.done[each] is not None)
            else:
                self.used.pop(place, None)
                return

    def _body(self, spec: Spec, label: str, place: Place) -> None:
        count: Counter[str] = Counter()
        for each in spec.calls:
            count[each] += 1
            try:
                self._step(each, (*place, (each, count[each])))
            except Failure:
                if not spec.catches:
                    raise
        self.outside.effect(label)

    def _step(self, label: str, place: Place) -> None:
        if place not in self.done:
            try:
                self._run(label, place)
            except Failure as failure:
                self.done[place] = str(failure)
                raise
            self.done[place] = None
        elif (failed := self.done[place]) is not None:
            raise Failure(failed)


# -- the same program, durable ---------------------------------------------------------------------------------------


class Now:
    """What the durable bodies find: the program and the world of this example."""

    program: Program
    outside: Outside
    clock: ManualClock


@durable(name="step", keyed_by="call", ignore=("Now", "step_of"))
def step(label):
    spec = Now.program[label]
    for each in spec.calls:
        try:
            step_of(Now.program[each])(each)
        except Exception:
            if not spec.catches:
                raise
    Now.clock.advance(1)
    Now.outside.effect(label)
    return "done"


def step_of(spec: Spec, keyed_by: str = "call"):
    return _with_options(spec.attempts, "1d" if spec.is_own else None, keyed_by)


@cache
def _with_options(attempts: int, timeout: str | None, keyed_by: str):
    policy = rnb.Constant(attempts, delay=0, retryable=(Exception,))
    return step.options(retry=policy, timeout=timeout, keyed_by=keyed_by)


class Real:
    def __init__(self, program: Program, outside: Outside) -> None:
        Now.program, Now.outside, Now.clock = program, outside, ManualClock(10**13)
        configure(store=MemoryStore(Now.clock))
        engine().clock = Now.clock
        self.root = step_of(program["r"], "args")

    def call(self) -> object:
        return self.root("r")

    def rerun(self) -> object:
        return self.root.rerun("r")

    def mark(self) -> object:
        found = self.root.get("r")
        if found is None:
            return "absent"
        mark_rerun(found.id)
        return "marked"

    def forget(self) -> object:
        return "forgotten" if self.root.forget("r") else "absent"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("ERROR", "resonate_nb")


# -- the same, where each body awaits all its steps together -----------------------------------------------------------


class Together(Model):
    """All of them come to their end, whatever becomes of the others."""

    def _body(self, spec: Spec, label: str, place: Place) -> None:
        count: Counter[str] = Counter()
        stops: list[BaseException] = []
        failures: list[Failure] = []
        for each in spec.calls:
            count[each] += 1
            try:
                self._step(each, (*place, (each, count[each])))
            except KeyboardInterrupt as stop:
                stops.append(stop)
            except Failure as failure:
                failures.append(failure)
        if stops:
            raise stops[0]
        if failures and not spec.catches:
            raise failures[0]
        self.outside.effect("/".join(["r", *(f"{each}.{number}" for each, number in place)]))


class Elsewhere(Outside):
    """Its fates are those of a place, so that it does not matter which place comes first."""

    def __init__(self, fates: list[str]) -> None:
        super().__init__([])
        self._fates_of: dict[str, Iterator[str]] = {}
        self._given = fates

    def effect(self, path: str) -> None:
        if path not in self._fates_of:
            # By the name alone, and the same for both worlds.
            start = sum(path.encode()) % (len(self._given) + 1)
            self._fates_of[path] = iter(self._given[start : start + 4])
        self.fates = self._fates_of[path]
        super().effect(path)


@durable(name="step", keyed_by="call", ignore=("Now", "async_step_of", "rnb"))
async def async_step(path):
    spec = Now.program[path[-1]]
    called = [async_step_of(Now.program[each])(f"{path}/{each}") for each in spec.calls]
    values = await asyncio.gather(*called, return_exceptions=True)
    errors = [value for value in values if isinstance(value, BaseException)]
    stops = [error for error in errors if not isinstance(error, Exception)]
    if stops:
        raise stops[0]
    if errors and not spec.catches:
        raise errors[0]
    Now.clock.advance(1)
    try:
        numbers = [each.rpartition(".")[2].partition("~")[0] for each in rnb.current().id.split(":")[1:]]
        places = [f"{label}.{number}" for label, number in zip(path.split("/")[1:], numbers, strict=True)]
        Now.outside.effect("/".join(["r", *places]))
    except KeyboardInterrupt as stop:
        raise asyncio.CancelledError from stop
    return "done"


def async_step_of(spec: Spec, keyed_by: str = "call"):
    return _async_with_options(spec.attempts, "1d" if spec.is_own else None, keyed_by)


@cache
def _async_with_options(attempts: int, timeout: str | None, keyed_by: str):
    policy = rnb.Constant(attempts, delay=0, retryable=(Exception,))
    return async_step.options(retry=policy, timeout=timeout, keyed_by=keyed_by)


class RealTogether(Real):
    def __init__(self, program: Program, outside: Outside) -> None:
        super().__init__(program, outside)
        self.root = async_step_of(program["r"], "args")

    def call(self) -> object:
        return self._run(self.root)

    def rerun(self) -> object:
        return self._run(self.root.rerun)

    def _run(self, call: Callable[..., Any]) -> object:
        async def session() -> object:
            try:
                return await call("r")
            except asyncio.CancelledError as stop:
                raise KeyboardInterrupt from stop

        with asyncio.Runner() as runner:
            return runner.run(session())


REACHED: Counter[str] = Counter()


def compare(model: Model, real: Real, deeds: list[str], kind: str, seed: int) -> None:
    for deed in deeds:
        expected = outcome(getattr(model, deed))
        assert expected == outcome(getattr(real, deed)), (seed, deed)
        there, here = model.outside.effects, Now.outside.effects
        assert there == here if kind == "one" else Counter(there) == Counter(here), (seed, deed)
        REACHED[f"{kind}: {deed}: {str(expected).partition(':')[0]}"] += 1
    assert [] == engine().store.check()
    engine().close()


SEEDS = 150


def test_every_effect_happens_as_often_as_the_rules_say():
    for seed in range(SEEDS):
        story = story_of(seed)
        model, real = Model(story.program, Outside(story.fates)), Real(story.program, Outside(story.fates))
        compare(model, real, story.deeds, "one", seed)


def test_so_it_does_where_steps_are_awaited_together():
    for seed in range(SEEDS):
        story = story_of(seed)
        model = Together(story.program, Elsewhere(story.fates))
        compare(model, RealTogether(story.program, Elsewhere(story.fates)), story.deeds, "together", seed)


def test_the_programs_reached_everything():
    """A model that is never met proves nothing. Runs after the others."""
    for kind in ("one", "together"):
        wanted = {f"{kind}: {deed}: {result}" for deed in ("call", "rerun") for result in ("done", "failed", "stopped")}
        assert wanted | {f"{kind}: mark: marked", f"{kind}: forget: forgotten"} <= set(REACHED)
