"""Interrupts around what must not be cut in the middle, and around what would not notice them.

Only the main thread receives signals: elsewhere, and where SIGINT is handled outside Python, both blocks do nothing.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

_Handler = Callable[[int, FrameType | None], Any] | int | None


@contextmanager
def hold_interrupt() -> Iterator[None]:
    """A SIGINT that arrives inside the block is delivered right after it, to the handler that stood before.

    For work that leaves a promise half settled if KeyboardInterrupt came in its middle. Keep the block short. Blocks
    nest: the outermost delivers.
    """
    before = _handler_here()
    if before is None:
        yield
        return
    held: list[FrameType | None] = []

    def hold(_: int, frame: FrameType | None) -> None:
        held.append(frame)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is hold:
            signal.signal(signal.SIGINT, before)
        if held:
            _deliver(before, held[0])


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
    fresh = [interrupt for interrupt in _foreground if not interrupt.is_requested]
    for interrupt in fresh:
        interrupt._request()
    if not fresh:
        _deliver(_former, frame)


def _handler_here() -> _Handler:
    """The handler of SIGINT; None where no Python code may replace it."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.getsignal(signal.SIGINT)


def _is_runners(handler: _Handler) -> bool:
    return isinstance(handler, partial) and isinstance(getattr(handler.func, "__self__", None), asyncio.Runner)


def _deliver(handler: _Handler, frame: FrameType | None) -> None:
    if callable(handler):
        handler(signal.SIGINT, frame)
    elif handler == signal.SIG_DFL:
        standing = signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)
        signal.signal(signal.SIGINT, standing)
