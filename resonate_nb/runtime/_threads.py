"""Threads of ours: what they do is done late, or not at all, where none can be had; no call fails for that."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ._say import say


def started(work: Callable[[], None], name: str, *, otherwise: str) -> threading.Thread | None:
    """A daemon thread at work. None where the system has no more of them, or the interpreter is ending; `otherwise`
    says what that means. Ask again at the next need.

    Call with interrupts held back: in the middle of starting a thread one would come out as an error of `threading`.
    """
    thread = threading.Thread(target=work, name=f"resonate_nb {name}", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        say(f"{error}: {otherwise}", once=True)
        return None
    return thread
