# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""A body that fills a cached property by a look at it is replayed; one that changes anything else is not. Two sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from trap_sessions import Trap, hit, spring

pytestmark = pytest.mark.slow

CLASS = "import functools\nclass C:\n    def __init__(self, *rows): self.rows = list(rows)\n    @functools.cached_property\n    def total(self): return sum(self.rows)\n    @functools.cached_property\n    def parts(self): return [C(row) for row in self.rows]\n# %%\n"
CELL = "%load_ext resonate_nb\n" + CLASS + "c = C(1, 2)\n# %%\n%%durable\nran()\n{}\n# %%\ngot['value'] = y"
CHANGED = r"f(:.*)? is not replayable: (it )?changed {}"


def looking(body: str, given: str = "C(1, 2)", before: str = "") -> str:
    return f"{CLASS}c = {given}\n{before}\n# %%\n@durable\ndef f(x):\n    ran()\n    {body}\n# %%\ngot['value'] = f(c)"


def changing(law: str, cells: str, value: object, what: str) -> Trap:
    return Trap("filled", law, cells, ("", ""), (1, 1), (value, value), says=(CHANGED.format(what),) * 2)


TRAPS = [
    hit("filled", "of an argument", looking("return x.total"), ("", ""), 3),
    hit("filled", "of an object in a list in an argument", looking("return x[0][0].total", "[[C(1, 2)]]"), ("", ""), 3),
    hit("filled", "with objects that have some of their own", looking("return sum(each.total for each in x.parts)"), ("", ""), 3),
    hit("filled", "of a global", looking("return c.total + x", before="g = c").replace("f(c)", "f(1)"), ("", ""), 4),
    hit("filled", "beside one that was filled before", looking("return x.total", before="c.parts"), ("", ""), 3),
    hit("filled", "by a cell", CELL.format("y = c.total"), ("", ""), 3),
    changing("a list beside it", looking("x.rows.append(3); return x.total"), 6, "its argument `x` in place"),
    changing("an attribute of its own name", looking("x.total = 7; return x.total"), 7, "its argument `x` in place"),
    changing("one that was filled before", looking("x.parts.append(0); return x.total", before="c.parts"), 3, "its argument `x` in place"),
    changing("one of a global that was filled before", looking("c.parts.append(0); return c.total + x", before="c.parts").replace("f(c)", "f(1)"), 4, "the global `c`"),
    Trap("filled", "a list beside it, by a cell", CELL.format("c.rows.append(3); y = c.total"), ("", ""), (1, 1), (6, 6), says=(r"changed `c` \(line 3\) in place",) * 2),
]  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS, ids=Trap.id)
def test_a_look_at_a_cached_property_is_no_change(trap: Trap, tmp_path: Path) -> None:
    """And any other change is one."""
    spring(trap, tmp_path)
