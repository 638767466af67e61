"""One durable call, from its arguments to its value: plan, then replay, wait, or claim, attempt and settle.

Two legs, one brain: `call` and `call_async` differ only in how they wait and how they run the body.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, assert_never, cast

from resonate_nb.codec import decode, failure_from_bytes, in_words
from resonate_nb.errors import (
    DurableTimeoutError,
    NotStoredError,
    ReadOnlyStoreError,
    RejectedError,
    StoreError,
    UntrustedValueError,
    UnwritableStoreError,
)
from resonate_nb.protocol import EMPTY, NEVER, ExpirePromise, Promise, State
from resonate_nb.records import dataclass

from .. import _config, _context, _identity, _reads
from .._engine import Engine, Holding
from .._feed import wake
from .._held import cancel_on_interrupt
from .._identity import Identity, Undurable
from .._memo import Entry
from .._say import Line, live, log_call, say, warn
from ._alias import held
from ._attempt import Claimed, Request, Tried, attempt, attempt_async, claim, give_back, param_of, unclaimed
from ._children import Under, is_lost, parent_of, placed
from ._patience import LIVENESS_SECONDS, Patience
from ._plan import Hit, Refuse, Run, Wait, load, plan, plan_child, run_again
from ._retry import Pause, begin, is_over, judged, left, next_try, pause, timed_out
from ._settle import Settled, expire, settle

if TYPE_CHECKING:
    import asyncio  # slow to load, and not needed where nothing is awaited

TELL_SECONDS = 1.0
"""How often the time that is left until the next try is told anew."""


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


def call(request: Request) -> Result:
    """Run or replay. What the body raised comes back as the result's `error`, for the face to raise, so that the
    user's traceback shows one frame of ours; an interrupt gives the task back and goes through."""
    started = _begin(request)
    if isinstance(started, Result):
        return _plainly(request, started)
    try:
        engine = _config.enter_engine()
    except UnwritableStoreError as error:
        return _plainly(request, _without_store(request, error))
    try:
        with closing(_steps(engine, request, started)) as steps:
            answer: Promise | Tried | None = None
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    return cast(Result, end.value)
                match step:
                    case Claimed():
                        answer = attempt(engine, request, step)
                    case Wait():
                        answer = _wait(engine, request, step)
                    case Pause():
                        _pause(engine, step)
                        answer = None
                    case Rest():
                        _rest(engine, step)
                    case Result():
                        return _plainly(request, step)
                    case never:
                        assert_never(never)
    finally:
        engine.leave()


async def call_async(request: Request) -> Result:
    """The same for a body that returns an awaitable; runs and waits on the caller's loop."""
    import asyncio

    started = _begin(request)
    if isinstance(started, Result):
        return await _plainly_async(request, started)
    try:
        engine = _config.enter_engine()
    except UnwritableStoreError as error:
        return await _plainly_async(request, _without_store(request, error))
    try:
        with closing(_steps(engine, request, started)) as steps:
            answer: Promise | Tried | None = None
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    if isinstance(answer, Tried) and answer.is_interrupted:
                        raise asyncio.CancelledError("interrupted") from None
                    return cast(Result, end.value)
                match step:
                    case Claimed():
                        answer = await attempt_async(engine, request, step)
                    case Wait():
                        answer = await _wait_async(engine, request, step)
                    case Pause():
                        if isinstance(answer, Tried) and answer.is_interrupted:
                            raise asyncio.CancelledError("interrupted")
                        await _pause_async(engine, step)
                        answer = None
                    case Rest():
                        if not (isinstance(answer, Tried) and answer.is_interrupted):
                            await _rest_async(engine, step)
                    case Result():
                        return await _plainly_async(request, step)
                    case never:
                        assert_never(never)
    finally:
        engine.leave()


@dataclass(frozen=True, slots=True)
class Rest:
    """The body has come to its end, and steps that it began have not: what they do counts for whatever comes next."""

    claimed: Claimed
    tried: Tried
    title: str


Step = Wait | Claimed | Pause | Rest | Result
"""What takes time: a wait for another's run, a try, the rest of its steps, and the time between two tries. A result
that is yielded has no value yet: the body runs plainly, and that is the end."""
Steps = Generator[Step, Promise | Tried | None, Result]


def _steps(engine: Engine, request: Request, identity: Identity) -> Steps:
    """The brain of both legs: yields what takes time and is sent what came of it.

    Closed in the middle, by an interrupt, it gives back what it held.
    """
    if request.work.options.keyed_by == "call":
        parent = _context.current()
        if parent is not None and parent.fence.is_ours:
            return (yield from _child_steps(engine, request, identity, parent))
        why = ""
        if parent is not None:
            why = "a process that its parent has forked, so it counts by its arguments, not by its place in the parent"
        elif _context.is_astray():
            why = (
                "a thread that knows of no call around it, so it counts by its arguments; where it is a step of one, "
                "start the thread with contextvars.copy_context().run, or use asyncio.to_thread"
            )
        if why:
            say(f"{request.work.title}: called in {why}", once=True, about=request.work.name)
    return (yield from _own_steps(engine, request, identity))


def _own_steps(engine: Engine, request: Request, identity: Identity, reason: str = "") -> Steps:
    """A call that is a promise of its own. `reason` says why it is to run again, where that is known already."""
    rerun = request.rerun
    may_guess = True
    engine.pay()
    while True:
        try:
            step, identity = plan(engine, request.work, identity, rerun=rerun, may_guess=may_guess)
            if isinstance(step, Run):
                engine.need_key()
        except UnwritableStoreError as error:
            return cast(Result, (yield _without_store(request, error, engine)))
        match step:
            case Hit():
                replayed = _replay(engine, request, identity, step.entry)
                if isinstance(replayed, Result):
                    return replayed
                rerun, reason = True, replayed
            case Refuse():
                _write_down(engine, step.promise)
                return Result(None, step.promise, True, error=stored_error(step.promise))
            case Wait():
                _say_joining(request, step)
                settled = cast("Promise | None", (yield step))
                if not step.is_other:
                    if (joined := _joined(engine, request, identity, settled)) is not None:
                        return joined
                    rerun = False
            case Run():
                if reason:
                    step = replace(step, reason=reason)
                result = None
                with engine.holding(step.id) as holding:
                    claimed = _claim(engine, request, identity, step, holding)
                    if isinstance(claimed, Promise):
                        return _late(request, claimed, None, step.reason or "first run")
                    if claimed is not None:
                        why = _say_why(request, step, claimed)
                        result = yield from _run(engine, request, claimed, why)
                if claimed is None:
                    # Nothing is held for it any more, interrupts neither.
                    if (parent := parent_of(step.id)) is not None and is_lost(engine, parent.fence):
                        return (yield from _under(engine, request, identity, parent, step))
                    rerun = may_guess = False
                    continue
                if result is None:  # the task was lost: what it came to elsewhere counts
                    result = _joined(engine, request, identity, engine.peek([step.id])[0])
                if result is not None:
                    return result
                rerun = False
            case never:
                assert_never(never)


def _child_steps(engine: Engine, request: Request, identity: Identity, parent: _context.Current) -> Steps:
    """A call that belongs to its place in another call, which is ours."""
    work = request.work
    identity = placed(parent, identity, request.child_id)
    run: Run | None = Run(identity.base, None, None, "")
    if (row := parent.children.find(identity.base)) is not None:
        step = plan_child(engine, work, identity, row, parent.children.failed_at)
        match step:
            case Hit():
                replayed = _replay(engine, request, identity, step.entry)
                if isinstance(replayed, Result):
                    return replayed
                run = run_again(identity, step.entry.promise, replayed)
            case Refuse():
                _write_down(engine, step.promise)
                return Result(None, step.promise, True, error=stored_error(step.promise))
            case _:
                run = step
    token = parent.begin_step()
    try:
        if run is None or work.options.timeout is not None or work.max_attempts > 1:
            # Its tries and its deadline outlive the process only if it is in the store before it has ended.
            request = replace(request, rerun=run is not None and run.superseded is not None)
            return (yield from _own_steps(engine, request, identity, "" if run is None else run.reason))
        return (yield from _under(engine, request, identity, parent, run))
    finally:
        parent.end_step(token)


def _under(engine: Engine, request: Request, identity: Identity, parent: _context.Current, run: Run) -> Steps:
    """The body of a child runs, and is written down when it has ended, under its parent's task."""
    promise = Promise(
        run.id,
        State.PENDING,
        param_of(request, identity),
        EMPTY,
        request.work.options.tags,
        NEVER,
        engine.clock.now_ms(),
    )
    born = f"{parent.born}{run.id[len(parent.id) :]}"
    current = _context.Current(promise, 1, born, parent.fence, parent.children.below(run.id))
    with Under(parent.fence) as under:
        claimed = Claimed(promise, identity, under, current, started_at=promise.created_at, is_child=True)
        if run.reason:
            say(f"{request.work.title}: runs again, {run.reason}")
        # It does not wait between tries: those with a policy are promises of their own.
        return cast(Result, (yield from _run(engine, request, claimed, run.reason or "first run")))


def _run(
    engine: Engine, request: Request, claimed: Claimed, why: str
) -> Generator[Step, Promise | Tried | None, Result | None]:
    """The body runs until it returns or is not to be tried again, and the promise settles; None when the task was
    lost between two tries."""
    tried: Tried | None = None
    while True:
        if claimed.not_before:
            yield pause(engine, request, claimed, tried)
            if is_over(engine, claimed):
                return _late(request, expire(engine, request, claimed, None), tried, why)
            begun = begin(engine, claimed)
            if begun is None:
                return None
            claimed = begun
        tried = cast(Tried, (yield claimed))
        if claimed.current.steps_left(blocking=False) and claimed.holding.is_ours:
            yield Rest(claimed, tried, request.work.title)
        if is_over(engine, claimed):
            promise = expire(engine, request, claimed, tried)
            if promise.state is State.TIMEDOUT:
                return _late(request, promise, tried, why)
        tried = judged(request, claimed, tried)
        following = next_try(engine, request, claimed, tried)
        if following is None:
            break
        claimed = following
    settled = settle(engine, request, claimed, tried, why)
    if settled.promise.state is State.TIMEDOUT:
        return _late(request, expire(engine, request, claimed, tried), tried, why)
    return _returned(engine, request, claimed.identity, tried, settled, why)


def _late(request: Request, promise: Promise, tried: Tried | None, why: str) -> Result:
    """The deadline has passed: nobody hears of the value but the caller, in the error."""
    log_call(request.work.title, promise.id, "timed out", why, 0 if tried is None else tried.elapsed_us / 1000)
    return Result(None, promise, False, reason=why, error=without_our_frames(timed_out(request, promise, tried)))


def _claim(
    engine: Engine, request: Request, identity: Identity, run: Run, holding: Holding
) -> Claimed | Promise | None:
    try:
        return claim(engine, request, identity, run, holding)
    except UnwritableStoreError as error:
        if isinstance(error, ReadOnlyStoreError):
            warn(str(error), once=True)
        else:
            engine.warn_unwritable(
                request.work.title,
                f"{request.work.title} runs now, and its result is stored only if the store can be written to when it "
                f"ends: {error}",
            )
        return unclaimed(engine, request, identity, run, holding)


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


def _without_store(request: Request, error: UnwritableStoreError, engine: Engine | None = None) -> Result:
    tell = _config.warn_without_store if engine is None else engine.warn_unwritable
    tell(request.work.title, f"{request.work.title} runs plainly, not durably: {error}")
    return Result(None, None, False, (str(error),), str(error))


def _plainly(request: Request, result: Result) -> Result:
    log_call(request.work.title, "", "runs plainly", result.reason)
    try:
        return replace(result, value=request.body())
    except Exception as error:
        return replace(result, error=without_our_frames(error))


async def _plainly_async(request: Request, result: Result) -> Result:
    log_call(request.work.title, "", "runs plainly", result.reason)
    try:
        return replace(result, value=await request.body())
    except Exception as error:
        return replace(result, error=without_our_frames(error))


def _replay(engine: Engine, request: Request, identity: Identity, entry: Entry) -> Result | str:
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
    if (files := promise.value.headers.get("files")) is not None:
        # What a hit depended on, the call around it depends on too.
        _reads.add_to_current(_reads.from_json(files))
    notes: dict[str, bytes] = {}
    if request.work.is_cell and (output := engine.note(promise.id, "output")) is not None:
        notes["output"] = output
    if not has_waited:
        log_call(request.work.title, promise.id, "hit", "", entry.saved_ms)
    # What was waited for may have been superseded meanwhile: nobody is to remember it as the value of this call.
    at_hand = None if has_waited else entry
    return Result(
        value, promise, True, saved_ms=entry.saved_ms, notes=notes, identity=identity, entry=at_hand, engine=engine
    )


def _joined(engine: Engine, request: Request, identity: Identity, settled: Promise | None) -> Result | None:
    """What a waiter gets from the generation it waited for; None when it must look again or run the body itself."""
    if settled is None or not settled.state.is_settled:
        return None
    if settled.state is not State.RESOLVED:
        _write_down(engine, settled)
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
    return _handed_out(engine, request, identity, entry, value, has_waited=True)


def _write_down(engine: Engine, settled: Promise) -> None:
    """What the caller is about to be told of a deadline stays so, though the clock be set back."""
    if settled.state is State.TIMEDOUT:
        with suppress(StoreError):  # on a full disk it is told, and the timers try again
            engine.submit([ExpirePromise(settled.id)])


def stored_error(promise: Promise) -> Exception:
    """What to raise for a promise that settled otherwise than resolved: the failure as data, as near to the original
    as can be had without unpickling. Builtin exceptions come back as their own type."""
    if promise.state is State.TIMEDOUT:
        return DurableTimeoutError(promise.id, promise.timeout_at)
    if promise.value.headers.get("codec") != "failure" or promise.value.data is None:
        return RejectedError(promise.id, promise.state.value, "no failure was stored", "")
    if (limit := promise.value.headers.get("limit")) is not None:
        return DurableTimeoutError(promise.id, limit=float(limit))
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
    import asyncio

    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with _waiting(engine, request, step, blocking=False) as patience, cancel_on_interrupt(loop, task):
        while True:
            seen = engine.feed.now()
            if patience.look() is None:
                return engine.peek([step.promise.id])[0]
            await engine.feed.wait_async(seen, LIVENESS_SECONDS)


def _pause(engine: Engine, step: Pause) -> None:
    """The time between two tries has passed. An interrupt ends it and gives the task back."""
    # A lock, not an event: an interrupt in the middle of its condition would come out as an error of `threading`.
    lock = threading.Lock()
    with lock, _counting_down(engine, step) as tell, step.claimed.holding.interrupts.let_through():
        try:
            while (seconds := tell()) > 0:
                lock.acquire(timeout=min(seconds, TELL_SECONDS))
        except KeyboardInterrupt as stop:
            raise stop.with_traceback(None)  # where in the waiting it came says nothing


async def _pause_async(engine: Engine, step: Pause) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with (
        _counting_down(engine, step) as tell,
        step.claimed.holding.interrupts.let_through(),
        cancel_on_interrupt(loop, task),
    ):
        while (seconds := tell()) > 0:
            await asyncio.wait((loop.create_future(),), timeout=min(seconds, TELL_SECONDS))


def _rest(engine: Engine, step: Rest) -> None:
    """The steps that the body began have ended. An interrupt ends the wait and gives the task back."""
    current = step.claimed.current
    with _resting(engine, step) as tell, step.claimed.holding.interrupts.let_through():
        while current.steps_left(blocking=True):
            ended = threading.Event()
            current.when_one_ends(ended.set)
            while not ended.wait(TELL_SECONDS):
                tell()


async def _rest_async(engine: Engine, step: Rest) -> None:
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
            give_back(engine, claimed, step.tried.elapsed_us, stop)
        raise
    finally:
        if line is not None:
            line.end()


@contextmanager
def _counting_down(engine: Engine, step: Pause) -> Iterator[Callable[[], float]]:
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

    try:
        yield tell
    finally:
        if line is not None:
            line.end(step.text)
        elif not is_told:
            say(step.text)


_PACKAGE = str(Path(__file__).resolve().parents[2])
_Error = TypeVar("_Error", bound=BaseException)


def without_our_frames(error: _Error) -> _Error:
    """The same error, its traceback beginning in the user's code; an interrupt of ours alone has none."""
    if isinstance(error, DurableTimeoutError) and error.__cause__ is not None:
        without_our_frames(error.__cause__)
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        trace = trace.tb_next
    if trace is None and isinstance(error, Exception):
        trace = error.__traceback__
    # Not the error's own method: its class may have another.
    return BaseException.with_traceback(error, trace)


def _say_why(request: Request, run: Run, claimed: Claimed) -> str:
    """Why the body runs, said in one line where that is news, and returned."""
    title = request.work.title
    if run.taken_over is not None and not claimed.is_unborn:
        most = request.work.max_attempts
        is_counted = claimed.used < most > 1
        which = f"attempt {claimed.used + 1} of {most}" if is_counted else f"attempt {claimed.number}"
        say(f"{title}: {which}, {run.reason}")
        return run.reason
    if run.reason:
        say(f"{title}: runs again, {run.reason}")
        return run.reason
    new = claimed.news
    if new:
        say(f"{title} runs; {new}", once=True, about=request.work.name)
        return new
    return "first run"


def _say_joining(request: Request, step: Wait) -> None:
    if request.rerun:
        say(f"{request.work.title}: {step.promise.id} is running already; the rerun joins that run")


def _returned(engine: Engine, request: Request, identity: Identity, tried: Tried, settled: Settled, why: str) -> Result:
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
            say(
                f"{request.work.title} returns (or holds) its {kind} `{name}`, or a part of it; "
                "a replay hands out a copy",
                once=True,
                about=request.work.name,
            )


_UNSHARED = (type(None), bool, int, float, complex, str, bytes)
