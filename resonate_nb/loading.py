"""A module that is loaded in the middle of a call, and is whole to whoever forks meanwhile.

Of a module that one thread imports while another forks, the child has the lock and not the thread: what it imports of
it then waits for ever. (CPython has a lock for each module and renews none of them in a child.) Our fork waits.
"""

from __future__ import annotations

import importlib
import os
import threading
from typing import Any

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def load(name: str) -> Any:
    """The module of this name, imported if need be; no fork falls into the middle."""
    with _lock:
        return importlib.import_module(name)


__all__ = ["load"]
