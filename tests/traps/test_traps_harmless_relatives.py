# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Relatives of traps 30 to 37: more edits that change nothing that runs. Each row is code that stands before an f, or
is all of it, with what stands for `§` in the first session and in the second; the value is 2 in both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trap_sessions import CALL, Notebook, Trap, f, hit, spring

pytestmark = pytest.mark.slow


def helped(cells: str, *turns: Any, files: dict[str, str] | None = None) -> tuple[str, Any, dict[str, str]]:
    """A row whose edit is in what f calls as `helper`."""
    return cells + "\n# %%\n" + f("return helper(x)"), turns, files or {}


def body(lines: str, *turns: Any) -> tuple[str, Any, dict[str, str]]:
    """A row whose edit is in the body of f."""
    return f(lines), turns, {}


def all_of(cells: str, *turns: Any, files: dict[str, str] | None = None) -> tuple[str, Any, dict[str, str]]:
    return cells + CALL, turns, files or {}


HARMLESS = {
    "30: above the decorator, and between it and the function": all_of("§0\n@durable\n§1\ndef f(x):\n    ran()\n    return x + 1", ("", ""), ("# once", "# by day")),
    "30: after the last line": all_of("@durable\ndef f(x):\n    ran()\n    return x + 1\n    §", "", "# never reached"),
    "30: for a type checker, for a linter": body("return x + 1  §", "", "# type: ignore  # noqa"),
    "30: inside of a call that goes over lines": body("return sum([\n    x,§\n    1,\n])", "", "  # the first"),
    "30: a comment becomes another": body("# §\nreturn x + 1", "one", "two, and\n# three"),
    "30: an old line is commented out below": body("return x + 1§", "", "\n# return x + 2"),
    "31: a line is continued by a backslash": body("return x §+ 1", "", "\\\n    "),
    "31: a one-line if becomes two lines": body("if x:§return x + 1\nreturn 0", " ", "\n        "),
    "31: numbers written in another way": body("return x + § - 999", "1000", "1_000"),
    "31: hexadecimal": body("return x + § - 15", "16", "0x10"),
    "31: text put together by the reader of the code": body("return len(§) + x - 1", "'a' 'b'", "'ab'"),
    "31: quotes, an escape, a raw text": body("return len(§)", "'\\\\n'", 'r"\\n"'),
    "31: four spaces become two": all_of("@durable\ndef f(x):\n§ran()\n§return x + 1", "    ", "  "),
    "31: the arguments each on a line of their own": all_of("@durable\ndef f(§):\n    ran()\n    return x + 1", "x, y=1", "\n    x,\n    y=1,\n"),
    "32: of a helper": helped("def helper(x):§\n    return x + 1", "", '\n    """Adds one."""'),
    "32: of a class and of its method": helped("class C:\n    '''§'''\n    def m(self, x):\n        '''§'''\n        return x + 1\ndef helper(x): return C().m(x)", "A.", "B."),
    "32: of a module": helped("from mymod import helper", "One.", "Two.", files={"mymod.py": '"""§"""\ndef helper(x): return x + 1\n'}),
    "32: of a function inside of the body": body("def g(y):\n    '''§'''\n    return y + 1\nreturn g(x)", "A.", "B."),
    "32: of a dataclass, of an enum": helped("import dataclasses, enum\n@dataclasses.dataclass\nclass D:\n    '''§'''\n    k: int = 1\nclass E(enum.Enum):\n    '''§'''\n    A = 1\ndef helper(x): return x + D().k * E.A.value", "A.", "B."),
    "33: of a variable in the body": body("y§ = 1\nreturn x + y", "", ": 'int'"),
    "33: of a method": helped("class C:\n    def m(self, x§0)§1: return x + 1\ndef helper(x): return C().m(x)", ("", ""), (": float", " -> float")),
    "33: of a helper's stars": helped("def helper(*a§0, **k§0)§1: return a[0] + 1", ("", ""), (": int", " -> int")),
    "33: of a module's function, with an import for it": helped("from mymod import helper", ("", "", ""), ("import typing\n", ": typing.Any", " -> typing.Any"), files={"mymod.py": "§0def helper(x§1)§2: return x + 1\n"}),
    "33: text that names what is nowhere": all_of("@durable\ndef f(x§0)§1:\n    ran()\n    return x + 1", ("", ""), (": 'Nowhere'", " -> 'Nowhere'")),
    "35: the helper moves below f": all_of("§0\n@durable\ndef f(x):\n    ran()\n    return helper(x)\n§1", ("def helper(x): return x + 1", ""), ("", "def helper(x): return x + 1")),
    "35: a cell is cut in two": all_of("def helper(x): return x + 1\n§@durable\ndef f(x):\n    ran()\n    return helper(x)", "", "# %%\n"),
    "35: a cell with f is run twice": all_of("§@durable\ndef f(x):\n    ran()\n    return x + 1", "", "@durable\ndef f(x):\n    ran()\n    return x + 1\n"),
    "35: methods change places": helped("class C:\n    §0\n    §1\ndef helper(x): return C().a(x)", ("def a(self, x): return self.b(x)", "def b(self, x): return x + 1"), ("def b(self, x): return x + 1", "def a(self, x): return self.b(x)")),
    "35: functions of a module change places": helped("from mymod import helper", ("def low(x): return x + 1", "def helper(x): return low(x)"), ("def helper(x): return low(x)", "def low(x): return x + 1"), files={"mymod.py": "§0\n\n\n§1\n"}),
    "35: imports change places": helped("§0\n§1\ndef helper(x): return math.floor(x) + len(os.sep)", ("import math", "import os"), ("import os", "import math")),
    "36: a dataclass of every kind of field stays as it is": helped("import dataclasses, typing\naside = §\n@dataclasses.dataclass(kw_only=True, order=True)\nclass D:\n    a: int = 1\n    b: typing.ClassVar[int] = 1\n    c: dataclasses.InitVar[int] = 0\n    d: list = dataclasses.field(default_factory=list, repr=False, metadata={'u': 1})\ndef helper(x): return x + D().a * D.b", "1", "2"),
    "36: another function": all_of("def other(x): return §\n@durable\ndef f(x):\n    ran()\n    return x + 1", "1", "2"),
    "36: another method of a class that f does not reach": all_of("class Other:\n    def m(self): return §\n@durable\ndef f(x):\n    ran()\n    return x + 1", "1", "2"),
    "36: what is printed and shown": all_of("print(§)\n@durable\ndef f(x):\n    ran()\n    return x + 1", "1", "'two'"),
    "36: an import": all_of("§\n@durable\ndef f(x):\n    ran()\n    return x + 1", "import json", "import json, csv"),
    "36: the call's own line": all_of("@durable\ndef f(x):\n    ran()\n    return x + 1\n§", "", "y = f(1)"),
    "36: another durable function of the same cell": all_of("@durable\ndef other(x): return §\n@durable\ndef f(x):\n    ran()\n    return x + 1", "1", "2"),
    "37: a comment in a table of helpers": helped("T = {\n    'a': lambda x: x + 1,§\n}\ndef helper(x): return T['a'](x)", "", "  # the only one"),
    "37: a comment in a class that the helper makes": helped("class C:§\n    def m(self, x):§\n        return x + 1\ndef helper(x): return C().m(x)", "", "  # small"),
    "37: a comment and the layout of a module's function": helped("from mymod import helper", "x + 1", "(x  # first\n        + 1)", files={"mymod.py": "def helper(x):\n    return §\n"}),
    "37: a comment below a decorator of the helper": helped("def deco(g): return g\n@deco§\ndef helper(x): return x + 1", "", "  # for nothing"),
    "37: a comment in a lambda that goes over lines": helped("helper = lambda x: (\n    x + 1§\n)", "", "  # one more"),
    "17: our own options change, the rest stays": all_of("@durable(§)\ndef f(x):\n    ran()\n    return x + 1", "", "tags={'a': 'b'}, timeout=9"),
    "17: a decorator above ours is edited": all_of("def deco(g):\n    def inner(x): return g(x) + § - §\n    return inner\n@deco\n@durable\ndef f(x):\n    ran()\n    return x + 1", "1", "2"),
}  # fmt: skip


def _rows() -> list[Trap]:
    found = []
    for title, (cells, turns, files) in HARMLESS.items():
        number, law = title.split(": ", 1)
        found.append(hit(f"{number}r", law, cells, turns, 2, files=files))
    return found


TRAPS = _rows()


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_more_harmless_edits_hit(trap: Trap, tmp_path: Path) -> None:
    """And none of them says that anything is new."""
    spring(trap, tmp_path)


RENAMED = {
    "34r: the variable of a loop": ("n = 0\nfor § in [x]: n += § + 1\nreturn n", ("i", "j")),
    "34r: the variable of a comprehension": ("return [§ + 1 for § in [x]][0]", ("i", "j")),
    "34r: a function inside of the body": ("def §(y): return y + 1\nreturn §(x)", ("g", "h")),
    "34r: a parameter of a lambda": ("return (lambda §: § + 1)(x)", ("a", "b")),
    "34r: what an except clause binds": ("try: raise KeyError(x + 1)\nexcept KeyError as §: return §.args[0]", ("e", "error")),
    "34r: two locals change names with each other": ("§0, §1 = x, 1\nreturn §0 + §1", (("a", "b"), ("b", "a"))),
}  # fmt: skip


@pytest.mark.parametrize("title", RENAMED)
def test_34_more_renamed_names_give_the_value_either_way(title: str, tmp_path: Path) -> None:
    """A hit is a bonus; one run is enough in any case."""
    lines, turns = RENAMED[title]
    book = Notebook(tmp_path)
    for turn in turns:
        cells = f(lines)
        for number, part in enumerate([turn] if isinstance(turn, str) else turn):
            cells = cells.replace("§" if isinstance(turn, str) else f"§{number}", part)
        outcome = book.run(cells)
        assert 2 == outcome.got["value"], outcome.said
        assert outcome.runs <= 1
