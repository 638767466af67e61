# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""An edit that the user declares to be none, session by session: nothing runs for it, and the next edit runs again."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Trap, spring

pytestmark = pytest.mark.slow

F = "@durable\ndef f(x):\n    ran()\n    return {}\n# %%\n§1\ngot['value'] = f(1)"
ACCEPT = "f.accept(1)"


def accepted(
    law: str, cells: str, *turns: tuple[str, str], runs: tuple[int, ...], values: tuple[int, ...], **more: object
) -> Trap:
    return Trap("accept", law, cells, turns, runs, values, **more)  # type: ignore[arg-type]


# What stands for §0 and §1 in each session.
KEPT = [("1", ""), ("1 + 0", ACCEPT), ("1 + 0", ""), ("2", "")]

CLASS = "class C:\n    def m(self): return 1 + §0\n"
OF_ARGUMENT = [("1", ""), ("1 + 0", "f.accept(C())"), ("1 + 0", ""), ("2", "")]

TRAPS = [
    accepted("a body", F.format("x + §0"), *KEPT, runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("a helper", "def helper(x): return x + §0\n# %%\n" + F.format("helper(x)"), *KEPT, runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("a module", "import mymod\n# %%\n" + F.format("mymod.g(x)"), *KEPT, runs=(1, 0, 0, 1), values=(2, 2, 2, 3), files={"mymod.py": "def g(x): return x + §0\n"}),
    accepted("a method of a class that is the argument's", "class C:\n    def m(self, x): return x + §0\n# %%\n" + F.format("C().m(x)"), *KEPT, runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("a refactoring, which moves code into a new helper", "§0\n# %%\n" + F.format("helper(x)"), ("def helper(x): return x + 1", ""), ("def low(x): return x + 1\ndef helper(x): return low(x)", ACCEPT), ("def low(x): return x + 1\ndef helper(x): return low(x)", ""), ("def low(x): return x + 2\ndef helper(x): return low(x)", ""), runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("the edit is taken back", F.format("x + §0"), ("1", ""), ("1 + 0", ACCEPT), ("1", ""), runs=(1, 0, 0), values=(2, 2, 2)),
    accepted("one edit after another, each accepted", F.format("x + §0"), ("1", ""), ("1 + 0", ACCEPT), ("1 + 0 + 0", ACCEPT), ("1 + 0 + 0", ""), runs=(1, 0, 0, 0), values=(2, 2, 2, 2)),
    accepted("what is not the same after all: the old value, as was asked for", F.format("x + §0"), ("1", ""), ("5", ACCEPT), ("5", ""), runs=(1, 0, 0), values=(2, 2, 2)),
    accepted("other arguments run all the same", F.format("x + §0") + " + f(2) * 0", ("1", ""), ("1 + 0", ACCEPT), ("1 + 0", ""), runs=(2, 1, 0), values=(2, 2, 2)),
    accepted("a method of an argument's class", CLASS + "@durable\ndef f(c):\n    ran()\n    return c.m()\n# %%\n§1\ngot['value'] = f(C())", *OF_ARGUMENT, runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("a method that a durable method uses", CLASS + "    @durable\n    def f(self):\n        ran()\n        return self.m()\nf = C().f\n# %%\n§1\ngot['value'] = f()", *((turn[0], turn[1].replace("C()", "")) for turn in OF_ARGUMENT), runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("a function that is an argument", "def g(): return 1 + §0\n@durable\ndef f(h):\n    ran()\n    return h()\n# %%\n§1\ngot['value'] = f(g)", *((turn[0], turn[1].replace("C()", "g")) for turn in OF_ARGUMENT), runs=(1, 0, 0, 1), values=(2, 2, 2, 3)),
    accepted("each object its own", CLASS + "    def __init__(self, k=0): self.k = k\n@durable\ndef f(c):\n    ran()\n    return c.m() + c.k\n# %%\n§1\ngot['value'] = f(C(5)) - f(C(1))", ("1", ""), ("2", "f.accept(C(1))\nf.accept(C(5))"), runs=(2, 0), values=(4, 4)),
    accepted("another object is none of them", CLASS + "    def __init__(self, k=0): self.k = k\n@durable\ndef f(c):\n    ran()\n    return c.m() + c.k\n# %%\ngot['value'] = f(C(§0))\n§1", ("1", ""), ("2", "f.accept(C(3))"), runs=(1, 1), values=(3, 5), errors=("", "PromiseNotFoundError: ")),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_what_is_accepted_is_kept(trap: Trap, tmp_path: Path) -> None:
    """And nothing else is."""
    spring(trap, tmp_path)
