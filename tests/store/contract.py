"""The contract of a store as tests: every implementation passes this class."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syncing import sync

from resonate_nb.clock import ManualClock
from resonate_nb.errors import NotStoredError, StoreError
from resonate_nb.protocol import (
    EMPTY,
    NEVER,
    Deleted,
    Inserted,
    Leased,
    Promise,
    Settled,
    State,
    TaskState,
    Value,
)
from resonate_nb.store import Attempt, Order, Query, Store

FULL = Promise(
    id="features/2026-11-24@2~3",
    state=State.PENDING,
    param=Value({"codec": "json", "ключ": 'a "quoted" value'}, b"\x00bytes\xff", None, 7),
    value=EMPTY,
    tags={"team": "growth", "empty": ""},
    timeout_at=2_000_000,
    created_at=1_000_000,
    task=TaskState.ACQUIRED,
    version=7,
    owner="host-1-00000000",
    lease_ms=60_000,
    lease_until=1_060_000,
)
"""A record with every field set that can be set while pending."""


def plain(id: str, created_at: int = 1_000_000, **tags: str) -> Promise:
    """A pending promise without a task."""
    return Promise(id, State.PENDING, EMPTY, EMPTY, tags, NEVER, created_at)


def insert(store: Store, *promises: Promise) -> None:
    with store.write() as transaction:
        transaction.apply([Inserted(promise) for promise in promises])


def get(store: Store, id: str) -> Promise | None:
    with store.read() as reader:
        return reader.get(id)


class StoreContract:
    """Subclasses give `make`, which returns an empty store."""

    def make(self, path: Path, clock: ManualClock) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    def store(self, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
        store = self.make(tmp_path / "store", clock)
        yield store
        assert [] == store.check()
        store.close()

    # Rows.

    def test_promises_of_a_name_are_found_newest_first(self, store: Store) -> None:
        """By the order in which they came, whatever their ids and clocks say; and read ahead with small values only."""
        headers = {"name": "f", "code": "c" * 32, "arguments": "a" * 32}
        for id in ("f/b@1", "g/x@1", "f/a@1", "f/a@1~2"):
            mine = headers if id.startswith("f") else {"name": "g"}
            insert(store, replace(plain(id), param=Value(mine)))
        value = {"codec": "json", "signature": "s", "elapsed_us": "1500", "cpu_us": "9", "owner": "me"}
        with store.write() as transaction:
            transaction.apply(
                [
                    Settled("f/a@1", State.RESOLVED, Value(value, b"12", None, 2), 1_000_001),
                    Settled("f/b@1", State.RESOLVED, Value({**value, "files": "[]", "code": "d"}, b"123", None, 3), 5),
                ]
            )
        with store.read() as reader:
            assert "f/a@1~2" == reader.newest("f").id  # type: ignore[union-attr]
            assert reader.newest("h") is None
            assert ["f/a@1~2", "f/a@1"] == [promise.id for promise in reader.recent("f", 2)]
            assert [] == reader.recent("h", 2)
            newest, first, other = reader.ahead("f", 10, 2)
            assert ("f/a@1", 2, "pending", None) == (newest.base, newest.generation, newest.state, newest.data)
            assert ("f/a@1", 1, "c" * 32, "a" * 32, "json", "s", "1500", None, b"12") == (
                *first[:2],
                *first[5:],
            )
            assert ("d", '{"files":"[]"}', None) == (other.code, other.headers.replace(" ", ""), other.data)  # type: ignore[union-attr]
            assert [newest] == reader.ahead("f", 1, 2)
        assert {**value, "files": "[]", "code": "d"} == get(store, "f/b@1").value.headers  # type: ignore[union-attr]

    def test_promises_under_a_prefix_are_read_with_their_small_values(self, store: Store) -> None:
        """By id and generation; what merely begins alike is not under it."""
        insert(store, *map(plain, ("p:b.1", "p:a.1", "p:a.1~2", "p", "p:a.1:c.1", "p~2:a.1", "q:a.1", "p;")))
        with store.read() as reader:
            found = reader.under("p:", 10, 0)
            assert [("p:a.1", 1), ("p:a.1", 2), ("p:a.1:c.1", 1), ("p:b.1", 1)] == [row[:2] for row in found]
            assert found[:2] == reader.under("p:", 2, 0)

    def test_acquired_means_pending_at_just_this_version(self, store: Store) -> None:
        """What a holder remembers of its promise is true while this is."""
        insert(store, FULL, plain("b"))
        with store.write() as transaction:
            assert transaction.is_acquired(FULL.id, 7)
            assert not transaction.is_acquired(FULL.id, 6)
            assert not transaction.is_acquired("b", 0)
            assert not transaction.is_acquired("absent", 1)
            transaction.apply([Settled(FULL.id, State.RESOLVED, EMPTY, 1)])
            assert not transaction.is_acquired(FULL.id, 7)

    def test_deadlines_of_pending_promises_are_listed_soonest_first(self, store: Store) -> None:
        """Those without one, and those that have settled, are not among them."""
        insert(store, plain("never"), *(replace(plain(id), timeout_at=at) for id, at in (("b", 9), ("a", 7), ("c", 8))))
        with store.write() as transaction:
            transaction.apply([Settled("c", State.RESOLVED, EMPTY, 5)])
        with store.read() as reader:
            assert [(7, "a"), (9, "b")] == reader.deadlines(10)
            assert [(7, "a")] == reader.deadlines(1)

    def test_query_keeps_a_name_and_a_span_of_time(self, store: Store) -> None:
        """Since is included, until is not."""
        insert(store, *(replace(plain(f"p{at}", at), param=Value({"name": f"f{at % 2}"})) for at in range(4)))
        with store.read() as reader:
            assert ["p3", "p1"] == [promise.id for promise in reader.search(Query(name="f1"))]
            assert ["p2", "p1"] == [promise.id for promise in reader.search(Query(since=1, until=3))]

    def test_deletion_invalidates(self, store: Store) -> None:
        """Whoever remembers the promise, or that its id has no fence, looks again."""
        insert(store, plain("a"))
        before = store.invalidation_word()
        with store.read() as reader:
            assert 0 == reader.fence("a")
        with store.write() as transaction:
            transaction.apply([Deleted("a", 4)])
        assert before + 1 == store.invalidation_word()
        with store.read() as reader:
            assert 4 == reader.fence("a")

    def test_absent_promise_is_none(self, store: Store) -> None:
        with store.read() as reader:
            assert reader.get("absent") is None
            assert reader.latest("absent") is None
            assert 0 == reader.fence("absent")
            assert [] == reader.search(Query())

    @pytest.mark.parametrize(
        "promise",
        [
            FULL,
            plain("a"),
            plain("with a : and @ and ~x and ~1 and ~02"),
            Promise("b", State.PENDING, Value({}, b"", None, 0), EMPTY, {}, NEVER, 1, task=TaskState.PENDING),
            Promise("c", State.RESOLVED, EMPTY, Value({"h": "v"}, None, None, 12), {}, 5, 1, 4, TaskState.FULFILLED, 2),
            Promise("d", State.TIMEDOUT, EMPTY, EMPTY, {}, 5, 1, 5),
            Promise("e", State.CANCELED, EMPTY, EMPTY, {}, 5, 1, 5),
            Promise("f", State.REJECTED, EMPTY, Value({}, b"x" * 30_000, None, 30_000), {}, NEVER, 1, 5),
        ],
        ids=lambda promise: promise.id[:8],
    )
    def test_promise_comes_back_as_it_was(self, store: Store, promise: Promise) -> None:
        insert(store, promise)
        assert promise == get(store, promise.id)
        with store.read() as reader:
            assert [promise] == reader.search(Query())

    def test_settled_delta_changes_what_it_names(self, store: Store) -> None:
        insert(store, FULL)
        value = Value({"codec": "pickle"}, b"result", None, 6)
        with store.write() as transaction:
            transaction.apply([Settled(FULL.id, State.RESOLVED, value, 1_000_500)])
        found = get(store, FULL.id)
        assert found == Promise(
            FULL.id,
            State.RESOLVED,
            FULL.param,
            value,
            FULL.tags,
            FULL.timeout_at,
            FULL.created_at,
            1_000_500,
            TaskState.FULFILLED,
            FULL.version,
        )

    def test_settled_promise_without_task_has_none_after(self, store: Store) -> None:
        insert(store, plain("a"))
        with store.write() as transaction:
            transaction.apply([Settled("a", State.REJECTED, EMPTY, 1_000_001)])
        found = get(store, "a")
        assert found is not None
        assert TaskState.ABSENT is found.task

    def test_leased_delta_changes_the_task_alone(self, store: Store) -> None:
        insert(store, FULL)
        with store.write() as transaction:
            transaction.apply([Leased(FULL.id, TaskState.PENDING, 7, None, None, None)])
            transaction.apply([Leased(FULL.id, TaskState.ACQUIRED, 8, "host-2-00000000", 5, 6)])
        found = get(store, FULL.id)
        assert found is not None
        assert (TaskState.ACQUIRED, 8, "host-2-00000000", 5, 6) == (
            found.task,
            found.version,
            found.owner,
            found.lease_ms,
            found.lease_until,
        )
        assert (FULL.param, FULL.tags, FULL.state) == (found.param, found.tags, found.state)

    def test_deleted_promise_leaves_only_its_fence(self, store: Store) -> None:
        insert(store, FULL, plain("other"))
        with store.write() as transaction:
            for id in (FULL.id, "other"):
                transaction.put_attempt(Attempt(id, 1, "host-1-00000000", 5))
                transaction.put_note(id, "why", b"because")
        with store.write() as transaction:
            transaction.apply([Deleted(FULL.id, 9)])
        with store.read() as reader:
            assert reader.get(FULL.id) is None
            assert [] == reader.attempts(FULL.id)
            assert reader.note(FULL.id, "why") is None
            assert 9 == reader.fence(FULL.id)
            assert 1 == len(reader.attempts("other"))
            assert b"because" == reader.note("other", "why")

    def test_fence_stays_when_the_promise_comes_back(self, store: Store) -> None:
        insert(store, FULL)
        with store.write() as transaction:
            transaction.apply([Deleted(FULL.id, 9), Inserted(FULL)])
            assert 9 == transaction.fence(FULL.id)
        assert get(store, FULL.id) == FULL

    @pytest.mark.parametrize(
        "delta",
        [
            Inserted(plain("there")),
            Settled("absent", State.RESOLVED, EMPTY, 5),
            Leased("absent", TaskState.PENDING, 1, None, None, None),
            Deleted("absent", 1),
        ],
        ids=lambda delta: type(delta).__name__,
    )
    def test_delta_that_does_not_fit_is_refused_and_changes_nothing(self, store: Store, delta: Inserted) -> None:
        insert(store, plain("there", 5))
        with pytest.raises(RuntimeError, match=r"(there|absent)"), store.write() as transaction:
            transaction.apply([Inserted(plain("new"))])
            transaction.apply([delta])
        with store.read() as reader:
            assert [plain("there", 5)] == reader.search(Query())
            assert 0 == reader.fence("absent")

    def test_latest_is_the_highest_generation_there_is(self, store: Store) -> None:
        insert(store, plain("a"), plain("a~2"), plain("a~10"), plain("a~x"), plain("ab~11"))
        with store.write() as transaction:
            assert plain("a~10") == transaction.latest("a")
            transaction.apply([Deleted("a~10", 1)])
            assert plain("a~2") == transaction.latest("a")
        with store.read() as reader:
            assert plain("a~2") == reader.latest("a")
            assert plain("a~x") == reader.latest("a~x")
            assert reader.latest("b") is None

    # Search.

    def test_search_is_by_creation_and_within_a_millisecond_as_they_came(self, store: Store) -> None:
        insert(store, plain("b", 1), plain("c", 2), plain("a", 1), plain("a~2", 1), plain("a!", 1), plain("z", 0))
        with store.write() as transaction:
            transaction.apply([Settled("b", State.RESOLVED, EMPTY, 9), Leased("a", TaskState.PENDING, 1, *3 * [None])])
        oldest = ["z", "b", "a", "a~2", "a!", "c"]
        with store.read() as reader:
            assert oldest[::-1] == reader.ids(Query()) == [promise.id for promise in reader.search(Query())]
            assert oldest == reader.ids(Query(order=Order.OLDEST))
            assert oldest[:2] == reader.ids(Query(order=Order.OLDEST, limit=2))
            assert ["c", "a!"] == [promise.id for promise in reader.search(Query(limit=2))]
            assert [] == reader.search(Query(limit=0)) == reader.ids(Query(limit=0))
            assert 6 == reader.count(Query(limit=2))

    def test_search_by_time_and_name(self, store: Store) -> None:
        named = [
            replace(plain(f"p{number}", number), param=Value({"name": name}))
            for number, name in enumerate(["clean", "Model.clean", "clean_[all]", "Clean"])
        ]
        insert(store, *named, plain("unnamed", 9))

        def ids(**query: Any) -> list[str]:
            with store.read() as reader:
                found = reader.ids(Query(order=Order.OLDEST, **query))
                assert len(found) == reader.count(Query(**query))
                return found

        assert ["p2", "p3", "unnamed"] == ids(since=2)
        assert ["p1"] == ids(since=1, until=2)
        assert ["p0"] == ids(name="clean")
        assert ["p0", "p2"] == ids(name="clean*")
        assert ["p0", "p3"] == ids(name="[cC]lean")
        assert ["p0", "p1", "p2", "p3"] == ids(name="*")
        assert ["p2"] == ids(name="clean*", since=1, glob="p*")

    def test_states_are_as_of_an_instant_where_one_is_given(self, store: Store) -> None:
        """A deadline that nobody wrote down counts all the same."""
        tags = {"resonate:timer": "true", "other": "x"}
        insert(
            store,
            replace(plain("due"), timeout_at=50),
            replace(plain("timer"), timeout_at=50, tags=tags),
            replace(plain("no timer"), timeout_at=50, tags={**tags, "resonate:timer": "yes"}),
            replace(plain("later"), timeout_at=51),
            plain("never"),
            replace(plain("done"), state=State.RESOLVED, timeout_at=50, settled_at=40),
        )
        found = {}
        with store.read() as reader:
            for now in (None, 49, 50):
                for state in State:
                    query = Query(states=(state,), now=now)
                    if ids := set(reader.ids(query)):
                        found[now, state.value] = ids
                        assert ids == {promise.id for promise in reader.search(query)}
                        assert len(ids) == reader.count(query)
            assert {"timer"} == set(reader.ids(Query(states=(State.RESOLVED,), tags={"other": "x"}, now=50)))
            assert 5 == reader.count(Query(states=(State.RESOLVED, State.TIMEDOUT, State.REJECTED), now=51))
        pending = {"due", "timer", "no timer", "later", "never"}
        early = {
            (now, state): ids for now in (None, 49) for state, ids in (("pending", pending), ("resolved", {"done"}))
        }
        assert found == {
            **early,
            (50, "pending"): {"later", "never"},
            (50, "resolved"): {"done", "timer"},
            (50, "rejected_timedout"): {"due", "no timer"},
        }

    def test_a_bare_search_leaves_out_what_was_resolved_to(self, store: Store) -> None:
        value = Value({"codec": "x"}, b"seven", None, 5)
        settled = [
            replace(plain(state.value), state=state, value=value, settled_at=9)
            for state in (State.RESOLVED, State.REJECTED)
        ]
        insert(store, *settled)
        with store.read() as reader:
            rejected, resolved = reader.search(Query(), bare=True)
            assert rejected == settled[1]
            assert resolved in (settled[0], replace(settled[0], value=replace(value, data=None)))
            assert ("x", 5) == (resolved.value.headers["codec"], resolved.value.size_bytes)

    @pytest.mark.parametrize(
        ("glob", "found"),
        [
            ("*", {"a/b@1", "a/b@1~2", "A/b", "x[1]", "a.b"}),
            ("a/*", {"a/b@1", "a/b@1~2"}),
            ("a?b*", {"a/b@1", "a/b@1~2", "a.b"}),
            ("a", set()),
            ("*~2", {"a/b@1~2"}),
            ("[aA]/b", {"A/b"}),
            ("[!a]*", {"A/b", "x[1]"}),
            ("x[[]1]", {"x[1]"}),
            ("a.b", {"a.b"}),
        ],
    )
    def test_glob_is_a_shell_pattern_over_the_whole_id(self, store: Store, glob: str, found: set[str]) -> None:
        insert(store, plain("a/b@1"), plain("a/b@1~2"), plain("A/b"), plain("x[1]"), plain("a.b"))
        with store.read() as reader:
            assert found == {promise.id for promise in reader.search(Query(glob=glob))}

    def test_search_keeps_states_and_tags_and_then_cuts(self, store: Store) -> None:
        insert(
            store,
            plain("a", 1, team="x"),
            plain("b", 2, team="y"),
            plain("c", 3, team="x", day="1"),
            plain("d", 4, team="x"),
            plain("e[1]", 5, team="x"),
        )
        with store.write() as transaction:
            transaction.apply([Settled("d", State.RESOLVED, EMPTY, 9), Settled("b", State.REJECTED, EMPTY, 9)])

        def ids(query: Query) -> list[str]:
            with store.read() as reader:
                return [promise.id for promise in reader.search(query)]

        assert ["d"] == ids(Query(states=(State.RESOLVED,)))
        assert ["d", "b"] == ids(Query(states=(State.RESOLVED, State.REJECTED)))
        assert ["e[1]", "d", "c", "a"] == ids(Query(tags={"team": "x"}))
        assert ["e[1]", "d"] == ids(Query(tags={"team": "x"}, limit=2))
        assert ["c"] == ids(Query(tags={"team": "x", "day": "1"}))
        assert ["c", "a"] == ids(Query(glob="[a-d]", states=(State.PENDING,), tags={"team": "x"}))
        assert ["d"] == ids(Query(glob="[a-d]", limit=1))
        assert [] == ids(Query(tags={"absent": "x"}))

    # Attempts and notes.

    def test_attempts_come_in_order_and_are_replaced_by_number(self, store: Store) -> None:
        first = Attempt("a", 1, "host-1-00000000", 5)
        second = Attempt("a", 2, "host-2-00000000", 6, 7, 1_000, 900, 12, "resolved", None)
        ended = Attempt("a", 1, "host-1-00000000", 5, 6, 1, 1, None, "lost", "owner died")
        insert(store, plain("a"))
        with store.write() as transaction:
            transaction.put_attempt(second)
            transaction.put_attempt(first)
            assert [first, second] == transaction.attempts("a")
            transaction.put_attempt(ended)
        with store.read() as reader:
            assert [ended, second] == reader.attempts("a")
            assert [] == reader.attempts("b")

    def test_notes_are_replaced_and_removed_by_kind(self, store: Store) -> None:
        insert(store, plain("a"), plain("b"))
        with store.write() as transaction:
            transaction.put_note("a", "why", b"old")
            transaction.put_note("a", "why", b"new")
            transaction.put_note("a", "output", b"\x00" * 100_000)
            transaction.put_note("b", "why", b"")
            transaction.put_note("b", "output", b"x")
            transaction.put_note("b", "output", None)
            transaction.put_note("b", "absent", None)
        with store.read() as reader:
            assert b"new" == reader.note("a", "why")
            assert b"\x00" * 100_000 == reader.note("a", "output")
            assert b"" == reader.note("b", "why")
            assert reader.note("b", "output") is None
            assert {"a": b"new", "b": b""} == reader.notes("why", ["a", "b", "c"])
            assert {} == reader.notes("why", [])

    # Transactions.

    def test_transaction_sees_its_own_writes(self, store: Store) -> None:
        with store.write() as transaction:
            transaction.apply([Inserted(plain("a"))])
            assert plain("a") == transaction.get("a")
            assert plain("a") == transaction.latest("a")
            assert [plain("a")] == transaction.search(Query())
            transaction.put_note("a", "why", b"x")
            assert b"x" == transaction.note("a", "why")

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_transaction_that_raises_changes_nothing(self, store: Store, error: type[BaseException]) -> None:
        insert(store, plain("a"))
        word = store.change_word()
        with pytest.raises(error), store.write() as transaction:
            transaction.apply([Inserted(plain("b")), Settled("a", State.RESOLVED, EMPTY, 5)])
            transaction.put_note("a", "why", b"x")
            transaction.put_attempt(Attempt("a", 1, "host-1-00000000", 5))
            transaction.invalidate()
            raise error
        with store.read() as reader:
            assert [plain("a")] == reader.search(Query())
            assert reader.note("a", "why") is None
            assert [] == reader.attempts("a")
            assert 0 == reader.invalidation
        assert 0 == store.invalidation_word()
        assert word == store.change_word()
        insert(store, plain("b"))

    def test_snapshot_does_not_see_what_is_committed_later(self, store: Store) -> None:
        insert(store, plain("a"))
        with store.read() as reader:
            assert 0 == reader.invalidation
            with store.write() as transaction:
                transaction.apply([Inserted(plain("b")), Settled("a", State.RESOLVED, EMPTY, 5)])
                transaction.put_note("a", "why", b"x")
                transaction.invalidate()
            assert reader.get("b") is None
            assert plain("a") == reader.get("a")
            assert [plain("a")] == reader.search(Query())
            assert reader.note("a", "why") is None
            assert 0 == reader.invalidation
        with store.read() as reader:
            assert reader.get("b") is not None
            assert 1 == reader.invalidation

    def test_reader_does_not_wait_for_a_writer_nor_see_its_writes(self, store: Store) -> None:
        with store.write() as transaction:
            transaction.apply([Inserted(plain("a"))])
            assert get(store, "a") is None
        assert get(store, "a") is not None

    def test_readers_of_one_thread_can_be_nested(self, store: Store) -> None:
        with store.read() as outer:
            insert(store, plain("a"))
            with store.read() as inner:
                assert plain("a") == inner.get("a")
            assert outer.get("a") is None

    def test_writes_of_threads_are_serialised(self, store: Store) -> None:
        insert(store, plain("count"))

        def count() -> None:
            for _ in range(20):
                with store.write() as transaction:
                    number = int(transaction.note("count", "n") or b"0")
                    transaction.put_note("count", "n", str(number + 1).encode())

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as reader:
            assert b"80" == reader.note("count", "n")

    def test_write_inside_a_write_of_the_same_thread_is_refused(self, store: Store) -> None:
        with store.write() as transaction:
            with pytest.raises(RuntimeError, match="wait for itself"), store.write():
                pass
            transaction.apply([Inserted(plain("a"))])
        assert get(store, "a") is not None
        insert(store, plain("b"))

    # Words.

    def test_change_word_moves_with_each_commit_and_only_then(self, store: Store) -> None:
        seen = [store.change_word()]
        for id in ("a", "b", "c"):
            insert(store, plain(id))
            seen.append(store.change_word())
        with store.write() as transaction:
            transaction.get("a")
        with store.read() as reader:
            reader.get("a")
        assert 4 == len(set(seen))
        assert seen[-1] == store.change_word()

    def test_invalidation_rises_once_per_transaction(self, store: Store) -> None:
        with store.write() as transaction:
            transaction.invalidate()
            transaction.invalidate()
            assert 1 == transaction.invalidation
        assert 1 == store.invalidation_word()
        with store.write() as transaction:
            assert 1 == transaction.invalidation
            transaction.invalidate()
        with store.read() as reader:
            assert 2 == reader.invalidation
        assert 2 == store.invalidation_word()

    # Files.

    @pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
    def test_file_comes_back_as_it_was(self, store: Store, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        chunks = [data[start : start + 65_536] for start in range(0, size, 65_536)]
        for given in (data, chunks, iter(chunks), (chunk for chunk in chunks)):
            file = store.put_file(given)  # type: ignore[arg-type]  # bytes stand for one chunk
            assert size == file.size_bytes
            assert data == store.read_file(file.name, size)
            store.drop_file(file.name)

    def test_files_of_the_same_bytes_are_two(self, store: Store) -> None:
        first, second = store.put_file([b"same"]), store.put_file([b"same"])
        assert first.name != second.name
        store.drop_file(first.name)
        assert b"same" == store.read_file(second.name, 4)

    @pytest.mark.parametrize("given", [bytearray(b"abc"), memoryview(b"abc"), "abc", [bytearray(b"abc")], ["abc"], [1]])
    def test_file_takes_nothing_but_bytes(self, store: Store, given: list[bytes]) -> None:
        with pytest.raises(TypeError, match="value file takes"):
            store.put_file(given)

    def test_file_whose_chunks_fail_is_not_there(self, store: Store) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"x" * 100_000
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.put_file(chunks())

    def test_missing_file_and_wrong_size_are_not_stored(self, store: Store) -> None:
        file = store.put_file([b"12345"])
        with pytest.raises(NotStoredError):
            store.read_file(file.name, 6)
        store.drop_file(file.name)
        store.drop_file(file.name)
        with pytest.raises(NotStoredError):
            store.read_file(file.name, 5)
        with pytest.raises(NotStoredError):
            store.read_file("../promises.db", 5)

    def test_files_of_a_deleted_promise_go_with_its_commit(self, store: Store) -> None:
        param, value = store.put_file([b"param"]), store.put_file([b"value"])
        promise = Promise("a", State.PENDING, Value({}, None, param.name, 5), EMPTY, {}, NEVER, 1)
        insert(store, promise)
        with store.write() as transaction:
            transaction.apply([Settled("a", State.RESOLVED, Value({}, None, value.name, 5), 2)])
        with pytest.raises(ValueError), store.write() as transaction:
            transaction.apply([Deleted("a", 0)])
            raise ValueError
        assert b"param" == store.read_file(param.name, 5)
        assert b"value" == store.read_file(value.name, 5)
        with store.write() as transaction:
            transaction.apply([Deleted("a", 0)])
            assert b"value" == store.read_file(value.name, 5)
        for file in (param, value):
            with pytest.raises(NotStoredError):
                store.read_file(file.name, 5)

    def test_what_is_synced_is_as_it_was(self, store: Store) -> None:
        """However long it took to make; also a file, and nothing at all."""
        sync(store, 1_000)
        file = store.put_file([b"param"])
        insert(store, Promise("a", State.PENDING, Value({}, None, file.name, 5), EMPTY, {}, NEVER, 1))
        for seconds in (0, 1_000, 1_000):
            sync(store, seconds)
            assert b"param" == store.read_file(file.name, 5)
            assert get(store, "a") is not None

    # Owners.

    def test_own_process_is_alive_and_described(self, store: Store, clock: ManualClock) -> None:
        import os

        info = store.describe(store.owner)
        assert store.is_alive(store.owner)
        assert not store.is_stopped(store.owner)
        assert (store.owner, os.getpid(), 1_000_000, True) == (info.owner, info.pid, info.started_at, info.is_alive)
        assert info.host

    def test_unknown_owner_is_dead_and_described_by_its_name(self, store: Store) -> None:
        info = store.describe("some-host-4711-0123abcd")
        assert not store.is_alive("some-host-4711-0123abcd")
        assert ("some-host", 4711, False) == (info.host, info.pid, info.is_alive)
        assert not store.is_alive("../signal")
        assert not store.is_alive("")
        assert not store.is_stopped("some-host-4711-0123abcd")
        assert not store.is_stopped("")
        assert 0 == store.describe("nonsense").pid

    # The end.

    def test_closed_store_refuses_and_closes_again(self, tmp_path: Path, clock: ManualClock) -> None:
        store = self.make(tmp_path / "other", clock)
        store.close()
        store.close()
        with pytest.raises(StoreError, match="closed"), store.read():
            pass
        with pytest.raises(StoreError, match="closed"), store.write():
            pass
        with pytest.raises(StoreError, match="closed"):
            store.put_file([b""])
        with pytest.raises(StoreError, match="closed"):
            store.change_word()

    def test_store_closed_during_a_read_lets_it_end(self, tmp_path: Path, clock: ManualClock) -> None:
        store = self.make(tmp_path / "other", clock)
        insert(store, plain("a"))
        with store.read() as reader:
            store.close()
            assert plain("a") == reader.get("a")

    @pytest.mark.slow
    def test_a_wait_for_the_write_lock_can_be_ended(self, store: Store) -> None:
        """By what `pause` raises, an interrupt for one; no lock is left behind, and later waits go on as ever."""
        taken, release = threading.Event(), threading.Event()

        def hold() -> None:
            with store.write() as transaction:
                taken.set()
                release.wait(30)
                transaction.apply([Inserted(plain("theirs"))])

        def stop() -> None:
            raise KeyboardInterrupt

        holder = threading.Thread(target=hold)
        holder.start()
        assert taken.wait(30)
        with pytest.raises(KeyboardInterrupt), store.write(stop):
            pytest.fail("two write at once")
        with store.write(release.set) as transaction:
            assert transaction.get("theirs") is not None
        holder.join()
        with store.write(stop) as transaction:
            transaction.apply([Inserted(plain("mine"))])
        assert get(store, "mine") is not None
