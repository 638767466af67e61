"""Records become rows, rows are ordered, and travel to the page in columns."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from view_records import DEAD, OWNER, T0, make_record

from resonate_nb.runtime import Shown
from resonate_nb.view import LOOKS, Row, Segment, coming_text, counts, row_of, rows_of, saved_ms, segment_bytes


def test_row_of_a_computed_promise() -> None:
    row = row_of(make_record())
    assert row == Row(
        id="clean/4be1f09c66d2a370@a91c03f7",
        name="clean",
        version="a91c03f7",
        shown=Shown.RESOLVED,
        created_at=T0,
        started_at=None,
        settled_at=T0 + 4_200,
        elapsed_ms=4_200,
        how="computed",
        owner="pid 4711 on lab-7",
        attempts=1,
        size_bytes=1_200_000,
        error="",
        marks=(),
        replays=0,
        saved_ms=0,
    )


def test_a_hit_makes_it_replayed() -> None:
    assert "replayed" == row_of(make_record(replays=3, saved_ms=12_600)).how


def test_running_row_has_a_start_and_no_duration() -> None:
    """The page counts: a row that held a running duration would differ at each look and be sent again for nothing."""
    row = row_of(make_record(shown=Shown.RUNNING))
    assert (T0 + 5, None, "", None) == (row.started_at, row.elapsed_ms, row.how, row.size_bytes)


def test_interrupted_row_names_the_dead_owner() -> None:
    row = row_of(make_record(shown=Shown.INTERRUPTED, owner=DEAD))
    assert ("pid 3902 on lab-7, dead", 10) == (row.owner, row.elapsed_ms)


def test_dead_owner_of_a_settled_promise_is_no_news() -> None:
    assert "pid 3902 on lab-7" == row_of(make_record(owner=DEAD)).owner


def test_an_owner_that_is_stopped_is_named_so_while_it_owns() -> None:
    assert "pid 4711 on lab-7, stopped" == row_of(replace(make_record(shown=Shown.RUNNING), is_stopped=True)).owner
    assert "pid 4711 on lab-7" == row_of(replace(make_record(), is_stopped=True)).owner


def test_a_body_that_waits_goes_on_and_says_for_what() -> None:
    record = replace(make_record(shown=Shown.WAITING, timeout_at=T0 + 60_000), waits_for=("a/1@2", "b", "c"))
    row = row_of(record)
    assert (T0 + 5, None) == (row.started_at, row.elapsed_ms)
    assert "waiting for a/1@2 and 2 more, times out in 1 m 00 s" == coming_text(row, T0)
    assert "waiting for b" == coming_text(replace(row, waits_for=("b",), timeout_at=None), T0)
    assert "this process waits for it" == coming_text(row_of(replace(make_record(), is_awaited=True)), T0)
    from_outside = row_of(make_record(shown=Shown.WAITING, attempts=0))
    assert (None, "") == (from_outside.started_at, coming_text(from_outside, T0))


def test_a_retrying_row_says_when_and_after_what() -> None:
    record = make_record(shown=Shown.RETRYING, attempts=2, error="KeyError: 'a'\nmore", retry_at=T0 + 60_000)
    row = row_of(record)
    assert (T0 + 60_000, 2, 1_500, None, "KeyError: 'a'") == (
        row.retry_at,
        row.attempts,
        row.elapsed_ms,
        row.started_at,
        row.error,
    )
    assert row_of(make_record(shown=Shown.RUNNING, attempts=2)).retry_at is None


def test_only_a_pending_promise_has_a_deadline_ahead() -> None:
    assert [T0 + 9, None, None] == [
        row_of(record).timeout_at
        for record in (
            make_record(shown=Shown.RUNNING, timeout_at=T0 + 9),
            make_record(shown=Shown.TIMEDOUT, timeout_at=T0 + 9),
            make_record(shown=Shown.RUNNING),
        )
    ]


@pytest.mark.parametrize(
    ("after_ms", "told"),
    [
        (0, "retrying in 12 s, times out in 3 m 05 s"),
        (11_400, "retrying in 600 ms, times out in 2 m 54 s"),
        (12_000, "retrying now, times out in 2 m 53 s"),
        (999_000, "retrying now, times out in 0 ms"),
    ],
)
def test_what_is_to_come_is_told_from_now(after_ms: int, told: str) -> None:
    record = make_record(shown=Shown.RETRYING, retry_at=T0 + 12_000, timeout_at=T0 + 185_000)
    assert told == coming_text(row_of(record), T0 + after_ms)
    assert "" == coming_text(row_of(make_record()), T0)


def test_a_row_holds_the_last_attempts_where_there_is_more_to_say_than_one_that_went_well() -> None:
    """While a cell runs the kernel answers no question: which attempts have failed so far must be in the row."""
    retrying = row_of(make_record(shown=Shown.RETRYING, attempts=7, error="E", retry_at=T0))
    assert [3, 4, 5, 6, 7] == [attempt.number for attempt in retrying.tries]
    assert [1, 2] == [attempt.number for attempt in row_of(make_record(attempts=2)).tries]
    assert () == row_of(make_record()).tries


def test_tags_are_one_short_line() -> None:
    assert "team=growth, day=1" == row_of(make_record(tags={"team": "growth", "day": "1"})).tags
    assert 80 == len(row_of(make_record(tags={"query": "select\n" * 99})).tags)


def test_error_is_one_short_line() -> None:
    row = row_of(make_record(shown=Shown.REJECTED, error="\n KeyError: 'a'\nmore\n"))
    assert "KeyError: 'a'" == row.error
    long = row_of(make_record(shown=Shown.REJECTED, error="x" * 1_000)).error
    assert (300, "…") == (len(long), long[-1])


def test_a_value_that_was_not_stored_has_no_size() -> None:
    row = row_of(make_record(headers={"not_stored": "an open file"}, marks=("not stored: an open file",)))
    assert (None, ("not stored: an open file",)) == (row.size_bytes, row.marks)


def test_names_and_versions_come_from_the_id_unless_recorded() -> None:
    cases = {
        "features/2026-11-24@2": ("features", "2"),
        "features/2026-11-24@2~3": ("features", "2"),
        "features/2026-11-24@2:fetch/91c0aa17e2b3d001.1": ("fetch", ""),
        "approve": ("approve", ""),
        "/odd@1": ("/odd", "1"),
        "@": ("", ""),
    }
    assert cases == {id: (row_of(make_record(id)).name, row_of(make_record(id)).version) for id in cases}
    assert "Model.fit" == row_of(make_record("fit/1@2", name="Model.fit")).name


DIGITS = "4be1f09c66d2a370"


@pytest.mark.parametrize(
    ("id", "name", "is_automatic"),
    [
        pytest.param(f"load/{DIGITS}@a91c03f7", "load", True, id="automatic"),
        pytest.param(f"load/{DIGITS * 2}@a91c03f7", "load", True, id="all digits"),
        pytest.param(f"load/{DIGITS}@3~2", "load", True, id="fixed version, second generation"),
        pytest.param(f"plan/1@2:load/{DIGITS}@a91c03f7", "load", True, id="child"),
        pytest.param(f"Model.<lambda>/x/{DIGITS}@1", "Model.<lambda>/x", True, id="odd name"),
        pytest.param("features/2026-11-24@2", "features", False, id="template"),
        pytest.param(f"other/{DIGITS}@1", "load", False, id="template with digits under another name"),
        pytest.param(f"load/{DIGITS}0@1", "load", False, id="17 digits"),
        pytest.param(f"load/{DIGITS.upper()}@1", "load", False, id="capital digits"),
        pytest.param(f"load/{DIGITS}/2@1", "load", False, id="more behind"),
        pytest.param(DIGITS, "load", False, id="no name"),
    ],
)
def test_only_an_automatic_id_gives_way_to_its_arguments(id: str, name: str, is_automatic: bool) -> None:
    row = row_of(make_record(id, name=name, arguments={"day": "6", "station": "'north'"}))
    assert ("day=6, station='north'", is_automatic, name) == (row.arguments, row.is_automatic, row.name)


def test_without_arguments_the_id_stays() -> None:
    """Cells, and functions that take nothing."""
    row = row_of(make_record(f"cell/{DIGITS}@1"))
    assert ("", False) == (row.arguments, row.is_automatic)


def test_arguments_are_one_short_line_with_room_for_each() -> None:
    def text(**arguments: str) -> str:
        return row_of(make_record(arguments=arguments)).arguments

    assert "frame=day wind 0 1 2" == text(frame="   day  wind\n0    1     2")
    alone = text(query="'" + "select " * 100)
    assert (80, "…") == (len(alone), alone[-1])
    several = text(frame="<DataFrame 3,000 x 5: " + "x" * 500, day="6")
    assert several.endswith("…, day=6")
    many = text(**{f"argument_{number}": "1" * 1_000 for number in range(1_000)})
    assert (80, "…") == (len(many), many[-1])


@pytest.mark.parametrize(
    ("marks", "chip"),
    [
        ((), ""),
        (("rerun",), "rerun"),
        (("not stored: an open file " * 9,), "not stored"),
        (("not stored: an open file", "rerun"), "not stored · rerun"),
        (("not replayable: it changes `xs`", "not stored: x", "rerun"), "not replayable +2"),
        (("draws from the global generator of numpy.random",), "draws from the global…"),
        (("x" * 500,), "x" * 23 + "…"),
    ],
)
def test_marks_make_one_short_chip(marks: tuple[str, ...], chip: str) -> None:
    row = row_of(make_record(marks=marks))
    assert (chip, marks) == (row.chip, row.marks)


def test_every_state_has_a_look_of_its_own() -> None:
    """Colour alone must not tell two states apart."""
    assert set(Shown) == set(LOOKS)
    assert len(LOOKS) == len({look.icon for look in LOOKS.values()}) == len({shown.label for shown in Shown})


def test_failures_are_on_top_then_what_goes_on_then_the_newest() -> None:
    records = [
        make_record("old@1", created_at=T0),
        make_record("new@1", created_at=T0 + 50),
        make_record("waits@1", Shown.WAITING, created_at=T0 + 1, attempts=0),
        make_record("runs@1", Shown.RUNNING, created_at=T0 + 9),
        make_record("broke@1", Shown.REJECTED, created_at=T0 - 9, error="E: x"),
        make_record("late@1", Shown.TIMEDOUT, created_at=T0 - 5),
        make_record("stopped@1", Shown.CANCELED, created_at=T0 + 7),
    ]
    expected = ["late@1", "broke@1", "runs@1", "waits@1", "new@1", "stopped@1", "old@1"]
    assert expected == [row.id for row in rows_of(records)]


def test_superseded_failure_is_history() -> None:
    """A failure that a later generation has mended must not stay on top for ever."""
    records = [
        make_record("f/1@2", Shown.REJECTED, created_at=T0, error="E: x"),
        make_record("f/1@2~2", created_at=T0 + 10),
        make_record("g/1@2", Shown.RUNNING, created_at=T0),
    ]
    rows = rows_of(records)
    assert ["g/1@2", "f/1@2~2", "f/1@2"] == [row.id for row in rows]
    assert [False, False, True] == [row.is_superseded for row in rows]
    assert ["", "", "superseded"] == [row.chip for row in rows]


def test_rows_of_one_millisecond_stay_as_they_were_found() -> None:
    ids = [f"f/{number}@1" for number in (7, 1, 12, 3)]
    assert ids == [row.id for row in rows_of([make_record(id) for id in ids])]
    oldest = [make_record("a@1", created_at=T0 - 1), make_record("b@1", Shown.REJECTED, error="E")]
    assert ["a@1", "b@1"] == [row.id for row in rows_of(oldest, as_found=True)]


def test_counts_follow_the_order_of_looks() -> None:
    rows = rows_of([make_record("a@1"), make_record("b@1"), make_record("c@1", Shown.REJECTED, error="E")])
    assert [(Shown.REJECTED, 1), (Shown.RESOLVED, 2)] == list(counts(rows).items())


def test_what_ran_at_the_same_time_is_saved_once() -> None:
    """Ten requests that were awaited together for four seconds: nobody would have waited for forty."""
    at_once = [make_record(f"a/{n}@1", took_ms=4_000, replays=1, saved_ms=4_000) for n in range(10)]
    after = make_record("b@1", created_at=T0 + 9_000, took_ms=500, replays=2, saved_ms=1_000)
    rows = rows_of([*at_once, after, make_record("c@1", took_ms=70_000)])
    assert 5_000 == saved_ms(rows)
    segment = unpacked(segment_bytes(Segment(rows, 1, 0, T0, saved_ms=5_000)))
    assert (5_000, [1_000] + [4_000] * 10 + [0]) == (
        segment["saved_in_all"],
        sorted(segment["saved"], key=lambda ms: ms or 1e9),
    )


def unpacked(data: bytes) -> dict[str, Any]:
    return json.loads(zlib.decompress(data))  # type: ignore[no-any-return]


def test_segment_carries_rows_as_columns() -> None:
    rows = rows_of(
        [
            make_record(f"a/{DIGITS}@9", marks=("rerun", "x"), arguments={"day": "6"}, tags={"team": "growth"}),
            replace(
                make_record("b/1@9", Shown.WAITING, owner=OWNER, timeout_at=T0 + 7),
                waits_for=("c@1", "d@1"),
                is_awaited=True,
                is_ours=True,
            ),
        ]
    )
    segment = unpacked(segment_bytes(Segment(rows, 7, 6, T0, ["gone@1"])))
    words = segment["words"]
    assert (7, 6, T0, ["gone@1"]) == (segment["seq"], segment["after"], segment["now"], segment["gone"])
    assert ["b/1@9", f"a/{DIGITS}@9"] == segment["id"]
    assert ["", "day=6"] == [words[index] for index in segment["arguments"]]
    assert [0, 1] == segment["automatic"]
    assert ["", "rerun · x"] == [words[index] for index in segment["chip"]]
    assert ["waiting", "resolved"] == [words[index] for index in segment["shown"]]
    assert ["", "rerun\nx"] == [words[index] for index in segment["marks"]]
    assert [T0 + 5, None] == segment["started"]
    assert [[None, None], [T0 + 7, None]] == [segment["retry"], segment["timeout"]]
    assert ["", "team=growth"] == [words[index] for index in segment["tags"]]
    assert ["c@1\nd@1", ""] == [words[index] for index in segment["waits"]]
    assert [[1, 0], [1, 0]] == [segment["awaited"], segment["ours"]]
    assert [("running", T0 + 5)] == [(each["outcome"], each["started"]) for each in segment["tries"][0]]
    assert segment["tries"][1] is None


def test_a_segment_carries_what_a_countdown_needs() -> None:
    """ "retrying in 12 s, times out in 3 m": both instants, and what time it is where they come from."""
    record = make_record("sync@1", Shown.RETRYING, retry_at=T0 + 12_000, timeout_at=T0 + 180_000)
    segment = unpacked(segment_bytes(Segment(rows_of([record]), 1, 0, T0)))
    assert ([T0 + 12_000], [T0 + 180_000], T0) == (segment["retry"], segment["timeout"], segment["now"])


def test_ids_of_any_characters_travel() -> None:
    """An id from the wire is any string without NUL, lone surrogates included."""
    ids = ["Zürich/…@1", 'quote"/@1', "lone \ud800@1", "</script>@1"]
    segment = unpacked(segment_bytes(Segment(rows_of([make_record(id) for id in ids]), 1, 0, T0)))
    assert sorted(ids) == sorted(segment["id"])


def test_what_was_accepted_shows_how_long_it_took_then_and_no_size_of_its_own() -> None:
    record = make_record(
        attempts=0,
        size_bytes=120,
        marks=("accepted: from clean/4be1f09c66d2a370@17c93c55",),
        headers={"codec": "accepted", "elapsed_us": "9000000"},
    )
    row = row_of(record)
    assert ("", None, "accepted", 9_000) == (row.how, row.size_bytes, row.chip, row.elapsed_ms)
    assert () == record.again
    assert "replayed" == row_of(replace(record, replays=1)).how
