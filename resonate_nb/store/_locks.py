"""The whole-file locks that die with their process: the one place to add another operating system.

`flock` belongs to the open file, not to the process as `lockf` does (which is lost when anything in the process closes
the file). A forked child shares the open file, so it must close its copy, and never unlock it: that would unlock the
parent's.
"""

from __future__ import annotations

import fcntl


def hold(descriptor: int) -> None:
    """The file is locked by us alone; waits for others."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_hold(descriptor: int) -> bool:
    """Whether the file is locked by us alone now; waits for nobody. Raises OSError where there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def release(descriptor: int) -> None:
    """The file is unlocked, for everyone who shares this descriptor."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_held(descriptor: int) -> bool:
    """Whether somebody holds the file through another descriptor. Leaves it unlocked."""
    try:
        # Shared, so that two who ask at the same time do not take each other for the owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
