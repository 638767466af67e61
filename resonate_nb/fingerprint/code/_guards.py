"""What one walk looked at, by identity: while all of it still is what it was, nothing needs to be read again."""

from __future__ import annotations

import struct
import sys
from _abc import _get_dump  # type: ignore[import-not-found]
from collections.abc import Collection, Iterator
from dataclasses import field
from operator import is_, itemgetter
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from ...records import dataclass
from .._kinds import is_a
from .._package import Origin, origin_of_module
from ..families._packages import is_made_by_mapper
from ._settings import Setting, settings_of

UNBOUND: Final = type("_Unbound", (), {"__slots__": (), "__repr__": lambda self: "<unbound>"})()

_SCALARS = (bool, int, float, complex, str, bytes)
_DATA = (*_SCALARS, type(None), dict, list, set, tuple)
_HEAP_TYPE = 1 << 9


@dataclass(slots=True)
class Guards:
    """Things and what they held when they were looked at."""

    names: dict[tuple[int, str], tuple[dict[str, Any], str, object]] = field(default_factory=dict)
    functions: dict[int, tuple[FunctionType, CodeType, object, tuple[object, ...]]] = field(default_factory=dict)
    cells: list[tuple[CellType, object]] = field(default_factory=list)
    classes: dict[int, tuple[type, tuple[type, ...], list[str], tuple[object, ...]]] = field(default_factory=dict)
    mappings: list[tuple[Any, tuple[object, ...], tuple[object, ...]]] = field(default_factory=list)
    """Mappings whose keys and values count, by identity: registries, whole modules."""
    namespaces: list[tuple[dict[str, Any], tuple[type, ...], tuple[object, ...]]] = field(default_factory=list)
    """Namespaces of which everything of some kinds counts."""

    caches: list[Any] = field(default_factory=list)
    """Functions behind `functools.lru_cache`."""
    watched: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Namespaces in which the code may bind names that it does not spell."""

    members: dict[tuple[type, tuple[str, ...]], tuple[int, tuple[object, ...]]] = field(default_factory=dict)
    """Some members of classes of packages, and how many such a class has."""

    settings: dict[str, Setting] = field(default_factory=dict)
    """Modules, and their settings that are not as they come."""
    looks: list[tuple[object, str]] = field(default_factory=list)
    """Tables of packages that are as they come, and their texts: they may be changed in place."""
    registries: dict[type, frozenset[object]] = field(default_factory=dict)
    """Abstract classes, and what was registered with them."""

    def registered(self, cls: type) -> list[type]:
        """The classes that were registered with an abstract one, as of now."""
        found = registered(cls)
        self.registries[cls] = found
        return [each for each in (reference() for reference in found) if each is not None]

    def some_of(self, cls: type, names: tuple[str, ...]) -> None:
        """Note some members of a class, and that it gets no new ones."""
        members = cls.__dict__
        self.members[cls, names] = len(members), tuple(members[name] for name in names)

    def code_of(self, cls: type) -> None:
        """Note all code in a class of a package and in those above it: the user may put other code in its place."""
        for owner in classes_above(cls):
            members = owner.__dict__
            self.some_of(owner, tuple(name for name in members if type(members[name]) not in _DATA))

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
        self.classes[id(cls)] = (cls, cls.__bases__, list(members), tuple(members.values()))

    def mapping(self, mapping: Any) -> None:
        """Note the keys and values of a mapping."""
        self.mappings.append((mapping, tuple(mapping), tuple(mapping.values())))

    def changed_attributes(self) -> list[str]:
        """Attributes of classes, and of modules of the user's, that are bound to something else now."""
        found = []
        for cls, _, names, values in self.classes.values():
            now = dict(cls.__dict__)
            before = dict(zip(names, values, strict=True))
            for name in [*before, *(name for name in now if name not in before)]:
                is_other = not _is_dunder(name) and _differ(before.get(name, UNBOUND), now.get(name, UNBOUND))
                if is_other and not is_made_by_mapper(now.get(name)):
                    found.append(f"{cls.__qualname__}.{name}")
        for namespace, name, value in self.names.values():
            home = namespace.get("__name__")
            if isinstance(home, str) and home != "__main__" and origin_of_module(home) is Origin.USER:
                now_bound = namespace.get(name, UNBOUND)
                # A submodule that was imported meanwhile is bound again wherever it is imported again.
                if not is_a(now_bound, ModuleType) and _differ(value, now_bound):
                    found.append(f"{home}.{name}")
        return found


def classes_above(cls: type) -> Iterator[type]:
    """A class and those that it is derived from, of which the user may change members: they are not written in C."""
    for owner in cls.__mro__:
        if owner.__flags__ & _HEAP_TYPE and type(owner).__hash__ is not None:
            yield owner


_MANY = 5
"""Names of one namespace that are looked up in one go; fewer are quicker one by one."""


class Check:
    """Guards sorted once for the question that each call asks: whether everything is still the same object.

    It may say no where nothing of account changed (an attribute was set on a function that had none): then the walk
    is made anew.
    """

    __slots__ = (
        "_bare",
        "_cells",
        "_counts",
        "_functions",
        "_guards",
        "_has_more",
        "_keywords",
        "_many",
        "_members",
        "_missing",
        "_names",
        "_others",
        "_shared",
        "_slots",
    )

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._functions: tuple[tuple[FunctionType, CodeType, object, object], ...] = tuple(
            (function, code, defaults, function.__kwdefaults__)
            for function, code, defaults, _ in guards.functions.values()
        )
        """What is not read in `_slots`, at first all."""
        self._slots: tuple[tuple[Any, bytes], ...] = ()
        self._keywords = tuple(
            (function.__kwdefaults__ or {}, values)
            for function, _, _, values in guards.functions.values()
            if values or function.__kwdefaults__
        )
        present: dict[int, list[tuple[dict[str, Any], str, object]]] = {}
        missing: dict[int, tuple[dict[str, Any], list[str]]] = {}
        others = []
        for guard in guards.names.values():
            namespace, name, value = guard
            if type(namespace) is not dict:  # it may have an answer of its own to `[name]`
                others.append(guard)
            elif value is UNBOUND:
                missing.setdefault(id(namespace), (namespace, []))[1].append(name)
            else:
                present.setdefault(id(namespace), []).append(guard)
        self._names = tuple(guard for found in present.values() if len(found) < _MANY for guard in found)
        self._many = tuple(
            (found[0][0], itemgetter(*(name for _, name, _ in found)), tuple(value for _, _, value in found))
            for found in present.values()
            if len(found) >= _MANY
        )
        self._shared = tuple(cls.__dict__ for cls, _ in guards.members)
        self._counts = tuple(count for count, _ in guards.members.values())
        self._members = tuple(
            (cls.__dict__.get, some, held) for (cls, some), (_, held) in guards.members.items() if some
        )
        self._others = tuple(others)
        self._bare = tuple(namespace for namespace, _ in missing.values() if not namespace)
        self._missing = tuple((namespace, tuple(names)) for namespace, names in missing.values() if namespace)
        self._cells = tuple(guards.cells)
        self._has_more = bool(
            others
            or self._keywords
            or guards.classes
            or guards.mappings
            or guards.namespaces
            or guards.members
            or guards.registries
            or guards.settings
            or guards.looks
        )

    def holds(self) -> bool:
        """Whether everything is still the same object."""
        for memory, pointers in self._slots:
            if memory.raw != pointers:
                return False
        if self._functions and not self._functions_hold():
            return False
        if any(self._bare):
            return False
        for namespace, name, value in self._names:
            if namespace.get(name, UNBOUND) is not value:
                return False
        for namespace, get, values in self._many:
            try:
                if not all(map(is_, get(namespace), values)):
                    return False
            except KeyError:
                return False
        for namespace, names in self._missing:
            for name in names:
                if name in namespace:
                    return False
        for cell, value in self._cells:
            if content_of(cell) is not value:
                return False
        return not self._has_more or self._more_holds()

    def _functions_hold(self) -> bool:
        for function, code, defaults, keyword_defaults in self._functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keyword_defaults
            ):
                return False
        if _is_worth_ctypes(len(self._functions)):
            slots = [_slots_of(*function) for function in self._functions]
            if None not in slots:
                self._slots, self._functions = tuple(filter(None, slots)), ()
        return True

    def _more_holds(self) -> bool:
        guards = self._guards
        for namespace, name, value in self._others:
            if namespace.get(name, UNBOUND) is not value:
                return False
        for keyword_defaults, given in self._keywords:
            if not _same(given, keyword_defaults.values()):
                return False
        for cls, bases, names, values in guards.classes.values():
            members = cls.__dict__
            if (
                not _same(values, members.values())
                or list(members) != names
                or (cls.__bases__ is not bases and not _same(cls.__bases__, bases))
            ):
                return False
        if tuple(map(len, self._shared)) != self._counts:
            return False
        for get, some, held in self._members:
            if not all(map(is_, held, map(get, some))):
                return False
        for owner, setting in guards.settings.items():
            if settings_of(owner) != setting:
                return False
        for table, text in guards.looks:
            if repr(table) != text:
                return False
        for cls, before in guards.registries.items():
            if registered(cls) != before:
                return False
        for mapping, keys, values in guards.mappings:
            if not _same(keys, mapping) or not _same(values, mapping.values()):
                return False
        for namespace, kinds, values in guards.namespaces:
            if not _same(values, [value for value in namespace.values() if issubclass(type(value), kinds)]):
                return False
        return True


_looks = 0
"""How many functions were looked at by their attributes, in this process."""
_WORTH_LOADING = 4_000
"""Functions whose looks, of half a microsecond each, cost together what it takes to load ctypes: 2 milliseconds."""


def _is_worth_ctypes(functions: int) -> bool:
    """Whether memory can be read by now: a kernel has loaded what it takes, a script loads it when that has paid."""
    global _looks
    _looks += functions
    return "ctypes" in sys.modules or _looks >= _WORTH_LOADING


def _slots_of(
    function: FunctionType, code: CodeType, defaults: object, keyword_defaults: object
) -> tuple[Any, bytes] | None:
    """Where a function keeps its code and both kinds of defaults, and the pointers there; None if not found.

    Each read of `function.__code__` and the like is an event to audit, and once something records what is opened there
    is a hook: then three of them take half a microsecond for each function of each call. So do those of `id()`.
    """
    if sys.implementation.name != "cpython":
        return None
    import ctypes  # see `_is_worth_ctypes`

    held = (code, defaults, keyword_defaults)
    pointers = struct.pack("3P", *(0 if value is None else id(value) for value in held))
    offset = ctypes.string_at(id(function), FunctionType.__basicsize__).find(pointers)
    if offset < 0:
        return None
    return (ctypes.c_char * len(pointers)).from_address(id(function) + offset), pointers


def _is_dunder(name: str) -> bool:
    """Whether Python, or the maker of a class, keeps a name for itself."""
    return name.startswith("__") and name.endswith("__")


def _differ(before: object, now: object) -> bool:
    # Equal scalars are often other objects; of all else the object counts, and what it holds counts elsewhere.
    return before is not now and not (type(before) is type(now) and type(before) in _SCALARS and before == now)


def _same(first: Collection[object], second: Collection[object]) -> bool:
    return len(first) == len(second) and all(map(is_, first, second))


def registered(cls: type) -> frozenset[Any]:
    """Weak references to the classes that were registered with an abstract one."""
    return frozenset(_get_dump(cls)[0])


def content_of(cell: CellType) -> object:
    """The content of a closure cell, `UNBOUND` if it has none yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND
