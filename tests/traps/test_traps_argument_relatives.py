# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Relatives of traps 38 to 66: more arguments that look alike and are not, and that are the same and do not look it.

Each value of a row is a relative of its own, different in kind from its neighbours.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from trap_sessions import Notebook, Trap, entries, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = r"plainly|not replayable|unsure"
PD, NP = "import pandas as pd", "import numpy as np"
SHOW = "f'{type(x).__name__} {x!r}'"


def told_apart(law: str, arguments: str, *values: object, returned: str = SHOW, before: str = "", **more: Any) -> Trap:
    """Each argument runs once and gives its own value; in a new process of another hash seed all hit."""
    number, law = law.split(": ", 1)
    preload = ("pandas",) if "pandas" in before else ("numpy",) if "numpy" in before else ()
    return entries(
        f"{number}r", law, _of(arguments, returned, before), len(values), list(values), preload=preload, **more
    )


def the_same(law: str, arguments: str, *, returned: str = "1", before: str = "", **more: Any) -> Trap:
    """All arguments are one call, today and in a new process of another hash seed, and however they were built."""
    number, law = law.split(": ", 1)
    cells = _of(arguments, returned, before)
    preload = ("pandas",) if "pandas" in before else ("numpy",) if "numpy" in before else ()
    return Trap(
        f"{number}r",
        law,
        cells + "\ngot['value'] = len(set(map(str, got['value'])))",
        ("", ""),
        (1, 0),
        (1, 1),
        preload=preload,
        kinds=len(ast.parse(f"[{arguments}]", mode="eval").body.elts),  # type: ignore[attr-defined]
        **more,
    )


def edited(law: str, cells: str, call: str, body: str, turns: Any = "12", values: Any = (2, 3), **more: Any) -> Trap:
    """What the argument is made of is edited between the sessions."""
    number, law = law.split(": ", 1)
    return recompute(
        f"{number}r",
        law,
        f"{cells}\n# %%\n@durable\ndef f(x):\n    ran()\n    {body}\n# %%\ngot['value'] = {call}",
        turns,
        values,
        **more,
    )


def spelled(law: str, signature: str, names: str, calls: str, value: object, before: str = "pass") -> Trap:
    """One call, spelled in several ways: one run, and one value."""
    number, law = law.split(": ", 1)
    made = f"@durable\ndef f{signature}:\n    ran()\n    return repr([{names}])"
    cells = f"{before}\n# %%\n{made}\n# %%\ngot['value'] = list(dict.fromkeys([{calls}]))"
    return Trap(f"{number}r", law, cells, ("", ""), (1, 0), ([value],) * 2)


def _of(arguments: str, returned: str, before: str) -> str:
    return f"{before}\n# %%\n@durable\ndef f(x):\n    ran()\n    return {returned}\n# %%\ngot['value'] = [f(x) for x in [{arguments}]]"


FRAME = (
    PD
    + "\nimport numpy as np\nd = {'x': [1.5, np.nan, -0.0], 's': ['a', None, 'ü'], 'c': pd.Categorical(['u', 'v', 'u'])}\ndf = pd.DataFrame(d)\nparts = pd.concat([df.iloc[:1], df.iloc[1:]])\ncols = pd.DataFrame(index=df.index)\nfor k in df: cols[k] = df[k]\nimport pickle, copy"
)
MODEL = "from sklearn.linear_model import Ridge\nfrom sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nimport numpy as np, pandas as pd\nX = np.arange(8.0).reshape(4, 2); y = X[:, 0]"

SPELLED = [
    spelled("38: a parameter by position only", "(a, /, b=2)", "a, b", "f(1), f(1, 2), f(1, b=2), f(*[1])", "[1, 2]"),
    spelled(
        "38: stars",
        "(a, *rest, k=0)",
        "a, rest, k",
        "f(1, 2, 3), f(*[1, 2, 3]), f(1, *(2, 3), k=0), f(*range(1, 4))",
        "[1, (2, 3), 0]",
    ),
    spelled(
        "38: a default that is an expression",
        "(a, n=2 * K)",
        "a, n",
        "f(1), f(1, 4), f(n=4, a=1), f(1, 2 + 2)",
        "[1, 4]",
        "K = 2",
    ),
    spelled("38: a default that is a list", "(a, n=[])", "a, n", "f(1), f(1, []), f(a=1, n=list())", "[1, []]"),
    spelled(
        "38: through a partial and a dict",
        "(a, b)",
        "a, b",
        "f(1, 2), partial(f, 1)(2), partial(f, b=2)(a=1), f(**dict(b=2, a=1))",
        "[1, 2]",
        "from functools import partial",
    ),
    spelled(
        "38: through map, starmap and reduce",
        "(a, b=2)",
        "a, b",
        "f(1), list(map(f, [1]))[0], list(itertools.starmap(f, [(1, 2)]))[0]",
        "[1, 2]",
        "import itertools",
    ),
]

SCALARS = [
    told_apart("40: equal numbers of other types", "1, True, 1.0, 1 + 0j, Decimal(1), Fraction(1), E.A, F(1)", "int", "bool", "float", "complex", "Decimal", "Fraction", "E", "F", returned="type(x).__name__", before="from decimal import Decimal\nfrom fractions import Fraction\nimport enum\nclass E(enum.IntEnum): A = 1\nclass F(float): pass"),
    told_apart("40: deep in a frozen object", "D(1), D(True), D((1,)), D([1])", "1", "True", "(1,)", "[1]", returned="repr(x.a)", before="import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass D: a: object"),
    told_apart("41: deeper", "(0.0,), (-0.0,), {'k': 0.0}, {'k': -0.0}, Decimal('0'), Decimal('-0'), D(0.0), D(-0.0)", "(0.0,)", "(-0.0,)", "{'k': 0.0}", "{'k': -0.0}", "Decimal('0')", "Decimal('-0')", "D(a=0.0)", "D(a=-0.0)", returned="repr(x)", before="from decimal import Decimal\nimport dataclasses\n@dataclasses.dataclass\nclass D: a: object"),
    told_apart("41: in frames and arrays", "pd.Series([0.0]), pd.Series([-0.0]), np.float32(0), np.float32(-0.0), np.array(0.0), np.array(-0.0)", *["False", "True"] * 3, returned="str(bool(np.signbit(np.asarray(x)).any()))", before=PD + "\n" + NP),
    told_apart("42: containers of the same items", "[1], (1,), {1}, frozenset([1]), deque([1]), array('i', [1]), UserList([1]), N(1), {1: 1}.keys()", *["list", "tuple", "set", "frozenset", "deque", "array", "UserList", "N", "dict_keys"], returned="type(x).__name__", before="from collections import deque, UserList, namedtuple\nfrom array import array\nN = namedtuple('N', 'a')", or_said=PLAIN),
    told_apart("42: empty ones", "[], (), {}, set(), frozenset(), '', b'', bytearray(), range(0), None", *["list", "tuple", "dict", "set", "frozenset", "str", "bytes", "bytearray", "range", "NoneType"], returned="type(x).__name__"),
    the_same("43: of any bits, from anywhere", "math.nan, -math.nan, float('nan'), float('-nan'), math.inf - math.inf, struct.unpack('<d', b'\\x01\\0\\0\\0\\0\\0\\xf8\\x7f')[0]", before="import math, struct"),
    told_apart("43: in sets, keys, objects, complex numbers", "{math.nan}, {math.nan: 1}, D(math.nan), complex(math.nan, 1), (math.nan, 'a'), Decimal('NaN')", "set", "dict", "D", "complex", "tuple", "Decimal", returned="type(x).__name__", before="import math, dataclasses\nfrom decimal import Decimal\n@dataclasses.dataclass\nclass D: a: float"),
    told_apart("43: what stands for a missing value", "float('nan'), None, pd.NA, pd.NaT, np.datetime64('NaT')", "float", "NoneType", "NAType", "NaTType", "datetime64", returned="type(x).__name__", before=PD + "\n" + NP),
    told_apart("44: of everything that hashes by its text", "{'a', b'b', None, 1.5}, {frozenset('ab'), frozenset('cd')}, {E.A, E.B}, {Path('a'), Path('b')}, D({'x', 'y'}), {'k': [{'p', 'q', 'r'}]}", "4", "2", "2", "2", "D", "1", returned="str(len(x)) if hasattr(x, '__len__') else type(x).__name__", before="import enum, dataclasses\nfrom pathlib import Path\nclass E(enum.Enum):\n    A = 'a'\n    B = 'b'\n@dataclasses.dataclass\nclass D: s: set"),
    the_same("44: filled in another order, grown and shrunk", "{'a', 'b', 'c'}, {'c', 'b', 'a'}, set('abc') | {'d'} - {'d'}, {*'cab'}, big", before="big = set(map(str, range(999)))\nbig.clear(); big.update('bca')"),
    told_apart("45: in every kind of mapping", "OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), Counter('ab'), Counter('ba'), N(a=1, b=2), N(b=2, a=1), D({'a': 1, 'b': 2}), D({'b': 2, 'a': 1})", *["ab", "ba"] * 4, returned="''.join(x if isinstance(x, dict) else x.__dict__ if isinstance(x, N) else x.d)", before="from collections import OrderedDict, Counter\nfrom types import SimpleNamespace as N\nimport dataclasses\n@dataclasses.dataclass(slots=True)\nclass D: d: dict"),
    the_same("45: of equal order, built in other ways", "{'a': 1, 'b': 2}, dict(a=1, b=2), dict([('a', 1), ('b', 2)]), {**{'a': 1}, 'b': 2}, {'a': 0} | {'b': 2} | {'a': 1}, grown", before="grown = {'z': 0, 'a': 1}\ndel grown['z']; grown['b'] = 2"),
    told_apart("57: elsewhere", "[2**64], {2**64: 1}, np.uint64(2**63), D(10**40), Fraction(2**65, 3), -2**1000, Decimal(2**80)", *["list", "dict", "uint64", "D", "Fraction", "int", "Decimal"], returned="type(x).__name__", before=NP + "\nfrom decimal import Decimal\nfrom fractions import Fraction\nclass D(int): pass"),
    told_apart("58: keys of all kinds", "{1: 'a', '1': 'b', (1,): 'c'}, {None: 0, 'None': 1}, {b'a': 1, 'a': 2}, {E.A: 1, 1: 2}, {1.5: 'x', True: 'y'}, {frozenset('ab'): 1, 'ab': 2}", "3", "2", "2", "2", "2", "2", returned="str(len(x))", before="import enum\nclass E(enum.Enum): A = 1"),
    told_apart("42: text of other composition and case", "'é', 'e\\u0301', 'É', 'é ', 'é\\x00', '\\ud800', b'\\xc3\\xa9'", *map(str, (1, 2, 1, 2, 2, 1, 2)), returned="str(len(x))"),
]  # fmt: skip

FRAMES = [
    the_same("46: built in other ways", "df, pd.DataFrame(d), parts, cols, df.copy(), df[['x', 's', 'c']], pickle.loads(pickle.dumps(df)), copy.deepcopy(df)", before=FRAME),
    the_same("46: read from a file, twice, and written there again", "read(), read(), rewritten()", before=PD + "\nimport io\nT = 'a,b,t\\n1,x,2026-01-01\\n2,,2026-01-02\\n'\ndef read(): return pd.read_csv(io.StringIO(T), parse_dates=['t'])\ndef rewritten(): return pd.read_csv(io.StringIO(read().to_csv(index=False)), parse_dates=['t'])"),
    told_apart("46: of every dtype, rebuilt", "pd.DataFrame({'i': pd.array([1, None], dtype='Int8'), 'b': pd.array([True, None], dtype='boolean'), 't': pd.to_timedelta([1, None], unit='s'), 'p': pd.period_range('2026', periods=2, freq='M'), 'v': pd.IntervalIndex.from_breaks([0, 1, 2]), 'o': [1, 'x']})", "6", returned="str(x.shape[1])", before=PD),
    told_apart("46: one cell differs", "mk(), mk(x=[1.5, None, 0.0]), mk(s=['a', 'None', 'u']), mk(c=['u', 'v', 'v']), mk(s=['a', '', 'u'])", "1.0a<NA>uuvu", "0.0a<NA>uuvu", "1.0aNoneuuvu", "1.0a<NA>uuvv", "1.0auuvu", returned="str(x.x[2]) + ''.join(map(str, x.s.astype('string'))) + ''.join(x.c)", before=PD + "\ndef mk(**k): return pd.DataFrame({'x': [1.5, None, 1.0], 's': ['a', None, 'u'], 'c': ['u', 'v', 'u']} | k)"),
    told_apart("47: the same codes of other categories", "pd.Series(pd.Categorical.from_codes([0, 1], c)) for c in (['a', 'b'], ['b', 'a'], ['a', 'b', 'c'], [1, 2], ['1', '2'], [1.0, 2.0])", "['a', 'b']", "['b', 'a']", "['a', 'b', 'c']", "[1, 2]", "['1', '2']", "[1.0, 2.0]", returned="str(x.cat.categories.tolist())", before=PD),
    told_apart("48: the same values in other columns", "pd.Series([1, 2], dtype=t) for t in ('int64', 'Int64', 'int64[pyarrow]', 'category', object, 'float64', 'Float64', 'str')", "int64", "Int64", "int64[pyarrow]", "category", "object", "float64", "Float64", "str", returned="str(x.dtype)", before=PD),
    told_apart("48: text in other columns", "pd.Series(['a', None], dtype=t) for t in ('str', 'string', 'string[python]', object, 'category', pd.ArrowDtype(pa.large_string()))", *map(str, range(6)), returned="str([*map(str, TYPES)].index(f'{x.dtype} {getattr(x.dtype, \"storage\", \"\")}'))", before="import pyarrow as pa\n" + PD + "\nTYPES = [f'{s.dtype} {getattr(s.dtype, \"storage\", \"\")}' for s in (pd.Series(['a', None], dtype=t) for t in ('str', 'string', 'string[python]', object, 'category', pd.ArrowDtype(pa.large_string())))]"),
    told_apart("49: one day in other clothes", "ts.to_pydatetime(), ts, ts.tz_localize('UTC'), ts.date(), ts.to_datetime64(), ts.to_period('D'), ts.as_unit('s'), str(ts)", *map(str, range(8)), returned="str(KINDS.index(type(x).__name__ + str(getattr(x, 'tzinfo', None)) + str(getattr(x, 'unit', ''))))", before=PD + "\nts = pd.Timestamp('2026-01-01').as_unit('ns')\nKINDS = [type(x).__name__ + str(getattr(x, 'tzinfo', None)) + str(getattr(x, 'unit', '')) for x in (ts.to_pydatetime(), ts, ts.tz_localize('UTC'), ts.date(), ts.to_datetime64(), ts.to_period('D'), ts.as_unit('s'), str(ts))]"),
    told_apart("49: a clock hour that comes twice", "t, t.replace(fold=1), t.replace(tzinfo=Z), t.replace(tzinfo=Z, fold=1), t.replace(tzinfo=dt.timezone.utc)", "None0", "None1", "Europe/Paris0", "Europe/Paris1", "UTC0", returned="f'{x.tzinfo}{x.fold}'", before="import datetime as dt, zoneinfo\nZ = zoneinfo.ZoneInfo('Europe/Paris')\nt = dt.datetime(2026, 10, 25, 2, 30)"),
    told_apart("50: equal bytes, other meaning", "a.view(t) for t in ('float64', 'int64', 'uint64', 'complex64', 'datetime64[s]', 'timedelta64[s]', 'S8', 'V8', '>f8')", "float64", "int64", "uint64", "complex64", "datetime64[s]", "timedelta64[s]", "|S8", "|V8", ">f8", returned="str(x.dtype)", before=NP + "\na = np.array([1.0, 2.0])"),
    told_apart("51: names and levels of the axes", "pd.DataFrame([[1, 1]], columns=c) for c in (['a', 'b'], ['A', 'b'], pd.MultiIndex.from_tuples([('a', 1), ('b', 1)]), pd.Index(['a', 'b'], dtype='category'), pd.Index(['a', 'b'], name='n'))", "a Index str None", "A Index str None", "a MultiIndex object None", "a CategoricalIndex category None", "a Index str n", returned="f'{x.columns[0][0]} {type(x.columns).__name__} {x.columns.dtype} {x.columns.name}'", before=PD),
    told_apart("53: one column, in every form", "s, s.to_frame(), s.array, s.to_numpy(), s.to_list(), tuple(s), pd.Index(s), s.to_dict(), s.groupby(level=0).size()", "Series", "DataFrame", "NumpyExtensionArray", "ndarray", "list", "tuple", "Index", "dict", "Seriesint64", returned="type(x).__name__ + ('int64' if str(getattr(x, 'dtype', '')) == 'int64' else '')", before=PD + "\ns = pd.Series([1.5, 2.5], name='a')"),
    told_apart("54: other views of one array", "a, a[::-1], a.T, np.rot90(a), a[:1], a.ravel(), a[None], a.reshape(3, 2)", *("[[0, 1, 2], [3, 4, 5]]", "[[3, 4, 5], [0, 1, 2]]", "[[0, 3], [1, 4], [2, 5]]", "[[2, 5], [1, 4], [0, 3]]", "[[0, 1, 2]]", "[0, 1, 2, 3, 4, 5]", "[[[0, 1, 2], [3, 4, 5]]]", "[[0, 1], [2, 3], [4, 5]]"), returned="str(x.tolist())", before=NP + "\na = np.arange(6).reshape(2, 3)"),
    told_apart("55: nothing, of several types", "np.zeros(0, t) for t in ('float64', 'int64', 'bool', 'O', 'U1', 'S1', 'datetime64[s]')", "float64", "int64", "bool", "object", "<U1", "|S1", "datetime64[s]", returned="str(x.dtype)", before=NP),
    told_apart("52: of the levels of columns, and of the index, and of both", "pd.DataFrame({'a': [1]}).rename_axis(**k) for k in ({}, {'index': 'i'}, {'columns': 'i'}, {'index': 'i', 'columns': 'i'}, {'index': 1})", "None None", "i None", "None i", "i i", "1 None", returned="f'{x.index.name} {x.columns.name}'", before=PD),
    the_same("56: equal values, however they lie", "a, a.copy(), np.asfortranarray(a), big[:, ::2], np.ascontiguousarray(a), a[::-1][::-1], np.broadcast_to(a, (2, 3)), from_buffer", before=NP + "\na = np.arange(6.0).reshape(2, 3)\nbig = np.zeros((2, 6)); big[:, ::2] = a\nfrom_buffer = np.frombuffer(a.tobytes()).reshape(2, 3)"),
]  # fmt: skip

CODE = [
    edited("59: its default", "pass", "f(lambda y=§: y + 1)", "return x()"),
    edited("59: what it closes over", "def make(n): return lambda y: y + n", "f(make(§))", "return x(1)"),
    edited("59: a global that it reads", "K = §", "f(lambda y: y + K)", "return x(1)"),
    edited("59: in a list, in a dict", "pass", "f({'g': [lambda y: y + §]})", "return x['g'][0](1)"),
    edited("59: held by an object", "class Box:\n    def __init__(self, g): self.g = g", "f(Box(lambda y: y + §))", "return x.g(1)"),
    edited("59: a helper below it, in a module", "import mymod", "f(lambda y: mymod.g(y))", "return x(1)", files={"mymod.py": "def g(y): return y + §\n"}),
    edited("61: the function of a partial", "from functools import partial\ndef g(a, b): return a + b + § - 1", "f(partial(g, 1))", "return x(1)"),
    edited("61: a partial of a method", "from functools import partial\nclass C:\n    def m(self, a): return a + §", "f(partial(C().m, 1))", "return x()"),
    edited("61: an object that is called", "class C:\n    def __call__(self, a): return a + §", "f(C())", "return x(1)"),
    told_apart("60: moved, commented, in another line", "lambda y: y + 1, (lambda y:\n    y - 1), partial(lambda y: y, 5), {'g': lambda y: y * 2}", "2", "0", "5", "2", returned="str(x['g'](1) if isinstance(x, dict) else x() if hasattr(x, 'args') else x(1))", before="from functools import partial"),
    told_apart("61: what a callable was made with", "partial(g, 1), partial(g, a=1), partial(g, b=1), partial(g, 1, 1), itemgetter(0), itemgetter(1), itemgetter(0, 1), attrgetter('a'), methodcaller('a')", *("partial(1,){}", "partial(){'a': 1}", "partial(){'b': 1}", "partial(1, 1){}", "itemgetter(0)", "itemgetter(1)", "itemgetter(0, 1)", "attrgetter('a')", "methodcaller('a')"), returned="f'partial{x.args}{x.keywords}' if isinstance(x, partial) else repr(x).split('.')[-1]", before="from functools import partial\nfrom operator import itemgetter, attrgetter, methodcaller\ndef g(a=0, b=0): return a + b"),
    edited("63: a base of the instance's class", "class B:\n    def m(self): return §\nclass C(B): pass", "f(C())", "return x.m() + 1"),
    edited("63: the class of a part of it", "class P:\n    def m(self): return §\nclass C:\n    def __init__(self): self.p = [P()]", "f(C())", "return x.p[0].m() + 1"),
    edited("63: a class attribute", "class C: k = §", "f(C())", "return x.k + 1"),
    edited("63: an enum member's siblings", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = §", "f(E.A)", "return type(x).B.value + 1", "23", (3, 4)),
    told_apart("63: instances of all kinds, nothing changed", "S(), N(1), D(1), E.A, G(), Sub(), nested()", "S", "N", "D", "E", "G", "Sub", "In", returned="type(x).__name__", before="import enum, dataclasses, typing\nclass S:\n    __slots__ = ('a', '__weakref__')\n    def __init__(self): self.a = {1}\nclass N(typing.NamedTuple): a: int\n@dataclasses.dataclass(slots=True, order=True)\nclass D: a: int\nclass E(enum.Enum): A = 1\nclass G(typing.Generic[typing.TypeVar('T')]): pass\nclass Sub(dict):\n    def __init__(self): super().__init__(a=1); self.k = [self]\ndef nested():\n    class In:\n        def __init__(self): self.me = self\n    return In()"),
]  # fmt: skip

MODELS = [
    told_apart("62: fitted again", "Ridge().fit(X, y), make_pipeline(StandardScaler(), Ridge()).fit(X, y), StandardScaler().fit(pd.DataFrame(X, columns=list('ab')))", "Ridge", "Pipeline", "StandardScaler", returned="type(x).__name__", before=MODEL),
    told_apart("62: fitted on other data, otherwise, or not", "Ridge(), Ridge().fit(X, y), Ridge().fit(X, y + X[:, 1] ** 2), Ridge(alpha=2).fit(X, y), Ridge(fit_intercept=False).fit(X, y), Ridge().fit(pd.DataFrame(X, columns=list('ab')), y)", *("Ridge() - -", "Ridge() 0.5 -", "Ridge() 4.4 -", "Ridge(alpha=2) 0.5 -", "Ridge(fit_intercept=False) 0.6 -", "Ridge() 0.5 ab"), returned="f\"{x!r} {float(getattr(x, 'coef_', [float('nan')])[0]):.1f} {''.join(getattr(x, 'feature_names_in_', '-'))}\".replace('nan', '-')", before=MODEL),
    edited("62: an estimator of the notebook, in a pipeline", "from sklearn.base import BaseEstimator, TransformerMixin\nfrom sklearn.pipeline import make_pipeline\nclass Plus(TransformerMixin, BaseEstimator):\n    def fit(self, X, y=None): return self\n    def transform(self, X): return X + §", "f(make_pipeline(Plus()))", "import numpy as np; return int(x.fit_transform(np.array([[1]]))[0, 0])", preload=("sklearn.pipeline",), or_said=PLAIN),
    told_apart("62: generators by their state", "np.random.default_rng(1), np.random.default_rng(2), moved, np.random.RandomState(1), random.Random(1), np.random.Generator(np.random.Philox(1))", *("Generator PCG64", "Generator PCG64", "Generator PCG64", "RandomState -", "Random -", "Generator Philox"), returned="type(x).__name__ + ' ' + (type(x.bit_generator).__name__ if hasattr(x, 'bit_generator') else '-')", before=NP + "\nimport random\nmoved = np.random.default_rng(1); moved.random()"),
]  # fmt: skip


def in_place(law: str, cells: str, change: str, body: str, values: tuple[object, object]) -> Trap:
    """The argument `x` is changed between two calls."""
    number, law = law.split(": ", 1)
    text = f"{cells}\n# %%\n@durable\ndef f(x):\n    ran()\n    return {body}\n# %%\nfirst = f(x)\n{change}\ngot['value'] = [first, f(x)]"
    preload = ("pandas",) if "pandas" in cells else ("numpy",) if "numpy" in cells else ()
    return Trap(f"{number}r", law, text, ("", ""), (2, 0), (list(values),) * 2, preload=preload)


IN_PLACE = [
    in_place("64: a list in a tuple in a dict", "x = {'k': ([1],)}", "x['k'][0].append(2)", "sum(x['k'][0])", (1, 3)),
    in_place("64: an attribute behind a property", "class C:\n    def __init__(self): self._k = 1\n    @property\n    def k(self): return self._k\nx = C()", "x._k = 2", "x.k", (1, 2)),
    in_place("64: a set, by another name", "x = {1}\ny = x", "y |= {2}", "len(x)", (1, 2)),
    in_place("64: bytes through a view", "x = bytearray(b'ab')\nv = memoryview(x)", "v[0] = 122", "chr(x[0])", ("a", "z")),
    in_place("64: a column of a frame in a list", "import pandas as pd\nx = [pd.DataFrame({'a': [1]})]", "x[0]['a'] = 2", "int(x[0].a.sum())", (1, 2)),
    in_place("64: an array under a frame", "import numpy as np, pandas as pd\na = np.array([1.0]); x = pd.Series(a, copy=False)", "a[0] = 2", "float(x.sum())", (1.0, 2.0)),
    in_place("64: a closure's cell", "def make():\n    n = 1\n    def put(k):\n        nonlocal n\n        n = k\n    return (lambda: n), put\nx, put = make()", "put(2)", "x()", (1, 2)),
    in_place("64: the order of a dict", "x = {'a': 1, 'b': 2}", "x['a'] = x.pop('a')", "''.join(x)", ("ab", "ba")),
]  # fmt: skip

FILES = [
    edited("65: through csv and a Path", "import csv, pathlib", "f(pathlib.Path('data.csv'))", "return int(list(csv.reader(x.open()))[1][0]) + 1", files={"data.csv": "a\n§\n"}),
    edited("65: json, by a helper that is given the path", "import json\ndef load(p):\n    with open(p) as fh: return json.load(fh)", "f('data.json')", "return load(x)['k'] + 1", files={"data.json": '{"k": §}'}),
    edited("65: in a list of paths", "pass", "f(['a.txt', 'b.txt'])", "return sum(int(open(p).read()) for p in x)", files={"a.txt": "1", "b.txt": "§"}),
    edited("65: a path put together in the body", "import os", "f('sub')", "return int(open(os.path.join(x, 'b.txt')).read()) + 1", files={"sub/b.txt": "§"}),
    edited("65: found by a glob", "import glob", "f('part*.txt')", "return sum(int(open(p).read()) for p in sorted(glob.glob(x)))", files={"part1.txt": "1", "part2.txt": "§"}),
    edited("65: numpy's text", "import numpy as np", "f('data.txt')", "return int(np.loadtxt(x)) + 1", files={"data.txt": "§"}, preload=("numpy",)),
    Trap("65r", "an open file is the argument: refused by name", "@durable\ndef f(x):\n    ran()\n    return x.read()\n# %%\ngot['value'] = f(open('data.txt'))", "12", (0, 0), (None, None), files={"data.txt": "§"}, errors=("UnfingerprintableError: 'x' is .*open file",) * 2),
]  # fmt: skip


def environment(number: str, law: str, body: str, *, declared: str = "", before: str = "pass", **more: Any) -> Trap:
    """A variable of the environment changes: what is declared is seen, and what is not is owned up to."""
    cells = f"import os\nos.environ['K'] = '§'\n{before}\n# %%\n@durable({declared})\ndef f(x):\n    ran()\n    {body}\n# %%\ngot['value'] = f(1)"
    said = None if declared or more else r"does not see everything: it (reads the environment|starts processes)"
    return recompute(number, law, cells, "12", (2, 3), or_unsure=said, or_said=said, **more)


ENVIRONMENT = [
    environment("66", "the body reads an environment variable that changes", "return x + int(os.environ['K'])"),
    environment("66r", "declared", "return x + int(os.environ['K'])", declared="env=('K',)"),
    environment("66r", "by getenv", "return x + int(os.getenv('K', '0'))"),
    environment("66r", "by get, in a helper", "return helper(x)", before="def helper(x): return x + int(os.environ.get('K'))"),
    environment("66r", "declared, and read by a helper under another name", "return x + look()", before="from os import environ as e\ndef look(): return int(e['K'])", declared="env='K'"),
    environment("66r", "the whole of it", "return x + int(dict(os.environ)['K'])"),
    environment("66r", "read by a module as it is imported", "return x + mymod.K", before="import mymod", files={"mymod.py": "import os\nK = int(os.environ['K'])\n"}),
    environment("66r", "expanded in a path", "return x + int(os.path.expandvars('$K'))"),
    environment("66r", "inherited by a child process", "return x + int(subprocess.run(['sh', '-c', 'echo $K'], capture_output=True, text=True).stdout)", before="import subprocess"),
]  # fmt: skip


TRAPS = [*ENVIRONMENT, *SPELLED, *SCALARS, *FRAMES, *CODE, *MODELS, *IN_PLACE, *FILES]


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_more_arguments_count_by_content(trap: Trap, tmp_path: Path) -> None:
    spring(trap, tmp_path)


ORDERED = {
    "39r: handed on to another function": "def g(**k): return list(k)\n@durable\ndef f(**k):\n    ran()\n    return g(**k)",
    "39r: made into an object": "from types import SimpleNamespace\n@durable\ndef f(**k):\n    ran()\n    return list(SimpleNamespace(**k).__dict__)",
    "39r: made into a frame": "import pandas as pd\n@durable\ndef f(**k):\n    ran()\n    return list(pd.DataFrame({n: [v] for n, v in k.items()}))",
    "39r: below a decorator that takes them": "import functools\ndef deco(g):\n    @functools.wraps(g)\n    def inner(**k): return g(**k)\n    return inner\n@durable\n@deco\ndef f(**k):\n    ran()\n    return list(k)",
    "39r: joined with defaults": "@durable\ndef f(**k):\n    ran()\n    return [n for n in {'z': 0, **k} if n != 'z']",
    "39r: of a method": "class C:\n    @durable\n    def m(self, **k):\n        ran()\n        return list(k)\nf = C().m",
}  # fmt: skip


@pytest.mark.parametrize("title", ORDERED)
def test_39_more_keywords_in_another_order_give_their_own_order_s_answer(title: str, tmp_path: Path) -> None:
    """One run would be a bonus; the value is what counts."""
    cells = f"{ORDERED[title]}\n# %%\ngot['value'] = [f(a=1, b=2), f(b=2, a=1)]"
    book = Notebook(tmp_path, ("pandas",) if "pandas" in cells else ())
    first, second = book.run(cells), book.run(cells)
    assert [["a", "b"], ["b", "a"]] == first.got["value"] == second.got["value"], first.said
    assert 0 == second.runs, second.said
