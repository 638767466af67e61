"""Whether a result is, or holds, one of the caller's own objects: a replay could only hand out a copy."""

from __future__ import annotations

import enum
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from resonate_nb.fingerprint import is_service

_LIMIT = 10_000
"""How many objects of a result, or of what it may share, are looked at: this only decides whether a line is said."""
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes)
_CONTAINERS = (list, dict, set, bytearray, deque)
_CODE = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)


def held(value: object, mine: Mapping[str, object]) -> str | None:
    """The name of one of the caller's values of which `value` is or holds something that can be changed.

    Looks into builtin containers and plain objects, behind bound methods, and below views of arrays.
    """
    mine = {name: given for name, given in mine.items() if not is_service(type(given))}
    mutable = {id(given): name for name, given in mine.items() if not isinstance(given, _IMMUTABLE)}
    if not mutable:
        return None
    for name, given in mine.items():
        _add_parts(name, given, mutable)
    seen: set[int] = set()
    stack = [value]
    while stack and len(seen) < _LIMIT:
        item = stack.pop()
        if id(item) in mutable and not _is_empty_tuple(item):
            return mutable[id(item)]
        if id(item) not in seen:
            seen.add(id(item))
            stack.extend(_shared(item))
            stack.extend(islice(_items(item), _LIMIT))
    return None


def _add_parts(name: str, given: object, mutable: dict[int, str]) -> None:
    """Note what can be changed inside of a value of the caller's, under its name."""
    seen: set[int] = set()
    stack = [given]
    while stack and len(seen) < _LIMIT:
        item = stack.pop()
        if id(item) in seen or is_service(type(item)):
            continue
        seen.add(id(item))
        if _can_change(item):
            mutable.setdefault(id(item), name)
        stack.extend(_shared(item))
        stack.extend(islice(_items(item), _LIMIT))


def _can_change(item: object) -> bool:
    if isinstance(item, _CONTAINERS) or _is_array(item):
        return True
    # An object that forbids to set attributes, such as a frozen dataclass, may as well be a copy.
    return _attributes(item) is not None and type(item).__setattr__ is object.__setattr__


def _items(item: object) -> Iterable[object]:
    if isinstance(item, dict):
        return item.values()
    if isinstance(item, list | tuple | set | frozenset | deque):
        return item
    attributes = _attributes(item)
    return () if attributes is None else attributes.values()


def _shared(item: object) -> Iterable[object]:
    """What a change of the item, or a call of it, would reach."""
    if isinstance(item, MethodType | BuiltinFunctionType):
        return () if isinstance(item.__self__, ModuleType) else (item.__self__,)
    base = getattr(item, "base", None) if _is_array(item) else None
    return () if base is None else (base,)


def _attributes(item: object) -> dict[str, object] | None:
    """Those of an instance that is no code and stands for no other value. Asks nothing of the user's own code."""
    if not type(item).__dictoffset__ or issubclass(type(item), (*_CODE, enum.Enum, BaseException)):
        return None
    try:
        found = object.__getattribute__(item, "__dict__")
    except AttributeError:  # of a type in C, such as asyncio's futures and, from Python 3.12 on, type variables
        return None
    return found if type(found) is dict else None


def _is_array(item: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(item, numpy.ndarray)


def _is_empty_tuple(item: object) -> bool:
    # There is only one. (Arrays and frames cannot be compared with it.)
    return type(item) is tuple and not item
