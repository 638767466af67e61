# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Relatives of traps 1 to 37 as they come in a data scientist's project, and the code traps that had too few.

The number is that of the trap whose relative a row is. A row ends with what changes and with the values that follow;
without them `§` is 1 in the first session and 2 in the others, and the values are 2 and 3.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import CALL, Notebook, Row, Trap, after, hit, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = r"plainly|not replayable|unsure"
PD, NP, SK = ("import pandas as pd\n", "import numpy as np\n", "from sklearn.")
PANDAS, NUMPY, SKLEARN = {"preload": ("pandas",)}, {"preload": ("numpy",)}, {"preload": ("sklearn.pipeline",)}
SAID = {"or_said": PLAIN}
# Of two files of one second and one size Python itself takes the second for the one that it has compiled.
NO_PYC = "import sys\nsys.dont_write_bytecode = True\n# %%\n"


def on_disk(files: dict[str, str], imports: str, body: str, **more: object) -> Row:
    """A row whose change is in files."""
    return after(imports, body, files=files, **more)


def made(
    cells: str, made: str, call: str = "f(1)", turns: object = "12", values: object = (2, 3), **more: object
) -> Row:
    """A row whose durable function is made by itself, and called in this way."""
    return f"{cells}\n# %%\n{made}\n# %%\ngot['value'] = {call}", turns, values, more


PIPELINES = {
    "1: a helper given to pipe": after(PD + "def clean(df): return df.assign(a=df.a + §)\ndf = pd.DataFrame({'a': [1]})", "return int(df.pipe(clean).a[0])", **PANDAS),
    "1: a helper given to assign, in a lambda": after(PD + "def low(v): return v + §\ndf = pd.DataFrame({'a': [1]})", "return int(df.assign(b=lambda d: low(d.a)).b[0])", **PANDAS),
    "1: a helper given to groupby and agg": after(PD + "def spread(s): return s.max() + §\ndf = pd.DataFrame({'k': ['a'], 'v': [1]})", "return int(df.groupby('k').agg(v=('v', spread)).v.iloc[0])", **PANDAS),
    "1: a list of steps, in another order": after(PD + "def a(df): return df + 1\ndef b(df): return df * 2\nSTEPS = [§]\ndf = pd.DataFrame({'v': [0]})", "for step in STEPS: df_ = step(df if step is STEPS[0] else df_)\nreturn int(df_.v[0])", ["b, a", "a, b"], (1, 2), **PANDAS),
    "1: a chain that is built by reduce over functions": after("import functools\ndef a(x): return x + §\nSTEPS = (a, lambda x: x)\nhelper = functools.reduce(lambda g, h: lambda x: h(g(x)), STEPS)", "return helper(x)"),
    "2: a scorer of sklearn over a notebook function": after(SK + "metrics import make_scorer\ndef gap(y, p): return float(y[0] + §)\nscore = make_scorer(gap)\nclass M:\n    def predict(self, X): return X", "return int(score._score_func([1], [1]))", **SKLEARN),
    "2: a transformer inside a column transformer": after(SK + "preprocessing import FunctionTransformer\n" + SK + "compose import ColumnTransformer\n" + PD + "def low(v): return v + §\nPARTS = [('a', FunctionTransformer(low), ['a'])]\ndf = pd.DataFrame({'a': [1]})", "return int(ColumnTransformer(PARTS).fit_transform(df).ravel()[0])", **SKLEARN),
    "11: an estimator of the notebook, made in the body": after(SK + "base import BaseEstimator, ClassifierMixin\nclass Const(ClassifierMixin, BaseEstimator):\n    def __init__(self, k=0): self.k = k\n    def fit(self, X, y): return self\n    def predict(self, X): return [self.k + §] * len(X)", "return Const(1).fit([[1]], [1]).predict([[1]])[0]", **SKLEARN),
    "7: a hyper-parameter of a global pipeline": after(SK + "pipeline import make_pipeline\n" + SK + "linear_model import Ridge\np = make_pipeline(Ridge(alpha=§))", "return int(p[-1].alpha) + x", **SKLEARN),
    "7: the grid of a search": after("GRID = {'ridge__alpha': [§], 'fit': [True]}", "return x + max(GRID['ridge__alpha'])"),
    "6: a frame in a dict of frames": after(PD + "FRAMES = {'train': pd.DataFrame({'a': [1]}), 'test': pd.DataFrame({'a': [§]})}", "return x + int(FRAMES['test'].a[0])", **PANDAS),
    "6: the index of a global frame": after(PD + "df = pd.DataFrame({'a': [1]}, index=[§])", "return x + int(df.index[0])", **PANDAS),
    "6: the categories of a global column, not its values": after(PD + "s = pd.Series(pd.Categorical(['b'], categories=[§]))", "return int(s.cat.codes[0]) + 2", ["'b', 'a'", "'a', 'b'"], **PANDAS),
    "6: a filter of a global frame": after(PD + "df = pd.DataFrame({'a': [1, 2, 3]})\nsub = df[df.a <= §]", "return len(sub) + 1", **PANDAS),
    "6: groups of a global frame": after(PD + "g = pd.DataFrame({'k': [0], 'v': [§]}).groupby('k')", "return x + int(g.v.sum()[0])", or_said=PLAIN, **PANDAS),
    "6: a masked array": after(NP + "a = np.ma.array([1, 2], mask=[§, 0])", "return 4 - int(a.sum())", "01", (1, 2), **NUMPY),
    "1: a drawing helper with a colour in its default": after("def palette(n, base='#00§'): return [base] * n", "return palette(1)[0]", "12", ("#001", "#002")),
    "7: a style that helpers read": after("STYLE = {'lines': {'width': §}}\ndef draw(ax): ax.append(STYLE['lines']['width'])", "ax = []\ndraw(ax)\nreturn x + ax[0]"),
}  # fmt: skip

CONFIGURATION = {
    "7: a nested dataclass": after("import dataclasses\n@dataclasses.dataclass\nclass Opt: lr: int\n@dataclasses.dataclass(frozen=True)\nclass Cfg: opt: Opt\ncfg = Cfg(Opt(§))", "return x + cfg.opt.lr"),
    "7: a class that is never instantiated": after("class Cfg:\n    class Train:\n        lr = §", "return x + Cfg.Train.lr"),
    "7: an argparse namespace": after("import argparse\np = argparse.ArgumentParser(); p.add_argument('--lr', type=int, default=0)\nargs = p.parse_args(['--lr', '§'])", "return x + args.lr"),
    "7: a ConfigParser": after("import configparser\nc = configparser.ConfigParser(); c.read_string('[a]\\nlr = §')", "return x + c.getint('a', 'lr')", **SAID),
    "7: a dict that gives its keys as attributes": after("class Box(dict):\n    __getattr__ = dict.__getitem__\ncfg = Box(a=Box(lr=§))", "return x + cfg.a.lr"),
    "7: read from JSON in a cell": after("import json\ncfg = json.loads('{\"lr\": §}')", "return x + cfg['lr']"),
    "7: read by a module when it is imported": on_disk({"cfg.json": '{"lr": §}', "settings.py": "import json, pathlib\nCFG = json.loads(pathlib.Path(__file__).with_name('cfg.json').read_text())\ndef lr(): return CFG['lr']\n"}, "import settings", "return x + settings.lr()"),
    "7: a model class that reads its annotations": after("class Model:\n    def __init_subclass__(cls): cls.fields = list(cls.__annotations__)\nclass Row(Model):\n    §: int", "return Row.fields", "ab", (["a"], ["b"])),
    "7: validators that a model class collects": after("class Model:\n    def __init__(self, **k):\n        for n, v in k.items(): setattr(self, n, getattr(type(self), 'check_' + n, lambda v: v)(v))\nclass Row(Model):\n    @staticmethod\n    def check_a(v): return v + §", "return Row(a=x).a", **SAID),
    "7: dataclasses.replace of a default": after("import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass Cfg: lr: int = 0\nBASE = Cfg()\ncfg = dataclasses.replace(BASE, lr=§)", "return x + cfg.lr"),
    "7: an enum of settings, a member more": after("import enum\nclass Mode(enum.Enum):\n    FAST = 1§", "return len(Mode) + x", ["", "\n    SLOW = 2"]),
    "7: an alias of an enum member": after("import enum\nclass Mode(enum.Enum):\n    FAST, SLOW = 1, 2\n    BEST = §", "return x + Mode['BEST'].value"),
    "7: a named tuple with other fields": after("import collections\nRow = collections.namedtuple('Row', '§')", "return Row(1, 2).b + x", ["b a", "a b"]),
    "7: the defaults of a named tuple": after("import collections\nRow = collections.namedtuple('Row', 'a b', defaults=[§])", "return x + Row(0).b"),
    "7: flags joined": after("import enum\nclass P(enum.IntFlag):\n    A = 1\n    B = 2\nMASK = §", "return x + int(MASK)", ["P.A", "P.B"]),
    "7: a TypedDict's defaults elsewhere": after("import typing\nclass Cfg(typing.TypedDict): lr: int\ndef default() -> Cfg: return {'lr': §}", "return x + default()['lr']"),
    "4: a sentinel compared by identity": after("A, B = object(), object()\nMODE = §", "return 2 if MODE is A else 3", "AB", (2, 3)),
    "4: a mark for what is missing, in a default and in a module": on_disk({"mymod.py": "MISSING = object()\ndef get(d, k, default=MISSING):\n    return § if default is MISSING else default\n"}, "import mymod\nNONE = object()\ndef helper(x, y=NONE): return x if y is NONE else 0", "return helper(x) + mymod.get({}, 1)"),
}  # fmt: skip

REGISTRIES = {
    "19: plugins by name, registered by a decorator with an argument": after("PLUGINS = {}\ndef plugin(name):\n    def wrap(g): PLUGINS[name] = g; return g\n    return wrap\n@plugin('a')\ndef one(x): return x + §", "return PLUGINS['a'](x)"),
    "19: a plugin class, registered by its base": after("class Plugin:\n    known = {}\n    def __init_subclass__(cls, name): Plugin.known[name] = cls\nclass A(Plugin, name='a'):\n    def run(self, x): return x + §", "return Plugin.known['a']().run(x)"),
    "19: a registry that is an object": after("class Registry:\n    def __init__(self): self._items = {}\n    def register(self, g): self._items[g.__name__] = g; return g\n    def __getitem__(self, n): return self._items[n]\nR = Registry()\n@R.register\ndef one(x): return x + §", "return R['one'](x)"),
    "19: plugins of a package, imported in a loop": on_disk({"plug/__init__.py": "import importlib\nALL = {n: importlib.import_module('plug.' + n).run for n in ('a', 'b')}\n", "plug/a.py": "def run(x): return x\n", "plug/b.py": "def run(x): return x + §\n"}, "import plug", "return plug.ALL['b'](x)"),
    "19: plugins found by pkgutil": on_disk({"plug/__init__.py": "import importlib, pkgutil\nALL = {m.name: importlib.import_module('plug.' + m.name) for m in pkgutil.iter_modules(__path__)}\n", "plug/b.py": "def run(x): return x + §\n"}, "import plug", "return plug.ALL['b'].run(x)"),
    "19: one of two tables, by a flag": after("ONE = {'g': lambda x: x + 1}\nTWO = {'g': lambda x: x + 2}\nT = § or TWO", "return T['g'](x)", ["ONE", "None"]),
    "19: a defaultdict's factory": after("import collections\nT = collections.defaultdict(lambda: §)", "return x + T['new']", **SAID),
    "19: match on classes of a table": after("class A: k = 1\nclass B: k = 2\nT = [§()]", "match T[0]:\n    case A(): return 2\n    case B(): return 3", "AB"),
    "17: a retrying decorator below ours": made("import functools\ndef retry(n):\n    def wrap(g):\n        @functools.wraps(g)\n        def inner(*a): return g(*a) + n\n        return inner\n    return wrap", "@durable\n@retry(§)\ndef f(x):\n    ran()\n    return x"),
    "17: two decorators change places": made("def plus(g): return lambda x: g(x) + 1\ndef twice(g): return lambda x: g(x) * 2\nA, B = §", "@durable\n@A\n@B\ndef f(x):\n    ran()\n    return x - 0.5", turns=["plus, twice", "twice, plus"], values=(2.0, 3.0)),
    "18: a decorator of a module, which counts calls": on_disk({"deco.py": "import functools\ndef timed(g):\n    @functools.wraps(g)\n    def inner(*a, **k): return g(*a, **k) + §\n    return inner\n"}, "from deco import timed\n@timed\ndef helper(x): return x", "return helper(x)"),
    "18: a stack of three, all with wraps": after("import functools\ndef deco(k):\n    def wrap(g):\n        @functools.wraps(g)\n        def inner(x): return g(x) + k\n        return inner\n    return wrap\n@deco(0)\n@deco(§)\n@deco(0)\ndef helper(x): return x", "return helper(x)"),
    "18: a cache of joblib around a helper": after("import joblib\nmemory = joblib.Memory('kept', verbose=0)\n@memory.cache\ndef helper(x): return x + §", "return helper(x)", **SKLEARN),
    "18: below a cache of joblib that keeps nothing": after("import joblib\nmemory = joblib.Memory(None)\ndef low(x): return x + §\n@memory.cache\ndef helper(x): return low(x)", "return helper(x)", **SKLEARN),
    "24: what a context variable holds": after("import contextvars\nV = contextvars.ContextVar('V')\nV.set([§])", "return x + V.get()[0]"),
    "18: a decorator class of a module": on_disk({"deco.py": "class D:\n    def __init__(self, g): self.__wrapped__ = g\n    def __call__(self, x): return self.__wrapped__(x)\n"}, "from deco import D\n@D\ndef helper(x): return x + §", "return helper(x)"),
    "18: a ContextDecorator": after("import contextlib\nOUT = []\n@contextlib.contextmanager\ndef scope():\n    yield\n@scope()\ndef helper(x): return x + §", "return helper(x)"),
    "18: what a ContextDecorator does around it": after("import contextlib\nOUT = [0]\n@contextlib.contextmanager\ndef scope(k):\n    yield k + §\n@scope(1)\ndef helper(x): return x + LATE\nLATE = §", "return helper(x)"),
    "18: what a ContextDecorator was made with": after("import contextlib\n@contextlib.contextmanager\ndef scope(k):\n    LIST.append(k)\n    yield\n    LIST.pop()\nLIST = []\n@scope(§)\ndef helper(x): return x + LIST[-1]", "return helper(x)"),
    "18: functools.wraps over another function than is called": after("import functools\ndef shown(x): return 0\ndef real(x): return x + §\n@functools.wraps(shown)\ndef helper(x): return real(x)", "return helper(x)"),
    "18: a decorator that puts the function away": after("KEPT = {}\ndef keep(g):\n    KEPT['g'] = g\n    return None\n@keep\ndef low(x): return x + §", "return KEPT['g'](x)"),
}  # fmt: skip

CODE = {
    "3: through a property, a table and a partial": after("import functools\ndef low(n, x): return x + n + §\nT = {'k': functools.partial(low, 0)}\nclass P:\n    @property\n    def g(self): return T['k']", "return P().g(x)"),
    "3: the last of twelve": after("def h0(x): return x + §\n" + "\n".join(f"def h{n}(x): return h{n - 1}(x)" for n in range(1, 13)), "return h12(x)"),
    "3: a factory of a dataclass of a helper of a helper": after("import dataclasses\ndef low(): return §\n@dataclasses.dataclass\nclass D: k: int = dataclasses.field(default_factory=low)\ndef mid(): return D()\ndef helper(x): return x + mid().k", "return helper(x)"),
    "3: a function that a function returns": after("def low(x): return x + §\ndef mid(): return low\ndef helper(): return mid()", "return helper()(x)"),
    "3: through an exception's handler": after("def low(x): return x + §\ndef mid(x):\n    try: raise KeyError\n    except KeyError: return low(x)\n    finally: pass", "return mid(x)"),
    "5: by a method of a class that the helper makes": after("K = §\nclass C:\n    def m(self): return K\ndef helper(x): return x + C().m()", "return helper(x)"),
    "5: in a default lambda of the helper": after("K = §\ndef helper(x, g=lambda: K): return x + g()", "return helper(x)"),
    "5: in a generator expression of the helper": after("K = §\ndef helper(x): return x + sum(K for _ in [0])", "return helper(x)"),
    "5: a constant of a module that is computed from another": on_disk({"mymod.py": "BASE = §\nK = BASE * 1\ndef g(x): return x + K\n"}, "import mymod", "return mymod.g(x)"),
    "5: by the helper of a table's lambda": after("K = §\ndef low(x): return x + K\nT = [lambda x: low(x)]", "return T[0](x)"),
    "10: a closure over a frame": after(PD + "def make(df): return lambda x: x + int(df.a[0])\nhelper = make(pd.DataFrame({'a': [§]}))", "return helper(x)", **PANDAS),
    "10: a closure over a function": after("def low(x): return x + §\ndef make(g): return lambda x: g(x)\nhelper = make(low)", "return helper(x)"),
    "10: a closure over a class": after("class C: k = §\ndef make(c): return lambda x: x + c.k\nhelper = make(C)", "return helper(x)"),
    "10: the variable of a loop": after("G = [lambda x: x + i for i in range(§ + 1)]", "return G[0](x)"),
    "10: a cell that a sibling sets": after("def make():\n    n = 0\n    def put(k):\n        nonlocal n\n        n = k\n    return (lambda x: x + n), put\nhelper, put = make()\nput(§)", "return helper(x)"),
    "12: two bases up, in a module": on_disk({"mymod.py": "class A:\n    def m(self): return §\nclass B(A): pass\n"}, "import mymod\nclass C(mymod.B): pass", "return x + C().m()"),
    "12: a mixin": after("class Mix:\n    def m(self): return §\nclass B: pass\nclass C(Mix, B): pass", "return x + C().m()"),
    "12: the step of a template method": after("class B:\n    def run(self, x): return self.step(x)\nclass C(B):\n    def step(self, x): return x + §", "return C().run(x)"),
    "12: a generic base": after("import typing\nT = typing.TypeVar('T')\nclass B(typing.Generic[T]):\n    def m(self): return §\nclass C(B[int]): pass", "return x + C().m()"),
    "12: what the base's __init__ sets": after("class B:\n    def __init__(self): self.k = §\nclass C(B):\n    def __init__(self): super().__init__()", "return x + C().k"),
    "12: a method of a protocol class": after("import typing\nclass P(typing.Protocol):\n    def m(self): return §\nclass C(P): pass", "return x + C().m()"),
    "20: in a dict of a class": after("class C: OPS = {'a': lambda x: x + §}", "return C.OPS['a'](x)"),
    "20: that returns a lambda": after("helper = lambda: lambda x: x + §", "return helper()(x)"),
    "20: as a class attribute": after("class C: m = lambda self, x: x + §", "return C().m(x)"),
    "20: in a default of a lambda": after("helper = lambda x, g=(lambda y: y + §): g(x)", "return helper(x)"),
    "20: made in a comprehension": after("G = {k: (lambda x, k=k: x + k) for k in [§]}", "return list(G.values())[0](x)"),
    "20: bound in passing": after("T = [(helper := lambda x: x + §)]", "return helper(x)"),
    "21: of a class": after("class A:\n    def m(self): return §\nModel = A", "return x + Model().m()"),
    "21: of a bound method": after("class A:\n    def m(self, x): return x + §\nrun = A().m", "return run(x)"),
    "21: by a flag": after("def a(x): return x + 1\ndef b(x): return x + 2\nFLAG = § == 1\nhelper = a if FLAG else b", "return helper(x)"),
    "21: bound by a loop over a table": after("def a(x): return x + 1\ndef b(x): return x + 2\nfor helper in (§): pass", "return helper(x)", ["b, a", "a, b"]),
    "21: unpacked": after("def a(x): return x + 1\ndef b(x): return x + 2\nhelper, *_ = §", "return helper(x)", ["a, b", "b, a"]),
    "21: bound again below the function": made("def other(x): return x + §", "@durable\ndef f(x):\n    ran()\n    return helper(x)\ndef helper(x): return 0\nhelper = other"),
    "22: by keyword only": made("K = §", "@durable\ndef f(x, *, n=K):\n    ran()\n    return x + n"),
    "22: a list that has grown": made("L = [1] * §", "@durable\ndef f(x, n=L):\n    ran()\n    return x + len(n)"),
    "22: a frame": made(PD + "df = pd.DataFrame({'a': [§]})", "@durable\ndef f(x, df=df):\n    ran()\n    return x + int(df.a[0])", **PANDAS),
    "22: an object of a notebook class": made("class C: k = §", "@durable\ndef f(x, c=C()):\n    ran()\n    return x + c.k"),
    "22: what a call gave": made("def make(): return §", "@durable\ndef f(x, n=make()):\n    ran()\n    return x + n"),
    "23: of a method": after("K = §\nclass C:\n    def m(self, x, n=K): return x + n", "return C().m(x)"),
    "23: of a field": after("import dataclasses\nK = §\n@dataclasses.dataclass\nclass C: n: int = K", "return x + C().n"),
    "23: of a lambda": after("K = §\nhelper = lambda x, n=K: x + n", "return helper(x)"),
    "23: of a function that a factory makes": after("def make(k):\n    def inner(x, n=k): return x + n\n    return inner\nhelper = make(§)", "return helper(x)"),
    "23: of a helper's helper in a module": on_disk({"mymod.py": "K = §\ndef low(x, *, n=K): return x + n\ndef g(x): return low(x)\n"}, "import mymod", "return mymod.g(x)"),
    "25: inside of a tuple that is folded": after("pass", "return repr((1, §))", ["2", "2.0"], ("(1, 2)", "(1, 2.0)")),
    "25: inside of a set that is tested": after("pass", "return [1 in {§}, '1' in {§}]", ["1, 2", "'1', 2"], ([True, False], [False, True])),
    "25: from None to an ellipsis": after("pass", "return repr(§)", ["None", "..."], ("None", "Ellipsis")),
    "25: an imaginary number": after("pass", "return repr(§)", ["2", "2j"], ("2", "2j")),
    "25: True for 1, in a keyword": after("pass", "return repr(dict(a=§))", ["1", "True"], ("{'a': 1}", "{'a': True}")),
    "26: text cut in another way": after("pass", "return [§]", ["'ab', 'c'", "'a', 'bc'"], (["ab", "c"], ["a", "bc"])),
    "26: two statements change places": after("pass", "§\nreturn x", ["x += 1; x *= 2", "x *= 2; x += 1"], (4, 3)),
    "26: parentheses": after("pass", "return §", ["(1 + 2) * 3", "1 + (2 * 3)"], (9, 7)),
    "26: a line moves into the loop": after("pass", "n = 0\nfor i in [1, 2]:\n    n += i\n§n += 1\nreturn n", ["", "    "], (4, 5)),
    "26: an else moves from the if to the for": after("pass", "n = 0\nfor i in [1]:\n    if i == 0: n = 1\n§else: n = 2\nreturn n + (i == 9)", ["    ", ""], (2, 2)),
    "26: keywords change places with their values": after("def helper(a, b): return [a, b]", "return helper(§)", ["a=1, b=2", "b=1, a=2"], ([1, 2], [2, 1])),
}  # fmt: skip

PKG = {"pkg/__init__.py": "from ._core import *\nfrom . import _core\n", "pkg/_core.py": "from .sub.deep import low\n__all__ = ['g', 'C']\ndef g(x): return low(x)\nclass C:\n    def m(self, x): return low(x)\n", "pkg/sub/__init__.py": "", "pkg/sub/deep.py": "from ..settings import K\nfrom .. import settings\ndef low(x): return x + K\n", "pkg/settings.py": "K = §\n"}  # fmt: skip
EDITABLE = "import site\nsite.addsitedir('venv/lib/site-packages')\n"
FINDER = "import sys, importlib.util\nclass Finder:\n    @classmethod\n    def find_spec(cls, name, path=None, target=None):\n        if name == 'tool': return importlib.util.spec_from_file_location(name, 'src/tool/__init__.py')\ndef install(): sys.meta_path.append(Finder)\n"  # fmt: skip
IPYNB = '{"cells": [{"cell_type": "code", "metadata": {}, "source": ["def helper(x):\\n", "    return x + §"], "outputs": [], "execution_count": null}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
IMPORTER = "import json, sys, types\nfrom IPython import get_ipython\ndef load(name):\n    shell = get_ipython()\n    module = types.ModuleType(name); module.__file__ = name + '.ipynb'\n    sys.modules[name] = module\n    for cell in json.load(open(module.__file__))['cells']:\n        code = shell.input_transformer_manager.transform_cell(''.join(cell['source']))\n        exec(code, module.__dict__)\n    return module\n"

PROJECT = {
    "14: a package: star import, relative imports, two folders up": on_disk(PKG, "import pkg", "return pkg.g(x)"),
    "14: a class of it": on_disk(PKG, "from pkg import C", "return C().m(x)"),
    "14: a package whose parts are imported when they are asked for": on_disk({"lazy/__init__.py": "def __getattr__(name):\n    import importlib\n    return getattr(importlib.import_module('lazy.parts'), name)\n", "lazy/parts.py": "def g(x): return x + §\n"}, "import lazy", "return lazy.g(x)", **SAID),
    "14: a namespace package": on_disk({"space/one/mod.py": "def g(x): return x + §\n"}, "import space.one.mod as m", "return m.g(x)"),
    "14: a module that puts its functions together": on_disk({"mymod.py": "def _make(k):\n    def g(x): return x + k\n    return g\nglobals().update(g=_make(§))\n"}, "import mymod", "return mymod.g(x)"),
    "14: a module that execs its parts": on_disk({"mymod.py": "exec(open('part.txt').read())\n", "part.txt": "def g(x): return x + §\n"}, "import mymod", "return mymod.g(x)", **SAID),
    "14: an editable install by a path file": on_disk({"venv/lib/site-packages/tool.pth": "../../../src\n", "src/tool/__init__.py": "from .inner import g\n", "src/tool/inner.py": "def g(x): return x + §\n"}, EDITABLE + "import tool", "return tool.g(x)"),
    "14: an editable install by a finder": on_disk({"venv/lib/site-packages/__editable___tool_finder.py": FINDER, "venv/lib/site-packages/__editable__.tool.pth": "import __editable___tool_finder; __editable___tool_finder.install()\n", "src/tool/__init__.py": "def g(x): return x + §\n"}, EDITABLE + "import tool", "return tool.g(x)"),
    "14: a folder that a cell puts on the path": on_disk({"lib/helpers.py": "def g(x): return x + §\n"}, "import sys\nsys.path.insert(0, 'lib')\nimport helpers", "return helpers.g(x)"),
    "14: a module of a zip-like loader that gives its source": on_disk({"mymod.py": "def g(x): return x + §\n"}, "import importlib.util\nspec = importlib.util.spec_from_file_location('other', 'mymod.py')\nother = importlib.util.module_from_spec(spec); spec.loader.exec_module(other)", "return other.g(x)"),
    "14: a module reloaded after an edit of what it imports": on_disk({"low.py": "K = §\n", "mymod.py": "from low import K\ndef g(x): return x + K\n"}, "import importlib, low, mymod\nimportlib.reload(low); importlib.reload(mymod)", "return mymod.g(x)"),
    "14: a stub of a module, made in the notebook": after("import sys, types\nm = types.ModuleType('fake'); m.g = lambda x: x + §; sys.modules['fake'] = m", "import fake\nreturn fake.g(x)"),
    "15: a class": on_disk({"mymod.py": "class C:\n    def m(self, x): return x + §\n"}, "from mymod import C as D", "return D().m(x)"),
    "15: handed on through a star and __all__": on_disk({"a.py": "from b import *\n", "b.py": "__all__ = ['_g']\ndef _g(x): return x + §\n"}, "from a import _g", "return _g(x)"),
    "15: inside of a helper, from a relative import": on_disk({"pkg/__init__.py": "def g(x):\n    from .low import h as k\n    return k(x)\n", "pkg/low.py": "def h(x): return x + §\n"}, "from pkg import g", "return g(x)"),
    "15: a star import in a cell, of a module of stars": on_disk({"a.py": "from b import *\nfrom c import *\n", "b.py": "def g(x): return 0\n", "c.py": "def g(x): return x + §\n"}, "from a import *", "return g(x)"),
    "15: an instance of a module": on_disk({"mymod.py": "class C:\n    def __init__(self, k): self.k = k\n    def m(self, x): return x + self.k\nMODEL = C(§)\n"}, "from mymod import MODEL", "return MODEL.m(x)"),
    "16: a constant of a package's settings": on_disk(PKG, "from pkg.settings import K", "return x + K"),
    "1: a helper of another notebook, by %run": ("%run other.ipynb\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL, "12", (2, 3), {"files": {"other.ipynb": IPYNB}}),
    "1: a helper of another notebook, imported as a module": on_disk({"other.ipynb": IPYNB, "importer.py": IMPORTER}, "import importer\nother = importer.load('other')", "return other.helper(x)"),
    "1: a star import from a notebook, compiled under its name, with a magic": on_disk({"other.ipynb": IPYNB.replace('"def helper', '"%pdb off\\n", "def helper'), "importer.py": IMPORTER.replace("exec(code", "exec(compile(code, module.__file__, 'exec')")}, "import importer\nimporter.load('other')\nfrom other import *", "return helper(x)"),
    "1: a script run by %run -i": ("K = §\n# %%\n%run -i script.py\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL, "12", (2, 3), {"files": {"script.py": "def helper(x):\n    return x + K\n"}}),
    "1: a script in a cell of its own, %%writefile and import": (NO_PYC + "%%writefile written.py\ndef g(x): return x + §\n# %%\nimport written\n# %%\n@durable\ndef f(x):\n    ran()\n    return written.g(x)" + CALL, "12", (2, 3), {}),
}  # fmt: skip

PATCHED = {
    "2: a method of a package's class, patched": after("import collections\nclass L(collections.UserList): pass\nL.total = lambda self: sum(self) + §", "return L([x]).total()", **SAID),
    "2: a function of the standard library, patched": after("import statistics\nstatistics.mean = lambda v: § + 0", "return x + statistics.mean([])", **SAID),
    "2: a function of numpy, patched": after(NP + "np.double_it = lambda v: v + §", "return int(np.double_it(x))", or_said=PLAIN, **NUMPY),
    "2: a mock stands for a helper": after("from unittest import mock\ndef helper(x): return x\nhelper = mock.Mock(side_effect=lambda x: x + §)", "return helper(x)", **SAID),
    "2: patched for the time of the call": made("def low(x): return x\ndef high(x): return x + §", "@durable\ndef f(x):\n    ran()\n    return low(x)", "__import__('unittest.mock').mock.patch('__main__.low', high).__enter__() and f(1)"),
    "2: a method, bound by hand": after("import types\nclass C: pass\ndef m(self): return §\nc = C(); c.m = types.MethodType(m, c)", "return x + c.m()"),
    "2: a class whose method is wrapped afterwards": after("class C:\n    def m(self): return 1\ndef wrap(g): return lambda self: g(self) + § - 1\nC.m = wrap(C.m)", "return x + C().m()"),
    "24: a context variable's default": after("import contextvars\nv = contextvars.ContextVar('v', default=§)", "return x + v.get()", **SAID),
    "24: a context variable set in a context that is run": after("import contextvars\nv = contextvars.ContextVar('v')\nctx = contextvars.copy_context(); ctx.run(v.set, §)", "return x + ctx.run(v.get)", **SAID),
    "24: global state in a counter that a cell moves": after("import itertools\nids = itertools.count()\nfor _ in range(§): next(ids)", "return x + next(ids)", **SAID),
    "24: a singleton that a cell fills": after("class S:\n    _one = None\n    def __new__(cls):\n        if cls._one is None: cls._one = super().__new__(cls)\n        return cls._one\nS().k = §", "return x + S().k"),
    "24: a module's cache that a cell fills": on_disk({"mymod.py": "_CACHE = {}\ndef put(k): _CACHE['k'] = k\ndef get(): return _CACHE['k']\n"}, "import mymod\nmymod.put(§)", "return x + mymod.get()"),
    "24: a queue that a cell fills": after("import queue\nq = queue.Queue(); q.put(§)", "return x + q.get()", **SAID),
    "24: a deque with a length": after("import collections\nd = collections.deque([1, 2, 3], maxlen=§)", "return x + len(d)"),
    "24: an OrderedDict moved to its end": after("import collections\nd = collections.OrderedDict(a=1, b=2)\nd.move_to_end('§')", "return list(d)", "ba", (["a", "b"], ["b", "a"])),
    "24: an ExitStack, an iterator over a table": after("T = iter({'a': §}.items())", "return x + next(T)[1]", **SAID),
    "24: an array of ctypes, a memoryview": after("import ctypes\na = (ctypes.c_int * 1)(§)\nm = memoryview(bytearray([§]))", "return x + a[0] + m[0] - §", or_said=PLAIN),
    "24: singledispatchmethod": after("import functools\nclass C:\n    @functools.singledispatchmethod\n    def m(self, v): return 0\n    @m.register\n    def _(self, v: int): return v + §", "return C().m(x)"),
    "24: cmp_to_key": after("import functools\ndef order(a, b): return (a - b) * §", "return sorted([2, 3], key=functools.cmp_to_key(order))[0]", ["1", "-1"]),
    "24: reduce over partials of methods": after("import functools\nclass C:\n    def add(self, n, x): return x + n\nFS = [functools.partial(C().add, §)]", "return functools.reduce(lambda v, g: g(v), FS, x)"),
    "24: the template of a string.Formatter subclass": after("import string\nclass F(string.Formatter):\n    def format_field(self, v, s): return str(v + §)", "return F().format('{}', x)", "12", ("2", "3")),
    "24: an AST that is compiled in the body": after("SOURCE = 'y = 1 + §'", "d = {}\nexec(compile(SOURCE, 'x', 'exec'), d)\nreturn d['y']", **SAID),
    "24: a lambda in text, made by eval": after("helper = eval('lambda x: x + §')", "return helper(x)", **SAID),
    "24: a property made by hand": after("class C: pass\nC.k = property(lambda self: §)", "return x + C().k"),
    "24: __getattribute__ and __dir__": after("class C:\n    def __getattribute__(self, n): return §\nc = C()", "return x + c.any", **SAID),
    "24: __missing__ of a dict": after("class D(dict):\n    def __missing__(self, k): return §\nd = D()", "return x + d['no']"),
    "24: __iter__, __len__, __contains__, __bool__": after("class C:\n    def __iter__(self): return iter([§])\n    def __len__(self): return §\n    def __contains__(self, v): return § == 1\n    def __bool__(self): return True\nc = C()", "return [list(c), len(c), 1 in c]", "12", ([[1], 1, True], [[2], 2, False])),
    "24: __reduce__ of what is copied": after("import copy\nclass C:\n    k = 0\n    def __reduce__(self): return (make, ())\ndef make():\n    c = C(); c.k = §\n    return c\nc = C()", "return x + copy.copy(c).k"),
    "24: __del__, __enter__, a weakref's callback": after("class C:\n    def __enter__(self): return §\n    def __exit__(self, *a): pass\nc = C()", "with c as k: return x + k"),
}  # fmt: skip

BACK = {
    "29: a helper": "def helper(x): return x + §\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL,
    "29: a global": "K = §\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + K" + CALL,
    "29: a class": "class C:\n    def m(self): return §\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + C().m()" + CALL,
    "29: a module": "import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)" + CALL,
    "29: a default, a decorator and a closure at once": "def deco(k):\n    return lambda g: lambda x: g(x) + k\n@deco(§)\ndef helper(x, n=§): return x + n - §\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL,
}  # fmt: skip

UNUSED = {
    "9: a frame that is not used": (PD + "df = pd.DataFrame({'a': [§]})\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + 1" + CALL, PANDAS),
    "9: a function of the same module": ("import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)" + CALL, {"files": {"mymod.py": "def g(x): return x + 1\ndef other(x): return §\nOTHER = §\n"}}),
    "9: a global that a local hides": ("K = §\n# %%\n@durable\ndef f(x):\n    ran()\n    K = 1\n    return x + K" + CALL, {}),
    "9: a global whose name is only an attribute, a keyword, a key": ("K = §\nclass C: K = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return C.K + dict(K=0)['K'] + x" + CALL, {}),
    "9: a global whose name is a parameter of a nested function": ("K = §\n# %%\n@durable\ndef f(x):\n    ran()\n    return (lambda K: K + 1)(x) + sum(K for K in [0])" + CALL, {}),
    "9: what a del has taken away": ("K = §\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + 1\ndel K" + CALL, {}),
    "9: an import of a module that is not used": ("import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + 1" + CALL, {"files": {"mymod.py": "K = §\n"}}),
    "9: a function that was imported before it was replaced": ("from mymod import g\nimport mymod\nmymod.g = lambda x: §\n# %%\n@durable\ndef f(x):\n    ran()\n    return g(x)" + CALL, {"files": {"mymod.py": "def g(x): return x + 1\n"}}),
    "9: the second cell of a notebook of two functions": ("@durable\ndef other(x): return x + §\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + 1" + CALL, {}),
}  # fmt: skip

PYDANTIC = "from pydantic import BaseModel, field_validator, computed_field\n"
ATTRS = "import attrs\n"
LARGE = {"preload": ("pydantic",)}

PACKAGED = {
    "7: a default of a pydantic model": after(PYDANTIC + "class Cfg(BaseModel): lr: int = §", "return x + Cfg().lr", **LARGE),
    "7: a validator of a pydantic model": after(PYDANTIC + "class Cfg(BaseModel):\n    lr: int\n    @field_validator('lr')\n    @classmethod\n    def more(cls, v): return v + §", "return Cfg(lr=x).lr", **LARGE),
    "7: a model in a model": after(PYDANTIC + "class Opt(BaseModel): lr: int = §\nclass Cfg(BaseModel): opt: Opt = Opt()", "return x + Cfg().opt.lr", **LARGE),
    "7: a global pydantic object": after(PYDANTIC + "class Cfg(BaseModel): lr: int = 0\ncfg = Cfg(lr=§)", "return x + cfg.lr", **LARGE),
    "7: what a pydantic model computes": after(PYDANTIC + "class Cfg(BaseModel):\n    a: int = 0\n    @computed_field\n    @property\n    def b(self) -> int: return self.a + §", "return x + Cfg().b", **LARGE),
    "7: a constraint of a field": after(PYDANTIC + "from pydantic import Field, ValidationError\nclass Cfg(BaseModel): lr: int = Field(ge=§)", "try: Cfg(lr=x)\nexcept ValidationError: return 3\nreturn 2", **LARGE),
    "13: a pydantic object is the argument": (PYDANTIC + "class Cfg(BaseModel):\n    lr: int = 1\n    def m(self): return self.lr + §\n# %%\n@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\ngot['value'] = f(Cfg())", "12", (2, 3), LARGE),
    "7: a default of an attrs class": after(ATTRS + "@attrs.define\nclass Cfg: lr: int = §", "return x + Cfg().lr", **LARGE),
    "7: a converter and a factory of attrs": after(ATTRS + "@attrs.frozen\nclass Cfg:\n    lr: int = attrs.field(converter=lambda v: v + § - 1)\n    more: list = attrs.Factory(lambda: [§])", "return Cfg(x).lr - 1 + Cfg(x).more[0] - § + 2", **LARGE),
    "13: an attrs object is the argument": (ATTRS + "@attrs.define\nclass Cfg:\n    lr: int = 1\n    def m(self): return self.lr + §\n# %%\n@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\ngot['value'] = f(Cfg())", "12", (2, 3), LARGE),
    "7: a style of matplotlib that a drawing helper uses": after("from matplotlib.figure import Figure\nSTYLE = {'linewidth': §}\ndef draw(): return Figure().add_subplot().plot([1], **STYLE)[0]", "return x + int(draw().get_linewidth())", **LARGE),
    "24: the context of decimal": after("import decimal\ndecimal.getcontext().prec = §", "return str(decimal.Decimal(2) / 3)", "12", ("0.7", "0.67"), **SAID),
    "24: how numpy treats errors": after(NP + "np.seterr(divide='§')", "try: return str(float(np.float64(1) / 0))\nexcept FloatingPointError: return 'no'", ["ignore", "raise"], ("inf", "no"), or_said=PLAIN, **LARGE),
    "24: the folder that a cell has gone to": made("import os, pathlib\nfor n in '12':\n    os.makedirs(n, exist_ok=True); pathlib.Path(n, 'k').write_text(n)\nos.chdir('§')", "@durable\ndef f(x):\n    open('../f.log', 'a').write('+')\n    return x + int(open('k').read())", or_said=PLAIN),
    "24: the path of modules": after("import sys, os\nos.makedirs('a1', exist_ok=True); os.makedirs('a2', exist_ok=True)\nfor n in '12': open(f'a{n}/found.py', 'w').write(f'K = {n}')\nsys.path.insert(0, 'a§')", "import found\nreturn x + found.K", **SAID),
    "24: an environment that a cell sets": after("import os\nos.environ['K'] = '§'", "return x + int(os.environ['K'])", or_said=PLAIN, or_unsure="environment variable `K`"),
    "24: tqdm around a loop over a helper": after("from tqdm import tqdm\ndef low(v): return v + §", "return [low(v) for v in tqdm([x], disable=True)][0]"),
    "24: yaml in a cell": after("import yaml\ncfg = yaml.safe_load('lr: §')", "return x + cfg['lr']"),
    "24: joblib's delayed over a helper": after("from joblib import Parallel, delayed\ndef low(v): return v + §", "return Parallel(n_jobs=1)(delayed(low)(v) for v in [x])[0]"),
    "24: a pool of threads over a method": after("from multiprocessing.pool import ThreadPool\nclass C:\n    def m(self, v): return v + §", "with ThreadPool(1) as pool: return pool.map(C().m, [x])[0]", **SAID),
}  # fmt: skip


def _named(title: str) -> tuple[str, str]:
    number, law = title.split(": ", 1)
    return f"{number}r", law


def _rows() -> list[Trap]:
    found = []
    for table in (PIPELINES, CONFIGURATION, REGISTRIES, CODE, PROJECT, PATCHED, PACKAGED):
        for title, (cells, turns, values, more) in table.items():
            found.append(recompute(*_named(title), cells, turns, values, **more))
    for title, cells in BACK.items():
        files = {"mymod.py": "def g(x): return x + §\n"}
        found.append(Trap(*_named(title), cells, "121", (1, 1, 0), (2, 3, 2), files=files))
    for title, (cells, more) in UNUSED.items():
        found.append(hit(*_named(title), cells, "12", 2, **more))
    return found


TRAPS = _rows()


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_a_project_is_never_stale(trap: Trap, tmp_path: Path) -> None:
    """What the function depends on makes it run again, wherever it stands; what it does not depend on does not."""
    spring(trap, tmp_path)


F = "@durable\ndef f(x):\n    ran()\n    return {}\n# %%\ngot['value'] = f(1)"
APART = {
    "28r: another helper": "def helper(x): return x + §\n# %%\n" + F.format("helper(x)"),
    "28r: another global": "K = §\n# %%\n" + F.format("x + K"),
    "28r: another module of one name": "import mymod\n# %%\n" + F.format("mymod.g(x)"),
    "28r: another class of one name, as an argument": "class C:\n    def m(self): return §\n# %%\n@durable\ndef f(x, c):\n    ran()\n    return x + c.m()\n# %%\ngot['value'] = f(1, C())",
    "28r: another default": "N = §\n# %%\n@durable\ndef f(x, n=N):\n    ran()\n    return x + n\n# %%\ngot['value'] = f(1)",
    "28r: another method of one name": "class C:\n    @durable\n    def f(self, x):\n        ran()\n        return x + §\n# %%\ngot['value'] = C().f(1)",
    "28r: another cell of one label": "%load_ext resonate_nb\n# %%\n%%durable step\nran()\ny = 1 + §\n# %%\ngot['value'] = y",
}  # fmt: skip


@pytest.mark.parametrize("title", APART)
def test_28_more_of_one_name_in_two_notebooks_over_one_store(title: str, tmp_path: Path) -> None:
    """Each finds its own, whoever came last; the files of their folders count as those of their own folders."""
    book, got = Notebook(tmp_path), []
    for turn in "1212":
        book.folder = tmp_path / f"book{turn}"
        book.folder.mkdir(exist_ok=True)
        book.write("mymod.py", f"def g(x): return x + {turn}\n")
        outcome = book.run(APART[title].replace("§", turn))
        got.append((outcome.got["value"], outcome.runs))
    assert [(2, 1), (3, 1), (2, 0), (3, 0)] == got
