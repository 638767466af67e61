"""The port of a store: rows and files that survive, and nothing about rules.

Every store passes `tests/store/contract.py`, the contract below as tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from resonate_nb.protocol import Delta, Inserted, Promise, Settled, State
from resonate_nb.records import dataclass

INLINE_BYTES = 30_000
"""Values up to this many bytes lie in the row, larger ones in a file (PERFORMANCE, found 8)."""

Durability = Literal["full", "adaptive", "process"]
"""What a power cut may take. Nothing that a killed process has committed is lost under any of them, and what survives
a power cut is a prefix of the commits.

`full`: nothing; synced before a write returns. `adaptive`: at most the last 100 ms, and nothing that `Store.sync` found
worth a sync; many commits share one. `process`: what the system had not yet written by itself; no syncs of ours.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a promise's function that its promise does not tell of by itself. Row key: (promise, number)."""

    promise: str
    number: int
    """From 1; rises over the life of a promise, whoever owns it."""
    owner: str
    started_at: int
    """Epoch milliseconds."""
    ended_at: int | None = None
    """Set exactly when `outcome` is."""
    elapsed_us: int | None = None
    cpu_us: int | None = None
    result_bytes: int | None = None
    """Size of the encoded result; None when there was none or it was not stored."""
    outcome: str | None = None
    """``resolved``, ``rejected``, ``failed`` (another try follows), ``late`` (it passed a limit of time),
    ``interrupted`` (gave the task back) or ``lost`` (its owner died)."""
    error: str | None = None
    """One line: type and message of what was raised."""
    retry_at: int | None = None
    """When the next try is to begin, epoch milliseconds; set by a failed try that another follows."""

    def __repr__(self) -> str:
        # `Handle.attempts` is looked at in notebooks: a line each, and not eleven fields.
        took = "" if self.elapsed_us is None else f" after {self.elapsed_us / 1e6:.3g} s"
        error = "" if self.error is None else f": {self.error.partition(chr(10))[0][:200]}"
        return f"<Attempt {self.number} {self.outcome or 'running'}{took}{error}>"


class Order(StrEnum):
    """In which order promises are listed: by creation; those of one millisecond as they came into the store."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Query:
    """Which promises to list. The order is total: it is the same at each look."""

    glob: str | None = None
    """Shell pattern over the whole id (``*`` crosses slashes); None for all."""
    states: tuple[State, ...] = ()
    """States to keep; empty for all."""
    tags: Mapping[str, str] | None = None
    name: str | None = None
    """Shell pattern over the header ``name`` of the param; None for all."""
    since: int | None = None
    """Created at this instant or later, epoch milliseconds."""
    until: int | None = None
    """Created before this instant."""
    limit: int | None = None
    order: Order = Order.NEWEST
    now: int | None = None
    """States as of this instant: a deadline that has passed counts, whether or not anybody wrote it down. None: as
    they are stored."""


class Ahead(NamedTuple):
    """A row as far as a replay of a small value needs it, read ahead for a whole function in one SELECT."""

    base: str
    generation: int
    state: str
    task: str
    version: int
    code: str | None
    """Header ``code`` of the value, else of the param."""
    arguments: str | None
    codec: str | None
    signature: str | None
    elapsed_us: str | None
    headers: str | None
    """JSON text of the value's other headers; None when there are none."""
    data: bytes | None
    """None also for a value that is larger than was asked for, or lies in a file."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A value file that is complete on disk, not yet named by any row."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OwnerInfo:
    """What is known of an owner (a process): enough to say whom one waits for."""

    owner: str
    pid: int
    host: str
    started_at: int
    """Epoch milliseconds at which the process opened the store."""
    is_alive: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of `Store.check`."""

    kind: str
    """``missing_file``, ``short_file``, ``unreadable_file``, ``orphan_file``, ``partial_file``, ``bad_row``,
    ``damaged``, ``unverified``."""
    subject: str
    detail: str
    done: str = ""
    """What `Store.repair` did about it; empty where it was only found."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a store holds."""

    value_files: int
    size_bytes: int
    """Of the database with its log and of the value files."""
    set_aside_bytes: int
    """Of the damaged pieces that are kept."""


class Reader(Protocol):
    """One consistent snapshot."""

    @property
    def invalidation(self) -> int:
        """The invalidation counter as this snapshot sees it; the tag of what is remembered from it."""
        ...

    def get(self, id: str) -> Promise | None: ...

    def is_acquired(self, id: str, version: int) -> bool:
        """Whether the promise is pending and its task acquired at this version: then nothing of it but its lease can
        have changed since that acquisition."""
        ...

    def latest(self, base: str) -> Promise | None:
        """The highest generation of an id without generation (`protocol.split_id`); one look-up."""
        ...

    def fence(self, id: str) -> int:
        """The task version at which a forgotten promise of this id stopped; 0 if there was none."""
        ...

    def search(self, query: Query, *, bare: bool = False) -> list[Promise]:
        """The promises as they are stored; `bare`: resolved ones without the bytes of their values, which nobody who
        only lists them reads."""
        ...

    def ids(self, query: Query) -> list[str]:
        """The same by their ids."""
        ...

    def count(self, query: Query) -> int:
        """How many there are, whatever the limit."""
        ...

    def newest(self, name: str) -> Promise | None:
        """The promise that came last of those whose param has this header ``name``."""
        ...

    def recent(self, name: str, limit: int) -> list[Promise]:
        """The last `limit` promises of this name, newest first; resolved ones may lack the bytes of their values."""
        ...

    def ahead(self, name: str, limit: int, size_bytes: int) -> list[Ahead]:
        """The last `limit` promises of this name, newest first, with values of up to `size_bytes`."""
        ...

    def under(self, prefix: str, limit: int, size_bytes: int) -> list[Ahead]:
        """The promises whose ids without generation begin so, by id and generation."""
        ...

    def deadlines(self, limit: int) -> list[tuple[int, str]]:
        """Deadline (epoch milliseconds) and id of the pending promises that have one, soonest first."""
        ...

    def attempts(self, promise: str) -> list[Attempt]:
        """In order of number."""
        ...

    def note(self, promise: str, kind: str) -> bytes | None: ...

    def notes(self, kind: str, promises: Sequence[str]) -> dict[str, bytes]:
        """Notes of one kind for many promises; those without are left out."""
        ...


class Transaction(Reader, Protocol):
    """A write transaction: sees its own writes; all of it happens, or nothing. Holds the store's write lock."""

    def apply(self, deltas: Iterable[Delta]) -> None:
        """Write deltas. A `Deleted` row takes its attempts and notes with it, leaves its fence, invalidates, and its
        value file is unlinked after the commit."""
        ...

    def put_attempt(self, attempt: Attempt) -> None:
        """Insert or replace by (promise, number)."""
        ...

    def put_note(self, promise: str, kind: str, data: bytes | None) -> None:
        """Insert or replace; None removes."""
        ...

    def invalidate(self) -> None:
        """Make every memory layer, in any process, look again: settled rows changed hands (forget, rerun, repair).

        The counter in the database rises with this transaction; the mapped word is set to the new number before the
        commit and set back on a rollback (HOUSE 4.4 (1))."""
        ...


class Store(Protocol):
    """Rows and files.

    - `write` transactions of all processes are serialised; `read` never waits for a writer.
    - A commit is durable as `durability` says when `write` returns, and `change_word` has moved.
    - Safe to use from any thread. After a fork the child's handle is its own owner and its own connections.
    - Failures of the disk or database surface as `StoreError` with the store's path in the message.
    """

    @property
    def path(self) -> Path | None:
        """The store's directory; None in memory."""
        ...

    @property
    def is_read_only(self) -> bool:
        """Whether everything that would write raises ReadOnlyStoreError."""
        ...

    @property
    def owner(self) -> str:
        """This process, as it stands in rows it owns."""
        ...

    def read(self) -> AbstractContextManager[Reader]: ...

    def write(
        self, pause: Callable[[], object] | None = None, *, synced: bool = True
    ) -> AbstractContextManager[Transaction]:
        """Commits on a clean exit, rolls back on any exception, and lets it through.

        `synced` False is for what a power cut may take also under ``full``, a claim or a heartbeat: it is synced
        together with the commit that comes next.

        `pause` is called every half second while the write lock is awaited; what it raises ends that. An interrupt
        that is raised elsewhere in here may leave the lock taken: hold them back around it, and let them come there."""
        ...

    def at_once(
        self,
        delta: Inserted | Settled,
        under: tuple[str, int] | None,
        pause: Callable[[], object] | None = None,
        *,
        synced: bool = True,
    ) -> int | None:
        """The delta is committed by itself, and this is the invalidation counter as of it, if the store is as the
        delta was judged on: `under` names a task that is acquired at this version (what settles is its promise); a
        promise that is made is the first generation, with none of its id there, nor ever forgotten. None, and nothing
        is done, where that is not so, or cannot be told for less than a transaction. `pause`, `synced`: as `write`."""
        ...

    def put_file(self, chunks: Iterable[bytes]) -> StoredFile:
        """Write a value file, complete; name it in a row afterwards, or drop it.

        Synced when this returns: all under ``full``, those of 1 MB or more under ``adaptive``, where smaller ones are
        synced together with the commit that comes next; none under ``process``."""
        ...

    def drop_file(self, name: str) -> None:
        """Unlink a file that no row names; nothing if it is gone."""
        ...

    def read_file(self, name: str, size_bytes: int) -> bytes:
        """The bytes of a value file. Raises NotStoredError when it is missing, cannot be read, or is not of this
        size."""
        ...

    def change_word(self) -> int:
        """Moves with every commit of any process. A mapped word: tens of nanoseconds, no I/O."""
        ...

    def invalidation_word(self) -> int:
        """The invalidation counter, mapped; may run ahead of the database while a writer is at work."""
        ...

    def is_alive(self, owner: str) -> bool:
        """Whether the process still lives. A dead one is seen at once (its lock is gone)."""
        ...

    def is_stopped(self, owner: str) -> bool:
        """Whether the process lives and does nothing (SIGSTOP, a debugger), as far as this machine tells."""
        ...

    def let_go(self, id: str, version: int) -> None:
        """Every process sees from here on that this one is not at this version of a promise's task any more, though no
        row says so: for when none can be written."""
        ...

    def has_let_go(self, owner: str, id: str, version: int) -> bool: ...

    def describe(self, owner: str) -> OwnerInfo: ...

    def check(self, judge: Callable[[Promise], Problem | None] | None = None) -> list[Problem]:
        """What is inconsistent; empty for a sound store. Reads only.

        `judge` is asked about each promise that the store itself finds sound, by somebody who knows more."""
        ...

    def repair(self) -> list[Problem]:
        """What was inconsistent, each with what was done: the promise is kept, what is damaged of it is set aside."""
        ...

    def owed(self, seconds: float) -> Callable[[], None] | None:
        """Ask after a commit whose content took `seconds` of work: what is to be called, by any thread, before anybody
        relies on it; None when nothing is.

        Under ``adaptive`` all that this process has committed by now is synced before that returns, if `seconds` is
        more than ten syncs of this disk (as measured so far); calls that come together share a sync. Else, and under
        the other two, nothing is owed.

        What is returned raises StoreError when its sync fails; and, once, when one in the background has failed since.
        What was committed stays so, and is synced with the next group."""
        ...

    def extent(self) -> Extent: ...

    def close(self) -> None:
        """Sync what is owed, release connections and the owner's lock; idempotent.

        Raises StoreError, with everything released, when the sync fails."""
        ...
