"""Lines of ours that are rewritten in place on the page while a wait or a pause lasts."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from resonate_nb.clock import SystemClock

from ._record import is_sendable, line_bundle
from ._reel import LINE

LINES = 5
"""So many lines of one board are shown, of those that go on and of those that have ended; the others are counted."""
PACE_SECONDS = 0.2
"""A board is rewritten no more often than this for lines that only count on."""


class LiveLine:
    """One line under the cell that began it, whatever cell runs when it is rewritten, and from whatever thread.

    Messages leave from the thread that calls: a cell that waits has no other.
    """

    def __init__(self, board: _Board, text: str) -> None:
        self._board = board
        board.lines[self] = text

    @classmethod
    def begin(cls, shell: Any, text: str) -> LiveLine | None:
        """The line is on the page; None where it would not reach it: a forked child, a display that is captured."""
        publisher = shell.display_pub
        if getattr(publisher, "pub_socket", None) is None or not is_sendable(shell):
            return None
        with _lock:
            key = publisher.parent_header.get("msg_id", "")
            board = _boards.get(key)
            if board is None:
                board = _boards[key] = _Board(publisher, key)
            line = cls(board, text)
            board.show()
            return line

    def update(self, text: str) -> None:
        """The line reads so now."""
        with _lock:
            self._board.lines[self] = text
            self._board.show(is_urgent=False)

    def end(self, text: str | None = None) -> None:
        """The line reads so for good; without a text it is gone."""
        with _lock:
            board = self._board
            del board.lines[self]
            if text:
                board.over.append(text)
            board.show()
            if not board.lines:
                del _boards[board.key]


class _Board:
    """The lines of one cell that go on at the same time, as one display: a hundred tasks must not fill the page."""

    def __init__(self, publisher: Any, key: str) -> None:
        self.key = key
        self.lines: dict[LiveLine, str] = {}
        self.over: list[str] = []
        self._publisher = publisher
        self._parent = publisher.parent_header
        self._display_id = f"resonate_nb-{secrets.token_hex(6)}"
        self._shown: str | None = None
        self._shown_at = 0.0

    def show(self, *, is_urgent: bool = True) -> None:
        """The page reads what the lines say."""
        now = _clock.monotonic()
        text = "\n".join(_some(self.over[::-1], "before")[::-1] + _some(list(self.lines.values()), "more"))
        if text == self._shown or (not is_urgent and now - self._shown_at < PACE_SECONDS):
            return
        kind = "display_data" if self._shown is None else "update_display_data"
        self._shown, self._shown_at = text, now
        content = {"data": line_bundle(text), "metadata": LINE, "transient": {"display_id": self._display_id}}
        session = self._publisher.session
        message = session.msg(kind, content, parent=self._parent)
        session.send(self._publisher.pub_socket, message, ident=self._publisher.topic)


def _some(texts: list[str], which: str) -> list[str]:
    """The first few, and how many others there are."""
    return texts if len(texts) <= LINES else [*texts[: LINES - 1], f"… and {len(texts) - LINES + 1} {which}"]


_boards: dict[str, _Board] = {}
"""By the request of the cell; a board whose lines have all ended stays as it is, and the next line begins another."""
_lock = threading.RLock()
_clock = SystemClock()
