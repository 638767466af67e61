"""Accept, of a call that was in its middle: it goes on under the code as it is now, and no step is done twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bodies import Work, ids

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.errors import DriftError, PromiseBusyError, UnacceptableError, UnwritableStoreError
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine, Shown, configure, engine
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.usefixtures("engine")


class Orders:
    """A parent with two steps that have effects, in several wordings."""

    def __init__(self, work: Work, **options: Any) -> None:
        self.work = work
        self._options = options

        @durable(name="step", keyed_by="call", ignore=("work",))
        def step(x):
            work(x)
            return f"did {x}"

        self.step = step

    def version(self, k: object, *steps: str, **options: Any) -> Any:
        step, work = self.step, self.work

        @durable(name=work.id, ignore=("work",), **(self._options | options))
        def order(x):
            values = [step(each) for each in steps or ("charge", "ship")]
            work(f"end {k}")
            return [k, *values]

        return order


@pytest.fixture
def orders(work: Work) -> Orders:
    return Orders(work)


def stops(orders: Orders, order: Any, before: str, error: BaseException | None = None) -> str:
    """The call of this version stops before this step; its id."""
    error = error or KeyboardInterrupt()
    orders.work.raising(before, error)
    with pytest.raises(type(error)):
        order("book")
    return str(order.get("book").id)


def test_a_call_in_its_middle_goes_on_under_the_new_code(orders: Orders, said: list[str]):
    before, now = orders.version("before"), orders.version("now")
    old = stops(orders, before, "ship")
    handle = now.accept("book")
    assert (State.PENDING, Shown.QUEUED) == (handle.state, handle.record.shown)
    assert (f"accepted: from {old}",) == handle.record.marks
    assert State.CANCELED is rnb.get(old).state
    assert any(f"{handle.id} goes on from {old}, whose 1 finished step counts for it" in line for line in said)
    assert ["now", "did charge", "did ship"] == now("book") == now("book")
    assert ["charge", "ship", "ship", "end now"] == orders.work.runs
    assert any(f"with what had finished in {old}, as accepted" in line for line in said)
    assert handle.result() == now("book")


def test_so_does_one_that_failed(orders: Orders):
    """The usual reason to edit: a bug behind expensive steps."""
    before, now = orders.version("before"), orders.version("now")
    old = stops(orders, before, "end before", ValueError("a bug"))
    handle = now.accept("book")
    assert State.REJECTED is rnb.get(old).state
    assert ["now", "did charge", "did ship"] == now("book")
    assert ["charge", "ship", "end before", "end now"] == orders.work.runs
    assert State.RESOLVED is handle.state


def test_what_failed_among_the_steps_is_done_again(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship", ValueError("out of stock"))
    now.accept("book")
    assert ["now", "did charge", "did ship"] == now("book")
    assert ["charge", "ship", "ship", "end now"] == orders.work.runs


def test_steps_that_the_new_code_adds_run_and_those_that_it_leaves_out_do_not(orders: Orders):
    before, now = orders.version("before"), orders.version("now", "check", "charge")
    stops(orders, before, "end before")
    now.accept("book")
    assert ["now", "did check", "did charge"] == now("book")
    assert ["charge", "ship", "end before", "check", "end now"] == orders.work.runs


def test_it_goes_on_through_edit_after_edit(orders: Orders):
    first, second, third = (orders.version(k) for k in ("first", "second", "third"))
    stops(orders, first, "ship")
    second.accept("book")
    stops(orders, second, "end second")
    third.accept("book")
    assert ["third", "did charge", "did ship"] == third("book")
    assert ["charge", "ship", "ship", "end second", "end third"] == orders.work.runs


def test_what_fails_after_it_was_accepted_keeps_its_steps(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    now.accept("book")
    stops(orders, now, "end now", ValueError("another bug"))
    assert ["now", "did charge", "did ship"] == now("book")
    assert ["charge", "ship", "ship", "end now", "end now"] == orders.work.runs


def test_twice_is_once_also_when_it_was_stopped_again(orders: Orders, said: list[str]):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    handle = now.accept("book")
    assert handle == now.accept("book")
    assert handle.id == stops(orders, now, "end now")
    assert handle == now.accept("book")
    assert any(f"{handle.id} goes on from {before.get('book').id} already" in line for line in said)
    now("book")
    assert ["charge", "ship", "ship", "end now", "end now"] == orders.work.runs


def test_what_the_new_code_had_begun_already_counts_as_well(orders: Orders):
    before, now = orders.version("before"), orders.version("now", "check", "charge", "ship")
    stops(orders, before, "end before")
    begun = stops(orders, now, "charge")
    assert ["charge", "ship", "end before", "check", "charge"] == orders.work.runs
    handle = now.accept("book")
    assert f"{begun}~2" == handle.id
    assert State.CANCELED is rnb.get(begun).state
    assert ["now", "did check", "did charge", "did ship"] == now("book")
    assert ["charge", "ship", "end before", "check", "charge", "end now"] == orders.work.runs


def test_a_value_takes_the_place_of_what_the_new_code_had_begun(orders: Orders):
    before, now = orders.version("before"), orders.version("now", "check")
    before("book")
    begun = stops(orders, now, "end now")
    now.accept("book")
    assert State.CANCELED is rnb.get(begun).state
    assert "before" == now("book")[0]
    assert ["charge", "ship", "end before", "check", "end now"] == orders.work.runs


def test_a_rerun_of_what_was_accepted_does_everything_again(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    now.accept("book")
    now("book")
    orders.work.runs.clear()
    now.rerun("book")
    assert ["charge", "ship", "end now"] == orders.work.runs


def test_the_old_call_starts_anew_if_its_code_comes_back(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    now.accept("book")
    orders.work.runs.clear()
    assert "before" == before("book")[0]
    assert ["charge", "ship", "end before"] == orders.work.runs
    orders.work.runs.clear()
    assert "now" == now("book")[0]
    assert ["ship", "end now"] == orders.work.runs


def test_an_order_in_its_middle_may_be_forgotten_after_it_was_accepted(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    now.accept("book")
    before.forget("book")
    assert "now" == now("book")[0]
    assert ["charge", "ship", "charge", "ship", "end now"] == orders.work.runs


def test_the_deadline_goes_with_it_and_a_new_one_is_for_what_had_ended(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    orders = Orders(work, timeout=60)
    first, second, third = (orders.version(k) for k in ("first", "second", "third"))
    stops(orders, first, "ship")
    clock.advance(10_000)
    second.accept("book")
    assert 10**13 + 60_000 == second.get("book").record.timeout_at
    clock.advance(50_000)
    assert State.TIMEDOUT is second.get("book").state
    third.accept("book")
    assert 10**13 + 120_000 == third.get("book").record.timeout_at
    assert ["third", "did charge", "did ship"] == third("book")
    assert ["charge", "ship", "ship", "end third"] == work.runs


def test_a_pending_call_of_a_fixed_version_goes_on_with_other_code(work: Work):
    step = Orders(work).step

    def made(k: int) -> Any:
        def one(x):
            step("charge")
            return work("one")

        def two(x):
            step("charge")
            return work("two")

        return durable(id="task/{x}", version=1, ignore=("work",))(one if k == 1 else two)

    first, second = made(1), made(2)
    work.raising("one", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        first("a")
    with pytest.raises(DriftError):
        second("a")
    work.runs.clear()
    handle = second.accept("a")
    assert "task/a@1~2" == handle.id
    second("a")
    assert ["two"] == work.runs


def test_a_call_with_steps_that_runs_is_not_taken_away(orders: Orders):
    before, now = orders.version("before"), orders.version("now")
    orders.work.raising("ship", None, waits=True)
    orders.work.begin(lambda: before("book"), waits=False)
    with pytest.raises(PromiseBusyError, match="is running"):
        now.accept("book")
    orders.work.go.set()
    orders.work.threads[0].join(60)
    now.accept("book")
    assert "before" == now("book")[0]


def test_a_step_is_accepted_with_its_parent_only(orders: Orders):
    step = orders.step

    @durable(name=f"p{orders.work.id}")
    def parent():
        return step.accept("a")

    with pytest.raises(UnacceptableError, match="is a step, which belongs to its place"):
        parent()


def test_an_async_parent_and_its_steps(work: Work):
    @durable(name="astep", keyed_by="call", ignore=("work",))
    async def step(x):
        work(x)
        return f"did {x}"

    def version(k: str) -> Any:
        @durable(name=work.id, ignore=("work",))
        async def order(x):
            values = await asyncio.gather(step("a"), step("b"))
            work(k)
            return [k, *values]

        return order

    before, now = version("before"), version("now")
    work.raising("before", ValueError("a bug"))
    with pytest.raises(ValueError):
        asyncio.run(before(1))
    assert State.PENDING is now.accept(1).state
    assert ["now", "did a", "did b"] == asyncio.run(now(1))
    assert ["a", "b", "before", "now"] == work.runs


def test_grandchildren_go_with_it(work: Work):
    @durable(name="leaf", keyed_by="call", ignore=("work",))
    def leaf(x):
        work(f"leaf {x}")
        return x

    @durable(name="branch", keyed_by="call", ignore=("work",))
    def branch(x):
        values = [leaf(x), leaf(x)]
        work(f"branch {x}")
        return values

    def version(k: str) -> Any:
        @durable(name=work.id, ignore=("work",))
        def tree(x):
            return [k, branch(1), branch(2)]

        return tree

    before, now = version("before"), version("now")
    work.raising("branch 2", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        before(1)
    now.accept(1)
    assert ["now", [1, 1], [2, 2]] == now(1)
    assert ["leaf 1", "leaf 1", "branch 1", "leaf 2", "leaf 2", "branch 2", "branch 2"] == work.runs


def test_all_of_it_is_on_disk(disk: Engine, work: Work):
    orders = Orders(work)
    before, now = orders.version("before"), orders.version("now")
    stops(orders, before, "ship")
    now.accept("book")
    assert ["now", "did charge", "did ship"] == now("book")
    assert [] == list(rnb.check().problems)
    assert 4 == len(ids())


class FullNowAndThen(MemoryStore):
    """A store that takes nothing while it is full."""

    is_full = False

    def write(self, *given: Any, **named: Any) -> Any:
        if self.is_full:
            raise UnwritableStoreError("the disk is full")
        return super().write(*given, **named)


def test_what_has_ended_and_could_not_be_stored_is_not_given_up(work: Work):
    store = FullNowAndThen(SystemClock())
    configure(store=store)
    orders = Orders(work)
    before, now = orders.version("before"), orders.version("now")

    def fill() -> None:
        store.is_full = "ship" in work.runs  # the step before is stored, and this one and the end are not

    work.during = fill
    with pytest.warns(rnb.DurableWarning, match="is returned but not stored"):
        assert ["before", "did charge", "did ship"] == before("book")
    with pytest.raises(PromiseBusyError, match="has ended, which could not be stored yet"):
        now.accept("book")
    work.during = lambda: None
    store.is_full = False
    assert State.RESOLVED is now.accept("book").state
    assert ["before", "did charge", "did ship"] == now("book")
    assert ["charge", "ship", "end before"] == work.runs
