"""Guards: what a call does that finds its id used with other arguments, other code, or a failure."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bodies import Work, ids, in_thread, states, when_said
from scripts import Scripts

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import SettlePromise, State
from resonate_nb.runtime import Engine, configure, engine, mark_rerun
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.usefixtures("engine")


# -- the same id, other arguments ------------------------------------------------------------------------------------


def report_of(work: Work, on_reuse: str):
    @durable(id=f"{work.id}/{{day}}", version=1, ignore=("work",), on_reuse=on_reuse)
    def report(day, region, currency="EUR"):
        work(day, region, currency)
        return f"{region} in {currency}"

    return report


def test_another_argument_under_the_same_id_is_an_error_that_names_it(work: Work):
    report = report_of(work, "raise")
    report("monday", "north")
    with pytest.raises(rnb.IdReuseError, match=rf"'{work.id}/monday@1'.*differing: 'region'\)") as caught:
        report("monday", "south")
    assert (("region",), f"{work.id}/monday@1") == (caught.value.differing, caught.value.id)
    with pytest.raises(rnb.IdReuseError) as caught:
        report("monday", "south", "USD")
    assert ("region", "currency") == caught.value.differing
    assert 1 == len(work.runs)
    assert "north in EUR" == report("monday", "north")


def test_under_rerun_another_argument_is_the_next_generation_and_says_so(work: Work, said: list[str]):
    report = report_of(work, "rerun")
    assert ("north in EUR", "south in EUR") == (report("monday", "north"), report("monday", "south"))
    assert "south in EUR" == report("monday", "south")
    assert [f"{work.id}/monday@1", f"{work.id}/monday@1~2"] == ids()
    line = "report_of.report: runs again, its id was used with other arguments (differing: `region`)"
    assert [line] == [each for each in said if "runs again" in each]
    assert 2 == len(work.runs)


@pytest.mark.parametrize("on_reuse", ["warn", "ignore"])
def test_under_warn_and_ignore_another_argument_gets_the_stored_value(work: Work, on_reuse: str):
    report = report_of(work, on_reuse)
    report("monday", "north")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ["north in EUR"] * 2 == [report("monday", "south"), report("monday", "south")]
    texts = [str(each.message) for each in caught if issubclass(each.category, rnb.DurableWarning)]
    if on_reuse == "warn":
        assert 1 == len(texts)
        assert f"promise '{work.id}/monday@1' was made with other arguments (differing: `region`)" in texts[0]
    else:
        assert [] == texts
    assert 1 == len(work.runs)


def test_a_changed_global_under_a_fixed_version_is_another_argument(work: Work):
    rates = {"EUR": 1.0}

    def price_of(on_reuse: str):
        @durable(id=work.id, version=1, on_reuse=on_reuse)
        def price():
            return rates["EUR"]

        return price

    assert 1.0 == price_of("raise")()
    rates["EUR"] = 2.0
    with pytest.raises(rnb.IdReuseError) as caught:
        price_of("raise")()
    assert ("rates",) == caught.value.differing
    assert 2.0 == price_of("rerun")()
    assert [f"{work.id}@1", f"{work.id}@1~2"] == ids()


def test_rerun_waits_for_the_living_owner_of_the_other_one_and_runs_then(work: Work, said: list[str]):
    report = report_of(work, "rerun")
    work.begin(lambda: report("monday", "north"))
    with when_said("waiting for") as waits:
        thread, values = in_thread(lambda: report("monday", "south"))
        assert waits.wait(60)
    assert ["pending"] == states()
    work.go.set()
    thread.join(60)
    assert ["south in EUR"] == values
    assert [("monday", "north", "EUR"), ("monday", "south", "EUR")] == work.runs
    assert ["resolved", "resolved"] == states()


def test_rerun_cancels_the_other_one_where_nobody_is_at_it(work: Work):
    report = report_of(work, "rerun")
    work.interrupt(lambda: report("monday", "north"))
    assert "south in EUR" == report("monday", "south")
    assert [f"{work.id}/monday@1", f"{work.id}/monday@1~2"] == ids()
    assert ["rejected_canceled", "resolved"] == states()
    assert [("monday", "south", "EUR")] == work.runs


@pytest.mark.parametrize("begun", ["interrupt", "begin"])
def test_a_pending_promise_of_other_arguments_is_refused_as_a_settled_one_is(work: Work, begun: str):
    report = report_of(work, "raise")
    getattr(work, begun)(lambda: report("monday", "north"))
    with pytest.raises(rnb.IdReuseError):
        report("monday", "south")
    assert ["pending"] == states()


# -- a fixed version, other code -------------------------------------------------------------------------------------


def codes(work: Work, on_drift: str | None = None):
    """The same function before and after an edit."""

    def one():
        @durable(id=work.id, version=1, ignore=("work",), on_drift=on_drift)
        def model():
            work("first")
            return "first code"

        return model

    def other():
        @durable(id=work.id, version=1, ignore=("work",), on_drift=on_drift)
        def model():
            work("second")
            return "second code"

        return model

    return one(), other()


CHANGE = """\
+    work('second')
+    return 'second code'"""


def test_drift_that_no_source_shows_names_the_part(work: Work):
    """The same text, and another function under a name of it."""

    def version_of(turn: Callable[[float], float]):
        @durable(id=work.id, version=1)
        def model():
            return turn(0.0)

        return model

    assert 0.0 == version_of(math.sin)()
    with pytest.warns(rnb.DurableWarning) as caught:
        assert 0.0 == version_of(math.cos)()
    (text,) = [str(each.message) for each in caught]
    assert text.endswith("what differs: `test_drift_that_no_source_shows_names_the_part.version_of.model`")


@pytest.mark.parametrize("on_drift", [None, "warn"])
def test_drift_warns_once_with_the_diff_and_hands_out_the_stored_value(work: Work, on_drift: str | None):
    first, second = codes(work, on_drift)
    first()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert ["first code", "first code"] == [second(), second()]
    (text,) = [str(each.message) for each in caught if issubclass(each.category, rnb.DurableWarning)]
    assert "its code has changed since version 1 was recorded, and its stored result is still used" in text
    assert CHANGE in text
    assert ["first"] == work.runs


def test_drift_raises_with_the_diff_where_that_was_said(work: Work):
    first, second = codes(work, "raise")
    first()
    with pytest.raises(rnb.DriftError) as caught:
        second()
    assert (f"{work.id}@1", "1") == (caught.value.id, caught.value.version)
    assert caught.value.diff.startswith("--- ")
    assert CHANGE in caught.value.diff
    assert caught.value.diff in str(caught.value)
    assert ["first"] == work.runs
    assert "first code" == first()


def test_drift_runs_the_next_generation_where_that_was_said(work: Work, said: list[str]):
    first, second = codes(work, "rerun")
    first()
    assert ["second code", "second code"] == [second(), second()]
    assert ["first", "second"] == work.runs
    assert [f"{work.id}@1", f"{work.id}@1~2"] == ids()
    assert any("runs again, its code has changed since version 1 was recorded" in line for line in said)
    assert "first code" == rnb.get(f"{work.id}@1").result()


def test_drift_is_passed_over_in_silence_where_that_was_said(work: Work, said: list[str]):
    first, second = codes(work, "ignore")
    first()
    said.clear()
    assert "first code" == second()
    assert [] == said


def test_what_took_over_a_promise_with_other_code_drifts_no_more(work: Work, said: list[str]):
    """The value was made by the later code, whatever began the promise."""
    first, second = codes(work, "ignore")
    work.interrupt(first)
    assert "second code" == second()
    said.clear()
    assert "second code" == second.options(on_drift="raise")()
    with pytest.raises(rnb.DriftError):
        first.options(on_drift="raise")()


@pytest.mark.parametrize("on_drift", [None, "raise"])
def test_a_begun_promise_is_not_taken_over_with_other_code(work: Work, on_drift: str | None):
    first, second = codes(work, on_drift)
    work.interrupt(first)
    with pytest.raises(rnb.DriftError, match=r"on_drift=") as caught:
        second()
    assert "+    return 'second code'" in caught.value.diff
    assert ["pending"] == states()
    assert [] == work.runs
    assert "first code" == first()


@pytest.mark.parametrize("on_drift", ["warn", "ignore"])
def test_a_begun_promise_goes_on_with_other_code_where_that_was_said(work: Work, said: list[str], on_drift: str):
    first, second = codes(work, on_drift)
    work.interrupt(first)
    said.clear()
    assert "second code" == second()
    warned = [line for line in said if "was begun with the other code goes on with the code as it is now" in line]
    assert (1 if on_drift == "warn" else 0) == len(warned)
    assert [f"{work.id}@1"] == ids()


def test_a_begun_promise_with_other_code_is_cancelled_under_rerun(work: Work):
    first, second = codes(work, "rerun")
    work.interrupt(first)
    assert "second code" == second()
    assert ["rejected_canceled", "resolved"] == states()


def test_rerun_of_a_begun_promise_with_other_code_runs_the_next_generation(work: Work):
    first, second = codes(work)
    work.interrupt(first)
    assert "second code" == second.rerun()
    assert [f"{work.id}@1", f"{work.id}@1~2"] == ids()
    assert ["rejected_canceled", "resolved"] == states()


def test_rerun_of_a_drifted_result_runs_the_next_generation(work: Work, said: list[str]):
    first, second = codes(work, "raise")
    first()
    assert ["second code", "second code"] == [second.rerun(), second()]
    assert ["first", "second"] == work.runs


@pytest.mark.parametrize(
    ("on_drift", "value", "runs"),
    [
        (None, "first code", ["first"]),
        ("warn", "first code", ["first"]),
        ("ignore", "first code", ["first"]),
        ("rerun", "second code", ["first", "second"]),
    ],
)
def test_who_meets_a_living_owner_with_other_code_waits(
    work: Work, said: list[str], on_drift: str | None, value: str, runs: list[str]
):
    first, second = codes(work, on_drift)
    work.begin(first)
    with when_said("waiting for") as waits:
        thread, values = in_thread(second)
        assert waits.wait(60)
    work.go.set()
    thread.join(60)
    assert [value] == values
    assert runs == work.runs
    warned = [line for line in said if "the value of the call that was begun with the other code is awaited" in line]
    assert (1 if on_drift in (None, "warn") else 0) == len(warned)


def test_who_meets_a_living_owner_with_other_code_is_refused_where_that_was_said(work: Work):
    first, second = codes(work, "raise")
    work.begin(first)
    with pytest.raises(rnb.DriftError):
        second()
    assert ["pending"] == states()


def test_rerun_joins_a_living_owner_with_other_code_and_says_so(work: Work, said: list[str]):
    first, second = codes(work)
    work.begin(first)
    with when_said("the rerun joins that run") as joins:
        thread, values = in_thread(second.rerun)
        assert joins.wait(60)
    work.go.set()
    thread.join(60)
    assert ["first code"] == values
    assert any("was begun with the other code is awaited" in line for line in said)


def test_an_automatic_version_never_drifts(work: Work, said: list[str]):
    first, second = (function.options(version=None, on_drift="raise") for function in codes(work))
    assert ["first code", "second code", "first code"] == [first(), second(), first()]
    assert ["first", "second"] == work.runs


# -- a stored failure ------------------------------------------------------------------------------------------------


def flaky_of(work: Work, on_rejected: str, **options: Any):
    @durable(id=f"{work.id}/{{x}}", version=1, ignore=("work",), on_rejected=on_rejected, **options)
    def flaky(x):
        work(x)
        return x

    return flaky


def test_a_stored_failure_is_tried_again_by_default(work: Work, said: list[str]):
    flaky = flaky_of(work, "rerun")
    work.raises = KeyError("no such day")
    with pytest.raises(KeyError):
        flaky(1)
    assert 1 == flaky(1)
    assert ["rejected", "resolved"] == states()
    assert any("runs again, it raised last time" in line for line in said)


class Outage(Exception):
    pass


class Unloaded(Exception):
    """Found under another name than it says, as one that its module has lost."""


Unloaded.__qualname__ = "Gone"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(KeyError("no such day"), KeyError), (Outage("down"), Outage), (Unloaded("down"), rnb.RejectedError)],
)
def test_a_stored_failure_is_raised_again_where_that_was_said(work: Work, raised: Exception, kind: type[Exception]):
    flaky = flaky_of(work, "raise")
    work.raises = raised
    with pytest.raises(type(raised)):
        flaky(1)
    with pytest.raises(kind, match=str(raised.args[0])):
        flaky(1)
    assert [1] == work.runs
    assert [f"{work.id}/1@1"] == ids()
    assert 1 == flaky.rerun(1)
    assert 1 == flaky(1)


def test_a_mark_runs_again_what_would_be_raised_again(work: Work):
    flaky = flaky_of(work, "raise")
    work.raises = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        flaky(1)
    mark_rerun(f"{work.id}/1@1")
    assert [1, 1] == [flaky(1), flaky(1)]
    assert [1, 1] == work.runs


def test_a_cancelled_promise_is_raised_again_or_run_again(engine: Engine, work: Work):
    flaky = flaky_of(work, "raise")
    work.interrupt(lambda: flaky(1))
    engine.submit([SettlePromise(f"{work.id}/1@1", State.CANCELED)])
    with pytest.raises(rnb.RejectedError, match="rejected_canceled") as caught:
        flaky(1)
    assert f"{work.id}/1@1" == caught.value.id
    assert [] == work.runs
    assert 1 == flaky.options(on_rejected="rerun")(1)
    assert ["rejected_canceled", "resolved"] == states()


def test_a_timed_out_promise_is_raised_again_or_run_again(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    flaky = flaky_of(work, "raise", timeout=10)
    work.interrupt(lambda: flaky(1))
    clock.advance(10_001)
    with pytest.raises(rnb.DurableTimeoutError) as caught:
        flaky(1)
    assert (f"{work.id}/1@1", rnb.get(f"{work.id}/1@1").created_at + 10_000) == (caught.value.id, caught.value.deadline)
    assert [] == work.runs
    assert 1 == flaky.options(on_rejected="rerun")(1)
    assert ["rejected_timedout", "resolved"] == states()


@pytest.mark.parametrize(("on_rejected", "runs"), [("rerun", [1, 1]), ("raise", [1])])
def test_inside_a_parent_a_stored_failure_counts_as_at_the_top(work: Work, on_rejected: str, runs: list[int]):
    flaky = flaky_of(work, on_rejected)

    @durable
    def parent():
        return flaky(1)

    work.raises = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        parent()
    if on_rejected == "raise":
        with pytest.raises(ValueError, match="no"):
            parent()
    else:
        assert 1 == parent()
    assert runs == work.runs


# -- two versions side by side ---------------------------------------------------------------------------------------


def versions(work: Work):
    def of_one():
        @durable(name=work.id, version=1, ignore=("work",))
        def model(x):
            work(1)
            return "by version 1"

        return model

    def of_two():
        @durable(name=work.id, version=2, ignore=("work",))
        def model(x):
            work(2)
            return "by version 2"

        return model

    return of_one(), of_two()


def test_two_versions_of_one_name_stand_side_by_side(work: Work):
    first, second = versions(work)
    for _ in range(2):
        assert ("by version 1", "by version 2") == (first("a"), second("a"))
    assert [1, 2] == work.runs
    one, two = first.get("a").id, second.get("a").id
    assert (two, one) == (one[:-1] + "2", two[:-1] + "1")
    bare = one.removesuffix("@1")
    assert two == rnb.get(bare).id
    assert ("by version 1", "by version 2") == (rnb.get(one).result(), rnb.get(two).result())
    first.rerun("a")
    assert f"{one}~2" == rnb.get(bare).id
    first.forget("a")
    assert [two] == ids()


@pytest.mark.slow
def test_two_processes_use_two_versions_of_one_name(tmp_path: Path):
    scripts = Scripts(tmp_path)
    body = """
@durable(name="model", version=int(sys.argv[1]), ignore=("note",))
def model(x):
    note(f"version {sys.argv[1]}")
    return f"by version {sys.argv[1]}"

print(model("a"), model("a"))
"""
    for version in ("1", "2", "1"):
        out, err = scripts.run(body, version)
        assert f"by version {version} by version {version}\n" == out, err
    assert ["version 1", "version 2"] == scripts.notes
