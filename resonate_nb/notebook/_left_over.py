"""What a closed file or a finished pool comes back as.

`with open(p) as f:` leaves `f` behind, and `with ThreadPoolExecutor() as pool:` leaves `pool`: nobody needs them any
more.
"""

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


class FinishedPool:
    """A stand-in for a pool of threads or processes that was shut down; it takes no more work, as that did not.

    Its name and attributes are part of the stored format.
    """

    def __init__(self, was: str) -> None:
        self.was = was

    def shutdown(self, *_: object, **__: object) -> None:
        """Shutting down what is shut down does nothing."""

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        raise RuntimeError(
            f"cannot schedule new futures after shutdown ({self.__dict__.get('was', 'a pool')}, "
            f"brought back by a replay)"
        )

    def __repr__(self) -> str:
        return f"<shut down, left over: {self.was}>"


# Those whose own close says all: a file of a class of the user's may hold more.
_FILES = frozenset({"_io", "io", "gzip", "bz2", "lzma", "http.client", "urllib.response"})


def stand_in(value: object) -> Any:
    """A stand-in for a closed file or a pool that was shut down; every other value as it is."""
    kind = type(value)
    if isinstance(value, io.IOBase) and value.closed and kind.__module__ in _FILES:
        return LeftOver(getattr(value, "name", None), repr(value))
    if (kind.__module__, kind.__name__) == ("zipfile", "ZipFile") and getattr(value, "fp", value) is None:
        return LeftOver(getattr(value, "filename", None), repr(value))
    if (kind.__module__, kind.__name__) in _SHUT_DOWN and getattr(value, _SHUT_DOWN[kind.__module__, kind.__name__]):
        return FinishedPool(kind.__name__)
    return value


# Each with the attribute that is true from its shutdown on.
_SHUT_DOWN = {
    ("concurrent.futures.thread", "ThreadPoolExecutor"): "_shutdown",
    ("concurrent.futures.process", "ProcessPoolExecutor"): "_shutdown_thread",
}
