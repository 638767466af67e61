"""What counts and lies outside of Python: a file, an environment variable. How it is read is the maker's affair."""

from __future__ import annotations

from collections.abc import Callable

from ..records import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Outside:
    """One such thing. It is read anew for each key."""

    name: str
    """Its kind and what it is called, with a space between: no name of Python's reads so."""
    read: Callable[[], bytes]
    """A digest of 16 bytes of what it holds now. Raises UnfingerprintableError where that cannot be told."""
