"""`why`: what a call would do and in one line why, of which the line of a call that runs is the same text."""

from __future__ import annotations

import asyncio
import linecache
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bodies import Work

import resonate_nb as rnb
from resonate_nb import durable, runtime
from resonate_nb.clock import ManualClock
from resonate_nb.runtime import Engine, Verdict, explain_promise
from resonate_nb.runtime._earlier import stored_parts_of
from resonate_nb.store import Query

FLIGHTS = pd.DataFrame({"a": [1, 2], "dep_delay": [1.0, 2.0]})


def helper(x: int) -> int:
    return x


def made(k: Any = 1, **options: Any) -> Any:
    options.setdefault("name", "step")

    @durable(**options)
    def step(x: Any, n: int = 0) -> Any:
        return (len(str(k)), n, x)

    return step


def defined(source: str, name: str) -> Any:
    """What a cell of this text binds to a name."""
    scope: dict[str, Any] = {"durable": durable, "__name__": "__main__"}
    place = f"<{name} {hash(source)}>"
    linecache.cache[place] = (len(source), None, source.splitlines(keepends=True), place)
    exec(compile(source, place, "exec"), scope)
    return scope[name]


def stored_reason(id: str) -> str:
    handle = rnb.get(id)
    assert handle is not None
    return handle.why().reason


def test_a_call_that_never_was_would_run(engine: Engine):
    why = made().why(1)
    assert (False, False, "first run", None, ()) == (bool(why), why.would_hit, why.reason, why.state, why.changes)
    assert "step would run: first run" in repr(why)


def test_a_hit_is_a_hit(engine: Engine):
    step = made()
    step(1)
    why = step.why(1)
    assert (True, "resolved", step.get(1).id, ()) == (bool(why), why.state, why.id, why.changes)


def test_what_was_taken_over_by_other_code_is_compared_with_the_code_that_made_it(engine: Engine):
    """The code that had begun it made nothing."""

    def taken(x: int, n: int = 0) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        durable(name="step", version=1)(taken)(1)
    step = made(version=1, on_drift="ignore")
    step(1)
    assert ("same code, same arguments", ()) == (step.why(1).reason, step.why(1).changes)


def test_a_look_runs_stores_and_says_nothing(engine: Engine, work: Work, caplog: pytest.LogCaptureFixture):
    @durable(version=1, ignore=("work",))
    def step(x: int) -> int:
        work(x)
        return x

    with caplog.at_level("DEBUG", "resonate_nb"):
        step.why(1)
        before = engine.store.change_word()
        step.why(1), step.why(2)
    assert ([], [], before, []) == (work.runs, caplog.messages, engine.store.change_word(), engine.search(Query()))


def test_without_a_store_none_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("resonate_nb.runtime._config._enabled", None)
    runtime.configure(store=tmp_path / "store")
    monkeypatch.setenv("RESONATE_NB", "off")
    why = made().why(1)
    assert (False, Verdict.PLAIN) == (why.would_hit, why.verdict)
    assert "everything is switched off; else it would run: first run" == why.reason
    assert not (tmp_path / "store").exists()


def test_an_edit_is_shown_with_its_diff(engine: Engine):
    def versions(text: str) -> Any:
        source = f"def low(x):\n    return {text}\n@durable(name='edited')\ndef edited(x):\n    return low(x)\n"
        return defined(source, "edited")

    versions("x + 1")(3)
    why = versions("x + 2").why(3)
    assert "code of `low` changed" == why.reason
    assert [("function", "low")] == [(change.kind, change.name) for change in why.changes]
    assert {"-    return x + 1", "+    return x + 2"} <= set(why.diff.splitlines())
    assert versions("x + 1").get(3).id == why.compared_with


HELD = """
class Model:
    def predict(self):
        return 1
    def other(self, key="sk-abcdefgh12345678"):
        return 1
"""


@pytest.mark.parametrize("wrap", [lambda made: made, lambda made: {"a": [made]}], ids=["itself", "in containers"])
def test_an_edit_of_an_argument_s_class_is_shown_with_its_diff(engine: Engine, wrap: Any):
    """Beside the one-line reason; of what stands as it was there is nothing, and keys are in no diff."""

    @durable(name="takes")
    def takes(model: Any) -> int:
        return 1

    takes(wrap(defined(HELD, "Model")()))
    engine.known_parts.clear()  # as in a later session
    source = HELD.replace("return 1\n    def", "return 2\n    def")
    edited = defined(source, "Model")()
    why = takes.why(wrap(edited))
    assert "argument `model`: code of `Model.predict` changed" == why.reason
    assert "@@ -1,2 +1,2 @@ Model.predict" in why.diff.splitlines()
    assert ["-    return 1", "+    return 2"] == [each for each in why.diff.splitlines() if "return" in each]
    takes(wrap(edited))
    assert why.diff == takes.get(wrap(edited)).why().diff
    why = takes.why(wrap(defined(source.replace("345678", "345679"), "Model")()))
    assert why.changes
    assert "sk-abc" not in repr(why)


def test_what_the_code_of_a_call_shows_an_argument_does_not_show_again(engine: Engine):
    source = HELD.replace("    def predict", "    @durable(name='fit')\n    def predict")
    source = source.replace("return 1", "return self.other()", 1)
    defined(source, "Model")().predict()
    edited = source.replace("self.other()", "-self.other()").replace("return 1", "return 2")
    why = defined(edited, "Model")().predict.why()
    texts = [change.text for change in why.changes]
    assert ["code of `Model.predict` changed", "argument `self`: code of `Model.other` changed"] == texts
    assert (1, 1) == (why.diff.count("+++ Model.predict"), why.diff.count("+++ Model.other"))


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (1, 2, "closure variable `k`: 1 → 2"),
        (FLIGHTS, FLIGHTS.assign(a=0), "closure variable `k`: column `a`: values differ"),
        (FLIGHTS, FLIGHTS.iloc[:1], "closure variable `k`: rows 2 → 1"),
        ({"a": [1]}, {"a": [2]}, "closure variable `k`: key `'a'`: position 0: 1 → 2"),
        ("sk-abcdefgh12345678", "sk-abcdefgh12345679", "closure variable `k`: its text differs, which is not shown"),
    ],
    ids=["number", "column", "rows", "dict", "secret"],
)
def test_changed_data_is_described(engine: Engine, before: Any, after: Any, reason: str):
    made(before)(1)
    changed = made(after)
    assert reason == changed.why(1).reason
    changed(1)
    assert reason == stored_reason(changed.get(1).id)


def test_a_name_that_comes_to_be_bound_is_no_edit_of_the_code(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """A table of a query may be a variable; the first call binds it, and the text stays as it was."""

    @durable(name="loads")
    def loads(x):
        return len("select * from comes_later") + x

    loads(1)
    monkeypatch.setitem(globals(), "comes_later", 1)
    assert "now reads `comes_later`" == loads.why(1).reason


def test_a_changed_argument_is_described_and_plain_ones_are_listed(engine: Engine):
    step = made()
    step(FLIGHTS, 1), step(FLIGHTS.assign(b=1), 2)
    renamed = FLIGHTS.rename(columns={"dep_delay": "delay"})
    assert "argument `x`: column `dep_delay` renamed to `delay`" == step.why(renamed, 1).reason
    why = step.why(FLIGHTS, 5)
    assert "first run with these arguments" == why.reason
    assert ["argument `n`: 1 → 5"] == [change.text for change in why.changes]
    assert step.get(FLIGHTS, 1).id == why.compared_with


def test_the_line_of_a_call_says_the_same(engine: Engine, caplog: pytest.LogCaptureFixture):
    made(FLIGHTS, name="told")(1)
    changed = made(FLIGHTS.assign(a=0), name="told")
    expected = changed.why(1).reason
    with caplog.at_level("DEBUG", "resonate_nb"):
        changed(1)
    id = changed.get(1).id
    assert any(f"{id}: ran" in line and line.endswith(f": {expected}") for line in caplog.messages)
    assert f"told runs: {expected}" in caplog.messages
    assert expected == stored_reason(id) == runtime.source().detail(id).why  # type: ignore[union-attr]


def test_large_arguments_are_compared_now_and_then(
    manual: Engine, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    step = made()
    with caplog.at_level("DEBUG", "resonate_nb"):
        for number in range(4):
            step(FLIGHTS.assign(a=number))
            clock.advance(200)
    reasons = [line.partition("ms: ")[2] for line in caplog.messages if "ran" in line]
    assert [
        "first run",
        "argument `x`: column `a`: values differ",
        "first run with these arguments",
        "argument `x`: column `a`: values differ",
    ] == reasons


def test_states_that_are_no_hit_say_so(engine: Engine, work: Work):
    @durable(version=1, ignore=("work",))
    def step(x: int) -> int:
        work(x)
        return x

    work.raises = KeyError("no")
    with pytest.raises(KeyError):
        step(1)
    why = step.why(1)
    assert (Verdict.RUN, "it raised last time", "rejected") == (why.verdict, why.reason, why.state)
    assert "it raised (KeyError: 'no')" in why.details
    assert step.options(on_rejected="raise").why(1).would_hit
    step(2)
    runtime.mark_rerun(step.get(2).id)
    assert "marked for a rerun" == step.why(2).reason
    work.raises = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        step(3)
    assert ("taken up again after an interruption", "interrupted") == (step.why(3).reason, step.why(3).state)


def test_one_that_runs_is_waited_for(engine: Engine, work: Work):
    @durable(version=1, ignore=("work",))
    def step(x: int) -> int:
        work(x)
        return x

    work.raising(1, None, waits=True)
    work._is_held = True
    thread = threading.Thread(target=step, args=(1,), daemon=True)
    thread.start()
    assert work.started.wait(30)
    why = step.why(1)
    assert (Verdict.WAIT, "running") == (why.verdict, why.state)
    assert f"process {os.getpid()}" in why.reason
    work.go.set()
    thread.join(30)
    assert step.why(1).would_hit


def test_an_old_result_expires(manual: Engine, clock: ManualClock):
    step = made(max_age=10)
    step(1)
    clock.advance(11_000)
    assert "expired: it is 11 s old, and max_age is 10 s" == step.why(1).reason


def test_what_could_not_be_stored_or_repeated_says_so(engine: Engine):
    @durable
    def generator(x: int) -> Any:
        return (each for each in range(x))

    with pytest.warns(rnb.DurableWarning):
        generator(1)
    why = generator.why(1)
    assert why.reason.startswith("the last result was not stored: a generator cannot be stored (")
    assert 1 == repr(why).count("a generator cannot be stored")
    assert why.details[0].startswith("settled ")

    @durable
    def fills(table: list[int]) -> int:
        table.append(1)
        return 1

    fills([])
    assert fills.why([]).reason.startswith("the last run is not replayable: changed its argument `table`")


def test_a_file_that_was_read_and_changed_is_named(disk: Engine, tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("one")

    @durable
    def read(name: str) -> str:
        return Path(name).read_text()

    read(str(path))
    assert read.why(str(path)).would_hit
    path.write_text("another")
    assert "a.txt differs from when it was read" in read.why(str(path)).reason


def test_a_fixed_version_that_drifted_is_used_and_shown(engine: Engine, caplog: pytest.LogCaptureFixture):
    def drifting(text: int) -> Any:
        if text == 1:

            @durable(name="drift", version=1)
            def drift(x: int) -> int:
                return x + 1
        else:

            @durable(name="drift", version=1)
            def drift(x: int) -> int:
                return x + 2

        return drift

    drifting(1)(1)
    why = drifting(2).why(1)
    assert (True, ["function"]) == (why.would_hit, [change.kind for change in why.changes])
    assert "+    return x + 2" in why.diff
    assert "although it differs" in why.reason
    assert "its code has changed since version 1 was recorded" == drifting(2).options(on_drift="rerun").why(1).reason
    assert Verdict.REFUSED is drifting(2).options(on_drift="raise").why(1).verdict
    assert [] == [line for line in caplog.messages if "drift" in line]


def test_an_id_used_with_other_arguments_is_named(engine: Engine):
    step = made(id="fixed", version=1)
    step(1)
    why = step.why(2)
    assert (Verdict.REFUSED, ["argument `x`: 1 → 2"]) == (why.verdict, [change.text for change in why.changes])
    again = step.options(on_reuse="rerun").why(2)
    assert "its id was used with other arguments (differing: `x`)" == again.reason


def test_what_cannot_be_keyed_says_so(engine: Engine):
    why = made().why(value for value in ())
    assert (Verdict.REFUSED, None) == (why.verdict, why.id)
    assert "`x" in why.reason or "x" in why.reason
    with pytest.raises(TypeError):
        made().why()


def test_methods_and_async_functions_answer_at_once(engine: Engine):
    class Model:
        def __init__(self, size: int) -> None:
            self.size = size

        @durable
        def fit(self, x: int) -> int:
            return x * self.size

    model = Model(2)
    model.fit(1)
    assert model.fit.why(1).would_hit
    why = Model(3).fit.why(1)
    assert "argument `self`: attribute `size`: 2 → 3" == why.reason

    @durable
    async def fetch(x: int) -> int:
        return x

    assert not fetch.why(1)
    asyncio.run(fetch(1))
    assert fetch.why(1)


def test_what_a_key_does_not_see_is_listed(engine: Engine):
    import logging

    log = logging.getLogger("mine")

    @durable
    def step(name: str) -> Any:
        log.info("x")
        return globals()[name]

    why = step.why("helper")
    assert why.unsure
    assert any("`log`" in text and "logging" in text for text in why.services), why.services
    assert "  unsure:" in repr(why).splitlines()
    step("helper")
    past = explain_promise(engine, engine.find(step.get("helper").id))  # type: ignore[arg-type]
    assert (why.unsure, why.services) == (past.unsure, past.services)
    detail = runtime.source().detail(step.get("helper").id)
    assert detail is not None
    assert (why.unsure, why.services) == (detail.unsure, detail.services)


def test_data_that_is_slow_to_fingerprint_is_named(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """By `why`, by what is stored of a promise, and in the details of the inspector."""
    monkeypatch.setattr(sys.modules["resonate_nb.fingerprint.code._code"], "_SLOW_SECONDS", -1.0)
    step = made(FLIGHTS)
    step(1)
    monkeypatch.undo()
    (told,) = step.why(1).slow
    assert told.startswith("`k` takes ")
    assert told.endswith(" ms at each call")
    detail = runtime.source().detail(step.get(1).id)
    assert detail is not None
    assert ((told,), (told,)) == (step.get(1).why().slow, detail.slow)
    other = made(FLIGHTS.assign(a=0))
    other(1)
    assert ((), ()) == (other.why(1).slow, other.get(1).why().slow)


def test_steps_that_an_edit_leaves_behind_are_counted(engine: Engine):
    @durable(name="leaf", keyed_by="call")
    def leaf(x: int) -> int:
        return x

    def flows(k: int) -> Any:
        @durable(name="flow")
        def flow() -> int:
            return leaf(1) + leaf(2) + k

        return flow

    flows(1)()
    changed = flows(2)
    expected = "closure variable `k`: 1 → 2; 2 steps done under the code before are not used (accept keeps them)"
    assert expected == changed.why().reason
    changed()
    assert expected == stored_reason(changed.get().id)


def test_a_step_says_that_it_is_one_and_why_it_ran(engine: Engine):
    def flows(k: int) -> Any:
        @durable(name="part", keyed_by="call")
        def part(x: int) -> int:
            return x + k

        @durable(name="whole")
        def whole() -> int:
            return part(1)

        return whole, part

    whole, part = flows(1)
    whole()
    assert "inside a durable call it is a step, and counts by its place there" in part.why(1).details
    flows(2)[0]()
    newest = rnb.search(name="part")[0].why()
    assert ("closure variable `k`: 1 → 2", "closure variable `k`: 1 → 2") == (newest.reason, newest.changes[0].text)


def test_one_that_runs_says_why_it_does(engine: Engine, work: Work):
    @durable(name="at work", version=1, ignore=("work",))
    def step(x: int) -> None:
        work(x)

    def look() -> None:
        looked.append(repr(step.get(1).why()).splitlines()[0])  # type: ignore[union-attr]

    looked: list[str] = []
    work.during = look
    step(1)
    assert ["at work runs: first run"] == looked


class Rude:
    def __init__(self, k: int) -> None:
        self.k = k

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def __len__(self) -> int:
        raise RuntimeError("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


def test_a_class_that_answers_with_anything_stops_no_call(engine: Engine):
    step = made()
    step(Rude(1))
    assert "argument `x`: attribute `k`: 1 → 2" == step.why(Rude(2)).reason
    assert "RuntimeError" not in repr(step.why(Rude(1)))


@pytest.mark.parametrize("kind", ["parts", "sources", "unseen", "why", "changes", "data"])
def test_a_damaged_note_stops_no_call(engine: Engine, kind: str):
    """What is kept for people may be lost; the call, and what it says, are not."""
    step = made(FLIGHTS)
    step(FLIGHTS)
    promise = engine.find(step.get(FLIGHTS).id)
    assert promise is not None
    code = promise.param.headers["code"]
    places = [promise.id, f"code:{code}", *(f"part:{digest}" for digest in stored_parts_of(promise).values())]
    with engine.store.write() as transaction:
        for place in places:
            transaction.put_note(place, kind, b"\xff{[")
    changed = made(FLIGHTS.assign(a=0))
    assert changed.why(FLIGHTS).reason
    changed(FLIGHTS)
    assert rnb.get(promise.id).why().reason  # type: ignore[union-attr]
    assert runtime.source().detail(promise.id) is not None


def test_no_secret_reaches_the_store(tmp_path: Path):
    secret = "sk-abcdefgh12345678"
    runtime.configure(store=tmp_path / "store", durability="process")
    made({"password": "hunter2!", "n": 1})(1)
    made(secret)(1)
    made(f"postgresql://me:{secret}@host/db")(FLIGHTS)
    runtime.engine().close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert secret.encode() not in stored
    assert b"hunter2!" not in stored
