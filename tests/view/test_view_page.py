"""The page's module in a real browser, with a kernel made of a dictionary: order, filter, keyboard, many rows."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_view_format import AGES, COUNTS, DURATIONS, SIZES
from view_records import DEAD, T0, make_record

from resonate_nb.runtime import Change, Detail, Record, Shown
from resonate_nb.view import (
    LOOKS,
    Segment,
    detail_payload,
    inspector_module,
    inspector_style,
    rows_of,
    saved_ms,
    segment_bytes,
    table_html,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = "/usr/bin/chromium"
TOKEN = "abc123"

_PAGE = """<!doctype html><meta charset="utf-8"><style>{style}</style>
<style>body {{ margin: 0; padding: 18px; background: {background}; font-family: sans-serif }}</style>
<div class="jp-OutputArea-child"><div id="widget"></div></div>
<div class="jp-OutputArea-child" id="beside"><div>{static}</div></div>"""

_START = """async ([source, state]) => {
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
  const handlers = {};
  const fire = (event, ...rest) => [...(handlers[event] ?? [])].forEach((handler) => handler(...rest));
  const model = {
    get: (name) => state[name],
    on: (event, handler) => (handlers[event] ??= new Set()).add(handler),
    off: (event, handler) => handlers[event]?.delete(handler),
    send: (message) => window.sent.push(message),
  };
  window.sent = [];
  window.errors = [];
  window.unpacked = 0;
  const text = Response.prototype.text;
  Response.prototype.text = function () {
    const found = text.call(this);
    found.then(() => (window.unpacked += 1));
    return found;
  };
  window.addEventListener("error", (event) => window.errors.push(event.message));
  window.receive = (changes) => {
    for (const [name, value] of Object.entries(changes)) {
      state[name] = ["base", "middle", "tail"].includes(name) ? bytes(value) : value;
    }
    for (const name of Object.keys(changes)) fire(`change:${name}`);
  };
  window.fire = fire;
  window.answer = (message) => fire("msg:custom", message);
  for (const name of ["base", "middle", "tail"]) if (state[name]) state[name] = bytes(state[name]);
  window.end = module.default.initialize({ model });
  window.close_view = module.default.render({ model, el: document.getElementById("widget") });
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


def packed(segment: Segment) -> str:
    return base64.b64encode(segment_bytes(segment)).decode()


class Inspected:
    """A page that shows records, and the kernel's end of the line."""

    def __init__(self, chromium: Any, records: Sequence[Record], *, dark: bool = False, **state: Any) -> None:
        self.page = chromium.new_page(
            viewport={"width": 1080, "height": 760}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        rows = rows_of(records)
        saved = saved_ms(rows)
        self.seq = 3
        self.now = T0 + 60_000
        self.page.set_content(
            _PAGE.format(
                style=inspector_style(),
                background="#111418" if dark else "#ffffff",
                static=table_html(rows, now_ms=self.now, static_id=TOKEN),
            )
        )
        # The page's clock is the kernel's, whatever the time is.
        self.page.clock.set_fixed_time(self.now / 1000)
        self.page.evaluate(
            _START,
            [
                inspector_module(),
                {
                    "token": TOKEN,
                    "title": "Durable promises",
                    "scope": "",
                    "note": "",
                    "problem": "",
                    "closed": False,
                    "base": packed(Segment(rows, 1, 0, self.now, saved_ms=saved)),
                    "middle": packed(Segment([], 2, 1, self.now, saved_ms=saved)),
                    "tail": packed(Segment([], 3, 2, self.now, saved_ms=saved)),
                    **state,
                },
            ],
        )
        if records:
            self.page.wait_for_selector(".rnb-row[data-id]")

    def tail(self, records: Sequence[Record], *, after: int = 2, gone: Sequence[str] = ()) -> None:
        """The rows are drawn when this returns."""
        self.seq += 1
        before = self.page.evaluate("() => window.unpacked")
        self.page.evaluate(
            "(changes) => window.receive(changes)",
            {"tail": packed(Segment(rows_of(records), self.seq, after, self.now, gone))},
        )
        # Unpacking takes as long as it takes; what is unpacked is drawn with the next frame.
        self.page.wait_for_function("(before) => window.unpacked > before", arg=before)
        self.page.evaluate("() => new Promise((resolve) => requestAnimationFrame(resolve))")

    def later(self, milliseconds: int) -> None:
        """The page's clock stands still but for this."""
        self.now += milliseconds
        self.page.clock.set_fixed_time(self.now / 1000)

    def ids(self) -> list[str]:
        """Ids of the rows drawn, from top to bottom."""
        rows = self.page.eval_on_selector_all(
            ".rnb-space .rnb-row:not([hidden])",
            "(rows) => rows.map((row) => [Number(row.getAttribute('aria-rowindex')), row.dataset.id])",
        )
        return [id for _, id in sorted(rows)]

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def wait_for_text(self, selector: str, text: str) -> None:
        self.page.locator(selector, has_text=text).first.wait_for()

    def sent(self) -> list[dict[str, Any]]:
        return list(self.page.evaluate("() => window.sent"))


RECORDS = [
    make_record("load/1@a", took_ms=4_000, size_bytes=48_200_000, replays=3, saved_ms=12_000),
    make_record("clean/1@b", took_ms=8_000, size_bytes=2_000, created_at=T0 + 10),
    make_record("gust/1@c", Shown.REJECTED, took_ms=2_000, created_at=T0 + 5, error="KeyError: 'gust'"),
    make_record("train/1@d", Shown.RUNNING, created_at=T0 + 20),
    make_record("ask/1@e", Shown.WAITING, created_at=T0 + 2, attempts=0),
]
DIGITS = "4be1f09c66d2a370"
WHY = "it changes `xs`, which it was given; " * 12
MANY = [
    make_record(f"load/{DIGITS}@969a11b2", arguments={"day": "10", "station": "'north'"}, created_at=T0 + 9),
    make_record(f"load/{DIGITS[::-1]}@969a11b2", arguments={"day": "9", "station": "'north'"}, replays=2, saved_ms=99),
    make_record(f"clean/{DIGITS}@3f", Shown.REJECTED, arguments={"rows": "<list of 3,000 items>"}, error="E: " + WHY),
    make_record(f"fit/{DIGITS}@1d", arguments={"rows": "y" * 300}, marks=(f"not replayable: {WHY}", "rerun")),
    make_record(f"cell-3/{DIGITS}@8c", marks=(f"not stored: {WHY}",)),
    make_record(f"train/{DIGITS}@5e~2", Shown.RUNNING, arguments={"fold": "1"}, created_at=T0 + 20),
    make_record("features/2026-11-24@2", arguments={"day": "date(2026, 11, 24)"}, marks=("draws from numpy",)),
]
READING_ORDER = ["gust/1@c", "train/1@d", "ask/1@e", "clean/1@b", "load/1@a"]


@pytest.fixture
def inspected(chromium: Any) -> Iterator[Inspected]:
    shown = Inspected(chromium, RECORDS)
    yield shown
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


def test_rows_stand_in_reading_order_with_what_they_hold(inspected: Inspected) -> None:
    assert inspected.ids() == READING_ORDER
    row = ".rnb-row[data-id='load/1@a'] "
    assert inspected.text(row + ".rnb-c-state") == "resolved"
    assert inspected.text(row + ".rnb-time") == "4.0 s"
    assert inspected.text(row + ".rnb-c-how") == "replayed ×3"
    assert inspected.text(row + ".rnb-c-size") == "48 MB"
    assert inspected.text(row + ".rnb-c-owner") == "pid 4711"
    assert inspected.text(".rnb-row[data-id='train/1@d'] .rnb-time") == "1 m 00 s"
    assert inspected.text(".rnb-row[data-id='gust/1@c'] .rnb-note") == "KeyError: 'gust'"
    assert inspected.text(".rnb-foot-text") == "5 promises · 3 replays saved 12 s"


def test_static_table_hides_while_the_widget_lives(inspected: Inspected) -> None:
    beside = inspected.page.locator("#beside")
    assert not beside.is_visible()
    inspected.page.evaluate("() => window.close_view()")
    assert beside.is_visible()


def test_chips_filter_and_say_that_they_are_pressed(inspected: Inspected) -> None:
    chip = inspected.page.locator(".rnb-chip[data-state='resolved']")
    assert chip.inner_text().split() == ["resolved", "2"]
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true"
    assert inspected.ids() == ["clean/1@b", "load/1@a"]
    inspected.page.locator(".rnb-chip[data-state='running']").click()
    assert inspected.ids() == ["train/1@d", "clean/1@b", "load/1@a"]
    assert inspected.text(".rnb-foot-text").startswith("3 of 5 promises")
    chip.click()
    assert inspected.ids() == ["train/1@d"]


def test_search_finds_ids_owners_and_errors(inspected: Inspected) -> None:
    box = inspected.page.locator(".rnb-search")
    for words, found in (("keyerror", ["gust/1@c"]), ("1@b 4711", ["clean/1@b"]), ("no such", [])):
        box.fill(words)
        assert inspected.ids() == found
    assert "Nothing matches the filter" in inspected.text(".rnb-empty")
    inspected.page.locator(".rnb-link").click()
    assert inspected.ids() == READING_ORDER


@pytest.fixture
def many(chromium: Any) -> Iterator[Inspected]:
    shown = Inspected(chromium, MANY)
    yield shown
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


def test_arguments_stand_in_the_place_of_digits(many: Inspected) -> None:
    id = f"load/{DIGITS}@969a11b2"
    cell = f".rnb-row[data-id='{id}'] .rnb-c-id"
    assert many.text(f"{cell} .rnb-name") == "load"
    assert many.text(f"{cell} .rnb-args") == "day=10, station='north'"
    assert DIGITS not in many.text(cell)
    assert many.page.locator(cell).get_attribute("title") == f"{id}\nday=10, station='north'"
    assert many.page.locator(cell).get_attribute("aria-label") == f"load day=10, station='north', {id}"
    # the user's own ids, and those of cells, speak for themselves
    for plain in ("features/2026-11-24@2", f"cell-3/{DIGITS}@8c"):
        assert (many.page.locator(f".rnb-row[data-id='{plain}'] .rnb-c-id").text_content() or "").startswith(plain)
    many.page.locator(cell).click()
    assert many.text(".rnb-panel-id") == id
    assert "day=10, station='north'" in many.text(".rnb-facts")


def test_a_row_drawn_again_for_another_promise_keeps_nothing(many: Inspected) -> None:
    """Elements are used again: of the arguments, chip and label of one promise nothing may stay for the next."""
    many.page.locator(".rnb-search").fill("no such")
    assert many.ids() == []
    for id in ("features/2026-11-24@2", f"train/{DIGITS}@5e~2"):
        many.page.locator(".rnb-search").fill(id)
        assert many.ids() == [id]
    row = ".rnb-space .rnb-row:not([hidden]) "
    assert [many.text(row + part) for part in (".rnb-args", ".rnb-rest", ".rnb-mark-chip")] == ["fold=1", "@5e~2", ""]
    assert many.page.locator(row + ".rnb-mark-chip").get_attribute("title") == ""


def test_search_finds_ids_and_arguments(many: Inspected) -> None:
    box = many.page.locator(".rnb-search")
    for words, found in (
        ("day=10", [f"load/{DIGITS}@969a11b2"]),
        ("north 4be1f", [f"load/{DIGITS}@969a11b2"]),
        ("date(2026", ["features/2026-11-24@2"]),
        ("changes not-a-word", []),
        ("it changes rerun", [f"fit/{DIGITS}@1d"]),
    ):
        box.fill(words)
        assert many.ids() == found


def test_promises_sort_by_what_is_shown(many: Inspected) -> None:
    many.page.locator(".rnb-head .rnb-c-id button").click()
    loads = [id for id in many.ids() if id.startswith("load/")]
    assert loads == [f"load/{DIGITS[::-1]}@969a11b2", f"load/{DIGITS}@969a11b2"]  # day 9, then day 10


def test_long_marks_and_arguments_stay_in_their_row(many: Inspected) -> None:
    chips = {
        f"fit/{DIGITS}@1d": "not replayable · rerun",
        f"cell-3/{DIGITS}@8c": "not stored",
        "features/2026-11-24@2": "draws from numpy",
    }
    for id, chip in chips.items():
        shown = many.page.locator(f".rnb-row[data-id='{id}'] .rnb-mark-chip")
        assert shown.inner_text() == chip
        box = shown.bounding_box()
        cell = many.page.locator(f".rnb-row[data-id='{id}'] .rnb-c-id").bounding_box()
        assert cell["x"] + cell["width"] >= box["x"] + box["width"]
    heights = many.page.eval_on_selector_all(
        ".rnb-space .rnb-row:not([hidden])", "(rows) => rows.map((row) => row.offsetHeight)"
    )
    assert set(heights) == {30}
    assert many.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    many.page.locator(f".rnb-row[data-id='fit/{DIGITS}@1d']").click()
    said = many.page.locator(".rnb-mark").all_inner_texts()
    assert said == [f"not replayable: {WHY}".strip(), "rerun"]


def test_headers_sort_and_say_so(inspected: Inspected) -> None:
    head = inspected.page.locator(".rnb-head .rnb-c-size")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert inspected.ids()[:2] == ["load/1@a", "clean/1@b"]
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert inspected.ids()[-1] == "load/1@a"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "none"
    assert inspected.ids() == READING_ORDER


def test_keyboard_walks_opens_and_closes(inspected: Inspected) -> None:
    page = inspected.page
    page.locator(".rnb-scroller").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert inspected.text(".rnb-panel-id") == "train/1@d"
    page.keyboard.press("Escape")
    assert not page.locator(".rnb-panel").is_visible()
    active = page.locator(".rnb-scroller").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("data-id") == "train/1@d"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert inspected.text(".rnb-panel-id") == "load/1@a"


def test_keys_are_kept_from_the_notebook(inspected: Inspected) -> None:
    """JupyterLab looks at the focused element alone; "d d" in the table would delete the cell."""
    for selector in (".rnb-scroller", ".rnb-search", ".rnb-chip"):
        focused = inspected.page.locator(selector).first
        focused.focus()
        assert focused.get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_row_opens_at_once_and_says_that_it_waits(inspected: Inspected) -> None:
    inspected.page.locator(".rnb-row[data-id='gust/1@c']").click()
    assert "rejected" in inspected.text(".rnb-panel-state")
    assert "KeyError: 'gust'" in inspected.text(".rnb-panel-body")
    assert "Waiting for the kernel" in inspected.text(".rnb-wait")
    (question,) = inspected.sent()
    assert (question["type"], question["id"]) == ("details", "gust/1@c")
    detail = Detail(
        RECORDS[2],
        {"day": "date(2026, 11, 24)"},
        error="KeyError: 'gust'",
        traceback="Traceback (most recent call last):\nKeyError: 'gust'",
        output=({"output_type": "stream", "name": "stdout", "text": "fold 1\n"},),
        why="argument day is new",
    )
    inspected.page.evaluate(
        "(message) => window.answer(message)",
        {"type": "details", "ask": question["ask"], "found": True, "detail": detail_payload(detail)},
    )
    for text in ("date(2026, 11, 24)", "Traceback (most recent", "fold 1", "argument day is new"):
        assert text in inspected.text(".rnb-panel-body")
    assert inspected.page.locator(".rnb-wait").count() == 0


def test_nothing_from_the_kernel_becomes_markup(chromium: Any) -> None:
    evil = "<img src=x onerror='window.errors.push(1)'><script>window.errors.push(2)</script>"
    record = make_record(
        f"{evil}/{DIGITS}@1", Shown.REJECTED, error=evil, marks=(evil,), name=evil, arguments={evil: evil}
    )
    shown = Inspected(chromium, [record], title=evil, scope=evil, problem=evil, note=evil)
    shown.page.locator(".rnb-row[data-id]").click()
    detail = Detail(
        record,
        {evil: evil},
        evil,
        f"<table onclick='window.errors.push(3)'><tr><td colspan=2 style='color:red'>cell{evil}</td></tr></table>",
        evil,
        evil,
        (
            {"output_type": "stream", "name": "stdout", "text": evil},
            {"output_type": "display_data", "data": {"text/html": evil}},
        ),
        evil,
    )
    (question,) = shown.sent()
    shown.page.evaluate(
        "(message) => window.answer(message)",
        {"type": "details", "ask": question["ask"], "found": True, "detail": detail_payload(detail)},
    )
    shown.page.locator(".rnb-preview td", has_text="cell").wait_for()
    assert shown.page.locator(".rnb img, .rnb script").count() == 0
    assert shown.page.locator(".rnb-preview td").evaluate("(node) => node.outerHTML") == '<td colspan="2">cell</td>'
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


def test_a_change_is_drawn_where_it_belongs(inspected: Inspected) -> None:
    inspected.tail([make_record("train/1@d", created_at=T0 + 20, took_ms=61_000)])
    assert inspected.ids() == ["gust/1@c", "ask/1@e", "train/1@d", "clean/1@b", "load/1@a"]
    assert inspected.text(".rnb-row[data-id='train/1@d'] .rnb-c-state") == "resolved"
    assert inspected.text(".rnb-chip[data-state='running'] .rnb-chip-count") == "0"
    inspected.tail([], gone=["ask/1@e"])
    assert "ask/1@e" not in inspected.ids()


def test_nothing_moves_while_somebody_reads(chromium: Any) -> None:
    records = [make_record(f"f/{number:03}@1", created_at=T0 - number) for number in range(100)]
    shown = Inspected(chromium, records)
    shown.page.locator(".rnb-scroller").evaluate("(node) => { node.scrollTop = 900; }")
    shown.page.wait_for_selector(".rnb-row[data-id='f/040@1']")
    before = shown.ids()
    shown.tail([make_record("new/1@1", created_at=T0 + 99), make_record("f/035@1", Shown.RUNNING, created_at=T0 - 35)])
    assert shown.ids() == before
    assert shown.text(".rnb-row[data-id='f/035@1'] .rnb-c-state") == "running"
    assert shown.text(".rnb-pill") == "2 new or moved · show"
    shown.page.locator(".rnb-pill").click()
    assert shown.ids()[:2] == ["f/035@1", "new/1@1"]
    assert not shown.page.locator(".rnb-pill").is_visible()
    shown.page.close()


def test_a_gap_is_noticed_and_asked_about(inspected: Inspected) -> None:
    inspected.tail([make_record("late/1@a", created_at=T0 + 50)], after=99)
    assert {"type": "snapshot"} in inspected.sent()


def test_a_kernel_that_is_gone_is_said_and_time_stops(inspected: Inspected) -> None:
    inspected.page.evaluate("() => window.fire('comm_live_update')")
    inspected.wait_for_text(".rnb-live", "kernel gone")
    before = inspected.text(".rnb-row[data-id='train/1@d'] .rnb-time")
    inspected.later(30_000)
    inspected.page.locator(".rnb-chip[data-state='running']").click()  # draws everything again
    assert inspected.text(".rnb-row[data-id='train/1@d'] .rnb-time") == before
    inspected.page.locator(".rnb-row[data-id='train/1@d']").click()
    assert "The kernel is gone" in inspected.text(".rnb-wait")
    assert inspected.sent() == []


def test_running_durations_count_on_the_page(inspected: Inspected) -> None:
    inspected.later(30_000)
    inspected.wait_for_text(".rnb-row[data-id='train/1@d'] .rnb-time", "1 m 30 s")


RETRYING = [
    make_record(
        f"sync/{DIGITS}@2",
        Shown.RETRYING,
        attempts=2,
        error="ConnectionError: the service answers 503 for station 'north'",
        arguments={"station": "'north'"},
        retry_at=T0 + 72_000,
        timeout_at=T0 + 240_000,
        tags={"team": "growth"},
    ),
    make_record(f"train/{DIGITS}@5e", Shown.RUNNING, arguments={"fold": "1"}, timeout_at=T0 + 65_000, attempts=3),
    make_record("approve/q3@1", Shown.WAITING, attempts=0, timeout_at=T0 + 3 * 86_400_000, tags={"team": "sales"}),
    make_record(f"sync/{DIGITS}@1", Shown.TIMEDOUT, took_ms=240_000, error="timed out", timeout_at=T0 + 240_000),
    make_record(f"load/{DIGITS}@969a11b2", arguments={"day": "10"}),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_to_come_counts_down_on_the_page(chromium: Any, theme: str, tmp_path: Path) -> None:
    shown = Inspected(chromium, RETRYING, dark=theme == "dark")
    train = ".rnb-row[data-id^='train/'] .rnb-note"
    error = "ConnectionError: the service answers 503 for station 'north'"
    assert shown.text(".rnb-row[data-state='retrying'] .rnb-note") == (
        f"retrying in 12 s, times out in 3 m 00 s · {error}"
    )
    assert shown.text(train) == "times out in 5.0 s"
    shown.later(13_000)
    shown.wait_for_text(".rnb-row[data-state='retrying'] .rnb-note", "retrying now, times out in 2 m 47 s")
    assert shown.text(train) == "times out in 0 ms"
    box = shown.page.locator(".rnb-search")
    box.fill("team=growth")
    assert shown.ids() == [f"sync/{DIGITS}@2"]
    box.fill("")
    shown.later(-13_000)
    shown.page.locator(".rnb-row[data-state='retrying']").click()
    assert shown.page.locator(".rnb-attempt-error").all_inner_texts() == [error] * 2  # before the kernel answers
    ask = shown.sent()[-1]
    detail = detail_payload(Detail(RETRYING[0], {"station": "'north'"}, why="first run"))
    shown.page.evaluate(
        "(message) => window.answer(message)", {"type": "details", "ask": ask["ask"], "found": True, "detail": detail}
    )
    assert "retrying in 12 s" in shown.text(".rnb-facts")
    heads = shown.page.locator(".rnb-attempts th").all_inner_texts()
    assert heads == ["#", "outcome", "took", "CPU", "size", "began", "owner"]
    assert shown.page.locator(".rnb-attempts tr").count() == 5
    assert shown.page.locator(".rnb-attempt-error").all_inner_texts() == [error] * 2
    folder = Path(os.environ.get("RESONATE_NB_SCREENSHOTS") or tmp_path)
    shown.page.screenshot(path=folder / f"page-retrying-{theme}.png")
    shown.page.locator(".rnb-attempts").scroll_into_view_if_needed()
    shown.page.screenshot(path=folder / f"page-attempts-{theme}.png")
    shown.later(1_000)
    shown.wait_for_text(".rnb-facts", "retrying in 11 s")
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


DIFF = """--- low (stored)
+++ low (now)
@@ -1,2 +1,2 @@
 def low(x):
-    return x < 1
+    return x < 2"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_opened_row_shows_why_it_ran_and_what_had_changed(chromium: Any, theme: str, tmp_path: Path) -> None:
    """The diff is text with signs, whatever stands in it; the picture is kept to be looked at."""
    record = make_record(f"clean/{DIGITS}@5e", arguments={"day": "10"})
    shown = Inspected(chromium, [record, *RETRYING], dark=theme == "dark")
    shown.page.locator(".rnb-row[data-id^='clean/']").click()
    ask = shown.sent()[-1]
    changes = (
        Change("function", "low", "code of `low` changed", f"{DIFF}  # <b>"),
        Change("global", "df", "global `df`: column `dep_delay` renamed to `delay`"),
    )
    detail = Detail(
        record,
        {"day": "10"},
        why="code of `low` changed; global `df`: column `dep_delay` renamed to `delay`",
        changes=changes,
        unsure=("uses `globals()` in clean",),
        services=("`client`: openai.OpenAI (https://api.openai.com/v1)",),
        packages=("package pandas 3.0.1 → 3.0.2",),
        slow=("`df` takes 1.3 s at each call",),
    )
    answer = {"type": "details", "ask": ask["ask"], "found": True, "detail": detail_payload(detail)}
    shown.page.evaluate("(message) => window.answer(message)", answer)
    assert f"why it ran\t{detail.why}" in shown.text(".rnb-facts")
    assert [change.text for change in changes] == shown.page.locator(".rnb-line").all_inner_texts()[:2]
    assert ["-    return x < 1"] == shown.page.locator(".rnb-gone").all_inner_texts()
    assert ["+    return x < 2  # <b>"] == shown.page.locator(".rnb-added").all_inner_texts()
    names = shown.page.locator(".rnb-section-name").all_inner_texts()
    known = ["Its key does not see", "Services", "Packages passed over", "Slow to fingerprint"]
    assert ["What changed", "Arguments", "Attempts", *known] == names
    assert [*detail.unsure, *detail.services, *detail.packages, *detail.slow] == shown.page.locator(
        ".rnb-line"
    ).all_inner_texts()[2:]
    folder = Path(os.environ.get("RESONATE_NB_SCREENSHOTS") or tmp_path)
    shown.page.screenshot(path=folder / f"page-why-{theme}.png")
    shown.page.locator(".rnb-line").last.scroll_into_view_if_needed()
    shown.page.screenshot(path=folder / f"page-why-end-{theme}.png")
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


WAITING = [
    replace(
        make_record(f"validate/{DIGITS}@5e", Shown.WAITING, arguments={"folds": "5"}, created_at=T0 + 20_000),
        waits_for=(f"score/{DIGITS}@77", "train/1@d"),
        is_ours=True,
    ),
    replace(make_record(f"score/{DIGITS}@77", Shown.RUNNING, arguments={"fold": "2"}), is_awaited=True),
    replace(make_record("score/3@77", Shown.RUNNING, created_at=T0 - 1, timeout_at=T0 + 65_000), is_stopped=True),
    make_record("score/4@77", Shown.INTERRUPTED, created_at=T0 - 2, owner=DEAD),
]


def test_who_waits_for_whom_is_read_from_the_rows(chromium: Any) -> None:
    """The promise waited for is named as its own row names it, and is a click away."""
    shown = Inspected(chromium, WAITING)
    waiting, owner = ".rnb-row[data-state='waiting']", ".rnb-space .rnb-row:not([hidden]) .rnb-c-owner"
    assert shown.ids() == [record.promise.id for record in WAITING]
    assert shown.page.locator(owner).all_inner_texts() == ["this kernel", "pid 4711", "stopped, 4711", "dead, 3902"]
    assert shown.text(f"{waiting} .rnb-note") == "waiting for score fold=2 and 1 more"
    assert shown.text(f"{waiting} .rnb-time") == "40 s"
    assert shown.text(f".rnb-row[data-id='score/{DIGITS}@77'] .rnb-note") == "this kernel waits for it"
    shown.later(2_000)
    shown.wait_for_text(f"{waiting} .rnb-time", "42 s")
    shown.page.locator(waiting).click()
    facts = shown.text(".rnb-facts")
    assert "waiting for\ttrain/1@d" in facts
    assert "owner\tthis kernel, pid 4711 on lab-7" in facts
    shown.page.locator(".rnb-facts .rnb-link", has_text="score fold=2").click()
    assert shown.text(".rnb-panel-id") == f"score/{DIGITS}@77"
    assert "awaited by\tthis kernel" in shown.text(".rnb-facts")
    shown.page.keyboard.press("Escape")
    shown.page.locator(".rnb-row[data-state='interrupted']").click()
    facts = shown.text(".rnb-facts")
    assert "next\tits next call takes it up again" in facts
    assert "last owner\tpid 3902 on lab-7, dead" in facts
    shown.page.keyboard.press("Escape")
    shown.page.evaluate("() => window.fire('comm_live_update')")
    shown.wait_for_text(f"{waiting} .rnb-c-owner", "pid 4711")
    assert shown.page.evaluate("() => window.errors") == []
    shown.page.close()


def test_what_is_said_of_a_promise_has_a_line_of_its_own_where_the_page_is_narrow(chromium: Any) -> None:
    records = [make_record(f"fit/{n}@1", Shown.REJECTED, error="E: " + WHY, created_at=T0 - n) for n in range(100)]
    shown = Inspected(chromium, [*WAITING, *records])
    page = shown.page
    first = page.locator(".rnb-row[data-id='fit/0@1']")
    assert page.locator(".rnb-space .rnb-row:not([hidden])").first.bounding_box()["height"] == 30
    page.locator(".rnb-scroller").evaluate("(node) => { node.scrollTop = 30 * 50; }")
    page.locator(".rnb-row[data-id='fit/50@1']").wait_for()
    page.set_viewport_size({"width": 520, "height": 760})
    page.locator(".rnb-two-lines").wait_for()
    page.locator(".rnb-row[data-id='fit/50@1']").wait_for()
    assert page.locator(".rnb-scroller").evaluate("(node) => node.scrollTop") == 46 * 50
    page.locator(".rnb-scroller").evaluate("(node) => { node.scrollTop = 0; }")
    first.wait_for()
    name, note = (first.locator(part).bounding_box() for part in (".rnb-name", ".rnb-note"))
    assert note["y"] >= name["y"] + name["height"]
    assert note["width"] > 200
    box = first.bounding_box()
    assert (46, True) == (box["height"], note["y"] + note["height"] <= box["y"] + box["height"])
    page.locator(".rnb-scroller").focus()
    page.keyboard.press("End")
    page.locator(".rnb-row[data-id='score/4@77']").wait_for()
    page.set_viewport_size({"width": 1080, "height": 760})
    page.locator(".rnb-wide").wait_for()
    assert shown.page.evaluate("() => window.errors") == []
    page.close()


def test_empty_table_says_why(chromium: Any) -> None:
    shown = Inspected(chromium, [])
    shown.wait_for_text(".rnb-empty", "No promises yet")
    shown.page.close()


def test_grid_is_described_to_screen_readers(inspected: Inspected) -> None:
    grid = inspected.page.locator("[role=grid]")
    assert grid.get_attribute("aria-rowcount") == "6"
    assert inspected.page.locator("[role=columnheader]").count() == 8
    assert inspected.page.locator(".rnb-space [role=row]:not([hidden])").first.locator("[role=gridcell]").count() == 8
    inspected.wait_for_text("[aria-live=polite]", "1 running, 1 waiting, 1 rejected, 2 resolved")


def test_100_000_rows_are_drawn_as_a_window(chromium: Any) -> None:
    records = [make_record(f"score/{number:016x}@90cd21ab", created_at=T0 - number) for number in range(100_000)]
    shown = Inspected(chromium, records)
    page = shown.page
    assert shown.text(".rnb-foot-text") == "100,000 promises"
    assert page.locator("[role=grid]").get_attribute("aria-rowcount") == "100001"
    page.locator(".rnb-scroller").focus()
    page.keyboard.press("End")
    page.wait_for_selector(f".rnb-row[data-id='score/{99_999:016x}@90cd21ab']")
    page.locator(".rnb-scroller").evaluate("(node) => { node.scrollTop = 1_500_000; }")
    page.wait_for_selector(f".rnb-row[data-id='score/{50_000:016x}@90cd21ab']")
    assert page.locator(".rnb-space .rnb-row").count() < 60
    page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_theme_follows_what_lies_behind(chromium: Any, theme: str, tmp_path: Path) -> None:
    """And a picture to look at: RESONATE_NB_SCREENSHOTS names a directory to keep it in."""
    shown = Inspected(
        chromium, [*RECORDS, *MANY], dark=theme == "dark", note="the newest 12 only; limit=None shows all"
    )
    assert shown.page.locator(".rnb").get_attribute("data-theme") == theme
    folder = Path(os.environ.get("RESONATE_NB_SCREENSHOTS") or tmp_path)
    shown.page.screenshot(path=str(folder / f"page-table-{theme}.png"))
    shown.page.locator(".rnb-row[data-id='gust/1@c']").click()
    shown.page.screenshot(path=str(folder / f"page-{theme}.png"))
    # contrast of the text on the background, after WCAG
    contrast = shown.page.locator(".rnb-row[data-id='load/1@a'] .rnb-rest").evaluate(
        """(node) => {
          const canvas = document.createElement("canvas").getContext("2d");
          const luminance = (colour) => {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
              part /= 255;
              return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
          };
          const text = luminance(getComputedStyle(node).color);
          const behind = luminance(getComputedStyle(node.closest(".rnb")).backgroundColor);
          return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
        }"""
    )
    assert contrast >= 4.5
    shown.page.close()


def test_page_and_kernel_have_the_same_states_and_words() -> None:
    states = re.search(r"export const STATES = (\[.*?^\]);", inspector_module(), flags=re.DOTALL | re.MULTILINE)
    assert states is not None
    listed = json.loads(re.sub(r",\s*\]", "]", re.sub(r"//.*", "", states[1])))
    looks = {shown.value: (shown.label, look.rank) for shown, look in LOOKS.items()}
    assert looks == {name: (label, group) for name, label, group, _ in listed}


def test_page_formats_like_the_kernel(chromium: Any) -> None:
    """The same promise must not read differently in the live and in the static table."""
    cases: list[tuple[str, float | None, str]] = [
        *(("duration", ms, text) for ms, text in DURATIONS),
        *(("age", ms, text) for ms, text in AGES),
        *(("size", size_bytes, text) for size_bytes, text in SIZES),
        *(("count", number, text) for number, text in COUNTS),
        ("duration", None, ""),
        ("size", None, ""),
    ]
    page = chromium.new_page()
    said = page.evaluate(
        """async ([source, cases]) => {
          const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
          return cases.map(([name, value]) => module[name](value));
        }""",
        [inspector_module(), [[name, value] for name, value, _ in cases]],
    )
    page.close()
    assert [text for _, _, text in cases] == said
