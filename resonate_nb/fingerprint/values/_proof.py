"""Whether what pickle makes of some objects says all of them: shown by a copy, for each content once in a process.

A copy must read the same as the object it was made of, or the digest would be another after a restart. And nothing
that the object holds may be missing in the pickle: two objects that differ in it would pass for the same.

Functions, classes and modules are handed on as they are, so that the copy is one of data. The copy is made in memory
and dropped at once; what its class does when one is unpickled is all that happens besides.
"""

from __future__ import annotations

import io
import marshal
import pickle
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from ._instances import attributes_of
from ._reduced import reduced
from ._walk import Claim, Refusal

_HANDED_ON = (FunctionType, BuiltinFunctionType, ModuleType, type)
_NO_CONTENT = frozenset(("lock", "RLock", "Logger", "RootLogger", "local", "NoneType"))
_ABSENT = object()

Digest = Callable[[object], bytes | None]


def flaw(values: list[object], is_told: Callable[[type], bool], digest: Digest) -> dict[int, str]:
    """What stands against counting these objects by what pickle makes of them: by `id`, empty where nothing does.

    Args:
        values: the objects, none of them twice.
        is_told: whether values of a type count by what the user says, whatever pickle makes of them.
        digest: the digest of one value by itself, None where something in it has none.
    """
    try:
        copies = _copied(values, is_told)
        read = digest(values)
        if read is not None and read == digest(copies):
            return _lost(values, copies, digest)
    except Exception:
        if len(values) == 1:
            return {id(values[0]): _reason_of(values[0], is_told)}
    if len(values) == 1:
        return {id(values[0]): "a copy of it made by pickle reads otherwise: it has no stable content"}
    # One by one: which is it?
    for value in values:
        found = flaw([value], is_told, digest)
        if found:
            return found
    return {id(value): "copies of it and of others beside it made by pickle read otherwise" for value in values}


def left_out(claims: list[Claim], digest: Digest) -> tuple[object, ...]:
    """The attributes of objects that what pickle makes of them does not hold as they are, by name and content.

    Of two objects that read the same one may be whole and the other not. None are told of classes that say themselves
    when two objects are equal: what they leave out is a cache.
    """
    found: list[object] = []
    for value, made in claims:
        attributes = {} if _compares_all(type(value)) else attributes_of(value)
        written = _named_state(made)[0] if attributes else {}
        for name, mine in attributes.items():
            if written.get(name, _ABSENT) is not mine:
                found += (name, digest(mine) or type(mine))
    return tuple(found)


def code_of(thing: object) -> bytes:
    """What a piece of code is to one process; functions that a package makes anew for each object are equal."""
    if type(thing) is FunctionType and not (thing.__closure__ or thing.__defaults__ or thing.__kwdefaults__):
        return marshal.dumps(thing.__code__)
    if type(thing) is BuiltinFunctionType:  # bound anew each time it is asked for
        return b"%d %b" % (id(thing.__self__), thing.__name__.encode())
    return b"%d" % id(thing)


def _reason_of(value: object, is_told: Callable[[type], bool]) -> str:
    try:
        _copied([value], is_told)
    except Exception as error:
        return f"it cannot be pickled and read again ({type(error).__name__}: {error})"
    return "it could not be pickled and read again"


def _copied(values: list[object], is_told: Callable[[type], bool]) -> list[object]:
    kept: list[object] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> int | None:
            if isinstance(value, _HANDED_ON) or is_told(type(value)):
                kept.append(value)
                return len(kept) - 1
            return None

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, number: int) -> object:
            return kept[number]

    written = io.BytesIO()
    Pickler(written, 5).dump(values)
    written.seek(0)
    found: list[object] = Unpickler(written).load()
    return found


def _lost(values: list[object], copies: list[object], digest: Digest) -> dict[int, str]:
    for value, copy in zip(values, copies, strict=True):
        reason = _difference(value, copy, digest)
        if reason:
            return {id(value): reason}
    return {}


def _difference(value: Any, copy: Any, digest: Digest) -> str:
    """What a copy lacks of an object; empty where it is whole."""
    is_equal = _says_equal(copy, value)
    if is_equal is False and _says_equal(value, value) is True:
        return "a copy of it made by pickle is not equal to it"
    if is_equal and _compares_all(type(value)):
        return ""  # what pickle leaves out is a cache
    written, is_opaque = _named_state(_made_of(value))
    theirs = attributes_of(copy)
    for name, mine in attributes_of(value).items():
        given = written.get(name, _ABSENT)
        if given is mine or type(mine).__name__ in _NO_CONTENT:
            continue
        found = digest(mine) if name in theirs else None
        if name in theirs and theirs[name] is mine:
            continue
        if found is not None and found == digest(theirs[name]):
            continue
        # A handle cannot be read. It is made anew from what stands for it: in its place, or in all that is written.
        stands_for_it = is_opaque or not written or _is_something(given)
        if found is None and name in theirs and stands_for_it:
            continue
        return f"pickle leaves out its attribute {name!r}"
    return ""


def _is_something(given: object) -> bool:
    is_blank = given is _ABSENT or given is None or (type(given) in _CONTAINERS and not given)
    return not is_blank


_CONTAINERS = frozenset((str, bytes, bytearray, tuple, list, dict, set, frozenset))


def _made_of(value: object) -> object:
    try:
        return reduced(value)
    except Refusal:
        return ""


def _named_state(made: Any) -> tuple[dict[str, object], bool]:
    """The attributes that a pickle writes by name; and whether it has a state in a form of its own besides."""
    state = None if isinstance(made, str) else made[2]
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    found: dict[str, object] = {}
    for part in parts:
        if isinstance(part, dict):
            found.update(part)
    return found, not all(part is None or isinstance(part, dict) for part in parts)


def _says_equal(one: Any, other: Any) -> bool | None:
    """What the class says of two of its objects; None where it leaves that to their identity, or gives no answer."""
    if getattr(type(one), "__eq__", None) is getattr(object, "__eq__", None):
        return None
    try:
        found = one == other
    except Exception:
        return None
    return found if isinstance(found, bool) else None


_WITHOUT_ATTRIBUTES = frozenset(("collections", "collections.abc", "_collections_abc"))


def _compares_all(cls: type) -> bool:
    """Whether the author has written down when two objects are equal, so that what he leaves out does not count.

    A dict with attributes does not compare them, nor does a mapping; a dataclass may leave fields out.
    """
    compare = getattr(cls, "__eq__", None)
    if type(compare) is not FunctionType or compare.__module__ in _WITHOUT_ATTRIBUTES:
        return False
    fields: dict[str, Any] = getattr(cls, "__dataclass_fields__", {})
    return all(field.compare for field in fields.values())
