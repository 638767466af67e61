"""An edited default is told from another argument: in one line that is shown, by `why`, and in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.runtime import Engine

pytestmark = pytest.mark.usefixtures("engine")

Made = Callable[..., Any]


def lines(said: list[str]) -> list[str]:
    return [line.partition(" runs: ")[2] for line in said if " runs: " in line]


@pytest.fixture
def edited(request: pytest.FixtureRequest) -> Made:
    """The same code with another default; of a name of its own, since a line is shown once."""
    name = request.node.name

    def made(k: Any, **options: Any) -> Any:
        @durable(name=name, **options)
        def step(x: int, k: Any = k, *, m: str = "a") -> int:
            return x

        return step

    return made


def test_an_edited_default_is_said(edited: Made, said: list[str]) -> None:
    [edited(1)(x) for x in range(3)]
    step = edited(2)
    assert ("default of `k`: 1 → 2", "first run with these arguments") == (step.why(0).reason, step.why(0, 5).reason)
    [step(x) for x in range(3)]
    assert ["default of `k`: 1 → 2"] == lines(said)
    assert "default of `k`: 1 → 2" == step.get(0).why().reason


def test_an_edited_default_of_a_helper_is_said(said: list[str]) -> None:
    def made(least: int) -> Any:
        def keep(x: int, least: int = least) -> bool:
            return x > least

        @durable(name="keeping")
        def step(x: int) -> bool:
            return keep(x)

        return step

    assert made(1)(2)
    assert not made(3)(2)
    where = f"{test_an_edited_default_of_a_helper_is_said.__name__}.made.keep"
    assert [f"default of `least` in `{where}`: 1 → 3"] == lines(said)


def test_other_arguments_are_no_edit(edited: Made, said: list[str]) -> None:
    """Neither one that is passed where it was left out, nor one that is left out where it was passed."""
    step = edited(1)
    step(0), step(0, 2), step(0, k=3, m="b"), step(1)
    assert "first run with these arguments" == step.why(2).reason
    again = edited(1)  # the cell is run again, as it was
    again(3), again(4, 7)
    assert [] == lines(said)


def test_a_default_that_was_passed_before_is_no_news(edited: Made, said: list[str]) -> None:
    edited(1)(0, 2)
    edited(2)(0)
    edited(3)(0, 9)
    assert [] == lines(said)


def test_it_is_said_at_the_first_call_that_is_left_to_it(edited: Made, said: list[str]) -> None:
    edited(1)(0)
    step = edited(2)
    step(1, 5)
    assert [] == lines(said)
    step(0)
    assert ["default of `k`: 1 → 2"] == lines(said)


def test_a_large_default_is_described(edited: Made, said: list[str]) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    edited(frame)(0)
    edited(frame.assign(a=0))(0)
    assert ["default of `k`: column `a`: values differ"] == lines(said)


def test_defaults_that_are_replaced_by_hand_are_said(edited: Made, said: list[str]) -> None:
    """As `%autoreload` does."""
    step = edited(1)
    step(0)
    step.__wrapped__.__defaults__ = (2,)
    step(0)
    assert ["default of `k`: 1 → 2"] == lines(said)


def test_a_later_session_says_it(engine: Engine, edited: Made, said: list[str]) -> None:
    edited(1)(0)
    engine.known_parts.clear()
    engine._known_code.clear()
    edited(2)(0)
    assert ["default of `k`: 1 → 2"] == lines(said)
    assert ["default of `k`: 1 → 2"] == [change.text for change in rnb.search()[0].why().changes]


def test_ignored_and_fixed_ones_are_left_alone(edited: Made, said: list[str]) -> None:
    edited(1, ignore=("k",))(0)
    assert edited(2, ignore=("k",)).why(0).would_hit
    edited(1, version=7)(0), edited(2, version=7)(0)
    assert ["default of `k`: 1 → 2"] == lines(said)
