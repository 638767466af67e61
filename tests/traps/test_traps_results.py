# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Traps 67 to 81: what a body returns and does besides returning."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook, Trap, recompute, spring

pytestmark = pytest.mark.slow


def returns(expression: str, shown: str, before: str = "") -> str:
    """Cells of an f that returns the expression; the value is `shown`, in which `r` is what f gave."""
    return f"""
{before}
@durable
def f():
    ran()
    return {expression}
# %%
r = f()
got["value"] = {shown}
"""


NOT_STORED = "returned but not stored"

TRAPS = [
    Trap("67", "the result is a generator", returns("(i * i for i in range(3))", "list(r)"), ("", ""), (1, 1), ([0, 1, 4],) * 2, says=(NOT_STORED,) * 2),
    Trap("67a", "the result is an iterator of a list, and a map", returns("(iter([1, 2]), map(str, [1, 2]))", "[list(i) for i in r]"), ("", ""), (1, 0), ([[1, 2], ["1", "2"]],) * 2, or_said=NOT_STORED),
    Trap("69", "the result is an open file", returns("open('out.txt', 'w+')", "[r.write('x'), r.close()]"), ("", ""), (1, 1), ([1, None],) * 2, says=(NOT_STORED,) * 2),
    Trap("69a", "an open file hides deep in the result", returns("{'a': [open('out.txt', 'w+')]}", "[r['a'][0].write('x'), r['a'][0].close()]"), ("", ""), (1, 1), ([1, None],) * 2, says=(NOT_STORED,) * 2),
    Trap("70", "the result is a local lambda", returns("(lambda x: x + 1)", "r(1)"), ("", ""), (1, 0), (2, 2), or_said=NOT_STORED),
    Trap("70a", "the result is a closure over a notebook global, which changes", returns("lambda x: x + K + n", "r(1)", "K = §\nn = 0\n").replace("ran()", "ran(); n = 3"), ("10", "20", "20"), (1, 1, 0), (14, 24, 24), or_said=NOT_STORED),
    Trap("70b", "the result is an instance of a notebook class", returns("Model(4)", "[r.k, type(r) is Model, r.fit()]", "class Model:\n    def __init__(self, k): self.k = k\n    def fit(self): return self.k * 2\n"), ("", ""), (1, 0), ([4, True, 8],) * 2),
    Trap(
        "71",
        "the caller changes the returned list and calls again",
        """
@durable
def f():
    ran()
    return [1, {"a": [2]}]
# %%
r = f()
r.append(9); r[1]["a"].append(9)
s = f()
s.append(8); s[1]["a"].append(8)
got["value"] = [f(), f()]
""",
        ("", ""),
        (1, 0),
        ([[1, {"a": [2]}]] * 2,) * 2,
    ),
    Trap(
        "71a",
        "the caller changes a returned array and frame",
        """
import numpy as np, pandas as pd
@durable
def f():
    ran()
    return np.zeros(3), pd.DataFrame({"a": [1, 2]})
# %%
a, df = f()
a[0] = 9; df.loc[0, "a"] = 9
a, df = f()
a[0] = 8; df["a"].array[0] = 8
a, df = f()
got["value"] = [a.tolist(), df.a.tolist(), a.flags.writeable]
""",
        ("", ""),
        (1, 0),
        ([[0.0, 0.0, 0.0], [1, 2], True],) * 2,
        preload=("pandas",),
    ),
    Trap("72", "two keys of the result share one list", returns("(lambda x: {'a': x, 'b': x})([1])", "[r['a'] is r['b'], r['a']]"), ("", ""), (1, 0), ([True, [1]],) * 2),
    Trap("73", "the result is a one-element tuple", returns("(5,)", "r"), ("", ""), (1, 0), ((5,),) * 2),
    Trap("73a", "results of many plain types come back as they were", returns("[1, True, 1.5, -0.0, 2**70, 'ü', b'x', None, (1,), [], {1: 'a', '1': (2,)}, {3}, frozenset({4}), 1j, range(3), ..., bytearray(b'y')]", "repr(r)"), ("", ""), (1, 0), ("[1, True, 1.5, -0.0, 1180591620717411303424, 'ü', b'x', None, (1,), [], {1: 'a', '1': (2,)}, {3}, frozenset({4}), 1j, range(0, 3), Ellipsis, bytearray(b'y')]",) * 2),
    Trap("74", "the result is None", returns("None", "r"), ("", ""), (1, 0), (None, None)),
    Trap(
        "75",
        "the function raises, and by a later policy is not retried here",
        """
@durable
def f():
    ran()
    raise ValueError("bad §")
# %%
f()
# %%
f()
# %%
got["value"] = sorted((h.id.rpartition("@")[2].partition("~")[2], str(h.state), len(h.attempts)) for h in rnb.search("f/*"))
""",
        ("", ""),
        (2, 2),
        (
            [("", "rejected", 1), ("2", "rejected", 1)],
            [("", "rejected", 1), *((str(n), "rejected", 1) for n in (2, 3, 4))],
        ),
        errors=("ValueError: bad\nValueError: bad",) * 2,
    ),
    Trap(
        "75a",
        "the function raises once, then the world is better",
        """
import os
@durable
def f():
    ran()
    if not os.path.exists("ready"): raise ValueError("not yet")
    return 1
# %%
got["value"] = None
got["value"] = f()
# %%
open("ready", "w").close()
# %%
got["value"] = f()
""",
        ("", ""),
        (2, 0),
        (1, 1),
        errors=("ValueError: not yet", ""),
    ),
    Trap(
        "76",
        "the body adds a column to the caller's frame",
        """
import pandas as pd
@durable
def f(df):
    ran()
    df["b"] = df["a"] * 2
    return len(df)
# %%
df = pd.DataFrame({"a": [1, 2]})
got["value"] = [f(df), list(df)]
""",
        ("", ""),
        (1, 1),
        ([2, ["a", "b"]],) * 2,
        preload=("pandas",),
        says=("not replayable.*argument `df`",) * 2,
    ),
    Trap(
        "76a",
        "the body changes a list, a nested dict, an array of the caller",
        """
import numpy as np
@durable
def f(a, b, c):
    ran()
    a.append(1); b["k"]["n"] = 1; c[0] = 1
# %%
a, b, c = [], {"k": {}}, np.zeros(1)
f(a, b, c)
got["value"] = [a, b, c.tolist()]
""",
        ("", ""),
        (1, 1),
        ([[1], {"k": {"n": 1}}, [1.0]],) * 2,
        preload=("numpy",),
        says=("not replayable",) * 2,
    ),
    Trap(
        "76b",
        "a helper appends to a global, a helper counts with `global`",
        """
seen = []
count = 0
def note(x): seen.append(x)
def bump():
    global count
    count += 1
# %%
@durable
def f(x):
    ran(f)
    note(x)
@durable
def g(x):
    ran(g)
    bump()
# %%
f(1); g(1)
got["value"] = [seen, count]
""",
        ("", ""),
        (2, 2),
        ([[1], 1],) * 2,
        says=("not replayable",) * 2,
    ),
    Trap(
        "76c",
        "the body changes an attribute of an argument, a class, a module, a default",
        """
import mymod
class Box: pass
class Settings: level = 0
def helper(x, acc=[]):
    acc.append(x)
    return len(acc)
# %%
@durable
def f(b):
    ran(f)
    b.x = 1
@durable
def g():
    ran(g)
    Settings.level = 2
@durable
def h():
    ran(h)
    mymod.LEVEL = 3
@durable
def i(x):
    ran(i)
    return helper(x)
# %%
b = Box()
f(b); g(); h()
got["value"] = [b.x, Settings.level, mymod.LEVEL, i(1), i(2)]
""",
        ("", ""),
        (5, 5),
        ([1, 2, 3, 1, 2],) * 2,
        files={"mymod.py": "LEVEL = 0\n"},
        says=("not replayable",) * 2,
    ),
    Trap(
        "80",
        "the function is async",
        """
import asyncio
@durable
async def f(x):
    await asyncio.sleep(0)
    ran()
    return x + 1
# %%
got["value"] = await f(1)
# %%
got["value"] = [got["value"], await asyncio.gather(f(1), f(2), f(2))]
""",
        ("", ""),
        (2, 0),
        ([2, [2, 3, 3]],) * 2,
    ),
    recompute(
        "80a",
        "the async helper of an async function is edited",
        """
async def helper(x): return x + §
# %%
@durable
async def f(x):
    ran()
    return await helper(x)
# %%
got["value"] = await f(1)
""",
        "12",
        [2, 3],
    ),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_a_hit_is_what_the_run_was(trap: Trap, tmp_path: Path) -> None:
    """The value comes back as it was, or the body runs and says why."""
    spring(trap, tmp_path)


def test_68_a_generator_function_is_refused_at_decoration(tmp_path: Path) -> None:
    """With advice, before anything runs."""
    outcome = Notebook(tmp_path).run("@durable\ndef f():\n    ran()\n    yield 1")
    assert ["UndecoratableError"] == [error[1] for error in outcome.errors]
    assert "return a list" in outcome.errors[0][2]
    assert 0 == outcome.runs


def test_81_store_and_notebook_moved_together_hit(tmp_path: Path) -> None:
    """Nothing in the key or the record of files says where the folder lies."""
    cells = """
import mymod
@durable
def f(x):
    ran()
    return mymod.g(x) + int(open("data.txt").read())
# %%
got["value"] = f(1)
"""
    book = Notebook(tmp_path)
    book.store = None
    book.write("mymod.py", "def g(x): return x + 1\n")
    book.write("data.txt", "10")
    first = book.run(cells)
    assert (book.folder / ".resonate_nb").is_dir()
    book.move("elsewhere")
    second = book.run(cells)
    book.write("data.txt", "20")
    third = book.run(cells)
    assert [12, 12, 22] == [outcome.got["value"] for outcome in (first, second, third)]
    assert [1, 0, 1] == [outcome.runs for outcome in (first, second, third)]
