"""Whether an array, index, series or frame is what it was when it was looked at last, without reading it.

It is where all that makes it is: the addresses, shapes and dtypes of its memory, the places of its blocks, names and
labels; and where nobody has written to that memory, as the kernel tells (`_remembered`) or, of frames and series and
where the kernel does not tell, pandas (`_guarded`). What cannot be seen so is never taken to stand.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any
from weakref import ref

from ..families._arrays import dtype_key
from ..values import _registered
from ..values._named import is_plain, is_shared, plain_bytes
from ..values._pen import Refusal
from ..values._walk import Stretch, memory_of
from . import _remembered
from ._guarded import Guard, guarded
from ._pages import Pages
from ._remembered import Patience, Watch, ends_of, is_plain_memory

_MOST = 256
"""Values, of each of which its facts are kept and the ends of its memory."""
_MOST_ANSWERS = 64
"""Answers about several, which hold what walks noted of their parts."""
_MOST_STRETCHES = 512
_SMALL = 131_072
"""Elements: to walk over fewer takes no longer than to begin to watch them, so that is begun when they come again."""
_SIGHTS = 3
_ATOMS = frozenset((int, float, str, bytes, bool, type(None), complex))


class Standing:
    """A value is the same for as long as `standing` gives one and the same of these for it."""

    __slots__ = ("__weakref__", "ends", "facts", "patience", "value", "watch")

    def __init__(self, value: object, facts: list[object], watch: Watch | Guard, patience: Patience) -> None:
        place, mine = id(value), ref(self)
        # Of arrays none: numpy resizes no array that somebody refers to. Another in its place has other facts.
        self.value = None if type(value).__name__ == "ndarray" else ref(value, lambda _: _let_go(place, mine()))
        self.facts = facts
        self.ends: list[object] = []
        """Objects that are kept alive, so that their addresses stay theirs."""
        self.watch = watch
        self.patience = patience


def standing(value: object) -> Standing | None:
    """That of an array, index, series or frame; a new one where it may have changed, and None where nobody can say.

    What is read between two calls that give the same one is its content.
    """
    if _reader_of(type(value)) is None or not _is_worth(value):
        return None
    facts = _facts_of(value)
    if facts is None:
        return None
    pages = _remembered.pages_of_now()
    with _remembered.lock:
        _bury()
        known = _standing.get(id(value))
        if known is not None and known.value is not None and known.value() is not value:
            known = None
        if pages is None:
            facts.let_go()
        if known is not None and known.facts == facts.found:
            if known.watch.holds():
                return known
            if known.patience.is_over(known.watch):
                return None
        elif known is not None and pages is None and known.patience.is_over(known.watch):
            return None  # it has been written to, and copied for it
        watch = _guarded_now(value, facts) if pages is None else _watched(facts, pages)
        if watch is None:
            return None
        found = Standing(value, facts.found, watch, Patience() if known is None else known.patience)
        found.ends = facts.ends
        if known is not None:
            known.watch.leave()
        elif len(_standing) >= _MOST:
            _drop(*next(iter(_standing.items())))
        _standing[id(value)] = found
        return found


_sights: dict[int, int] = {}


def _is_worth(value: Any) -> bool:
    """Whether a value is large, or was asked about before; what is another in its place may count for it."""
    if value.size > _SMALL or id(value) in _standing:
        return True
    sights = _sights.get(id(value), 0) + 1
    if sights >= _SIGHTS:
        return True
    if len(_sights) >= 4 * _MOST:
        _sights.clear()
    _sights[id(value)] = sights
    return False


def _facts_of(value: object) -> _Facts | None:
    read = _reader_of(type(value))
    if read is None:
        return None
    facts = _Facts()
    try:
        read(facts, value)
    except (_UnseenError, Refusal):
        return None
    if len(facts.stretches) > _MOST_STRETCHES or (_registered.count() and facts.has_registered()):
        return None
    return facts


def _watched(facts: _Facts, pages: Pages) -> Watch | None:
    if not all(map(_holds_atoms, facts.objects)):
        return None
    watch = Watch(pages)
    watch.begin(_merged(facts.stretches))
    ends = list(map(ends_of, facts.objects))
    if None not in ends and watch.is_proof():
        facts.ends += ends
        return watch
    watch.release()
    return None


def _guarded_now(value: object, facts: _Facts) -> Guard | None:
    again = _facts_of(value)
    if again is None or again.found != facts.found or not all(map(_holds_atoms, again.objects)):
        return None
    del again
    return guarded(value, sum(high - low for low, high in facts.stretches))


_standing: dict[int, Standing] = {}
"""By identity of the value."""

Key = tuple[object, ...]
_answers: dict[Key, Any] = {}


def key_of(values: Mapping[str, object]) -> Key | None:
    """What several named values are right now; equal keys mean that neither they nor what they share has changed.

    None where it cannot be told.
    """
    if not all(_is_seen(type(value)) for value in values.values()) or is_shared(values):
        return None
    key: list[object] = [_registered.count(), *values]
    for value in values.values():
        mark = plain_bytes(value) or standing(value)
        if mark is None:
            return None
        key.append(mark)
    return tuple(key)


def answer(key: Key) -> Any:
    """What was remembered under a key; None where nothing was."""
    return _answers.get(key)


def remember(key: Key, found: object) -> None:
    """What was found of values that had this key before and after."""
    if len(_answers) >= _MOST_ANSWERS:
        _answers.clear()
    _answers[key] = found


def forget() -> None:
    """Nothing is known of any value."""
    with _remembered.lock:
        _answers.clear()
        _sights.clear()
        _dead.clear()
        while _standing:
            _standing.popitem()[1].watch.release()


_dead: list[tuple[int, Standing]] = []
"""Of values that are gone, still to be dropped."""


def _let_go(place: int, gone: Standing | None) -> None:
    """A value's life has ended, which a collection may do anywhere: in the middle of what follows the lock as well."""
    if sys.is_finalizing() or gone is None:
        return
    _dead.append((place, gone))
    if not _remembered.lock._is_owned():  # type: ignore[attr-defined]  # else by whoever takes it next
        with _remembered.lock:
            _bury()


def _bury() -> None:
    """Nothing is kept of values that are gone. Called with the lock held."""
    while _dead:
        _drop(*_dead.pop())


def _drop(place: int, gone: Standing) -> None:
    if _standing.get(place) is gone:
        del _standing[place]
    if isinstance(gone.watch, Watch):
        _remembered.drop(gone.watch)


def _merged(stretches: list[Stretch]) -> list[Stretch]:
    """The same memory in as few stretches as it takes."""
    found: list[Stretch] = []
    for low, high in sorted(stretches):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def _holds_atoms(array: Any) -> bool:
    """Whether nothing that an array of objects points to can change by itself."""
    return set(map(type, array.ravel(order="K").tolist())) <= _ATOMS


class _UnseenError(Exception):
    """Something makes the value that is not seen at a glance."""


class _Same:
    """An immutable object, by identity."""

    __slots__ = ("_thing",)

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._thing is other._thing

    __hash__ = None  # type: ignore[assignment]


class _Facts:
    """All that makes a value, but for the content of its memory."""

    def __init__(self) -> None:
        self.found: list[object] = []
        self.stretches: list[Stretch] = []
        self.objects: list[Any] = []
        """Arrays that hold pointers."""
        self._types: set[type] = set()
        self.ends: list[object] = []
        self._kept: list[object] = []
        """What holds the memory, whatever other threads do."""

    def let_go(self) -> None:
        """Nothing here refers to the memory any more."""
        self._kept.clear()
        self.objects.clear()

    def has_registered(self) -> bool:
        """Whether a part counts by what the user has said."""
        return any(_registered.handler_of(cls) is not None for cls in self._types)

    def frame(self, value: Any) -> None:
        self._pandas(value)
        for axis in value._mgr.axes:
            self.index(axis)

    def series(self, value: Any) -> None:
        self._pandas(value)
        self._plain(value.name)
        self.index(value.index)

    def _pandas(self, value: Any) -> None:
        if value._attrs:
            raise _UnseenError
        self._nothing_set_on(value)
        self._types.add(type(value))
        self.found.append(value.flags.allows_duplicate_labels)
        for block in value._mgr.blocks:
            places = block.mgr_locs.indexer
            if isinstance(places, slice):
                self.found += (places.start, places.stop, places.step)
            else:
                self.found.append(places.tobytes())
            self._column(block.values)

    def _nothing_set_on(self, value: Any) -> None:
        from ..families._frames import set_on  # loaded with the first frame that was walked

        if set_on(value):
            raise _UnseenError

    def index(self, value: Any) -> None:
        pd = sys.modules["pandas"]
        cls = type(value)
        self._nothing_set_on(value)
        self._types.add(cls)
        self.found.append(cls)
        if cls is pd.RangeIndex:
            self._plain((value.start, value.stop, value.step, value.name))
        elif cls is pd.MultiIndex:
            self._plain(tuple(value._names))
            for level, codes in zip(value._levels, value._codes, strict=True):
                self.index(level)
                self.array(codes)
        else:
            self._plain(value.name)
            self.found.append(_Same(getattr(value, "freq", None)))
            self._column(value._data)

    def array(self, value: Any) -> None:
        dtype = value.dtype
        self._types.add(type(value))
        if type(value) is not sys.modules["numpy"].ndarray or dtype.kind == "T" or dtype.metadata:
            raise _UnseenError
        if not is_plain_memory(value):
            raise _UnseenError
        if dtype.hasobject:
            if dtype.kind != "O" or not value.flags.forc:
                raise _UnseenError
            self.objects.append(value)
        # One with names is changed in place when those are set.
        self.found += (value.shape, value.strides, _Same(dtype) if dtype.names is None else dtype_key(dtype))
        self._kept.append(value)
        if value.size and value.itemsize:
            stretch = memory_of(value)
            self.found.append(stretch[0])
            self.stretches.append(stretch)

    def _column(self, value: Any) -> None:
        arrays = sys.modules["pandas"].arrays
        cls = type(value)
        self._types.add(cls)
        self.found.append(cls)
        if hasattr(value, "_pa_array"):
            self._arrow(value)
        elif cls is arrays.NumpyExtensionArray or isinstance(value.dtype, sys.modules["pandas"].StringDtype):
            self.found.append(_Same(value.dtype))
            self.array(value._ndarray)
        elif cls in (arrays.DatetimeArray, arrays.TimedeltaArray, arrays.PeriodArray):
            self.found += (_Same(value.dtype), _Same(getattr(value, "freq", None)))
            self.array(value._ndarray)
        elif cls in (arrays.IntegerArray, arrays.FloatingArray, arrays.BooleanArray):
            self.array(value._data)
            self.array(value._mask)
        elif cls is sys.modules["pandas"].Categorical:
            self.found.append(value.dtype.ordered)
            self.index(value.dtype.categories)
            self.array(value._ndarray)
        else:
            self.array(value)

    def _arrow(self, value: Any) -> None:
        columns = value._pa_array
        types = sys.modules["pyarrow"].types
        kind = columns.type
        if types.is_nested(kind) or types.is_dictionary(kind):
            raise _UnseenError
        self.found += (_Same(value.dtype), str(kind))
        for chunk in columns.chunks:
            self.found += (chunk.offset, len(chunk))
            for buffer in chunk.buffers():
                self.found.append(None if buffer is None else buffer.address)
                self._kept.append(buffer)
                if buffer is not None and buffer.size:
                    self.stretches.append((buffer.address, buffer.address + buffer.size))

    def _plain(self, value: object) -> None:
        """A name, or several."""
        written = plain_bytes(value)
        if written is None:
            raise _UnseenError
        self.found.append(written)


def _is_seen(cls: type) -> bool:
    return is_plain(cls) or _reader_of(cls) is not None


def _reader_of(cls: type) -> Any:
    root = cls.__module__.partition(".")[0]
    if root == "numpy":
        return _Facts.array if cls is sys.modules["numpy"].ndarray else None
    if root != "pandas":
        return None
    pd = sys.modules["pandas"]
    if cls is pd.DataFrame:
        return _Facts.frame
    if cls is pd.Series:
        return _Facts.series
    return _Facts.index if issubclass(cls, pd.Index) else None
