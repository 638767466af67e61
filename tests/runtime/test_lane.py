"""The short way of hits: where it may not be taken, the long way is."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from resonate_nb import configure, durable
from resonate_nb.clock import SystemClock
from resonate_nb.runtime import Engine
from resonate_nb.runtime.call import _lane
from resonate_nb.store import MemoryStore


def test_a_default_that_changed_in_place_is_another_argument(disk: Engine):
    weights = [1]

    @durable(version=1)
    def total(x: int, given: list[int] = weights) -> int:
        return x + sum(given)

    @durable(version=1)
    def total_by_name(x: int, *, given: list[int] = weights) -> int:
        return x + sum(given)

    @durable(version=1)
    def nested(x: int, given: tuple[list[int], ...] = (weights,)) -> int:
        return x + sum(given[0])

    for step in (total, total_by_name, nested):
        weights[:] = [1]
        assert [2, 2, 2] == [step(1) for _ in range(3)]
        weights.append(5)
        assert 7 == step(1)


def test_a_default_that_code_hangs_on_is_another_argument(disk: Engine):
    def twice(x: int) -> int:
        return 2 * x

    @durable(version=1)
    def applied(x: int, function: object = twice) -> int:
        return function(x)  # type: ignore[operator, no-any-return]

    assert [6, 6, 6] == [applied(3) for _ in range(3)]
    twice.__code__ = (lambda x: 3 * x).__code__
    assert 9 == applied(3)


def test_a_value_that_went_to_one_store_is_no_hit_of_another(engine: Engine):
    runs: list[int] = []
    elsewhere = MemoryStore(SystemClock())

    @durable(version=1)
    def step() -> int:
        return 1

    def move() -> None:
        configure(store=elsewhere)
        step()

    @durable(version=1, ignore=("runs", "move"))
    def moving(x: int) -> int:
        runs.append(x)
        if len(runs) == 1:
            move()
        return 2 * x

    assert (2, None) == (moving(1), moving.get(1))
    assert (2, [1, 1]) == (moving(1), runs)
    assert "resolved" == moving.get(1).state


def test_what_one_thread_learns_is_not_taken_for_the_code_of_another(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    offset = 0

    @durable
    def step(x: int) -> int:
        return x + offset

    assert 1 == step(1)
    kept = _lane._Kept
    steps: list[int] = []

    def in_between(*args: Any) -> Any:
        # As if another thread came to its turn here: after the code was found, before its value is noted.
        nonlocal offset
        if not steps:
            offset = 1000
            steps.append(0)
            steps.append(step(1))
        return kept(*args)

    offset = 5
    monkeypatch.setattr(_lane, "_Kept", in_between)
    assert (6, [0, 1001]) == (step(1), steps)
    assert 1001 == step(1)


def test_all_lanes_together_keep_so_many_values_and_no_more(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_lane, "_MOST", 10)
    monkeypatch.setattr(_lane, "_kept", 0)
    monkeypatch.setattr(_lane, "_lanes", set())

    def made() -> Any:
        @durable(version=1)
        def step(x: int) -> int:
            return 2 * x

        return step

    steps = [made() for _ in range(3)]
    values = [step(x) for x in range(9) for step in steps]
    assert [2 * x for x in range(9) for _ in steps] == values
    assert 1 <= _lane._kept <= 10
    assert [2 * x for x in range(9) for _ in steps] == [step(x) for x in range(9) for step in steps]
    assert 1 <= len(_lane._lanes) <= 3
    steps.clear()
    gc.collect()
    assert set() == _lane._lanes
