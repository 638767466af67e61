"""A display as it stands when a cell has ended: the messages of a running cell, reduced to what a reader still sees.

Pure: it takes the events in order and keeps a short list in the manner of nbformat's outputs. `clear_output` has
cleared, updates have replaced what they update, text of one stream is one text, and a progress bar that rewrote its
line a thousand times is one line.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from resonate_nb.records import dataclass

Output = dict[str, Any]
"""One output as nbformat writes it, with ``transient`` kept where a later cell may update it by its display id."""

TEXT_CHARACTERS = 1_000_000
"""What is kept of one text of a stream: the first half and the last half of this."""

LINE_CHARACTERS = 10_000
"""A line that grows longer without an end is no longer kept open for what may be written over it."""

TOTAL_CHARACTERS = 10_000_000
"""What is kept of one cell's display in all; what comes after is counted, not kept."""

_OURS = "[resonate_nb] "
"""How lines of this package begin: they tell of one run, and are no part of what a cell shows."""
LINE = {"resonate_nb": "line"}
"""Metadata of a display that is such a line."""

_WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(slots=True)
class _Text:
    """Text of one stream, carriage returns folded, its middle dropped when it grows too long."""

    name: str
    head: list[str] = field(default_factory=list)
    head_size: int = 0
    last: deque[str] = field(default_factory=deque)
    last_size: int = 0
    dropped: int = 0
    line: str = ""
    """The line that is not ended yet: the next piece may go back over it."""

    def add(self, text: str) -> None:
        ended, newline, self.line = (self.line + text).rpartition("\n")
        if newline:
            self._keep("\n".join(map(_fold, ended.split("\n"))) + "\n" if "\r" in ended else ended + "\n")
        if "\r" in self.line:
            self.line = _fold(self.line) + ("\r" if self.line.endswith("\r") else "")
        if len(self.line) > LINE_CHARACTERS:  # no bar is that long: nothing will go back over it
            self._keep(self.line)
            self.line = ""

    def _keep(self, text: str) -> None:
        half = TEXT_CHARACTERS // 2
        room = max(0, half - self.head_size)
        if room:
            self.head.append(text[:room])
            self.head_size += len(self.head[-1])
            text = text[room:]
        if text:
            if len(text) > half:
                self.dropped += len(text) - half
                text = text[-half:]
            self.last.append(text)
            self.last_size += len(text)
            while self.last_size - len(self.last[0]) >= half:
                gone = self.last.popleft()
                self.last_size -= len(gone)
                self.dropped += len(gone)

    @property
    def size(self) -> int:
        return self.head_size + self.last_size + len(self.line)

    def text(self) -> str:
        note = f"\n[… {self.dropped:,} characters not recorded …]\n" if self.dropped else ""
        return "".join(self.head) + note + "".join(self.last) + self.line.removesuffix("\r")


@dataclass(slots=True)
class _Bundle:
    kind: str
    """``display_data``, ``execute_result``, or ``update_display_data`` for a display of an earlier cell."""
    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None
    size: int
    model_id: str | None = None
    """Of the widget shown, whose last text is asked for at the end."""


class Reel:
    """Takes the display events of one cell, in order; not safe to use from several threads at once."""

    def __init__(self) -> None:
        self._entries: list[_Text | _Bundle] = []
        self._size = 0
        self._is_clear_due = False
        self._missed = 0

    def stream(self, name: str, text: str) -> None:
        """Text written to ``stdout`` or ``stderr``."""
        if not text:
            return
        self._clear_if_due()
        last = self._entries[-1] if self._entries else None
        if not (isinstance(last, _Text) and last.name == name):
            last = _Text(name)
            self._entries.append(last)
        if self._size >= TOTAL_CHARACTERS:
            self._missed += len(text)
            return
        before = last.size
        last.add(text)
        self._size += last.size - before

    def display(
        self,
        data: Mapping[str, Any],
        metadata: Mapping[str, Any] | None = None,
        *,
        display_id: str | None = None,
        is_result: bool = False,
    ) -> None:
        """A bundle shown by `display`, or the cell's last value."""
        self._clear_if_due()
        if metadata == LINE:
            return
        self._append(_bundle("execute_result" if is_result else "display_data", data, metadata, display_id))

    def update(self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> None:
        """Replaces every bundle shown under `display_id`; one of an earlier cell is remembered as an update."""
        if metadata == LINE:
            return
        found = False
        for position, entry in enumerate(self._entries):
            if isinstance(entry, _Bundle) and entry.display_id == display_id:
                new = _bundle(entry.kind, data, metadata, display_id)
                self._size += new.size - entry.size
                self._entries[position] = new
                found = True
        if not found:
            self._append(_bundle("update_display_data", data, metadata, display_id))

    def clear(self, *, wait: bool) -> None:
        """Everything shown so far is gone: now, or with the next output."""
        if wait:
            self._is_clear_due = True
        else:
            self._clear()

    def outputs(self, widget_text: Callable[[str], str | None] = lambda model_id: None) -> list[Output]:
        """What is left to see. `widget_text` gives the text of a living widget by its model id."""
        outputs: list[Output] = []
        for entry in self._entries:
            if isinstance(entry, _Text):
                text = entry.text()
                if entry.name == "stderr" and _OURS in text:
                    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith(_OURS))
                if text:
                    outputs.append({"output_type": "stream", "name": entry.name, "text": text})
                continue
            data = dict(entry.data)
            if entry.model_id is not None and "text/html" not in data:
                data["text/plain"] = widget_text(entry.model_id) or data.get("text/plain", "")
            output: Output = {"output_type": entry.kind, "data": data, "metadata": entry.metadata}
            if entry.kind == "execute_result":
                output["execution_count"] = None
            if entry.display_id is not None:
                output["transient"] = {"display_id": entry.display_id}
            outputs.append(output)
        if self._missed:
            note = (
                f"[{self._missed:,} characters of output not recorded: more than {TOTAL_CHARACTERS:,} in this cell]\n"
            )
            outputs.append({"output_type": "stream", "name": "stderr", "text": note})
        return outputs

    def _append(self, entry: _Bundle) -> None:
        if self._size + entry.size > TOTAL_CHARACTERS:
            self._missed += entry.size
            return
        self._entries.append(entry)
        self._size += entry.size

    def _clear_if_due(self) -> None:
        if self._is_clear_due:
            self._clear()

    def _clear(self) -> None:
        # An update of an earlier cell's display has left this cell: clearing does not take it back.
        self._entries = [e for e in self._entries if isinstance(e, _Bundle) and e.kind == "update_display_data"]
        self._size = sum(entry.size for entry in self._entries)
        self._missed = 0
        self._is_clear_due = False


def to_bytes(outputs: list[Output]) -> bytes:
    """The outputs as they are stored with a promise."""
    return json.dumps(outputs, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")


def from_bytes(data: bytes) -> list[Output]:
    """What `to_bytes` made; raises ValueError for anything else."""
    outputs = json.loads(data)
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise ValueError("a recorded display is a list of outputs")
    return outputs


def _fold(line: str) -> str:
    """What a terminal shows of a line with carriage returns: each part is written over the one before."""
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def _bundle(kind: str, data: Mapping[str, Any], metadata: Mapping[str, Any] | None, display_id: str | None) -> _Bundle:
    kept = {mime: _as_text(item) for mime, item in data.items() if mime != _WIDGET}
    view = data.get(_WIDGET)
    model_id = view.get("model_id") if isinstance(view, Mapping) else None
    size = sum(len(item) if isinstance(item, str) else len(json.dumps(item, default=str)) for item in kept.values())
    return _Bundle(kind, kept, dict(metadata or {}), display_id, size, model_id)


def _as_text(item: Any) -> Any:
    # A kernel has made text of images before it sends them; in a terminal they still are bytes.
    return base64.b64encode(item).decode("ascii") if isinstance(item, bytes | bytearray) else item
