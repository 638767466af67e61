"""What is said several times under one cell is one line: of five thousand calls hundreds may say the same."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from resonate_nb.records import dataclass

from ._record import is_sendable, line_bundle
from ._reel import LINE


@dataclass(slots=True)
class _Line:
    display_id: str
    times: int = 1


class SaidLines:
    """Shows our lines in a kernel; how often one was repeated it says when the cell has ended."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._lock = threading.Lock()
        self._request = ""
        """The cell under which `_lines` stand."""
        self._lines: dict[str, _Line] = {}

    def start(self) -> None:
        """The cells of this shell are watched; starting twice comes to the same."""
        self.stop(self._shell)
        self._shell.events.register("post_run_cell", self._after)
        self._shell.resonate_nb_said = self

    @staticmethod
    def stop(shell: Any) -> None:
        """No cell is watched, whoever began."""
        earlier = getattr(shell, "resonate_nb_said", None)
        if earlier is not None:
            shell.events.unregister("post_run_cell", earlier._after)
            del shell.resonate_nb_said

    def show(self, text: str) -> bool:
        """The line is on the page, or was under this cell before. False where it would not reach it: a forked child
        cannot send displays; what it writes to stderr arrives."""
        if not is_sendable(self._shell):
            return False
        request = self._shell.display_pub.parent_header.get("msg_id", "")
        with self._lock:
            if request != self._request:
                self._request, self._lines = request, {}
            line = self._lines.get(text)
            if line is not None:
                line.times += 1
                return True
            line = self._lines[text] = _Line(f"resonate_nb-{secrets.token_hex(6)}")
        self._publish(line, text)
        return True

    def _after(self, result: object) -> None:
        with self._lock:
            lines, self._lines = self._lines, {}
        for text, line in lines.items():
            if line.times > 1:
                self._publish(line, f"{text} ({line.times} times)", update=True)

    def _publish(self, line: _Line, text: str, *, update: bool = False) -> None:
        transient = {"display_id": line.display_id}
        self._shell.display_pub.publish(data=line_bundle(text), metadata=LINE, transient=transient, update=update)
