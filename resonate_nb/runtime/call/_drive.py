"""One durable call, from its arguments to its value: plan, then replay, wait, or claim, attempt and settle.

Two legs, one brain: `call` and `call_async` differ only in how they wait and how they run the body.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import assert_never, cast

from resonate_nb.errors import ReadOnlyStoreError, UnwritableStoreError
from resonate_nb.protocol import EMPTY, NEVER, Promise, State

from .. import _config, _context, _identity, _reads
from .._earlier import FIRST, NEW_ARGUMENTS
from .._engine import Engine, Guest
from .._identity import Identity, Undurable, unsure_phrases
from .._outside import declared_entries, missing_phrase
from .._registry import plainly_phrase, unmet_phrase
from .._say import log_call, say, warn
from .._tasks import Holding
from ._attempt import Tried, attempt, attempt_async
from ._children import Under, is_lost, parent_of, placed
from ._claim import Claimed, Request, claim, data_notes_of, news_of_call, param_of, unclaimed
from ._plan import Hit, Refuse, Run, Wait, plan, plan_child, run_again
from ._result import Result, joined, late, replay, returned, stored_error, without_our_frames, write_down
from ._retry import Pause, begin, is_over, judged, next_try, pause
from ._settle import expire, settle
from ._waits import (
    Rest,
    saved,
    wait,
    wait_async,
    wait_for_steps,
    wait_for_steps_async,
    wait_for_try,
    wait_for_try_async,
)


def call(request: Request) -> Result:
    """Run or replay. What the body raised comes back as the result's `error`, for the face to raise, so that the
    user's traceback shows one frame of ours; an interrupt gives the task back and goes through."""
    started = _begin(request)
    if isinstance(started, Result):
        return _plainly(request, started)
    guest = Guest()
    try:
        try:
            engine = _config.enter_engine(guest)
        except UnwritableStoreError as error:
            return _plainly(request, _without_store(request, error))
        if engine.packages.follow(engine.store):
            started = _begin(request)
            if isinstance(started, Result):
                return _plainly(request, started)
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
                        answer = wait(engine, request, step)
                    case Pause():
                        wait_for_try(engine, step)
                        answer = None
                    case Rest():
                        wait_for_steps(engine, step)
                    case Result():
                        return _plainly(request, step)
                    case never:
                        assert_never(never)
    finally:
        guest.among.discard(guest)
        guest.left()


async def call_async(request: Request) -> Result:
    """The same for a body that returns an awaitable; runs and waits on the caller's loop."""
    import asyncio

    started = _begin(request)
    if isinstance(started, Result):
        return await _plainly_async(request, started)
    guest = Guest()
    try:
        try:
            engine = _config.enter_engine(guest)
        except UnwritableStoreError as error:
            return await _plainly_async(request, _without_store(request, error))
        if engine.packages.follow(engine.store):
            started = _begin(request)
            if isinstance(started, Result):
                return await _plainly_async(request, started)
        with closing(_steps(engine, request, started)) as steps:
            answer: Promise | Tried | None = None
            while True:
                try:
                    step = steps.send(answer)
                except StopIteration as end:
                    if isinstance(answer, Tried):
                        if answer.is_interrupted:
                            raise asyncio.CancelledError("interrupted") from None
                        await saved(engine, request, answer)
                    return cast(Result, end.value)
                match step:
                    case Claimed():
                        answer = await attempt_async(engine, request, step)
                    case Wait():
                        answer = await wait_async(engine, request, step)
                    case Pause():
                        if isinstance(answer, Tried) and answer.is_interrupted:
                            raise asyncio.CancelledError("interrupted")
                        await wait_for_try_async(engine, step)
                        answer = None
                    case Rest():
                        if not (isinstance(answer, Tried) and answer.is_interrupted):
                            await wait_for_steps_async(engine, step)
                    case Result():
                        return await _plainly_async(request, step)
                    case never:
                        assert_never(never)
    finally:
        guest.among.discard(guest)
        guest.left()


Step = Wait | Claimed | Pause | Rest | Result
"""What takes time: a wait for another's run, a try, the rest of its steps, and the time between two tries. A result
that is yielded has no value yet: the body runs plainly, and that is the end."""
Steps = Generator[Step, Promise | Tried | None, Result]


def _steps(engine: Engine, request: Request, identity: Identity) -> Steps:
    """The brain of both legs: yields what takes time and is sent what came of it.

    Closed in the middle, by an interrupt, it gives back what it held.
    """
    if request.work.options.keyed_by != "call":
        return (yield from _own_steps(engine, request, identity))
    parent = _context.current()
    if parent is not None and parent.fence.is_ours:
        return (yield from _child_steps(engine, request, identity, parent))
    title, name = request.work.title, request.work.name
    why = ""
    if parent is not None:
        why = "a process that its parent has forked, so it counts by its arguments, not by its place in the parent"
    elif _context.is_astray():
        why = (
            "a thread that knows of no call around it, so it counts by its arguments; where it is a step of one, "
            "start the thread with contextvars.copy_context().run, or use asyncio.to_thread"
        )
    if why:
        say(f"{title}: called in {why}", once=True, about=name)
    result = yield from _own_steps(engine, request, identity)
    if result.replayed and not why:
        # Under a call that runs plainly, perhaps: it was to have its effect once more.
        say(
            f"{title}: no durable call is around it, so it counts by its arguments, and what they came to before is "
            "replayed",
            once=True,
            about=name,
        )
    return result


def _own_steps(engine: Engine, request: Request, identity: Identity, reason: str = "") -> Steps:
    """A call that is a promise of its own. `reason` says why it is to run again, where that is known already."""
    rerun = request.rerun
    may_guess = True
    engine.tasks.pay()
    while True:
        try:
            step, identity = plan(engine, request.work, identity, rerun=rerun, may_guess=may_guess)
            if isinstance(step, Run):
                engine.need_key()
        except UnwritableStoreError as error:
            return cast(Result, (yield _without_store(request, error, engine)))
        match step:
            case Hit():
                replayed = replay(engine, request, identity, step.entry)
                if isinstance(replayed, Result):
                    return replayed
                rerun, reason = True, replayed
            case Refuse():
                write_down(engine, step.promise)
                return Result(None, step.promise, True, error=stored_error(step.promise))
            case Wait():
                _say_joining(request, step)
                settled = cast("Promise | None", (yield step))
                if not step.is_other:
                    if (result := joined(engine, request, identity, settled)) is not None:
                        return result
                    rerun = False
            case Run():
                if reason:
                    step = replace(step, reason=reason)
                result = None
                with engine.tasks.holding(step.id) as holding:
                    claimed = _claim(engine, request, identity, step, holding)
                    if isinstance(claimed, Promise):
                        return late(request, claimed, None, step.reason or FIRST)
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
                    result = joined(engine, request, identity, engine.peek([step.id])[0])
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
                replayed = replay(engine, request, identity, step.entry)
                if isinstance(replayed, Result):
                    return replayed
                run = run_again(identity, step.entry.promise, replayed)
            case Refuse():
                write_down(engine, step.promise)
                return Result(None, step.promise, True, error=stored_error(step.promise))
            case _:
                run = step
    among_steps = _context.Step(parent)
    try:
        among_steps.begin()
        if run is None or work.options.timeout is not None or work.max_attempts > 1:
            # Its tries and its deadline outlive the process only if it is in the store before it has ended.
            request = replace(request, rerun=run is not None and run.superseded is not None)
            return (yield from _own_steps(engine, request, identity, "" if run is None else run.reason))
        return (yield from _under(engine, request, identity, parent, run))
    finally:
        among_steps.end()
        parent.step_has_ended()


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
        news = news_of_call(engine, request, identity) if engine.is_new_code(identity.code) else None
        data = {} if news is None else data_notes_of(engine, request, identity)
        started_at = promise.created_at
        claimed = Claimed(promise, identity, under, current, started_at=started_at, is_child=True, news=news, data=data)
        if run.reason:
            say(f"{request.work.title}: runs again, {run.reason}")
        # It does not wait between tries: those with a policy are promises of their own.
        why = run.reason or (NEW_ARGUMENTS if news is None else news.reason)
        return cast(Result, (yield from _run(engine, request, claimed, why)))


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
                return late(request, expire(engine, request, claimed, None), tried, why)
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
                return late(request, promise, tried, why)
        tried = judged(request, claimed, tried)
        following = next_try(engine, request, claimed, tried)
        if following is None:
            break
        claimed = following
    settled = settle(engine, request, claimed, tried, why)
    if settled.promise.state is State.TIMEDOUT:
        return late(request, expire(engine, request, claimed, tried), tried, why)
    return returned(engine, request, claimed.identity, tried, settled, why)


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


def _pass_on(request: Request, digests: Mapping[str, str]) -> None:
    """What the call has declared the calls around it depend on too; `digests` are those of its key, if it has one."""
    files = request.work.options.files
    engine = _config.open_engine()
    if files and engine is not None and not request.work.is_cell and _reads.is_recording():
        _reads.add_declared(declared_entries(files, request.arguments, digests), engine.root)


def _begin(request: Request) -> Identity | Result:
    """The call's name; or a Result without value, when the call is to run plainly."""
    if not _config.is_enabled():
        return Result(None, None, False, reason="switched off")
    identity = _identity.identify(request.work, request.arguments)
    if request.work.options.files:
        known: dict[str, str] = {}
        if isinstance(identity, Identity):
            known = {**identity.key.content_parts, **identity.argument_parts}
        _pass_on(request, known)
    if isinstance(identity, Undurable):
        why = "; ".join(identity.reasons)
        # A cell has no line of the user's above it for a warning to point at.
        tell = say if request.work.is_cell else warn
        how = plainly_phrase(request.work.options, is_cell=request.work.is_cell)
        tell(f"{request.work.title} {how}: {why}", once=True, about=request.work.name)
        return Result(None, None, False, identity.reasons, why)
    if identity.key.unmet:
        text = unmet_phrase(request.work, identity.key.unmet, (*identity.argument_parts, *identity.key.content_parts))
        say(text, once=True, about=request.work.name)
    if request.work.options.files:
        missing = missing_phrase(request.work.title, identity.key.content_parts, is_cell=request.work.is_cell)
        if missing:
            say(missing, once=True, about=request.work.name)
    for text in unsure_phrases(request.work.title, identity.unsure, is_cell=request.work.is_cell):
        say(text, once=True, about=request.work.name)
    return identity


def _without_store(request: Request, error: UnwritableStoreError, engine: Engine | None = None) -> Result:
    tell = _config.warn_without_store if engine is None else engine.warn_unwritable
    how = plainly_phrase(request.work.options, is_cell=request.work.is_cell)
    tell(request.work.title, f"{request.work.title} {how}: {error}")
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
    news = claimed.news
    if news is None:
        return NEW_ARGUMENTS if request.arguments and not claimed.is_unborn else FIRST
    if news.is_said:
        # A cell is run by hand; a function may be called in a loop.
        say(f"{title} runs: {news.reason}", once=not request.work.is_cell, about=request.work.name)
    return news.reason


def _say_joining(request: Request, step: Wait) -> None:
    if request.rerun:
        say(f"{request.work.title}: {step.promise.id} is running already; the rerun joins that run")
