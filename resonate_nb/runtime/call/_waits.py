"""What takes time and is not the body: the wait for another's run, for the next try, and for steps that still run.

Each has two forms, which differ only in how they wait; an interrupt ends either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from resonate_nb.errors import StoreError
from resonate_nb.protocol import Promise
from resonate_nb.records import dataclass

from .. import _context
from .._engine import Engine
from .._feed import wake
from .._held import cancel_on_interrupt
from .._say import Line, live, say
from ._attempt import Tried
from ._claim import Claimed, Request, give_back
from ._patience import LIVENESS_SECONDS, Patience
from ._plan import Wait
from ._retry import Pause, left
from ._settle import warn_unsafe

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited
    from concurrent.futures import Executor


TELL_SECONDS = 1.0
"""How often the time that is left until the next try is told anew."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The body has come to its end, and steps that it began have not: what they do counts for whatever comes next."""

    claimed: Claimed
    tried: Tried
    title: str


def wait(engine: Engine, request: Request, step: Wait) -> Promise | None:
    with waiting(engine, request, step, blocking=True) as patience:
        while True:
            seen = engine.feed.now()
            if patience.look() is None:
                return engine.peek([step.promise.id])[0]
            try:
                engine.feed.wait(seen, LIVENESS_SECONDS)
            except KeyboardInterrupt as stop:
                raise stop.with_traceback(None)  # where in the waiting it came says nothing


async def wait_async(engine: Engine, request: Request, step: Wait) -> Promise | None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with waiting(engine, request, step, blocking=False) as patience, cancel_on_interrupt(loop, task):
        while True:
            seen = engine.feed.now()
            if patience.look() is None:
                return engine.peek([step.promise.id])[0]
            await engine.feed.wait_async(seen, LIVENESS_SECONDS)


@contextmanager
def waiting(engine: Engine, request: Request, step: Wait, *, blocking: bool) -> Iterator[Patience]:
    id = step.promise.id
    _context.refuse_recursion(id)
    with _context.waiting(id, engine.tasks.held_here() if blocking else ()):
        patience = Patience(engine, request.work.title, id)
        try:
            yield patience
        finally:
            patience.end()


def wait_for_try(engine: Engine, step: Pause) -> None:
    """The time between two tries has passed. An interrupt ends it and gives the task back."""
    # A lock, not an event: an interrupt in the middle of its condition would come out as an error of `threading`.
    lock = threading.Lock()
    with lock, counting_down(engine, step) as tell, step.claimed.holding.interrupts.let_through():
        try:
            while (seconds := tell()) > 0:
                lock.acquire(timeout=min(seconds, TELL_SECONDS))
        except KeyboardInterrupt as stop:
            raise stop.with_traceback(None)  # where in the waiting it came says nothing


async def wait_for_try_async(engine: Engine, step: Pause) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with (
        counting_down(engine, step) as tell,
        step.claimed.holding.interrupts.let_through(),
        cancel_on_interrupt(loop, task),
    ):
        while (seconds := tell()) > 0:
            await asyncio.wait((loop.create_future(),), timeout=min(seconds, TELL_SECONDS))


@contextmanager
def counting_down(engine: Engine, step: Pause) -> Iterator[Callable[[], float]]:
    """Gives what says how many seconds are left, and tells of them in one line."""
    line: Line | None = None
    is_told = False

    def tell() -> float:
        nonlocal line, is_told
        seconds, text = left(engine, step)
        if line is not None:
            line.update(text)
        elif seconds > 0:
            is_told = True
            line = live(text)
        return seconds

    stays = step.text
    try:
        yield tell
    except BaseException:
        stays = step.given_back
        raise
    finally:
        if line is not None:
            line.end(stays)
        elif not is_told:
            say(stays)


def wait_for_steps(engine: Engine, step: Rest) -> None:
    """The steps that the body began have ended. An interrupt ends the wait and gives the task back."""
    current = step.claimed.current
    with _resting(engine, step) as tell, step.claimed.holding.interrupts.let_through():
        while current.steps_left(blocking=True):
            ended = threading.Event()
            current.when_one_ends(ended.set)
            while not ended.wait(TELL_SECONDS):
                tell()


async def wait_for_steps_async(engine: Engine, step: Rest) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    current = step.claimed.current
    with (
        _resting(engine, step) as tell,
        step.claimed.holding.interrupts.let_through(),
        cancel_on_interrupt(loop, task),
    ):
        while current.steps_left(blocking=False):
            ended: asyncio.Future[None] = loop.create_future()
            current.when_one_ends(partial(wake, loop, ended))
            while not (await asyncio.wait((ended,), timeout=TELL_SECONDS))[0]:
                tell()


@contextmanager
def _resting(engine: Engine, step: Rest) -> Iterator[Callable[[], None]]:
    """Gives what says, in one line, that steps are waited for."""
    claimed = step.claimed
    line: Line | None = None

    def tell() -> None:
        nonlocal line
        if line is None:
            line = live(f"{step.title} has come to its end, and waits for steps that it has begun")

    try:
        yield tell
    except BaseException as stop:
        if not claimed.is_unborn:
            give_back(engine, claimed, step.tried.elapsed_us, step.tried.cpu_us, stop)
        raise
    finally:
        if line is not None:
            line.end()


async def saved(engine: Engine, request: Request, tried: Tried) -> None:
    """What was stored of the try is as safe as the store's durability has it. The loop goes on meanwhile, and calls
    that end together share a sync."""
    try:
        if (owed := engine.store.owed(tried.elapsed_us / 1e6)) is None:
            return
        import asyncio

        loop = asyncio.get_running_loop()
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        try:
            saving = loop.run_in_executor(_saver(), owed)
        except RuntimeError:  # the interpreter is ending, or there are no more threads to be had
            owed()
        else:
            with cancel_on_interrupt(loop, task):
                await saving
    except StoreError as error:
        warn_unsafe(request, error)


@cache
def _saver() -> Executor:
    """One thread of our own: those of the user's may all be at work for hours."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, "resonate_nb saving")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_saver.cache_clear)  # the thread is the parent's
