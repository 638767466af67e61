"""Accept: keep, for the code as it is now, what a call came to under the code before the edit.

The law decides over both promises in one step (`protocol.AcceptPromise`): a value counts for the new version as well,
and a call that was in its middle goes on there, with the steps that it had done.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from resonate_nb.codec import decode, describe, in_words
from resonate_nb.errors import (
    IdReuseError,
    NotStoredError,
    PromiseBusyError,
    PromiseNotFoundError,
    UnacceptableError,
    UntrustedValueError,
)
from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    AcceptPromise,
    AcquireTask,
    Claim,
    Command,
    Promise,
    ReleaseTask,
    Reply,
    SettlePromise,
    State,
    Status,
    TaskState,
    Value,
    project,
    split_id,
)
from resonate_nb.records import dataclass
from resonate_nb.store import Reader, Transaction

from . import _config, _context, _identity, _reads
from ._earlier import versions_of
from ._engine import Engine, next_id
from ._handle import Handle
from ._identity import Identity, Undurable, about_of
from ._registry import Work, works_named
from ._say import duration, say
from ._tasks import LEASE_MS
from .call import BY, FROM, Request, changed_file, ended_how, load, made_at, origin_of, param_of, value_of, why_no_hit

Doubt = Callable[[Any], "str | None"]
"""Given the value that is to be kept: why it must not be; None for no reason."""

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")
_MOST = 10_000
"""Of one name: so many are looked at, the newest."""


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
    if not _config.is_enabled():
        raise UnacceptableError(f"{work.title}: everything is switched off, so there is nothing to accept it for")
    identity = _identity.identify(work, request.arguments)
    if isinstance(identity, Undurable):
        raise UnacceptableError(
            f"{work.title} runs plainly, so there is nothing to accept: {'; '.join(identity.reasons)}"
        )
    around = _context.current()
    if work.options.keyed_by == "call" and around is not None:
        raise UnacceptableError(
            f"{work.title} is a step, which belongs to its place in {around.id!r}: accept that one, when it has ended"
        )
    engine = _config.existing_engine()
    if engine is None:
        raise PromiseNotFoundError(f"there is no store yet, so {work.title} has nothing to accept")
    shown = {} if owner is None else {owner: describe(request.arguments[owner])}
    return _accepted(engine, work, identity, _Asked(param_of(request, identity), source, doubt, owner, shown))


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
        raise UnacceptableError(
            f"{work.title} runs plainly, so there is nothing to accept: {'; '.join(identity.reasons)}"
        )
    if identity is None or next(iter(identity.argument_parts), "") in ("self", "cls"):
        raise UnacceptableError(
            f"what the call of {promise.id!r} is by now cannot be told without its arguments: "
            f"use accept(...) of the function itself"
        )
    about = _identity.about_now(identity, promise)
    param = Value(_identity.param_headers(identity, work), about or None, None, len(about))
    return _accepted(engine, work, identity, _Asked(param, promise.id, None, None, {}))


def _newest_of_other_code(engine: Engine, work: Work) -> Promise:
    with engine.store.read() as reader:
        for promise in reader.recent(work.name, _MOST):
            identity = None if ":" in promise.id else _identity.identity_now(work, promise)
            if isinstance(identity, Undurable) or (identity is not None and identity.code != _code(promise)):
                return promise
    raise PromiseNotFoundError(
        f"{work.title}: there is no promise of it under other code, so there is nothing to accept"
    )


def _accepted(engine: Engine, work: Work, identity: Identity, asked: _Asked) -> Handle:
    engine.tasks.pay()
    while True:
        with suppress(_ChangedError):
            return _Acceptance(engine, work, identity, asked).made()


class _ChangedError(Exception):
    """Something moved between the look at it and the transaction; nothing has happened then."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for beside the call itself."""

    param: Value
    """What would be stored with its promise at its birth."""
    source: str | None
    doubt: Doubt | None
    owner: str | None
    shown: Mapping[str, str]
    """The short text of the object that is `owner`: with fields in it, it tells one object from another."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What is to be accepted."""

    promise: Promise
    """The one that holds the value; or that was in its middle."""
    steps: int
    """How many of its steps count for what follows it, where it has no value."""
    others: int = 0
    """How many older ones there were to choose from."""
    differing: tuple[str, ...] = ()
    """The data that its code read, and that are others now."""
    files: str | None = None
    """The files that its body read, as they are now, where one of them is all that has changed."""


class _Acceptance:
    """One look at what there is, and the transaction that is made of it."""

    def __init__(self, engine: Engine, work: Work, identity: Identity, asked: _Asked) -> None:
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

    def made(self) -> Handle:
        if (own := self._own_result()) is not None:
            return own
        source = self._source()
        self._judge(source)
        id = self._identity.base if self._present is None else next_id(self._present)
        self._submit(id, source)
        say(f"{self._work.title}: {id} {_told(source, self._engine.clock.now_ms())}")
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
            self._refuse_running(present)
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
        say(f"{work.title}: {present.id} was accepted from {origin} already")
        return Handle(engine, present.id)

    def _source(self) -> _Source:
        engine, now = self._engine, self._engine.clock.now_ms()
        with engine.store.read() as reader:
            if self._asked.source is not None:
                found = [reader.get(self._asked.source)]
            else:
                found = [*self._outdated(), *self._versions(reader)]
            known = [
                _Source(project(promise, now), 0 if promise.state is State.RESOLVED else _steps(reader, promise))
                for promise in found
                if promise is not None
            ]
            # What never got anywhere is in nobody's way to what did.
            told = [each for each in known if self._asked.source or each.promise.state.is_settled or each.steps]
            if not told:
                raise PromiseNotFoundError(self._nothing(reader, len(known)))
            source = replace(told[0], others=len(told) - 1, differing=self._differing(told[0].promise))
            if source.promise == self._present and not _identity.has_drifted(self._identity, source.promise):
                source = self._with_files_of_now(source)
            if (origin := origin_of(source.promise)) != source.promise.id:
                held = reader.get(origin)
                if held is None:
                    raise UnacceptableError(
                        f"{source.promise.id!r} was accepted from {origin!r}, which has been forgotten: run it"
                    )
                source = replace(source, promise=held)
        return source

    def _outdated(self) -> list[Promise]:
        """The promise of this very id, where the code behind its fixed version is other code by now, or where a file
        that its body had read has changed, and nothing else."""
        present = self._present
        if present is None:
            return []
        is_read_anew = present.state is State.RESOLVED and changed_file(self._engine, present) is not None
        return [present] if is_read_anew or _identity.has_drifted(self._identity, present) else []

    def _with_files_of_now(self, source: _Source) -> _Source:
        recorded = source.promise.value.headers.get("files")
        if not recorded:
            return source
        name = changed_file(self._engine, source.promise)
        files = _reads.as_now(_reads.from_json(recorded), self._engine.root, self._engine.clock)
        if isinstance(files, str):
            raise self._unacceptable(source.promise, f"file {files} is gone, or cannot be read")
        return replace(source, files=_reads.to_json(files), differing=(*source.differing, *filter(None, [name])))

    def _versions(self, reader: Reader) -> list[Promise]:
        """Other versions of the call, newest first; where there is none of just these arguments, and what is an edit
        may have changed them, the nearest first: the data that the code reads join the arguments of cells and of fixed
        versions, and the code of a class those of its methods."""
        work, identity, owner = self._work, self._identity, self._asked.owner
        found = versions_of(reader, work, identity)
        if found or (work.options.version is None and not work.is_cell and owner is None):
            return found
        others: dict[str, Promise] = {}
        for promise in reader.recent(work.name, _MOST):
            base = split_id(promise.id)[0]
            if ":" not in base and base != identity.base and base not in others and self._may_have_been(promise):
                others[base] = reader.latest(base) or promise
        if owner is not None and others:
            newest, *older = others.values()
            if any(_arguments(each) != _arguments(newest) and _code(each) == _code(newest) for each in older):
                raise UnacceptableError(
                    f"{work.title}: several objects were called so under the code before, and which of them this one "
                    "was is not known: run it"
                )

        def distance(promise: Promise) -> tuple[bool, bool]:
            return bool(self._differing(promise)), _code(promise) != identity.code

        return sorted(others.values(), key=distance)

    def _may_have_been(self, promise: Promise) -> bool:
        """Whether it may be the call as it was, apart from what an edit may have changed of its arguments."""
        headers, work, identity, owner = promise.param.headers, self._work, self._identity, self._asked.owner
        if (headers.get("kind") == "cell") != work.is_cell:
            return False
        if work.is_cell:
            return work.name != "cell" or headers.get("code") == identity.code
        if owner is None:
            return _arguments(promise) == dict(identity.argument_parts)
        if _code(promise) == identity.code:
            return False  # no edit: it is another object
        ours, theirs = ({**parts, owner: ""} for parts in (identity.argument_parts, _arguments(promise)))
        shown = about_of(promise).get("shown", {}).get(owner, "")
        return ours == theirs and _ADDRESS.sub("", shown) == _ADDRESS.sub("", self._asked.shown.get(owner, ""))

    def _differing(self, promise: Promise) -> tuple[str, ...]:
        """The data that both codes read, and that are others than then; with the object whose method it is."""
        before, owner = about_of(promise).get("content", {}), self._asked.owner
        names = [
            name for name, digest in self._identity.key.content_parts.items() if before.get(name, digest) != digest
        ]
        if owner is not None and _arguments(promise).get(owner) != self._identity.argument_parts.get(owner):
            names.append(owner)
        return tuple(names)

    def _nothing(self, reader: Reader, unbegun: int) -> str:
        work, name = self._work, self._work.name
        if self._asked.source is not None:
            return f"there is no promise {self._asked.source!r}; `rnb.search('*')` lists what there is"
        if unbegun:
            return f"{work.title}: nothing was finished under the code before, so there is nothing to accept: run it"
        if work.is_cell and name == "cell":
            return (
                f"{work.title}: a cell without a label is known by its code only, so what it was before the edit "
                'is not known; say which promise: %durable accept ID (%durable ls "cell/*" lists them)'
            )
        has_others = reader.newest(name) is not None
        what = "inputs" if work.is_cell else "arguments"
        why = f"with these {what} under other code" if has_others else f"named {name!r}"
        return f"{work.title}: there is no promise {why}, so there is nothing to accept: run it"

    def _judge(self, source: _Source) -> None:
        """Raise where it must not be accepted."""
        engine, promise = self._engine, source.promise
        self._refuse_running(promise)
        if ":" in promise.id:
            raise UnacceptableError(f"{promise.id!r} is a step of the call around it: accept that one")
        if promise.state is not State.RESOLVED:
            if not source.steps:
                told = "nothing in it had finished" if promise.state is State.PENDING else ended_how(promise)
                raise self._unacceptable(promise, told)
            return
        is_refreshed = source.files is not None
        why_not = why_no_hit(engine, self._work, promise, self._counter, whatever_files=is_refreshed)
        if why_not is None:
            try:
                entry = load(engine, promise, self._counter)
                if self._asked.doubt is not None:  # else it need not be unpickled for this
                    why_not = self._asked.doubt(decode(entry.codec, entry.data))
            except (NotStoredError, UntrustedValueError) as error:
                why_not = str(error)
            except Exception as error:  # whatever the user's classes raise while they are unpickled
                why_not = f"the stored value cannot be read any more ({in_words(error)})"
        if why_not is not None:
            raise self._unacceptable(promise, why_not)

    def _unacceptable(self, promise: Promise, why: str) -> UnacceptableError:
        return UnacceptableError(f"{self._work.title}: {promise.id!r} cannot be accepted: {why}. Run it anew")

    def _refuse_running(self, promise: Promise) -> None:
        if promise.state is not State.PENDING:
            return
        if promise.task is TaskState.ABSENT:
            raise UnacceptableError(f"promise {promise.id!r} is pending, and settled by somebody else: wait for it")
        if self._engine.tasks.owes(promise.id):
            raise PromiseBusyError(
                f"promise {promise.id!r} has ended, which could not be stored yet: make room for it, then accept"
            )
        if self._engine.tasks.is_owned(promise):
            raise PromiseBusyError(
                f"promise {promise.id!r} is running; wait for it, or interrupt it first, then accept"
            )

    def _submit(self, id: str, source: _Source) -> None:
        engine, promise, present = self._engine, source.promise, self._present
        options, mine = self._work.options, Claim(engine.store.owner, LEASE_MS)
        superseded = present is not None and present.id != promise.id
        commands: list[Command] = []
        headers = {**self._asked.param.headers, FROM: promise.id, BY: engine.store.owner}
        if present is not None and superseded and present.state is State.PENDING:
            # As a call that supersedes it would (`_attempt.claim`): under a version of our own.
            if present.task is TaskState.ACQUIRED:
                commands.append(ReleaseTask(present.id, present.version))
            commands.append(AcquireTask(present.id, present.version, mine))
            commands.append(SettlePromise(present.id, State.CANCELED, EMPTY, present.version + 1))
            if promise.state is not State.RESOLVED:
                headers["adopts"] = present.id
        if promise.task is TaskState.ACQUIRED:
            commands.append(ReleaseTask(promise.id, promise.version))
        is_value = promise.state is State.RESOLVED
        value = value_of(id, promise, engine.signer, source.files) if is_value else EMPTY
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

    def __init__(self, acceptance: _Acceptance, id: str, source: _Source) -> None:
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
        transaction.put_note(self._id, "why", _told(self._source, now).encode("utf-8", "backslashreplace"))
        code = self._identity.code
        _identity.put_code_notes(transaction, self._identity)
        if self._work.is_cell:
            named = self._work.name if self._work.name != "cell" else code
            transaction.put_note(f"cell:{named}", "latest", self._id.encode())
        if self._present is not None:
            self._engine.clear_mark(transaction, self._present.id)


def _told(source: _Source, now: int) -> str:
    """What was accepted, as it is said and stored; durations are counted back from then."""
    promise = source.promise
    if promise.state is not State.RESOLVED:
        steps = f"{source.steps} finished step{'s' * (source.steps > 1)}"
        return f"goes on from {promise.id}, whose {steps} count{'s' * (source.steps == 1)} for it"
    at = made_at(promise)
    ago = "" if at is None else f", computed {duration(max(0, now - at))} before"
    data = f" with other {', '.join(f'`{name}`' for name in source.differing[:4])}" if source.differing else ""
    others = f"; the newest of {source.others + 1} earlier versions" if source.others else ""
    return f"accepted from {promise.id}{ago}{data}{others}"


def _code(promise: Promise) -> str | None:
    return promise.param.headers.get("code")


def _arguments(promise: Promise) -> Mapping[str, str]:
    return about_of(promise).get("arguments", {})


def _steps(reader: Reader, promise: Promise) -> int:
    """How many steps of a call had resolved, with those that it took over itself."""
    found = sum(row.state == State.RESOLVED for row in reader.under(f"{promise.id}:", _MOST, 0))
    before = (promise.param.headers.get(name) for name in ("adopts", FROM))
    others = (other for id in before if id is not None and (other := reader.get(id)) is not None)
    return found + sum(_steps(reader, other) for other in others)
