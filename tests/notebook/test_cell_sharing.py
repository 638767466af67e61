"""What bound values share with inputs and with one another: found by identity and by memory, or not there."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb.notebook import _sharing
from resonate_nb.notebook._sharing import TooLargeError, notebook_functions, shared

LIST = [1]
ARRAY = np.arange(10.0)
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})


class Colour(Enum):
    RED = 1


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held


def found(bound: dict[str, Any], inputs: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(item.name, item.other, item.what) for item in shared(bound, inputs)]


@pytest.mark.parametrize(
    "holder",
    [
        [LIST],
        {"k": (LIST,)},
        {(1, 2): LIST},
        OrderedDict(a=LIST),
        defaultdict(list, {1: LIST}),
        deque([LIST]),
        SimpleNamespace(x=LIST),
        Slotted(LIST),
        functools.partial(print, LIST),
        np.array([LIST, None], dtype=object),
        pd.Series([LIST, 2], dtype=object),
        pd.DataFrame({"o": pd.Series([LIST], dtype=object)}),
        (lambda: LIST).__class__((lambda: None).__code__, {}, "f", (LIST,)),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_a_shared_object_is_found_wherever_it_hides(holder: object) -> None:
    assert found({"y": holder}, {"x": {"deep": [LIST]}}) == [("y", "x", "list")]
    assert found({"y": {"deep": [LIST]}}, {"x": holder}) == [("y", "x", "list")]


@pytest.mark.parametrize(
    "value",
    [1, "text", (1, "a"), frozenset({1}), None, Colour.RED, np.float64(2), pd.Timestamp("2020-01-01"), print, np, int],
    ids=repr,
)
def test_what_nobody_can_change_may_be_shared(value: object) -> None:
    assert found({"y": [value]}, {"x": {"k": value}}) == []


def test_an_input_itself_is_told_from_a_part_of_it() -> None:
    assert found({"y": LIST}, {"x": LIST}) == [("y", "x", "is")]
    assert found({"y": FRAME}, {"x": FRAME}) == [("y", "x", "is")]
    assert found({"y": FRAME.index}, {"x": FRAME}) == [("y", "x", "pandas.RangeIndex")]
    assert found({"y": [FRAME]}, {"x": FRAME}) == [("y", "x", "pandas.DataFrame")]
    assert found({"y": list(LIST)}, {"x": LIST}) == []


def test_memory_of_arrays() -> None:
    assert found({"y": ARRAY[2:4]}, {"x": ARRAY}) == [("y", "x", "memory")]
    assert found({"y": [ARRAY.reshape(2, 5).T]}, {"x": {"k": ARRAY}}) == [("y", "x", "memory")]
    assert found({"y": ARRAY.copy()}, {"x": ARRAY}) == []
    assert found({"y": ARRAY[:0]}, {"x": ARRAY}) == []
    base = np.arange(6)
    assert found({"p": base, "q": base[1:]}, {}) == [("q", "p", "memory")]
    assert found({"p": base, "q": base}, {}) == []  # one object: stored once, it comes back as one
    assert found({"p": base[:3], "q": base[3:]}, {}) == []


if int(pd.__version__.split(".")[0]) >= 3:  # pandas 2 lets writes through

    def test_frames_that_copy_on_write_keeps_apart() -> None:
        derived = {
            "part": FRAME[["a"]],
            "column": FRAME["b"],
            "more": FRAME.assign(c=1),
            "shallow": FRAME.copy(deep=False),
        }
        assert found(derived, {"x": FRAME}) == []
        assert found({"y": FRAME["a"].to_numpy()}, {"x": FRAME}) == [("y", "x", "memory")]
        assert found({"y": pd.DataFrame(ARRAY, copy=False)}, {"x": ARRAY}) == [("y", "x", "memory")]
        assert found({"y": pd.Series(pd.date_range("2020", periods=3))}, {"x": pd.date_range("2020", periods=3)}) == []
        dates = pd.date_range("2020", periods=5)
        assert found({"y": dates[1:]}, {"x": dates}) == []


def test_an_index_of_several_levels() -> None:
    levels = pd.MultiIndex.from_product([[1, 2], ["a"]])
    frame = pd.DataFrame({"n": [1, 2]}, index=levels)
    assert found({"y": levels.copy(), "z": frame.groupby(level=0).sum()}, {"x": frame}) == []
    assert found({"y": frame.index}, {"x": frame}) == [("y", "x", "pandas.MultiIndex")]


def test_functions_of_the_notebook_are_found_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def own() -> None: ...

    monkeypatch.setattr(own, "__module__", "__main__")
    held = {"a": {"k": own}, "b": functools.partial(own), "c": [print], "d": own}
    name = own.__qualname__
    assert notebook_functions(held, lambda function: False) == {"a": name}  # each function is said once
    assert notebook_functions(held, lambda function: True) == {}


def test_the_namespace_is_no_part_of_a_value() -> None:
    """A durable function keeps the namespace it was defined in: not everything in there is shared with it."""
    namespace = {"__builtins__": {}, "y": LIST}
    assert found({"y": LIST}, {"x": SimpleNamespace(home=namespace)}) == []
    assert found({"y": LIST}, {"x": SimpleNamespace(home={"y": LIST})}) == [("y", "x", "list")]


def test_a_walk_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sharing, "LIMIT", 100)
    with pytest.raises(TooLargeError) as given_up:
        shared({"y": [LIST]}, {"big": [[i] for i in range(200)]})
    assert given_up.value.name == "big"
    assert shared({"y": 1}, {"big": [[i] for i in range(200)]}) == []  # nothing bound that could be shared
