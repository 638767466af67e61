"""What a piece of code takes from outside itself: the names it reads and stores there, what it imports, what hides.

Python decides at compile time which scope a name belongs to, and so does this module, by the same rules: what is bound
anywhere in a function is local to all of it, a class body is seen by itself only, comprehensions have a scope of their
own, `:=` binds outside of them. Reads are kept with the attributes that follow (`mymod.sub.g`), so that of a module
only what is used counts. (`tests/fingerprint/test_code_scope.py` compares with what the compiler says.)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from ._doing import undone_in
from ._resolve import Resolver
from ._spoken import spoken_of
from ._tree import Function
from ._uses import Facts, Load, Root, Scope, Text, TextCall, Use, chain_of, texts_in

# Reading one of these says something about hints, docstrings or signatures, which else do not count.
_REFLECTING = frozenset(
    {
        "__annotations__",
        "__annotate__",
        "__doc__",
        "__signature__",
        "__text_signature__",
        "get_annotations",
        "get_type_hints",
        "getdoc",
        "getfullargspec",
        "signature",
        "Signature",
        "help",
    }
)
# Reading one of these leads to names or texts that no analysis follows.
_HIDING = frozenset(
    {
        "__builtins__",
        "__closure__",
        "__code__",
        "__globals__",
        "__subclasses__",
        "_getframe",
        "cell_contents",
        "currentframe",
        "f_back",
        "f_builtins",
        "f_globals",
        "f_locals",
        "getsource",
        "getsourcelines",
        "gi_frame",
        "tb_frame",
        "user_global_ns",
        "user_ns",
    }
)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_LONG = 10_000
_TEXT_METHODS = frozenset({"query", "eval"})
_BY_KEY = frozenset({"__delitem__", "__getitem__", "__setitem__", "get", "pop", "setdefault"})
_CHANGING = frozenset({"__delitem__", "__setitem__", "clear", "pop", "popitem", "setdefault", "update"})


def facts_of_function(node: Function, decorators: Sequence[ast.expr], *, owner: str | None, exposed: bool) -> Facts:
    """What a function takes from outside.

    Args:
        node: the function as parsed.
        decorators: those of its decorators that count.
        owner: name of the class whose body it stands in, since names such as `__x` are spelled differently there.
        exposed: whether its type hints count.
    """
    reader = _Reader(owner, exposed)
    outside = Scope("module", None)
    reader.scope = outside
    for decorator in decorators:
        reader.decorator(decorator)
    if exposed:
        reader.hints(node)
    reader.body_of(node)
    return reader.facts(outside, frozenset(), is_cell=False)


def facts_of_cell(tree: ast.Module, reads: frozenset[str], *, exposed: bool) -> Facts:
    """What the module of a cell takes from outside; `reads` are those of the names it binds that it reads before."""
    reader = _Reader(None, exposed)
    outside = Scope("module", None)
    reader.scope = outside
    for statement in tree.body:
        reader.visit(statement)
    return reader.facts(outside, reads, is_cell=True)


class _Reader(ast.NodeVisitor):
    def __init__(self, owner: str | None, exposed: bool) -> None:
        self.scope = Scope("module", None)
        self._owner = owner
        self._exposed = exposed
        self._loads: list[tuple[Scope, Load | Text | list[str]]] = []
        self._texts: list[tuple[Scope, str]] = []
        self._stores: list[tuple[Scope, str]] = []
        self._reflects = False
        self._hides: dict[str, None] = {}
        self._attributes: set[str] = set()
        self._stars: dict[str, None] = {}
        self._undone: set[str] = set()

    def body_of(self, node: Function) -> None:
        outer = self.scope
        self.scope = Scope("function", outer)
        for parameter in getattr(node, "type_params", ()):
            self.visit(parameter)
        arguments = node.args
        named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if self._owner is not None and outer.kind in ("class", "module") and named and named[0].arg in ("self", "cls"):
            self.scope.self_name = named[0].arg
        for argument in named:
            self._bind(argument.arg)
        for extra in (arguments.vararg, arguments.kwarg):
            if extra is not None:
                self._bind(extra.arg)
        if isinstance(node, ast.Lambda):
            self.visit(node.body)
        else:
            for statement in node.body:
                self.visit(statement)
        self.scope = outer

    def hints(self, node: Function) -> None:
        if isinstance(node, ast.Lambda):
            return
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            self._maybe(argument.annotation)
        for extra in (arguments.vararg, arguments.kwarg):
            if extra is not None:
                self._maybe(extra.annotation)
        self._maybe(node.returns)

    def decorator(self, node: ast.expr) -> None:
        found = chain_of(node)
        if found is None:
            self.visit(node)
        else:
            self._load(found[0], found[1], is_decorator=True)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        if not isinstance(node, ast.Lambda):
            for decorator in node.decorator_list:
                self.decorator(decorator)
            if self._exposed or node.decorator_list:
                self.hints(node)
            self._bind(node.name)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            self._maybe(default)
        self.body_of(node)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.decorator(decorator)
        self._bind(node.name)
        outer, owner = self.scope, self._owner
        if getattr(node, "type_params", ()):
            self.scope = Scope("function", outer)
            for parameter in node.type_params:  # type: ignore[attr-defined, unused-ignore]
                self.visit(parameter)
        for part in (*node.bases, *node.keywords):
            self.visit(part)
        self.scope = Scope("class", self.scope)
        self._owner = node.name
        for statement in node.body:
            self.visit(statement)
        self.scope, self._owner = outer, owner

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        first, *rest = node.generators
        self.visit(first.iter)
        outer = self.scope
        self.scope = Scope("comprehension", outer)
        self.visit(first.target)
        for condition in first.ifs:
            self.visit(condition)
        for generator in rest:
            self.visit(generator)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.visit(node.value)
        else:
            self.visit(node.elt)
        self.scope = outer

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _comprehension

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.globals.update(map(self._mangled, node.names))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocals.update(map(self._mangled, node.names))

    def _bind(self, name: str, imported: Use | None = None) -> None:
        name = self._mangled(name)
        self.scope.binds.add(name)
        self._stores.append((self.scope, name))
        if imported is None:
            self.scope.others.add(name)
        else:
            self.scope.imports.setdefault(name, []).append(imported)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        inner = self.scope
        while self.scope.kind == "comprehension" and self.scope.parent is not None:
            self.scope = self.scope.parent
        self._bind(node.target.id)
        self.scope = inner

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname is None:
                first = alias.name.partition(".")[0]
                self._bind(first, Use(Root.IMPORT, first))
                if first != alias.name:
                    self._stores_nothing(alias.name)
            else:
                self._bind(alias.asname, Use(Root.IMPORT, alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self._stars[module] = None
            elif module != "__future__":
                self._bind(alias.asname or alias.name, Use(Root.IMPORT, module, (alias.name,)))

    def _stores_nothing(self, module: str) -> None:
        """`import a.b` also sees to it that `a` has its attribute `b`."""
        first = module.partition(".")[0]
        self.scope.imports[self._mangled(first)].append(Use(Root.IMPORT, first, target=module))

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._maybe(node.type)
        if node.name is not None:
            self._bind(node.name)
        for statement in node.body:
            self.visit(statement)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._maybe(node.pattern)
        if node.name is not None:
            self._bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name is not None:
            self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest is not None:
            self._bind(node.rest)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._load(node.target.id, ())
        elif (found := chain_of(node.target)) is not None:
            self._load(*found)
        self.visit(node.target)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if self._exposed or self.scope.kind in ("class", "module"):
            self.visit(node.annotation)
        self._maybe(node.value)

    def generic_visit(self, node: ast.AST) -> None:
        # The parameters of generics (3.12) bind like everything else that has a name.
        if type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            self._bind(getattr(node, "name"))  # noqa: B009
        super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._load(node.id, ())
        else:
            self._bind(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        found = chain_of(node)
        if found is not None:
            self._load(*found, is_stored=not isinstance(node.ctx, ast.Load))
            return
        self._word(node.attr)
        self._attributes.add(node.attr)
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        found = chain_of(node.func)
        if found is not None:
            self._load(*found, call=node)
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
            attribute = node.func.attr
            self._word(attribute)
            self._attributes.add(attribute)
            item = node.args[0] if node.args and attribute in _BY_KEY else None
            self._container(node.func.value, item, is_changed=attribute in _CHANGING)
        else:
            self.visit(node.func)
        if found is not None and (found[1] or found[:1])[-1] == "getattr" and len(node.args) > 1:
            named = node.args[1]
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                self._word(named.value)
                self._attributes.add(named.value)
                if (asked := chain_of(node.args[0])) is not None:
                    self._load(asked[0], (*asked[1], named.value))
        if isinstance(node.func, ast.Attribute) and node.func.attr in _TEXT_METHODS:
            text = _text_argument(node)
            if text is not None:
                self._loads.append((self.scope, Text(node.func.attr, text)))
        for argument in (*node.args, *node.keywords):
            self.visit(argument)
            if found == ("print", ()):
                continue
            for part in texts_in(argument.value if isinstance(argument, ast.keyword) else argument):
                if words := spoken_of(part):
                    self._loads.append((self.scope, words))

    def visit_Try(self, node: ast.Try) -> None:
        self._undone |= undone_in(node)
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        self._undone |= undone_in(node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._container(node.value, node.slice, is_changed=not isinstance(node.ctx, ast.Load))
        self.visit(node.slice)

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.ops[0], ast.In | ast.NotIn) and len(node.ops) == 1:
            self.visit(node.left)
            self._container(node.comparators[0], node.left)
        else:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and len(node.value) < _LONG:
            self._texts.append((self.scope, node.value))

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.visit(node.value)

    def _container(self, node: ast.expr, item: ast.expr | None, *, is_changed: bool = False) -> None:
        """Visit something that is asked for an item, or changed at one: `globals()["x"]`, `os.environ["X"]`."""
        call = node if isinstance(node, ast.Call) and not (node.args or node.keywords) else None
        found = chain_of(node if call is None else call.func)
        if found is None:
            self.visit(node)
        else:
            self._load(*found, call=call, item=item, is_changed=is_changed)

    def _load(
        self,
        name: str,
        chain: tuple[str, ...],
        *,
        call: ast.Call | None = None,
        is_stored: bool = False,
        is_decorator: bool = False,
        item: ast.expr | None = None,
        is_changed: bool = False,
    ) -> None:
        name, chain = self._mangled(name), tuple(map(self._mangled, chain))
        for word in (name, *chain):
            self._word(word)
        self._loads.append((self.scope, Load(name, chain, call, is_stored, is_decorator, item, is_changed)))

    def _word(self, word: str) -> None:
        if word in _REFLECTING:
            self._reflects = True
        elif word in _HIDING:
            self._hides[word] = None

    def _maybe(self, node: ast.AST | None) -> None:
        if node is not None:
            self.visit(node)

    def _mangled(self, name: str) -> str:
        if self._owner is None or not name.startswith("__") or name.endswith("__") or "." in name:
            return name
        owner = self._owner.lstrip("_")
        return f"_{owner}{name}" if owner else name

    def facts(self, outside: Scope, reads: frozenset[str], *, is_cell: bool) -> Facts:
        resolver = Resolver(outside, reads, is_cell)
        uses: dict[Use, None] = {}
        texts: dict[TextCall, None] = {}
        for scope, found in self._loads:
            if isinstance(found, Text):
                for each in resolver.text(scope, found):
                    if isinstance(each, Use):
                        uses[each] = None
                    else:
                        texts[each] = None
            elif isinstance(found, list):
                uses.update((use, None) for word in found for use in resolver.soft(scope, self._mangled(word)))
            else:
                uses.update((use, None) for use in resolver.uses(scope, found))
                if isinstance(resolver.owner(scope, found.name), Scope):
                    self._attributes.update(found.chain)
        for scope in resolver.scopes(self._stores):
            for imported in scope.imports.values():
                # An unused import still runs the module; and `import a.b` makes `a.b` an attribute.
                uses.update((use, None) for use in imported if use.target)
        spoken: dict[Use, None] = {}
        for scope, text in self._texts:
            spoken.update((use, None) for use in resolver.spoken(scope, map(self._mangled, _IDENTIFIER.findall(text))))
        stores: dict[tuple[Root, str], None] = {}
        for scope, name in self._stores:
            root = resolver.stored(scope, name)
            if root is not None:
                stores[root, name] = None
        return Facts(
            tuple(uses),
            tuple(stores),
            tuple(texts),
            self._reflects,
            tuple(self._hides),
            tuple(self._stars),
            frozenset(self._attributes),
            tuple(spoken),
            frozenset(self._undone),
        )


def _text_argument(call: ast.Call) -> ast.expr | None:
    if call.args:
        return call.args[0]
    return next((keyword.value for keyword in call.keywords if keyword.arg in ("expr", None)), None)
