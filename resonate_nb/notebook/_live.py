"""A line of ours that is rewritten in place on the page while a wait or a pause lasts."""

from __future__ import annotations

import secrets
from typing import Any

from ._record import is_sendable, line_bundle
from ._reel import LINE


class LiveLine:
    """One display under the cell that began it, whatever cell runs when it is rewritten, and from whatever thread.

    Messages leave from the thread that calls: a cell that waits has no other.
    """

    def __init__(self, publisher: Any, text: str) -> None:
        self._publisher = publisher
        self._parent = publisher.parent_header
        self._display_id = f"resonate_nb-{secrets.token_hex(6)}"
        self._text = text
        self._send("display_data")

    @classmethod
    def begin(cls, shell: Any, text: str) -> LiveLine | None:
        """The line is on the page; None where it would not reach it: a forked child, a display that is captured."""
        publisher = shell.display_pub
        is_captured = getattr(publisher, "pub_socket", None) is None
        return None if is_captured or not is_sendable(shell) else cls(publisher, text)

    def update(self, text: str) -> None:
        """The line reads so now."""
        if text != self._text:
            self._text = text
            self._send("update_display_data")

    def end(self, text: str | None = None) -> None:
        """The line reads so for good; without a text it is empty, since a page cannot take one display away."""
        self.update(text or "")

    def _send(self, kind: str) -> None:
        session = self._publisher.session
        content = {
            "data": line_bundle(self._text),
            "metadata": LINE,
            "transient": {"display_id": self._display_id},
        }
        message = session.msg(kind, content, parent=self._parent)
        session.send(self._publisher.pub_socket, message, ident=self._publisher.topic)
