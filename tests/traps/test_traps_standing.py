# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Code of every kind that does not change, in one session after another: all hits, and nothing is said.

Each row is code of a module, and the body of a durable function there. What comes from an address, from the order of a
set, from the moment of a definition or from a cache that fills is found here: it moves by itself.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook

pytestmark = pytest.mark.slow

ROWS = {
    "dataclass with class variables": ("import dataclasses, typing\n@dataclasses.dataclass\nclass D:\n    a: int = 1\n    b: typing.ClassVar[dict] = {}\n    c: dataclasses.InitVar[int] = 0", "return D().a"),
    "dataclass with a factory, metadata and a nested one": ("import dataclasses\n@dataclasses.dataclass(slots=True, frozen=True)\nclass P: x: object = dataclasses.field(default_factory=lambda: object(), metadata={'k': {1, 2}})\n@dataclasses.dataclass\nclass D: p: P = dataclasses.field(default_factory=P)", "return isinstance(D().p, P)"),
    "enum with auto, aliases, methods and a missing hook": ("import enum\nclass E(enum.StrEnum):\n    A = enum.auto()\n    B = 'b'\n    C = B\n    @classmethod\n    def _missing_(cls, v): return cls.A", "return E('zzz').value"),
    "enum whose values are objects": ("import enum\nclass V:\n    def __init__(self, k): self.k = k\nclass E(enum.Enum):\n    A = V(1)\n    F = staticmethod(len)", "return E.A.value.k"),
    "named tuple of typing with a default that is a set": ("import typing\nclass N(typing.NamedTuple):\n    a: frozenset = frozenset('abcdef')", "return len(N().a)"),
    "generics, protocols and new types": ("import typing\nT = typing.TypeVar('T', bound='B')\nP = typing.ParamSpec('P')\nTs = typing.TypeVarTuple('Ts')\nUser = typing.NewType('User', int)\n@typing.runtime_checkable\nclass Pr(typing.Protocol[T]):\n    def m(self) -> T: ...\nclass B(typing.Generic[T]):\n    k: typing.Annotated[int, len, object] = 1\nKINDS = {'t': T, 'p': P, 's': Ts, 'u': User, 'a': typing.Annotated[int, 'x'], 'o': int | None}", "return User(B().k) + isinstance(1, Pr) + len(KINDS)"),
    "typed dicts and literals": ("import typing\nclass C(typing.TypedDict, total=False):\n    a: typing.Required[int]\n    b: typing.Literal['x', 'y']", "c: C = {'a': 1}\nreturn c['a']"),
    "cached properties and locks of theirs": ("import functools\nclass C:\n    @functools.cached_property\n    def k(self): return 1\nc = C(); c.k", "return c.k"),
    "an lru_cache that fills": ("import functools\n@functools.lru_cache\ndef g(x): return x\ng(5)", "return g(x)"),
    "a singledispatch that has dispatched": ("import functools\n@functools.singledispatch\ndef g(x): return 0\n@g.register(int)\n@g.register(float)\ndef _(x): return x\ng(1); g('a')", "return g(x)"),
    "an abstract class that has been asked": ("import abc, collections.abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...\nclass B(A):\n    def m(self): return 1\nisinstance(1, A); issubclass(B, collections.abc.Sized)", "return B().m()"),
    "a metaclass that counts": ("class M(type):\n    def __call__(cls, *a): return super().__call__(*a)\n    def __prepare__(name, bases): return {}\nclass C(metaclass=M): k = 1", "return C().k"),
    "descriptors with names": ("class D:\n    def __set_name__(self, o, n): self.n = '_' + n\n    def __get__(self, o, t=None): return o.__dict__.get(self.n, 1) if o else self\nclass C: k = D()", "return C().k"),
    "slots with a weak reference": ("class S:\n    __slots__ = ('a', 'b', '__weakref__')\n    def __init__(self): self.a = {1, 'x', None}\ns = S()", "return len(s.a)"),
    "a set of functions, a dict keyed by classes": ("def g(x): return x\ndef h(x): return x\nclass A: pass\nS = {g, h}\nT = {A: 1, int: 2, len: 3, None: 4}", "return len(S) + T[A]"),
    "frozen sets of text in constants and defaults": ("K = frozenset(('a', 'b', 'c', 'd'))\ndef g(x, k=frozenset({'p', 'q', 'r'})): return x in {'s', 't', 'u'} or len(k)", "return g(x) + len(K)"),
    "patterns, formats and templates": ("import re, string, struct\nP = re.compile('a+', re.I)\nT = string.Template('$a')\nS = struct.Struct('<i')", "return P.match('A').end() + len(T.template) + S.size"),
    "itemgetters, method callers and partials": ("import operator, functools\nG = operator.itemgetter(0)\nM = operator.methodcaller('strip')\nF = functools.partial(functools.partial(max, 1), key=abs)", "return G([x]) + len(M(' a ')) + F(2)"),
    "context managers and exit stacks": ("import contextlib\n@contextlib.contextmanager\ndef scope(k):\n    yield k\nclass C(contextlib.AbstractContextManager):\n    def __exit__(self, *a): return None", "with scope(1) as k, C(), contextlib.suppress(KeyError): return k"),
    "decorators with state": ("import functools\ndef counted(g):\n    @functools.wraps(g)\n    def inner(*a):\n        return g(*a)\n    inner.tags = {'x', 'y', 'z'}\n    return inner\n@counted\ndef g(x): return x", "return g(x)"),
    "closures over sets and over themselves": ("def make():\n    seen = {'a', 'b', 'c'}\n    def inner(n): return len(seen) if n == 0 else inner(n - 1)\n    return inner\ng = make()", "return g(2)"),
    "objects that hold themselves": ("class C: pass\nc = C(); c.me = c; c.all = [c, {'c': c}]", "return len(c.all)"),
    "numbers of all sizes": ("import math, decimal, fractions\nN = [2**200, -0.0, math.nan, math.inf, 1e-320, decimal.Decimal('1.10'), fractions.Fraction(1, 3), 1j, True]", "return len(N)"),
    "times and zones": ("import datetime, zoneinfo\nT = [datetime.datetime(2026, 1, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Paris')), datetime.timezone.utc, datetime.timedelta(1), datetime.time(1, fold=1)]", "return len(T)"),
    "loggers, locks, pools and clients of the standard library": ("import logging, threading, queue, concurrent.futures, sqlite3\nlog = logging.getLogger('mine')\nlock = threading.Lock()\nlocal = sqlite3.connect(':memory:', check_same_thread=False)", "with lock: log.debug('x')\nreturn 1"),
    "a module-level table of modules": ("import math, os, json\nMODS = {'m': math, 'j': json}", "return int(MODS['m'].floor(x))"),
    "numpy in every form": ("import numpy as np\nA = [np.zeros(3), np.arange(4)[::2], np.ma.array([1], mask=[1]), np.array(['a', None], object), np.float32(1), np.dtype('i4'), np.random.default_rng(1), np.array([(1, 2.0)], dtype='i4,f8')]", "return len(A)"),
    "frames in every form": ("import pandas as pd\nF = [pd.DataFrame({'a': [1, None], 's': ['x', None], 'c': pd.Categorical(['u', 'v'])}, index=pd.date_range('2026', periods=2, tz='UTC')), pd.Series([1], name='k'), pd.MultiIndex.from_product([['a'], [1]]), pd.Timestamp('2026'), pd.NA, pd.Interval(0, 1)]", "return len(F)"),
    "estimators in a pipeline with a helper": ("from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer, StandardScaler\nfrom sklearn.linear_model import LogisticRegression\ndef low(v): return v\nP = make_pipeline(FunctionTransformer(low), StandardScaler(), LogisticRegression())", "return len(P.steps)"),
    "pydantic models with validators": ("from pydantic import BaseModel, Field, field_validator\nclass In(BaseModel): k: int = 1\nclass M(BaseModel):\n    a: int = Field(1, ge=0, description='a')\n    b: In = Field(default_factory=In)\n    @field_validator('a')\n    @classmethod\n    def check(cls, v): return v\nm = M()", "return m.a + M().b.k"),
    "attrs classes with converters": ("import attrs\n@attrs.define\nclass A:\n    a: int = attrs.field(default=1, converter=int, validator=attrs.validators.instance_of(int))\n    b: list = attrs.Factory(list)\na = A()", "return a.a + len(A().b)"),
    "functions made by exec and by types": ("import types\nns = {}\nexec('def g(x): return x', ns)\ng = ns['g']\nC = types.new_class('C', (), {}, lambda d: d.update(k=1))", "return C.k"),
    "coroutines, generators and async context": ("import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    return x\nasync def h():\n    yield 1", "return asyncio.run(g(x))"),
    "a match over classes, constants and mappings": ("class P:\n    __match_args__ = ('a',)\n    def __init__(self, a): self.a = a\nK = 1", "match P(x):\n    case P(1): return 1\n    case {'k': _}: return 2\n    case _: return 3"),
    "exceptions with groups and notes": ("class E(Exception):\n    def __init__(self, k):\n        super().__init__(k)\n        self.k = k", "try: raise ExceptionGroup('g', [E(1)])\nexcept* E as g: k = g.exceptions[0].k\nreturn k"),
    "names that are bound by conditions and loops": ("import sys\nif sys.platform: g = len\nelse: g = max\nfor h in (min, max): pass\nwith open(__file__) as fh: pass", "return g([x]) + h(x, 0)"),
    "nested durable functions and methods": ("from resonate_nb import durable\n@durable\ndef g(x): return x\nclass C:\n    @durable\n    def m(self): return 1", "return g(x) + C().m()"),
}  # fmt: skip


def test_nothing_changes_and_everything_hits(tmp_path: Path) -> None:
    """In three sessions of three hash seeds, all over one store; in the second and third no body runs."""
    book = Notebook(tmp_path, ("pandas",))
    for number, (code, body) in enumerate(ROWS.values()):
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        ran = f"    open('r{number}.log', 'a').write('+')\n"
        book.write(f"row_{number}.py", f"from resonate_nb import durable\n{code}\n@durable\ndef f(x):\n{ran}{lines}")
    calls = (
        f"import importlib\nfor n in range({len(ROWS)}):\n    got[n] = repr(importlib.import_module(f'row_{{n}}').f(1))"
    )
    sessions = [book.run(calls) for _ in range(3)]
    names = dict(enumerate(ROWS))
    assert [[], [], []] == [session.errors for session in sessions], sessions[0].said
    assert {f"r{number}": 1 for number in names} == sessions[0].ran
    for session in sessions[1:]:
        assert [] == [names[int(log[1:])] for log, count in session.ran.items() if count], session.said
        assert sessions[0].got == session.got
        assert "DurableWarning" not in session.said, session.said
        assert "does not see" not in session.said, session.said
