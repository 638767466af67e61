"""A mark under a cell whose durable functions were replayed: otherwise a replayed call looks like a computed one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resonate_nb.runtime import duration, open_engine

from ._record import show_line

_NAMES = 4
"""More names than this are counted, not listed."""


class HitMark:
    """Shows one line after each cell that had hits. A durable cell's own replay has its own mark."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def start(self) -> None:
        """The cells of this shell are watched; starting twice comes to the same."""
        self.stop()
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)
        self._shell.resonate_nb_hit_mark = self

    def stop(self) -> None:
        """No cell is watched, whoever began."""
        earlier = getattr(self._shell, "resonate_nb_hit_mark", None)
        if earlier is not None:
            self._shell.events.unregister("pre_run_cell", earlier._before)
            self._shell.events.unregister("post_run_cell", earlier._after)
            del self._shell.resonate_nb_hit_mark

    def _before(self, info: object) -> None:
        # Hits between cells belong to threads of an earlier one.
        if (engine := open_engine()) is not None:
            engine.hits.take()

    def _after(self, result: object) -> None:
        engine = open_engine()
        if engine is None:
            return
        hits, saved_ms = engine.hits.take()
        if hits:
            show_line(self._shell, f"[resonate_nb] {hits_text(hits, saved_ms)}")


def hits_text(hits: Mapping[str, int], saved_ms: int) -> str:
    """One line for people: ``replayed load, fold ×2 · 13 s saved``."""
    names = [name if count == 1 else f"{name} ×{count}" for name, count in hits.items()]
    listed = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
    return f"replayed {listed} · {duration(saved_ms)} saved"
