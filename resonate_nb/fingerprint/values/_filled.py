"""What `functools.cached_property` has put into instances, left out of a walk: to look at one may fill it, and changes
nothing that any code can see but that it is there."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterable, Mapping
from typing import Any

_INDIRECT = frozenset(("setattr", "__setattr__", "__dict__", "vars"))


class Filled:
    """What one walk leaves out, and what it has left out."""

    __slots__ = ("_kept", "names", "owners")

    def __init__(self, kept: Mapping[int, Collection[str]] | None = None) -> None:
        """`kept` are attributes that had been there before, by the `id` of the instance: they count."""
        self._kept = kept or {}
        self.names: set[str] = set()
        self.owners: dict[type, None] = {}

    def without(self, value: object, attributes: dict[str, Any]) -> dict[str, Any]:
        """The attributes of an instance but for those."""
        cls, kept = type(value), self._kept.get(id(value), ())
        filled = {name for name in attributes if name not in kept and _is_cached(cls, name)}
        if not filled:
            return attributes
        self.names |= filled
        self.owners[cls] = None
        return {name: part for name, part in attributes.items() if name not in filled}


def _is_cached(cls: type, name: str) -> bool:
    found = next((vars(owner)[name] for owner in cls.__mro__ if name in vars(owner)), None)
    kind = type(found)
    return (
        issubclass(kind, functools.cached_property)
        and kind.__get__ is functools.cached_property.__get__
        and not hasattr(kind, "__set__")
        and vars(found).get("attrname") == name
    )


def may_set(sources: Iterable[str], names: Iterable[str]) -> bool:
    """Whether code sets attributes of these names itself, or in ways that do not show which."""
    known = frozenset(names)
    for source in sources:
        try:
            parts = list(ast.walk(ast.parse(source)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            if source.startswith("class "):
                continue  # a list of its members, each of which has a source of its own
            return True
        for part in parts:
            if isinstance(part, ast.Attribute):
                if part.attr in _INDIRECT or (part.attr in known and not isinstance(part.ctx, ast.Load)):
                    return True
            elif isinstance(part, ast.Name) and part.id in _INDIRECT:
                return True
    return False
