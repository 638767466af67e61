"""Random programs of steps within steps, stopped and failing at random points, against a naive model of what they do.

The model is a tree of outcomes by place. A life of the root begins with nothing done; a stop keeps everything, a
failure keeps what had resolved, a rerun keeps nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

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


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program: Program = {}
    for level, labels in enumerate(LEVELS):
        below = "".join(LEVELS[level + 1 :])
        for label in labels:
            calls = draw(st.lists(st.sampled_from(below), max_size=3)) if below else []
            attempts = draw(st.sampled_from([1, 1, 1, 2, 3]))
            program[label] = Spec(tuple(calls), attempts, draw(st.booleans()), draw(st.booleans()))
    return program


FATES = st.lists(st.sampled_from(["ok", "ok", "ok", "fail", "stop"]), max_size=40)
"""What becomes of one effect after another; all is well after the last one."""
DEEDS = st.lists(st.sampled_from(["call", "call", "call", "rerun", "mark", "forget"]), min_size=2, max_size=8)


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


REACHED: Counter[str] = Counter()


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(programs(), FATES, DEEDS)
def test_every_effect_happens_as_often_as_the_rules_say(program: Program, fates: list[str], deeds: list[str]):
    there, here = Outside(fates), Outside(fates)
    model, real = Model(program, there), Real(program, here)
    for deed in deeds:
        expected = outcome(getattr(model, deed))
        assert expected == outcome(getattr(real, deed)), deed
        assert there.effects == here.effects, deed
        REACHED[f"{deed}: {str(expected).partition(':')[0]}"] += 1
    assert [] == engine().store.check()
    engine().close()


def test_the_programs_reached_everything():
    """A model that is never met proves nothing. Runs after the other one."""
    wanted = {f"{deed}: {result}" for deed in ("call", "rerun") for result in ("done", "failed", "stopped")}
    assert wanted | {"mark: marked", "forget: forgotten"} <= set(REACHED)
