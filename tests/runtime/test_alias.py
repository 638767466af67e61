"""Results that are the caller's own objects: said, since a replay can only hand out a copy."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pytest

from resonate_nb import durable, runtime
from resonate_nb.runtime.call._alias import held


class Box:
    """A plain object."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def method(self) -> None:
        """Something to be bound."""


@dataclasses.dataclass(frozen=True)
class Record:
    """Cannot be changed."""

    when: int


class Colour(enum.Enum):
    RED = 1


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said by another test may be said again."""
    from resonate_nb.runtime import _say

    monkeypatch.setattr(_say, "_said", set())


SHARED: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "a list": ([1], lambda x: x),
    "an array": (np.zeros(3), lambda x: x),
    "an empty array": (np.zeros(0), lambda x: [x]),
    "a frame": (pd.DataFrame({"a": [1]}), lambda x: (1, {"k": x})),
    "a part": ({"inner": [1]}, lambda x: x["inner"]),
    "an attribute": (Box([1]), lambda x: x.inner),
    "an object in a list": ([Box(1)], lambda x: x[0]),
    "a view": (np.zeros(3), lambda x: x[:2]),
    "a view of the same array": (np.zeros(4)[:3], lambda x: x[1:]),
    "a method": ([1], lambda x: x.append),
    "a method of an object": (Box(1), lambda x: x.method),
    "inside of an object": ([1], Box),
}
APART: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "a number": (5, lambda x: x),
    "a copy": ([1], list),
    "a copied array": (np.zeros(3), np.copy),
    "an empty tuple": ((), lambda x: x),
    "a record that cannot change": ([Record(1)], lambda x: x[0]),
    "an enum member": ([Colour.RED], lambda x: x[0]),
    "a sum": (np.zeros(3), lambda x: float(x.sum())),
    "a million numbers": (list(range(100_000)), lambda x: x[:10]),
}


@pytest.mark.parametrize("case", SHARED)
def test_a_result_that_shares_with_an_argument_is_returned_and_said(
    case: str, engine: runtime.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever can be told of it must not stand in the way of the value."""
    given, body = SHARED[case]
    made = durable(lambda x: body(x))
    with caplog.at_level(logging.INFO, "resonate_nb"):
        made(given)
    assert "its argument `x`" in caplog.text


@pytest.mark.parametrize("case", APART)
def test_a_result_that_shares_nothing_says_nothing(
    case: str, engine: runtime.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """Or the line would be noise."""
    given, body = APART[case]
    made = durable(lambda x: body(x))
    with caplog.at_level(logging.INFO, "resonate_nb"):
        made(given)
    assert "hands out a copy" not in caplog.text


ITEMS = [1]
KIND = TypeVar("KIND")


def test_what_keeps_its_attributes_to_itself_costs_no_value(engine: runtime.Engine) -> None:
    """Futures do, and from Python 3.12 on type variables."""
    loop = asyncio.new_event_loop()
    assert held([], {"a future": loop.create_future()}) is None
    loop.close()

    @durable
    def gives() -> list[str]:
        return [str(KIND)]

    assert ["~KIND"] == gives()


def test_a_result_that_is_a_global_is_said(engine: runtime.Engine, caplog: pytest.LogCaptureFixture) -> None:
    """The caller who appends to it changes the global, in the first session only."""

    @durable
    def gives() -> list[int]:
        return ITEMS

    with caplog.at_level(logging.INFO, "resonate_nb"):
        assert gives() is ITEMS
    assert "its global `" in caplog.text
