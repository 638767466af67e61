"""The place of what cannot be stored is found, in words that a user can type, without running the user's code."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resonate_nb.codec._where import path_to

TARGET = object()
OTHER = TARGET


class Plain:
    def __init__(self, inner: object) -> None:
        self.inner = inner

    def method(self) -> None: ...


class Slotted:
    __slots__ = "inner"

    def __init__(self, inner: object) -> None:
        self.inner = inner


class Hostile:
    """Whoever asks it for anything gets an error."""

    def __init__(self, inner: object) -> None:
        object.__getattribute__(self, "__dict__")["inner"] = inner

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("repr")


def closure(inner: object) -> Callable[[], object]:
    return lambda: inner


def unbound() -> Callable[[], object]:
    def function() -> object:
        return later

    if TARGET is None:
        later = None
    return function


def default(inner: object) -> Callable[..., object]:
    def function(a: object = inner, *, b: object = None) -> object:
        return a

    return function


def keyword(inner: object) -> Callable[..., object]:
    def function(*, b: object = inner) -> object:
        return b

    return function


def notebook_class(**members: object) -> type:
    return type("N", (), {"__module__": "__main__", **members})


PLACES: dict[str, tuple[Any, str]] = {
    "itself": (TARGET, ""),
    "dict": ({"a": {1: TARGET}}, "['a'][1]"),
    "dict key": ({(1, TARGET): 1}, ".keys()[(1, <object object at"),
    "list and tuple": ([0, (1, TARGET)], "[1][1]"),
    "set": ({TARGET}, ".{<object object at"),
    "deque": (deque([1, TARGET]), "[1]"),
    "attribute": ([Plain(TARGET)], "[0].inner"),
    "slot": (Slotted(TARGET), ".inner"),
    "hostile": (Hostile(TARGET), ".inner"),
    "key that cannot print": ({Hostile(1): TARGET}, "[<Hostile: RuntimeError>]"),
    "long key": ({"k" * 100: TARGET}, "['" + "k" * 56 + "...]"),
    "method": (Plain(TARGET).method, ".__self__.inner"),
    "closure": (closure(TARGET), ".<closure inner>"),
    "closure not bound yet": ([unbound(), TARGET], "[1]"),
    "global": (lambda: OTHER, ".<global OTHER>"),
    "default": (default(TARGET), ".__defaults__[0]"),
    "keyword default": (keyword(TARGET), ".__kwdefaults__['b']"),
    "function attribute": (functools.wraps(closure(TARGET))(closure(1)), ".__wrapped__.<closure inner>"),
    "class of the notebook": (notebook_class(a=TARGET), ".a"),
    "class method": (notebook_class(a=classmethod(closure(TARGET))), ".a.__func__.<closure inner>"),
    "property": (notebook_class(a=property(closure(TARGET))), ".a.fget.<closure inner>"),
    "object array": (np.array([[1, TARGET]], dtype=object), "[1]"),
    "frame": (pd.DataFrame({"n": [1, 2], "o": [1, TARGET]}, index=["x", "y"]), "['o']['y']"),
    "series": (pd.Series([1, TARGET], dtype=object), "[1]"),
    "frame's attrs": (
        {"df": pd.DataFrame({"n": [1]}).pipe(lambda df: df.attrs.update(o=TARGET) or df)},
        "['df']._attrs['o']",
    ),
}


@pytest.mark.parametrize("what", PLACES)
def test_the_place_is_found(what: str) -> None:
    """As the expression that reaches it, as far as there is one."""
    value, expected = PLACES[what]
    found = path_to(TARGET, value)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


@pytest.mark.parametrize("value", [[1, "a"], {}, np.zeros(3), int, functools], ids=repr)
def test_no_place_is_no_error(value: Any) -> None:
    """The reason is given without a place then."""
    assert path_to(TARGET, value) == ""


def test_the_shortest_place_is_given() -> None:
    """The nearest is the one to change."""
    deep = {"a": {"b": TARGET}}
    assert path_to(TARGET, [deep, TARGET]) == "[1]"


def test_cycles_end() -> None:
    """A value may contain itself."""
    value: list[Any] = []
    value.append(value)
    assert path_to(TARGET, value) == ""


@pytest.mark.slow
def test_the_search_is_bounded() -> None:
    """It runs on a failure, in front of a waiting user."""
    assert path_to(TARGET, [[[n] for n in range(300_000)], [[TARGET]]]) == ""
