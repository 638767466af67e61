"""Children keyed by their place in a call: their ids, and those that the call finds done when it is taken up again.

A child of a running call needs no claim of its own: whoever holds the parent's task may write its children, and nobody
else (`FenceTask`). So a child is one commit, its birth with its outcome, made when its body has ended.
"""

from __future__ import annotations

from types import TracebackType

from resonate_nb.errors import InvalidOptionError
from resonate_nb.protocol import NEVER, Promise, State, TaskState, Value, join_id
from resonate_nb.store import Ahead

from .. import _context
from .._engine import Engine
from .._held import Hold
from .._identity import Identity
from .._registry import MAX_ID

INLINE_BYTES = 1_000
"""Values up to this size are read with the rows of all children, larger ones when they are asked for."""
_MOST = 100_000


def child_id(parent: _context.Current, identity: Identity) -> str:
    """The id of the next child of this name and arguments: ``parent:name/arguments.occurrence``."""
    what = identity.base.rpartition("@")[0]
    id = f"{parent.id}:{what}.{parent.occurrence(what)}"
    if len(id) > MAX_ID:
        raise InvalidOptionError(
            f"the id {id[:60]!r}… of a child has {len(id)} characters, at most {MAX_ID} are allowed; "
            "use shorter names, or fewer calls keyed by their place inside of one another"
        )
    return id


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
    def is_ours(self) -> bool:
        return self._fence.is_ours

    def __enter__(self) -> Under:
        self.interrupts.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.interrupts.__exit__()


class KnownChildren:
    """The children of a claimed call that are in the store when they are first asked for, read in one SELECT.

    A generation that came after a rejection or a time-out also has those that had *resolved* under the one before, and
    under the one that that one adopted: what was done, and may have had effects, is not done again.
    """

    def __init__(self, engine: Engine, promise: Promise, failed_at: int = 0) -> None:
        self._engine = engine
        self._promise = promise
        self.failed_at = failed_at
        self._rows: dict[str, Ahead] | None = None

    def find(self, id: str) -> Ahead | None:
        """The latest generation of this child, or of the adopted one in its place."""
        if self._rows is None:
            self._rows = self._read()
        return self._rows.get(id[len(self._promise.id) :])

    def _read(self) -> dict[str, Ahead]:
        rows: dict[str, Ahead] = {}
        with self._engine.store.read() as reader:
            owner: Promise | None = self._promise
            is_own = True
            while owner is not None:
                for row in reader.under(f"{owner.id}:", _MOST, INLINE_BYTES):
                    suffix = row.base[len(owner.id) :]
                    known = rows.get(suffix)
                    is_newer = known is None or (known.base == row.base and known.generation < row.generation)
                    if is_newer and (is_own or row.state == State.RESOLVED):
                        rows[suffix] = row
                adopted = owner.param.headers.get("adopts")
                owner = None if adopted is None else reader.get(adopted)
                is_own = False
        return rows


class _NoChildren:
    """A call that has just been born has none."""

    failed_at = 0

    def find(self, id: str) -> Ahead | None:
        return None


NO_CHILDREN = _NoChildren()


def promise_of(row: Ahead) -> Promise:
    """The record of a row that says nothing out of the ordinary, as far as a replay looks at it."""
    param = {"code": row.code or "", "arguments": row.arguments or ""}
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
