"""Plan: look at what is stored under a call's id and decide: hit, run, or wait for whoever runs it."""

from __future__ import annotations

from collections.abc import Mapping

from resonate_nb.errors import NotStoredError, UntrustedValueError
from resonate_nb.protocol import Promise, State, TaskState
from resonate_nb.records import dataclass

from .. import _identity, _reads
from .._engine import Engine, next_id
from .._identity import Identity
from .._memo import Entry
from .._registry import Work
from .._say import warn


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
    """The generation before, when this is the next one."""
    reason: str
    """Why it runs again; empty when nothing at all was stored under this id."""


@dataclass(frozen=True, slots=True)
class Wait:
    """A living owner is at it."""

    promise: Promise


Step = Hit | Run | Wait


def plan(engine: Engine, work: Work, identity: Identity, *, rerun: bool) -> tuple[Step, Identity]:
    """What to do now, and the identity it holds for (the wider one where two calls met in the short form)."""
    if not rerun:
        entry = engine.memo.get(identity.base, engine.store.invalidation_word())
        if entry is not None and _fits(identity, entry.promise) and _changed_file(engine, entry.promise) is None:
            return Hit(entry), identity
    found, counter = engine.latest(identity.base)
    if found is not None and identity.wider is not None and _identity.meets_another(identity, found):
        return plan(engine, work, identity.wider, rerun=rerun)
    if found is None:
        return Run(identity.base, None, None, ""), identity
    if not rerun:
        # A rerun addresses the id, whatever arguments are stored with it.
        _identity.guard_arguments(identity, found, _key_note_if_needed(engine, identity, found))
    if found.state is State.PENDING:
        step = _plan_pending(engine, found)
        if _identity.has_drifted(identity, found):
            what = (
                "it goes on with the code as it is now"
                if isinstance(step, Run)
                else "the other code's value is awaited"
            )
            _warn_of_drift(engine, work, identity, found, f"the promise was begun, and {what}")
        return step, identity
    if rerun:
        return Run(next_id(found), None, found, "rerun asked for"), identity
    why_not = _why_no_hit(engine, found, counter)
    if why_not is None:
        try:
            entry = load(engine, found, counter)
        except (NotStoredError, UntrustedValueError) as error:
            why_not = str(error)
            warn(f"{work.title}: {error}; it is computed again", once=True, about=found.id)
        else:
            if _identity.has_drifted(identity, found):
                _warn_of_drift(engine, work, identity, found, "its stored result is still used")
            engine.memo.put(identity.base, entry)
            return Hit(entry), identity
    return Run(next_id(found), None, found, why_not), identity


def load(engine: Engine, promise: Promise, counter: int) -> Entry:
    """The stored value of a resolved promise, its signature verified, not yet decoded.

    Raises:
        NotStoredError: there is no value, or its file is gone or short.
        UntrustedValueError: the signature is not ours.
    """
    headers = promise.value.headers
    if (reason := headers.get("not_stored")) is not None:
        raise NotStoredError(f"the value of {promise.id!r} was not stored ({reason})")
    if promise.value.file is not None:
        data = engine.store.read_file(promise.value.file, promise.value.size_bytes)
    else:
        data = promise.value.data if promise.value.data is not None else b""
    codec = headers.get("codec", "")
    if not codec:
        raise NotStoredError(f"promise {promise.id!r} holds no value of ours")
    verify(engine, promise, codec, data)
    return Entry(counter, promise, codec, data)


def verify(engine: Engine, promise: Promise, codec: str, data: bytes) -> None:
    """Raise UntrustedValueError unless this user signed just these bytes for just this promise and task version."""
    signature = promise.value.headers.get("signature", "")
    if engine.signer.verify(data, signature, promise=f"{promise.id}|{codec}", version=promise.version):
        return
    raise UntrustedValueError(
        f"the stored value of {promise.id!r} is not signed with your key, so it is not unpickled; it counts as absent. "
        "If the store is your own from another machine, set RESONATE_NB_KEY_FILE to the key it was made with"
    )


def _plan_pending(engine: Engine, found: Promise) -> Step:
    if engine.is_owned(found):
        return Wait(found)
    if found.task is TaskState.ABSENT:
        # Nobody runs it: somebody else settles it, and that is what there is to wait for.
        return Wait(found)
    if found.owner is not None and found.owner != engine.store.owner:
        info = engine.store.describe(found.owner)
        what = "was stopped for a whole lease" if info.is_alive else "died"
        return Run(found.id, found, None, f"taken over after owner {info.pid} {what}")
    return Run(found.id, found, None, "taken up again after an interruption")


def _fits(identity: Identity, promise: Promise) -> bool:
    headers = promise.param.headers
    return headers.get("arguments") == identity.arguments and (
        (promise.value.headers.get("code") or headers.get("code")) == identity.code
    )


def _key_note_if_needed(engine: Engine, identity: Identity, found: Promise) -> bytes | None:
    if found.param.headers.get("arguments") in (None, identity.arguments):
        return None
    return engine.note(found.id, "key")


def _why_no_hit(engine: Engine, found: Promise, counter: int) -> str | None:
    """Why a settled promise is not to be replayed; None when it is."""
    if found.state is not State.RESOLVED:
        return (
            "it raised last time" if found.state is State.REJECTED else f"the last generation was {found.state.value}"
        )
    headers: Mapping[str, str] = found.value.headers
    if (reason := headers.get("not_replayable")) is not None:
        return f"the last run is not replayable: {reason}"
    if (reason := headers.get("not_stored")) is not None:
        return f"the last result was not stored: {reason}"
    if engine.is_marked(found.id, counter):
        return "marked for a rerun"
    changed = _changed_file(engine, found)
    if changed is not None:
        return f"file {changed} differs from when it was read"
    return None


def _changed_file(engine: Engine, promise: Promise) -> str | None:
    recorded = promise.value.headers.get("files")
    if not recorded:
        return None
    return _reads.changed(_reads.from_json(recorded), files_root(engine))


def files_root(engine: Engine) -> str | None:
    """The folder that holds the store: files inside it are recorded relative to it, so that both can move."""
    path = engine.store.path
    return None if path is None else str(path.parent)


def _warn_of_drift(engine: Engine, work: Work, identity: Identity, found: Promise, what: str) -> None:
    made_by = found.value.headers.get("code") or found.param.headers.get("code", "")
    diff = _identity.code_diff(engine.note(f"code:{made_by}", "sources"), identity)
    warn(
        f"{work.title}: the code has changed since version {work.options.version!r} was recorded, and {what} "
        "because the version says so; give it another version= to keep the two apart" + (f"\n{diff}" if diff else ""),
        once=True,
        about=found.id + identity.code,
    )
