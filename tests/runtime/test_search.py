"""Finding promises: by state as of now, by name, by time in a person's words, and always in the same order."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from socket import gethostname

import pytest

import resonate_nb as rnb
from resonate_nb import durable, runtime
from resonate_nb.clock import ManualClock
from resonate_nb.protocol import EMPTY, NEVER, CreatePromise, State, Value
from resonate_nb.runtime import Engine, Shown, checked_query
from resonate_nb.store import MemoryStore, Order, Query

NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def timed(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine of this process, with a clock and a time zone of the test's own."""
    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    runtime.configure(store=MemoryStore(clock))
    found = runtime.engine()
    monkeypatch.setattr(found, "clock", clock)
    yield found
    found.close()
    monkeypatch.undo()
    time.tzset()


def create(engine: Engine, id: str, timeout_at: int = NEVER, name: str = "") -> None:
    engine.submit([CreatePromise(id, param=Value({"name": name}) if name else EMPTY, timeout_at=timeout_at)])


def ids(**query: object) -> list[str]:
    return [handle.id for handle in rnb.search(**query)]  # type: ignore[arg-type]


def test_a_deadline_that_nobody_wrote_down_is_found_as_what_it_made_of_the_promise(
    timed: Engine, clock: ManualClock
) -> None:
    create(timed, "late", timeout_at=NOON + 1)
    create(timed, "open", timeout_at=NOON + 3)
    assert ["open", "late"] == ids(state="pending")
    clock.advance(1)
    assert [["open"], ["late"]] == [ids(state=state) for state in ("pending", "rejected_timedout")]
    frame = rnb.to_frame(state=State.TIMEDOUT)
    assert [("rejected_timedout", NOON + 1)] == [
        (state, moment.timestamp() * 1000) for state, moment in zip(frame["state"], frame["timeout_at"], strict=True)
    ]
    assert {State.PENDING: 1, State.TIMEDOUT: 1} == runtime.Source(timed).tally(Query(limit=1))
    assert {State.TIMEDOUT: 1} == runtime.Source(timed).tally(Query(states=(State.TIMEDOUT, State.REJECTED)))


def test_a_state_is_asked_for_as_on_the_wire_or_as_people_read_it(timed: Engine, clock: ManualClock) -> None:
    """A frame has both, in a column each."""
    create(timed, "late", timeout_at=NOON + 1)
    create(timed, "open")
    clock.advance(1)
    spellings = (["timed out", "canceled"], ("rejected_timedout", "rejected_canceled"), State.TIMEDOUT, "timed out")
    assert [["late"]] * 4 == [ids(state=state) for state in spellings]
    frame = rnb.to_frame(order="oldest")
    assert [("late", "rejected_timedout", "timed out"), ("open", "pending", "waiting")] == list(
        frame[["id", "state", "shown"]].itertuples(index=False, name=None)
    )
    assert "<Handle 'late' timed out>" == repr(rnb.get("late"))
    for state in Shown:
        if state.value not in tuple(State):
            with pytest.raises(rnb.InvalidOptionError, match=f"some that are 'pending' are shown as '{state}'"):
                rnb.search(state=state.value)


def test_the_order_is_that_of_the_calls_and_never_changes(timed: Engine, clock: ManualClock) -> None:
    """A loop makes many promises in one millisecond: a page of fifty is the same page at each look."""
    for number in (3, 1, 2):
        create(timed, f"p{number}")
    clock.advance(5)
    create(timed, "p0")
    assert ["p3", "p1", "p2", "p0"] == ids(order="oldest")
    assert ["p0", "p2", "p1", "p3"] == ids()
    assert ["p0", "p2"] == ids(limit=2) == list(rnb.to_frame(limit=2)["id"])
    assert ["p3", "p1"] == ids(limit=2, order="oldest")


def test_names_and_times_narrow_the_search(timed: Engine, clock: ManualClock) -> None:
    create(timed, "a", name="clean")
    clock.advance(2 * HOUR)
    create(timed, "b", name="Model.clean")
    clock.advance(HOUR)
    assert ["a"] == ids(name="clean")
    assert ["b", "a"] == ids(name="*clean")
    assert ["b"] == ids(since="90m") == ids(since=timedelta(hours=1)) == ids(since=NOON + 1)
    assert ["a"] == ids(until="2h") == ids(until=(NOON + HOUR) / 1000)
    assert ["b"] == ids(since=rnb.search("b")[0].created_at)
    assert ["b", "a"] == ids(since="2026-11-24", until="2026-11-24")
    assert [] == ids(until="2026-11-23")


@pytest.mark.parametrize(
    ("moment", "since", "until"),
    [
        pytest.param("2026-11-24", NOON - 13 * HOUR, NOON + 11 * HOUR, id="a day is local and whole"),
        pytest.param(date(2026, 11, 24), NOON - 13 * HOUR, NOON + 11 * HOUR, id="date"),
        pytest.param("2026-03-29", NOON - 240 * DAY - 13 * HOUR, NOON - 239 * DAY - 14 * HOUR, id="a day of 23 hours"),
        pytest.param("2026-11-24T13:00", NOON, NOON, id="local"),
        pytest.param("2026-11-24 12:00:00+00:00", NOON, NOON, id="zone"),
        pytest.param(datetime(2026, 11, 24, 13), NOON, NOON, id="naive"),
        pytest.param(datetime(2026, 11, 24, 12, tzinfo=UTC), NOON, NOON, id="aware"),
        pytest.param(NOON / 1000, NOON, NOON, id="seconds"),
        pytest.param(NOON, NOON, NOON, id="milliseconds"),
        pytest.param((NOON + 0.5) / 1000, NOON, NOON + 1, id="between milliseconds"),
        pytest.param(0, 0, 0, id="epoch"),
        pytest.param("2h", NOON - 2 * HOUR, NOON - 2 * HOUR, id="hours ago"),
        pytest.param("1h30m", NOON - HOUR * 3 // 2, NOON - HOUR * 3 // 2, id="two units"),
        pytest.param("90", NOON - 90_000, NOON - 90_000, id="text of seconds"),
        pytest.param(timedelta(days=1), NOON - DAY, NOON - DAY, id="timedelta"),
    ],
)
@pytest.mark.usefixtures("timed")
def test_moments_as_people_write_them(moment: object, since: int, until: int) -> None:
    query = checked_query(since=moment, until=moment, now_ms=NOON)  # type: ignore[arg-type]
    assert (since, until) == (query.since, query.until)


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "", "2026-13-01", "-2h", True, [], float("nan"), float("inf"), datetime(1, 1, 1), b"2h"],
    ids=str,
)
@pytest.mark.parametrize("option", ["since", "until"])
@pytest.mark.usefixtures("timed")
def test_what_is_no_moment_is_refused_with_what_is(option: str, moment: object) -> None:
    with pytest.raises(rnb.InvalidOptionError, match=rf"{option} must be a datetime.*'2h'.*; not "):
        rnb.search(**{option: moment})  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [{"state": "done"}, {"since": "yesterday"}, {"limit": 0}], ids=str)
@pytest.mark.usefixtures("timed")
def test_a_refusal_shows_the_call_and_none_of_our_checks(asked: dict[str, object]) -> None:
    with pytest.raises(rnb.InvalidOptionError) as refused:
        rnb.search(**asked)  # type: ignore[arg-type]
    assert (None, True) == (refused.value.__cause__, refused.value.__suppress_context__)
    names = [entry.name for entry in refused.traceback]
    assert ["test_a_refusal_shows_the_call_and_none_of_our_checks", "search", "_asked"] == names


@pytest.mark.usefixtures("timed")
def test_the_last_day_there_is_has_no_end() -> None:
    assert [] == rnb.search(since=date.max)
    with pytest.raises(rnb.InvalidOptionError, match="until must be"):
        rnb.search(until=date.max)


def test_a_name_is_the_function_s(engine: Engine) -> None:
    @durable(id="a/{x}", version=1)
    def clean(x: int) -> int:
        return x

    @durable(id="b/{x}", version=1, name="load")
    def other(x: int) -> int:
        return x

    clean(1)
    other(1)
    assert [["a/1@1"], ["b/1@1"]] == [ids(name="*clean"), ids(name="load")]


def test_what_is_only_listed_is_not_decoded(disk: Engine) -> None:
    """Ids do not need rows, and rows of a table do not need values: ten thousand may hold gigabytes."""

    @durable(id="a/{x}", version=1)
    def load(x: int) -> bytes:
        return bytes(x)

    load(20_000)
    (record,) = runtime.Source(disk).look(Query())
    assert record.promise.value.data is None
    assert record.promise.value.size_bytes > 20_000
    assert 20_000 == len(rnb.search()[0].result())


def test_a_query_is_checked_and_complete() -> None:
    query = checked_query(
        "a*", state=["pending", State.RESOLVED], tags={"a": "b"}, name="f", limit=3, order="oldest", now_ms=5
    )
    states = (State.PENDING, State.RESOLVED)
    assert Query("a*", states, {"a": "b"}, "f", None, None, 3, Order.OLDEST) == query
    assert Query(None) == checked_query(now_ms=5)


def test_a_frame_has_one_row_for_each_promise(timed: Engine, clock: ManualClock) -> None:
    """With what its last try came to, and all there were."""
    fails = [OSError("busy")]

    @durable(
        id="f/{x}",
        version=1,
        name="f",
        tags={"team": "growth"},
        timeout="1h",
        retry=rnb.Constant(2, delay=0),
        ignore=("clock", "fails"),
    )
    def f(x: int) -> str:
        clock.advance(1_500)
        if fails:
            raise fails.pop()
        if x == 2:
            raise KeyError("gone")
        return "value"

    f(1)
    f(1)
    with pytest.raises(KeyError, match="gone"):
        f(2)
    done = rnb.get("f/1@1")
    common = {"name": "f", "elapsed_s": 1.5, "tags": {"team": "growth"}, "owner": f"{os.getpid()} on {gethostname()}"}
    rows = [
        common
        | {
            "id": "f/2@1",
            "state": "rejected",
            "shown": "rejected",
            "created_at": NOON + 3_000,
            "settled_at": NOON + 6_000,
            "timeout_at": NOON + 3_000 + HOUR,
            "attempts": 2,
            "size_bytes": timed.peek(["f/2@1"])[0].value.size_bytes,
            "replays": 0,
            "error": "KeyError: 'gone'",
        },
        common
        | {
            "id": "f/1@1",
            "state": "resolved",
            "shown": "resolved",
            "created_at": NOON,
            "settled_at": NOON + 3_000,
            "timeout_at": NOON + HOUR,
            "attempts": 2,
            "size_bytes": done.attempts[-1].result_bytes,
            "replays": 1,
            "error": None,
        },
    ]
    frame = rnb.to_frame()
    for name in ("created_at", "settled_at", "timeout_at"):
        assert "UTC" == str(frame[name].dt.tz)
        frame[name] = [round(moment.timestamp() * 1000) for moment in frame[name]]
    assert rows == frame.astype(object).where(frame.notna(), None).to_dict("records")
