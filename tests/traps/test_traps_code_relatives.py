# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Relatives of traps 1 to 29: other ways in which code reaches code, and in which either moves.

Where `PLAIN` stands, a plain run that is said is right as well. A stale answer never is.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import CALL, Trap, after, f, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = r"plainly|not replayable|does not see everything"
RECOMPUTE = {
    "1a: a helper used only inside a nested function": after("def helper(x): return x + §", "def inner(y): return helper(y)\nreturn inner(x)"),
    "1b: only inside of a comprehension": after("def helper(x): return x + §", "return [helper(y) for y in [x]][0]"),
    "1c: only inside of a class in the body": after("def helper(x): return x + §", "class C:\n    k = helper(1)\n    def get(self): return self.k\nreturn C().get()"),
    "1d: given as a key function": after("def helper(x): return x * §", "return sorted([3, -5], key=helper)[0]", ["1", "-1"], (-5, 3)),
    "1e: only in an f-string": after("def helper(x): return x + §", "return f'{helper(x)}'", "12", ("2", "3")),
    "1f: only in a default of a nested function": after("def helper(x): return x + §", "def inner(y=helper(1)): return y\nreturn inner()"),
    "1g: under an alias made in the body": after("def helper(x): return x + §", "h = helper\nreturn h(x)"),
    "1h: a helper that is a generator": after("def helper(x): yield x + §", "return list(helper(x))", "12", ([2], [3])),
    "1i: a helper with a default that is a lambda": after("def helper(x, g=lambda y: y + §): return g(x)", "return helper(x)"),
    "1j: a helper's keyword-only default": after("K = §\ndef helper(x, *, n=K): return x + n", "return helper(x)"),
    "1k: a helper with `*` defaults set afterwards": after("def helper(x, n=0): return x + n\nhelper.__defaults__ = (§,)", "return helper(x)"),
    "1l: an attribute of a helper": after("def helper(x): return x + helper.k\nhelper.k = §", "return helper(x)"),
    "1m: an attribute of a helper read by f": after("def helper(x): return x\nhelper.k = §", "return x + helper.k"),
    "1n: a helper defined in a branch": after("if §0:\n    def helper(x): return x + 1\nelse:\n    def helper(x): return x + 2", "return helper(x)", [("True",), ("False",)]),
    "1o: a helper under another decorator of the notebook": after("def deco(g):\n    def inner(x): return g(x) + §\n    return inner\n@deco\ndef helper(x): return x", "return helper(x)"),
    "1p: a decorator with an argument, on the helper": after("def deco(k):\n    def wrap(g):\n        def inner(x): return g(x) + k\n        return inner\n    return wrap\n@deco(§)\ndef helper(x): return x", "return helper(x)"),
    "1q: a helper under functools.wraps": after("import functools\ndef deco(g):\n    @functools.wraps(g)\n    def inner(x): return g(x) + §\n    return inner\n@deco\ndef helper(x): return x", "return helper(x)"),
    "1r: a helper under functools.lru_cache": after("import functools\n@functools.lru_cache\ndef helper(x): return x + §", "return helper(x)"),
    "1s: below that cache": after("import functools\ndef low(x): return x + §\n@functools.cache\ndef helper(x): return low(x)", "return helper(x)"),
    "1t: an implementation of a singledispatch": after("import functools\n@functools.singledispatch\ndef helper(x): return 0\n@helper.register\ndef _(x: int): return x + §", "return helper(x)"),
    "1u: a partial over a helper that is edited": after("import functools\ndef low(a, x): return a + x + §\nhelper = functools.partial(low, 0)", "return helper(x)"),
    "1v: a partial with another bound value": after("import functools\ndef low(a, x): return a + x\nhelper = functools.partial(low, §)", "return helper(x)"),
    "1w: a partial of a partial by keyword": after("import functools\ndef low(x, a=0): return a + x\nhelper = functools.partial(functools.partial(low, a=5), a=§)", "return helper(x)"),
    "1x: a contextmanager helper": after("import contextlib\n@contextlib.contextmanager\ndef helper(x): yield x + §", "with helper(x) as y: return y"),
    "1y: the second of two lambdas of one line": after("one, helper = (lambda x: x + 1), (lambda x: x + §)", "return helper(x)"),
    "1z: lambdas of one line change places": after("§0, §1 = (lambda x: x + 1), (lambda x: x + 2)", "return helper(x)", [("helper", "other"), ("other", "helper")]),
    "2a: a helper's helper in a list in a dict": after("def low(x): return x + §\nT = {'a': [None, low]}\ndef helper(x): return T['a'][1](x)", "return helper(x)"),
    "2b: mutual recursion": after("def even(n): return § if n == 0 else odd(n - 1)\ndef odd(n): return 0 if n == 0 else even(n - 1)\ndef helper(x): return x + even(2)", "return helper(x)"),
    "2c: map and reduce": after("import functools\ndef low(a, b): return a + b + §\ndef helper(x): return functools.reduce(low, [x, 0])", "return helper(x)"),
    "2d: a helper in a closure in a list": after("def low(x): return x + §\ndef make():\n    g = [low]\n    return lambda x: g[0](x)\nhelper = make()", "return helper(x)"),
    "2e: a method used as a function": after("class C:\n    def m(self): return §\nhelper = C().m", "return x + helper()"),
    "2f: an unbound method of a class": after("class C:\n    def m(x): return x + §\nhelper = C.m", "return helper(x)"),
    "2g: a bound builtin method of a global list": after("table = [§]\nhelper = table.__getitem__", "return x + helper(0)"),
    "2h: operator.methodcaller and a class": after("import operator\nclass C:\n    def m(self): return §\nhelper = operator.methodcaller('m')\nc = C()", "return x + helper(c)", or_said=PLAIN),
    "4a: a global of another type and equal value": after("K = §", "return type(K).__name__", ["1", "True", "1.0"][:2], ("int", "bool")),
    "4b: read by an augmented assignment": after("K = §", "y = x\ny += K\nreturn y"),
    "4c: read as the subject of a match": after("K = §", "match K:\n    case 1: return 'one'\n    case _: return 'other'", "12", ("one", "other")),
    "4d: in the pattern of a match": after("class C: K = §", "match x:\n    case C.K: return 'same'\n    case _: return 'other'", "12", ("same", "other")),
    "4e: read before a local of another scope has its name": after("K = §", "return [K for K in [0]][0] + K + x"),
    "4f: read by a class body that also binds it": after("K = §", "class C:\n    K = K\nreturn x + C.K"),
    "4g: in a nested lambda's default": after("K = §", "return (lambda y=K: y)() + x"),
    "4h: in the except clause": after("class E1(Exception): pass\nclass E2(Exception): pass\nE = E§", "try:\n    raise E1\nexcept E: return 1\nexcept Exception: return 2", "12", (1, 2)),
    "4i: a global that only an else branch reads": after("K = §\nflag = False", "if flag: return 0\nelse: return x + K"),
    "4j: a global that is deleted": after("K = 5\n§0", "try: return K\nexcept NameError: return 'gone'", [("",), ("del K",)], (5, "gone")),
    "4k: a builtin that the notebook shadows": after("§0", "return abs(-x)", [("pass",), ("def abs(x): return 7",)], (1, 7)),
    "4l: an attribute of an attribute of an instance": after("class C: pass\ncfg = C(); cfg.a = C(); cfg.a.b = [§]", "return x + cfg.a.b[0]"),
    "4m: a slot of an instance": after("class C:\n    __slots__ = ('k',)\ncfg = C(); cfg.k = §", "return x + cfg.k"),
    "4n: a SimpleNamespace, a namedtuple, a dataclass": after("import types, collections, dataclasses\nN = collections.namedtuple('N', 'a')\n@dataclasses.dataclass\nclass D: a: int\ncfg = [types.SimpleNamespace(a=§), N(§), D(§)]", "return x + cfg[0].a + cfg[1].a + cfg[2].a", "12", (4, 7)),
    "4o: a ChainMap and a MappingProxy": after("import collections, types\nlow = {'k': §}\ncfg = collections.ChainMap({}, low)\nview = types.MappingProxyType(low)", "return x + cfg['k'] + view['k']", "12", (3, 5), or_said=PLAIN),
    "4p: a dict subclass with an attribute": after("class M(dict): pass\ncfg = M(a=1); cfg.k = §", "return x + cfg.k"),
    "4q: a set, and a frozenset in a tuple": after("cfg = ({§}, frozenset({§}))", "return x + sum(cfg[0]) + sum(cfg[1])", "12", (3, 5)),
    "4r: a dict's order": after("cfg = {§}", "return list(cfg)", ["'a': 1, 'b': 2", "'b': 2, 'a': 1"], (["a", "b"], ["b", "a"])),
    "4s: string formatting of an object": after("class C:\n    def __format__(self, s): return str(§)\nc = C()", "return f'{c}'", "12", ("1", "2")),
    "6a: the name of a column, the dtype, the index of a global frame": after("import pandas as pd\ndf = pd.DataFrame({§})", "return [list(df), str(df.dtypes.iloc[0])]", ["'a': [1]", "'a': [1.0]"], ([["a"], "int64"], [["a"], "float64"]), preload=("pandas",)),
    "6b: a global array, deep in a dict": after("import numpy as np\ncfg = {'w': [np.array([1, §])]}", "return x + int(cfg['w'][0][1])", preload=("numpy",)),
    "6c: a frame held by an object of a notebook class": after("import pandas as pd\nclass C: pass\nc = C(); c.df = pd.DataFrame({'a': [§]})", "return x + int(c.df.a[0])", preload=("pandas",)),
    "10a: a closure in a closure": after("def outer(n):\n    def mid():\n        def inner(x): return x + n\n        return inner\n    return mid()\nhelper = outer(§)", "return helper(x)"),
    "10b: a closure's list": after("def make(k):\n    box = [k]\n    def inner(x): return x + box[0]\n    return inner\nhelper = make(§)", "return helper(x)"),
    "11a: a class attribute": after("class C: k = §", "return x + C.k"),
    "11b: set from outside": after("class C: k = 0\nC.k = §", "return x + C.k"),
    "11c: of a base class, through an instance": after("class B: k = §\nclass C(B): pass", "return x + C().k"),
    "11d: a property": after("class C:\n    @property\n    def k(self): return §\nc = C()", "return x + c.k"),
    "11e: a static and a class method": after("class C:\n    @staticmethod\n    def a(): return §\n    @classmethod\n    def b(cls): return §", "return C.a() + C.b() - x", "12", (1, 3)),
    "11f: an operator": after("class C:\n    def __add__(self, o): return o + §\nc = C()", "return c + x"),
    "11g: __call__ of a global instance": after("class C:\n    def __call__(self, x): return x + §\nhelper = C()", "return helper(x)"),
    "11h: __getattr__": after("class C:\n    def __getattr__(self, n): return §\nc = C()", "return x + c.anything"),
    "11i: a descriptor": after("class D:\n    def __get__(self, o, t): return §\nclass C: k = D()", "return x + C().k"),
    "11j: a metaclass": after("class M(type):\n    def k(cls): return §\nclass C(metaclass=M): pass", "return x + C.k()"),
    "11k: super()": after("class B:\n    def m(self, x): return x + §\nclass C(B):\n    def m(self, x): return super().m(x)", "return C().m(x)"),
    "11l: a default of a dataclass": after("import dataclasses\n@dataclasses.dataclass\nclass C:\n    k: int = §", "return x + C().k"),
    "11m: a field of a dataclass is added": after("import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = 1§", "return len(dataclasses.fields(C))", ["", "\n    b: int = 2"], (1, 2)),
    "11n: the order of a dataclass's fields": after("import dataclasses\n@dataclasses.dataclass\nclass C:\n    §0: int = 1\n    §1: int = 2", "return C(5).a", [("a", "b"), ("b", "a")], (5, 2)),
    "11o: __post_init__, and a factory": after("import dataclasses\ndef low(): return §\n@dataclasses.dataclass\nclass C:\n    k: int = dataclasses.field(default_factory=low)\n    def __post_init__(self): self.k += §", "return x + C().k", "12", (3, 5)),
    "11p: a value of an enum": after("import enum\nclass E(enum.Enum): A = §", "return x + E.A.value"),
    "11q: a method of an enum": after("import enum\nclass E(enum.Enum):\n    A = 1\n    def m(self): return §", "return x + E.A.m()"),
    "11r: an ABC's concrete method": after("import abc\nclass B(abc.ABC):\n    @abc.abstractmethod\n    def m(self): ...\n    def n(self): return §\nclass C(B):\n    def m(self): return self.n()", "return x + C().m()"),
    "11s: a class made by type()": after("def m(self): return §\nC = type('C', (), {'m': m})", "return x + C().m()", or_said=PLAIN),
    "11t: a class made by a function": after("def make(k):\n    class C:\n        def m(self): return k\n    return C\nC = make(§)", "return x + C().m()"),
    "11u: a cached_property": after("import functools\nclass C:\n    @functools.cached_property\n    def k(self): return §", "return x + C().k"),
    "11v: a partialmethod": after("import functools\nclass C:\n    def m(self, k): return k\n    n = functools.partialmethod(m, §)", "return x + C().n()"),
    "11w: a method put into the class afterwards": after("class C: pass\ndef m(self): return §\nC.m = m", "return x + C().m()"),
    "11x: an Exception class with a __str__": after("class E(Exception):\n    def __str__(self): return '§'", "try: raise E\nexcept E as e: return str(e)", "12", ("1", "2")),
    "11y: the bases change places": after("class A:\n    def m(self): return 1\nclass B:\n    def m(self): return 2\nclass C(§): pass", "return x + C().m()", ["A, B", "B, A"]),
    "11z: a nested class": after("class C:\n    class D:\n        def m(self): return §", "return x + C.D().m()"),
    "11A: a typing.NamedTuple with a default and a method": after("import typing\nclass N(typing.NamedTuple):\n    a: int = §\n    def m(self): return self.a", "return x + N().m()"),
    "13a: the instance's class has a helper that is edited": after("def helper(x): return x + §\nclass C:\n    def m(self, x): return helper(x)\nc = C()", "return c.m(x)"),
    "18a: below a decorator of an installed package": after("import functools\ndef deco(g):\n    return functools.lru_cache(maxsize=None)(g)\n@deco\ndef helper(x): return x + §", "return helper(x)"),
    "19a: a table of classes": after("class A:\n    def m(self): return §\nT = {'a': A}", "return x + T['a']().m()"),
    "19b: a table filled by a decorator": after("T = {}\ndef register(g): T[g.__name__] = g; return g\n@register\ndef low(x): return x + §", "return T['low'](x)"),
    "19c: which entry the table has": after("def a(x): return x + 1\ndef b(x): return x + 2\nT = {'g': §}", "return T['g'](x)", "ab"),
    "21a: two names change places": after("def a(x): return x + 1\ndef b(x): return x + 2\nhelper = §", "return helper(x)", "ab"),
    "22a: the default is a function that is edited": ("def low(): return §\n# %%\n@durable\ndef f(x, g=low):\n    ran()\n    return x + g()" + CALL, "12", (2, 3), {}),
    "17a: __call__ of a class-based decorator of the helper": after("class Deco:\n    def __init__(self, g): self.g = g\n    def __call__(self, x): return self.g(x) + §\n@Deco\ndef helper(x): return x", "return helper(x)"),
    "17b: the helper below a class-based decorator": after("class Deco:\n    def __init__(self, g): self.g = g\n    def __call__(self, x): return self.g(x)\n@Deco\ndef helper(x): return x + §", "return helper(x)"),
    "17c: __call__ of a class-based decorator below ours": ("import functools\nclass Deco:\n    def __init__(self, g):\n        functools.update_wrapper(self, g)\n        self.g = g\n    def __call__(self, x): return self.g(x) + §\n# %%\n@durable\n@Deco\ndef f(x):\n    ran()\n    return x" + CALL, "12", (2, 3), {"or_said": PLAIN}),
    "17d: the body below such a decorator": ("import functools\nclass Deco:\n    def __init__(self, g):\n        functools.update_wrapper(self, g)\n        self.g = g\n    def __call__(self, x): return self.g(x)\n# %%\n@durable\n@Deco\ndef f(x):\n    ran()\n    return x + §" + CALL, "12", (2, 3), {"or_said": PLAIN}),
    "17e: the state of such a decorator": ("import functools\nclass Deco:\n    def __init__(self, k): self.k = k\n    def __call__(self, g):\n        functools.update_wrapper(self, g)\n        self.g = g\n        return Done(self)\nclass Done:\n    def __init__(self, d):\n        self.d = d\n        self.__wrapped__ = d.g\n        self.__name__ = self.__qualname__ = 'f'\n    def __call__(self, x): return self.d.g(x) + self.d.k\n# %%\n@durable\n@Deco(§)\ndef f(x):\n    ran()\n    return x" + CALL, "12", (2, 3), {"or_said": PLAIN}),
    "17f: functools.lru_cache below ours": ("import functools\n# %%\n@durable\n@functools.lru_cache\ndef f(x):\n    ran()\n    return x + §" + CALL, "12", (2, 3), {}),
    "17g: a partial is made durable": ("import functools\ndef low(k, x):\n    ran()\n    return x + k\n# %%\nf = durable(lambda x, g=functools.partial(low, §): g(x))" + CALL, "12", (2, 3), {}),
    "17h: a bound method is made durable": ("class C:\n    def __init__(self, k): self.k = k\n    def m(self, x):\n        ran()\n        return x + self.k\n# %%\nf = durable(lambda x: c.m(x))\nc = C(§)" + CALL, "12", (2, 3), {}),
    "11C: an instance attribute hides a method": after("class C:\n    def m(self): return 1\nc = C()\nif § == 2: c.m = lambda: 2", "return x + c.m()"),
    "11D: a frame of the notebook's own class": after("import pandas as pd\nclass MyFrame(pd.DataFrame):\n    _metadata = ['unit']\n    @property\n    def _constructor(self): return MyFrame\n    def m(self): return §\ndf = MyFrame({'a': [1]})", "return x + df.m()", or_said=PLAIN, preload=("pandas",)),
    "11E: its own attribute": after("import pandas as pd\nclass MyFrame(pd.DataFrame):\n    _metadata = ['unit']\ndf = MyFrame({'a': [1]}); df.unit = §", "return x + df.unit", or_said=PLAIN, preload=("pandas",)),
    "11F: an array of the notebook's own class": after("import numpy as np\nclass A(np.ndarray):\n    def m(self): return §\na = np.zeros(2).view(A); a.k = §", "return x + a.m() + a.k - §", or_said=PLAIN, preload=("numpy",)),
    "11G: a UserDict, a Thread, an Exception of the notebook": after("import collections, threading\nclass M(collections.UserDict):\n    def m(self): return self['k']\nm = M(k=§)", "return x + m.m()", or_said=PLAIN),
    "11H: total_ordering and a comparison": after("import functools\n@functools.total_ordering\nclass C:\n    def __init__(self, k): self.k = k\n    def __eq__(self, o): return self.k == o.k\n    def __lt__(self, o): return (self.k < o.k) == (§ == 1)", "return sorted([C(2), C(1)])[0].k", "12", (1, 2)),
    "11I: a private name of a class": after("class C:\n    __k = §\n    def m(self): return self.__k", "return x + C().m()"),
    "11J: __init_subclass__, __class_getitem__, __set_name__": after("class D:\n    def __set_name__(self, o, n): self.n = n\n    def __get__(self, o, t): return §\nclass B:\n    def __init_subclass__(cls, k=0): cls.k = k\n    def __class_getitem__(cls, i): return i + §\nclass C(B, k=§): d = D()", "return C.k + C[0] + C.d - 2 * §", "12", (1, 2)),
    "11K: an async iterator and a context manager": after("import contextlib, asyncio\nclass C:\n    async def __aenter__(self): return §\n    async def __aexit__(self, *a): pass\nasync def run():\n    async with C() as v: return v", "loop = asyncio.new_event_loop()\ntry: return x + loop.run_until_complete(run())\nfinally: loop.close()"),
    "25a: an int becomes a float, a bool, a negative zero": after("pass", "return repr(§)", ["0.0", "-0.0"], ("0.0", "-0.0")),
    "25b: a string becomes bytes, in a set and a tuple": after("pass", "return repr(({§}, [§]))", ["'a'", "b'a'"], ("({'a'}, ['a'])", "({b'a'}, [b'a'])")),
    "26a: text moves between neighbours of an f-string": after("a, b = 'x', 'y'", "return f'{a}§{b}'", ["1", "2"], ("x1y", "x2y")),
    "26b: a conversion and a format in an f-string": after("a = 1.5", "return f'{a§}'", ["!r", ":.0f"], ("1.5", "2")),
}  # fmt: skip

MODULES = {
    "14a: two modules deep": ({"mymod.py": "import low\ndef g(x): return low.h(x)\n", "low.py": "def h(x): return x + §\n"}, "import mymod", "return mymod.g(x)"),
    "14b: a package, relative imports": ({"pkg/__init__.py": "", "pkg/a.py": "from .b import h\ndef g(x): return h(x)\n", "pkg/b.py": "def h(x): return x + §\n"}, "import pkg.a", "return pkg.a.g(x)"),
    "14c: `import pkg.a as m`": ({"pkg/__init__.py": "", "pkg/a.py": "def g(x): return x + §\n"}, "import pkg.a as m", "return m.g(x)"),
    "14d: handed on by the package": ({"pkg/__init__.py": "from .a import g\n", "pkg/a.py": "def g(x): return x + §\n"}, "import pkg", "return pkg.g(x)"),
    "14e: imported in the body": ({"mymod.py": "def g(x): return x + §\n"}, "pass", "import mymod\nreturn mymod.g(x)"),
    "14f: from-imported in the body, under another name": ({"mymod.py": "def g(x): return x + §\n"}, "pass", "from mymod import g as h\nreturn h(x)"),
    "14g: imported in the body of a helper of a module": ({"mymod.py": "def g(x):\n    from low import h\n    return h(x)\n", "low.py": "def h(x): return x + §\n"}, "import mymod", "return mymod.g(x)"),
    "14h: a class of a module": ({"mymod.py": "class C:\n    def m(self, x): return x + §\n"}, "import mymod", "return mymod.C().m(x)"),
    "14i: a notebook class over a module's class": ({"mymod.py": "class B:\n    def m(self, x): return x + §\n"}, "import mymod\nclass C(mymod.B): pass", "return C().m(x)"),
    "14j: getattr with a constant name": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod", "return getattr(mymod, 'g')(x)"),
    "14k: importlib.import_module": ({"mymod.py": "def g(x): return x + §\n"}, "import importlib", "return importlib.import_module('mymod').g(x)"),
    "14l: the module in a list": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod\nmods = [mymod]", "return mods[0].g(x)"),
    "14m: the module given to a helper": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod\ndef call(m, x): return m.g(x)", "return call(mymod, x)"),
    "14n: an attrgetter": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod, operator", "return operator.attrgetter('g')(mymod)(x)"),
    "14o: through sys.modules": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod, sys", "return sys.modules['mymod'].g(x)"),
    "14p: the module's __dict__": ({"mymod.py": "def g(x): return x + §\n"}, "import mymod", "return mymod.__dict__['g'](x)"),
    "14q: a decorator of a module above the helper": ({"mymod.py": "def deco(g):\n    def inner(x): return g(x) + §\n    return inner\n"}, "import mymod\n@mymod.deco\ndef helper(x): return x", "return helper(x)"),
    "15a: `from mymod import *`": ({"mymod.py": "def g(x): return x + §\n"}, "from mymod import *", "return g(x)"),
    "15b: under another name": ({"mymod.py": "def g(x): return x + §\n"}, "from mymod import g as h", "return h(x)"),
    "16a: a constant read by a module's own function": ({"mymod.py": "K = §\ndef g(x): return x + K\n"}, "import mymod", "return mymod.g(x)"),
    "16b: by attribute": ({"mymod.py": "K = §\n"}, "import mymod", "return x + mymod.K"),
    "16c: a table of a module": ({"mymod.py": "T = {'a': [§]}\n"}, "from mymod import T", "return x + T['a'][0]"),
    "16d: a file that the module reads when imported": ({"k.txt": "§", "mymod.py": "import pathlib\nK = int(pathlib.Path('k.txt').read_text())\n"}, "import mymod", "return x + mymod.K"),
    "16e: a table of a module, changed by the notebook": ({"mymod.py": "T = {'a': 0}\n"}, "import mymod\nmymod.T['a'] = §", "return x + mymod.T['a']"),
    "16f: a function of a module, replaced by the notebook": ({"mymod.py": "def g(x): return x\n"}, "import mymod\ndef new(x): return x + §\nmymod.g = new", "return mymod.g(x)"),
    "16g: replaced below a function of the module": ({"mymod.py": "def low(x): return x\ndef g(x): return low(x)\n"}, "import mymod\nmymod.low = lambda x: x + §", "return mymod.g(x)"),
    "16i: a function of the standard library, replaced by the notebook": ({}, "import textwrap\ntextwrap.dedent = lambda s: §", "return x + textwrap.dedent('')"),
}  # fmt: skip

SAME_SESSION = {
    "8a: a helper is defined anew between two calls": "def helper(x): return x + 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\n# %%\ndef helper(x): return x + 2\n# %%\ngot['value'] = [a, f(1)]",
    "8b: a class attribute is set": "class C: k = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + C.k\n# %%\na = f(1)\nC.k = 2\ngot['value'] = [a, f(1)]",
    "8c: a class is defined anew": "class C:\n    def m(self): return 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + C().m()\n# %%\na = f(1)\n# %%\nclass C:\n    def m(self): return 2\n# %%\ngot['value'] = [a, f(1)]",
    "8d: the old instance of a class defined anew": "class C:\n    def m(self): return 1\nc = C()\n# %%\n@durable\ndef f(c):\n    ran()\n    return 1 + c.m()\n# %%\na = f(c)\n# %%\nclass C:\n    def m(self): return 2\n# %%\ngot['value'] = [a, f(C())]",
    "8e: a method is replaced in the class": "class C:\n    def m(self): return 1\nc = C()\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + c.m()\n# %%\na = f(1)\nC.m = lambda self: 2\ngot['value'] = [a, f(1)]",
    "8f: a default is replaced": "def helper(x, n=1): return x + n\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper.__defaults__ = (2,)\ngot['value'] = [a, f(1)]",
    "8g: a keyword default is replaced in place": "def helper(x, *, n=1): return x + n\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper.__kwdefaults__['n'] = 2\ngot['value'] = [a, f(1)]",
    "8h: the code of a helper is replaced": "def helper(x): return x + 1\ndef other(x): return x + 2\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper.__code__ = other.__code__\ngot['value'] = [a, f(1)]",
    "8i: a closure's cell is set": "def make():\n    n = 1\n    def get(x): return x + n\n    def put(k):\n        nonlocal n\n        n = k\n    return get, put\nhelper, put = make()\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nput(2)\ngot['value'] = [a, f(1)]",
    "8j: a nested object of a global changes": "class B: pass\nb = B(); b.c = B(); b.c.d = {'k': [1]}\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + b.c.d['k'][0]\n# %%\na = f(1)\nb.c.d['k'][0] = 2\ngot['value'] = [a, f(1)]",
    "8k: a table's function is replaced": "T = {'g': lambda x: x + 1}\n# %%\n@durable\ndef f(x):\n    ran()\n    return T['g'](x)\n# %%\na = f(1)\nT['g'] = lambda x: x + 2\ngot['value'] = [a, f(1)]",
    "8l: an attribute of a module is set": "import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\na = f(1)\nmymod.K = 2\ngot['value'] = [a, f(1)]",
    "8m: a module is edited and reloaded": "import mymod, importlib, os\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.h(x)\n# %%\na = f(1)\n# %%\nopen('mymod.py', 'w').write('K = 1\\ndef g(x): return x + K\\ndef h(x): return x + 2\\n# longer\\n')\nimportlib.reload(mymod)\n# %%\ngot['value'] = [a, f(1)]",
    "8n: a registered implementation is added": "import functools\n@functools.singledispatch\ndef helper(x): return x + 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper.register(int, lambda x: x + 2)\ngot['value'] = [a, f(1)]",
    "8o: a builtin is shadowed": "@durable\ndef f(x):\n    ran()\n    return abs(x) + 1\n# %%\na = f(1)\ndef abs(x): return 2\n# %%\ngot['value'] = [a, f(1)]",
    "8p: what was missing is defined": "@durable\ndef f(x):\n    ran()\n    try: return helper(x)\n    except NameError: return 2\n# %%\na = f(1)\ndef helper(x): return 3\n# %%\ngot['value'] = [a, f(1)]",
    "8q: an item of a global frame is set": "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + int(df['a'].iloc[0])\n# %%\na = f(1)\ndf.loc[0, 'a'] = 2\ngot['value'] = [a, f(1)]",
    "8r: the base class changes a method": "class B:\n    def m(self): return 1\nclass C(B): pass\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + C().m()\n# %%\na = f(1)\ndef m(self): return 2\nB.m = m\ngot['value'] = [a, f(1)]",
    "8s: the class of a global instance is replaced": "class A:\n    def m(self): return 1\nclass B:\n    def m(self): return 2\nc = A()\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + c.m()\n# %%\na = f(1)\nc.__class__ = B\ngot['value'] = [a, f(1)]",
    "8t: a partial's function is edited": "import functools\ndef low(x, n): return x + n\nhelper = functools.partial(low, n=1)\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper = functools.partial(low, n=2)\ngot['value'] = [a, f(1)]",
    "8u: a function attribute is set": "def helper(x): return x + helper.k\nhelper.k = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nhelper.k = 2\ngot['value'] = [a, f(1)]",
    "8v: the durable helper is defined anew": "@durable\ndef helper(x): return x + 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\n# %%\n@durable\ndef helper(x): return x + 2\n# %%\ngot['value'] = [a, f(1)]",
    "8w: an enum is defined anew": "import enum\nclass E(enum.Enum): A = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + E.A.value\n# %%\na = f(1)\n# %%\nclass E(enum.Enum): A = 2\n# %%\ngot['value'] = [a, f(1)]",
    "8x: a view of a global array is written": "import numpy as np\narr = np.array([1, 1]); view = arr[:1]\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + int(arr[0])\n# %%\na = f(1)\nview[0] = 2\ngot['value'] = [a, f(1)]",
    "8z: a mark is made anew, and a default holds the old one": "NONE = object()\ndef helper(x, y=NONE): return x + 1 if y is NONE else 3\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n# %%\na = f(1)\nNONE = object()\ngot['value'] = [a, f(1)]",
    "8y: a deleted attribute, found in the class": "class C: k = 2\nc = C(); c.k = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return x + c.k\n# %%\na = f(1)\ndel c.k\ngot['value'] = [a, f(1)]",
}  # fmt: skip

DURABLE_IN_DURABLE = {
    "27a: a durable child is edited": ("@durable\ndef g(x):\n    ran(g)\n    return x + §\n# %%\n@durable\ndef f(x):\n    ran()\n    return g(x)" + CALL, 2),
    "27b: the child's helper is edited": ("def helper(x): return x + §\n@durable\ndef g(x):\n    ran(g)\n    return helper(x)\n# %%\n@durable\ndef f(x):\n    ran()\n    return g(x)" + CALL, 2),
    "27c: the grandchild reads a global that changes": ("K = §\n@durable\ndef h(x):\n    ran(h)\n    return x + K\n@durable\ndef g(x):\n    ran(g)\n    return h(x)\n# %%\n@durable\ndef f(x):\n    ran()\n    return g(x)" + CALL, 3),
    "27d: a durable method is edited": ("class C:\n    @durable\n    def g(self, x):\n        ran(g)\n        return x + §\n# %%\n@durable\ndef f(x):\n    ran()\n    return C().g(x)" + CALL, 2),
    "27e: a durable static and class method": ("class C:\n    @staticmethod\n    @durable\n    def g(x):\n        ran(g)\n        return x + §\n    @classmethod\n    @durable\n    def h(cls, x):\n        ran(h)\n        return x + §\n# %%\n@durable\ndef f(x):\n    ran()\n    return C.g(x) + C.h(x) - x - §" + CALL, 3),
    "27f: a durable function of a module": ("import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)" + CALL, 2),
    "27g: given as an argument": ("@durable\ndef g(x):\n    ran(g)\n    return x + §\n# %%\n@durable\ndef f(x, h):\n    ran()\n    return h(x)\n# %%\ngot['value'] = f(1, g)", 2),
    "27h: with options, by .options": ("@durable(tags={'a': 'b'})\ndef g(x):\n    ran(g)\n    return x + §\ng2 = g.options(name='other')\n# %%\n@durable\ndef f(x):\n    ran()\n    return g2(x)" + CALL, 2),
}  # fmt: skip

HIDDEN = {
    "24a: eval": after("K = §", "return x + eval('K')"),
    "24b: exec": after("K = §", "d = {}\nexec('y = 1 + K', globals(), d)\nreturn d['y']"),
    "24c: vars of a module and of an instance": after("class C: pass\nc = C(); c.k = §", "return x + vars(c)['k']"),
    "24d: getattr with a computed name": after("class C:\n    def m1(self): return §", "return x + getattr(C(), 'm' + str(x))()"),
    "24e: locals and format": after("K = §", "return '{K}'.format(**globals())", "12", ("1", "2")),
    "24f: query with @": after("import pandas as pd\nthr = §\ndf = pd.DataFrame({'a': [1, 2, 3]})", "return len(df.query('a > @thr'))", "12", (2, 1), preload=("pandas",)),
    "24g: query with a text of a variable": after("import pandas as pd\nthr = §\ndf = pd.DataFrame({'a': [1, 2, 3]})\nq = 'a > @thr'", "return len(df.query(q))", "12", (2, 1), preload=("pandas",)),
    "24h: query with a text put together": after("import pandas as pd\nthr = §\ndf = pd.DataFrame({'a': [1, 2, 3]})", "q = 'a > ' + '@' + 'thr'\nreturn len(df.query(q))", "12", (2, 1), preload=("pandas",)),
    "24i: pandas.eval": after("import pandas as pd\nthr = §", "return int(pd.eval('thr + 1'))", preload=("pandas",)),
    "24j: a frame of the caller": after("K = §", "import sys\nreturn x + sys._getframe().f_globals['K']"),
    "24k: the function's own globals": after("K = §\ndef helper(): pass", "return x + helper.__globals__['K']"),
    "24l: __main__": after("K = §", "import __main__\nreturn x + __main__.K"),
    "24m: sys.modules of __main__": after("K = §", "import sys\nreturn x + sys.modules['__main__'].K"),
    "24n: attrgetter of __main__": after("K = §", "import sys, operator\nreturn x + operator.attrgetter('K')(sys.modules['__main__'])"),
    "24o: globals under another name": after("K = §\nnames = globals", "return x + names()['K']"),
    "24p: inspect": after("K = §", "import inspect\nreturn x + inspect.currentframe().f_globals['K']"),
    "24q: get_ipython": after("K = §", "return x + get_ipython().user_ns['K']"),
    "24r: a helper made by exec": after("exec('def helper(x): return x + §')", "return helper(x)"),
    "24s: a helper made by exec, its text unchanged": after("K = §\nexec('def helper(x): return x + K')", "return helper(x)"),
    "24t: a class that knows its subclasses": after("class B:\n    @classmethod\n    def all(cls): return [c().m() for c in cls.__subclasses__()]\nclass C(B):\n    def m(self): return §", "return x + B.all()[0]"),
    "24u: a registry that is filled by __init_subclass__": after("class B:\n    known = []\n    def __init_subclass__(cls): B.known.append(cls)\nclass C(B):\n    def m(self): return §", "return x + B.known[0]().m()"),
    "24v: a weak reference": after("import weakref\nclass C:\n    k = §\nc = C(); w = weakref.ref(c)", "return x + w().k"),
    "24w: a context variable": after("import contextvars\nv = contextvars.ContextVar('v'); v.set(§)", "return x + v.get()"),
    "24x: gc": after("class Odd: k = §\nodd = Odd()", "import gc\nreturn x + [o for o in gc.get_objects() if type(o).__name__ == 'Odd'][0].k"),
    "24y: an iterator's state": after("it = iter([1, 2])\n§", "return x + next(it)", ["", "next(it)"]),
    "24z: an environment of threads": after("import threading\nt = threading.local(); t.k = §", "return x + t.k"),
    "24A: a StringIO": after("import io\ns = io.StringIO('§')", "return x + int(s.getvalue())"),
    "24B: a compiled pattern": after("import re\np = re.compile('a{§}')", "return x + len(p.match('aaaa').group())"),
    "24C: a random generator of the notebook": after("import random\nr = random.Random(§)", "return r.random() == __import__('random').Random(1).random()", "12", (True, False)),
    "24D: a numpy generator": after("import numpy as np\nr = np.random.default_rng(§)", "return bool(r.random() == np.random.default_rng(1).random())", "12", (True, False), preload=("numpy",)),
    "24E: a formula-like text": after("import pandas as pd\nk = §\ndf = pd.DataFrame({'a': [1, 2]})", "return int(df.eval('b = a * @k').b.sum())", "12", (3, 6), preload=("pandas",)),
    "24F: a class body's exec": after("K = §", "class C: exec('k = K')\nreturn x + C.k"),
    "24G: a string.Template and format_map": after("cfg = {'k': §}", "return '{k}'.format_map(cfg)", "12", ("1", "2")),
    "24I: an instance of a notebook class, unpickled from a file": after("import pickle\nclass C:\n    def m(self): return §\npickle.dump(C(), open('c.pkl', 'wb'))", "import pickle\nreturn x + pickle.load(open('c.pkl', 'rb')).m()"),
    "24J: a notebook function, unpickled from a file by its name": after("import pickle\ndef helper(x): return x + §\npickle.dump([helper], open('c.pkl', 'wb'))", "import pickle\nreturn pickle.load(open('c.pkl', 'rb'))[0](x)"),
    "24K: an instance of a module's class, unpickled from a file": after("import pickle, mymod\nmymod.K = §\npickle.dump(mymod.C(), open('c.pkl', 'wb'))", "import pickle\nreturn x + pickle.load(open('c.pkl', 'rb')).m()"),
    "24L: a notebook function in a pipeline, loaded by joblib": after("import joblib\nfrom sklearn.preprocessing import FunctionTransformer\ndef helper(x): return x + §\njoblib.dump(FunctionTransformer(helper), 'p.joblib')", "import joblib, numpy as np\nreturn float(joblib.load('p.joblib').transform(np.array([[1.0]]))[0, 0])", "12", (2.0, 3.0), preload=("sklearn.preprocessing",)),
    "24M: a notebook function in a pipeline that is a global": after("from sklearn.preprocessing import FunctionTransformer\ndef helper(x): return x + §\np = FunctionTransformer(helper)", "import numpy as np\nreturn float(p.transform(np.array([[1.0]]))[0, 0])", "12", (2.0, 3.0), preload=("sklearn.preprocessing",)),
    "24N: a notebook estimator in a pipeline of sklearn": after("from sklearn.base import BaseEstimator, TransformerMixin\nfrom sklearn.pipeline import make_pipeline\nclass T(BaseEstimator, TransformerMixin):\n    def fit(self, X, y=None): return self\n    def transform(self, X): return X + §\np = make_pipeline(T())", "import numpy as np\nreturn float(p.fit_transform(np.array([[1.0]]))[0, 0])", "12", (2.0, 3.0), preload=("sklearn.pipeline",)),
    "24O: a notebook function given to a frame's apply": after("import pandas as pd\ndef low(v): return v + §\ndf = pd.DataFrame({'a': [1]})", "return int(df.apply(low).a[0])", preload=("pandas",)),
    "24P: a function in an object column of a global frame": after("import pandas as pd\ndef low(v): return v + §\ndf = pd.DataFrame({'a': [low]})", "return df.a[0](x)", preload=("pandas",)),
    "24Q: an accessor that the notebook registers": after("import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('mine')\nclass A:\n    def __init__(self, df): self.df = df\n    def m(self): return §\ndf = pd.DataFrame({'a': [1]})", "return x + df.mine.m()", preload=("pandas",)),
    "24R: a method put into DataFrame by the notebook": after("import pandas as pd\npd.DataFrame.mine = lambda self: §\ndf = pd.DataFrame({'a': [1]})", "return x + df.mine()", preload=("pandas",)),
    "24R: a property put into DataFrame by the notebook": after("import pandas as pd\npd.DataFrame.mine = property(lambda self: len(self) * §)\ndf = pd.DataFrame({'a': [1]})", "return x + df.mine", preload=("pandas",)),
    "24R: a method put into a class of Python's, asked of the class": after("import fractions\nfractions.Fraction.mine = lambda self: §", "return x + fractions.Fraction.mine(0)"),
    "24R: the same of a class that is imported by name": after("from fractions import Fraction\nFraction.mine = staticmethod(lambda: §)", "return x + Fraction.mine()"),
    "24R: a cached property put into a class of Python's": after("import fractions, functools\nkept = functools.cached_property(lambda self: §)\nkept.__set_name__(fractions.Fraction, 'mine')\nfractions.Fraction.mine = kept", "class F(fractions.Fraction): pass\nreturn x + F(1).mine"),
    "24R: a method with arguments put into DataFrame": after("import functools, pandas as pd\npd.DataFrame.mine = functools.partialmethod(lambda self, k: k, §)\ndf = pd.DataFrame({'a': [1]})", "return x + df.mine()", preload=("pandas",)),
    "24S: a function in an array of objects": after("import numpy as np\ndef low(v): return v + §\na = np.array([low, None], dtype=object)", "return a[0](x)", preload=("numpy",)),
    "24T: numpy.vectorize over a notebook function": after("import numpy as np\ndef low(v): return v + §\nhelper = np.vectorize(low)", "return int(helper(x))", preload=("numpy",)),
    "24U: a thread pool that is given a notebook function": after("from concurrent.futures import ThreadPoolExecutor\ndef low(v): return v + §", "with ThreadPoolExecutor() as pool: return list(pool.map(low, [x]))[0]"),
    "24V: a function that is reached by its module's name in a text": after("import pydoc\nimport mymod\nmymod.K = §", "return x + pydoc.locate('mymod.C')().m()"),
    "24W: an import hook's text, importlib with a variable": after("import importlib, mymod\nname = 'mymod'\nmymod.K = §", "return x + importlib.import_module(name).C().m()"),
    "24X: __import__": after("import mymod\nmymod.K = §", "return x + __import__('mymod').C().m()"),
    "24Y: a method by operator.methodcaller with a computed name": after("import operator\nclass C:\n    def m1(self): return §", "return x + operator.methodcaller('m' + str(x))(C())"),
    "24Z: a class of another cell found through type(instance)": after("class C:\n    k = §\nc = C()", "return x + type(c).k"),
}  # fmt: skip

UNSURE = r"f: its key does not see everything: it "
UNSEEN = frozenset(("24m", "24n"))
"""Those of them whose change is not noticed, which is said each time."""


def _traps() -> list[Trap]:
    found = []
    for title, (cells, turns, values, more) in RECOMPUTE.items():
        found.append(recompute(*title.split(": ", 1), cells, turns, values, **more))
    for title, (files, imports, body, *rest) in MODULES.items():
        turns, values = (tuple(map(str, rest[0])), rest[1]) if rest else ("12", (2, 3))
        found.append(
            recompute(
                *title.split(": ", 1),
                imports + "\n# %%\n" + f(body),
                turns,
                values,
                files=files,
                or_said=PLAIN if not files or "sys.modules" in body else None,
            )
        )
    for title, cells in SAME_SESSION.items():
        found.append(
            Trap(
                *title.split(": ", 1),
                cells,
                ("", ""),
                (2, 0),
                ([2, 3],) * 2,
                files={"mymod.py": "K = 1\ndef g(x): return x + K\ndef h(x): return x + 1\n"},
                preload=("pandas",) if "pd." in cells else (),
                or_said=PLAIN if "object()" in cells else None,
            )
        )
    for title, (cells, runs) in DURABLE_IN_DURABLE.items():
        found.append(
            recompute(
                *title.split(": ", 1),
                cells,
                "12",
                (2, 3),
                runs=runs,
                files={
                    "mymod.py": "from resonate_nb import durable\n@durable\ndef g(x):\n    open('g.log', 'a').write('+')\n    return x + §\n"
                },
            )
        )
    for title, (cells, turns, values, more) in HIDDEN.items():
        found.append(
            recompute(
                *title.split(": ", 1),
                cells,
                turns,
                values,
                or_said=PLAIN,
                or_unsure=UNSURE if title.partition(":")[0] in UNSEEN else None,
                files={"mymod.py": "K = 0\nclass C:\n    def m(self): return K\n"},
                **more,
            )
        )
    return found


TRAPS = _traps()


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_no_way_around_the_key(trap: Trap, tmp_path: Path) -> None:
    """However code is reached, a change of it shows."""
    spring(trap, tmp_path)
