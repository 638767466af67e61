"""Scopes of their own (functions, lambdas, comprehensions, inner classes): what they take from the module's names."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import field

from resonate_nb.records import dataclass

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(slots=True)
class Free:
    """What a scope of its own takes from, and leaves in, the module's names; each with a line."""

    reads: dict[str, int] = field(default_factory=dict)
    global_reads: dict[str, int] = field(default_factory=dict)
    """Read as a global whatever the scopes around it bind."""
    global_stores: dict[str, int] = field(default_factory=dict)
    walrus: dict[str, int] = field(default_factory=dict)
    """Bound by ``:=`` in a comprehension: belongs to the scope around it."""


class _Scope(ast.NodeVisitor):
    """Collects loads and stores of one scope, and the free names of the scopes nested in it."""

    def __init__(self) -> None:
        self.loads: dict[str, int] = {}
        self.stores: dict[str, int] = {}
        self.nested: list[Free] = []
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        (self.loads if isinstance(node.ctx, ast.Load) else self.stores).setdefault(node.id, node.lineno)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.loads.setdefault(node.target.id, node.lineno)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.stores.setdefault(node.name, node.lineno)
        for expression in [*node.decorator_list, *evaluated_with(node)]:
            self.visit(expression)
        self.nested.append(free_of_function(node))

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for expression in defaults(node.args):
            self.visit(expression)
        self.nested.append(free_of_function(node))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.stores.setdefault(node.name, node.lineno)
        for expression in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(expression)
        body = _Scope()
        for statement in node.body:
            body.visit(statement)
        free = _close(body, set(type_parameters(node)), is_class=True)
        self.nested.append(free)

    def _comprehension(self, node: Comprehension) -> None:
        self.visit(node.generators[0].iter)
        free = free_of_comprehension(node)
        self.nested.append(free)
        for name, line in free.walrus.items():
            self.stores.setdefault(name, line)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Global(self, node: ast.Global) -> None:
        self.globals.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.nonlocals.update(node.names)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self.stores.setdefault(node.name, node.lineno)
        self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> None:
        self.stores.setdefault(node.asname or node.name.split(".")[0], node.lineno)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name is not None:
            self.stores.setdefault(node.name, node.lineno)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self.stores.setdefault(node.name, node.lineno)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest is not None:
            self.stores.setdefault(node.rest, node.lineno)
        self.generic_visit(node)


def _close(scope: _Scope, parameters: set[str], *, is_class: bool = False) -> Free:
    own = (parameters | scope.stores.keys()) - scope.globals - scope.nonlocals
    free = Free()
    for name, line in scope.loads.items():
        if name in scope.globals:
            free.global_reads.setdefault(name, line)
        elif name not in own:
            free.reads.setdefault(name, line)
        elif is_class and name not in parameters:
            free.global_reads.setdefault(name, line)  # before a class binds a name, the module's is seen
    for name in scope.globals & scope.stores.keys():
        free.global_stores.setdefault(name, scope.stores[name])
    visible = parameters if is_class else own  # functions in a class do not see the class's names
    for nested in scope.nested:
        for name, line in nested.reads.items():
            if name in scope.globals:
                free.global_reads.setdefault(name, line)
            elif name not in visible:
                free.reads.setdefault(name, line)
        for name, line in nested.global_reads.items():
            free.global_reads.setdefault(name, line)
        for name, line in nested.global_stores.items():
            free.global_stores.setdefault(name, line)
    return free


def free_of_function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Free:
    arguments = node.args
    parameters = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
    parameters |= {a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None}
    parameters |= set(type_parameters(node))
    scope = _Scope()
    for part in node.body if isinstance(node.body, list) else [node.body]:
        scope.visit(part)
    return _close(scope, parameters)


def free_of_comprehension(node: Comprehension) -> Free:
    scope = _Scope()
    walrus: dict[str, int] = {}
    for index, generator in enumerate(node.generators):
        scope.visit(generator.target)
        for part in [*([generator.iter] if index else []), *generator.ifs]:
            scope.visit(part)
    for part in result_of(node):
        scope.visit(part)
    for inner in ast.walk(node):
        if isinstance(inner, ast.NamedExpr):
            walrus[inner.target.id] = inner.target.lineno
            scope.stores.pop(inner.target.id, None)
    free = _close(scope, set())
    free.walrus = walrus
    return free


def result_of(node: Comprehension) -> list[ast.expr]:
    return [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]


def free_of(nodes: Iterable[ast.AST], parameters: Iterable[str]) -> Free:
    scope = _Scope()
    for node in nodes:
        scope.visit(node)
    return _close(scope, set(parameters))


def present(*nodes: ast.expr | None) -> list[ast.expr]:
    return [node for node in nodes if node is not None]


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *present(*arguments.kw_defaults)]


def evaluated_with(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Defaults and annotations: evaluated when the function is made."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    parameters = set(type_parameters(node))
    annotations = present(*(a.annotation for a in every), node.returns)
    if parameters:  # with type parameters the annotations see them; leave out those that do
        annotations = [
            a for a in annotations if not any(isinstance(n, ast.Name) and n.id in parameters for n in ast.walk(a))
        ]
    return [*defaults(arguments), *annotations]


def type_parameters(node: ast.AST) -> list[str]:
    return [parameter.name for parameter in getattr(node, "type_params", [])]


def captures(node: ast.pattern) -> Iterator[tuple[str, int]]:
    for child in ast.walk(node):
        match child:
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, child.lineno
            case ast.MatchMapping(rest=str(name)):
                yield name, child.lineno


def outside_functions(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes that run with the cell itself: not the inside of functions, lambdas and classes."""
    pending = list(body)[::-1]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(reversed(node.decorator_list))
        elif not isinstance(node, ast.Lambda):
            pending.extend(reversed(list(ast.iter_child_nodes(node))))
