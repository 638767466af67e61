# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Traps for `%%durable` cells (CELLS.md 2, 3, 5 and 10): each program comes out as it does without the magic line.

The oracle is the same notebook with the `%%durable` lines taken out. `ran()` in a durable cell counts its runs: a
program in `REPLAYED` must not run it in the second session.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from trap_sessions import Notebook

pytestmark = pytest.mark.slow

REPLAYED = {
    "names are bound": "%%durable\nran()\na, b = 1, [2]\nc = {'k': b}\n# %%\nb.append(3)\ngot['v'] = [a, b, c]",
    "a chain of cells": "x = 1\n# %%\n%%durable\nran(a)\ny = x + 1\n# %%\n%%durable\nran(b)\nz = y * 2\n# %%\ngot['v'] = [x, y, z]",
    "a helper of another cell": "def h(x): return x + 1\n# %%\n%%durable\nran()\ny = h(1)\n# %%\ngot['v'] = y",
    "a label": "%%durable train\nran()\ny = 1\n# %%\ngot['v'] = y",
    "imports": "%%durable\nimport math, os.path\nfrom json import dumps as d\nran()\ny = math.pi\n# %%\ngot['v'] = [y, math.e, os.path.sep, d(1)]",
    "an import of a submodule": "%%durable\nimport xml.etree.ElementTree\nran()\ny = 1\n# %%\ngot['v'] = xml.etree.ElementTree.fromstring('<a/>').tag",
    "a loop variable stays": "%%durable\nran()\nfor i in range(3): pass\n# %%\ngot['v'] = i",
    "a loop that runs no times": "i = 7\n# %%\n%%durable\nran()\nn = 0\nfor i in []: n += 1\n# %%\ngot['v'] = [i, n]",
    "a branch that is not taken": "mode, flag = 1, False\n# %%\n%%durable\nran()\ny = 0\nif flag: mode = 9\n# %%\ngot['v'] = [mode, y]",
    "the same object is bound again": "mode = 5\n# %%\n%%durable\nran()\nmode = 5\ny = 1\n# %%\ngot['v'] = mode",
    "walrus and unpacking": "%%durable\nran()\nif (n := 3) > 2: a, (b, *c) = 1, (2, 3, 4)\n# %%\ngot['v'] = [n, a, b, c]",
    "match binds": "%%durable\nran()\nmatch {'k': [1, 2]}:\n    case {'k': [p, *q], **r}: pass\n# %%\ngot['v'] = [p, q, r]",
    "except as, which unbinds": "%%durable\nran()\ntry: 1 / 0\nexcept ZeroDivisionError as e: y = str(e)\n# %%\ngot['v'] = [y, 'e' in dir()]",
    "a comprehension's variable of a user's name": "i = 7\n# %%\n%%durable\nran()\ny = [i for i in range(3)]\n# %%\ngot['v'] = [i, y]",
    "del of a name": "a, b = 1, 2\n# %%\n%%durable\nran()\nc = a\ndel b\n# %%\ngot['v'] = [c, 'b' in dir()]",
    "aliases among the names": "%%durable\nran()\na = [1]\nb = a\nc = {'k': a}\n# %%\na.append(2)\ngot['v'] = [b, c, b is a, c['k'] is a]",
    "top-level await": "import asyncio\n# %%\n%%durable\nawait asyncio.sleep(0)\nran()\ny = 2\n# %%\ngot['v'] = y",
    "a class body reads": "K = 1\n# %%\n%%durable\nran()\ny = [K for _ in [0]][0]\n# %%\ngot['v'] = y",
    "a closed file is left over": "open('a.txt', 'w').write('x')\n# %%\n%%durable\nran()\nwith open('a.txt') as fh: y = fh.read()\n# %%\ngot['v'] = [y, fh.closed]",
    "the last value": "%%durable\nran()\ny = 1\ny + 1\n# %%\ngot['v'] = y",
    "a durable function is called": "@durable\ndef f(x):\n    ran(f)\n    return x + 1\n# %%\n%%durable\nran()\ny = f(1)\n# %%\ngot['v'] = y",
}  # fmt: skip

RIGHT = {
    "a frame, an array, a view of it": "import numpy as np, pandas as pd\n# %%\n%%durable\nran()\na = np.zeros(4)\nv = a[:2]\ndf = pd.DataFrame({'a': [1, None]})\n# %%\nv[0] = 5\ngot['v'] = [a.tolist(), df.to_csv()]",
    "a name is changed in place": "a = [1]\n# %%\n%%durable\na.append(2)\nb = len(a)\n# %%\ngot['v'] = [a, b]",
    "the same cell twice": "x = 1\n# %%\n%%durable\nx += 1\n# %%\n%%durable\nx += 1\n# %%\ngot['v'] = x",
    "append of the length, in two cells": "x = []\n# %%\n%%durable\nx.append(len(x))\n# %%\n%%durable\nx.append(len(x))\n# %%\ngot['v'] = x",
    "aliasing of the inputs": "x = [1]\ny = x\n# %%\n%%durable\nx.append(1)\nn = len(y)\n# %%\na = n\nx, y = [1], [1]\n# %%\n%%durable\nx.append(1)\nn = len(y)\n# %%\ngot['v'] = [a, n]",
    "a view and a copy as inputs": "import numpy as np\na = np.zeros(3)\nv = a[:2]\n# %%\n%%durable\na[0] = 9; s = float(v.sum())\n# %%\none = s\na = np.zeros(3); v = a[:2].copy()\n# %%\n%%durable\na[0] = 9; s = float(v.sum())\n# %%\ngot['v'] = [one, s]",
    "a name bound to an input": "a = [1]\n# %%\n%%durable\nb = a\n# %%\nb.append(2)\ngot['v'] = [a, b]",
    "a name bound to a part of an input": "a = {'k': [1]}\n# %%\n%%durable\nb = {'x': a['k']}\n# %%\nb['x'].append(2)\ngot['v'] = [a, b]",
    "a view of an input": "import numpy as np\na = np.zeros(3)\n# %%\n%%durable\nv = a[:2]\nw = 1\n# %%\nv[0] = 5\ngot['v'] = a.tolist()",
    "a Series over an input array": "import numpy as np, pandas as pd\na = np.zeros(3)\n# %%\n%%durable\ns = pd.Series(a, copy=False)\n# %%\ns.array[0] = 5\ngot['v'] = a.tolist()",
    "a column of an input frame": "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\n# %%\n%%durable\ns = df['a']\n# %%\ns.iloc[0] = 9\ngot['v'] = [df.a.tolist(), s.tolist()]",
    "a frame is changed in place": "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\nd2 = df\n# %%\n%%durable\ndf['b'] = 1\ndf.loc[0, 'a'] = 5\n# %%\ngot['v'] = [df.to_csv(), d2.to_csv()]",
    "a frame is replaced by itself": "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\n# %%\n%%durable\ndf = df.assign(b=2)\n# %%\ngot['v'] = df.to_csv()",
    "a name that exists or not": "%%durable\nif 'big' not in globals(): big = 1\nelse: big = 2\n# %%\none = big\n# %%\n%%durable\nif 'big' not in globals(): big = 1\nelse: big = 2\n# %%\ngot['v'] = [one, big]",
    "try a name that is unbound": "%%durable\ntry: y = thing\nexcept NameError: y = 'none'\n# %%\none = y; thing = 3\n# %%\n%%durable\ntry: y = thing\nexcept NameError: y = 'none'\n# %%\ngot['v'] = [one, y]",
    "a name that may be bound is read later": "flag = True\nmode = 1\n# %%\n%%durable\nif flag: mode = 9\nn = 0\n# %%\none = mode\nflag = False; mode = 4\n# %%\n%%durable\nif flag: mode = 9\nn = 0\n# %%\ngot['v'] = [one, mode]",
    "an ambiguous name keeps its newer value": "flag = False\nmode = 1\n# %%\n%%durable\nif flag: mode = 9\nn = 0\n# %%\nmode = 2\n# %%\n%%durable\nif flag: mode = 9\nn = 0\n# %%\ngot['v'] = mode",
    "a query by @": "import pandas as pd\nthr = 1\ndf = pd.DataFrame({'a': [1, 2, 3]})\n# %%\n%%durable\nn = len(df.query('a > @thr'))\n# %%\none = n; thr = 2\n# %%\n%%durable\nn = len(df.query('a > @thr'))\n# %%\ngot['v'] = [one, n]",
    "a text with globals": "k = 1\n# %%\n%%durable\ny = '{k}'.format(**globals())\n# %%\none = y; k = 2\n# %%\n%%durable\ny = '{k}'.format(**globals())\n# %%\ngot['v'] = [one, y]",
    "exec and eval": "k = 1\n# %%\n%%durable\nexec('y = k + 1')\nz = eval('k + 2')\n# %%\none = [y, z]; k = 2\n# %%\n%%durable\nexec('y = k + 1')\nz = eval('k + 2')\n# %%\ngot['v'] = [one, y, z]",
    "vars, locals, dir": "k = 1\n# %%\n%%durable\ny = [vars()['k'], locals()['k'], 'k' in dir()]\n# %%\none = y; k = 2\n# %%\n%%durable\ny = [vars()['k'], locals()['k'], 'k' in dir()]\n# %%\ngot['v'] = [one, y]",
    "%time inside": "k = 1\n# %%\n%%durable\n%time y = k + 1\n# %%\none = y; k = 2\n# %%\n%%durable\n%time y = k + 1\n# %%\ngot['v'] = [one, y]",
    "%%time below": "k = 1\n# %%\n%%durable\n%%time\ny = k + 1\n# %%\none = y; k = 2\n# %%\n%%durable\n%%time\ny = k + 1\n# %%\ngot['v'] = [one, y]",
    "%%capture below": "k = 1\n# %%\n%%durable\n%%capture out\nprint(k)\n# %%\none = out.stdout; k = 2\n# %%\n%%durable\n%%capture out\nprint(k)\n# %%\ngot['v'] = [one, out.stdout]",
    "a shell command": "k = 1\n# %%\n%%durable\nout = !echo {k}\n# %%\none = list(out); k = 2\n# %%\n%%durable\nout = !echo {k}\n# %%\ngot['v'] = [one, list(out)]",
    "_ and Out": "1 + 1\n# %%\n%%durable\ny = _ + 1\n# %%\none = y\n# %%\n5\n# %%\n%%durable\ny = _ + 1\n# %%\ngot['v'] = [one, y]",
    "a function is defined": "K = 1\n# %%\n%%durable\ndef h(x): return x + K\ny = h(1)\n# %%\nK = 5\ngot['v'] = [y, h(1)]",
    "a class is defined": "%%durable\nclass C:\n    n = 0\n    def m(self): return 1\nc = C()\n# %%\ngot['v'] = [type(c) is C, C().m(), isinstance(c, C)]",
    "a function writes a global": "n = 0\ndef bump():\n    global n\n    n += 1\n# %%\n%%durable\nbump()\ny = 1\n# %%\ngot['v'] = n",
    "a function makes a global": "def make():\n    global made\n    made = 5\n# %%\n%%durable\nmake()\ny = 1\n# %%\ngot['v'] = made",
    "a helper changes a list": "items = []\ndef note(x): items.append(x)\n# %%\n%%durable\nnote(1)\ny = 1\n# %%\ngot['v'] = items",
    "an attribute of an object": "class C: pass\nc = C()\n# %%\n%%durable\nc.x = 1\ny = 1\n# %%\ngot['v'] = c.x",
    "an attribute of a class, of a function, of a module": "import mymod\nclass C: x = 0\ndef h(): pass\n# %%\n%%durable\nC.x = 1; h.k = 2; mymod.extra = 3; mymod.TABLE['a'] = 4\ny = 1\n# %%\ngot['v'] = [C.x, h.k, mymod.extra, mymod.TABLE]",
    "a module's function writes a global of the module": "import mymod\n# %%\n%%durable\nmymod.bump()\ny = 1\n# %%\ngot['v'] = mymod.N",
    "a star import": "%%durable\nfrom mymod import *\ny = N\n# %%\ngot['v'] = [y, N, TABLE]",
    "a generator, a lock, a file are bound": "import threading\n# %%\n%%durable\ng = (i for i in range(3))\nl = threading.Lock()\nfh = open('out.txt', 'w')\ny = 1\n# %%\ngot['v'] = [list(g), l.locked(), fh.closed, y]",
    "an iterator is used up": "it = iter([1, 2, 3])\n# %%\n%%durable\ny = next(it)\n# %%\ngot['v'] = [y, list(it)]",
    "a generator of random numbers moves": "import numpy as np, random\nr, p = np.random.default_rng(1), random.Random(1)\n# %%\n%%durable\ny = [float(r.random()), p.random()]\n# %%\ngot['v'] = [y, float(r.random()), p.random()]",
    "deque, Counter, bytearray, a subclass": "from collections import Counter, deque\nclass L(list): pass\na, b, c, d = deque(), Counter(), bytearray(), L()\n# %%\n%%durable\na.append(1); b['x'] += 1; c.extend(b'z'); d.k = 1\n# %%\ngot['v'] = repr([a, b, c, d.k])",
    "a cache is filled": "import functools\n@functools.lru_cache\ndef h(x):\n    seen.append(x)\n    return x\nseen = []\n# %%\n%%durable\ny = h(1)\n# %%\nh(1)\ngot['v'] = [y, seen]",
    "closure cells": "def make():\n    n = 0\n    def inc():\n        nonlocal n\n        n += 1\n    return inc, lambda: n\ninc, get = make()\n# %%\n%%durable\ninc()\ny = get()\n# %%\ngot['v'] = [y, get()]",
    "a default that grows": "def h(x, acc=[]):\n    acc.append(x)\n    return len(acc)\n# %%\n%%durable\ny = h(1)\n# %%\ngot['v'] = [y, h(1)]",
    "a cell raises after it bound and changed": "a = []\n# %%\n%%durable\nb = 1\na.append(1)\nraise ValueError('x')\n# %%\ngot['v'] = [a, b]",
    "the class cell is run again, an old instance": "class P:\n    def m(self): return 1\np = P()\n# %%\nclass P:\n    def m(self): return 2\n# %%\n%%durable\ny = [p.m(), type(p) is P]\n# %%\ngot['v'] = y",
    "a helper is edited between two equal cells": "def h(x): return x + 1\n# %%\n%%durable\ny = h(1)\n# %%\none = y\n# %%\ndef h(x): return x + 2\n# %%\n%%durable\ny = h(1)\n# %%\ngot['v'] = [one, y]",
    "instances of a notebook class": "class C:\n    def __init__(self, k): self.k = k\n# %%\n%%durable\nc = C([1])\n# %%\ngot['v'] = [type(c) is C, c.k]",
    "a file is read, then changed": "open('a.txt', 'w').write('1')\n# %%\n%%durable\ny = open('a.txt').read()\n# %%\none = y\n# %%\nopen('a.txt', 'w').write('2')\n# %%\n%%durable\ny = open('a.txt').read()\n# %%\ngot['v'] = [one, y]",
    "a file is written": "%%durable\nwith open('out.txt', 'a') as fh: fh.write('x')\ny = open('out.txt').read()[:1]\n# %%\ngot['v'] = y",
    "os.chdir": "import os\nos.makedirs('sub', exist_ok=True)\nopen('a.txt', 'w').write('1')\nopen('sub/a.txt', 'w').write('2')\n# %%\n%%durable\ny = open('a.txt').read()\n# %%\none = y\n# %%\nos.chdir('sub')\n# %%\n%%durable\ny = open('a.txt').read()\n# %%\nos.chdir('..')\ngot['v'] = [one, y]",
    "two frames over one block": "import pandas as pd\n# %%\n%%durable\na = pd.DataFrame({'x': [1, 2]})\nb = a.copy(deep=False)\n# %%\na.loc[0, 'x'] = 9\ngot['v'] = [a.x.tolist(), b.x.tolist()]",
    "del, then read": "a = 1\n# %%\n%%durable\ndel a\nb = 1\n# %%\ntry: y = a\nexcept NameError: y = 'gone'\ngot['v'] = y",
    "a name of an underscore": "_k = 1\n# %%\n%%durable\n_x = _k + 1\ny = _x\n# %%\none = y; _k = 5\n# %%\n%%durable\n_x = _k + 1\ny = _x\n# %%\ngot['v'] = [one, y, _x]",
    "an estimator is fitted in place": "from sklearn.linear_model import LinearRegression\nimport numpy as np\nm = LinearRegression()\nkeep = [m]\n# %%\n%%durable\nm.fit(np.array([[1.0], [2.0]]), np.array([1.0, 2.0]))\ny = 1\n# %%\ngot['v'] = round(float(keep[0].coef_[0]), 6)",
    "numpy's global state is seeded": "import numpy as np\nnp.random.seed(3)\n# %%\n%%durable\na = float(np.random.rand())\n# %%\ngot['v'] = a",
    "the order of inputs' dict": "d = {'a': 1, 'b': 2}\n# %%\n%%durable\ny = list(d)\n# %%\none = y\nd = {'b': 2, 'a': 1}\n# %%\n%%durable\ny = list(d)\n# %%\ngot['v'] = [one, y]",
    "a type of equal value": "k = 1\n# %%\n%%durable\ny = repr(k)\n# %%\none = y; k = True\n# %%\n%%durable\ny = repr(k)\n# %%\ngot['v'] = [one, y]",
    "a nested function reads a global that is bound later in the cell": "k = 1\n# %%\n%%durable\ndef h(): return k\ny = h()\nk = 5\nz = h()\n# %%\ngot['v'] = [y, z, k]",
    "a lambda of the cell reads a later name": "%%durable\ny = (lambda: later)\nlater = 3\nz = y()\n# %%\ngot['v'] = z",
}  # fmt: skip

EDITS = {
    "a helper is edited": ("def h(x): return x + §\n# %%\n%%durable\nran()\ny = h(1)\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "an input changes": ("k = §\n# %%\n%%durable\nran()\ny = k + 1\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "an input of an input changes": ("k = [{'a': §}]\n# %%\n%%durable\nran()\ny = k[0]['a']\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "the cell is edited": ("%%durable\nran()\ny = §\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "the cell is edited and keeps its label": ("%%durable step\nran()\ny = §\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a comment and layout": ("%%durable\nran()\ny = (1)§\n# %%\ngot['v'] = y", ["", "  # one\n"], (1, 0, 0)),
    "an unread name changes": ("k = §\n# %%\n%%durable\nran()\ny = 1\n# %%\ngot['v'] = y", "12", (1, 0, 0)),
    "a module is edited": ("import mymod\n# %%\n%%durable\nran()\ny = mymod.g(1)\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a module that the cell imports is edited": ("%%durable\nimport mymod\nran()\ny = mymod.g(1)\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a method of a class is edited": ("class C:\n    def m(self): return §\n# %%\n%%durable\nran()\ny = C().m()\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a method of an input's class is edited": ("class C:\n    def m(self): return §\nc = C()\n# %%\n%%durable\nran()\ny = c.m()\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a durable function is edited": ("@durable\ndef f(x): return x + §\n# %%\n%%durable\nran()\ny = f(1)\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a file that is read changes": ("%%durable\nran()\ny = open('data.txt').read()\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a file that a durable function reads changes": ("@durable\ndef f(): return open('data.txt').read()\n# %%\n%%durable\nran()\ny = f()\n# %%\ngot['v'] = y", "12", (1, 1, 0)),
    "a name was unbound": ("§\n# %%\n%%durable\nran()\ntry: y = late\nexcept NameError: y = 0\n# %%\ngot['v'] = y", ["", "late = 3"], (1, 1, 0)),
    "a type hint is added": ("%%durable\nran()\ny§ = 1\n# %%\ngot['v'] = y", ["", ": int"], None),
    "the same cell in another place": ("§0\n# %%\n%%durable\nran()\ny = 1\n# %%\n§1\n# %%\ngot['v'] = y", [("a = 1", "b = 2"), ("", "b = 3")], (1, 0, 0)),
}  # fmt: skip


def plain(cells: str) -> str:
    """The same notebook without its durable lines."""
    return re.sub(r"^%%durable.*\n", "", cells, flags=re.MULTILINE)


def begun(place: Path, cells: str) -> Notebook:
    return Notebook(place, ("pandas",) if re.search("pandas|numpy|sklearn", cells) else ())


@pytest.mark.parametrize("name", [*REPLAYED, *RIGHT])
def test_a_durable_cell_comes_out_as_a_plain_one(name: str, tmp_path: Path) -> None:
    """In the first session, and in the second."""
    cells = "%load_ext resonate_nb\n# %%\n" + (REPLAYED | RIGHT)[name]
    book = begun(tmp_path, cells)
    book.write("mymod.py", "TABLE = {}\nN = 0\ndef bump():\n    global N\n    N += 1\n")
    expected = book.run(plain(cells))
    assert "v" in expected.got, expected.said
    before = [(found, message) for _, found, message in expected.errors]
    for session in range(2):
        outcome = book.run(cells)
        where = f"session {session + 1}\n{outcome.said}"
        assert expected.got == outcome.got, where
        assert before == [(found, message) for _, found, message in outcome.errors], where
        if name in REPLAYED:
            assert (0 if session else outcome.runs) == outcome.runs > -session, where


@pytest.mark.parametrize("name", EDITS)
def test_a_durable_cell_runs_again_when_it_must(name: str, tmp_path: Path) -> None:
    """And only then."""
    text, turns, runs = EDITS[name]
    book = begun(tmp_path, text)
    for session, turn in enumerate([*turns, turns[-1]]):
        cells = text
        for number, part in enumerate([turn] if isinstance(turn, str) else turn):
            cells = cells.replace("§" if isinstance(turn, str) else f"§{number}", part)
        book.write("mymod.py", f"def g(x): return x + {session and 1}\n")
        book.write("data.txt", str(session and 1))
        expected = book.run(plain(cells))
        outcome = book.run("%load_ext resonate_nb\n# %%\n" + cells)
        assert expected.got == outcome.got, outcome.said
        assert not outcome.errors, outcome.said
        if runs is not None:
            assert runs[session] == outcome.runs, f"session {session + 1}\n{outcome.said}"
