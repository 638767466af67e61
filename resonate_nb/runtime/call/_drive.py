"""One durable call, from its arguments to its value: plan, then replay, wait, or claim, attempt and settle.

Two legs, one brain: `call` and `call_async` differ only in how they wait and how they run the body.
"""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from resonate_nb.codec import decode, failure_from_bytes, in_words
from resonate_nb.errors import NotStoredError, RejectedError, UntrustedValueError
from resonate_nb.protocol import Promise, State
from resonate_nb.records import dataclass

from .. import _config, _context, _identity, _reads
from .._engine import Engine
from .._held import cancel_on_interrupt
from .._identity import Identity, Undurable
from .._say import say, warn
from ._alias import held
from ._attempt import Claimed, Request, Tried, attempt, attempt_async, claim
from ._patience import LIVENESS_SECONDS, Patience
from ._plan import Hit, Run, Wait, load, plan
from ._settle import settle


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


def call(request: Request) -> Result:
    """Run or replay. What the body raised comes back as the result's `error`, for the face to raise, so that the
    user's traceback shows one frame of ours; an interrupt gives the task back and goes through."""
    started = _begin(request)
    if isinstance(started, Result):
        try:
            return replace(started, value=request.body())
        except Exception as error:
            return replace(started, error=without_our_frames(error))
    with _config.InUse() as engine, closing(_steps(engine, request, started)) as steps:
        answer: Promise | Tried | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                return cast(Result, end.value)
            answer = _wait(engine, request, step) if isinstance(step, Wait) else attempt(engine, request, step)


async def call_async(request: Request) -> Result:
    """The same for a body that returns an awaitable; runs and waits on the caller's loop."""
    started = _begin(request)
    if isinstance(started, Result):
        try:
            return replace(started, value=await request.body())
        except Exception as error:
            return replace(started, error=without_our_frames(error))
    with _config.InUse() as engine, closing(_steps(engine, request, started)) as steps:
        answer: Promise | Tried | None = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                if isinstance(answer, Tried) and answer.is_interrupted:
                    raise asyncio.CancelledError("interrupted") from None
                return cast(Result, end.value)
            if isinstance(step, Wait):
                answer = await _wait_async(engine, request, step)
            else:
                answer = await attempt_async(engine, request, step)


def _steps(
    engine: Engine, request: Request, identity: Identity
) -> Generator[Wait | Claimed, Promise | Tried | None, Result]:
    """The brain of both legs: yields what takes time (a wait, an attempt) and is sent what came of it.

    Closed in the middle, by an interrupt, it gives back what it held.
    """
    rerun, reason = request.rerun, ""
    while True:
        step, identity = plan(engine, request.work, identity, rerun=rerun)
        if isinstance(step, Hit):
            replayed = _replay(engine, request, identity, step)
            if isinstance(replayed, Result):
                return replayed
            rerun, reason = True, replayed
        elif isinstance(step, Wait):
            _say_joining(request, step)
            settled = cast("Promise | None", (yield step))
            if (joined := _joined(engine, request, settled)) is not None:
                return joined
            rerun = False
        else:
            with engine.holding(step.id) as holding:
                claimed = claim(engine, request, identity, step, holding)
                if claimed is None:
                    rerun = False
                    continue
                why = _say_why(engine, request, step, claimed, reason)
                tried = cast(Tried, (yield claimed))
                promise = settle(engine, request, claimed, tried, why)
            return _returned(request, identity, tried, promise, why)


def _begin(request: Request) -> Identity | Result:
    """The call's name; or a Result without value, when the call is to run plainly."""
    if not _config.is_enabled():
        return Result(None, None, False, reason="switched off")
    identity = _identity.identify(request.work, request.arguments)
    if isinstance(identity, Undurable):
        why = "; ".join(identity.reasons)
        # A cell has no line of the user's above it for a warning to point at.
        tell = say if request.work.is_cell else warn
        tell(f"{request.work.title} runs plainly, not durably: {why}", once=True, about=request.work.name)
        return Result(None, None, False, identity.reasons, why)
    return identity


def _replay(engine: Engine, request: Request, identity: Identity, hit: Hit) -> Result | str:
    """The stored value, fresh for this caller; or why it cannot be had, so that the body runs again."""
    entry = hit.entry
    try:
        value = decode(entry.codec, entry.data)
    except Exception as error:
        engine.memo.drop(identity.base)
        reason = f"the stored value cannot be read any more ({in_words(error)})"
        warn(f"{request.work.title}: {reason}; it is kept, and computed again", once=True, about=entry.promise.id)
        return reason
    return _handed_out(engine, request, entry.promise, value)


def _handed_out(engine: Engine, request: Request, promise: Promise, value: Any, *, has_waited: bool = False) -> Result:
    """A stored value, with what belongs to it; the hit is counted, and saved nothing to whoever waited for the run."""
    headers = promise.value.headers
    saved_ms = int(headers.get("elapsed_ms", "0"))
    engine.replayed(promise, 0 if has_waited else saved_ms)
    if "files" in headers:
        # What a hit depended on, the call around it depends on too.
        _reads.add_to_current(_reads.from_json(headers["files"]))
    notes: dict[str, bytes] = {}
    if request.work.is_cell and (output := engine.note(promise.id, "output")) is not None:
        notes["output"] = output
    return Result(value, promise, True, saved_ms=saved_ms, notes=notes)


def _joined(engine: Engine, request: Request, settled: Promise | None) -> Result | None:
    """What a waiter gets from the generation it waited for; None when it must look again or run the body itself."""
    if settled is None or not settled.state.is_settled:
        return None
    if settled.state is not State.RESOLVED:
        return Result(None, settled, True, error=stored_error(settled))
    headers = settled.value.headers
    if "not_replayable" in headers or "not_stored" in headers:
        return None
    with engine.store.read() as reader:
        counter = reader.invalidation
    try:
        entry = load(engine, settled, counter)
        value = decode(entry.codec, entry.data)
    except (NotStoredError, UntrustedValueError):
        # The next look finds the same and runs the body, with the reason said there.
        return None
    return _handed_out(engine, request, settled, value, has_waited=True)


def stored_error(promise: Promise) -> Exception:
    """What to raise for a promise that settled otherwise than resolved: the failure as data, as near to the original
    as can be had without unpickling. Builtin exceptions come back as their own type."""
    if promise.value.headers.get("codec") != "failure" or promise.value.data is None:
        return RejectedError(promise.id, promise.state.value, "no failure was stored", "")
    failure = failure_from_bytes(promise.value.data)
    error = RejectedError(promise.id, failure.type_name, failure.message, failure.traceback)
    module, _, name = failure.type_name.rpartition(".")
    kind = getattr(builtins, name, None) if module == "builtins" else None
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            again = kind(failure.message)
        except TypeError:
            return error
        again.__cause__ = error
        return again
    return error


@contextmanager
def _waiting(engine: Engine, request: Request, step: Wait, *, blocking: bool) -> Iterator[Patience]:
    id = step.promise.id
    _context.refuse_recursion(id)
    with _context.waiting(id, blocking=blocking):
        patience = Patience(engine, request.work.title, id)
        try:
            yield patience
        finally:
            patience.end()


def _wait(engine: Engine, request: Request, step: Wait) -> Promise | None:
    with _waiting(engine, request, step, blocking=True) as patience:
        while True:
            seen = engine.feed.now()
            if patience.look() is None:
                return engine.peek([step.promise.id])[0]
            try:
                engine.feed.wait(seen, LIVENESS_SECONDS)
            except KeyboardInterrupt as stop:
                raise stop.with_traceback(None)  # where in the waiting it came says nothing


async def _wait_async(engine: Engine, request: Request, step: Wait) -> Promise | None:
    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with _waiting(engine, request, step, blocking=False) as patience, cancel_on_interrupt(loop, task):
        while True:
            seen = engine.feed.now()
            if patience.look() is None:
                return engine.peek([step.promise.id])[0]
            await engine.feed.wait_async(seen, LIVENESS_SECONDS)


_PACKAGE = str(Path(__file__).resolve().parents[2])
_Error = TypeVar("_Error", bound=BaseException)


def without_our_frames(error: _Error) -> _Error:
    """The same error, its traceback beginning in the user's code; an interrupt of ours alone has none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    if trace is None and isinstance(error, Exception):
        trace = error.__traceback__
    # Not the error's own method: its class may have another.
    return BaseException.with_traceback(error, trace)


def _say_why(engine: Engine, request: Request, run: Run, claimed: Claimed, reason: str) -> str:
    """Why the body runs, said in one line where that is news, and returned."""
    title = request.work.title
    if run.taken_over is not None:
        say(f"{title}: attempt {claimed.number}, {run.reason}")
        return run.reason
    if reason or run.reason:
        why = reason or run.reason
        say(f"{title}: runs again, {why}")
        return why
    new = claimed.news
    if new:
        say(f"{title} runs; {new}", once=True, about=request.work.name)
        return new
    return "first run"


def _say_joining(request: Request, step: Wait) -> None:
    if request.rerun:
        say(f"{request.work.title}: {step.promise.id} is running already; the rerun joins that run")


def _returned(request: Request, identity: Identity, tried: Tried, promise: Promise, why: str) -> Result:
    if tried.error is not None:
        return Result(None, promise, False, reason=why, error=without_our_frames(tried.error))
    if not request.work.is_cell:
        _say_what_is_shared(request, identity, tried.value)
    return Result(tried.value, promise, False, reason=why)


def _say_what_is_shared(request: Request, identity: Identity, value: Any) -> None:
    for kind, mine in (("argument", request.arguments), ("global", identity.key.values)):
        if (name := held(value, mine)) is not None:
            say(
                f"{request.work.title} returns (or holds) its {kind} `{name}`, or a part of it; "
                "a replay hands out a copy",
                once=True,
                about=request.work.name,
            )
