"""Claim: the right to run the body becomes ours, with what is stored of a call at its birth; and is given back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from resonate_nb.codec import describe
from resonate_nb.fingerprint import without_keys
from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    AcquireTask,
    Claim,
    Command,
    CreatePromise,
    ExpirePromise,
    FenceTask,
    Promise,
    ReleaseTask,
    Reply,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    split_id,
)
from resonate_nb.records import dataclass
from resonate_nb.store import Attempt, Reader, Transaction

from .. import _context, _identity
from .._defaults import put_defaults, untold_defaults
from .._engine import Engine
from .._held import Hold
from .._identity import Identity
from .._limit import LimitPassed
from .._registry import Work
from .._say import say
from .._tasks import LEASE_MS, Holding
from .._tries import FAILED, ended, spent, tries_of
from ._children import ADOPTS, NO_CHILDREN, KnownChildren, parent_of, steps_before
from ._plan import Run

if TYPE_CHECKING:
    from .._news import News


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
    child_id: str | None = None
    """The id of the child that this is, where it was counted already."""

    @property
    def may_raise_again(self) -> bool:
        """Whether what it raises may be raised again later without running it."""
        options = self.work.options
        return options.on_rejected == "raise" or options.keyed_by == "call"


class Held(_context.Fence, Protocol):
    """What a call holds while it runs: the task under which it writes, and the interrupts."""

    @property
    def interrupts(self) -> Hold: ...


@dataclass(frozen=True, slots=True)
class Claimed:
    """The right to run the body is ours: the promise as it is now, and which try this is."""

    promise: Promise
    identity: Identity
    holding: Held
    current: _context.Current
    number: int = 1
    """Of the try, over the life of the promise."""
    used: int = 0
    """How many of the policy's attempts were used up before."""
    started_at: int = 0
    """Epoch milliseconds."""
    is_child: bool = False
    """It has no task of its own and is not in the store yet: the parent's task is the claim."""
    owed: Callable[[], Claimed | None] | None = None
    """Claims it after all, where the store could not be written to before the body; None when somebody else was
    faster."""
    news: News | None = None
    """What is new beside an earlier promise; None where nobody looked: other arguments for code that ran before."""
    data: Mapping[str, bytes] = field(default_factory=dict)
    """Of a child: summaries of data that are stored with it, by digest."""
    not_before: int = 0
    """When the try is to begin, epoch milliseconds, after one that failed; 0 once it has begun. Nothing in the store
    tells of it before."""

    @property
    def is_unborn(self) -> bool:
        """Nothing in the store says that it runs."""
        return self.is_child or self.owed is not None


def claim(
    engine: Engine, request: Request, identity: Identity, run: Run, holding: Holding, *, is_late: bool = False
) -> Claimed | Promise | None:
    """Make the promise and take its task, or take over the pending one; None when somebody else was first, and the
    promise when its deadline had passed before it was made.

    `is_late`: the body is done, and its value is not to be lost to an interrupt any more.
    """
    before, superseded = run.taken_over, run.superseded
    now = engine.clock.now_ms()
    commands = _claiming(engine, request, identity, run, now)
    parent = parent_of(run.id)
    if parent is not None and isinstance(commands[-1], CreatePromise):
        commands[-1] = FenceTask(parent.fence.id, parent.fence.version, commands[-1])
    record = _Record(engine, request, identity, run, now)
    interrupts = None if is_late else holding.interrupts
    found = None
    if record.is_blank and (parent is None or parent.fence.promise is not None):
        mine = None if parent is None else parent.fence.promise
        found = engine.submit_at_once(commands[-1], mine, interrupts=interrupts, synced=False)
    if found is not None:
        reply = found[0]
    else:
        try:
            replies = engine.submit(
                commands,
                also=record.write,
                invalidate=superseded is not None and superseded.state is State.RESOLVED,
                interrupts=interrupts,
                unless=run.id if run.is_guess else None,
                synced=False,
            )
        except _MovedError:
            return None
        if not replies:
            return None
        reply = replies[-1]
    promise = reply.promise
    if reply.status is not Status.DONE or promise is None:
        return None
    if promise.state.is_settled:
        return promise
    engine.note_code(identity.code)
    if record.data or record.defaults:
        engine.note_parts((*record.data, *record.defaults))
    engine.tasks.hold(holding, promise)
    children = NO_CHILDREN if parent is None else parent.children.below(promise.id)
    if before is not None or run.adopts is not None:
        children = KnownChildren.by_now(engine, promise, record.failed_at, children)
    current = _context.Current(promise, record.used + 1, born(promise, record.first_version), holding, children)
    return Claimed(
        promise,
        identity,
        holding,
        current,
        record.number,
        record.used,
        now,
        news=record.news,
        not_before=record.not_before,
    )


def unclaimed(engine: Engine, request: Request, identity: Identity, run: Run, holding: Holding) -> Claimed:
    """The body is to run although the store cannot be written to; its promise is claimed when it has ended, if it can
    be then."""
    now = engine.clock.now_ms()
    commands = _claiming(engine, request, identity, run, now)
    made = commands[-1]
    if isinstance(made, CreatePromise):
        promise = Promise(run.id, State.PENDING, made.param, EMPTY, made.tags, made.timeout_at, now)
    else:
        assert run.taken_over is not None
        promise = run.taken_over
    current = _context.Current(promise, 1, born(promise, 1), holding, NO_CHILDREN)

    def claim_late() -> Claimed | None:
        found, _ = engine.latest(split_id(run.id)[0])
        if _standing(found) != _standing(run.taken_over or run.superseded):
            return None  # somebody has been at it since, and this was to follow what is no longer the latest
        late = claim(engine, request, identity, run, holding, is_late=True)
        return late if isinstance(late, Claimed) else None

    return Claimed(promise, identity, holding, current, started_at=now, owed=claim_late)


def _standing(promise: Promise | None) -> tuple[object, ...] | None:
    """What moves with everything that happens to a promise."""
    return None if promise is None else (promise.id, promise.state, promise.version, promise.lease_until)


def _claiming(engine: Engine, request: Request, identity: Identity, run: Run, now: int) -> list[Command]:
    """The commands by which the promise is made, or taken over, with its task ours; the last one decides."""
    options = request.work.options
    mine = Claim(engine.store.owner, LEASE_MS)
    before, superseded = run.taken_over, run.superseded
    commands: list[Command] = []
    if before is not None:
        if before.task is TaskState.ACQUIRED:
            commands.append(ReleaseTask(run.id, before.version))
        commands.append(AcquireTask(run.id, before.version, mine))
        return commands
    if superseded is not None and superseded.state is State.PENDING:
        commands += canceling(superseded, mine)
    elif superseded is not None and superseded.state is State.TIMEDOUT:
        # A clock that is set back must not bring it to life again beside the one that follows it.
        commands.append(ExpirePromise(superseded.id))
    timeout_at = NEVER if options.timeout is None else now + math.ceil(options.timeout * 1000)
    param = param_of(request, identity, run.adopts)
    commands.append(CreatePromise(run.id, timeout_at, param, options.tags, claim=mine))
    return commands


def canceling(superseded: Promise, mine: Claim) -> list[Command]:
    """The commands that cancel a pending promise with nobody at it, in the transaction that makes what follows it.

    Under a version of our own: it may have been taken since it was looked at, and then none of it is done.
    """
    given_up = [ReleaseTask(superseded.id, superseded.version)] if superseded.task is TaskState.ACQUIRED else []
    return [
        *given_up,
        AcquireTask(superseded.id, superseded.version, mine),
        SettlePromise(superseded.id, State.CANCELED, EMPTY, superseded.version + 1),
    ]


def param_of(request: Request, identity: Identity, adopts: str | None = None) -> Value:
    """What is stored with a promise at its birth."""
    headers = _identity.param_headers(identity, request.work)
    if adopts is not None:
        headers[ADOPTS] = adopts
    shown = {name: _shown(name, value) for name, value in request.arguments.items()}
    about = _identity.about_call(identity, shown)
    return Value(headers, about, None, len(about)) if about else Value(headers)


def _shown(name: str, value: object) -> str:
    # Together with its name, which may say that it is a key.
    return without_keys(f"{name}={describe(value)}").partition("=")[2]


def news_of_call(engine: Engine, request: Request, identity: Identity, before: Promise | None = None) -> News:
    """What is new of a call beside an earlier promise, in the store as it is now."""
    from .._news import news_of  # a hit needs nothing of it

    with engine.store.read() as reader:
        return news_of(reader, request.work, identity, request.arguments, before)


def steps_not_used(reader: Reader, identity: Identity, run: Run) -> str:
    """How many steps a call under new code does not use, in words; nothing for none."""
    is_first = run.taken_over is None and run.superseded is None and parent_of(run.id) is None
    steps = steps_before(reader, identity.base) if is_first and identity.is_automatic_version else 0
    are, them = ("are", "them") if steps > 1 else ("is", "it")
    what = f"{steps} step{'s' * (steps > 1)} done under the code before {are} not used (accept keeps {them})"
    return what if steps else ""


def data_notes_of(engine: Engine, request: Request, identity: Identity) -> Mapping[str, bytes]:
    """What of the call's data is to be kept for later comparisons, and is not in the store as far as is known."""
    is_new_data = engine.is_new_code(identity.code) or not identity.is_automatic_version or request.work.is_cell
    with_globals = is_new_data and bool(identity.key.content_parts)
    if not identity.noted and not with_globals and not request.work.options.files:
        return _NO_DATA
    from .._changes import data_notes  # plain calls need nothing of it

    known = engine.known_parts
    return data_notes(request.work, identity, request.arguments, known, with_globals=with_globals)


_NO_DATA: Mapping[str, bytes] = {}


def why_note(reason: str, news: News | None) -> bytes | None:
    """What is stored of why it runs; None for what is plain: it had never run so."""
    text = reason or (news.reason if news is not None and (news.changes or news.is_added) else "")
    return text.encode("utf-8", "backslashreplace") if text else None


def born(promise: Promise, first_version: int) -> str:
    """Tells a generation from every other one, a forgotten one of the same id and millisecond included."""
    return f"{promise.id}|{promise.created_at}|{first_version}"


_FIRST_VERSION = "first version"
"""The kind of the note that tells it, where it was not 1."""


class _MovedError(Exception):
    """What was to be superseded is not what it was when it was looked at."""


class _Record:
    """What is written beside a claim, in its transaction, and what is learned there."""

    def __init__(self, engine: Engine, request: Request, identity: Identity, run: Run, now: int) -> None:
        self._engine = engine
        self._identity = identity
        self._run = run
        self._now = now
        self._is_new_code = engine.is_new_code(identity.code)
        self._has_versions = self._is_new_code or identity.code in engine.packages.odd
        work = request.work
        self._has_deadline = work.options.timeout is not None
        self._cell = _identity.cell_place(work, identity) if work.is_cell else None
        self._with_files = bool(work.options.files) and not work.is_cell
        self.data = data_notes_of(engine, request, identity)
        self.defaults = untold_defaults(work, identity, request.arguments, engine.known_parts)
        self.news = self._news(request)
        self.number = 1
        self.used = 0
        self.not_before = 0
        self.failed_at = 0
        """When the last try that failed had ended, epoch milliseconds."""
        self.first_version = 1
        """Of the task, when the promise was made: more than 1 where one of this id had been forgotten."""

    @property
    def is_blank(self) -> bool:
        """Whether a promise is made beside which there is nothing to write, or to learn."""
        run = self._run
        is_plain = run.taken_over is None and run.superseded is None and not run.reason
        is_plain = is_plain and not self.data and not self.defaults
        return is_plain and not (self._has_versions or self._has_deadline or self._cell or self._with_files)

    def _news(self, request: Request) -> News | None:
        """What is new of the call; None where that is not looked for.

        Of code that ran before, with plain arguments, it is known: they are others. Where arguments are large it is
        asked which part of them is, now and then: a loop over ten thousand frames has better things to do. The same
        call again, where a file that it depends on has changed, is news whenever it comes, and so is a default that
        was not met before.
        """
        before = self._run.superseded or self._run.taken_over
        is_known = not (self._is_new_code or self._cell or self._with_files or before or self.defaults)
        if is_known and not (self.data and self._engine.may_compare(request.work.name)):
            return None
        return news_of_call(self._engine, request, self._identity, before)

    def write(self, transaction: Transaction, replies: list[Reply]) -> None:
        superseded = self._run.superseded
        replaces = superseded is not None and superseded.state is State.PENDING
        if replaces and any(reply.status is not Status.DONE for reply in replies):
            raise _MovedError  # nothing of it has happened then
        if replies[-1].status is not Status.DONE:
            return
        if superseded is not None and not replaces:
            now = transaction.get(superseded.id)
            if now is None or now.version != superseded.version:
                raise _MovedError  # forgotten meanwhile, and maybe begun anew: that is to be waited for
        run, identity = self._run, self._identity
        if run.taken_over is not None:
            self._follow(transaction, run.taken_over)
            self.first_version = int(transaction.note(run.id, _FIRST_VERSION) or 1)
        else:
            made = replies[-1].promise
            if made is None or made.state.is_settled:
                return
            if made.version > 1:
                self.first_version = made.version
                transaction.put_note(run.id, _FIRST_VERSION, str(made.version).encode())
            if self._has_deadline:
                # A promise that its deadline settles tells nothing of its tries, and nobody may be left to do so.
                transaction.put_attempt(Attempt(run.id, 1, self._engine.store.owner, self._now))
        if self._cell is not None:
            transaction.put_note(self._cell, "latest", run.id.encode())
        if self._is_new_code and self.news is not None:
            self.news = self.news.adding(steps_not_used(transaction, identity, run))
        why = why_note(run.reason, self.news)
        if why:
            transaction.put_note(run.id, "why", why)
        if self.news is not None and self.news.changes:
            transaction.put_note(run.id, "changes", self.news.to_json())
        for digest, summary in self.data.items():
            transaction.put_note(f"part:{digest}", "data", summary)
        if self._is_new_code:
            _identity.put_code_notes(transaction, identity)
        if self.defaults:
            parts = identity.argument_parts
            put_defaults(transaction, identity.code, {name: parts[name] for name in self.defaults.values()})
        if self._has_versions or run.taken_over is not None:
            is_taken_over = run.taken_over is not None
            versions = identity.packages
            self._engine.packages.note(transaction, run.id, identity.code, versions, is_taken_over=is_taken_over)
        if run.superseded is not None:
            self._engine.clear_mark(transaction, run.superseded.id)

    def _follow(self, transaction: Transaction, before: Promise) -> None:
        """This try comes after those of an owner that is gone, or that gave the task back."""
        earlier = tries_of(before, transaction.attempts(before.id))
        for attempt in earlier:
            if attempt.outcome is None:
                transaction.put_attempt(ended(attempt, self._now, "lost", "its owner died"))
        last = earlier[-1] if earlier else None
        self.number = 1 if last is None else last.number + 1
        self.used = spent(earlier) + sum(attempt.outcome is None for attempt in earlier)
        self.failed_at = max((each.ended_at or 0 for each in earlier if each.outcome in FAILED), default=0)
        if last is not None and last.retry_at is not None and last.ended_at is not None and self._now < last.retry_at:
            # No longer than the policy itself would have waited: the clock may have been set back since.
            self.not_before = min(last.retry_at, self._now + last.retry_at - last.ended_at)
        else:
            transaction.put_attempt(Attempt(before.id, self.number, self._engine.store.owner, self._now))


def give_back(engine: Engine, claimed: Claimed, elapsed_us: int, cpu_us: int, why: BaseException) -> None:
    """The task is free again and its promise is shown as interrupted; nothing if it was lost meanwhile.

    While steps that the call has begun still run, in other threads, it stays this process's: what they do is not to be
    done once more beside them, nor afterwards.
    """
    id = claimed.promise.id
    attempt = Attempt(id, claimed.number, engine.store.owner, claimed.started_at, elapsed_us=elapsed_us, cpu_us=cpu_us)
    # What ended a limited call around this one is no error that anybody knows.
    cause = "the time of the call around it had passed" if isinstance(why, LimitPassed) else type(why).__name__
    attempt = ended(attempt, engine.clock.now_ms(), "interrupted", cause)

    def also(transaction: Transaction, replies: list[Reply]) -> None:
        if replies[0].status is Status.DONE:
            transaction.put_attempt(attempt)

    current, let_go = claimed.current, None
    if current.steps_left(blocking=False):
        say(f"{id} is stopped; steps that it has begun still run, and it can go on when they have ended")
        let_go = engine.tasks.keep(claimed.promise)

    def back() -> None:
        if current.steps_left(blocking=False):
            current.when_one_ends(back)
            return
        engine.tasks.release(ReleaseTask(id, claimed.promise.version), also)
        if let_go is not None:
            let_go()

    back()
