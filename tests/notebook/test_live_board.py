"""Lines that live at the same time share a display; what a page gets is short and seldom."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from resonate_nb.clock import ManualClock
from resonate_nb.notebook import _live
from resonate_nb.notebook._live import LINES, LiveLine


class Page:
    """A kernel's publisher and session, as far as a line uses them, and what the page reads."""

    topic, pub_socket, check_pid = b"display_data", object(), False

    def __init__(self) -> None:
        self.parent_header = {"msg_id": "cell-1"}
        self.session = self
        self.kernel = SimpleNamespace(session=self)
        self.display_pub: Any = self
        self.displays: dict[str, str] = {}
        self.parents: list[str] = []
        self.metadata: list[object] = []

    def msg(self, kind: str, content: dict[str, Any], parent: dict[str, str]) -> dict[str, Any]:
        return {"kind": kind, "content": content, "parent": parent}

    def send(self, socket: object, message: dict[str, Any], ident: bytes) -> None:
        content = message["content"]
        display_id = content["transient"]["display_id"]
        assert (message["kind"] == "update_display_data") == (display_id in self.displays)
        self.displays[display_id] = content["data"]["text/plain"]
        self.parents.append(message["parent"]["msg_id"])
        self.metadata.append(content["metadata"])

    def begin(self, text: str) -> LiveLine:
        line = LiveLine.begin(self, text)
        assert line is not None
        return line

    @property
    def texts(self) -> list[str]:
        return list(self.displays.values())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    found = ManualClock()
    monkeypatch.setattr(_live, "_clock", found)
    return found


@pytest.fixture
def page(clock: ManualClock) -> Iterator[Page]:
    yield Page()
    assert _live._boards == {}


def test_one_line_is_one_display(page: Page, clock: ManualClock) -> None:
    line = page.begin("a 1 s")
    clock.advance(1_000)
    line.update("a 2 s")
    line.update("a 2 s")
    assert ["a 2 s"] == page.texts
    line.end("a is over")
    page.begin("b").end()
    assert ["a is over", ""] == page.texts
    assert [{"resonate_nb": "line"}] * 5 == page.metadata


def test_lines_at_the_same_time_share_a_display(page: Page) -> None:
    first, second = page.begin("a"), page.begin("b")
    first.end("a is over")
    assert ["a is over\nb"] == page.texts
    second.end()
    assert ["a is over"] == page.texts


def test_a_hundred_lines_are_a_few_and_a_number(page: Page) -> None:
    lines = [page.begin(f"task {number}") for number in range(100)]
    shown = [f"task {number}" for number in range(LINES - 1)]
    assert ["\n".join([*shown, "… and 96 more"])] == page.texts
    for number, line in enumerate(lines):
        line.end(f"{number} is over")
    assert ["\n".join(["… and 96 before", *(f"{number} is over" for number in range(96, 100))])] == page.texts


def test_lines_that_count_on_are_sent_no_more_often_than_people_read(page: Page, clock: ManualClock) -> None:
    """The server drops what comes faster than a thousand a second."""
    lines = [page.begin("") for _ in range(3)]
    sent = len(page.parents)
    for second in range(50):
        clock.advance(20)
        for line in lines:
            line.update(f"{second}")
    assert len(page.parents) - sent <= 5
    for line in lines:
        line.end()


def test_a_line_stays_under_the_cell_that_began_it(page: Page, clock: ManualClock) -> None:
    first = page.begin("a")
    page.parent_header = {"msg_id": "cell-2"}
    second = page.begin("b")
    clock.advance(1_000)
    first.update("a 2")
    first.end("a is over")
    second.end("b is over")
    assert ["a is over", "b is over"] == page.texts
    assert ["cell-1", "cell-2", "cell-1", "cell-1", "cell-2"] == page.parents


def test_where_a_display_is_captured_or_would_not_arrive_there_is_no_line(page: Page) -> None:
    page.display_pub = SimpleNamespace()
    assert LiveLine.begin(page, "captured") is None
    page.display_pub = page
    page.check_pid, page.pid = True, -1  # type: ignore[misc, attr-defined]
    assert LiveLine.begin(page, "in a forked child") is None
