# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Ordinary bodies: the second session replays them, and nothing is said of plain runs.

The other side of the traps. A key that is refused is never stale, and of no use either.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook

pytestmark = pytest.mark.slow

BODIES = {
    "an inner function with nonlocal": ("", "n = 0\ndef bump():\n    nonlocal n\n    n += 1\nbump()\nreturn n"),
    "a class of its own": ("", "class C:\n    k = 1\n    def __init__(self): self.x = [2]\nc = C()\nc.x.append(3)\nC.k = 5\nreturn c.x + [c.k]"),
    "a global logger": ("import logging\nlog = logging.getLogger(__name__)", "log.info('working')\nreturn 1"),
    "a logger of the root": ("import logging", "logging.getLogger('x').warning('working')\nreturn 1"),
    "tqdm": ("from tqdm.auto import tqdm", "return sum(i for i in tqdm(range(3), disable=True))"),
    "a global pattern, path, date, Decimal": ("import re, pathlib, datetime, decimal\nP = re.compile('a+')\nD = pathlib.Path('x')\nT = datetime.date(2026, 1, 1)\nK = decimal.Decimal('1.5')", "return [P.match('aa').group(), str(D / 'y'), T.isoformat(), str(K)]"),
    "pandas in the usual ways": ("import pandas as pd, numpy as np\ndf = pd.DataFrame({'g': ['a', 'b', 'a'], 'v': [1.0, 2.0, np.nan], 't': pd.date_range('2026', periods=3)})", "out = df.dropna().assign(w=lambda d: d['v'] * 2, h=df['t'].dt.day)\nout = out.groupby('g', as_index=False).agg(total=('v', 'sum'), n=('w', 'size')).sort_values('total').reset_index(drop=True)\nout['r'] = out['total'].rank()\nout.loc[out['n'] > 0, 'r'] = 0.0\nreturn out.merge(df[['g']].drop_duplicates(), on='g').to_dict()"),
    "a query without names, an eval, a pivot": ("import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})", "return [len(df.query('a > 1 and b < 9')), df.eval('a + b').tolist(), df.pivot_table(index='a', values='b').to_dict()]"),
    "numpy in the usual ways": ("import numpy as np\nW = np.eye(2)", "rng = np.random.default_rng(0)\nx = rng.normal(size=(2, 2)) @ W\nx[0] = 0\nx += 1\nnp.maximum(x, 0, out=x)\nreturn [round(float(np.linalg.norm(x)), 3), np.where(x > 0, 1, 0).tolist()]"),
    "numpy in tuples, ufuncs, dtypes": ("import numpy as np\nTYPES = (np.float32, np.dtype('i4'))\nf2 = np.add", "return [np.zeros(1, TYPES[0]).dtype.name, int(f2(1, 2)), float(np.add.reduce([1.0, 2.0])), np.pi]"),
    "scipy": ("from scipy import stats, optimize", "return [round(float(stats.norm.cdf(0)), 3), round(float(optimize.brentq(lambda v: v - 2, 0, 5)), 3)]"),
    "sklearn: fit, cross-validate, predict": ("import numpy as np\nfrom sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nfrom sklearn.linear_model import LinearRegression\nfrom sklearn.model_selection import cross_val_score, KFold", "X = np.arange(20.0).reshape(10, 2)\ny = X[:, 0]\nm = make_pipeline(StandardScaler(), LinearRegression())\nreturn [round(float(cross_val_score(m, X, y, cv=KFold(2)).mean()), 3), round(float(m.fit(X, y).predict(X[:1])[0]), 3)]"),
    "a figure": ("import matplotlib.pyplot as plt", "fig, ax = plt.subplots()\nax.plot([1, 2], label='a')\nax.set_title('x')\nplt.close(fig)\nreturn 1"),
    "a forest that is a global": ("from sklearn.ensemble import RandomForestRegressor\nm = RandomForestRegressor(3, random_state=0).fit([[1.0], [2.0]], [1.0, 2.0])", "return round(float(m.predict([[1.0]])[0]), 3)"),
    "json, csv, io, a file": ("import json, csv, io", "out = io.StringIO()\ncsv.writer(out).writerow([1, 2])\nwith open('out.json', 'w') as fh: json.dump({'a': 1}, fh)\nreturn [out.getvalue(), json.load(open('out.json'))]"),
    "itertools, functools, operator, collections": ("import itertools, functools, operator, collections", "return [list(itertools.chain([1], [2])), functools.reduce(operator.add, [1, 2]), collections.Counter('aab')['a'], sorted([{'k': 2}, {'k': 1}], key=operator.itemgetter('k'))[0]['k']]"),
    "a dataclass, an enum, a NamedTuple, a TypedDict, a Protocol": ("import dataclasses, enum, typing\n@dataclasses.dataclass(slots=True, frozen=True, order=True)\nclass D:\n    a: int\n    b: list[int] = dataclasses.field(default_factory=list)\n    def m(self): return self.a\nclass E(enum.StrEnum):\n    A = enum.auto()\nclass N(typing.NamedTuple):\n    a: int\n    b: str = 'x'\nclass T(typing.TypedDict, total=False):\n    a: int\nclass P(typing.Protocol):\n    def m(self) -> int: ...", "t: T = {'a': 1}\nreturn [D(1).m(), D(1) < D(2), E.A.value, N(1).b, t['a']]"),
    "generics, aliases and casts": ("import typing\nK = typing.TypeVar('K')\nVec = list[float]\nMaybe = int | None\nclass Box(typing.Generic[K]):\n    def __init__(self, v: K): self.v = v", "v = typing.cast(Vec, [1.0])\nreturn [v, Box[int](3).v, isinstance(3, Maybe)]"),
    "an ABC and super": ("import abc\nclass B(abc.ABC):\n    def __init__(self): self.k = 1\n    @abc.abstractmethod\n    def m(self): ...\nclass C(B):\n    def __init__(self):\n        super().__init__()\n        self.k += 1\n    def m(self): return self.k", "return C().m()"),
    "a cached property, a class attribute that is a table": ("import functools\nclass C:\n    T = {'a': 1}\n    @functools.cached_property\n    def k(self): return self.T['a']", "return C().k"),
    "a notebook estimator": ("from sklearn.base import BaseEstimator, TransformerMixin\nclass T(BaseEstimator, TransformerMixin):\n    def __init__(self, k=2): self.k = k\n    def fit(self, X, y=None):\n        self.n_ = len(X)\n        return self\n    def transform(self, X): return [[v * self.k for v in row] for row in X]", "return T(3).fit_transform([[1]])"),
    "a pool of threads": ("from concurrent.futures import ThreadPoolExecutor\ndef h(v): return v + 1", "with ThreadPoolExecutor(2) as pool: return list(pool.map(h, [1, 2]))"),
    "asyncio inside": ("import asyncio\nasync def h(v):\n    await asyncio.sleep(0)\n    return v + 1", "loop = asyncio.new_event_loop()\ntry: return loop.run_until_complete(h(1))\nfinally: loop.close()"),
    "time, uuid, random": ("import time, uuid, random", "time.sleep(0)\nreturn [time.time() > 0, len(str(uuid.uuid4())), random.Random(1).randint(1, 1)]"),
    "try, with, assert, del, walrus, star, match": ("import contextlib", "with contextlib.suppress(KeyError): {}['a']\na, *b = [1, 2, 3]\nassert (n := len(b)) == 2\ndel a\nmatch b:\n    case [p, q]: return [p, q, n]"),
    "getattr with a constant, hasattr, isinstance, type": ("class C: k = 1", "return [getattr(C, 'k'), getattr(C, 'z', 0), hasattr(C, 'k'), isinstance(C(), C), type(C()).__name__]"),
    "setattr on an object of its own": ("class C: pass", "c = C()\nsetattr(c, 'a', 1)\nc.b = 2\nreturn sorted(c.__dict__.values())"),
    "a decorated helper": ("import functools\ndef timed(g):\n    @functools.wraps(g)\n    def inner(*a, **k): return g(*a, **k)\n    return inner\n@timed\ndef h(v):\n    'Adds.'\n    return v + 1", "return h(1)"),
    "a helper behind a cache": ("import functools\n@functools.cache\ndef h(v): return v + 1", "return h(1)"),
    "a regex, textwrap, string.Template, format": ("import re, textwrap, string", "return [re.sub('a', lambda m: 'b', 'aa'), textwrap.dedent('  x'), string.Template('$a').substitute(a=1), '{0:>3}'.format(1), '%s' % 2]"),
    "a warning, a print": ("import warnings", "warnings.warn('careful')\nprint('x')\nreturn 1"),
    "an import inside": ("", "import statistics\nfrom math import sqrt\nreturn [statistics.mean([1, 2]), sqrt(4)]"),
    "a helper that prints and displays": ("from IPython.display import display, Markdown\ndef show(v): display(Markdown(str(v)))", "show(1)\nreturn 1"),
    "os and pathlib for a folder of results": ("import os, pathlib\nOUT = pathlib.Path('results')", "OUT.mkdir(exist_ok=True)\n(OUT / 'a.txt').write_text('x')\nreturn [os.path.exists('results'), (OUT / 'a.txt').read_text()]"),
    "pickle and copy of its own": ("import pickle, copy", "return [pickle.loads(pickle.dumps({'a': [1]})), copy.deepcopy([[1]])]"),
    "timeit, perf_counter, a context manager class": ("import time\nclass Timer:\n    def __enter__(self):\n        self.t = time.perf_counter()\n        return self\n    def __exit__(self, *a): self.t = time.perf_counter() - self.t", "with Timer() as t: pass\nreturn t.t >= 0"),
    "sum over a global generator function": ("def numbers():\n    for i in range(3): yield i", "return sum(numbers())"),
    "string methods named eval and query of others": ("class DB:\n    def query(self, sql): return sql.upper()\ndb = DB()", "return db.query('select 1')"),
    "Path.glob, os.listdir": ("import os, pathlib", "return [len(list(pathlib.Path('.').glob('*.nothing'))), isinstance(os.listdir('.'), list)]"),
    "a global that is a function of a package": ("from math import sin as g\nimport operator\nadd = operator.add", "return [g(0), add(1, 2)]"),
    "a class with properties and dunder methods": ("class V:\n    def __init__(self, *a): self.a = a\n    def __add__(self, o): return V(*[p + q for p, q in zip(self.a, o.a)])\n    def __eq__(self, o): return self.a == o.a\n    def __hash__(self): return hash(self.a)\n    def __iter__(self): return iter(self.a)\n    def __len__(self): return len(self.a)\n    def __getitem__(self, i): return self.a[i]\n    @property\n    def first(self): return self[0]\nZERO = V(0, 0)", "return [list(V(1, 2) + ZERO), V(1) == V(1), V(1, 2).first, len(ZERO)]"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_an_ordinary_body_is_replayed(name: str, tmp_path: Path) -> None:
    """In a session of its own, with the same value and without a word of a plain run."""
    before, body = BODIES[name]
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    cells = f"{before or 'pass'}\n# %%\n@durable\ndef f(x):\n    ran()\n{lines}# %%\ngot['v'] = f(1)"
    book = Notebook(tmp_path, ("pandas",))
    plain = book.run(cells, RESONATE_NB="off")
    assert not plain.errors, plain.said
    first, second = book.run(cells), book.run(cells)
    assert plain.got == first.got == second.got, first.said + second.said
    for word in ("plainly", "not replayable", "not stored", "runs again"):
        assert word not in first.said + second.said, first.said + second.said
    assert (1, 0) == (first.runs, second.runs), second.said
