"""An `ignore=` that leaves nothing out is said, once, at the first call: it may be a slip of the pen."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from resonate_nb import durable
from resonate_nb.runtime import Engine

pytestmark = pytest.mark.usefixtures("engine")

connection = object()
settings = {"a": 1}


class Shop:
    till: list[int] = []  # noqa: RUF012


def helper() -> object:
    return connection


def lines(said: list[str]) -> list[str]:
    return [line for line in said if "ignore= names" in line]


def test_a_name_that_nothing_has_is_said_once_with_what_may_be_meant(said: list[str]):
    @durable(name="ignored1", ignore=("conection", "verbos"))
    def f(x, connection, verbose=False):
        return x

    f(1, 2), f(1, 2), f(2, 2)
    assert [
        "ignored1: ignore= names `conection`, `verbos`, which are no parameters of it, nor anything that it reads, so "
        "nothing is left out for them; are `connection` and `verbose` meant?"
    ] == lines(said)


def test_nothing_is_said_before_the_first_call_and_of_what_is_there_by_then(said: list[str]):
    @durable(name="ignored2", ignore=("later",))
    def f(x):
        return x + (1 if later else 0)

    assert [] == lines(said)
    globals()["later"] = [1]
    f(1)
    assert [] == lines(said)


def passed_on(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def test_parameters_and_what_is_read_at_any_depth_are_names(said: list[str]):
    kept = [1]

    @durable(name="ignored3", ignore=("x", "rest", "y", "options"))
    def parameters(x, *rest, y=1, **options):
        return 1

    @durable(name="ignored4", ignore=("connection", "settings", "kept"))
    def reads():
        return helper(), settings["a"], kept

    @durable(name="ignored5", ignore=("x", "kwargs"))
    @passed_on
    def wrapped(x):
        return 1

    @durable(name="ignored6", ignore=("till", "Shop.till"))
    def attribute():
        return Shop.till

    @durable(name="ignored7", ignore=("later",))
    def stores():
        global later
        later = 1

    @durable(name="ignored8", ignore=("json",))
    def imports():
        import json

        return json.dumps(1)

    parameters(1), wrapped(1), stores(), imports()
    for function in (reads, attribute):
        function()
    assert ["ignored6: ignore= names `till`"] == [line.partition(",")[0] for line in lines(said)]


def test_methods(said: list[str]):
    class Till:
        @durable(name="ignored9", ignore=("self", "currency"))
        def pay(self, amount, currency):
            return amount

        @durable(name="ignored10", ignore=("cls", "amonut"))
        @classmethod
        def total(cls, amount):
            return amount

    Till().pay(1, 2), Till.total(1)
    (line,) = lines(said)
    assert "ignored10: ignore= names `amonut`, which is no parameter of it" in line
    assert line.endswith("nothing is left out for it; is `amount` meant?")


def test_what_an_inner_durable_call_leaves_out_may_be_named_by_the_outer_too(said: list[str]):
    @durable(name="inner11", ignore=("connection",))
    def inner(x):
        return connection, x

    @durable(name="ignored11", ignore=("connection",))
    def outer(x):
        return inner(x)[1]

    outer(1)
    assert [] == lines(said)


def test_an_edit_may_make_it_right(said: list[str], engine: Engine):
    for text in ("return x", "return x, connection"):
        namespace: dict[str, Any] = {"connection": connection}
        source = f"def f(x):\n    {text}\n"
        import linecache

        name = f"<edited {text}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        exec(compile(source, name, "exec"), namespace)
        durable(name="ignored12", ignore=("connection",))(namespace["f"])(1)
    assert ["ignored12: ignore= names `connection`"] == [line.partition(",")[0] for line in lines(said)]
