"""A body that lasts too long is ended where Python can end it; nothing else ever is, and no Ctrl-C is lost."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest

from resonate_nb import durable, search
from resonate_nb.clock import Clock, ManualClock, SystemClock
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine, _limit
from resonate_nb.runtime._held import hold_interrupt
from resonate_nb.runtime._limit import Limited, LimitPassed, run_limited, run_limited_async

CLOCK = SystemClock()
SHORT = 0.02
"""Seconds of a limit that is to pass."""
LONG = 600.0
"""Seconds of one that is not, and of waits that only a limit ends."""
ENDED: Limited[Any] = Limited(None, None, is_late=True, has_value=False)


@pytest.fixture(autouse=True)
def _nothing_is_left_limited() -> Iterator[None]:
    interrupts, ours = signal.getsignal(signal.SIGINT), _limit._former
    yield
    assert signal.getsignal(signal.SIGINT) is interrupts
    assert _limit._innermost is None
    _limit._former = ours


def spin() -> None:
    while True:
        pass


def spin_past(clock: ManualClock) -> None:
    """Its limit has not passed before, however long a busy machine takes to begin."""
    clock.advance(1_000)
    spin()


def wait_for_a_lock() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def wait_for_a_socket() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.recv(1)


BODIES: dict[str, Callable[[], None]] = {
    "sleep": lambda: time.sleep(LONG),
    "function of C": partial(time.sleep, LONG),
    "busy": spin,
    "lock": wait_for_a_lock,
    "event": lambda: threading.Event().wait() and None,
    "socket": wait_for_a_socket,
    "loop": lambda: asyncio.run(asyncio.sleep(LONG)),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_interrupted_whatever_it_waits_for(name: str) -> None:
    """A flag for the interpreter alone would not end a wait in the system."""
    assert ENDED == run_limited(BODIES[name], SHORT, CLOCK)


def test_a_wait_for_a_child_is_interrupted() -> None:
    """The child is its caller's to end."""
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert ENDED == run_limited(child.wait, SHORT, CLOCK)
    child.communicate()
    assert 0 == child.returncode


async def busy_task() -> None:
    while True:
        await asyncio.sleep(0)


async def gathered() -> None:
    await asyncio.gather(busy_task(), busy_task())


async def grouped() -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(busy_task())


async def in_background() -> None:
    task = asyncio.ensure_future(busy_task())
    await asyncio.sleep(LONG)
    await task


async def busy_callback() -> None:
    def again() -> None:
        asyncio.get_running_loop().call_soon(again)

    again()
    await asyncio.sleep(LONG)


async def blocking() -> None:
    time.sleep(LONG)


@pytest.mark.parametrize(
    "main",
    [busy_task, gathered, grouped, in_background, busy_callback, pytest.param(blocking, marks=pytest.mark.slow)],
)
def test_a_loop_that_the_body_runs_is_stopped_and_nothing_is_reported(
    main: Callable[[], Coroutine[Any, Any, None]], caplog: pytest.LogCaptureFixture
) -> None:
    """Raised inside one of its tasks the limit would be that task's failure, which a loop logs or keeps."""
    clock = ManualClock()

    async def begun() -> None:
        clock.advance(1_000)
        await main()

    assert ENDED == run_limited(lambda: asyncio.run(begun()), SHORT, clock)
    gc.collect()  # tasks whose error nobody asked for would tell of it now
    assert [] == caplog.records


def test_a_loop_that_is_stopped_between_two_tasks_drops_none() -> None:
    """Where it has taken one from its list and not begun with it. A loop that drops a task waits for it ever after."""

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is asyncio.Handle._run.__code__:
            sys.setprofile(None)
            pass_and_signal()

    async def main() -> None:
        sys.setprofile(look)
        await busy_task()

    loop = asyncio.new_event_loop()
    task = loop.create_task(main())
    assert ENDED == run_limited(lambda: loop.run_until_complete(task), LONG, CLOCK)
    task.cancel()
    loop.run_until_complete(asyncio.wait([task], timeout=10))
    loop.close()
    assert task.cancelled()


def test_a_limit_in_a_group_of_errors_is_the_limit() -> None:
    """So do the task groups of other libraries hand it on."""
    clock = ManualClock()

    def body(*more: BaseException) -> None:
        try:
            spin_past(clock)
        except LimitPassed as passed:
            raise BaseExceptionGroup("tasks", [passed, BaseExceptionGroup("inner", [passed]), *more])

    assert ENDED == run_limited(body, SHORT, clock)
    with pytest.raises(BaseExceptionGroup):
        run_limited(partial(body, KeyboardInterrupt()), SHORT, clock)


def test_what_ends_in_time_is_untouched() -> None:
    """Its value or error comes back, and a value of None is one."""
    error = ValueError("body")

    def fails() -> None:
        raise error

    for seconds in (None, LONG):
        assert Limited(1, None, is_late=False, has_value=True) == run_limited(lambda: 1, seconds, CLOCK)
        assert Limited(None, None, is_late=False, has_value=True) == run_limited(lambda: None, seconds, CLOCK)
        assert Limited(None, error, is_late=False, has_value=False) == run_limited(fails, seconds, CLOCK)


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_a_limit_that_has_passed_runs_nothing(seconds: float) -> None:
    """No attempt starts after a deadline."""
    assert ENDED == run_limited(lambda: pytest.fail("ran"), seconds, CLOCK)


@pytest.mark.slow
def test_without_a_limit_there_is_neither_thread_nor_handler() -> None:
    """Most calls have none, and pay nothing."""
    code = """
    import signal, threading
    from resonate_nb.clock import SystemClock
    from resonate_nb.runtime._limit import run_limited
    run_limited(lambda: 1, None, SystemClock())
    assert signal.getsignal(signal.SIGURG) == signal.SIG_DFL
    assert [threading.main_thread()] == threading.enumerate()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_the_bodys_own_handlers_let_the_limit_through_and_its_cleanup_runs() -> None:
    """A loop that retries on every Exception must end, too; a file must be closed."""
    steps = []
    clock = ManualClock()

    def body() -> None:
        while True:
            try:
                spin_past(clock)
            except Exception:
                steps.append("swallowed")
            finally:
                steps.append("cleaned up")

    assert ENDED == run_limited(body, SHORT, clock)
    assert ["cleaned up"] == steps


def test_a_body_that_swallows_the_limit_goes_on_and_is_late() -> None:
    """It is interrupted once; what it returns is not lost."""
    clock = ManualClock()

    def body() -> str:
        try:
            spin_past(clock)
        except BaseException as error:
            return type(error).__name__
        return ""

    assert Limited("LimitPassed", None, is_late=True, has_value=True) == run_limited(body, SHORT, clock)


def test_an_error_of_a_late_body_is_kept() -> None:
    """Its cleanup may fail, which says more than that it was late."""
    error = ValueError("cleanup")
    clock = ManualClock()

    def body() -> None:
        try:
            spin_past(clock)
        finally:
            raise error

    assert Limited(None, error, is_late=True, has_value=False) == run_limited(body, SHORT, clock)


def test_the_clock_that_is_given_says_what_is_late() -> None:
    """Where nothing interrupts."""
    clock = ManualClock()
    body = partial(clock.advance, 999)
    assert not run_limited(body, 1.0, clock).is_late
    body = partial(clock.advance, 1000)
    assert Limited(None, None, is_late=True, has_value=True) == run_limited(body, 1.0, clock)


def test_on_another_thread_the_body_ends_unheard() -> None:
    """Only the main thread can be interrupted in the middle of a wait."""
    clock = ManualClock()
    found: list[Any] = []

    def body() -> str:
        clock.advance(60_000)
        return "value"

    thread = threading.Thread(target=lambda: found.append(run_limited(body, 1.0, clock)))
    thread.start()
    thread.join()
    assert [Limited("value", None, is_late=True, has_value=True)] == found


def test_limits_of_other_threads_leave_the_main_threads_alone() -> None:
    """They run at the same time, and begin and end in any order."""
    entered, leave = threading.Event(), threading.Event()
    clock = ManualClock()

    def body() -> None:
        clock.advance(1_000)
        entered.set()
        leave.wait()

    thread = threading.Thread(target=lambda: run_limited(body, SHORT, clock))
    thread.start()
    entered.wait()
    assert ENDED == run_limited(spin, SHORT, CLOCK)
    leave.set()
    thread.join()


def nested(outer: float, inner: float, body: Callable[[], Any], found: list[Any], clock: Clock = CLOCK) -> Limited[Any]:
    def outer_body() -> str:
        found.append(run_limited(body, inner, clock))
        return "went on"

    return run_limited(outer_body, outer, CLOCK)


def test_the_outer_limit_ends_the_inner_run_as_well() -> None:
    """The inner one's own limit has not passed, and does not fire later."""
    found: list[Any] = []
    assert ENDED == nested(SHORT, 2 * SHORT, spin, found)
    assert [] == found
    time.sleep(3 * SHORT)  # were it still there it would end this
    assert ENDED == run_limited(spin, SHORT, CLOCK)


def test_the_inner_limit_ends_the_inner_run_only() -> None:
    """The body around it goes on in its time."""
    found: list[Any] = []
    assert Limited("went on", None, is_late=False, has_value=True) == nested(LONG, SHORT, spin, found)
    assert [ENDED] == found


def pass_and_signal(depth: int = 0) -> None:
    """The limit of the run that is so far out passes at just this point."""
    limit = list(_limit._limits())[depth]
    limit.is_passed = True
    signal.raise_signal(signal.SIGURG)


def test_an_outer_limit_that_passes_in_the_cleanup_of_an_inner_one_wins() -> None:
    """It ends the inner run as well."""
    clock = ManualClock()

    def body() -> None:
        try:
            spin_past(clock)
        finally:
            pass_and_signal(1)

    found: list[Any] = []
    assert ENDED == nested(LONG, SHORT, body, found, clock)
    assert [] == found


def test_an_inner_limit_that_passes_in_the_cleanup_of_an_outer_one_does_not() -> None:
    """The outer one is on its way out, and must not be taken for the inner."""
    steps = []

    def body() -> None:
        try:
            pass_and_signal(1)
        finally:
            pass_and_signal(0)
            steps.append("cleaned up")

    found: list[Any] = []
    assert ENDED == nested(LONG, LONG, body, found)
    assert ([], ["cleaned up"]) == (found, steps)


def test_an_earlier_limit_of_a_later_run_wakes_the_thread() -> None:
    """It sleeps until the soonest one it knew."""
    assert 1 == run_limited(lambda: 1, LONG, CLOCK).value
    assert _limit._thread is not None
    assert ENDED == run_limited(spin, SHORT, CLOCK)


def test_the_thread_ends_with_the_last_limit_that_it_waited_for() -> None:
    """And the next run begins another one."""
    assert ENDED == run_limited(spin, SHORT, CLOCK)
    while (thread := _limit._thread) is not None:
        with _limit._lock:
            _limit._changed.notify_all()
        thread.join()
    assert ENDED == run_limited(spin, SHORT, CLOCK)


# Deadlines, which are the wall clock's.


class Settable(SystemClock):
    """The machine's clock, as one that somebody sets."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


def test_a_body_is_interrupted_at_its_deadline() -> None:
    deadline = CLOCK.now_ms() + 20
    assert ENDED == run_limited(spin, LONG, CLOCK, deadline)
    assert CLOCK.now_ms() >= deadline


def test_the_limit_of_a_run_holds_before_its_deadline() -> None:
    assert ENDED == run_limited(spin, SHORT, CLOCK, CLOCK.now_ms() + 600_000)


def test_a_clock_that_is_set_back_gives_a_run_more_time() -> None:
    clock = Settable()
    deadline = clock.now_ms() + 20

    def body() -> None:
        clock.ahead_ms = -60
        spin()

    assert ENDED == run_limited(body, None, clock, deadline)
    assert clock.now_ms() >= deadline


@pytest.mark.slow
def test_a_deadline_that_a_set_clock_has_passed_is_noticed_at_the_next_look() -> None:
    """Or the machine was suspended. The thread looks when another run begins, and every half a minute."""
    clock = Settable()

    def body() -> None:
        clock.ahead_ms = 2_000_000
        run_limited(lambda: None, 10, clock)
        spin()

    assert ENDED == run_limited(body, None, clock, clock.now_ms() + 20_000)


def test_an_awaited_body_has_more_time_when_the_clock_is_set_back() -> None:
    clock = Settable()
    deadline = clock.now_ms() + 20

    async def body() -> None:
        clock.ahead_ms = -60
        await asyncio.sleep(LONG)

    async def main() -> Limited[None]:
        return await run_limited_async(body(), None, clock, deadline)

    assert ENDED == asyncio.run(main())
    assert clock.now_ms() >= deadline


@pytest.mark.parametrize("ago", [0, 1000])
def test_after_its_deadline_no_run_begins(ago: int) -> None:
    ran: list[int] = []
    assert ENDED == run_limited(lambda: ran.append(1), None, CLOCK, CLOCK.now_ms() - ago)
    assert [] == ran


# What is never interrupted.


def test_a_signal_that_comes_after_the_body_interrupts_nothing() -> None:
    """The limit has passed at the body's last step, and the signal is late."""

    def body() -> str:
        assert _limit._innermost is not None
        _limit._innermost.is_passed = True
        return "value"

    def around() -> Limited[str]:
        found = run_limited(body, LONG, CLOCK)
        signal.raise_signal(signal.SIGURG)
        return found

    assert Limited("value", None, is_late=True, has_value=True) == around()


def test_a_signal_of_others_interrupts_nothing() -> None:
    """SIGURG may come at any time."""
    assert 1 == run_limited(lambda: signal.raise_signal(signal.SIGURG) or 1, LONG, CLOCK).value


def test_a_signal_of_others_reaches_their_handler() -> None:
    """It stood before ours, and may belong to a library that reads urgent data."""
    calls = []
    before = signal.signal(signal.SIGURG, lambda number, frame: calls.append(number))
    try:
        run_limited(lambda: signal.raise_signal(signal.SIGURG), LONG, CLOCK)
        assert ENDED == run_limited(spin, SHORT, CLOCK)
    finally:
        signal.signal(signal.SIGURG, before)
    assert [signal.SIGURG] == calls


def test_a_handler_that_the_body_sets_is_left_alone() -> None:
    """Then nothing interrupts, and the late value is there."""
    calls = []

    def body() -> None:
        signal.signal(signal.SIGURG, lambda number, frame: calls.append(number))
        with _limit._lock:
            assert _limit._innermost is not None
            _limit._innermost.left = lambda: 0.0
            _limit._changed.notify_all()
        while not _limit._innermost.is_passed:
            pass

    before = signal.getsignal(signal.SIGURG)
    assert Limited(None, None, is_late=True, has_value=True) == run_limited(body, LONG, CLOCK)
    signal.signal(signal.SIGURG, before)
    assert [] == calls


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as fast as they can, so that the one that looks out is not milliseconds late."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_bodies_that_end_within_microseconds_of_their_limit(eager_threads: None) -> None:
    """The hand-over is exact: an interrupted body gave nothing, an ended one all, and what follows is never cut."""
    ended = interrupted = 0
    length = 0.0
    while min(ended, interrupted) < 2000:
        is_through = False

        def body(length: float = length) -> int:
            nonlocal is_through
            until = time.perf_counter() + length
            while time.perf_counter() < until:
                pass
            is_through = True
            return 42

        try:
            found = run_limited(body, 0.0002, CLOCK)
            for _ in range(200):  # time for a signal that comes after all
                pass
        except BaseException as error:
            pytest.fail(f"{error!r} came out of a run")
        assert _limit._innermost is None
        if found.has_value:
            assert (42, True) == (found.value, is_through)
            ended += 1
            length += 0.000_007
        else:
            assert (ENDED, False) == (found, is_through)
            interrupted += 1
            length -= 0.000_007


# While interrupts are held back.


def test_a_limit_waits_for_the_end_of_what_must_be_whole() -> None:
    """A call inside the body that is being settled is settled first."""
    steps = []

    def body() -> None:
        with hold_interrupt():
            with hold_interrupt():
                pass_and_signal()
                steps.append("held")
            steps.append("held by the outer one")
        steps.append("after")

    assert ENDED == run_limited(body, LONG, CLOCK)
    assert ["held", "held by the outer one"] == steps


def test_a_limit_comes_where_what_is_held_is_let_through() -> None:
    """There the inner call's body begins."""
    steps = []

    def body() -> None:
        with hold_interrupt() as hold:
            pass_and_signal()
            try:
                with hold.let_through():
                    steps.append("let through")
            finally:
                steps.append(hold is not None)

    assert ENDED == run_limited(body, LONG, CLOCK)
    assert [True] == steps


def test_a_held_limit_of_a_body_that_has_ended_is_forgotten() -> None:
    """The run may end inside the block."""
    with hold_interrupt():
        assert run_limited(pass_and_signal, LONG, CLOCK).is_late
    assert 1 == run_limited(lambda: 1, LONG, CLOCK).value


class Telltale:
    """Its owner's limit passes while it is encoded."""

    def __reduce__(self) -> tuple[Any, ...]:
        pass_and_signal()
        return Telltale, ()


def test_a_durable_call_inside_the_body_is_settled_before_the_limit_comes(engine: Engine) -> None:
    """Its body has ended, and its value must not be lost."""

    @durable
    def inner() -> Telltale:
        return Telltale()

    assert ENDED == run_limited(inner, LONG, CLOCK)
    assert [State.RESOLVED] == [handle.state for handle in search("*inner*")]


def test_a_durable_call_whose_body_an_outer_limit_ends_is_given_back(engine: Engine) -> None:
    """It has not failed, and goes on another time."""

    @durable
    def inner() -> None:
        pass_and_signal()

    assert ENDED == run_limited(inner, LONG, CLOCK)
    assert [(State.PENDING, ["interrupted"])] == [
        (handle.state, [attempt.outcome for attempt in handle.attempts]) for handle in search("*inner*")
    ]


# Ctrl-C.


def test_an_interrupt_goes_through_a_limited_run() -> None:
    """And leaves nothing behind."""

    def body() -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_limited(body, LONG, CLOCK)
    with pytest.raises(KeyboardInterrupt):
        run_limited(body, None, CLOCK)


def test_an_interrupt_and_a_limit_of_the_same_moment_are_an_interrupt() -> None:
    """Both have come before Python looks at either."""

    def body() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGURG})
        try:
            assert _limit._innermost is not None
            _limit._innermost.is_passed = True
            signal.pthread_kill(threading.get_ident(), signal.SIGURG)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGURG})

    with pytest.raises(KeyboardInterrupt):
        run_limited(body, LONG, CLOCK)


def test_a_limit_does_not_cut_short_what_is_done_on_an_interrupt() -> None:
    """A checkpoint is written; nor is the interrupt pushed aside."""
    steps = []

    def body() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            try:
                raise ValueError("in the handling")
            except ValueError:
                pass_and_signal()
            steps.append("written")
            raise

    with pytest.raises(KeyboardInterrupt):
        run_limited(body, LONG, CLOCK)
    assert ["written"] == steps


def test_an_interrupt_during_the_cleanup_of_a_limit_counts() -> None:
    """It is the last word."""
    clock = ManualClock()

    def body() -> None:
        try:
            spin_past(clock)
        finally:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_limited(body, SHORT, clock)


def test_a_held_interrupt_is_not_pushed_aside_by_a_held_limit() -> None:
    """Whichever of the two came first."""

    def body() -> None:
        with hold_interrupt():
            pass_and_signal()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_limited(body, LONG, CLOCK)


@pytest.mark.parametrize("bound", [False, True], ids=["function", "partial"])
def test_a_limit_does_not_cut_short_a_handler_of_interrupts(bound: bool) -> None:
    """It would lose the interrupt in the middle of the user's own way to deal with it."""
    calls = []

    def own(number: int, frame: FrameType | None) -> None:
        pass_and_signal()
        calls.append(number)

    before = signal.signal(signal.SIGINT, partial(own) if bound else own)
    try:
        found = run_limited(lambda: signal.raise_signal(signal.SIGINT) or "went on", LONG, CLOCK)
    finally:
        signal.signal(signal.SIGINT, before)
    assert [signal.SIGINT] == calls
    assert Limited("went on", None, is_late=True, has_value=True) == found


@pytest.mark.slow
def test_interrupts_at_random_moments_are_all_told() -> None:
    """Another process presses Ctrl-C while limits pass by the thousand: each is one KeyboardInterrupt, none is lost."""
    code = """
    import os, signal, sys, time
    from resonate_nb.clock import SystemClock
    from resonate_nb.runtime._limit import run_limited
    clock = SystemClock()
    told = 0
    def spin():
        while True: pass
    sys.setswitchinterval(1e-6)
    while told < 300:
        try:
            os.write(1, b"!\\n")
            while True:
                found = run_limited(spin, 0.0002, clock)
                assert (True, False) == (found.is_late, found.has_value)
        except KeyboardInterrupt:
            told += 1
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        for _ in range(300):
            assert b"!\n" == child.stdout.readline()
            child.send_signal(signal.SIGINT)
        assert 0 == child.wait(300)
    finally:
        child.kill()
        child.communicate()


# Forks.


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_the_body_forks_is_not_limited_and_can_limit() -> None:
    """The run is its parent's; the thread that looked out is not there any more."""
    parent = os.getpid()

    def body() -> int:
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            assert _limit._innermost is None
            assert ENDED == run_limited(spin, SHORT, CLOCK)
            return 0
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    found = None
    try:
        found = run_limited(body, LONG, CLOCK)
    finally:
        if os.getpid() != parent:
            os._exit(0 if found == Limited(0, None, False, True) and _limit._innermost is None else 3)
    assert Limited(0, None, is_late=False, has_value=True) == found


# Awaited bodies.


def test_an_awaited_body_is_cancelled() -> None:
    """The task goes on as if nothing had been."""

    async def main() -> tuple[Limited[Any], int]:
        found = await run_limited_async(asyncio.sleep(LONG), SHORT, CLOCK)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        return found, task.cancelling()

    assert (ENDED, 0) == asyncio.run(main())


def test_an_awaited_body_that_ends_in_time_is_untouched() -> None:
    """With or without a limit."""
    error = ValueError("body")

    async def fails() -> None:
        raise error

    async def main(seconds: float | None) -> list[Any]:
        return [
            await run_limited_async(asyncio.sleep(0, 1), seconds, CLOCK),
            await run_limited_async(fails(), seconds, CLOCK),
        ]

    for seconds in (None, LONG):
        assert [Limited(1, None, False, True), Limited(None, error, False, False)] == asyncio.run(main(seconds))


def test_an_awaited_body_whose_limit_has_passed_does_not_begin() -> None:
    """Nor is its coroutine complained of."""
    assert ENDED == asyncio.run(run_limited_async(asyncio.sleep(LONG), 0, CLOCK))


def test_an_awaited_body_that_goes_on_is_late() -> None:
    """Its value or error is not lost, and its cancellation is not counted."""
    error = ValueError("cleanup")
    clock = ManualClock()

    async def stubborn(outcome: Exception | None) -> str:
        clock.advance(1_000)
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            if outcome is not None:
                raise outcome
        return "value"

    async def main(outcome: Exception | None) -> tuple[Any, int]:
        task = asyncio.current_task()
        assert task is not None
        return await run_limited_async(stubborn(outcome), SHORT, clock), task.cancelling()

    assert (Limited("value", None, True, True), 0) == asyncio.run(main(None))
    assert (Limited(None, error, True, False), 0) == asyncio.run(main(error))


def test_a_body_that_kept_its_loop_busy_is_late() -> None:
    """No timer of the loop could run."""
    clock = ManualClock()

    async def busy() -> str:
        clock.advance(60_000)
        return "value"

    assert Limited("value", None, True, True) == asyncio.run(run_limited_async(busy(), 1.0, clock))


@pytest.mark.parametrize("has_passed", [False, True], ids=["before the limit", "in its cleanup"])
def test_a_cancellation_by_others_goes_through(has_passed: bool) -> None:
    """It is theirs to count, whether or not the limit has passed as well."""
    clock = ManualClock()

    async def body(begun: asyncio.Event) -> None:
        try:
            clock.advance(1_000)
            if not has_passed:
                begun.set()
            await asyncio.sleep(LONG)
        finally:
            if has_passed:
                begun.set()
                await asyncio.sleep(LONG)

    async def main() -> int:
        begun = asyncio.Event()
        task = asyncio.ensure_future(run_limited_async(body(begun), SHORT if has_passed else LONG, clock))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelling()

    assert 1 == asyncio.run(main())


def test_of_two_awaited_limits_that_pass_together_the_outer_one_wins() -> None:
    """Both have cancelled the one task."""

    async def main() -> tuple[Any, list[Any]]:
        found = []

        async def outer() -> None:
            found.append(await run_limited_async(asyncio.sleep(LONG), SHORT, CLOCK))

        async def busy() -> None:
            time.sleep(2 * SHORT)

        task = asyncio.ensure_future(run_limited_async(outer(), SHORT, CLOCK))
        await asyncio.sleep(0)
        await busy()
        return await task, found

    assert (ENDED, []) == asyncio.run(main())


def test_a_synchronous_run_inside_a_coroutine_is_interrupted_alone() -> None:
    """The loop and the task around it go on."""

    async def main() -> list[Any]:
        return [run_limited(spin, SHORT, CLOCK), await asyncio.sleep(0, "goes on")]

    assert [ENDED, "goes on"] == asyncio.run(main())


def test_the_error_that_interrupts_is_no_exception() -> None:
    """`except Exception` of the user's lets it through."""
    assert not issubclass(LimitPassed, Exception)
