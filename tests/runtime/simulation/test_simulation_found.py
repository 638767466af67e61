"""What the simulation has found, each as a plain test: histories that went wrong once."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape
from random import Random

import pytest
from sim_calls import Driver, Process
from sim_schedule import silence
from sim_town import NAMES
from sim_world import World

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.errors import DurableTimeoutError
from resonate_nb.protocol import SettlePromise, State
from resonate_nb.runtime import Engine
from resonate_nb.runtime._reading import forget


@pytest.fixture
def world() -> Iterator[World]:
    """Several processes, whose calls have a turn when they are told to; no body fails."""
    world = World(Random(0), Engine, NAMES)
    world.is_calm = True
    with silence(0):
        yield world
        assert [] == world.machine.rows.check()
        for process in world.processes:
            process.end()


def called(process: Process, job: str, argument: int = 1, *, is_rerun: bool = False) -> Driver:
    """A call that has had its first turn."""
    driver = Driver(process, job, argument, is_rerun=is_rerun)
    driver.turn()
    return driver


def value_of(process: Process, job: str, argument: int = 1, *, is_rerun: bool = False) -> object:
    return ended(called(process, job, argument, is_rerun=is_rerun))


def ended(driver: Driver) -> object:
    """The value of a call, which has all the turns that it needs."""
    while not driver.is_over:
        driver.world.clock.advance(100)
        driver.turn()
    assert driver.result is not None
    return driver.result.value


def test_a_forgotten_call_takes_its_children_with_it(engine: Engine):
    """They lie at places in it. Left behind they would be met, and not be written, by the next call of its id."""
    runs: list[int] = []

    @durable(keyed_by="call", ignore=("runs",))
    def step(x):
        runs.append(x)
        return len(runs)

    @durable(ignore=("runs", "step"))
    def order(x):
        return step(x)

    assert 1 == order(7)
    below = escape(order.get(7).id) + ":*"
    children = [handle.id for handle in rnb.search(below)]
    assert 1 == len(children)
    assert {order.get(7).id, *children} == set(order.forget(7))
    assert [] == rnb.search(below)
    assert 2 == order(7)
    assert 2 == order(7)


def test_a_late_claim_leaves_an_owner_alone_that_has_moved_since(world: World):
    """On a full disk a body runs unclaimed where nobody seemed to be at it. When it can be claimed, somebody may be:
    a process elsewhere whose lease had been over, and is not any more."""
    first, far = Process(world), Process(world, "elsewhere")
    mine = called(first, "leaf")
    world.clock.advance(60_001)
    world.machine.is_full = True
    other = called(far, "leaf")
    assert 2 == world.seen["began"]
    world.machine.is_full = False
    first.engine.tasks.beat()
    assert "leaf 1 no. 1" == ended(other)
    assert "leaf 1 no. 2" == ended(mine)
    assert "leaf 1 no. 2" == ended(called(far, "leaf"))


def test_what_was_waited_for_is_not_remembered_when_it_is_superseded(world: World):
    """A waiter gets the generation that it waited for, and the next call the one that came since."""
    first, second = Process(world), Process(world)
    running = called(first, "leaf")
    waiting = called(second, "leaf")
    assert "leaf 1 no. 1" == ended(running)
    again = called(first, "leaf", is_rerun=True)
    assert "leaf 1 no. 1" == ended(waiting)
    assert "leaf 1 no. 2" == ended(again)
    assert "leaf 1 no. 2" == ended(called(second, "leaf"))


def test_a_value_that_was_read_ahead_grows_old(world: World):
    """After some first hits of a function all its rows are at hand, and each is asked for its age when it is used."""
    first, second = Process(world), Process(world)
    assert ["fresh 1 no. 1", "fresh 2 no. 2"] == [value_of(first, "fresh", each) for each in (1, 2)]
    assert ["fresh 1 no. 1", "fresh 2 no. 2"] == [value_of(second, "fresh", each) for each in (1, 2)]
    assert "leaf 1 no. 1" == value_of(first, "leaf")
    assert "leaf 1 no. 2" == value_of(first, "leaf", is_rerun=True)  # after which all look again
    assert "fresh 1 no. 1" == value_of(second, "fresh", 1)
    assert second.engine.memo.ahead("fresh", second.engine.store.invalidation_word()), "nothing was read ahead"
    world.clock.advance(20_001)
    assert "fresh 2 no. 3" == value_of(second, "fresh", 2)


def test_a_late_claim_follows_nothing_but_what_was_seen(world: World):
    """What ran unclaimed on a full disk as the next generation is not stored as one where the ones before are gone."""
    first, second = Process(world), Process(world)
    assert "leaf 1 no. 1" == value_of(first, "leaf")
    world.machine.is_full = True
    late = called(second, "leaf", is_rerun=True)
    world.machine.is_full = False
    forget(first.engine, NAMES["leaf", 1][1].base)
    assert "leaf 1 no. 2" == value_of(first, "leaf")
    assert "leaf 1 no. 3" == ended(late)
    assert "leaf 1 no. 2" == value_of(second, "leaf")


@pytest.mark.parametrize("does", ["follows", "waits"])
def test_a_deadline_that_somebody_went_by_stays(world: World, does: str):
    """A wall clock that is set back brings nothing to life again that is known to have timed out: beside the next
    generation it would do everything once more."""
    first, second = Process(world), Process(world)
    running = called(first, "timed")
    if does == "follows":
        world.clock.advance_wall(30_000)
    other = called(second, "timed")
    if does == "waits":
        world.clock.advance_wall(30_000)
        assert ended(other) is None
        assert isinstance(error_of(other), DurableTimeoutError)
    world.clock.advance_wall(-30_000)
    assert ended(running) is None
    assert isinstance(error_of(running), DurableTimeoutError)


def error_of(driver: Driver) -> Exception | None:
    assert driver.result is not None
    return driver.result.error


def test_what_was_taken_up_meanwhile_is_not_cancelled(world: World):
    """Code that has changed replaces what the former code left in the middle, unless somebody goes on with that."""
    first, second = Process(world), Process(world)
    called(first, "older").turn(interrupt=True)
    taken: list[Driver] = []

    def be_faster(owner: str) -> None:
        world.machine.before_write = lambda owner: None
        running = world.running
        taken.append(called(first, "older"))
        world.running = running
        second.here()

    world.machine.before_write = be_faster
    replacing = called(second, "newer")
    assert "older 1 no. 1" == ended(taken[0])
    assert "newer 1 no. 1" == ended(replacing)


def test_a_step_of_a_call_that_is_lost_can_be_interrupted(world: World):
    """It runs unclaimed, for its own caller, and not under what was held to claim it (`Driver.turn` looks)."""
    process = Process(world)
    driver = called(process, "deep")
    process.engine.submit([SettlePromise(NAMES["deep", 1][1].base, State.CANCELED)])
    assert "deep 1 no. 1" == ended(driver)
    assert 1 == world.values["dated"]


class Failing(Random):
    """So that the first body fails, in a way that another try may mend."""

    def __init__(self) -> None:
        super().__init__(0)
        self._left = [0.9, 0.5, 0.0, 0.9]

    def random(self) -> float:
        return self._left.pop(0) if self._left else 0.9


def test_no_try_begins_of_a_task_that_is_lost_in_a_store_that_is_locked(world: World):
    """Where nothing can be written to tell so, what can be read tells as well."""
    first, far = Process(world), Process(world, "elsewhere")
    world.random, world.is_calm = Failing(), False
    retrying = called(first, "flaky")
    while not world.seen["paused"]:
        world.clock.advance(4_000)
        retrying.turn()
    world.is_calm = True
    world.clock.advance(60_001)
    other = called(far, "flaky")
    world.machine.crash[first.name] = "busy"
    retrying.turn()
    assert {} == world.machine.crash
    assert 2 == world.seen["began"]
    assert ["flaky 1 no. 1"] * 2 == [ended(other), ended(retrying)]
