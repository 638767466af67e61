"""Attempt: run the body once, and see what it did besides returning."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, cast

from resonate_nb.codec import in_words
from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint import CodeKey, Noted, changed_attributes, fingerprint_named, sources_in, unfilled_parts
from resonate_nb.protocol import NEVER
from resonate_nb.records import dataclass

from .. import _context, _reads
from .._caches import Caches
from .._changes import titled
from .._engine import Engine
from .._file_read import FileRead
from .._generators import Standing
from .._held import cancel_on_interrupt
from .._identity import Identity
from .._limit import Limited, run_limited, run_limited_async
from .._outside import file_parts, is_outside, title_of
from ._claim import Claimed, Request, give_back


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one run of the body. Exactly one of value and error counts, as `error` says."""

    value: Any
    error: Exception | None
    elapsed_us: int
    cpu_us: int
    files: tuple[FileRead, ...] = ()
    effects: tuple[str, ...] = ()
    """What a hit could not repeat."""
    draws: tuple[str, ...] = ()
    """The global random generators that moved meanwhile."""
    is_late: bool = False
    """It passed a limit of time."""
    has_value: bool = True
    """False where the body was stopped at its limit."""
    is_interrupted: bool = False
    """An interrupt came too late to stop the body, and must stop what comes after."""
    is_awaited: bool = False
    """It ran on a loop, which goes on while what it came to is made safe (`_waits.saved`)."""


_UNBOUND = object()


class _Try:
    """Around one run of the body: the current call, the files it opens, the generators it moves, its times, and the
    way back on an interrupt."""

    def __init__(self, engine: Engine, request: Request, claimed: Claimed) -> None:
        self._engine = engine
        self._claimed = claimed
        self._subject = request.work.subject
        self._running = _context.Running(claimed.current)
        self._recording = _reads.recording(engine.root, engine.clock, engine.store.path)
        self.reads: _reads.Reads

    def __enter__(self) -> _Try:
        clock = self._engine.clock
        self._started = clock.monotonic()
        self._cpu = clock.cpu()
        self._running.__enter__()
        self.reads = self._recording.__enter__()
        self.generators = Standing()
        self._names = tuple([(namespace, dict(namespace)) for namespace in self._subject.watched()])
        self.caches = Caches(self._subject.caches())
        return self

    def bound(self) -> list[str]:
        """Variables that the body has bound or deleted where its text does not show it (`exec`, `globals()`)."""
        found = []
        for namespace, before in self._names:
            now = dict(namespace)
            names = {*before, *now}
            found += [name for name in names if now.get(name, _UNBOUND) is not before.get(name, _UNBOUND)]
        return sorted(name for name in found if name[:1] != "_")  # those are the kernel's own

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recording.__exit__(kind, error, trace)
        self._running.__exit__(kind, error, trace)
        clock = self._engine.clock
        self.elapsed_us = round((clock.monotonic() - self._started) * 1e6)
        self.cpu_us = round((clock.cpu() - self._cpu) * 1e6)
        claimed = self._claimed
        if error is not None and not isinstance(error, Exception) and claimed.holding.is_ours and not claimed.is_unborn:
            # KeyboardInterrupt, CancelledError, SystemExit: nothing failed, the work was only stopped.
            give_back(self._engine, claimed, self.elapsed_us, self.cpu_us, error)


def attempt(engine: Engine, request: Request, claimed: Claimed) -> Tried:
    """Run the body here. What is no `Exception` gives the task back and goes through."""
    seconds, deadline = request.work.options.attempt_timeout, _deadline(claimed)
    with _Try(engine, request, claimed) as run, claimed.holding.interrupts.let_through():
        limited = run_limited(request.body, seconds, engine.clock, deadline)
    return _tried(request, claimed.identity, run, limited)


async def attempt_async(engine: Engine, request: Request, claimed: Claimed) -> Tried:
    """The same for a body that is awaited on the caller's loop; an interrupt of the kernel cancels it."""
    import asyncio

    seconds, deadline = request.work.options.attempt_timeout, _deadline(claimed)
    limited: Limited[Any] | None = None
    is_interrupted = False
    loop = asyncio.get_running_loop()
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    with _Try(engine, request, claimed) as run:
        try:
            with claimed.holding.interrupts.let_through(), cancel_on_interrupt(loop, task):
                body = cast("Awaitable[Any]", request.body())
                limited = await run_limited_async(body, seconds, engine.clock, deadline)
        except asyncio.CancelledError:
            if limited is None:
                raise
            # The body came to its end first: its value is stored before the interrupt is passed on.
            is_interrupted = True
        except Exception as error:
            limited = Limited(None, error, False, False)  # it raised before there was anything to await
    tried = _tried(request, claimed.identity, run, limited)
    return replace(tried, is_interrupted=is_interrupted, is_awaited=True)


def _deadline(claimed: Claimed) -> int | None:
    deadline = claimed.promise.timeout_at
    return None if deadline == NEVER else deadline


def _tried(request: Request, identity: Identity, run: _Try, limited: Limited[Any]) -> Tried:
    draws: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    files: tuple[FileRead, ...] = ()
    try:
        if limited.error is not None and request.may_raise_again:
            effects = (*(f"bound `{name}`" for name in run.bound()), *_effects(request, identity, None))
        elif limited.error is None and limited.has_value:
            draws = run.generators.moved()  # first: looking at the rest may import
            effects = (*(f"bound `{name}`" for name in run.bound()), *_effects(request, identity, limited.value))
        run.caches.settle(run.reads)
        files = run.reads.files()
    except Exception as error:
        # The body is done and its value must not be lost to a fault in looking at it; nor may it be called harmless.
        effects = (f"could not be looked at afterwards ({in_words(error)})",)
    return Tried(
        limited.value,
        limited.error,
        run.elapsed_us,
        run.cpu_us,
        files,
        effects,
        draws,
        limited.is_late,
        limited.has_value,
    )


def _effects(request: Request, identity: Identity, value: Any) -> tuple[str, ...]:
    """What the body did that a hit could not repeat, by name."""
    found = [f"stores into {effect}" for effect in identity.key.effects]
    if request.work.options.files:
        found += _changed_files(request, identity)
    if request.arguments:
        found += [f"changed its argument {where}" for where in _changed_arguments(request, identity)]
    if not request.work.is_cell:
        # Cheap when nothing has changed; the cell's own face judges what a cell changed.
        found += _changed_globals(request, identity.key)
    elif identity.key.content_parts:
        after = request.work.subject.outside()
        found += _changed_outside(identity.key.content_parts, after)
    if request.judge is not None:
        found += request.judge(value)
    return tuple(found)


def _changed_globals(request: Request, before: CodeKey) -> list[str]:
    after = request.work.subject.key()
    if before.content == after.content:
        return []
    unfilled = request.work.subject.unfilled()
    if unfilled is not None and unfilled.content == before.content:
        return []
    named = _changed_outside(before.content_parts, after.content_parts)
    names = dict.fromkeys((*before.content_parts, *after.content_parts))
    named += [
        f"changed {titled('the closure variable' if name in after.closure else 'the global', name)}"
        for name in names
        if after.content_parts.get(name) != before.content_parts.get(name) and not is_outside(name)
    ]
    return named or ["changed something that its code reads (an attribute of a class or function)"]


def _changed_outside(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """A result that was computed while a file changed is of neither content."""
    return [
        f"ran while {title_of(name)} changed"
        for name, digest in before.items()
        if is_outside(name) and after.get(name) != digest
    ]


def _changed_files(request: Request, identity: Identity) -> list[str]:
    after = file_parts(request.work.options.files, request.arguments)
    return _changed_outside({name: identity.argument_parts.get(name, "") for name in after}, after)


_IMMUTABLE = frozenset((type(None), bool, int, float, complex, str, bytes))


def _changed_arguments(request: Request, identity: Identity) -> list[str]:
    if _IMMUTABLE.issuperset(map(type, request.arguments.values())):
        return []
    packages = request.work.options.packages
    try:
        after = fingerprint_named(request.arguments, packages)
    except UnfingerprintableError as error:
        if not _unchanged(request, identity, request.arguments).issuperset(request.arguments):
            return [f"`{error.path.split('[')[0].split('.')[0]}` in place"]
        return []
    changed = [name for name, digest in after.parts.items() if identity.argument_parts.get(name) != digest]
    if changed:
        unchanged = _unchanged(request, identity, {name: request.arguments[name] for name in changed})
        changed = [name for name in changed if name not in unchanged]
    return [f"`{name}` in place{_where(identity.noted.get(name, ()), after.noted.get(name, ()))}" for name in changed]


def _unchanged(request: Request, identity: Identity, arguments: Mapping[str, object]) -> set[str]:
    """Those of the arguments that are what they were, but for cached properties that were filled by a look at them."""
    held = (each for value in request.arguments.values() for each in sources_in(value).values())
    sources = [source for each in (identity.key.sources, *held) for source in each.values()]
    try:
        parts = unfilled_parts(arguments, request.work.options.packages, identity.noted, sources)
    except UnfingerprintableError:
        return set()
    return {name for name, digest in parts.items() if identity.argument_parts.get(name) == digest}


_MOST_ATTRIBUTES = 3


def _where(before: Noted, after: Noted) -> str:
    """The attributes of an argument that the body has set, be it by a property that keeps what it gives."""
    names = [f"`{name}`" for name in changed_attributes(before, after)]
    more = ["…"] if len(names) > _MOST_ATTRIBUTES else []
    shown = ", ".join((*names[:_MOST_ATTRIBUTES], *more))
    return f" (attribute{'s' * (len(names) > 1)} {shown})" if names else ""
