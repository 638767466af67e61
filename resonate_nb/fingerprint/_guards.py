"""What one walk looked at, by identity: while all of it still is what it was, nothing needs to be read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from ._package import Origin, origin_of_module

UNBOUND: Final = type("_Unbound", (), {"__slots__": (), "__repr__": lambda self: "<unbound>"})()

_SCALARS = (bool, int, float, complex, str, bytes)


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

    def changed_attributes(self) -> list[str]:
        """Attributes of classes, and of modules of the user's, that are bound to something else now."""
        found = []
        for cls, _, names, _, values in self.classes.values():
            now = dict(cls.__dict__)
            before = dict(zip(names, values, strict=True))
            for name in [*before, *(name for name in now if name not in before)]:
                if not _is_dunder(name) and _differ(before.get(name, UNBOUND), now.get(name, UNBOUND)):
                    found.append(f"{cls.__qualname__}.{name}")
        for namespace, name, value in self.names.values():
            home = namespace.get("__name__")
            if isinstance(home, str) and home != "__main__" and origin_of_module(home) is Origin.USER:
                now_bound = namespace.get(name, UNBOUND)
                # A submodule that was imported meanwhile is bound again wherever it is imported again.
                if not isinstance(now_bound, ModuleType) and _differ(value, now_bound):
                    found.append(f"{home}.{name}")
        return found


def _is_dunder(name: str) -> bool:
    """Whether Python, or the maker of a class, keeps a name for itself."""
    return name.startswith("__") and name.endswith("__")


def _differ(before: object, now: object) -> bool:
    # Equal scalars are often other objects; of all else the object counts, and what it holds counts elsewhere.
    return before is not now and not (type(before) is type(now) and type(before) in _SCALARS and before == now)


def _same(first: Iterable[object], second: Iterable[object]) -> bool:
    return list(map(id, first)) == list(map(id, second))


def content_of(cell: CellType) -> object:
    """The content of a closure cell, `UNBOUND` if it has none yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND
