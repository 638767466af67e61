"""Children keyed by their place in a call: their ids, and those that the call finds done when it is taken up again.

A child of a running call needs no claim of its own: whoever holds the parent's task may write its children, and nobody
else (`FenceTask`). So a child is one commit, its birth with its outcome, made when its body has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType

from resonate_nb.errors import InvalidOptionError
from resonate_nb.protocol import NEVER, Promise, State, TaskState, Value, join_id, split_id
from resonate_nb.store import Ahead, Reader

from .. import _context
from .._engine import Engine
from .._held import Hold
from .._identity import Identity
from .._registry import MAX_ID
from ._accepted import FROM

ADOPTS = "adopts"
"""The header of a param that names the generation before, where its finished children count as well."""
INLINE_BYTES = 1_000
"""Values up to this size are read with the rows of all children, larger ones when they are asked for."""
_ALL = 2**31
_MANY = 10_000
"""How many rows are looked through for something that is only said."""


def placed(parent: _context.Current, identity: Identity, id: str | None = None) -> Identity:
    """The call as the next child of this name and arguments: ``parent:name/arguments.occurrence``.

    Its version is no part of the id, so it drifts as a fixed one would. `id` is the child's where it has been counted.
    """
    if id is None:
        what = identity.base.rpartition("@")[0]
        id = f"{parent.id}:{what}.{parent.occurrence(what)}"
    if len(id) > MAX_ID:
        raise InvalidOptionError(
            f"the id {id[:60]!r}… of a child has {len(id)} characters, at most {MAX_ID} are allowed; "
            "use shorter names, or fewer calls keyed by their place inside of one another"
        )
    return replace(identity, base=id, wide_base=None, is_automatic_id=False, is_automatic_version=False)


def parent_of(id: str) -> _context.Current | None:
    """The call around this code, if the id is that of a child in it."""
    around = _context.current()
    return around if around is not None and id.startswith(f"{around.id}:") else None


def is_lost(engine: Engine, fence: _context.Fence) -> bool:
    """Whether nothing can be written under this fence any more."""
    found = engine.peek([fence.id])[0]
    return found is None or found.task is not TaskState.ACQUIRED or found.version != fence.version


def steps_before(reader: Reader, base: str) -> int:
    """How many settled steps belong to the version before of the call that is now `base`, without a generation."""
    stem = base.rpartition("@")[0]
    steps: dict[str, int] = {}
    for row in reader.under(f"{stem}@", _MANY, 0):
        root, is_child, _ = row.base.partition(":")
        if is_child and row.generation == 1 and row.state != State.PENDING and split_id(root)[0] != base:
            steps[root] = steps.get(root, 0) + 1
    found = [promise for root in steps if (promise := reader.get(root)) is not None]
    return steps[max(found, key=lambda promise: promise.created_at).id] if found else 0


class Under:
    """What a child holds while it runs: its parent's fence, and interrupts."""

    __slots__ = ("_fence", "interrupts")

    def __init__(self, fence: _context.Fence) -> None:
        self._fence = fence
        self.interrupts = Hold()

    @property
    def id(self) -> str:
        return self._fence.id

    @property
    def version(self) -> int:
        return self._fence.version

    @property
    def promise(self) -> Promise | None:
        return self._fence.promise

    @property
    def is_ours(self) -> bool:
        return self._fence.is_ours

    def __enter__(self) -> Under:
        self.interrupts.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.interrupts.__exit__()


class _Rows:
    """All that lies under a call, and under those that it adopts; read in one SELECT each, when first asked for."""

    def __init__(self, engine: Engine, promise: Promise) -> None:
        self._engine = engine
        self._promise = promise
        self._found: dict[str, list[Ahead]] | None = None
        self._adopted: list[str] = []

    def generations(self, base: str) -> Sequence[Ahead]:
        """Of this id without generation, in order."""
        return self._look().get(base, ())

    def adopted(self) -> Sequence[str]:
        """Ids of the calls whose resolved children count here, the last one first."""
        self._look()
        return self._adopted

    def _look(self) -> dict[str, list[Ahead]]:
        if self._found is None:
            found: dict[str, list[Ahead]] = {}
            adopted: list[str] = []
            with self._engine.store.read() as reader:
                owners = [self._promise]
                for owner in owners:
                    for row in reader.under(f"{owner.id}:", _ALL, INLINE_BYTES):
                        found.setdefault(row.base, []).append(row)
                    before = (owner.param.headers.get(name) for name in (ADOPTS, FROM))
                    others = [other for id in before if id is not None and (other := reader.get(id)) is not None]
                    owners += [other for other in others if other not in owners]
                adopted += [owner.id for owner in owners[1:]]
            self._adopted, self._found = adopted, found
        return self._found


class KnownChildren:
    """The children that a call had before this attempt of it began.

    What follows a rejection or a time-out also has those that had *resolved* before: a generation those of the one
    before it, and so on back, and each child those of the child in its place. What was done, and may have had effects,
    is not done again.
    """

    def __init__(
        self, id: str, failed_at: int, sources: tuple[_Rows, ...], others: Sequence[str], is_own: bool
    ) -> None:
        self._id = id
        self.failed_at = failed_at
        self._sources = sources
        """The one that was read last comes first."""
        self._others = others
        """Ids of calls whose resolved children count here as well."""
        self._is_own = is_own
        """Whether the first source is of just this call."""

    def find(self, id: str) -> Ahead | None:
        """The latest generation of this child, or of an adopted one in its place."""
        if found := self._generations(id):
            return found[-1]
        place = id[len(self._id) :]
        for other in self._all_others():
            if (found := self._generations(other + place)) and found[-1].state == State.RESOLVED:
                return found[-1]
        return None

    def below(self, id: str) -> KnownChildren:
        """Those of a child, which runs as this generation."""
        base, generation = split_id(id)
        others = [*self._failed(base, generation)]
        for other in self._all_others():
            others += self._failed(other + base[len(self._id) :], None)
        return KnownChildren(id, self.failed_at, self._sources, others, False)

    @staticmethod
    def by_now(engine: Engine, promise: Promise, failed_at: int, before: _context.Children) -> KnownChildren:
        """Those of a claimed call, as the store has them when they are asked for. `before`: what was known of them."""
        rows = _Rows(engine, promise)
        if not isinstance(before, KnownChildren):
            return KnownChildren(promise.id, failed_at, (rows,), (), True)
        earlier = before._sources[1:] if before._is_own else before._sources
        return KnownChildren(promise.id, failed_at, (rows, *earlier), before._others, True)

    def _generations(self, base: str) -> Sequence[Ahead]:
        for source in self._sources:
            if found := source.generations(base):
                return found
        return ()

    def _all_others(self) -> Iterator[str]:
        if self._is_own:
            yield from self._sources[0].adopted()
        yield from self._others

    def _failed(self, base: str, until: int | None) -> Iterator[str]:
        """The generations before `until` whose resolved children count for the one that follows, the last one first."""
        rows = [row for row in self._generations(base) if until is None or row.generation < until]
        if until is None and not (rows and rows[-1].state == State.RESOLVED):
            # One that was in the middle is not in the store, and its children are.
            yield join_id(base, rows[-1].generation + 1 if rows else 1)
        for row in reversed(rows):
            if row.state not in (State.REJECTED, State.TIMEDOUT, State.PENDING):
                return
            yield join_id(base, row.generation)


class _NoChildren:
    """A call that has just been born has none."""

    failed_at = 0

    def find(self, id: str) -> Ahead | None:
        return None

    def below(self, id: str) -> _context.Children:
        return self


NO_CHILDREN = _NoChildren()


def promise_of(row: Ahead, name: str) -> Promise:
    """The record of a row that says nothing out of the ordinary, as far as a replay looks at it."""
    param = {"name": name, "code": row.code or "", "arguments": row.arguments or ""}
    value = {"codec": row.codec or "", "signature": row.signature or "", "elapsed_us": row.elapsed_us or "0"}
    return Promise(
        join_id(row.base, row.generation),
        State(row.state),
        Value(param),
        Value(value, row.data, None, len(row.data or b"")),
        {},
        NEVER,
        0,
        0,
        TaskState(row.task),
        row.version,
    )
