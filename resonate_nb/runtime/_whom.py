"""On whom one waits: what is told of a wait while it lasts, and when it has ended."""

from __future__ import annotations

import os
import threading
from dataclasses import field

from resonate_nb.protocol import NEVER, Promise, TaskState
from resonate_nb.records import dataclass

from ._engine import Engine
from ._look import retry_at_of
from ._say import Line, duration, live, tells

SAY_AFTER_SECONDS = 1.0
"""A shorter wait is nothing to be told of."""
AGAIN_SECONDS = 1.0
"""How often the line of a wait is written anew."""


def whom(engine: Engine, promise: Promise) -> str:
    """Who is to settle a pending promise, since when, and at which attempt: what a waiter wants to know."""
    now = engine.clock.now_ms()
    if promise.task is TaskState.ABSENT:
        told = "nobody runs it; it waits to be settled from outside"
    elif not engine.tasks.is_owned(promise) or (info := engine.describe(promise)) is None:
        told = "nobody runs it at the moment; call its function, and it goes on there"
    else:
        tries = engine.attempts(promise.id)
        where = f"in {_process(engine, info.owner, info.pid)} on {info.host}"
        if engine.store.is_stopped(info.owner):
            where += ", which is stopped,"
        last = tries[-1] if tries else None
        if last is not None and now < (retry_at := retry_at_of(tries)):
            told = f"attempt {last.number} failed, retrying in {duration(retry_at - now)} {where}"
        else:
            since = promise.created_at if last is None else last.started_at
            told = f"runs {where} for {duration(max(0, now - since))}"
            if last is not None and last.number > 1:
                told += f", attempt {last.number}"
    if promise.timeout_at < NEVER:
        told += f"; times out in {duration(max(0, promise.timeout_at - now))}"
    return told


class Telling:
    """One wait for one promise, told from its first second on: one line, rewritten once a second.

    Waits for the same process share a line: a hundred tasks that wait for one kernel are one thing to be told of.
    """

    def __init__(self, engine: Engine, id: str, title: str = "") -> None:
        self._engine = engine
        self._id = id
        self._about = "" if not title or tells(id, title) else f"{title}: "
        self._started = engine.clock.monotonic()
        self._next = self._started + SAY_AFTER_SECONDS
        self._last: Promise | None = None
        """As it was when it was last told of."""
        self._group: _Group | None = None

    def look(self, promise: Promise) -> bool:
        """Tells of the wait where that is due, and says whether it was: once a second, from the first second on."""
        now = self._engine.clock.monotonic()
        self._last = promise
        if now < self._next:
            return False
        self._next = now + AGAIN_SECONDS
        with _lock:
            group = _groups.setdefault((self._engine, promise.owner), _Group())
            if group is not self._group:
                self._leave()
                self._group = group
                group.waits[self] = None
                group.size += 1
            if next(iter(group.waits)) is self:
                others = f" (and {len(group.waits) - 1} more)" if len(group.waits) > 1 else ""
                group.who = self.who
                group.tell(f"{self._about}waiting for {self._id}: {whom(self._engine, promise)}{others}")
        return True

    @property
    def waited_ms(self) -> float:
        return (self._engine.clock.monotonic() - self._started) * 1000

    @property
    def who(self) -> str:
        """``process 4711``, ``another call in this process``; the promise's id where nobody has run it."""
        owner = None if self._last is None else self._last.owner
        if owner is None:
            return self._id
        where = _process(self._engine, owner, self._engine.store.describe(owner).pid)
        return f"another call in {where}" if owner == self._engine.store.owner else where

    def end(self) -> None:
        """The wait is over, one way or the other."""
        with _lock:
            self._leave()

    def _leave(self) -> None:
        group, self._group = self._group, None
        if group is None:
            return
        del group.waits[self]
        group.waited_ms = max(group.waited_ms, self.waited_ms)
        if group.waits:
            return
        for key in [key for key, other in _groups.items() if other is group]:
            del _groups[key]
        if group.line is not None:
            many = f" ({group.size} promises)" if group.size > 1 else ""
            group.line.end(f"{self._about}waited {duration(group.waited_ms)} for {group.who}{many}")


@dataclass(slots=True, eq=False)
class _Group:
    """The waits for one process."""

    line: Line | None = None
    who: str = ""
    """That process, as of the last time it was told of."""
    waits: dict[Telling, None] = field(default_factory=dict)
    """In the order in which they came; the first is told of by its name."""
    size: int = 0
    """How many there have been."""
    waited_ms: float = 0
    """The longest of those that are over."""

    def tell(self, text: str) -> None:
        if self.line is None:
            self.line = live(text)
        else:
            self.line.update(text)


_groups: dict[tuple[Engine, str | None], _Group] = {}
_lock = threading.RLock()


def _begin_anew() -> None:
    """In a forked child: whoever waits is the parent's."""
    global _lock
    _lock = threading.RLock()
    _groups.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _process(engine: Engine, owner: str, pid: int) -> str:
    return "this process" if owner == engine.store.owner else f"process {pid}"
