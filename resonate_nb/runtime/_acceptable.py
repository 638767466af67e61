"""What may be accepted: the promise that a call would have been before the edit, and why it must not be, where so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from resonate_nb.codec import decode, in_words
from resonate_nb.errors import (
    NotStoredError,
    PromiseBusyError,
    PromiseNotFoundError,
    UnacceptableError,
    UntrustedValueError,
)
from resonate_nb.protocol import Promise, State, TaskState, Value, project, split_id
from resonate_nb.records import dataclass
from resonate_nb.store import Reader

from . import _file_read, _identity
from ._earlier import versions_of
from ._engine import Engine
from ._file_read import FileRead
from ._identity import Identity, about_of, loaded
from ._outside import declared_places, is_outside, part_of, title_of
from ._packages import made_by
from ._registry import Work
from ._say import duration
from .call import ADOPTS, FROM, changed_file, ended_how, file_differs, load, made_at, origin_of, why_no_hit

Doubt = Callable[[Any], "str | None"]
"""Given the value that is to be kept: why it must not be; None for no reason."""

_MOST_NAMED = 4
_HELD = ("code", "keys", "reads")
"""Where a summary of data has the user's code in it."""
MOST = 10_000
"""Of one name: so many are looked at, the newest."""
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for beside the call itself."""

    param: Value
    """What would be stored with its promise at its birth."""
    source: str | None
    doubt: Doubt | None
    owner: str | None
    shown: Mapping[str, str]
    """The short text of the object that is `owner`: with fields in it, it tells one object from another."""
    summaries: Mapping[str, Mapping[str, Any]]
    """Of the arguments, as `fingerprint.describe` makes them."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be accepted."""

    promise: Promise
    """The one that decides whether it may be."""
    origin: Promise
    """The one that holds its value: another one where it was accepted itself."""
    steps: int
    """How many of its steps count for what follows it, where it has no value."""
    others: int = 0
    """How many older ones there were to choose from."""
    differing: tuple[str, ...] = ()
    """The data that its code read, and that are others now."""
    files: str | None = None
    """The files that its body read, as they are now, where one of them is all that has changed, or is declared."""


class Acceptable:
    """One look at what a call may accept."""

    def __init__(
        self, engine: Engine, work: Work, identity: Identity, present: Promise | None, counter: int, asked: Asked
    ) -> None:
        """`present` is the latest promise of just this call, `counter` the invalidation counter it was read under."""
        self._engine = engine
        self._work = work
        self._identity = identity
        self._present = present
        self._counter = counter
        self._asked = asked

    def source(self) -> Source:
        engine, now = self._engine, self._engine.clock.now_ms()
        with engine.store.read() as reader:
            if self._asked.source is not None:
                found = [reader.get(self._asked.source)]
            else:
                found = [*self._outdated(), *self._versions(reader)]
            known = [
                Source(promise, promise, 0 if promise.state is State.RESOLVED else _steps(reader, promise))
                for promise in (project(each, now) for each in found if each is not None)
            ]
            # What never got anywhere is in nobody's way to what did.
            told = [each for each in known if self._asked.source or each.promise.state.is_settled or each.steps]
            if not told:
                raise PromiseNotFoundError(self._nothing(reader, len(known)))
            source = replace(told[0], others=len(told) - 1, differing=self._differing(told[0].promise))
            if source.promise == self._present and not _identity.has_drifted(self._identity, source.promise):
                source = self._with_files_of_now(source)
            elif source.promise.state is State.RESOLVED:
                source = self._with_declared_of_now(source)
            if (origin := origin_of(source.promise)) != source.promise.id:
                held = reader.get(origin)
                if held is None:
                    raise UnacceptableError(
                        f"{source.promise.id!r} was accepted from {origin!r}, which has been forgotten: run it"
                    )
                source = replace(source, origin=held)
        return source

    def _outdated(self) -> list[Promise]:
        """The promise of this very id, where the code behind its fixed version is other code by now, or where a file
        that its body had read has changed, and nothing else."""
        present = self._present
        if present is None:
            return []
        is_read_anew = present.state is State.RESOLVED and changed_file(self._engine, present) is not None
        return [present] if is_read_anew or _identity.has_drifted(self._identity, present) else []

    def _with_files_of_now(self, source: Source) -> Source:
        recorded = source.promise.value.headers.get("files")
        if not recorded:
            return source
        changed = changed_file(self._engine, source.promise)
        names = [] if changed is None else [part_of(changed)]
        files = self._as_now(source, _file_read.from_json(recorded))
        return replace(source, files=_file_read.to_json(files), differing=(*source.differing, *names))

    def _with_declared_of_now(self, source: Source) -> Source:
        """Of the files that its body read, those that are declared are what they are now: so they count for this call
        by their content, and the word of whoever accepts is for that. The others have to be what they were."""
        identity, root = self._identity, self._engine.root
        places = declared_places({**identity.argument_parts, **identity.key.content_parts})
        files = _file_read.from_json(source.promise.value.headers.get("files", "[]"))
        declared = _file_read.within(files, places, root)
        others = tuple(file for file in files if file not in declared)
        if not declared:
            return source
        if (changed := _file_read.changed(others, root)) is not None:
            raise self._unacceptable(source.promise, file_differs(changed))
        return replace(source, files=_file_read.to_json((*others, *self._as_now(source, declared))))

    def _as_now(self, source: Source, files: Sequence[FileRead]) -> tuple[FileRead, ...]:
        found = _file_read.as_now(files, self._engine.root, self._engine.clock)
        if isinstance(found, str):
            raise self._unacceptable(source.promise, f"file {found} is gone, or cannot be read")
        return found

    def _versions(self, reader: Reader) -> list[Promise]:
        """Other versions of the call, newest first; where there is none of just these arguments, and what is an edit
        may have changed them, the nearest first: the data that the code reads join the arguments of cells and of fixed
        versions, and the code of a class those of its methods."""
        work, identity, owner = self._work, self._identity, self._asked.owner
        found = versions_of(reader, work, identity)
        if found:
            return found
        others: dict[str, Promise] = {}
        edited: dict[str, Promise] = {}
        for promise in reader.recent(work.name, MOST):
            base = split_id(promise.id)[0]
            if ":" in base or base == identity.base or base in others or base in edited:
                continue
            if self._may_have_been(promise):
                others[base] = reader.latest(base) or promise
            elif not work.is_cell and self._is_edited_only(reader, promise):
                edited[base] = reader.latest(base) or promise
        if not others:
            return list(edited.values())
        if owner is not None:
            newest, *older = others.values()
            if any(_arguments(each) != _arguments(newest) and made_by(each) == made_by(newest) for each in older):
                raise UnacceptableError(
                    f"{work.title}: several objects were called so under the code before, and which of them this one "
                    "was is not known: run it"
                )

        def distance(promise: Promise) -> tuple[bool, bool]:
            return bool(self._differing(promise)), made_by(promise) != identity.code

        return sorted(others.values(), key=distance)

    def _may_have_been(self, promise: Promise) -> bool:
        """Whether it may be the call as it was, apart from what an edit may have changed of its arguments."""
        work, identity, owner = self._work, self._identity, self._asked.owner
        if (promise.param.headers.get("kind") == "cell") != work.is_cell:
            return False
        if work.is_cell:
            return work.name != "cell" or made_by(promise) == identity.code
        if owner is None:
            return work.options.version is not None and _arguments(promise) == dict(identity.argument_parts)
        if made_by(promise) == identity.code:
            return False  # no edit: it is another object
        ours, theirs = ({**parts, owner: ""} for parts in (identity.argument_parts, _arguments(promise)))
        shown = about_of(promise).get("shown", {}).get(owner, "")
        return ours == theirs and _ADDRESS.sub("", shown) == _ADDRESS.sub("", self._asked.shown.get(owner, ""))

    def _is_edited_only(self, reader: Reader, promise: Promise) -> bool:
        """Whether its arguments were these, but for the user's code in them and the files that they name."""
        ours, theirs = self._identity.argument_parts, _arguments(promise)
        if ours.keys() != theirs.keys() or (promise.param.headers.get("kind") == "cell"):
            return False
        for name, digest in theirs.items():
            if ours[name] == digest or is_outside(name):
                continue
            then: dict[str, Any] = loaded(reader.note(f"part:{digest}", "data"), dict)
            now = self._asked.summaries.get(name, {})
            if not then or then.keys().isdisjoint(_HELD) or _without_code(then) != _without_code(now):
                return False
            if len(now.get("parts", ())) < len(self._identity.noted.get(name, ())):
                return False  # not all of it is kept, so that nobody knows
        return True

    def _differing(self, promise: Promise) -> tuple[str, ...]:
        """The data that both codes read, and the arguments, that are others than then."""
        before, given = about_of(promise).get("content", {}), _arguments(promise)
        names = [
            name for name, digest in self._identity.key.content_parts.items() if before.get(name, digest) != digest
        ]
        names += [name for name, digest in self._identity.argument_parts.items() if given.get(name, digest) != digest]
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

    def judge(self, source: Source) -> None:
        """Raise where it must not be accepted."""
        engine, promise = self._engine, source.promise
        self.refuse_running(promise)
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

    def refuse_running(self, promise: Promise) -> None:
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


def told(source: Source, now: int) -> str:
    """What was accepted, as it is said and stored; durations are counted back from then."""
    promise = source.origin
    if promise.state is not State.RESOLVED:
        steps = f"{source.steps} finished step{'s' * (source.steps > 1)}"
        return f"goes on from {promise.id}, whose {steps} count{'s' * (source.steps == 1)} for it"
    at = made_at(promise)
    ago = "" if at is None else f", computed {duration(max(0, now - at))} earlier"
    others = f"; it is the newest of {source.others + 1} earlier versions" if source.others else ""
    return f"accepted from {promise.id}{ago}{_although(source.differing)}{others}"


def _although(differing: Sequence[str]) -> str:
    """Which data are others since, in words."""
    if not differing:
        return ""
    shown = [title_of(name) for name in differing[:_MOST_NAMED]]
    shown += [f"{len(differing) - _MOST_NAMED} more"] * (len(differing) > _MOST_NAMED)
    *most, last = shown
    named, have = (f"{', '.join(most)} and {last}", "have") if most else (last, "has")
    return f", although {named} {have} changed since"


def _without_code(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in summary.items() if name not in _HELD}


def _arguments(promise: Promise) -> Mapping[str, str]:
    return about_of(promise).get("arguments", {})


def _steps(reader: Reader, promise: Promise) -> int:
    """How many steps of a call had resolved, with those that it took over itself."""
    found = sum(row.state == State.RESOLVED for row in reader.under(f"{promise.id}:", MOST, 0))
    before = (promise.param.headers.get(name) for name in (ADOPTS, FROM))
    others = (other for id in before if id is not None and (other := reader.get(id)) is not None)
    return found + sum(_steps(reader, other) for other in others)
