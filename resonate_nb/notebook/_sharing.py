"""Which values that a cell bound are, hold, or lie over the same memory as something else that lives on.

A stored value comes back as a new object: an alias to an input, or a view of another value's array, would be lost in
silence. Objects are found by identity, through whatever the garbage collector can see; arrays by their memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field
from enum import Enum
from gc import get_referents
from logging import Logger
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any
from weakref import ReferenceType

from resonate_nb.fingerprint import is_service
from resonate_nb.records import dataclass

LIMIT = 3_000_000
"""Objects looked at before the walk gives up and says so: a few seconds at most."""

_ATOMS = (int, float, complex, bool, type(None), str, bytes, range, slice, type(...), type(NotImplemented))
_PASSED_BY = (type, ModuleType, BuiltinFunctionType, CodeType, MethodWrapperType, WrapperDescriptorType, Enum, Logger)
_IMMUTABLE_MODULES = frozenset(
    {
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "pathlib",
        "re",
        "zoneinfo",
        "ipaddress",
        "numbers",
        "pyarrow",
        "resonate_nb",
    }
)
"""Packages whose objects cannot be changed, or (our own: durable functions, handles) count by their code."""

_WITHOUT_IDENTITY = (tuple, frozenset, CellType, FunctionType, ReferenceType)
"""Nobody can change these: they are looked through."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A bound name and what it shares."""

    name: str
    other: str
    what: str
    """``is`` when both are one object, ``memory`` for arrays, else the type of the object that both hold."""


@dataclass(slots=True)
class _Found:
    """What a walk over named values came by."""

    objects: dict[int, tuple[str, object]] = field(default_factory=dict)
    """Objects with an identity that matters, by id; of inputs only those that were asked for."""
    memory: list[_Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Span:
    """Memory that an array lies over."""

    low: int
    high: int
    name: str
    array: int
    """Its id: one array under two names is one object, stored once."""
    is_guarded: bool
    """A write through this one copies first."""
    is_input: bool


class TooLargeError(Exception):
    """There is more to look at than anybody would wait for. `name` says where the walk was."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def shared(bound: Mapping[str, object], inputs: Mapping[str, object]) -> list[Shared]:
    """What bound values share with inputs, and arrays under one name with arrays under another; one line a name.

    Raises:
        TooLargeError: a value holds too many objects to tell.
    """
    ours = _walk(bound, asked=None)
    if not (ours.objects or ours.memory):
        return []
    theirs = _walk(inputs, asked=ours.objects.keys())
    found: dict[str, Shared] = {}
    for first, second in _overlapping([*ours.memory, *theirs.memory]):
        if first.is_guarded and second.is_guarded:
            continue
        if first.is_input != second.is_input:
            mine, other = (second, first) if first.is_input else (first, second)
            found[mine.name] = Shared(mine.name, other.name, "memory")
        elif not first.is_input and first.name != second.name and first.array != second.array:
            earlier, later = sorted((first.name, second.name))
            found.setdefault(later, Shared(later, earlier, "memory"))
    for id_, (name, value) in ours.objects.items():
        if id_ in theirs.objects:
            other_name = theirs.objects[id_][0]
            is_itself = bound.get(name) is value and inputs.get(other_name) is value
            if is_itself or found.get(name, _NOTHING).what == "memory":
                found[name] = Shared(name, other_name, "is" if is_itself else _type_name(value))
    return [found[name] for name in sorted(found)]


_NOTHING = Shared("", "", "memory")


def notebook_functions(bound: Mapping[str, object], is_kept: Callable[[FunctionType], bool]) -> dict[str, str]:
    """Bound names that are or hold a function of the notebook, with its name; not those to which `is_kept` says yes."""
    found: dict[str, str] = {}
    for name, value, kind in _objects(bound):
        if kind is _Kind.FUNCTION and value.__module__ == "__main__" and not is_kept(value):
            found.setdefault(name, value.__qualname__)
    return found


def _walk(values: Mapping[str, object], *, asked: Collection[int] | None) -> _Found:
    """What there is in the values; of inputs, `asked` are the ids that are looked for."""
    found = _Found()
    is_input = asked is not None
    for name, value, kind in _objects(values):
        if asked is None:
            if kind is not _Kind.TRANSPARENT and kind is not _Kind.FUNCTION:
                found.objects.setdefault(id(value), (name, value))
        elif id(value) in asked:
            found.objects.setdefault(id(value), (name, value))
        if kind is _Kind.ARRAY:
            _add_memory(found, name, value, is_guarded=False, is_input=is_input)
        elif kind is _Kind.INDEX:
            _add_blocks(found, name, _index_blocks(value), is_guarded=True, is_input=is_input)
        elif kind is _Kind.FRAME:
            _add_blocks(found, name, value._mgr.arrays, is_guarded=_copies_on_write(), is_input=is_input)
            # A bound frame may share its index, which cannot be changed; a bound *index* can be renamed.
            for axis in value.axes:
                if asked is not None and id(axis) in asked:
                    found.objects.setdefault(id(axis), (name, axis))
    return found


class _Kind(Enum):
    """How the walk treats objects of a type."""

    ATOM = "atom"
    TRANSPARENT = "transparent"
    FUNCTION = "function"
    ARRAY = "array"
    FRAME = "frame"
    INDEX = "index"
    OBJECT = "object"


def _objects(values: Mapping[str, object]) -> Iterator[tuple[str, Any, _Kind]]:
    """Every object reachable from the values that is not plainly immutable, once, with the name it was reached by."""
    # A million records are no rarity in a notebook: what is known of a type is looked up, not found again.
    kinds: dict[type, _Kind] = {}
    atom, limit = _Kind.ATOM, LIMIT
    # Ids stay their object's own here: all objects met are held by the values, or by arrays of theirs.
    seen: set[int] = set()
    for name, root in values.items():
        pending: list[Any] = [root]
        while pending:
            value = pending.pop()
            type_ = type(value)
            kind = kinds.get(type_)
            if kind is None:
                kind = kinds[type_] = _kind_of(type_)
            if kind is atom or id(value) in seen:
                continue
            if len(seen) >= limit:
                raise TooLargeError(name)
            seen.add(id(value))
            yield name, value, kind
            if type_ is list or type_ is tuple:
                pending += value
            elif type_ is dict:
                if "__builtins__" in value:
                    continue  # the namespace itself, met through something that keeps it: not a part of any value
                pending += value.values()
                if not all(type(key) is str for key in value):
                    pending += value
            else:
                pending += _children(value, kind)


def _children(value: Any, kind: _Kind) -> Iterable[object]:
    match kind:
        case _Kind.FUNCTION:  # not its globals: they are the whole namespace
            return [*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        case _Kind.ARRAY:
            return value.ravel().tolist() if value.dtype == object else ()
        case _Kind.FRAME:
            return [i for a in _arrays(value._mgr.arrays) if a.dtype == object for i in a.ravel().tolist()]
        case _Kind.INDEX:
            return ()
        case _:
            return () if isinstance(value, ReferenceType) else get_referents(value)


def _kind_of(type_: type) -> _Kind:
    if issubclass(type_, _ATOMS) and type_ in _ATOMS:
        return _Kind.ATOM
    if issubclass(type_, FunctionType):
        return _Kind.FUNCTION
    if issubclass(type_, _PASSED_BY):
        return _Kind.ATOM
    if type_.__module__.partition(".")[0] in _IMMUTABLE_MODULES or is_service(type_):
        return _Kind.ATOM
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None:
        if issubclass(type_, numpy.ndarray):
            return _Kind.ARRAY
        if issubclass(type_, numpy.generic | numpy.dtype | numpy.ufunc):
            return _Kind.ATOM
    if pandas is not None:
        if issubclass(type_, pandas.DataFrame | pandas.Series):
            return _Kind.FRAME
        if issubclass(type_, pandas.Index):
            return _Kind.INDEX
        scalars = (pandas.Timestamp, pandas.Timedelta, pandas.Period, pandas.Interval, type(pandas.NaT))
        if issubclass(type_, (*scalars, pandas.offsets.BaseOffset, pandas.api.extensions.ExtensionDtype)):
            return _Kind.ATOM
    return _Kind.TRANSPARENT if issubclass(type_, _WITHOUT_IDENTITY) else _Kind.OBJECT


def _copies_on_write() -> bool:
    pandas: Any = sys.modules["pandas"]
    return int(pandas.__version__.split(".")[0]) >= 3 or pandas.options.mode.copy_on_write is True


def _arrays(blocks: Iterable[Any]) -> Iterator[Any]:
    """The numpy arrays behind a frame's blocks; Arrow's buffers cannot be written to, and are left out."""
    numpy: Any = sys.modules["numpy"]
    for block in blocks:
        for part in (block, *(getattr(block, name, None) for name in ("_ndarray", "_data", "_mask"))):
            if isinstance(part, numpy.ndarray):
                yield part


def _index_blocks(index: Any) -> list[Any]:
    pandas: Any = sys.modules["pandas"]
    if isinstance(index, pandas.MultiIndex):  # it has no array of its own
        return [*(level.array for level in index.levels), *index.codes]
    return [index.array]


def _add_blocks(found: _Found, name: str, blocks: Iterable[Any], *, is_guarded: bool, is_input: bool) -> None:
    for array in _arrays(blocks):
        _add_memory(found, name, array, is_guarded=is_guarded, is_input=is_input)


def _add_memory(found: _Found, name: str, array: Any, *, is_guarded: bool, is_input: bool) -> None:
    if array.size:
        numpy: Any = sys.modules["numpy"]
        bounds = getattr(numpy, "byte_bounds", None) or numpy.lib.array_utils.byte_bounds  # numpy 1, numpy 2
        low, high = bounds(array)
        found.memory.append(_Span(low, high, name, id(array), is_guarded, is_input))


def _overlapping(spans: list[_Span]) -> Iterator[tuple[_Span, _Span]]:
    """Pairs of spans that lie over one another, at least in part; interleaved views count."""
    open_: list[_Span] = []
    for span in sorted(spans, key=lambda s: s.low):
        open_ = [earlier for earlier in open_ if earlier.high > span.low]
        for earlier in open_:
            yield earlier, span
        open_.append(span)


def _type_name(value: object) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
