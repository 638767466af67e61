"""A body that looks at a cached property fills it, and has changed nothing by that; all else is found as ever."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import resonate_nb as rnb
from resonate_nb import durable

pytestmark = pytest.mark.usefixtures("engine")


class Table:
    def __init__(self, *rows: int) -> None:
        self.rows = list(rows)

    @functools.cached_property
    def total(self) -> int:
        return sum(self.rows)

    @functools.cached_property
    def parts(self) -> list[Table]:
        return [Table(row) for row in self.rows]

    @functools.cached_property
    def lines(self) -> Any:
        return (row for row in self.rows)  # has no stable content


class Setting(Table):
    def refill(self) -> None:
        self.total = -1


class Counted(Table):
    class _Noting(functools.cached_property):  # type: ignore[type-arg]
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            return super().__get__(instance, owner)

    @_Noting
    def total(self) -> int:
        return 1


def not_replayable(name: str = "f") -> str:
    """What is said of the newest promise of this name."""
    newest = rnb.search(name=name)[0].record.promise
    return newest.value.headers.get("not_replayable", "")


def _looks(x: Any) -> None:
    assert x.total >= 0


FILLS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "an argument": (lambda: Table(1, 2), lambda x: x.total),
    "several": (lambda: Table(1, 2), lambda x: (x.total, x.parts)),
    "an object in a list in an object": (lambda: Table(Table(1)), lambda x: x.rows[0].total),  # type: ignore[arg-type]
    "an object in a dict": (lambda: {"a": [Table(1)]}, lambda x: x["a"][0].total),
    "what is filled is of a class of its own": (lambda: Table(1, 2), lambda x: x.parts[0].total),
    "it has no stable content": (lambda: Table(1, 2), lambda x: x.lines),
    "in a helper": (lambda: Table(1, 2), _looks),
}


@pytest.mark.parametrize("case", FILLS)
def test_a_filled_property_is_no_change_of_an_argument(case: str):
    make, look = FILLS[case]
    runs = []

    @durable(name="f", ignore=("runs", "look"))
    def f(x):
        runs.append(1)
        look(x)

    f(make())
    assert "" == not_replayable()
    f(make())
    assert [1] == runs


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "a change beside it": (lambda: Table(1, 2), lambda x: (x.total, x.rows.append(3))),
    "a plain attribute beside it": (lambda: Table(1, 2), lambda x: (x.total, vars(x).update(more=1))),
    "set, and not filled": (lambda: Table(1, 2), lambda x: setattr(x, "total", 7)),
    "set by a method": (lambda: Setting(1, 2), lambda x: x.refill()),
    "another kind of property": (lambda: Counted(1, 2), lambda x: x.total),
}


@pytest.mark.parametrize("case", CHANGES)
def test_any_other_change_is_found(case: str):
    make, change = CHANGES[case]

    @durable(name="f", ignore=("change",), depends=(change,))
    def f(x):
        change(x)

    f(make())
    assert "changed its argument `x` in place" in not_replayable()


def test_one_that_was_filled_before_counts_and_its_change_is_found():
    runs = []

    @durable(name="f", ignore=("runs",))
    def f(x):
        runs.append(1)
        return len(x.parts)

    @durable(name="g")
    def g(x):
        x.parts.append(1)

    filled = Table(1, 2)
    assert 3 == filled.total
    assert 2 == f(Table(1, 2)) == f(filled)
    assert [1, 1] == runs
    assert "" == not_replayable()  # `parts` was filled beside `total`, which had been there
    assert 2 == len(filled.parts)
    g(filled)
    assert "changed its argument `x` in place (attribute `parts`)" == not_replayable("g")


def test_a_filled_property_is_no_change_of_a_global():
    table, runs = Table(1, 2), []

    @durable(name="f", ignore=("runs",))
    def f():
        runs.append(1)
        return [each.total for each in table.parts]

    @durable(name="g")
    def g():
        table.rows.append(3)
        return table.total

    assert [1, 2] == f()
    assert "" == not_replayable()
    del table.parts
    assert [1, 2] == f()
    assert [1] == runs
    g()
    assert "changed the closure variable `table`" == not_replayable("g")
