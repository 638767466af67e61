"""Static HTML and text: right, complete, and safe whatever a user's value or error holds."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from view_records import T0, make_record

from resonate_nb.protocol import State
from resonate_nb.runtime import Detail, Record, Shown
from resonate_nb.store import Attempt
from resonate_nb.view import (
    counts_text,
    detail_payload,
    details_html,
    details_text,
    handle_html,
    handle_text,
    instant,
    outputs_html,
    outputs_text,
    plain,
    rows_of,
    table_html,
    table_text,
    tally_text,
)

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>&amp;"
VOID = {"img", "br"}


class Reader(HTMLParser):
    """What a browser would make of it: tags, attributes, text; and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def evil_record() -> Record:
    return make_record(
        f"f/{EVIL}@1", Shown.REJECTED, error=EVIL, marks=(EVIL,), headers={"not_stored": EVIL}, name=EVIL
    )


def evil_automatic() -> Record:
    """Its arguments are the text of its row."""
    return make_record(f"{EVIL}/4be1f09c66d2a370@1", name=EVIL, marks=(EVIL,), arguments={EVIL: EVIL})


def evil_detail() -> Detail:
    return Detail(
        evil_record(),
        {EVIL: EVIL},
        EVIL,
        EVIL,
        EVIL,
        EVIL,
        (
            {"output_type": "stream", "name": "stdout", "text": EVIL},
            {"output_type": "display_data", "data": {"text/html": EVIL, "text/plain": EVIL}},
            {"output_type": "display_data", "data": {"image/png": f'" onerror="{EVIL}', "text/plain": EVIL}},
            {"output_type": "error", "ename": EVIL, "evalue": EVIL, "traceback": [EVIL]},
        ),
        EVIL,
    )


@pytest.mark.parametrize(
    "html",
    [
        pytest.param(lambda: table_html(rows_of([evil_record()]), now_ms=T0, title=EVIL, note=EVIL), id="table"),
        pytest.param(lambda: table_html(rows_of([evil_automatic()]), now_ms=T0), id="table of arguments"),
        pytest.param(lambda: handle_html(evil_record()), id="handle"),
        pytest.param(lambda: details_html(evil_detail()), id="details"),
        pytest.param(lambda: outputs_html(evil_detail().output), id="outputs"),
    ],
)
def test_nothing_of_the_users_becomes_markup(html) -> None:  # type: ignore[no-untyped-def]
    reader = Reader(html())
    assert "<script>alert('x')</script>" in reader.text
    assert not {"script", "img", "iframe", "style"} & {tag for tag, _ in reader.tags}
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]


def test_table_says_counts_states_and_the_moment() -> None:
    records = [
        make_record("a/1@1", replays=2, saved_ms=192_000),
        make_record("b/1@1", Shown.REJECTED, error="KeyError: 'gust'"),
        make_record("c/1@1", Shown.RUNNING),
    ]
    reader = Reader(table_html(rows_of(records), now_ms=T0, static_id="abc123"))
    for text in (
        "3 promises: 1 rejected, 1 running, 1 resolved; 3 m 12 s saved",
        "as of 2023-11-1",
        "KeyError: 'gust'",
        "replayed ×2, 3 m 12 s saved",
        "✗",
        "rejected",
        "1.2 MB",
        "pid 4711 on lab-7",
    ):
        assert text in reader.text.replace("\xa0", " ")
    tag, attributes = reader.tags[0]
    assert ("div", "abc123") == (tag, attributes["data-rnb-static"])
    assert "rnb-static-abc123" in (attributes["class"] or "").split()
    assert 1 + len(records) == sum(tag == "tr" for tag, _ in reader.tags)


def test_long_table_says_what_it_leaves_out() -> None:
    rows = rows_of([make_record(f"f/{number}@1") for number in range(60)])
    reader = Reader(table_html(rows, now_ms=T0, limit=50))
    assert 51 == sum(tag == "tr" for tag, _ in reader.tags)
    assert "and 10 more" in reader.text
    assert "… and 10 more" == table_text(rows, now_ms=T0, limit=50).splitlines()[-1]


def test_empty_table_says_so() -> None:
    assert "no promises" in Reader(table_html([], now_ms=T0)).text
    assert ("no promises", "no promises") == (counts_text([]), table_text([], now_ms=T0))


def test_text_table_is_aligned() -> None:
    rows = rows_of([make_record("a@1"), make_record("longer/id@1", Shown.REJECTED, error="E: x")])
    first, second = table_text(rows, now_ms=T0).splitlines()[1:]
    assert first.index("longer/id@1") == second.index("a@1")
    assert "✗ rejected" == first[:10]


def long_records() -> list[Record]:
    digits = "4be1f09c66d2a370@a91c03f7"
    why = "it changes `xs`, which it was given; " * 10
    return [
        make_record(f"load/{digits}", arguments={"day": "6"}, replays=12, saved_ms=9_000),
        make_record(f"load/{digits[::-1]}", arguments={"frame": "<DataFrame " + "x" * 300, "day": "7"}),
        make_record(f"a_function_with_a_long_name_that_goes_on_and_on/{digits}", arguments={"day": "8"}),
        make_record(f"clean/{digits}", Shown.REJECTED, arguments={"rows": "y" * 300}, error="KeyError: " + "z" * 200),
        make_record(f"cell-3/{digits}", marks=(f"not replayable: {why}", f"not stored: {why}", "rerun")),
        make_record(f"train/{digits}", Shown.RUNNING, arguments={"fold": "1"}),
        make_record("features/" + "2026-11-24/" * 30 + "@2", arguments={"day": "9"}),
    ]


@pytest.mark.parametrize("number", [*range(7), None])
def test_text_table_fits_whatever_its_rows_hold(number: int | None) -> None:
    """One long reason used to make every line of the table hundreds of characters long."""
    records = long_records()
    lines = table_text(rows_of(records if number is None else [records[number]]), now_ms=T0).splitlines()[1:]
    assert (7 if number is None else 1) == len(lines)
    assert 100 >= max(map(len, lines))


def test_text_table_keeps_what_tells_rows_apart() -> None:
    lines = table_text(rows_of(long_records()[:2]), now_ms=T0).splitlines()
    assert "  load/4be1f09c66d2a370@a91c03f7  day=6" in lines[1] + lines[2]
    assert "  load/7f30c19a@073a2d66c90f1eb4  " in lines[1] + lines[2]
    assert "replayed ×12" in lines[1] + lines[2]


def test_text_table_tells_the_steps_of_a_call_apart() -> None:
    """What counts them stands at the end of a long id."""
    steps = [f"order/4a5370bc1c1338f5@9b7db742:charge/429ada7ec47f5e8b.{number}" for number in (1, 2)]
    lines = table_text(rows_of([make_record(id) for id in steps], as_found=True), now_ms=T0, columns=80).splitlines()
    assert [
        "order/4a5370bc1c1338f5@9b7db742:charge…7ec47f5e8b.1",
        "order/4a5370bc1c1338f5@9b7db742:charge…7ec47f5e8b.2",
    ] == [line.split()[2] for line in lines[1:]]


def test_text_table_says_its_note() -> None:
    assert (
        "the newest 1 only" == table_text(rows_of([make_record()]), now_ms=T0, note="the newest 1 only").splitlines()[1]
    )


def test_static_row_leads_with_name_and_arguments_and_keeps_the_id() -> None:
    id = "load/4be1f09c66d2a370@a91c03f7"
    named, template = (
        Reader(table_html(rows_of([make_record(id, arguments={"day": "6"})]), now_ms=T0)).text
        for id in (id, "load/6@2")
    )
    assert f"load day=6 {id}" in named
    assert "load/6@2" in template
    assert "day=6" not in template


def test_long_marks_are_one_chip_with_all_of_them_in_its_title() -> None:
    record = long_records()[4]
    for html in (table_html(rows_of([record]), now_ms=T0), handle_html(record)):
        reader = Reader(html)
        assert "not replayable +2" in reader.text
        assert "it changes" not in reader.text
        assert ["\n".join(record.marks)] == [
            attributes["title"] for _, attributes in reader.tags if "title" in attributes
        ]
    for text in (details_text(Detail(record)), Reader(details_html(Detail(record))).text):
        assert all(mark in text for mark in record.marks)


def test_handle_reprs_name_the_facts() -> None:
    record = make_record(replays=1, saved_ms=4_200, marks=("rerun",))
    assert "<Handle clean/4be1f09c66d2a370@a91c03f7: resolved, 4.2 s, 1.2 MB, rerun>" == handle_text(record)
    text = Reader(handle_html(record)).text.replace("\xa0", " ")
    assert "✓ resolved clean/4be1f09c66d2a370@a91c03f7 · 4.2 s · replayed, 4.2 s saved · 1.2 MB · rerun" == text
    running = make_record("slow@1", Shown.RUNNING, attempts=2, now=T0 + 42_005)
    assert "<Handle slow@1: running, 42 s, pid 4711 on lab-7, attempt 2>" == handle_text(running)
    assert "running slow@1 · 42 s · pid 4711" in Reader(handle_html(running)).text.replace("\xa0", " ")


def test_a_table_says_how_long_what_goes_on_has_been_running() -> None:
    """As of the moment for which it stands; an exported table counts no further."""
    rows = rows_of([make_record("slow@1", Shown.RUNNING)])
    assert "running  slow@1  42 s  pid 4711 on lab-7" in table_text(rows, now_ms=T0 + 42_005)
    assert "42 s" in Reader(table_html(rows, now_ms=T0 + 42_005)).text


def test_details_hold_everything() -> None:
    detail = Detail(
        make_record(shown=Shown.REJECTED, error="KeyError: 'gust'", attempts=2),
        {"day": "date(2026, 11, 24)"},
        error="KeyError: 'gust'",
        traceback="Traceback …\nKeyError: 'gust'",
        output=({"output_type": "stream", "name": "stdout", "text": ["fold 1\n", "fold 2\n"]},),
        why="argument day is new",
    )
    for text in (Reader(details_html(detail)).text, details_text(detail)):
        for piece in ("date(2026, 11, 24)", "Traceback …", "fold 2", "argument day is new", "lost"):
            assert piece in text


def test_outputs_show_images_and_plain_text_but_never_foreign_html() -> None:
    png = base64.b64encode(b"\x89PNG\r\n").decode()
    outputs = (
        {"output_type": "display_data", "data": {"image/png": png + "\n", "text/plain": "<Figure>"}},
        {"output_type": "execute_result", "data": {"text/html": "<b>bold</b>", "text/plain": "a frame"}},
        {"output_type": "display_data", "data": {"text/html": "<b>only html</b>"}},
        {"output_type": "display_data", "data": {}},
        {"output_type": "stream", "name": "stderr", "text": "\x1b[31mred\x1b[0m"},
        {"output_type": "mystery"},
    )
    reader = Reader(outputs_html(outputs))
    assert [f"data:image/png;base64,{png}"] == [attributes["src"] for tag, attributes in reader.tags if tag == "img"]
    assert "a frame[text/html]red" == reader.text
    assert "[image]\na frame\n[text/html]\nred" == outputs_text(outputs)


def test_payload_is_plain_data() -> None:
    """It crosses the wire as JSON; the page takes its texts as text."""
    payload = json.loads(json.dumps(detail_payload(evil_detail())))
    assert [[EVIL, EVIL]] == payload["arguments"]
    assert ["text", "text", "text", "error"] == [output["kind"] for output in payload["output"]]
    assert "rejected" == payload["attempts"][-1]["outcome"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("\x1b[1;31mKeyError\x1b[0m: x", "KeyError: x"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07after", "after"),
        ("plain [31m text", "plain [31m text"),
    ],
)
def test_terminal_codes_are_taken_out(raw: str, text: str) -> None:
    assert text == plain(raw)


def test_a_tally_stands_for_rows_that_are_not_there() -> None:
    tally = {State.PENDING: 2, State.RESOLVED: 9_997, State.REJECTED: 1, State.TIMEDOUT: 0}
    said = "10,000 promises: 1 rejected, 2 pending, 9,997 resolved"
    assert said == tally_text(tally)
    assert ("1 promise: 1 timed out", "0 promises") == (tally_text({State.TIMEDOUT: 1}), tally_text({}))
    rows = rows_of([make_record("a@1")])
    assert table_text(rows, now_ms=T0, heading=said, note="the newest 1").startswith(f"{said}\nthe newest 1\n")
    assert f"{said} <span" in table_html(rows, now_ms=T0, heading=said)


def test_what_retries_and_times_out_says_so_everywhere() -> None:
    record = make_record(
        "sync/1@2",
        Shown.RETRYING,
        attempts=2,
        error="KeyError: 'a'",
        retry_at=T0 + 12_000,
        timeout_at=T0 + 180_000,
        tags={"team": "<growth>"},
    )
    coming = "retrying in 12 s, times out in 3 m 00 s"
    assert (
        f"<Handle sync/1@2: {coming}, KeyError: 'a', 1.5 s, pid 4711 on lab-7, attempt 2, team=<growth>>"
        == handle_text(record)
    )
    detail = Detail(record)
    for html in (handle_html(record), details_html(detail), table_html(rows_of([record]), now_ms=T0)):
        shown = Reader(html).text
        assert all(text in shown for text in (coming, "KeyError: 'a'", "team=<growth>"))
    assert f"{coming} · pid 4711 on lab-7 · KeyError: 'a' · team=<growth>" in table_text(
        rows_of([record]), now_ms=T0, columns=200
    )
    text = details_text(detail)
    assert f"  next attempt: {instant(T0 + 12_000)}\n  deadline: {instant(T0 + 180_000)}\n" in text
    html = Reader(details_html(detail)).text
    assert f"next attempt{instant(T0 + 12_000)}deadline{instant(T0 + 180_000)}" in html


def test_who_waits_for_whom_is_said_everywhere() -> None:
    waiter = replace(make_record("outer@1", Shown.WAITING), waits_for=("<inner>@1", "b@1"))
    awaited = replace(make_record("<inner>@1", Shown.RUNNING), is_awaited=True)
    waits, is_waited_for = "waiting for <inner>@1 and 1 more", "this process waits for it"
    assert f"<Handle outer@1: {waits}, 0 ms, pid 4711 on lab-7>" == handle_text(waiter)
    assert f"<Handle <inner>@1: running, {is_waited_for}, 0 ms, pid 4711 on lab-7>" == handle_text(awaited)
    rows = rows_of([waiter, awaited])
    for text in (Reader(table_html(rows, now_ms=T0)).text, table_text(rows, now_ms=T0, columns=200)):
        assert waits in text
        assert is_waited_for in text
    assert "  waiting for: <inner>@1\n  waiting for: b@1\n" in details_text(Detail(waiter))
    assert f"  awaited: {is_waited_for}\n" in details_text(Detail(awaited))
    assert "waiting for<inner>@1waiting forb@1" in Reader(details_html(Detail(waiter))).text
    interrupted = details_text(Detail(make_record(shown=Shown.INTERRUPTED)))
    assert "  next: its next call takes it up again\n" in interrupted
    assert "  last owner: pid 4711 on lab-7\n" in interrupted


def test_tries_are_a_table() -> None:
    record = make_record("sync/1@2", Shown.RETRYING, attempts=2, error="KeyError: 'a'", retry_at=T0 + 12_000)
    done = Attempt("sync/1@2", 3, "strange", T0 + 60_000, T0 + 62_000, 2_000_000, 1_200_000, 48_000, "resolved")
    detail = Detail(replace(record, attempts=(*record.attempts, done)))
    began = [instant(T0 + 20_000 * number)[:19] for number in (1, 2, 3)]
    expected = [
        ["#", "outcome", "took", "CPU", "size", "began", "owner", "error"],
        ["1", "failed", "1.5 s", "40 ms", "", began[0], "pid 4711 on lab-7", "KeyError: 'a'"],
        ["2", "failed", "1.5 s", "40 ms", "", began[1], "pid 4711 on lab-7", "KeyError: 'a'"],
        ["3", "resolved", "2.0 s", "1.2 s", "48 kB", began[2], "strange", ""],
    ]
    lines = details_text(detail).split("attempts\n")[1].splitlines()
    assert [[cell for cell in row if cell] for row in expected] == [re.split(r"\s{2,}", line.strip()) for line in lines]
    for head, cells in (("took", ["1.5 s", "1.5 s", "2.0 s"]), ("owner", ["pid 4711", "pid 4711", "strange"])):
        start = lines[0].index(head)
        assert cells == [re.split(r"\s{2,}| on", line[start:])[0] for line in lines[1:]]
    assert "".join(map("".join, expected)) in Reader(details_html(detail)).text
    tries = detail_payload(detail)["attempts"]
    assert isinstance(tries, list)
    assert ("pid 4711 on lab-7", 48_000, 1_200, "strange") == (
        tries[0]["owner"],
        *(tries[2][name] for name in ("size", "cpu", "owner")),
    )
