"""`inspect`: promises as a live table in a notebook, with a static one beside it; plain text outside notebooks.

The widget and the static table are two outputs. The live page hides the static one; a page without the widget (a
restarted kernel, GitHub, an exported file) shows it. It is written again after each cell, and now and then while one
runs, so that what is left behind is recent.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from IPython.core.getipython import get_ipython
from IPython.display import display, update_display

from resonate_nb.clock import Clock, SystemClock
from resonate_nb.runtime import (
    Detail,
    Moment,
    Record,
    Shown,
    States,
    checked_query,
    existing_engine,
    is_enabled,
    source,
    state_label,
    warn,
)
from resonate_nb.store import Query
from resonate_nb.view import Row, count, detail_payload, instant, rows_of, table_html, table_text

from ._bindings import bundle_text
from ._flush import Flusher
from ._segments import Segments

if TYPE_CHECKING:
    from ._inspector_widget import InspectorWidget

DEFAULT_LIMIT = 10_000
"""So many are looked up in half a second, and travel as 200 kB."""
AGAIN_SECONDS = 2.0
"""How often to look without a commit while somebody is at a promise: an owner that dies commits nothing."""
AGAIN_SHARE = 0.05
"""Part of the time that such looks may take: a notebook is left open for hours, with ten thousand rows perhaps."""
STATIC_SECONDS = 5.0
"""How often the static table is written while a cell runs."""
PROMPT_SECONDS = 0.05
"""A look that takes no longer may hold up the end of a cell; a longer one is left to the flusher."""

_shown_in: dict[str, Inspector] = {}
"""Cell id -> the inspector that its last run showed; running the cell again ends it."""


class Source(Protocol):
    """Where promises are looked up; what `resonate_nb.runtime.source()` gives."""

    def look(self, query: Query) -> list[Record]: ...

    def detail(self, id: str) -> Detail | None: ...

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]: ...


class NoStore:
    """The source where nothing is recorded (RESONATE_NB=off) and no store exists: it makes none."""

    def look(self, query: Query) -> list[Record]:
        return []

    def detail(self, id: str) -> Detail | None:
        return None

    def watch(self, callback: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


def inspect(
    glob: str | None = None,
    *,
    state: States | None = None,
    tags: Mapping[str, str] | None = None,
    name: str | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: int | None = DEFAULT_LIMIT,
    title: str = "Durable promises",
    source: Source | None = None,
    clock: Clock | None = None,
) -> Inspector:
    """A view of the promises that match, newest first; live when a notebook displays it.

    Args:
        glob: shell pattern over the whole id (``*`` crosses slashes); None for all.
        state: states to keep, as of now; None for all.
        tags: keep promises that carry all of these.
        name: of the function or cell, or a shell pattern over it.
        since: created then or later, as `rnb.search` takes it.
        until: created before that.
        limit: at most so many, the newest; None for all.
        title: heading.
        source: where to look; by default this process's store.
        clock: by default the machine's.

    Raises:
        InvalidOptionError: an unknown state, a moment that is none, or a limit that is no positive integer.
    """
    clock = clock or SystemClock()
    query = checked_query(
        glob, state=state, tags=tags, name=name, since=since, until=until, limit=limit, now_ms=clock.now_ms()
    )
    return Inspector(source or _source(), query, title=title, clock=clock)


def _source() -> Source:
    if is_enabled() or existing_engine() is not None:
        return source(bundle_text)
    return NoStore()


class Inspector:
    """Promises to be looked at. Displayed by a cell, it is live until `close` or the cell's next run."""

    def __init__(self, source: Source, query: Query, *, title: str, clock: Clock) -> None:
        self.token = secrets.token_hex(6)
        self.widget: InspectorWidget | None = None
        """The live widget, once displayed where one can be."""
        self._source = source
        self._query = query
        self._title = title
        self._clock = clock
        self._lock = threading.RLock()
        """Guards what the page has been sent: the flusher, the cell's end and the page's requests meet here."""
        self._segments = Segments()
        self._rows: list[Row] = []
        self._is_cut = False
        """There are promises beyond the limit."""
        self._now_ms = 0
        self._look_seconds = 0.0
        """How long the last look took."""
        self._flusher: Flusher | None = None
        self._shell: Any = None
        self._parent: Any = None
        self._static: list[Row] | None = None
        """What the static table last showed; None while there is none."""
        self._static_at = 0.0
        self._has_warned = False

    def close(self) -> None:
        """End the live view: its subscription and its thread; the table stays as it is. Idempotent."""
        flusher, self._flusher = self._flusher, None
        if flusher is None:
            return
        flusher.close()
        for cell, inspector in list(_shown_in.items()):
            if inspector is self:
                del _shown_in[cell]
        if self._shell is not None:
            self._shell.events.unregister("post_run_cell", self._after_cell)
        if self.widget is not None:
            self.widget.closed = True

    def refresh(self) -> None:
        """Look now, without waiting for a change."""
        self._flush()
        self._write_static()

    def __repr__(self) -> str:
        self._look()
        return table_text(self._rows, now_ms=self._now_ms, note=self._note())

    def _ipython_display_(self) -> None:
        shell = get_ipython()
        if getattr(shell, "kernel", None) is None:
            print(repr(self))
            return
        self._shell = shell
        self._look()
        if self._flusher is None:
            self._start(shell)
        if self.widget is not None:
            display(self.widget)
        # Second: the widget's own output is what a page shows first, and hides this one.
        self._static, self._static_at = self._rows, self._clock.monotonic()
        display(self._static_bundle(), raw=True, display_id=self._display_id)

    def _start(self, shell: Any) -> None:
        self._parent = _parent_of(shell)
        cell = (self._parent or {}).get("metadata", {}).get("cellId")
        if cell is not None:
            before = _shown_in.get(cell)
            if before is not None and before is not self:
                before.close()
            _shown_in[cell] = self
        self.widget = self._make_widget()
        if self.widget is None:
            return
        shell.events.register("post_run_cell", self._after_cell)
        self._flusher = Flusher(self._flush, self._source.watch, self._clock, self._failed)

    def _make_widget(self) -> InspectorWidget | None:
        try:
            from ._inspector_widget import InspectorWidget
        except ImportError as error:
            warn(f"the live view needs anywidget ({error}); showing a static table", once=True, about="inspector")
            return None
        parts = self._segments.start(self._rows, self._now_ms)
        widget = InspectorWidget(
            token=self.token, title=self._title, scope=_scope(self._query), note=self._note(), **parts
        )
        widget.on_msg(self._asked)
        return widget

    @property
    def _display_id(self) -> str:
        return f"resonate_nb-{self.token}"

    def _static_bundle(self) -> dict[str, str]:
        rows = self._rows
        return {
            "text/html": table_html(
                rows, now_ms=self._now_ms, title=self._title, static_id=self.token, note=self._note()
            ),
            "text/plain": table_text(rows, now_ms=self._now_ms, note=self._note()),
        }

    def _note(self) -> str:
        limit = self._query.limit
        return f"the newest {count(limit)} only; limit=None shows all" if limit and self._is_cut else ""

    def _look(self) -> None:
        now_ms, started = self._clock.now_ms(), self._clock.monotonic()
        limit = self._query.limit
        # One more than is shown, to know whether something is left out.
        query = self._query if limit is None else replace(self._query, limit=limit + 1)
        records = self._source.look(query)
        rows = rows_of(records[:limit])
        with self._lock:
            self._rows, self._now_ms, self._look_seconds = rows, now_ms, self._clock.monotonic() - started
            self._is_cut = len(records) > len(rows)

    def _flush(self) -> float | None:
        """Send the page what has changed. After how many seconds to look again without a change."""
        with self._lock:
            self._look()
            widget = self.widget
            if widget is not None:
                self._send(self._segments.update(self._rows, self._now_ms))
                if widget.problem:
                    widget.problem = ""
        if self._clock.monotonic() - self._static_at >= STATIC_SECONDS:
            self._write_static_from_thread()
        return self._again()

    def _again(self) -> float | None:
        """In how many seconds something may be other than it is shown, though nobody has committed."""
        pending = [row for row in self._rows if row.settled_at is None]
        if any(row.shown not in (Shown.INTERRUPTED, Shown.QUEUED) for row in pending):
            return max(AGAIN_SECONDS, self._look_seconds / AGAIN_SHARE)
        deadlines = [row.timeout_at for row in pending if row.timeout_at is not None]
        return max(AGAIN_SECONDS, (min(deadlines) - self._now_ms) / 1000) if deadlines else None

    def _send(self, parts: Mapping[str, bytes]) -> None:
        widget = self.widget
        if widget is None:
            return
        # One message for all of it: a page must not see a new base with an old tail.
        with widget.hold_sync():
            for name, data in parts.items():
                setattr(widget, name, data)
            widget.note = self._note()

    def _failed(self, error: Exception) -> None:
        """A look has failed on the flusher's thread, where the shell would swallow it: show it, and say it once."""
        text = f"the promises could not be looked up ({type(error).__name__}: {error})"
        with self._lock:
            if self.widget is not None:
                self.widget.problem = text
        if not self._has_warned:
            self._has_warned = True
            warn(f"inspector: {text}; it tries again at the next change")

    def _asked(self, widget: Any, message: Any, buffers: Any) -> None:
        """The page asks. May run on any thread, also while a cell runs."""
        if not isinstance(message, Mapping):
            return
        match message.get("type"):
            case "details":
                widget.send(self._answer(message))
            case "snapshot":
                with self._lock:
                    self._look()
                    self._send(self._segments.start(self._rows, self._now_ms))
            case _:
                pass  # a page of another version of this package may ask for what this one does not know

    def _answer(self, message: Mapping[str, Any]) -> dict[str, object]:
        answer: dict[str, object] = {"type": "details", "ask": message.get("ask"), "found": False}
        try:
            detail = self._source.detail(str(message.get("id")))
        except Exception as error:
            # the page waits for an answer, and nobody else would see this
            answer["problem"] = f"the details could not be read ({type(error).__name__}: {error})"
        else:
            if detail is not None:
                answer.update(found=True, detail=detail_payload(detail))
        return answer

    def _after_cell(self, result: object) -> None:
        """A cell has ended: the page and the static table catch up, replays included (a hit commits nothing)."""
        if self._look_seconds > PROMPT_SECONDS and self._flusher is not None:
            self._flusher.wake(is_urgent=True)
            self._write_static()
            return
        try:
            self.refresh()
        except Exception as error:
            self._failed(error)

    def _write_static(self) -> None:
        if self._static is None or self._static == self._rows:
            return
        self._static, self._static_at = self._rows, self._clock.monotonic()
        update_display(self._static_bundle(), raw=True, display_id=self._display_id)

    def _write_static_from_thread(self) -> None:
        # Sent under the header of the cell that shows the table, not of the cell that happens to run: a recorder of
        # that cell's display must not take it for its own.
        kernel = getattr(self._shell, "kernel", None)
        if kernel is None or self._static is None or self._static == self._rows or self._parent is None:
            return
        self._static, self._static_at = self._rows, self._clock.monotonic()
        content = {
            "data": self._static_bundle(),
            "metadata": {},
            "transient": {"display_id": self._display_id},
        }
        kernel.session.send(kernel.iopub_socket, "update_display_data", content, parent=self._parent)


def _parent_of(shell: Any) -> Any:
    """The message that runs the current cell, where the shell knows one."""
    get_parent = getattr(shell, "get_parent", None)
    return get_parent() if get_parent is not None else None


def _scope(query: Query) -> str:
    parts = [query.glob] if query.glob and query.glob != "*" else []
    parts += [query.name] if query.name else []
    parts += [state_label(state) for state in query.states]
    parts += [f"{name}={text}" for name, text in (query.tags or {}).items()]
    for word, moment in (("since", query.since), ("until", query.until)):
        parts += [] if moment is None else [f"{word} {instant(moment)[:19]}"]
    return " · ".join(parts)
