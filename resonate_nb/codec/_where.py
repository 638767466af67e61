"""Where inside a value an object lies, written as the Python expression that reaches it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

_LIMIT = 200_000
"""Objects looked at before the search gives up: it runs on a failure, in front of a waiting user."""


def path_to(target: object, value: object) -> str:
    """The shortest path from `value` to the very object `target`, e.g. ``['conn']`` or ``.model.lock``.

    Empty when they are the same, or when the search did not come by it. Runs no code of the user's classes.
    """
    if target is value:
        return ""
    waiting: deque[tuple[object, str]] = deque([(value, "")])
    # The objects are kept while their ids count: children of a frame may be made on the way.
    seen: dict[int, object] = {id(value): value}
    while waiting:
        parent, path = waiting.popleft()
        for step, child in _children(parent):
            if child is target:
                return path + step
            if id(child) not in seen and not isinstance(child, (str, bytes, int, float, type(None))):
                if len(seen) >= _LIMIT:
                    return ""
                seen[id(child)] = child
                waiting.append((child, path + step))
    return ""


def _children(value: Any) -> Iterator[tuple[str, object]]:
    # Not `isinstance`: it asks the object for its class, and a proxy may raise.
    kind = type(value)
    # `list(...)` throughout: another thread may be changing the value, which is one way to get here.
    if issubclass(kind, dict):
        for key, item in list(dict.items(value)):
            yield f"[{_short(key)}]", item
        for key in list(dict.keys(value)):
            yield f".keys()[{_short(key)}]", key
    elif issubclass(kind, (list, tuple)):
        for position, item in enumerate(list(value)):
            yield f"[{position}]", item
    elif issubclass(kind, (set, frozenset, deque)):
        for position, item in enumerate(list(value)):
            yield f"[{position}]" if kind is deque else f".{{{_short(item)}}}", item
    elif issubclass(kind, FunctionType):
        yield from _function(value)
    elif issubclass(kind, MethodType):
        yield ".__self__", value.__self__
        yield ".__func__", value.__func__
    elif issubclass(kind, type):
        if value.__module__ == "__main__":
            yield from ((f".{name}", item) for name, item in list(vars(value).items()))
        return
    elif issubclass(kind, (classmethod, staticmethod)):
        yield ".__func__", value.__func__
    elif issubclass(kind, property):
        yield from ((f".{name}", getattr(value, name)) for name in ("fget", "fset", "fdel"))
    elif issubclass(kind, ModuleType):
        return
    elif _is_object_array(value):
        for position, item in enumerate(value.ravel().tolist()):
            yield f"[{position}]", item
    else:
        yield from _frame(value)
    yield from _attributes(value)


def _function(function: FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f".<closure {name}>", cell.cell_contents
        except ValueError:  # an empty cell: the name is not bound yet
            continue
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield f".<global {name}>", function.__globals__[name]
    for position, item in enumerate(function.__defaults__ or ()):
        yield f".__defaults__[{position}]", item
    for name, item in (function.__kwdefaults__ or {}).items():
        yield f".__kwdefaults__[{name!r}]", item


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        attributes = None
    if isinstance(attributes, dict):
        for name, item in list(attributes.items()):
            yield f".{name}", item
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            try:
                yield f".{name}", object.__getattribute__(value, name)
            except AttributeError:  # never set, or a mangled name
                continue


def _is_object_array(value: Any) -> bool:
    kind = type(value)
    return (kind.__module__, kind.__name__) == ("numpy", "ndarray") and value.dtype.kind == "O"


def _frame(value: Any) -> Iterator[tuple[str, object]]:
    """The cells of the object columns of a pandas frame or series."""
    kind = type(value)
    if kind.__module__.partition(".")[0] != "pandas" or kind.__name__ not in ("DataFrame", "Series"):
        return
    columns = value.items() if kind.__name__ == "DataFrame" else [(None, value)]
    for name, column in columns:
        if column.dtype == object:
            for label, item in column.items():
                yield (f"[{_short(label)}]" if name is None else f"[{_short(name)}][{_short(label)}]"), item


def _short(key: object) -> str:
    try:
        text = repr(key)
    except Exception as error:
        return f"<{type(key).__name__}: {type(error).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."
