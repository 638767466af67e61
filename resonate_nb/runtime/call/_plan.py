"""Plan: look at what is stored under a call's id and decide: hit, run, or wait for whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping
from glob import has_magic
from typing import Literal, assert_never

from resonate_nb.errors import DriftError, IdReuseError, NotStoredError, UntrustedValueError
from resonate_nb.protocol import Promise, State, TaskState, join_id, split_id
from resonate_nb.records import dataclass
from resonate_nb.store import Ahead

from .. import _file_read, _identity
from .._engine import Engine, next_id
from .._identity import Identity
from .._memo import Entry
from .._packages import made_by, recorded
from .._registry import Work
from .._say import duration, warn
from .._tries import elapsed_ms
from ._accepted import ACCEPTED, FROM, holds, made_at, named_in, signed_as
from ._children import promise_of


@dataclass(frozen=True, slots=True)
class Hit:
    """The value is there, verified and current."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Run:
    """The body must run: as a new promise `id`, or by taking over the pending one that was seen."""

    id: str
    taken_over: Promise | None
    superseded: Promise | None
    """The generation before, when this is the next one. One that is pending, with nobody at it, is cancelled."""
    reason: str
    """Why it runs again; empty when nothing at all was stored under this id."""
    is_guess: bool = False
    """Nobody has looked whether there is anything under this id: the claim does."""
    adopts: str | None = None
    """The generation before, where its finished children count for this one as well."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A living owner is at it."""

    promise: Promise
    is_other: bool = False
    """It is another call's, by the user's leave: when it is over this one runs as the next generation."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """What was stored is an error, and the user wants to see it again."""

    promise: Promise


Step = Hit | Run | Wait | Refuse


def plan(
    engine: Engine, work: Work, identity: Identity, *, rerun: bool, may_guess: bool = False
) -> tuple[Step, Identity]:
    """What to do now, and the identity it holds for (the wider one where two calls met in the short form).

    Where the function's last call found nothing, this one may guess so too, without a look.

    Raises:
        IdReuseError: the promise of this id was made with other arguments, and `on_reuse` does not allow it.
        DriftError: it was made with other code, and `on_drift` does not allow it.
    """
    if not rerun:
        entry = engine.memo.get(identity.base, engine.store.invalidation_word())
        if entry is not None and _fits(identity, entry.promise) and _is_current(engine, work, entry.promise):
            return Hit(entry), identity
        if may_guess and work.name in engine.cold:
            return Run(identity.base, None, None, "", is_guess=True), identity
    found, counter = engine.latest(identity.base)
    if found is not None and _identity.meets_another(identity, found) and (wider := identity.wider) is not None:
        return plan(engine, work, wider, rerun=rerun)
    if found is None:
        engine.cold.add(work.name)
        return Run(identity.base, None, None, ""), identity
    engine.cold.discard(work.name)
    # A rerun addresses the id, whatever arguments and code are stored with it.
    other = None if rerun else _reused(work, identity, found)
    if found.state is State.PENDING:
        return _plan_pending(engine, work, identity, found, other, rerun=rerun), identity
    if rerun:
        return Run(next_id(found), None, found, "rerun asked for"), identity
    if other is not None:
        return Run(next_id(found), None, found, other), identity
    if found.state is not State.RESOLVED:
        if engine.is_marked(found.id, counter):
            return Run(next_id(found), None, found, _MARKED), identity
        why = _once_more(engine, found)
        if work.options.on_rejected == "raise" and why is None:
            return Refuse(found), identity
        why = why or _ENDED[found.state]
        adopts = found.id if found.state in (State.REJECTED, State.TIMEDOUT) else None
        return Run(next_id(found), None, found, why, adopts=adopts), identity
    return _plan_resolved(engine, work, identity, found, counter), identity


def _plan_resolved(engine: Engine, work: Work, identity: Identity, found: Promise, counter: int) -> Hit | Run:
    entry = _stored(engine, work, identity, found, counter)
    if isinstance(entry, str):
        return Run(next_id(found), None, found, entry)
    engine.memo.put(identity.base, entry)
    return Hit(entry)


def _stored(engine: Engine, work: Work, identity: Identity, found: Promise, counter: int) -> Entry | str:
    """The value of a resolved promise; or why it is not to be used."""
    why_not = why_no_hit(engine, work, found, counter)
    if why_not is None:
        why_not = _drifted(engine, work, identity, found, "its stored result is still used")
    if why_not is not None:
        return why_not
    try:
        return load(engine, found, counter)
    except (NotStoredError, UntrustedValueError) as error:
        warn(f"{work.title}: {error}; it is computed again", once=True, about=found.id)
        return str(error)


def plan_child(engine: Engine, work: Work, identity: Identity, row: Ahead, failed_at: int) -> Hit | Refuse | Run | None:
    """What to do about a child that its parent finds in the store: it came to what it came to, whatever that was, or
    runs again; None when it is pending, or is gone by now.

    `failed_at`: when the parent's last attempt that failed had ended. What a child had been rejected with by then may
    be what it failed of.

    Raises:
        IdReuseError, DriftError: as `plan`.
    """
    found = _record_of(engine, work, identity, row)
    if found is None or found.state is State.PENDING:
        return None
    why = _reused(work, identity, found)
    if found.state is State.RESOLVED:
        if why is None:
            entry = _stored(engine, work, identity, found, engine.store.invalidation_word())
            if not isinstance(entry, str):
                return Hit(entry)
            why = entry
        return run_again(identity, found, why)
    if why is None:
        why = _drifted(engine, work, identity, found, "what it had raised is raised again")
    if why is None and engine.is_marked(found.id, engine.store.invalidation_word()):
        why = _MARKED
    if why is None:
        why = _once_more(engine, found)
    if why is None and work.options.on_rejected == "rerun" and (found.settled_at or 0) <= failed_at:
        why = "it raised in an attempt that failed"
    return Refuse(found) if why is None else run_again(identity, found, why)


def run_again(identity: Identity, found: Promise, why: str) -> Run:
    """A child runs once more: as its next generation, or in the place of one that belongs to an earlier parent."""
    base, _ = split_id(found.id)
    return Run(next_id(found), None, found, why) if base == identity.base else Run(identity.base, None, None, why)


def _record_of(engine: Engine, work: Work, identity: Identity, row: Ahead) -> Promise | None:
    """The promise of a row: made of it where that says all that counts, else read."""
    if (
        row.state == State.RESOLVED
        and row.data is not None
        and row.headers is None
        and row.code == identity.code
        and row.arguments == identity.arguments
        and work.options.max_age is None
    ):
        return promise_of(row, work.name)
    return engine.peek([join_id(row.base, row.generation)])[0]


def load(engine: Engine, promise: Promise, counter: int) -> Entry:
    """The stored value of a resolved promise, its signature verified, not yet decoded; of one that was accepted, that
    of the promise it was accepted from.

    Raises:
        NotStoredError: there is no value, or its file is gone or short, or what was accepted is gone.
        UntrustedValueError: the signature is not ours.
    """
    headers = promise.value.headers
    if (reason := headers.get("not_stored")) is not None:
        raise NotStoredError(f"the value of {promise.id!r} was not stored ({reason})")
    codec = headers.get("codec", "")
    if not codec:
        raise NotStoredError(f"promise {promise.id!r} holds no value of ours")
    if promise.value.file is not None:
        data = engine.store.read_file(promise.value.file, promise.value.size_bytes)
    else:
        data = promise.value.data if promise.value.data is not None else b""
    verify(engine, promise, codec, data)
    if codec == ACCEPTED:
        id, signature = named_in(promise, data)
        origin = engine.peek([id])[0]
        if origin is None or origin.id == promise.id or not holds(origin, signature):
            raise NotStoredError(f"its value was that of {id!r}, which has been forgotten")
        entry = load(engine, origin, counter)
        codec, data = entry.codec, entry.data
    return Entry(counter, promise, codec, data, engine.hits.of(promise), elapsed_ms(promise))


def verify(engine: Engine, promise: Promise, codec: str, data: bytes) -> None:
    """Raise UntrustedValueError unless this user signed just these bytes for just this promise and task version."""
    signature = promise.value.headers.get("signature", "")
    about = signed_as(promise.id, codec)
    if engine.signer.verify(data, signature, promise=about, version=signed_version(promise)):
        return
    raise UntrustedValueError(
        f"the stored value of {promise.id!r} is not signed with your key, so it is not unpickled; it counts as absent. "
        "If the store is your own from another machine, set RESONATE_NB_KEY_FILE to the key it was made with"
    )


def signed_version(promise: Promise | Ahead) -> int:
    """The task version that a signature names: 0 for a promise that never had a task."""
    return 0 if promise.task == TaskState.ABSENT else promise.version


def _plan_pending(
    engine: Engine, work: Work, identity: Identity, found: Promise, other: str | None, *, rerun: bool
) -> Run | Wait:
    # Without a task nobody runs it: somebody else settles it, and that is what there is to wait for.
    is_at_work = found.task is TaskState.ABSENT or engine.tasks.is_owned(found)
    if other is not None:
        return Wait(found, is_other=True) if is_at_work else Run(next_id(found), None, found, other)
    if is_at_work:
        drifted = _drifted(
            engine, work, identity, found, "the value of the call that was begun with the other code is awaited"
        )
        return Wait(found, is_other=drifted is not None and not rerun)
    if rerun and _identity.has_drifted(identity, found):
        return Run(next_id(found), None, found, "rerun asked for")
    drifted = _drifted(
        engine,
        work,
        identity,
        found,
        "the call that was begun with the other code goes on with the code as it is now",
        by_default="raise",
    )
    if drifted is not None:
        return Run(next_id(found), None, found, drifted)
    if found.owner is not None and found.owner != engine.store.owner:
        info = engine.store.describe(found.owner)
        if not info.is_alive:
            what = "died"
        elif engine.store.has_let_go(found.owner, found.id, found.version):
            what = "could not write to the store"
        else:
            what = "was stopped for a whole lease"
        return Run(found.id, found, None, f"taken over after owner {info.pid} {what}")
    if found.owner is None and (accepted := found.param.headers.get(FROM)) and not engine.attempts(found.id):
        return Run(found.id, found, None, f"with what had finished in {accepted}, as accepted")
    if engine.tasks.owes(found.id):
        return Run(found.id, found, None, "its last result could not be stored")
    return Run(found.id, found, None, "taken up again after an interruption")


def _reused(work: Work, identity: Identity, found: Promise) -> str | None:
    """Why the next generation runs, where the promise was made with other arguments and the user wants that."""
    differing = _identity.differing_arguments(identity, found)
    if differing is None:
        return None
    named = ", ".join(f"`{name}`" for name in differing) or "unknown (the stored key is older)"
    match work.options.on_reuse:
        case "raise":
            raise IdReuseError(found.id, differing)
        case "rerun":
            return f"its id was used with other arguments (differing: {named})"
        case "warn":
            warn(
                f"{work.title}: promise {found.id!r} was made with other arguments (differing: {named}), "
                'and is used because on_reuse="warn" says so',
                once=True,
                about=found.id + identity.arguments,
            )
        case "ignore":
            pass
        case never:
            assert_never(never)
    return None


def _drifted(
    engine: Engine,
    work: Work,
    identity: Identity,
    found: Promise,
    otherwise: str,
    by_default: Literal["warn", "raise"] = "warn",
) -> str | None:
    """Why the next generation runs, where the code behind a fixed version has changed and the user wants that.

    `otherwise` says what is done under ``"warn"``.
    """
    if not _identity.has_drifted(identity, found):
        return None
    version = work.options.version
    # The id of a step, which is named by its place, holds no version.
    since = (
        f"its code has changed since version {version!r} was recorded"
        if version is not None
        else "its code has changed"
    )
    match work.options.on_drift or by_default:
        case "rerun":
            return since
        case "raise":
            raise DriftError(found.id, _diff(engine, identity, found), None if version is None else str(version))
        case "warn":
            diff = _diff(engine, identity, found)
            way_out = (
                "because the version says so; give it another version= to keep the two apart"
                if version is not None
                else 'because it is the same step; on_drift="rerun" would do it again'
            )
            warn(
                f"{work.title}: {since}, and {otherwise} {way_out}" + (f"\n{diff}" if diff else ""),
                once=True,
                about=found.id + identity.code,
            )
        case "ignore":
            pass
        case never:
            assert_never(never)
    return None


def _diff(engine: Engine, identity: Identity, found: Promise) -> str:
    code = made_by(found)
    with engine.store.read() as reader:
        sources, versions = reader.note(f"code:{code}", "sources"), recorded(reader, found)
        parts = reader.note(f"code:{code}", "parts")
    diff = _identity.code_diff(sources, identity)
    lines = [*filter(None, (diff, *_identity.version_changes(identity, versions)))]
    return "\n".join(lines or _identity.changed_parts(parts, identity))


def _fits(identity: Identity, promise: Promise) -> bool:
    return promise.param.headers.get("arguments") == identity.arguments and made_by(promise) == identity.code


def _is_current(engine: Engine, work: Work, promise: Promise) -> bool:
    return _expired(engine, work, promise) is None and changed_file(engine, promise) is None


def _expired(engine: Engine, work: Work, promise: Promise) -> str | None:
    max_age = work.options.max_age
    if max_age is None or (settled_at := made_at(promise)) is None:
        return None
    age_ms = engine.clock.now_ms() - settled_at
    if age_ms <= max_age * 1000:
        return None
    return f"expired: it is {duration(age_ms)} old, and max_age is {duration(max_age * 1000)}"


_MARKED = "marked for a rerun"
_ENDED = {
    State.REJECTED: "it raised last time",
    State.CANCELED: "it was canceled last time",
    State.TIMEDOUT: "it timed out last time",
}
"""Why a call that found no value runs again."""


def ended_how(promise: Promise) -> str:
    """How a promise has ended that brought no value, in words."""
    error = promise.value.headers.get("error")
    return f"{_ENDED[promise.state].removesuffix(' last time')}" + (f" ({error})" if error else "")


def why_no_hit(engine: Engine, work: Work, found: Promise, counter: int, *, whatever_files: bool = False) -> str | None:
    """Why a resolved promise is not to be replayed; None when it is. `whatever_files`: be they what they are."""
    headers: Mapping[str, str] = found.value.headers
    if (reason := headers.get("not_replayable")) is not None:
        return _not_replayable(reason)
    if (reason := headers.get("not_stored")) is not None:
        # What happened; what to do about it was said then, and may be done by now.
        return f"the last result was not stored: {reason.split('. ')[0]}"
    if engine.is_marked(found.id, counter):
        return _MARKED
    if (expired := _expired(engine, work, found)) is not None:
        return expired
    changed = None if whatever_files else changed_file(engine, found)
    return None if changed is None else file_differs(changed)


def _once_more(engine: Engine, found: Promise) -> str | None:
    """Why what a call had raised is not to be raised again without running it; None when it may be."""
    if (reason := found.value.headers.get("not_replayable")) is not None:
        return _not_replayable(reason)
    changed = changed_file(engine, found)
    return None if changed is None else file_differs(changed)


def _not_replayable(reason: str) -> str:
    return f"the last run is not replayable: {reason}"


def file_differs(name: str) -> str:
    """What is said of a file, or of the names in a folder, that the body had read."""
    if name.endswith("/") or has_magic(name):
        return f"the names of {name} differ from when they were listed"
    return f"file {name} differs from when it was read"


def changed_file(engine: Engine, promise: Promise) -> str | None:
    """The first file that the body had read, and that is another one by now."""
    recorded = promise.value.headers.get("files")
    if not recorded:
        return None
    return _file_read.changed(_file_read.from_json(recorded), engine.root)
