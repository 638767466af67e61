"""The face in a notebook: ``%load_ext resonate_nb``, ``%%durable``, ``%durable``, and the inspector.

- `load_ipython_extension`, `unload_ipython_extension`: what IPython calls.
- `awaited`: what a durable cell that awaits is turned into.
- `inspect`: the inspector widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._magic import awaited, load_ipython_extension, unload_ipython_extension

if TYPE_CHECKING:
    from ._inspector import inspect


def __getattr__(name: str) -> Any:
    # Widgets take a third of a second to import: a notebook that only uses the magics does not pay for them.
    if name == "inspect":
        from ._inspector import inspect

        return inspect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["awaited", "inspect", "load_ipython_extension", "unload_ipython_extension"]
