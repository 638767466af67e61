"""Walk 1: a durable call, from its arguments to its value."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import re
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import resonate_nb as rnb
from resonate_nb import InvalidOptionError, UndecoratableError, UnfingerprintableError, durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import State
from resonate_nb.runtime import Engine, Shown, record_of
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.usefixtures("engine")


def counted(calls: list[object]):
    """A durable function that notes its runs where the key does not look."""

    @durable(ignore=("calls",))
    def square(x):
        calls.append(x)
        return x * x

    return square


def test_a_call_runs_once_and_replays_ever_after():
    calls: list[object] = []
    square = counted(calls)
    assert [9, 9, 16, 9] == [square(3), square(3), square(4), square(x=3)]
    assert [3, 4] == calls


def test_each_hit_hands_out_a_fresh_value():
    @durable
    def numbers():
        return [1, 2, 3]

    first = numbers()
    first.append("changed by its caller")
    second = numbers()
    second.append("changed again")
    assert [1, 2, 3] == numbers()


def test_what_the_body_raised_arrives_as_itself_and_is_kept_as_data():
    calls: list[int] = []

    @durable(ignore=("calls",))
    def fails(x):
        calls.append(x)
        raise KeyError("no such day")

    with pytest.raises(KeyError, match="no such day"):
        fails(1)
    handle = fails.get(1)
    assert handle is not None
    assert State.REJECTED is handle.state
    error = handle.exception()
    assert isinstance(error, KeyError)
    with pytest.raises(KeyError):
        fails(1)
    assert [1, 1] == calls
    assert handle.id + "~2" == fails.get(1).id


def test_the_traceback_of_a_failure_shows_one_frame_of_ours():
    @durable
    def fails():
        raise ValueError("here")

    with pytest.raises(ValueError, match="here") as caught:
        fails()
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert 1 == sum("resonate_nb/function.py" in file for file in files)
    assert 0 == sum("/runtime/" in file and "tests" not in file for file in files)


@durable
def plain(x):
    return x


@durable
async def awaited(x):
    return x


def decorate_wrongly():
    durable(versoin=2)(plain.__wrapped__)


@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (lambda: plain(), TypeError),
        (lambda: plain.rerun(1, 2), TypeError),
        (lambda: plain.get(), TypeError),
        (lambda: plain(iter(())), UnfingerprintableError),
        (lambda: asyncio.run(awaited()), TypeError),
        (lambda: asyncio.run(awaited(iter(()))), UnfingerprintableError),
        (lambda: plain.forget(iter(())), UnfingerprintableError),
        (decorate_wrongly, InvalidOptionError),
        (lambda: durable(len), UndecoratableError),
    ],
)
def test_a_refusal_shows_the_users_line_and_not_our_insides(refused: Callable[[], object], error: type[Exception]):
    with pytest.raises(error) as caught:
        refused()
    assert error is type(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    ours = {Path(file).name for file in files if "/resonate_nb/" in file.split("tests")[-1]}
    assert set() < ours <= {"durable.py", "function.py"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_only_stops_the_work_gives_the_task_back(engine: Engine, stop: type[BaseException]):
    stopping = [True]

    @durable(ignore=("stopping", "stop"))
    def work():
        if stopping:
            stopping.clear()
            raise stop
        return "done"

    with pytest.raises(stop):
        work()
    handle = work.get()
    assert handle is not None
    assert State.PENDING is handle.state
    assert Shown.INTERRUPTED is record_of(engine, engine.peek([handle.id])[0]).shown
    assert "done" == work()
    assert ["interrupted", "resolved"] == [attempt.outcome for attempt in work.get().attempts]


def test_a_rerun_is_a_new_generation_and_history_is_kept():
    calls: list[object] = []
    square = counted(calls)
    assert (9, 9, 9) == (square(3), square.rerun(3), square(3))
    assert [3, 3] == calls
    ids = sorted(handle.id for handle in rnb.search("*"))
    assert 2 == len(ids)
    assert ids[0] + "~2" == ids[1]


def test_forget_drops_all_generations_and_the_version_goes_on(engine: Engine):
    calls: list[object] = []
    square = counted(calls)
    square(3)
    square.rerun(3)
    before = engine.peek([square.get(3).id])[0].version
    assert 2 == len(square.forget(3))
    assert square.get(3) is None
    square(3)
    assert 3 == len(calls)
    assert before < engine.peek([square.get(3).id])[0].version


def test_a_mark_runs_the_next_generation_once():
    calls: list[object] = []
    square = counted(calls)
    square(3)
    from resonate_nb.runtime import mark_rerun

    mark_rerun(square.get(3).id)
    assert 9 == rnb.get(square.get(3).id).result()
    square(3)
    square(3)
    assert 2 == len(calls)


def test_a_template_names_the_promise_and_percent_encodes_values():
    @durable(id="features/{day}/{region.upper}", version=2)
    def features(day, region):
        return day

    with pytest.raises(rnb.InvalidOptionError, match="cannot be filled"):
        features("2026-11-24", 5)

    @durable(id="features/{day:>12}/{region}", version=2)
    def other(day, region):
        return day

    other("2026-11-24", "a:b@c~d%e")
    assert "features/  2026-11-24/a%3Ab%40c%7Ed%25e@2" == other.get("2026-11-24", "a:b@c~d%e").id


def test_the_same_id_with_other_arguments_is_refused_by_name():
    @durable(id="report/{day}", version=1)
    def report(day, region, scale=1):
        return region

    assert "north" == report("monday", "north")
    with pytest.raises(rnb.IdReuseError) as caught:
        report("monday", "south")
    assert ("region",) == caught.value.differing
    assert "report/monday@1" in str(caught.value)
    assert "south" == report.rerun("monday", "south")


def test_a_fixed_version_keeps_its_result_for_other_code_and_warns_with_the_diff():
    def first():
        @durable(name="step", version=1)
        def step():
            return 1

        return step

    def second():
        @durable(name="step", version=1)
        def step():
            return 2

        return step

    assert 1 == first()()
    with pytest.warns(rnb.DurableWarning, match="code has changed") as caught:
        assert 1 == second()()
    assert "return 2" in str(caught[0].message)


def test_a_fixed_version_never_hides_changed_data():
    table = [1, 2]

    @durable(version=1)
    def total():
        return sum(table)

    assert 3 == total()
    table.append(10)
    assert 13 == total()


def test_a_body_that_changes_its_argument_is_not_replayed():
    calls = []

    @durable(ignore=("calls",))
    def add_column(table):
        calls.append(1)
        table["b"] = 2
        return len(table)

    for _ in range(2):
        mine = {"a": 1}
        assert 2 == add_column(mine)
        assert {"a": 1, "b": 2} == mine
    assert 2 == len(calls)
    assert "table" in rnb.search("*")[0].record.marks[0]


def test_a_body_that_changes_a_global_is_not_replayed():
    bag = []

    @durable
    def collect(x):
        bag.append(x)
        return len(bag)

    assert [1, 2] == [collect(1), collect(1)]
    assert [1, 1] == bag


def test_a_result_that_cannot_be_stored_is_returned_with_a_warning():
    @durable
    def lines():
        return (letter for letter in "ab")

    with pytest.warns(rnb.DurableWarning, match="not stored"):
        assert ["a", "b"] == list(lines())
    handle = lines.get()
    assert State.RESOLVED is handle.state
    with pytest.raises(rnb.NotStoredError):
        handle.result()
    with pytest.warns(rnb.DurableWarning, match="not stored"):
        assert ["a", "b"] == list(lines())


def test_an_argument_without_a_stable_content_is_refused_before_the_body():
    ran = []

    @durable(ignore=("ran",))
    def use(x, conn):
        ran.append(1)

    with pytest.raises(rnb.UnfingerprintableError, match=r"conn.*ignore=\('conn',\)"):
        use(1, iter(()))
    assert [] == ran


def test_an_ignored_argument_is_neither_keyed_nor_shown(engine: Engine):
    @durable(ignore=("conn",))
    def use(x, conn):
        return x

    assert 1 == use(1, threading.Lock())
    assert 1 == use(1, threading.Lock())
    from resonate_nb.runtime import source

    assert {"x": "1"} == dict(source().detail(use.get(1, None).id).arguments)


@pytest.mark.parametrize(
    ("options", "unkept"),
    [
        ({}, ""),
        ({"retry": 1, "max_age": "1d"}, ""),
        ({"retry": 3}, ", and without its retry="),
        (
            {"retry": 3, "timeout": "1h", "attempt_timeout": 5},
            ", and without its retry= and timeout= and attempt_timeout=",
        ),
    ],
    ids=str,
)
def test_what_runs_plainly_says_which_of_its_options_do_not_hold(options: dict[str, Any], unkept: str):
    """A service is asked through a connection that the key does not know, and somebody counts on the second try."""

    @durable(name=f"asks{len(options)}", **options)
    def asks():
        return stream.closed

    with open(os.devnull) as stream, pytest.warns(rnb.DurableWarning) as caught:
        assert asks() is False
    (warning,) = caught
    assert str(warning.message).startswith(f"asks{len(options)} runs plainly, not durably{unkept}: `stream` is a")


def test_code_the_key_does_not_cover_runs_plainly_and_says_so():
    calls = []

    @durable(ignore=("calls",))
    def reads_a_stream():
        calls.append(1)
        return stream.closed

    with open(os.devnull) as stream:
        with pytest.warns(rnb.DurableWarning, match="stream"):
            assert not reads_a_stream()
        with warnings.catch_warnings():
            warnings.simplefilter("error", rnb.DurableWarning)
            assert not reads_a_stream()
    assert 2 == len(calls)
    assert [] == rnb.search("*")


def test_code_the_key_does_not_see_is_durable_and_says_so_once(caplog: pytest.LogCaptureFixture):
    calls = []

    @durable(ignore=("calls",))
    def looks_up(name):
        calls.append(1)
        return globals()[name] is pytest

    with caplog.at_level("INFO", "resonate_nb"):
        assert looks_up("pytest")
        assert looks_up("pytest")
    assert 1 == len(calls)
    (said,) = [record.message for record in caplog.records if "does not see" in record.message]
    assert "looks_up: its key does not see everything: it uses `globals()` in " in said
    assert said.endswith(
        ". An edit of what that leads to is not noticed: pass it as an argument, name it in depends=, or give another "
        "version= after such an edit"
    )


@pytest.mark.parametrize(
    "text", ["globals()['made_by'] = 1", "exec('global made_by; made_by = 1')", "exec('made_by = 1', globals())"]
)
def test_a_variable_that_is_bound_out_of_sight_is_no_hit(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A replay would leave it unbound."""
    path = tmp_path / "binds_out_of_sight.py"
    path.write_text(f"def binds():\n    {text}\n")
    names: dict[str, Any] = {"__name__": "binds_out_of_sight", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), names)
    binds = durable(names["binds"])
    for _ in range(2):
        names.pop("made_by", None)
        with caplog.at_level("INFO", "resonate_nb"):
            binds()
        assert 1 == names["made_by"]
    assert re.search("binds is not replayable: it (bound|stores into) .*made_by", caplog.text)


def test_switched_off_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch):
    calls: list[object] = []
    square = counted(calls)
    monkeypatch.setenv("RESONATE_NB", "off")
    assert (9, 9, 9) == (square(3), square(3), square.rerun(3))
    assert 3 == len(calls)
    assert [] == rnb.search("*")
    monkeypatch.setenv("RESONATE_NB", "on")
    square(3)
    monkeypatch.setenv("RESONATE_NB", "0")
    assert 1 == len(rnb.search("*"))


def test_threads_that_ask_for_the_same_promise_share_one_run():
    calls, started, go = [], threading.Event(), threading.Event()

    @durable(ignore=("calls", "started", "go"))
    def slow(x):
        calls.append(x)
        started.set()
        go.wait(60)
        return [x]

    values: list[object] = []
    threads = [threading.Thread(target=lambda: values.append(slow(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait(60)
    go.set()
    for thread in threads:
        thread.join(60)
    assert [[5]] * 4 == values
    assert [5] == calls


def test_a_waiter_of_a_failing_run_gets_the_failure():
    started, go = threading.Event(), threading.Event()

    @durable(ignore=("started", "go"))
    def fails():
        started.set()
        go.wait(60)
        raise ValueError("both hear of it")

    errors: list[BaseException] = []

    def ask():
        try:
            fails()
        except ValueError as error:
            errors.append(error)

    first = threading.Thread(target=ask)
    first.start()
    started.wait(60)
    second = threading.Thread(target=ask)
    second.start()
    go.set()
    first.join(60)
    second.join(60)
    assert ["both hear of it"] * 2 == [str(error) for error in errors]


def test_a_call_that_waits_for_itself_is_refused_with_the_cycle():
    @durable
    def outer(x):
        return inner(x)

    @durable
    def inner(x):
        return outer(x)

    with pytest.raises(rnb.WaitCycleError) as caught:
        outer(1)
    names = [id.split("/")[0].rsplit(".")[-1] for id in caught.value.cycle]
    assert ["outer", "inner", "outer"] == names


def test_two_threads_that_wait_for_each_other_are_refused():
    ready = threading.Barrier(2, timeout=60)

    @durable(ignore=("ready", "right"))
    def left():
        ready.wait()
        return right()

    @durable(ignore=("ready", "left"))
    def right():
        ready.wait()
        return left()

    outcomes: list[object] = []

    def ask(function):
        try:
            outcomes.append(function())
        except rnb.ResonateNbError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask, args=(function,)) for function in (left, right)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 2 == len(outcomes)
    assert all("would wait for itself" in str(outcome) for outcome in outcomes)


def test_async_functions_run_once_for_all_who_await():
    calls = []

    @durable(ignore=("calls",))
    async def fetch(x):
        calls.append(x)
        await asyncio.sleep(0)
        return {"x": x}

    async def main():
        return await asyncio.gather(*(fetch(x % 2) for x in range(6)))

    assert [{"x": x % 2} for x in range(6)] == asyncio.run(main())
    assert [0, 1] == sorted(calls)
    assert {"x": 1} == asyncio.run(main())[1]
    assert inspect.iscoroutinefunction(fetch)
    assert asyncio.iscoroutinefunction(fetch)


def test_a_synchronous_wait_on_the_loop_that_runs_the_promise_is_refused():
    @durable
    async def slow():
        await asyncio.sleep(30)

    async def main():
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        while slow.get() is None:
            await asyncio.sleep(0)
        try:
            slow.get().result()
        finally:
            task.cancel()

    with pytest.raises(rnb.WaitCycleError, match="await it instead"):
        asyncio.run(main())


def test_methods_count_their_object_by_content():
    calls = []

    class Model:
        def __init__(self, rate):
            self.rate = rate

        @durable(ignore=("calls",))
        def score(self, x):
            calls.append(x)
            return self.rate * x

        @durable
        @staticmethod
        def fixed(x):
            return x + 1

        @durable
        @classmethod
        def made(cls, x):
            return (cls.__name__, x)

    assert [6, 6, 9] == [Model(2).score(3), Model(2).score(3), Model(3).score(3)]
    assert 2 == len(calls)
    assert 6 == Model(2).score.get(3).result()
    assert (4, 4) == (Model.fixed(3), Model(1).fixed(3))
    assert ("Model", 3) == Model.made(3)
    assert ["score"] == [name for name in ("score",) if Model.score.__name__ == name]


def test_it_passes_for_the_plain_function():
    @durable
    def add(a: int, b: int = 2) -> int:
        """Sum."""
        return a + b

    assert "(a: 'int', b: 'int' = 2) -> 'int'" == str(inspect.signature(add))
    assert ("add", "Sum.") == (add.__name__, add.__doc__)
    assert "return a + b" in inspect.getsource(add)
    with pytest.raises(TypeError, match="add"):
        add()
    assert 3 == add.__wrapped__(1)


@durable
def at_module_level(x):
    return x


def test_it_is_pickled_by_name_like_a_plain_function():
    assert at_module_level is pickle.loads(pickle.dumps(at_module_level))


def test_an_argument_in_the_result_is_said_once(caplog: pytest.LogCaptureFixture):
    @durable
    def same(table):
        return {"it": table}

    with caplog.at_level("INFO", "resonate_nb"):
        mine = [1]
        assert same(mine)["it"] is mine
    assert 1 == sum("holds" in line and "`table`" in line for line in caplog.messages)


def test_what_is_new_is_said_in_one_line(caplog: pytest.LogCaptureFixture):
    def made(k):
        @durable(name="known")
        def f(x):
            return x + k

        return f

    with caplog.at_level("INFO", "resonate_nb"):
        made(1)(1)
        made(2)(1)
    assert ["known runs: closure variable `k`: 1 → 2"] == caplog.messages


def test_other_arguments_are_no_news_in_the_next_session_either(tmp_path: Path, said: list[str]):
    rnb.configure(store=tmp_path / "store")

    @durable
    def known(x):
        return x

    known(1)
    rnb.configure(durability="full")  # an engine of its own, as the next session has
    known(2)
    assert [] == [line for line in said if "changed since" in line]


class Counter:
    count = 0


def test_a_body_that_changes_a_class_it_reaches_is_not_replayed():
    @durable
    def tick():
        Counter.count += 1
        return Counter.count

    assert [1, 2] == [tick(), tick()]


class Synced(MemoryStore):
    """Keeps how long what was to be synced had taken."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.seconds: list[float] = []

    def owed(self, seconds: float) -> None:
        self.seconds.append(seconds)


def test_each_result_is_synced_as_long_as_it_took_before_it_is_returned(clock: ManualClock):
    """A store tells by that whether the disk is waited for: a call's, a step's, an error's."""
    rnb.configure(store=(store := Synced(clock)))

    @durable(keyed_by="call", ignore=("clock",))
    def step():
        clock.advance(500)

    @durable(ignore=("clock",))
    def works():
        step()
        clock.advance(1000)

    @durable(ignore=("clock",))
    async def fails():
        clock.advance(250)
        raise OSError("no")

    works()
    assert [0.5, 1.5] == store.seconds
    works()
    assert [0.5, 1.5] == store.seconds
    with pytest.raises(OSError, match="no"):
        asyncio.run(fails())
    assert [0.5, 1.5, 0.25] == store.seconds
