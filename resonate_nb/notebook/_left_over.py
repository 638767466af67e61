"""What a closed file comes back as: `with open(p) as f:` leaves `f` behind, and nobody needs it any more."""

from __future__ import annotations

import io
from typing import Any, NoReturn


class LeftOver:
    """A stand-in for a closed file that a cell left bound: says what it was, and can do what that could: nothing.

    Its name and attributes are part of the stored format.
    """

    closed = True

    def __init__(self, name: object, was: str) -> None:
        self.name = name
        self.was = was

    def close(self) -> None:
        """Closing a closed file does nothing."""

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):  # what Python itself asks, for copies and pickles
            raise AttributeError(attribute)
        raise ValueError(
            f"I/O operation on closed file ({self.__dict__.get('was', 'a file')}, brought back by a replay)"
        )

    def __repr__(self) -> str:
        return f"<closed, left over: {self.was}>"


def stand_in(value: object) -> Any:
    """A stand-in for a closed file; every other value as it is."""
    if isinstance(value, io.IOBase) and value.closed and type(value).__module__ in ("_io", "io"):
        return LeftOver(getattr(value, "name", None), repr(value))
    return value
