"""The records of a walk through code, and what its readers ask of it."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from dataclasses import field
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Protocol

from ...records import dataclass
from .._kinds import is_a
from .._outside import Declared
from .._package import Origin, origin_of_function, origin_of_module
from ..values._named import Noted
from ._guards import Guards
from ._loaded import Absent, Found
from ._tree import digest
from ._uses import Facts, Use


@dataclass(slots=True)
class Node:
    """One piece of code: a function, a class, a wrapper from a package, a whole module, or the cell itself."""

    thing: object
    label: str
    """How the part is called: unique in the walk."""
    read: Callable[[Node], None]
    is_exposed: bool = False
    """Something may read its hints and docstring."""
    ignore: frozenset[str] = frozenset()
    """Names that do not count in it: it is a durable function of its own, whose owner said so."""
    tree: bytes = b""
    source: str = ""
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    """What is taken from outside -> what that is, in the order of the code."""

    def edge(self, name: str, token: str) -> None:
        """Note what it takes from outside under this name."""
        self.edges[name, token] = None

    def digest(self) -> bytes:
        """Of its own tree and the names of what it reaches."""
        return digest([self.tree, *(part.encode("utf-8", "surrogatepass") for edge in self.edges for part in edge)])


@dataclass(slots=True)
class Item:
    """One piece of data that the code reads."""

    path: str
    value: object
    is_stable: bool
    """It is a scalar, or a tuple of them: its identity says all."""
    digest: bytes = b""
    noted: Noted = ()
    """What the last walk over it noted of its parts."""
    seconds: float = 0.0
    """The longest that a walk over it took."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What is known of one tree; kept from walk to walk, since trees cost most."""

    code: CodeType | None
    encoded: bytes
    source: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Place:
    """Where the names of a piece of code are looked up."""

    label: str
    globals: dict[str, Any]
    builtins: dict[str, Any]
    closure: dict[str, CellType]
    ignore: frozenset[str] = frozenset()
    is_cell: bool = False


_ATOMS = (int, str, bool, float, complex, bytes, type(None), type(Ellipsis))


class Walk(Protocol):
    """What a walk offers to those who read code for it."""

    nodes: list[Node]
    guards: Guards
    effects: dict[str, None]
    loadable_kinds: set[type]
    """Every function or class of the user's that a name leads to counts, where its kind is among these."""
    bases: dict[type, None]
    """Classes of packages that classes of the user's are derived from."""
    reflects: bool
    is_value: bool
    """The top is a value itself, not a function about to be called."""
    used: set[int]
    trees: dict[tuple[int, bool, int], Tree]
    found: dict[int, tuple[CodeType, Absent | Found]]

    def add(self, thing: object, label: str, read: Callable[[Node], None], exposed: bool = False) -> str:
        """The token of a new piece of code, which `read` will read."""
        ...

    def label(self, module: object, qualname: str) -> str:
        """The name of a part, without the module where that is the top's own."""
        ...

    def package(self, module: str, text: str, use: Use | None = None) -> str:
        """The token of something that counts by name and version."""
        ...

    def reach(self, value: object, exposed: bool = False, path: str = "") -> str | None:
        """The token of a piece of code; None if the value is no code."""
        ...

    def also(self, declared: Declared) -> list[str]:
        """What the user has declared besides joins the walk; the tokens of `depends`."""
        ...

    def ignore_in(self, value: object, names: frozenset[str]) -> None:
        """Names that do not count in this piece of code."""
        ...

    def module(self, module: ModuleType) -> str:
        """The token of a module that is used as a whole."""
        ...

    def item(self, key: tuple[object, ...], path: str, value: object) -> str:
        """The token of a piece of data."""
        ...

    def is_ignored(self, path: str) -> bool:
        """Whether the user has said that this does not count."""
        ...

    def ask(self, settings: str) -> None:
        """These settings of a package count as well."""
        ...

    def may_ignore(self, names: Iterable[str]) -> None:
        """These may be left out as well, and are looked at elsewhere."""
        ...

    def is_parameter(self, name: str) -> bool:
        """Whether an argument that is left out has this name."""
        ...

    def refuse(self, reason: str) -> None:
        """This walk gives no key, for this reason."""
        ...

    def miss(self, what: str, node: Node | None = None) -> None:
        """The key does not see this of a piece of code (that which is read), and stands all the same.

        A way out may follow behind a `;`.
        """
        ...


def any_token(walk: Walk, value: object, key: tuple[object, ...], path: str, exposed: bool = False) -> str:
    """The token of whatever a name stands for: a module, a piece of code, or data under `path`."""
    if is_a(value, ModuleType):
        return walk.module(value)
    return walk.reach(value, exposed, path) or walk.item(key, path, value)


def is_users(value: FunctionType | type) -> bool:
    """Whether a function or class is of the notebook or of a local file."""
    if is_a(value, FunctionType):
        return origin_of_function(value) is Origin.USER
    return isinstance(value.__module__, str) and origin_of_module(value.__module__) is Origin.USER


def builtins_of(namespace: dict[str, Any]) -> dict[str, Any]:
    """Where names are looked up that the namespace does not have."""
    found = namespace.get("__builtins__", builtins)
    return found if isinstance(found, dict) else vars(found)


def is_stable(value: object) -> bool:
    """Whether a value is a scalar, or an immutable container of scalars: what cannot change in place."""
    pending = [value]
    seen = 0
    while pending:
        part = pending.pop()
        seen += 1
        if type(part) in (tuple, frozenset) and seen < 1_000:
            pending.extend(part)  # type: ignore[arg-type]
        elif type(part) not in _ATOMS:
            return False
    return True
