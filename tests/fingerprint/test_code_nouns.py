# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Every kind of thing that code reaches code through: an edit there changes the key, and nothing else does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Session, key_of, same, write_module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    Session(tmp_path)


CALLS = "def f(x): return helper(x)"
M = "    def m(self): return §\n"
USE = "def f(): return C().m()"

# A name -> cells; `§` is what changes.
EDITS = {
    "closure: a helper in a cell": ("def make(g):\n    def f(x): return g(x)\n    return f\ndef h(x): return §", "f = make(h)"),
    "closure: two cells deep": ("def a(n):\n    def b():\n        def f(x): return x + n\n        return f\n    return b", "f = a(§)()"),
    "closure: a list in a cell": ("def make(n):\n    def f(x): return n[0]\n    return f", "f = make([§])"),
    "decorator: with an argument": ("def by(k):\n    def d(g): return lambda x: g(x) * k\n    return d", "@durable\n@by(§)\ndef f(x): return x"),
    "decorator: its helper": ("def deep(): return §\ndef d(g): return lambda x: g(x) * deep()", "@durable\n@d\ndef f(x): return x"),
    "decorator: a class": ("import functools\nclass D:\n    def __init__(self, g):\n        functools.update_wrapper(self, g)\n        self.g = g\n    def __call__(self, x): return self.g(x) + §", "@durable\n@D\ndef g(x): return x\nf = g.__wrapped__"),
    "decorator: of a helper": ("def d(g): return lambda x: g(x) + §\n@d\ndef helper(x): return x", CALLS),
    "decorator: of a method": ("def d(g): return lambda self: §\nclass C:\n    @d\n    def m(self): return 0", USE),
    "decorator: of a class": ("def d(c):\n    c.k = §\n    return c\n@d\nclass C:\n    def m(self): return self.k", USE),
    "decorator: two below ours": ("def d(g): return lambda x: g(x) + §\ndef e(g): return lambda x: g(x)", "@durable\n@e\n@d\ndef f(x): return x"),
    "lambda: in a default": ("def helper(x, g=lambda v: v + §): return g(x)", CALLS),
    "lambda: in a lambda": ("helper = lambda x: (lambda y: y + §)(x)", CALLS),
    "lambda: as a key of sorted": ("key = lambda v: -v * §", "def f(x): return sorted(x, key=key)"),
    "partial: of a partial": ("import functools\ndef g(a, b, c): return c\nhelper = functools.partial(functools.partial(g, §), 2)", CALLS),
    "partial: a function as an argument": ("import functools\ndef k(v): return §\nhelper = functools.partial(map, k)", CALLS),
    "partial: what was set on it": ("import functools\nhelper = functools.partial(int)\nhelper.unit = §", "def f(x): return helper.unit"),
    "cache: what was set on it": ("import functools\n@functools.cache\ndef helper(x): return x\nhelper.unit = §", "def f(x): return helper.unit"),
    "bound method: what was set on it": ("class C:\n    def m(self): return 1\nC.m.unit = §\nhelper = C().m", "def f(x): return helper.unit"),
    "partial: of a method": ("import functools\nclass C:\n    def m(self, x): return §\nhelper = functools.partial(C().m, 1)", CALLS),
    "partialmethod": ("import functools\nclass C:\n    def n(self, k): return k\n    m = functools.partialmethod(n, §)", USE),
    "bound method": ("class C:\n    def m(self, x): return §\nhelper = C().m", CALLS),
    "class method of a base": ("class B:\n    @classmethod\n    def m(cls): return §\nclass C(B): pass", "def f(): return C.m()"),
    "static method by an object": ("class C:\n    @staticmethod\n    def m(): return §", USE),
    "property: its setter": ("class C:\n    @property\n    def p(self): return self._p\n    @p.setter\n    def p(self, v): self._p = v + §", "def f():\n    c = C()\n    c.p = 1\n    return c.p"),
    "property: made by a call": ("def get(self): return §\nclass C:\n    p = property(get)", "def f(): return C().p"),
    "property: of a class of one's own": ("class P(property):\n    def __get__(self, o, t=None): return super().__get__(o, t) + §\nclass C:\n    @P\n    def m(self): return 1", "def f(): return C().m"),
    "static method: of a class of one's own": ("class S(staticmethod):\n    def __get__(self, o, t=None): return lambda: §\nclass C:\n    @S\n    def m(): return 1", USE),
    "a wrapper that says that it is the function": (
        "class W:\n    __class__ = property(lambda self: type(h))\n    def __init__(self, by): self.by = by\n"
        "    def __call__(self, x): return self.by(h, x)\n    def __getattr__(self, name): return getattr(h, name)\n"
        "def h(x): return x\ndef by(g, x): return g(x) + §\nhelper = W(by)",
        CALLS,
    ),
    "cached_property": ("import functools\nclass C:\n    @functools.cached_property\n    def p(self): return §", "def f(): return C().p"),
    "descriptor: its state": ("class D:\n    def __init__(self, n): self.n = n\n    def __get__(self, *a): return self.n\nclass C:\n    p = D(§)", "def f(): return C().p"),
    "descriptor: its setter": ("class D:\n    def __set__(self, o, v): o.__dict__['q'] = v + §\nclass C:\n    p = D()", "def f():\n    c = C()\n    c.p = 1\n    return c.q"),
    "__getattr__": ("class C:\n    def __getattr__(self, n): return §", "def f(): return C().anything"),
    "__getitem__, __len__, __iter__": ("class C:\n    def __iter__(self): return iter([§])", "def f(): return list(C())"),
    "an operator": ("class C:\n    def __add__(self, o): return §", "def f(): return C() + 1"),
    "a hint: a note of a set": ("from typing import Annotated\nclass C:\n    x: list[Annotated[str, {'{', §}]]", "def f(): return C()"),
    "a hint: a set": ("class C:\n    x: {'a', §}", "def f(): return C()"),
    "a context manager": ("class C:\n    def __enter__(self): return §\n    def __exit__(self, *e): pass", "def f():\n    with C() as v: return v"),
    "a generator helper": ("def helper(x): yield §", "def f(x): return list(helper(x))"),
    "an async helper": ("async def helper(x): return §", "async def f(x): return await helper(x)"),
    "class: a base of a base": ("class A:\n" + M + "class B(A): pass\nclass C(B): pass", USE),
    "class: the order of bases": ("class A:\n    def m(self): return 1\nclass B:\n    def m(self): return 2\nclass C(§): pass", USE, ("A, B", "B, A")),
    "class: a mixin": ("class X:\n" + M + "class B: pass\nclass C(X, B): pass", USE),
    "class: super": ("class B:\n" + M + "class C(B):\n    def m(self): return super().m()", USE),
    "class: a list as attribute": ("class C:\n    k = [§]\n    def m(self): return self.k", USE),
    "class: a dict of functions as attribute": ("def g(): return §\nclass C:\n    k = {'g': g}\n    def m(self): return self.k['g']()", USE),
    "class: an attribute set later": ("class C: pass\nC.m = lambda self: §", USE),
    "class: a nested class": ("class C:\n    class D:\n        k = §\n    def m(self): return self.D.k", USE),
    "class: made in a function": ("def make():\n    class C:\n        def m(self): return §\n    return C\nC = make()", USE),
    "class: made by type()": ("def m(self): return §\nC = type('C', (), {'m': m})", USE),
    "class: __init_subclass__": ("class B:\n    def __init_subclass__(cls, k=0): cls.k = k + §\nclass C(B):\n    def m(self): return self.k", USE),
    "class: __class_getitem__": ("class C:\n    def __class_getitem__(cls, k): return §", "def f(): return C[1]"),
    "class: a generic": ("import typing\nT = typing.TypeVar('T')\nclass C(typing.Generic[T]):\n" + M, USE),
    "class: a protocol": ("import typing\nclass P(typing.Protocol):\n    def m(self): return §\nclass C(P): pass", USE),
    "class: abstract": ("import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def n(self): ...\n    def m(self): return §\nclass C(A):\n    def n(self): pass", USE),
    "class: an exception's str": ("class E(Exception):\n    def __str__(self): return str(§)", "def f():\n    try: raise E\n    except E as e: return str(e)"),
    "metaclass: __call__": ("class M(type):\n    def __call__(cls): return §\nclass C(metaclass=M): pass", "def f(): return C()"),
    "metaclass: of a base": ("class M(type):\n    def n(cls): return §\nclass B(metaclass=M): pass\nclass C(B): pass", "def f(): return C.n()"),
    "metaclass: its base": ("class N(type):\n    def n(cls): return §\nclass M(N): pass\nclass C(metaclass=M): pass", "def f(): return C.n()"),
    "dataclass: a factory": ("import dataclasses\ndef make(): return §\n@dataclasses.dataclass\nclass C:\n    a: int = dataclasses.field(default_factory=make)", "def f(): return C().a"),
    "dataclass: __post_init__": ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int\n    def __post_init__(self): self.a += §", "def f(): return C(1).a"),
    "dataclass: of a base": ("import dataclasses\n@dataclasses.dataclass\nclass B:\n    a: int = §\n@dataclasses.dataclass\nclass C(B):\n    b: int = 0", "def f(): return C().a"),
    "dataclass: slots": ("import dataclasses\n@dataclasses.dataclass(slots=True)\nclass C:\n    a: int = §", "def f(): return C().a"),
    "dataclass: kw_only": ("import dataclasses\n@dataclasses.dataclass(kw_only=§)\nclass C:\n    a: int = 1", "def f(): return C(a=1)", ("True", "False")),
    "dataclass: an InitVar": ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: dataclasses.InitVar[int] = §\n    def __post_init__(self, a): self.b = a", "def f(): return C().b"),
    "enum: auto": ("import enum\nclass E(enum.Enum):\n    §\n", "def f(): return E.A.value", ("A = enum.auto(); B = enum.auto()", "B = enum.auto(); A = enum.auto()")),
    "enum: a flag": ("import enum\nclass E(enum.Flag):\n    A = §\n    B = 4", "def f(): return (E.A | E.B).value"),
    "enum: _missing_": ("import enum\nclass E(enum.Enum):\n    A = 1\n    @classmethod\n    def _missing_(cls, v): return cls.A if §else None", "def f(): return E(7)", ("1 ", "0 ")),
    "enum: a str": ("import enum\nclass E(enum.StrEnum):\n    A = '§'", "def f(): return E.A"),
    "enum: a property": ("import enum\nclass E(enum.Enum):\n    A = 1\n    @property\n    def p(self): return §", "def f(): return E.A.p"),
    "enum: an alias": ("import enum\nclass E(enum.Enum):\n    A = 1\n    B = §", "def f(): return E['B'].name"),
    "enum: functions as values": ("import enum, functools\ndef g(): return §\nclass E(enum.Enum):\n    A = functools.partial(g)", "def f(): return E.A.value()"),
    "named tuple: a method": ("from typing import NamedTuple\nclass C(NamedTuple):\n    a: int = 1\n" + M, USE),
    "named tuple: a subclass": ("from collections import namedtuple\nclass C(namedtuple('C', 'a', defaults=[1])):\n" + M, USE),
    "named tuple: defaults": ("from collections import namedtuple\nC = namedtuple('C', 'a', defaults=[§])", "def f(): return C().a"),
    "singledispatch: the base": ("import functools\n@functools.singledispatch\ndef helper(x): return §", CALLS),
    "singledispatch: one that is registered": ("import functools\n@functools.singledispatch\ndef helper(x): return 0\n@helper.register\ndef _(x: int): return §", CALLS),
    "singledispatch: registered in another cell": ("import functools\n@functools.singledispatch\ndef helper(x): return 0", "@helper.register(str)\ndef _(x): return §", CALLS),
    "singledispatch: for a class of the notebook": ("import functools\nclass K: pass\n@functools.singledispatch\ndef helper(x): return 0\n@helper.register\ndef _(x: K): return §", CALLS),
    "singledispatchmethod": ("import functools\nclass C:\n    @functools.singledispatchmethod\n    def m(self, x=0): return 0\n    @m.register\n    def _(self, x: int): return §", "def f(): return C().m(1)"),
    "lru_cache: over a method": ("import functools\nclass C:\n    @functools.lru_cache\n    def m(self): return §", USE),
    "lru_cache: its helper": ("import functools\ndef deep(): return §\n@functools.lru_cache(maxsize=None)\ndef helper(x): return deep()", CALLS),
    "lru_cache: a global that it read": ("import functools\nK = §\n@functools.cache\ndef helper(x): return K", CALLS),
    "lru_cache: made by a call": ("import functools\ndef g(x): return §\nhelper = functools.lru_cache(g)", CALLS),
    "container: a list": ("def g(x): return §\nT = [g]", "def f(x): return T[0](x)"),
    "container: a tuple in a dict in a list": ("def g(x): return §\nT = [{'a': (g,)}]", "def f(x): return T[0]['a'][0](x)"),
    "container: lambdas in a dict": ("T = {'a': lambda v: v + §}", "def f(x): return T['a'](x)"),
    "container: a registry by a decorator": ("T = {}\ndef reg(g):\n    T[g.__name__] = g\n    return g", "@reg\ndef a(x): return §", "def f(x): return T['a'](x)"),
    "container: a set": ("def g(x): return §\nT = {g}", "def f(x): return [g(x) for g in T]"),
    "container: a deque, a defaultdict": ("import collections\ndef g(): return §\nT = collections.defaultdict(g)", "def f(x): return T[x]"),
    "container: a SimpleNamespace": ("import types\ndef g(x): return §\nT = types.SimpleNamespace(g=g)", "def f(x): return T.g(x)"),
    "container: a field of a dataclass": ("import dataclasses\ndef g(x): return §\n@dataclasses.dataclass\nclass S:\n    g: object\ns = S(g)", "def f(x): return s.g(x)"),
    "container: classes": ("class A:\n    k = §\nT = {'a': A}", "def f(x): return T['a'].k"),
    "container: methods": ("class A:\n    def m(self, x): return §\nT = {'a': A().m, 'b': A.m}", "def f(x): return T['a'](x)"),
    "container: a mapping proxy": ("import types\ndef g(x): return §\nT = types.MappingProxyType({'a': g})", "def f(x): return T['a'](x)"),
    "container: a ChainMap": ("import collections\ndef g(x): return §\nT = collections.ChainMap({'a': g})", "def f(x): return T['a'](x)"),
    "alias: of an alias": ("def a(x): return §\nb = a\nhelper = b", CALLS),
    "alias: of a class": ("class A:\n    def m(self): return §\nC = A", USE),
    "alias: by unpacking": ("def a(x): return §\nhelper, other = a, len", CALLS),
    "alias: in a loop of the notebook": ("def a(x): return §\nfor helper in (len, a): pass", CALLS),
    "alias: by walrus": ("def a(x): return §\n(helper := a)", CALLS),
    "recursion": ("def helper(x): return § if x < 1 else helper(x - 1)", CALLS),
    "mutual recursion": ("def helper(x): return b(x)\ndef b(x): return § if x else helper(x)", CALLS),
    "recursion of f through a helper": ("def helper(x): return f(x - 1) if x else §", CALLS),
    "recursive data": ("def g(x): return §\nT = [g]\nT.append(T)", "def f(x): return T[1][0](x)"),
    "a nested durable": ("@durable\ndef helper(x): return deep(x)\ndef deep(x): return §", CALLS),
    "a nested durable with a version": ("@durable(version=3)\ndef helper(x): return deep(x)\ndef deep(x): return §", CALLS),
    "a nested durable method": ("class C:\n    @durable\n    def m(self): return §", USE),
    "an inner function of a helper": ("def helper(x):\n    def inner(): return §\n    return inner()", CALLS),
    "an inner class of a helper": ("def helper(x):\n    class I:\n        k = §\n    return I.k", CALLS),
    "a default that is a call": ("def k(): return §\ndef helper(x, n=k()): return n", CALLS),
    "a default that is a list": ("def helper(x, n=[§]): return n", CALLS),
    "a default that is a helper": ("def k(): return §\ndef helper(x, n=k): return n()", CALLS),
    "a default of a method": ("K = §\nclass C:\n    def m(self, n=K): return n", USE),
    "a keyword-only default": ("def helper(x, *, n=§): return n", CALLS),
    "an f-string": ("K = §", "def f(x): return f'{x:{K}}'"),
    "a global only in a comprehension": ("K = §", "def f(x): return [y + K for y in x]"),
    "a global only in a class body": ("K = §", "def f():\n    class I:\n        k = K\n    return I.k"),
    "a global only in a default of an inner function": ("K = §", "def f():\n    def g(n=K): return n\n    return g()"),
    "a global only in match": ("class K:\n    A = §", "def f(x):\n    match x:\n        case K.A: return 1\n    return 2"),
    "a global that shadows a builtin": ("def len(x): return §", "def f(x): return len(x)"),
    "a global by the name of a local elsewhere": ("K = §", "def f(x):\n    def g():\n        K = 0\n        return K\n    return g() + K"),
    "a helper with a global statement": ("K = §\ndef helper(x):\n    global K\n    return K", CALLS),
    "a conditional definition": ("if §:\n    def helper(x): return 1\nelse:\n    def helper(x): return 2", CALLS, ("1", "0")),
    "a helper defined twice": ("def helper(x): return 0", "def helper(x): return §", CALLS),
    "patched: __code__": ("def other(x): return §\ndef helper(x): return 0\nhelper.__code__ = other.__code__", CALLS),
    "patched: __defaults__": ("def helper(x, n=0): return n\nhelper.__defaults__ = (§,)", CALLS),
    "patched: a method": ("class C:\n    def m(self): return 0\nC.m = lambda self: §", USE),
    "patched: an object's method": ("import types\nclass C:\n    def m(self): return 0\nc = C()\nc.m = types.MethodType(lambda self: §, c)", "def f(): return c.m()"),
    "patched: a base": ("class A:\n    def m(self): return §\nclass B:\n    def m(self): return 0\nclass C(B): pass\nC.__bases__ = (A,)", USE),
    "patched: a function of Python": ("import math\nmath.mine = lambda x: §", "def f(x): return math.mine(x)"),
}  # fmt: skip
SINCE_3_12 = {
    "generic function": ("def helper[T](x: T) -> T: return §", CALLS),
    "generic class": ("class C[T]:\n" + M, "def f(): return C[int]().m()"),
    "bound of a type parameter": ("class B:\n    k = §\ndef helper[T: B](x: T): return T.__bound__.k", CALLS),
    "alias of a type": ("type V = list[§]", "def f(x): return V.__value__", ("int", "str")),
    "alias of a type that speaks of itself": ("type V = dict[§, V]", "def f(x): return V", ("int", "str")),
    "alias in the hint of a field": ("import dataclasses\ntype V = list[§]\n@dataclasses.dataclass\nclass C:\n    a: V = 0", "def f(): return C().a", ("int", "str")),
    "generic itself": ("K = §", "def f[T](x: T): return K"),
    "f-string in an f-string": ("K = §", "def f(x): return f'{f'{K}'!r:>{x}}'"),
}  # fmt: skip
if sys.version_info >= (3, 12):
    EDITS |= SINCE_3_12


def _cells(case: str, turn: int) -> list[str]:
    cells = EDITS[case]
    turns = cells[-1] if isinstance(cells[-1], tuple) else ("1", "2")
    return [cell.replace("§", turns[turn]) for cell in cells if isinstance(cell, str)]


GOLDEN = Path(__file__).with_name("golden") / "code_keys.json"
OF_THIS_PYTHON = frozenset({"enum: functions as values"})
"""What Python itself makes of these differs from version to version."""


def golden_keys() -> dict[str, str]:
    """The code of every case, as the golden file has it: write it anew with ``python test_code_nouns.py``."""
    return {
        case: key_of(*_cells(case, 0)).code
        for case in EDITS
        if case not in OF_THIS_PYTHON | SINCE_3_12.keys() and "of Python" not in case
    }


def test_keys_are_those_of_every_release_and_every_python() -> None:
    assert json.loads(GOLDEN.read_text()) == golden_keys()


@pytest.mark.parametrize("case", EDITS)
def test_an_edit_of_what_is_reached_changes_the_key(case: str) -> None:
    try:
        first, again, other = (key_of(*_cells(case, turn)) for turn in (0, 0, 1))
    finally:
        sys.modules["math"].__dict__.pop("mine", None)
    assert first.unsure == ()
    assert same(first, again)
    assert not same(first, other)


FILES = {
    "import a.b as c": ("import pkg.sub as s", "s.g()"),
    "from a import b as c": ("from pkg import sub as s", "s.g()"),
    "from a.b import *": ("from pkg.sub import *", "g()"),
    "a name that the package hands on": ("from pkg import handed", "handed()"),
    "the package alone": ("import pkg", "pkg.handed()"),
    "a class's base in another module": ("from pkg.sub import Child", "Child().m()"),
    "two levels up": ("from pkg.deep.leaf import up", "up()"),
    "a module without a package": ("import lone", "lone.g()"),
    "a folder without __init__": ("import spaced.mod", "spaced.mod.g()"),
    "a decorator of the module": ("from pkg.base import twice\n@twice\ndef h(): return 1", "h()"),
    "an object of the module": ("from pkg.base import thing", "thing.m()"),
    "a table of the module": ("import pkg.base as b", "b.TABLE['g']()"),
    "a lazy import of the module": ("import lone", "lone.lazy()"),
    "an import under try": ("try:\n    import lone\nexcept ImportError:\n    lone = None", "lone.g()"),
    "in the body: a.b": ("", "__import__('pkg.sub').sub.g()"),
}
BODIES = {
    "import a.b": "import pkg.sub\n    return pkg.sub.g()",
    "import a.b as c": "import pkg.sub as s\n    return s.g()",
    "from a import b": "from pkg import sub\n    return sub.g()",
    "from a.b import c": "from pkg.sub import g\n    return g()",
    "under try": "try:\n        import lone\n    except ImportError:\n        lone = None\n    return lone.g()",
    "in an inner function": "def inner():\n        import lone\n        return lone.g()\n    return inner()",
    "import_module": "import importlib\n    return importlib.import_module('pkg.sub').g()",
    "under with": "import contextlib\n    with contextlib.suppress(ImportError):\n        import lone\n        return lone.g()",
}


def _write_package(folder: Path, n: int) -> None:
    write_module(folder / "pkg", "__init__", "from .sub import g as handed\n")
    write_module(
        folder / "pkg",
        "base",
        f"def k(): return {n}\n"
        "class Base:\n    def m(self): return k()\n"
        "def twice(g): return lambda: g() * k()\n"
        "thing = Base()\nTABLE = {'g': k}\n",
    )
    write_module(
        folder / "pkg",
        "sub",
        "from . import base\nfrom .base import Base\n__all__ = ['g']\ndef g(): return base.k()\nclass Child(Base): pass\n",
    )
    write_module(folder / "pkg" / "deep", "__init__", "")
    write_module(
        folder / "pkg" / "deep",
        "leaf",
        "from ..base import k\nfrom ... import pkg\ndef up(): return k()\n".replace("from ... import pkg\n", ""),
    )
    write_module(folder, "lone", f"def g(): return {n}\ndef lazy():\n    from pkg.sub import g\n    return g()\n")
    write_module(folder / "spaced", "mod", f"def g(): return {n}\n")


@pytest.mark.parametrize("case", FILES)
def test_an_edit_of_a_module_that_is_reached_changes_the_key(case: str, folder: Path) -> None:
    imports, expression = FILES[case]
    cells = imports or "pass", f"def f(): return {expression}"
    _write_package(folder, 1)
    first = key_of(*cells, folder=folder)
    assert first.unsure == ()
    assert same(first, key_of(*cells, folder=folder))
    _write_package(folder, 2)
    assert not same(first, key_of(*cells, folder=folder))


@pytest.mark.parametrize("case", BODIES)
def test_an_edit_of_a_module_that_the_body_imports_changes_the_key(case: str, folder: Path) -> None:
    body = f"def f():\n    {BODIES[case]}"
    _write_package(folder, 1)
    first = key_of(body, folder=folder)
    assert first.unsure == ()
    assert same(first, key_of(body, folder=folder))
    _write_package(folder, 2)
    assert not same(first, key_of(body, folder=folder))


def test_an_edit_on_disk_of_what_is_loaded_is_no_edit_where_its_text_was_read_before(folder: Path) -> None:
    """What is loaded is what runs; where nobody has read its text before the edit, the module is to be reloaded."""
    write_module(folder, "edited", "def g(): return 1\ndef h(): return 1\n")
    session = Session(folder).cell("import edited\ndef f(): return edited.g()")
    before = session.key()
    write_module(folder, "edited", "def g(): return 2\ndef h(): return 2\n")
    session.cell("def f(): return edited.g()")
    assert same(before, session.key())
    session.cell("import importlib\nimportlib.reload(edited)")
    assert not same(before, session.key())

    write_module(folder, "unread", "def g(): return 1\n")
    session = Session(folder).cell("import unread\ndef f(): return unread.g()")
    write_module(folder, "unread", "def g(): return 2\n")
    (reason,) = session.key().undurable
    assert reason.startswith("module unread was edited on disk after it was imported (unread.g() differs): reload it")


PATCHES = {
    "a method of frames": ("pandas.DataFrame", "x.mine(1)"),
    "a method of columns": ("pandas.Series", "x['a'].mine()"),
    "a method of frames, on a global": ("pandas.DataFrame", "df.mine()"),
    "a method of paths": ("pathlib.Path", "(x / 'a').mine()"),
    "a method of estimators": ("sklearn.base.BaseEstimator", "x.mine()"),
    "by getattr": ("pandas.DataFrame", "getattr(x, 'mine')()"),
    "a class by its name": ("collections.UserDict", "collections.UserDict().mine()"),
    "a function of a module": ("json", "json.mine(x)"),
    "a function that replaces one of a module": ("json", "json.dumps(x)"),
    "a method that replaces one of frames": ("pandas.DataFrame", "x.head()"),
}


@pytest.mark.parametrize("case", PATCHES)
def test_what_the_notebook_puts_into_a_package_counts(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is put there, or replaced, after the first key."""
    import importlib

    place, expression = PATCHES[case]
    parts = place.split(".")
    try:
        owner = importlib.import_module(place)
    except ImportError:
        try:
            owner = getattr(importlib.import_module(".".join(parts[:-1])), parts[-1])
        except ImportError:
            pytest.skip(f"{parts[0]} is not installed")
    name = next(word for word in ("dumps", "head", "mine") if word in expression)
    session = Session().cell(f"import collections, json\ndf = None\ndef f(x): return {expression}")
    if "df" in expression:
        session.cell("import pandas as pd\ndf = pd.DataFrame({'a': [1]})")
    subject = session.subject()
    keys = [subject.key()]
    for n in (1, 2):
        session.cell(f"def patch(*a): return {n}")
        monkeypatch.setattr(owner, name, session.names["patch"], raising=False)
        keys.append(subject.key())
        assert same(keys[-1], session.key())
    assert not same(keys[0], keys[1])
    assert not same(keys[1], keys[2])
    monkeypatch.undo()
    assert same(keys[0], subject.key())


def test_a_class_that_is_registered_with_an_abstract_one_counts() -> None:
    cells = "import abc\nclass A(abc.ABC): pass\nclass C: pass", "{}", "def f(): return isinstance(C(), A), A"
    first, other = (key_of(cells[0], register, cells[2]) for register in ("pass", "A.register(C)"))
    assert not same(first, other)
    session = Session().cell(cells[0]).cell(cells[2])
    subject = session.subject()
    before = subject.key()
    session.cell("A.register(C)")
    assert not same(before, subject.key())


def test_a_class_that_is_registered_with_one_of_pythons_counts() -> None:
    session = Session().cell("from collections.abc import Sequence\nclass C: pass")
    subject = session.cell("def f(x): return isinstance(x, Sequence)").subject()
    before = subject.key()
    assert same(before, session.key())
    session.cell("Sequence.register(C)")
    assert not same(before, subject.key())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden_keys(), indent=1) + "\n")
