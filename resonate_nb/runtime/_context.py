"""Who is running what in this process, and who waits for whom: the current call, and the refusal of cycles."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import count, repeat
from typing import TYPE_CHECKING, Protocol

from resonate_nb.errors import WaitCycleError
from resonate_nb.protocol import Promise
from resonate_nb.store import Ahead

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited


class Current:
    """The call whose body is running in this context."""

    __slots__ = (
        "_occurrences",
        "_steps",
        "_tell",
        "attempt",
        "born",
        "children",
        "fence",
        "id",
        "parent",
        "promise",
    )

    def __init__(
        self,
        promise: Promise,
        attempt: int,
        born: str,
        fence: Fence,
        children: Children,
    ) -> None:
        self.id = promise.id
        self.promise = promise
        self.attempt = attempt
        """From 1, counted as a person would: interrupted ones do not."""
        self.born = born
        """Tells this generation from every other one: the same over all its attempts, in whatever process."""
        self.fence = fence
        self.children = children
        self.parent = _current.get()
        self._occurrences: dict[str, Iterator[int]] = {}
        self._steps: dict[Step, asyncio.AbstractEventLoop | None] = {}
        """Those that run, and the loop of the thread that they run in."""
        self._tell: list[Callable[[], object]] = []

    def lineage(self) -> Iterator[str]:
        """This promise's id, its parent's, and so on up."""
        call: Current | None = self
        while call is not None:
            yield call.id
            call = call.parent

    def occurrence(self, what: str) -> int:
        """How often, from 1, this call has asked for a child of this name and arguments."""
        # One step each for the interpreter: threads of the body may ask at the same time.
        return next(self._occurrences.setdefault(what, count(1)))

    def step_has_ended(self) -> None:
        """Whoever waits for steps of this call, or of those around it, is told."""
        call: Current | None = self
        while call is not None:
            for _ in range(len(call._tell)):  # not those that register again
                try:
                    tell = call._tell.pop(0)
                except IndexError:
                    break  # the end of another one, in another thread, was faster
                tell()
            call = call.parent

    def steps_left(self, *, blocking: bool) -> int:
        """How many children still run; where the wait for them would hold this thread, without those that need it."""
        here = _loop_here() if blocking else None
        return sum(here is None or loop is not here for loop in list(self._steps.values()))

    def when_one_ends(self, tell: Callable[[], object]) -> None:
        """Called, in whatever thread, when the next of the children that run has ended, or sooner."""
        self._tell.append(tell)
        if not self._steps:
            tell()


class Step:
    """A child of a call, and so of those around it: it runs from `begin` until `end` has been called.

    To end it is one step for the interpreter, which an interrupt comes before or after. What began and has not ended
    would be waited for, for as long as this process lives.
    """

    __slots__ = ("_around", "end")

    def __init__(self, parent: Current) -> None:
        self._around: list[dict[Step, asyncio.AbstractEventLoop | None]] = []
        call: Current | None = parent
        while call is not None:
            self._around.append(call._steps)
            call = call.parent
        self.end: Callable[[], object] = partial(deque, map(dict.pop, self._around, repeat(self), repeat(None)), 0)
        """Nothing if it had not begun. Followed by `step_has_ended` of the parent."""

    def begin(self) -> None:
        loop = _loop_here()
        for steps in self._around:
            steps[self] = loop


class Fence(Protocol):
    """The claimed task under which a body, and all that it calls by its place in it, may write."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def promise(self) -> Promise | None:
        """As it was when the task was claimed; None until then."""
        ...

    @property
    def is_ours(self) -> bool: ...


class Children(Protocol):
    """The children that a call had before this attempt began."""

    @property
    def failed_at(self) -> int:
        """When the call's last attempt that failed had ended, epoch milliseconds, or 0. What its children had been
        rejected with by then it failed of, or may have: they are tried again with it."""
        ...

    def find(self, id: str) -> Ahead | None:
        """The latest generation of this child, or of one of an earlier parent that this one adopts."""
        ...

    def below(self, id: str) -> Children:
        """Those of a child, which runs as this generation."""
        ...


_current: ContextVar[Current | None] = ContextVar("resonate_nb_current", default=None)
_lock = threading.RLock()
_running: dict[str, Current] = {}
_waits: dict[str, dict[str, int]] = {}
"""id -> ids that it or a call inside it waits for, with how many waits there are."""
_shown: dict[str, dict[str, int]] = {}
"""The same of those alone that wait themselves; those that are no part of a call stand under no id."""


def _forget_after_fork() -> None:
    # The parent's calls do not run here; its waits are not ours. The context (who called the fork) stays true.
    global _lock
    _lock = threading.RLock()
    _running.clear()
    _waits.clear()
    _shown.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def current() -> Current | None:
    """The call that this code runs inside of, if any."""
    return _current.get()


def is_astray() -> bool:
    """Whether calls run in this process, and this code, in a thread of its own, would not know if it is part of one."""
    return bool(_running) and _current.get() is None and threading.current_thread() is not threading.main_thread()


class Running:
    """While it is entered, the call's body runs in this context."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Current) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._token = _current.set(self._call)
        _running[self._call.id] = self._call

    def __exit__(self, *exc: object) -> None:
        if _running.get(self._call.id) is self._call:
            del _running[self._call.id]
        _current.reset(self._token)


def refuse_recursion(id: str) -> None:
    """Raise WaitCycleError when promise `id` is what this code runs inside of."""
    call = _current.get()
    if call is None:
        return
    lineage = list(call.lineage())
    if id in lineage:
        cycle = lineage[: lineage.index(id) + 1][::-1]
        raise WaitCycleError((*cycle, id))


@contextmanager
def waiting(id: str, stopped: Collection[str] = ()) -> Iterator[None]:
    """While this context waits for promise `id`. Refuses, before waiting, what could never end.

    Args:
        id: the promise waited for.
        stopped: the promises that this thread is at, if the wait holds it: they do not go on meanwhile.

    Raises:
        WaitCycleError: `id` waits, directly or through others in this process, for the call that would wait; or `id`,
            or what it waits for, is among those that the wait would stop.
    """
    call = _current.get()
    lineage = list(call.lineage()) if call is not None else []
    with _lock:
        waiters = dict.fromkeys([*lineage, *stopped])
        path = _path_to(id, waiters.keys())
        if path is not None:
            raise WaitCycleError((path[-1], *path), "" if path[-1] in lineage else _AWAIT)
        for waiter in waiters:
            _count(_waits, waiter, id)
        _count(_shown, (lineage or [""])[0], id)
    try:
        yield
    finally:
        with _lock:
            for waiter in waiters:
                _uncount(_waits, waiter, id)
            _uncount(_shown, (lineage or [""])[0], id)


def waits_of(id: str) -> tuple[str, ...]:
    """The promises that the body of this call waits for itself, in this process; its steps' waits are the steps'."""
    with _lock:
        return tuple(_shown.get(id, ()))


def awaited_here() -> set[str]:
    """The promises that something in this process waits for."""
    with _lock:
        return {id for awaited in _shown.values() for id in awaited}


def _count(waits: dict[str, dict[str, int]], waiter: str, id: str) -> None:
    awaited = waits.setdefault(waiter, {})
    awaited[id] = awaited.get(id, 0) + 1


def _uncount(waits: dict[str, dict[str, int]], waiter: str, id: str) -> None:
    awaited = waits.get(waiter, {})
    if awaited.get(id, 0) > 1:
        awaited[id] -= 1
        return
    awaited.pop(id, None)
    if not awaited:
        waits.pop(waiter, None)


_AWAIT = "It is run by this very thread, which a synchronous wait would stop: await it instead, if it is async."


def _loop_here() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread."""
    if "asyncio" not in sys.modules:
        return None
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _path_to(start: str, goals: Collection[str]) -> list[str] | None:
    """The chain of waits from `start` to one of `goals`, both included."""
    came_from: dict[str, str | None] = {start: None}
    stack = [start]
    while stack:
        node = stack.pop()
        if node in goals:
            path = [node]
            while (before := came_from[path[-1]]) is not None:
                path.append(before)
            return path[::-1]
        for awaited in _waits.get(node, ()):
            if awaited not in came_from:
                came_from[awaited] = node
                stack.append(awaited)
    return None
