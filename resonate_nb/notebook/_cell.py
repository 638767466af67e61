"""What a cell reads, binds and deletes, found from its text alone; nothing is run and nothing is looked up.

A name is *read* when some path through the cell may use it before the cell has surely bound it; it is *surely bound*
when every path that ends normally has bound it. Where the text cannot tell, the analysis errs to the side that
costs a replay and never to the side that gives a stale one: more reads, fewer sure bindings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from resonate_nb.fingerprint import parse
from resonate_nb.records import dataclass

from ._flow import Flow
from ._scopes import outside_functions

_HISTORY = frozenset({"In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh"})


@dataclass(frozen=True, slots=True)
class ImportedName:
    """One name that an import statement binds, with the statement that binds just this name."""

    text: str
    """``import numpy as np``, ``import a.b``, ``from m import f as g``, ``from m import *``."""
    name: str
    """The name bound; ``*`` for a star import."""
    module: str
    attribute: str | None
    """What is taken from the module; None for a plain import."""
    line: int

    @property
    def is_star(self) -> bool:
        return self.name == "*"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A line of the cell that is not Python: a shell command, a magic, or a use of the shell object."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class CellFacts:
    """What the text of one cell says. Lines count from 1 in the text that was analysed."""

    tree: ast.Module
    reads: Mapping[str, int]
    """Names that may be read before the cell has bound them, with the first line; builtins included."""
    surely_bound: frozenset[str]
    """Bound whenever the cell ends normally."""
    surely_deleted: frozenset[str]
    """Deleted, and not bound again, whenever the cell ends normally."""
    bound: Mapping[str, int]
    """Every name the cell, or a function defined in it, may bind, with the last line that does."""
    deleted: Mapping[str, int]
    """Every name the cell may delete, with the line."""
    imports: tuple[ImportedName, ...]
    """Outside functions and classes, in order."""
    definitions: Mapping[str, int]
    """Names bound by ``def``, ``async def`` or ``class`` outside functions, with the line."""
    touched: Mapping[str, int]
    """Names through which the cell stores (``x[0] = …``, ``x.a = …``, ``x += …``) or on which it calls a method, with
    the line; stores are preferred. A hint for messages, nothing more."""
    foreign: tuple[Foreign, ...]
    history: tuple[str, ...]
    """Names of IPython's history (``_``, ``Out``, …) that the cell reads."""
    is_async: bool
    """The cell awaits outside functions."""
    has_star_import: bool

    @property
    def unsure(self) -> frozenset[str]:
        """Names that the cell may bind or delete, on some paths only."""
        return frozenset(self.bound.keys() | self.deleted.keys()) - self.surely_bound - self.surely_deleted


@lru_cache(maxsize=512)
def analyse(text: str) -> CellFacts:
    """The facts of a cell's text as IPython's transformer leaves it (``!x`` and ``%x`` already are calls).

    Raises SyntaxError as `compile` does.
    """
    # The parser takes a top-level ``await`` as it stands; whether it is allowed is the compiler's affair.
    tree = parse(text)
    flow = Flow()
    flow.walk(tree.body)
    end = flow.state if flow.state is not None else {}
    return CellFacts(
        tree=tree,
        reads=dict(flow.reads),
        surely_bound=frozenset(name for name, is_bound in end.items() if is_bound),
        surely_deleted=frozenset(name for name, is_bound in end.items() if not is_bound),
        bound=dict(flow.bound),
        deleted=dict(flow.deleted),
        imports=tuple(_imports(tree.body)),
        definitions=dict(flow.definitions),
        touched=_touched(tree),
        foreign=tuple(_foreign(tree)),
        history=tuple(name for name in flow.reads if is_history(name)),
        is_async=_awaits(tree.body),
        has_star_import=flow.has_star_import,
    )


def is_history(name: str) -> bool:
    """Whether IPython keeps this name itself: inputs, outputs and their short forms."""
    return name in _HISTORY or (name[:1] == "_" and name.removeprefix("_i").removeprefix("_").isdecimal())


def _awaits(body: Sequence[ast.stmt]) -> bool:
    for node in outside_functions(body):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                return True
            case ast.ListComp(generators=generators) | ast.SetComp(generators=generators):
                if any(generator.is_async for generator in generators):
                    return True
            case ast.DictComp(generators=generators):
                if any(generator.is_async for generator in generators):
                    return True
    return False


def _imports(body: Sequence[ast.stmt]) -> Iterator[ImportedName]:
    for node in outside_functions(body):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    text = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                    name = alias.asname or alias.name.split(".")[0]
                    yield ImportedName(text, name, alias.name, None, node.lineno)
            case ast.ImportFrom(module=module, names=names, level=level):
                source = "." * level + (module or "")
                for alias in names:
                    text = f"from {source} import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                    yield ImportedName(text, alias.asname or alias.name, source, alias.name, node.lineno)


def _foreign(tree: ast.Module) -> Iterator[Foreign]:
    explained: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")) as shell, attr=attribute)):
                text = _foreign_text(attribute, [a.value for a in node.args if isinstance(a, ast.Constant)])
                explained.add(id(shell.func))
                yield Foreign(text, node.lineno)
            case ast.Name(id="get_ipython", ctx=ast.Load()) if id(node) not in explained:
                yield Foreign("get_ipython()", node.lineno)


def _foreign_text(attribute: str, constants: Sequence[object]) -> str:
    words = [str(constant) for constant in constants]
    match attribute, words:
        case "run_line_magic", [name, *rest]:
            return f"%{name} {' '.join(rest)}".strip()
        case "run_cell_magic", [name, line, *_]:
            return f"%%{name} {line}".strip()
        case (("system" | "getoutput"), [command, *_]):
            return f"!{command}"
        case _:
            return f"get_ipython().{attribute}()"


def _touched(tree: ast.Module) -> dict[str, int]:
    stores: dict[str, int] = {}
    methods: dict[str, int] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                if name := _root(node):
                    stores[name] = min(node.lineno, stores.get(name, node.lineno))
            case ast.AugAssign(target=ast.Name(id=name)):
                stores[name] = min(node.lineno, stores.get(name, node.lineno))
            case ast.Call(func=ast.Attribute() as function):
                if name := _root(function):
                    methods[name] = min(node.lineno, methods.get(name, node.lineno))
    return {**methods, **stores}


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
