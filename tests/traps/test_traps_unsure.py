# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""What a key cannot see costs no call its durability and is said; what can be seen is seen. Two sessions and more."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import CALL, Trap, f, hit, recompute, spring

pytestmark = pytest.mark.slow

UNSEEN = r"f: its key does not see everything: it {}"

DRAWS = r"f: it draws from the global generator of `random`; a replay brings back what the first run drew, whatever is"


def said(what: str, *turns: int) -> tuple[str | None, ...]:
    """Said in these sessions of three."""
    return tuple(UNSEEN.format(what) if turn in turns else None for turn in range(3))


TRAPS = [
    hit("24_1", "names made at run time: durable, and said", "K = 1\n# %%\n" + f("return x + globals()['K' * x]"), ("", ""), 2, says=said(r"uses `globals\(\)` in f\. An edit", 0, 1)),
    recompute("24_2", "a name made at run time whose text stands in the code", "A = §\n# %%\n" + f("for name in ('A',): x += globals()[name]\nreturn x"), "12", (2, 3), says=said(r"uses `globals\(\)` in f", 0, 1, 2)),
    recompute("24_3", "a constant name is seen, and nothing is said", "def helper(x): return x + §\n# %%\n" + f("return globals()['helper'](x)"), "12", (2, 3)),
    hit("24_4", "exec: durable, and said", f("d = {}\nexec('y = 1', d)\nreturn d['y'] + x"), ("", ""), 2, says=said(r"uses `exec\(\)` in f", 0, 1)),
    hit("24_5", "eval of an argument", "@durable\ndef f(t):\n    ran()\n    return eval(t)\n# %%\ngot['value'] = f('1 + 1')", ("", ""), 2, says=said(r"uses `eval\(\)` in f", 0, 1)),
    recompute("24_6", "a query names a threshold of the notebook", "import pandas as pd\nthr = §\ndf = pd.DataFrame({'a': [1, 2, 3]})\n# %%\n" + f("return len(df.query('a > @thr'))"), "12", (2, 1), preload=("pandas",)),
    recompute("24_7", "a local module that is asked by a computed name", "import mymod\n# %%\n" + f("return x + getattr(mymod, 'k' + str(x))()"), "12", (2, 3), files={"mymod.py": "def k1(): return §\n"}),
    hit("24_8", "an argument that makes names at run time", "K = 1\ndef g(n): return globals()[n]\n@durable\ndef f(h):\n    ran()\n    return h('K')\n# %%\ngot['value'] = f(g)", ("", ""), 1, says=said(r"uses `globals\(\)` in g", 0, 1)),
    hit("66_1", "an environment variable: durable, and said with the way out", "import os\nos.environ['MODE'] = 'a'\n# %%\n" + f("return os.environ['MODE']"), ("", ""), "a", says=said(r"reads the environment variable `MODE` in f; declare it with env=\('MODE',\)", 0, 1)),
    recompute("66_2", "a declared variable counts, and nothing is said", "import os\nos.environ['MODE'] = '§'\n# %%\n@durable(env=('MODE',))\ndef f(x):\n    ran()\n    return os.environ['MODE']" + CALL, "ab", "ab"),
    hit("66_3", "the command line: durable, and said", "import argparse, sys\nsys.argv = ['x', '--k', 'a']\np = argparse.ArgumentParser()\np.add_argument('--k')\n# %%\n" + f("return p.parse_args().k"), ("", ""), "a", says=said(r"reads the command line by `argparse.ArgumentParser` in f; pass what it takes as an argument", 0, 1)),
    hit("66_4", "the list of arguments: durable, and said", "import sys\nsys.argv = ['x', 'a']\n# %%\n" + f("return sys.argv[1]"), ("", ""), "a", says=said(r"reads the command line by `sys.argv` in f", 0, 1)),
    hit("66_5", "the home directory: durable, and said with the way out", "import os\n# %%\n" + f("return os.path.expanduser('~')[:1]"), ("", ""), "/", says=said(r"reads the environment by `os.expanduser\(\)` in f; declare it with env=\('HOME',\)", 0, 1)),
    hit("66_6", "the home directory, by a path", "from pathlib import Path\n# %%\n" + f("return str(Path.home())[:1]"), ("", ""), "/", says=said(r"reads the environment by `pathlib.home\(\)` in f", 0, 1)),
    recompute("66_7", "a declared home directory counts", "import os\nos.environ['HOME'] = '/§'\n# %%\n@durable(env=('HOME',))\ndef f(x):\n    ran()\n    return os.path.expanduser('~')" + CALL, "ab", ("/a", "/b")),
    hit("66_8", "the working directory: durable, and said", "import os\nfrom pathlib import Path\n# %%\n" + f("return os.getcwd() == str(Path.cwd())"), ("", ""), True, says=said(r"asks for the working directory by `os.getcwd\(\)`", 0, 1)),
    hit("66_9", "a body that sets a variable of the environment: durable, and said", "import os\n# %%\n" + f("os.environ['MODE'] = 'a'\nreturn x"), ("", ""), 1, says=(r"f: it sets environment variables in f; a replay does not\n",) * 2),
    hit("66_10", "a body that undoes what it does: nothing is said", "import os, warnings\n# %%\n" + f("os.chdir('..')\ntry:\n    with warnings.catch_warnings(): warnings.simplefilter('ignore')\n    return x\nfinally: os.chdir('book')"), ("", ""), 1),
    hit("ignore_1", "a variable that is named like an ignored argument: left out, and said", "cfg = {'a': 1}\ndef g(): return cfg['a']\n@durable(ignore=('cfg',))\ndef f(x, cfg=None):\n    ran()\n    return g()\n# %%\ngot['value'] = f(1)", ("", ""), 1, says=said(r"leaves out the variable `cfg` as well, which is named like an ignored argument in g; rename one of the two if it counts\. A change", 0, 1)),
    hit("65_1", "a file that native code reads: durable, and said", "import pandas as pd\npd.DataFrame({'a': [1]}).to_parquet('d.parquet')\n# %%\n" + f("return int(pd.read_parquet('d.parquet').a[0])"), ("", ""), 1, preload=("pandas",), says=said(r"reads files past Python, by `pandas.read_parquet\(\)` in f; name them in files=\. A change there is not noticed", 0, 1)),
    recompute("65_2", "a declared file that native code reads", "import pandas as pd\npd.DataFrame({'a': [§]}).to_parquet('d.parquet')\n# %%\n@durable(files=('d.parquet',))\ndef f(x):\n    ran()\n    return int(pd.read_parquet('d.parquet').a[0])" + CALL, "12", (1, 2), preload=("pandas",)),
    hit("65_3", "a child process: durable, and said", "import subprocess\n# %%\n" + f("return subprocess.run(['true']).returncode"), ("", ""), 0, says=said(r"starts processes by `subprocess.run\(\)`", 0, 1)),
    recompute("65_4", "another file in a folder that is listed", "from pathlib import Path\n# %%\n" + f("return sum(int(p.read_text()) for p in Path('data').glob('*.txt'))"), "12", (1, 2), files={"data/§.txt": "1", "data/§.png": "1"}, says=(None, r"f: runs again, the names of book/data/\*\.txt differ from when they were listed", None)),
    hit("65_5", "another file that a pattern does not ask for", "import glob\n# %%\n" + f("return len(glob.glob('data/*.csv'))"), "12", 0, files={"data/§.txt": "1"}),
    recompute("65_6", "a file behind a cache that another call has filled", "import functools\n@functools.lru_cache\ndef load(): return open('data.txt').read()\n@durable\ndef first():\n    ran(first)\n    return load()\n# %%\n@durable\ndef f(x):\n    ran()\n    return load() * x\n# %%\ngot['value'] = [first(), f(1)]", "ab", (["a", "a"], ["b", "b"]), files={"data.txt": "§"}, runs=2),
    recompute("65_7", "a file behind a cache of a local module, in a cell", "%load_ext resonate_nb\nimport mymod\n# %%\n%%durable\nran(first)\none = mymod.load()\n# %%\n%%durable\nran()\ntwo = mymod.load() * 2\n# %%\ngot['value'] = [one, two]", "ab", (["a", "aa"], ["b", "bb"]), files={"data.txt": "§", "mymod.py": "import functools\n@functools.cache\ndef load(): return open('data.txt').read()\n"}, runs=2),
    Trap("24_9", "another seed in a cell: what had been drawn comes back, and is said", "import random\nrandom.seed(§)\n# %%\n" + f("return round(random.random(), 3)"), "12", (1, 0), (0.134, 0.134), says=(DRAWS, DRAWS)),
    Trap("24_10", "another seed in the body: another code", "import random\n# %%\n" + f("random.seed(§)\nreturn round(random.random(), 3)"), "12", (1, 1), (0.134, 0.956), says=(DRAWS, DRAWS)),
    Trap("24_11", "the same by names that are imported", "import numpy as np\nfrom numpy.random import rand\nfrom random import choice, random, seed\nseed(§); np.random.seed(§)\n# %%\n" + f("return round(random(), 3) + choice([0]) + 0 * float(rand())"), "12", (1, 0), (0.134, 0.134), says=(r"f: it draws from the global generator of `random` and numpy's", r"f: it draws from the global generator of `random`"), preload=("numpy",)),
    hit("24_12", "a cell draws by a name that is imported", "from random import random, seed\nseed(1)\n%load_ext resonate_nb\n# %%\n%%durable\nran()\ny = round(random(), 3)\n# %%\ngot['value'] = [y, round(random(), 3)]", ("", ""), [0.134, 0.847]),
    recompute("4_1", "the precision of decimals is set in another cell", "import decimal\ndecimal.getcontext().prec = §\n# %%\n" + f("return str(decimal.Decimal(x) / 3)"), "34", ("0.333", "0.3333"), says=(None, "settings of decimal", None)),
    recompute("18_1", "a function of a package is replaced in another cell", "import string\nstring.capwords = lambda v: §\n# %%\n" + f("return string.capwords(x)"), "12", (1, 2)),
    recompute("22_1", "defaults are replaced after decoration", "@durable\ndef f(x, n=0):\n    ran()\n    return n\n# %%\nf.__defaults__ = (§,)\n# %%\ngot['value'] = f(1)", "12", (1, 2)),
    recompute("17_1", "a decorator that is a class", "import functools\nclass D:\n    def __init__(self, g):\n        functools.update_wrapper(self, g)\n        self.g = g\n    def __call__(self, x): return self.g(x) + §\n# %%\n@durable\n@D\ndef f(x):\n    ran()\n    return x" + CALL, "12", (2, 3)),
    hit("36_1", "a cell that makes names at run time: durable, and said", "K = 1\nname = 'K'\n# %%\n%load_ext resonate_nb\n# %%\n%%durable\nran()\ny = globals()[name + name[:0]]\n# %%\ngot['value'] = y", ("", ""), 1, says=(r"its key does not see everything: it uses `globals\(\)` in cell",) * 2),
    recompute("36_2", "a cell that asks for a name in a text", "K = §\n# %%\n%load_ext resonate_nb\n# %%\n%%durable\nran()\ny = globals()['K']\n# %%\ngot['value'] = y", "12", (1, 2)),
    Trap("36_3", "a cell whose names cannot be known runs plainly", "%load_ext resonate_nb\n# %%\n%%durable\nran()\nexec('y = 1')\n# %%\ngot['value'] = y", ("", ""), (1, 1), (1, 1), says=(r"runs plainly, not durably: uses `exec\(\)` in cell",) * 2),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_what_is_not_seen_is_said(trap: Trap, tmp_path: Path) -> None:
    spring(trap, tmp_path)


def test_what_is_seen_is_not_said(tmp_path: Path) -> None:
    """No line that says nothing: of a whole family of constructs whose text says it all."""
    from trap_sessions import Notebook

    body = (
        "import math, os\nthr = 1\nclass C:\n    def m1(self): return 1\n    def all(self): return getattr(self, 'm' + '1')()\n# %%\n"
        + f(
            "y = [locals()['x'], vars(C()), dir(C), getattr(math, 'pi'), globals()['thr'], eval('thr + 1')]\nreturn C().all()"
        )
    )
    assert "does not see" not in Notebook(tmp_path).run(body).said
