"""A body that changes an argument, or something that its code reads, is found out, named, and no hit."""

from __future__ import annotations

import array
import asyncio
import collections
import copy
import functools
import random
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import resonate_nb as rnb
from resonate_nb import durable

pytestmark = pytest.mark.usefixtures("engine")


class Box:
    total = 0
    shared: list[int] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.items: list[int] = []
        self.count = 0

    def add(self) -> None:
        self._deeper()

    def _deeper(self) -> None:
        self.count += 1

    @property
    def size(self) -> int:
        return self.count

    @size.setter
    def size(self, size: int) -> None:
        self.count = size


@dataclass
class Row:
    cells: list[int]


class Slotted:
    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = 1


def append_to(items: list[int]) -> None:
    items.append(1)


def first_set(items: Any, value: Any) -> None:
    items[0] = value


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns or {"a": [2, 1], "b": ["x", "y"]})


def set_name(index: Any) -> None:
    index.name = "other"


def set_attribute(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


IN_ARGUMENTS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (list, lambda x: x.append(1)),
    "list +=": (lambda: [1], lambda x: x.__iadd__([2])),
    "del item": (lambda: [1, 2], lambda x: x.__delitem__(0)),
    "sort": (lambda: [2, 1], lambda x: x.sort()),
    "by a helper": (list, append_to),
    "by map over helpers": (lambda: [[], []], lambda x: list(map(append_to, x))),
    "deep in dicts and tuples": (lambda: {"a": ({"b": []},)}, lambda x: x["a"][0]["b"].append(1)),
    "order of a dict": (lambda: {"a": 1, "b": 2}, lambda x: x.update(a=x.pop("a"))),
    "set": (lambda: {1}, lambda x: x.add(2)),
    "bytearray": (lambda: bytearray(b"a"), lambda x: x.extend(b"b")),
    "array.array": (lambda: array.array("i", [1]), lambda x: x.append(2)),
    "deque": (lambda: collections.deque([1, 2]), lambda x: x.rotate()),
    "counter": (collections.Counter, lambda x: x.update("a")),
    "a read of a defaultdict": (lambda: collections.defaultdict(list), lambda x: x["a"]),
    "attribute": (Box, lambda x: set_attribute(x, "count", 5)),
    "list in an object": (Box, lambda x: x.items.append(1)),
    "method": (Box, lambda x: x.add()),
    "property": (Box, lambda x: set_attribute(x, "size", 3)),
    "list of its class": (Box, lambda x: x.shared.append(1)),
    "attribute of its class": (Box, lambda x: set_attribute(type(x), "total", type(x).total + 1)),
    "dataclass": (lambda: Row([]), lambda x: x.cells.append(1)),
    "slots": (Slotted, lambda x: set_attribute(x, "a", 2)),
    "array": (lambda: np.arange(3), lambda x: first_set(x, 9)),
    "array by a view": (lambda: np.arange(3), lambda x: first_set(x[1:], 9)),
    "a view": (lambda: np.arange(6)[2:], lambda x: first_set(x, 9)),
    "array by out=": (lambda: np.arange(3), lambda x: np.add(x, 1, out=x)),
    "masked array": (lambda: np.ma.array([1, 2], mask=[0, 1]), lambda x: first_set(x, np.ma.masked)),
    "random generator": (lambda: np.random.default_rng(3), lambda x: x.random()),
    "random.Random": (lambda: random.Random(3), lambda x: x.random()),
    "frame: new column": (frame, lambda x: x.insert(0, "z", 1)),
    "frame: cell": (frame, lambda x: x.iloc.__setitem__((0, 0), 9)),
    "frame: update": (frame, lambda x: x.update(frame(a=[7, 8]))),
    "frame: columns": (frame, lambda x: set_attribute(x, "columns", ["p", "q"])),
    "frame: name of its index": (frame, lambda x: set_name(x.index)),
    "frame: attrs": (frame, lambda x: x.attrs.update(a=1)),
    "frame: list in a cell": (lambda: frame(a=[[1]]), lambda x: x["a"].iloc[0].append(2)),
    "frame: array of a column": (frame, lambda x: first_set(x["a"].array, 9)),
    "series": (lambda: pd.Series([1, 2]), lambda x: x.iloc.__setitem__(0, 9)),
    "in a thread": (list, lambda x: in_thread(x.append, 1)),
}


def in_thread(call: Callable[..., object], *arguments: object) -> None:
    thread = threading.Thread(target=call, args=arguments)
    thread.start()
    thread.join(60)


def not_replayable(name: str) -> str:
    """What is said of the newest promise of this name."""
    newest = rnb.search(name=name)[0].record.promise
    return newest.value.headers.get("not_replayable", "")


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the bodies here change of the class is put back."""
    monkeypatch.setattr(Box, "total", 0)
    monkeypatch.setattr(Box, "shared", [])


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("case", IN_ARGUMENTS)
def test_a_changed_argument_is_named_and_the_next_equal_one_is_changed_again(case: str):
    make, change = IN_ARGUMENTS[case]
    runs = []

    @durable(name="f", ignore=("runs", "change"))
    def f(x):
        runs.append(1)
        change(x)

    f(make())
    assert "changed its argument `x` in place" in not_replayable("f")
    Box.total, Box.shared = 0, []
    f(make())
    assert [1, 1] == runs


LIST: list[int] = [1]
NESTED = {"a": [{"b": [1]}]}
BOX = Box()
ROW = Row([1])
SPACE = types.SimpleNamespace(x=1)
ARRAY = np.arange(5.0)
VIEW = ARRAY[1:3]
FRAME = frame()
DRAWS = np.random.default_rng(0)
NUMBER = 0
APPEND = LIST.append
PARTIAL = functools.partial(append_to, LIST)
BOUND = BOX.add
TABLE = {"go": [append_to]}


def by_a_global_statement() -> None:
    global NUMBER
    NUMBER += 1


def helper() -> None:
    LIST.append(1)


def of_a_function() -> None:
    of_a_function.count += 1  # type: ignore[attr-defined]


of_a_function.count = 0  # type: ignore[attr-defined]


def list_append() -> None:
    LIST.append(1)


def list_by_helper() -> None:
    helper()


def list_by_text() -> None:
    exec("LIST.append(1)")


def list_by_its_namespace() -> None:
    globals()["LIST"].append(1)


def list_by_a_bound_method() -> None:
    APPEND(1)


def list_by_a_partial() -> None:
    PARTIAL()


def list_by_a_table() -> None:
    TABLE["go"][0](LIST)


def list_by_getattr() -> None:
    getattr(LIST, "append")(1)  # noqa: B009


def nested() -> None:
    NESTED["a"][0]["b"].append(1)


def attribute() -> None:
    BOX.count += 1


def attribute_by_setattr() -> None:
    set_attribute(BOX, "count", BOX.count + 1)


def attribute_by_its_dict() -> None:
    vars(BOX)["count"] = BOX.count + 1


def attribute_by_a_method() -> None:
    BOX.add()


def attribute_by_a_bound_method() -> None:
    BOUND()


def attribute_by_a_property() -> None:
    BOX.size += 1


def attribute_of_a_namespace() -> None:
    SPACE.x += 1


def attribute_of_a_class() -> None:
    Box.total += 1


def list_of_a_class() -> None:
    Box.shared.append(1)


def attribute_of_the_class_of_an_object() -> None:
    type(BOX).total += 1


def dataclass_field() -> None:
    ROW.cells.append(1)


def array_item() -> None:
    ARRAY[0] += 1


def array_by_a_view() -> None:
    ARRAY[1:][0] += 1


def array_by_another_view() -> None:
    VIEW[0] += 1


def frame_cell() -> None:
    FRAME.loc[0, "a"] += 1


def frame_column() -> None:
    FRAME.insert(0, f"c{FRAME.shape[1]}", 1)


def draw() -> float:
    return float(DRAWS.random())


CHANGES_OF_GLOBALS = [
    by_a_global_statement,
    of_a_function,
    list_append,
    list_by_helper,
    list_by_text,
    list_by_its_namespace,
    list_by_a_bound_method,
    list_by_a_partial,
    list_by_a_table,
    list_by_getattr,
    nested,
    attribute,
    attribute_by_setattr,
    attribute_by_its_dict,
    attribute_by_a_method,
    attribute_by_a_bound_method,
    attribute_by_a_property,
    attribute_of_a_namespace,
    attribute_of_a_class,
    list_of_a_class,
    attribute_of_the_class_of_an_object,
    dataclass_field,
    array_item,
    array_by_a_view,
    array_by_another_view,
    frame_cell,
    frame_column,
    draw,
]
NAMES = "NUMBER of_a_function.count LIST APPEND PARTIAL TABLE NESTED BOX BOUND SPACE Box ROW ARRAY VIEW FRAME DRAWS"


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("version", [None, 1], ids=["automatic version", "fixed version"])
@pytest.mark.parametrize("change", CHANGES_OF_GLOBALS, ids=lambda change: change.__name__)
def test_a_changed_global_is_named_and_is_no_hit(change: Callable[[], object], version: int | None):
    f = durable(name="f", version=version)(change)
    f()
    assert any(f"`{name}" in not_replayable("f") for name in NAMES.split()), not_replayable("f")


def counter() -> Callable[[], int]:
    number = 0

    def count() -> int:
        nonlocal number
        number += 1
        return number

    return count


def test_closures_and_what_they_hold():
    box, count = Box(), counter()

    @durable(name="holds")
    def holds():
        box.items.append(1)

    @durable(name="counts")
    def counts():
        return count()

    holds(), counts()
    assert "changed the closure variable `box`" in not_replayable("holds")
    assert "number" in not_replayable("counts")
    assert 2 == counts()


def test_defaults_that_grow():
    @durable(name="grows")
    def grows(x, seen=[]):  # noqa: B006
        seen.append(x)
        return len(seen)

    assert [1, 2, 3] == [grows(1), grows(1), grows(1)]
    assert "changed its argument `seen` in place" in not_replayable("grows")


def test_awaited_bodies():
    kept: list[int] = []

    @durable(name="awaited")
    async def awaited(x):
        await asyncio.sleep(0)
        x.append(1)
        kept.append(1)

    asyncio.run(awaited([]))
    assert "changed its argument `x` in place; changed the closure variable `kept`" == not_replayable("awaited")


def test_what_steps_and_inner_calls_change_is_the_outer_calls_as_well():
    @durable(name="step", keyed_by="call")
    def step(x):
        x.append(1)

    @durable(name="inner")
    def inner(x):
        x.append(1)

    @durable(name="outer")
    def outer(x, y):
        step(x), inner(y)

    outer([], [])
    assert "changed its argument `x` in place; changed its argument `y` in place" == not_replayable("outer")
    assert "changed its argument `x` in place" == not_replayable("step") == not_replayable("inner")


def test_methods_of_an_object():
    class Till:
        def __init__(self) -> None:
            self.paid = 0

        @durable(name="pay")
        def pay(self, amount):
            self.paid += amount
            return self.paid

    till = Till()
    assert [5, 10] == [till.pay(5), till.pay(5)]
    assert 5 == Till().pay(5)
    assert "changed its argument `self` in place (attribute `paid`)" == not_replayable("pay")


def test_the_attributes_that_were_set_are_named():
    """One that keeps what it gives among them: nobody would look for that."""

    class Table:
        def __init__(self) -> None:
            self.rows = [1, 2]

        @property
        def total(self) -> int:
            self.kept = sum(self.rows)
            return self.kept

    @durable(name="sums")
    def sums(table):
        return table.total

    @durable(name="fits")
    def fits(table):
        table.a = table.b = table.c = table.d = 1

    sums(Table())
    fits(Table())
    assert "changed its argument `table` in place (attribute `kept`)" == not_replayable("sums")
    assert "changed its argument `table` in place (attributes `a`, `b`, `c`, …)" == not_replayable("fits")


def test_what_was_changed_before_it_was_raised_is_raised_by_a_run_only():
    runs = []

    @durable(name="raises", on_rejected="raise", ignore=("runs",))
    def raises(x, changes):
        runs.append(1)
        if changes:
            x.append(1)
        raise ValueError("no")

    for changes in (True, True, False, False):
        mine: list[int] = []
        with pytest.raises(ValueError, match="no"):
            raises(mine, changes)
        assert ([1] if changes else []) == mine
    assert [1, 1, 1] == runs


def test_a_step_that_changed_something_and_raised_runs_again_with_its_parent():
    runs = []

    @durable(name="step", keyed_by="call", ignore=("runs",))
    def step(x, changes):
        runs.append(changes)
        if changes:
            x.append(1)
        raise ValueError("no")

    stops = [True]

    @durable(name="parent", ignore=("stops",))
    def parent():
        mine: list[int] = []
        for changes in (True, False):
            try:
                step(mine, changes)
            except ValueError:
                pass
        if stops:
            stops.clear()
            raise KeyboardInterrupt
        return mine

    with pytest.raises(KeyboardInterrupt):
        parent()
    assert [1] == parent()
    assert [True, False, True] == runs


def test_a_failed_try_that_changed_its_argument_leaves_no_hit():
    tries = []

    @durable(name="tries", retry=rnb.Constant(delay=0, max_attempts=2), ignore=("tries",))
    def second_time(x):
        tries.append(1)
        x.append(1)
        if len(tries) == 1:
            raise ValueError("once")
        return list(x)

    assert [1, 1] == second_time([])
    assert "changed its argument `x` in place" in not_replayable("tries")


def test_files_count_for_what_was_raised_too(tmp_path: Any):
    path = tmp_path / "data.txt"
    path.write_text("bad")

    @durable(name="parse", on_rejected="raise")
    def parse(path):
        with open(path) as file:
            return int(file.read())

    for _ in range(2):
        with pytest.raises(ValueError):
            parse(str(path))
    assert 1 == len(rnb.search(name="parse"))
    path.write_text("7")
    assert 7 == parse(str(path))


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda: [[1]], copy.deepcopy),
        (lambda: [1], lambda x: (x.append(2), x.pop())),
        (lambda: np.arange(3), lambda x: (x.copy().sort(), x.sum())),
        (frame, lambda x: x.assign(z=1).sort_values("a")["a"].sum()),
        (frame, lambda x: list(x.itertuples())),
        (Box, lambda x: (x.size, x.items, vars(x))),
        (lambda: collections.defaultdict(list), lambda x: x.get("a")),
    ],
    ids=["copied", "undone", "array", "frame", "rows", "object", "defaultdict"],
)
def test_what_only_reads_is_a_hit(make: Callable[[], Any], read: Callable[[Any], Any]):
    runs = []

    @durable(name="reads", ignore=("runs", "read"))
    def reads(x):
        runs.append(1)
        read(x)

    reads(make()), reads(make())
    assert "" == not_replayable("reads")
    assert [1] == runs


def test_it_is_said_with_the_name(said: list[str]):
    @durable(name="told")
    def told(order):
        order.append(1)

    told([])
    assert "told is not replayable: it changed its argument `order` in place" in said
