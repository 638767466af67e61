"""Which names code takes from outside, against what the compiler decides."""

from __future__ import annotations

import ast
import dis
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from resonate_nb.fingerprint.code._scope import facts_of_cell, facts_of_function
from resonate_nb.fingerprint.code._uses import Facts, Root

# What class bodies do on their own, without a name in the source.
_BY_ITSELF = {"__name__", "__qualname__", "__module__", "__static_attributes__", "__annotations__", "__classdict__"}


def facts_of(text: str) -> Facts:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return facts_of_function(node, [], owner=None, exposed=False)


def reads(text: str) -> set[str]:
    return {use.name for use in facts_of(text).uses if use.root is not Root.IMPORT}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(): x = 1; return x + y", {"y"}),
        ("def f():\n    print(x)\n    x = 1", {"print"}),
        ("def f(a, /, b, *c, d, **e): return a, b, c, d, e, g", {"g"}),
        ("def f(): return [x for x in y if z]", {"y", "z"}),
        ("def f(): return [(w := x) for x in y], w", {"y"}),
        ("def f():\n    global x\n    x = 1\n    return x", {"x"}),
        ("def f():\n    global x\n    def g(): return x\n    return g", {"x"}),
        ("def f():\n    def g():\n        nonlocal x\n        x = 1\n    x = 2\n    return g", set()),
        ("def f():\n    class C:\n        x = 1\n        def m(self): return x\n    return C", {"x"}),
        ("def f():\n    x = 1\n    class C:\n        def m(self): return x, super().m()\n    return C", {"super"}),
        ("def f():\n    class C:\n        def __m(self): return __g\n    return C", {"_C__g"}),
        ("def f():\n    try: pass\n    except E as e: return e", {"E"}),
        (
            "def f(x):\n    match x:\n        case {1: P(a=b), **c}: pass\n"
            "        case [*d] as e: pass\n        case K.v: pass",
            {"P", "K"},
        ),
        ("def f():\n    with o() as (a, b): return a, b", {"o"}),
        ("def f():\n    import a.b, c as d\n    from e import g as h\n    return a, d, h", set()),
        ("def f():\n    for i in r: pass\n    return lambda j=k: i + j", {"r", "k"}),
        ("def f():\n    x += 1", set()),
        ("def f():\n    global x\n    x += 1", {"x"}),
        ("def f(): return f'{x!r:>{w}}'", {"x", "w"}),
        ("def f():\n    del x\n    return x", set()),
        ("def f(x: T) -> U:\n    y: V = x\n    return y", set()),
        ("async def f(): return [x async for x in y] + [await z]", {"y", "z"}),
        ("def f():\n    @d(k)\n    def g(a=b): return c\n    return g", {"d", "k", "b", "c"}),
    ],
)
def test_names_from_outside(text: str, expected: set[str]) -> None:
    assert expected == reads(text)


def test_attributes_of_a_name_are_kept() -> None:
    uses = facts_of("def f(): return m.sub.g(1), m.K, m.sub.x().y").uses
    assert {("m", ("sub", "g")), ("m", ("K",)), ("m", ("sub", "x"))} == {(use.name, use.chain) for use in uses}


def test_an_import_in_the_body_leads_to_its_module() -> None:
    facts = facts_of("def f():\n    import m as q\n    from n import k as l\n    return q.g(l.x)")
    assert {("m", ("g",)), ("n", ("k", "x"))} == {(use.name, use.chain) for use in facts.uses}
    assert {Root.IMPORT} == {use.root for use in facts.uses}


def test_stores_outside_are_told_from_those_inside() -> None:
    text = "def f():\n    global a\n    a = 1\n    b = 2\n    def g():\n        nonlocal b\n        global c\n"
    text += "        b = c = 3"
    assert ((Root.GLOBAL, "a"), (Root.GLOBAL, "c")) == facts_of(text).stores
    outer = ast.parse("def make():\n    n = 0\n" + "    def g():\n        nonlocal n\n        n += 1\n").body[0]
    assert isinstance(outer, ast.FunctionDef)
    inner = outer.body[1]
    assert isinstance(inner, ast.FunctionDef)
    facts = facts_of_function(inner, [], owner=None, exposed=False)
    assert ((Root.FREE, "n"),) == facts.stores


def test_a_cell_reads_what_it_is_said_to_read_and_what_it_never_binds() -> None:
    tree = ast.parse("x = x + 1\ny = z\nprint(y)\ndef g(): return w + y\n")
    facts = facts_of_cell(tree, frozenset({"x", "z"}), exposed=False)
    assert {"x", "z", "print", "w"} == {use.name for use in facts.uses}


def _outside_by_the_compiler(code: types.CodeType, taken: set[str]) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if "GLOBAL" in instruction.opname and instruction.opname.startswith(("LOAD", "STORE", "DELETE")):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _outside_by_the_compiler(constant, taken)


class _Plain(ast.NodeTransformer):
    """Takes out the hints of functions, which do not count."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node


_MODULES = ["ast", "dataclasses", "enum", "functools", "asyncio/base_events", "typing", "shutil", "inspect"]


@pytest.mark.parametrize("name", _MODULES)
def test_functions_of_the_standard_library_read_what_the_compiler_says(name: str) -> None:
    tree = _Plain().visit(ast.parse((Path(ast.__file__).parent / f"{name}.py").read_text()))
    seen = 0
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        node.decorator_list, node.args.defaults = [], []
        node.args.kw_defaults = [None for _ in node.args.kw_defaults]
        code = compile(ast.Module([node], []), name, "exec", dont_inherit=True)
        expected = {
            found
            for function in code.co_consts
            if isinstance(function, types.CodeType)
            for found in _outside_by_the_compiler(function, set())
        }
        facts = facts_of_function(node, [], owner=None, exposed=False)
        found = {use.name for use in facts.uses if use.root is not Root.IMPORT and not use.is_soft}
        found |= {stored for _, stored in facts.stores}
        # Folded constants and `if False` read nothing; `LOAD_NAME` in class bodies is looked at elsewhere.
        assert expected - _BY_ITSELF <= found, node.name
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        assert found <= names | {stored for _, stored in facts.stores}
        has_class = any(isinstance(part, ast.ClassDef) for part in ast.walk(node))
        if not has_class:
            assert found - expected <= {"__debug__"}, node.name
        seen += 1
    assert seen > 3
