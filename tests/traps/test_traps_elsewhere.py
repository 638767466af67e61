# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Code that comes from elsewhere than a cell, calls made from elsewhere than the kernel, and the options of a call."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook, Trap, hit, recompute, spring

pytestmark = pytest.mark.slow

PLAIN = r"plainly|not replayable"
F = "@durable\ndef f(x):\n    ran()\n    return {}\n# %%\ngot['value'] = f(1)"

TRAPS = [
    recompute("1A", "a helper of a script run by %run is edited", "%run script.py\n# %%\n" + F.format("helper(x)"), "12", (2, 3), files={"script.py": "def helper(x):\n    return x + §\n"}),
    recompute("1B", "a global of a script run by %run changes", "%run script.py\n# %%\n" + F.format("x + K"), "12", (2, 3), files={"script.py": "K = §\n"}),
    recompute("1C", "f itself stands in a script run by %run", "%run script.py\n# %%\ngot['value'] = f(1)", "12", (2, 3), files={"script.py": "from resonate_nb import durable\n@durable\ndef f(x):\n    open('f.log', 'a').write('+')\n    return x + §\n"}),
    recompute("1D", "f itself stands in a module", "import mymod\n# %%\ngot['value'] = mymod.f(1)", "12", (2, 3), files={"mymod.py": "from resonate_nb import durable\ndef low(x): return x + §\n@durable\ndef f(x):\n    open('f.log', 'a').write('+')\n    return low(x)\n"}),
    Trap("1E", "f is made below %%time, which hides its source: refused", "%%time\n@durable\ndef f(x):\n    ran()\n    return x\n# %%\ngot['value'] = 1", ("",), (0,), (1,), errors=("UndecoratableError: the source of f",)),
    recompute("1F", "a helper below a line magic in its cell", "%precision 3\ndef helper(x): return x + §\n# %%\n" + F.format("helper(x)"), "12", (2, 3)),
    recompute("1G", "a helper whose body holds a shell command", "def helper(x):\n    out = !echo §\n    return x + int(out[0])\n# %%\n" + F.format("helper(x)"), "12", (2, 3), or_said=PLAIN),
    recompute("13b", "the method of a frozen slotted dataclass that is the argument", "import dataclasses\n@dataclasses.dataclass(slots=True, frozen=True)\nclass C:\n    a: int\n    def m(self): return self.a + §\n# %%\n@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\ngot['value'] = f(C(1))", "12", (2, 3)),
    recompute("13c", "a default of the argument's dataclass", "import dataclasses\n@dataclasses.dataclass\nclass C:\n    a: int = §\n# %%\n@durable\ndef f(c):\n    ran()\n    return type(c)().a\n# %%\ngot['value'] = f(C(9))", "12", (1, 2)),
    recompute("13d", "the base of the argument's class", "class B:\n    def m(self): return §\nclass C(B): pass\n# %%\n@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\ngot['value'] = f([C()])".replace("c.m()", "c[0].m()"), "12", (1, 2)),
    recompute("13e", "a function in a dict that is the argument", "def low(x): return x + §\n# %%\n@durable\ndef f(t):\n    ran()\n    return t['g'](1)\n# %%\ngot['value'] = f({'g': low})", "12", (2, 3)),
    recompute("13f", "a global read by a method of the argument's class", "K = §\nclass C:\n    def m(self): return K\n# %%\n@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\ngot['value'] = f(C())", "12", (1, 2)),
    recompute("13g", "a module is the argument and is edited", "import mymod\n# %%\n@durable\ndef f(m):\n    ran()\n    return m.g(1)\n# %%\ngot['value'] = f(mymod)", "12", (2, 3), files={"mymod.py": "def g(x): return x + §\n"}, or_said=PLAIN),
    recompute("13h", "a class is the argument and its method is edited", "class C:\n    def m(self): return §\n# %%\n@durable\ndef f(c):\n    ran()\n    return c().m()\n# %%\ngot['value'] = f(C)", "12", (1, 2)),
    hit("ignore a", "an ignored global changes", "K = §\n# %%\n@durable(ignore=('K',))\ndef f(x):\n    ran()\n    return x + K\n# %%\ngot['value'] = f(1)", "12", 2),
    hit("ignore b", "an ignored argument changes", "@durable(ignore=('k',))\ndef f(x, k):\n    ran()\n    return x + k\n# %%\ngot['value'] = f(1, §)", "12", 2),
    recompute("ignore c", "something else than the ignored changes", "K = 1\ndef low(x): return x + K + §\n# %%\n@durable(ignore=('K',))\ndef f(x):\n    ran()\n    return low(x)\n# %%\ngot['value'] = f(1)", "12", (3, 4)),
    recompute("version a", "a fixed version, and a global changes", "K = §\n# %%\n@durable(version=1)\ndef f(x):\n    ran()\n    return x + K\n# %%\ngot['value'] = f(1)", "12", (2, 3)),
    recompute("version b", "a fixed version, and a global of the helper's module changes", "import mymod\n# %%\n@durable(version=1)\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\ngot['value'] = f(1)", "12", (2, 3), files={"mymod.py": "K = [§]\ndef g(x): return x + K[0]\n"}),
    recompute("version c", "a fixed version, and a file changes", "@durable(version=1)\ndef f(x):\n    ran()\n    return x + int(open('data.txt').read())\n# %%\ngot['value'] = f(1)", "12", (2, 3), files={"data.txt": "§"}),
    recompute("version d", "another fixed version", "@durable(version=§)\ndef f(x):\n    ran()\n    return x\n# %%\ngot['value'] = f(1)", "12", (1, 1)),
    Trap("version e", "a fixed version, and the code changes: the old value, said with the difference", "@durable(version=1)\ndef f(x):\n    ran()\n    return x + §\n# %%\ngot['value'] = f(1)", "12", (1, 0), (2, 2), says=(None, r"(?s)code has changed since version 1.*\+.*return x \+ 2")),
    Trap("version f", "a fixed version, and the code of a helper changes: said as well", "def low(x): return x + §\n# %%\n@durable(version=1)\ndef f(x):\n    ran()\n    return low(x)\n# %%\ngot['value'] = f(1)", "12", (1, 0), (2, 2), says=(None, r"(?s)code has changed since version 1.*\+.*return x \+ 2")),
    recompute("id a", "a template, and the code changes", "@durable(id='step/{x}')\ndef f(x):\n    ran()\n    return x + §\n# %%\ngot['value'] = f(1)", "12", (2, 3)),
    recompute("id b", "a template, and a global changes", "K = §\n# %%\n@durable(id='step/{x}')\ndef f(x):\n    ran()\n    return x + K\n# %%\ngot['value'] = f(1)", "12", (2, 3)),
    Trap("id c", "a template that leaves out an argument which changes: refused by name", "@durable(id='step/{x}')\ndef f(x, y):\n    ran()\n    return x + y\n# %%\ngot['value'] = f(1, §)", "12", (1, 0), (2, None), errors=("", "IdReuseError: .*`?y`?")),
    Trap("id d", "two functions of one id", "@durable(id='step')\ndef f():\n    ran()\n    return 1\n@durable(id='step')\ndef g():\n    ran(g)\n    return 2\n# %%\ngot['value'] = [f(), g(), f(), g()]", ("", ""), (2, 0), ([1, 2, 1, 2],) * 2),
    Trap("id e", "two functions of one id and version", "@durable(id='step', version=1)\ndef f():\n    ran()\n    return 1\n@durable(id='step', version=1)\ndef g():\n    ran(g)\n    return 2\n# %%\nf()\n# %%\ngot['value'] = 1\ngot['value'] = g()", ("",), (1,), (1,), says=("code has changed since version 1",)),
    Trap("name a", "two functions of one name, given", "@durable(name='n')\ndef f(x):\n    ran()\n    return 1\n@durable(name='n')\ndef g(x):\n    ran(g)\n    return 2\n# %%\ngot['value'] = [f(0), g(0), f(0), g(0)]", ("", ""), (2, 0), ([1, 2, 1, 2],) * 2),
    Trap("73b", "scalars at the edge come back as they were", "import numpy as np\nclass I(int): pass\nclass S(str): pass\nVALUES = ['\\ud800', float('inf'), float('nan'), -0.0, 5e-324, 1.7976931348623157e308, 0.1, 2**63, -2**200, '', 'NaN', 'é', True, np.float64(1.5), np.str_('a'), I(3), S('s'), b'', 10**5000, 'x' * 20000]\n# %%\n@durable\ndef f(i):\n    ran()\n    return VALUES[i]\n# %%\ngot['value'] = [(type(v).__name__, v.__repr__()[:30] if not isinstance(v, int) or v < 2**300 else v % 997) for v in map(f, range(20))]", ("", ""), (20, 0), (None, None)),
]  # fmt: skip


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap.number != "73b"], ids=Trap.id)
def test_wherever_the_code_stands(trap: Trap, tmp_path: Path) -> None:
    """It counts as it was loaded."""
    spring(trap, tmp_path)


def test_73_scalars_at_the_edge_come_back_as_they_were(tmp_path: Path) -> None:
    """They take a shorter way through the codec."""
    (trap,) = (trap for trap in TRAPS if trap.number == "73b")
    book = Notebook(tmp_path, ("numpy",))
    plain, first, second = (book.run(trap.cells, **environ) for environ in ({"RESONATE_NB": "off"}, {}, {}))
    assert plain.got == first.got == second.got, second.said
    assert (20, 20, 0) == (plain.runs, first.runs, second.runs)


AUTORELOAD = """
%load_ext autoreload
%autoreload 2
import mymod, os
# %%
@durable
def f(x):
    ran()
    return mymod.g(x)
# %%
one = f(1)
open("mymod.py", "w").write("def g(x):\\n    return x + 2\\n# edited\\n")
os.utime("mymod.py", (1_800_000_000, 1_800_000_000))
# %%
got["value"] = [one, f(1)]
"""


def test_14_autoreload_in_one_session(tmp_path: Path) -> None:
    """It puts new code into the old functions."""
    book = Notebook(tmp_path)
    book.write("mymod.py", "def g(x):\n    return x + 1\n")
    outcome = book.run(AUTORELOAD)
    assert [2, 3] == outcome.got["value"], outcome.said
    again = book.run(
        "import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\ngot['value'] = f(1)"
    )
    assert (3, 0) == (again.got["value"], again.runs), again.said


def test_14_a_module_that_was_edited_and_not_reloaded_runs_plainly_and_is_named(tmp_path: Path) -> None:
    """Its old code is what runs; nothing of that is stored under the new code's key, or the other way round."""
    book = Notebook(tmp_path)
    book.write("mymod.py", "def g(x):\n    return x + 1\n")
    make = "@durable\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\n"
    edited = "open('mymod.py', 'w').write('def g(x):\\n    return x + 2\\n# edited\\n')\n# %%\n"
    first = book.run(f"import mymod\n# %%\n{edited}{make}got['value'] = f(1)")
    second = book.run(f"import mymod\n# %%\n{make}got['value'] = f(1)")
    third = book.run(f"import mymod\n# %%\n{make}got['value'] = f(1)")
    assert [2, 3, 3] == [outcome.got["value"] for outcome in (first, second, third)]
    assert [1, 1, 0] == [outcome.runs for outcome in (first, second, third)]
    assert "mymod" in first.said
    assert "reload" in first.said


def test_14_a_module_edited_between_two_calls_and_not_reloaded(tmp_path: Path) -> None:
    """The code that is loaded has not changed, and neither has the answer."""
    book = Notebook(tmp_path)
    book.write("mymod.py", "def g(x):\n    return x + 1\n")
    edited = "open('mymod.py', 'w').write('def g(x):\\n    return x + 2\\n# edited\\n')"
    first = book.run(
        f"import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\none = f(1)\n# %%\n{edited}\n# %%\ngot['value'] = [one, f(1), f(5)]"
    )
    second = book.run(
        "import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)\n# %%\ngot['value'] = [f(1), f(5)]"
    )
    assert ([2, 2, 6], [3, 7]) == (first.got["value"], second.got["value"]), first.said


POOL = """
import multiprocessing as mp
# %%
@durable
def f(x):
    ran()
    return x * 2
# %%
first = f(0)
# %%
if __name__ == "__main__":
    with mp.get_context("fork").Pool(2) as pool:
        got["value"] = [first, *pool.map(f, [0, 1, 2, 1])]
"""


def test_84_calls_in_forked_children(tmp_path: Path) -> None:
    """A pool of forked processes: the parent's connection and lock are not theirs."""
    book = Notebook(tmp_path)
    first, second = book.run(POOL), book.run(POOL)
    assert [0, 0, 2, 4, 2] == first.got["value"] == second.got["value"], first.said
    assert (3, 0) == (first.runs, second.runs), first.said + second.said
    found = book.run("from resonate_nb.runtime import engine\ngot['v'] = list(map(str, engine().store.check()))")
    assert [] == found.got["v"]


LOKY = """
import joblib
# %%
def low(x): return x + §
@durable
def f(x):
    ran()
    return low(x) * 2
# %%
got["value"] = joblib.Parallel(n_jobs=2)(joblib.delayed(f)(i) for i in [1, 2, 1])
"""


def test_84_calls_in_processes_of_joblib(tmp_path: Path) -> None:
    """Functions of a notebook travel by value, and without their source: right, or said to run plainly."""
    book = Notebook(tmp_path, ("sklearn",))
    for turn in "122":
        outcome = book.run(LOKY.replace("§", turn))
        expected = [(i + int(turn)) * 2 for i in [1, 2, 1]]
        assert expected == outcome.got.get("value"), outcome.said
