"""Which values that a cell bound are, hold, or lie over the same memory as something else that lives on.

A stored value comes back as a new object: an alias to an input, or a view of another value's array, would be lost in
silence. Objects are found by identity, through whatever the garbage collector can see; arrays by their memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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

LIMIT = 3_000_000
"""Objects looked at before the walk gives up and says so: some seconds at most."""

_ATOMS = frozenset({int, float, complex, bool, type(None), str, bytes, range, slice, type(...), type(NotImplemented)})
_PASSED_BY = (type, ModuleType, BuiltinFunctionType, CodeType, MethodWrapperType, WrapperDescriptorType, Enum, Logger)
_IMMUTABLE_MODULES = frozenset(
    {"datetime", "decimal", "fractions", "uuid", "pathlib", "re", "zoneinfo", "ipaddress", "numbers", "pyarrow"}
)
_WALKED_BUT_NO_IDENTITY = (tuple, frozenset, CellType, FunctionType, ReferenceType)


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
    """Objects with an identity that matters, by id; the object is kept so that the id stays its own."""
    arrays: list[tuple[int, int, str, bool, int]] = field(default_factory=list)
    """Memory of arrays: low, high, name, whether copy-on-write guards it, id of the array."""


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
    ours = _walk(bound)
    found: dict[str, Shared] = {}
    for name, other, what in _memory_between_names(ours):
        found.setdefault(name, Shared(name, other, what))
    if ours.objects or ours.arrays:
        theirs = _walk(inputs, with_axes=True)
        for name, other in _overlaps(ours.arrays, theirs.arrays):
            found[name] = Shared(name, other, "memory")
        for id_, (name, value) in ours.objects.items():
            if id_ in theirs.objects:
                other = theirs.objects[id_][0]
                is_itself = bound.get(name) is value and inputs.get(other) is value
                if is_itself or found.get(name, Shared("", "", "memory")).what == "memory":
                    found[name] = Shared(name, other, "is" if is_itself else _type_name(value))
    return [found[name] for name in sorted(found)]


def notebook_functions(bound: Mapping[str, object], is_kept: Callable[[FunctionType], bool]) -> dict[str, str]:
    """Bound names that are or hold a function of the notebook, with its name; not those to which `is_kept` says yes."""
    found: dict[str, str] = {}
    for name, value in bound.items():
        for item in _objects({name: value}):
            if isinstance(item[1], FunctionType) and item[1].__module__ == "__main__" and not is_kept(item[1]):
                found[name] = item[1].__qualname__
                break
    return found


def _walk(values: Mapping[str, object], *, with_axes: bool = False) -> _Found:
    found = _Found()
    for name, value in _objects(values):
        if _is_array(value):
            found.objects.setdefault(id(value), (name, value))
            _add_memory(found, name, value, is_guarded=False)
        elif _is_frame(value):
            found.objects.setdefault(id(value), (name, value))
            for axis in value.axes if with_axes else ():
                # A bound frame may share its index, which is never changed; a bound *index* can be renamed.
                found.objects.setdefault(id(axis), (name, axis))
            for block in _blocks(value):
                _add_memory(found, name, block, is_guarded=_copies_on_write())
        elif not isinstance(value, _WALKED_BUT_NO_IDENTITY):
            found.objects.setdefault(id(value), (name, value))
    return found


def _objects(values: Mapping[str, object]) -> Iterator[tuple[str, Any]]:
    """Every object reachable from the values that is not plainly immutable, once, with the name it was reached by."""
    seen: dict[int, object] = {}
    for name, root in values.items():
        pending = [root]
        while pending:
            value = pending.pop()
            if type(value) in _ATOMS or id(value) in seen or _is_passed_by(value):
                continue
            if len(seen) >= LIMIT:
                raise TooLargeError(name)
            seen[id(value)] = value  # kept: children of frames are made on the way, and ids are used again
            yield name, value
            pending.extend(_children(value))


def _children(value: Any) -> Iterable[object]:
    if isinstance(value, FunctionType):
        # Not its globals: they are the whole namespace.
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    if isinstance(value, ReferenceType):
        return ()
    if _is_array(value):
        return value.ravel().tolist() if value.dtype == object else ()
    if _is_frame(value):
        return [i for b in _blocks(value, objects=True) for i in b.ravel().tolist()]
    return get_referents(value)


def _is_passed_by(value: object) -> bool:
    kind = type(value)
    if isinstance(value, _PASSED_BY):
        return True
    root = kind.__module__.partition(".")[0]
    if root in _IMMUTABLE_MODULES:
        return True
    if root == "numpy":
        numpy = sys.modules["numpy"]
        return isinstance(value, numpy.generic | numpy.dtype | numpy.ufunc)
    if root == "pandas":
        # Timestamps, periods, intervals, dtypes; frames, indexes, arrays and everything else count.
        return kind.__module__.startswith("pandas._libs.tslibs") or "dtypes" in kind.__module__.split(".")
    return False


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_frame(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def _copies_on_write() -> bool:
    pandas: Any = sys.modules["pandas"]
    return int(pandas.__version__.split(".")[0]) >= 3 or bool(pandas.options.mode.copy_on_write is True)


def _blocks(frame: Any, *, objects: bool = False) -> Iterator[Any]:
    """The numpy arrays that hold a frame's values; with `objects`, those of them that hold Python objects."""
    for block in frame._mgr.arrays:
        # Of an extension array its numpy parts; Arrow's buffers cannot be written to.
        parts = [block, *(getattr(block, name, None) for name in ("_ndarray", "_data", "_mask"))]
        for array in parts:
            if _is_array(array) and (not objects or array.dtype == object):
                yield array


def _add_memory(found: _Found, name: str, array: Any, *, is_guarded: bool) -> None:
    if array.size:
        numpy: Any = sys.modules["numpy"]
        bounds = getattr(numpy, "byte_bounds", None) or numpy.lib.array_utils.byte_bounds  # numpy 1, numpy 2
        low, high = bounds(array)
        found.arrays.append((low, high, name, is_guarded, id(array)))


def _overlaps(ours: list[Any], theirs: list[Any]) -> Iterator[tuple[str, str]]:
    """Pairs of names whose arrays may lie over one another; two that copy-on-write guards do not count."""
    for mine, other in _overlapping([(*entry, 0) for entry in ours] + [(*entry, 1) for entry in theirs]):
        if mine[5] != other[5] and not (mine[3] and other[3]):
            first, second = (mine, other) if mine[5] == 0 else (other, mine)
            yield first[2], second[2]


def _memory_between_names(found: _Found) -> Iterator[tuple[str, str, str]]:
    for mine, other in _overlapping([(*entry, 0) for entry in found.arrays]):
        # One array under two names is one object: stored once, it comes back as one.
        if mine[2] != other[2] and mine[4] != other[4] and not (mine[3] and other[3]):
            first, second = sorted((mine[2], other[2]))
            yield second, first, "memory"


def _overlapping(entries: list[Any]) -> Iterator[tuple[Any, Any]]:
    open_: list[Any] = []
    for entry in sorted(entries, key=lambda e: e[0]):
        open_ = [earlier for earlier in open_ if earlier[1] > entry[0]]
        for earlier in open_:
            yield earlier, entry
        open_.append(entry)


def _type_name(value: object) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
