"""Adoption: what a call's steps had done is not done again by the generation that follows its failure."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bodies import Listener, Work, ids, in_thread, states, when_said

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import SettlePromise, State
from resonate_nb.runtime import Shown, configure, engine, mark_rerun
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.usefixtures("engine")


class Shop:
    """A parent that charges a card and then ships, both steps with effects."""

    def __init__(self, work: Work, **options: Any) -> None:
        @durable(name="charge", keyed_by="call", ignore=("work",))
        def charge(x):
            work(f"charge {x}")
            return f"charged {x}"

        @durable(name="ship", keyed_by="call", ignore=("work",))
        def ship(x):
            work(f"ship {x}")
            return f"shipped {x}"

        @durable(name=work.id, ignore=("work",), **options)
        def order(x):
            values = [charge(x), ship(x)]
            work(f"end {x}")
            return values

        self.charge, self.ship, self.order = charge, ship, order
        self.work = work

    def fails(self, what: str, error: BaseException | None = None) -> None:
        """The order fails at this point, once."""
        error = error or ValueError("out of stock")
        self.work.raising(what, error)
        with pytest.raises(type(error)):
            self.order("book")


DONE = ["charged book", "shipped book"]


def test_a_card_is_not_charged_twice(work: Work):
    shop = Shop(work)
    shop.fails("ship book")
    assert DONE == shop.order("book")
    assert ["charge book", "ship book", "ship book", "end book"] == work.runs
    root, charged, failed, again, shipped = ids()
    assert [f"{root}~2", f"{root}:charge", f"{root}:ship", f"{root}~2:ship"] == [
        again,
        charged.rpartition("/")[0],
        failed.rpartition("/")[0],
        shipped.rpartition("/")[0],
    ]
    assert ["rejected", "resolved", "rejected", "resolved", "resolved"] == states()


def test_over_several_generations_each_step_is_done_once(work: Work):
    shop = Shop(work)
    for what in ("charge book", "ship book", "end book", "end book"):
        shop.fails(what)
    assert DONE == shop.order("book")
    assert ["charge book"] * 2 + ["ship book"] * 2 + ["end book"] * 3 == work.runs
    assert 5 == sum(handle.record.promise.param.headers["name"] == work.id for handle in rnb.search())
    assert DONE == shop.order("book")


def test_what_was_adopted_survives_a_stop_in_between(work: Work):
    shop = Shop(work)
    shop.fails("ship book")
    shop.fails("ship book", KeyboardInterrupt())
    shop.fails("end book", KeyboardInterrupt())
    shop.fails("end book")
    assert DONE == shop.order("book")
    assert ["charge book", *["ship book"] * 3, *["end book"] * 3] == work.runs


def test_after_a_time_out_as_after_a_failure(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    shop = Shop(work, timeout=10)
    shop.fails("ship book", KeyboardInterrupt())
    clock.advance(10_001)
    assert DONE == shop.order("book")
    assert ["charge book", "ship book", "ship book", "end book"] == work.runs
    assert State.TIMEDOUT is rnb.get(ids()[0]).state


def rerun(shop: Shop) -> object:
    return shop.order.rerun("book")


def marked(shop: Shop) -> object:
    mark_rerun(shop.order.get("book").id)
    return shop.order("book")


@pytest.mark.parametrize("again", [rerun, marked])
@pytest.mark.parametrize("fails", [False, True])
def test_a_rerun_does_everything_again(work: Work, again: Callable[[Shop], object], fails: bool):
    shop = Shop(work)
    if fails:
        shop.fails("end book")
    else:
        shop.order("book")
    work.runs.clear()
    assert DONE == again(shop)
    assert ["charge book", "ship book", "end book"] == work.runs


def test_what_failed_after_a_rerun_goes_no_further_back_than_the_rerun(work: Work):
    shop = Shop(work)
    shop.order("book")
    work.raising("charge book", ValueError("declined"))
    with pytest.raises(ValueError, match="declined"):
        shop.order.rerun("book")
    work.runs.clear()
    assert DONE == shop.order("book")
    assert ["charge book", "ship book", "end book"] == work.runs


def test_an_expired_result_does_everything_again(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    shop = Shop(work, max_age="1h")
    shop.order("book")
    clock.advance(3_600_001)
    shop.order("book")
    assert ["charge book", "ship book", "end book"] * 2 == work.runs


def test_a_cancelled_call_does_everything_again(work: Work):
    """Somebody decided that it should not be; whoever asks again asks anew."""
    shop = Shop(work)
    shop.fails("ship book", KeyboardInterrupt())
    engine().submit([SettlePromise(ids()[0], State.CANCELED)])
    shop.order("book")
    assert ["charge book", "ship book", "charge book", "ship book", "end book"] == work.runs


def test_other_arguments_under_rerun_do_everything_again(work: Work):
    shop = Shop(work)
    order = shop.order.options(id=work.id, on_reuse="rerun")
    work.raising("end book", ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        order("book")
    assert ["charged lamp", "shipped lamp"] == order("lamp")
    work.runs.clear()
    assert DONE == order("book")
    assert ["charge book", "ship book", "end book"] == work.runs


def test_other_code_under_rerun_does_everything_again(work: Work):
    def orders(by: str):
        def first():
            @durable(id=work.id, version=1, ignore=("work", "step"), on_drift="rerun")
            def order():
                return step("a")

            return order

        def second():
            @durable(id=work.id, version=1, ignore=("work", "step"), on_drift="rerun")
            def order():
                return [step("a")]

            return order

        @durable(name="step", keyed_by="call", ignore=("work",))
        def step(x):
            work(x)
            return x

        return first() if by == "first" else second()

    assert ("a", ["a"]) == (orders("first")(), orders("second")())
    assert ["a", "a"] == work.runs


def test_an_edited_parent_does_everything_again(work: Work):
    @durable(name="step", keyed_by="call", ignore=("work",))
    def step(x):
        work(x)
        return x

    def first():
        @durable(name=work.id, ignore=("work",))
        def order():
            step("a")
            work("end")

        return order

    def second():
        @durable(name=work.id, ignore=("work",))
        def order():
            step("a")
            work("mended")

        return order

    work.raising("end", ValueError("a slip"))
    with pytest.raises(ValueError, match="a slip"):
        first()()
    second()()
    assert ["a", "end", "a", "mended"] == work.runs


def test_under_a_fixed_version_a_mended_parent_goes_on_with_what_is_done(work: Work):
    """The user's word: it is the same work."""

    @durable(name="step", keyed_by="call", ignore=("work",))
    def step(x):
        work(x)
        return x

    def first():
        @durable(id=work.id, version=1, ignore=("work",))
        def order():
            step("a")
            work("end")

        return order

    def second():
        @durable(id=work.id, version=1, ignore=("work",))
        def order():
            step("a")
            work("mended")

        return order

    work.raising("end", ValueError("a slip"))
    with pytest.raises(ValueError, match="a slip"):
        first()()
    second()()
    assert ["a", "end", "mended"] == work.runs


# -- deeper down -----------------------------------------------------------------------------------------------------


class Nested:
    """A parent with a step that has steps of its own."""

    def __init__(self, work: Work, inner: dict[str, Any] | None = None, **options: Any) -> None:
        @durable(name="pay", keyed_by="call", ignore=("work",))
        def pay(x):
            work(f"pay {x}")
            return f"paid {x}"

        @durable(name="book", keyed_by="call", ignore=("work",), **(inner or {}))
        def book(x):
            value = pay(x)
            work(f"book {x}")
            return value

        @durable(name=work.id, ignore=("work",), **options)
        def trip():
            values = [book("flight"), book("hotel")]
            work("end")
            return values

        self.trip = trip


TRIP = ["paid flight", "paid hotel"]


@pytest.mark.parametrize("inner", [{}, {"retry": 1, "timeout": "1h"}], ids=["plain", "own"])
@pytest.mark.parametrize("stop", [ValueError("sold out"), KeyboardInterrupt()], ids=["fails", "stops"])
@pytest.mark.parametrize("what", ["book flight", "pay hotel", "book hotel", "end"])
def test_a_step_of_a_step_is_not_done_again(work: Work, inner: dict[str, Any], stop: BaseException, what: str):
    nested = Nested(work, inner)
    work.raising(what, stop)
    with pytest.raises(type(stop)):
        nested.trip()
    assert TRIP == nested.trip()
    done = ["pay flight", "book flight", "pay hotel", "book hotel", "end"]
    at = done.index(what)
    assert [*done[: at + 1], *done[at:]] == work.runs


@pytest.mark.parametrize("inner", [{}, {"timeout": "1h"}], ids=["plain", "own"])
def test_a_step_of_a_step_is_not_done_again_by_the_next_attempt(work: Work, inner: dict[str, Any]):
    nested = Nested(work, inner, retry=rnb.Constant(4, delay=0))
    work.raising("book hotel", ValueError("sold out"))
    work.raising("end", ValueError("at last"))
    assert TRIP == nested.trip()
    assert ["pay flight", "book flight", "pay hotel", "book hotel", "book hotel", "end", "end"] == work.runs


def test_a_step_with_attempts_of_its_own_keeps_its_steps(work: Work):
    nested = Nested(work, {"retry": rnb.Constant(3, delay=0)})
    work.raising("book flight", ValueError("sold out"))
    work.raising("pay hotel", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        nested.trip()
    work.raising("book hotel", ValueError("sold out"))
    assert TRIP == nested.trip()
    expected = ["pay flight", "book flight", "book flight", "pay hotel", "pay hotel", "book hotel", "book hotel", "end"]
    assert expected == work.runs


def test_failures_at_every_depth_over_several_generations_do_nothing_twice(work: Work):
    """Each failure is followed by a generation that goes on where it came, whatever it adopted before."""
    nested = Nested(work)
    points = ["pay flight", "book flight", "pay hotel", "book hotel", "end"]
    for point in points:
        work.raising(point, ValueError(f"at {point}"))
        with pytest.raises(ValueError, match=f"at {point}"):
            nested.trip()
        work.raising(point, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            nested.trip()
    assert TRIP == nested.trip()
    assert [point for point in points for _ in range(3)] == work.runs


def test_a_timed_out_parent_in_the_middle_of_a_step_that_had_been_tried_again(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    nested = Nested(work, timeout=10, retry=rnb.Constant(5, delay=0))
    work.raising("pay flight", ValueError("declined"))  # the second attempt runs the step's next generation
    work.raising("book flight", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        nested.trip()
    clock.advance(10_001)
    work.raising("pay flight", AssertionError("charged twice"))
    assert TRIP == nested.trip()
    assert ["pay flight", "pay flight", "book flight", "book flight", "pay hotel", "book hotel", "end"] == work.runs


@pytest.mark.parametrize("inner", [{}, {"timeout": "1h"}], ids=["plain", "own"])
def test_a_marked_step_does_its_own_steps_again(work: Work, inner: dict[str, Any]):
    nested = Nested(work, inner)
    work.raising("end", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        nested.trip()
    mark_rerun(next(handle.id for handle in rnb.search(name="book", order="oldest")))
    work.raising("end", ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        nested.trip()
    assert TRIP == nested.trip()
    once = ["pay flight", "book flight", "pay hotel", "book hotel"]
    assert [*once, "end", "pay flight", "book flight", "end", "end"] == work.runs


def test_async_steps_are_adopted_too(work: Work):
    @durable(name="charge", keyed_by="call", ignore=("work",))
    async def charge(x):
        await asyncio.sleep(0)
        work(x)
        return x

    @durable(name=work.id, ignore=("work",))
    async def order():
        values = await asyncio.gather(*(charge(x) for x in "abab"))
        work("end")
        return values

    work.raising("end", ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        asyncio.run(order())
    assert list("abab") == asyncio.run(order())
    assert [*"abab", "end", "end"] == work.runs


def test_a_step_that_runs_when_another_fails_is_waited_for_and_adopted(work: Work):
    """`asyncio.gather` raises at once, and the other steps go on: what they do the next generation must know of."""
    gate = asyncio.Event()

    @durable(name="charge", keyed_by="call", ignore=("work", "gate"))
    async def charge(x):
        await gate.wait()
        work(x)
        return x

    @durable(name="check", keyed_by="call", ignore=("work",))
    async def check():
        work("check")

    @durable(name=work.id)
    async def order():
        return await asyncio.gather(charge("a"), check())

    async def session():
        first = asyncio.ensure_future(order())
        while "check" not in work.runs:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not first.done()
        gate.set()
        with pytest.raises(ValueError, match="no"):
            await first
        return await order()

    work.raising("check", ValueError("no"))
    assert ["a", None] == asyncio.run(session())
    assert ["check", "a", "check"] == work.runs
    assert ["rejected", "rejected", "resolved", "resolved", "resolved"] == states()


def test_a_thread_that_the_body_leaves_behind_is_waited_for(work: Work, said: list[str]):
    started, go = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    @durable(name="charge", keyed_by="call", ignore=("work", "go", "started"))
    def charge(x):
        started.set()
        go.wait(60)
        work(x)
        return x

    @durable(name=work.id, ignore=("threads", "started", "work"))
    def order():
        thread = threading.Thread(target=contextvars.copy_context().run, args=(charge, "a"))
        threads.append(thread)
        thread.start()
        started.wait(60)
        work("end")

    def ordered():
        with pytest.raises(ValueError, match="no"):
            order()

    work.raising("end", ValueError("no"))
    with when_said("waits for steps that it has begun") as waits:
        ordering = threading.Thread(target=ordered)
        ordering.start()
        assert waits.wait(60)
    assert ["pending"] == states()
    go.set()
    ordering.join(60)
    assert ["rejected", "resolved"] == states()
    order()
    assert ["end", "a", "end"] == work.runs


class Interrupting(Listener):
    """Ctrl-C while we wait for steps."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if "waits for steps" in record.getMessage():
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("deep", [False, True], ids=["a step", "a step of a step"])
@pytest.mark.parametrize("stops", ["body", "wait"])
def test_an_interrupted_call_is_kept_until_its_steps_in_other_threads_have_ended(
    work: Work, said: list[str], stops: str, deep: bool
):
    """The interrupt comes through at once; whoever calls again waits, and does nothing twice."""
    started, go = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    @durable(name="charge", keyed_by="call", ignore=("work", "go", "started"))
    def charge(x):
        started.set()
        go.wait(60)
        work(x)

    @durable(name="begin", keyed_by="call", ignore=("threads", "started", "work"))
    def begin():
        if not threads:
            thread = threading.Thread(target=contextvars.copy_context().run, args=(charge, "a"))
            threads.append(thread)
            thread.start()
            started.wait(60)
            work("begun")
        else:
            charge("a")

    @durable(name=work.id, ignore=("threads", "started", "work", "deep"))
    def order():
        begin() if deep else begin.__wrapped__()

    if stops == "body":
        work.raising("begun", KeyboardInterrupt())
    with Interrupting(), pytest.raises(KeyboardInterrupt):
        order()
    root = rnb.get(ids()[0])
    assert (["pending"], Shown.RUNNING) == (states(), root.record.shown)
    assert any("is stopped; steps that it has begun still run" in line for line in said)
    with when_said("waiting for") as waits:
        again, _ = in_thread(order)
        assert waits.wait(60)
    go.set()
    again.join(60)
    threads[0].join(60)
    assert ["begun", "a"] == work.runs
    assert ["interrupted", "resolved"] == [attempt.outcome for attempt in root.attempts]
    assert {"resolved"} == set(states())


def test_a_step_on_the_loop_that_the_parent_blocks_is_not_waited_for(work: Work, said: list[str]):
    """It could never end. It is told that it comes too late."""

    @durable(name="charge", keyed_by="call", ignore=("work",))
    async def charge(x):
        work(x)
        return x

    @durable(name=work.id, ignore=("tasks",))
    def order():
        tasks.append(asyncio.ensure_future(charge("a")))

    tasks: list[asyncio.Future[str]] = []

    async def session():
        order()
        return await tasks[0]

    assert "a" == asyncio.run(session())
    assert ["resolved"] == states()
    assert any(line.startswith("charge: the value is returned but not stored") for line in said)
