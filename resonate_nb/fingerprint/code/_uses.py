"""The records of what a tree takes from outside, and of the scopes that decide on it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import field
from enum import StrEnum

from ...records import dataclass


class Root(StrEnum):
    """Where the first name of a use is looked up."""

    GLOBAL = "global"
    FREE = "free"
    """Not bound in the code itself: a closure variable if the live function has one of this name, else global."""
    IMPORT = "import"
    """A module named by an import statement inside the code."""


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which code takes something from outside."""

    root: Root
    name: str
    """The variable; for an import the module, with leading dots where it is relative."""
    chain: tuple[str, ...] = ()
    """The attributes read from it, one after the other."""
    is_called: bool = False
    is_stored: bool = False
    """The last attribute is assigned or deleted."""
    is_decorator: bool = False
    is_soft: bool = False
    """Found as a word in a text that may speak of variables: counts where it is bound."""
    is_computed: bool = False
    """A call or subscript whose text does not say which name is meant (`getattr(x, name)`, `import_module(name)`)."""
    on_outside: bool = False
    """The first argument of the call is, or may be, something from outside."""
    is_traced: bool = False
    """The first argument of the call is something whose attributes all count: from outside, or `self`."""
    is_changed: bool = False
    """What it gives is stored into (`globals()["x"] = 1`)."""
    at_top: bool = False
    """It stands in the module of a cell, outside of its functions and classes."""
    target: str = ""
    """The text given as first argument of the call or as subscript, where it is a constant."""
    given: Use | None = None
    """The variable from outside that is given in its place."""
    entry: tuple[object, ...] = ()
    """The one key by which a table is asked for an entry, where that is a constant."""
    is_put: bool = False
    """Something is put into it or taken out of it: it is not read."""


@dataclass(frozen=True, slots=True)
class TextCall:
    """A call whose text may name variables, and does not say by itself which."""

    method: str
    from_name: Use | None
    """The text, or what stands in its place, is this name from outside; None: not known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one tree says about its outside, in the order in which it is written."""

    uses: tuple[Use, ...]
    stores: tuple[tuple[Root, str], ...]
    """Names outside of the tree that it assigns or deletes by `global` or `nonlocal`."""
    text_calls: tuple[TextCall, ...]
    reflects: bool
    """It may read hints, docstrings or signatures."""
    hides: tuple[str, ...]
    """Attributes and names it uses that lead where no analysis follows."""
    stars: tuple[str, ...] = ()
    """Modules of which it imports every name."""
    attributes: frozenset[str] = frozenset()
    """The names of attributes in it, of all that is not from outside."""
    spoken: tuple[Use, ...] = ()
    """Variables by all the words in its texts: they may be meant where names are made at run time."""
    undone: frozenset[str] = frozenset()
    """Words for what it does to its process and undoes itself (`_doing`)."""


@dataclass(slots=True)
class Load:
    """A name that is read, or whose attribute is stored."""

    name: str
    chain: tuple[str, ...]
    call: ast.Call | None = None
    is_stored: bool = False
    is_decorator: bool = False
    item: ast.expr | None = None
    """What is asked for in what it stands for or gives: `x["item"]`, `x()["item"]`, `"item" in x()`."""
    is_changed: bool = False


@dataclass(slots=True)
class Text:
    """The text given to a method or function that may look names up in it."""

    method: str
    argument: ast.expr


@dataclass(slots=True)
class Scope:
    """A function, class, comprehension or module, and what is bound in it."""

    kind: str
    """``module``, ``class``, ``function`` or ``comprehension``."""
    parent: Scope | None
    binds: set[str] = field(default_factory=set)
    imports: dict[str, list[Use]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """Names that something else than an import binds."""
    globals: set[str] = field(default_factory=set)
    nonlocals: set[str] = field(default_factory=set)
    self_name: str = ""
    """In a method the name of its object or class."""

    def is_import(self, name: str) -> bool:
        """Whether only import statements bind a name here."""
        return name in self.imports and name not in self.others


def chain_of(node: ast.AST) -> tuple[str, tuple[str, ...]] | None:
    """`a.b.c` as ``("a", ("b", "c"))``; None if it does not start with a name."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, tuple(reversed(attributes))) if isinstance(node, ast.Name) else None


def texts_in(node: ast.AST) -> Iterator[str]:
    """All string constants in a tree."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
