"""The short way of hits: where it may not be taken, the long way is."""

from __future__ import annotations

from resonate_nb import configure, durable
from resonate_nb.clock import SystemClock
from resonate_nb.runtime import Engine
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
