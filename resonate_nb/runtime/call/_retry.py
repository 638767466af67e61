"""Retry: whether a failed try is followed by another, when, and how that is written down.

A failed try is in the store, with the instant at which the next one begins, before the wait for it: a process that dies
in between is followed by one that goes on with the count.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from resonate_nb.errors import DurableTimeoutError, StoreError
from resonate_nb.protocol import NEVER, HeartbeatTask, Reply, Status
from resonate_nb.records import dataclass
from resonate_nb.store import Attempt, Transaction

from .. import _context
from .._engine import Engine
from .._say import duration, say, warn
from ._attempt import Claimed, Request, Tried
from ._settle import failed

_random = Random()
"""A generator of our own: the user's is not to be moved."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Between two tries: until an instant, in epoch milliseconds."""

    claimed: Claimed
    until: int
    text: str
    """What is told of it."""
    why: str = ""
    """The same for the log, which names the call and the error by itself."""


def judged(request: Request, claimed: Claimed, tried: Tried) -> Tried:
    """The try with an error where it passed its limit, which carries the late value if there is one."""
    limit = request.work.options.attempt_timeout
    if not tried.is_late or limit is None:
        return tried
    late = DurableTimeoutError(
        claimed.promise.id, limit=limit, has_value=tried.has_value and tried.error is None, value=tried.value
    )
    late.__cause__ = tried.error
    return replace(tried, value=None, error=late)


def is_over(engine: Engine, claimed: Claimed) -> bool:
    """Whether the promise's deadline has passed."""
    return claimed.promise.timeout_at != NEVER and engine.clock.now_ms() >= claimed.promise.timeout_at


def pause_after(engine: Engine, request: Request, claimed: Claimed, tried: Tried) -> Pause | None:
    """The wait before the next try; None when this was the last one, or a next could only begin after the deadline."""
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
    if not _write(engine, claimed, failed(engine, claimed, tried, until)):
        return None
    reason = f"{type(tried.error).__name__}: {tried.error}".split("\n")[0][:200]
    which = f"attempt {claimed.used + 1} of {policy.max_attempts}"
    return Pause(
        claimed,
        until,
        f"{request.work.title}: {which} failed ({reason})",
        f"{which}, retrying in {duration(seconds * 1000)}",
    )


def pause_before(engine: Engine, request: Request, claimed: Claimed) -> Pause | None:
    """What is left of the wait in which a former owner died."""
    now = engine.clock.now_ms()
    if claimed.not_before <= now:
        return None
    # No longer than the policy itself would have waited: the clock may have been set back since.
    return Pause(claimed, claimed.not_before, f"{request.work.title}: attempt {claimed.used + 1} is to follow")


def next_try(engine: Engine, claimed: Claimed) -> Claimed:
    """The try after a failed one, begun now."""
    number, used, now = claimed.number + 1, claimed.used + 1, engine.clock.now_ms()
    _write(engine, claimed, Attempt(claimed.promise.id, number, engine.store.owner, now))
    before = claimed.current
    current = _context.Current(claimed.promise, used + 1, before.born, before.fence, before.children)
    return replace(claimed, number=number, used=used, started_at=now, current=current)


def left(engine: Engine, pause: Pause) -> tuple[float, str]:
    """Seconds until the next try, and the line that tells of them."""
    seconds = max(0.0, (pause.until - engine.clock.now_ms()) / 1000)
    return seconds, f"{pause.text}; retrying in {duration(seconds * 1000)}"


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
        engine.submit([HeartbeatTask(claimed.promise.id, claimed.promise.version)], also=also)
    except StoreError as error:
        warn(f"attempt {attempt.number} of {claimed.promise.id!r} could not be written down: {error}", once=True)
    return is_ours
