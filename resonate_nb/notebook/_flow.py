"""Definite assignment in a cell: which names are read before they are surely bound, on the paths the text allows."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence

from ._scopes import (
    Comprehension,
    Free,
    captures,
    defaults,
    evaluated_with,
    free_of,
    free_of_function,
    outside_functions,
    present,
    result_of,
    type_parameters,
)

_Bound = dict[str, bool]
"""Names whose fate is certain at a point: True is bound by the cell, False is deleted by it."""

_NOT_SUPPRESSING = frozenset(
    """
    open fdopen catch_warnings errstate printoptions no_grad inference_mode enable_grad option_context rc_context
    context ThreadPoolExecutor ProcessPoolExecutor TemporaryDirectory NamedTemporaryFile TemporaryFile ZipFile TarFile
    SpooledTemporaryFile GzipFile BZ2File LZMAFile urlopen connect closing nullcontext redirect_stdout redirect_stderr
    chdir Session Client AsyncClient ClientSession Pool ThreadPool tqdm trange Lock RLock Semaphore Condition
    localcontext parallel_backend parallel_config config_context File ExcelWriter ExcelFile HDFStore TaskGroup timeout
    """.split()  # noqa: SIM905 (a table of words)
)
"""Context managers, by the last part of the name they are called by, that let exceptions of their body through.

Behind any other one the rest of the body may be skipped in silence, so what the body binds is not sure."""


class Flow:
    """Walks statements in order with the set of names whose fate is certain; `state` is None where nothing arrives."""

    def __init__(self, outer: _Bound | None = None) -> None:
        self.state: _Bound | None = {}
        self.reads: dict[str, int] = {}
        self.bound: dict[str, int] = {}
        self.deleted: dict[str, int] = {}
        self.definitions: dict[str, int] = {}
        self.stored_by_functions: set[str] = set()
        self.has_star_import = False
        # In a class body `outer` is what the module had bound when the body began: functions in it see only that.
        self._outer = outer
        self._globals: set[str] = set()
        self._breaks: list[list[_Bound | None]] = []
        self._continues: list[list[_Bound | None]] = []

    def read(self, name: str, line: int) -> None:
        if self.state is None or (self.state.get(name) is True and name not in self._globals):
            return
        self.read_from_function(name, line)

    def read_from_function(self, name: str, line: int) -> None:
        # A function may be called at once or long after, so what counts is what is bound where it is made.
        if self.state is None:
            return
        seen = self.state if self._outer is None else self._outer
        if seen.get(name) is not True:
            self.reads.setdefault(name, line)

    def bind(self, name: str, line: int) -> None:
        if self.state is None:
            return
        self.bound[name] = max(line, self.bound.get(name, 0))
        self.state[name] = True

    def delete(self, name: str, line: int) -> None:
        if self.state is None:
            return
        self.deleted.setdefault(name, line)
        self.state[name] = False

    def bind_from_function(self, name: str, line: int) -> None:
        """A function made here says ``global name``: it may bind it, whenever it is called."""
        self.stored_by_functions.add(name)
        self.bound[name] = max(line, self.bound.get(name, 0))

    def walk(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.statement(statement)

    def branch(self, statements: Sequence[ast.stmt], start: _Bound | None) -> _Bound | None:
        """Walk statements from a copy of `start`; leaves `state` alone and gives the state at their end."""
        saved, self.state = self.state, _copy(start)
        self.walk(statements)
        end, self.state = self.state, saved
        return end

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.expressions([*node.decorator_list, *evaluated_with(node)])
                self.function(node)
                self.bind(node.name, node.lineno)
                self.definitions[node.name] = node.lineno
            case ast.ClassDef():
                self.class_statement(node)
            case ast.Assign(targets=targets, value=value):
                self.expression(value)
                for target in targets:
                    self.target(target)
            case ast.AugAssign(target=target, value=value):
                if isinstance(target, ast.Name):
                    self.read(target.id, target.lineno)
                else:
                    self.expression(target)
                self.expression(value)
                if isinstance(target, ast.Name):
                    self.bind(target.id, target.lineno)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                if value is not None:
                    self.expression(value)
                self.expression(annotation)
                if value is not None or not isinstance(target, ast.Name):
                    self.target(target)
            case ast.Delete(targets=targets):
                for target in targets:
                    self.delete_target(target)
            case ast.For() | ast.AsyncFor():
                self.expression(node.iter)
                self.loop(node.body, node.orelse, target=node.target, test=None)
            case ast.While(test=test, body=body, orelse=orelse):
                self.loop(body, orelse, target=None, test=test)
            case ast.If(test=test, body=body, orelse=orelse):
                self.expression(test)
                self.state = _meet([self.branch(body, self.state), self.branch(orelse, self.state)])
            case ast.With() | ast.AsyncWith():
                self.with_statement(node)
            case ast.Match(subject=subject, cases=cases):
                self.match_statement(subject, cases)
            case ast.Try() | ast.TryStar():
                self.try_statement(node)
            case ast.Import(names=names):
                for alias in names:
                    self.bind(alias.asname or alias.name.split(".")[0], node.lineno)
            case ast.ImportFrom(names=names):
                for alias in names:
                    if alias.name == "*":
                        self.has_star_import = True
                    else:
                        self.bind(alias.asname or alias.name, node.lineno)
            case ast.Assert(test=test, msg=message):
                self.expression(test)
                if message is not None:
                    self.maybe(message)
            case ast.Raise():
                self.expressions(present(node.exc, node.cause))
                self.state = None
            case ast.Break():
                if self._breaks:
                    self._breaks[-1].append(_copy(self.state))
                self.state = None
            case ast.Continue():
                if self._continues:
                    self._continues[-1].append(_copy(self.state))
                self.state = None
            case ast.Global(names=names):
                self._globals.update(names)
            case ast.Expr(value=value):
                self.expression(value)
            case _ if type(node).__name__ == "TypeAlias":  # Python 3.12: `type X = …`, its value is evaluated later
                self.apply_free(free_of([node.value], type_parameters(node)))  # type: ignore[attr-defined]
                self.bind(node.name.id, node.lineno)  # type: ignore[attr-defined]
            case _:  # pass, nonlocal, and `return`, which a cell cannot have
                self.expressions(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))

    def loop(
        self, body: Sequence[ast.stmt], orelse: Sequence[ast.stmt], *, target: ast.expr | None, test: ast.expr | None
    ) -> None:
        entry = _copy(self.state)
        head = _copy(entry)
        is_endless = isinstance(test, ast.Constant) and bool(test.value)
        while True:
            self._breaks.append([])
            self._continues.append([])
            self.state = _copy(head)
            if test is not None:
                self.expression(test)
            exit_state = _copy(self.state)
            if target is not None:
                self.target(target)
            self.walk(body)
            breaks, turns = self._breaks.pop(), [self.state, *self._continues.pop()]
            again = _meet([entry, *turns])
            if again == head:
                break
            head = again  # a turn of the loop deletes what was bound before it: look again with less
        self.state = None if is_endless else exit_state
        self.walk(orelse)
        self.state = _meet([self.state, *breaks])

    def with_statement(self, node: ast.With | ast.AsyncWith) -> None:
        is_transparent = True
        for item in node.items:
            self.expression(item.context_expr)
            is_transparent = is_transparent and _lets_errors_through(item.context_expr)
            if item.optional_vars is not None:
                self.target(item.optional_vars)
        entered = _copy(self.state)
        self.walk(node.body)
        if not is_transparent:
            self.state = _meet([self.state, _cut_short(entered, node.body)])

    def match_statement(self, subject: ast.expr, cases: Sequence[ast.match_case]) -> None:
        self.expression(subject)
        entry = _copy(self.state)
        ends: list[_Bound | None] = []
        is_exhaustive = False
        for case in cases:
            self.state = _copy(entry)
            self.pattern(case.pattern)
            if case.guard is not None:
                self.expression(case.guard)
            self.walk(case.body)
            ends.append(self.state)
            if isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None:
                is_exhaustive = True
        self.state = _meet(ends if is_exhaustive else [entry, *ends])

    def try_statement(self, node: ast.Try | ast.TryStar) -> None:
        entry = _copy(self.state)
        ends = [self.branch(node.orelse, self.branch(node.body, entry))]
        caught = _cut_short(entry, node.body)
        for handler in node.handlers:
            self.state = _copy(caught)
            if handler.type is not None:
                self.expression(handler.type)
            if handler.name is not None:
                self.bind(handler.name, handler.lineno)
            self.walk(handler.body)
            if handler.name is not None:
                self.delete(handler.name, handler.lineno)  # Python deletes it at the end of the handler
            ends.append(self.state)
        after = _meet(ends)
        if node.finalbody:
            # The final part also runs on the way out of an error: its reads are judged with what is sure there.
            guarded = [*node.body, *node.orelse, *(s for handler in node.handlers for s in handler.body)]
            self.branch(node.finalbody, _cut_short(entry, guarded))
            after = self.branch(node.finalbody, after)
        self.state = after

    def class_statement(self, node: ast.ClassDef) -> None:
        self.expressions(node.decorator_list)
        parameters = type_parameters(node)
        self.apply_free(free_of([*node.bases, *(keyword.value for keyword in node.keywords)], parameters))
        if self.state is not None:
            seen = self.state if self._outer is None else self._outer
            inner = Flow(outer={**seen, **dict.fromkeys(parameters, True)})
            inner.walk(node.body)
            self.merge(inner, inner._globals | inner.stored_by_functions)
        self.bind(node.name, node.lineno)
        self.definitions[node.name] = node.lineno

    def expressions(self, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            self.expression(node)

    def expression(self, node: ast.expr) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                self.read(name, node.lineno)
            case ast.NamedExpr(target=target, value=value):
                self.expression(value)
                self.bind(target.id, target.lineno)
            case ast.BoolOp(values=[first, *rest]):
                self.expression(first)
                self.maybe(*rest)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.expression(test)
                entry = _copy(self.state)
                self.expression(body)
                end = self.state
                self.state = _copy(entry)
                self.expression(orelse)
                self.state = _meet([end, self.state])
            case ast.Compare(left=left, comparators=[first, *rest]):
                self.expression(left)
                self.expression(first)
                self.maybe(*rest)
            case ast.Lambda():
                self.expressions(defaults(node.args))
                self.function(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self.comprehension(node)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self.expression(child)
                    elif isinstance(child, ast.keyword):
                        self.expression(child.value)

    def maybe(self, *nodes: ast.expr) -> None:
        """Expressions that may be left out: what they bind (``:=``) is not sure afterwards."""
        for node in nodes:
            entry = _copy(self.state)
            self.expression(node)
            self.state = _meet([entry, self.state])

    def comprehension(self, node: Comprehension) -> None:
        self.expression(node.generators[0].iter)
        if self.state is None:
            return
        inner = Flow()
        inner.state = dict(self.state if self._outer is None else self._outer)
        targets: set[str] = set()
        for index, generator in enumerate(node.generators):
            if index:
                inner.expression(generator.iter)
            inner.target(generator.target)
            targets.update(inner.bound.keys())
            inner.expressions(generator.ifs)
        inner.expressions(result_of(node))
        targets -= {n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr)}
        self.merge(inner, inner.bound.keys() - targets)  # a walrus may bind: there may be no turn at all

    def merge(self, inner: Flow, kept: Collection[str]) -> None:
        """Take over what a scope inside read, and those of its bindings that reach out of it, as possible ones."""
        for name, line in inner.reads.items():
            self.reads.setdefault(name, line)
        for name, line in inner.bound.items():
            if name in kept:
                self.bind_from_function(name, line)

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        self.apply_free(free_of_function(node))

    def apply_free(self, free: Free) -> None:
        for name, line in {**free.global_reads, **free.reads}.items():
            self.read_from_function(name, line)
        for name, line in free.global_stores.items():
            self.bind_from_function(name, line)

    def target(self, node: ast.expr) -> None:
        match node:
            case ast.Name(id=name):
                self.bind(name, node.lineno)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self.target(element)
            case ast.Starred(value=value):
                self.target(value)
            case _:  # x.a or x[i]: x and i are read
                self.expression(node)

    def delete_target(self, node: ast.expr) -> None:
        match node:
            case ast.Name(id=name):
                self.read(name, node.lineno)
                self.delete(name, node.lineno)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                for element in elements:
                    self.delete_target(element)
            case _:
                self.expression(node)

    def pattern(self, node: ast.pattern) -> None:
        for child in ast.walk(node):
            match child:
                case ast.MatchValue(value=value):
                    self.expression(value)
                case ast.MatchClass(cls=cls):
                    self.expression(cls)
                case ast.MatchMapping(keys=keys):
                    self.expressions(keys)
        # All alternatives of an or-pattern bind the same names, so a match binds every name that occurs.
        for name, line in captures(node):
            self.bind(name, line)


def _copy(state: _Bound | None) -> _Bound | None:
    return None if state is None else dict(state)


def _meet(states: Iterable[_Bound | None]) -> _Bound | None:
    """What is certain wherever one came from; paths that never arrive do not weaken it."""
    arriving = [state for state in states if state is not None]
    if not arriving:
        return None
    first, *rest = arriving
    return {name: fate for name, fate in first.items() if all(other.get(name) is fate for other in rest)}


def _cut_short(entry: _Bound | None, body: Sequence[ast.stmt]) -> _Bound | None:
    """What of `entry` still holds when `body` stopped at any point."""
    if entry is None:
        return None
    bound: set[str] = set()
    deleted: set[str] = set()
    for node in outside_functions(body):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.Name(id=name, ctx=ast.Del()):
                deleted.add(name)
            case ast.ExceptHandler(name=str(name)):
                bound.add(name)
                deleted.add(name)
            case ast.alias(name=name, asname=asname):
                bound.add(asname or name.split(".")[0])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.pattern():
                bound.update(name for name, _ in captures(node))
    return {name: fate for name, fate in entry.items() if name not in (deleted if fate else bound)}


def _lets_errors_through(node: ast.expr) -> bool:
    called = node.value if isinstance(node, ast.Await) else node
    called = called.func if isinstance(called, ast.Call) else called
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    return name in _NOT_SUPPRESSING
