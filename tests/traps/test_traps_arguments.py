# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Traps 38 to 66: arguments that look alike and are not, and arguments that are the same and do not look it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from trap_sessions import Notebook, Trap, entries, hit, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = "plainly|not replayable"
NUMPY = ("numpy",)
PANDAS = ("pandas",)


def of(arguments: str, returned: str, before: str = "") -> str:
    """Cells that call f with each of the arguments and collect what it returned."""
    return f"""
{before}
# %%
@durable
def f(x):
    ran()
    return {returned}
# %%
got["value"] = [f(x) for x in [{arguments}]]
"""


MIXED = """
import numpy as np, pandas as pd
def frame():
    return pd.DataFrame({
        "x": [1.5, np.nan, -0.0],
        "s": ["a", None, "ü"],
        "c": pd.Categorical(["u", "v", "u"], categories=["v", "u", "w"]),
        "t": pd.to_datetime(["2026-01-01", None, "2026-03-01"], utc=True),
        "i": pd.array([1, None, 3], dtype="Int64"),
        "o": [1, "one", (1, None)],
    }, index=pd.Index(["p", "q", "r"], name="key"))
"""

TRAPS = [
    Trap(
        "38",
        "one call spelled in every way",
        """
@durable
def f(a, b=2, *, c=3):
    ran()
    return [a, b, c]
# %%
got["value"] = [f(1), f(1, 2), f(a=1), f(b=2, a=1), f(1, c=3), f(c=3, b=2, a=1), f(*(1,), **{"c": 3})]
""",
        ("", ""),
        (1, 0),
        ([[1, 2, 3]] * 7,) * 2,
    ),
    entries("40", "1, True, 1.0 and numpy's", of("1, True, 1.0, np.int64(1), np.float64(1.0)", "type(x).__name__", "import numpy as np"), 5, ["int", "bool", "float", "int64", "float64"], preload=NUMPY),
    entries("40a", "numpy's scalars of other widths, and as arrays without dimension", of("np.int32(1), np.uint8(1), np.float32(1), np.bool_(True), np.array(1), np.str_('1'), '1', b'1', np.bytes_(b'1'), bytearray(b'1')", "type(x).__name__", "import numpy as np"), 10, ["int32", "uint8", "float32", "bool", "ndarray", "str_", "str", "bytes", "bytes_", "bytearray"], preload=NUMPY),
    entries("40b", "the same inside of containers", of("[1], [True], [1.0], {1: 1}, {True: 1}, {1.0: 1}, {1: True}", "repr(x)"), 7, ["[1]", "[True]", "[1.0]", "{1: 1}", "{True: 1}", "{1.0: 1}", "{1: True}"]),
    entries("41", "0.0 and -0.0", of("0.0, -0.0", "repr(x)"), 2, ["0.0", "-0.0"]),
    entries("41a", "signed zeros in complex numbers, lists and arrays", of("complex(0, 0.0), complex(0, -0.0), [0.0], [-0.0], np.array([0.0]), np.array([-0.0])", "repr(x)", "import numpy as np"), 6, ["0j", "-0j", "[0.0]", "[-0.0]", "array([0.])", "array([-0.])"], preload=NUMPY),
    entries("42", "a list and a tuple", of("[1, 2], (1, 2)", "type(x).__name__"), 2, ["list", "tuple"]),
    entries("42a", "set, frozenset, dict views, deque, range", of("{1}, frozenset({1}), [1], deque([1]), deque([1], maxlen=2), range(1, 2), {1: None}", "type(x).__name__ + str(getattr(x, 'maxlen', ''))", "from collections import deque"), 7, ["set", "frozenset", "list", "dequeNone", "deque2", "range", "dict"]),
    entries("42b", "the same letters cut in another way", of("['ab', 'c'], ['a', 'bc'], ['abc'], [['ab'], 'c'], [['ab', 'c']], 'abc'", "repr(x)"), 6, ["['ab', 'c']", "['a', 'bc']", "['abc']", "[['ab'], 'c']", "[['ab', 'c']]", "'abc'"]),
    Trap("43", "nan given twice and again", of("float('nan'), np.nan, math.nan", "str(x)", "import math, numpy as np"), ("", ""), (1, 0), (["nan"] * 3,) * 2, preload=NUMPY),
    hit("43a", "nan in containers, arrays and frames", of("[float('nan')], {'a': math.nan}, np.array([np.nan, 1]), pd.DataFrame({'a': [np.nan]})", "str(type(x))", "import math, numpy as np, pandas as pd"), ["", ""], ["<class 'list'>", "<class 'dict'>", "<class 'numpy.ndarray'>", "<class 'pandas.DataFrame'>"], runs=4, preload=PANDAS),
    hit("44", "sets of strings under another hash seed", of("{'a', 'b', 'c', 'd'}, frozenset({'x', 'y', 'z'}), {('a', 1), ('b', None)}, {'k': {'p', 'q'}}", "len(x)"), ["", ""], [4, 3, 2, 1], runs=4),
    entries("45", "a dict in other insertion order", of("{'a': 1, 'b': 2}, {'b': 2, 'a': 1}", "list(x)"), 2, [["a", "b"], ["b", "a"]]),
    entries("45a", "the same deeper, and in an object's attributes", of("{'k': {'a': 1, 'b': 2}}, {'k': {'b': 2, 'a': 1}}", "list(x['k'])"), 2, [["a", "b"], ["b", "a"]]),
    hit("46", "a mixed frame rebuilt in a new session", of("frame(), frame()", "int(x.notna().sum().sum())", MIXED), ["", ""], [14, 14], preload=PANDAS),
    entries("47", "a categorical with the categories in other order", of("pd.Categorical(list('ab'), categories=list('ab')), pd.Categorical(list('ab'), categories=list('ba'))", "[int(c) for c in x.codes]", "import pandas as pd"), 2, [[0, 1], [1, 0]], preload=PANDAS),
    entries("47a", "an ordered categorical, an unused category, in a frame", of("pd.DataFrame({'a': pd.Categorical(['a'])}), pd.DataFrame({'a': pd.Categorical(['a'], ordered=True)}), pd.DataFrame({'a': pd.Categorical(['a'], categories=['a', 'b'])})", "str(x.a.dtype.ordered) + str(len(x.a.cat.categories))", "import pandas as pd"), 3, ["False1", "True1", "False2"], preload=PANDAS),
    entries("48", "category, object and text", of("pd.Series(['a'], dtype='category'), pd.Series(['a'], dtype=object), pd.Series(['a'], dtype='str')", "str(x.dtype)", "import pandas as pd"), 3, ["category", "object", "str"], preload=PANDAS),
    entries("49", "the same instants in another time zone", of("pd.Series(t), pd.Series(t.tz_convert('Europe/Paris')), t, t.tz_convert('Europe/Paris'), t[0], t[0].tz_convert('Europe/Paris'), t.tz_convert(None)", "str(getattr(x, 'dt', x).tz)", "import pandas as pd\nt = pd.to_datetime(['2026-01-01'], utc=True)"), 7, ["UTC", "Europe/Paris", "UTC", "Europe/Paris", "UTC", "Europe/Paris", "None"], preload=PANDAS),
    entries("50", "an int frame and a float frame of equal bytes", of("pd.DataFrame({'a': a}), pd.DataFrame({'a': a.view('int64')}), pd.DataFrame({'a': a.view('uint64')}), pd.DataFrame({'a': a.view('datetime64[ns]')})", "str(x.a.dtype)", "import numpy as np, pandas as pd\na = np.array([1.0, 2.0])"), 4, ["float64", "int64", "uint64", "datetime64[ns]"], preload=PANDAS),
    entries("51", "a column renamed, another index", of("pd.DataFrame({'a': [1, 2]}), pd.DataFrame({'b': [1, 2]}), pd.DataFrame({'a': [1, 2]}, index=[5, 6])", "[list(x), list(x.index)]", "import pandas as pd"), 3, [[["a"], [0, 1]], [["b"], [0, 1]], [["a"], [5, 6]]], preload=PANDAS),
    entries("51a", "columns in other order, one named twice, a number for a name", of("pd.DataFrame([[1, 1]], columns=['a', 'b']), pd.DataFrame([[1, 1]], columns=['b', 'a']), pd.DataFrame([[1, 1]], columns=['a', 'a']), pd.DataFrame([[1, 1]], columns=[0, 1]), pd.DataFrame([[1, 1]], columns=['0', '1'])", "list(x)", "import pandas as pd"), 5, [["a", "b"], ["b", "a"], ["a", "a"], [0, 1], ["0", "1"]], preload=PANDAS),
    entries("52", "the index has another name", of("pd.DataFrame({'a': [1]}), pd.DataFrame({'a': [1]}, index=pd.RangeIndex(1, name='k')), pd.DataFrame({'a': [1]}).rename_axis(columns='k'), pd.Series([1]), pd.Series([1], name='k')", "[x.index.name, getattr(x, 'name', None)]", "import pandas as pd"), 5, [[None, None], ["k", None], [None, None], [None, None], [None, "k"]], preload=PANDAS),
    entries("52a", "the names and the order of a MultiIndex", of("pd.Series([1, 2], index=pd.MultiIndex.from_tuples([('a', 1), ('b', 2)], names=n)) for n in (['p', 'q'], ['q', 'p'], [None, None])", "list(x.index.names)", "import pandas as pd"), 3, [["p", "q"], ["q", "p"], [None, None]], preload=PANDAS),
    entries("52b", "attrs, and the frequency of an index", of("s, s2, pd.Series([1, 2], index=pd.DatetimeIndex(list(d))), pd.Series([1, 2], index=d)", "str(x.attrs) + str(getattr(x.index, 'freq', None))", "import pandas as pd\ns = pd.Series([1])\ns2 = pd.Series([1]); s2.attrs['unit'] = 'm'\nd = pd.date_range('2026-01-01', periods=2)"), 4, ["{}None", "{'unit': 'm'}None", "{}None", "{}<Day>"], preload=PANDAS),
    entries("52c", "a range index and one of the same numbers", of("pd.RangeIndex(2), pd.Index([0, 1]), pd.Index([0, 1], dtype='int32'), pd.Index([0.0, 1.0]), pd.Index([0, 1], dtype=object)", "type(x).__name__ + str(x.dtype)", "import pandas as pd"), 5, ["RangeIndexint64", "Indexint64", "Indexint32", "Indexfloat64", "Indexobject"], preload=PANDAS),
    entries("53", "a Series, its array, its frame, its index", of("s, s.array, s.to_numpy(), s.to_frame('a'), pd.Index(s)", "type(x).__name__", "import pandas as pd\ns = pd.Series([1.0, 2.0])"), 5, ["Series", "NumpyExtensionArray", "ndarray", "DataFrame", "Index"], preload=PANDAS),
    entries("54", "an array and its transpose, oblong and square", of("a, a.T, b, b.T", "[list(x.shape), x.tolist()]", "import numpy as np\na = np.arange(6).reshape(2, 3)\nb = np.arange(4).reshape(2, 2)"), 4, [[[2, 3], [[0, 1, 2], [3, 4, 5]]], [[3, 2], [[0, 3], [1, 4], [2, 5]]], [[2, 2], [[0, 1], [2, 3]]], [[2, 2], [[0, 2], [1, 3]]]], preload=NUMPY),
    entries("54a", "other shapes of the same bytes", of("np.zeros(4), np.zeros((2, 2)), np.zeros((4, 1)), np.zeros((1, 4)), np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0))", "list(x.shape)", "import numpy as np"), 7, [[4], [2, 2], [4, 1], [1, 4], [0], [0, 3], [3, 0]], preload=NUMPY),
    entries("55", "zeros of several dtypes", of("np.zeros(2), np.zeros(2, 'int64'), np.zeros(2, 'complex64'), np.zeros(2, 'datetime64[s]'), np.zeros(2, 'datetime64[ms]'), np.zeros(2, '>i8'), np.zeros(2, 'timedelta64[s]'), np.zeros(2, [('a', 'i8')]), np.zeros(2, [('b', 'i8')])", "str(x.dtype)", "import numpy as np"), 9, ["float64", "int64", "complex64", "datetime64[s]", "datetime64[ms]", ">i8", "timedelta64[s]", "[('a', '<i8')]", "[('b', '<i8')]"], preload=NUMPY),
    entries("55a", "text in arrays: fixed width, objects, the new string type", of("np.array(['a', 'b']), np.array(['a', 'b'], '<U5'), np.array(['a', 'b'], object), np.array([b'a', b'b']), np.array(['a', 'b'], np.dtypes.StringDType())", "str(x.dtype)", "import numpy as np"), 5, ["<U1", "<U5", "object", "|S1", "StringDType()"], preload=NUMPY),
    entries("55b", "a masked array: the mask, the fill, the data below", of("np.ma.array([1, 2], mask=[0, 0]), np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 1], fill_value=7), np.array([1, 2])", "str(np.ma.filled(x).tolist()) + str(getattr(x, 'fill_value', ''))", "import numpy as np"), 4, ["[1, 2]999999", "[1, 999999]999999", "[1, 7]7", "[1, 2]"], preload=NUMPY),
    entries("57", "integers beyond 64 bits", of("2**64, 2**64 + 1, -2**64, 2**300, 2**63, -2**63", "x % 1000"), 6, [616, 617, 384, 376, 808, 192]),
    entries("58", "a dict with int and str keys", of("{1: 'a', '1': 'b'}, {'1': 'a', 1: 'b'}, {None: 1, (1, 'x'): 2}", "repr(x)"), 3, ["{1: 'a', '1': 'b'}", "{'1': 'a', 1: 'b'}", "{None: 1, (1, 'x'): 2}"]),
    recompute("59", "a lambda is the argument and its body changes", "@durable\ndef f(g):\n    ran()\n    return g(1)\n# %%\ngot['value'] = f(lambda x: x + §)", "12", [2, 3], or_said=PLAIN),
    hit("60", "the same lambda as argument in a new session", "@durable\ndef f(g):\n    ran()\n    return g(1)\n# %%\n§\ngot['value'] = f(lambda x: x + 1)", ["", "\n\n# moved"], 2, or_said=PLAIN),
    recompute("60a", "a notebook function is the argument and its helper is edited", "def low(x): return x + §\ndef helper(x): return low(x)\n# %%\n@durable\ndef f(g):\n    ran()\n    return g(1)\n# %%\ngot['value'] = f(helper)", "12", [2, 3], or_said=PLAIN),
    entries("60b", "lambdas of one line", "@durable\ndef f(g):\n    ran()\n    return g(1)\n# %%\ngot['value'] = [f(g) for g in (lambda x: x + 1, lambda x: x + 2, lambda x: x - 1)]", 3, [2, 3, 0], or_said=PLAIN),
    entries("61", "a partial with another bound value", "from functools import partial\ndef add(a, b): return a + b\n@durable\ndef f(g):\n    ran()\n    return g(1)\n# %%\ngot['value'] = [f(partial(add, 1)), f(partial(add, 2)), f(partial(add, b=5))]", 3, [2, 3, 6]),
    hit("62", "a forest fitted again with the same seed", "from sklearn.ensemble import RandomForestClassifier\nimport numpy as np\nX = np.arange(40.0).reshape(20, 2); y = (X[:, 0] > 20).astype(int)\nm = RandomForestClassifier(5, random_state=3).fit(X, y)\n# %%\n@durable\ndef f(m):\n    ran()\n    return m.predict([[1.0, 2.0]]).tolist()\n# %%\ngot['value'] = f(m)", ["", ""], [0], preload=("sklearn.ensemble",), or_said=PLAIN),
    entries("62a", "forests of other seeds and settings", "from sklearn.ensemble import RandomForestClassifier\nimport numpy as np\nX = np.arange(40.0).reshape(20, 2); y = (X[:, 0] > 20).astype(int)\n# %%\n@durable\ndef f(m):\n    ran()\n    return m.n_estimators\n# %%\ngot['value'] = [f(RandomForestClassifier(n, random_state=s).fit(X, y)) for n, s in [(5, 3), (5, 4), (6, 3)]] + [f(RandomForestClassifier(5, random_state=3))]", 4, [5, 5, 6, 5], preload=("sklearn.ensemble",), or_said=PLAIN),
    hit("63", "an instance of a notebook class, nothing changed", "class Model:\n    def __init__(self, k): self.k = [k, {'a': None}]\n    def fit(self): return self.k[0]\n# %%\n@durable\ndef f(m):\n    ran()\n    return m.fit()\n# %%\ngot['value'] = f(Model(5))", ["", ""], 5),
    hit("63a", "instances of a dataclass, an enum, a namedtuple, of slots, nothing changed", "import enum, collections, dataclasses\n@dataclasses.dataclass(frozen=True)\nclass D:\n    a: int\n    b: list = dataclasses.field(default_factory=list)\nclass E(enum.Enum):\n    A = 1\n    B = 'two'\nN = collections.namedtuple('N', 'a b')\nclass S:\n    __slots__ = ('a', 'b')\n    def __init__(self): self.a = 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return type(x).__name__\n# %%\ngot['value'] = [f(x) for x in [D(1), D(2), E.A, E.B, N(1, 2), S()]]", ["", ""], ["D", "D", "E", "E", "N", "S"], runs=6),
    Trap("64", "the argument is changed in place between two calls", "@durable\ndef f(x):\n    ran()\n    return sum(x)\n# %%\nx = [1]\na = f(x)\nx.append(2)\ngot['value'] = [a, f(x)]", ("", ""), (2, 0), ([1, 3], [1, 3])),
    Trap("64a", "a frame is changed in place between calls, in every way", """
import numpy as np, pandas as pd
@durable
def f(x):
    ran()
    return float(x.sum().sum())
# %%
df = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
out = [f(df)]
df.loc[0, "a"] = 10.0; out.append(f(df))
df["c"] = 1.0; out.append(f(df))
df.iloc[1, 1] = 0.0; out.append(f(df))
df["a"].array[0] = 100.0; out.append(f(df))
df.drop(columns="c", inplace=True); out.append(f(df))
df.index = [7, 8]; f(df)
v = df["b"].to_numpy(); v.setflags(write=True); v[0] = 50.0; out.append(f(df))
got["value"] = out
""", ("", ""), (8, 0), ([10.0, 19.0, 21.0, 17.0, 107.0, 105.0, 152.0],) * 2, preload=PANDAS),
    Trap("64b", "an array, a nested dict and an object are changed in place between calls", """
import numpy as np
class Box: pass
@durable
def f(a, d, b):
    ran()
    return float(a.sum()) + d["k"]["v"][0] + b.inner.x
# %%
a = np.zeros(4); view = a[1:]; d = {"k": {"v": [1]}}; b = Box(); b.inner = Box(); b.inner.x = 1
out = [f(a, d, b)]
view[0] = 5; out.append(f(a, d, b))
d["k"]["v"][0] = 2; out.append(f(a, d, b))
b.inner.x = 7; out.append(f(a, d, b))
got["value"] = out
""", ("", ""), (4, 0), ([2.0, 7.0, 8.0, 14.0],) * 2, preload=NUMPY),
    recompute("65", "the argument is a path and the file's content changes", "@durable\ndef f(path):\n    ran()\n    return open(path).read()\n# %%\ngot['value'] = f('data.txt')", ["one", "two"], ["one", "two"], files={"data.txt": "§"}),
    recompute("65a", "the same with a Path, read by pandas", "import pandas as pd, pathlib\n@durable\ndef f(path):\n    ran()\n    return int(pd.read_csv(path).a.sum())\n# %%\ngot['value'] = f(pathlib.Path('data.csv'))", "12", [1, 2], files={"data.csv": "a\n§\n"}, preload=PANDAS),
    recompute("66a", "the file is read by a helper of a local module", "import mymod\n@durable\ndef f():\n    ran()\n    return mymod.load()\n# %%\ngot['value'] = f()", ["one", "two"], ["one", "two"], files={"data.txt": "§", "mymod.py": "import pathlib\ndef load(): return pathlib.Path('data.txt').read_text()\n"}),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_arguments_count_by_content(trap: Trap, tmp_path: Path) -> None:
    """By type, length and content; never by how they look, where they lie, or who made them."""
    spring(trap, tmp_path)


def test_39_keywords_in_another_order_never_give_the_other_order_s_answer(tmp_path: Path) -> None:
    """One run would be a bonus; the value is what counts."""
    cells = "@durable\ndef f(**k):\n    ran()\n    return list(k)\n# %%\ngot['value'] = [f(a=1, b=2), f(b=2, a=1)]"
    book = Notebook(tmp_path)
    first, second = book.run(cells), book.run(cells)
    assert [["a", "b"], ["b", "a"]] == first.got["value"] == second.got["value"]
    assert (2, 0) == (first.runs, second.runs)


def test_56_layout_of_an_array_gives_the_value_either_way(tmp_path: Path) -> None:
    """One run is a bonus, two are fine."""
    cells = """
import numpy as np
@durable
def f(x):
    ran()
    return x.sum(axis=0).tolist()
# %%
a = np.arange(6.0).reshape(2, 3)
big = np.arange(12.0).reshape(2, 6)
got["value"] = [f(a), f(np.asfortranarray(a)), f(big[:, ::2]), f(big[:, ::2].copy())]
"""
    book = Notebook(tmp_path, ("numpy",))
    first, second = book.run(cells), book.run(cells)
    assert [[3.0, 5.0, 7.0]] * 2 + [[6.0, 10.0, 14.0]] * 2 == first.got["value"] == second.got["value"]
    assert 0 == second.runs


def test_65_same_size_and_times_set_back_do_not_hide_an_edit(tmp_path: Path) -> None:
    """The change time of a file is nobody's to set."""
    book = Notebook(tmp_path)
    path = book.write("data.txt", "one")
    cells = "@durable\ndef f(path):\n    ran()\n    return open(path).read()\n# %%\ngot['value'] = f('data.txt')"
    first = book.run(cells)
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    second, third = book.run(cells), book.run(cells)
    assert ["one", "two", "two"] == [outcome.got["value"] for outcome in (first, second, third)]
    assert [1, 1, 0] == [outcome.runs for outcome in (first, second, third)]
    assert "data.txt" in second.said
