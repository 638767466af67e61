"""Interrupts around what must not be cut in the middle, and around what would not notice them.

Only the main thread receives signals: elsewhere, and where SIGINT is handled outside Python, both blocks do nothing.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps: its enums cost ten times the call itself
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited

_SIGINT = int(signal.SIGINT)
_OTHERS = tuple(
    int(getattr(signal, name)) for name in ("SIGALRM", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
"""Signals whose handlers, where somebody has set one, raise by custom: time-outs, and orderly ends of a process. Each
costs every block a look."""

_Handler = Callable[[int, FrameType | None], Any] | int | None


class Hold:
    """While it is entered, SIGINT is held back; it is delivered right after, to the handler that stands then.

    For work that leaves a promise half settled if KeyboardInterrupt came in its middle. Keep it short, and open it with
    `let_through` for what is not. Holds nest: the outermost delivers. Other signals that Python code handles are held
    back with it: a time-out by SIGALRM, or a SIGTERM that ends the process in good order, raises as well.
    """

    __slots__ = ("_before", "_came", "_handler", "_later", "_outer")

    def __init__(self) -> None:
        self._before: dict[int, _Handler] = {}
        """The handlers that stood before, by signal; none while nothing is held back."""
        self._came: dict[int, FrameType | None] = {}
        self._later: int | None = None
        """Another signal that waits for the end of the block."""
        self._outer: Hold | None = None
        # One object, to be known again: each look at a method makes a new one.
        self._handler = self._hold

    def __enter__(self) -> Hold:
        global _standing
        if threading.get_ident() != _main:
            return self
        before: dict[int, _Handler] = {}
        handler_of = _signal.getsignal
        for number in _OTHERS:
            if callable(handler := handler_of(number)):
                before[number] = handler
        if (handler := handler_of(_SIGINT)) is not None:
            before[_SIGINT] = handler  # the last to be put back, and to be heard: it is what the caller gets
        if not before:
            return self
        self._outer, _standing = _standing, self
        self._before = before
        try:
            for number in before:
                _signal.signal(number, self._handler)
        except BaseException:  # one that came just before
            self._put_back(before)
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before:
            self._put_back(self._before)

    def _put_back(self, before: dict[int, _Handler]) -> None:
        """The handlers that stood before stand again, and hear what came; whatever the first of them raises."""
        global _standing
        try:
            for number, handler in before.items():
                if _signal.getsignal(number) is self._handler:
                    _signal.signal(number, handler)
            self._before = {}
            if self._came:
                for number in [each for each in before if each in self._came]:
                    _deliver(number, before[number], self._came.pop(number))
        except BaseException:
            if self._before or self._came:
                self._put_back(before)
            raise
        # Only now: another signal must not push an interrupt aside that is not yet delivered.
        finally:
            _standing = self._outer
            later, self._later = self._later, None
        if later is not None:
            signal.raise_signal(later)

    def deliver_later(self, number: int) -> None:
        """This signal comes again right after the block, unless an interrupt did."""
        self._later = number

    def let_through(self) -> LetThrough:
        """While the block runs interrupts come as if nothing held them back, and first the one that was."""
        return LetThrough(self)

    def hear(self) -> None:
        """What has been held back until now is delivered, as if the block ended here, and began again."""
        try:
            self.__exit__()
        finally:
            self.__enter__()

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._came.setdefault(number, frame)


class LetThrough:
    """A hold, open for the length of a block. The handler that its owner left standing is the one it goes on with."""

    __slots__ = ("_hold",)

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def __enter__(self) -> None:
        self._hold.__exit__()

    def __exit__(self, *exc: object) -> None:
        self._hold.__enter__()


_main = threading.main_thread().ident
"""Of the main thread, which every call asks for eight times."""


def _note_main_in_child() -> None:
    global _main
    _main = threading.get_ident()  # whichever forked is the main thread there


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_main_in_child)

_standing: Hold | None = None


def standing() -> Hold | None:
    """The innermost block that holds interrupts back on the main thread at this moment."""
    return _standing


def hold_interrupt() -> Hold:
    """A SIGINT that arrives inside the block is delivered right after it."""
    return Hold()


class Interrupt:
    """Whether an interrupt came while a task was in the foreground."""

    __slots__ = ("_is_over", "_loop", "_task", "is_delivered", "is_requested")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop = loop
        self._task = task
        self._is_over = False
        self.is_requested = False
        """SIGINT came."""
        self.is_delivered = False
        """The task was cancelled for it."""

    def _request(self) -> None:
        self.is_requested = True
        # The only call of a loop that a signal handler may make; it also wakes the loop.
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if not self._is_over:
            self.is_delivered = True
            self._task.cancel()


@contextmanager
def cancel_on_interrupt(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Iterator[Interrupt]:
    """While the block runs, SIGINT cancels `task`; a second one goes to the handler that stood before.

    Kernels do not interrupt an awaited body: their handler waits for a loop that sleeps. The block ends with
    CancelledError, never KeyboardInterrupt, which would stop the loop itself when the task is not the cell's own; the
    task's count of cancellations is as before, so that its later awaits go on.

    Calls that are awaited together register together and are all cancelled; they may end in any order. Under
    `asyncio.run`, which cancels on an interrupt by itself, the block does nothing.
    """
    import asyncio

    interrupt = Interrupt(loop, task)
    if not _register(interrupt):
        yield interrupt
        return
    try:
        yield interrupt
    except asyncio.CancelledError:
        _unregister(interrupt)
        if interrupt.is_delivered:
            task.uncancel()
        raise
    except BaseException:
        _unregister(interrupt)
        raise
    _unregister(interrupt)
    if interrupt.is_delivered:
        task.uncancel()  # the body caught it and went on to its end
    elif interrupt.is_requested:
        # It came too late to stop the body, and must stop what comes after.
        raise asyncio.CancelledError("interrupted")


_foreground: list[Interrupt] = []
_former: _Handler = None


def _register(interrupt: Interrupt) -> bool:
    global _former
    standing = _handler_here()
    if standing is None or _is_runners(standing):
        return False
    if standing is not _on_interrupt:
        _former = standing
        signal.signal(signal.SIGINT, _on_interrupt)
    _foreground.append(interrupt)
    return True


def _unregister(interrupt: Interrupt) -> None:
    interrupt._is_over = True
    _foreground.remove(interrupt)
    # A handler that was put over ours is left alone: its owner will put ours back, which passes on when idle.
    if not _foreground and signal.getsignal(signal.SIGINT) is _on_interrupt:
        signal.signal(signal.SIGINT, _former)


def _on_interrupt(_: int, frame: FrameType | None) -> None:
    # A loop that was closed under its tasks, by an interrupt perhaps, can cancel none of them.
    fresh = [each for each in _foreground if not (each.is_requested or each._loop.is_closed())]
    for interrupt in fresh:
        interrupt._request()
    if not fresh:
        _deliver(_SIGINT, _former, frame)


def _handler_here() -> _Handler:
    """The handler of SIGINT; None where no Python code may replace it."""
    if threading.get_ident() != _main:
        return None
    handler: _Handler = _signal.getsignal(_SIGINT)
    return handler


def _is_runners(handler: _Handler) -> bool:
    """Whether a run of asyncio's cancels its tasks at an interrupt.

    One whose very end was interrupted leaves its handler standing for good (`Runner.run` raises before it has put the
    former one back). That raises from the middle of whatever loop is running then, which can drop what the loop was
    about to call and wait for it for ever: it is passed over as any other.
    """
    if not isinstance(handler, partial) or "asyncio" not in sys.modules:
        return False
    import asyncio

    if not isinstance(getattr(handler.func, "__self__", None), asyncio.Runner):
        return False
    main = handler.keywords.get("main_task")
    return not (isinstance(main, asyncio.Future) and main.done())


def _deliver(number: int, handler: _Handler, frame: FrameType | None) -> None:
    if callable(handler):
        handler(number, frame)
    elif handler == signal.SIG_DFL:
        standing = signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        signal.signal(number, standing)
