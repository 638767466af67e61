"""Accept: the result of the code before the edit counts for the code as it is now; what was in its middle goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bodies import Work

import resonate_nb as rnb
from resonate_nb import durable
from resonate_nb.clock import ManualClock, SystemClock
from resonate_nb.errors import (
    IdReuseError,
    NotStoredError,
    PromiseBusyError,
    PromiseNotFoundError,
    ReadOnlyStoreError,
    UnacceptableError,
)
from resonate_nb.runtime import Engine, accept, configure, engine, explain_promise, mark_rerun, source
from resonate_nb.store import MemoryStore, Query, SqliteStore

pytestmark = pytest.mark.usefixtures("engine")


class Edited:
    """One function in several wordings, each of which notes that it ran; they tell apart by what they close over."""

    def __init__(self, work: Work, **options: Any) -> None:
        self.work = work
        self._options = {"name": f"f{work.id}", "ignore": ("work",)} | options

    def version(self, k: object, body: Callable[[Any], Any] = lambda x: x) -> Any:
        work = self.work

        @durable(**(self._options | {"ignore": ("work", "body")}))
        def f(x, y=0):
            work(k)
            return [k, body(x)]

        return f


@pytest.fixture
def edited(work: Work) -> Edited:
    return Edited(work)


# -- a value ---------------------------------------------------------------------------------------------------------


def test_the_result_of_the_version_before_counts_for_this_one(edited: Edited, said: list[str]):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    handle = now.accept(1)
    assert ["before", 1] == now(1) == now(1) == handle.result() == rnb.get(handle.id).result() == now.get(1).result()
    assert ["before"] == edited.work.runs
    assert now.get(1).id == handle.id != before.get(1).id
    assert any(f"{handle.id} is accepted from {before.get(1).id}, computed " in line for line in said)
    assert [] == handle.attempts
    assert ["now", 2] == now(2)  # another call was not accepted


def test_a_value_in_a_file_is_not_stored_twice(disk: Engine, edited: Edited):
    before, now = edited.version("before", lambda x: "a" * 100_000), edited.version("now")
    before(1)
    now.accept(1)
    assert 100_000 == len(now(1)[1])
    assert 1 == disk.store.extent().value_files
    assert [] == list(rnb.check().problems)


def test_what_was_accepted_says_from_what_by_whom_and_when(edited: Edited):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    assert (f"accept would keep what {before.get(1).id} came to",) == now.why(1).details
    handle = now.accept(1)
    (record,) = [each for each in source().look(Query()) if each.promise.id == handle.id]
    assert (f"accepted: from {before.get(1).id}",) == record.marks
    assert () == record.again
    assert record.is_ours
    detail = source().detail(handle.id)
    assert detail is not None
    assert f"accepted from {before.get(1).id}, computed" in detail.why
    assert "['before', 1]" == detail.preview
    assert {"x": "1", "y": "0"} == dict(detail.arguments)
    why = now.why(1)
    assert why
    assert f"its result was accepted from {before.get(1).id}" == why.reason
    told = explain_promise(engine(), engine().peek([handle.id])[0])
    assert f"was not run: accepted from {before.get(1).id}, computed" in repr(told)


def test_the_newest_of_several_versions_is_taken_and_said(edited: Edited, said: list[str]):
    for k in ("first", "second"):
        edited.version(k)(1)
    now = edited.version("now")
    now.accept(1)
    assert "second" == now(1)[0]
    assert any("the newest of 2 earlier versions" in line for line in said)


def test_an_acceptance_of_an_acceptance_names_the_first(edited: Edited):
    first = edited.version("first")
    first(1)
    edited.version("second").accept(1)
    now = edited.version("now")
    handle = now.accept(1)
    assert "first" == now(1)[0]
    assert (f"accepted: from {first.get(1).id}",) == handle.record.marks
    edited.version("second").forget(1)
    assert "first" == edited.version("now")(1)[0]
    assert ["first"] == edited.work.runs


def test_what_was_accepted_from_a_forgotten_one_is_computed_again_and_says_so(edited: Edited, said: list[str]):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    handle = now.accept(1)
    assert "before" == now(1)[0]
    gone = before.get(1).id
    before.forget(1)
    with pytest.raises(NotStoredError, match="has been forgotten"):
        handle.result()
    assert f"not stored: its value was that of {gone}, which has been forgotten" in handle.record.again
    assert "now" == now(1)[0]
    assert ["before", "now"] == edited.work.runs
    assert any(
        f"its value was that of '{gone}', which has been forgotten; it is computed again" in line for line in said
    )
    assert [] == list(rnb.check().problems)


def test_a_value_made_again_under_the_forgotten_id_is_not_what_was_accepted(edited: Edited):
    values = iter(["old", "new"])
    before, now = edited.version("before", lambda x: next(values)), edited.version("now")
    before(1)
    now.accept(1)
    before.forget(1)
    assert ["before", "new"] == before(1)
    with pytest.warns(rnb.DurableWarning, match="has been forgotten"):
        assert ["now", 1] == now(1)


def test_a_rerun_and_a_forget_of_what_was_accepted(edited: Edited):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    handle = now.accept(1)
    assert "now" == now.rerun(1)[0] == now(1)[0]
    assert f"{handle.id}~2" == now.get(1).id
    now.forget(1)
    assert "before" == before(1)[0]
    now.accept(1)
    assert "before" == now(1)[0]
    mark_rerun(now.get(1).id)
    assert "now" == now(1)[0]


def test_a_version_with_a_result_of_its_own_is_left_alone(edited: Edited):
    before, now = edited.version("before"), edited.version("now")
    before(1), now(1)
    with pytest.raises(UnacceptableError, match=r"has a result under the code as it is now .* forget it first"):
        now.accept(1)
    assert "now" == now(1)[0]
    now.forget(1)
    now.accept(1)
    assert "before" == now(1)[0]


def test_twice_is_once(edited: Edited, said: list[str]):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    assert now.accept(1) == now.accept(1)
    assert 2 == len(rnb.search())
    assert any("was accepted from" in line and "already" in line for line in said)


def test_a_failed_try_of_the_new_version_is_no_obstacle(edited: Edited):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    edited.work.raises = ValueError()
    with pytest.raises(ValueError):
        now(1)
    handle = now.accept(1)
    assert handle.id.endswith("~2")
    assert "before" == now(1)[0]


def test_there_may_be_nothing_to_accept(edited: Edited):
    now = edited.version("now")
    with pytest.raises(PromiseNotFoundError, match="there is no promise named"):
        now.accept(1)
    edited.version("before")(2)
    with pytest.raises(PromiseNotFoundError, match="there is no promise with these arguments under other code"):
        now.accept(1)
    edited.work.interrupt(lambda: edited.version("before")(1))
    with pytest.raises(PromiseNotFoundError, match="nothing was finished under the code before"):
        now.accept(1)


def test_what_stopped_at_once_is_passed_over(edited: Edited):
    edited.version("first")(1)
    edited.work.interrupt(lambda: edited.version("second")(1))
    now = edited.version("now")
    now.accept(1)
    assert "first" == now(1)[0]


def test_no_acceptance_while_it_runs(edited: Edited, work: Work):
    before, now = edited.version("before"), edited.version("now")
    before(1)
    work.begin(lambda: now(1))
    with pytest.raises(PromiseBusyError, match="is running"):
        now.accept(1)
    work.go.set()
    work.threads[0].join(60)


def test_no_acceptance_of_what_runs(edited: Edited, work: Work):
    work.begin(lambda: edited.version("before")(1))
    with pytest.raises(PromiseNotFoundError, match="nothing was finished"):
        edited.version("now").accept(1)


@pytest.mark.parametrize("what", ["rejected", "not stored", "not replayable", "marked"])
def test_what_a_call_would_not_use_is_refused_with_the_reason(edited: Edited, what: str):
    before = edited.version("before", {"not stored": lambda x: (i for i in ())}.get(what, lambda x: x))
    now = edited.version("now")
    if what == "rejected":
        edited.work.raises = ValueError("broken")
        with pytest.raises(ValueError):
            before(1)
        why = "it raised .ValueError: broken."
    elif what == "not stored":
        with pytest.warns(rnb.DurableWarning):
            before(1)
        why = "the last result was not stored"
    elif what == "marked":
        before(1)
        mark_rerun(before.get(1).id)
        why = "marked for a rerun"
    else:
        before, now = (edited.version(k, lambda x: x.append(1)) for k in ("before", "now"))
        before([])
        why = "not replayable: changed its argument `x` in place"
    with pytest.raises(UnacceptableError, match=f"cannot be accepted: .*{why}.*Run it anew"):
        now.accept([] if what == "not replayable" else 1)


def test_what_is_too_old_is_refused_and_an_accepted_value_ages_from_its_making(work: Work):
    clock = ManualClock(10**13)
    configure(store=MemoryStore(clock))
    engine().clock = clock
    edited = Edited(work, max_age=10)
    first, second, third = map(edited.version, ("first", "second", "third"))
    first(1)
    clock.advance(8_000)
    second.accept(1)
    clock.advance(1_999)
    assert "first" == second(1)[0]
    clock.advance(2)
    with pytest.raises(UnacceptableError, match="expired"):
        third.accept(1)
    assert "second" == second(1)[0]


def _text(path: str) -> str:
    with open(path) as file:
        return file.read()


def test_files_that_the_body_read_count_for_what_was_accepted(disk: Engine, edited: Edited, tmp_path: Path):
    path = tmp_path / "data.txt"
    path.write_text("old")
    before, now, later = (edited.version(k, _text) for k in ("before", "now", "later"))
    before(str(path))
    now.accept(str(path))
    assert ["before", "old"] == now(str(path))
    path.write_text("newer")
    assert ["now", "newer"] == now(str(path))
    with pytest.raises(UnacceptableError, match=r"data\.txt differs from when it was read"):
        now.forget(str(path))
        later.accept(str(path))


def test_a_changed_file_is_an_edit_where_it_is_all_that_has_changed(disk: Engine, edited: Edited, tmp_path: Path, said):
    path = tmp_path / "data.txt"
    path.write_text("old")
    reads = edited.version("reads", _text)
    assert ["reads", "old"] == reads(str(path))
    path.write_text("old, with a remark")
    handle = reads.accept(str(path))
    assert handle.id.endswith("~2")
    assert any(line.endswith(" earlier, although file data.txt has changed since") for line in said)
    assert ["reads", "old"] == reads(str(path)) == handle.result()
    path.write_text("old, with two remarks")
    reads.accept(str(path))
    assert ["reads", "old"] == reads(str(path))
    assert (f"accepted: from {handle.id[:-2]}",) == reads.get(str(path)).record.marks
    path.write_text("something else")
    assert ["reads", "something else"] == reads(str(path))
    assert ["reads", "reads"] == edited.work.runs
    path.unlink()
    with pytest.raises(UnacceptableError, match=r"data\.txt is gone"):
        reads.accept(str(path))


@pytest.mark.parametrize("how", ["argument", "literal", "folder", "pattern", "many"])
def test_a_declared_file_that_was_read_counts_as_it_is_now(
    disk: Engine, work: Work, tmp_path: Path, said: list[str], how: str
):
    path = tmp_path / "in" / "data.txt"
    path.parent.mkdir()
    path.write_text("old")
    declared = {"argument": "path", "literal": str(path), "folder": f"{path.parent}/", "many": "path"}
    declared["pattern"] = str(path.parent / "*.txt")

    @durable(name="reads", files=(declared[how],), ignore=("work",))
    def reads(path):
        work(path)
        return _text(path if type(path) is str else path[0])

    given: Any = [str(path)] * 40 if how == "many" else str(path)
    assert "old" == reads(given)
    path.write_text("old, with a remark")
    handle = reads.accept(given)
    assert "old" == reads(given) == handle.result()
    (line,) = [line for line in said if " is accepted from " in line]
    assert re.search(r"although (files?|folder) .* (has|have) changed since$", line), line
    path.write_text("old, with two remarks")  # from one that was accepted
    reads.accept(given)
    assert "old" == reads(given)
    path.write_text("something else")
    assert "something else" == reads(given)
    assert 2 == len(work.runs)


def test_with_a_declared_file_another_one_that_was_read_must_be_as_it_was(disk: Engine, work: Work, tmp_path: Path):
    path, other = tmp_path / "data.txt", tmp_path / "other.txt"
    path.write_text("old"), other.write_text("old")

    @durable(name="reads", files=("path",), ignore=("work",))
    def reads(path, other):
        work(path)
        return _text(path), _text(other)

    reads(str(path), str(other))
    path.write_text("newer"), other.write_text("newer")
    with pytest.raises(UnacceptableError, match=r"other\.txt differs from when it was read"):
        reads.accept(str(path), str(other))
    other.write_text("old")
    reads.accept(str(path), str(other))
    assert ("old", "old") == reads(str(path), str(other))
    other.write_text("newer still")
    assert ("newer", "newer still") == reads(str(path), str(other))


def test_what_was_accepted_with_another_file_may_be_accepted_again_by_an_edit(
    disk: Engine, edited: Edited, tmp_path: Path
):
    path = tmp_path / "data.txt"
    path.write_text("old")
    before, now = (edited.version(k, _text) for k in ("before", "now"))
    before(str(path))
    path.write_text("newer")
    before.accept(str(path))
    handle = now.accept(str(path))
    assert ["before", "old"] == now(str(path)) == handle.result()
    assert (f"accepted: from {before.get(str(path)).id.removesuffix('~2')}",) == handle.record.marks
    path.write_text("another")
    assert ["now", "another"] == now(str(path))
    assert ["before", "now"] == edited.work.runs


def test_another_one_than_was_accepted_is_taken_only_when_that_is_forgotten(edited: Edited):
    first, second, now = (edited.version(k) for k in ("first", "second", "now"))
    first(1), second(1)
    now.accept(1)
    with pytest.raises(UnacceptableError, match="to have another one in its place, forget it first"):
        accept(now._request((1,), {}, rerun=False), source=first.get(1).id)
    now.forget(1)
    assert "first" == accept(now._request((1,), {}, rerun=False), source=first.get(1).id).result()[0]


# -- versions, ids, arguments ----------------------------------------------------------------------------------------


def test_a_changed_global_is_an_edit(work: Work):
    frame = pd.DataFrame({"a": [1]})

    @durable(name="total", ignore=("work",))
    def total(k):
        work(k)
        return int(frame["a"].sum()) * k

    assert 2 == total(2)
    frame.loc[0, "a"] = 5
    total.accept(2)
    assert 2 == total(2)
    assert 15 == total(3)


def test_a_template_and_an_automatic_version(work: Work):
    edited = Edited(work, id="day/{x}")
    before, now = edited.version("before"), edited.version("now")
    before("mon"), before("tue", 5)
    now.accept("mon")
    assert ["before", "mon"] == now("mon")
    with pytest.raises(PromiseNotFoundError, match="with these arguments under other code"):
        now.accept("tue")


def test_a_fixed_version_that_has_drifted(work: Work, said: list[str]):
    def made(k: int) -> Any:
        def one(x):
            work(k)
            return "one"

        def two(x):
            work(k)
            return "two", x

        return durable(id="day/{x}", version=1, ignore=("work", "k"))(one if k == 1 else two)

    before, now = made(1), made(2)
    before("mon")
    handle = now.accept("mon")
    assert "day/mon@1~2" == handle.id
    assert "one" == now("mon")
    assert not any("has changed since version 1" in line for line in said)
    before("tue")
    assert "one" == now("tue")
    assert any("has changed since version 1" in line for line in said)


def test_a_new_fixed_version_takes_over_from_the_one_before(work: Work):
    v1, v2 = (Edited(work, version=version).version("same") for version in (1, 2))
    v1(1)
    v2.accept(1)
    assert ["same", 1] == v2(1)
    assert ["same"] == work.runs


def test_data_under_a_fixed_version_join_the_arguments_and_are_an_edit_all_the_same(work: Work, said: list[str]):
    data = [1]

    @durable(name="total", version=1, ignore=("work",))
    def total(k):
        work(k)
        return sum(data) * k

    assert [2, 3] == [total(2), total(3)]
    data.append(5)
    total.accept(2)
    assert [2, 18] == [total(2), total(3)]
    assert any(line.endswith(" earlier, although `data` has changed since") for line in said)


def test_a_reused_id_is_refused_as_it_is_by_a_call(work: Work):
    edited = Edited(work, id="day/{x}")
    before, now = edited.version("before"), edited.version("now")
    before("mon"), now("mon", 7)
    with pytest.raises(IdReuseError, match="y"):
        now.accept("mon")
    assert "before" == now.options(on_reuse="rerun").accept("mon").result()[0]


def test_async_functions_are_accepted_without_awaiting(work: Work):
    def made(k: str) -> Any:
        @durable(name="fetch", ignore=("work",))
        async def fetch(x):
            work(k)
            return k

        return fetch

    before, now = made("before"), made("now")
    asyncio.run(before(1))
    assert "before" == now.accept(1).result() == asyncio.run(now(1))
    assert ["before"] == work.runs


def till(work: Work, k: str) -> Any:
    class Till:
        def __init__(self, at: str) -> None:
            self.at = at

        @durable(name="count", ignore=("work",))
        def count(self, x):
            work(k)
            return f"{k} {self.at}"

        @durable(name="total", ignore=("work",))
        @classmethod
        def total(cls, x):
            return k

    return Till


def test_a_method_is_an_edit_of_the_class_of_its_object(work: Work, said: list[str]):
    before, now = till(work, "before"), till(work, "now")
    before("desk").count(1), before.total(1)
    assert "before desk" == now("desk").count.accept(1).result() == now("desk").count(1)
    assert any(", although `k` and `self` have changed since" in line for line in said)
    now.total.accept(1)
    assert "before" == now.total(1)
    with pytest.raises(PromiseNotFoundError):
        now("desk").count.accept(2)


def test_without_an_edit_another_object_is_another_argument(work: Work):
    kind = till(work, "before")
    kind("desk").count(1)
    with pytest.raises(PromiseNotFoundError):
        kind("door").count.accept(1)


def test_which_of_several_objects_it_was_is_not_guessed(work: Work):
    before, now = till(work, "before"), till(work, "now")
    before("desk").count(1), before("door").count(1)
    with pytest.raises(UnacceptableError, match="several objects were called so"):
        now("desk").count.accept(1)


def test_there_may_be_no_store_and_all_may_be_switched_off(
    edited: Edited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before, now = edited.version("before"), edited.version("now")
    configure(store=tmp_path / "store")
    with pytest.raises(PromiseNotFoundError, match="no store yet"):
        now.accept(1)
    before(1)
    monkeypatch.setenv("RESONATE_NB", "off")
    with pytest.raises(UnacceptableError, match="switched off"):
        now.accept(1)


def test_a_store_that_may_only_be_read_takes_no_acceptance(edited: Edited, tmp_path: Path):
    before, now = edited.version("before"), edited.version("now")
    configure(store=tmp_path / "store")
    before(1)
    engine().close()
    configure(store=SqliteStore.open_to_read(tmp_path / "store", clock=SystemClock()))
    with pytest.raises(ReadOnlyStoreError):
        now.accept(1)
    assert now.get(1) is None
