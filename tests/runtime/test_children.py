"""Children keyed by their place in a call (`keyed_by="call"`): their ids, their one commit, and their replay."""

from __future__ import annotations

import asyncio
import re
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bodies import Work, ids
from scripts import Scripts

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import AcquireTask, Claim, ForgetPromise, ReleaseTask, SettlePromise, State
from resonate_nb.runtime import Engine, Shown, configure, engine, mark_rerun, source
from resonate_nb.store import MemoryStore

pytestmark = pytest.mark.usefixtures("engine")


class Steps:
    """A durable parent around a plain body, and steps keyed by their place in it; what ran is noted."""

    def __init__(self, work: Work, **options: Any) -> None:
        @durable(name="step", keyed_by="call", ignore=("work",), **options)
        def step(x):
            work(x)
            return f"did {x}"

        self.step = step
        self.work = work

    def parent(self, body: Callable[[], object], **options: Any):
        """Named after its test; the body is no part of its key, as if it had not been edited."""

        @durable(name=self.work.id, ignore=("body",), **options)
        def parent():
            return body()

        return parent


def places() -> list[str]:
    """Ids of all children, in the order of the store, the parent left out and arguments' digits too."""
    return [re.sub(r"/[0-9a-f]{16}\.", ".", id.partition(":")[2]) for id in ids() if ":" in id]


# -- ids and rows ----------------------------------------------------------------------------------------------------


def test_a_child_is_named_by_its_parent_its_name_its_arguments_and_its_occurrence(work: Work):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b"), steps.step("a")])
    assert ["did a", "did b", "did a"] == parent()
    assert ["a", "b", "a"] == work.runs
    root, *children = ids()
    assert re.fullmatch(rf"{work.id}/[0-9a-f]{{16}}@[0-9a-f]{{8}}", root)
    first, other, again = children
    assert re.fullmatch(rf"{re.escape(root)}:step/[0-9a-f]{{16}}\.1", first)
    assert first[:-2] + ".2" == again
    assert re.fullmatch(r".*:step/[0-9a-f]{16}\.1", other)
    assert first != other


def test_a_child_with_a_template_a_method_and_a_grandchild_have_their_places(work: Work):
    class Till:
        def __init__(self, currency: str) -> None:
            self.currency = currency

        @durable(keyed_by="call", name="charge")
        def charge(self, amount):
            return f"{amount} {self.currency}"

    @durable(keyed_by="call", id="send/{to}")
    def send(to, text):
        return f"{text} to {to}"

    @durable(keyed_by="call", name="both")
    def both():
        return [Till("EUR").charge(5), send("ada", "hello"), send("ada", "bye")]

    parent = Steps(work).parent(both)
    assert ["5 EUR", "hello to ada", "bye to ada"] == parent()
    assert ["both.1:charge.1", "both.1:send/ada.1", "both.1:send/ada.2", "both.1"] == places()


def test_without_a_parent_it_counts_by_its_arguments(work: Work):
    step = Steps(work).step
    assert ["did a", "did a"] == [step("a"), step("a")]
    assert ["a"] == work.runs
    (id,) = ids()
    assert re.fullmatch(r"step/[0-9a-f]{16}@[0-9a-f]{8}", id)


def test_a_child_keyed_by_its_arguments_is_the_same_inside_and_outside(work: Work):
    steps = Steps(work)
    plain = steps.step.options(keyed_by="args")
    parent = steps.parent(lambda: [plain("a"), plain("a")])
    assert ["did a", "did a"] == parent()
    assert "did a" == plain("a")
    assert ["a"] == work.runs
    assert not any(":" in id for id in ids())


def test_two_parents_have_children_of_their_own(work: Work):
    steps = Steps(work)

    @durable(name=work.id, ignore=("steps",))
    def parent(x):
        return steps.step("a")

    assert ["did a", "did a", "did a"] == [parent(1), parent(2), parent(1)]
    assert ["a", "a"] == work.runs


def test_a_child_is_one_commit_and_shows_one_attempt(disk: Engine, work: Work):
    steps = Steps(work)
    words: list[int] = []

    def body():
        words.append(disk.store.change_word())
        steps.step("a")
        words.append(disk.store.change_word())

    steps.parent(body)()
    before, after = words
    assert 1 == after - before
    (child,) = [rnb.get(id) for id in ids() if ":" in id]
    assert (State.RESOLVED, "did a") == (child.state, child.result())
    (attempt,) = child.attempts
    assert (1, "resolved", disk.store.owner) == (attempt.number, attempt.outcome, attempt.owner)


def test_the_attempt_of_a_child_begins_when_its_body_did(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    steps = Steps(work)
    steps.work.during = lambda: clock.advance(5_000)
    steps.parent(lambda: steps.step("a"))()
    (child,) = [rnb.get(id) for id in ids() if ":" in id]
    (attempt,) = child.attempts
    assert (10**13, 10**13 + 5_000, 5_000_000) == (attempt.started_at, attempt.ended_at, attempt.elapsed_us)


def test_children_are_seen_by_their_whole_ids(work: Work):
    steps = Steps(work)
    steps.parent(lambda: steps.step("a"))()
    root, child = ids()
    (handle,) = rnb.search(name="step")
    assert f"<Handle {child!r} resolved>" == repr(handle)
    frame = rnb.to_frame(f"{root}:*")
    assert [(child, "step", 1)] == list(zip(frame["id"], frame["name"], frame["attempts"], strict=True))
    detail = source().detail(child)
    assert ("'did a'", {"x": "'a'"}) == (detail.preview, dict(detail.arguments))


def test_a_failed_child_is_stored_and_its_error_is_itself(work: Work):
    steps = Steps(work)
    work.raises = KeyError("no such day")
    with pytest.raises(KeyError, match="no such day"):
        steps.parent(lambda: steps.step("a"))()
    (child,) = [rnb.get(id) for id in ids() if ":" in id]
    assert State.REJECTED is child.state
    assert ["rejected"] == [attempt.outcome for attempt in child.attempts]
    assert isinstance(child.exception(), KeyError)


@pytest.mark.parametrize("size", [10, 1_500, 40_000])
def test_values_of_every_size_come_back_signed(disk: Engine, work: Work, size: int):
    @durable(name="step", keyed_by="call", ignore=("work",))
    def step(x):
        work(x)
        return b"x" * size

    steps = Steps(work)
    parent = steps.parent(lambda: (step("a"), steps.step("b"))[0])
    work.raising("b", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        parent()
    assert b"x" * size == parent()
    assert ["a", "b", "b"] == work.runs
    child = next(handle for handle in rnb.search(name="step", order="oldest"))
    assert b"x" * size == child.result()
    promise = disk.peek([child.id])[0]
    assert (size > 30_000) == (promise.value.file is not None)
    assert rnb.check().is_sound


def test_a_value_signed_with_another_key_is_computed_again(
    tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch, said: list[str]
):
    configure(store=tmp_path / "store", durability="process")
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b")])
    interrupted(work, parent, "b")
    monkeypatch.setenv("RESONATE_NB_KEY", "another key of the tests")
    configure(store=tmp_path / "store")
    assert ["did a", "did b"] == parent()
    assert ["a", "b", "a", "b"] == work.runs
    assert ["step.1", "step.1~2", "step.1"] == places()
    assert any("is not signed with your key" in line for line in said)


# -- replay ----------------------------------------------------------------------------------------------------------


def interrupted(work: Work, parent: Callable[[], object], at: object) -> None:
    work.raising(at, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        parent()


def test_a_resumed_parent_finds_what_is_done(work: Work):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b"), steps.step("a")])
    interrupted(work, parent, "b")
    assert ["did a", "did b", "did a"] == parent()
    assert ["a", "b", "b", "a"] == work.runs
    assert ["step.1", "step.1", "step.2"] == places()


def test_a_rejected_child_raises_the_same_failure_again_and_does_not_run(work: Work):
    steps = Steps(work)

    def body():
        try:
            steps.step("a")
        except ValueError as error:
            return [f"caught {error}", steps.step("b")]

    parent = steps.parent(body)
    work.raising("a", ValueError("declined"))
    interrupted(work, parent, "b")
    assert ["caught declined", "did b"] == parent()
    assert ["a", "b", "b"] == work.runs


def test_what_is_replayed_is_verified_and_counted(work: Work):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b")])
    interrupted(work, parent, "b")
    parent()
    first = next(handle for handle in rnb.search(name="step", order="oldest"))
    assert 1 == first.record.replays
    assert {"step"} <= {hits.name for hits in engine().hits.values()}


def test_a_child_that_the_store_cannot_give_back_runs_again_as_the_next_generation(work: Work, said: list[str]):
    box: dict[str, object] = {}

    @durable(keyed_by="call", name="fill", ignore=("work",))
    def fill(into):
        work("fill")
        into["filled"] = True
        return "filled"

    @durable(keyed_by="call", name="lock", ignore=("work",))
    def lock():
        work("lock")
        return threading.Lock()

    steps = Steps(work)
    parent = steps.parent(lambda: [fill({}), type(lock()).__name__, steps.step("a")])
    del box
    interrupted(work, parent, "a")
    assert ["filled", "lock", "did a"] == parent()
    assert ["fill", "lock", "a", "fill", "lock", "a"] == work.runs
    assert ["fill.1", "lock.1", "fill.1~2", "lock.1~2", "step.1"] == places()
    assert any(line.startswith("fill: runs again, the last run is not replayable") for line in said)


def test_an_expired_child_runs_again_as_the_next_generation(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    steps, fresh = Steps(work), Steps(work, max_age="1h")
    parent = steps.parent(lambda: [fresh.step("a"), steps.step("b"), steps.step("c")])
    interrupted(work, parent, "c")
    clock.advance(3_600_001)
    parent()
    assert ["a", "b", "c", "a", "c"] == work.runs
    assert ["step.1", "step.1", "step.1~2", "step.1"] == places()


def test_a_marked_child_runs_again_once(work: Work):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b"), steps.step("c")])
    interrupted(work, parent, "b")
    mark_rerun(ids()[1])
    interrupted(work, parent, "b")
    assert "rerun" not in [mark for handle in rnb.search() for mark in handle.record.marks]
    parent()
    assert ["a", "b", "a", "b", "b", "c"] == work.runs


def test_a_child_with_other_arguments_under_its_template_is_refused(work: Work):
    @durable(keyed_by="call", id="charge/{customer}", ignore=("work",))
    def charge(customer, amount):
        work(amount)
        return amount

    steps = Steps(work)
    amounts = [5, 7]
    parent = steps.parent(lambda: [charge("ada", amounts[0]), steps.step("a")])
    interrupted(work, parent, "a")
    amounts.reverse()
    with pytest.raises(rnb.IdReuseError) as caught:
        parent()
    assert ("amount",) == caught.value.differing
    assert [5, "a"] == work.runs


class Edited:
    """A parent that calls its step by a way that its own code does not name, so that its key cannot tell of an edit."""

    def __init__(self, work: Work, **options: Any) -> None:
        steps = Steps(work)
        self.functions = [steps.step.options(**options)]
        functions = self.functions
        self.parent = steps.parent(lambda: [functions[0]("a"), steps.step("b")])

        @durable(name="step", keyed_by="call", ignore=("work",), **options)
        def step(x):
            work(x)
            return "by other code"

        self._edited = step

    def edit(self) -> None:
        self.functions[0] = self._edited


@pytest.mark.parametrize("on_drift", [None, "warn", "ignore"])
def test_a_step_whose_code_has_changed_is_not_done_again(work: Work, said: list[str], on_drift: str | None):
    edited = Edited(work, on_drift=on_drift)
    interrupted(work, edited.parent, "b")
    edited.edit()
    said.clear()
    assert ["did a", "did b"] == edited.parent()
    lines = [line for line in said if "its code has changed, and its stored result is still used" in line]
    assert (0 if on_drift == "ignore" else 1) == len(lines)
    assert all("+    return 'by other code'" in line for line in lines)
    assert ["a", "b", "b"] == work.runs


def test_a_step_whose_code_has_changed_is_refused_or_done_again_where_that_was_said(work: Work, said: list[str]):
    for on_drift in ("raise", "rerun"):
        work.runs.clear()
        edited = Edited(work, on_drift=on_drift)
        interrupted(work, edited.parent, "b")
        edited.edit()
        if on_drift == "raise":
            with pytest.raises(rnb.DriftError, match="by other code"):
                edited.parent()
            assert ["a", "b"] == work.runs
            edited.parent.forget()
        else:
            assert ["by other code", "did b"] == edited.parent()
            assert ["a", "b", "a", "b"] == work.runs
            assert any("step: runs again, its code has changed" in line for line in said)


def test_a_step_that_was_begun_is_not_taken_over_with_other_code(work: Work):
    edited = Edited(work, timeout="1h")
    interrupted(work, edited.parent, "a")
    edited.edit()
    with pytest.raises(rnb.DriftError, match="by other code"):
        edited.parent()
    assert ["a"] == work.runs


@pytest.mark.parametrize("options", [{"retry": 3}, {"timeout": "1h"}, {"retry": 3, "timeout": "1h"}])
def test_a_child_with_a_policy_or_a_deadline_is_a_promise_of_its_own_while_it_runs(work: Work, options: dict[str, Any]):
    steps, slow = Steps(work), Steps(work, **options)
    seen: list[tuple[str, Shown]] = []

    def during():
        seen.extend((handle.id, handle.record.shown) for handle in rnb.search(name="step"))

    parent = steps.parent(lambda: [steps.step("a"), slow.step("b"), steps.step("c")])
    work.raising("b", KeyboardInterrupt())
    work.during = lambda: during() if work.runs[-1] == "b" else None
    with pytest.raises(KeyboardInterrupt):
        parent()
    child = next(id for id, shown in seen if shown is Shown.RUNNING)
    assert State.PENDING is rnb.get(child).state
    assert ["did a", "did b", "did c"] == parent()
    assert ["a", "b", "b", "c"] == work.runs
    assert ["interrupted", "resolved"] == [attempt.outcome for attempt in rnb.get(child).attempts]
    assert ["step.1", "step.1", "step.1"] == places()


def test_a_child_that_has_timed_out_meanwhile_raises_that(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    slow = Steps(work, timeout=10)

    def body():
        try:
            slow.step("a")
        except rnb.DurableTimeoutError as error:
            return f"timed out at {error.deadline - 10**13}"

    parent = slow.parent(body)
    interrupted(work, parent, "a")
    clock.advance(10_001)
    assert "timed out at 10000" == parent()
    assert ["a"] == work.runs


def test_a_rerun_inside_a_parent_is_a_step_of_its_own(work: Work):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step.rerun("a"), steps.step("b")])
    interrupted(work, parent, "b")
    parent()
    assert ["a", "a", "b", "b"] == work.runs
    assert ["step.1", "step.2", "step.1"] == places()


def test_the_idempotency_key_of_a_step_is_the_same_after_a_resume(work: Work):
    keys: list[str] = []

    @durable(keyed_by="call", name="pay", ignore=("keys", "work"))
    def pay(x):
        call = rnb.current()
        keys.append(call.idempotency_key)
        work(x, call.attempt, call.deadline)

    steps = Steps(work)
    parent = steps.parent(lambda: [pay("a"), pay("b"), pay("a")])
    interrupted(work, parent, ("b", 1, None))
    parent()
    first, second, again, third = keys
    assert second == again
    assert 3 == len({first, second, third})
    parent.rerun()
    assert 6 == len(set(keys))


def test_the_next_attempt_of_a_parent_keeps_what_was_done(work: Work):
    """A step that had failed is tried again with it."""
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b")], retry=rnb.Constant(3, delay=0))
    work.raising("b", ValueError("declined"))
    assert ["did a", "did b"] == parent()
    assert ["a", "b", "b"] == work.runs
    assert ["step.1", "step.1", "step.1~2"] == places()


def test_a_step_that_shall_raise_again_does_so_in_each_attempt_of_its_parent(work: Work):
    steps, final = Steps(work), Steps(work, on_rejected="raise")
    parent = steps.parent(lambda: [steps.step("a"), final.step("b")], retry=rnb.Constant(3, delay=0))
    work.raising("b", ValueError("declined"))
    with pytest.raises(ValueError, match="declined"):
        parent()
    assert ["a", "b"] == work.runs


# -- concurrency -----------------------------------------------------------------------------------------------------


def test_concurrent_children_come_back_to_the_same_calls(work: Work):
    """Identical and different calls at once; some are done when the parent stops, and none of those runs again."""
    gates = {x: asyncio.Event() for x in "abc"}

    @durable(keyed_by="call", name="fetch", ignore=("work", "gates"))
    async def fetch(x):
        work(x)
        if x in gates:
            await gates[x].wait()
        return f"{x}, run {len(work.runs)}"

    @durable(name=work.id, ignore=("fetch", "first"))
    async def parent():
        calls = [fetch(x) for x in ("a", "b", "quick", "quick", "c")]
        if first:
            tasks = [asyncio.ensure_future(call) for call in calls]
            await asyncio.wait(tasks[2:4])
            for task in tasks:
                task.cancel()
            raise KeyboardInterrupt
        return await asyncio.gather(*calls)

    first = [True]
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(parent())
    assert ["a", "b", "quick", "quick", "c"] == work.runs
    assert ["fetch.1", "fetch.2"] == places()
    first.clear()
    for gate in gates.values():
        gate.set()
    values = asyncio.run(parent())
    assert ["a, run 6", "b, run 7", "quick, run 3", "quick, run 4", "c, run 8"] == values
    assert ["a", "b", "quick", "quick", "c", "a", "b", "c"] == work.runs


def test_children_in_other_threads(work: Work, said: list[str]):
    """`asyncio.to_thread` carries the parent along; a plain thread knows of none, and that is said."""
    steps = Steps(work)

    @durable(name=work.id, ignore=("steps",))
    async def parent():
        values = await asyncio.gather(*(asyncio.to_thread(steps.step, x) for x in ("a", "b", "a")))
        thread = threading.Thread(target=lambda: values.append(steps.step("c")))
        thread.start()
        thread.join(60)
        return values

    assert ["did a", "did b", "did a", "did c"] == asyncio.run(parent())
    assert ["a", "a", "b", "c"] == sorted(work.runs)
    assert ["step.1", "step.1", "step.2"] == sorted(places())
    assert 1 == sum(":" not in id and id.startswith("step/") for id in ids())
    (line,) = [line for line in said if "counts by its arguments" in line]
    assert "contextvars.copy_context().run" in line


def test_a_step_of_no_durable_call_says_that_it_is_replayed(work: Work, said: list[str]):
    """A call that runs plainly is none: the same effect twice, of which the second is left out, is never silent."""
    name = f"step of {work.id}"  # what is said once was perhaps said of another test's

    @durable(name=name, keyed_by="call", ignore=("work",))
    def step(x):
        work(x)
        return f"did {x}"

    nothing = iter(())  # has no stable content

    @durable(name=work.id, ignore=("step",))
    def plain():
        list(nothing)
        return [step("a"), step("b"), step("a")]

    line = (
        f"{name}: no durable call is around it, so it counts by its arguments, and what they came to before is replayed"
    )
    assert "did c" == step("c")
    assert line not in said
    assert ["did a", "did b", "did a"] == plain() == plain()
    assert (["c", "a", "b"], 1) == (work.runs, said.count(line))


def test_a_nested_async_step_has_its_own_children(work: Work):
    steps = Steps(work)

    @durable(keyed_by="call", name="batch", ignore=("steps",))
    async def batch(n):
        await asyncio.sleep(0)
        return [steps.step(n), await asyncio.to_thread(steps.step, n)]

    @durable(name=work.id, ignore=("batch",))
    async def parent():
        # One after the other: a thread that an interrupted parent has left behind may run its step at any time.
        return [await batch(1), await batch(2)]

    work.raising(2, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(parent())
    assert [1, 1, 2] == work.runs
    assert [["did 1", "did 1"], ["did 2", "did 2"]] == asyncio.run(parent())
    assert [1, 1, 2, 2, 2] == work.runs
    assert {"batch.1:step.1", "batch.1:step.2", "batch.1"} == set(places())


# -- what is read when a parent resumes ------------------------------------------------------------------------------


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that SQLite carries out, on whatever connection that is opened from here on."""
    found: list[str] = []
    connect = sqlite3.connect

    def traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(found.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    return found


@pytest.mark.parametrize("many", [5, 50])
def test_a_resumed_parent_reads_all_its_children_in_one_select(
    statements: list[str], tmp_path: Path, work: Work, many: int
):
    configure(store=tmp_path / "store", durability="process")
    steps = Steps(work)
    spans: list[int] = []

    def body():
        spans.append(len(statements))
        values = [steps.step(n) for n in range(many)]
        spans.append(len(statements))
        work("end")
        return len(values)

    parent = steps.parent(body)
    interrupted(work, parent, "end")
    assert many == parent()
    begin, end = spans[-2:]
    read = [statement for statement in statements[begin:end] if "promises" in statement]
    assert 1 == len(read), read
    assert end - begin <= 3, statements[begin:end]  # a snapshot around it
    assert [*range(many), "end", "end"] == work.runs


def test_a_call_without_a_past_reads_no_children(statements: list[str], tmp_path: Path, work: Work):
    configure(store=tmp_path / "store", durability="process")
    steps = Steps(work)
    spans: list[int] = []

    def body():
        spans.append(len(statements))
        for n in range(5):
            steps.step(n)
        spans.append(len(statements))

    steps.parent(body)()
    assert [] == [text for text in statements[spans[0] : spans[1]] if "base >= " in text]


# -- other processes -------------------------------------------------------------------------------------------------

PIPELINE = """
@durable(keyed_by="call", name="step", ignore=("note",))
def step(x):
    note(x)
    return f"did {x}"

@durable(keyed_by="call", name="fetch", ignore=("note",))
async def fetch(x):
    note(x)
    await asyncio.sleep(0)
    return f"fetched {x}"

@durable(name="pipeline", ignore=("dies",))
def pipeline():
    values = [step("a"), step("b"), step("a")]
    dies("in the middle")
    return values + [step("c")]

@durable(name="gathering", ignore=("dies",))
async def gathering():
    values = await asyncio.gather(*(fetch(x) for x in "abab"))
    dies("in the middle")
    return values + await asyncio.gather(*(fetch(x) for x in "cab"))

def dies(where):
    if len(sys.argv) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_parent_is_followed_by_one_that_does_nothing_twice(tmp_path: Path):
    scripts = Scripts(tmp_path)
    scripts.run(f"{PIPELINE}\nprint(pipeline())", "die", ends=-signal.SIGKILL)
    assert ["a", "b", "a"] == scripts.notes
    out, err = scripts.run(f"{PIPELINE}\nprint(pipeline())")
    assert "['did a', 'did b', 'did a', 'did c']\n" == out, err
    assert ["a", "b", "a", "c"] == scripts.notes
    assert "attempt 2, taken over after owner" in err


@pytest.mark.slow
def test_a_killed_async_parent_is_followed_by_one_that_does_nothing_twice(tmp_path: Path):
    scripts = Scripts(tmp_path)
    scripts.run(f"{PIPELINE}\nprint(asyncio.run(gathering()))", "die", ends=-signal.SIGKILL)
    out, err = scripts.run(f"{PIPELINE}\nprint(asyncio.run(gathering()))")
    assert str([f"fetched {x}" for x in "ababcab"]) + "\n" == out, err
    assert list("ababcab") == scripts.notes


@pytest.mark.slow
def test_a_call_that_goes_on_after_a_kill_catches_what_its_steps_raised(tmp_path: Path):
    """By its type and by what it holds: it must not take another way than before."""
    scripts = Scripts(tmp_path)
    body = """
class Declined(Exception):
    def __init__(self, code):
        super().__init__("declined")
        self.code = code

@durable(keyed_by="call", name="charge")
def charge(card):
    note(card)
    if card == "old":
        raise Declined(51)
    if card == "lost":
        open("no such file")
    return card

@durable(name="order", version=1, ignore=("sys",))
def order():
    try:
        charge("old")
    except Declined as error:
        assert error.code == 51
    try:
        charge("lost")
    except FileNotFoundError as error:
        assert (error.errno, error.filename) == (2, "no such file")
    value = charge("new")
    if "kill" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return value

print(order())
"""
    scripts.run(body, "kill", ends=-signal.SIGKILL)
    out, err = scripts.run(body)
    assert "new\n" == out, err
    assert ["old", "lost", "new"] == scripts.notes


@pytest.mark.slow
def test_a_kill_between_an_effect_and_its_commit_does_just_that_step_twice(tmp_path: Path):
    """Nobody can know of it, but the key that goes with the effect is the same both times."""
    scripts = Scripts(tmp_path)
    body = """
left = int(sys.argv[1])

def effect(name):
    global left
    note(f"{name} {rnb.current().idempotency_key}")
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

@durable(keyed_by="call", name="pay", ignore=("effect",))
def pay(x):
    effect(f"pay {x}")
    return f"paid {x}"

@durable(keyed_by="call", name="book", ignore=("effect", "pay"))
def book(x):
    value = pay(x)
    effect(f"book {x}")
    return value

@durable(keyed_by="call", name="look", timeout="1h", retry=2, ignore=("effect", "pay"))
async def look(x):
    value = await asyncio.to_thread(pay, x)
    effect(f"look {x}")
    return value

@durable(name="trip")
async def trip():
    return [book("flight"), await look("hotel"), *await asyncio.gather(look("car"), look("car"))]

print(asyncio.run(trip()))
print(rnb.check().is_sound)
"""
    for effects in (1, 2, 3, 2):
        scripts.run(body, str(effects), ends=-signal.SIGKILL)
    out, err = scripts.run(body, "0")
    assert "['paid flight', 'paid hotel', 'paid car', 'paid car']\nTrue\n" == out, err
    counts = Counter(scripts.notes)
    twice = [note.rpartition(" ")[0] for note in counts if counts[note] == 2]
    assert 12 == len(scripts.notes)
    assert 8 == len(counts)
    assert 4 == len(twice)
    assert ["pay flight", "book flight"] == twice[:2]


@pytest.mark.slow
def test_in_a_forked_child_of_the_body_a_step_counts_by_its_arguments(tmp_path: Path):
    scripts = Scripts(tmp_path)
    body = f"""{PIPELINE}
@durable(name="forking", ignore=("os",))
def forking():
    mine = step("a")
    pid = os.fork()
    if not pid:
        print(step("a"), flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    return mine

print(forking())
print([handle.id.count(":") for handle in rnb.search(name="step")])
"""
    out, err = scripts.run(body)
    assert "did a\ndid a\n[0, 1]\n" == out, err
    assert "called in a process that its parent has forked, so it counts by its arguments" in err
    assert ["a", "a"] == scripts.notes


@pytest.mark.slow
def test_a_forked_child_that_comes_back_from_the_body_has_no_steps_to_wait_for(tmp_path: Path):
    scripts = Scripts(tmp_path)
    body = """
import contextvars, threading
@durable(name="returning", ignore=("os", "contextvars", "threading", "wait"))
def returning():
    wait.clear()
    thread = threading.Thread(target=contextvars.copy_context().run, args=(waiting,))
    thread.start()
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        wait.set()
    return pid

@durable(name="waiting", keyed_by="call", ignore=("wait",))
def waiting():
    wait.wait(60)

wait = threading.Event()
pid = returning()  # the child comes back too, and has no thread to wait for
if not pid:
    os._exit(0)
print(rnb.search(name="returning")[0].state)
"""
    out, err = scripts.run(body)
    assert "resolved\n" == out, err


# -- a parent that is no longer ours ---------------------------------------------------------------------------------


def taken_over(found: Engine, id: str) -> None:
    """Another process has found the parent's owner stopped for a whole lease."""
    promise = found.peek([id])[0]
    found.submit([ReleaseTask(id, promise.version), AcquireTask(id, promise.version, Claim("another-1-2", 60_000))])


def timed_out(found: Engine, id: str) -> None:
    found.submit([SettlePromise(id, State.CANCELED)])


def forgotten(found: Engine, id: str) -> None:
    promise = found.peek([id])[0]
    found.submit([ReleaseTask(id, promise.version), ForgetPromise(id)])


@pytest.mark.parametrize("lose", [taken_over, timed_out, forgotten])
@pytest.mark.parametrize("options", [{}, {"retry": 2}, {"timeout": "1h"}], ids=["plain", "retry", "timeout"])
@pytest.mark.parametrize("size", [10, 40_000])
def test_a_parent_that_was_lost_writes_no_children_any_more(
    disk: Engine,
    work: Work,
    said: list[str],
    lose: Callable[[Engine, str], None],
    options: dict[str, Any],
    size: int,
):
    @durable(name="step", keyed_by="call", ignore=("work",), **options)
    def step(x):
        work(x)
        return b"x" * size

    values: list[bytes] = []

    def body():
        values.append(step("a"))
        lose(disk, rnb.current().id)
        values.append(step("b"))
        work.during = lambda: work.raising("c", ValueError("declined"))
        with pytest.raises(ValueError, match="declined"):
            step("c")
        return "done"

    assert "done" == Steps(work).parent(body)()
    assert [b"x" * size] * 2 == values
    assert ["a", "b", "c"] == [x for x in work.runs if x in ("a", "b", "c")][:3]
    assert ["step.1"] == places()
    lines = [line for line in said if line.startswith("step: ") and "not stored" in line]
    assert 1 <= len(lines)
    assert all(f"{work.id}/" in line for line in lines)
    assert 1 == len(list((disk.store.path / "values").rglob("*.*"))) if size > 30_000 else True


# -- forgetting ------------------------------------------------------------------------------------------------------


def test_to_forget_a_parent_is_to_forget_its_children(disk: Engine, work: Work):
    steps = Steps(work)

    @durable(keyed_by="call", name="batch", ignore=("steps",))
    def batch(n):
        return steps.step(n)

    parent = steps.parent(lambda: [steps.step("a"), batch(2)])
    parent()
    mark_rerun(ids()[1])
    parent.rerun()
    other = steps.step.options(keyed_by="args")
    other("keep")
    assert 9 == len(ids())
    dropped = parent.forget()
    assert 8 == len(dropped)
    assert dropped[0].endswith("~2")
    assert 1 == len(ids())
    assert rnb.check().is_sound
    work.runs.clear()
    parent()
    assert ["a", 2] == work.runs


@pytest.mark.parametrize("forget", ["by id", "by bare id", "by function", "by pattern"])
def test_a_new_life_of_a_parent_does_not_meet_the_old_children(work: Work, forget: str):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b")])
    interrupted(work, parent, "b")
    root = ids()[0]
    match forget:
        case "by id":
            rnb.forget(root)
        case "by bare id":
            rnb.forget(root.partition("@")[0])
        case "by function":
            parent.forget()
        case _:
            rnb.forget(f"{work.id}/*@????????")
    assert [] == ids()
    parent()
    assert ["a", "b", "a", "b"] == work.runs


def test_what_runs_is_not_forgotten_nor_are_its_children(work: Work, said: list[str]):
    steps = Steps(work)
    parent = steps.parent(lambda: [steps.step("a"), steps.step("b")])
    work.raising("b", None, waits=True)
    work.begin(parent, waits=False)
    root, child = ids()
    for forget in (lambda: rnb.forget(root), lambda: rnb.forget(child), parent.forget):
        with pytest.raises(rnb.PromiseBusyError, match=rf"{root}.*running; interrupt it first"):
            forget()
    for pattern in ("*", f"{root}:*"):
        assert [] == rnb.forget(pattern)
    assert [root, child] == ids()
    work.go.set()
    work.threads[0].join(60)
    assert ["a", "b"] == work.runs
    assert [child] == rnb.forget(child)


def test_a_newest_version_is_no_child_of_it(work: Work):
    steps = Steps(work)

    @durable(id=work.id, version=1, ignore=("steps",))
    def parent():
        return steps.step("a")

    parent()
    assert f"{work.id}@1" == rnb.get(work.id).id
    parent.rerun()
    assert f"{work.id}@1~2" == rnb.get(work.id).id


# -- limits ----------------------------------------------------------------------------------------------------------


def test_an_id_that_grows_too_long_is_refused_in_words(work: Work):
    @durable(keyed_by="call", name="n" * 80, ignore=("work", "nested"))
    def nested(depth):
        work(depth)
        return nested(depth - 1) if depth else 0

    parent = Steps(work).parent(lambda: nested(2))
    assert 0 == parent()
    with pytest.raises(rnb.InvalidOptionError, match=r"a child has 5\d\d characters, at most 512 are allowed; use sh"):
        Steps(work).parent(lambda: nested(9), version=2)()


def test_steps_of_an_edited_parent_are_said_to_belong_to_the_version_before(work: Work, said: list[str]):
    steps = Steps(work)

    def edited(times: int):
        if times == 1:

            @durable(name=work.id, ignore=("steps",))
            def parent(x):
                return steps.step("a"), steps.step("b"), x
        else:

            @durable(name=work.id, ignore=("steps",))
            def parent(x):
                return steps.step("a"), steps.step("b"), x, "edited"

        return parent

    edited(1)("x")
    edited(1)("y")
    said.clear()
    edited(2)("x")
    (line,) = [line for line in said if "done under the code before" in line]
    assert "2 steps done under the code before are not used" in line
    said.clear()
    edited(2)("y")
    edited(2).rerun("x")
    assert [] == [line for line in said if "done under the code before" in line]
    assert ["a", "b"] * 5 == work.runs
