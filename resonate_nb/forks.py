"""A fork waits for what another thread is in the middle of: for a lock of ours, and for what it loads for a call.

A child has the locks of its parent and none of its threads, so what another thread held is held for ever; CPython's
lock of a module, too, while that is imported. Calls load a lot, each thing when it is first needed: our own modules,
what our dependencies put off, what the body imports. Imports that have no call of ours beneath them are Python's own
affair: a program may live inside of one.
"""

from __future__ import annotations

import os
import sys
import threading
from types import FrameType
from typing import Final, Protocol, TypeVar

from .frames import PACKAGE

_LOOKS: Final = 5_000
"""How often a fork looks, a millisecond apart. What is loaded may itself wait for who forks, and then for ever."""
_IMPORTING: Final = "<frozen importlib."


class _Lock(Protocol):
    def acquire(self) -> bool: ...
    def release(self) -> None: ...


_AnyLock = TypeVar("_AnyLock", bound=_Lock)


def held_over_forks(lock: _AnyLock) -> _AnyLock:
    """The lock, which whoever forks holds meanwhile, so that it is free in the child as well."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
    return lock


def await_loads(looks: int = _LOOKS) -> bool:
    """Whether no other thread is in the middle of loading something for a call, at the last of so many looks."""
    me = threading.get_ident()
    for _ in range(looks):
        if not any(_is_loading(frame) for thread, frame in sys._current_frames().items() if thread != me):
            return True
        # Nobody is told when an import ends. An event of its own: a child may find a shared one taken.
        threading.Event().wait(0.001)
    return False


def _is_loading(frame: FrameType | None) -> bool:
    """Whether a thread that is here imports something inside of code of ours. That shows from the moment at which it
    may have the lock; `__spec__._initializing` says nothing while the module is looked for."""
    is_importing = False
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_IMPORTING):
            is_importing = True
        elif is_importing and file.startswith(PACKAGE):
            return True
        frame = frame.f_back
    return False


if hasattr(os, "register_at_fork"):
    # The first to be registered is the last to be asked: between its look and the fork nothing else waits.
    os.register_at_fork(before=await_loads)


__all__ = ["await_loads", "held_over_forks"]
