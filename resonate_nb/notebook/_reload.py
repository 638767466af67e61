"""`%autoreload` brings a durable function that was imported from an edited module up to date, as any other."""

from __future__ import annotations

import sys
from typing import Any

from resonate_nb.function import BoundDurableFunction, DurableFunction

_MODULE = "IPython.extensions.autoreload"


class Reloads:
    """Sees to it that the extension knows durable functions, whichever of the two was loaded first."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def start(self) -> None:
        """Starting twice comes to the same."""
        self.stop()
        self._shell.resonate_nb_reloads = self
        self._shell.events.register("pre_run_cell", self._before)
        self._before(None)
        # It reloads before a cell as well. Loaded later than this, it is called later.

    def stop(self) -> None:
        """Nobody is told, whoever began."""
        earlier = getattr(self._shell, "resonate_nb_reloads", None)
        if earlier is not None:
            self._shell.events.unregister("pre_run_cell", earlier._before)
            del self._shell.resonate_nb_reloads

    def _before(self, info: object) -> None:
        # Not imported for this: few use it, and it takes a fiftieth of a second.
        rules = getattr(sys.modules.get(_MODULE), "UPDATE_RULES", None)
        if isinstance(rules, list) and _RULE not in rules:
            rules.append(_RULE)


def _are_durable(old: object, new: object) -> bool:
    return any(isinstance(old, kind) and isinstance(new, kind) for kind in (DurableFunction, BoundDurableFunction))


def _update(old: Any, new: Any) -> None:
    if isinstance(old, BoundDurableFunction):
        old, new = old.__func__, new.__func__
    old.replace_by(new)


_RULE = (_are_durable, _update)
