"""Group syncs, for ``adaptive``: what was committed is on the medium a tenth of a second later, many commits at once.

A commit at ``synchronous = NORMAL`` writes frames to SQLite's write-ahead log and leaves it to the system when they
reach the disk. Each frame carries a checksum over all before it, so after a power cut SQLite reads the log up to the
first frame that did not make it: what survives is a prefix of the commits. One sync of the log therefore makes every
commit before it safe, whichever connection or process wrote it. The log itself needs nothing more: SQLite syncs its
first bytes, and the directory with its name, before it writes a frame, and syncs it again before it copies frames into
the database. A log that is not there is one whose frames have all been copied.

The log is synced through a descriptor of our own. A commit at ``synchronous = FULL`` on a second connection does the
same, and holds the database's write lock while the disk is at work: with syncs of 30 ms that cost a loop of commits a
quarter of its speed, and a group would wait for any process that sits in a transaction. (SQLite's locks lie on the
database and its ``-shm``, never on the log: closing a descriptor of the log releases none.)

Value files come first, so that a row that is safe names a file that is. Rows may get ahead of their files all the same
(SQLite's own checkpoint, another process's sync): such a row reads as not stored.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from resonate_nb.clock import Clock
from resonate_nb.errors import StoreError

from . import _failures
from ._sync import sync_file, sync_names

GROUP_SECONDS = 0.1
"""What was committed is synced when this has passed, as far as the disk is able to."""
LONG_SYNCS = 10
"""A call that took longer than this many syncs waits for one."""
_FIRST_GUESS_SECONDS = 0.005
_REMEMBERED = 9
"""Durations of how many syncs tell how long one takes: their median, which one slow sync does not move."""


class GroupSync:
    """What one process owes to the medium, and the thread that pays; it runs only while something is owed."""

    def __init__(self, path: Path, log: Path, values: Path, folders: Sequence[Path], clock: Clock) -> None:
        self._path = path
        self._log = log
        self._values = values
        self._folders = folders
        """Those that say that the store is there, until the first group has synced them."""
        self._clock = clock
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)
        self._usual = _FIRST_GUESS_SECONDS
        self._is_forked = False
        self._owe_nothing()
        # A process that ends in good order leaves nothing to chance.
        atexit.register(self.flush)

    def reset_in_child(self) -> None:
        """After a fork, in the child: the thread, the locks and what is owed are the parent's."""
        self._is_forked = True
        self._owe_nothing()

    def _owe_nothing(self) -> None:
        self._lock = threading.RLock()
        """Held for moments, over the five that follow."""
        self._committed = 0
        self._files: list[str] = []
        self._since: float | None = None
        """When the oldest commit was made that no sync has been begun for."""
        self._thread: threading.Thread | None = None
        self._failure: StoreError | None = None
        """Of a sync that nobody waited for, until it is said."""
        self._turn = threading.Lock()
        """Held while syncing."""
        self._synced = 0
        """How many of the commits are known to be safe."""
        self._closing = threading.Event()

    def owe_file(self, name: str) -> None:
        """A value file has been written that the next group syncs."""
        with self._lock:
            self._files.append(name)

    def owe_commit(self) -> None:
        """A commit has been made that the next group syncs. Costs next to nothing while a group is waited for."""
        with self._lock:
            self._committed += 1
            if self._since is not None:
                return
            self._since = self._clock.monotonic()
            if self._thread is not None:
                return
            if self._is_forked:
                self._is_forked = False
                _at_the_end_of_a_child(self.flush)
            thread = self._thread = threading.Thread(target=self._run, name="resonate_nb sync", daemon=True)
            try:
                thread.start()
                return
            except BaseException as error:
                if thread.ident is None:
                    # It never began; the next commit starts another.
                    self._thread = self._since = None
                if not isinstance(error, RuntimeError):
                    raise
        # No more threads can be had, or the interpreter is ending.
        self._sync_behind()

    def owed(self, seconds: float) -> Callable[[], None] | None:
        """See the port."""
        if seconds > LONG_SYNCS * self._usual:
            return partial(self._pay, self._committed)
        return None if self._failure is None else partial(self._pay, 0)

    def _pay(self, wanted: int) -> None:
        self._sync(wanted)
        if self._failure is not None:
            with self._lock:
                failure, self._failure = self._failure, None
            if failure is not None:
                raise failure

    def flush(self) -> None:
        """All that has been committed is on the medium.

        Raises StoreError if that fails; and, once, if a sync in the background has failed since it was last said."""
        self._pay(self._committed)

    def close(self) -> None:
        """All that has been committed is on the medium, and no thread runs. Raises as `flush` does; idempotent."""
        atexit.unregister(self.flush)
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join()
        self.flush()

    def due_in(self) -> float | None:
        """Seconds until the next group begins, so that it ends in time; None when nothing is owed."""
        if self._since is None:
            return None
        # Half of the time at least, however slow the disk: else it would never stop syncing.
        patience = max(GROUP_SECONDS / 2, GROUP_SECONDS - 2 * self._usual)
        return self._since + patience - self._clock.monotonic()

    def _run(self) -> None:
        while True:
            with self._lock:
                seconds = self.due_in()
                if seconds is None or self._closing.is_set():
                    self._thread = None
                    return
            if seconds > 0:
                self._closing.wait(seconds)
                continue
            self._sync_behind()

    def _sync_behind(self) -> None:
        """A sync whose failure is kept for whoever asks next what is owed: nobody waits for it."""
        try:
            self._sync(self._committed)
        except StoreError as error:
            with self._lock:
                self._failure = error

    def _sync(self, wanted: int) -> None:
        """The first `wanted` commits are on the medium, by a sync of somebody else's perhaps."""
        with self._turn:
            if self._synced >= wanted:
                return
            with self._lock:
                committed, files = self._committed, self._files
                self._files = []
                self._since = None
            try:
                sync_names(self._folders)
                self._folders = ()
                self._sync_files(files)
                self._sync_log()
            except BaseException as error:
                # Still owed, and tried again with the next commit, not over and over.
                with self._lock:
                    self._files[:0] = files
                if isinstance(error, OSError):
                    raise _failures.not_synced(error, self._path) from error
                raise
            self._synced = committed

    def _sync_files(self, names: list[str]) -> None:
        for name in names:
            _sync_path(self._values / name)
        if names:
            sync_names((self._values,))

    def _sync_log(self) -> None:
        started = self._clock.monotonic()
        _sync_path(self._log)
        self._durations.append(self._clock.monotonic() - started)
        self._usual = sorted(self._durations)[len(self._durations) // 2]


def _at_the_end_of_a_child(work: Callable[[], None]) -> None:
    """`multiprocessing` ends its forked children so that `atexit` is passed over; it has a list of its own, which it
    empties when a child begins."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, work, exitpriority=0)


def _sync_path(path: Path) -> None:
    """The file's bytes are on the medium, if it is there: it may have been forgotten meanwhile, and the store with it,
    of which those are told who use it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)
