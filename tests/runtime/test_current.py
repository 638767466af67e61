"""`rnb.current()`: what a body may know of the call that it runs in."""

from __future__ import annotations

import asyncio
import re
import threading
from pathlib import Path
from typing import cast

import pytest
from flaky import Flaky
from scripts import Scripts

import resonate_nb as rnb
from resonate_nb import CurrentCall, durable
from resonate_nb.clock import ManualClock
from resonate_nb.runtime import Engine

SOON = rnb.Constant(5, delay=0)


def asked() -> CurrentCall:
    return cast(CurrentCall, rnb.current())


def test_outside_of_all_calls_there_is_none() -> None:
    assert rnb.current() is None


def test_a_body_knows_its_call(manual: Engine, clock: ManualClock) -> None:
    seen: list[CurrentCall] = []

    @durable(id="step/{x}", version=2, timeout="2h", tags={"team": "growth"}, ignore=("seen",))
    def step(x: int) -> None:
        seen.append(asked())

    step(1)
    assert rnb.current() is None
    (call,) = seen
    assert ("step/1@2", 1, clock.now_ms() + 7_200_000, {"team": "growth"}) == (
        call.id,
        call.attempt,
        call.deadline,
        dict(call.tags),
    )
    assert re.fullmatch("[0-9a-f]{32}", call.idempotency_key)


@pytest.mark.usefixtures("engine")
def test_without_a_timeout_there_is_no_deadline() -> None:
    @durable
    def step() -> bool:
        return asked().deadline is None

    assert step()


@pytest.mark.usefixtures("engine")
def test_attempts_are_counted_as_a_policy_counts_them_and_the_key_stays() -> None:
    seen: list[CurrentCall] = []
    flaky = Flaky(OSError("a"), KeyboardInterrupt(), OSError("b"))

    @durable(id="step", version=1, retry=SOON, ignore=("seen", "flaky"))
    def step() -> int:
        seen.append(asked())
        return flaky()

    with pytest.raises(KeyboardInterrupt):
        step()
    assert 7 == step()
    assert [1, 2, 2, 3] == [call.attempt for call in seen]
    assert 1 == len({call.idempotency_key for call in seen})
    assert {"step@1"} == {call.id for call in seen}


@pytest.mark.usefixtures("engine")
def test_async_calls_that_run_together_each_know_their_own() -> None:
    @durable(retry=SOON)
    async def step(x: int) -> tuple[str, str]:
        before = asked().id
        await asyncio.sleep(0)
        return before, asked().id

    async def both() -> list[tuple[str, str]]:
        return await asyncio.gather(*(step(x) for x in range(3)))

    found = asyncio.run(both())
    assert [step.get(x).id for x in range(3)] == [before for before, _ in found] == [after for _, after in found]


@pytest.mark.usefixtures("engine")
def test_the_innermost_call_is_meant() -> None:
    @durable(id="inner", version=1, retry=3)
    def inner() -> str:
        return asked().id

    @durable(id="outer", version=1)
    def outer() -> list[str]:
        return [asked().id, inner(), asked().id]

    assert ["outer@1", "inner@1", "outer@1"] == outer()


@pytest.mark.usefixtures("engine")
def test_a_thread_is_inside_if_it_was_given_the_context() -> None:
    @durable(id="step", version=1)
    async def step() -> list[object]:
        found: list[object] = []
        other = threading.Thread(target=lambda: found.append(rnb.current()))
        other.start()
        other.join()
        found.append((await asyncio.to_thread(asked)).id)
        return found

    async def call() -> list[object]:
        return await step()

    assert [None, "step@1"] == asyncio.run(call())


class TestTheKeyForTheOutside:
    def test_it_is_new_with_the_next_generation_and_after_forget(self, manual: Engine) -> None:
        """Though no millisecond has passed."""
        keys: list[str] = []

        @durable(id="step", version=1, ignore=("keys",))
        def step() -> None:
            keys.append(asked().idempotency_key)

        step()
        step.rerun()
        step.forget()
        step()
        step.forget()
        step()
        assert 4 == len(set(keys))

    def test_it_stays_after_forget_too_over_the_attempts_that_follow(self, manual: Engine) -> None:
        keys: list[str] = []
        flaky = Flaky()

        @durable(id="step", version=1, retry=SOON, ignore=("keys", "flaky"))
        def step() -> int:
            keys.append(asked().idempotency_key)
            return flaky()

        step()
        step.forget()
        flaky.errors += [OSError("a"), KeyboardInterrupt(), OSError("b")]
        with pytest.raises(KeyboardInterrupt):
            step()
        step()
        assert ([keys[1]] * 4, True) == (keys[1:], keys[0] != keys[1])

    @pytest.mark.usefixtures("engine")
    def test_calls_that_differ_have_different_ones(self) -> None:
        @durable
        def step(x: int) -> str:
            return asked().idempotency_key

        assert 3 == len({step(x) for x in range(3)})

    @pytest.mark.usefixtures("engine")
    def test_a_child_by_its_place_has_its_own_and_keeps_it_over_the_attempts_of_its_parent(self) -> None:
        keys: list[str] = []
        flaky = Flaky(KeyboardInterrupt())

        @durable(keyed_by="call", ignore=("keys", "flaky"))
        def child(x: int) -> int:
            keys.append(asked().idempotency_key)
            return flaky()

        @durable(retry=SOON, ignore=("keys",))
        def parent() -> int:
            keys.append(asked().idempotency_key)
            return child(1) + child(1)

        with pytest.raises(KeyboardInterrupt):
            parent()
        assert 14 == parent()
        parents, first, again, first_again, second = keys
        assert (parents, first) == (again, first_again)
        assert 3 == len({parents, first, second})


@pytest.mark.slow
def test_the_key_and_the_deadline_outlive_the_process(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path)
    body = """
@durable(id="pay", version=1, timeout="2h", retry=rnb.Constant(5, delay=0.01))
def pay():
    call = rnb.current()
    note((call.attempt, call.deadline, call.idempotency_key))
    if call.attempt == 1:
        raise ConnectionError("503")
    if call.attempt == 2:
        os.kill(os.getpid(), 9)

pay()
"""
    owner = scripts.start(body)
    owner.communicate(timeout=300)
    scripts.run(body)
    (first, deadline, key), *later = map(eval, scripts.notes)
    assert (1, [(2, deadline, key), (3, deadline, key)]) == (first, later)
