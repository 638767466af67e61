"""What a live object is by its type alone, and what it keeps, past all that it says of itself.

`isinstance` asks the object as well, and `getattr` runs its code. A wrapper says that it is the function that it wraps,
a proxy may stand for nothing yet and raise: neither may hide what it is, nor end the walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard, TypeVar

_Kind = TypeVar("_Kind")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def is_a(value: object, kind: type[_Kind]) -> TypeGuard[_Kind]:
    """Whether an object is of a kind, or of one derived from it."""
    return issubclass(type(value), kind)


def names_of(value: object) -> Mapping[str, Any]:
    """The attributes that an object, class or module keeps itself; none where they cannot be had."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:  # there are none, or its class says itself what they are, and raises
        return _NOTHING
    return found if type(found) in (dict, MappingProxyType) else _NOTHING


def function_of(value: Any) -> Any:
    """The function behind a static or class method; all else as it is."""
    return value.__func__ if is_a(value, staticmethod) or is_a(value, classmethod) else value
