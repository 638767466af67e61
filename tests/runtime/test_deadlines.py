"""Deadlines: a promise settles when its time has passed and a try ends at its limit, whoever looks, whoever runs."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flaky import Flaky, interrupt, outcomes, upon
from scripts import Scripts

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine, configure, engine
from resonate_nb.store import MemoryStore, SqliteStore

HOUR = 3_600_000
SHORT = 0.05
"""Seconds after which a body that would not end by itself is interrupted. They go by when the body says so, and not
before: a busy machine may need longer to begin with it."""
LONG = 30


def busy() -> None:
    """Does not end by itself, and waits for nothing."""
    clock = SystemClock()
    end = clock.monotonic() + LONG
    while clock.monotonic() < end:
        pass


def waits() -> None:
    threading.Event().wait(LONG)


def let_it_pass(clock: ManualClock) -> None:
    clock.advance(int(SHORT * 1000))


class TestTheDeadline:
    """`timeout=`, counted from the promise's first creation."""

    def test_it_stands_from_the_first_creation_on(self, manual: Engine, clock: ManualClock) -> None:
        begun = clock.now_ms()
        flaky = Flaky(KeyboardInterrupt(), KeyboardInterrupt())
        step = flaky.durable(timeout="2h")
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                step()
            clock.advance(HOUR // 2)
            assert begun + 2 * HOUR == step.get().record.timeout_at
        assert 7 == step()
        assert (["interrupted", "interrupted", "resolved"], State.RESOLVED) == (outcomes(step), step.get().state)

    @pytest.mark.slow
    def test_it_is_seen_by_each_look_though_nobody_has_written_it_down(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        begun = clock.now_ms()
        flaky = Flaky(KeyboardInterrupt())
        step = flaky.durable(timeout="2h")
        with pytest.raises(KeyboardInterrupt):
            step()
        id = step.get().id
        clock.advance(2 * HOUR - 1)
        assert State.PENDING is step.get().state
        clock.advance(1)
        with manual.store.read() as reader:
            assert State.PENDING is reader.get(id).state
        handle = rnb.get(id)
        assert State.TIMEDOUT is handle.state is step.get().state is manual.latest(id)[0].state
        assert (True, begun + 2 * HOUR) == (handle.done(), handle.settled_at)
        assert [[], [id]] == [[each.id for each in rnb.search(state=state)] for state in ("pending", State.TIMEDOUT)]
        assert ["rejected_timedout"] == list(rnb.to_frame()["state"])
        with pytest.raises(rnb.DurableTimeoutError) as caught:
            handle.result()
        assert (id, begun + 2 * HOUR, False) == (caught.value.id, caught.value.deadline, caught.value.has_value)

    def test_a_call_after_it_runs_the_next_generation(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky(KeyboardInterrupt())
        step = flaky.durable(timeout="2h", retry=3)
        with pytest.raises(KeyboardInterrupt):
            step()
        first = step.get()
        clock.advance(2 * HOUR)
        assert 7 == step()
        assert (["interrupted"], ["resolved"]) == ([each.outcome for each in first.attempts], outcomes(step))
        assert f"{first.id}~2" == step.get().id

    def test_a_rerun_after_it_runs_the_next_generation(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky(KeyboardInterrupt())
        step = flaky.durable(timeout="2h", on_rejected="raise")
        with pytest.raises(KeyboardInterrupt):
            step()
        clock.advance(2 * HOUR)
        with pytest.raises(rnb.DurableTimeoutError, match="has timed out"):
            step()
        assert 1 == flaky.runs
        assert 7 == step.rerun()
        assert (7, 2, f"{flaky.id}@1~2") == (step(), flaky.runs, step.get().id)

    def test_a_promise_that_is_made_too_late_is_timed_out_and_nothing_runs(self) -> None:
        """The machine is that slow, or the time that short: no further generation would do better."""

        class Slow(ManualClock):
            def now_ms(self) -> int:
                self.advance(5)
                return super().now_ms()

        configure(store=MemoryStore(Slow()))
        flaky = Flaky()
        step = flaky.durable(timeout=0.001)
        with pytest.raises(rnb.DurableTimeoutError):
            step()
        assert (0, [], [f"{flaky.id}@1"]) == (flaky.runs, outcomes(step), [each.id for each in rnb.search()])

    def test_it_is_no_part_of_what_a_call_is(self, engine: Engine) -> None:
        flaky = Flaky()
        step = flaky.durable(timeout="2h")
        assert (7, 7, 1) == (step(), step.options(timeout="1h", retry=3, attempt_timeout=5)(), flaky.runs)


@pytest.mark.slow
class TestABodyThatIsRunning:
    @pytest.mark.parametrize("body", [waits, busy])
    def test_it_is_interrupted_on_the_main_thread(
        self, manual: Engine, clock: ManualClock, body: Callable[[], None]
    ) -> None:
        cleaned = []

        @durable(timeout=SHORT, ignore=("cleaned", "clock"))
        def step() -> int:
            try:
                let_it_pass(clock)
                body()
            finally:
                cleaned.append(1)
            return 1

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            step()
        handle = step.get()
        assert ([1], State.TIMEDOUT, ["late"]) == (cleaned, handle.state, outcomes(step))
        assert handle.settled_at == caught.value.deadline
        assert not caught.value.has_value

    def test_an_awaited_one_is_cancelled(self, manual: Engine, clock: ManualClock) -> None:
        @durable(timeout=SHORT, ignore=("clock",))
        async def step() -> None:
            let_it_pass(clock)
            await asyncio.sleep(LONG)

        with pytest.raises(rnb.DurableTimeoutError):
            asyncio.run(_awaited(step))
        assert (State.TIMEDOUT, ["late"]) == (step.get().state, outcomes(step))

    def test_a_method_is_interrupted(self, manual: Engine, clock: ManualClock) -> None:
        class Service:
            @durable(timeout=SHORT, ignore=("clock",))
            def fetch(self) -> None:
                let_it_pass(clock)
                waits()

        with pytest.raises(rnb.DurableTimeoutError):
            Service().fetch()
        assert ["late"] == outcomes(Service().fetch)


async def _awaited(step: Any) -> Any:
    return await step()


class Late:
    """A call in a thread of its own whose body goes on past the deadline."""

    def __init__(self, **options: Any) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.errors: list[BaseException] = []
        self.waiters: list[threading.Thread] = []
        begun, go = self.begun, self.go
        flaky = Flaky()

        @durable(id=flaky.id, version=1, name=flaky.id, timeout="2h", ignore=("begun", "go"), **options)
        def step() -> list[str]:
            begun.set()
            go.wait(LONG)
            return ["late"]

        self.step = step
        self.call()
        assert begun.wait(LONG)

    def call(self) -> None:
        def caller() -> None:
            try:
                self.step()
            except BaseException as error:
                self.errors.append(error)

        self.waiters.append(threading.Thread(target=caller))
        self.waiters[-1].start()

    def end(self) -> None:
        self.go.set()
        for thread in self.waiters:
            thread.join(LONG)


class TestALateBody:
    def test_it_ends_unheard_and_its_caller_gets_the_value_in_the_error(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        late = Late()
        clock.advance(2 * HOUR)
        manual.timers.tick()
        assert (State.TIMEDOUT, ["late"]) == (late.step.get().state, outcomes(late.step))
        clock.advance(1000)
        late.end()
        (error,) = late.errors
        assert isinstance(error, rnb.DurableTimeoutError)
        assert (True, ["late"]) == (error.has_value, error.value)
        assert "in `value` of this error" in str(error)
        (attempt,) = late.step.get().attempts
        assert ("late", 2 * HOUR + 1000) == (attempt.outcome, attempt.ended_at - attempt.started_at)
        assert [7201.0] == list(rnb.to_frame()["elapsed_s"])
        assert late.step.get().created_at + 2 * HOUR == late.step.get().settled_at

    def test_its_waiters_are_told_when_the_time_has_passed(self, manual: Engine, clock: ManualClock) -> None:
        late = Late()
        late.call()
        handle = late.step.get()
        clock.advance(2 * HOUR)
        manual.timers.tick()
        late.waiters[1].join(LONG)
        (error,) = late.errors
        assert isinstance(error, rnb.DurableTimeoutError)
        assert (handle.id, False) == (error.id, error.has_value)
        late.end()
        assert 2 == len(late.errors)

    def test_the_next_generation_does_not_wait_for_it(self, manual: Engine, clock: ManualClock) -> None:
        late = Late()
        clock.advance(2 * HOUR)
        late.go.set()
        assert ["late"] == late.step()
        late.end()
        assert f"{late.errors[0].id}~2" == late.step.get().id  # type: ignore[attr-defined]

    def test_nothing_of_it_is_written_to_a_promise_that_was_forgotten_meanwhile(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        late = Late()
        clock.advance(2 * HOUR)
        late.step.forget()
        late.end()
        assert late.step.get() is None
        with manual.store.read() as reader:
            assert [] == reader.attempts(late.errors[0].id)  # type: ignore[attr-defined]

    def test_what_it_raised_is_the_cause(self, manual: Engine, clock: ManualClock) -> None:
        @durable(timeout="2h", ignore=("clock",))
        def step() -> None:
            clock.advance(2 * HOUR)
            raise KeyError("gone")

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            step()
        assert isinstance(caught.value.__cause__, KeyError)
        assert [__file__] == [frame.filename for frame in traceback.extract_tb(caught.value.__cause__.__traceback__)]
        assert ("late", "KeyError: 'gone'") == (step.get().attempts[0].outcome, step.get().attempts[0].error)

    def test_a_value_that_is_late_for_both_limits_is_in_the_error(self, manual: Engine, clock: ManualClock) -> None:
        @durable(timeout="2h", attempt_timeout="1h", retry=3, ignore=("clock",))
        def step() -> str:
            clock.advance(3 * HOUR)
            return "late"

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            step()
        assert (True, "late", None) == (caught.value.has_value, caught.value.value, caught.value.limit)
        assert (State.TIMEDOUT, ["late"]) == (step.get().state, outcomes(step))

    def test_a_clock_that_was_set_back_makes_it_a_value_in_time(self, manual: Engine, clock: ManualClock) -> None:
        @durable(timeout="2h", ignore=("clock",))
        def step() -> str:
            clock.advance(3 * HOUR)
            clock.advance_wall(-3 * HOUR)
            return "in time"

        assert ("in time", State.RESOLVED) == (step(), step.get().state)


class TestTriesBeforeADeadline:
    def test_none_is_waited_for_that_would_begin_after_it(
        self, manual: Engine, caplog: pytest.LogCaptureFixture
    ) -> None:
        flaky = Flaky(OSError("again"))
        step = flaky.durable(timeout=60, retry=rnb.Constant(5, delay=60))
        with caplog.at_level("INFO", "resonate_nb"), pytest.raises(OSError, match="again"):
            step()
        assert (1, State.REJECTED) == (flaky.runs, step.get().state)
        assert [f"{flaky.id}: no further attempt, since it would begin after the deadline"] == caplog.messages

    @pytest.mark.slow
    def test_none_begins_after_it(self, manual: Engine, clock: ManualClock) -> None:
        """The machine was suspended, say, in the wait."""
        flaky = Flaky(OSError("again"))
        step = flaky.durable(timeout="2h", retry=rnb.Constant(5, delay="1h"))
        with (
            upon("retrying in 1 h", lambda: clock.advance(2 * HOUR)),
            pytest.raises(rnb.DurableTimeoutError) as caught,
        ):
            step()
        assert (1, State.TIMEDOUT, ["failed"]) == (flaky.runs, step.get().state, outcomes(step))
        assert isinstance(caught.value.__cause__, OSError)

    def test_a_call_that_takes_over_after_it_runs_the_next_generation(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky(OSError("again"))
        step = flaky.durable(timeout="2h", retry=rnb.Constant(5, delay="1h"))
        with upon("retrying in 1 h", interrupt), pytest.raises(KeyboardInterrupt):
            step()
        clock.advance(2 * HOUR)
        assert 7 == step()
        assert f"{flaky.id}@1~2" == step.get().id


class TestTheLimitOfATry:
    """`attempt_timeout=`"""

    @pytest.mark.slow
    @pytest.mark.parametrize("body", [waits, busy])
    def test_a_try_that_passes_it_is_interrupted_and_followed(
        self, manual: Engine, clock: ManualClock, body: Callable[[], None], said: list[str]
    ) -> None:
        runs = []

        @durable(attempt_timeout=SHORT, retry=rnb.Constant(3, delay=0), ignore=("runs", "clock"))
        def step() -> int:
            runs.append(1)
            if len(runs) < 3:
                let_it_pass(clock)
                body()
            return len(runs)

        assert 3 == step()
        assert ["late", "late", "resolved"] == outcomes(step)
        assert "took longer than its limit of 0.05 s" in str(step.get().attempts[0].error)
        told = [line.partition("step: ")[2] for line in said if "attempt 1" in line]
        assert ["attempt 1 of 3 failed (it took longer than attempt_timeout, 50 ms)"] == told

    @pytest.mark.slow
    def test_an_awaited_try_that_passes_it_is_cancelled_and_followed(self, manual: Engine, clock: ManualClock) -> None:
        runs = []

        @durable(attempt_timeout=SHORT, retry=rnb.Constant(3, delay=0), ignore=("runs", "clock"))
        async def step() -> int:
            runs.append(1)
            if len(runs) < 2:
                let_it_pass(clock)
                await asyncio.sleep(LONG)
            return len(runs)

        assert 2 == asyncio.run(_awaited(step))
        assert ["late", "resolved"] == outcomes(step)

    def test_the_next_try_begins_when_the_late_one_has_returned(self, manual: Engine, clock: ManualClock) -> None:
        told: list[str] = []

        @durable(attempt_timeout=60, retry=rnb.Constant(2, delay=0), ignore=("told", "clock"))
        def step() -> str:
            told.append("begins")
            if len(told) == 1:
                clock.advance(3_000_000)
            told.append("returns")
            return "value"

        got: list[str] = []
        caller = threading.Thread(target=lambda: got.append(step()))
        caller.start()
        caller.join(LONG)
        assert (["begins", "returns"] * 2, ["value"]) == (told, got)
        assert ["late", "resolved"] == outcomes(step)

    def test_without_a_policy_the_call_is_rejected_and_carries_the_late_value(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        flaky = Flaky()

        @durable(attempt_timeout=60, on_rejected="raise", ignore=("flaky", "clock"))
        def step() -> int:
            clock.advance(61_000)
            return flaky()

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            step()
        assert (60.0, None, True, 7) == (
            caught.value.limit,
            caught.value.deadline,
            caught.value.has_value,
            caught.value.value,
        )
        assert (State.REJECTED, ["rejected"]) == (step.get().state, outcomes(step))
        # And so it is for whoever comes later, but for the value, which nothing keeps.
        told = [str(step.get().attempts[0].error), str(step.get().record.promise.value.data)]
        assert [True, True] == ["limit of 60 s" in text and "`value`" not in text for text in told]
        for look in (step, step.get().result):
            with pytest.raises(rnb.DurableTimeoutError, match="limit of 60 s") as again:
                look()
            assert (step.get().id, 60.0, False) == (again.value.id, again.value.limit, again.value.has_value)
        assert 1 == flaky.runs

    def test_an_error_of_a_late_try_is_the_cause(self, manual: Engine, clock: ManualClock) -> None:
        @durable(attempt_timeout=60, ignore=("clock",))
        def step() -> None:
            clock.advance(61_000)
            raise KeyError("gone")

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            step()
        assert isinstance(caught.value.__cause__, KeyError)

    def test_a_policy_may_refuse_to_follow_a_late_try(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky()

        @durable(
            attempt_timeout=60,
            retry=rnb.Constant(3, delay=0, non_retryable=(TimeoutError,)),
            ignore=("flaky", "clock"),
        )
        def step() -> int:
            clock.advance(61_000)
            return flaky()

        with pytest.raises(rnb.DurableTimeoutError):
            step()
        assert 1 == flaky.runs


class TestCallsInside:
    @pytest.mark.slow
    def test_the_time_of_the_call_around_it_ends_a_child_which_is_given_back(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        @durable(id="child", version=1, retry=3, ignore=("clock",))
        def child() -> None:
            let_it_pass(clock)
            waits()

        @durable(id="parent", version=1, timeout=SHORT)
        def parent() -> None:
            child()

        with pytest.raises(rnb.DurableTimeoutError) as caught:
            parent()
        assert "parent@1" == caught.value.id
        assert [State.TIMEDOUT, State.PENDING] == [rnb.get(id).state for id in ("parent@1", "child@1")]
        assert "interrupted" in repr(rnb.get("child@1"))
        (attempt,) = rnb.get("child@1").attempts
        assert ("interrupted", "the time of the call around it had passed") == (attempt.outcome, attempt.error)

    @pytest.mark.slow
    def test_it_ends_the_wait_between_a_childs_tries_as_well(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky(OSError("again"))
        child = flaky.durable(retry=rnb.Constant(3, delay="1h"))

        @durable(timeout=SHORT, ignore=("child",))
        def parent() -> int:
            return child()

        with upon("retrying in 1 h", lambda: let_it_pass(clock)), pytest.raises(rnb.DurableTimeoutError):
            parent()
        assert (["failed"], State.PENDING) == (outcomes(child), child.get().state)
        assert not manual.tasks.is_owned(manual.peek([child.get().id])[0])

    @pytest.mark.slow
    def test_it_ends_the_wait_between_an_awaited_childs_tries_as_well(self, manual: Engine, clock: ManualClock) -> None:
        flaky = Flaky(OSError("again"))

        @durable(retry=rnb.Constant(3, delay="1h"), ignore=("flaky",))
        async def child() -> int:
            return flaky()

        @durable(timeout=SHORT, ignore=("child",))
        async def parent() -> int:
            return await child()

        with upon("retrying in 1 h", lambda: let_it_pass(clock)), pytest.raises(rnb.DurableTimeoutError):
            asyncio.run(_awaited(parent))
        assert (["failed"], State.PENDING) == (outcomes(child), child.get().state)
        assert not manual.tasks.is_owned(manual.peek([child.get().id])[0])

    def test_a_child_that_times_out_is_an_error_that_the_call_around_it_may_try_again(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        runs: list[int] = []

        @durable(keyed_by="call", timeout=60, ignore=("runs", "clock"))
        def child() -> int:
            runs.append(1)
            if len(runs) == 1:
                clock.advance(61_000)
            return len(runs)

        @durable(retry=rnb.Constant(2, delay=0))
        def parent() -> int:
            return child()

        assert (2, ["failed", "resolved"]) == (parent(), outcomes(parent))


@pytest.mark.slow
def test_the_try_of_a_killed_owner_stays_on_record_when_the_deadline_has_settled_its_promise(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path)
    owner = scripts.start(
        """
@durable(id="step", version=1, timeout="2h")
def step():
    print(rnb.current().deadline, flush=True)
    sys.stdin.readline()

step()
"""
    )
    assert owner.stdout is not None
    deadline = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    later = ManualClock(deadline)
    found = Engine(SqliteStore.open(tmp_path / "store", durability="process", clock=later), later)
    try:
        found.timers.tick()
        promise = found.peek(["step@1"])[0]
        assert promise is not None
        assert (State.TIMEDOUT, deadline) == (promise.state, promise.settled_at)
        (attempt,) = found.attempts("step@1")
        assert (1, "late", deadline) == (attempt.number, attempt.outcome, attempt.ended_at)
        assert owner.pid == found.store.describe(attempt.owner).pid
    finally:
        found.close()


def test_the_engine_of_a_store_in_memory_has_its_clock(manual: Engine, clock: ManualClock) -> None:
    assert clock is engine().clock
