"""`current`: what a durable function or cell may ask about the call that it runs in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from resonate_nb.protocol import NEVER
from resonate_nb.records import dataclass

from . import _context


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The call that the asking code runs in."""

    id: str
    """Of its promise."""
    attempt: int
    """Which try this is, from 1; one that was interrupted is not counted."""
    deadline: int | None
    """Of its promise, epoch milliseconds; None when it has none."""
    idempotency_key: str
    """32 hex digits for the outside: the same over all attempts of this generation, in whatever process they run, and
    new with the next generation. What an API for payments or uploads wants to recognise a repetition by."""
    tags: Mapping[str, str] = field(default_factory=dict)


def current() -> CurrentCall | None:
    """The durable call that this code runs in, the innermost one; None outside of all.

    A thread that the body started is outside, unless it was given the body's context (`asyncio.to_thread` gives it).
    """
    call = _context.current()
    if call is None:
        return None
    key = hashlib.blake2b(call.born.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    timeout_at = call.promise.timeout_at
    return CurrentCall(call.id, call.attempt, None if timeout_at == NEVER else timeout_at, key, dict(call.promise.tags))
