"""State that packages keep and a notebook may set: tables, settings in objects, constants of classes.

What counts is the content of what the code asks for: of a table the entry that it names; a whole one only where no
function of its module changes it, since what grows by use would have another key whenever something was used. No
property of a package is asked, nothing that makes its value when it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from enum import Enum
from types import FunctionType
from typing import Any

from .._kinds import is_a, names_of
from .._package import Origin, origin_of_module
from ..services._services import is_service
from ._guards import UNBOUND
from ._nodes import Node, Walk, is_stable, is_users
from ._settings import FOUND_BY_USE
from ._uses import Root, Use
from ._written import ABSENT, COMPUTED, UNKNOWN, Mark, given, given_entry, is_counted_up, is_kept, is_left_alone

_TABLES = (dict, list, set)
_ASKING = frozenset({(), ("__contains__",), ("__getitem__",), ("get",)})
_MOST_PARTS = 2_000
_DATA = {
    "cycler": {"Cycler"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "pathlib": {"PosixPath", "PurePosixPath", "PureWindowsPath", "WindowsPath"},
    "uuid": {"UUID"},
}
"""Types whose content is plain, besides the builtin ones."""


class StateReader:
    """Finds for one walk what packages keep."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def token(self, node: Node, home: str, name: str, value: object, rest: tuple[str, ...], use: Use) -> str:
        """The token of what the user may have set there; empty for nearly all.

        Args:
            node: the code that reads it.
            home: the module in which it was found.
            name: its name there.
            value: what it is.
            rest: the attributes that the code reads from it.
            use: how.
        """
        if use.is_stored or use.is_put:
            return ""
        if is_of_figures(value):
            return self._of_figures(node, value, rest, use)
        if (options := _options_behind(value)) is not None:
            return self._options(node, (*options, *rest), use)
        key: tuple[object, ...] = (id(sys.modules.get(home)), name)
        path, holder = f"{home}.{name}", None
        while rest and not _is_table(value) and not is_stable(value):
            first, rest = rest[0], rest[1:]
            found = self._member(value, first)
            if found is None:
                return ""
            holder, value = found
            key = (id(holder), first)
            if is_a(holder, type):
                home, name = holder.__module__, f"{holder.__qualname__}.{first}"
                path = f"{home}.{name}"
            else:
                path = f"{path}.{first}"
        is_code = is_a(value, FunctionType) or is_a(value, type)
        if not _is_table(value) and (holder is None or is_code):
            # Nearly all: by its name, and by what is put into classes.
            return "" if is_code or not is_users(type(value)) else self._count(node, key, path, value)
        origin = origin_of_module(home)
        if origin is Origin.OURS:
            return ""
        is_in_object = holder is not None and not is_a(holder, type)
        is_alone = is_in_object or is_left_alone(home, name)
        if is_a(value, dict) and use.entry and rest in _ASKING:
            before = COMPUTED if is_in_object else given_entry(home, name, use.entry[0])
            is_theirs = origin is Origin.PACKAGE or not isinstance(before, Mark)
            is_theirs = is_theirs and not is_counted_up(home, name)
            if (is_alone or before is not ABSENT) and is_theirs:
                return self._entry(node, path, value, before, use)
            return ""
        before = COMPUTED if is_in_object else given(home, name)
        last = name.rpartition(".")[2]
        if isinstance(before, Mark) and (before is UNKNOWN or origin is not Origin.PACKAGE or last.startswith("_")):
            return ""  # what Python and packages make for themselves differs from machine to machine and run to run
        if _is_table(value):
            if is_counted_up(home, name):
                return ""
            if not is_alone:
                # Others of its entries may be the package's own doing.
                if not (is_a(before, dict) and is_a(value, dict)):
                    return ""
                uses = ((replace(use, entry=(entry,)), first) for entry, first in before.items())
                return "".join([self._entry(node, path, value, first, each) for each, first in uses])
        return self._unless_given(node, key, path, value, before, use)

    def is_set(self, home: str, name: str, value: object) -> bool:
        """Whether a variable of a package's module is not what its source gives it."""
        before = given(home, name)
        return not isinstance(before, Mark) and not self._is_as_given(value, before)

    def constants(self, node: Node, owners: Iterable[type], attributes: frozenset[str]) -> None:
        """What objects of the classes derived from these have from them, of what the code asks its data for."""
        for owner in owners:
            names = [name for name in attributes & owner.__dict__.keys() if is_stable(owner.__dict__[name])]
            for name in sorted(names):
                self._walk.guards.some_of(owner, (name,))
                if token := self.constant(node, owner, name):
                    node.edge(f"{owner.__name__}.{name}", token)

    def constant(self, node: Node, owner: type, name: str) -> str:
        """The token of a constant of a package's class that code may read from an object of it."""
        value, home, path = owner.__dict__[name], owner.__module__, f"{owner.__qualname__}.{name}"
        if name.startswith("_") or not is_stable(value) or is_counted_up(home, path):
            return ""
        before = given(home, path)
        if before in (UNKNOWN, COMPUTED) or self._is_as_given(value, before):
            return ""
        return self._count(node, (id(owner), name), f"{home}.{path}", value)

    def of_object(self, node: Node, value: object, rest: tuple[str, ...], use: Use) -> str:
        """The token of what an object, which counts by its content, has from its class."""
        if not rest or rest[0] in names_of(value) or self._of_class(type(value), rest[0]) is None:
            return ""
        return self.token(node, "", "", type(value), rest, use)

    def of_options(self, node: Node, use: Use) -> str:
        """The token of the options of pandas that `get_option` is asked for."""
        asked = use.entry[0] if use.entry else ""
        return self._options(node, tuple(str(asked).split(".")) if asked else (), use)

    def _member(self, value: object, name: str) -> tuple[Any, object] | None:
        """What holds an attribute of a package's class or object, and what that is; None where it cannot be told."""
        if is_a(value, type):
            return self._of_class(value, name)
        cls = type(value)
        held = names_of(value)
        if (
            type(held) is not dict
            or is_users(cls)
            or is_service(cls)
            or origin_of_module(str(cls.__module__)) is not Origin.PACKAGE
        ):
            return None
        if name not in held:
            return self._of_class(cls, name)
        if name.startswith("_") or not is_kept(cls, name):
            return None
        self._walk.guards.name(held, name, held[name])
        return held, held[name]

    def _of_class(self, cls: type, name: str) -> tuple[type, object] | None:
        """The class that holds an attribute of a package's class, and what that is.

        None for all but constants, tables, and objects of the notebook's.
        """
        for position, owner in enumerate(cls.__mro__):
            if owner.__module__ == "builtins" or is_users(owner):
                return None
            value = owner.__dict__.get(name, UNBOUND)
            if is_stable(value) or _is_table(value) or is_users(type(value)):
                for each in cls.__mro__[: position + 1]:
                    self._walk.guards.some_of(each, (name,) if each is owner else ())
                return None if is_counted_up(owner.__module__, f"{owner.__qualname__}.{name}") else (owner, value)
            if value is not UNBOUND:
                return None
        return None

    def _entry(self, node: Node, path: str, table: dict[Any, Any], before: object, use: Use) -> str:
        name = use.entry[0]
        value = dict.get(table, name, UNBOUND)
        self._walk.guards.name(table, name, value)  # type: ignore[arg-type]
        return self._unless_given(node, (id(table), name), f"{path}[{name!r}]", value, before, use)

    def _of_figures(self, node: Node, table: Any, rest: tuple[str, ...], use: Use) -> str:
        package = sys.modules["matplotlib"]
        if not use.entry or rest not in _ASKING:
            if table is package.__dict__.get("rcParams"):
                self._walk.ask("matplotlib.rcParams")
            return ""
        name = use.entry[0]
        value = dict.get(table, name, UNBOUND)
        if name in FOUND_BY_USE or value is UNBOUND:
            return ""
        self._walk.guards.name(table, str(name), value)
        # What a file of the user's has set is there from the import on, which may be the body's.
        given_by = "rcParamsOrig" if use.root is Root.IMPORT else "rcParamsDefault"
        before = dict.get(package.__dict__.get(given_by, {}), name, UNKNOWN)
        if is_a(value, list) and use.root is not Root.IMPORT:
            before = COMPUTED  # it may be that very list, and change with it
        return self._unless_given(node, (id(table), name), f"matplotlib.rcParams[{name!r}]", value, before, use)

    def _options(self, node: Node, words: tuple[str, ...], use: Use) -> str:
        """Those options of pandas that these words lead to, where they are not as they come; what is a pattern may
        lead to any."""
        config = getattr(sys.modules.get("pandas._config.config"), "__dict__", {})
        registered = config.get("_registered_options", {})
        every = [*_leaves(config.get("_global_config", {}), ())]
        found = [leaf for leaf in every if leaf[0][: len(words)] == words] or every
        tokens = []
        for place, table, value in found:
            name = ".".join(place)
            self._walk.guards.name(table, place[-1], value)
            before = getattr(registered.get(name), "defval", UNKNOWN)
            tokens.append(
                self._unless_given(node, (id(table), place[-1]), f"pandas.options.{name}", value, before, use)
            )
        return "".join(tokens)

    def _unless_given(
        self, node: Node, key: tuple[object, ...], path: str, value: object, before: object, use: Use
    ) -> str:
        """The token of a value, but where it is what its package gives it."""
        if self._is_as_given(value, before):
            return ""
        if value is UNBOUND and isinstance(before, Mark):
            return ""
        if use.root is Root.IMPORT:
            if before is UNKNOWN or before is COMPUTED:
                return ""
            if value is UNBOUND or _is_data(value):
                # The import may be the body's: what it finds there then is nothing that the body has changed.
                return f" with {path} = {_text(value)}"
        return self._count(node, key, path, value)

    def _is_as_given(self, value: object, before: object) -> bool:
        """Whether it is what its package gives it; what may come to differ in place is looked at each time."""
        if isinstance(before, Mark):
            return False
        if type(value) in _TABLES:
            self._walk.guards.looks.append((value, repr(value)))
        return type(value) is type(before) and _text(value) == _text(before)

    def _count(self, node: Node, key: tuple[object, ...], path: str, value: object) -> str:
        if is_a(value, FunctionType) or is_a(value, type):
            return f" with {path} {self._walk.reach(value, True)}" if is_users(value) else ""
        if value is UNBOUND or _is_data(value):
            return f" with {self._walk.item(key, path, value)}"
        if is_users(type(value)):
            self._walk.miss(f"reads `{path}`, which holds a {type(value).__qualname__} of the notebook's", node)
        return ""


def _is_table(value: object) -> bool:
    return issubclass(type(value), _TABLES)


def _text(value: object) -> str:
    """The same for equal values in each process."""
    match value:
        case set() | frozenset():
            return f"{type(value).__name__}({sorted(map(_text, value))})"
        case dict():
            return f"{type(value).__name__}({[(_text(key), _text(part)) for key, part in value.items()]})"
        case list() | tuple():
            return f"{type(value).__name__}({list(map(_text, value))})"
        case _:
            return repr(value)


def bases_of(cls: type) -> list[type]:
    """The classes of packages that a class is derived from."""
    return [each for each in cls.__mro__[1:] if origin_of_module(str(each.__module__)) is Origin.PACKAGE]


def is_of_figures(value: object) -> bool:
    """Whether it is the table of settings of matplotlib, or of its making."""
    cls = type(value)
    return cls.__name__ == "RcParams" and cls.__module__ == "matplotlib"


def is_asking_options(value: object) -> bool:
    """Whether it is `pandas.get_option`."""
    return "pandas" in sys.modules and sys.modules["pandas"].__dict__.get("get_option", UNBOUND) is value


def _options_behind(value: object) -> tuple[str, ...] | None:
    cls = type(value)
    if cls.__name__ != "DictWrapper" or cls.__module__ != "pandas._config.config":
        return None
    prefix = names_of(value).get("prefix", "")
    return tuple(prefix.split(".")) if prefix else ()


def _leaves(table: dict[str, Any], place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any], object]]:
    for name, value in table.items():
        if type(value) is dict:
            yield from _leaves(value, (*place, name))
        else:
            yield (*place, name), table, value


def _is_data(value: object) -> bool:
    """Whether a value is made of nothing but plain data, and not of very much; or is an array of numbers."""
    pending, seen = [value], 0
    while pending:
        part = pending.pop()
        seen += 1
        cls = type(part)
        if seen > _MOST_PARTS:
            return False
        if is_a(part, dict) and cls.__module__ in ("builtins", "collections"):
            pending += [*part, *part.values()]
        elif isinstance(part, tuple | frozenset | list | set) and cls.__module__ == "builtins":
            pending += part
        elif not (
            is_stable(part)
            or cls is bytearray
            or (is_a(part, Enum) and is_stable(part.value))
            or cls.__name__ in _DATA.get(cls.__module__, ())
            or (cls.__module__ == "numpy" and not getattr(getattr(part, "dtype", None), "hasobject", True))
        ):
            return False
    return True
