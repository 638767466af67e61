"""Is the store sound? What is not, in words, and what was done about it."""

from __future__ import annotations

from resonate_nb.errors import InvalidOptionError, NotStoredError, StoreError, UntrustedValueError
from resonate_nb.protocol import Promise, State, split_id
from resonate_nb.records import dataclass
from resonate_nb.store import Problem, Query

from . import _config
from ._engine import Engine
from ._say import say
from .call import load

_LARGE_BYTES = 500_000_000
_KINDS = {
    "damaged": "damaged database",
    "bad_row": "row that makes no sense",
    "missing_file": "missing value file",
    "short_file": "damaged value file",
    "unreadable_file": "value file that cannot be read",
    "orphan_file": "file that no promise names",
    "partial_file": "file half written",
    "unverified": "value not signed with your key",
}


_MENDS_ITSELF = ("unreadable_file", "unverified")
"""What the next use of the promise computes again, and no repair can bring back."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `rnb.check` found in a store. As text: one sentence for a sound store, else a table."""

    where: str
    """Directory of the store; empty when there is none."""
    problems: tuple[Problem, ...] = ()
    promises: int = 0
    value_files: int = 0
    size_bytes: int = 0
    """Of the database with its log and of the value files."""
    set_aside_bytes: int = 0
    """Of the damaged pieces that are kept beside them."""
    is_repaired: bool = False
    """Whether repairs were asked for."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found."""
        return not self.problems

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """What was found, where, the particulars, and what was done: one row each."""
        return [(_KINDS[each.kind], each.subject, each.detail, each.done) for each in self.problems]

    @property
    def headline(self) -> str:
        """One sentence over all."""
        if not self.where:
            return "there is no store here yet"
        holds = f"{_many(self.promises, 'promise')}, {_many(self.value_files, 'value file')}, {_size(self.size_bytes)}"
        aside = ""
        if self.set_aside_bytes:
            aside = f"; {_size(self.set_aside_bytes)} set aside in its folder 'damaged', which you may delete"
        if self.is_sound:
            return f"sound: {holds}{aside} ({self.where})"
        found = f"{_many(len(self.problems), 'finding')} among {holds}{aside} ({self.where})"
        can_mend = not self.is_repaired and any(each.kind not in _MENDS_ITSELF for each in self.problems)
        return f"{found}; rnb.check(repair=True) mends" if can_mend else found

    def __repr__(self) -> str:
        lines = [self.headline]
        for kind, subject, detail, done in self.rows:
            lines.append(f"  {kind}: {subject}: {detail}" + (f" -> {done}" if done else ""))
        return "\n".join(lines)


def check(*, repair: bool = False) -> Report:
    """The store of this process is looked through, its values too, and what was found is returned.

    Args:
        repair: mend what is found: a promise whose row or value is damaged counts as not stored, and is computed again
            at its next use; the damaged piece is kept in the store's folder ``damaged``, or in its table
            ``set_aside``. A damaged database is replaced by what can be read of it.

    Raises:
        ReadOnlyStoreError: repairs are asked for, and the store may not be written.
        InvalidOptionError: `repair` is neither True nor False.
    """
    if not isinstance(repair, bool):
        raise InvalidOptionError(f"repair must be True or False, not {repair!r}")
    engine = _config.existing_engine()
    if engine is None:
        return Report("")
    store = engine.store
    extent = store.extent()
    if extent.size_bytes > _LARGE_BYTES:
        say(f"looking through {_size(extent.size_bytes)} of stored values")
    problems = store.repair() if repair else []
    if repair:
        engine.feed.publish()
        extent = store.extent()
    problems += store.check(lambda promise: _unverified(engine, promise))
    try:
        with store.read() as reader:
            promises = reader.count(Query())
    except StoreError:
        promises = 0  # a damaged database: that is what was found
    return Report(
        str(store.path or "in memory"),
        tuple(problems),
        promises,
        extent.value_files,
        extent.size_bytes,
        extent.set_aside_bytes,
        repair,
    )


def _unverified(engine: Engine, promise: Promise) -> Problem | None:
    """A value that a hit would not hand out, though all its bytes are there."""
    if promise.state is not State.RESOLVED or "not_stored" in promise.value.headers:
        return None
    try:
        load(engine, promise, 0)
        return None
    except UntrustedValueError:
        found = Problem(
            "unverified", promise.id, "changed, or written under another key; computed again when it is used"
        )
    except NotStoredError as error:
        if promise.value.file is None:
            return None  # settled by somebody who stores no values of ours
        found = Problem("unreadable_file", promise.id, f"{error}; computed again when it is used")
    latest, _ = engine.latest(split_id(promise.id)[0])
    if latest is None or (latest.id, latest.value) != (promise.id, promise.value):
        return None  # superseded, or forgotten meanwhile: nobody's answer any more
    return found


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _size(size_bytes: int) -> str:
    """Decimal, as disks are sold: ``812 bytes``, ``12.4 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.1f} {unit}"
    return f"{size_bytes} bytes"
