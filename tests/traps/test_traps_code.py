"""Traps 1 to 29: code that a durable function reaches changes between sessions, and no stale answer comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook, Trap, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = "plainly|not replayable"

CALLS_HELPER = """
@durable
def f(x):
    ran()
    return helper(x)
# %%
got["value"] = f(1)
"""

CALLS_MODULE = """
import mymod
# %%
@durable
def f(x):
    ran()
    return mymod.g(x)
# %%
got["value"] = f(1)
"""

READS_K = """
K = §
# %%
@durable
def f(x):
    ran()
    return x + K
# %%
got["value"] = f(1)
"""

TRAPS = [
    recompute(
        "1", "a helper of another cell is edited", "def helper(x): return x + §\n# %%" + CALLS_HELPER, "12", [2, 3]
    ),
    recompute(
        "2",
        "the helper's own helper is edited",
        "def low(x): return x + §\n# %%\ndef helper(x): return low(x)\n# %%" + CALLS_HELPER,
        "12",
        [2, 3],
    ),
    recompute(
        "3",
        "a helper three calls deep is edited",
        """
def one(x): return x + §
# %%
def two(x): return one(x)
# %%
def helper(x): return two(x)
# %%"""
        + CALLS_HELPER,
        "12",
        [2, 3],
    ),
    recompute("4", "a number read from the globals changes", READS_K, ["10", "20"], [11, 21]),
    recompute(
        "5",
        "a global read only by the helper changes",
        "K = §\n# %%\ndef helper(x): return x + K\n# %%" + CALLS_HELPER,
        "12",
        [2, 3],
    ),
    recompute(
        "6",
        "the content of a global frame changes",
        """
import pandas as pd
df = pd.DataFrame({"a": [1, 2, §], "s": ["x", "y", None]})
# %%
@durable
def f(x):
    ran()
    return int(df["a"].sum()) + x
# %%
got["value"] = f(1)
""",
        "34",
        [7, 8],
        preload=("pandas",),
    ),
    recompute(
        "7",
        "an attribute of a global configuration object changes",
        """
class Config: pass
cfg = Config()
cfg.db = {"limit": §}
# %%
@durable
def f(x):
    ran()
    return x + cfg.db["limit"]
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    Trap(
        "8",
        "a global list grows between two calls of one session",
        """
items = [1]
# %%
@durable
def f():
    ran()
    return sum(items)
# %%
first = f()
items.append(5)
got["value"] = [first, f()]
""",
        ("", ""),
        (2, 0),
        ([1, 6], [1, 6]),
    ),
    Trap(
        "9",
        "a global that is not used changes",
        """
unused = §
# %%
@durable
def f(x):
    ran()
    return x
# %%
got["value"] = f(1)
""",
        "12",
        (1, 0),
        (1, 1),
    ),
    recompute(
        "10",
        "the number captured by a closure of a factory changes",
        """
def make(n):
    @durable
    def f(x):
        ran()
        return x + n
    return f
# %%
f = make(§)
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    recompute(
        "11",
        "a method of a notebook class is edited; the function makes the object",
        """
class Model:
    def fit(self, x): return x + §
# %%
@durable
def f(x):
    ran()
    return Model().fit(x)
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    recompute(
        "12",
        "a method of the base class is edited",
        """
class Base:
    def fit(self, x): return x + §
# %%
class Model(Base): pass
# %%
@durable
def f(x):
    ran()
    return Model().fit(x)
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    recompute(
        "13",
        "an instance is the argument and a method of its class is edited",
        """
class Model:
    def __init__(self): self.k = 1
    def fit(self, x): return x + self.k + §
# %%
@durable
def f(model):
    ran()
    return model.fit(1)
# %%
got["value"] = f(Model())
""",
        "12",
        [3, 4],
    ),
    recompute(
        "14",
        "a function of a local module is edited on disk",
        CALLS_MODULE,
        "12",
        [2, 3],
        files={"mymod.py": "def g(x):\n    return x + §\n"},
    ),
    recompute(
        "15",
        "the same with `from mymod import g`",
        """
from mymod import g
# %%
@durable
def f(x):
    ran()
    return g(x)
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
        files={"mymod.py": "def g(x):\n    return x + §\n"},
    ),
    recompute(
        "16",
        "a constant imported from a local module is edited",
        """
from mymod import K
# %%
@durable
def f(x):
    ran()
    return x + K
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
        files={"mymod.py": "K = §\n"},
    ),
    recompute(
        "17",
        "another decorator standing below ours is edited",
        """
def scaled(function):
    def inner(x): return function(x) * §
    return inner
# %%
@durable
@scaled
def f(x):
    ran()
    return x
# %%
got["value"] = f(1)
""",
        "12",
        [1, 2],
        or_said=PLAIN,
    ),
    recompute(
        "18",
        "the body changes below a `wraps` decorator imported from a module",
        """
from deco import passing
# %%
@durable
@passing
def f(x):
    ran()
    return x + §
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
        files={
            "deco.py": "from functools import wraps\n"
            "def passing(function):\n"
            "    @wraps(function)\n"
            "    def inner(*args): return function(*args)\n"
            "    return inner\n"
        },
        or_said=PLAIN,
    ),
    recompute(
        "19",
        "a function held in a dispatch table is edited",
        """
def g(x): return x + §
TABLE = {"g": g}
# %%
@durable
def f(x):
    ran()
    return TABLE["g"](x)
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    recompute("20", "a global lambda is edited", "helper = lambda x: x + §\n# %%" + CALLS_HELPER, "12", [2, 3]),
    recompute(
        "21",
        "a name bound to another function, and that one is edited",
        "def other(x): return x + §\n# %%\nhelper = other\n# %%" + CALLS_HELPER,
        "12",
        [2, 3],
    ),
    recompute(
        "22",
        "a default is an expression whose global changes while the text stays",
        """
K = §
# %%
@durable
def f(x, n=K):
    ran()
    return x + n
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
    ),
    recompute(
        "23",
        "the same in a helper's signature",
        "K = §\n# %%\ndef helper(x, n=K): return x + n\n# %%" + CALLS_HELPER,
        "12",
        [2, 3],
    ),
    recompute(
        "24",
        "the helper is looked up through globals() and edited",
        """
def helper(x): return x + §
# %%
@durable
def f(x):
    ran()
    return globals()["helper"](x)
# %%
got["value"] = f(1)
""",
        "12",
        [2, 3],
        or_said=r"does not see.*globals",
    ),
    recompute(
        "25",
        "a constant in the body goes from 1 to '1'",
        "@durable\ndef f():\n    ran()\n    return §\n# %%\ngot['value'] = f()",
        ["1", "'1'"],
        [1, "1"],
    ),
    recompute(
        "26",
        "two constants go from 12 and 3 to 1 and 23",
        "@durable\ndef f():\n    ran()\n    return [§]\n# %%\ngot['value'] = f()",
        ["12, 3", "1, 23"],
        [[12, 3], [1, 23]],
    ),
    recompute(
        "27",
        "the base case of a recursive durable function is edited",
        """
@durable
def f(n):
    ran()
    return § if n == 0 else f(n - 1) + 1
# %%
got["value"] = f(3)
""",
        ["0", "10"],
        [3, 13],
        runs=4,
        or_said=PLAIN,
    ),
    Trap(
        "29",
        "the body is edited, then the edit is taken back",
        "@durable\ndef f(x):\n    ran()\n    return x + §\n# %%\ngot['value'] = f(1)",
        "121",
        (1, 1, 0),
        (2, 3, 2),
    ),
]


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_no_stale_answer(trap: Trap, tmp_path: Path) -> None:
    """Code counts as it is loaded, and all that it reaches with it."""
    spring(trap, tmp_path)


def test_28_another_notebook_with_the_same_store_shares_nothing_of_another_f(tmp_path: Path) -> None:
    """The same name with other code never shares, whoever wrote it and in whichever folder."""
    one = Notebook(tmp_path)
    one.write("a.txt", "")
    cells = "@durable\ndef f(x):\n    ran()\n    return x § 10\n# %%\ngot['value'] = f(2)"
    first = one.run(cells.replace("§", "+"))
    one.folder = tmp_path / "another"
    one.folder.mkdir()
    second = one.run(cells.replace("§", "*"))
    again = one.run(cells.replace("§", "*"))
    one.folder = tmp_path / "book"
    back = one.run(cells.replace("§", "+"))
    assert [12, 20, 20, 12] == [outcome.got["value"] for outcome in (first, second, again, back)]
    assert [1, 1, 0, 0] == [outcome.runs for outcome in (first, second, again, back)]
