"""What every codec gives and takes: one value becomes one byte string under a codec's name, and comes back."""

from __future__ import annotations

from resonate_nb.records import dataclass


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as bytes."""

    codec: str
    """Name by which `decode` finds its way back: ``pickle`` (must be signed) or ``json``."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception as data: readable by anybody, never unpickled."""

    type_name: str
    """Qualified, e.g. ``builtins.ValueError`` or ``__main__.MyError``."""
    message: str
    traceback: str
    """The formatted traceback without our own frames."""
