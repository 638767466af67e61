"""Freshness: a result older than `max_age` is a miss, wherever it lies, and the next generation runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from flaky import Flaky

from resonate_nb import durable, runtime
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.runtime import Engine
from resonate_nb.store import SqliteStore

DAY = 86_400_000


def generation(step: Any, *args: Any) -> str:
    return step.get(*args).id.rpartition("@")[2]


@pytest.mark.parametrize("max_age", ["1d", 86_400, timedelta(days=1)], ids=["text", "seconds", "timedelta"])
def test_a_result_is_fresh_up_to_its_age_and_no_longer(manual: Engine, clock: ManualClock, max_age: Any) -> None:
    flaky = Flaky()
    step = flaky.durable(max_age=max_age)
    step()
    clock.advance(DAY)
    assert (7, 1, "1") == (step(), flaky.runs, generation(step))
    clock.advance(1)
    assert (7, 2, "1~2") == (step(), flaky.runs, generation(step))
    # Its age is counted from its own settlement.
    clock.advance(DAY)
    assert (7, 2) == (step(), flaky.runs)


def test_the_reason_is_told_and_kept(manual: Engine, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    flaky = Flaky()
    step = flaky.durable(max_age="1h")
    step()
    clock.advance(DAY)
    with caplog.at_level(logging.INFO, "resonate_nb"):
        step()
    reason = "expired: it is 24 h 00 m old, and max_age is 1 h 00 m"
    assert [f"{flaky.id}: runs again, {reason}"] == caplog.messages
    assert reason == (manual.note(step.get().id, "why") or b"").decode()


@pytest.mark.parametrize("hits", [0, 1, 5], ids=["from the store", "from memory", "from what was read ahead"])
def test_no_layer_hands_out_what_is_too_old(manual: Engine, clock: ManualClock, hits: int) -> None:
    runs: list[int] = []

    @durable(version=1, max_age="1h", ignore=("runs",))
    def step(x: int) -> list[int]:
        runs.append(x)
        return [x, len(runs)]

    values = [step(x) for x in range(10)]
    for x in range(10):
        manual.memo.drop(step.get(x).id)
    for _ in range(hits):
        assert values == [step(x) for x in range(10)]
    clock.advance(DAY)
    assert [[x, 11 + x] for x in range(10)] == [step(x) for x in range(10)]
    assert [[x, 11 + x] for x in range(10)] == [step(x) for x in range(10)]


def test_a_result_from_the_future_is_fresh(manual: Engine, clock: ManualClock) -> None:
    """The clock was set back since."""
    flaky = Flaky()
    step = flaky.durable(max_age="1h")
    step()
    clock.advance_wall(-DAY)
    assert (7, 1) == (step(), flaky.runs)


def test_it_is_the_askers_wish_and_no_part_of_what_the_call_is(manual: Engine, clock: ManualClock) -> None:
    flaky = Flaky()
    step = flaky.durable()
    step()
    clock.advance(DAY)
    assert (7, 1) == (step.options(max_age="2d")(), flaky.runs)
    assert (7, 2) == (step.options(max_age="1h")(), flaky.runs)
    assert (7, 2) == (step(), flaky.runs)


def test_a_look_finds_a_result_of_any_age(manual: Engine, clock: ManualClock) -> None:
    step = Flaky().durable(max_age="1h")
    step()
    clock.advance(DAY)
    assert (7, "1") == (step.get().result(), generation(step))


def test_an_async_function_is_computed_again(manual: Engine, clock: ManualClock) -> None:
    flaky = Flaky()

    @durable(max_age="1h", ignore=("flaky",))
    async def step() -> int:
        return flaky()

    async def call() -> int:
        return await step()

    asyncio.run(call())
    clock.advance(DAY)
    assert (7, 2) == (asyncio.run(call()), flaky.runs)


def test_a_child_by_its_place_is_computed_again_with_the_call_around_it(manual: Engine, clock: ManualClock) -> None:
    flaky = Flaky()

    @durable(keyed_by="call", ignore=("flaky",))
    def child() -> int:
        return flaky()

    @durable(max_age="1h")
    def parent() -> int:
        return child()

    assert 7 == parent()
    clock.advance(DAY)
    assert (7, 2) == (parent(), flaky.runs)


def test_another_process_counts_the_age_from_the_store(disk: Engine) -> None:
    flaky = Flaky()
    step = flaky.durable(max_age="1h")
    step()
    path = disk.store.path
    assert path is not None
    later = ManualClock(SystemClock().now_ms() + 2 * DAY)
    found = Engine(SqliteStore.open(path, durability="process", clock=later), later)
    former, runtime._config._engine = runtime._config._engine, found
    try:
        assert (7, 2, "1~2") == (step(), flaky.runs, generation(step))
    finally:
        runtime._config._engine = former
        found.close()
