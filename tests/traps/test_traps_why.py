"""What is said of each kind of change, over two sessions: the same line before the run, in the log, and afterwards."""

# ruff: noqa: E501 (a table reads best with a row on a line)

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from trap_sessions import CHANGES, Notebook

pytestmark = pytest.mark.slow

FRAME = "import pandas as pd\n# %%\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': [1.0, 2.0, 3.0], 'c': pd.Categorical(list('xyx'))})§"
ARRAY = "import numpy as np\n# %%\narr = §"
READS_DF = "@durable\ndef f(x=0):\n    ran()\n    return len(df)"
READS_ARR = "@durable\ndef f(x=0):\n    ran()\n    return len(arr)"


@dataclass(frozen=True)
class Said:
    """What stands for ``§`` in the two sessions, and the line that the change gives."""

    title: str
    head: str
    turns: tuple[str, str]
    function: str
    line: str
    arguments: str = ""
    files: tuple[tuple[str, str], ...] = ()
    preload: bool = False
    environ: str = ""


def of_frame(title: str, change: str, line: str) -> Said:
    return Said(title, FRAME, ("", f"\n# %%\n{change}"), READS_DF, f"global `df`: {line}", preload=True)


def of_argument(title: str, change: str, line: str) -> Said:
    taking = "@durable\ndef f(df):\n    ran()\n    return len(df)"
    return Said(title, FRAME, ("", f"\n# %%\n{change}"), taking, f"argument `df`: {line}", "df", preload=True)


def of_array(title: str, before: str, after: str, line: str) -> Said:
    return Said(title, ARRAY, (before, after), READS_ARR, f"global `arr`: {line}", preload=True)


ONE, TWO = "12"
USES = "@durable\ndef f(x=0):\n    ran()\n    return use(x)"
SAID = [
    Said("function", "", (ONE, TWO), "@durable\ndef f(x=0):\n    ran()\n    return x + §", "code of `f` changed"),
    Said("helper", "def use(x): return x + §", (ONE, TWO), USES, "code of `use` changed"),
    Said(
        "helper of a helper",
        "def low(x): return x + §\ndef use(x): return low(x)",
        (ONE, TWO),
        USES,
        "code of `low` changed",
    ),
    Said(
        "both",
        "def use(x): return x + §",
        (ONE, TWO),
        USES.replace("use(x)", "use(x) + §"),
        "code of `f` changed; code of `use` changed",
    ),
    Said(
        "method",
        "class Model:\n    def go(self, x): return x + §\ndef use(x): return Model().go(x)",
        (ONE, TWO),
        USES,
        "code of `Model.go` changed",
    ),
    Said(
        "new helper",
        "def extra(x): return x\ndef use(x): return §",
        ("x", "extra(x)"),
        USES,
        "code of `use` changed; now uses `extra`",
    ),
    Said(
        "helper gone",
        "def extra(x): return x\ndef use(x): return §",
        ("extra(x)", "x"),
        USES,
        "code of `use` changed; no longer uses `extra`",
    ),
    Said(
        "module",
        "import mine",
        (ONE, TWO),
        USES.replace("use(x)", "mine.go(x)"),
        "code of `mine.go` changed",
        files=(("mine.py", "def go(x):\n    return x + §\n"),),
    ),
    Said(
        "module's constant",
        "import mine",
        (ONE, TWO),
        USES.replace("use(x)", "mine.go(x)"),
        "global `mine.K`: 1 → 2",
        files=(("mine.py", "K = §\ndef go(x):\n    return x + K\n"),),
    ),
    Said("constant", "K = §", (ONE, TWO), USES.replace("use(x)", "K"), "global `K`: 1 → 2"),
    Said("type of a constant", "K = §", ("1", "1.0"), USES.replace("use(x)", "K"), "global `K`: 1 → 1.0"),
    Said("text", "K = §", ("'no'", "'se'"), USES.replace("use(x)", "K"), "global `K`: 'no' → 'se'"),
    Said(
        "secret",
        "API_KEY = §",
        ("'one'", "'two'"),
        USES.replace("use(x)", "API_KEY"),
        "global `API_KEY`: its text differs, which is not shown",
    ),
    Said(
        "closure",
        "def make(k):\n    def g(x): return x + k\n    return g\nuse = make(§)",
        (ONE, TWO),
        USES,
        "closure variable `make.g.k`: 1 → 2",
    ),
    Said(
        "closure of the function itself",
        "",
        (ONE, TWO),
        "def make(n):\n    @durable\n    def f(x=0):\n        ran()\n        return x + n\n    return f\nf = make(§)",
        "closure variable `n`: 1 → 2",
    ),
    Said("list", "K = [1, §, 3]", (ONE, TWO), USES.replace("use(x)", "K"), "global `K`: position 1: 1 → 2"),
    Said(
        "dict",
        "K = {'a': [§], 'b': 0}",
        (ONE, TWO),
        USES.replace("use(x)", "K"),
        "global `K`: key `'a'`: position 0: 1 → 2",
    ),
    Said(
        "dict's keys",
        "K = {'a': 1§}",
        ("", ", 'b': 2"),
        USES.replace("use(x)", "K"),
        "global `K`: size 1 → 2, key `'b'` added",
    ),
    Said("set", "K = {1, §}", (TWO, "3"), USES.replace("use(x)", "K"), "global `K`: member 2 gone, member 3 added"),
    Said(
        "instance",
        "class Conf: pass\nK = Conf()\nK.rate = §",
        (ONE, TWO),
        USES.replace("use(x)", "K.rate"),
        "global `K`: attribute `rate`: 1 → 2",
    ),
    of_frame("column's values", "df = df.assign(a=[1, 2, 4])", "column `a`: values differ"),
    of_frame("column renamed", "df = df.rename(columns={'b': 'delay'})", "column `b` renamed to `delay`"),
    of_frame("column moved", "df = df[['b', 'c', 'a']]", "column `a` moved"),
    of_frame("column added", "df['z'] = 1", "column `z` added"),
    of_frame("column gone", "del df['b']", "column `b` gone"),
    of_frame("dtype", "df['a'] = df['a'].astype(float)", "column `a`: dtype int64 → float64"),
    of_frame("rows", "df = df.iloc[:2]", "rows 3 → 2"),
    of_frame("index", "df.index = pd.RangeIndex(5, 8)", "index differs"),
    of_frame("categories", "df['c'] = df['c'].cat.add_categories(['q'])", "column `c`: categories differ"),
    of_frame("attrs", "df.attrs['unit'] = 'min'", "attrs or flags differ"),
    of_argument("argument's column", "df = df.rename(columns={'b': 'delay'})", "column `b` renamed to `delay`"),
    of_argument("argument's rows", "df = df.iloc[:2]", "rows 3 → 2"),
    Said(
        "settings of a package",
        "import numpy as np\nnp.seterr(divide='§')",
        ("ignore", "raise"),
        "@durable\ndef f(x=0):\n    ran()\n    return str(np.float64(x))",
        "settings of numpy: key `'divide'`: 'ignore' → 'raise'",
        preload=True,
    ),
    Said(
        "settings that have no names",
        "import decimal\ndecimal.getcontext().prec = 3§",
        (ONE, TWO),
        "@durable\ndef f(x=0):\n    ran()\n    return str(decimal.Decimal(x))",
        "settings of decimal changed",
    ),
    Said(
        "settings for the first time",
        "import decimal\ndecimal.getcontext().prec = §",
        ("28", "27"),
        "@durable\ndef f(x=0):\n    ran()\n    return str(decimal.Decimal(x))",
        "settings of decimal are set to others than the package has",
    ),
    Said(
        "method of an argument",
        "class C:\n    def m(self): return §",
        (ONE, TWO),
        "@durable\ndef f(c):\n    ran()\n    return c.m()",
        "argument `c`: code of `C.m` changed",
        "C()",
    ),
    Said(
        "method of the base of what an argument holds",
        "import mymod\nclass C(mymod.B): pass",
        (ONE, TWO),
        "@durable\ndef f(c):\n    ran()\n    return c['a'][0].m()",
        "argument `c`: code of `mymod.B.m` changed",
        "{'a': [C()]}",
        (("mymod.py", "class B:\n    def m(self): return §"),),
    ),
    Said(
        "what a function reads that is an argument",
        "K = §\ndef g(): return K",
        (ONE, TWO),
        "@durable\ndef f(h):\n    ran()\n    return h()",
        "argument `h`: `K`, which its code reads, differs",
        "g",
    ),
    Said(
        "another method of a durable method's class",
        "",
        (ONE, TWO),
        "class C:\n    def m(self): return §\n    @durable\n    def f(self):\n        ran()\n        return self.m()\nf = C().f",
        "argument `self`: code of `C.m` changed",
    ),
    Said(
        "a durable method",
        "",
        (ONE, TWO),
        "class C:\n    @durable\n    def f(self):\n        ran()\n        return §\nf = C().f",
        "code of `C.f` changed",
    ),
    of_array("shape", "np.zeros((3, 2))", "np.zeros((4, 2))", "shape (3, 2) → (4, 2)"),
    of_array("array's dtype", "np.zeros(3)", "np.zeros(3, 'f4')", "dtype float64 → float32"),
    of_array("array's values", "np.zeros(3)", "np.ones(3)", "values differ"),
    Said(
        "estimator",
        "from sklearn.linear_model import Ridge\nK = Ridge(alpha=§)",
        ("1.0", "0.5"),
        USES.replace("use(x)", "K.alpha"),
        "global `K`: attribute `alpha`: 1.0 → 0.5",
        preload=True,
    ),
    Said(
        "plain argument",
        "",
        (ONE, TWO),
        "@durable\ndef f(x=0):\n    ran()\n    return x",
        "first run with these arguments",
        "§",
    ),
    Said(
        "environment",
        "",
        (ONE, TWO),
        "@durable(env=('REGION',))\ndef f(x=0):\n    ran()\n    return x",
        "environment variable `REGION` changed",
        environ="REGION",
    ),
    Said(
        "file",
        "",
        (ONE, TWO),
        "@durable(files=('./data.txt',))\ndef f(x=0):\n    ran()\n    return x",
        "file ./data.txt changed",
        files=(("data.txt", "§§§"),),
    ),
    Said(
        "many",
        "A = §\nB = §\nC = §\nD = §",
        (ONE, TWO),
        USES.replace("use(x)", "(A, B, C, D)"),
        "global `A`: 1 → 2; global `B`: 1 → 2; global `C`: 1 → 2; and 1 more",
    ),
]


@pytest.mark.parametrize("said", SAID, ids=[said.title for said in SAID])
def test_a_change_is_named_in_the_same_words_everywhere(said: Said, tmp_path: Path) -> None:
    """Asked before the call, logged by it, stored with the promise; and once it has run it is a hit."""
    book = Notebook(tmp_path, ("pandas",) if said.preload else ())
    asks = (
        f"# %%\nimport logging\nlogging.getLogger('resonate_nb').setLevel('DEBUG')\ngot['before'] = f.why({said.arguments}).reason"
        f"\n# %%\nf({said.arguments})\ngot['stored'] = f.get({said.arguments}).why().reason\ngot['hit'] = bool(f.why({said.arguments}))"
    )

    def session(turn: str) -> Any:
        for name, text in said.files:
            book.write(name, text.replace(CHANGES, turn))
        cells = f"{said.head}\n# %%\n{said.function}\n{asks}".replace(CHANGES, turn)
        outcome = book.run(cells, **{said.environ: turn} if said.environ else {})
        assert [] == outcome.errors, outcome.said
        return outcome

    first, second, third = session(said.turns[0]), session(said.turns[1]), session(said.turns[1])
    assert (1, 1, 0) == (first.runs, second.runs, third.runs)
    assert ("first run", "first run", True) == (first.got["before"], first.got["stored"], first.got["hit"])
    assert (said.line, said.line, True) == (second.got["before"], second.got["stored"], second.got["hit"])
    assert f": {said.line}\n" in second.said
    assert ("same code, same arguments", said.line) == (third.got["before"], third.got["stored"])


def test_an_edit_of_an_argument_s_class_is_told_and_another_argument_is_not(tmp_path: Path) -> None:
    """The line is said where nobody asks: the class was edited, which is more than that another object came."""
    cells = "class C:\n    def __init__(self, k=0): self.k = k\n    def m(self): return §\n@durable\ndef f(c):\n    ran()\n    return 1\n# %%\nf(lambda: 1)\nf(lambda: 2)\nf(C())\nf(C(1))"
    book = Notebook(tmp_path)
    assert "f runs" not in book.run(cells.replace(CHANGES, "1")).said
    said = book.run(cells.replace(CHANGES, "2")).said
    assert "f runs: argument `c`: code of `C.m` changed" in said
    assert 1 == said.count("f runs")


def test_the_package_of_another_argument_is_no_news(tmp_path: Path) -> None:
    """The code is as it was: which packages its data are of goes with the argument."""
    cells = "import numpy as np, pandas as pd\n@durable\ndef f(t):\n    ran()\n    return len(t)\n# %%\nf(pd.DataFrame())\nf(np.zeros(1))\nf([])\ngot['why'] = f.why({}).reason"
    outcome = Notebook(tmp_path, ("pandas",)).run(cells)
    assert 3 == outcome.runs
    assert "f runs" not in outcome.said
    assert "argument `t`: list → dict" == outcome.got["why"]


def test_a_cell_says_what_is_new(tmp_path: Path) -> None:
    """Its own code, or what it reads; asked of with the magic."""
    book = Notebook(tmp_path)
    load = "%load_ext resonate_nb\n# %%\n"
    book.run(f"{load}base = 1\n# %%\n%%durable sums\ntotal = base + 1")
    data = book.run(f"{load}base = 2\n# %%\n%%durable sums\ntotal = base + 1\n# %%\n%durable why")
    assert "cell `sums` runs: global `base`: 1 → 2" in data.said, data.said
    assert "cell `sums` ran: global `base`: 1 → 2" in data.said
    code = book.run(f"{load}base = 2\n# %%\n%%durable sums\ntotal = base + 3\n# %%\n%durable why sums")
    assert "cell `sums` runs: its code changed" in code.said, code.said
    assert "+total = base + 3" in code.said
