"""The inspector's kernel side, without a kernel: what it sends, answers, shows in text, and how it ends."""

from __future__ import annotations

import json
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from inspector_source import T0, FakeSource, pending, resolved

from resonate_nb.clock import ManualClock
from resonate_nb.errors import DurableWarning, InvalidOptionError
from resonate_nb.notebook import _inspector
from resonate_nb.notebook._inspector import Inspector, inspect
from resonate_nb.protocol import NEVER
from resonate_nb.runtime import Shown
from resonate_nb.view import instant

PATIENCE = 60.0


class FakeEvents:
    """IPython's events, as far as the inspector uses them."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[object], None]] = []

    def register(self, event: str, callback: Callable[[object], None]) -> None:
        assert event == "post_run_cell"
        self.callbacks.append(callback)

    def unregister(self, event: str, callback: Callable[[object], None]) -> None:
        self.callbacks.remove(callback)


class FakeSession:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any], object]] = []

    def send(self, socket: object, kind: str, content: dict[str, Any], parent: object) -> None:
        self.sent.append((kind, content, parent))


class FakeKernel:
    def __init__(self) -> None:
        self.session = FakeSession()
        self.iopub_socket = object()


class FakeShell:
    """A notebook's shell, as far as the inspector uses it."""

    def __init__(self) -> None:
        self.events = FakeEvents()
        self.kernel: FakeKernel | None = FakeKernel()
        self.cell = "cell-1"

    def get_parent(self) -> dict[str, Any]:
        return {"header": {"msg_id": self.cell}, "metadata": {"cellId": self.cell}}


class Screen:
    """What was displayed: objects, bundles and updates of bundles, in order."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.updates: list[dict[str, str]] = []

    def display(self, value: Any, *, raw: bool = False, display_id: str = "") -> None:
        self.shown.append(value)

    def update(self, value: Any, *, raw: bool, display_id: str) -> None:
        self.updates.append(value)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> FakeShell:
    shell = FakeShell()
    monkeypatch.setattr(_inspector, "get_ipython", lambda: shell)
    return shell


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(_inspector, "display", screen.display)
    monkeypatch.setattr(_inspector, "update_display", screen.update)
    return screen


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(resolved("load/1@a"), resolved("clean/1@b", T0 + 10))


@pytest.fixture
def inspector(source: FakeSource) -> Iterator[Inspector]:
    inspector = inspect(source=source, clock=ManualClock(T0))
    yield inspector
    inspector.close()


def ids(data: bytes) -> list[str]:
    return json.loads(zlib.decompress(data))["id"]  # type: ignore[no-any-return]


def test_widget_first_then_a_static_table_that_it_can_find(
    inspector: Inspector, shell: FakeShell, screen: Screen
) -> None:
    inspector._ipython_display_()
    widget, static = screen.shown
    assert ids(widget.base) == ["clean/1@b", "load/1@a"]
    assert (widget.token, widget.title) == (inspector.token, "Durable promises")
    assert f"rnb-static-{inspector.token}" in static["text/html"]
    assert "load/1@a" in static["text/html"]
    assert "load/1@a" in static["text/plain"]


def test_a_commit_reaches_the_page_from_another_thread(
    inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen
) -> None:
    inspector._ipython_display_()
    widget = inspector.widget
    assert widget is not None
    arrived: list[tuple[str, list[str]]] = []
    came = threading.Event()

    def changed(change: Any) -> None:
        arrived.append((threading.current_thread().name, ids(change["new"])))
        came.set()

    widget.observe(changed, "tail")
    source.put(pending("train/1@c", T0 + 20))
    assert came.wait(PATIENCE)
    assert arrived == [("resonate_nb inspector", ["train/1@c"])]


def test_details_are_answered(inspector: Inspector, shell: FakeShell, screen: Screen) -> None:
    inspector._ipython_display_()
    assert inspector.widget is not None
    sent: list[Any] = []
    inspector.widget.send = lambda content, buffers=None: sent.append(content)
    inspector._asked(inspector.widget, {"type": "details", "ask": 3, "id": "load/1@a"}, [])
    inspector._asked(inspector.widget, {"type": "details", "ask": 4, "id": "never/1@a"}, [])
    inspector._asked(inspector.widget, {"type": "a question of another version"}, [])
    inspector._asked(inspector.widget, None, [])
    known, unknown = sent
    assert (known["ask"], known["found"], known["detail"]["preview"]) == (3, True, "the value")
    assert (unknown["ask"], unknown["found"]) == (4, False)


def test_details_that_cannot_be_read_are_an_answer_too(
    inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen
) -> None:
    """The page waits; the shell would swallow the error."""
    inspector._ipython_display_()
    source.failure = OSError("disk on fire")
    answer = inspector._answer({"ask": 1, "id": "load/1@a"})
    assert answer["found"] is False
    assert "disk on fire" in str(answer["problem"])


def test_a_page_that_missed_something_gets_everything(
    inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen
) -> None:
    inspector._ipython_display_()
    assert inspector.widget is not None
    source.records["new/1@a"] = resolved("new/1@a", T0 + 99)
    inspector._asked(inspector.widget, {"type": "snapshot"}, [])
    assert ids(inspector.widget.base)[0] == "new/1@a"


def test_static_table_follows_after_each_cell(
    inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen
) -> None:
    inspector._ipython_display_()
    (after_cell,) = shell.events.callbacks
    after_cell(None)
    assert screen.updates == []
    source.records["new/1@a"] = resolved("new/1@a", T0 + 99)
    after_cell(None)
    (update,) = screen.updates
    assert "new/1@a" in update["text/html"]


def test_a_slow_look_does_not_hold_up_the_end_of_a_cell(source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    """Thousands of promises: the cell's thread leaves them to the flusher."""
    clock = ManualClock(T0)
    lookers: list[str] = []
    quick = source.look

    def slow(query: Any) -> Any:
        lookers.append(threading.current_thread().name)
        clock.advance(3_000)
        return quick(query)

    source.look = slow  # type: ignore[method-assign]
    inspector = inspect(source=source, clock=clock)
    inspector._ipython_display_()
    lookers.clear()
    while source.looked.acquire(blocking=False):
        pass
    shell.events.callbacks[0](None)
    assert source.looked.acquire(timeout=PATIENCE)
    inspector.close()
    assert set(lookers) == {"resonate_nb inspector"}


def test_static_table_follows_while_a_cell_runs_under_its_own_cell(source: FakeSource, shell: FakeShell) -> None:
    """A recorder of the running cell's display must not find the inspector's table in it."""
    clock = ManualClock(T0)
    inspector = inspect(source=source, clock=clock)
    inspector._shell, inspector._parent, inspector._static = shell, shell.get_parent(), []
    clock.advance(60_000)
    inspector._flush()
    assert shell.kernel is not None
    ((kind, content, parent),) = shell.kernel.session.sent
    assert (kind, parent) == ("update_display_data", shell.get_parent())
    assert "load/1@a" in content["data"]["text/html"]


DEADLINE = T0 + 90_000


@pytest.mark.parametrize(
    ("seconds", "shown", "timeout_at"),
    [
        (2.0, Shown.RUNNING, NEVER),
        (2.0, Shown.RETRYING, DEADLINE),
        (2.0, Shown.WAITING, NEVER),
        (None, Shown.INTERRUPTED, NEVER),
        (None, Shown.QUEUED, NEVER),
        (90.0, Shown.INTERRUPTED, DEADLINE),
        (2.0, Shown.INTERRUPTED, T0 + 1),
    ],
)
def test_it_looks_without_a_commit_only_where_something_may_have_changed(
    seconds: float | None, shown: Shown, timeout_at: int
) -> None:
    """An owner that dies commits nothing. What nobody is at stays so, and an open notebook costs nothing."""
    found = pending("load/2@a")
    found = replace(found, shown=shown, promise=replace(found.promise, timeout_at=timeout_at))
    inspector = inspect(source=FakeSource(resolved("load/1@a"), found), clock=ManualClock(T0))
    assert seconds == inspector._flush()


def test_a_long_look_without_a_commit_comes_more_rarely() -> None:
    clock = ManualClock(T0)
    source = FakeSource(pending("load/1@a"))
    source.took = lambda: clock.advance(500)
    assert 10.0 == inspect(source=source, clock=clock)._flush()


def test_a_failing_look_is_shown_and_warned_about_once(
    inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen
) -> None:
    inspector._ipython_display_()
    assert inspector.widget is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ResourceWarning)  # what the collector finds of earlier tests
        inspector._failed(OSError("disk on fire"))
        inspector._failed(OSError("disk on fire"))
    assert "disk on fire" in inspector.widget.problem
    assert [DurableWarning] == [warning.category for warning in caught]
    inspector.refresh()
    assert inspector.widget.problem == ""


def test_close_ends_everything(inspector: Inspector, source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    inspector._ipython_display_()
    assert len(source.watchers) == len(shell.events.callbacks) == 1
    inspector.close()
    inspector.close()
    assert source.watchers == shell.events.callbacks == []
    assert inspector.widget is not None
    assert inspector.widget.closed


def test_running_the_cell_again_ends_the_inspector_before(source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    """Or each run of the cell would leave a thread and a widget that nobody sees."""
    first, second, elsewhere = (inspect(source=source, clock=ManualClock(T0)) for _ in range(3))
    first._ipython_display_()
    second._ipython_display_()
    assert first.widget is not None
    assert first.widget.closed
    shell.cell = "cell-2"
    elsewhere._ipython_display_()
    assert second.widget is not None
    assert not second.widget.closed
    assert len(source.watchers) == 2
    second.close()
    elsewhere.close()


def test_only_the_newest_is_said(source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    inspector = inspect(source=source, clock=ManualClock(T0), limit=1)
    inspector._ipython_display_()
    assert inspector.widget is not None
    said = "the newest 1 only; limit=None shows all"
    assert inspector.widget.note == said
    assert ids(inspector.widget.base) == ["clean/1@b"]
    for kind in ("text/html", "text/plain"):
        assert said in screen.shown[1][kind]
    del source.records["load/1@a"]
    inspector.refresh()
    assert inspector.widget.note == ""
    inspector.close()


def test_nothing_is_said_to_be_left_out_when_all_fit(source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    inspector = inspect(source=source, clock=ManualClock(T0), limit=2)
    inspector._ipython_display_()
    assert inspector.widget is not None
    assert inspector.widget.note == ""
    inspector.close()


def test_scope_is_said(source: FakeSource, shell: FakeShell, screen: Screen) -> None:
    inspector = inspect(
        "load/*",
        state=("resolved", "rejected_timedout", "pending"),
        tags={"team": "growth"},
        source=source,
        clock=ManualClock(T0),
    )
    inspector._ipython_display_()
    assert inspector.widget is not None
    assert inspector.widget.scope == "load/* · resolved · timed out · pending · team=growth"
    assert ids(inspector.widget.base) == ["load/1@a"]
    inspector.close()


def test_a_view_is_narrowed_as_a_search_is(source: FakeSource) -> None:
    """A length of time counts from when the view was made: it does not lose rows while somebody looks."""
    clock = ManualClock(T0)
    inspector = inspect(name="load*", since="2h", until=T0 + 5, source=source, clock=clock)
    clock.advance(60_000)
    query = inspector._query
    assert ("load*", T0 - 7_200_000, T0 + 5) == (query.name, query.since, query.until)
    assert f"load* · since {instant(T0 - 7_200_000)[:19]} · until {instant(T0 + 5)[:19]}" == _inspector._scope(query)


def test_outside_a_notebook_it_is_text(
    inspector: Inspector, shell: FakeShell, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "2 promises: 2 resolved" in repr(inspector)
    shell.kernel = None
    inspector._ipython_display_()
    assert "load/1@a" in capsys.readouterr().out
    assert screen.shown == []
    assert inspector.widget is None


def test_without_anywidget_it_is_a_static_table(
    inspector: Inspector, shell: FakeShell, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "resonate_nb.notebook._inspector_widget", raising=False)
    with pytest.warns(DurableWarning, match="anywidget"):
        inspector._ipython_display_()
    (static,) = screen.shown
    assert "load/1@a" in static["text/html"]


@pytest.mark.parametrize("wrong", [{"state": "done"}, {"limit": 0}, {"limit": True}])
def test_wrong_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidOptionError):
        inspect(**wrong, source=FakeSource())
