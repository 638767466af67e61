"""Traps 1 to 37: what changes a key, and what does not. Each case is two sessions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sessions import Session, key_of, same, write_module

pytest.importorskip("pandas")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    Session(tmp_path)


F = "@durable\ndef f(x):\n    return helper(x)\n"

RECOMPUTE = {
    "1 helper edited": (("def helper(x): return x + 1", F), ("def helper(x): return x + 2", F)),
    "2 helper's helper edited": (
        ("def deep(x): return 1", "def helper(x): return deep(x)", F),
        ("def deep(x): return 2", "def helper(x): return deep(x)", F),
    ),
    "3 three calls deep": (
        ("def a(x): return 1", "def b(x): return a(x)", "def helper(x): return b(x)", F),
        ("def a(x): return 2", "def b(x): return a(x)", "def helper(x): return b(x)", F),
    ),
    "4 a global number": (("K = 1", "def f(): return K"), ("K = 2", "def f(): return K")),
    "4 a global number's type": (("K = 1", "def f(): return K"), ("K = True", "def f(): return K")),
    "5 a global of the helper": (
        ("K = 1", "def helper(x): return K", F),
        ("K = 2", "def helper(x): return K", F),
    ),
    "6 a global frame": (
        ("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "def f(): return df.a.sum()"),
        ("import pandas as pd\ndf = pd.DataFrame({'a': [1, 3]})", "def f(): return df.a.sum()"),
    ),
    "7 an attribute of a configuration object": (
        ("class C: pass\ncfg = C()\ncfg.lr = 1", "def f(): return cfg.lr"),
        ("class C: pass\ncfg = C()\ncfg.lr = 2", "def f(): return cfg.lr"),
    ),
    "10 a closure's number": (
        ("def make(n):\n    def f(x): return x + n\n    return f", "f = make(1)"),
        ("def make(n):\n    def f(x): return x + n\n    return f", "f = make(2)"),
    ),
    "11 a method of a class that is made": (
        ("class M:\n    def fit(self): return 1", "def f(): return M().fit()"),
        ("class M:\n    def fit(self): return 2", "def f(): return M().fit()"),
    ),
    "12 a method of the base class": (
        ("class B:\n    def fit(self): return 1", "class M(B): pass", "def f(): return M().fit()"),
        ("class B:\n    def fit(self): return 2", "class M(B): pass", "def f(): return M().fit()"),
    ),
    "17 a decorator below ours": (
        ("def twice(g):\n    def w(*a): return g(*a) * 2\n    return w", "@durable\n@twice\ndef f(x): return x"),
        ("def twice(g):\n    def w(*a): return g(*a) * 3\n    return w", "@durable\n@twice\ndef f(x): return x"),
    ),
    "17 a decorator with wraps below ours": (
        (
            "import functools\ndef twice(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a) * 2\n    return w",
            "@durable\n@twice\ndef f(x): return x",
        ),
        (
            "import functools\ndef twice(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a) * 3\n    return w",
            "@durable\n@twice\ndef f(x): return x",
        ),
    ),
    "17 the argument of a decorator below ours": (
        (
            "def times(n):\n    def d(g):\n        def w(*a): return g(*a) * n\n        return w\n    return d",
            "@durable\n@times(2)\ndef f(x): return x",
        ),
        (
            "def times(n):\n    def d(g):\n        def w(*a): return g(*a) * n\n        return w\n    return d",
            "@durable\n@times(3)\ndef f(x): return x",
        ),
    ),
    "19 a dispatch table": (
        ("def a(x): return 1\nT = {'a': a}", "def f(k): return T[k](0)"),
        ("def a(x): return 2\nT = {'a': a}", "def f(k): return T[k](0)"),
    ),
    "19 two entries change places": (
        ("def a(x): return 1\ndef b(x): return 2\nT = {'a': a, 'b': b}", "def f(k): return T[k](0)"),
        ("def a(x): return 1\ndef b(x): return 2\nT = {'a': b, 'b': a}", "def f(k): return T[k](0)"),
    ),
    "20 a global lambda": (
        ("g = lambda x: x + 1", "def f(x): return g(x)"),
        ("g = lambda x: x + 2", "def f(x): return g(x)"),
    ),
    "20 one of two lambdas on a line": (
        ("a, b = lambda x: x + 1, lambda x: x + 2", "def f(x): return b(x)"),
        ("a, b = lambda x: x + 1, lambda x: x + 3", "def f(x): return b(x)"),
    ),
    "21 a name bound to another function": (
        ("def other(x): return 1\nhelper = other", F),
        ("def other(x): return 2\nhelper = other", F),
    ),
    "23 a default of a helper": (
        ("K = 1", "def helper(x, n=K): return n", F),
        ("K = 2", "def helper(x, n=K): return n", F),
    ),
    "23 a keyword default of a helper": (
        ("K = 1", "def helper(x, *, n=K): return n", F),
        ("K = 2", "def helper(x, *, n=K): return n", F),
    ),
    "25 a constant's type": (("def f(): return 1",), ('def f(): return "1"',)),
    "25 one and true": (("def f(): return 1",), ("def f(): return True",)),
    "25 one and one point": (("def f(): return 1",), ("def f(): return 1.0",)),
    "25 zeros": (("def f(): return 0.0",), ("def f(): return -0.0",)),
    "26 constants that join": (
        ('def f(): return ["12", "3"]',),
        ('def f(): return ["1", "23"]',),
    ),
    "27 the base case of a recursion": (
        ("@durable\ndef f(n): return 1 if n == 0 else f(n - 1)",),
        ("@durable\ndef f(n): return 2 if n == 0 else f(n - 1)",),
    ),
    "28 another f": (("def f(x): return x + 1",), ("def f(x): return x - 1",)),
    "a partial's argument": (
        ("import functools\ndef g(a, b): return a + b\nh = functools.partial(g, 1)", "def f(x): return h(x)"),
        ("import functools\ndef g(a, b): return a + b\nh = functools.partial(g, 2)", "def f(x): return h(x)"),
    ),
    "a cached helper": (
        ("import functools\n@functools.cache\ndef helper(x): return 1", F),
        ("import functools\n@functools.cache\ndef helper(x): return 2", F),
    ),
    "a single dispatch": (
        (
            "import functools\n@functools.singledispatch\ndef helper(x): return 0\n"
            "@helper.register\ndef _(x: int): return 1",
            F,
        ),
        (
            "import functools\n@functools.singledispatch\ndef helper(x): return 0\n"
            "@helper.register\ndef _(x: int): return 2",
            F,
        ),
    ),
    "a context manager": (
        ("import contextlib\n@contextlib.contextmanager\ndef helper(x): yield 1", F),
        ("import contextlib\n@contextlib.contextmanager\ndef helper(x): yield 2", F),
    ),
    "a durable helper": (
        ("@durable(version=1)\ndef helper(x): return 1", F),
        ("@durable(version=1)\ndef helper(x): return 2", F),
    ),
    "a bound method": (
        ("class C:\n    def m(self): return self.n\nc = C()\nc.n = 1\nm = c.m", "def f(): return m()"),
        ("class C:\n    def m(self): return self.n\nc = C()\nc.n = 2\nm = c.m", "def f(): return m()"),
    ),
    "a class attribute": (
        ("class C:\n    K = 1", "def f(): return C.K"),
        ("class C:\n    K = 2", "def f(): return C.K"),
    ),
    "a static method": (
        ("class C:\n    @staticmethod\n    def m(): return 1", "def f(): return C.m()"),
        ("class C:\n    @staticmethod\n    def m(): return 2", "def f(): return C.m()"),
    ),
    "a property": (
        ("class C:\n    @property\n    def m(self): return 1", "def f(): return C().m"),
        ("class C:\n    @property\n    def m(self): return 2", "def f(): return C().m"),
    ),
    "a field of a dataclass": (
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1", "def f(): return C().a"),
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 2", "def f(): return C().a"),
    ),
    "the hint of a field of a dataclass": (
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int", "def f(): return C(1)"),
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: str", "def f(): return C(1)"),
    ),
    "the order of a dataclass's fields": (
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int\n    b: int", "def f(): return C(1, 2)"),
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    b: int\n    a: int", "def f(): return C(1, 2)"),
    ),
    "a factory of a dataclass's field": (
        (
            "import dataclasses\ndef make(): return 1\n@dataclasses.dataclass\nclass C:\n"
            "    a: int = dataclasses.field(default_factory=make)",
            "def f(): return C().a",
        ),
        (
            "import dataclasses\ndef make(): return 2\n@dataclasses.dataclass\nclass C:\n"
            "    a: int = dataclasses.field(default_factory=make)",
            "def f(): return C().a",
        ),
    ),
    "a frozen dataclass": (
        ("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1", "def f(): return C(1)"),
        ("import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass C:\n    a: int = 1", "def f(): return C(1)"),
    ),
    "a member of an enum": (
        ("import enum\nclass E(enum.Enum):\n    A = 1", "def f(): return E.A.value"),
        ("import enum\nclass E(enum.Enum):\n    A = 2", "def f(): return E.A.value"),
    ),
    "a method of an enum": (
        ("import enum\nclass E(enum.Enum):\n    A = 1\n    def m(self): return 1", "def f(): return E.A.m()"),
        ("import enum\nclass E(enum.Enum):\n    A = 1\n    def m(self): return 2", "def f(): return E.A.m()"),
    ),
    "the fields of a named tuple": (
        ("from collections import namedtuple\nP = namedtuple('P', 'a b')", "def f(): return P(1, 2)"),
        ("from collections import namedtuple\nP = namedtuple('P', 'b a')", "def f(): return P(1, 2)"),
    ),
    "a default of a typed named tuple": (
        ("import typing\nclass P(typing.NamedTuple):\n    a: int = 1", "def f(): return P()"),
        ("import typing\nclass P(typing.NamedTuple):\n    a: int = 2", "def f(): return P()"),
    ),
    "a key of a typed dict": (
        ("import typing\nclass P(typing.TypedDict):\n    a: int", "def f(): return P(a=1)"),
        ("import typing\nclass P(typing.TypedDict):\n    a: str", "def f(): return P(a=1)"),
    ),
    "a method of a protocol": (
        (
            "import typing\nclass P(typing.Protocol):\n    def m(self): return 1\nclass C(P): pass",
            "def f(): return C().m()",
        ),
        (
            "import typing\nclass P(typing.Protocol):\n    def m(self): return 2\nclass C(P): pass",
            "def f(): return C().m()",
        ),
    ),
    "a generic class": (
        (
            "import typing\nT = typing.TypeVar('T')\nclass C(typing.Generic[T]):\n    def m(self): return 1",
            "def f(): return C[int]().m()",
        ),
        (
            "import typing\nT = typing.TypeVar('T')\nclass C(typing.Generic[T]):\n    def m(self): return 2",
            "def f(): return C[int]().m()",
        ),
    ),
    "an abstract class": (
        (
            "import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def m(self): return 1\n"
            "class C(B):\n    def m(self): return super().m()",
            "def f(): return C().m()",
        ),
        (
            "import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def m(self): return 2\n"
            "class C(B):\n    def m(self): return super().m()",
            "def f(): return C().m()",
        ),
    ),
    "a class with slots": (
        ("class C:\n    __slots__ = ('a',)\n    def m(self): return 1", "def f(): return C().m()"),
        ("class C:\n    __slots__ = ('a', 'b')\n    def m(self): return 1", "def f(): return C().m()"),
    ),
    "a subclass of an exception": (
        ("class E(ValueError):\n    code = 1", "def f(): raise E"),
        ("class E(ValueError):\n    code = 2", "def f(): raise E"),
    ),
    "a method of an estimator": (
        (
            "from sklearn.base import BaseEstimator\nclass C(BaseEstimator):\n    def fit(self, x): return 1",
            "def f(): return C().fit(0)",
        ),
        (
            "from sklearn.base import BaseEstimator\nclass C(BaseEstimator):\n    def fit(self, x): return 2",
            "def f(): return C().fit(0)",
        ),
    ),
    "a frozen dataclass with slots": (
        (
            "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n    a: int = 1\n"
            "    def m(self): return 1",
            "def f(): return C().m()",
        ),
        (
            "import dataclasses\n@dataclasses.dataclass(frozen=True, slots=True)\nclass C:\n    a: int = 1\n"
            "    def m(self): return 2",
            "def f(): return C().m()",
        ),
    ),
    "a cached property": (
        (
            "import functools\nclass C:\n    @functools.cached_property\n    def m(self): return 1",
            "def f(): return C().m",
        ),
        (
            "import functools\nclass C:\n    @functools.cached_property\n    def m(self): return 2",
            "def f(): return C().m",
        ),
    ),
    "an ordering": (
        (
            "import functools\n@functools.total_ordering\nclass C:\n    def __eq__(self, o): return True\n"
            "    def __lt__(self, o): return True",
            "def f(): return C() > C()",
        ),
        (
            "import functools\n@functools.total_ordering\nclass C:\n    def __eq__(self, o): return True\n"
            "    def __lt__(self, o): return False",
            "def f(): return C() > C()",
        ),
    ),
    "a descriptor": (
        ("class D:\n    def __get__(self, *a): return 1\nclass C:\n    x = D()", "def f(): return C().x"),
        ("class D:\n    def __get__(self, *a): return 2\nclass C:\n    x = D()", "def f(): return C().x"),
    ),
    "the name given to a descriptor": (
        (
            "class D:\n    def __set_name__(self, o, n): self.n = n + 'a'\n    def __get__(self, *a): return self.n\n"
            "class C:\n    x = D()",
            "def f(): return C().x",
        ),
        (
            "class D:\n    def __set_name__(self, o, n): self.n = n + 'b'\n    def __get__(self, *a): return self.n\n"
            "class C:\n    x = D()",
            "def f(): return C().x",
        ),
    ),
    "a metaclass": (
        ("class M(type):\n    def n(cls): return 1", "class C(metaclass=M): pass", "def f(): return C.n()"),
        ("class M(type):\n    def n(cls): return 2", "class C(metaclass=M): pass", "def f(): return C.n()"),
    ),
    "a callable object": (
        ("class C:\n    def __call__(self, x): return 1\nhelper = C()", F),
        ("class C:\n    def __call__(self, x): return 2\nhelper = C()", F),
    ),
    "another function of a package": (
        ("from numpy import sin as g", "def f(x): return g(x)"),
        ("from numpy import cos as g", "def f(x): return g(x)"),
    ),
    "another module under the name": (
        ("import math as m", "def f(x): return m.sqrt(x)"),
        ("import cmath as m", "def f(x): return m.sqrt(x)"),
    ),
    "an import in the body": (
        ("def f(x):\n    from math import sqrt\n    return sqrt(x)",),
        ("def f(x):\n    from cmath import sqrt\n    return sqrt(x)",),
    ),
    "an attribute of a function": (
        ("def g(): return 1\ng.k = 1", "def f(): return g.k"),
        ("def g(): return 1\ng.k = 2", "def f(): return g.k"),
    ),
    "an attribute of a function that is handed on": (
        ("def g(): return 1\ng.k = 1\ndef use(h): return h.k", "def f(): return use(g)"),
        ("def g(): return 1\ng.k = 2\ndef use(h): return h.k", "def f(): return use(g)"),
    ),
    "a name in a formula": (
        ("def tr(v): return v\ndef fit(t, d): return 1", "def f(d): return fit('y ~ tr(x)', d)"),
        ("def tr(v): return v + 1\ndef fit(t, d): return 1", "def f(d): return fit('y ~ tr(x)', d)"),
    ),
}


@pytest.mark.parametrize("case", RECOMPUTE)
def test_a_change_that_matters_changes_the_key(case: str) -> None:
    before, after = RECOMPUTE[case]
    first = key_of(*before)
    assert same(first, key_of(*before)), "the key is not even stable"
    assert not same(first, key_of(*after))


HIT = {
    "9 a global that is not used": (("K = 1", "def f(): return 1"), ("K = 2", "def f(): return 1")),
    "30 a comment": (("def f(x):\n    return x",), ("def f(x):\n    # why\n    return x  # so",)),
    "31 layout": (("def f(x):\n    return x + 1",), ("def f( x ):\n\n    return (x +\n        1)",)),
    "32 the docstring": (('def f(x):\n    """Old."""\n    return x',), ('def f(x):\n    """New."""\n    return x',)),
    "32 a docstring is added": (("def f(x):\n    return x",), ('def f(x):\n    """New."""\n    return x',)),
    "33 a type hint": (("def f(x): return x",), ("def f(x: int) -> int: return x",)),
    "33 a type hint of a local variable": (
        ("def f(x):\n    y = x\n    return y",),
        ("def f(x):\n    y: int = x\n    return y",),
    ),
    "33 a type hint of a helper": (("def helper(x): return x", F), ("def helper(x: int) -> int: return x", F)),
    "36 another statement in the cell": (("a = 1\ndef f(x): return x",), ("a = 2\ndef f(x): return x",)),
    "37 a comment in a helper": (("def helper(x): return x", F), ("def helper(x):\n    # why\n    return x", F)),
    "37 a docstring of a method": (
        ("class C:\n    def m(self): return 1", "def f(): return C().m()"),
        ('class C:\n    """It."""\n    def m(self):\n        """Why."""\n        return 1', "def f(): return C().m()"),
    ),
    "our options": (
        ("@durable\ndef f(x): return x",),
        ("@durable(version=2, name='g')\ndef f(x): return x",),
    ),
    "a decorator above ours": (
        ("def d(g): return g", "@durable\ndef f(x): return x"),
        ("def d(g): return g", "@d\n@durable\ndef f(x): return x"),
    ),
    "the order of definitions": (
        ("def helper(x): return K", "K = 1", F),
        ("K = 1", F, "def helper(x): return K"),
    ),
    "methods change places": (
        ("class C:\n    def a(self): return 1\n    def b(self): return 2", "def f(): return C().a()"),
        ("class C:\n    def b(self): return 2\n    def a(self): return 1", "def f(): return C().a()"),
    ),
}


@pytest.mark.parametrize("case", HIT)
def test_a_change_that_does_not_matter_leaves_the_key(case: str) -> None:
    before, after = HIT[case]
    assert same(key_of(*before), key_of(*after))


def test_blank_lines_above_leave_the_key() -> None:
    """Trap 35."""
    first = Session().cell("def f(x): return x").key()
    assert same(first, Session().cell("def f(x): return x", line=7).key())


def test_an_edit_that_is_taken_back_gives_the_first_key() -> None:
    """Trap 29."""
    first, second, third = (key_of(f"def f(): return {n}") for n in (1, 2, 1))
    assert not same(first, second)
    assert same(first, third)


def test_a_list_that_grows_changes_the_next_key() -> None:
    """Trap 8."""
    session = Session().cell("L = [1]").cell("def f(): return len(L)")
    subject = session.subject()
    first = subject.key()
    assert subject.key() is first
    session.names["L"].append(2)
    second = subject.key()
    assert not same(first, second)
    assert first.code == second.code
    assert {"L": [1, 2]} == dict(second.values)
    assert same(second, key_of("L = [1, 2]", "def f(): return len(L)"))
    session.names["L"].pop()
    assert same(first, subject.key())


def test_a_rebound_name_changes_the_next_key() -> None:
    session = Session().cell("K = 1\ndef helper(x): return K").cell(F)
    subject = session.subject()
    first = subject.key()
    session.cell("K = 2")
    second = subject.key()
    assert not same(first, second)
    session.cell("def helper(x): return K + 1")
    assert not same(second, subject.key())


MODULE = {
    "14 import": ("import mymod", "def f(x): return mymod.g(x)"),
    "14 import as": ("import mymod as q", "def f(x): return q.g(x)"),
    "14 import in the body": ("def f(x):\n    import mymod\n    return mymod.g(x)",),
    "14 import as in the body": ("def f(x):\n    import mymod as q\n    return q.g(x)",),
    "14 the module is passed on": (
        "import mymod",
        "def helper(m, x): return m.g(x)\ndef f(x): return helper(mymod, x)",
    ),
    "15 from import": ("from mymod import g", "def f(x): return g(x)"),
    "15 from import in the body": ("def f(x):\n    from mymod import g as h\n    return h(x)",),
    "15 star import": ("from mymod import *", "def f(x): return g(x)"),
    "a class of the module": ("import mymod", "def f(x): return mymod.C().m()"),
    "16 a constant": ("from mymod import K", "def f(x): return K"),
    "16 a constant by attribute": ("import mymod", "def f(x): return mymod.K"),
    "16 a constant imported in the body": ("def f(x):\n    from mymod import K\n    return K",),
}


@pytest.mark.parametrize("case", MODULE)
def test_a_local_module_edited_between_sessions_changes_the_key(case: str, folder: Path) -> None:
    text = "K = {n}\ndef deep(): return {n}\ndef g(x): return deep()\nclass C:\n    def m(self): return deep()\n"
    write_module(folder, "mymod", text.format(n=1))
    first = key_of(*MODULE[case], folder=folder)
    assert same(first, key_of(*MODULE[case], folder=folder))
    write_module(folder, "mymod", text.format(n=2))
    assert not same(first, key_of(*MODULE[case], folder=folder))


def test_only_what_is_used_of_a_module_counts(folder: Path) -> None:
    cells = ("import mymod", "def f(x): return mymod.g(x)")
    write_module(folder, "mymod", "def g(x): return x\nOTHER = 1\n")
    first = key_of(*cells, folder=folder)
    write_module(folder, "mymod", "# why\nOTHER = 2\n\n\ndef g(x):\n    '''Doc.'''\n    return x\n")
    assert same(first, key_of(*cells, folder=folder))


def test_a_module_in_a_package_is_followed(folder: Path) -> None:
    (folder / "pkg").mkdir()
    write_module(folder / "pkg", "__init__", "")
    write_module(folder / "pkg", "base", "K = 1\n")
    write_module(folder / "pkg", "sub", "from . import base\ndef g(): return base.K\n")
    for cells in (
        ("import pkg.sub", "def f(): return pkg.sub.g()"),
        ("def f():\n    import pkg.sub\n    return pkg.sub.g()",),
        ("from pkg import sub", "def f(): return sub.g()"),
        ("def f():\n    from pkg import sub\n    return sub.g()",),
        ("def f():\n    from pkg.sub import g\n    return g()",),
    ):
        write_module(folder / "pkg", "base", "K = 1\n")
        first = key_of(*cells, folder=folder)
        assert same(first, key_of(*cells, folder=folder))
        write_module(folder / "pkg", "base", "K = 2\n")
        assert not same(first, key_of(*cells, folder=folder)), cells


def test_the_body_below_a_wraps_decorator_of_a_module_counts(folder: Path) -> None:
    """Trap 18."""
    write_module(
        folder,
        "deco",
        "import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(*a): return g(*a)\n    return w\n",
    )
    cells = "from deco import d\n@durable\n@d\ndef f(x): return {n}"
    first = key_of(cells.format(n=1), folder=folder)
    assert same(first, key_of(cells.format(n=1), folder=folder))
    assert not same(first, key_of(cells.format(n=2), folder=folder))


@pytest.mark.parametrize(
    "module",
    [
        "import contextlib\n@contextlib.contextmanager\ndef g(): yield {n}\n",
        "import functools\n@functools.lru_cache\ndef g(): return {n}\n",
        "import functools\n@functools.singledispatch\ndef g(x): return {n}\n",
        "import functools\ndef d(h):\n    @functools.wraps(h)\n    def w(): return h()\n    return w\n"
        "@d\ndef g(): return {n}\n",
    ],
)
def test_a_wrapped_function_of_a_module_is_not_taken_by_its_name(module: str, folder: Path) -> None:
    write_module(folder, "mymod", module.format(n=1))
    cells = "import mymod", "def f(): return mymod.g()"
    first = key_of(*cells, folder=folder)
    assert same(first, key_of(*cells, folder=folder))
    write_module(folder, "mymod", module.format(n=2))
    assert not same(first, key_of(*cells, folder=folder))
