"""Limits: a run of a body that has lasted too long is ended where Python can end it, and known to be late elsewhere.

On the main thread a synchronous body is interrupted as Ctrl-C interrupts it, by a signal: that also ends a sleep and a
wait for a socket, a child or a lock. A call into C that looks at no signals goes on until it returns to Python. A body
on another thread is not interrupted at all. An awaited body is cancelled by its own loop.

The signal is SIGURG. SIGINT would make a Ctrl-C of the same moment and a limit one signal, of which nobody could tell
which it was; SIGALRM is the user's, and most others kill a process that does not expect them. SIGURG is ignored by
default and may come at any time (Go preempts with it for these reasons). Our handler stays once it is there: where it
has nothing to do it passes on what comes, and a handler that is taken away could miss a signal that is on its way.

That nothing but the body is interrupted does not hang on the moment: the handler raises only where the body is found
among the frames that are running.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.records import dataclass

from . import _held
from ._threads import started

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited

    _Place = tuple[asyncio.AbstractEventLoop | None, asyncio.Task[Any] | None]

T = TypeVar("T")


GRACE_SECONDS = 1.0
"""After which a body is interrupted without regard for the event loop that it runs."""
LOOK_SECONDS = 30.0
"""How late a jump of the wall clock, or a suspended laptop, is noticed by a run that has a deadline."""


@dataclass(slots=True, eq=False)
class Limit:
    """The limit of one synchronous run on the main thread."""

    left: Callable[[], float]
    """Seconds that the run still has; none or less when the limit has passed."""
    until: float
    """When to look next whether a signal is due, in monotonic seconds."""
    outer: Limit | None
    """That of the run inside of which this one began."""
    place: _Place
    """That at which the run began."""
    is_passed: bool = False
    signals: int = 0
    """How many were sent on its behalf: one, and another one where the first could not interrupt."""
    is_told: bool = False
    """The body was interrupted; if it goes on all the same, it is let go on."""


class LimitPassed(SystemExit):
    """Ends the body whose limit has passed.

    No `Exception`, so that the body's own handlers let it through; and what event loops and task groups let through at
    once, as they would not let any `BaseException`.
    """

    def __init__(self, limit: Limit) -> None:
        super().__init__("the time that this run was given has passed")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Limited(Generic[T]):
    """What became of a limited run: a value, an error, or neither, when the limit ended it."""

    value: T | None
    error: Exception | None
    is_late: bool
    """It ended, or was ended, after its limit. A late body that went on has its value or error here as well."""
    has_value: bool
    """Whether the body returned `value`, which may be None."""


def run_limited(body: Callable[[], T], seconds: float | None, clock: Clock, deadline: int | None = None) -> Limited[T]:
    """The body has ended: by itself, or interrupted `seconds` after it began or at `deadline` (epoch milliseconds),
    whichever comes first; None is no limit. The deadline is the wall clock's, and follows it when that is set.

    Only an `Exception` of the body's is caught: an interrupt of the user's goes through, and one that is being handled
    is never cut short by a limit. While interrupts are held back (`_held.Hold`) so is the limit. A limit that is found
    to have passed already runs nothing.
    """
    global _innermost
    if seconds is None and deadline is None:
        try:
            return Limited(body(), None, False, True)
        except Exception as error:
            return Limited(None, error, False, False)
    left = _left(seconds, deadline, clock)
    if left() <= 0:
        return Limited(None, None, True, False)
    limit = Limit(left, _clock.monotonic() + min(left(), LOOK_SECONDS), _innermost, _place())
    value: T | None = None
    failure: Exception | None = None
    try:
        if _can_interrupt():
            # In the middle of starting a thread an interrupt would come out as an error of `threading`.
            with _held.hold_interrupt():
                _innermost = limit
                _look_out(limit)
        value = _inside(limit, body)
    except Exception as error:
        failure = error
    except (LimitPassed, BaseExceptionGroup) as passed:
        if not _is_of(limit, passed):
            raise
        return Limited(None, None, True, False)
    finally:
        # Two plain stores, between which Python handles no signals. In a child that the body forked it is no longer so.
        if _innermost is limit:
            _innermost = limit.outer
    return Limited(value, failure, limit.is_passed or left() <= 0, failure is None)


async def run_limited_async(
    awaitable: Awaitable[T], seconds: float | None, clock: Clock, deadline: int | None = None
) -> Limited[T]:
    """The same for what is awaited: the task is cancelled at the limit, which ends here; a cancellation by others goes
    through. A body that catches the cancellation and goes on is late."""
    if seconds is None and deadline is None:
        try:
            return Limited(await awaitable, None, False, True)
        except Exception as error:
            return Limited(None, error, False, False)
    import asyncio

    left = _left(seconds, deadline, clock)
    if left() <= 0:
        if isinstance(awaitable, Coroutine):
            awaitable.close()
        return Limited(None, None, True, False)
    loop, task = asyncio.get_running_loop(), cast("asyncio.Task[Any]", asyncio.current_task())
    cancellations = task.cancelling()
    is_passed = False
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal is_passed, timer
        if (rest := left()) > 0:
            timer = loop.call_later(min(rest, LOOK_SECONDS), look)
        else:
            is_passed = True
            task.cancel()

    timer = loop.call_later(min(left(), LOOK_SECONDS), look)
    value: T | None = None
    failure: Exception | None = None
    try:
        try:
            value = await awaitable
        finally:
            timer.cancel()
            if is_passed:
                task.uncancel()
    except asyncio.CancelledError:
        if not is_passed or task.cancelling() > cancellations:
            raise
        return Limited(None, None, True, False)
    except Exception as error:
        failure = error
    return Limited(value, failure, is_passed or left() <= 0, failure is None)


def _left(seconds: float | None, deadline: int | None, clock: Clock) -> Callable[[], float]:
    """Says how many seconds are left of a run that begins now."""
    until = math.inf if seconds is None else clock.monotonic() + seconds

    def left() -> float:
        rest = until - clock.monotonic()
        return rest if deadline is None else min(rest, (deadline - clock.now_ms()) / 1000)

    return left


_SIGNAL: signal.Signals | None = getattr(signal, "SIGURG", None)
_clock = SystemClock()
_innermost: Limit | None = None
"""The limit of the run that the main thread is in; only the main thread changes it."""
_former: Any = None
"""The handler that stood before ours."""
_lock = threading.Lock()
# Taken by itself, not through the condition, whose `with` an interrupt can leave locked.
_changed = threading.Condition(_lock)
_thread: threading.Thread | None = None
_wakes = 0.0
"""When the thread looks next, in monotonic seconds."""


def _renew_in_child() -> None:
    # The runs that are limited are the parent's, and so are thread and lock.
    global _innermost, _lock, _changed, _thread
    _innermost = None
    _lock = threading.Lock()
    _changed = threading.Condition(_lock)
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)


def _inside(limit: Limit, body: Callable[[], T]) -> T:
    """The frame by which the handler knows that the body is running."""
    if limit.is_passed:  # before there was anything to interrupt
        raise LimitPassed(limit)
    return body()


def _is_of(limit: Limit, error: BaseException) -> bool:
    """Whether it is all this limit's doing."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of(limit, each) for each in error.exceptions)
    return isinstance(error, LimitPassed) and error.limit is limit


def _place() -> _Place:
    """The loop that is running here, and the task that it is at; between two of them, or in a callback, no task."""
    if "asyncio" not in sys.modules:
        return None, None
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None, None
    return loop, asyncio.current_task(loop)


def _limits() -> Iterator[Limit]:
    """From the inside out."""
    limit = _innermost
    while limit is not None:
        yield limit
        limit = limit.outer


def _can_interrupt() -> bool:
    """Whether this is the main thread, and our handler stands; not where something outside Python has the signal."""
    global _former
    if _SIGNAL is None or threading.current_thread() is not threading.main_thread():
        return False
    standing = signal.getsignal(_SIGNAL)
    if standing is not None and standing is not _on_signal:
        try:
            signal.signal(_SIGNAL, _on_signal)
        except ValueError:  # the main thread of another interpreter than the main one
            return False
        _former = standing
    return standing is not None


def _look_out(limit: Limit) -> None:
    """The thread knows of the limit, and is there."""
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = started(_watch, "limits", otherwise="a limit of time is judged when the body has ended")
        elif limit.until < _wakes:
            _changed.notify_all()


def _watch() -> None:
    """Sleep until the soonest limit, interrupt the main thread, and so on; end when a look finds no limit to wait for.

    A run that ends in time does not wake it.
    """
    global _thread, _wakes
    while True:
        with _lock:
            now = _clock.monotonic()
            waiting = [limit for limit in _limits() if not limit.is_told]
            for limit in waiting:
                if not limit.is_passed:
                    limit.until = now + min(max(0.0, limit.left()), LOOK_SECONDS)
            passed = [limit for limit in waiting if limit.until <= now]
            for limit in passed:
                limit.is_passed = True
                limit.signals += 1
                # Again, and again: a signal may find the body where it must not be interrupted, and two that come
                # while a busy machine does not run the main thread are one.
                limit.until = now + min(GRACE_SECONDS * 2 ** (limit.signals - 1), LOOK_SECONDS)
            if passed and _SIGNAL is not None and signal.getsignal(_SIGNAL) is _on_signal:
                signal.pthread_kill(cast(int, threading.main_thread().ident), _SIGNAL)
            soonest = min((limit.until for limit in waiting), default=None)
            if soonest is None:
                _thread = None
                return
            _wakes = soonest
            _changed.wait(min(soonest - now, threading.TIMEOUT_MAX))


def _on_signal(number: int, frame: FrameType | None) -> None:
    passed = [limit for limit in _limits() if limit.is_passed and not limit.is_told]
    if not passed:
        if callable(_former):
            _former(number, frame)
        return
    for limit in reversed(passed):  # the outermost ends those inside of it as well
        if _is_in_body(limit, frame):
            _interrupt(limit, number, frame)
            return


def _interrupt(limit: Limit, number: int, frame: FrameType | None) -> None:
    """Raise in the body, unless something comes first. Only the main thread is ever here."""
    if (hold := _held.standing()) is not None:
        hold.deliver_later(number)
        return
    if _is_interrupt_handled():
        return
    place = loop, _ = _place()
    is_called = frame is not None and frame.f_code is _signal_here.__code__
    is_other = place != limit.place and not is_called
    if loop is not None and is_other and (limit.signals < 2 or _is_loops(frame)):
        # A loop that the body runs. Raised in one of its tasks it would be that task's failure, and reported; raised
        # in the loop's own code it could drop a task that was about to go on, for which the loop would wait for ever.
        # A callback stops the loop, which then cancels all tasks. It does not come where a task never ends.
        loop.call_soon_threadsafe(_signal_here, number)
        return
    for inner in _limits():
        inner.is_told = True  # theirs must not push this one aside while it is on its way out
        if inner is limit:
            break
    raise LimitPassed(limit)


def _signal_here(number: int) -> None:
    """What the loop calls: nothing of its own is under way."""
    signal.raise_signal(number)


def _is_loops(frame: FrameType | None) -> bool:
    """Whether the code that was interrupted is that of a loop, which then comes to what it is to call."""
    name = "" if frame is None else frame.f_globals.get("__name__", "")
    return name.partition(".")[0] in ("asyncio", "selectors")


def _is_in_body(limit: Limit, frame: FrameType | None) -> bool:
    """Whether the body is running here. Not while the user's own handler of Ctrl-C is at work on top of it."""
    handler: Any = signal.getsignal(signal.SIGINT)
    users = getattr(getattr(handler, "func", handler), "__code__", None)
    while frame is not None and frame.f_code is not users:
        if frame.f_code is _inside.__code__ and frame.f_locals["limit"] is limit:
            return True
        frame = frame.f_back
    return False


def _is_interrupt_handled() -> bool:
    """Whether a KeyboardInterrupt is on its way out, or about to be dealt with."""
    error = sys.exception()
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__context__
    return False
