"""What is never stored, by type, each with the reason and what to return instead.

Plain pickle takes some of these and brings back something dead (a memory map without its file, a widget without its
view, a temporary directory that deletes itself twice), and refuses others with words that help nobody.
"""

from __future__ import annotations

import io
import types
from enum import Enum

_KINDS: tuple[tuple[type, str], ...] = (
    (io.IOBase, "a file, open or closed, cannot come back; return its path or its content"),
    (types.GeneratorType, "a generator can be read only once; return a list of what it yields"),
    (types.CoroutineType, "a coroutine runs only once; await it and return its result"),
    (types.AsyncGeneratorType, "an async generator can be read only once; return a list of what it yields"),
    (memoryview, "a memoryview shows memory of another object; return bytes(...) of it"),
    (types.FrameType, "a frame belongs to a running call"),
    (types.TracebackType, "a traceback belongs to a running call; return its text (traceback.format_exception)"),
)

_MODULES: dict[str, str] = {
    "threading": "threads and locks live in one process",
    "_thread": "threads and locks live in one process",
    "queue": "a queue lives in one process; return a list of its items",
    "_queue": "a queue lives in one process; return a list of its items",
    "asyncio": "it belongs to a running event loop",
    "_asyncio": "it belongs to a running event loop",
    "concurrent": "it belongs to threads or processes of this session; return its result",
    "multiprocessing": "it belongs to processes of this session",
    "socket": "a socket is a connection of this process",
    "_socket": "a socket is a connection of this process",
    "ssl": "a secure connection belongs to this process",
    "_ssl": "a secure connection belongs to this process",
    "select": "it waits on file descriptors of this process",
    "sqlite3": "a database connection belongs to this process; return rows, or the path",
    "weakref": "a weak reference does not keep what it points to",
    "_weakref": "a weak reference does not keep what it points to",
    "_weakrefset": "a weak reference does not keep what it points to",
    "tempfile": "a temporary file or directory is deleted with its object; return its content",
    "contextvars": "a context variable belongs to running code",
    "_contextvars": "a context variable belongs to running code",
    "mmap": "a memory map belongs to this process; return its bytes",
}

_NAMES: dict[tuple[str, str], str] = {
    ("numpy", "memmap"): "a memory map would come back without its file; return numpy.array(...) of it, or the path",
    ("ipywidgets", "Widget"): "a widget's view lives in the page; return its value",
    ("subprocess", "Popen"): "a running process cannot come back; return its output",
}

_IN_MEMORY = (io.BytesIO, io.StringIO)


def refusal(kind: type) -> str | None:
    """Why values of this type are never stored; None when pickle may try. Imports nothing."""
    if kind in _IN_MEMORY or issubclass(kind, (BaseException, Enum)):
        return None
    for base, reason in _KINDS:
        if issubclass(kind, base):
            return reason
    for base in kind.__mro__:
        module = getattr(base, "__module__", None)
        if isinstance(module, str):
            root = module.partition(".")[0]
            why = _MODULES.get(root) or _NAMES.get((root, base.__name__))
            if why is not None:
                return why
    return None
