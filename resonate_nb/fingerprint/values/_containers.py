"""Builtin containers and the small things around them that hold other values.

The order of a dict counts, since the code that gets it can see it; the order of a set does not. A list of nothing but
builtin scalars is written in one go: a million integers must not take a million steps.
"""

from __future__ import annotations

import functools
import gc
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection
from typing import Any

from ._scalars import atoms, text
from ._walk import CONTENT, KEY, Attribute, Children, Handler, Refusal, Walk


def sequence(walk: Walk, tag: bytes, items: Collection[Any]) -> Children | None:
    """Write items in their order, in one go where they are all builtin scalars."""
    flat = atoms(items, set(map(type, items)))
    if flat is not None:
        walk.pen.blob(tag, flat)
        return None
    walk.pen.head(tag, len(items))
    return enumerate(items)


def mapping(walk: Walk, tag: bytes, items: dict[Any, Any]) -> Children | None:
    """Write keys and values in the order of the dict."""
    flat = atoms(items, {*map(type, items), *map(type, items.values())})
    if flat is not None:
        walk.pen.blob(tag, flat)
        return None
    walk.pen.head(tag, len(items))
    return _items(walk, items)


def attributes(walk: Walk, names: dict[str, Any]) -> Children:
    """Write attributes with their values, in the order in which they were set."""
    walk.pen.head(b"attributes", len(names))
    for name, value in names.items():
        if type(name) is str:
            walk.pen.blob(b"s", text(name))
        else:
            yield KEY, name
        yield Attribute(name), value


def _items(walk: Walk, items: dict[Any, Any]) -> Children:
    for key, value in items.items():
        if type(key) is str:
            walk.pen.blob(b"s", text(key))
        else:
            yield KEY, key
        yield key, value


def _list(walk: Walk, value: list[Any]) -> Children | None:
    return None if walk.met(value) else sequence(walk, b"list", value)


def _tuple(walk: Walk, value: tuple[Any, ...]) -> Children | None:
    flat = atoms(value, set(map(type, value)))
    if flat is not None:
        walk.pen.blob(b"tuple", flat)
        return None
    return walk.sealed(value, b"tuple", _counted(walk, value))


def _counted(walk: Walk, value: tuple[Any, ...]) -> Children:
    walk.pen.head(b"n", len(value))
    yield from enumerate(value)


def _dict(walk: Walk, value: dict[Any, Any]) -> Children | None:
    return None if walk.met(value) else mapping(walk, b"dict", value)


def _set(walk: Walk, value: set[Any]) -> Children | None:
    return None if walk.met(value) else _unordered(walk, b"set", value)


def _frozenset(walk: Walk, value: frozenset[Any]) -> Children | None:
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= {str, int, bytes}:
        return _unordered(walk, b"frozenset", value)
    return walk.sealed(value, b"frozenset", walk.members(b"n", list(value)))


def _unordered(walk: Walk, tag: bytes, value: set[Any] | frozenset[Any]) -> Children | None:
    kinds = set(map(type, value))
    if len(kinds) == 1 and kinds <= {str, int, bytes}:
        return sequence(walk, tag, sorted(value))
    return walk.members(tag, list(value))


def _deque(walk: Walk, value: deque[Any]) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.head(b"deque", 0 if value.maxlen is None else value.maxlen + 1)
    return sequence(walk, b"items", list(value))


def _ordered(walk: Walk, value: OrderedDict[Any, Any]) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"ordered;")
    return _with_attributes(walk, dict(value), vars(value))


def _counter(walk: Walk, value: Counter[Any]) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"counter;")
    return _with_attributes(walk, dict(value), vars(value))


def _with_attributes(walk: Walk, items: dict[Any, Any], names: dict[str, Any]) -> Children:
    yield from mapping(walk, b"dict", items) or ()
    yield from attributes(walk, names)


def _defaultdict(walk: Walk, value: defaultdict[Any, Any]) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"defaultdict;")
    return _defaulting(walk, value)


def _defaulting(walk: Walk, value: defaultdict[Any, Any]) -> Children:
    yield Attribute("default_factory"), value.default_factory
    yield from mapping(walk, b"dict", value) or ()


def _proxy(walk: Walk, value: types.MappingProxyType[Any, Any]) -> Children:
    walk.pen.write(b"mappingproxy;")
    # The mapping behind the proxy itself, not a copy of it: whoever holds both sees a change through both.
    (behind,) = gc.get_referents(value)
    if isinstance(behind, types.GenericAlias) or not hasattr(type(behind), "keys"):
        raise Refusal("the mapping behind it cannot be had")
    return iter(((CONTENT, behind),))


def _view(walk: Walk, value: Any) -> Children:
    """Keys, values or items of a dict: the dict behind, which shows through it."""
    walk.pen.blob(b"view", type(value).__name__.encode())
    (behind,) = gc.get_referents(value)
    return iter(((CONTENT, behind),))


def _namespace(walk: Walk, value: types.SimpleNamespace) -> Children | None:
    if walk.met(value):
        return None
    walk.pen.write(b"namespace;")
    return attributes(walk, vars(value))


def _partial(walk: Walk, value: functools.partial[Any]) -> Children:
    walk.pen.write(b"partial;")
    return _bound(walk, value)


def _bound(walk: Walk, value: functools.partial[Any]) -> Children:
    yield Attribute("func"), value.func
    yield Attribute("args"), value.args
    yield Attribute("keywords"), value.keywords
    # It has a number only where something was set on it, which may lead back to it.
    if not vars(value) or not walk.met(value):
        yield from attributes(walk, vars(value))


def _views(value: dict[Any, Any]) -> tuple[Callable[[], object], ...]:
    return value.keys, value.values, value.items


HANDLERS: dict[type, Handler] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
    deque: _deque,
    OrderedDict: _ordered,
    Counter: _counter,
    defaultdict: _defaultdict,
    types.MappingProxyType: _proxy,
    types.SimpleNamespace: _namespace,
    **{type(view()): _view for kind in (dict, OrderedDict) for view in _views(kind())},
    functools.partial: _partial,
}
