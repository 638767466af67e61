"""Interrupts come at the right moment: after what must be whole, and at once in what only waits."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from resonate_nb.runtime import _held
from resonate_nb.runtime._held import Interrupt, cancel_on_interrupt, hold_interrupt


@pytest.fixture(autouse=True)
def _handler_is_put_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    after = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)
    assert after is before
    assert _held._foreground == []


def interrupt() -> None:
    """What Ctrl-C does; Python handles it before the next statement."""
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_is_delivered_right_after_the_block() -> None:
    """The block runs to its end first."""
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with hold_interrupt():
            interrupt()
            steps.append("inside")
        steps.append("after")
    assert steps == ["inside"]


def test_without_an_interrupt_nothing_happens() -> None:
    """And the handler is as before."""
    with hold_interrupt():
        pass


def test_the_outermost_block_delivers() -> None:
    """An inner part may not know that it is one."""
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with hold_interrupt():
            with hold_interrupt():
                interrupt()
            steps.append("between")
        steps.append("after")
    assert steps == ["between"]


def test_an_error_of_the_block_is_the_context_of_the_interrupt() -> None:
    """Neither is lost."""
    with pytest.raises(KeyboardInterrupt) as caught, hold_interrupt():
        interrupt()
        raise ValueError("inside")
    assert isinstance(caught.value.__context__, ValueError)


def test_it_is_delivered_to_the_handler_that_stood_before() -> None:
    """Kernels have their own, and they are told once however often one pressed."""
    calls: list[tuple[int, bool]] = []

    def own(number: int, frame: FrameType | None) -> None:
        calls.append((number, frame is not None))

    before = signal.signal(signal.SIGINT, own)
    with hold_interrupt():
        interrupt()
        interrupt()
        assert calls == []
    assert calls == [(signal.SIGINT, True)]
    assert signal.signal(signal.SIGINT, before) is own


def test_an_ignored_interrupt_stays_ignored() -> None:
    """SIG_IGN is an answer, too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with hold_interrupt():
        interrupt()
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN


def test_a_handler_set_inside_is_left_alone() -> None:
    """Whoever set it knows why."""

    def own(number: int, frame: FrameType | None) -> None: ...

    before = signal.getsignal(signal.SIGINT)
    with hold_interrupt():
        signal.signal(signal.SIGINT, own)
    assert signal.signal(signal.SIGINT, before) is own


def test_on_another_thread_it_does_nothing() -> None:
    """Signals go to the main thread only."""
    seen: list[Any] = []

    def work() -> None:
        with hold_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


class OutOfTimeError(Exception):
    """What a time-out by SIGALRM raises, wherever it comes."""


@pytest.fixture
def alarm() -> Iterator[None]:
    def out_of_time(*_: object) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, out_of_time)
    yield
    assert out_of_time is signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
def test_other_signals_that_raise_are_held_back_as_well() -> None:
    """A time-out would cut what must be whole just as an interrupt would."""
    steps = []
    with pytest.raises(OutOfTimeError), hold_interrupt():
        with hold_interrupt() as inner, inner.let_through():
            signal.raise_signal(signal.SIGALRM)
        steps.append("inside")
    assert ["inside"] == steps
    with pytest.raises(OutOfTimeError), hold_interrupt() as hold, hold.let_through():
        signal.raise_signal(signal.SIGALRM)
        steps.append("not interrupted")
    assert ["inside"] == steps


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("order", [(signal.SIGINT, signal.SIGALRM), (signal.SIGALRM, signal.SIGINT)])
def test_of_two_signals_neither_is_lost(order: tuple[signal.Signals, ...]) -> None:
    """Whichever came first, the interrupt is what the caller gets."""
    with pytest.raises(KeyboardInterrupt) as caught, hold_interrupt():
        for number in order:
            signal.raise_signal(number)
    assert isinstance(caught.value.__context__, OutOfTimeError)


def test_a_signal_that_nobody_handles_does_what_it_does() -> None:
    """Whoever asks a process to end expects it to."""
    with hold_interrupt():
        assert signal.SIG_DFL == signal.getsignal(signal.SIGTERM)


@pytest.mark.slow
def test_the_default_action_ends_the_process_after_the_block() -> None:
    """A script may have asked to die at once, and has its block whole."""
    code = """
    import signal
    from resonate_nb.runtime import hold_interrupt
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with hold_interrupt():
        signal.raise_signal(signal.SIGINT)
        print("inside", flush=True)
    print("after", flush=True)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("inside\n", -signal.SIGINT)


def on_a_loop(main: Any) -> Any:
    """Run as a kernel does: without `asyncio.run`, which handles interrupts by itself."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


async def guarded(body: Any, interrupts: list[Interrupt] | None = None) -> Any:
    task = asyncio.current_task()
    assert task is not None
    with cancel_on_interrupt(asyncio.get_running_loop(), task) as mark:
        if interrupts is not None:
            interrupts.append(mark)
        return await body


async def forever() -> None:
    await asyncio.Event().wait()


def test_an_awaited_body_is_cancelled() -> None:
    """It would sleep on otherwise; the task goes on afterwards as if nothing had been."""
    marks: list[Interrupt] = []

    async def main() -> tuple[int, str]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(interrupt)
        with pytest.raises(asyncio.CancelledError):
            await guarded(forever(), marks)
        return task.cancelling(), await asyncio.wait_for(asyncio.sleep(0, "goes on"), 10)

    assert on_a_loop(main()) == (0, "goes on")
    assert (marks[0].is_requested, marks[0].is_delivered) == (True, True)


@pytest.mark.slow
def test_a_sleeping_loop_is_woken() -> None:
    """The signal comes from outside while the loop waits in the system, with nothing else to wake it."""
    code = """
    import asyncio, os, signal, subprocess, sys
    from resonate_nb.runtime._held import cancel_on_interrupt
    async def main():
        with cancel_on_interrupt(asyncio.get_running_loop(), asyncio.current_task()):
            print("ready", flush=True)
            await asyncio.Event().wait()
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    except asyncio.CancelledError:
        print("cancelled", flush=True)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    try:
        assert child.communicate(timeout=300)[0] == "cancelled\n"
    finally:
        child.kill()


def test_calls_awaited_together_are_all_cancelled() -> None:
    """The loop itself must live on, so none of them raises KeyboardInterrupt."""
    marks: list[Interrupt] = []

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        tasks = [asyncio.ensure_future(guarded(forever(), marks)) for _ in range(3)]
        loop.call_soon(lambda: loop.call_soon(interrupt))
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(result) for result in on_a_loop(main())] == [asyncio.CancelledError] * 3
    assert [mark.is_delivered for mark in marks] == [True] * 3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)], ids=str)
def test_they_may_end_in_any_order(order: tuple[int, ...]) -> None:
    """The handler is put back by the last one; until then each that is left can be interrupted."""
    before = signal.getsignal(signal.SIGINT)

    async def main() -> None:
        gates = [asyncio.Event() for _ in order]
        tasks = [asyncio.ensure_future(guarded(gate.wait())) for gate in gates]
        await asyncio.sleep(0)
        for number in order:
            assert signal.getsignal(signal.SIGINT) is not before
            gates[number].set()
            await tasks[number]
        assert signal.getsignal(signal.SIGINT) is before

    on_a_loop(main())


def test_the_second_interrupt_goes_to_the_former_handler() -> None:
    """For a body that does not let itself be cancelled."""

    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            with pytest.raises(KeyboardInterrupt):
                interrupt()
        return "done"

    async def main() -> tuple[str, int]:
        asyncio.get_running_loop().call_soon(interrupt)
        task = asyncio.current_task()
        assert task is not None
        return await guarded(stubborn()), task.cancelling()

    assert on_a_loop(main()) == ("done", 0)


def test_an_interrupt_that_comes_too_late_stops_what_follows() -> None:
    """The body ended in the same moment; the next call must not start as if nobody had pressed."""
    marks: list[Interrupt] = []

    async def body() -> None:
        interrupt()

    async def main() -> int:
        with pytest.raises(asyncio.CancelledError):
            await guarded(body(), marks)
        await asyncio.sleep(0)  # the cancellation that was asked of the loop finds the block over
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert on_a_loop(main()) == 0
    assert (marks[0].is_requested, marks[0].is_delivered) == (True, False)


def test_a_cancellation_by_others_is_left_to_them() -> None:
    """Only our own is taken back."""
    marks: list[Interrupt] = []

    async def main() -> int:
        task = asyncio.ensure_future(guarded(forever(), marks))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelling()

    assert on_a_loop(main()) == 1
    assert not marks[0].is_requested


def test_an_error_of_the_body_goes_through() -> None:
    """And the handler is put back."""

    async def fails() -> None:
        raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        on_a_loop(guarded(fails()))


def test_a_handler_put_over_ours_outlives_it_and_ours_passes_on() -> None:
    """A kernel puts its own over ours, and puts ours back when the call is over."""
    calls: list[int] = []

    def kernels(number: int, frame: FrameType | None) -> None:
        calls.append(number)

    async def main() -> Any:
        gate = asyncio.Event()
        task = asyncio.ensure_future(guarded(gate.wait()))
        await asyncio.sleep(0)
        ours = signal.signal(signal.SIGINT, kernels)
        gate.set()
        await task
        assert signal.getsignal(signal.SIGINT) is kernels
        signal.signal(signal.SIGINT, ours)  # late
        return ours

    before = signal.getsignal(signal.SIGINT)
    on_a_loop(main())
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert calls == []
    on_a_loop(guarded(asyncio.sleep(0)))
    assert signal.getsignal(signal.SIGINT) is before


def test_on_another_thread_it_does_nothing_to_a_loop() -> None:
    """Signals go to the main thread only."""
    seen: list[Any] = []

    async def body() -> None:
        seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=lambda: on_a_loop(guarded(body())))
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_under_asyncio_run_its_own_handler_does_the_work() -> None:
    """It turns the cancellation into KeyboardInterrupt at the end, which ours would hide."""

    async def main() -> None:
        asyncio.get_running_loop().call_soon(interrupt)
        await guarded(forever())

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


def test_the_handler_that_an_interrupted_asyncio_run_has_left_standing_stops_no_other_loop() -> None:
    """Once an interrupt has come at the very end of a run its handler stays, and raises where the next loop is."""
    left: list[Any] = []

    async def first() -> None:
        left.append(signal.getsignal(signal.SIGINT))

    async def main() -> str:
        asyncio.get_running_loop().call_soon(interrupt)
        with pytest.raises(asyncio.CancelledError):
            await guarded(forever())
        return "goes on"

    asyncio.run(first())
    before = signal.signal(signal.SIGINT, left[0])
    try:
        assert "goes on" == asyncio.run(main())
        assert left[0] is signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_heard_though_a_loop_was_closed_under_its_task() -> None:
    """Nobody is left there to be cancelled: it is the next handler's."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(guarded(asyncio.sleep(3600)))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    task.get_coro().close()  # as when it is collected
    task._log_destroy_pending = False  # type: ignore[attr-defined]
