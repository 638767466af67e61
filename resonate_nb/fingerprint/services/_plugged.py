"""What the user has plugged into a service, or derived from one: it counts by its code and by what that only reads.

A transport, a hook, a row factory, a method that was replaced on an instance. What such code changes itself (a list of
the requests it has seen) is its state, which does not count, as the state of the service does not.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from operator import is_
from threading import local
from types import BuiltinFunctionType, CodeType, FunctionType, MemberDescriptorType, MethodType
from typing import Any

from ...errors import UnfingerprintableError
from .._kinds import names_of
from .._package import Origin, is_importable, origin_of_function, origin_of_module
from ..values._scalars import text
from ._credentials import is_credential

Plugged = tuple[str, str, bytes]
"""Where it is plugged in, its name, and its digest."""

code_of: Callable[[object], tuple[bytes, frozenset[str]]] = repr  # type: ignore[assignment]
"""Of a function or class: its code with the data that this reads and does not change; and what it changes, by name.
`_tokens` sets it, which stands above."""
content_of: Callable[[object], tuple[bytes, frozenset[str]]] = repr  # type: ignore[assignment]
"""Of any value: its fingerprint, and nothing. `_tokens` sets it."""

_CODE = (type, FunctionType, BuiltinFunctionType, MethodType, functools.partial, type(functools.cache(len)))
_CHANGING = frozenset(
    """
    add append appendleft clear discard extend extendleft insert pop popitem popleft put put_nowait remove reverse
    rotate setdefault sort update write writelines
    """.split()  # noqa: SIM905 (a table of words)
)
_MOST_PATCHED = 3
"""Services inside of services that are looked into for methods that were replaced: `client.chat.completions`."""
_MOST_CLASSES = 1_024
_replaced: dict[type, tuple[tuple[object, ...], tuple[tuple[str, FunctionType], ...]]] = {}
"""Of a class its members when they were looked at, and which of them are the user's."""
_asking = local()
"""`things`: the plugged-in code that this thread is reading right now: it may well use the service itself."""


def pieces(where: str, thing: Any) -> Iterator[Plugged]:
    """What is plugged in at a place: by its code where it is the user's, by name where it is a package's."""
    kind = type(thing)
    if thing is None or issubclass(kind, str) or kind is object:
        return
    if issubclass(kind, dict):
        for name, part in dict.items(thing):
            yield from pieces(f"{where}[{name!r}]" if type(name) is str else where, part)
    elif kind in (list, tuple):
        for part in thing:
            yield from pieces(where, part)
    elif issubclass(kind, _CODE):
        home, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
        shown = str(name or kind.__qualname__)
        if home and origin_of_module(home) is not Origin.USER and is_importable(thing, home, name):
            # What makes the rows is seen in the results; the hooks of a package are its own affair.
            if where.endswith("_factory"):
                yield where, shown, text(f"{home}.{name}")
        else:
            yield where, shown, _guarded(code_of, thing)[0]
    elif _is_users(kind):
        digest, changed = _guarded(code_of, kind)
        yield where, kind.__qualname__, digest
        for name, part in own_attributes([owner for owner in kind.__mro__ if _is_users(owner)], thing):
            if name not in changed:
                yield where, kind.__qualname__, text(name) + b"=" + _guarded(content_of, part)[0]
    elif kind.__qualname__ == "MockTransport":
        yield from pieces(where, names_of(thing).get("handler"))


def patches(value: object, is_service: Callable[[type], bool]) -> Iterator[Plugged]:
    """Methods that the user has replaced: in the package's classes, on an instance, on the services that it holds."""
    for owner in type(value).__mro__[:-1]:
        for name, function in _replaced_in(owner):
            yield name, function.__qualname__, _guarded(code_of, function)[0]
    # Breadth first, each once: the parts of a client often know the client.
    met, level = {id(value)}, [("", value)]
    for _ in range(_MOST_PATCHED + 1):
        below: list[tuple[str, object]] = []
        for where, holder in level:
            for name, part in list(names_of(holder).items()):
                if isinstance(part, FunctionType):
                    # In the place of a method: the target of a thread is state, and gone when that has run.
                    is_method = any(name in vars(owner) for owner in type(holder).__mro__)
                    if is_method and origin_of_function(part) is Origin.USER:
                        yield where + name, part.__qualname__, _guarded(code_of, part)[0]
                elif id(part) not in met and is_service(type(part)):
                    met.add(id(part))
                    below.append((f"{where}{name}.", part))
        level = below


def _replaced_in(cls: type) -> tuple[tuple[str, FunctionType], ...]:
    members = vars(cls)
    known = _replaced.get(cls)
    if known is None or len(known[0]) != len(members) or not all(map(is_, known[0], members.values())):
        found: tuple[tuple[str, FunctionType], ...] = ()
        if not _is_users(cls):
            functions = ((name, getattr(member, "__func__", member)) for name, member in members.items())
            found = tuple(
                (name, function)
                for name, function in functions
                if isinstance(function, FunctionType) and origin_of_function(function) is Origin.USER
            )
        if len(_replaced) >= _MOST_CLASSES:
            _replaced.clear()
        known = _replaced[cls] = (tuple(members.values()), found)
    return known[1]


def _guarded(of: Callable[[object], tuple[bytes, frozenset[str]]], thing: object) -> tuple[bytes, frozenset[str]]:
    things: set[int] = _asking.__dict__.setdefault("things", set())
    if id(thing) in things:
        return b"itself", frozenset()
    things.add(id(thing))
    try:
        return of(thing)
    except UnfingerprintableError:
        return b"unknown", frozenset()
    finally:
        things.discard(id(thing))


@functools.lru_cache(maxsize=1_024)
def changed_in(label: str, source: str) -> frozenset[str]:
    """The names of variables and attributes that a function of this source binds elsewhere, or changes in place.

    What `__init__` sets on its object is no change.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # of a class, whose methods have sources of their own
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=method, value=thing)) if method in _CHANGING:
                found |= _last_name(thing)
            case ast.Subscript(ctx=ast.Store() | ast.Del(), value=thing):
                found |= _last_name(thing)
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if label.rpartition(".")[2] != "__init__":
                found.add(node.attr)
            case ast.Global() | ast.Nonlocal():
                found.update(node.names)
    return frozenset(found)


def _last_name(node: ast.expr) -> set[str]:
    match node:
        case ast.Name():
            return {node.id}
        case ast.Attribute():
            return {node.attr}
    return set()


def own_attributes(own: Sequence[type], value: object) -> list[tuple[str, object]]:
    """What the code of the user's own classes sets on an instance, credentials aside; not what a package sets too."""
    if not own:
        return []
    names = names_of(value)
    stored = {name for owner in own for name in _stored_by(owner)}
    for owner in type(value).__mro__:
        if owner not in own:
            stored -= _stored_by(owner)
    found = [(name, names[name]) for name in sorted(stored & names.keys())]
    for owner in own:
        for name, slot in sorted(vars(owner).items()):
            if isinstance(slot, MemberDescriptorType):
                with suppress(AttributeError):  # it is not set
                    found.append((name, slot.__get__(value)))
    return [(name, part) for name, part in found if not is_credential(name)]


def _is_users(cls: type) -> bool:
    return origin_of_module(str(cls.__module__)) is Origin.USER


def _stored_by(cls: type) -> frozenset[str]:
    """The names of attributes that the methods of a class assign, of whatever object."""
    found = frozenset[str]()
    for member in vars(cls).values():
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            found |= _stored_in(function.__code__)
    return found


@functools.lru_cache(maxsize=4_096)
def _stored_in(code: CodeType) -> frozenset[str]:
    from opcode import opmap  # few derive classes of their own

    found, extended = set(), 0
    for operation, argument in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        extended = (extended << 8) | argument
        if operation == opmap["STORE_ATTR"]:
            found.add(code.co_names[extended])
        if operation != opmap["EXTENDED_ARG"]:
            extended = 0
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(found).union(*(_stored_in(part) for part in inner))
