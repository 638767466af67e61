"""What the source of a package's module says of a name: what it was given, and whether its functions change it.

A table that functions of its module change grows by use (a cache, a registry): its content says nothing about what a
notebook has set.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import linecache
import sys
from dataclasses import field
from enum import Enum

from ...records import dataclass
from ._parse import parse


class Mark(Enum):
    """What stands for a value that no literal in a source gives."""

    UNKNOWN = "unknown"
    COMPUTED = "computed"
    ABSENT = "absent"


UNKNOWN, COMPUTED, ABSENT = Mark
CHANGING_METHODS = frozenset(
    {
        "__delitem__",
        "__setitem__",
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "insert",
        "intersection_update",
        "move_to_end",
        "pop",
        "popitem",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "symmetric_difference_update",
        "update",
    }
)
_MAKING = frozenset({"__init__", "__new__", "__post_init__"})
_MOST_STEPS = 8


def is_left_alone(module: str, name: str) -> bool:
    """Whether no function of the module's source changes a table in place; False where there is no source.

    The name of a member of a class has the class before it: `Maker.table`.
    """
    found = _home_of(module, name)
    if found is None:
        return False
    written, name = found
    owner, _, last = name.rpartition(".")
    return last not in (written.attributes if owner else written.names)


def is_kept(cls: type, name: str) -> bool:
    """Whether objects of a class have an attribute from their making on; False where there is no source."""
    found = _home_of(cls.__module__, cls.__qualname__)
    return found is not None and found[1] in found[0].values and name not in found[0].attributes | found[0].own


def is_counted_up(module: str, name: str) -> bool:
    """Whether functions of the module's source count up (`+=`) a name, or entries of the table that it stands for."""
    found = _home_of(module, name)
    return found is not None and found[1].rpartition(".")[2] in found[0].counters


def given(module: str, name: str) -> object:
    """What the module's source gives a name, where that is a literal.

    Else `COMPUTED`; `ABSENT` where the name is not bound there, `UNKNOWN` where there is no source.
    """
    node = _node_of(module, name)
    return _literal(node) if isinstance(node, ast.expr) else node


def given_entry(module: str, name: str, key: object) -> object:
    """The same of an entry of a table."""
    node = _node_of(module, name)
    if isinstance(node, ast.Call) and _is_empty(node):
        return ABSENT
    if not isinstance(node, ast.Dict):
        return COMPUTED if isinstance(node, ast.expr) else node
    for written, value in zip(node.keys, node.values, strict=True):
        if isinstance(written, ast.Constant) and type(written.value) is type(key) and written.value == key:
            return _literal(value)
    return ABSENT if all(isinstance(each, ast.Constant) for each in node.keys) else COMPUTED


def _node_of(module: str, name: str) -> object:
    found = _home_of(module, name)
    if found is None:
        return UNKNOWN
    written, name = found
    return (written.values[name] or COMPUTED) if name in written.values else ABSENT


def _is_empty(node: ast.Call) -> bool:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name == "defaultdict" or (name in ("dict", "OrderedDict") and not (node.args or node.keywords))


def _literal(node: ast.expr) -> object:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return COMPUTED


@dataclass(slots=True)
class _Written:
    """One module's source."""

    values: dict[str, ast.expr | None] = field(default_factory=dict)
    """What is bound in the module and its classes -> the expression, where it is bound once, and to that alone."""
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    """Variables of the module that its functions change or bind."""
    attributes: set[str] = field(default_factory=set)
    """Attributes that its functions change in place, or bind on anything but `self`."""
    own: set[str] = field(default_factory=set)
    """Those that its methods bind on `self` after it was made."""
    counters: set[str] = field(default_factory=set)
    """Variables and attributes that its functions count up, or entries of which."""


def _home_of(module: str, name: str) -> tuple[_Written, str] | None:
    """The source that binds a name, or would have to, and the name there: a package hands on what its modules bind."""
    for _ in range(_MOST_STEPS):
        written = _written(module)
        if written is None:
            return None
        first, _, rest = name.partition(".")
        if name in written.values or first not in written.imported:
            is_told = first in written.values or not (rest or "*" in written.imported)
            return (written, name) if is_told else None
        module, first = written.imported[first]
        name = f"{first}.{rest}" if rest else first
    return None


@functools.lru_cache(maxsize=256)
def _written(module: str) -> _Written | None:
    loaded = sys.modules.get(module)
    filename = getattr(loaded, "__file__", None)
    if not isinstance(filename, str) or not filename.endswith(".py"):
        return None
    try:
        tree = parse("".join(linecache.getlines(filename, vars(loaded))), filename)
    except (SyntaxError, ValueError, RecursionError):
        return None
    reader = _Reader(str(getattr(loaded, "__package__", None) or module))
    reader.body(tree.body)
    for name in reader.touched:
        if name in reader.found.values:
            reader.found.values[name] = None
    return reader.found


class _Reader(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.found = _Written()
        self.touched: set[str] = set()
        """Names that are changed in place as the module is loaded."""
        self._package = package
        self._prefix = ""
        self._is_making = False
        """It is that of an object."""
        self._locals: set[str] | None = None
        """Names of the function that is read; None outside of functions."""

    def body(self, statements: list[ast.stmt]) -> None:
        """Read the statements of a module or class."""
        for statement in statements:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.expr() as value):
                    self._bind(name, value)
                    self.visit(value)
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    self._bind(name, value)
                    self.visit(value)
                case _:
                    self.visit(statement)

    def _bind(self, name: str, value: ast.expr | None = None) -> None:
        name = self._prefix + name
        self.found.values[name] = None if name in self.found.values else value

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if self._locals is not None:
            self.generic_visit(node)
            return
        outer = self._prefix
        self._bind(node.name)
        self._prefix = f"{outer}{node.name}."
        self.body(node.body)
        self._prefix = outer

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if self._locals is None and not self._prefix:
            try:
                module = importlib.util.resolve_name("." * node.level + (node.module or ""), self._package)
            except ImportError:
                return
            self.found.imported.update((alias.asname or alias.name, (module, alias.name)) for alias in node.names)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        outer = self._locals
        if outer is None and not isinstance(node, ast.Lambda):
            self._bind(node.name)
        bound = _bound_in(node)
        shared = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}
        self.found.names |= shared & bound
        self._locals = (bound | (outer or set())) - shared
        was_making, self._is_making = self._is_making, getattr(node, "name", "") in _MAKING
        for each in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(each)
        self._locals, self._is_making = outer, was_making

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        outer = self._locals
        self._locals = (outer or set()) | _bound_in(node)
        self.generic_visit(node)
        self._locals = outer

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_Name(self, node: ast.Name) -> None:
        if self._locals is None and not isinstance(node.ctx, ast.Load):
            self._bind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not isinstance(node.ctx, ast.Load):
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                self._changes(node)
            elif not self._is_making:
                self.found.own.add(node.attr)
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._changes(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Attribute):
            self._changes(node.target)
        counted = node.target.value if isinstance(node.target, ast.Subscript) else node.target
        if self._locals is not None and isinstance(counted, ast.Attribute | ast.Name):
            self.found.counters.add(counted.attr if isinstance(counted, ast.Attribute) else counted.id)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING_METHODS:
            self._changes(node.func.value)
        self.generic_visit(node)

    def _changes(self, node: ast.expr) -> None:
        """The code changes in place what this stands for, or binds this attribute."""
        match node:
            case ast.Name(id=name):
                if self._locals is None:
                    self.touched.add(self._prefix + name)
                elif name not in self._locals:
                    self.found.names.add(name)
            case ast.Attribute(attr=name, value=owner) if self._locals is None:
                if isinstance(owner, ast.Name):
                    self.touched.add(f"{owner.id}.{name}")
            case ast.Attribute(attr=name):
                self.found.attributes.add(name)
            case ast.Subscript(value=inner):
                self._changes(inner)


def _bound_in(node: ast.AST) -> set[str]:
    found = set()
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found.add(name)
    return found
