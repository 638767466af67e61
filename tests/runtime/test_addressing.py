"""Which promise an id means: exact ids, bare ones, generations, and what rerun and forget do to them."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import CreatePromise, SettlePromise, State, Value
from resonate_nb.runtime import Engine, mark_rerun, source
from resonate_nb.runtime.call import _drive
from resonate_nb.store import MemoryStore, Query

pytestmark = pytest.mark.usefixtures("engine")


def step_of(version: int, runs: list[int]):
    @durable(id="step/{x}", version=version, ignore=("runs",))
    def step(x):
        runs.append(x)
        return len(runs)

    return step


def test_the_exact_id_comes_first_and_history_can_be_read():
    step = step_of(1, [])
    assert (1, 2) == (step("a"), step.rerun("a"))
    assert ("step/a@1", 1) == (rnb.get("step/a@1").id, rnb.get("step/a@1").result())
    assert ("step/a@1~2", 2) == (rnb.get("step/a@1~2").id, rnb.get("step/a@1~2").result())
    assert rnb.get("step/a@1~3") is None
    assert "step/a@1" == source().detail("step/a@1").record.promise.id
    assert "step/a@1~2" == step.get("a").id


def test_a_bare_id_is_its_newest_version_and_that_one_s_latest_generation():
    first, second = step_of(1, []), step_of(2, [])
    first("a")
    assert "step/a@1" == rnb.get("step/a").id
    second("a")
    second.rerun("a")
    assert "step/a@2~2" == rnb.get("step/a").id
    assert rnb.get("step") is None
    assert rnb.get("step/?") is None


def test_generations_of_one_millisecond_are_told_apart():
    """A store lists promises of one instant by id, which would put the first generation first."""
    clock = ManualClock()
    engine = Engine(MemoryStore(clock), clock)
    for id in ("step/a@1", "step/a@1~2", "step/a@1~10"):
        engine.submit([CreatePromise(id), SettlePromise(id, State.RESOLVED, Value())])
    assert 1 == len({promise.created_at for promise in engine.search(Query())})
    assert "step/a@1~10" == engine.find("step/a").id
    engine.close()


def test_a_mark_on_an_older_generation_runs_the_next_one():
    runs: list[int] = []
    step = step_of(1, runs)
    step("a")
    step.rerun("a")
    assert "step/a@1~2" == mark_rerun("step/a@1")
    assert (3, 3) == (step("a"), step("a"))
    assert "step/a@1~3" == step.get("a").id


def test_a_mark_made_while_it_runs_counts_for_the_next_use():
    runs: list[int] = []

    @durable(id="step/{x}", version=1, ignore=("runs",))
    def step(x):
        runs.append(x)
        if len(runs) == 1:
            mark_rerun("step/a@1")
        return len(runs)

    assert (1, 2, 2) == (step("a"), step("a"), step("a"))
    assert "step/a@1~2" == step.get("a").id


@pytest.mark.parametrize("is_begun_anew", [False, True], ids=["forgotten", "begun anew"])
def test_what_would_follow_a_promise_that_is_forgotten_meanwhile_looks_again(
    monkeypatch: pytest.MonkeyPatch, is_begun_anew: bool
):
    runs: list[int] = []
    step = step_of(1, runs)
    step("a")
    claim = _drive.claim

    def meanwhile(*args, **options):
        monkeypatch.setattr(_drive, "claim", claim)
        assert ["step/a@1"] == rnb.forget("step/a@1")
        if is_begun_anew:
            assert 2 == step("a")
        return claim(*args, **options)

    monkeypatch.setattr(_drive, "claim", meanwhile)
    assert 2 == step.rerun("a")
    assert ["a", "a"] == runs
    assert ["step/a@1"] == [handle.id for handle in rnb.search("step/*")]


def test_rerun_and_forget_address_the_id_whatever_arguments_are_stored():
    @durable(id="report/{day}", version=1)
    def report(day, region):
        return region

    report("monday", "north")
    assert "south" == report.rerun("monday", "south")
    assert "south" == report("monday", "south")
    assert ["report/monday@1~2", "report/monday@1"] == report.forget("monday", "west")
    assert [] == report.forget("monday", "west")
    assert "west" == report("monday", "west")


@contextmanager
def said_in(text: str) -> Iterator[threading.Event]:
    """An event that is set as soon as one of our lines holds the text."""
    heard = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if text in record.getMessage():
                heard.set()

    listener, logger = Listener(), logging.getLogger("resonate_nb")
    logger.addHandler(listener)
    try:
        yield heard
    finally:
        logger.removeHandler(listener)


class Held:
    """A durable call that is in the middle of its body, in another thread, until it is let go."""

    def __init__(self) -> None:
        started, go, self.runs = threading.Event(), threading.Event(), []
        runs, self.release = self.runs, go.set

        @durable(id="slow", version=1, ignore=("started", "go", "runs"))
        def slow(box):
            runs.append(1)
            started.set()
            go.wait(60)
            return len(runs)

        self.slow = slow
        self.thread = threading.Thread(target=slow, args=({},))
        self.thread.start()
        assert started.wait(60)


@pytest.fixture
def held():
    found = Held()
    yield found
    found.release()
    found.thread.join(60)


def test_a_rerun_joins_the_run_of_a_living_owner_and_says_so(held: Held, caplog: pytest.LogCaptureFixture):
    values: list[object] = []
    rerun = threading.Thread(target=lambda: values.append(held.slow.rerun({})))
    with caplog.at_level("INFO", "resonate_nb"), said_in("joins that run") as joined:
        rerun.start()
        assert joined.wait(60)
    held.release()
    rerun.join(60)
    assert [1] == values
    assert [1] == held.runs
    assert ["slow@1"] == [handle.id for handle in rnb.search()]


def test_a_rerun_takes_an_interrupted_promise_over():
    stopping = [True]

    @durable(id="work", version=1, ignore=("stopping",))
    def work():
        if stopping.pop():
            raise KeyboardInterrupt
        return "done"

    with pytest.raises(KeyboardInterrupt):
        work()
    stopping.append(False)
    assert "done" == work.rerun()
    assert ["work@1"] == [handle.id for handle in rnb.search()]
    assert ["interrupted", "resolved"] == [attempt.outcome for attempt in rnb.get("work").attempts]


def test_forget_refuses_what_runs(held: Held, engine: Engine):
    for forget in (lambda: rnb.forget("slow@1"), lambda: rnb.forget("slow"), lambda: held.slow.forget({})):
        with pytest.raises(rnb.PromiseBusyError, match=r"slow@1.*running; interrupt it first"):
            forget()
    assert State.PENDING is rnb.get("slow").state


def test_a_pattern_skips_what_runs_and_lists_it(held: Held, caplog: pytest.LogCaptureFixture):
    step = step_of(1, [])
    step("a")
    with caplog.at_level("INFO", "resonate_nb"):
        assert ["step/a@1"] == rnb.forget("s*")
    assert ["still running, so not forgotten: slow@1"] == [line for line in caplog.messages if "running" in line]
    assert ["slow@1"] == [handle.id for handle in rnb.search()]


def test_a_waiter_of_what_cannot_be_replayed_runs_the_body_itself():
    started, go, runs = threading.Event(), threading.Event(), []

    @durable(ignore=("started", "go", "runs"))
    def fill(box):
        runs.append(1)
        started.set()
        go.wait(60)
        box["filled"] = True
        return len(runs)

    boxes: list[dict[str, bool]] = [{}, {}]
    threads = [threading.Thread(target=fill, args=(box,)) for box in boxes]
    threads[0].start()
    assert started.wait(60)
    threads[1].start()
    go.set()
    for thread in threads:
        thread.join(60)
    assert [{"filled": True}] * 2 == boxes
    assert 2 == len(runs)


def other_code(version: int):
    @durable(id="work", version=version)
    def work():
        return "other code"

    return work


def test_a_begun_promise_of_a_fixed_version_is_taken_over_with_other_code_only_where_that_is_allowed():
    @durable(id="work", version=1)
    def work():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    with pytest.raises(rnb.DriftError, match=r"\+    return 'other code'"):
        other_code(1)()
    goes_on = other_code(1).options(on_drift="warn")
    with pytest.warns(rnb.DurableWarning, match="goes on with the code as it is now") as caught:
        assert "other code" == goes_on()
    assert "+    return 'other code'" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rnb.DurableWarning)
        assert "other code" == other_code(1)()


def test_a_waiter_of_a_fixed_version_hears_that_other_code_runs(caplog: pytest.LogCaptureFixture):
    started, go = threading.Event(), threading.Event()

    @durable(id="work", version=1, ignore=("started", "go"))
    def work():
        started.set()
        go.wait(60)
        return "first code"

    values: list[str] = []
    runner = threading.Thread(target=work)
    waiter = threading.Thread(target=lambda: values.append(other_code(1)()))
    runner.start()
    assert started.wait(60)
    # Ignored with all others, a warning of ours is said as a line.
    text = "was begun with the other code is awaited"
    with warnings.catch_warnings(), caplog.at_level("INFO", "resonate_nb"), said_in(text) as heard:
        warnings.simplefilter("ignore")
        waiter.start()
        assert heard.wait(60)
        go.set()
        waiter.join(60)
    runner.join(60)
    assert ["first code"] == values
