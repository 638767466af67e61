"""Traps 30 to 37: edits that change nothing that runs still hit, and say nothing of a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Notebook, Trap, hit, spring

pytestmark = pytest.mark.slow

CALL = "\n# %%\ngot['value'] = f(1)"

TRAPS = [
    hit(
        "30",
        "a comment is added to the body",
        "@durable\ndef f(x):\n    ran()§\n    return x + 1" + CALL,
        ["", "  # counted\n    # and so on"],
        2,
    ),
    hit(
        "31",
        "only layout changes",
        "@durable\ndef f(x):\n    ran()\n    return §" + CALL,
        ["x + 1", "(\n        x\n        + 1\n    )"],
        2,
    ),
    hit(
        "31a",
        "quotes, a trailing comma and a semicolon",
        "@durable\ndef f(x):\n    ran()§0\n    return §1" + CALL,
        [("\n    y = 1", "[x, 'a', y]"), (";   y = 1", '[\n        x, "a",\n        y,\n    ]')],
        [1, "a", 1],
    ),
    hit(
        "32",
        "the docstring changes",
        '@durable\ndef f(x):\n    """§"""\n    ran()\n    return x + 1' + CALL,
        ["Adds.", "Adds one.\n\n    Twice."],
        2,
    ),
    hit(
        "32a",
        "the docstring appears",
        "@durable\ndef f(x):§\n    ran()\n    return x + 1" + CALL,
        ["", '\n    """Adds one."""'],
        2,
    ),
    hit(
        "33",
        "a type hint is added",
        "@durable\ndef f(x§0)§1:\n    ran()\n    y§0 = x + 1\n    return y" + CALL,
        [("", ""), (": int", " -> int")],
        2,
    ),
    hit(
        "33a",
        "a type hint is added to a helper",
        "def helper(x§0)§1: return x + 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL,
        [("", ""), (": int", " -> int")],
        2,
    ),
    Trap(
        "33b",
        "a type hint is changed that the body reads",
        "@durable\ndef f(x):\n    ran()\n    def g(y: §): return y\n    return g.__annotations__['y'].__name__" + CALL,
        ("int", "str", "str"),
        (1, 1, 0),
        ("int", "str", "str"),
    ),
    Trap(
        "33c",
        "a type hint of a helper is changed that the body reads",
        "def helper(y: §): return y\n# %%\n"
        "@durable\ndef f(x):\n    ran()\n    return helper.__annotations__['y'].__name__" + CALL,
        ("int", "str", "str"),
        (1, 1, 0),
        ("int", "str", "str"),
    ),
    Trap(
        "33d",
        "a docstring is changed that the body reads",
        "def helper(y):\n    '''§'''\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper.__doc__" + CALL,
        ("one", "two", "two"),
        (1, 1, 0),
        ("one", "two", "two"),
    ),
    hit(
        "35",
        "cells move, and blank lines appear above",
        "§0\n# %%\n§1\n# %%\n§2" + CALL,
        [
            (
                "def helper(x): return low(x)",
                "def low(x): return x + 1",
                "@durable\ndef f(x):\n    ran()\n    return helper(x)",
            ),
            (
                "x = 0",
                "\n\n\n@durable\ndef f(x):\n\n    ran()\n\n    return helper(x)",
                "\n\ndef low(x): return x + 1\n\n\ndef helper(x): return low(x)",
            ),
        ],
        2,
    ),
    hit(
        "36",
        "another statement of the same cell is edited",
        "aside = §\n@durable\ndef f(x):\n    ran()\n    return x + 1\nafter = § + 1" + CALL,
        "12",
        2,
    ),
    hit(
        "36a",
        "another function of the same module is edited, and lines move",
        "import mymod\n# %%\n@durable\ndef f(x):\n    ran()\n    return mymod.g(x)" + CALL,
        ["", "# new\n\nOTHER = 1\ndef other(): return 1\n"],
        2,
        files={"mymod.py": "§\ndef g(x): return x + 1\n"},
    ),
    hit(
        "37",
        "a comment is added to a helper",
        "def helper(x):§\n    return x + 1\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL,
        ["", "  # simple\n    # enough"],
        2,
    ),
    hit(
        "37a",
        "a helper's default is written in another way",
        "def helper(x, n=§): return x + n\n# %%\n@durable\ndef f(x):\n    ran()\n    return helper(x)" + CALL,
        ["4", "2 * 2"],
        5,
    ),
    hit(
        "37b",
        "nothing changes at all, with a class, a closure, a partial and a table",
        """
import functools
class Model:
    scale = 2
    def __init__(self, k): self.k = k
    def fit(self, x): return self.k * self.scale * x
    @property
    def half(self): return self.k / 2
    @staticmethod
    def one(): return 1
    @classmethod
    def made(cls, k): return cls(k)
def make(n):
    def inner(x): return x + n
    return inner
inner = make(3)
part = functools.partial(inner, 4)
TABLE = {"a": inner, "b": [lambda x: x, Model]}
# %%
@durable
def f(x):
    ran()
    m = Model.made(x)
    return [m.fit(2), m.half, m.one(), inner(x), part(), TABLE["b"][1](3).fit(1)]
"""
        + CALL,
        ["", "# nothing"],
        [4, 0.5, 1, 4, 7, 6],
    ),
]


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_harmless_edit_hits(trap: Trap, tmp_path: Path) -> None:
    """What does not run, or stands elsewhere, is no reason to compute an hour again."""
    spring(trap, tmp_path)


def test_34_a_renamed_local_gives_the_value_either_way(tmp_path: Path) -> None:
    """A hit is a bonus; the value is right in any case."""
    book = Notebook(tmp_path)
    for name in ("y", "z"):
        outcome = book.run(
            f"@durable\ndef f(x):\n    ran()\n    {name} = x + 1\n    return {name}\n# %%\ngot['v'] = f(1)"
        )
        assert 2 == outcome.got["v"]
