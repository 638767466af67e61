"""What a call comes to: a stored value handed out, what the body returned or raised, a deadline that has passed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field
from typing import Any, TypeVar

from resonate_nb.codec import decode, failure_from_bytes, in_words, raised_again
from resonate_nb.errors import DurableTimeoutError, NotStoredError, RejectedError, StoreError, UntrustedValueError
from resonate_nb.frames import PACKAGE
from resonate_nb.protocol import ExpirePromise, Promise, State
from resonate_nb.records import dataclass

from .. import _file_read, _reads
from .._engine import Engine
from .._identity import Identity
from .._memo import Entry
from .._say import log_call, say, warn
from ._accepted import origin_of
from ._alias import held
from ._attempt import Tried
from ._claim import Request
from ._plan import load
from ._retry import timed_out
from ._settle import Settled, say_of_draws


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to."""

    value: Any
    promise: Promise | None
    """None when the call ran plainly."""
    replayed: bool
    undurable: tuple[str, ...] = ()
    """Why the call ran plainly; empty when it was durable, or when everything is switched off."""
    reason: str = ""
    """Why it ran; empty for a hit."""
    saved_ms: int = 0
    notes: Mapping[str, bytes] = field(default_factory=dict)
    """On a hit of a cell: what was stored with it (``output``)."""
    error: Exception | None = None
    """What the body raised, or what the generation that was waited for was rejected with; then `value` is None."""
    identity: Identity | None = None
    """What the call was found to be, where `entry` is its value."""
    entry: Entry | None = None
    """The value in the memory layer, for whoever remembers the way to it."""
    engine: Engine | None = None
    """The one whose memory layer that is; by now another may be in use."""


def replay(engine: Engine, request: Request, identity: Identity, entry: Entry) -> Result | str:
    """The stored value, fresh for this caller; or why it cannot be had, so that the body runs again."""
    try:
        value = decode(entry.codec, entry.data)
    except Exception as error:
        engine.memo.drop(identity.base)
        reason = f"the stored value cannot be read any more ({in_words(error)})"
        warn(f"{request.work.title}: {reason}; it is kept, and computed again", once=True, about=entry.promise.id)
        return reason
    return _handed_out(engine, request, identity, entry, value)


def _handed_out(
    engine: Engine, request: Request, identity: Identity, entry: Entry, value: Any, *, has_waited: bool = False
) -> Result:
    """A stored value, with what belongs to it; the hit is counted, and saved nothing to whoever waited for the run."""
    promise = entry.promise
    entry.hits.count += 1
    if not has_waited:
        entry.hits.saved_ms += entry.saved_ms
    engine.feed.nudge()
    if packages := identity.packages:
        engine.packages.tell(engine.store, request.work, packages, promise)
    if (files := promise.value.headers.get("files")) is not None:
        # What a hit depended on, the call around it depends on too.
        _reads.add_to_current(_file_read.from_json(files))
    if (draws := promise.value.headers.get("draws")) is not None and not request.work.is_cell:
        say_of_draws(request.work.title, draws.split(","), identity.code)
    notes: dict[str, bytes] = {}
    if request.work.is_cell and (output := engine.note(origin_of(promise), "output")) is not None:
        notes["output"] = output
    if not has_waited:
        log_call(request.work.title, promise.id, "hit", "", entry.saved_ms)
    # What was waited for may have been superseded meanwhile: nobody is to remember it as the value of this call.
    at_hand = None if has_waited else entry
    return Result(
        value, promise, True, saved_ms=entry.saved_ms, notes=notes, identity=identity, entry=at_hand, engine=engine
    )


def joined(engine: Engine, request: Request, identity: Identity, settled: Promise | None) -> Result | None:
    """What a waiter gets from the generation it waited for; None when it must look again or run the body itself."""
    if settled is None or not settled.state.is_settled:
        return None
    headers = settled.value.headers
    if "not_replayable" in headers or "not_stored" in headers:
        return None
    if settled.state is not State.RESOLVED:
        write_down(engine, settled)
        return Result(None, settled, True, error=stored_error(settled))
    with engine.store.read() as reader:
        counter = reader.invalidation
    try:
        entry = load(engine, settled, counter)
        value = decode(entry.codec, entry.data)
    except (NotStoredError, UntrustedValueError):
        # The next look finds the same and runs the body, with the reason said there.
        return None
    return _handed_out(engine, request, identity, entry, value, has_waited=True)


def write_down(engine: Engine, settled: Promise) -> None:
    """What the caller is about to be told of a deadline stays so, though the clock be set back."""
    if settled.state is State.TIMEDOUT:
        with suppress(StoreError):  # on a full disk it is told, and the timers try again
            engine.submit([ExpirePromise(settled.id)])


def stored_error(promise: Promise) -> Exception:
    """What to raise for a promise that settled otherwise than resolved: the failure as data, as near to the original
    as can be had without unpickling: of its own type, where that is loaded (`codec.raised_again`)."""
    if promise.state is State.TIMEDOUT:
        return DurableTimeoutError(promise.id, promise.timeout_at)
    if promise.value.headers.get("codec") != "failure" or promise.value.data is None:
        return RejectedError(promise.id, promise.state.value, "no failure was stored", "")
    failure = failure_from_bytes(promise.value.data)
    error = RejectedError(promise.id, failure.type_name, failure.message, failure.traceback)
    again = raised_again(failure)
    if again is None:
        return error
    again.__cause__ = error
    return again


def returned(engine: Engine, request: Request, identity: Identity, tried: Tried, settled: Settled, why: str) -> Result:
    promise = settled.promise
    took_ms = tried.elapsed_us / 1000
    if tried.error is not None:
        log_call(request.work.title, promise.id, f"raised {type(tried.error).__name__}", why, took_ms)
        return Result(None, promise, False, reason=why, error=without_our_frames(tried.error))
    log_call(request.work.title, promise.id, "ran", why, took_ms)
    if not request.work.is_cell:
        _say_what_is_shared(request, identity, tried.value)
    return Result(tried.value, promise, False, reason=why, identity=identity, entry=settled.entry, engine=engine)


def _say_what_is_shared(request: Request, identity: Identity, value: Any) -> None:
    if type(value) in _UNSHARED:
        return
    for kind, mine in (("argument", request.arguments), ("global", identity.key.values)):
        if (name := held(value, mine)) is not None:
            what = "closure variable" if kind == "global" and name in identity.key.closure else kind
            say(
                f"{request.work.title} returns (or holds) its {what} `{name}`, or a part of it; "
                "a replay hands out a copy",
                once=True,
                about=request.work.name,
            )


_UNSHARED = (type(None), bool, int, float, complex, str, bytes)


def late(request: Request, promise: Promise, tried: Tried | None, why: str) -> Result:
    """The deadline has passed: nobody hears of the value but the caller, in the error."""
    log_call(request.work.title, promise.id, "timed out", why, 0 if tried is None else tried.elapsed_us / 1000)
    return Result(None, promise, False, reason=why, error=without_our_frames(timed_out(request, promise, tried)))


_Error = TypeVar("_Error", bound=BaseException)


def without_our_frames(error: _Error) -> _Error:
    """The same error, its traceback beginning in the user's code; an interrupt of ours alone has none."""
    if isinstance(error, DurableTimeoutError) and error.__cause__ is not None:
        without_our_frames(error.__cause__)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(PACKAGE):
        trace = trace.tb_next
    if trace is None and isinstance(error, Exception):
        trace = error.__traceback__
    # Not the error's own method: its class may have another.
    return BaseException.with_traceback(error, trace)
