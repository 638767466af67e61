"""The short way of a function's hits: from plain arguments to a value at hand, past everything that may be left out.

A hit has to prove little: that durability is on, that the code is what it was (`Subject.standing`), that nothing was
invalidated (one comparison of a mapped word). What it needs no more is to bind, fingerprint, name and look up: a call
with the same plain arguments, of the same types, was all that before. Where one of these is not so the long way is
taken, which is right in every case; the long way teaches the short one what it has found.

The first hit of a key in this process goes a short way too, where the function's rows have been read ahead (`_memo`):
then the arguments are fingerprinted, and the row's own fingerprints and signature are compared as ever.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import ref

from resonate_nb.codec import decode
from resonate_nb.errors import ResonateNbError, StoreError
from resonate_nb.fingerprint import CodeKey, joint_of_scalars
from resonate_nb.protocol import join_id
from resonate_nb.store import Ahead

from .. import _config, _context
from .._engine import Engine
from .._hits import Hits
from .._identity import ARGUMENT_DIGITS, CODE_DIGITS
from .._registry import Work
from .._say import DEBUG, is_logged, log_call
from ._accepted import signed_as
from ._children import NO_CHILDREN
from ._plan import signed_version
from ._result import Result

MISS: Final = object()
"""What a lane answers where the long way is to be taken."""

_PLAIN = frozenset((int, str, bytes, bool, type(None)))
"""Types whose equal values are one argument to every fingerprint. Of floats two zeros are equal, so they are none."""
_LONGEST = 1_000
"""Characters, bytes, or bits of an argument, and bytes of a value: what is longer is not kept here as well."""
_MOST = 20_000

_UNREAD: Final = object()
"""Stands for a value that each caller gets afresh."""

_kept = 0
"""Entries of all lanes together."""


class _Kept:
    """A value at hand, verified. `tag` is the invalidation counter of the snapshot that its row was read from."""

    __slots__ = ("codec", "data", "hits", "id", "saved_ms", "tag", "value")

    def __init__(self, tag: int, id: str, codec: str, data: bytes, hits: Hits, saved_ms: int) -> None:
        self.tag = tag
        self.id = id
        self.codec = codec
        self.data = data
        self.hits = hits
        self.saved_ms = saved_ms
        self.value: object = _UNREAD
        """The value itself where it cannot be changed, so that all callers may have the same."""


class _Known:
    """What a function was when it was last called, and the values at hand of just that."""

    __slots__ = ("code", "engine", "entries", "key")

    def __init__(self, key: CodeKey, code: str, engine: Engine | None) -> None:
        self.key = key
        self.code = code
        self.engine = engine
        self.entries: dict[tuple[type, ...], dict[tuple[Any, ...], _Kept]] = {}


class Lane:
    """The short way of one durable function."""

    __slots__ = (
        "__weakref__",
        "_is_named",
        "_is_warm",
        "_known",
        "_least",
        "_names",
        "_subject",
        "_work",
    )

    def __init__(self, work: Work, names: tuple[str, ...] | None, least: int = 0) -> None:
        """`names` are those of the parameters, where each takes one positional argument and all of them count.

        With fewer than `least` arguments some parameter takes a default that may change in place.
        """
        self._work = work
        self._subject = work.subject
        self._names = names
        self._least = least
        options = work.options
        # Files are looked at each time, and the calls around this one hear of them.
        is_named = names is not None and options.id is None and options.version is None and not options.files
        self._is_named = is_named and options.max_age is None
        """Whether a row that was read ahead is this call's by its arguments and code alone, whenever it was made."""
        is_dated = options.max_age is not None or "{" in (options.id or "") or bool(options.files)
        self._is_warm = options.keyed_by == "args" and not is_dated
        """Whether equal arguments are the same promise, whenever and wherever they are given."""
        self._known: _Known | None = None
        """Replaced as a whole: threads call while others change the code, and what one looks at must fit together."""

    def hit(self, args: tuple[Any, ...]) -> Any:
        """The value of a call with these arguments, or `MISS`."""
        known = self._known
        if known is None or (engine := known.engine) is None:
            return MISS
        if engine is not _config.open_engine() or not _config.is_enabled():
            return MISS
        if (self._subject.standing() or self._subject.key()) is not known.key:
            return MISS
        try:
            word = engine.store.invalidation_word()
        except StoreError:
            return MISS  # another thread has closed it just now, for another one
        entries = known.entries.get(tuple(map(type, args)))
        entry = None if entries is None else entries.get(args)
        if entry is None:
            return self._ahead(known, engine, args, word)
        if entry.tag != word:
            return MISS
        value = entry.value
        if value is _UNREAD:
            try:
                value = decode(entry.codec, entry.data)
            except ResonateNbError:
                return MISS  # the long way says why
        hits = entry.hits
        hits.count += 1
        hits.saved_ms += entry.saved_ms
        engine.feed.nudge()
        if is_logged(DEBUG):
            log_call(self._work.title, entry.id, "hit", "", entry.saved_ms)
        return value

    def learn(self, args: tuple[Any, ...], result: Result) -> None:
        """The long way was taken with these arguments, and found this."""
        identity = result.identity
        if identity is None or identity.argument_packages:
            return  # the second is no call with plain arguments, and its code is not only that of the function
        known = self._known
        if known is None or identity.key is not known.key or result.engine is not known.engine:
            self._forget()
            self._known = known = _Known(identity.key, identity.code, result.engine)
        entry = result.entry
        if entry is not None and self._is_warm and len(args) >= self._least:
            promise, headers = entry.promise, entry.promise.value.headers
            if "files" not in headers and "not_replayable" not in headers:
                self._keep(
                    known, args, _Kept(entry.tag, promise.id, entry.codec, entry.data, entry.hits, entry.saved_ms)
                )

    def child(self, args: tuple[Any, ...]) -> tuple[Any, str | None]:
        """The value of this call as a child of a call that is taken up again, or `MISS`; and the id of the child where
        one was counted, since each asking counts."""
        parent, known, names = _context.current(), self._known, self._names
        if parent is None or (children := parent.children) is NO_CHILDREN:
            return MISS, None
        if known is None or (engine := known.engine) is None:
            return MISS, None
        if engine is not _config.open_engine() or not _config.is_enabled():
            return MISS, None
        if not self._is_named or names is None or len(args) != len(names) or not _PLAIN.issuperset(map(type, args)):
            return MISS, None
        if (self._subject.standing() or self._subject.key()) is not known.key or not parent.fence.is_ours:
            return MISS, None
        if (arguments := joint_of_scalars(names, args)) is None:
            return MISS, None
        what = f"{self._work.name}/{arguments[:ARGUMENT_DIGITS]}"
        id = f"{parent.id}:{what}.{parent.occurrence(what)}"
        row = children.find(id)
        if row is None:
            return MISS, id
        found = join_id(row.base, row.generation)
        if (value := self._verified(known.code, engine, row, found, arguments)) is MISS:
            return MISS, id
        try:
            if engine.is_marked(found, engine.store.invalidation_word()):
                return MISS, id
        except StoreError:
            return MISS, id
        self._count(engine, engine.hits.named(found, self._work.name), int(row.elapsed_us or "0") // 1000, found)
        return value, id

    def _ahead(self, known: _Known, engine: Engine, args: tuple[Any, ...], word: int) -> Any:
        """The value of a row that was read ahead, or `MISS`."""
        names = self._names
        if not self._is_named or names is None or len(args) != len(names):
            return MISS
        rows = engine.memo.ahead(self._work.name, word)
        if rows is None or not _PLAIN.issuperset(map(type, args)):
            return MISS
        if (arguments := joint_of_scalars(names, args)) is None:
            return MISS
        row = rows.get(f"{self._work.name}/{arguments[:ARGUMENT_DIGITS]}@{known.code[:CODE_DIGITS]}")
        if row is None:
            return MISS
        id = join_id(row.base, row.generation)
        if (value := self._verified(known.code, engine, row, id, arguments)) is MISS:
            return MISS
        if engine.is_marked(id, word):
            return MISS
        hits, saved_ms = engine.hits.named(id, self._work.name), int(row.elapsed_us or "0") // 1000
        entry = _Kept(word, id, row.codec or "", row.data or b"", hits, saved_ms)
        self._keep(known, args, entry, value)
        self._count(engine, hits, saved_ms, id)
        return value

    def _verified(self, code: str, engine: Engine, row: Ahead, id: str, arguments: str) -> Any:
        """The value of a row that is resolved, this call's, signed, and asks for no further look; or `MISS`."""
        data, codec = row.data, row.codec
        if data is None or codec is None or row.state != "resolved" or row.headers is not None:
            return MISS
        if row.arguments != arguments or row.code != code:
            return MISS
        about = signed_as(id, codec)
        if not engine.signer.verify(data, row.signature or "", promise=about, version=signed_version(row)):
            return MISS
        try:
            return decode(codec, data)
        except ResonateNbError:
            return MISS  # the long way says why

    def _count(self, engine: Engine, hits: Hits, saved_ms: int, id: str) -> None:
        hits.count += 1
        hits.saved_ms += saved_ms
        engine.feed.nudge()
        if is_logged(DEBUG):
            log_call(self._work.title, id, "hit", "", saved_ms)

    def _keep(self, known: _Known, args: tuple[Any, ...], entry: _Kept, value: Any = _UNREAD) -> None:
        global _kept
        kinds = tuple(map(type, args))
        if not _PLAIN.issuperset(kinds) or len(entry.data) > _LONGEST:
            return
        for arg in args:
            kind = type(arg)
            if (kind is str or kind is bytes) and len(arg) > _LONGEST:
                return
            if kind is int and arg.bit_length() > _LONGEST:
                return
        if _kept >= _MOST:
            for each in list(_lanes):
                if (lane := each()) is not None:
                    lane._forget()
            _kept = 0  # those of lanes that are gone were counted as well
        if entry.codec == "json":  # scalars, which all callers may share
            entry.value = decode(entry.codec, entry.data) if value is _UNREAD else value
        entries = known.entries.get(kinds)
        if entries is None:
            entries = known.entries[kinds] = {}
            _lanes.add(ref(self, _lanes.discard))
        _kept += args not in entries
        entries[args] = entry

    def _forget(self) -> None:
        global _kept
        if (known := self._known) is not None:
            _kept -= sum(map(len, known.entries.values()))
            known.entries = {}
        _lanes.discard(ref(self))


_lanes: set[ref[Lane]] = set()
"""Those that hold something. A list of it is made in one step, whatever other threads add."""
