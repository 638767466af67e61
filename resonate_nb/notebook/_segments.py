"""What a page has been sent: three segments of rows; updates are small, and a page that joins late misses nothing.

`base` holds all rows as of some moment, `middle` what has changed since `base`, `tail` what has changed since `middle`.
Each is a synchronised trait of the widget, so the kernel's state always holds all three, and whoever reads them in this
order has everything: a second view, a reloaded page, a page whose code was still loading. A change goes into `tail`; a
full `tail` is poured into `middle`, a full `middle` into a new `base`. Custom messages would be smaller by little, and
would be lost to whoever was not yet there (a kernel inside a synchronous cell cannot be asked for them again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resonate_nb.view import Row, Segment, saved_ms, segment_bytes

TAIL_ROWS = 200
MIDDLE_ROWS = 2_000


class Segments:
    """The rows last seen, and how they are spread over the three segments. Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._middle: dict[str, Row | None] = {}
        """Id -> row as it is now, or None for one that is gone; the same in `_tail`."""
        self._tail: dict[str, Row | None] = {}
        self._saved_ms = 0
        self._seq = 0
        self._base_seq = 0
        self._middle_seq = 0

    def start(self, rows: Sequence[Row], now_ms: int) -> Mapping[str, bytes]:
        """All three segments anew: for the first page, or one that says it has missed something."""
        self._rows = {row.id: row for row in rows}
        self._saved_ms = saved_ms(rows)
        return self._new_base(now_ms)

    def update(self, rows: Sequence[Row], now_ms: int) -> Mapping[str, bytes]:
        """The segments that must be sent, by name, now that these are the rows; empty when nothing has changed."""
        before = self._rows
        self._rows = {row.id: row for row in rows}
        changed: dict[str, Row | None] = {id: row for id, row in self._rows.items() if before.get(id) != row}
        changed.update((id, None) for id in before if id not in self._rows)
        if not changed:
            return {}
        self._saved_ms = saved_ms(rows)
        self._tail.update(changed)
        if len(self._tail) <= TAIL_ROWS:
            return {"tail": self._send(self._tail, self._middle_seq, now_ms)}
        self._middle.update(self._tail)
        if len(self._middle) > MIDDLE_ROWS:
            return self._new_base(now_ms)
        middle = self._send(self._middle, self._base_seq, now_ms)
        self._middle_seq = self._seq
        return {"middle": middle, "tail": self._empty_tail(now_ms)}

    def _new_base(self, now_ms: int) -> Mapping[str, bytes]:
        self._middle.clear()
        base = self._send(dict(self._rows), 0, now_ms)
        self._base_seq = self._seq
        middle = self._send({}, self._base_seq, now_ms)
        self._middle_seq = self._seq
        return {"base": base, "middle": middle, "tail": self._empty_tail(now_ms)}

    def _empty_tail(self, now_ms: int) -> bytes:
        # Sent, not only forgotten: a page that joins later would lay the old tail over the newer middle.
        self._tail.clear()
        return self._send({}, self._middle_seq, now_ms)

    def _send(self, rows: Mapping[str, Row | None], after: int, now_ms: int) -> bytes:
        self._seq += 1
        there = [row for row in rows.values() if row is not None]
        gone = [id for id, row in rows.items() if row is None]
        return segment_bytes(Segment(there, self._seq, after, now_ms, gone, self._saved_ms))
