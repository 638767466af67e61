"""Code as a value (functions, classes, modules), enum members, and instances of the user's own classes.

Code counts by what `reach` says of it. An instance counts by its class, the builtin content it inherits, its
`__dict__` in the order in which it was filled (code that gets it can see that order), and the slots of all bases.
A class whose instances keep state in C that no attribute shows is refused.
"""

from __future__ import annotations

import datetime
import enum
import re
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from .._package import Origin, is_drawing, origin_of_function, origin_of_module
from ._containers import attributes as _attributes
from ._scalars import text
from ._walk import CONTENT, Attribute, Children, Handler, Refusal, Walk

_POINTER_BYTES = tuple.__itemsize__

_DEFAULT_FACTORY: Any = vars(defaultdict)["default_factory"]
_MAXLEN: Any = vars(deque)["maxlen"]

# The content that a subclass of a builtin inherits, as an exact builtin, read past anything the subclass overrides.
_CONTENT: dict[type, Callable[[Any], object]] = {
    bool: lambda value: value,
    int: int.__int__,
    float: float.__float__,
    complex: complex.__complex__,
    str: str.__str__,
    bytes: bytes.__bytes__,
    bytearray: lambda value: bytearray.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    list: lambda value: list.__getitem__(value, slice(None)),
    dict: lambda value: dict(dict.items(value)),
    set: lambda value: set().union(value),
    frozenset: lambda value: frozenset().union(value),
    OrderedDict: lambda value: list(OrderedDict.items(value)),
    Counter: lambda value: dict(dict.items(value)),
    defaultdict: lambda value: (_DEFAULT_FACTORY.__get__(value), dict(dict.items(value))),
    deque: lambda value: deque(deque.__iter__(value), _MAXLEN.__get__(value)),
    datetime.datetime: lambda value: datetime.datetime.__reduce_ex__(value, 4)[1],
    datetime.date: lambda value: datetime.date.__reduce_ex__(value, 4)[1],
    datetime.time: lambda value: datetime.time.__reduce_ex__(value, 4)[1],
    datetime.timedelta: lambda value: datetime.timedelta.__reduce__(value)[1],
    partial: lambda value: partial.__reduce__(value)[2][:3],
}

_IMMUTABLE = frozenset(
    (
        int,
        float,
        complex,
        str,
        bytes,
        tuple,
        frozenset,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
    )
)

# The same for classes whose modules are not imported for this. (The slots of a path are caches, filled as it is used.)
_NAMED_CONTENT: dict[str, Callable[[Any, Any], object]] = {
    "decimal.Decimal": lambda base, value: tuple(base.as_tuple(value)),
    "pathlib.PurePath": lambda base, value: base.__str__(value),
    "pathlib._local.PurePath": lambda base, value: base.__str__(value),
}

# Modules whose objects have their state elsewhere, however plain they look.
_ELSEWHERE = frozenset(("weakref", "threading", "subprocess", "tempfile", "multiprocessing", "concurrent", "asyncio"))

# Classes of the standard library that are written in Python and keep all their state in attributes. Named one by one:
# others there (weakref.finalize, subprocess.Popen) look just as plain and have their state elsewhere.
_PLAIN = frozenset(
    (
        "argparse.Namespace",
        "collections.ChainMap",
        "collections.UserDict",
        "collections.UserList",
        "collections.UserString",
        "ipaddress.IPv4Address",
        "ipaddress.IPv4Interface",
        "ipaddress.IPv4Network",
        "ipaddress.IPv6Address",
        "ipaddress.IPv6Interface",
        "ipaddress.IPv6Network",
        "string.Template",
    )
)


def code(walk: Walk, value: object) -> None:
    """Write a class, module or builtin by what the code part of this room says of it."""
    walk.token(value)


def _function(walk: Walk, value: types.FunctionType) -> Children | None:
    walk.token(value)
    # What a caller can read of a function beside its code. Those of installed packages count by name alone, and
    # ours (the wrapper that `durable` makes) hold the engine.
    names = vars(value)
    if names and origin_of_function(value) is Origin.USER:
        return _function_attributes(walk, value, names)
    return None


def _function_attributes(walk: Walk, value: types.FunctionType, names: dict[str, Any]) -> Children:
    if not walk.met(value):
        walk.pen.head(b"attributes", len(names))
        for name in sorted(names):
            walk.pen.blob(b"s", text(name))
            yield Attribute(name), names[name]


def _method(walk: Walk, value: types.MethodType) -> Children | None:
    if is_drawing(value):
        walk.token(value)
        return None
    walk.pen.write(b"method;")
    return iter(((Attribute("__func__"), value.__func__), (Attribute("__self__"), value.__self__)))


def _builtin(walk: Walk, value: types.BuiltinFunctionType | types.MethodWrapperType) -> Children | None:
    owner = value.__self__
    if owner is None or isinstance(owner, (types.ModuleType, type)) or is_drawing(value):
        walk.token(value)
        return None
    walk.pen.blob(b"builtinmethod", text(value.__name__))
    return iter(((Attribute("__self__"), owner),))


def enum_member(walk: Walk, value: enum.Enum) -> Children | None:
    """Write a member by its class, name and value, and whatever else was set on it."""
    return walk.sealed(value, b"enum", _enum_parts(walk, value))


def _enum_parts(walk: Walk, value: enum.Enum) -> Children:
    walk.token(type(value))
    yield Attribute("name"), value._name_
    yield Attribute("value"), value._value_
    base = content_base(type(value))
    if base is not object:
        yield CONTENT, _content(base, value)
    names = object.__getattribute__(value, "__dict__")
    extra = [name for name in names if name not in _ENUM_OWN and not (name[:1] == "_" and name[-1:] == "_")]
    walk.pen.head(b"attributes", len(extra))
    for name in sorted(extra):
        walk.pen.blob(b"s", text(name))
        yield Attribute(name), names[name]


_ENUM_OWN = frozenset(("_value_", "_name_", "__objclass__", "_sort_order_"))


def instance_of(cls: type) -> Handler:
    """The handler for instances of a class whose state is all in attributes, slots and inherited builtin content.

    Raises Refusal where it is not.
    """
    base = content_base(cls)
    slots = _slots(cls)
    reason = hidden_state(cls)
    if reason:
        raise Refusal(reason)
    if any(type(vars(owner).get("__dict__")) not in _DICTS for owner in cls.__mro__):
        raise Refusal("its class says itself what its __dict__ is")
    slots = tuple((owner, slot) for owner, slot in slots if owner not in base.__mro__)

    # A named tuple, a `str` with methods: nothing of it can change, so it does not count by identity.
    is_immutable = base in _IMMUTABLE and not slots and cls.__dictoffset__ == 0

    def write(walk: Walk, value: object) -> Children | None:
        if is_immutable:
            return walk.sealed(value, b"value", parts(walk, value))
        if walk.met(value):
            return None
        walk.pen.write(b"instance;")
        return parts(walk, value)

    def parts(walk: Walk, value: object) -> Children:
        walk.token(cls)
        if base is not object:
            yield CONTENT, _content(base, value)
        names = _dict_of(value)
        yield from _attributes(walk, names if walk.filled is None else walk.filled.without(value, names))
        for owner, slot in slots:
            walk.pen.blob(b"slot", text(f"{owner.__qualname__}.{slot.__name__}"))
            try:
                part = slot.__get__(value)
            except AttributeError:
                walk.pen.write(b"unset;")
            else:
                yield Attribute(slot.__name__), part

    return write


_DICTS = (types.NoneType, types.GetSetDescriptorType)
"""What a class has under `__dict__` where it leaves that to Python."""


def _dict_of(value: object) -> dict[str, Any]:
    # Past any `__getattribute__` of the class: no code of the user's runs here.
    try:
        names = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    if type(names) is not dict:
        raise Refusal("its __dict__ is not a dict")
    return names


def _slots(cls: type) -> tuple[tuple[type, types.MemberDescriptorType], ...]:
    """The slots of all bases written in Python, most basic class first."""
    return tuple(
        (owner, slot)
        for owner in reversed(cls.__mro__)
        if "__slots__" in vars(owner)
        for _, slot in sorted(vars(owner).items())
        if isinstance(slot, types.MemberDescriptorType)
    )


def content_base(cls: type) -> type:
    """The builtin whose content instances of this class carry; `object` where there is none."""
    return next((owner for owner in cls.__mro__ if owner in _CONTENT or name_of(owner) in _NAMED_CONTENT), object)


def _content(base: type, value: object) -> object:
    read = _CONTENT.get(base)
    return read(value) if read is not None else _NAMED_CONTENT[name_of(base)](base, value)


def name_of(cls: type) -> str:
    """Module and name of a class that its module has under that name; empty for others."""
    module, name = cls.__module__, cls.__qualname__
    return f"{module}.{name}" if getattr(sys.modules.get(module), "__dict__", {}).get(name) is cls else ""


def attributes_of(value: object) -> dict[str, object]:
    """The attributes and filled slots of an object by name, read past anything that its class overrides."""
    found: dict[str, object] = dict(_dict_of(value))
    for _, slot in _slots(type(value)):
        try:
            found[slot.__name__] = slot.__get__(value)
        except AttributeError:
            pass  # it is not filled
    return found


def elsewhere(cls: type) -> str:
    """Why nothing that can be read of its objects is all of their state; empty where that is not known."""
    for owner in cls.__mro__:
        if owner.__module__.partition(".")[0] in _ELSEWHERE:
            return f"it is a {owner.__module__}.{owner.__qualname__}, whose state is more than its attributes"
    return ""


def hidden_state(cls: type, base: type | None = None) -> str:
    """Why attributes, slots and inherited content do not show all of an instance's state; empty when they do.

    The arithmetic is that of `object.__reduce_ex__`: whatever the memory layout holds beyond the base's, the dict,
    the weak reference list and the slots is state that no attribute shows.
    """
    reason = elsewhere(cls)
    if reason:
        return reason
    base = base or content_base(cls)
    known = base.__basicsize__ + _POINTER_BYTES * (
        (_has_dict_pointer(cls) > _has_dict_pointer(base))
        + (cls.__weakrefoffset__ > 0 >= base.__weakrefoffset__)
        + sum(owner not in base.__mro__ for owner, _ in _slots(cls))
    )
    if cls.__basicsize__ > known or cls.__itemsize__ > base.__itemsize__:
        return "it keeps state in C that no attribute shows"
    return ""


def _has_dict_pointer(cls: type) -> bool:
    # Other negative offsets stand for a dict that is kept in front of the object, outside of its size.
    return cls.__dictoffset__ > 0 or cls.__dictoffset__ == -_POINTER_BYTES


def is_plain(cls: type) -> bool:
    """Whether this is a class of the standard library known to keep all its state in attributes."""
    return name_of(cls) in _PLAIN


def is_of_wrapt(cls: type) -> bool:
    """Whether objects of a class are what the package wrapt makes of functions, which say that they are those."""
    if "wrapt" not in sys.modules:
        return False
    return {"ObjectProxy", "_FunctionWrapperBase"} <= {owner.__name__ for owner in cls.__mro__}


def is_users_class(cls: type) -> bool:
    """Whether a class is the user's: of the notebook, or of a source file outside installed packages."""
    return origin_of_module(cls.__module__) is Origin.USER


def _mark(walk: Walk, value: object) -> None:
    """An `object()` has no content; one that a module of the user's keeps, to compare with, is what it is called there.

    By all its names: of two that a third name may stand for, either has that one or has not.
    """
    for module in _users_modules(len(sys.modules)):
        kept = getattr(sys.modules.get(module), "__dict__", {})
        names = [name for name, found in list(kept.items()) if found is value]
        if names := sorted(name for name in names if not _SHOWN.fullmatch(name)):
            walk.pen.blob(b"mark", text(f"{module}: {' '.join(names)}"))
            return
    raise Refusal("it has no content, only an identity")


@lru_cache(maxsize=1)
def _users_modules(_: int) -> list[str]:
    """The names of modules that are the user's own, asked for again when there are more modules or fewer."""
    return [name for name in ("__main__", *sys.modules) if origin_of_module(name) is Origin.USER]


_SHOWN = re.compile(r"_(?:\d+|_{0,2})")
"""What a notebook calls what a cell has shown last."""

HANDLERS: dict[type, Handler] = {
    object: _mark,
    types.FunctionType: _function,
    types.BuiltinFunctionType: _builtin,
    types.MethodType: _method,
    types.ModuleType: code,
    types.MethodDescriptorType: code,
    types.WrapperDescriptorType: code,
    types.ClassMethodDescriptorType: code,
    types.GetSetDescriptorType: code,
    types.MemberDescriptorType: code,
    types.MethodWrapperType: _builtin,
    type(lru_cache(code)): code,
    staticmethod: code,
    classmethod: code,
    property: code,
    type: code,
}
