"""Whether a result is, or holds, one of the caller's own objects: a replay could only hand out a copy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_LIMIT = 10_000
"""How many objects of a result are looked at: this only decides whether a line is said."""
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes)


def held_argument(value: object, arguments: Mapping[str, object]) -> str | None:
    """The name of an argument that `value` is or holds (in builtin containers), if it is one that can be changed."""
    mutable = {id(given): name for name, given in arguments.items() if not isinstance(given, _IMMUTABLE)}
    if not mutable:
        return None
    seen: set[int] = set()
    stack = [value]
    while stack and len(seen) < _LIMIT:
        item = stack.pop()
        if id(item) in mutable and not _is_empty_tuple(item):
            return mutable[id(item)]
        if id(item) in seen:
            continue
        inner = _items(item)
        if inner is not None:
            seen.add(id(item))
            stack.extend(inner)
    return None


def _items(item: object) -> Iterable[object] | None:
    if isinstance(item, dict):
        return item.values()
    if isinstance(item, list | tuple | set | frozenset):
        return item
    return None


def _is_empty_tuple(item: object) -> bool:
    return item == () and type(item) is tuple
