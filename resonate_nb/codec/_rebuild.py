"""What a stored pickle calls when functions and classes of the notebook come back.

The names and argument orders of `take`, `finish`, `code`, `cached` and `named_tuple` are part of the stored format: a
stream names them. Add new ones beside them; never rename or change these.

A class or function that the session has again, by the same name and with the same code, is taken from the session:
`type(value) is P` holds after a restart, functions see the live globals, and a class cell that merely ran again does
not split its instances. Otherwise it is rebuilt as it was stored.
"""

from __future__ import annotations

import os
import sys
from _blake2 import blake2b  # what hashlib gives, which loads OpenSSL besides
from collections import namedtuple
from collections.abc import Callable
from functools import cached_property, lru_cache
from inspect import get_annotations
from types import CodeType, FunctionType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary


def find(name: str) -> object | None:
    """What ``__main__`` holds now under a qualified name; None when it holds nothing."""
    found: Any = sys.modules.get("__main__")
    for part in name.split("."):
        # `vars`, not `getattr`: a lookup must not run properties or inherit from a base class.
        found = getattr(found, "__dict__", {}).get(part)
    return found  # type: ignore[no-any-return]


def shape(thing: object) -> str:
    """A digest of the code of a function or class, without line numbers and without data.

    Equal in every process of one Python minor version. Attribute values of a class do not count, as they do not for a
    plain pickle: the live class has the last word on its own state.
    """
    digest = blake2b(digest_size=16)
    for item in _describe(thing):
        data = item.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def take(name: str, digest: str, mark: str, make: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The function or class that this session already has, else a new one, still empty.

    `name` and `digest` find what the user's cells have defined again (`name` is empty for what has no name of its
    own); `mark` finds a class that was stored or rebuilt in this process before, so that its instances agree.
    """
    live = find(name) if name else None
    if isinstance(live, (FunctionType, type)) and shape(live) == digest:
        return live
    if mark and (known := _classes.get(mark)) is not None:
        return known
    made = make(*args)
    _empty.add(made)
    return made


def finish(obj: Any, state: tuple[str, Callable[[Any, Any], Any], Any]) -> None:
    """Fill what `take` made; what the session had before is left as it is, with its own attributes and globals."""
    mark, fill, inner = state
    if obj not in _empty:
        return
    fill(obj, inner)
    _empty.discard(obj)
    if mark:
        # Known from now on only: another thread must not be handed a half-filled class.
        _classes.setdefault(mark, obj)
        _marks.setdefault(obj, mark)


def mark_of(kind: type) -> str:
    """The lasting mark of a class that is stored by value."""
    mark = _marks.setdefault(kind, os.urandom(16).hex())
    _classes.setdefault(mark, kind)
    return mark


def cached(parameters: dict[str, Any], function: Any) -> Any:
    """A function under `functools.lru_cache`, its cache empty."""
    return lru_cache(**parameters)(function)


def named_tuple(module: str, name: str, fields: tuple[str, ...], defaults: tuple[Any, ...]) -> type:
    """A class of named tuples that its module made at run time and keeps under no name; one class for equal ones."""
    key = (module, name, fields)
    if not defaults and (known := _named_tuples.get(key)) is not None:
        return known
    made = namedtuple(name, fields, rename=True, defaults=defaults, module=module)  # type: ignore[misc]
    return made if defaults else _named_tuples.setdefault(key, made)


_named_tuples: WeakValueDictionary[tuple[str, str, tuple[str, ...]], type] = WeakValueDictionary()
_empty: WeakSet[Any] = WeakSet()
_classes: WeakValueDictionary[str, Any] = WeakValueDictionary()
_marks: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def code(python: tuple[int, int], args: tuple[Any, ...]) -> CodeType:
    """A code object, refused under another Python: its bytecode would crash the interpreter."""
    if python != sys.version_info[:2]:
        raise ValueError(f"it holds code compiled by Python {python[0]}.{python[1]}")
    return CodeType(*args)


def _describe(thing: object) -> list[str]:
    if isinstance(thing, FunctionType):
        arity = f"{len(thing.__defaults__ or ())} {sorted(thing.__kwdefaults__ or ())}"
        return ["function", arity, *_describe_code(thing.__code__)]
    if isinstance(thing, (classmethod, staticmethod)):
        return [type(thing).__name__, *_describe(thing.__func__)]
    if isinstance(thing, property):
        return ["property", *_describe(thing.fget), *_describe(thing.fset), *_describe(thing.fdel)]
    if isinstance(thing, cached_property):
        return ["cached_property", *_describe(thing.func)]
    if isinstance(thing, type):
        return _describe_class(thing)
    return [_name(type(thing))]


def _describe_class(kind: type) -> list[str]:
    members = vars(kind)
    items = ["class", _name(type(kind)), *map(_name, kind.__bases__), repr(members.get("__slots__"))]
    items += sorted(get_annotations(kind))  # the fields of a dataclass
    items += sorted(members.get("_member_names_", ()))  # of an enum
    for name, member in sorted(members.items()):
        if isinstance(member, type):
            # Only classes written inside this one: any other may lead back here.
            if member.__qualname__.startswith(kind.__qualname__ + "."):
                items += [name, *_describe_class(member)]
        elif isinstance(member, (FunctionType, classmethod, staticmethod, property, cached_property)):
            items += [name, *_describe(member)]
    return items


def _describe_code(code: CodeType) -> list[str]:
    items = [
        f"{code.co_argcount} {code.co_posonlyargcount} {code.co_kwonlyargcount} {code.co_flags}",
        repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)),
        code.co_code.hex(),
    ]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            items += _describe_code(constant)
        elif isinstance(constant, frozenset):
            items.append(repr(sorted(map(repr, constant))))  # the order of a set of texts differs per process
        else:
            items.append(repr(constant))
    return items


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
