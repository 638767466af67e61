"""What every codec gives and takes: one value becomes one byte string under a codec's name, and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from resonate_nb.records import dataclass

Plain = str | int | float | bool | None


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
    args: tuple[Plain, ...] | None = None
    """What it was made of; None where that is not plain."""
    attributes: Mapping[str, Plain] = field(default_factory=dict)
    """What is plain of what it holds under names."""
