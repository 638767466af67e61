"""Retry: whether a failed try is followed by another, when, and how that is written down.

A failed try is in the store, with the instant at which the next one begins, before the wait for it: a process that dies
in between is followed by one that goes on with the count.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from random import Random

from resonate_nb.codec import in_words
from resonate_nb.errors import DurableTimeoutError, StoreError
from resonate_nb.protocol import NEVER, HeartbeatTask, Promise, Reply, Status
from resonate_nb.records import dataclass
from resonate_nb.store import Attempt, Transaction

from .. import _context
from .._engine import Engine
from .._say import duration, log_call, say
from ._attempt import Tried
from ._children import KnownChildren, is_lost
from ._claim import Claimed, Request
from ._settle import failed

_random = Random()
"""A generator of our own: the user's is not to be moved."""
_WHY_LETTERS = 120
"""An error in a line is cut to so many: the attempts hold all of it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Before a try that follows one that failed."""

    claimed: Claimed
    until: float
    """When it is over, in monotonic seconds, if the wall clock does not say so before."""
    which: str
    """``sync: attempt 2 of 5 failed``."""
    why: str
    """`` (ConnectionError: 503)``, or nothing."""

    @property
    def text(self) -> str:
        """What is told of it for good."""
        return f"{self.which}{self.why}"

    @property
    def given_back(self) -> str:
        """What stays of a wait that was interrupted."""
        if self.claimed.is_unborn:
            return self.text
        return f"{self.text}; interrupted: its next call goes on to attempt {self.claimed.used + 1}"


def judged(request: Request, claimed: Claimed, tried: Tried) -> Tried:
    """The try with an error where it passed its limit, which carries the late value if there is one."""
    if not tried.is_late:
        return tried
    limit = request.work.options.attempt_timeout
    if limit is None and (tried.has_value or tried.error is not None):
        return tried  # the deadline that had come has gone again: the clock was set back
    late = timed_out(request, claimed.promise, tried, limit=limit)
    return replace(tried, value=None, error=late)


def timed_out(
    request: Request, promise: Promise, tried: Tried | None, *, limit: float | None = None
) -> DurableTimeoutError:
    """What to raise for a call whose time has passed; carries the late value, if there is one."""
    deadline = promise.timeout_at if limit is None else None
    if tried is None:
        return DurableTimeoutError(promise.id, deadline, limit)
    # What a cell has bound late is bound, and there is nothing to carry.
    has_value = tried.has_value and tried.error is None and not request.work.is_cell
    error = DurableTimeoutError(
        promise.id, deadline, limit, has_value=has_value, value=tried.value if has_value else None
    )
    error.__cause__ = tried.error
    return error


def is_over(engine: Engine, claimed: Claimed) -> bool:
    """Whether the promise's deadline has passed."""
    return claimed.promise.timeout_at != NEVER and engine.clock.now_ms() >= claimed.promise.timeout_at


def next_try(engine: Engine, request: Request, claimed: Claimed, tried: Tried) -> Claimed | None:
    """The try that is to follow; None when this was the last one, or the next could only begin after the deadline."""
    policy = request.work.options.retry
    if policy is None or tried.error is None or not claimed.holding.is_ours:
        return None
    now = engine.clock.now_ms()
    seconds = policy.wait_before(claimed.used + 2, tried.error, now, _random)
    if seconds is None:
        return None
    until = now + round(seconds * 1000)
    if until >= claimed.promise.timeout_at:
        say(f"{request.work.title}: no further attempt, since it would begin after the deadline")
        return None
    if not _write(engine, claimed, failed(engine, claimed, tried, now, until)):
        return None
    before = claimed.current
    used = claimed.used + 1
    children = KnownChildren.by_now(engine, claimed.promise, now, before.children)
    current = _context.Current(claimed.promise, used + 1, before.born, before.fence, children)
    return replace(claimed, number=claimed.number + 1, used=used, current=current, not_before=until)


def pause(engine: Engine, request: Request, claimed: Claimed, tried: Tried | None) -> Pause:
    """The wait for a try that is to follow the one that was tried, or one of a former owner."""
    seconds = (claimed.not_before - engine.clock.now_ms()) / 1000
    title, most = request.work.title, request.work.max_attempts
    if tried is None or tried.error is None:
        which, why = f"{title}: attempt {claimed.used + 1} of {most} is to follow", ""
    else:
        kind, attempt = type(tried.error).__name__, f"attempt {claimed.used} of {most}"
        which, why = f"{title}: {attempt} failed", f" ({_why(claimed, tried.error)})"
        reason = f"{attempt}, retrying in {duration(max(0, seconds) * 1000)}"
        log_call(title, claimed.promise.id, f"raised {kind}", reason, tried.elapsed_us / 1000)
    return Pause(claimed, engine.clock.monotonic() + seconds, which, why)


def _why(claimed: Claimed, error: BaseException) -> str:
    if isinstance(error, DurableTimeoutError) and error.limit is not None and error.id == claimed.promise.id:
        return f"it took longer than attempt_timeout, {duration(error.limit * 1000)}"
    line = in_words(error).splitlines()[0]
    return line if len(line) <= _WHY_LETTERS else f"{line[: _WHY_LETTERS - 1].rstrip()}…"


def begin(engine: Engine, claimed: Claimed) -> Claimed | None:
    """The try begins now; None when the task is no longer ours."""
    now = engine.clock.now_ms()
    if not _write(engine, claimed, Attempt(claimed.promise.id, claimed.number, engine.store.owner, now)):
        return None
    return replace(claimed, started_at=now, not_before=0)


def left(engine: Engine, pause: Pause) -> tuple[float, str]:
    """Seconds until the next try, and the line that tells of them: before the error, whose end a terminal may cut."""
    clock = engine.clock
    seconds = min(pause.until - clock.monotonic(), (pause.claimed.not_before - clock.now_ms()) / 1000)
    seconds = max(0.0, seconds)
    return seconds, f"{pause.which}, retrying in {duration(seconds * 1000)}{pause.why}"


def _write(engine: Engine, claimed: Claimed, attempt: Attempt) -> bool:
    """The try is in the store; False when the task is no longer ours."""
    is_ours = True

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        nonlocal is_ours
        is_ours = replies[0].status is Status.DONE
        if is_ours:
            transaction.put_attempt(attempt)

    if claimed.is_unborn:
        return True
    try:
        engine.submit([HeartbeatTask(claimed.promise.id, claimed.promise.version)], also=also, synced=False)
    except StoreError as error:
        id = claimed.promise.id
        engine.warn_unwritable(id, f"the attempts of {id!r} cannot be written down, and go on: {error}")
        with suppress(StoreError):  # what cannot be written to can mostly be read
            is_ours = not is_lost(engine, claimed.holding)
    return is_ours
