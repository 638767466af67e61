"""Retries: a failed try is followed by another, as the policy says, on record, and across the death of the process."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from flaky import Flaky, interrupt, outcomes, upon

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import EMPTY, AcquireTask, Claim, ReleaseTask, SettlePromise, State
from resonate_nb.runtime import Engine, engine
from resonate_nb.store import MemoryStore

MS = 0.001
SOON = rnb.Constant(5, delay=MS)


class TestOfEachKind:
    """A function, an async one, a method, an async method."""

    pytestmark = pytest.mark.usefixtures("engine")

    def check(self, call: Callable[[], Any], flaky: Flaky) -> None:
        async def awaited(value: Awaitable[Any]) -> Any:
            return await value

        value = call()
        assert 7 == (asyncio.run(awaited(value)) if isinstance(value, Awaitable) else value)
        assert 3 == flaky.runs
        value = call()
        assert 7 == (asyncio.run(awaited(value)) if isinstance(value, Awaitable) else value)
        assert 3 == flaky.runs

    def test_a_function_is_tried_again(self) -> None:
        flaky = Flaky(OSError("first"), OSError("second"))
        step = flaky.durable(retry=SOON)
        self.check(step, flaky)
        assert ["failed", "failed", "resolved"] == outcomes(step)

    def test_an_async_function_is_tried_again(self) -> None:
        flaky = Flaky(OSError("first"), OSError("second"))

        @durable(retry=SOON, ignore=("flaky",))
        async def step() -> int:
            await asyncio.sleep(0)
            return flaky()

        self.check(step, flaky)
        assert ["failed", "failed", "resolved"] == outcomes(step)

    def test_a_method_is_tried_again(self) -> None:
        flaky = Flaky(OSError("first"), OSError("second"))

        class Service:
            @durable(retry=SOON, ignore=("flaky",))
            def fetch(self) -> int:
                return flaky()

            @classmethod
            def name(cls) -> str:
                return "service"

        service = Service()
        self.check(service.fetch, flaky)
        assert ["failed", "failed", "resolved"] == outcomes(service.fetch)

    def test_an_async_method_is_tried_again(self) -> None:
        flaky = Flaky(OSError("first"), OSError("second"))

        class Service:
            @durable(retry=SOON, ignore=("flaky",))
            async def fetch(self) -> int:
                return flaky()

        service = Service()
        self.check(service.fetch, flaky)
        assert ["failed", "failed", "resolved"] == outcomes(service.fetch)


@pytest.mark.usefixtures("engine")
class TestWhetherAnotherTryFollows:
    def test_without_a_policy_the_first_failure_is_the_result(self) -> None:
        flaky = Flaky(OSError("once"))
        step = flaky.durable()
        with pytest.raises(OSError, match="once"):
            step()
        assert (["rejected"], 1) == (outcomes(step), flaky.runs)

    @pytest.mark.parametrize("retry", [rnb.Never(), 1, rnb.Exponential(1), None])
    def test_one_attempt_is_no_second_try(self, retry: Any) -> None:
        flaky = Flaky(OSError("once"))
        with pytest.raises(OSError, match="once"):
            flaky.durable(retry=retry)()
        assert 1 == flaky.runs

    @pytest.mark.parametrize(
        "retry",
        [rnb.Exponential(3, delay=MS), rnb.Linear(3, delay=MS), rnb.Constant(3, delay=MS)],
        ids=["exponential", "linear", "constant"],
    )
    def test_when_all_attempts_have_failed_the_last_error_is_raised(self, retry: Any) -> None:
        flaky = Flaky(*(OSError(f"no {number}") for number in range(1, 8)))
        step = flaky.durable(retry=retry)
        with pytest.raises(OSError, match="no 3"):
            step()
        assert ["failed", "failed", "rejected"] == outcomes(step)
        assert ["OSError: no 1", "OSError: no 2", "OSError: no 3"] == [attempt.error for attempt in step.get().attempts]
        # The next call runs the next generation, which counts from 1 again.
        with pytest.raises(OSError, match="no 6"):
            step()
        assert f"{flaky.id}@1~2" == step.get().id
        assert ["failed", "failed", "rejected"] == outcomes(step)

    def test_a_number_is_that_of_attempts(self) -> None:
        """Its delays are those of `Exponential`, unless the service knows better."""
        flaky = Flaky(*(Told(0.001) for _ in range(7)))
        with pytest.raises(Told):
            flaky.durable(retry=3)()
        assert 3 == flaky.runs

    @pytest.mark.parametrize(
        "error",
        [
            *(NameError("x"), TypeError("x"), SyntaxError("x"), ImportError("x"), AssertionError("x")),
            rnb.InvalidOptionError("x"),
            rnb.IdReuseError("x", ("y",)),
            rnb.DriftError("x", ""),
            rnb.WaitCycleError(("x", "x")),
            rnb.UnfingerprintableError("x", "Lock", "it is open"),
            rnb.UnstorableError("x", "Lock", "it is open"),
            rnb.UndecoratableError("x"),
            rnb.UntrustedValueError("x"),
            rnb.SchemaError("x"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_what_no_second_try_can_mend_is_not_tried_again(self, error: Exception) -> None:
        flaky = Flaky(error)
        step = flaky.durable(retry=SOON)
        with pytest.raises(type(error)):
            step()
        assert (["rejected"], 1) == (outcomes(step), flaky.runs)

    @pytest.mark.parametrize(
        "error",
        [
            rnb.PromiseBusyError("x"),
            rnb.RejectedError("x", "ValueError", "no", ""),
            rnb.DurableTimeoutError("x"),
            rnb.WaitTimeoutError("x"),
            rnb.StoreError("x"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_what_passes_by_itself_is_tried_again(self, error: Exception) -> None:
        flaky = Flaky(error)
        assert 7 == flaky.durable(retry=SOON)()
        assert 2 == flaky.runs

    def test_a_call_inside_that_is_written_wrongly_ends_the_tries(self) -> None:
        runs = []

        @durable(id="same", version=1)
        def inner(x: int) -> int:
            return x

        @durable(retry=SOON, ignore=("runs",))
        def outer() -> int:
            runs.append(1)
            return inner(len(runs)) + inner(-1)

        with pytest.raises(rnb.IdReuseError):
            outer()
        assert [1] == runs

    def test_the_policys_own_lists_decide(self) -> None:
        named = Flaky(TypeError("a flaky decoder"))
        assert 7 == named.durable(retry=rnb.Constant(2, delay=MS, retryable=(TypeError,)))()
        refused = Flaky(KeyError("gone"))
        with pytest.raises(KeyError):
            refused.durable(retry=rnb.Constant(2, delay=MS, non_retryable=(LookupError,)))()
        assert (2, 1) == (named.runs, refused.runs)


class Told(Exception):
    """In the manner of chat services: seconds in an attribute."""

    def __init__(self, seconds: float) -> None:
        super().__init__("429")
        self.retry_after = seconds


class Response:
    """In the manner of httpx."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): text for name, text in headers.items()}


class HTTPStatusError(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__("429 Too Many Requests")
        self.response = response


@pytest.mark.usefixtures("engine")
class TestWhenTheNextTryBegins:
    def waits(self, step: Any) -> list[int]:
        """Milliseconds that the policy has laid between the tries."""
        return [attempt.retry_at - attempt.ended_at for attempt in step.get().attempts if attempt.retry_at is not None]

    def test_the_delays_are_the_policys_and_on_record(self) -> None:
        flaky = Flaky(*(OSError("again") for _ in range(3)))
        step = flaky.durable(retry=rnb.Exponential(4, delay=4 * MS, jitter=0, factor=2))
        step()
        assert [4, 8, 16] == self.waits(step)
        begun = [attempt.started_at for attempt in step.get().attempts]
        due = [attempt.retry_at for attempt in step.get().attempts[:-1]]
        assert all(at >= wanted for at, wanted in zip(begun[1:], due, strict=True))

    def test_chance_shortens_a_delay_and_leaves_the_users_generator_alone(self) -> None:
        state = random.getstate()
        waits = []
        for _ in range(8):
            step = Flaky(OSError("again")).durable(retry=rnb.Constant(2, delay=20 * MS, jitter=1))
            step()
            waits += self.waits(step)
        assert all(0 <= wait <= 20 for wait in waits)
        assert len(set(waits)) > 1
        assert state == random.getstate()

    @pytest.mark.parametrize(
        "error",
        [HTTPStatusError(Response(retry_after_ms="3")), HTTPStatusError(Response(Retry_After="0.003")), Told(0.003)],
        ids=["milliseconds", "seconds", "attribute"],
    )
    def test_a_service_that_names_a_time_is_obeyed(self, error: Exception) -> None:
        step = Flaky(error).durable(retry=rnb.Constant(2, delay="1h"))
        assert 7 == step()
        assert [3] == self.waits(step)

    def test_a_service_may_ask_for_more_than_the_policy_would_wait(self) -> None:
        step = Flaky(Told(3600)).durable(retry=rnb.Exponential(2, delay=MS, max_delay=2 * MS))
        with upon("retrying in 1 h 00 m", interrupt), pytest.raises(KeyboardInterrupt):
            step()
        assert [3_600_000] == self.waits(step)

    def test_no_delay_is_no_wait_and_the_failure_is_said(self, caplog: pytest.LogCaptureFixture) -> None:
        flaky = Flaky(OSError("again"))
        with caplog.at_level("INFO", "resonate_nb"):
            flaky.durable(retry=rnb.Constant(2, delay=0))()
        assert [f"{flaky.id}: attempt 1 of 2 failed (OSError: again)"] == caplog.messages


@pytest.mark.usefixtures("engine")
def test_each_try_is_on_record_with_its_times_owner_error_cpu_and_size() -> None:
    flaky = Flaky(OSError("first line\nsecond line"))
    step = flaky.durable(retry=SOON)
    step()
    first, second = step.get().attempts
    mine = engine().store.owner
    assert [(1, mine, "failed"), (2, mine, "resolved")] == [
        (attempt.number, attempt.owner, attempt.outcome) for attempt in (first, second)
    ]
    assert first.started_at <= first.ended_at <= first.retry_at <= second.started_at <= second.ended_at
    assert first.elapsed_us is not None
    assert second.elapsed_us is not None
    assert first.error is not None
    assert first.error.startswith("OSError: first line")
    assert (None, second.error) == (first.result_bytes, None)
    assert second.result_bytes is not None
    assert second.result_bytes > 0


class HalfBusy(ManualClock):
    """Half of the time that passes is spent computing."""

    def cpu(self) -> float:
        return super().cpu() / 2


def test_the_times_of_a_try_are_those_of_its_body() -> None:
    """From its begin to its end, and of the processor."""
    clock = HalfBusy()
    rnb.configure(store=MemoryStore(clock))
    found = engine()
    flaky = Flaky(OSError("again"), KeyboardInterrupt())

    @durable(retry=rnb.Constant(2, delay=0), ignore=("flaky", "clock"))
    def step() -> int:
        clock.advance(40 + 10 * flaky.runs)
        return flaky()

    with pytest.raises(KeyboardInterrupt):
        step()
    assert 7 == step()
    assert [
        ("failed", 1_000_000, 1_000_040, 40_000, 20_000),
        ("interrupted", 1_000_040, 1_000_090, 50_000, 25_000),
        ("resolved", 1_000_090, 1_000_150, 60_000, 30_000),
    ] == [(each.outcome, each.started_at, each.ended_at, each.elapsed_us, each.cpu_us) for each in step.get().attempts]
    found.close()


class TestAnInterruptOfTheWait:
    """The task is given back at once; the failed try counts, the one that had not begun does not."""

    def check(self, found: Engine, step: Any) -> None:
        handle = step.get()
        assert (["failed"], State.PENDING) == (outcomes(step), handle.state)
        assert not found.tasks.is_owned(found.peek([handle.id])[0])
        assert "interrupted" in repr(handle)

    def test_it_gives_the_task_back(self, engine: Engine) -> None:
        flaky = Flaky(OSError("again"))
        step = flaky.durable(retry=rnb.Constant(3, delay="1h"))
        with upon("retrying in", interrupt), pytest.raises(KeyboardInterrupt):
            step()
        self.check(engine, step)
        # And again, in the wait that is left.
        said: list[int] = []
        with (
            upon("attempt 2 of 3 is to follow", lambda: (said.append(1), interrupt())),
            pytest.raises(KeyboardInterrupt),
        ):
            step()
        assert ([1], 1) == (said, flaky.runs)
        self.check(engine, step)

    def test_it_gives_the_task_of_an_awaited_call_back(self, engine: Engine) -> None:
        flaky = Flaky(OSError("again"))

        @durable(retry=rnb.Constant(3, delay="1h"), ignore=("flaky",))
        async def step() -> int:
            return flaky()

        loop = asyncio.new_event_loop()
        try:
            with upon("retrying in", lambda: loop.call_soon(interrupt)), pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(_awaited(step))
        finally:
            loop.close()
        self.check(engine, step)

    def test_an_interrupt_that_a_failing_body_outran_ends_the_tries(self, engine: Engine) -> None:
        """As under a kernel, whose handler is its own: the body holds the loop until its end."""
        runs = []

        @durable(retry=SOON, ignore=("runs", "interrupt"))
        async def step() -> int:
            runs.append(1)
            interrupt()
            raise OSError("again")

        before = signal.signal(signal.SIGINT, lambda *_: None)
        loop = asyncio.new_event_loop()
        try:
            with pytest.raises(asyncio.CancelledError):
                loop.run_until_complete(_awaited(step))
        finally:
            loop.close()
            signal.signal(signal.SIGINT, before)
        assert [1] == runs
        self.check(engine, step)

    def test_a_wait_that_is_left_is_never_longer_than_the_policys(self, manual: Engine, clock: ManualClock) -> None:
        """The wall clock may have been set back since; or on, and then nothing is left."""
        flaky = Flaky(OSError("again"))
        step = flaky.durable(retry=rnb.Constant(3, delay="10m"))
        with upon("retrying in 10 m 00 s", interrupt), pytest.raises(KeyboardInterrupt):
            step()
        for minutes, left in ((4, "6 m 00 s"), (-1440, "10 m 00 s")):
            clock.advance_wall(minutes * 60_000)
            with upon(f"retrying in {left}", interrupt), pytest.raises(KeyboardInterrupt):
                step()
        clock.advance_wall(2 * 1440 * 60_000)
        assert 7 == step()
        assert ["failed", "resolved"] == outcomes(step)

    def test_an_interrupted_try_is_not_counted(self, engine: Engine) -> None:
        flaky = Flaky(OSError("first"), KeyboardInterrupt(), OSError("second"), OSError("third"), OSError("fourth"))
        step = flaky.durable(retry=rnb.Constant(3, delay=MS))
        with pytest.raises(KeyboardInterrupt):
            step()
        assert ["failed", "interrupted"] == outcomes(step)
        with pytest.raises(OSError, match="third"):
            step()
        assert ["failed", "interrupted", "failed", "rejected"] == outcomes(step)
        assert f"{flaky.id}@1" == step.get().id


async def _awaited(step: Any) -> Any:
    return await step()


class TestTheWait:
    @pytest.mark.slow
    def test_it_keeps_the_lease_alive_and_no_clock_that_is_set_makes_it_longer(
        self, manual: Engine, clock: ManualClock
    ) -> None:
        flaky = Flaky(OSError("again"))
        step = flaky.durable(retry=rnb.Constant(2, delay="10m"))
        waits = threading.Event()
        with upon("retrying in 10 m", waits.set):
            caller = threading.Thread(target=step)
            caller.start()
            assert waits.wait(60)
        id = step.get().id
        clock.advance(300_000)
        manual.tasks.beat()
        found = manual.peek([id])[0]
        assert found is not None
        assert clock.now_ms() + 60_000 == found.lease_until
        clock.advance_wall(-3_600_000)
        clock.advance(300_000)
        caller.join(60)
        assert (7, ["failed", "resolved"]) == (step(), outcomes(step))

    def test_whoever_lost_the_task_in_it_begins_no_try(self, engine: Engine) -> None:
        """It was stopped for longer than a lease, say; the lease of the other owner has lapsed since."""
        flaky = Flaky(OSError("again"))
        step = flaky.durable(retry=SOON)

        def take() -> None:
            found = engine.peek([step.get().id])[0]
            assert found is not None
            take_over = AcquireTask(found.id, found.version, Claim("gone", 1))
            engine.submit([ReleaseTask(found.id, found.version), take_over])

        with upon("attempt 1 of 5 failed", take):
            assert 7 == step()
        assert (2, ["failed", "resolved"]) == (flaky.runs, outcomes(step))
        found = engine.peek([step.get().id])[0]
        assert found is not None
        assert 3 == found.version

    def test_what_settles_meanwhile_is_what_the_call_comes_to(self, engine: Engine) -> None:
        flaky = Flaky(OSError("again"))
        step = flaky.durable(retry=SOON)

        def cancel() -> None:
            found = engine.peek([step.get().id])[0]
            assert found is not None
            engine.submit([ReleaseTask(found.id, found.version), SettlePromise(found.id, State.CANCELED, EMPTY)])

        with upon("attempt 1 of 5 failed", cancel), pytest.raises(rnb.RejectedError, match="rejected_canceled"):
            step()
        assert 1 == flaky.runs


@pytest.mark.usefixtures("engine")
class TestCallsInside:
    def test_a_child_by_its_place_that_resolved_is_kept_and_one_that_raised_runs_again(self) -> None:
        runs: list[str] = []
        card = Flaky()
        mail = Flaky(OSError("first"), OSError("second"))

        @durable(keyed_by="call", ignore=("runs", "card"))
        def charge() -> int:
            runs.append("charge")
            return card()

        @durable(keyed_by="call", ignore=("runs", "mail"))
        def send() -> int:
            runs.append("send")
            return mail()

        @durable(retry=SOON, ignore=("runs",))
        def order() -> int:
            runs.append("order")
            return charge() + send()

        assert 14 == order()
        assert ["order", "charge", "send", "order", "send", "order", "send"] == runs
        assert ["failed", "failed", "resolved"] == outcomes(order)

    def test_a_child_that_the_body_could_do_without_is_not_run_again_after_an_interrupt(self) -> None:
        """What a try that did not fail has seen, the next one sees."""
        runs: list[str] = []
        flaky = Flaky(OSError("none"))
        stop = Flaky(KeyboardInterrupt())

        @durable(keyed_by="call", ignore=("runs", "flaky"))
        def optional() -> int:
            runs.append("optional")
            return flaky()

        @durable(retry=SOON, ignore=("runs", "stop"))
        def report() -> int:
            try:
                extra = optional()
            except OSError:
                extra = 0
            return extra + stop()

        with pytest.raises(KeyboardInterrupt):
            report()
        assert 7 == report()
        assert ["optional"] == runs

    def test_a_child_with_tries_of_its_own_is_tried_by_itself(self) -> None:
        inner_runs, outer_runs = Flaky(OSError("a"), OSError("b")), Flaky()

        @durable(keyed_by="call", retry=SOON, ignore=("inner_runs",))
        def inner() -> int:
            return inner_runs()

        @durable(retry=SOON, ignore=("outer_runs",))
        def outer() -> int:
            return inner() + outer_runs()

        assert 14 == outer()
        assert (3, 1) == (inner_runs.runs, outer_runs.runs)


SCRIPT = """
import os, sys
from pathlib import Path
import resonate_nb as rnb
rnb.configure(durability="process")

@rnb.durable(id="sync", version=1, name="sync", retry=rnb.Constant(int(sys.argv[1]), delay=0.01), ignore=("Path",))
def sync():
    with open("runs", "a") as log:
        log.write("x")
    run = len(Path("runs").read_text())
    if os.path.exists(f"hold{run}"):
        print("in the middle", flush=True)
        sys.stdin.readline()
    if os.path.exists(f"fail{run}"):
        raise ConnectionError(f"503 at run {run}")
    return run

try:
    print(sync())
except ConnectionError as error:
    print(error)
print([attempt.outcome for attempt in sync.get().attempts])
"""


class Scripted:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "script.py").write_text(SCRIPT)

    def marks(self, *names: str) -> None:
        for name in names:
            (self.folder / name).touch()

    def start(self, attempts: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "script.py", str(attempts)],
            cwd=self.folder,
            env={**os.environ, "RESONATE_NB_STORE": str(self.folder / "store")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_until_held_then_kill(self, attempts: int) -> None:
        process = self.start(attempts)
        assert process.stdout is not None
        assert "in the middle\n" == process.stdout.readline()
        process.kill()
        process.communicate()

    def run(self, attempts: int) -> tuple[list[str], str]:
        out, err = self.start(attempts).communicate("\n", timeout=300)
        return out.splitlines(), err


@pytest.mark.slow
class TestOverTheDeathOfTheProcess:
    def test_after_a_kill_attempt_3_of_5_follows_attempt_2(self, tmp_path: Path) -> None:
        scripted = Scripted(tmp_path)
        scripted.marks("fail1", "hold2", "fail3", "fail4", "fail5")
        scripted.run_until_held_then_kill(5)
        lines, said = scripted.run(5)
        assert ["503 at run 5", "['failed', 'lost', 'failed', 'failed', 'rejected']"] == lines
        assert "sync: attempt 3 of 5, taken over after owner" in said
        assert re.search(r"sync: attempt 3 of 5 failed, retrying in \d+ ms \(ConnectionError: 503 at run 3\)", said)

    def test_a_call_that_finds_all_attempts_used_up_has_one(self, tmp_path: Path) -> None:
        """As a call without retries has, whose owner died; there is none left to fail after it."""
        scripted = Scripted(tmp_path)
        scripted.marks("fail1", "hold2", "fail3")
        scripted.run_until_held_then_kill(2)
        lines, said = scripted.run(2)
        assert ["503 at run 3", "['failed', 'lost', 'rejected']"] == lines
        assert "sync: attempt 3, taken over after owner" in said

    def test_another_process_waits_over_all_tries_and_gets_the_value(self, tmp_path: Path) -> None:
        scripted = Scripted(tmp_path)
        scripted.marks("hold1", "fail1", "fail2")
        owner = scripted.start(5)
        assert owner.stdout is not None
        assert "in the middle\n" == owner.stdout.readline()
        waiter = scripted.start(5)
        assert waiter.stderr is not None
        next(line for line in waiter.stderr if "waiting for" in line)
        out, _ = owner.communicate("\n", timeout=300)
        assert ["3", "['failed', 'failed', 'resolved']"] == out.splitlines()
        assert out == waiter.communicate(timeout=300)[0]
        assert "xxx" == (tmp_path / "runs").read_text()
