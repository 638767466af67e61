"""Attempt: claim the promise, run the body once, and see what it did besides returning."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, cast

from resonate_nb.codec import describe, in_words
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint import CodeKey, fingerprint_named
from resonate_nb.protocol import (
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    Promise,
    ReleaseTask,
    Reply,
    State,
    Status,
    TaskState,
    Value,
)
from resonate_nb.records import dataclass
from resonate_nb.store import Attempt, Transaction

from .. import _context, _identity, _reads
from .._engine import LEASE_MS, Engine, Holding
from .._generators import Standing
from .._held import cancel_on_interrupt
from .._identity import Identity
from .._registry import Work
from ._plan import Run, files_root


@dataclass(frozen=True, slots=True)
class Request:
    """One use of a durable function or cell."""

    work: Work
    arguments: Mapping[str, object]
    """Bound and complete, in the order of the signature, ignored ones left out."""
    body: Callable[[], Any]
    """Runs it; for `call_async` it returns an awaitable."""
    judge: Callable[[Any], tuple[str, ...]] | None = None
    """Given the value, names what a hit could not repeat; nothing means replayable."""
    notes: Callable[[], Mapping[str, bytes]] | None = None
    """Asked when it settles, either way; stored with the promise."""
    rerun: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The task is ours: the promise as it is now, and which try this is."""

    promise: Promise
    identity: Identity
    number: int
    started_at: int
    holding: Holding
    news: str | None = None
    """Which part of the key is new beside the last computed call of this name."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one run of the body. Exactly one of value and error counts, as `error` says."""

    value: Any
    error: Exception | None
    elapsed_us: int
    cpu_us: int
    files: tuple[_reads.FileRead, ...]
    effects: tuple[str, ...]
    """What a hit could not repeat."""
    draws: tuple[str, ...] = ()
    """The global random generators that moved meanwhile."""
    is_interrupted: bool = False
    """An interrupt came too late to stop the body, and must stop what comes after."""


def claim(engine: Engine, request: Request, identity: Identity, run: Run, holding: Holding) -> Claimed | None:
    """Make the promise and take its task, or take over the pending one; None when somebody else was first."""
    work, options = request.work, request.work.options
    mine = Claim(engine.store.owner, LEASE_MS)
    commands: list[Command] = []
    before = run.taken_over
    if before is None:
        param = Value(headers=_identity.param_headers(identity, work))
        commands.append(CreatePromise(run.id, param=param, tags=options.tags, claim=mine))
    else:
        if before.task is TaskState.ACQUIRED:
            commands.append(ReleaseTask(run.id, before.version))
        commands.append(AcquireTask(run.id, before.version, mine))
    number = 1
    news: str | None = None
    started_at = engine.clock.now_ms()
    is_new_code = engine.is_new_code(identity.code)
    # Cells without a label share a name and nothing else: one is known again by its code only. A cell and a function
    # of one name are strangers.
    kind = "function" if not work.is_cell else "label" if work.name != "cell" else identity.code
    known_as = f"name:{kind}:{work.name}"

    shown = {name: describe(value) for name, value in request.arguments.items()}

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        nonlocal number, news
        if replies[-1].status is not Status.DONE:
            return
        if before is not None:
            earlier = transaction.attempts(run.id)
            number = len(earlier) + 1
            for attempt in earlier:
                if attempt.outcome is None:
                    transaction.put_attempt(_ended(attempt, started_at, "lost", "its owner died"))
        transaction.put_attempt(Attempt(run.id, number, mine.owner, started_at))
        transaction.put_note(run.id, "key", _identity.key_note(identity))
        if shown:
            transaction.put_note(run.id, "arguments", json.dumps(shown).encode())
        if run.reason:
            transaction.put_note(run.id, "why", run.reason.encode("utf-8", "backslashreplace"))
        if is_new_code or work.is_cell:
            # Other arguments for code that was met before are no news; new code, or a cell's changed input, is.
            latest = transaction.note(known_as, "latest")
            if latest is not None:
                news = _identity.what_is_new(identity, transaction.note(latest.decode(), "key"))
        transaction.put_note(known_as, "latest", run.id.encode())
        if is_new_code:
            transaction.put_note(f"code:{identity.code}", "sources", _identity.sources_note(identity))
        if run.superseded is not None:
            engine.clear_mark(transaction, run.superseded.id)

    superseded = run.superseded
    replies = engine.submit(
        commands,
        also=also,
        invalidate=superseded is not None and superseded.state is State.RESOLVED,
        interrupts=holding.interrupts,
    )
    reply = replies[-1]
    if reply.status is not Status.DONE or reply.promise is None:
        return None
    if reply.promise.state.is_settled:
        return None
    if is_new_code:
        engine.note_code(identity.code)
    engine.hold(holding, reply.promise.version)
    return Claimed(reply.promise, identity, number, started_at, holding, news)


def give_back(engine: Engine, claimed: Claimed, elapsed_us: int, why: BaseException) -> None:
    """The task is free again and its promise is shown as interrupted; nothing if it was lost meanwhile."""
    id = claimed.promise.id
    ended_at = engine.clock.now_ms()
    attempt = Attempt(id, claimed.number, engine.store.owner, claimed.started_at)

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        if replies[0].status is Status.DONE:
            transaction.put_attempt(_ended(attempt, ended_at, "interrupted", type(why).__name__, elapsed_us))

    engine.release(ReleaseTask(id, claimed.promise.version), also)


def _ended(attempt: Attempt, ended_at: int, outcome: str, error: str, elapsed_us: int | None = None) -> Attempt:
    return replace(attempt, ended_at=ended_at, outcome=outcome, error=error, elapsed_us=elapsed_us)


class _Try:
    """Around one run of the body: the current call, the files it opens, the generators it moves, its times, and the
    way back on an interrupt."""

    def __init__(self, engine: Engine, claimed: Claimed, loop: asyncio.AbstractEventLoop | None) -> None:
        self._engine = engine
        self._claimed = claimed
        self._running = _context.running(claimed.promise.id, loop)
        self._recording = _reads.recording(files_root(engine), engine.clock, engine.store.path)
        self.reads: _reads.Reads

    def __enter__(self) -> _Try:
        self._started = self._engine.clock.monotonic()
        self._cpu = self._engine.clock.cpu()
        self._running.__enter__()
        self.reads = self._recording.__enter__()
        self.generators = Standing()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recording.__exit__(kind, error, trace)
        self._running.__exit__(kind, error, trace)
        self.elapsed_us = round((self._engine.clock.monotonic() - self._started) * 1e6)
        self.cpu_us = round((self._engine.clock.cpu() - self._cpu) * 1e6)
        if error is not None and not isinstance(error, Exception) and self._claimed.holding.is_ours:
            # KeyboardInterrupt, CancelledError, SystemExit: nothing failed, the work was only stopped.
            give_back(self._engine, self._claimed, self.elapsed_us, error)


def attempt(engine: Engine, request: Request, claimed: Claimed) -> Tried:
    """Run the body here. What is no `Exception` gives the task back and goes through."""
    value, failure = None, None
    with _Try(engine, claimed, None) as run:
        try:
            with claimed.holding.interrupts.let_through():
                value = request.body()
        except Exception as error:
            failure = error
    return _tried(request, claimed.identity, run, value, failure)


async def attempt_async(engine: Engine, request: Request, claimed: Claimed) -> Tried:
    """The same for a body that is awaited on the caller's loop; an interrupt of the kernel cancels it."""
    value, failure = None, None
    is_done = is_interrupted = False
    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with _Try(engine, claimed, loop) as run:
        try:
            with claimed.holding.interrupts.let_through(), cancel_on_interrupt(loop, task):
                value = await cast("Awaitable[Any]", request.body())
                is_done = True
        except asyncio.CancelledError:
            if not is_done:
                raise
            # The body came to its end first: its value is stored before the interrupt is passed on.
            is_interrupted = True
        except Exception as error:
            failure = error
    return replace(_tried(request, claimed.identity, run, value, failure), is_interrupted=is_interrupted)


def _tried(request: Request, identity: Identity, run: _Try, value: Any, failure: Exception | None) -> Tried:
    draws: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    try:
        if failure is None:
            draws = run.generators.moved()  # first: looking at the rest may import
            effects = _effects(request, identity, value)
    except Exception as error:
        # The body is done and its value must not be lost to a fault in looking at it; nor may it be called harmless.
        effects = (f"could not be looked at afterwards ({in_words(error)})",)
    return Tried(value, failure, run.elapsed_us, run.cpu_us, run.reads.files(), effects, draws)


def _effects(request: Request, identity: Identity, value: Any) -> tuple[str, ...]:
    """What the body did that a hit could not repeat, by name."""
    found = [f"stores into {effect}" for effect in identity.key.effects]
    if request.arguments:
        found += [f"changed its argument `{name}` in place" for name in _changed_arguments(request, identity)]
    if not request.work.is_cell:
        # Cheap when nothing has changed; the cell's own face judges what a cell changed.
        found += _changed_globals(identity.key, request.work.subject.key())
    if request.judge is not None:
        found += request.judge(value)
    return tuple(found)


def _changed_globals(before: CodeKey, after: CodeKey) -> list[str]:
    if before.content == after.content:
        return []
    named = [
        f"changed the global `{name}`"
        for name, digest in before.content_parts.items()
        if after.content_parts.get(name) != digest
    ]
    return named or ["changed something that its code reads (an attribute of a class or function)"]


_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes)


def _changed_arguments(request: Request, identity: Identity) -> list[str]:
    if all(type(value) in _IMMUTABLE for value in request.arguments.values()):
        return []
    try:
        after = fingerprint_named(request.arguments).parts
    except UnfingerprintableError as error:
        return [error.path.split("[")[0].split(".")[0]]
    return [name for name, digest in identity.argument_parts.items() if after.get(name) != digest]
