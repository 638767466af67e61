"""Accept: keep, for the code as it is now, what a call came to under the code before the edit.

The law decides over both promises in one step (`protocol.AcceptPromise`): a value counts for the new version as well,
and a call that was in its middle goes on there, with the steps that it had done.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

from resonate_nb.codec import describe
from resonate_nb.errors import (
    IdReuseError,
    NotStoredError,
    PromiseNotFoundError,
    UnacceptableError,
    UntrustedValueError,
)
from resonate_nb.fingerprint import describe as summary_of
from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    AcceptPromise,
    Claim,
    Command,
    Promise,
    ReleaseTask,
    Reply,
    State,
    Status,
    TaskState,
    Value,
    split_id,
)
from resonate_nb.store import Transaction

from . import _config, _context, _identity
from ._acceptable import MOST, Acceptable, Asked, Doubt, Source, told
from ._engine import Engine, next_id
from ._handle import Handle
from ._identity import Identity, Undurable
from ._packages import made_by
from ._registry import Work, works_named
from ._say import say
from ._tasks import LEASE_MS
from .call import ADOPTS, BY, FROM, Request, canceling, load, origin_of, param_of, value_of, why_no_hit


def accept(
    request: Request, *, source: str | None = None, doubt: Doubt | None = None, owner: str | None = None
) -> Handle:
    """What this call came to under the code before counts for it now; the promise that says so.

    Args:
        request: the call as it would be made now; its body does not run.
        source: the id of the promise to accept; None for the newest earlier version of the same call.
        doubt: asked about the value.
        owner: the parameter that takes the object or class whose method this is: its content holds the code of all its
            methods, so it is another one after each edit of them.

    Raises:
        PromiseNotFoundError: there is nothing to accept.
        PromiseBusyError: the call, or what is to be accepted, runs under a living owner.
        UnacceptableError: what there is cannot be accepted, or the call has a result of its own; says why.
        IdReuseError: the promise of this id was made with other arguments.
    """
    work = request.work
    identity = _identity.identify(work, request.arguments)
    if isinstance(identity, Undurable):
        raise _unkeyed(work, identity)
    around = _context.current()
    if work.options.keyed_by == "call" and around is not None:
        raise UnacceptableError(
            f"{work.title} is a step, which belongs to its place in {around.id!r}: accept that one, when it has ended"
        )
    engine = _config.existing_engine()
    if engine is None:
        raise PromiseNotFoundError(f"there is no store yet, so {work.title} has nothing to accept")
    shown = {} if owner is None else {owner: describe(request.arguments[owner])}
    summaries = {
        name: summary_of(value, identity.noted.get(name, ()), name) for name, value in request.arguments.items()
    }
    asked = Asked(param_of(request, identity), source, doubt, owner, shown, summaries)
    return _accepted(engine, work, identity, asked)


def accept_promise(id: str) -> Handle:
    """What a promise of a function came to counts for the same call under the code of the function as it is now.

    Args:
        id: of the promise; the name of the function means its newest promise under other code.

    Raises:
        PromiseNotFoundError, PromiseBusyError, UnacceptableError: as `accept`.
    """
    engine = _config.existing_engine()
    promise = None if engine is None else engine.find(id)
    name = id if promise is None else promise.param.headers.get("name", "")
    works = works_named(name)
    if engine is None or (promise is None and not works):
        raise PromiseNotFoundError(f"there is no promise {id!r}; `rnb.search('*')` lists what there is")
    if len(works) != 1:
        which = "no function of this name is defined here" if not works else "several versions of it are defined here"
        raise UnacceptableError(f"{id!r} is a promise of {name!r}, and {which}: use accept(...) of the function itself")
    work = works[0]
    if promise is None:
        promise = _newest_of_other_code(engine, work)
    identity = _identity.identity_now(work, promise)
    if isinstance(identity, Undurable):
        raise _unkeyed(work, identity)
    if identity is None or next(iter(identity.argument_parts), "") in ("self", "cls"):
        raise UnacceptableError(
            f"what the call of {promise.id!r} is by now cannot be told without its arguments: "
            f"use accept(...) of the function itself"
        )
    about = _identity.about_now(identity, promise)
    param = Value(_identity.param_headers(identity, work), about or None, None, len(about))
    return _accepted(engine, work, identity, Asked(param, promise.id, None, None, {}, {}))


def _unkeyed(work: Work, identity: Undurable) -> UnacceptableError:
    return UnacceptableError(f"{work.title} runs plainly, so there is nothing to accept: {'; '.join(identity.reasons)}")


def _newest_of_other_code(engine: Engine, work: Work) -> Promise:
    with engine.store.read() as reader:
        for promise in reader.recent(work.name, MOST):
            identity = None if ":" in promise.id else _identity.identity_now(work, promise)
            if isinstance(identity, Undurable) or (identity is not None and identity.code != made_by(promise)):
                return promise
    raise PromiseNotFoundError(
        f"{work.title}: there is no promise of it under other code, so there is nothing to accept"
    )


def _accepted(engine: Engine, work: Work, identity: Identity, asked: Asked) -> Handle:
    if not _config.is_enabled():
        raise UnacceptableError(f"{work.title}: everything is switched off, so there is nothing to accept it for")
    engine.tasks.pay()
    while True:
        with suppress(_ChangedError):
            return _Acceptance(engine, work, identity, asked).made()


class _ChangedError(Exception):
    """Something moved between the look at it and the transaction; nothing has happened then."""


class _Acceptance:
    """One look at what there is, and the transaction that is made of it."""

    def __init__(self, engine: Engine, work: Work, identity: Identity, asked: Asked) -> None:
        self._engine = engine
        self._work = work
        self._asked = asked
        present, counter = engine.latest(identity.base)
        if present is not None and _identity.meets_another(identity, present) and identity.wider is not None:
            identity = identity.wider
            present, counter = engine.latest(identity.base)
        self._identity = identity
        self._present = present
        """The latest promise of just this call."""
        self._counter = counter
        self._acceptable = Acceptable(engine, work, identity, present, counter, asked)

    def made(self) -> Handle:
        if (own := self._own_result()) is not None:
            return own
        source = self._acceptable.source()
        self._acceptable.judge(source)
        id = self._identity.base if self._present is None else next_id(self._present)
        self._submit(id, source)
        verb = "is " if source.promise.state is State.RESOLVED else ""
        say(f"{self._work.title}: {id} {verb}{told(source, self._engine.clock.now_ms())}")
        return Handle(self._engine, id)

    def _own_result(self) -> Handle | None:
        """What was accepted before; None where the call has nothing of its own that stands in the way."""
        present, engine, work, identity = self._present, self._engine, self._work, self._identity
        if present is None:
            return None
        differing = _identity.differing_arguments(identity, present)
        if differing is not None and work.options.on_reuse == "raise":
            raise IdReuseError(present.id, differing)
        if present.state is State.PENDING:
            self._acceptable.refuse_running(present)
            before = present.param.headers.get(FROM)
            if before is None or self._asked.source not in (None, before):
                return None
            say(f"{work.title}: {present.id} goes on from {before} already")
            return Handle(engine, present.id)
        if differing is not None and work.options.on_reuse == "rerun":
            return None
        has_value = present.state is State.RESOLVED and not _identity.has_drifted(identity, present)
        if not has_value or why_no_hit(engine, work, present, self._counter) is not None:
            return None
        try:
            load(engine, present, self._counter)
        except (NotStoredError, UntrustedValueError):
            return None
        if (origin := origin_of(present)) == present.id:
            raise UnacceptableError(
                f"{work.title} has a result under the code as it is now ({present.id!r}). To have an earlier one in "
                "its place, forget it first, then accept"
            )
        if self._asked.source not in (None, origin, present.id):
            raise UnacceptableError(
                f"{present.id!r} was accepted from {origin!r}; to have another one in its place, forget it first"
            )
        say(f"{work.title}: {present.id} was accepted from {origin} already")
        return Handle(engine, present.id)

    def _submit(self, id: str, source: Source) -> None:
        engine, promise, present = self._engine, source.origin, self._present
        options, mine = self._work.options, Claim(engine.store.owner, LEASE_MS)
        superseded = present is not None and present.id != promise.id
        commands: list[Command] = []
        headers = {**self._asked.param.headers, FROM: promise.id, BY: engine.store.owner}
        if present is not None and superseded and present.state is State.PENDING:
            commands += canceling(present, mine)
            if promise.state is not State.RESOLVED:
                headers[ADOPTS] = present.id
        if promise.task is TaskState.ACQUIRED:
            commands.append(ReleaseTask(promise.id, promise.version))
        is_value = promise.state is State.RESOLVED
        value = value_of(id, promise, source.promise, engine.signer, source.files) if is_value else EMPTY
        timeout_at = NEVER if options.timeout is None else engine.clock.now_ms() + math.ceil(options.timeout * 1000)
        param = replace(self._asked.param, headers=headers)
        commands.append(AcceptPromise(id, promise.id, promise.version, param, value, options.tags, timeout_at))
        replies = engine.submit(commands, also=_Beside(self, id, source).write, invalidate=True)
        engine.note_code(self._identity.code)
        engine.cold.discard(self._work.name)
        made = replies[-1].promise
        if made is not None and made.timeout_at < NEVER:
            engine.timers.arm(made.timeout_at)


class _Beside:
    """What is written with it, in its transaction."""

    def __init__(self, acceptance: _Acceptance, id: str, source: Source) -> None:
        self._engine = acceptance._engine
        self._work = acceptance._work
        self._identity = acceptance._identity
        self._present = acceptance._present
        self._id = id
        self._source = source

    def write(self, transaction: Transaction, replies: list[Reply]) -> None:
        if any(reply.status is not Status.DONE for reply in replies):
            raise _ChangedError
        latest = transaction.latest(split_id(self._id)[0])
        if latest is None or latest.id != self._id:
            raise _ChangedError  # a later generation than the one that was looked at
        now = self._engine.clock.now_ms()
        transaction.put_note(self._id, "why", told(self._source, now).encode("utf-8", "backslashreplace"))
        _identity.put_code_notes(transaction, self._identity)
        if self._work.is_cell:
            transaction.put_note(_identity.cell_place(self._work, self._identity), "latest", self._id.encode())
        if self._present is not None:
            self._engine.clear_mark(transaction, self._present.id)
