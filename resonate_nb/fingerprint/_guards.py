"""What one walk looked at, by identity: while all of it still is what it was, nothing needs to be read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType
from typing import Any, Final

UNBOUND: Final = type("_Unbound", (), {"__slots__": (), "__repr__": lambda self: "<unbound>"})()


@dataclass(slots=True)
class Guards:
    """Things and what they held when they were looked at."""

    names: dict[tuple[int, str], tuple[dict[str, Any], str, object]] = field(default_factory=dict)
    functions: dict[int, tuple[FunctionType, CodeType, object, tuple[object, ...]]] = field(default_factory=dict)
    cells: list[tuple[CellType, object]] = field(default_factory=list)
    classes: dict[int, tuple[type, tuple[type, ...], list[str], list[int], list[object]]] = field(default_factory=dict)
    """The last list only keeps the members alive, so that their addresses stay theirs."""
    mappings: list[tuple[Any, tuple[object, ...], tuple[object, ...]]] = field(default_factory=list)
    """Mappings whose keys and values count, by identity: registries, whole modules."""
    namespaces: list[tuple[dict[str, Any], tuple[type, ...], tuple[object, ...]]] = field(default_factory=list)
    """Namespaces of which everything of some kinds counts."""

    def name(self, namespace: dict[str, Any], name: str, value: object) -> None:
        """Note what a name stands for; the first look counts."""
        self.names.setdefault((id(namespace), name), (namespace, name, value))

    def function(self, function: FunctionType) -> None:
        """Note what a function is made of."""
        keyword_defaults = tuple((function.__kwdefaults__ or {}).values())
        self.functions[id(function)] = (function, function.__code__, function.__defaults__, keyword_defaults)

    def type(self, cls: type) -> None:
        """Note the members of a class."""
        members = cls.__dict__
        addresses = list(map(id, members.values()))
        self.classes[id(cls)] = (cls, cls.__bases__, list(members), addresses, list(members.values()))

    def mapping(self, mapping: Any) -> None:
        """Note the keys and values of a mapping."""
        self.mappings.append((mapping, tuple(mapping), tuple(mapping.values())))

    def hold(self) -> bool:
        """Whether everything is still the same object."""
        for namespace, name, value in self.names.values():
            if namespace.get(name, UNBOUND) is not value:
                return False
        for function, code, defaults, keyword_defaults in self.functions.values():
            if function.__code__ is not code or function.__defaults__ is not defaults:
                return False
            now = function.__kwdefaults__
            if (keyword_defaults or now) and not _same(keyword_defaults, (now or {}).values()):
                return False
        for cell, value in self.cells:
            if content_of(cell) is not value:
                return False
        for cls, bases, names, addresses, _ in self.classes.values():
            members = cls.__dict__
            if (
                list(map(id, members.values())) != addresses
                or list(members) != names
                or not _same(cls.__bases__, bases)
            ):
                return False
        for mapping, keys, values in self.mappings:
            if len(mapping) != len(keys) or not _same(keys, mapping) or not _same(values, mapping.values()):
                return False
        for namespace, kinds, values in self.namespaces:
            if not _same(values, (value for value in namespace.values() if isinstance(value, kinds))):
                return False
        return True


def _same(first: Iterable[object], second: Iterable[object]) -> bool:
    return list(map(id, first)) == list(map(id, second))


def content_of(cell: CellType) -> object:
    """The content of a closure cell, `UNBOUND` if it has none yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND
